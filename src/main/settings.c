/* What settings may be, where it takes more than this layer's types to tell: each kind LIKE(name) of include/tbl/config.h has a row here, and so have
 * settings that only make sense together. The readers of a setting are asked, so that what is let in is what they understand. */
#include <arpa/inet.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/conf.h"
#include "exec/check.h"
#include "exec/far.h"
#include "exec/net.h"
#include "gate/gate.h"
#include "io/bus.h"
#include "io/db.h"
#include "io/device.h"
#include "main_priv.h"
#include "model/format.h"
#include "model/origin.h"
#include "model/proxy.h"
#include "svc/messages/sms.h"

static char settings_words[300];

static const char *
must(bool ok, const char *words)
{
	return ok ? NULL : words;
}

static const char *
address_wrong(const char *s)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return must(*s == '\0' || strcmp(s, "*") == 0 || inet_pton(AF_INET6, s, addr) == 1 || inet_pton(AF_INET, s, addr) == 1,
	    "it must be an address of this machine, such as 127.0.0.1, ::1 or ::");
}

static const char *
roles_wrong(const char *s)
{
	struct str rest = str_c(s);
	int n = 0;

	snprintf(settings_words, sizeof settings_words, "it must be a comma-separated list of:");
	for (const struct role *r = roles; r->name != NULL; r++)
		snprintf(settings_words + strlen(settings_words), sizeof settings_words - strlen(settings_words), " %s", r->name);
	while (rest.p != NULL) {
		struct str one = str_trim(str_cut(&rest, ','));
		const struct role *r = roles;

		while (r->name != NULL && !str_is(one, r->name))
			r++;
		if (one.n > 0 && r->name == NULL)
			return settings_words;
		n += one.n > 0;
	}
	return must(n > 0, settings_words);
}

static const char *
user_wrong(const char *s)
{
	const struct passwd *pw = *s != '\0' ? getpwnam(s) : NULL;

	return *s == '\0' ? NULL : pw == NULL ? "there is no such user" : must(pw->pw_uid != 0, "it must be a user without privileges");
}

/* A comma-separated list whose entries are all fine; empty is. */
static bool
all(const char *s, bool (*fine)(struct str))
{
	struct str rest = str_c(s);

	while (rest.n > 0)
		if (!fine(str_trim(str_cut(&rest, ','))))
			return false;
	return true;
}

static const char *
emails_wrong(const char *s)
{
	return must(all(s, format_email), "it must be a comma-separated list of e-mail addresses");
}

static const char *
ips_wrong(const char *s)
{
	return must(all(s, format_ip), "it must be a comma-separated list of addresses");
}

static const char *
email_wrong(const char *s)
{
	/* localhost.test and the like are fine: who delivers them decides */
	return must(format_email(str_c(s)), "it must be an e-mail address");
}

static const char *
host_wrong(const char *s)
{
	return must(*s == '\0' || format_hostname(str_c(s)) || format_ip(str_c(s)), "it must be a host name, without scheme, port and path");
}

static const char *
web_url_wrong(const char *s)
{
	bool web = strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0;

	return must(*s == '\0' || (web && format_url(str_c(s))), "it must begin with http:// or https://");
}

static const char *
proxies_wrong(const char *s)
{
	const char *entry = proxy_wrong_entry(s);

	if (entry == NULL)
		return NULL;
	snprintf(settings_words, sizeof settings_words, "%s is not an address, a network, private, on or off", entry);
	return settings_words;
}

static const char *
proxy_headers_wrong(const char *s)
{
	const char *entry = proxy_wrong_header(s);

	if (entry == NULL)
		return NULL;
	snprintf(settings_words, sizeof settings_words, "%s is no header in which proxies name their client", entry);
	return settings_words;
}

static const char *
locale_wrong(const char *s)
{
	return must(api_locale_known(s), "it must be a language such as en, de or pt-br");
}

static const char *
format_wrong(const char *s)
{
	return must(api_format_known(s), "it must be a version such as 0.15.0, newest, or empty");
}

static const char *
sms_wrong(const char *s)
{
	return must(*s == '\0' || sms_provider_known(s), "it must be sms://user:secret@provider, and one of the providers there are");
}

static const char *
rules_wrong(const char *s)
{
	struct stat st;

	return must(*s == '\0' || strcmp(s, "auto") == 0 || !conf_files || (stat(s, &st) == 0 && S_ISDIR(st.st_mode)),
	    "it must be auto, empty, or a directory that is there");
}

static const char *
pool_wrong(const char *s)
{
	return must(net_wrong_pool(s) == NULL, "it must be a network of /16 to /28, such as 198.19.0.0/16");
}

