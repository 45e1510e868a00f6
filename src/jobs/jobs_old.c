/* Jobs that an earlier version left under the keys jobs:<kind>, jobs:<kind>:later and jobs:<kind>:dead.
 *
 * Those keys lie in many slots of a cluster, so that version never ran on one, and one script may move them. A job is in the old place or
 * in the new one at any moment, never in none; one that was running when its consumer ended begins anew, as after any crash. */
#include "jobs_priv.h"

#include "core/log.h"
#include "model/job.h"

enum { MOVE = 200 };

/* KEYS: stream, later, dead; first the old ones, then the new. Returns how many were moved. */
static const char adopt_lua[] =
    "local moved = 0\n"
    "for from = 1, 3, 2 do\n"
    "  for _, e in ipairs(redis.call('XRANGE', KEYS[from], '-', '+', 'COUNT', ARGV[1])) do\n"
    "    redis.call('XADD', KEYS[from + 3], '*', unpack(e[2]))\n"
    "    redis.call('XDEL', KEYS[from], e[1])\n"
    "    moved = moved + 1\n"
    "  end\n"
    "end\n"
    "local z = redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'WITHSCORES')\n"
    "for i = 1, #z, 2 do\n"
    "  redis.call('ZADD', KEYS[5], 'NX', z[i + 1], z[i])\n"
    "  redis.call('ZREM', KEYS[2], z[i])\n"
    "  moved = moved + 1\n"
    "end\n"
    "if moved == 0 then redis.call('DEL', KEYS[1], KEYS[2], KEYS[3]) end\n"
    "return moved";

/* Asked key by key: in a cluster they lie in different slots. */
static err_t
any(struct ctx *cx, struct bus_link *link, const struct str *keys, int n, bool *out)
{
	struct bus_reply *r;

	*out = false;
	for (int i = 0; i < n && !*out; i++) {
		TRY(bus_link_cmd(cx, link, &r, BUS(STR("EXISTS"), keys[i])));
		*out = r->type == BUS_INT && r->i != 0;
	}
	return OK;
}

err_t
jobs_adopt(struct ctx *cx, struct bus_link *link, const char *kind)
{
	static const char *const tails[] = {"", ":later", ":dead"};
	struct str v[7];
	struct bus_reply *r;
	int64_t moved = 0;
	bool there;

	for (int i = 0; i < 3; i++) {
		v[i] = str_c(arena_printf(cx->arena, "jobs:%s%s", kind, tails[i]));
		v[i + 3] = str_c(arena_printf(cx->arena, JOB_KEYS "%s%s", kind, tails[i]));
	}
	v[6] = str_c(arena_printf(cx->arena, "%d", MOVE));
	TRY(any(cx, link, v, 3, &there));
	if (!there)
		return OK;
	do {
		TRY(bus_link_script(cx, link, &r, adopt_lua, 6, 7, v));
		moved += r->type == BUS_INT ? r->i : 0;
	} while (r->type == BUS_INT && r->i > 0);
	if (moved > 0)
		log_info(cx, "jobs of an earlier version go on", "kind=%s jobs=%lld", kind, (long long)moved);
	return OK;
}
