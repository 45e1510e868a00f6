/* Totals of lists that are remembered.
 *
 * To count 5,000 rows takes ten times as long as to read a page. Each change of a row takes a number from a sequence of its table
 * (query_list.changes; a trigger does it, so that whatever writes does it) after the row is written and before anybody can see it. A sequence
 * knows no transactions: writers do not wait for each other, and nothing takes a number back.
 *
 * Why a remembered total is exact. Say that v is settled in a snapshot when all transactions that took a number up to v are over in it. Rows were
 * counted in a snapshot in which v was settled. A later list reads the sequence in the statement that reads its page, so after its own snapshot
 * was taken. What is seen there and was not seen before was written by transactions that took all their numbers after v and before that look.
 * So where the sequence still says v, the rows are the same. Where it says v + d, at most d rows are others: a count of at least 5,000 + d was
 * right to say 5,000, the most that a total says, and still is. For that some more are counted than are told of.
 *
 * When v is settled: one statement reads v; another, sent when the first was answered, reads the next transaction id, which all those transactions
 * are before, for they had written a row (age() tells it; a snapshot's xmax does not, it is behind only what has ended); in any snapshot that begins
 * (xmin) there or later they are over. Long transactions delay this and make nothing wrong.
 *
 * Another history is: a crash of PostgreSQL, after which numbers may be given out twice and commits be lost (its statistics begin anew then, and say
 * when), a restart or a standby that takes over (its time of start), a table that is written anew (TRUNCATE, another type of a column: its file).
 * What was counted in one says nothing in another.
 *
 * Not for lists within transactions: all of this is about statements that take a snapshot each. Nor for filters whose truth depends on more than the
 * row and the parameters: other tables, the time. */
#include "query_priv.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/map.h"
#include "core/metric.h"

enum {
	MARGIN = 1000,		/* counted beyond QUERY_TOTAL_MAX: row changes that a total survives */
	ROWS_MAX = 100,		/* of a page that learns: what it learns from stands in each row */
	HISTORIES_MAX = 5000,
	KEY = 16
};

struct epoch {			/* what numbers are compared within */
	char start[40], stats[40], file[16];	/* when the server began, and its statistics; the table's file */
};

struct history {		/* of one table, as far as this process knows */
	struct epoch epoch;
	bool settled_once;
	int64_t settled;	/* the newest number known to be settled … */
	uint64_t settled_from;	/* … in snapshots that begin here */
	enum { NONE, READ, BOUND } next_state;
	int64_t next;		/* the number that is to be the next one */
	uint64_t next_read;	/* READ: which reading it was */
	uint64_t end;		/* BOUND: its transactions are before this */
};

struct total {
	struct epoch epoch;
	int64_t total, from, to;	/* true while the sequence is within these */
};

struct facts {			/* what a statement that counted says beside the count */
	int64_t number, counted;
	uint64_t begin, end;	/* end: the next transaction id */
	struct epoch epoch;
};

static struct lru *histories, *totals;
static uint64_t readings;

/* ---- the statement ---- */

/* Filters and what they are compared with; order and place of a page are no part of it. */
static struct str
total_key(struct query_plan *p, int n_where)
{
	struct buf b;
	char *key = arena_alloc(p->cx->arena, KEY);

	buf_init(&b, p->cx->arena, 512);
	buf_c(&b, query_plan_count(p, 0));
	for (int i = 0; i < n_where; i++) {
		buf_add(&b, p->v[i] ? "\0v" : "\0n", 2);
		buf_c(&b, p->v[i] ? p->v[i] : "");
	}
	crypto_generichash((unsigned char *)key, KEY, (const unsigned char *)buf_view(&b).p, buf_view(&b).n, NULL, 0);
	return (struct str){key, KEY};
}

void
query_total_plan(struct query_plan *p)
{
	const struct history *h;
	const struct total *t;

	if (p->l->changes == NULL || p->related || p->cx->within != NULL || p->cx->uncounted)
		return;
	p->total.how = TOTAL_COUNT;
	if (totals == NULL) {
		totals = lru_new((size_t)conf.cache_entries, free);
		histories = lru_new(HISTORIES_MAX, free);
	}
	p->total.key = total_key(p, p->n_v);
	t = p->total.again ? NULL : lru_get(totals, p->total.key);
	if (t != NULL) {
		p->total.how = TOTAL_KNOWN;
		p->total.known = t->total;
		p->total.from = t->from;
		p->total.to = t->to;
		p->total.start = str_dup(p->cx->arena, str_c(t->epoch.start));
		p->total.stats = str_dup(p->cx->arena, str_c(t->epoch.stats));
		p->total.file = str_dup(p->cx->arena, str_c(t->epoch.file));
		return;
	}
	if (p->limit > ROWS_MAX)
		return;
	p->total.how = TOTAL_LEARN;
	h = lru_get(histories, str_c(p->l->changes));
	p->total.reading = h != NULL && h->next_state == READ ? h->next_read : 0;
	p->total.more = h != NULL;
}

/* Functions alone: a scan of the sequence would cost more than all of these. */
#define NUMBER "coalesce(pg_sequence_last_value('%s'), 0)"
#define STATS "pg_stat_get_bgwriter_stat_reset_time()"

