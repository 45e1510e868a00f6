/* Documents: who may do what with them, and the statements that do it.
 *
 * Creating, reading and listing are one statement each. Updating and deleting lock and read the row first, because the event carries
 * the whole document; the write, the event and the commit then go out together. A statement that names a column which is gone
 * found the cached collection out: it is forgotten and the operation runs again. */
#include "document_priv.h"

#include <assert.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/vtime.h"
#include "io/budget.h"
#include "model/bound.h"

#include <stdlib.h>

struct op {
	const struct project *p;
	const struct doc_caller *who;
	const char *db, *col, *id;
	const json_t *data;
	const struct strs *perms, *queries;
	bool total;
	struct str *out;
	struct doc_list *list;
};

/* ---- the gate ---- */

static err_t
collection_of(struct ctx *cx, const struct op *o, const struct collection **out)
{
	TRY(collection_get(cx, o->p, o->db, o->col, out));
	if (!(*out)->enabled && !o->who->see_disabled)
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s switched off", o->col);
	return OK;
}

static bool
granted(const struct op *o, const struct strs *roles)
{
	return o->who->bypass || roles_meet(o->who->roles, roles);
}

static err_t
unauthorized(struct ctx *cx, const char *what)
{
	return fail(cx, ERR_USER_UNAUTHORIZED, "%s", what);
}

/* Callers give away only what they hold. */
static err_t
check_grants(struct ctx *cx, const struct op *o)
{
	const char *foreign = o->who->bypass || !o->perms->set ? NULL : perms_foreign(cx->arena, o->perms, o->who->roles);

	if (foreign == NULL)
		return OK;
	cx->detail = arena_printf(cx->arena, "not held: %s", foreign);
	return fail_msg(cx, ERR_USER_UNAUTHORIZED, "Permissions must be one of: (%s)", str_join(cx->arena, o->who->roles->v, o->who->roles->n));
}

static bool
empty(const json_t *data)
{
	return data == NULL || (json_is_object(data) ? json_object_size(data) == 0 : json_array_size(data) == 0);
}

/* ---- events ---- */

/* Who learns of a document: the readers of the collection, and with document security its own. After an update those of the new
 * state: who just lost access is told nothing more. */
static struct event
event_of(struct ctx *cx, const struct op *o, const struct event_info *kind, const struct collection *c, const char *id, const struct strs *readers,
    struct str payload)
{
	struct event ev = {.kind = kind, .project = o->p->id, .ids = {c->database_id, c->id, id}, .payload = payload, .actor = o->who->actor};

	ev.roles = c->document_security ? roles_union(cx->arena, &c->perms.read, readers) : c->perms.read;
	return ev;
}

/* ---- create ---- */

/* By the statistics of the tables: a count would read them all. */
static const char *
document_sum(struct arena *a, const char *schema)
{
	return arena_printf(a,
	    "SELECT coalesce(sum(CASE WHEN pg_stat_get_tuples_inserted(k.oid) > 0 THEN pg_stat_get_live_tuples(k.oid) ELSE greatest(k.reltuples::bigint, 0) END), 0)::bigint, "
	    "0::bigint FROM %s.collections c JOIN pg_class k ON k.relname = 'c_' || c.internal AND k.relnamespace = '%s'::regnamespace", schema, schema);
}
static const struct bound documents_bound = {"documents", document_sum};

static err_t
document_create_tx(struct ctx *cx, const struct op *o)
{
	struct strs perms = *o->perms, readers;
	const struct collection *c;
	const char *now, **v;
	struct doc_value *vals;
	struct doc_head head;
	struct event ev;
	struct buf b;

	TRY(collection_of(cx, o, &c));
	if (!granted(o, &c->perms.create))
		return unauthorized(cx, "create");
	TRY(check_grants(cx, o));
	TRY(bound_room(cx, o->p, &documents_bound, conf.documents_max, 1, 0, 0));
	vals = arena_alloc(cx->arena, sizeof *vals * (size_t)(c->n_live + 1));
	TRY(doc_check(cx, c, o->data, NULL, vals));
	if (!perms.set && o->who->user != NULL)
		perms = perms_own(cx->arena, o->who->user);
	readers = perms_roles(cx->arena, &perms, STR("read"));
	now = pg_time(cx->arena, time_now_ms());
	v = arena_alloc(cx->arena, sizeof *v * (size_t)(c->n_live + 4));
	v[0] = o->id;
	v[1] = now;
	v[2] = pg_array(cx->arena, perms.v, perms.n);
	v[3] = pg_array(cx->arena, readers.v, readers.n);
	for (int i = 0; i < c->n_live; i++)
		v[4 + i] = vals[i].v.p;
	head = (struct doc_head){str_c(o->id), str_c(now), str_c(now), str_c(v[2])};
	buf_init(&b, cx->arena, 1000);
	doc_write_new(&b, c, &head, o->data, vals);
	*o->out = buf_view(&b);
	ev = event_of(cx, o, &ev_document_create, c, o->id, &readers, *o->out);
	TRY(event_write(cx, &ev, NULL, c->sql_insert, c->n_live + 4, v));
	bound_added(o->p, &documents_bound, 1, 0);
	return OK;
}

