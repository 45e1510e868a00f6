/* Related documents that a write names: an id, or a document to make or to merge into, or a list of them.
 *
 * The values are taken from the data before the transaction, which may then await nothing but its own statements. In it the rows that are linked to are
 * locked, in the order of their numbers: against changes where the other side has one link at most, else against deletion, so that no link leads
 * nowhere and none is beyond what the kind allows. */
#include "document_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/map.h"
#include "io/budget.h"

enum {
	PARTS_MAX = 100,	/* documents that a user or a guest makes or changes beside it: each is written alone */
	TARGET_WIDTH = DOC_ATTRS	/* column of a row that was locked */
};

struct doc_target {
	const char *id;		/* in lower case */
	const char *spelt;	/* as it was given, or made */
	const json_t *data;	/* its own members; NULL: the id alone */
	struct strs perms;
	struct doc_links *links;
	int row, whole;		/* where it is in struct targets; -1: nowhere */
	bool twice;		/* it was named before */
};
struct targets {		/* documents that are there already */
	struct db_res *locked;	/* without their attributes, and their width */
	struct db_res *whole;	/* those that are changed; NULL: none */
};
struct doc_link {		/* the value of one relationship */
	const struct attribute *a;
	const struct collection *c;
	int n;
	struct doc_target *t;
};
struct doc_links {
	int n;
	struct doc_link *v;
};

bool
doc_links_any(const struct doc_op *o)
{
	return o->linking != NULL && o->linking->links != NULL && o->linking->links->n > 0;
}

/* ---- what is named ---- */

static err_t
bad_value(struct ctx *cx, const struct attribute *a, const char *why)
{
	return fail_msg(cx, ERR_RELATIONSHIP_VALUE_INVALID, "Invalid relationship value: \"%s\" %s.", a->key, why);
}

static err_t links_of(struct ctx *cx, const struct doc_op *o, const struct collection *c, const json_t *data, const struct relation *via, int level,
    struct doc_links **out);

static err_t
links_object(struct ctx *cx, const struct doc_op *o, const struct doc_link *l, const json_t *j, int level, struct doc_target *t)
{
	const json_t *id = json_object_get(j, "$id");

	t->data = j;
	if (++o->linking->parts > PARTS_MAX && !o->who->bypass)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "One request writes at most %d related documents.", PARTS_MAX);
	if (id == NULL || json_is_null(id) || str_is(json_str(id), "unique()"))
		t->spelt = id_unique(cx->arena);
	else if (id_valid(json_str(id)))
		t->spelt = json_string_value(id);
	else
		return bad_value(cx, l->a, "has a document with an invalid $id");
	TRY(o->who->take_perms(o->who->arg, j, &t->perms));
	if (level >= DOC_LINK_LEVELS)
		return OK;
	return links_of(cx, o, l->c, j, l->a->rel, level + 1, &t->links);
}

static err_t
links_target(struct ctx *cx, const struct doc_op *o, const struct doc_link *l, const json_t *j, int level, struct doc_target *t)
{
	if (json_is_object(j))
		TRY(links_object(cx, o, l, j, level, t));
	else if (json_is_string(j) && id_valid(json_str(j)))
		t->spelt = json_string_value(j);
	else
		return bad_value(cx, l->a, json_is_string(j) ? "has an invalid id" : "is neither an id nor a document");
	t->id = str_lower(cx->arena, str_c(t->spelt)).p;
	if (l->c->internal == o->linking->top && str_ieq(str_c(t->id), str_c(o->id))) {	/* what becomes of it is said at the top */
		t->data = NULL;
		t->links = NULL;
	}
	return OK;
}

static err_t
links_value(struct ctx *cx, const struct doc_op *o, const json_t *j, int level, struct doc_link *l)
{
	bool list = json_is_array(j);
	int n = list ? (int)json_array_size(j) : json_is_null(j) ? 0 : 1;

	if (list && !relation_many(l->a->rel))
		return bad_value(cx, l->a, "takes one, not a list");
	if (n > 0 && !list && relation_many(l->a->rel))
		return bad_value(cx, l->a, "takes a list");
	if ((o->linking->named += n) > conf.relation_rows_max)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "One request names at most %lld related documents.", (long long)conf.relation_rows_max);
	l->t = arena_array(cx->arena, struct doc_target, n + 1);
	for (; l->n < n; l->n++)
		TRY(links_target(cx, o, l, list ? json_array_get(j, (size_t)l->n) : j, level, &l->t[l->n]));
	return OK;
}

