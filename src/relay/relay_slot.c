/* The slot and the stream that belongs to it.
 *
 * LSNs order the events of one slot's life. A stream is therefore named after the system identifier, and whenever the slot has to be
 * made anew although there was a stream (it was dropped, it fell too far behind, the database came back from a backup that has the
 * same identifier) a fresh stream begins: readers see a gap instead of events being refused as old ones. */
#include "relay_priv.h"

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"

#define LOCK "7016996765293437281"	/* "badal" as a number: who makes the slot */
#define OLD_STREAM_TTL "86400000"	/* ms a replaced stream is kept for consumers that have not finished it */

static const char announce_lua[] =
    "local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]\n"
    "local former = last and last[2][2]\n"
    "if former == ARGV[1] then return 0 end\n"
    "redis.call('XADD', KEYS[1], 'MAXLEN', '~', 100, '*', 'k', ARGV[1], 'at', ARGV[2])\n"
    "redis.call('PERSIST', ARGV[1])\n"
    "if former then redis.call('PEXPIRE', former, ARGV[3]) end\n"
    "return 1";

/* The last entry is never trimmed: readers can tell that they missed nothing. Ids are compared as text of equal length: numbers of
 * Lua lose the last bits. A mark that is repeated keeps its first time. It comes last and may fail: a Redis without memory refuses it, and
 * must still be trimmed, or it would stay full. */
static const char upkeep_lua[] =
    "local function less(a, b)\n"
    "  local ah, al = string.match(a, '^(%d+)-(%d+)$')\n"
    "  local bh, bl = string.match(b, '^(%d+)-(%d+)$')\n"
    "  if #ah ~= #bh then return #ah < #bh end\n"
    "  if ah ~= bh then return ah < bh end\n"
    "  if #al ~= #bl then return #al < #bl end\n"
    "  return al < bl\n"
    "end\n"
    "local key, marks = KEYS[1], KEYS[2]\n"
    "if redis.call('EXISTS', key) == 0 then return 0 end\n"
    "local m = redis.call('ZREVRANGEBYSCORE', marks, ARGV[3], '-inf', 'WITHSCORES', 'LIMIT', 0, 1)\n"
    "if m[1] then\n"
    "  local low = m[1]\n"
    "  for _, g in ipairs(redis.call('XINFO', 'GROUPS', key)) do\n"
    "    local name, last\n"
    "    for i = 1, #g, 2 do\n"
    "      if g[i] == 'name' then name = g[i + 1] elseif g[i] == 'last-delivered-id' then last = g[i + 1] end\n"
    "    end\n"
    "    local p = redis.call('XPENDING', key, name)\n"
    "    if p[1] > 0 and less(p[2], last) then last = p[2] end\n"
    "    if less(last, low) then low = last end\n"
    "  end\n"
    "  redis.call('XTRIM', key, 'MINID', low)\n"
    "  redis.call('ZREMRANGEBYSCORE', marks, '-inf', '(' .. m[2])\n"
    "end\n"
    "redis.pcall('ZADD', marks, 'NX', ARGV[2], ARGV[1])\n"
    "return redis.call('XLEN', key)";

/* ---- PostgreSQL ---- */

static err_t
identify(struct ctx *cx, struct session *s)
{
	struct strs row;

	TRY(repl_row(cx, s->repl, &row, "IDENTIFY_SYSTEM"));
	if (row.n < 1 || row.v[0] == NULL || strlen(row.v[0]) >= sizeof s->system)
		return fail(cx, ERR_DB, "IDENTIFY_SYSTEM tells nothing");
	snprintf(s->system, sizeof s->system, "%s", row.v[0]);
	TRY(repl_row(cx, s->repl, &row, "SHOW wal_level"));
	if (row.n < 1 || row.v[0] == NULL || strcmp(row.v[0], "logical") != 0)
		return fail(cx, ERR_DB, "PostgreSQL runs with wal_level=%s: events need wal_level=logical (set it and restart PostgreSQL)",
		    row.n > 0 && row.v[0] ? row.v[0] : "?");
	return OK;
}

static err_t
publish(struct ctx *cx, struct session *s)
{
	struct strs row;
	err_t e;

	TRY(repl_row(cx, s->repl, &row, "SELECT 1 FROM pg_publication WHERE pubname = '" SLOT "'"));
	if (row.set)
		return OK;
	e = repl_row(cx, s->repl, &row, "CREATE PUBLICATION " SLOT);
	if (e == ERR_DB && cx->code != NULL && strcmp(cx->code, "42710") == 0)
		return OK;	/* another relay was quicker */
	return e;
}

struct slot {
	bool there, lost;
	uint64_t confirmed;
};

static err_t
slot_look(struct ctx *cx, struct session *s, struct slot *out)
{
	struct strs row;
	int64_t lag = 0;

	*out = (struct slot){0};
	TRY(repl_row(cx, s->repl, &row, "SELECT confirmed_flush_lsn, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint, "
	    "plugin, database = current_database() FROM pg_replication_slots WHERE slot_name = '" SLOT "'"));
	if (!row.set)
		return OK;
	if (row.v[3] == NULL || strcmp(row.v[3], "pgoutput") != 0 || row.v[4] == NULL || row.v[4][0] != 't')
		return fail(cx, ERR_DB, "the replication slot \"" SLOT "\" belongs to something else");
	out->there = true;
	out->lost = row.v[1] != NULL && strcmp(row.v[1], "lost") == 0;
	if (!lsn_parse(row.v[0], &out->confirmed) && !out->lost)
		return fail(cx, ERR_DB, "the replication slot has no position");
	if (str_to_i64(str_c(row.v[2]), &lag))
		metric_set(M_relay_slot_lag, lag);
	return OK;
}