/* ---- read ---- */

/* Whether the caller reads everything (*all_out) or what the documents themselves grant. */
static err_t
check_read(struct ctx *cx, const struct op *o, const struct collection *c, bool *all_out)
{
	*all_out = granted(o, &c->perms.read);
	return *all_out || c->document_security ? OK : unauthorized(cx, "read");
}

static const char *
own_roles(struct ctx *cx, const struct op *o)
{
	return pg_array(cx->arena, o->who->roles->v, o->who->roles->n);
}

/* One row by id; with `all` whoever may read it. */
static err_t
document_read_row(struct ctx *cx, const struct op *o, const struct collection *c, bool all, struct db_res **out)
{
	const char *id = str_lower(cx->arena, str_c(o->id)).p;

	if (all)
		TRY(db_query(cx, out, c->sql_get, DB(id)));
	else
		TRY(db_query(cx, out, c->sql_get_readable, DB(id, own_roles(cx, o))));
	return db_rows(*out) ? OK : fail(cx, ERR_DOCUMENT_NOT_FOUND, "id=%s", o->id);
}

static struct query_list
document_list_of(const struct collection *c, unsigned flags)
{
	return (struct query_list){.entity = "Document", .from = c->table, .columns = c->columns, .seq = "_seq", .id = "_id", .width = c->width, .width_max = c->width_max, .slim = c->slim,
	    .attrs = c->query_attrs, .n_attrs = c->n_query_attrs, .indexes = c->query_indexes, .n_indexes = c->n_indexes,
	    .flags = flags | QUERY_NEEDS_INDEX | QUERY_DOCUMENT_ERRORS | QUERY_SELECT};
}

/* The attributes of a select by place; NULL: all of them. System members are always there. */
static const bool *
selected(struct ctx *cx, const struct collection *c, const struct strs *keys)
{
	bool *places = keys->set ? arena_array(cx->arena, bool, c->n_live + 1) : NULL;

	for (int i = 0; i < keys->n; i++) {
		const struct attribute *a = collection_attribute(c, str_c(keys->v[i]));

		if (strcmp(keys->v[i], "*") == 0)
			return NULL;
		if (a != NULL && a->place >= 0)
			places[a->place] = true;
	}
	return places;
}

static err_t
document_get_row(struct ctx *cx, const struct op *o)
{
	struct strs select = {.set = false};
	const struct collection *c;
	struct doc_head head;
	struct db_res *r;
	struct buf b;
	bool all;

	TRY(collection_of(cx, o, &c));
	TRY(check_read(cx, o, c, &all));
	if (o->queries->n > 0) {
		struct query_list l = document_list_of(c, 0);

		TRY(query_select(cx, &l, o->queries, &select));
	}
	TRY(document_read_row(cx, o, c, all, &r));
	head = doc_head_of(r, 0);
	buf_init(&b, cx->arena, 1000);
	doc_write_row(&b, c, &head, r, 0, NULL, selected(cx, c, &select));
	*o->out = buf_view(&b);
	return OK;
}

/* The condition in a CASE cannot use the index of readers, and the planner takes it for true of every second row: right for callers
 * who read much. Those who read little are served by the index first, whatever the order. */
static err_t
readable(struct ctx *cx, const struct op *o, const struct collection *c, bool all, struct query_list *l)
{
	const char **v;
	bool few;

	*l = document_list_of(c, o->total ? 0 : QUERY_NO_TOTAL);
	if (all)
		return OK;
	TRY(doc_readable_few(cx, c, o->who->roles, &few));
	v = arena_array(cx->arena, const char *, 1);
	v[0] = own_roles(cx, o);
	l->v = v;
	l->n = 1;
	l->where = few ? "_read && $1::text[]" : "CASE WHEN _read && $1::text[] THEN true ELSE false END";
	if (few)
		l->flags |= QUERY_WHERE_FIRST;
	return OK;
}

