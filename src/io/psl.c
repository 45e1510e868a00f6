/* Public suffixes by libpsl, with the list built into it (Debian keeps it fresh in /usr/share/publicsuffix; psl_latest reads that). */
#include "io/psl.h"

#include <libpsl.h>

enum { HOST_MAX = 253 };

static const psl_ctx_t *
list(void)
{
	static const psl_ctx_t *loaded;

	if (loaded == NULL && (loaded = psl_latest(NULL)) == NULL)
		loaded = psl_builtin();
	return loaded;
}

/* Addresses have no suffix: every top-level label of the list begins with a letter. */
static bool
numeric(struct str host)
{
	size_t i = host.n;

	while (i > 0 && host.p[i - 1] != '.')
		i--;
	return i == host.n || (host.p[i] >= '0' && host.p[i] <= '9');
}

static struct str
ask(struct str host, bool registrable)
{
	char text[HOST_MAX + 1];
	const char *part;

	if (host.n == 0 || host.n > HOST_MAX || list() == NULL || numeric(host) || memchr(host.p, ':', host.n) != NULL)
		return STR_NONE;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	part = psl_unregistrable_domain(list(), text);
	/* the last label alone counts as a suffix even when no rule has it: only a rule is wanted */
	if (part == NULL || !psl_is_public_suffix2(list(), part, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE))
		return STR_NONE;
	if (registrable && (part = psl_registrable_domain(list(), text)) == NULL)
		return STR_NONE;
	return (struct str){host.p + (part - text), host.n - (size_t)(part - text)};
}

struct str
psl_suffix(struct str host)
{
	return ask(host, false);
}

struct str
psl_registrable(struct str host)
{
	return ask(host, true);
}