/* The other side of the relationship that led here says nothing: it is what led here. */
static bool
leads_back(const struct relation *r, const struct relation *via)
{
	return via != NULL && r->number == via->number && r->child != via->child;
}

static bool
names_nothing(const json_t *j)
{
	return json_is_null(j) || (json_is_array(j) && json_array_size(j) == 0);
}

/* What is named there is asked for as by its own route; to unlink is a matter of the document alone. */
static err_t
related_collection(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct relation *r, bool unlinks, const struct collection **out)
{
	if (unlinks)
		return collection_get(cx, o->p, c->database_id, r->related_id, out);
	return doc_collection(cx, &(struct doc_op){.p = o->p, .who = o->who, .db = c->database_id, .col = r->related_id}, out);
}

static err_t
links_of(struct ctx *cx, const struct doc_op *o, const struct collection *c, const json_t *data, const struct relation *via, int level,
    struct doc_links **out)
{
	struct doc_links *all = arena_new_of(cx->arena, struct doc_links);

	all->v = arena_array(cx->arena, struct doc_link, c->n_rels + 1);
	for (int i = 0; i < c->n_rels; i++) {
		const json_t *j = json_is_object(data) ? json_object_get(data, c->rels[i]->key) : NULL;
		struct doc_link *l = &all->v[all->n];

		if (j == NULL || leads_back(c->rels[i]->rel, via))
			continue;
		l->a = c->rels[i];
		TRY(related_collection(cx, o, c, l->a->rel, names_nothing(j), &l->c));
		TRY(links_value(cx, o, j, level, l));
		all->n++;
	}
	*out = all;
	return OK;
}

err_t
doc_links_take(struct ctx *cx, const struct doc_op *o, const struct collection *c)
{
	if (o->linking == NULL || c->n_rels == 0)
		return OK;
	*o->linking = (struct doc_linking){.top = c->internal};
	TRY(links_of(cx, o, c, o->data, NULL, 1, &o->linking->links));
	return o->linking->parts > 0 ? doc_room(cx, o, o->linking->parts) : OK;
}

/* ---- the documents ---- */

/* By id, and those that have the same one in the order in which they were named. */
static int
by_id(const void *a, const void *b)
{
	const struct doc_target *x = *(struct doc_target *const *)a, *y = *(struct doc_target *const *)b;
	int d = strcmp(x->id, y->id);

	return d ? d : (x > y) - (x < y);
}

static int
to_id(const void *key, const void *one)
{
	return strcmp(key, (*(struct doc_target *const *)one)->id);
}

/* An id says nothing of the document that has it: one with members is what counts, whichever comes first. */
static bool
says_more(const struct doc_target *t, const struct doc_target *first)
{
	return t->data != NULL && first->data == NULL;
}

/* Of what is named again that which counts, sorted. */
static struct doc_target **
sort_targets(struct ctx *cx, const struct doc_link *l, int *n_out)
{
	struct doc_target **v = arena_array(cx->arena, struct doc_target *, l->n + 1);
	int n = 0;

	for (int i = 0; i < l->n; i++) {
		v[i] = &l->t[i];
		v[i]->row = v[i]->whole = -1;
	}
	qsort(v, (size_t)l->n, sizeof *v, by_id);
	for (int i = 0; i < l->n; i++) {
		v[i]->twice = n > 0 && strcmp(v[n - 1]->id, v[i]->id) == 0;
		if (v[i]->twice && says_more(v[i], v[n - 1])) {
			v[n - 1]->twice = true;
			v[i]->twice = false;
			n--;
		}
		if (!v[i]->twice)
			v[n++] = v[i];
	}
	*n_out = n;
	return v;
}

static struct doc_target *
target_of(struct ctx *cx, struct doc_target **v, int n, const struct db_res *r, int row)
{
	struct doc_target **found = bsearch(str_lower(cx->arena, db_str(r, row, DOC_ID)).p, v, (size_t)n, sizeof *v, to_id);

	assert(found != NULL);
	return *found;
}

