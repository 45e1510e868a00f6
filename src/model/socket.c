/* Signs of life of processes with sockets: a key each in Redis. One that is missing may be Redis's loss; so a process is gone only when its key has been
 * missing for longer than the living need to write it again. */
#include "model/socket.h"

#include "core/id.h"
#include "core/vtime.h"
#include "io/bus.h"

enum { ALIVE_MS = 6 * SOCKET_BEAT_MS, NOTED_MS = 3600 * 1000 };

static const char gone_lua[] =
    "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DEL', KEYS[2]) return 0 end\n"
    "local since = redis.call('GET', KEYS[2])\n"
    "redis.call('SET', KEYS[2], since or ARGV[1], 'PX', ARGV[3])\n"
    "return since and ARGV[1] - since >= tonumber(ARGV[2]) and 1 or 0";

static char name[40];

const char *
socket_process(void)
{
	struct arena *a;

	if (name[0] == '\0') {
		a = arena_new();
		strcpy(name, secret_hex(a, 16));
		arena_free(&a);
	}
	return name;
}

void
socket_beat(void)
{
	char key[80], ms[12];

	snprintf(key, sizeof key, "socket:{%s}:alive", socket_process());
	snprintf(ms, sizeof ms, "%d", ALIVE_MS);
	(void)bus_post(BUS(STR("SET"), str_c(key), STR("1"), STR("PX"), str_c(ms)));	/* the next one may get through */
}

err_t
socket_process_gone(struct ctx *cx, const char *process, bool *out)
{
	struct str alive = str_c(arena_printf(cx->arena, "socket:{%s}:alive", process)), missed = str_c(arena_printf(cx->arena, "socket:{%s}:missed", process));
	struct bus_reply *r;

	TRY(bus_script(cx, &r, gone_lua, 2, BUS(alive, missed, bus_number(cx, time_now_ms()), bus_number(cx, ALIVE_MS), bus_number(cx, NOTED_MS))));
	*out = r->type == BUS_INT && r->i == 1;
	return OK;
}
