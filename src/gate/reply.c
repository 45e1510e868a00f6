/* Replies: status, headers and body in one http_reply, or in pieces when they are large; the envelope of errors. */
#include <assert.h>
#include <time.h>

#include "gate_priv.h"
#include "core/conf.h"
#include "core/json.h"
#include "core/log.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "core/words.h"
#include "io/budget.h"
#include "io/psl.h"
#include "model/origin.h"

#include "config.h"

enum { HEADERS_MAX = sizeof ((struct req *)0)->out / sizeof(struct http_header), HEADERS_KEPT = 3, BODY_HINT = 1024 };

#define JSON_TYPE "application/json; charset=UTF-8"

const char *
server_label(void)
{
	return conf.version_label[0] ? conf.version_label : PACKAGE_VERSION;
}

/* ---- headers ---- */

void
reply_static(struct req *rq, const char *name, const char *value)
{
	if (rq->n_out >= HEADERS_MAX - HEADERS_KEPT) {
		log_error(&rq->cx, "too many reply headers", "name=%s", name);
		return;
	}
	rq->out[rq->n_out++] = (struct http_header){name, value};
}

void
reply_header(struct req *rq, const char *name, const char *value)
{
	reply_static(rq, name, arena_strdup(rq->cx.arena, value));
}

static bool
has_header(const struct req *rq, const char *name)
{
	for (int i = 0; i < rq->n_out; i++)
		if (str_ieq(str_c(rq->out[i].name), str_c(name)))
			return true;
	return false;
}

void
reply_hit(struct req *rq)
{
	for (int i = 0; i < rq->n_out; i++)
		if (strcmp(rq->out[i].name, "X-Appwrite-Cache") == 0)
			rq->out[i].value = "hit";
}

/* ---- sending ---- */

uint64_t
request_us(const struct req *rq)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 - (uint64_t)rq->http->start_us;
}

void
reply_head(struct req *rq, int status, const char *type)
{
	uint64_t us = request_us(rq);

	assert(!rq->replied);
	rq->replied = true;
	rq->status = status;
	if (status != 304 && !has_header(rq, "Content-Type"))	/* what a 304 says of the type replaces what the client knows */
		rq->out[rq->n_out++] = (struct http_header){"Content-Type", type};
	if (conf.debug_speed && !(rq->route->flags & ROUTE_PLAIN))
		rq->out[rq->n_out++] = (struct http_header){"X-Debug-Speed",
		    arena_printf(rq->cx.arena, "%llu.%06llu", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000))};
}

static err_t
send_reply(struct req *rq, int status, const char *type, struct str body)
{
	if (body.n > REPLY_WHOLE_MAX) {
		TRY(budget_hold(&rq->cx, body.n));
		TRY(reply_begin(rq, status, type, (int64_t)body.n));
		TRY(reply_write(rq, body));
		return reply_end(rq);
	}
	reply_head(rq, status, type);
	rq->sent = body.n;
	http_reply(rq->http, status, rq->out, rq->n_out, body);
	return OK;
}

static err_t
send_json(struct req *rq, int status, const struct shape *shape, struct str json)
{
	TRY(compat_reply(rq, shape, &json));
	return send_reply(rq, status, JSON_TYPE, json);
}

err_t
reply(struct req *rq, int status, const struct shape *shape, const void *obj)
{
	struct buf b;
	struct jw w;

	buf_init(&b, rq->cx.arena, BODY_HINT);
	jw_init(&w, &b);
	w.empty_as_list = compat_empties(rq);
	w.format = rq->cx.format;
	shape_write(&w, shape_in(rq->cx.words, shape), obj);
	return send_json(rq, status, shape, buf_view(&b));
}

err_t
reply_json(struct req *rq, int status, struct str json)
{
	if (rq->route->model == &preferences_shape && compat_empties(rq)) {
		json.p = str_dup(rq->cx.arena, json);
		json_empties_to_lists((char *)(uintptr_t)json.p, json.n);
	}
	return send_json(rq, status, rq->route->model, json);
}

err_t
reply_none(struct req *rq)
{
	return send_reply(rq, 204, "text/html", STR_NONE);
}

