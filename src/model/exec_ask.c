/* A request to an executor: over its socket on this machine, or to another machine, with a proof in its head and a seal behind its body (exec_wire.h). */
#include "exec_priv.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"
#include "model/seal.h"

enum { CODE_MS = 120 * 1000, SAID_MAX = 300 };

/* Whoever reaches its socket may ask it; elsewhere it is asked for a proof. */
static void
ask_prove(struct ctx *cx, const struct exec_at *at, struct exec_asking *q, const struct fetch *f, const char *path, struct fetch_header *out)
{
	const char *key = exec_key(cx->arena, str_c(seal_master(0)));
	const struct exec_proof p = {str_c(arena_printf(cx->arena, "%s %s %s %s", f->method, path, at->address, at->name)), f->length, time_now_ms(),
		str_c(secret_hex(cx->arena, 16))};

	*out = (struct fetch_header){"authorization", exec_prove(cx->arena, key, &p)};
	q->sealed = true;
	exec_seal_begin(&q->seal, key, str_c(out->value));
}

err_t
exec_open(struct ctx *cx, const struct exec_at *at, const char *method, const char *path, size_t length, uint64_t wait_ms, struct exec_asking *q)
{
	struct fetch_header *h = arena_array(cx->arena, struct fetch_header, 1);
	bool here = at->local != NULL;
	struct fetch f = {.method = method, .unix_path = at->local, .headers = h, .n_headers = !here, .upload = true, .length = (int64_t)length + (here ? 0 : EXEC_SEAL),
		.private_ok = true, .ca_file = conf.executor_tls_ca, .progress_ms = wait_ms};

	*q = (struct exec_asking){0};
	f.url = arena_printf(cx->arena, "%s://%s%s", at->tls && !here ? "https" : "http", here ? at->name : at->address, path);
	if (!here)
		ask_prove(cx, at, q, &f, path, h);
	return fetch_open(cx, &f, &q->s);
}

err_t
exec_write(struct ctx *cx, struct exec_asking *q, struct str piece)
{
	if (q->sealed)
		hmac_add(&q->seal, piece);
	return fetch_write(cx, q->s, piece);
}

err_t
exec_end(struct ctx *cx, struct exec_asking *q)
{
	char seal[EXEC_SEAL];

	if (q->sealed) {
		exec_seal_end(&q->seal, seal);
		TRY(fetch_write(cx, q->s, (struct str){seal, sizeof seal}));
	}
	return fetch_end(cx, q->s);
}

err_t
exec_send_code(struct ctx *cx, struct exec_asking *q, const struct exec_code *c)
{
	struct blob_reader *r;
	struct str piece;

	TRY(blob_open(cx, &c->at, c->parts, c->n_parts, 0, c->size, &r));
	for (;;) {
		TRY(blob_read(r, &piece));
		if (piece.n == 0)
			return OK;
		TRY(exec_write(cx, q, piece));
	}
}

err_t
exec_rest(struct ctx *cx, struct fetch_stream *s, struct str *out, bool *whole_out)
{
	struct str piece;
	struct buf b;
	err_t e;

	buf_init(&b, cx->arena, 4096);
	while ((e = fetch_read(cx, s, &piece)) == OK && piece.n > 0)
		buf_str(&b, piece);
	*out = buf_view(&b);
	*whole_out = e == OK;
	return e == ERR_CANCELLED ? e : OK;
}

err_t
exec_give_code(struct ctx *cx, const struct exec_at *at, const struct exec_function *f)
{
	struct str said = STR_NONE;
	struct fetch_reply *r;
	struct exec_asking q;
	bool whole;

	TRY(exec_open(cx, at, "PUT", arena_printf(cx->arena, "/code/%s/%s", f->project->id, f->code.id), f->code.size, CODE_MS, &q));
	TRY(exec_send_code(cx, &q, &f->code));
	TRY(exec_end(cx, &q));
	TRY(fetch_head(cx, q.s, &r));
	if (r->status / 100 != 2)
		TRY(exec_rest(cx, q.s, &said, &whole));
	fetch_close(&q.s);
	return r->status / 100 == 2 ? OK : fail(cx, ERR_EXEC, "the executor takes no code: status=%d %s", r->status, str_text(cx->arena, str_head(said, SAID_MAX)));
}

err_t
exec_tell(struct ctx *cx, const struct exec_at *at, const char *path, struct str asked, int *status_out, const char **said_out)
{
	struct str said = STR_NONE;
	struct fetch_reply *r;
	struct exec_asking q;
	bool whole;

	TRY(exec_open(cx, at, "POST", path, asked.n, 0, &q));
	TRY(exec_write(cx, &q, asked));
	TRY(exec_end(cx, &q));
	TRY(fetch_head(cx, q.s, &r));
	if (said_out != NULL) {
		if (r->status / 100 != 2)
			TRY(exec_rest(cx, q.s, &said, &whole));
		*said_out = str_text(cx->arena, str_head(said, SAID_MAX));
	}
	fetch_close(&q.s);
	*status_out = r->status;
	return OK;
}
