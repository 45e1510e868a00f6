/* The stream: its name, its lanes' positions, its bounds, and what readers are told of it.
 *
 * What was ever in a stream under a name stays comparable: a fresh stream gets a fresh name, and who resumes across is told of the gap. It
 * is fresh when the slot is (relay_slot.c) and when the number of shards changes, because projects then move between shards. Each shard's
 * floor says up to where entries may be gone; it moves with every trim, in the same script, and readers rely on it. */
#include "relay_priv.h"

#include <assert.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/job.h"

enum {
	TELL_EVERY = 20, TELL_REFUSED = 500,	/* ms */
	SIZE_STEPS = 64, SIZE_STEP_MIN = 1024, SIZE_STEP_FREE = 8 << 20,	/* marks of size: so many to the bound; bytes between two, at least, and without a bound */
	SIZES_MAX = 2 * SIZE_STEPS	/* more are of a smaller bound than today's, or of none */
};

#define OLD_STREAM_TTL "86400000"	/* ms a replaced stream is kept for consumers that have not finished it */

/* The last entry is never trimmed, nor what a group has not read. Ids are compared as text of equal length: numbers of Lua lose the last bits. First by time: `m` is
 * the newest mark older than the window. Then by size: to the oldest mark that leaves no more than the bound, `hi`, or to the one before it, `lo`, where that leaves
 * less than half (marks are far apart if the bound was larger before or entries are large).
 * The floor is written behind a trim: a Redis without memory takes it from a script that has written already. A mark that is repeated
 * keeps its first time. It comes last and may fail: such a Redis refuses it, and must still be trimmed, or it would stay full. */
static const char upkeep_lua[] =
    "local function less(a, b)\n"
    "  local ah, al = string.match(a, '^(%d+)-(%d+)$')\n"
    "  local bh, bl = string.match(b, '^(%d+)-(%d+)$')\n"
    "  if #ah ~= #bh then return #ah < #bh end\n"
    "  if ah ~= bh then return ah < bh end\n"
    "  if #al ~= #bl then return #al < #bl end\n"
    "  return al < bl\n"
    "end\n"
    "local key, marks, floor, sizes = KEYS[1], KEYS[2], KEYS[3], KEYS[5]\n"
    "local newest = redis.call('EXISTS', key) == 1 and redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]\n"
    "if not newest then return {0, 0} end\n"
    "local groups = {}\n"
    "for _, g in ipairs(redis.call('XINFO', 'GROUPS', key)) do\n"
    "  local v = {}\n"
    "  for i = 1, #g, 2 do v[g[i]] = g[i + 1] end\n"
    "  groups[#groups + 1] = v\n"
    "end\n"
    "local function needed(low)\n"
    "  for _, g in ipairs(groups) do\n"
    "    local last, p = g['last-delivered-id'], redis.call('XPENDING', key, g.name)\n"
    "    if p[1] > 0 and less(p[2], last) then last = p[2] end\n"
    "    if less(last, low) then low = last end\n"
    "  end\n"
    "  return low\n"
    "end\n"
    "local function trim(low)\n"
    "  if less(newest[1], low) then low = newest[1] end\n"
    "  low = needed(low)\n"
    "  local gone = low ~= '0-0' and redis.call('XREVRANGE', key, '(' .. low, '-', 'COUNT', 1)[1]\n"	/* there is nothing before that, and Redis would not be asked */
    "  if not gone then return 0 end\n"
    "  local n = redis.call('XTRIM', key, 'MINID', low)\n"
    "  redis.call('SET', floor, gone[1])\n"
    "  return n\n"
    "end\n"
    "local m = redis.call('ZREVRANGEBYSCORE', marks, ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', 0, 1)\n"
    "if m[1] then\n"
    "  trim(m[1])\n"
    "  redis.call('ZREMRANGEBYSCORE', marks, '-inf', '(' .. m[2])\n"
    "end\n"
    "local most, trimmed = tonumber(ARGV[4]), 0\n"
    "local all = tonumber(string.match(redis.call('GET', KEYS[4]) or '', '^%d+'))\n"
    "if all and most > 0 and all > most then\n"
    "  local from = string.format('%.0f', all - most)\n"
    "  local lo = redis.call('ZREVRANGEBYSCORE', sizes, '(' .. from, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)\n"
    "  local hi = redis.call('ZRANGEBYSCORE', sizes, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)\n"
    "  if hi[1] and all - hi[2] >= most / 2 then trimmed = trim(hi[1])\n"
    "  elseif lo[1] then trimmed = trim(lo[1]) end\n"
    "  if lo[1] then redis.call('ZREMRANGEBYSCORE', sizes, '-inf', '(' .. lo[2]) end\n"
    "end\n"
    "redis.call('ZREMRANGEBYRANK', sizes, 0, -ARGV[5] - 1)\n"
    "redis.pcall('ZADD', marks, 'NX', ARGV[2], ARGV[1])\n"
    "return {redis.call('XLEN', key), trimmed}";

