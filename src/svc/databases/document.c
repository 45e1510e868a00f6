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

/* ---- the gate ---- */

err_t
doc_collection(struct ctx *cx, const struct doc_op *o, const struct collection **out)
{
	TRY(collection_get(cx, o->p, o->db, o->col, out));
	if (!(*out)->database_enabled && !o->who->bypass)
		return fail(cx, ERR_DATABASE_NOT_FOUND, "id=%s switched off", o->db);
	if (!(*out)->enabled && !o->who->see_disabled)
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s switched off", o->col);
	return OK;
}

bool
doc_granted(const struct doc_op *o, const struct strs *roles)
{
	return o->who->bypass || roles_meet(o->who->roles, roles);
}

err_t
doc_unauthorized(struct ctx *cx, const char *what)
{
	return fail(cx, ERR_USER_UNAUTHORIZED, "%s", what);
}

/* Callers give away only what they hold. */
err_t
doc_check_grants(struct ctx *cx, const struct doc_op *o)
{
	const char *foreign = o->who->bypass || !o->perms->set ? NULL : perms_foreign(cx->arena, o->perms, o->who->roles);

	if (foreign == NULL)
		return OK;
	cx->detail = arena_printf(cx->arena, "not held: %s", foreign);
	return fail_msg(cx, ERR_USER_UNAUTHORIZED, "Permissions must be one of: (%s)", str_join(cx->arena, o->who->roles->v, o->who->roles->n));
}

bool
doc_empty(const json_t *data)
{
	return data == NULL || (json_is_object(data) ? json_object_size(data) == 0 : json_array_size(data) == 0);
}

/* ---- events ---- */

/* Who learns of a document: the readers of the collection, and with document security its own. After an update those of the new
 * state: who just lost access is told nothing more. */
struct event
doc_event(struct ctx *cx, const struct doc_op *o, const struct event_info *kind, const struct collection *c, const char *id, const struct strs *readers,
    struct str payload)
{
	struct event ev = {.kind = kind, .project = o->p->id, .ids = {c->database_id, c->id, id}, .payload = payload, .actor = o->who->actor, .flags = c->of_tables ? EVENT_LATER : 0};

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

/* "$createdAt" or "$updatedAt" of the data. */
static err_t
date_given(struct ctx *cx, const json_t *data, const char *key, const char **out)
{
	const json_t *j = json_is_object(data) ? json_object_get(data, key) : NULL;
	int64_t ms;

	if (j == NULL || json_is_null(j))
		return OK;
	if (!json_is_string(j) || !time_parse(json_str(j), &ms))
		return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid document structure: \"%s\" is no date.", key);
	*out = pg_time(cx->arena, ms);
	return OK;
}

err_t
doc_dates(struct ctx *cx, const struct doc_op *o, const json_t *data, const char **created_out, const char **updated_out)
{
	if (!o->who->bypass || !doc_rule(cx, o, DOC_DATES))
		return OK;
	TRY(date_given(cx, data, "$createdAt", created_out));
	return date_given(cx, data, "$updatedAt", updated_out);
}

err_t
doc_new_make(struct ctx *cx, const struct doc_op *o, const struct collection *c, const char *id, const json_t *data, const struct strs *perms,
    const struct doc_value *acted, const char *now, struct doc_new *d)
{
	bool *there = NULL;

	*d = (struct doc_new){.id = id, .perms = *perms, .vals = arena_alloc(cx->arena, sizeof *d->vals * (size_t)(c->n_live + 1)),
	    .v = arena_alloc(cx->arena, sizeof *d->v * (size_t)(c->n_live + 5))};
	if (acted != NULL) {
		there = arena_array(cx->arena, bool, c->n_live + 1);
		for (int i = 0; i < c->n_live; i++)
			there[i] = acted[i].set;
	}
	TRY(doc_check(cx, c, data, there, d->vals));
	TRY(doc_check_places(cx, c, d->vals, NULL, 0));
	for (int i = 0; acted != NULL && i < c->n_live; i++)
		if (acted[i].set)
			d->vals[i] = acted[i];
	d->created = d->updated = now ? now : pg_time(cx->arena, time_now_ms());
	TRY(doc_dates(cx, o, data, &d->created, &d->updated));
	d->perms.set = true;
	d->readers = perms_roles(cx->arena, &d->perms, STR("read"));
	d->v[0] = id;
	d->v[1] = d->created;
	d->v[2] = d->updated;
	d->v[3] = pg_array(cx->arena, d->perms.v, d->perms.n);
	d->v[4] = pg_array(cx->arena, d->readers.v, d->readers.n);
	for (int i = 0; i < c->n_live; i++)
		d->v[5 + i] = d->vals[i].v.p;
	return OK;
}

