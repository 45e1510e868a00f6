/* Pictures of pages, as those who ask for them see them. */
#include "core/conf.h"
#include "exec_priv.h"

enum { SLACK_MS = 10 * 1000 };	/* for its sandbox */

static err_t
exec_page_at(struct ctx *cx, const struct exec_at *at, struct str asked, struct exec_ran *out)
{
	struct fetch_reply *r;
	struct exec_asking q;
	struct str said;
	bool whole;
	err_t e;

	TRY(exec_open(cx, at, "POST", "/page", asked.n, (uint64_t)conf.page_time + SLACK_MS, &q));
	e = exec_write(cx, &q, asked);
	if (e == OK)
		e = exec_end(cx, &q);
	if (e == OK)
		e = fetch_head(cx, q.s, &r);
	if (e == OK)
		e = exec_rest(cx, q.s, &said, &whole);
	fetch_close(&q.s);
	TRY(e);
	if (r->status == 503)
		return fail(cx, ERR_BUSY, "no browser is free");
	return r->status == 200 && whole && exec_ran_take(cx->arena, said, out) ? OK : fail(cx, ERR_FETCH, "the executor makes no picture: status=%d", r->status);
}

/* Another is asked when one has no browser free, or does not answer. */
err_t
exec_page(struct ctx *cx, struct str ask, struct exec_ran *out)
{
	const struct exec_ask q = {cx->project != NULL ? cx->project : "", "", {.f = {.function = ""}, .body = ask, .user = cx->client != NULL ? cx->client : "", .limit_ms = (uint64_t)conf.page_time}};
	struct exec_choice c = {.browses = true, .key = STR("")};
	struct exec_at at;
	struct buf asked;
	err_t e;

	buf_init(&asked, cx->arena, 1024 + ask.n);
	exec_ask_put(&asked, &q);
	while ((e = exec_choose(cx, &c, &at)) == OK) {
		e = exec_page_at(cx, &at, buf_view(&asked), out);
		if ((e != ERR_BUSY && e != ERR_FETCH) || c.n_not == EXEC_NOT_MAX)
			return e;
		exec_avoid(&c, at.name);
	}
	return e == ERR_EXEC && c.n_not > 0 ? fail(cx, ERR_BUSY, "no browser is free") : e;
}
