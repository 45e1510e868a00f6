/* Answers in pieces: streams, files, and lists of any length.
 *
 * A list is written member by member. While it is small nothing shows of that: it goes out whole, with its length. Once it is more than a
 * piece it goes out as it is made, so that neither it nor its reader's slowness is held; and between members the loop gets its turn. */
#include <assert.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/words.h"
#include "gate_priv.h"
#include "io/budget.h"
#include "io/static.h"
#include "model/blob.h"

enum { PIECE = 64 * 1024, LOOK = 4 * 1024, FEW = 25 };	/* LOOK: bytes made between two looks at the clock */

#define JSON_TYPE "application/json; charset=UTF-8"

/* ---- streams and files ---- */

err_t
reply_begin(struct req *rq, int status, const char *content_type, int64_t length)
{
	reply_head(rq, status, content_type);
	http_begin(rq->http, status, rq->out, rq->n_out, length);
	return OK;
}

err_t
reply_write(struct req *rq, struct str piece)
{
	rq->sent += piece.n;
	return http_write(&rq->cx, rq->http, piece);
}

err_t
reply_end(struct req *rq)
{
	http_end(rq->http);
	return OK;
}

err_t
reply_file(struct req *rq, int status, const char *content_type, int fd, uint64_t offset, uint64_t n)
{
	reply_head(rq, status, content_type);
	rq->sent = n;
	return http_send_file(&rq->cx, rq->http, status, rq->out, rq->n_out, fd, offset, n);
}

/* A device that gives its bytes slowly is no fault of the handler's: it has bounds of its own, for each piece. */
err_t
reply_blob(struct req *rq, int status, const char *content_type, struct blob_reader *r, int64_t n)
{
	struct str piece;

	rq->cx.deadline = loop_now() + (uint64_t)conf.transfer_timeout;
	TRY(reply_begin(rq, status, content_type, n));
	for (;;) {
		TRY(blob_read(r, &piece));
		if (piece.n == 0)
			break;
		TRY(reply_write(rq, piece));
	}
	return reply_end(rq);
}

err_t
reply_directory(struct req *rq, const struct static_dir *dir, struct str rest)
{
	struct static_sent sent = {0};
	err_t e = static_serve(&rq->cx, rq->http, dir, rest, rq->out, rq->n_out, &sent);

	rq->replied = http_begun(rq->http);
	rq->status = sent.status;
	rq->sent = sent.bytes;
	return e;
}

/* ---- lists ---- */

struct writer {
	struct req *rq;
	const struct member_list *l;
	const struct shape *shape;	/* of the members */
	bool old;		/* members are turned into an older format */
	bool begun;
	bool some;		/* a member was written */
	struct buf b;		/* what has not been sent */
	struct buf member;	/* in today's format */
	size_t looked;		/* b.n when the clock was looked at */
};

/* With a comma before all but the first. */
static err_t
write_member(struct writer *w, int i)
{
	size_t before = w->b.n;

	if (w->l->ready != NULL)
		TRY(w->l->ready(&w->rq->cx, i, w->l->arg));
	if (w->some)
		buf_ch(&w->b, ',');
	w->member.n = 0;
	if (!w->l->write(w->old ? &w->member : &w->b, i, w->l->arg)) {
		w->b.n = before;
		return OK;
	}
	w->some = true;
	return w->old ? compat_member(w->rq, w->shape, buf_view(&w->member), &w->b) : OK;
}

static err_t
send_piece(struct writer *w)
{
	if (!w->begun)
		TRY(reply_begin(w->rq, w->l->status ? w->l->status : 200, JSON_TYPE, -1));
	w->begun = true;
	TRY(reply_write(w->rq, buf_view(&w->b)));
	w->b.n = w->looked = 0;
	return OK;
}

static err_t
write_members(struct writer *w)
{
	for (int i = 0; i < w->l->n; i++) {
		TRY(write_member(w, i));
		if (w->b.n - w->looked < LOOK)
			continue;
		w->looked = w->b.n;
		if (w->b.n >= PIECE && (w->begun || w->b.n > REPLY_WHOLE_MAX))
			TRY(send_piece(w));
		TRY(fib_yield(&w->rq->cx));
	}
	return OK;
}

static void
write_total(struct writer *w, const char *before, const char *after)
{
	buf_c(&w->b, before);
	buf_i64(&w->b, w->rq->cx.uncounted ? 0 : w->l->total);
	buf_c(&w->b, after);
}

static void
free_buffers(void *arg)
{
	struct writer *w = arg;

	buf_fini(&w->b);
	buf_fini(&w->member);
}

/* A small list in the request's arena; a large one in a buffer that can grow in place. */
static struct writer *
writer_new(struct req *rq, const struct member_list *l)
{
	struct writer *w = arena_new_of(rq->cx.arena, struct writer);

	*w = (struct writer){.rq = rq, .l = l, .shape = l->shape ? l->shape : rq->route->model};
	w->old = compat_wanted(rq, w->shape);
	buf_init(&w->b, l->n <= FEW ? rq->cx.arena : NULL, l->n <= FEW ? 100 + 700 * (size_t)l->n : PIECE / 2);
	buf_init(&w->member, NULL, 0);
	defer(&rq->cx, free_buffers, w);
	return w;
}

err_t
reply_members(struct req *rq, const struct member_list *l)
{
	struct writer *w = writer_new(rq, l);
	bool last = w->old && compat_total_last(rq);

	if (last)
		BUF_LIT(&w->b, "{");
	else
		write_total(w, "{\"total\":", ",");
	json_escape(&w->b, str_c(words_say(rq->cx.arena, rq->cx.words, l->key)));
	BUF_LIT(&w->b, ":[");
	TRY(write_members(w));
	BUF_LIT(&w->b, "]");
	if (last)
		write_total(w, ",\"sum\":", "}");
	else
		BUF_LIT(&w->b, "}");
	if (!w->begun)
		return reply_raw(rq, l->status ? l->status : 200, JSON_TYPE, buf_view(&w->b));
	TRY(send_piece(w));
	return reply_end(rq);
}

struct objects {
	const struct shape *shape;
	const struct objs *list;
	bool empty_as_list;
	int64_t format;
};

static bool
write_object(struct buf *b, int i, const void *arg)
{
	const struct objects *o = arg;
	struct jw w;

	jw_init(&w, b);
	w.empty_as_list = o->empty_as_list;
	w.format = o->format;
	shape_write(&w, o->shape, o->list->v[i]);
	return true;
}

err_t
reply_list(struct req *rq, const struct shape *shape, const char *key, int64_t total, const struct objs *list)
{
	struct objects o = {shape_in(rq->cx.words, shape), list, compat_empties(rq), rq->cx.format};

	return reply_members(rq, &(struct member_list){shape, key, total, list->n, write_object, &o});
}