enum { SLICE = 1 << 20 };	/* bytes of rows that are read at a time */

static const char *
slice_sql(struct ctx *cx, const struct doc_list *l)
{
	return arena_printf(cx->arena, "SELECT %s, _seq FROM %s WHERE _seq = ANY ($1::bigint[])%s", l->c->columns, l->c->table,
	    l->roles ? " AND _read && $2::text[]" : "");
}

void
document_list_end(struct doc_list *l)
{
	if (l->to > 0)
		ctx_fini(&l->slice_cx);
	l->slice = NULL;
	l->from = l->to = 0;
}

/* Large pages have few connections together: each costs PostgreSQL a core, and a crowd of them would leave none to who asks for little. */
static struct db_share *
slices_share(void)
{
	static struct db_share *share;
	int64_t n = conf.db_pool_size * conf.db_large_part / 100;

	if (share == NULL)
		share = db_share_new(n > 1 ? (unsigned)n : 1);
	return share;
}

/* Rows from the i-th on, as many as fit. They are read in memory that goes with them. */
err_t
document_list_ready(struct ctx *cx, struct doc_list *l, int i)
{
	int64_t bytes = 0;
	const char **seqs, *v[2];
	struct db_res *r;
	int n = 0;

	assert(i >= l->from && i < l->n);
	if (!l->slim || i < l->to)
		return OK;
	document_list_end(l);
	ctx_init_part(&l->slice_cx, cx);
	if (cx->share == NULL)
		l->slice_cx.share = slices_share();
	l->from = i;
	l->to = l->n;	/* there is something to let go */
	seqs = arena_array(l->slice_cx.arena, const char *, l->n - i);
	do {
		seqs[n] = db_cstr(l->res, i + n, 0);
		bytes += db_i64(l->res, i + n, 1);
	} while (++n < l->n - i && bytes < SLICE);
	v[0] = pg_array(l->slice_cx.arena, seqs, n);
	v[1] = l->roles;
	TRY(db_query(&l->slice_cx, &r, slice_sql(&l->slice_cx, l), l->roles ? 2 : 1, v));
	l->slice = r;
	l->to = i + n;
	TRY(budget_hold(&l->slice_cx, db_bytes(r)));
	return fib_yield(cx);	/* the slices of several pages may come in one turn */
}

/* Where the row with this number is in the slice; -1: nowhere any more. */
static int
place_in_slice(const struct doc_list *l, int64_t seq)
{
	int at = DOC_ATTRS + l->c->n_live;

	for (int k = 0; k < db_rows(l->slice); k++)
		if (db_i64(l->slice, k, at) == seq)
			return k;
	return -1;
}

bool
document_list_write(const struct doc_list *l, int i, struct buf *b)
{
	const struct db_res *r = l->slim ? l->slice : l->res;
	int row = l->slim ? place_in_slice(l, db_i64(l->res, i, 0)) : i;
	struct doc_head head;

	if (row < 0)
		return false;
	head = doc_head_of(r, row);
	doc_write_row(b, l->c, &head, r, row, NULL, l->select);
	return true;
}

static err_t
document_list_page(struct ctx *cx, const struct op *o)
{
	const struct collection *c;
	struct query_page page;
	struct query_list l;
	bool all;

	TRY(collection_of(cx, o, &c));
	TRY(check_read(cx, o, c, &all));
	TRY(readable(cx, o, c, all, &l));
	TRY(query_list(cx, &l, NULL, o->queries, NULL, &page));
	*o->list = (struct doc_list){page.total, page.res ? db_rows(page.res) : 0, c, page.res, selected(cx, c, &page.select), page.slim,
	    .roles = all ? NULL : own_roles(cx, o)};
	return OK;
}

/* ---- explain ---- */

/* "i_5" and "i_5_h" are the index with number 5; others, which every table has, keep their name. */
static const char *
index_key(const struct collection *c, const char *name)
{
	char *end;
	long long number = strncmp(name, "i_", 2) == 0 ? strtoll(name + 2, &end, 10) : -1;

	for (int i = 0; i < c->n_indexes; i++)
		if (c->indexes[i].internal == number)
			return c->indexes[i].key;
	return name;
}

