/* Builds, as those who ask for them see them: the archive goes to an executor, what is said comes as it is said, and then the archive of what was made. */
#include "exec_priv.h"

#include "core/conf.h"
#include "core/loop.h"

struct building {
	struct ctx *cx;
	struct exec_asking asking;
	struct buf in;			/* what has come and was not taken */
	size_t taken;
	struct buf out, err;
	void (*progress)(struct ctx *cx, struct str out, struct str err, void *arg);
	void *arg;
	struct exec_built *built;
	bool ended;			/* the archive follows */
};

static bool
build_take_one(struct building *b, struct str name, struct str value)
{
	if (str_is(name, "out") || str_is(name, "err")) {
		bool out = str_is(name, "out");

		buf_str(out ? &b->out : &b->err, value);
		if (b->progress != NULL)
			b->progress(b->cx, out ? value : STR(""), out ? STR("") : value, b->arg);
	} else if (str_is(name, "ok")) {
		b->built->ok = str_is(value, "1");
	} else if (str_is(name, "why")) {
		b->built->why = str_dup(b->cx->arena, value);
	} else if (str_is(name, "seconds")) {
		b->built->seconds = strtod(str_dup(b->cx->arena, value), NULL);
	}
	b->ended = str_is(name, EXEC_END);
	return !b->ended;
}

/* What is whole of what has come. False: it is malformed. */
static bool
build_take(struct building *b)
{
	struct str rest = {b->in.p + b->taken, b->in.n - b->taken}, name, value;
	enum exec_record got = EXEC_CUT;

	while (!b->ended && (got = exec_take(&rest, &name, &value)) == EXEC_RECORD && build_take_one(b, name, value))
		;
	b->taken = b->in.n - rest.n;
	if (b->taken > 0) {
		memmove(b->in.p, b->in.p + b->taken, rest.n);
		b->in.n = rest.n;
		b->taken = 0;
	}
	return got != EXEC_MALFORMED;
}

static err_t
build_hear(struct ctx *cx, struct building *b)
{
	struct str piece;

	while (!b->ended) {
		TRY(fetch_read(cx, b->asking.s, &piece));
		if (piece.n == 0)
			return fail(cx, ERR_EXEC, "the answer of a build is cut");
		buf_str(&b->in, piece);
		if (!build_take(b))
			return fail(cx, ERR_EXEC, "the answer of a build is malformed");
	}
	return OK;
}

/* The archive of what was built, into a blob. */
static err_t
build_keep(struct ctx *cx, struct building *b, const struct blob_place *at, const char *bind)
{
	struct str piece = buf_view(&b->in);

	b->built->bind = bind;
	TRY(blob_create(cx, at, BLOB_NONE, true, bind, &b->built->writer));
	while (true) {
		if (piece.n > 0)
			TRY(blob_write(b->built->writer, piece));
		TRY(fetch_read(cx, b->asking.s, &piece));
		if (piece.n == 0)
			return blob_finish(b->built->writer, &b->built->blob);
	}
}

static err_t
exec_build_at(struct ctx *cx, const struct exec_at *at, const struct exec_function *f, struct str asked, const struct blob_place *result, struct building *b)
{
	struct fetch_reply *r;
	err_t e;

	TRY(exec_open(cx, at, "POST", "/build", asked.n + f->code.size, (uint64_t)conf.functions_build_timeout + 120 * 1000, &b->asking));
	e = exec_write(cx, &b->asking, asked);
	if (e == OK)
		e = exec_send_code(cx, &b->asking, &f->code);
	if (e == OK)
		e = exec_end(cx, &b->asking);
	if (e == OK)
		e = fetch_head(cx, b->asking.s, &r);
	if (e == OK && r->status != 200)
		e = fail(cx, ERR_EXEC, "the executor builds nothing: status=%d", r->status);
	if (e == OK)
		e = build_hear(cx, b);
	if (e == OK && b->built->ok)
		e = build_keep(cx, b, result, b->built->bind);
	fetch_close(&b->asking.s);
	return e;
}

err_t
exec_build(struct ctx *cx, const struct exec_function *f, const struct blob_place *result, const char *bind,
    void (*progress)(struct ctx *cx, struct str out, struct str err, void *arg), void *arg, struct exec_built *built_out)
{
	const struct exec_ask q = {f->project->id, f->code.id, {.f = *f}};
	struct exec_choice c = {.runtime = f->runtime, .key = STR("")};
	struct building b = {.cx = cx, .progress = progress, .arg = arg, .built = built_out};
	struct exec_at at;
	struct buf asked;
	err_t e;

	*built_out = (struct exec_built){.bind = bind, .why = ""};
	buf_init(&asked, cx->arena, 4096);
	exec_ask_put(&asked, &q);
	buf_init(&b.in, NULL, 0);
	buf_init(&b.out, cx->arena, 0);
	buf_init(&b.err, cx->arena, 0);
	TRY(exec_choose(cx, &c, &at));
	e = exec_build_at(cx, &at, f, buf_view(&asked), result, &b);
	buf_fini(&b.in);
	built_out->out = buf_view(&b.out);
	built_out->err = buf_view(&b.err);
	if (e == ERR_FETCH)
		return fail(cx, ERR_EXEC, "the executor of a build is gone: %s", cx->detail != NULL ? cx->detail : "");
	return e;
}
