/* The letter box of `badal serve --dev`. What must stay true: it exists with the setting `dev` alone, which no server that others reach can have (settings.c), and shows
 * itself to this machine alone. A page of another site, whose name was made to lead here, asks with a Host of its own and finds nothing. */
#include "svc/messages/dev.h"

#include "core/conf.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "gate/gate.h"
#include "io/bus.h"
#include "messages_priv.h"
#include "model/origin.h"

enum { KEPT_MAX = 50, TEXT_MAX_BYTES = 64 * 1024, SUBJECT_MAX = 1000 };

#define BOX STR("{dev}:messages")

static struct str
cut_text(struct str s, size_t max)
{
	if (s.n > max)
		s.n = max;
	while (s.n > 0 && !str_utf8(s, NULL))	/* never through a character: three bytes at most */
		s.n--;
	return s;
}

err_t
dev_keep(struct ctx *cx, const char *kind, const char *to, const char *subject, struct str text)
{
	struct bus_reply *r;
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "kind");
	jw_cstr(&w, kind);
	JW_KEY(&w, "at");
	jw_i64(&w, time_now_ms());
	JW_KEY(&w, "to");
	jw_str(&w, cut_text(str_c(to), SUBJECT_MAX));
	JW_KEY(&w, "subject");
	jw_str(&w, cut_text(str_c(subject), SUBJECT_MAX));
	JW_KEY(&w, "text");
	jw_str(&w, cut_text(text, TEXT_MAX_BYTES));
	jw_obj_end(&w);
	TRY(bus_cmd(cx, &r, BUS(STR("LPUSH"), BOX, buf_view(&b))));
	TRY(bus_cmd(cx, &r, BUS(STR("LTRIM"), BOX, STR("0"), str_c(arena_printf(cx->arena, "%d", KEPT_MAX - 1)))));
	metric_add(M_dev_messages, 1);
	return bus_cmd(cx, &r, BUS(STR("EXPIRE"), BOX, STR("86400")));
}

/* ---- the page ---- */

static const char policy[] = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char *
dev_text(struct arena *a, const json_t *o, const char *name)
{
	struct str s = json_str(json_object_get(o, name));

	return s.p ? str_dup(a, s) : "";
}

static size_t
link_length(const char *s)
{
	size_t n = strcspn(s, " \t\r\n<>\"'`");

	return strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0 ? n : 0;
}

/* Links can be followed: that is what the page is for. */
static void
dev_add_text(struct req *rq, struct buf *b, const char *text)
{
	while (*text != '\0') {
		size_t n = link_length(text), plain = 0;
		const char *part;

		if (n > 0) {
			part = str_dup(rq->cx.arena, (struct str){text, n});
			BUF_LIT(b, "<a rel=\"noopener noreferrer\" href=\"");
			reply_add_html(b, part);
			BUF_LIT(b, "\">");
			reply_add_html(b, part);
			BUF_LIT(b, "</a>");
			text += n;
			continue;
		}
		do
			plain++;
		while (text[plain] != '\0' && link_length(text + plain) == 0);
		reply_add_html(b, str_dup(rq->cx.arena, (struct str){text, plain}));
		text += plain;
	}
}

static void
dev_add_message(struct req *rq, struct buf *b, struct str json)
{
	const json_t *o = json_parse(&rq->cx, json, NULL);
	char date[30];

	if (o == NULL)
		return;
	BUF_LIT(b, "<article>\n<h2>");
	reply_add_html(b, dev_text(rq->cx.arena, o, "subject"));
	BUF_LIT(b, "</h2>\n<p>");
	reply_add_html(b, dev_text(rq->cx.arena, o, "kind"));
	BUF_LIT(b, " to <b>");
	reply_add_html(b, dev_text(rq->cx.arena, o, "to"));
	buf_printf(b, "</b>, %s</p>\n<pre>", time_iso(json_integer_value(json_object_get(o, "at")), date));
	dev_add_text(rq, b, dev_text(rq->cx.arena, o, "text"));
	BUF_LIT(b, "</pre>\n</article>\n");
}

static err_t
messages_get_dev(struct req *rq, void *in)
{
	struct bus_reply *r;
	struct buf b;

	(void)in;
	if (!conf.dev || !request_is_owners(rq->http))
		return ERR_GENERAL_ROUTE_NOT_FOUND;
	TRY(bus_cmd(&rq->cx, &r, BUS(STR("LRANGE"), BOX, STR("0"), STR("-1"))));
	buf_init(&b, rq->cx.arena, 16384);
	BUF_LIT(&b, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\"><title>Messages</title>\n<h1>Messages</h1>\n"
	            "<p>Mails and short messages that would have been sent, the newest first. The last 50 are kept, for a day.</p>\n");
	for (int i = 0; r->type == BUS_LIST && i < r->n; i++)
		dev_add_message(rq, &b, r->v[i].s);
	BUF_LIT(&b, "</html>\n");
	reply_static(rq, "Content-Security-Policy", policy);
	reply_static(rq, "X-Content-Type-Options", "nosniff");
	reply_static(rq, "Referrer-Policy", "no-referrer");
	reply_static(rq, "Cache-Control", "no-store");
	return reply_raw(rq, 200, "text/html; charset=UTF-8", buf_view(&b));
}

static const struct route dev_rows[] = {
    {.method = "GET", .path = "/dev/messages", .handler = messages_get_dev, .status = 200, .doc = "What was to be sent, while developing.", .flags = ROUTE_PLAIN,
	.media = "text/html; charset=UTF-8"},
};
const struct routes messages_dev_routes = ROUTES(dev_rows);
