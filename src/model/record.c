/* Records: reading and writing rows by their shapes. */
#include "record_priv.h"

#include <assert.h>

#include "core/id.h"
#include "core/vtime.h"
#include "model/project.h"
#include "model/seal.h"

enum { OWN_MAX = 40 };	/* columns of a table */

/* ---- values ---- */

static void *
record_member(const void *obj, const struct field *f)
{
	return (char *)(uintptr_t)obj + f->off;
}

static const char *
text_value(struct arena *a, const struct field *f, const char *s)
{
	if (s == NULL)
		return f->flags & COL_NULL ? NULL : "";
	return f->flags & COL_SEALED && s[0] != '\0' ? seal_text(a, s) : s;
}

/* The parameter that stores a member. */
static const char *
value(struct arena *a, const struct field *f, const void *obj)
{
	const void *at = record_member(obj, f);

	switch (f->type) {
	case F_STR:
	case F_ID:
	case F_ENUM:
		return text_value(a, f, *(const char *const *)at);
	case F_DATA:
		return shape_data_column(a, *(const struct str *)at);
	case F_JSON:
		return ((const struct str *)at)->p ? ((const struct str *)at)->p : "{}";
	case F_TIME:
	case F_TIME_OR_NONE:
		return pg_time(a, *(const int64_t *)at);
	case F_BOOL:
		return pg_bool(*(const bool *)at);
	case F_INT:
		return pg_i64(a, *(const int64_t *)at);
	case F_FLOAT:
		return arena_printf(a, "%.17g", *(const double *)at);
	case F_STRS:
		return pg_array(a, ((const struct strs *)at)->v, ((const struct strs *)at)->n);
	case F_LIST:
	case F_CONST:
		break;
	}
	assert(!"not a column");
	return NULL;
}

/* ---- rows ---- */

struct rows
rows_internal(struct ctx *cx, int64_t internal)
{
	return (struct rows){"@.internal = $1::bigint", 1, {pg_i64(cx->arena, internal)}};
}

struct rows
rows_id(const char *id)
{
	return (struct rows){"lower(@.id) = lower($1)", 1, {id}};
}

static err_t
take_one(struct ctx *cx, const struct record *rec, const struct rows *w, const struct db_res *r, void *out)
{
	if (db_rows(r) == 0)
		return fail(cx, rec->missing, "no row for %s", w->v[w->n - 1]);
	memset(out, 0, rec->shape->size);
	shape_read(cx, rec->shape, out, r, 0, 0);
	return OK;
}

err_t
record_get(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, record_statement(cx, p, rec, VERB_GET, w.where, NULL), w.n, w.v));
	return take_one(cx, rec, &w, r, out);
}

err_t
record_all(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, int max, struct objs *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "%s%d", record_statement(cx, p, rec, VERB_ALL, w.where, NULL), max), w.n, w.v));
	*out = shape_rows(cx, rec->shape, r);
	return OK;
}

err_t
record_list(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, const struct strs *queries,
    const char *search, struct query_page *out)
{
	struct arena *a = cx->arena;
	struct query_list l = {.entity = rec->entity, .from = record_statement(cx, p, rec, VERB_FROM, NULL, NULL),
		.columns = record_statement(cx, p, rec, VERB_COLUMNS, NULL, NULL), .n = w.n, .v = w.v,
		.seq = arena_printf(a, "%s.internal", rec->alias), .id = arena_printf(a, "%s.id", rec->alias), .width = rec->width,
		.width_max = rec->width_max, .page = rec->page, .chosen = rec->selects ? rec->shape : NULL, .schema = p->schema};
	struct buf b;

	l.attrs = shape_asked(rec->shape, &l.n_attrs);
	if (record_searchable(rec, NULL))
		l.search = arena_printf(a, "%s.search", rec->alias);
	buf_init(&b, a, 128);
	if (w.where != NULL)
		record_put_where(&b, rec, w.where);
	l.where = w.where && rec->on ? arena_printf(a, "%s AND %s", rec->on, buf_view(&b).p) : w.where ? buf_view(&b).p : rec->on;
	return query_list(cx, &l, rec->shape, queries, search, out);
}

static err_t
one_within(struct db_tx *tx, const struct project *p, const struct record *rec, enum verb verb, const struct rows *w, void *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, record_statement(cx, p, rec, verb, w->where, NULL), w->n, w->v));
	return take_one(cx, rec, w, r, out);
}