static const char *
query_total_sql_known(struct query_plan *p)
{
	struct arena *a = p->cx->arena;
	int from = query_param(p, pg_i64(a, p->total.from)), to = query_param(p, pg_i64(a, p->total.to));
	int start = query_param(p, p->total.start), stats = query_param(p, p->total.stats), file = query_param(p, p->total.file);

	return arena_printf(a, "(SELECT " NUMBER " BETWEEN $%d::bigint AND $%d::bigint AND pg_postmaster_start_time() = $%d::timestamptz "
	    "AND " STATS " = $%d::timestamptz AND pg_relation_filenode('%s') = $%d::oid)", p->l->changes, from, to, start, stats, p->l->from, file);
}

static const char *
query_total_sql_learn(struct query_plan *p)
{
	return arena_printf(p->cx->arena, "(SELECT concat_ws('|', (%s), " NUMBER ", pg_snapshot_xmin(s), pg_snapshot_xmax(s), age('3'::xid), "
	    "pg_relation_filenode('%s'), pg_postmaster_start_time(), " STATS ") FROM pg_current_snapshot() AS s)",
	    query_plan_count(p, p->total.more ? MARGIN : 0), p->l->changes, p->l->from);
}

/* The total beside the rows; when the page can tell it, it is not counted, and when it is counted then by the same statement. */
const char *
query_total_sql(struct query_plan *p)
{
	const char *sql;

	switch (p->total.how) {
	case TOTAL_NONE:
		return "-1";
	case TOTAL_KNOWN:
		return query_total_sql_known(p);
	case TOTAL_LEARN:
		sql = query_total_sql_learn(p);
		break;
	default:
		sql = arena_printf(p->cx->arena, "(%s)", query_plan_count(p, 0));
	}
	if (p->cursor != NULL)
		return sql;
	return arena_printf(p->cx->arena, "CASE WHEN count(*) OVER () >= %lld THEN %s END", (long long)p->limit, sql);
}

/* ---- its answer ---- */

static bool
query_total_facts(struct str text, struct facts *f)
{
	long long number;
	unsigned long long begin, end;
	int at = 0, age;

	if (sscanf(text.p, "%*d|%lld|%llu|%llu|%d|%15[0-9]|%39[^|]|%39[^|]%n", &number, &begin, &end, &age, f->epoch.file, f->epoch.start, f->epoch.stats, &at) != 7 ||
	    at != (int)text.n)
		return false;
	f->number = number;
	f->begin = begin;
	f->end = end + ((uint32_t)age + 3 - (uint32_t)end);	/* ids have 32 bits there */
	return true;
}

static bool
query_total_epoch_same(const struct epoch *a, const struct epoch *b)
{
	return strcmp(a->start, b->start) == 0 && strcmp(a->stats, b->stats) == 0 && strcmp(a->file, b->file) == 0;
}

static struct history *
query_total_history(const struct query_plan *p, const struct facts *f)
{
	struct history *h = lru_get(histories, str_c(p->l->changes));

	if (h != NULL && query_total_epoch_same(&h->epoch, &f->epoch))
		return h;
	h = mem_zalloc(sizeof *h);
	h->epoch = f->epoch;
	lru_put(histories, str_c(p->l->changes), h);
	return h;
}

/* Settled is what `next` was, when this says so. */
static void
query_total_advance(const struct query_plan *p, struct history *h, const struct facts *f)
{
	if (h->next_state == READ && h->next_read == p->total.reading) {
		h->next_state = BOUND;
		h->end = f->end;
	}
	if (h->next_state == BOUND && f->begin >= h->end) {
		h->next_state = NONE;
		h->settled_once = true;
		h->settled = h->next;
		h->settled_from = h->end;
	}
}

static void
query_total_remember(const struct query_plan *p, const struct history *h, const struct facts *f)
{
	bool most = f->counted >= QUERY_TOTAL_MAX;
	struct total *t;
	int64_t to = h->settled + (most ? f->counted - QUERY_TOTAL_MAX : 0);

	if (!h->settled_once || f->begin < h->settled_from || f->number > to)
		return;
	t = mem_alloc(sizeof *t);
	*t = (struct total){f->epoch, most ? QUERY_TOTAL_MAX : f->counted, h->settled, to};
	lru_put(totals, p->total.key, t);
}

static void
query_total_learn(const struct query_plan *p, const struct facts *f)
{
	struct history *h = query_total_history(p, f);

	query_total_advance(p, h, f);
	query_total_remember(p, h, f);
	if (h->next_state == NONE && !(h->settled_once && h->settled == f->number)) {
		h->next_state = READ;
		h->next = f->number;
		h->next_read = ++readings;
	}
}

bool
query_total_answer(struct query_plan *p, const struct db_res *r, int col, int64_t *out)
{
	struct facts f;

	*out = -1;
	if (p->total.how == TOTAL_NONE || db_rows(r) == 0 || (db_null(r, 0, col) && p->total.how != TOTAL_KNOWN))
		return true;
	if (p->total.how == TOTAL_KNOWN) {
		if (!db_bool(r, 0, col)) {
			lru_del(totals, p->total.key);
			p->total.again = true;
			return false;
		}
		metric_add(M_totals_known, 1);
		*out = p->total.known;
		return true;
	}
	metric_add(M_totals_counted, 1);
	f.counted = *out = strtoll(db_cstr(r, 0, col), NULL, 10);
	if (p->total.how == TOTAL_LEARN && query_total_facts(db_str(r, 0, col), &f))
		query_total_learn(p, &f);
	return true;
}
