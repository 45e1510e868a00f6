/* Redis for fibers: commands, scripts, fire and forget.
 *
 * A call belongs to the loop, not to its fiber: a fiber that leaves early clears call.cx, and the reply then only frees the call. */
#include "bus_priv.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"

enum { POSTS_MAX = 10000, ARGS_MAX = 100000 };

struct call {
	struct fib_event done;
	struct ctx *cx;			/* NULL: nobody waits any more */
	struct bus_reply *reply;	/* in cx's arena; NULL: lost */
};

static struct bus_link *shared;
static unsigned posts;
static struct map *shas;	/* of scripts, by their text; kept as long as the process */

void
bus_init(void)
{
	assert(shared == NULL);
	shared = link_open(NULL, NULL, NULL);
}

void
bus_fini(void)
{
	bus_follow_stop();
	bus_link_close(&shared);
}

bool
bus_up(void)
{
	return bus_link_up(shared);
}

struct bus_link *
bus_shared(void)
{
	assert(shared != NULL);
	return shared;
}

/* ---- commands ---- */

static void
bus_copy(struct arena *a, const redisReply *r, struct bus_reply *out)
{
	*out = (struct bus_reply){.type = BUS_NIL};
	switch (r->type) {
	case REDIS_REPLY_INTEGER:
		out->type = BUS_INT;
		out->i = r->integer;
		break;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		out->type = r->type == REDIS_REPLY_ERROR ? BUS_ERROR : BUS_STR;
		out->s = (struct str){arena_memdup(a, r->str, (size_t)r->len), (size_t)r->len};
		break;
	case REDIS_REPLY_ARRAY:
		out->type = BUS_LIST;
		out->n = (int)r->elements;
		out->v = arena_array(a, struct bus_reply, r->elements);
		for (size_t i = 0; i < r->elements; i++)
			bus_copy(a, r->element[i], &out->v[i]);
		break;
	}
}

static void
on_answer(const redisReply *r, void *arg)
{
	struct call *c = arg;

	if (c->cx == NULL) {
		free(c);
		return;
	}
	if (r != NULL) {
		c->reply = arena_new_of(c->cx->arena, struct bus_reply);
		bus_copy(c->cx->arena, r, c->reply);
	}
	fib_signal(&c->done);
}

/* Sends; NULL when it cannot. What comes back belongs to finish(). */
static struct call *
bus_begin(struct ctx *cx, struct bus_link *l, int argc, const struct str *argv)
{
	struct call *c;

	assert(argc > 0);
	if (argc > ARGS_MAX)
		return NULL;
	c = mem_zalloc(sizeof *c);
	c->cx = cx;
	if (link_send(l, on_answer, c, argc, argv))
		return c;
	free(c);
	return NULL;
}

/* Awaits the reply; an error reply is not an error yet. c NULL: it was never sent. */
static err_t
bus_finish(struct ctx *cx, struct call *c, struct bus_reply **out)
{
	err_t e;

	*out = NULL;
	if (c == NULL)
		return fail(cx, ERR_BUS, "Redis is away or too far behind");
	assert(c->cx == cx);
	e = fib_await(cx, &c->done);
	if (!c->done.set) {
		c->cx = NULL;
		return e;
	}
	*out = c->reply;
	free(c);
	return *out != NULL ? OK : fail(cx, ERR_BUS, "Redis is away");
}

/* Nobody waits for it any more. */
static void
abandon(struct call *c)
{
	if (c == NULL)
		return;
	if (c->done.set)
		free(c);
	else
		c->cx = NULL;
}

/* As bus_link_cmd, but an error reply is not an error yet. */
static err_t
bus_ask(struct ctx *cx, struct bus_link *l, struct bus_reply **out, int argc, const struct str *argv)
{
	*out = NULL;
	if (argc > ARGS_MAX)
		return fail(cx, ERR_BUS, "a command of %d words", argc);
	return bus_finish(cx, bus_begin(cx, l, argc, argv), out);
}

static err_t
bus_judge(struct ctx *cx, const struct bus_reply *r)
{
	if (r->type == BUS_ERROR)
		return fail(cx, ERR_BUS, "%.*s", STR_FMT(r->s));
	return OK;
}