err_t
record_lock(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	return one_within(tx, p, rec, VERB_LOCK, &w, out);
}

err_t
record_lock_key(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	return one_within(tx, p, rec, VERB_LOCK_KEY, &w, out);
}

err_t
record_delete(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	return one_within(tx, p, rec, VERB_DELETE, &w, out);
}

err_t
record_set(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, const char *set, const void *values, void *out)
{
	const char *v[sizeof w.v / sizeof *w.v + OWN_MAX];
	struct ctx *cx = tx_ctx(tx);
	struct str rest = str_c(set);
	struct db_res *r;
	int n = w.n;

	memcpy(v, w.v, sizeof *v * (size_t)n);
	while (rest.p != NULL) {
		assert(n < OWN_MAX);
		v[n++] = value(cx->arena, record_field(rec, str_cut(&rest, ' ')), values);
	}
	if (record_has_updated(rec))
		v[n++] = pg_time(cx->arena, time_now_ms());
	TRY(tx_query(tx, &r, record_statement(cx, p, rec, VERB_SET, w.where, set), n, v));
	return take_one(cx, rec, &w, r, out);
}

/* ---- new rows ---- */

void
record_init(struct ctx *cx, const struct record *rec, void *obj)
{
	const struct field *id = record_field(rec, STR("id")), *created = record_field(rec, STR("created")), *updated = record_field(rec, STR("updated"));
	const char **text = record_member(obj, id);
	int64_t now = time_now_ms();

	if (*text == NULL)
		*text = id_unique(cx->arena);
	if (created != NULL)
		*(int64_t *)record_member(obj, created) = now;
	if (updated != NULL)
		*(int64_t *)record_member(obj, updated) = now;
}

static int
own_values(struct ctx *cx, const struct record *rec, const void *obj, const char **v)
{
	int n = 0;

	for (int i = 0; i < rec->shape->n; i++) {
		const struct field *f = &rec->shape->fields[i];
		const char *name = record_own(rec, f);

		if (name == NULL || record_is_number(name))
			continue;
		assert(n < OWN_MAX);
		v[n++] = value(cx->arena, f, obj);
	}
	return n;
}

static err_t
inserted(struct ctx *cx, const struct record *rec, void *obj, err_t e, const struct db_res *r)
{
	const struct field *number = record_field(rec, STR("internal"));

	if (e == ERR_DB_UNIQUE)
		return fail(cx, rec->taken, "%s", db_constraint(cx));
	TRY(e);
	if (number != NULL)
		*(int64_t *)record_member(obj, number) = db_i64(r, 0, 0);
	return OK;
}

err_t
record_insert(struct db_tx *tx, const struct project *p, const struct record *rec, void *obj)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r = NULL;
	const char *v[OWN_MAX];
	int n = own_values(cx, rec, obj, v);
	err_t e = tx_query(tx, &r, record_statement(cx, p, rec, VERB_INSERT, NULL, NULL), n, v);

	return inserted(cx, rec, obj, e, r);
}

err_t
record_put(struct ctx *cx, const struct project *p, const struct record *rec, void *obj)
{
	struct db_res *r = NULL;
	const char *v[OWN_MAX];
	int n = own_values(cx, rec, obj, v);
	err_t e = db_query(cx, &r, record_statement(cx, p, rec, VERB_INSERT, NULL, NULL), n, v);

	return inserted(cx, rec, obj, e, r);
}

err_t
record_add(struct ctx *cx, const struct project *p, const struct record *rec, void *obj, const struct event *ev)
{
	struct db_res *r = NULL;
	const char *v[OWN_MAX];
	int n = own_values(cx, rec, obj, v);
	err_t e = event_write(cx, ev, &r, record_statement(cx, p, rec, VERB_INSERT, NULL, NULL), n, v);

	return inserted(cx, rec, obj, e, r);
}

/* ---- events ---- */

struct event
record_event(struct ctx *cx, const struct project *p, const struct record *rec, const struct event_info *kind, const char *actor, const void *obj)
{
	struct event ev = {.kind = kind, .project = p->id, .payload = shape_json(cx, rec->shape, obj), .actor = actor};

	rec->concerns(cx, p, obj, &ev);
	return ev;
}

void
record_emit(struct db_tx *tx, const struct project *p, const struct record *rec, const struct event_info *kind, const char *actor, const void *obj)
{
	struct event ev = record_event(tx_ctx(tx), p, rec, kind, actor, obj);

	event_emit(tx, &ev);
}