static const char *
allow_wrong(const char *s)
{
	const char *entry = net_wrong_allow(s);

	if (entry == NULL)
		return NULL;
	snprintf(settings_words, sizeof settings_words, "%s is not an address or network, with a port or without", entry);
	return settings_words;
}

static const char *
guarantees_wrong(const char *s)
{
	const char *word = sandbox_wrong_guarantee(s);

	if (word == NULL)
		return NULL;
	snprintf(settings_words, sizeof settings_words, "%s is none of memory, processes, processors, identity and network", word);
	return settings_words;
}

static const char *
servers_wrong(const char *s)
{
	struct str rest = str_c(s);
	int n = 0;

	while (rest.n > 0) {
		struct str one = str_trim(str_cut(&rest, ' '));

		if (one.n > 0 && (!format_ip(one) || ++n > 3))
			return "it must be up to three addresses with blanks between";
	}
	return NULL;
}

static const char *
executor_wrong(const char *s)
{
	return must(*s == '\0' || far_place(s), "it must be address:port or name:port, as other machines reach it");
}

static const struct conf_like likes[] = {
    {"address", address_wrong},
    {"allow", allow_wrong},
    {"db_url", db_url_wrong},
    {"email", email_wrong},
    {"emails", emails_wrong},
    {"executor", executor_wrong},
    {"format", format_wrong},
    {"guarantees", guarantees_wrong},
    {"host", host_wrong},
    {"ips", ips_wrong},
    {"locale", locale_wrong},
    {"pool", pool_wrong},
    {"proxies", proxies_wrong},
    {"proxy_headers", proxy_headers_wrong},
    {"redis_url", bus_url_wrong},
    {"roles", roles_wrong},
    {"rules", rules_wrong},
    {"servers", servers_wrong},
    {"sms", sms_wrong},
    {"user", user_wrong},
    {"web_url", web_url_wrong},
    {0}};

/* ---- together ---- */

static const char *
tls_cert_wrong(const struct conf *c)
{
	return must(*c->tls_cert == '\0' || *c->tls_key != '\0', "it needs tls_key");
}

static const char *
tls_key_wrong(const struct conf *c)
{
	return must(*c->tls_key == '\0' || *c->tls_cert != '\0', "it needs tls_cert");
}

static const char *
executor_listen_wrong(const struct conf *c)
{
	return far_refusal(c->executor_listen, *c->executor_tls_cert != '\0');
}

static const char *
executor_tls_cert_wrong(const struct conf *c)
{
	return must(*c->executor_tls_cert == '\0' || *c->executor_tls_key != '\0', "it needs executor_tls_key");
}

static const char *
executor_tls_key_wrong(const struct conf *c)
{
	return must(*c->executor_tls_key == '\0' || *c->executor_tls_cert != '\0', "it needs executor_tls_cert");
}

static const char *
smtp_username_wrong(const struct conf *c)
{
	return must(*c->smtp_username == '\0' || *c->smtp_password != '\0', "it needs smtp_password");
}

static const char *
smtp_password_wrong(const struct conf *c)
{
	return must(*c->smtp_password == '\0' || *c->smtp_username != '\0', "it needs smtp_username");
}

static const char *
rt_queue_soft_wrong(const struct conf *c)
{
	return must(c->rt_queue_soft <= c->rt_queue_hard, "it must not be more than rt_queue_hard");
}

/* What is shown there signs people in: it is for who sits at the machine. */
static const char *
dev_wrong(const struct conf *c)
{
	bool here = strcmp(c->listen, "::") == 0 || strcmp(c->listen, "::1") == 0 || strncmp(c->listen, "127.", 4) == 0;

	if (!c->dev)
		return NULL;
	if (!here)
		return "it shows mails to who asks: it needs a loopback address in listen, such as 127.0.0.1";
	return must(*c->domain == '\0' || host_is_loopback(c->domain), "it is not for a server with a domain");
}

static const struct conf_rule rules[] = {
    {"dev", dev_wrong},
    {"executor_listen", executor_listen_wrong},
    {"executor_tls_cert", executor_tls_cert_wrong},
    {"executor_tls_key", executor_tls_key_wrong},
    {"storage_device", device_conf_wrong},
    {"storage_also", device_also_wrong},
    {"tls_cert", tls_cert_wrong},
    {"tls_key", tls_key_wrong},
    {"smtp_username", smtp_username_wrong},
    {"smtp_password", smtp_password_wrong},
    {"rt_queue_soft", rt_queue_soft_wrong},
    {0}};

void
settings_init(void)
{
	conf_likes = likes;
	conf_rules = rules;
}