struct str
doc_new_write(struct ctx *cx, const struct collection *c, const struct doc_new *d, const json_t *data, struct str seq, size_t *at_out)
{
	struct doc_head head = {str_c(d->id), str_c(d->created), str_c(d->updated), str_c(d->v[3]), seq, DOC_SEQ_TEXT, cx->words ? TAIL_BOTH : TAIL_DOCUMENT, STR_NONE};
	struct buf b;

	buf_init(&b, cx->arena, 1000);
	*at_out = doc_write_new(&b, c, &head, data, d->vals);
	return buf_view(&b);
}

err_t
doc_room(struct ctx *cx, const struct doc_op *o, int n)
{
	return bound_room(cx, o->p, &documents_bound, conf.documents_max, n + (o->made ? *o->made : 0), 0, 0);
}

void
doc_made(const struct doc_op *o, int64_t n)
{
	if (o->made != NULL)
		*o->made += n;
	else
		bound_added(o->p, &documents_bound, n, 0);
}

err_t
doc_acts_on_nothing(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct doc_acts *acts, struct db_tx *tx, struct doc_value **out)
{
	struct doc_params ps = {.v = arena_array(cx->arena, const char *, acts->n * (DOC_ACT_PARAMS + 1))};
	struct db_res *r;
	struct buf b;

	*out = NULL;
	if (acts->n == 0)
		return OK;
	*out = arena_array(cx->arena, struct doc_value, c->n_live + 1);
	buf_init(&b, cx->arena, 256);
	for (int i = 0; i < acts->n; i++) {
		const struct attribute *a = acts->v[i].a;
		const char *current = arena_printf(cx->arena, "$%d::%s", ps.n + 1, doc_cast(cx->arena, a));

		ps.v[ps.n++] = doc_default(cx, a).p;
		buf_c(&b, i ? ", " : "SELECT ");
		doc_act_sql(cx, &acts->v[i], current, &ps, &b);
	}
	if (tx != NULL)
		TRY(tx_query(tx, &r, buf_view(&b).p, ps.n, ps.v));
	else
		TRY(db_query(cx, &r, buf_view(&b).p, ps.n, ps.v));
	for (int i = 0; i < acts->n; i++) {
		TRY(doc_act_check(cx, o, &acts->v[i], doc_default(cx, acts->v[i].a), db_str(r, 0, i)));
		(*out)[acts->v[i].a->place] = (struct doc_value){.given = true, .set = true, .v = db_str(r, 0, i)};
	}
	return OK;
}

/* With related documents, which need its number: in a transaction. */
static err_t
create_linked(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct event_info *kind, const struct doc_new *d)
{
	struct db_res *r;
	struct event ev;
	struct str json;
	size_t at;

	TRY(tx_query(tx, &r, c->sql_insert, c->n_live + 5, d->v));
	o->linking->seq = db_i64(r, 0, 0);
	TRY(doc_links_write(cx, o, c, tx, &d->perms, true));
	json = doc_new_write(cx, c, d, o->data, db_str(r, 0, 0), &at);
	ev = doc_event(cx, o, kind, c, o->id, &d->readers, json);
	ev.number_at = at;
	event_emit(tx, &ev);
	*o->out = doc_told(cx, c, json, at, db_str(r, 0, 0));
	return OK;
}

struct made {			/* a document about to be written, and its event */
	struct doc_new d;
	struct event ev;
	struct str json;
	size_t at;		/* of its number */
};