err_t
bus_link_cmd(struct ctx *cx, struct bus_link *l, struct bus_reply **out, int argc, const struct str *argv)
{
	TRY(bus_ask(cx, l, out, argc, argv));
	return bus_judge(cx, *out);
}

err_t
bus_cmd(struct ctx *cx, struct bus_reply **out, int argc, const struct str *argv)
{
	return bus_link_cmd(cx, bus_shared(), out, argc, argv);
}

/* ---- scripts ---- */

static struct str
sha_of(struct ctx *cx, struct str lua)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *hex;

	if (shas == NULL)
		shas = map_new();
	hex = map_get(shas, lua);
	if (hex == NULL) {
		if (!EVP_Digest(lua.p, lua.n, md, &n, EVP_sha1(), NULL))
			abort();
		hex = mem_strdup(hex_encode(cx->arena, md, n));
		map_set(shas, lua, hex);
	}
	return str_c(hex);
}

/* EVALSHA and its arguments in cx's arena. */
static struct str *
script_words(struct ctx *cx, const char *lua, int nkeys, int argc, const struct str *argv)
{
	struct str *v = arena_array(cx->arena, struct str, argc + 3);

	assert(nkeys >= 0 && nkeys <= argc);
	v[0] = STR("EVALSHA");
	v[1] = sha_of(cx, str_c(lua));
	v[2] = str_c(arena_printf(cx->arena, "%d", nkeys));
	mem_copy(v + 3, argv, (size_t)argc * sizeof *v);
	return v;
}

static bool
unknown_script(const struct bus_reply *r)
{
	return r->type == BUS_ERROR && str_starts(r->s, "NOSCRIPT");
}

/* The reply to an EVALSHA; when Redis does not know the script it gets its text. */
static err_t
script_finish(struct ctx *cx, struct bus_link *l, struct call *c, const char *lua, int argc, struct str *v, struct bus_reply **out)
{
	TRY(bus_finish(cx, c, out));
	if (!unknown_script(*out))
		return OK;
	v[0] = STR("EVAL");
	v[1] = str_c(lua);
	return bus_ask(cx, l, out, argc + 3, v);
}

err_t
bus_link_script(struct ctx *cx, struct bus_link *l, struct bus_reply **out, const char *lua, int nkeys, int argc, const struct str *argv)
{
	struct str *v = script_words(cx, lua, nkeys, argc, argv);

	TRY(script_finish(cx, l, bus_begin(cx, l, argc + 3, v), lua, argc, v, out));
	return bus_judge(cx, *out);
}

err_t
bus_link_scripts(struct ctx *cx, struct bus_link *l, const char *lua, struct bus_call *calls, int n)
{
	struct call **under_way = arena_array(cx->arena, struct call *, n);
	struct str **v = arena_array(cx->arena, struct str *, n);
	err_t e = OK;

	for (int i = 0; i < n; i++) {
		v[i] = script_words(cx, lua, calls[i].nkeys, calls[i].argc, calls[i].argv);
		under_way[i] = bus_begin(cx, l, calls[i].argc + 3, v[i]);
	}
	for (int i = 0; i < n; i++) {
		if (e == OK)
			e = script_finish(cx, l, under_way[i], lua, calls[i].argc, v[i], &calls[i].reply);
		else
			abandon(under_way[i]);
	}
	return e;
}

err_t
bus_script(struct ctx *cx, struct bus_reply **out, const char *lua, int nkeys, int argc, const struct str *argv)
{
	return bus_link_script(cx, bus_shared(), out, lua, nkeys, argc, argv);
}

/* ---- fire and forget ---- */

static void
on_posted(const redisReply *r, void *arg)
{
	(void)arg;
	posts--;
	if (r == NULL)
		metric_add(M_bus_dropped, 1);
	else if (r->type == REDIS_REPLY_ERROR)
		log_debug(NULL, "redis refused a command", "why=%s", r->str);
}

bool
bus_post(int argc, const struct str *argv)
{
	if (posts < POSTS_MAX && argc > 0 && argc <= ARGS_MAX && link_send(bus_shared(), on_posted, NULL, argc, argv)) {
		posts++;
		return true;
	}
	metric_add(M_bus_dropped, 1);
	return false;
}