/* What is changed is read whole, once it is known how much that is. */
static err_t
read_changed(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, struct doc_target **v, int n, struct targets *t)
{
	const char **seqs = arena_array(cx->arena, const char *, n + 1);
	int k = 0;

	for (int i = 0; i < n; i++)
		if (v[i]->data != NULL && v[i]->row >= 0) {
			seqs[k++] = db_cstr(t->locked, v[i]->row, DOC_SEQ);
			o->linking->bytes += db_i64(t->locked, v[i]->row, TARGET_WIDTH);
		}
	if (k == 0)
		return OK;
	if (o->linking->bytes > conf.list_bytes_max)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "One request changes related documents of at most %lld bytes.", (long long)conf.list_bytes_max);
	TRY(tx_query(tx, &t->whole, arena_printf(cx->arena, "SELECT %s FROM %s WHERE _seq = ANY ($1::bigint[])", l->c->columns, l->c->table),
	    DB(pg_array(cx->arena, seqs, k))));
	for (int i = 0; i < db_rows(t->whole); i++)
		target_of(cx, v, n, t->whole, i)->whole = i;
	return budget_hold(cx, db_bytes(t->whole));
}

struct holder {			/* whose links are written */
	const struct collection *c;
	const char *seq;
	const struct strs *perms;	/* for those that are made and name none */
	bool fresh;		/* it has no links yet */
	bool changed;		/* a link of it, or a document below */
};
struct linked {			/* what it is linked to, of what is named */
	const struct db_res *r;	/* numbers in their order; before them 0, when it is linked to others as well */
	int from;		/* the first of them */
};

static err_t
lock_targets(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, struct targets *t)
{
	int n;
	struct doc_target **v = sort_targets(cx, l, &n);
	const char **ids = arena_array(cx->arena, const char *, n + 1);
	bool change = !relation_shared(l->a->rel), data = false;

	for (int i = 0; i < n; i++) {
		ids[i] = v[i]->id;
		data = data || v[i]->data != NULL;
	}
	TRY(tx_query(tx, &t->locked, arena_printf(cx->arena, "SELECT _id,_created,_updated,_perms,_seq,%s FROM %s WHERE lower(_id) = ANY ($1::text[]) ORDER BY _seq FOR %s",
	    data ? l->c->width : "0", l->c->table, change || data ? "NO KEY UPDATE" : "KEY SHARE"), DB(pg_array(cx->arena, ids, n))));
	TRY(budget_hold(cx, db_bytes(t->locked)));
	for (int i = 0; i < db_rows(t->locked); i++)
		target_of(cx, v, n, t->locked, i)->row = i;
	return data ? read_changed(cx, o, tx, l, v, n, t) : OK;
}

static const char *
links_table(struct ctx *cx, const struct doc_op *o, const struct relation *r)
{
	return arena_printf(cx->arena, "%s.r_%lld", o->p->schema, (long long)r->number);
}

static const char *
my_side(const struct relation *r)
{
	return r->child ? "child" : "parent";
}

static const char *
other_side(const struct relation *r)
{
	return r->child ? "parent" : "child";
}

static err_t
read_linked(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, const struct holder *h, const struct db_res *rows, struct linked *out)
{
	const char *mine = my_side(l->a->rel), *other = other_side(l->a->rel), *links = links_table(cx, o, l->a->rel);
	int n = rows ? db_rows(rows) : 0;
	const char **seqs = arena_array(cx->arena, const char *, n + 1);
	struct db_res *r;

	for (int i = 0; i < n; i++)
		seqs[i] = db_cstr(rows, i, DOC_SEQ);
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT %s FROM %s WHERE %s = $1::bigint AND %s = ANY ($2::bigint[]) UNION ALL SELECT 0 WHERE EXISTS "
	    "(SELECT 1 FROM %s JOIN %s ON _seq = %s WHERE %s = $1::bigint AND NOT (%s = ANY ($2::bigint[]))) ORDER BY 1", other, links, mine, other,
	    links, l->c->table, other, mine, other), DB(h->seq, pg_array(cx->arena, seqs, n))));
	*out = (struct linked){.r = r, .from = db_rows(r) > 0 && db_i64(r, 0, 0) == 0};
	return OK;
}

