/* Addresses of Redis: redis://[[user]:password@]host[:port][/db] and unix:///path. */
#include "config.h"

#include "bus_priv.h"

static const char *
decoded(struct arena *a, struct str s)
{
	return str_dup(a, str_url_decode(a, s, false));
}

/* The last '@' ends the credentials: a password may hold others. */
static void
take_login(struct arena *a, struct str *rest, struct bus_url *out)
{
	struct str login, user;
	size_t at = rest->n;

	while (at > 0 && rest->p[at - 1] != '@')
		at--;
	if (at == 0)
		return;
	login = (struct str){rest->p, at - 1};
	rest->p += at;
	rest->n -= at;
	user = str_cut(&login, ':');
	if (login.p == NULL)
		return;
	out->user = user.n > 0 ? decoded(a, user) : NULL;
	out->password = login.n > 0 ? decoded(a, login) : NULL;
}

static bool
take_host(struct arena *a, struct str rest, struct bus_url *out)
{
	struct str host, port;
	int64_t n = 6379;

	if (rest.n > 0 && rest.p[0] == '[') {
		rest.p++;
		rest.n--;
		host = str_cut(&rest, ']');
		if (rest.p == NULL || (rest.n > 0 && rest.p[0] != ':'))
			return false;
		port = rest.n > 0 ? (struct str){rest.p + 1, rest.n - 1} : STR_NONE;
	} else {
		host = str_cut(&rest, ':');
		port = rest;
	}
	if (host.n == 0 || (port.p != NULL && (!str_to_i64(port, &n) || n < 1 || n > 65535)))
		return false;
	out->host = str_dup(a, host);
	out->port = arena_printf(a, "%d", (int)n);
	return true;
}

bool
bus_url_parse(struct arena *a, struct str url, struct bus_url *out, const char **why_out)
{
	struct str rest, where;

	*out = (struct bus_url){0};
	if (str_starts(url, "unix://")) {
		out->path = str_dup(a, (struct str){url.p + 7, url.n - 7});
		*why_out = "unix:// needs an absolute path shorter than 108 characters";
		return out->path[0] == '/' && url.n - 7 < 108;
	}
	*why_out = "expected redis://[[user]:password@]host[:port][/db] or unix:///path";
	if (!str_starts(url, "redis://"))
		return false;
	rest = (struct str){url.p + 8, url.n - 8};
	take_login(a, &rest, out);
	where = str_cut(&rest, '/');
	if (rest.n > 0 && (!str_to_i64(rest, &out->db) || out->db < 0))
		return false;
	return take_host(a, where, out);
}

const char *
bus_url_wrong(const char *url)
{
	struct ctx cx;
	struct bus_url out;
	const char *why = NULL;

	ctx_init(&cx);
	if (*url == '\0' || bus_url_parse(cx.arena, str_c(url), &out, &why))
		why = NULL;
	ctx_fini(&cx);
	return why;
}
