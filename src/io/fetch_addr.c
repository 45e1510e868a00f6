/* Which addresses only make sense inside (RFC 6890 and its kin). */
#include "fetch_priv.h"

#include <arpa/inet.h>
#include <string.h>

struct net {
	const char *text;
	int bits;
};

static const struct net nets4[] = {
    {"0.0.0.0", 8}, {"10.0.0.0", 8}, {"100.64.0.0", 10}, {"127.0.0.0", 8}, {"169.254.0.0", 16}, {"172.16.0.0", 12}, {"192.0.0.0", 24},
    {"192.0.2.0", 24}, {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24}, {"203.0.113.0", 24},
    {"224.0.0.0", 4}, {"240.0.0.0", 4},
};
/* Of IPv6 only 2000::/3 is public, without these. */
static const struct net nets6[] = {
    {"2001::", 23}, {"2001:db8::", 32}, {"3fff::", 20},
};
/* Prefixes behind which an IPv4 address stands, and at which byte. */
static const struct {
	struct net net;
	int at;
} embedded[] = {
    {{"::ffff:0:0", 96}, 12}, {{"64:ff9b::", 96}, 12}, {{"2002::", 16}, 2},
};

static bool
within(const unsigned char *a, const unsigned char *net, int bits)
{
	int whole = bits / 8, rest = bits % 8;

	return memcmp(a, net, (size_t)whole) == 0 && (rest == 0 || ((a[whole] ^ net[whole]) & (0xff00 >> rest) & 0xff) == 0);
}

static bool
within_text(int family, const unsigned char *a, const struct net *n)
{
	unsigned char net[16];

	return inet_pton(family, n->text, net) == 1 && within(a, net, n->bits);
}

static bool
private4(const unsigned char *a)
{
	for (size_t i = 0; i < sizeof nets4 / sizeof nets4[0]; i++)
		if (within_text(AF_INET, a, &nets4[i]))
			return true;
	return false;
}

static bool
private6(const unsigned char *a)
{
	for (size_t i = 0; i < sizeof embedded / sizeof embedded[0]; i++)
		if (within_text(AF_INET6, a, &embedded[i].net))
			return private4(a + embedded[i].at);
	for (size_t i = 0; i < sizeof nets6 / sizeof nets6[0]; i++)
		if (within_text(AF_INET6, a, &nets6[i]))
			return true;
	return (a[0] & 0xe0) != 0x20;
}

bool
sockaddr_private(const struct sockaddr *sa)
{
	switch (sa->sa_family) {
	case AF_INET:
		return private4((const unsigned char *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr);
	case AF_INET6:
		return private6((const unsigned char *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
	default:
		return true;
	}
}

bool
fetch_address_private(const char *text)
{
	unsigned char a[16];

	if (inet_pton(AF_INET, text, a) == 1)
		return private4(a);
	if (inet_pton(AF_INET6, text, a) == 1)
		return private6(a);
	return true;
}