err_t
reply_raw(struct req *rq, int status, const char *content_type, struct str body)
{
	return send_reply(rq, status, content_type, body);
}

/* ---- errors ---- */

/* "Invalid name: why" is, to later clients, "Invalid `name` param: why". */
static const char *
param_words(const struct req *rq, const char *words)
{
	static const char head[] = "Invalid ";
	const char *name = words + sizeof head - 1;
	size_t n;

	if (rq->cx.format < SINCE_1_5 || strncmp(words, head, sizeof head - 1) != 0)
		return words;
	n = strcspn(name, " :`");
	return n > 0 && name[n] == ':' ? arena_printf(rq->cx.arena, "%s`%.*s` param%s", head, (int)n, name, name + n) : words;
}

/* The one door for words about an error: the table's, or those of fail_msg, which are ours with what the caller has sent. The detail is for the log
 * alone: it may be PostgreSQL's text, a condition of ours or the name of a constraint. Of a 500 nobody learns more than that it happened. */
static const char *
error_words(const struct req *rq, const struct err_info *i)
{
	const char *words = rq->cx.message ? rq->cx.message : words_say(rq->cx.arena, rq->cx.words, i->message);

	return i->status == 500 ? "Server Error" : i == err_info(ERR_GENERAL_ARGUMENT_INVALID) ? param_words(rq, words) : words;
}

static void
write_envelope(struct jw *w, const struct err_info *i, int status, const char *type, const char *words, bool typed)
{
	jw_obj(w);
	JW_KEY(w, "message");
	jw_cstr(w, words);
	JW_KEY(w, "code");
	jw_i64(w, status);
	if (typed) {	/* 0.12 had none */
		JW_KEY(w, "type");
		jw_cstr(w, type);
	}
	JW_KEY(w, "version");
	jw_cstr(w, server_label());
	if (strcmp(conf.env, "development") == 0) {
		JW_KEY(w, "file");
		jw_cstr(w, i->name);
		JW_KEY(w, "line");
		jw_i64(w, 0);
		JW_KEY(w, "trace");
		jw_arr(w);
		jw_arr_end(w);
	}
	jw_obj_end(w);
}

void
reply_add_html(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '<':
			BUF_LIT(b, "&lt;");
			break;
		case '>':
			BUF_LIT(b, "&gt;");
			break;
		case '&':
			BUF_LIT(b, "&amp;");
			break;
		case '"':
			BUF_LIT(b, "&quot;");
			break;
		default:
			buf_ch(b, *text);
		}
}

