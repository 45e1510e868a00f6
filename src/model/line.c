/* Lines in Redis. Each step is one script that first looks whether its caller still holds the line: a holder that was away for a while (stopped, cut
 * off) finds the token of another, and does nothing any more. */
#include "model/line.h"

#include "core/id.h"
#include "core/vtime.h"
#include "io/bus.h"

#define PER_ENTRY "100"		/* bytes that Redis needs for an entry besides its texts, about */

/* The size of all lines of a project stands under its name with a slash, which is no line's name. */
const char line_put_lua[] =
    "local function put(line, kind, lines, sizes, name, h, b, max, now, head, all)\n"
    "  local size, project = #h + #b + " PER_ENTRY ", string.match(name, '^[^/]*') .. '/'\n"
    "  local function full(key, most) return most > 0 and tonumber(redis.call('HGET', sizes, key) or '0') + size > most end\n"
    "  if full(name, tonumber(max)) then return 0 end\n"
    "  if full(project, tonumber(all)) then return -1 end\n"
    "  redis.call('XADD', line, '*', 'h', h, 'b', b)\n"
    "  redis.call('HINCRBY', sizes, name, size)\n"
    "  redis.call('HINCRBY', sizes, project, size)\n"
    "  redis.call('HINCRBY', sizes, '', 1)\n"
    "  local till = redis.call('ZSCORE', lines, name)\n"
    "  if not till or tonumber(till) < tonumber(now) then\n"
    "    redis.call('XADD', kind, '*', 'h', head, 'b', name)\n"
    "    redis.call('ZADD', lines, tonumber(now) + 60000, name)\n"
    "  end\n"
    "  return 1\n"
    "end\n";

/* KEYS: line kind lines sizes; ARGV: name h b max now jobhead all. */
static const char put_one_lua[] = "return put(KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])";

/* Takes bytes from a project's sum. What an earlier version put there it did not count. */
#define LESS_LUA                                                                                      \
	"local function less(sizes, name, bytes)\n"                                                   \
	"  local project = string.match(name, '^[^/]*') .. '/'\n"                                     \
	"  if bytes ~= 0 and redis.call('HINCRBY', sizes, project, -bytes) <= 0 then redis.call('HDEL', sizes, project) end\n" \
	"end\n"

/* KEYS: lines holders; ARGV: name token until. */
static const char hold_lua[] =
    "redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])\n"
    "redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])\n"
    "return 1";

/* KEYS: lines holders sizes line; ARGV: name token until entry… */
static const char done_lua[] =
    LESS_LUA
    "if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end\n"
    "redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])\n"
    "local bytes, n = 0, 0\n"
    "for i = 4, #ARGV do\n"
    "  local e = redis.call('XRANGE', KEYS[4], ARGV[i], ARGV[i])[1]\n"
    "  if e then\n"
    "    redis.call('XDEL', KEYS[4], ARGV[i])\n"
    "    bytes = bytes + #e[2][2] + #e[2][4] + " PER_ENTRY "\n"
    "    n = n + 1\n"
    "  end\n"
    "end\n"
    "if n > 0 then\n"
    "  redis.call('HINCRBY', KEYS[3], ARGV[1], -bytes)\n"
    "  less(KEYS[3], ARGV[1], bytes)\n"
    "  redis.call('HINCRBY', KEYS[3], '', -n)\n"
    "end\n"
    "return 1";

/* KEYS: line; ARGV: from, count, bytes. A few at a time, so that what is too much is not fetched to be thrown away. */
static const char read_lua[] =
    "local from, left, bytes, out = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), {}\n"
    "while left > 0 do\n"
    "  local v = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', math.min(left, 8))\n"
    "  for _, e in ipairs(v) do\n"
    "    if #out > 0 and bytes <= 0 then return {1, out} end\n"
    "    out[#out + 1] = e\n"
    "    bytes = bytes - #e[2][2] - #e[2][4]\n"
    "    from = '(' .. e[1]\n"
    "  end\n"
    "  if #v < math.min(left, 8) then return {0, out} end\n"
    "  left = left - #v\n"
    "end\n"
    "return {1, out}";

