/* Turns as leases in Redis: turn:<what> holds "<job> <random>" for LEASE_MS; a fiber per turn renews it.
 *
 * The rule: the holder thinks it has the turn for less long than Redis keeps it, since it counts from before it asked. */
#include "model/turn.h"

#include <assert.h>
#include <stdlib.h>

#include "core/fiber.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "io/bus.h"

enum { LEASE_MS = 30000, RENEW_MS = LEASE_MS / 6, GIVE_MS = 5000, TURN_MAGIC = 0x7475726e };
#define NO_JOB "-"	/* ids of jobs begin otherwise */

struct turn {			/* freed by its fiber, after turn_give */
	unsigned magic;
	bool lost;
	uint64_t until;		/* loop_now() up to which it is ours if nothing else is heard */
	struct fib_event given;
	const char *key, *value;	/* behind the struct */
};

static const char take_lua[] =
    "local h = redis.call('GET', KEYS[1])\n"
    "if h and string.match(h, '^(%S*)') ~= ARGV[1] then return h end\n"
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])\n"
    "return ''";

static const char renew_lua[] =
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

static const char give_lua[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end\n"
    "return 1";

static struct str
lease_text(struct ctx *cx)
{
	return str_c(arena_printf(cx->arena, "%d", LEASE_MS));
}

static void
renew(struct fib *fib, struct turn *t)
{
	uint64_t asked = loop_now();
	struct bus_reply *r;
	struct ctx cx;

	ctx_init(&cx);
	cx.fib = fib;
	cx.deadline = asked + RENEW_MS;
	if (bus_script(&cx, &r, renew_lua, 1, BUS(str_c(t->key), str_c(t->value), lease_text(&cx))) != OK)
		log_debug(&cx, "a turn is not renewed", "turn=%s why=%s", t->key, cx.detail ? cx.detail : "");	/* the next may be */
	else if (r->type == BUS_INT && r->i == 1)
		t->until = asked + LEASE_MS;
	else
		t->lost = true;
	ctx_fini(&cx);
}

static void
turn_keep(struct ctx *cx, void *arg)
{
	struct turn *t = arg;
	struct fib *fib = cx->fib;
	struct ctx wait;

	assert(t->magic == TURN_MAGIC);
	while (!t->given.set) {
		ctx_init(&wait);
		wait.fib = fib;
		if (fib_await_for(&wait, &t->given, RENEW_MS) != OK && !t->lost)
			renew(fib, t);
		ctx_fini(&wait);
	}
	t->magic = 0;
	free(t);
}

static struct turn *
turn_new(const char *key, const char *value, uint64_t asked)
{
	size_t n_key = strlen(key) + 1, n_value = strlen(value) + 1;
	struct turn *t = mem_zalloc(sizeof *t + n_key + n_value);
	char *text = (char *)(t + 1);

	t->magic = TURN_MAGIC;
	t->until = asked + LEASE_MS;
	t->key = memcpy(text, key, n_key);
	t->value = memcpy(text + n_key, value, n_value);
	return t;
}

err_t
turn_take(struct ctx *cx, const char *what, const char *job, enum turn_found *found_out, struct turn **out)
{
	const char *key = arena_printf(cx->arena, "turn:%s", what), *random = id_unique(cx->arena);
	/* without a job nobody may take it over, not even who has no job either */
	const char *owner = job ? job : arena_printf(cx->arena, NO_JOB "%s", random), *value = arena_printf(cx->arena, "%s %s", owner, random);
	uint64_t asked = loop_now();
	struct bus_reply *r;

	*out = NULL;
	TRY(bus_script(cx, &r, take_lua, 1, BUS(str_c(key), str_c(owner), str_c(value), lease_text(cx))));
	if (r->type != BUS_STR)
		return fail(cx, ERR_BUS, "an odd answer about a turn");
	if (r->s.n > 0) {
		*found_out = str_starts(r->s, NO_JOB) ? TURN_ELSEWHERE : TURN_AT_A_JOB;
		return OK;
	}
	*found_out = TURN_OURS;
	*out = turn_new(key, value, asked);
	fib_spawn_new("turn", 0, turn_keep, *out);
	return OK;
}

bool
turn_ours(const struct turn *t)
{
	assert(t->magic == TURN_MAGIC);
	return !t->lost && loop_now() < t->until;
}

err_t
turn_give(struct ctx *outer, struct turn **tp)
{
	struct turn *t = *tp;
	struct bus_reply *r;
	struct ctx cx;
	err_t e;

	assert(t->magic == TURN_MAGIC);
	ctx_init(&cx);
	cx.fib = outer->fib;
	cx.deadline = loop_now() + GIVE_MS;
	fib_shield(&cx, true);	/* it would keep others away for the whole lease */
	e = bus_script(&cx, &r, give_lua, 1, BUS(str_c(t->key), str_c(t->value)));
	fib_shield(&cx, false);
	if (e != OK)
		(void)fail(outer, e, "a turn is not given back: %s", cx.detail ? cx.detail : "");	/* returned below */
	ctx_fini(&cx);
	fib_signal(&t->given);
	*tp = NULL;
	return e;
}
