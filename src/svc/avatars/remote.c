/* What is elsewhere: fetched for strangers, so it is bounded in bytes, time and number, and goes to public addresses alone (io/fetch.h looks at the address that is
 * connected to, behind each redirect). */
#include "avatars_priv.h"
#include "config.h"
#include "core/conf.h"
#include "core/fair.h"
#include "core/metric.h"
#include "io/fetch.h"

enum { REDIRECTS = 10, CLIENT_PART = 8, READ_FIRST = 16 * 1024 };
#define AGENT "Badal/" PACKAGE_VERSION " (avatars)"

/* ---- how many at once ---- */

struct under_way {		/* in the arena of the request */
	struct fair_key who;
	struct under_way *prev, *next;
};
static struct under_way *under_way;

static err_t
remote_enter(struct req *rq, struct under_way *u)
{
	int64_t n = 0, of_client = 0, most = conf.avatar_fetches > 0 ? conf.avatar_fetches : 1;

	u->who = fair_key(&rq->cx);
	for (const struct under_way *o = under_way; o != NULL; o = o->next) {
		n++;
		of_client += o->who.client == u->who.client;
	}
	if (n >= most || of_client >= (most + CLIENT_PART - 1) / CLIENT_PART) {
		metric_add(M_avatar_fetches_refused, 1);
		return fail(&rq->cx, ERR_BUSY, "%lld addresses are being asked, %lld for this client", (long long)n, (long long)of_client);
	}
	u->next = under_way;
	if (under_way != NULL)
		under_way->prev = u;
	under_way = u;
	return OK;
}

static void
remote_leave(struct under_way *u)
{
	if (u->prev != NULL)
		u->prev->next = u->next;
	else
		under_way = u->next;
	if (u->next != NULL)
		u->next->prev = u->prev;
}

/* ---- one address ---- */

/* Before n more bytes: what the arena holds when the buffer has grown for them, those that it outgrew too, is charged as a body is. */
static err_t
read_room(struct req *rq, size_t n, size_t *charged)
{
	while (n >= *charged) {
		TRY(http_charge(rq->http, 2 * *charged));
		*charged *= 2;
	}
	return OK;
}

/* The beginning of a page is enough: what is longer is left there. */
static err_t
read_begin(struct req *rq, struct fetch_stream *s, size_t most, bool whole, struct str *out)
{
	struct buf b;
	struct str piece;
	size_t charged = READ_FIRST;

	buf_init(&b, rq->cx.arena, READ_FIRST);
	do {
		TRY(fetch_read(&rq->cx, s, &piece));
		TRY(read_room(rq, b.n + (piece.n < most - b.n ? piece.n : most - b.n), &charged));
		if (piece.n > most - b.n) {
			if (whole)
				return fail(&rq->cx, ERR_FETCH, "more than %zu bytes", most);
			piece.n = most - b.n;
			buf_str(&b, piece);
			break;
		}
		buf_str(&b, piece);
	} while (piece.n > 0);
	*out = buf_view(&b);
	return OK;
}

static err_t
remote_ask(struct req *rq, const char *url, size_t most, bool whole, struct remote *out)
{
	static const struct fetch_header headers[] = {{"User-Agent", AGENT}};
	const struct fetch f = {.url = url, .headers = headers, .n_headers = 1, .redirects = REDIRECTS, .timeout_ms = (uint64_t)conf.avatar_timeout,
	    .connect_ms = (uint64_t)conf.avatar_timeout, .private_ok = conf.avatar_private};
	struct fetch_reply *r;
	struct fetch_stream *s;

	TRY(fetch_open(&rq->cx, &f, &s));
	TRY(fetch_head(&rq->cx, s, &r));
	if (whole && r->status >= 400)
		return fail(&rq->cx, ERR_FETCH, "status %d", r->status);
	out->url = r->url;
	TRY(read_begin(rq, s, most, whole, &out->body));
	fetch_close(&s);
	return out->body.n > 0 ? OK : fail(&rq->cx, ERR_FETCH, "nothing there");
}

err_t
remote_get(struct req *rq, const char *url, size_t most, bool whole, struct remote *out)
{
	struct under_way *u = arena_new_of(rq->cx.arena, struct under_way);
	struct defer *mark = rq->cx.defers;
	err_t e;

	TRY(remote_enter(rq, u));
	e = remote_ask(rq, url, most, whole, out);
	ctx_unwind(&rq->cx, mark);	/* the stream, if it was left in the middle */
	remote_leave(u);
	return e;
}

bool
remote_is_ours(const struct req *rq)
{
	return strcmp(rq->user_agent, AGENT) == 0;
}