static void
note_indexes(struct jw *w, const json_t *node, const struct collection *c)
{
	const char *name = json_string_value(json_object_get(node, "Index Name"));
	const json_t *plans = json_object_get(node, "Plans");

	if (name != NULL)
		jw_cstr(w, index_key(c, name));
	for (size_t i = 0; i < json_array_size(plans); i++)
		note_indexes(w, json_array_get(plans, i), c);
}

static err_t
explain(struct ctx *cx, const struct op *o)
{
	const struct collection *c;
	struct query_list l;
	struct str text;
	const char *sql;
	const json_t *plan;
	struct buf b;
	struct jw w;
	bool all;

	TRY(collection_of(cx, o, &c));
	TRY(check_read(cx, o, c, &all));
	TRY(readable(cx, o, c, all, &l));
	TRY(query_explain(cx, &l, NULL, o->queries, &sql, &text));
	if ((plan = json_parse(cx, text, NULL)) == NULL)
		return fail(cx, ERR_GENERAL_UNKNOWN, "a plan does not parse");
	plan = json_array_get(plan, 0);
	buf_init(&b, cx->arena, 2000);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "sql");
	jw_cstr(&w, sql);
	JW_KEY(&w, "role");
	jw_cstr(&w, o->who->label);
	JW_KEY(&w, "access");
	jw_cstr(&w, o->who->bypass ? "bypass" : all ? "collection" : "document");
	JW_KEY(&w, "indexes");
	jw_arr(&w);
	note_indexes(&w, json_object_get(plan, "Plan"), c);
	jw_arr_end(&w);
	JW_KEY(&w, "plan");
	jw_value(&w, plan);
	jw_obj_end(&w);
	*o->out = buf_view(&b);
	return OK;
}

/* ---- update and delete ---- */

/* Locks and reads the row. */
static err_t
lock_row(struct ctx *cx, const struct op *o, struct db_tx *tx, const struct collection *c, struct db_res **out)
{
	const char *id = str_lower(cx->arena, str_c(o->id)).p;

	TRY(tx_query(tx, out, c->sql_lock, DB(id)));
	return db_rows(*out) ? OK : fail(cx, ERR_DOCUMENT_NOT_FOUND, "id=%s", o->id);
}

static struct strs
perms_of(struct ctx *cx, const struct db_res *r)
{
	return db_strs(cx, r, 0, DOC_PERMS);
}

struct holds {			/* what a caller may do with a document, by the collection or by the document itself */
	bool read, update, del;
};

static bool
holds_verb(struct ctx *cx, const struct op *o, const struct collection *c, const struct strs *collection_roles, const struct strs *perms, struct str verb)
{
	struct strs own;

	if (granted(o, collection_roles) || !c->document_security)
		return granted(o, collection_roles);
	own = perms_roles(cx->arena, perms, verb);
	return roles_meet(o->who->roles, &own);
}

static struct holds
holds_of(struct ctx *cx, const struct op *o, const struct collection *c, const struct strs *perms)
{
	return (struct holds){.read = holds_verb(cx, o, c, &c->perms.read, perms, STR("read")),
	    .update = holds_verb(cx, o, c, &c->perms.update, perms, STR("update")), .del = holds_verb(cx, o, c, &c->perms.del, perms, STR("delete"))};
}

/* Whoever may change a document's permissions adds only what it may do itself: else to update were to read and to delete as well. With document
 * security off this holds, too: what is written now counts when it is switched on. */
static err_t
check_added(struct ctx *cx, const struct op *o, const struct holds *h, const struct strs *perms)
{
	const char *verb = o->perms->set && !o->who->bypass ? perms_beyond(o->perms, perms, h->read, h->update, h->del) : NULL;

	return verb ? fail_msg(cx, ERR_USER_UNAUTHORIZED, "The caller does not hold what it grants: %s.", verb) : OK;
}

/* To update is not to read: whoever may not read the document is shown what it has written itself. */
static struct str
own_part(struct ctx *cx, const struct op *o, const struct collection *c, struct doc_head head, const struct db_res *r, const struct doc_value *vals)
{
	bool *given = arena_array(cx->arena, bool, c->n_live + 1);
	struct buf b;

	for (int i = 0; i < c->n_live; i++)
		given[i] = vals[i].given;
	if (!o->perms->set)
		head.perms = STR("{}");
	buf_init(&b, cx->arena, 400);
	doc_write_row(&b, c, &head, r, 0, vals, given);
	return buf_view(&b);
}

