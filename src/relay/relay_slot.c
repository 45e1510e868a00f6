/* The slot: publication and slot are made where they are missing, and a slot that can go on no more is made anew. LSNs order the events
 * of one slot's life; whenever a slot is made although there was a stream (it was dropped, it fell too far behind, the database came back
 * from a backup that has the same identifier) a fresh stream begins: readers see a gap instead of events being refused as old ones. */
#include "relay_priv.h"

#include "core/log.h"
#include "core/metric.h"

#define LOCK "7016996765293437281"	/* "badal" as a number: who makes the slot */

/* ---- PostgreSQL ---- */

static err_t
relay_slot_identify(struct ctx *cx, struct session *s)
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
relay_slot_publish(struct ctx *cx, struct session *s)
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

/* The name is written before the slot exists: a crash in between only costs another name. `lost`: why the one there is given up. */
static err_t
slot_make(struct ctx *cx, struct session *s, const char *lost)
{
	struct strs row;

	TRY(repl_row(cx, s->repl, &row, "SELECT pg_try_advisory_lock(" LOCK ")"));
	if (!row.set || row.v[0] == NULL || row.v[0][0] != 't')
		return fail(cx, ERR_DB_BUSY, "another relay makes the slot");
	TRY(stream_name_new(cx, s, true));
	if (lost != NULL) {
		log_error(NULL, "the slot is given up: events are lost, a fresh stream begins", "stream=%s why=\"%s\"", s->name, lost);
		TRY(repl_row(cx, s->repl, &row, "SELECT pg_drop_replication_slot('" SLOT "')"));
	}
	TRY(repl_row(cx, s->repl, &row, "CREATE_REPLICATION_SLOT " SLOT " LOGICAL pgoutput NOEXPORT_SNAPSHOT"));
	log_info(NULL, "replication slot made", "slot=%s stream=%s", SLOT, s->name);
	return repl_row(cx, s->repl, &row, "SELECT pg_advisory_unlock(" LOCK ")");
}

err_t
slot_prepare(struct ctx *cx, struct session *s, uint64_t *confirmed_out)
{
	struct slot slot;

	TRY(relay_slot_identify(cx, s));
	TRY(relay_slot_publish(cx, s));
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