static void
reply_write_page(struct buf *b, const struct req *rq, int status, const char *words)
{
	const char *url = rq->project ? rq->project->url : NULL;

	buf_printf(b, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Error %d</title>\n<h1>Error %d</h1>\n<p>", status, status);
	reply_add_html(b, words);
	BUF_LIT(b, "</p>\n");
	if (url != NULL && (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0)) {
		BUF_LIT(b, "<p><a href=\"");
		reply_add_html(b, url);
		BUF_LIT(b, "\">Go back</a></p>\n");
	}
	BUF_LIT(b, "</html>\n");
}

/* When a project whose data space is not ready may be asked for again. */
static void
retry_header(struct req *rq, err_t e)
{
	if (e == ERR_PROJECT_BEHIND)
		reply_static(rq, "Retry-After", "5");
	else if (e == ERR_PROJECT_STUCK || e == ERR_PROJECT_NEWER)
		reply_static(rq, "Retry-After", "60");
}

/* What ends a request before its lifecycle has the headers of browsers. The contract has them without: no project and no login speak for an
 * origin then. Everything else is trouble that its page should be able to read. */
static bool
without_cors(const struct req *rq, err_t e)
{
	return rq->cors || (rq->route->flags & ROUTE_PLAIN) || e == ERR_PROJECT_NOT_FOUND || e == ERR_USER_JWT_INVALID;
}

void
reply_error(struct req *rq, err_t e)
{
	const struct err_info *i = err_info(e);
	int status = err_status(e, rq->cx.format);
	bool html = rq->route->flags & ROUTE_HTML;
	struct buf b;
	struct jw w;

	rq->error = e;
	rq->n_out = rq->n_gate;	/* what a handler had added goes, cookies above all */
	if (!without_cors(rq, e))
		cors_headers(rq);
	reply_static(rq, "Cache-Control", "no-cache, no-store, must-revalidate");
	reply_static(rq, "Expires", "0");
	reply_static(rq, "Pragma", "no-cache");
	retry_header(rq, e);
	buf_init(&b, rq->cx.arena, 256);
	if (html) {
		reply_write_page(&b, rq, status, rq->cx.message ? rq->cx.message : i->message);
	} else {
		jw_init(&w, &b);
		write_envelope(&w, i, status, words_say(rq->cx.arena, rq->cx.words, i->type), error_words(rq, i), rq->format != FORMAT_12);
	}
	(void)send_reply(rq, status, html ? "text/html; charset=UTF-8" : JSON_TYPE, buf_view(&b));	/* small: it does not fail */
}

void
reply_refused(struct http_msg *m, err_t e)
{
	struct http_header h[REFUSAL_HEADERS];
	const struct err_info *i = err_info(e);
	/* of what has no route, that alone; but a page is let read it */
	bool bare = e == ERR_GENERAL_ROUTE_NOT_FOUND && m->hdr[HDR_ORIGIN].p == NULL;
	int n = cors_refusal(m, h), from = bare ? n - NO_CACHE_JSON : 0;
	struct buf b;
	struct jw w;

	buf_init(&b, m->arena, 256);
	jw_init(&w, &b);
	write_envelope(&w, i, i->status, i->type, i->message, true);
	http_reply(m, i->status, h + from, n - from, buf_view(&b));
	http_done(m);
}

/* ---- sessions ---- */

/* Base64 needs no more than these. */
static void
add_cookie_value(struct buf *b, const char *token)
{
	for (; *token != '\0'; token++)
		if (*token == '=' || *token == '+' || *token == '/')
			buf_printf(b, "%%%02X", (unsigned char)*token);
		else
			buf_ch(b, *token);
}

static void
session_cookie(struct req *rq, struct str name, const char *token, bool same_site)
{
	struct buf b;
	char date[30];

	buf_init(&b, rq->cx.arena, 512);
	buf_str(&b, name);
	BUF_LIT(&b, "=");
	if (token != NULL)
		add_cookie_value(&b, token);
	else
		BUF_LIT(&b, "deleted");
	buf_printf(&b, "; expires=%s; path=/", time_http(token ? time_now_ms() + rq->project->session_duration * 1000 : 1000, '-', date));
	if (strcmp(rq->host, "localhost") != 0 && !host_is_address(str_c(rq->host)))
		buf_printf(&b, "; domain=.%s", rq->host);
	if (strcmp(rq->scheme, "https") == 0)
		BUF_LIT(&b, "; secure");
	BUF_LIT(&b, "; httponly");
	if (same_site)
		BUF_LIT(&b, "; samesite=None");
	reply_static(rq, "Set-Cookie", b.p);
}

/* The browser keeps the cookies of this host when it shows a page of the same registrable domain. */
static bool
cookies_suffice(const struct req *rq)
{
	struct origin o = origin_parse(rq->origin);
	struct str own = psl_registrable(str_c(rq->host));

	return own.n > 0 && str_eq(own, psl_registrable(o.host));
}

void
reply_fallback(struct req *rq, const char *value)
{
	if (!cookies_suffice(rq))
		reply_header(rq, "X-Fallback-Cookies", value);
}

void
reply_session(struct req *rq, const char *token)
{
	/* who signs out in admin mode leaves the console */
	const char *name = arena_printf(rq->cx.arena, "a_session_%s", token == NULL && rq->admin_mode ? "console" : rq->project->id);
	struct str lower = str_lower(rq->cx.arena, str_c(name));

	if (cors_may_sign_in(rq)) {
		session_cookie(rq, str_c(arena_printf(rq->cx.arena, "%s_legacy", lower.p)), token, false);
		session_cookie(rq, lower, token, true);
	}
	reply_fallback(rq, token ? arena_printf(rq->cx.arena, "{\"%s\":\"%s\"}", name, token) : "[]");
}
