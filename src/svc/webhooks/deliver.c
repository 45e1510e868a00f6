/* One request to the receiver of a webhook.
 *
 * Two signatures: that of the contract (SHA-1, over the decoded URL and the body; it says nothing of when), and that of Standard Webhooks, which names
 * the delivery and the time, so that a receiver can refuse what somebody sends again. What counts is the status: a body is read a little, so that the
 * connection can serve again, and never waited for. */
#include "core/conf.h"
#include "core/id.h"
#include "core/loop.h"
#include "core/vtime.h"
#include "io/fetch.h"
#include "webhooks_priv.h"

enum { HEADERS = 12, BODY_MAX = 64 * 1024, BODY_MS = 500 };

struct headers {
	struct fetch_header v[HEADERS];
	int n;
};

static void
deliver_put(struct headers *h, const char *name, const char *value)
{
	h->v[h->n++] = (struct fetch_header){name, value};
}

/* A header is one line. */
static const char *
deliver_one_line(struct ctx *cx, const char *s)
{
	char *out = arena_strdup(cx->arena, s);

	for (char *c = out; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return out;
}

static const char *
comma_list(struct ctx *cx, const struct strs *names)
{
	struct buf b;

	buf_init(&b, cx->arena, 512);
	for (int i = 0; i < names->n; i++) {
		if (i > 0)
			buf_ch(&b, ',');
		buf_c(&b, names->v[i]);
	}
	return buf_view(&b).p;
}

static const char *
signature_of_url(struct ctx *cx, const struct webhook *w, struct str body)
{
	unsigned char mac[20];
	struct buf b;

	buf_init(&b, cx->arena, strlen(w->url) + body.n + 1);
	buf_str(&b, str_url_decode(cx->arena, str_c(w->url), false));
	buf_str(&b, body);
	hmac_sha1(str_c(w->signature), buf_view(&b), mac);
	return base64_encode(cx->arena, (struct str){(const char *)mac, sizeof mac}, false);
}

/* The key as it is shown is what its libraries decode. */
static const char *
signature_of_time(struct ctx *cx, const struct webhook *w, const char *id, const char *seconds, struct str body)
{
	struct str key = str_c(w->signature);
	unsigned char mac[32];
	struct buf b;

	if (!base64_decode(cx->arena, str_c(w->signature), false, &key))
		key = str_c(w->signature);
	buf_init(&b, cx->arena, body.n + 128);
	buf_printf(&b, "%s.%s.", id, seconds);
	buf_str(&b, body);
	hmac_sha256(key, buf_view(&b), mac);
	return arena_printf(cx->arena, "v1,%s", base64_encode(cx->arena, (struct str){(const char *)mac, sizeof mac}, false));
}

static void
put_all(struct ctx *cx, struct headers *h, const struct project *p, const struct webhook *w, const struct delivery *d)
{
	const char *seconds = arena_printf(cx->arena, "%lld", (long long)time_now_ms() / 1000);

	deliver_put(h, "Content-Type", "application/json");
	deliver_put(h, "User-Agent", arena_printf(cx->arena, "Appwrite-Server v1.0.2. Please report abuse at %s", conf.security_email[0] ? conf.security_email : conf.mail_from));
	deliver_put(h, "X-Appwrite-Webhook-Id", w->id);
	deliver_put(h, "X-Appwrite-Webhook-Events", comma_list(cx, &d->about.names));
	deliver_put(h, "X-Appwrite-Webhook-Name", deliver_one_line(cx, w->name));
	if (d->actor[0] != '\0')
		deliver_put(h, "X-Appwrite-Webhook-User-Id", d->actor);
	deliver_put(h, "X-Appwrite-Webhook-Project-Id", p->id);
	deliver_put(h, "X-Appwrite-Webhook-Signature", signature_of_url(cx, w, d->body));
	deliver_put(h, "Webhook-Id", d->id);
	deliver_put(h, "Webhook-Timestamp", seconds);
	deliver_put(h, "Webhook-Signature", signature_of_time(cx, w, d->id, seconds, d->body));
}

/* Awaits. The rest of the answer, within reason. */
static void
deliver_read_rest(struct ctx *cx, struct fetch_stream *s)
{
	size_t got = 0;
	struct str piece;

	cx->deadline = loop_now() + BODY_MS;
	while (got < BODY_MAX && fetch_read(cx, s, &piece) == OK && piece.n > 0)
		got += piece.n;
}

static err_t
ask_receiver(struct ctx *cx, const struct fetch *f, struct outcome *out)
{
	struct fetch_stream *s;
	struct fetch_reply *reply;

	TRY(fetch_open(cx, f, &s));
	TRY(fetch_head(cx, s, &reply));
	out->status = reply->status;
	deliver_read_rest(cx, s);
	fetch_close(&s);
	return OK;
}

static const char *
deliver_why(struct ctx *cx, err_t e, int status)
{
	if (e == OK && status / 100 == 3)
		return arena_printf(cx->arena, "The receiver answered %d; redirects are not followed.", status);
	if (e == OK)
		return arena_printf(cx->arena, "The receiver answered %d.", status);
	if (e == ERR_TIMEOUT)
		return arena_printf(cx->arena, "No answer within %lld seconds.", (long long)conf.webhook_timeout / 1000);
	if (!conf.webhook_private && fetch_nowhere(cx, e))
		return "Not sent: there is no public address of that name (webhook_private).";
	return arena_printf(cx->arena, "No answer: %s.", cx->detail ? cx->detail : err_info(e)->name);
}

void
deliver(struct ctx *cx, const struct project *p, const struct webhook *w, const struct delivery *d, struct outcome *out)
{
	bool login = w->http_user[0] != '\0' && w->http_pass[0] != '\0';
	struct headers h = {.n = 0};
	uint64_t began = loop_now();
	struct fetch f = {
		.url = w->url, .method = "POST", .body = d->body, .user = login ? w->http_user : NULL, .password = login ? w->http_pass : NULL,
		.timeout_ms = (uint64_t)conf.webhook_timeout, .connect_ms = (uint64_t)conf.webhook_timeout, .progress_ms = (uint64_t)conf.webhook_timeout,
		.private_ok = conf.webhook_private, .insecure = !w->security,
	};
	err_t e;

	*out = (struct outcome){.why = ""};
	put_all(cx, &h, p, w, d);
	f.headers = h.v;
	f.n_headers = h.n;
	e = ask_receiver(cx, &f, out);
	out->ms = (int64_t)(loop_now() - began);
	out->busy = e == ERR_BUSY || e == ERR_CANCELLED;
	out->ok = e == OK && out->status / 100 == 2;
	if (!out->ok)
		out->why = deliver_why(cx, e, out->status);
}