/* KEYS: lines holders sizes line kind later; ARGV: name token now when jobhead. */
static const char leave_lua[] =
    LESS_LUA
    "if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end\n"
    "redis.call('HDEL', KEYS[2], ARGV[1])\n"
    "if redis.call('XLEN', KEYS[4]) == 0 then\n"
    "  redis.call('DEL', KEYS[4])\n"
    "  redis.call('ZREM', KEYS[1], ARGV[1])\n"
    "  less(KEYS[3], ARGV[1], tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or '0'))\n"
    "  redis.call('HDEL', KEYS[3], ARGV[1])\n"
    "elseif tonumber(ARGV[4]) > tonumber(ARGV[3]) then\n"
    "  redis.call('ZADD', KEYS[6], ARGV[4], ARGV[5] .. '\\n' .. ARGV[1])\n"
    "  redis.call('ZADD', KEYS[1], tonumber(ARGV[4]) + 60000, ARGV[1])\n"
    "else\n"
    "  redis.call('XADD', KEYS[5], '*', 'h', ARGV[5], 'b', ARGV[1])\n"
    "  redis.call('ZADD', KEYS[1], tonumber(ARGV[3]) + 60000, ARGV[1])\n"
    "end\n"
    "return 1";

/* KEYS: lines kind; ARGV: now, then heads: one for each line that may be found. A line's project is the first part of its name. */
static const char wake_lua[] =
    "local lost = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, #ARGV - 1)\n"
    "for i, name in ipairs(lost) do\n"
    "  redis.call('XADD', KEYS[2], '*', 'h', ARGV[i + 1] .. ' ' .. string.match(name, '^[^/]*'), 'b', name)\n"
    "  redis.call('ZADD', KEYS[1], tonumber(ARGV[1]) + 60000, name)\n"
    "end\n"
    "return #lost";

struct str
line_key(struct ctx *cx, const char *kind, const char *what, const char *name)
{
	return str_c(arena_printf(cx->arena, JOB_KEYS "%s%s%s%s%s", kind, what[0] ? ":" : "", what, name ? ":" : "", name ? name : ""));
}

/* Of a job that looks after a line: another id each time, for it is another job. */
static struct str
line_job_head(struct ctx *cx, const char *project)
{
	return str_c(arena_printf(cx->arena, "%s 0 %lld%s%s", id_unique(cx->arena), (long long)time_now_ms(), project[0] ? " " : "", project));
}

err_t
line_hold(struct ctx *cx, const struct job *job, struct line *out)
{
	struct bus_reply *r;

	*out = (struct line){.kind = job->kind, .project = job->project, .name = str_dup(cx->arena, job->payload), .token = id_unique(cx->arena)};
	return bus_script(cx, &r, hold_lua, 2, BUS(line_key(cx, out->kind, "lines", NULL), line_key(cx, out->kind, "holders", NULL), str_c(out->name),
	    str_c(out->token), bus_number(cx, time_now_ms() + LINE_LEASE)));
}

err_t
line_read(struct ctx *cx, const struct line *l, const char *after, int count, size_t bytes, struct line_entry **out, int *n_out, bool *more_out)
{
	struct str from = after != NULL ? str_c(arena_printf(cx->arena, "(%s", after)) : STR("-");
	const struct bus_reply *list;
	struct bus_reply *r;

	*n_out = 0;
	TRY(bus_script(cx, &r, read_lua, 1, BUS(line_key(cx, l->kind, "line", l->name), from, bus_number(cx, count), bus_number(cx, (int64_t)bytes))));
	if (r->type != BUS_LIST || r->n != 2 || r->v[1].type != BUS_LIST)
		return fail(cx, ERR_BUS, "a line cannot be read");
	*more_out = r->v[0].i == 1;
	list = &r->v[1];
	*out = arena_array(cx->arena, struct line_entry, list->n + 1);
	for (int i = 0; i < list->n; i++)
		if (list->v[i].type == BUS_LIST && list->v[i].n == 2)
			(*out)[(*n_out)++] = (struct line_entry){str_dup(cx->arena, list->v[i].v[0].s), bus_field(&list->v[i].v[1], "h"), bus_field(&list->v[i].v[1], "b")};
	return OK;
}