/* The number of the document is found by the statement that writes it, and the event of the same statement has it: its payload goes there in two parts. */
static err_t
make_document(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct event_info *kind, struct db_tx *tx, struct made *m)
{
	struct strs perms = *o->perms;
	struct doc_acts acts = {.rest = o->data};
	struct doc_value *acted;
	size_t cut;

	if (!doc_granted(o, &c->perms.create))
		return doc_unauthorized(cx, "create");
	TRY(doc_check_grants(cx, o));
	TRY(doc_room(cx, o, 1 + (o->linking ? o->linking->parts : 0)));
	if (!perms.set && o->who->user != NULL && !(o->who->bypass && doc_rule(cx, o, DOC_ADMIN_OWNS_NONE)))
		perms = perms_own(cx->arena, o->who->user);
	if (o->today)
		TRY(doc_acts_take(cx, o, c, o->data, &acts));
	TRY(doc_acts_on_nothing(cx, o, c, &acts, tx, &acted));
	TRY(doc_new_make(cx, o, c, o->id, acts.rest, &perms, acted, NULL, &m->d));
	m->json = doc_new_write(cx, c, &m->d, o->data, STR(""), &m->at);
	cut = m->at + sizeof DOC_SEQ_BEGIN - 1;
	m->ev = doc_event(cx, o, kind, c, o->id, &m->d.readers, (struct str){m->json.p, cut});
	m->ev.number = "_seq";
	m->ev.number_at = m->at;
	m->ev.rest = (struct str){m->json.p + cut, m->json.n - cut};
	return OK;
}

err_t
doc_create(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct event_info *kind)
{
	struct db_res *r;
	struct made m;

	TRY(make_document(cx, o, c, kind, NULL, &m));
	if (doc_links_any(o)) {
		TRY(TX_RUN(cx, tx, create_linked(cx, o, c, tx, kind, &m.d)));
		doc_made(o, 1);
		return OK;
	}
	TRY(event_write(cx, &m.ev, &r, c->sql_insert, c->n_live + 5, m.d.v));
	*o->out = doc_told(cx, c, m.json, m.at, db_str(r, 0, 0));
	if (o->linking != NULL)
		o->linking->seq = db_i64(r, 0, 0);
	doc_made(o, 1);
	return OK;
}

err_t
doc_create_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct event_info *kind)
{
	struct made m;

	TRY(make_document(cx, o, c, kind, tx, &m));
	if (doc_links_any(o))
		TRY(create_linked(cx, o, c, tx, kind, &m.d));
	else
		event_add(tx, &m.ev, c->sql_insert, c->n_live + 5, m.d.v);
	doc_made(o, 1);
	return OK;
}

static err_t
document_create_tx(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_links_take(cx, o, c));
	TRY(doc_create(cx, o, c, &ev_document_create));
	doc_related_reply(cx, o);
	return OK;
}

/* ---- read ---- */

/* Whether the caller reads everything (*all_out) or what the documents themselves grant. */
err_t
doc_check_read(struct ctx *cx, const struct doc_op *o, const struct collection *c, bool *all_out)
{
	*all_out = doc_granted(o, &c->perms.read);
	return *all_out || c->document_security ? OK : doc_unauthorized(cx, "read");
}

const char *
doc_own_roles(struct ctx *cx, const struct doc_op *o)
{
	return pg_array(cx->arena, o->who->roles->v, o->who->roles->n);
}

/* The columns of a row and, where it is asked for, its version. */
static const char *
seen_columns(struct ctx *cx, const struct doc_op *o, const struct collection *c)
{
	return !o->seen ? c->columns : arena_printf(cx->arena,
	    "%s,nullif(xmin::text,(pg_current_xact_id_if_assigned()::text::numeric %% 4294967296)::text) AS _version", c->columns);
}

/* One row by id; with `all` whoever may read it. */
static err_t
document_read_row(struct ctx *cx, const struct doc_op *o, const struct collection *c, bool all, struct db_res **out)
{
	const char *id = str_lower(cx->arena, str_c(o->id)).p;

	if (o->seen)
		TRY(db_query(cx, out, arena_printf(cx->arena, "SELECT %s FROM %s WHERE lower(_id) = $1 AND ($2::text[] IS NULL OR _read && $2::text[])",
		    seen_columns(cx, o, c), c->table), DB(id, all ? NULL : doc_own_roles(cx, o))));
	else if (all)
		TRY(db_query(cx, out, c->sql_get, DB(id)));
	else
		TRY(db_query(cx, out, c->sql_get_readable, DB(id, doc_own_roles(cx, o))));
	return db_rows(*out) ? OK : fail(cx, ERR_DOCUMENT_NOT_FOUND, "id=%s", o->id);
}

