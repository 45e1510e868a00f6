/* What somebody who resumes may be shown of documents: what he may read now.
 *
 * An event of a document that is there is shown to whoever may read the document now. One of a document that is gone, or of a former one with the same
 * id, is not: nobody may read that any more. That it was deleted is shown to those who might read it today, had it stayed as it was: they have to
 * forget it. */
#include "document_priv.h"

#include "model/permission.h"
#include "model/service.h"

/* What is told of one collection. */
struct shelf {
	const struct collection *c;
	bool all;		/* the collection lets the roles read everything */
	const char **ids;	/* lower-case, of documents that have to be looked up */
	int n;
};

static bool
same_shelf(const struct shown *a, const struct shown *b)
{
	return strcmp(a->ids[0], b->ids[0]) == 0 && strcmp(a->ids[1], b->ids[1]) == 0;
}

static bool
last_state_readable(struct ctx *cx, const struct shelf *s, const struct strs *roles, const struct shown *x)
{
	struct strs readers;

	if (s->all || !s->c->document_security)
		return s->all;
	readers = perms_roles(cx->arena, &x->permissions, STR("read"));
	return roles_meet(roles, &readers);
}

/* Numbers are never given twice; dates and ids are as keys will have them. */
static bool
is_of_row(struct ctx *cx, const struct shown *x, const struct db_res *r, int row)
{
	return str_is(str_lower(cx->arena, str_c(x->ids[2])), db_cstr(r, row, 0)) && str_is(db_str(r, row, 1), x->number);
}

static err_t
shelf_look_up(struct ctx *cx, const struct shelf *s, const struct strs *roles, struct shown **v, int n)
{
	const char *sql = arena_printf(cx->arena, "SELECT lower(_id), _seq FROM %s WHERE lower(_id) = ANY ($1::text[])%s", s->c->table,
	    s->all ? "" : " AND _read && $2::text[]");
	const char *values[2] = {pg_array(cx->arena, s->ids, s->n), pg_array(cx->arena, roles->v, roles->n)};
	struct db_res *r;

	TRY(db_query(cx, &r, sql, s->all ? 1 : 2, values));
	for (int i = 0; i < n; i++)
		for (int row = 0; row < db_rows(r) && !v[i]->gone && !v[i]->yes && same_shelf(v[0], v[i]); row++)
			v[i]->yes = is_of_row(cx, v[i], r, row);
	return OK;
}

/* Those of v that are of the collection of the first. */
static err_t
shelf_answer(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n)
{
	struct shelf s = {.ids = arena_array(cx->arena, const char *, n)};
	err_t e = collection_get(cx, p, v[0]->ids[0], v[0]->ids[1], &s.c);

	if (e == ERR_DATABASE_NOT_FOUND || e == ERR_COLLECTION_NOT_FOUND || (e == OK && !(s.c->enabled && s.c->database_enabled)))
		return OK;
	TRY(e);
	s.all = roles_meet(roles, &s.c->perms.read);
	for (int i = 0; i < n; i++) {
		if (!same_shelf(v[0], v[i]))
			continue;
		if (v[i]->gone)
			v[i]->yes = last_state_readable(cx, &s, roles, v[i]);
		else
			s.ids[s.n++] = str_lower(cx->arena, str_c(v[i]->ids[2])).p;
	}
	if (s.n == 0 || (!s.all && !s.c->document_security))
		return OK;
	return shelf_look_up(cx, &s, roles, v, n);
}

err_t
documents_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n)
{
	for (int i = 0; i < n; i++) {
		bool done = false;

		for (int k = 0; k < i && !done; k++)
			done = same_shelf(v[k], v[i]);
		if (!done)
			TRY(shelf_answer(cx, p, roles, v + i, n - i));
	}
	return OK;
}