/* An earlier version had one shard and other keys, which lie in many slots of a cluster: it never ran on one. All at once, so that a crash
 * leaves the one or the other. */
static const char adopt_lua[] =
    "local function move(from, to)\n"
    "  if redis.call('EXISTS', from) == 1 then redis.call('RENAMENX', from, to) end\n"
    "end\n"
    "move(KEYS[3], KEYS[4])\n"
    "move(KEYS[5], KEYS[6])\n"
    "local pos = redis.call('GET', KEYS[7])\n"
    "if pos then\n"
    "  redis.call('SET', KEYS[8], pos, 'NX')\n"
    "  redis.call('SET', KEYS[9], pos, 'NX')\n"
    "end\n"
    "redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2])\n"
    "redis.call('DEL', KEYS[1], KEYS[7])\n"
    "return 1";

#define OLD_KEYS "relay:0:keys"		/* hash: system identifier -> key of its stream */
#define OLD_STREAM "events:0:"		/* + name */

static struct str
relay_stream_key(struct ctx *cx, enum stream_key what, int shard, const char *name)
{
	return str_c(stream_key(what, shard, name, arena_alloc(cx->arena, BUS_KEY_MAX)));
}

const char *
jobs_pos_key(struct ctx *cx, const struct session *s)
{
	return arena_printf(cx->arena, JOB_KEYS "relay:%s", s->life);
}

/* ---- the name ---- */

static bool
name_parse(struct session *s, struct str text)
{
	struct str life = str_cut(&text, ' '), name = str_cut(&text, ' ');
	int64_t n = 0;

	if (life.n == 0 || life.n >= sizeof s->life || name.n == 0 || name.n >= sizeof s->name || !str_to_i64(text, &n) || n < 1 ||
	    n > BUS_SHARDS_MAX)
		return false;
	snprintf(s->life, sizeof s->life, "%.*s", STR_FMT(life));
	snprintf(s->name, sizeof s->name, "%.*s", STR_FMT(name));
	s->shards = (int)n;
	return true;
}

static struct str
name_text(struct ctx *cx, const struct session *s)
{
	return str_c(arena_printf(cx->arena, "%s %s %d", s->life, s->name, s->shards));
}

static err_t
relay_stream_adopt(struct ctx *cx, struct session *s)
{
	const char *old = arena_printf(cx->arena, OLD_STREAM "%s", s->name);
	struct bus_reply *r;

	TRY(bus_link_script(cx, s->link, &r, adopt_lua, 9, BUS(STR(OLD_KEYS), STR(RELAY_STREAMS), str_c(old), relay_stream_key(cx, STREAM_EVENTS, 0, s->name),
	    str_c(arena_printf(cx->arena, "relay:marks:%s", old)), relay_stream_key(cx, STREAM_MARKS, 0, s->name),
	    str_c(arena_printf(cx->arena, "relay:pos:%s", old)), relay_stream_key(cx, STREAM_POS, 0, s->name), str_c(jobs_pos_key(cx, s)),
	    str_c(s->system), name_text(cx, s))));
	log_info(NULL, "the stream of an earlier version goes on", "stream=%s", s->name);
	return OK;
}

