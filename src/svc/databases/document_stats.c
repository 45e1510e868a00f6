/* How many documents a caller may read, by PostgreSQL's statistics: what decides how a list is best found.
 *
 * One plan for all callers cannot serve both who reads everything (walk in order, look at each row) and who owns three documents of a
 * million (ask the index of readers first). The statistics are read once a minute for each collection and process; they only ever
 * choose between two statements with the same rows. */
#include "document_priv.h"

#include <stdlib.h>

#include "core/loop.h"
#include "core/map.h"

enum { STATS_MAX = 2000, STATS_AGE = 60 * 1000, PAGE = 25 };

struct stats {
	uint64_t read;			/* loop_now */
	double rows;
	struct arena *arena;		/* of roles and what they stand for */
	struct map *roles;		/* frequent ones, to their share (double *) */
};

static struct lru *cache;

static void
document_stats_drop(void *arg)
{
	struct stats *s = arg;

	map_free(&s->roles);
	arena_free(&s->arena);
	free(s);
}

static void
document_stats_learn(struct ctx *cx, struct stats *s, const struct db_res *r)
{
	struct strs roles = pg_array_parse(cx->arena, db_str(r, 0, 1)), shares = pg_array_parse(cx->arena, db_str(r, 0, 2));

	s->rows = (double)db_i64(r, 0, 0);
	for (int i = 0; i < roles.n && i < shares.n; i++) {
		double *share = arena_alloc(s->arena, sizeof *share);

		if (roles.v[i] == NULL || shares.v[i] == NULL)
			continue;
		*share = strtod(shares.v[i], NULL);
		(void)map_set(s->roles, str_c(roles.v[i]), share);	/* each role is there once */
	}
}

/* Awaits. */
static err_t
read_stats(struct ctx *cx, const struct collection *c, struct stats **out)
{
	struct str rest = str_c(c->table), schema = str_cut(&rest, '.');
	struct stats *s;
	struct db_res *r;

	TRY(db_query(cx, &r,
	    "SELECT k.reltuples::bigint, s.most_common_elems::text, s.most_common_elem_freqs::text FROM pg_namespace n "
	    "JOIN pg_class k ON k.relnamespace = n.oid AND k.relname = $2::name "
	    "LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = k.relname AND s.attname = '_read' WHERE n.nspname = $1::name",
	    DB(str_dup(cx->arena, schema), str_dup(cx->arena, rest))));
	s = mem_zalloc(sizeof *s);
	s->read = loop_now();
	s->arena = arena_new();
	s->roles = map_new();
	if (db_rows(r) > 0)
		document_stats_learn(cx, s, r);
	lru_put(cache, str_c(c->table), s);
	*out = s;
	return OK;
}

err_t
doc_readable_few(struct ctx *cx, const struct collection *c, const struct strs *roles, bool *few_out)
{
	struct stats *s;
	double share = 0;

	if (cache == NULL)
		cache = lru_new(STATS_MAX, document_stats_drop);
	s = lru_get(cache, str_c(c->table));
	if (s == NULL || loop_now() - s->read > STATS_AGE) {
		if (s != NULL)
			s->read = loop_now();	/* one asks, the others go on with what they have */
		TRY(read_stats(cx, c, &s));
	}
	for (int i = 0; i < roles->n; i++) {
		const double *one = map_get(s->roles, str_c(roles->v[i]));

		share += one ? *one : 0;
	}
	/* a page costs a walk over PAGE/share rows, or the sort of share*rows */
	*few_out = share * share * s->rows < PAGE && s->rows > 0;
	return OK;
}
