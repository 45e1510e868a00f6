/* Public suffixes by libpsl, with the list built into it (Debian keeps it fresh in /usr/share/publicsuffix; psl_latest reads that). */
#include "io/psl.h"

#include <libpsl.h>

enum { HOST_MAX = 253 };

static const psl_ctx_t *
psl_list(void)
{
	static const psl_ctx_t *loaded;

	if (loaded == NULL && (loaded = psl_latest(NULL)) == NULL)
		loaded = psl_builtin();
	return loaded;
}

/* Addresses have no suffix: every top-level label of the list begins with a letter. */
static bool
psl_numeric(struct str host)
{
	size_t i = host.n;

	while (i > 0 && host.p[i - 1] != '.')
		i--;
	return i == host.n || (host.p[i] >= '0' && host.p[i] <= '9');
}

static struct str
psl_ask(struct str host, bool registrable)
{
	char text[HOST_MAX + 1];
	const char *part;

	if (host.n == 0 || host.n > HOST_MAX || psl_list() == NULL || psl_numeric(host) || memchr(host.p, ':', host.n) != NULL)
		return STR_NONE;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	part = psl_unregistrable_domain(psl_list(), text);
	/* the last label alone counts as a suffix even when no rule has it: only a rule is wanted */
	if (part == NULL || !psl_is_public_suffix2(psl_list(), part, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
		return STR_NONE;
	if (registrable && (part = psl_registrable_domain(psl_list(), text)) == NULL)
		return STR_NONE;
	return (struct str){host.p + (part - text), host.n - (size_t)(part - text)};
}

struct str
psl_suffix(struct str host)
{
	return psl_ask(host, false);
}

struct str
psl_registrable(struct str host)
{
	return psl_ask(host, true);
}
