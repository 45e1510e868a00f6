/* The networks of conf.trust_proxy. IPv4 addresses are looked at as the IPv6 addresses that they map to. */
#include "model/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "core/conf.h"

enum { NETS_MAX = 64, V4_BITS = 96 };

struct net {
	uint8_t addr[16];
	int bits;		/* of addr that count */
};

static const struct {
	const char *word, *nets;
} words[] = {
    {"on", "::/0"},
    {"off", ""},
    {"private", "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fe80::/10 fc00::/7"},	/* RFC 1918, 3927, 4193, 4291 */
};

static struct net nets[NETS_MAX];
static int n_nets;
static const char *parsed;	/* conf.trust_proxy that `nets` is of; its texts are kept (conf.c) */
static char wrong[64];

static bool
address_parse(const char *text, struct net *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	out->bits = 128;
	if (inet_pton(AF_INET6, text, out->addr) == 1)
		return true;
	memcpy(out->addr, mapped, sizeof mapped);
	return inet_pton(AF_INET, text, out->addr + sizeof mapped) == 1;
}

/* "address" or "address/bits" */
static bool
net_parse(struct str s, struct net *out)
{
	char text[INET6_ADDRSTRLEN];
	struct str addr = str_cut(&s, '/');
	int64_t bits;

	if (addr.n >= sizeof text)
		return false;
	memcpy(text, addr.p, addr.n);
	text[addr.n] = '\0';
	if (!address_parse(text, out))
		return false;
	if (s.p == NULL)
		return true;
	if (!str_to_i64(s, &bits) || bits < 0)
		return false;
	if (strchr(text, ':') == NULL)
		bits += V4_BITS;
	out->bits = (int)(bits > 128 ? 128 : bits);
	return bits <= 128;
}

static bool add_all(struct str list, bool may_be_word);

static bool
add_one(struct str s, bool may_be_word)
{
	for (size_t i = 0; may_be_word && i < sizeof words / sizeof words[0]; i++)
		if (str_is(s, words[i].word))
			return add_all(str_c(words[i].nets), false);
	if (n_nets < NETS_MAX && net_parse(s, &nets[n_nets])) {
		n_nets++;
		return true;
	}
	snprintf(wrong, sizeof wrong, "%.*s", STR_FMT(s));
	return false;
}

static bool
add_all(struct str list, bool may_be_word)
{
	while (list.p != NULL && list.n > 0) {
		struct str s = str_trim(str_cut(&list, ' ')), one;

		while (s.n > 0) {
			one = str_cut(&s, ',');
			if (one.n > 0 && !add_one(one, may_be_word))
				return false;
		}
	}
	return true;
}

static void
parse(const char *setting)
{
	if (parsed == setting)
		return;
	parsed = setting;
	n_nets = 0;
	wrong[0] = '\0';
	if (!add_all(str_c(parsed), true))
		n_nets = 0;
}

const char *
proxy_wrong_entry(const char *setting)
{
	parsed = NULL;		/* it may be a text of its own */
	parse(setting);
	parsed = NULL;
	return wrong[0] == '\0' ? NULL : wrong;
}

static bool
proxy_holds(const struct net *n, const uint8_t *addr)
{
	int whole = n->bits / 8, rest = n->bits % 8;

	return memcmp(n->addr, addr, (size_t)whole) == 0 && (rest == 0 || (n->addr[whole] ^ addr[whole]) >> (8 - rest) == 0);
}

bool
proxy_is_sandbox(const char *address)
{
	return strncmp(address, "127.66.", 7) == 0 || strncmp(address, "::ffff:127.66.", 14) == 0;
}

bool
proxy_trusts(const char *address)
{
	char text[INET6_ADDRSTRLEN];
	size_t n = strcspn(address, "%");	/* a zone says by which interface, not who */
	struct net who;

	parse(conf.trust_proxy);
	if (n >= sizeof text || proxy_is_sandbox(address))
		return false;
	memcpy(text, address, n);
	text[n] = '\0';
	if (!address_parse(text, &who))
		return false;
	for (int i = 0; i < n_nets; i++)
		if (proxy_holds(&nets[i], who.addr))
			return true;
	return false;
}

bool
proxy_trusted(const struct http_msg *m)
{
	return proxy_trusts(m->peer);
}