/* UPDATE … SET only what changes; the parameters are collected in v. */
static const char *
update_sql(struct ctx *cx, const struct collection *c, const struct doc_value *vals, bool perms, const char **v, int *n)
{
	struct buf b;

	buf_init(&b, cx->arena, 256);
	buf_printf(&b, "UPDATE %s SET _updated=$2", c->table);
	if (perms)
		BUF_LIT(&b, ",_perms=$3,_read=$4");
	for (int i = 0; i < c->n_live; i++) {
		if (!vals[i].set)
			continue;
		v[(*n)++] = vals[i].v.p;
		buf_ch(&b, ',');
		buf_c(&b, c->live[i]->column);
		BUF_LIT(&b, "=$");
		buf_i64(&b, *n);
	}
	BUF_LIT(&b, " WHERE _seq=$1");
	return b.p;
}

static err_t
check_patch(struct ctx *cx, const struct op *o, const struct collection *c, const struct db_res *r, struct doc_value **vals_out)
{
	bool *stored = arena_alloc(cx->arena, (size_t)c->n_live + 1);

	*vals_out = arena_alloc(cx->arena, sizeof **vals_out * (size_t)(c->n_live + 1));
	for (int i = 0; i < c->n_live; i++)
		stored[i] = !db_null(r, 0, DOC_ATTRS + i);
	return doc_check(cx, c, o->data, stored, *vals_out);
}

static err_t
update_locked(struct ctx *cx, const struct op *o, const struct collection *c, struct db_tx *tx)
{
	struct strs perms, readers;
	struct doc_value *vals;
	struct doc_head head;
	struct db_res *r;
	const char **v, *sql;
	struct holds h;
	struct event ev;
	struct buf b;
	int n = 2;

	TRY(lock_row(cx, o, tx, c, &r));
	perms = perms_of(cx, r);
	TRY(check_grants(cx, o));
	h = holds_of(cx, o, c, &perms);
	if (!h.update)
		return unauthorized(cx, "neither collection nor document grants it");
	TRY(check_added(cx, o, &h, &perms));
	TRY(check_patch(cx, o, c, r, &vals));
	if (o->perms->set)
		perms = *o->perms;
	readers = perms_roles(cx->arena, &perms, STR("read"));
	v = arena_alloc(cx->arena, sizeof *v * (size_t)(c->n_live + 4));
	v[0] = db_cstr(r, 0, DOC_ATTRS + c->n_live);
	v[1] = pg_time(cx->arena, time_now_ms());
	head = doc_head_of(r, 0);
	head.updated = str_c(v[1]);
	if (o->perms->set) {
		v[n++] = pg_array(cx->arena, perms.v, perms.n);
		v[n++] = pg_array(cx->arena, readers.v, readers.n);
		head.perms = str_c(v[2]);
	}
	sql = update_sql(cx, c, vals, o->perms->set, v, &n);
	tx_add(tx, sql, n, v);
	buf_init(&b, cx->arena, 1000);
	doc_write_row(&b, c, &head, r, 0, vals, NULL);
	*o->out = h.read ? buf_view(&b) : own_part(cx, o, c, head, r, vals);
	ev = event_of(cx, o, &ev_document_update, c, head.id.p, &readers, buf_view(&b));
	event_emit(tx, &ev);
	return OK;
}

static err_t
delete_locked(struct ctx *cx, const struct op *o, const struct collection *c, struct db_tx *tx)
{
	struct strs perms, readers;
	struct doc_head head;
	struct db_res *r;
	struct event ev;
	struct buf b;

	TRY(lock_row(cx, o, tx, c, &r));
	perms = perms_of(cx, r);
	if (!holds_verb(cx, o, c, &c->perms.del, &perms, STR("delete")))
		return unauthorized(cx, "neither collection nor document grants it");
	readers = perms_roles(cx->arena, &perms, STR("read"));
	tx_add(tx, c->sql_delete, DB(db_cstr(r, 0, DOC_ATTRS + c->n_live)));
	head = doc_head_of(r, 0);
	buf_init(&b, cx->arena, 1000);
	doc_write_row(&b, c, &head, r, 0, NULL, NULL);
	ev = event_of(cx, o, &ev_document_delete, c, head.id.p, &readers, buf_view(&b));
	event_emit(tx, &ev);
	return OK;
}

static err_t
document_update_tx(struct ctx *cx, const struct op *o)
{
	const struct collection *c;

	TRY(collection_of(cx, o, &c));
	if (!granted(o, &c->perms.update) && !c->document_security)
		return unauthorized(cx, "update");
	return TX_RUN(cx, tx, update_locked(cx, o, c, tx));
}