/* The stream of an earlier version, under its new keys from now on. */
static err_t
adopt_old(struct ctx *cx, struct session *s, bool *found_out)
{
	struct bus_reply *r;

	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("HGET"), STR(OLD_KEYS), str_c(s->system))));
	*found_out = r->type == BUS_STR && str_starts(r->s, OLD_STREAM) && r->s.n - strlen(OLD_STREAM) < sizeof s->name;
	if (!*found_out)
		return OK;
	snprintf(s->name, sizeof s->name, "%.*s", (int)(r->s.n - strlen(OLD_STREAM)), r->s.p + strlen(OLD_STREAM));
	memcpy(s->life, s->name, sizeof s->life);
	s->shards = 1;
	return relay_stream_adopt(cx, s);
}

err_t
stream_name_get(struct ctx *cx, struct session *s, bool *found_out)
{
	struct bus_reply *r;

	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("HGET"), STR(RELAY_STREAMS), str_c(s->system))));
	*found_out = r->type == BUS_STR && name_parse(s, r->s);
	if (!*found_out)
		TRY(adopt_old(cx, s, found_out));
	if (*found_out)
		return OK;
	snprintf(s->life, sizeof s->life, "%s", s->system);
	snprintf(s->name, sizeof s->name, "%s", s->system);
	s->shards = (int)conf.event_shards;
	return OK;
}

static err_t
name_set(struct ctx *cx, struct session *s)
{
	struct bus_reply *r;

	assert(s->shards >= 1 && s->shards <= BUS_SHARDS_MAX);
	return bus_link_cmd(cx, s->link, &r, BUS(STR("HSET"), STR(RELAY_STREAMS), str_c(s->system), name_text(cx, s)));
}

err_t
stream_name_new(struct ctx *cx, struct session *s, bool life)
{
	bool had;

	TRY(stream_name_get(cx, s, &had));
	if (had)
		snprintf(s->name, sizeof s->name, "%s:%lld", s->system, (long long)time_now_ms());
	if (life)
		memcpy(s->life, s->name, sizeof s->life);
	s->shards = (int)conf.event_shards;
	s->fresh = true;
	return name_set(cx, s);
}

/* ---- positions ---- */

/* The position was written with the lane's last entry. Without it (somebody removed it) a shard's own end is the next best. */
static err_t
find_end(struct ctx *cx, struct session *s, int i)
{
	struct str pos = i < s->shards ? relay_stream_key(cx, STREAM_POS, i, s->name) : str_c(jobs_pos_key(cx, s));
	struct lane *l = &s->lanes[i];
	struct bus_reply *r;

	*l = (struct lane){0};
	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("GET"), pos)));
	if (r->type == BUS_STR && stream_pos_parse(r->s, &l->written)) {
		snprintf(l->pos, sizeof l->pos, "%.*s", STR_FMT(r->s));
		return OK;
	}
	if (i == s->shards)
		return OK;
	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("XREVRANGE"), relay_stream_key(cx, STREAM_EVENTS, i, s->name), STR("+"), STR("-"), STR("COUNT"), STR("1"))));
	if (r->type == BUS_LIST && r->n == 1 && r->v[0].type == BUS_LIST && r->v[0].n == 2)
		(void)stream_pos_parse(r->v[0].v[0].s, &l->written);
	return OK;
}

/* Nothing is missing in a fresh stream. One without a floor is of an earlier version: what is before its oldest entry was trimmed. One
 * that is not there at all was forgotten by Redis: what PostgreSQL does not decode again is lost. */