err_t
line_done(struct ctx *cx, const struct line *l, const char *const *at, int n, bool *mine_out)
{
	struct str *v = arena_array(cx->arena, struct str, 7 + n);
	struct bus_reply *r;

	v[0] = line_key(cx, l->kind, "lines", NULL);
	v[1] = line_key(cx, l->kind, "holders", NULL);
	v[2] = line_key(cx, l->kind, "sizes", NULL);
	v[3] = line_key(cx, l->kind, "line", l->name);
	v[4] = str_c(l->name);
	v[5] = str_c(l->token);
	v[6] = bus_number(cx, time_now_ms() + LINE_LEASE);
	for (int i = 0; i < n; i++)
		v[7 + i] = str_c(at[i]);
	TRY(bus_script(cx, &r, done_lua, 4, 7 + n, v));
	*mine_out = r->type == BUS_INT && r->i == 1;
	return OK;
}

err_t
line_leave(struct ctx *cx, const struct line *l, int64_t when)
{
	struct bus_reply *r;

	return bus_script(cx, &r, leave_lua, 6, BUS(line_key(cx, l->kind, "lines", NULL), line_key(cx, l->kind, "holders", NULL),
	    line_key(cx, l->kind, "sizes", NULL), line_key(cx, l->kind, "line", l->name), line_key(cx, l->kind, "", NULL), line_key(cx, l->kind, "later", NULL),
	    str_c(l->name), str_c(l->token), bus_number(cx, time_now_ms()), bus_number(cx, when), line_job_head(cx, l->project)));
}

err_t
line_wake_lost(struct ctx *cx, const char *kind)
{
	enum { MOST = 64 };
	struct str v[3 + MOST] = {line_key(cx, kind, "lines", NULL), line_key(cx, kind, "", NULL), bus_number(cx, time_now_ms())};
	struct bus_reply *r;

	for (int i = 0; i < MOST; i++)
		v[3 + i] = line_job_head(cx, "");
	return bus_script(cx, &r, wake_lua, 2, 3 + MOST, v);
}

err_t
line_depth(struct ctx *cx, const char *kind, int64_t *out)
{
	struct bus_reply *r;

	*out = 0;
	TRY(bus_cmd(cx, &r, BUS(STR("HGET"), line_key(cx, kind, "sizes", NULL), STR(""))));
	if (r->type == BUS_STR)
		(void)str_to_i64(r->s, out);	/* nothing else is written there */
	return OK;
}

err_t
line_put(struct ctx *cx, const char *kind, const char *name, const char *project, struct str head, struct str body, int64_t max, int64_t max_project,
    bool *put_out)
{
	static struct buf lua;
	struct bus_reply *r;

	if (lua.n == 0) {
		buf_init(&lua, NULL, sizeof line_put_lua + sizeof put_one_lua);
		BUF_LIT(&lua, "");
		buf_c(&lua, line_put_lua);
		buf_c(&lua, put_one_lua);
	}
	TRY(bus_script(cx, &r, lua.p, 4, BUS(line_key(cx, kind, "line", name), line_key(cx, kind, "", NULL), line_key(cx, kind, "lines", NULL),
	    line_key(cx, kind, "sizes", NULL), str_c(name), head, body, bus_number(cx, max), bus_number(cx, time_now_ms()), line_job_head(cx, project),
	    bus_number(cx, max_project))));
	*put_out = r->type == BUS_INT && r->i == 1;
	return OK;
}