static err_t
document_delete_tx(struct ctx *cx, const struct op *o)
{
	const struct collection *c;

	TRY(collection_of(cx, o, &c));
	if (!granted(o, &c->perms.del) && !c->document_security)
		return unauthorized(cx, "delete");
	return TX_RUN(cx, tx, delete_locked(cx, o, c, tx));
}

/* ---- the doors ---- */

enum { STALE_MAX = 5 };	/* a try may wait behind one drop and then behind the next */

/* A column or the whole table is gone: the cache was late. */
static bool
stale(const struct ctx *cx, err_t e)
{
	const char *state = db_sqlstate(cx);

	return e == ERR_DB && (strcmp(state, "42703") == 0 || strcmp(state, "42P01") == 0);
}

static err_t
document_run(struct ctx *cx, const struct op *o, err_t (*fn)(struct ctx *, const struct op *))
{
	err_t e = fn(cx, o);

	for (int i = 0; i < STALE_MAX && stale(cx, e); i++) {
		collection_forget(o->p, o->db, o->col);
		e = fn(cx, o);
	}
	if (stale(cx, e))
		return fail(cx, ERR_BUSY, "the schema of %s is changed all the time: %s", o->col, cx->detail);
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_DOCUMENT_ALREADY_EXISTS, "id=%s constraint=%s", o->id, db_constraint(cx));
	/* 54: nothing that a parameter's check could have known */
	if (e == ERR_DB && strncmp(db_sqlstate(cx), "54", 2) == 0)
		cx->message = "A value is too large for an index, or all of them together are for a document.";
	if (e == ERR_DB_DATA || (e == ERR_DB && strncmp(db_sqlstate(cx), "54", 2) == 0))
		return fn == document_list_page || fn == explain ? ERR_GENERAL_ARGUMENT_INVALID : ERR_DOCUMENT_INVALID_STRUCTURE;
	return e;
}

err_t
document_create(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const json_t *data, const struct strs *perms, struct str *json_out)
{
	const json_t *own_id = json_object_get(data, "$id");

	if (empty(data))
		return ERR_DOCUMENT_MISSING_PAYLOAD;
	if (own_id != NULL && !json_is_null(own_id))
		return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "\"$id\" is no member of new data: name the id in documentId.");
	return document_run(cx, &(struct op){.p = p, .who = who, .db = db, .col = col, .id = id, .data = data, .perms = perms, .out = json_out},
	    document_create_tx);
}

err_t
document_get(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const struct strs *queries, struct str *json_out)
{
	return document_run(cx, &(struct op){.p = p, .who = who, .db = db, .col = col, .id = id, .queries = queries, .out = json_out}, document_get_row);
}

err_t
document_list(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, bool total, struct doc_list *out)
{
	return document_run(cx, &(struct op){.p = p, .who = who, .db = db, .col = col, .queries = queries, .total = total, .list = out}, document_list_page);
}

err_t
document_update(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const json_t *data, const struct strs *perms, struct str *json_out)
{
	if (empty(data) && !perms->set)
		return ERR_DOCUMENT_MISSING_PAYLOAD;
	return document_run(cx, &(struct op){.p = p, .who = who, .db = db, .col = col, .id = id, .data = data, .perms = perms, .out = json_out},
	    document_update_tx);
}

err_t
document_delete(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id)
{
	return document_run(cx, &(struct op){.p = p, .who = who, .db = db, .col = col, .id = id}, document_delete_tx);
}

static err_t
resource(struct ctx *cx, const struct op *o)
{
	const struct collection *c;
	struct db_res *r;

	TRY(collection_get(cx, o->p, o->db, o->col, &c));
	if (!granted(o, &c->perms.read))
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s not readable", o->col);
	TRY(document_read_row(cx, o, c, o->who->bypass, &r));
	*o->out = str_c(arena_printf(cx->arena, "database/%s/collection/%s/document/%s", c->database_id, c->id, db_cstr(r, 0, DOC_ID)));
	return OK;
}

err_t
document_resource(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const char **out)
{
	struct str text = STR_NONE;
	err_t e = document_run(cx, &(struct op){.p = p, .who = who, .db = db, .col = col, .id = id, .out = &text}, resource);

	*out = text.p;
	return e;
}

err_t
document_explain(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, bool total, struct str *json_out)
{
	return document_run(cx, &(struct op){.p = p, .who = who, .db = db, .col = col, .queries = queries, .total = total, .out = json_out}, explain);
}