static err_t
find_floor(struct ctx *cx, struct session *s, int shard, uint64_t confirmed)
{
	struct str floor = str_c(s->fresh ? "0-0" : arena_printf(cx->arena, "(%llu-0", (unsigned long long)confirmed));
	struct bus_entry oldest;
	struct bus_reply *r;
	char at[42];

	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("EXISTS"), relay_stream_key(cx, STREAM_FLOOR, shard, s->name))));
	if (r->type == BUS_INT && r->i == 1)
		return OK;
	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("XRANGE"), relay_stream_key(cx, STREAM_EVENTS, shard, s->name), STR("-"), STR("+"), STR("COUNT"), STR("1"))));
	if (r->type == BUS_LIST && r->n == 1 && bus_entry_of(&r->v[0], &oldest))
		floor = str_c(arena_printf(cx->arena, "(%s", stream_pos_text(bus_entry_first(&oldest), at)));
	else if (!s->fresh)
		log_error(NULL, "redis has forgotten the stream: who resumes is told of the gap", "stream=%s shard=%d", s->name, shard);
	return bus_link_cmd(cx, s->link, &r, BUS(STR("SET"), relay_stream_key(cx, STREAM_FLOOR, shard, s->name), floor));
}

/* ---- what readers are told ---- */

/* Keeps the keys of a stream's shards for ever, or for those who have not finished it. */
static err_t
relay_stream_keep(struct ctx *cx, struct session *s, const char *name, int shards, bool on)
{
	struct bus_reply *r;

	for (int i = 0; i < shards; i++)
		for (enum stream_key k = 0; k < STREAM_KEYS; k++) {
			struct str at = relay_stream_key(cx, k, i, name);

			if (on)
				TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("PERSIST"), at)));
			else
				TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("PEXPIRE"), at, STR(OLD_STREAM_TTL))));
		}
	return OK;
}

static struct str
reply_text(const struct bus_reply *fields, const char *name)
{
	for (int i = 0; fields->type == BUS_LIST && i + 1 < fields->n; i += 2)
		if (fields->v[i].type == BUS_STR && str_is(fields->v[i].s, name))
			return fields->v[i + 1].s;
	return STR_NONE;
}

/* The lanes' positions, comma-separated. */
static struct str
places(struct ctx *cx, const struct session *s)
{
	char at[42];
	struct buf b;

	buf_init(&b, cx->arena, 64);
	for (int i = 0; i < s->shards; i++) {
		if (i > 0)
			buf_ch(&b, ',');
		buf_c(&b, stream_pos_text(s->lanes[i].written, at));
	}
	return buf_view(&b);
}

/* Only the leader does, and it repeats it: two commands will do. */
static err_t
relay_stream_announce(struct ctx *cx, struct session *s)
{
	struct str name = STR_NONE, shards = STR_NONE, n = str_c(arena_printf(cx->arena, "%d", s->shards));
	struct bus_reply *r;
	int64_t former = 0;

	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("XREVRANGE"), STR(BUS_CURRENT), STR("+"), STR("-"), STR("COUNT"), STR("1"))));
	if (r->type == BUS_LIST && r->n == 1 && r->v[0].type == BUS_LIST && r->v[0].n == 2) {
		name = reply_text(&r->v[0].v[1], "g");
		shards = reply_text(&r->v[0].v[1], "n");
	}
	if (str_is(name, s->name) && str_eq(shards, n))
		return OK;
	if (name.n > 0 && name.n < BUS_NAME_MAX && !str_is(name, s->name) && str_to_i64(shards, &former) && former <= BUS_SHARDS_MAX)
		TRY(relay_stream_keep(cx, s, str_dup(cx->arena, name), (int)former, false));
	TRY(relay_stream_keep(cx, s, s->name, s->shards, true));
	return bus_link_cmd(cx, s->link, &r, BUS(STR("XADD"), STR(BUS_CURRENT), STR("MAXLEN"), STR("~"), STR("100"), STR("*"), STR("g"), str_c(s->name),
	    STR("n"), n, STR("at"), places(cx, s), STR("l"), str_c(s->life)));
}