struct query_list
doc_query_list(struct ctx *cx, const struct collection *c, unsigned flags)
{
	return (struct query_list){.entity = words_say(cx->arena, cx->words, "Document"), .from = c->table, .columns = c->columns, .seq = "_seq", .id = "_id", .width = c->width, .width_max = c->width_max, .slim = c->slim,
	    .attrs = c->query_attrs, .n_attrs = c->n_query_attrs, .indexes = c->query_indexes, .n_indexes = c->n_indexes, .changes = c->changes,
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
	return doc_select_own(c, keys) ? places : NULL;	/* who names parts of related documents alone gets the document as it is */
}

err_t
document_get_row(struct ctx *cx, const struct doc_op *o)
{
	struct strs select = {.set = false};
	const struct collection *c;
	const struct str *more;
	struct doc_head head;
	struct db_res *r;
	struct buf b;
	int64_t seq;
	bool all;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_check_read(cx, o, c, &all));
	if (o->queries->n > 0) {
		struct query_list l = doc_query_list(cx, c, 0);

		TRY(query_select(cx, &l, o->queries, &select));
	}
	TRY(document_read_row(cx, o, c, all, &r));
	head = doc_head_of(cx, r, 0);
	doc_head_reply(cx, &head);
	seq = db_i64(r, 0, DOC_SEQ);
	TRY(doc_related(cx, o, c, &select, &seq, 1, &more));
	head.more = more ? more[0] : STR_NONE;
	buf_init(&b, cx->arena, 1000);
	(void)doc_write_row(&b, c, &head, r, 0, NULL, selected(cx, c, &select));
	*o->out = buf_view(&b);
	if (o->list != NULL)
		*o->list = (struct doc_list){.n = 1, .c = c, .res = r};
	return OK;
}

/* The condition in a CASE cannot use the index of readers, and the planner takes it for true of every second row: right for callers
 * who read much. Those who read little are served by the index first, whatever the order. */
static err_t
readable(struct ctx *cx, const struct doc_op *o, const struct collection *c, bool all, struct query_list *l)
{
	const char **v;
	bool few;

	*l = doc_query_list(cx, c, 0);
	TRY(doc_related_asked(cx, o, c, l));
	if (all)
		return OK;
	TRY(doc_readable_few(cx, c, o->who->roles, &few));
	v = arena_array(cx->arena, const char *, 1);
	v[0] = doc_own_roles(cx, o);
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
	return arena_printf(cx->arena, "SELECT %s FROM %s WHERE _seq = ANY ($1::bigint[])%s", l->c->columns, l->c->table,
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
struct db_share *
doc_large_share(void)
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
		l->slice_cx.share = doc_large_share();
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
	for (int k = 0; k < db_rows(l->slice); k++)
		if (db_i64(l->slice, k, DOC_SEQ) == seq)
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
	head = doc_head_of(l->cx, r, row);
	doc_head_reply(l->cx, &head);
	head.more = l->more ? l->more[i] : STR_NONE;
	(void)doc_write_row(b, l->c, &head, r, row, NULL, l->select);
	return true;
}

/* The rows of a page that was looked up by their numbers, at once: later they are not to be seen any more. */
static err_t
whole_page(struct ctx *cx, const struct doc_op *o, const struct collection *c, const char *roles, struct query_page *page)
{
	int n = db_rows(page->res);
	const char **seqs = arena_array(cx->arena, const char *, n + 1), *v[2];
	int64_t bytes = 0;

	for (int i = 0; i < n; i++) {
		seqs[i] = db_cstr(page->res, i, 0);
		bytes += db_i64(page->res, i, 1);
	}
	if (bytes > conf.list_whole_max)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "A page within a transaction holds %lld bytes at most: ask for fewer entries at a time.", (long long)conf.list_whole_max);
	v[0] = pg_array(cx->arena, seqs, n);
	v[1] = roles;
	TRY(db_query(cx, &page->res, arena_printf(cx->arena, "SELECT %s FROM %s WHERE _seq = ANY ($1::bigint[])%s ORDER BY array_position($1::bigint[], _seq)",
	    seen_columns(cx, o, c), c->table, roles ? " AND _read && $2::text[]" : ""), roles ? 2 : 1, v));
	page->slim = false;
	return budget_hold(cx, db_bytes(page->res));
}

