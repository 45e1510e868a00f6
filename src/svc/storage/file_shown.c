/* What somebody who resumes may be shown of files: what he may read now.
 *
 * An event of a file that is there is shown to whoever may read it now; one of a file that is gone, or of a former one with the same id, is not. That it was
 * deleted is shown to those who might read it today, had it stayed as it was: they have to forget it. */
#include "core/vtime.h"
#include "model/service.h"
#include "svc/storage/file.h"

struct heap {			/* what is told of one bucket */
	const struct bucket *b;
	bool all;		/* the bucket lets the roles read everything */
	const char **ids;	/* lower-case, of files that have to be looked up */
	int n;
};

static bool
same_bucket(const struct shown *a, const struct shown *b)
{
	return strcmp(a->ids[0], b->ids[0]) == 0;
}

static bool
was_readable(struct ctx *cx, const struct heap *h, const struct strs *roles, const struct shown *x)
{
	struct strs readers;

	if (h->all || !h->b->file_security)
		return h->all;
	readers = perms_roles(cx->arena, &x->permissions, STR("read"));
	return roles_meet(roles, &readers);
}

static bool
is_of_file(struct ctx *cx, const struct shown *x, const struct db_res *r, int row)
{
	int64_t created;

	return str_is(str_lower(cx->arena, str_c(x->ids[1])), db_cstr(r, row, 0)) && time_parse(str_c(x->created), &created) && created == db_time(r, row, 1);
}

static err_t
heap_look_up(struct ctx *cx, const struct project *p, const struct heap *h, const struct strs *roles, struct shown **v, int n)
{
	const char *sql = arena_printf(cx->arena, "SELECT lower(id), created FROM %s.files WHERE bucket = $1::bigint AND lower(id) = ANY ($2::text[])%s", p->schema,
	    h->all ? "" : " AND read && $3::text[]");
	const char *values[3] = {pg_i64(cx->arena, h->b->internal), pg_array(cx->arena, h->ids, h->n), pg_array(cx->arena, roles->v, roles->n)};
	struct db_res *r;

	TRY(db_query(cx, &r, sql, h->all ? 2 : 3, values));
	for (int i = 0; i < n; i++)
		for (int row = 0; row < db_rows(r) && !v[i]->gone && !v[i]->yes && same_bucket(v[0], v[i]); row++)
			v[i]->yes = is_of_file(cx, v[i], r, row);
	return OK;
}

/* Those of v that are of the bucket of the first. */
static err_t
heap_answer(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n)
{
	struct heap h = {.ids = arena_array(cx->arena, const char *, n)};
	err_t e = bucket_get(cx, p, v[0]->ids[0], &h.b);

	if (e == ERR_STORAGE_BUCKET_NOT_FOUND || (e == OK && !h.b->enabled))
		return OK;
	TRY(e);
	h.all = roles_meet(roles, &h.b->perms.read);
	for (int i = 0; i < n; i++) {
		if (!same_bucket(v[0], v[i]))
			continue;
		if (v[i]->gone)
			v[i]->yes = was_readable(cx, &h, roles, v[i]);
		else
			h.ids[h.n++] = str_lower(cx->arena, str_c(v[i]->ids[1])).p;
	}
	if (h.n == 0 || (!h.all && !h.b->file_security))
		return OK;
	return heap_look_up(cx, p, &h, roles, v, n);
}

err_t
files_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n)
{
	for (int i = 0; i < n; i++) {
		bool done = false;

		for (int k = 0; k < i && !done; k++)
			done = same_bucket(v[k], v[i]);
		if (!done)
			TRY(heap_answer(cx, p, roles, v + i, n - i));
	}
	return OK;
}