static bool
is_linked(const struct linked *k, int64_t seq)
{
	int low = k->from, high = k->r ? db_rows(k->r) : 0;

	while (low < high) {
		int mid = (low + high) / 2;

		if (db_i64(k->r, mid, 0) == seq)
			return true;
		if (db_i64(k->r, mid, 0) < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static err_t
check_verb(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct db_res *r, int row)
{
	struct strs perms = db_strs(cx, r, row, DOC_PERMS);

	if (doc_holds_verb(cx, o, c, &c->perms.update, &perms, STR("update")))
		return OK;
	return doc_unauthorized(cx, "a related document is not the caller's to update");
}

static struct doc_op
op_of(const struct doc_op *o, const struct doc_link *l, const struct doc_target *t)
{
	struct doc_op own = *o;

	own.col = l->c->id;
	own.id = t->spelt;
	own.data = t->data;
	own.perms = &t->perms;
	own.linking = NULL;
	own.nested = true;
	own.today = false;
	return own;
}

static err_t write_links(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_links *links, struct holder *h);

static struct str
target_key(struct ctx *cx, const struct doc_link *l, const struct doc_target *t)
{
	return str_c(arena_printf(cx->arena, "%lld %s", (long long)l->c->internal, t->id));
}

static void
remember_written(struct ctx *cx, const struct doc_op *o, const struct doc_link *l, const struct doc_target *t)
{
	o->linking->written++;
	(void)map_set(o->linking->ids, target_key(cx, l, t), o->linking);
}

static bool
is_written(struct ctx *cx, const struct doc_op *o, const struct doc_link *l, const struct doc_target *t)
{
	return o->linking->written > 0 && map_get(o->linking->ids, target_key(cx, l, t)) != NULL;
}

static err_t
make_target(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, const struct doc_target *t, struct holder *above,
    const char **seq_out)
{
	struct holder h = {.c = l->c, .fresh = true};
	struct doc_op own = op_of(o, l, t);
	struct db_res *r;
	struct doc_new d;

	if (!doc_granted(o, &l->c->perms.create))
		return doc_unauthorized(cx, "create a related document");
	TRY(doc_check_grants(cx, &own));
	TRY(doc_new_make(cx, &own, l->c, t->spelt, t->data, t->perms.set ? &t->perms : above->perms, NULL, NULL, &d));
	TRY(tx_query(tx, &r, l->c->sql_insert, l->c->n_live + 5, d.v));
	*seq_out = db_cstr(r, 0, 0);
	o->linking->made++;
	remember_written(cx, o, l, t);
	above->changed = true;
	h.seq = *seq_out;
	h.perms = &d.perms;
	return t->links ? write_links(cx, o, tx, t->links, &h) : OK;
}

/* By the rules of an update of its own. What was loaded has its permissions with it: to send them back is to say nothing of them. */
static err_t
merge_target(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, const struct doc_target *t, const struct db_res *r, int row,
    struct holder *above)
{
	struct strs there = db_strs(cx, r, row, DOC_PERMS), unsaid = {0};
	struct holder h = {.c = l->c, .seq = db_cstr(r, row, DOC_SEQ)};
	struct doc_op own = op_of(o, l, t);
	struct doc_patch p;

	if (t->perms.set && doc_same_texts(&t->perms, &there))
		own.perms = &unsaid;
	p = doc_patch_of(cx, &own, r, row);
	TRY(doc_patch_allowed(cx, &own, l->c, &p));
	if (!p.idle) {
		TRY(doc_patch_write(cx, &own, l->c, tx, &p));
		remember_written(cx, o, l, t);
	}
	h.perms = &p.perms;
	if (t->links != NULL)
		TRY(write_links(cx, o, tx, t->links, &h));
	if (p.idle && h.changed) {
		TRY(doc_patch_touch(cx, &own, l->c, tx, &p));
		remember_written(cx, o, l, t);
	}
	above->changed = above->changed || !p.idle;
	return OK;
}

/* Whether the other document holds the link, alone or as well: then to link it is to change it. */
static bool
holds_link(const struct relation *r)
{
	return r->kind == ONE_TO_ONE ? r->two_way : r->kind == (r->child ? MANY_TO_ONE : ONE_TO_MANY);
}

/* *seq_out NULL: there is no such document, which is passed over. */
static err_t
settle_target(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, const struct doc_target *t, const struct targets *there,
    const struct linked *now, struct holder *h, const char **seq_out)
{
	struct targets made;
	int row = t->row, whole = t->whole;

	*seq_out = NULL;
	if (is_written(cx, o, l, t)) {	/* by this very write: as it is since then */
		TRY(tx_query(tx, &made.locked, l->c->sql_lock, DB(t->id)));
		made.whole = made.locked;
		row = whole = db_rows(made.locked) - 1;
		there = &made;
	}
	if (row < 0)
		return t->data != NULL ? make_target(cx, o, tx, l, t, h, seq_out) : OK;
	*seq_out = db_cstr(there->locked, row, DOC_SEQ);
	if (t->data != NULL)
		TRY(merge_target(cx, o, tx, l, t, there->whole, whole, h));
	return holds_link(l->a->rel) && !is_linked(now, db_i64(there->locked, row, DOC_SEQ)) ? check_verb(cx, o, l->c, there->locked, row) : OK;
}

/* ---- the links ---- */

/* Where one has one, and that side alone holds the link: who has it must be the caller's to change. */
static err_t
check_left(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, const struct holder *h, const char *seqs)
{
	const struct relation *rel = l->a->rel;
	struct db_res *r;

	if (rel->kind != ONE_TO_ONE || rel->two_way || o->who->bypass)
		return OK;
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT %s FROM %s WHERE _seq IN (SELECT %s FROM %s WHERE %s = ANY ($2::bigint[]) AND %s <> $1::bigint)",
	    h->c->columns, h->c->table, my_side(rel), links_table(cx, o, rel), other_side(rel), my_side(rel)), DB(h->seq, seqs)));
	for (int i = 0; i < db_rows(r); i++)
		TRY(check_verb(cx, o, h->c, r, i));
	return OK;
}