err_t
doc_list_page(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;
	const struct str *more;
	struct query_page page;
	struct query_list l;
	int64_t *seqs;
	bool all;
	int n;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_check_read(cx, o, c, &all));
	TRY(readable(cx, o, c, all, &l));
	if (o->seen) {
		l.columns = seen_columns(cx, o, c);
		l.flags &= ~(unsigned)QUERY_WHERE_FIRST;	/* what that reads has no version */
	}
	TRY(query_list(cx, &l, NULL, o->queries, NULL, &page));
	if (o->seen && page.slim && page.res != NULL)
		TRY(whole_page(cx, o, c, all ? NULL : doc_own_roles(cx, o), &page));
	n = page.res ? db_rows(page.res) : 0;
	seqs = arena_array(cx->arena, int64_t, n + 1);
	for (int i = 0; i < n; i++)
		seqs[i] = db_i64(page.res, i, page.slim ? 0 : DOC_SEQ);
	TRY(doc_related(cx, o, c, &page.select, seqs, n, &more));
	*o->list = (struct doc_list){page.total, n, c, page.res, selected(cx, c, &page.select), page.slim,
	    .cx = cx, .more = more, .roles = all ? NULL : doc_own_roles(cx, o)};
	return OK;
}

/* ---- explain ---- */

/* "i_5" and "i_5_h" are the index with number 5; others, which every table has, keep their name. */
static const struct index *
index_by_name(const struct collection *c, const char *name)
{
	char *end;
	long long number = strncmp(name, "i_", 2) == 0 ? strtoll(name + 2, &end, 10) : -1;

	for (int i = 0; i < c->n_indexes; i++)
		if (c->indexes[i].internal == number)
			return &c->indexes[i];
	return NULL;
}

static void
note_indexes(struct jw *w, const json_t *node, const struct collection *c)
{
	const char *name = json_string_value(json_object_get(node, "Index Name"));
	const struct index *x = name != NULL ? index_by_name(c, name) : NULL;
	const json_t *plans = json_object_get(node, "Plans");

	if (name != NULL)
		jw_cstr(w, x != NULL ? x->key : name);
	for (size_t i = 0; i < json_array_size(plans); i++)
		note_indexes(w, json_array_get(plans, i), c);
}

static err_t
explain(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;
	struct query_list l;
	struct str text;
	const char *sql;
	const json_t *plan;
	struct buf b;
	struct jw w;
	bool all;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_check_read(cx, o, c, &all));
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

/* ---- the doors ---- */

/* In the collection, or in those whose documents may have been written with it. Awaits. */
static err_t
index_that_refused(struct ctx *cx, const struct doc_op *o, const char *col, const char *name, int levels, const struct index **out)
{
	const struct collection *c;

	TRY(collection_get(cx, o->p, o->db, col, &c));
	*out = index_by_name(c, name);
	for (int i = 0; *out == NULL && levels > 0 && i < c->n_rels; i++)
		TRY(index_that_refused(cx, o, c->rels[i]->rel->related_id, name, levels - 1, out));
	return OK;
}

/* Which index says no: "i_5" has the number 5, any other is that of the ids. Awaits. */
static err_t
taken(struct ctx *cx, const struct doc_op *o)
{
	const char *name = db_constraint(cx);
	const struct index *x = NULL;

	if (strncmp(name, "i_", 2) == 0)
		TRY(index_that_refused(cx, o, o->col, name, doc_links_any(o) ? DOC_LINK_LEVELS : 0, &x));
	cx->detail = arena_printf(cx->arena, "id=%s constraint=%s", o->id ? o->id : "", name);
	if (x == NULL)
		return ERR_DOCUMENT_ALREADY_EXISTS;
	return fail_msg(cx, doc_rule(cx, o, DOC_UNIQUE_ERROR) ? ERR_DOCUMENT_UNIQUE_CONSTRAINT_VIOLATION : ERR_DOCUMENT_ALREADY_EXISTS,
	    "A document exists already that has the same value in the unique index \"%s\" (%s).", x->key, str_join(cx->arena, x->attributes.v, x->attributes.n));
}

bool
doc_stale(const struct ctx *cx, err_t e)
{
	const char *state = db_sqlstate(cx);

	return e == ERR_DB && (strcmp(state, "42703") == 0 || strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0);	/* or the schema of places */
}