err_t
stream_prepare(struct ctx *cx, struct session *s, uint64_t confirmed)
{
	bool had;

	TRY(stream_name_get(cx, s, &had));
	if (!had)
		TRY(name_set(cx, s));
	if (s->shards != conf.event_shards) {
		log_warn(NULL, "the number of shards changed: a fresh stream begins", "from=%d to=%d", s->shards, (int)conf.event_shards);
		TRY(stream_name_new(cx, s, false));
	}
	for (int i = 0; i <= s->shards; i++)
		TRY(find_end(cx, s, i));
	for (int i = 0; i < s->shards; i++)
		TRY(find_floor(cx, s, i, confirmed));
	return relay_stream_announce(cx, s);
}

/* ---- from time to time ---- */

int64_t
stream_bound(const struct session *s, int64_t *step_out)
{
	int64_t most = (int64_t)conf.rt_resume_bytes / s->shards, step = most / SIZE_STEPS;

	*step_out = most == 0 ? SIZE_STEP_FREE : step < SIZE_STEP_MIN ? SIZE_STEP_MIN : step;
	return most;
}

static err_t
trim(struct ctx *cx, struct session *s, int shard, int64_t *len)
{
	struct arena *a = cx->arena;
	int64_t now = time_now_ms(), step;
	struct bus_reply *r;
	char at[42];

	TRY(bus_link_script(cx, s->link, &r, upkeep_lua, 5, BUS(relay_stream_key(cx, STREAM_EVENTS, shard, s->name), relay_stream_key(cx, STREAM_MARKS, shard, s->name),
	    relay_stream_key(cx, STREAM_FLOOR, shard, s->name), relay_stream_key(cx, STREAM_BYTES, shard, s->name), relay_stream_key(cx, STREAM_SIZES, shard, s->name),
	    str_c(stream_pos_text(s->lanes[shard].written, at)), str_c(arena_printf(a, "%lld", (long long)now)),
	    str_c(arena_printf(a, "%lld", (long long)(now - conf.rt_resume_window))), str_c(arena_printf(a, "%lld", (long long)stream_bound(s, &step))),
	    bus_number(cx, SIZES_MAX))));
	if (r->type != BUS_LIST || r->n != 2)
		return OK;
	*len += r->v[0].i;
	metric_add(M_relay_trimmed, r->v[1].i);
	return OK;
}

err_t
stream_upkeep(struct ctx *cx, struct session *s)
{
	int64_t len = 0;

	TRY(relay_stream_announce(cx, s));
	for (int i = 0; i < s->shards; i++)
		TRY(trim(cx, s, i, &len));
	metric_set(M_relay_stream_len, len);
	return OK;
}

/* ---- how far it has got ---- */

/* A former leader's last word may come late: it never goes back. */
static const char tell_lua[] =
    "local was, new = redis.call('GET', KEYS[1]) or '', ARGV[1]\n"
    "if #was > #new or (#was == #new and was >= new) then return 0 end\n"
    "redis.call('SET', KEYS[1], new)\n"
    "return 1";

err_t
stream_tell(struct ctx *cx, struct session *s)
{
	struct bus_call *calls = arena_array(cx->arena, struct bus_call, s->shards);
	uint64_t upto = s->acked;
	bool refused = false;

	for (int i = 0; i < s->shards; i++) {
		struct str *v = arena_array(cx->arena, struct str, 2);

		v[0] = relay_stream_key(cx, STREAM_REACHED, i, s->name);
		v[1] = str_c(arena_printf(cx->arena, "%llu", (unsigned long long)upto));
		calls[i] = (struct bus_call){.nkeys = 1, .argc = 2, .argv = v};
	}
	TRY(bus_link_scripts(cx, s->link, tell_lua, calls, s->shards));
	for (int i = 0; i < s->shards; i++)
		refused |= calls[i].reply->type == BUS_ERROR;
	if (!refused)
		s->told = upto;
	s->next_tell = loop_now() + (refused ? TELL_REFUSED : TELL_EVERY);
	return OK;
}
