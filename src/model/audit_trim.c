/* What is kept of one user's entries: the newest of each event, so that who does one thing without end pushes out that alone, not the sign-in before it.
 *
 * Writers say whom they wrote for; every so many entries that user and event are trimmed. What a process forgets, because it ended or knows too many
 * users, the hourly sweep finds. */
#include "model/audit.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/map.h"
#include "core/metric.h"
#include "io/db.h"

enum { TALLIES_MAX = 20000, DUE_MAX = 1000, PART = 10, STEP = 1000, ROUND = 500 };

struct due {
	struct due *next;
	const char *schema, *user, *event;
};

static struct lru *tallies;		/* entries written since the last trim, int64_t */
static struct due *due_first, **due_last = &due_first;
static unsigned n_due;

static void
add_due(const char *schema, const char *user, const char *event)
{
	size_t n = strlen(schema) + 1, m = strlen(user) + 1;
	struct due *d;
	char *at;

	if (n_due >= DUE_MAX)
		return;
	d = mem_zalloc(sizeof *d + n + m + strlen(event) + 1);
	at = (char *)(d + 1);
	d->schema = strcpy(at, schema);
	d->user = strcpy(at + n, user);
	d->event = strcpy(at + n + m, event);
	*due_last = d;
	due_last = &d->next;
	n_due++;
}

void
audit_trim_note(const char *schema, const char *user, const char *event)
{
	char key[600];
	int n = snprintf(key, sizeof key, "%s %s %s", schema, user, event);
	struct str k = {key, n < (int)sizeof key ? (size_t)n : sizeof key - 1};
	int64_t *tally;

	if (conf.audit_per_user_max <= 0)
		return;
	if (tallies == NULL)
		tallies = lru_new(TALLIES_MAX, free);
	if ((tally = lru_get(tallies, k)) == NULL) {
		tally = mem_zalloc(sizeof *tally);
		lru_put(tallies, k, tally);
	}
	if (++*tally <= conf.audit_per_user_max / PART)
		return;
	*tally = 0;
	add_due(schema, user, event);
}

/* Awaits. In steps, each a statement. */
static err_t
audit_trim_one(struct ctx *cx, const char *schema, const char *user, const char *event)
{
	const char *of = "lower(user_id) = lower($1) AND event = $2";
	int n;

	do {
		TRY(db_exec(cx, &n, arena_printf(cx->arena, "DELETE FROM %s.audit WHERE internal IN (SELECT internal FROM %s.audit WHERE %s AND internal <= "
		    "(SELECT internal FROM %s.audit WHERE %s ORDER BY internal DESC OFFSET $3::bigint LIMIT 1) ORDER BY internal LIMIT %d)", schema, schema, of, schema, of, STEP),
		    DB(user, event, pg_i64(cx->arena, conf.audit_per_user_max))));
		metric_add(M_audit_trimmed, n);
	} while (n == STEP);
	return OK;
}

err_t
audit_trim_due(struct ctx *cx)
{
	err_t e = OK;

	while (due_first != NULL && e != ERR_CANCELLED && e != ERR_TIMEOUT && e != ERR_DB_DOWN) {
		struct due *d = due_first;

		due_first = d->next;
		if (due_first == NULL)
			due_last = &due_first;
		n_due--;
		e = audit_trim_one(cx, d->schema, d->user, d->event);	/* a project that went meanwhile holds up no other */
		free(d);
	}
	return e == ERR_CANCELLED || e == ERR_TIMEOUT || e == ERR_DB_DOWN ? e : OK;
}

err_t
audit_trim_all(struct ctx *cx, const char *schema)
{
	struct db_res *r;

	if (conf.audit_per_user_max <= 0)
		return OK;
	do {
		TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT lower(user_id), event FROM %s.audit GROUP BY 1, 2 HAVING count(*) > $1::bigint LIMIT %d", schema, ROUND),
		    DB(pg_i64(cx->arena, conf.audit_per_user_max))));
		for (int i = 0; i < db_rows(r); i++)
			TRY(audit_trim_one(cx, schema, db_cstr(r, i, 0), db_cstr(r, i, 1)));
	} while (db_rows(r) == ROUND);
	return OK;
}