static void
forget(struct ctx *cx, const struct project *p, const char *db, const char *col, int levels)
{
	const struct collection *c;

	if (levels > 0 && collection_get(cx, p, db, col, &c) == OK)
		for (int i = 0; i < c->n_rels; i++)
			forget(cx, p, db, c->rels[i]->rel->related_id, levels - 1);
	collection_forget(p, db, col);
}

void
doc_forget(struct ctx *cx, const struct project *p, const char *db, const char *col)
{
	forget(cx, p, db, col, DOC_LINK_LEVELS);
}

bool
doc_unsound(struct ctx *cx, err_t e)
{
	if (e != ERR_DB || strcmp(db_sqlstate(cx), "23514") != 0)
		return false;
	cx->message = "Invalid document structure: the rings of a polygon cross each other, or themselves.";
	return true;
}

err_t
doc_restless(struct ctx *cx, const char *what)
{
	return fail(cx, ERR_BUSY, "the schema of %s is changed all the time: %s", what, cx->detail);
}

err_t
doc_run(struct ctx *cx, const struct doc_op *o, err_t (*fn)(struct ctx *, const struct doc_op *))
{
	err_t e = fn(cx, o);

	for (int i = 0; i < DOC_STALE_MAX && doc_stale(cx, e); i++) {
		doc_forget(cx, o->p, o->db, o->col);
		e = fn(cx, o);
	}
	if (doc_id_taken(cx, e) && doc_links_any(o))	/* somebody made a related document in between: now it is there */
		e = fn(cx, o);
	if (doc_stale(cx, e))
		return doc_restless(cx, o->col);
	if (e == ERR_DB_UNIQUE)
		return taken(cx, o);
	if (doc_unsound(cx, e))
		return ERR_DOCUMENT_INVALID_STRUCTURE;
	/* 54: nothing that a parameter's check could have known */
	if (e == ERR_DB && strncmp(db_sqlstate(cx), "54", 2) == 0)
		cx->message = "A value is too large for an index, or all of them together are for a document.";
	if (e == ERR_DB_DATA || (e == ERR_DB && strncmp(db_sqlstate(cx), "54", 2) == 0))
		return o->asks ? ERR_GENERAL_ARGUMENT_INVALID : ERR_DOCUMENT_INVALID_STRUCTURE;
	return e;
}

err_t
document_create(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const json_t *data, const struct strs *perms, struct str *json_out)
{
	struct doc_linking linking = {0};
	const struct doc_op o = {.p = p, .who = who, .db = db, .col = col, .id = id, .data = data, .perms = perms, .out = json_out, .linking = &linking};
	const json_t *own_id = json_object_get(data, "$id");

	if (doc_empty(data))
		return doc_rule(cx, &o, DOC_MISSING_DATA) ? ERR_DOCUMENT_MISSING_DATA : ERR_DOCUMENT_MISSING_PAYLOAD;
	if (own_id != NULL && !json_is_null(own_id) && !doc_rule(cx, &o, DOC_ID_IN_DATA))
		return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "\"$id\" is no member of new data: name the id in documentId.");
	return doc_run(cx, &o, document_create_tx);
}

err_t
document_id_missing(struct ctx *cx)
{
	const struct doc_op o = {0};

	if (doc_rule(cx, &o, DOC_MISSING_DATA))
		return ERR_DOCUMENT_MISSING_DATA;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"documentId\" is not optional.");
}

err_t
document_get(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const struct strs *queries, struct str *json_out)
{
	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .id = id, .queries = queries, .out = json_out}, document_get_row);
}

err_t
document_list(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, struct doc_list *out)
{
	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .queries = queries, .list = out, .asks = true}, doc_list_page);
}

err_t
document_list_kept(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, struct doc_kept *kept, struct doc_list *out)
{
	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .queries = queries, .list = out, .kept = kept, .asks = true}, doc_list_kept);
}

static err_t
resource(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;
	struct db_res *r;

	TRY(collection_get(cx, o->p, o->db, o->col, &c));
	if (!doc_granted(o, &c->perms.read))
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
	err_t e = doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .id = id, .out = &text}, resource);

	*out = text.p;
	return e;
}

err_t
document_explain(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, struct str *json_out)
{
	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .queries = queries, .out = json_out, .asks = true}, explain);
}