/* ---- the stream's name ---- */

static err_t
key_get(struct ctx *cx, struct session *s, bool *found_out)
{
	struct bus_reply *r;

	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("HGET"), STR(RELAY_KEYS), str_c(s->system))));
	*found_out = r->type == BUS_STR && r->s.n < sizeof s->key;
	if (*found_out)
		snprintf(s->key, sizeof s->key, "%.*s", STR_FMT(r->s));
	else
		snprintf(s->key, sizeof s->key, BUS_STREAM "%s", s->system);
	return OK;
}

static err_t
key_set(struct ctx *cx, struct session *s)
{
	struct bus_reply *r;

	return bus_link_cmd(cx, s->link, &r, BUS(STR("HSET"), STR(RELAY_KEYS), str_c(s->system), str_c(s->key)));
}

/* The name is written before the slot exists: a crash in between only costs another name. `lost`: why the one there is given up. */
static err_t
slot_make(struct ctx *cx, struct session *s, const char *lost)
{
	struct strs row;
	bool had;

	TRY(repl_row(cx, s->repl, &row, "SELECT pg_try_advisory_lock(" LOCK ")"));
	if (!row.set || row.v[0] == NULL || row.v[0][0] != 't')
		return fail(cx, ERR_DB_BUSY, "another relay makes the slot");
	TRY(key_get(cx, s, &had));
	if (had)
		snprintf(s->key, sizeof s->key, BUS_STREAM "%s:%lld", s->system, (long long)time_now_ms());
	TRY(key_set(cx, s));
	if (lost != NULL) {
		log_error(NULL, "the slot is given up: events are lost, a fresh stream begins", "stream=%s why=\"%s\"", s->key, lost);
		TRY(repl_row(cx, s->repl, &row, "SELECT pg_drop_replication_slot('" SLOT "')"));
	}
	TRY(repl_row(cx, s->repl, &row, "CREATE_REPLICATION_SLOT " SLOT " LOGICAL pgoutput NOEXPORT_SNAPSHOT"));
	log_info(NULL, "replication slot made", "slot=%s stream=%s", SLOT, s->key);
	return repl_row(cx, s->repl, &row, "SELECT pg_advisory_unlock(" LOCK ")");
}

err_t
slot_prepare(struct ctx *cx, struct session *s, uint64_t *confirmed_out)
{
	struct slot slot;

	TRY(identify(cx, s));
	TRY(publish(cx, s));
	TRY(slot_look(cx, s, &slot));
	if (!bus_link_up(s->link))
		return fail(cx, ERR_BUS, "Redis is away");
	if (!slot.there || slot.lost || s->stuck) {
		TRY(slot_make(cx, s, !slot.there ? NULL : slot.lost ? "it fell too far behind" : "the publication was away (a backup was restored?)"));
		s->stuck = false;
		TRY(slot_look(cx, s, &slot));
	}
	*confirmed_out = slot.confirmed;
	return OK;
}

/* ---- the stream ---- */

/* RELAY_POS was written with the last message. Without it (somebody removed it) the stream's own end is the next best. */
static err_t
find_end(struct ctx *cx, struct session *s)
{
	struct bus_reply *r;

	s->pos[0] = '\0';
	s->written = (struct stream_pos){0, 0};
	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("GET"), str_c(arena_printf(cx->arena, RELAY_POS "%s", s->key)))));
	if (r->type == BUS_STR && stream_pos_parse(r->s, &s->written)) {
		snprintf(s->pos, sizeof s->pos, "%.*s", STR_FMT(r->s));
		return OK;
	}
	TRY(bus_link_cmd(cx, s->link, &r, BUS(STR("XREVRANGE"), str_c(s->key), STR("+"), STR("-"), STR("COUNT"), STR("1"))));
	if (r->type == BUS_LIST && r->n == 1 && r->v[0].type == BUS_LIST && r->v[0].n == 2)
		(void)stream_pos_parse(r->v[0].v[0].s, &s->written);
	return OK;
}

static err_t
announce(struct ctx *cx, struct session *s)
{
	struct bus_reply *r;
	char at[42];

	return bus_link_script(cx, s->link, &r, announce_lua, 1, BUS(STR(BUS_CURRENT), str_c(s->key),
	    str_c(stream_pos_text(s->written, at)), STR(OLD_STREAM_TTL)));
}

err_t
stream_prepare(struct ctx *cx, struct session *s)
{
	bool had;

	TRY(key_get(cx, s, &had));
	if (!had)
		TRY(key_set(cx, s));
	TRY(find_end(cx, s));
	return announce(cx, s);
}

err_t
stream_upkeep(struct ctx *cx, struct session *s)
{
	struct bus_reply *r;
	struct arena *a = cx->arena;
	int64_t now = time_now_ms();
	char at[42];

	TRY(announce(cx, s));
	TRY(bus_link_script(cx, s->link, &r, upkeep_lua, 2, BUS(str_c(s->key), str_c(arena_printf(a, RELAY_MARKS "%s", s->key)),
	    str_c(stream_pos_text(s->written, at)), str_c(arena_printf(a, "%lld", (long long)now)),
	    str_c(arena_printf(a, "%lld", (long long)(now - conf.rt_resume_window))))));
	metric_set(M_relay_stream_len, r->type == BUS_INT ? r->i : 0);
	return OK;
}