static void
set_links(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, const struct holder *h, const char *seqs)
{
	const char *table = links_table(cx, o, l->a->rel), *mine = my_side(l->a->rel), *other = other_side(l->a->rel);

	if (!h->fresh)
		tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s WHERE %s = $1::bigint AND NOT (%s = ANY ($2::bigint[]))", table, mine, other), DB(h->seq, seqs));
	if (!relation_shared(l->a->rel))	/* they leave whom they were with */
		tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s WHERE %s = ANY ($2::bigint[]) AND %s <> $1::bigint", table, other, mine), DB(h->seq, seqs));
	tx_add(tx, arena_printf(cx->arena, "INSERT INTO %s (%s, %s) SELECT $1::bigint, unnest($2::bigint[]) ON CONFLICT DO NOTHING", table, mine, other),
	    DB(h->seq, seqs));
}

/* Who is not named is unlinked, and by one statement: not beyond the bound. */
static err_t
check_unlinked(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, const char *seq, const char *seqs)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT count(*) FROM (SELECT FROM %s WHERE %s = $1::bigint AND NOT (%s = ANY ($2::bigint[])) LIMIT %lld) AS l",
	    links_table(cx, o, l->a->rel), my_side(l->a->rel), other_side(l->a->rel), (long long)conf.relation_rows_max + 1), DB(seq, seqs)));
	if (db_i64(r, 0, 0) > conf.relation_rows_max)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "One request unlinks at most %lld related documents.", (long long)conf.relation_rows_max);
	return OK;
}

static err_t
write_link(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_link *l, struct holder *h)
{
	const char **seqs = arena_array(cx->arena, const char *, l->n + 1), *list;
	struct targets there = {NULL, NULL};
	struct linked now = {0};
	int n = 0;

	if (l->n > 0)
		TRY(lock_targets(cx, o, tx, l, &there));
	if (!h->fresh)
		TRY(read_linked(cx, o, tx, l, h, there.locked, &now));
	for (int i = 0; i < l->n; i++) {
		if (l->t[i].twice)
			continue;
		TRY(settle_target(cx, o, tx, l, &l->t[i], &there, &now, h, &seqs[n]));
		n += seqs[n] != NULL;
	}
	if (now.from == 0 && n == (now.r ? db_rows(now.r) : 0))	/* all of them, and no others */
		return OK;
	h->changed = true;
	list = pg_array(cx->arena, seqs, n);
	if (now.from > 0 && relation_many(l->a->rel))
		TRY(check_unlinked(cx, o, tx, l, h->seq, list));
	TRY(check_left(cx, o, tx, l, h, list));
	set_links(cx, o, tx, l, h, list);
	return OK;
}

static err_t
write_links(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct doc_links *links, struct holder *h)
{
	for (int i = 0; i < links->n; i++)
		TRY(write_link(cx, o, tx, &links->v[i], h));
	return OK;
}

err_t
doc_links_write(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct strs *perms, bool fresh)
{
	struct holder h = {.c = c, .seq = pg_i64(cx->arena, o->linking->seq), .perms = perms, .fresh = fresh};

	o->linking->made = o->linking->written = 0;
	o->linking->ids = map_for(cx);
	o->linking->bytes = 0;
	TRY(write_links(cx, o, tx, o->linking->links, &h));
	o->linking->changed = h.changed;
	return OK;
}
