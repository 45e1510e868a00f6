/* Devices in one text, for storage_also and badal storage move --to:
 *
 *	local:/srv/files
 *	wasabi://KEY:SECRET@bucket/prefix?region=eu-west-1
 *	s3://KEY:SECRET@bucket?endpoint=http://127.0.0.1:9000&style=path&ca=/etc/ca.pem
 *
 * Key, secret and values may be percent-encoded. */
#include <stdio.h>

#include "device_priv.h"

static const char *
url_part(struct arena *a, struct str s)
{
	return s.n > 0 ? str_dup(a, str_url_decode(a, s, false)) : "";
}

static bool
url_option(struct arena *a, struct device_settings *s, struct str name, struct str text)
{
	const char *v = url_part(a, text);
	const struct {
		const char *name, **to;
	} rows[] = {{"region", &s->region}, {"endpoint", &s->endpoint}, {"acl", &s->acl}, {"ca", &s->ca}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (str_is(name, rows[i].name)) {
			*rows[i].to = v;
			return true;
		}
	if (!str_is(name, "style") || (strcmp(v, "path") != 0 && strcmp(v, "host") != 0))
		return false;
	s->path_style = strcmp(v, "path") == 0;
	return true;
}

bool
device_parse(struct arena *a, struct str url, const char *dir, struct device_settings *out, char *why, size_t why_size)
{
	struct str rest = str_trim(url), kind = str_cut(&rest, ':'), place, who;

	*out = (struct device_settings){.kind = str_dup(a, kind), .dir = dir, .endpoint = "", .region = "", .bucket = "", .key = "", .secret = "", .prefix = "",
	    .acl = "", .ca = "", .path_style = memmem(rest.p ? rest.p : "", rest.n, "endpoint=", 9) != NULL};
	if (str_is(kind, "local")) {
		out->dir = url_part(a, rest);
		if (out->dir[0] == '/')
			return true;
		snprintf(why, why_size, "local: wants an absolute path");
		return false;
	}
	snprintf(why, why_size, "not a device: local:/directory or provider://KEY:SECRET@bucket/prefix?region=…");
	if (!str_starts(rest, "//") || memchr(rest.p, '@', rest.n) == NULL)
		return false;
	rest.p += 2;
	rest.n -= 2;
	who = str_cut(&rest, '@');
	place = str_cut(&rest, '?');
	out->key = url_part(a, str_cut(&who, ':'));
	out->secret = url_part(a, who);
	out->bucket = url_part(a, str_cut(&place, '/'));
	out->prefix = url_part(a, place);
	while (rest.n > 0) {
		struct str v = str_cut(&rest, '&'), name = str_cut(&v, '=');

		if (!url_option(a, out, name, v)) {
			snprintf(why, why_size, "a device has region, endpoint, style (path or host), acl and ca, but not %.*s", STR_FMT(name));
			return false;
		}
	}
	return true;
}
