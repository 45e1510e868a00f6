/* Many documents by one request, as a whole or not at all.
 *
 * What is made goes in by one statement, what is changed by one for each set of attributes; each document has its event, in the same transaction. Updates and
 * deletions by queries find and lock the rows first, and go through them in slices, so that neither memory nor the loop is taken for long: a slice is
 * written and comes back, and its events go out with the statement of the next. */
#include "document_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/vtime.h"

enum {
	SLICE_ROWS = 250,
	TOLD_BYTES = 256 * 1024,	/* of texts that are made in one turn of the loop */
	SLICE_BYTES = 512 * 1024,	/* of values */
	TURN = 20,			/* documents that are checked in one turn of the loop */
	RACES_MAX = 8
};

static err_t
allowed(struct ctx *cx, const struct doc_op *o)
{
	return o->who->bypass ? OK : fail_msg(cx, ERR_GENERAL_UNAUTHORIZED_SCOPE, "Many documents at once are written by API keys and admins alone.");
}

/* What is linked would have to be looked at for each of them. */
err_t
doc_unrelated(struct ctx *cx, const struct collection *c, const char *verb)
{
	if (c->n_rels == 0 && (c->n_incoming == 0 || strcmp(verb, "delete") != 0))
		return OK;
	return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "Bulk %s is not supported for databases with relationship attributes.", verb);
}

err_t
doc_too_much(struct ctx *cx, const char *what, int64_t max)
{
	return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "That are more than %lld %s at once: do it in parts.", (long long)max, what);
}

/* Of values that may still be written. */
static int64_t
bytes_room(const struct doc_op *o)
{
	return conf.bulk_bytes_max - o->all->spent;
}

/* `part`: what made the text; it may go before the answer. */
static void
many_add(struct ctx *cx, const struct ctx *part, const struct doc_op *o, const struct collection *c, struct str json, size_t at, struct str number)
{
	struct doc_many *m = o->all;

	if (o->staged || m->n == DOC_SHOWN_MAX)	/* nobody is shown them */
		return;
	if (m->json == NULL)
		m->json = arena_array(cx->arena, struct str, DOC_SHOWN_MAX);
	if (part->arena != cx->arena)
		json.p = arena_memdup(cx->arena, json.p, json.n);
	m->json[m->n++] = doc_told(cx, c, json, at, number);
}

/* ---- new ones ---- */

struct fresh {			/* documents to be made */
	int n;
	struct doc_new *v;
	const struct doc_in **in;
	struct str *seq;	/* their numbers, when they are made */
	const char *now;	/* when that is */
};

static int64_t
bulk_weight(const struct collection *c, const struct doc_value *vals)
{
	int64_t n = 0;

	for (int i = 0; i < c->n_live; i++)
		n += (int64_t)vals[i].v.n;
	return n;
}

static int64_t
row_weight(const struct collection *c, const struct db_res *r, int row)
{
	int64_t n = 0;

	for (int i = 0; i < c->n_live; i++)
		n += (int64_t)db_str(r, row, DOC_ATTRS + i).n;
	return n;
}

/* The columns of the system, of which those that are the same for all are given once. */
enum { N_FIXED = 5 };
static const struct fixed {
	const char *column, *type;
	bool list;		/* given as text: there are no lists of lists of different lengths */
	int alike;		/* those of one number are given once together, or none; 0: never */
} fixed[N_FIXED] = {{"_id", "text", false, 0}, {"_created", "timestamptz", false, 1}, {"_updated", "timestamptz", false, 1}, {"_perms", "text[]", true, 2}, {"_read", "text[]", true, 2}};

static bool
column_alike(const struct fresh *f, int col)
{
	for (int i = 1; i < f->n; i++)
		if (f->v[i].v[col] != f->v[0].v[col] && strcmp(f->v[i].v[col], f->v[0].v[col]) != 0)
			return false;
	return true;
}

/* Bit k: those with alike k. */
static unsigned
columns_alike(const struct fresh *f)
{
	unsigned alike = ~1u;

	for (int col = 0; col < N_FIXED; col++)
		if (alike & 1u << fixed[col].alike && !column_alike(f, col))
			alike &= ~(1u << fixed[col].alike);
	return alike;
}

struct insertion {		/* the parts of INSERT (into) SELECT values FROM unnest(from) AS u(names) */
	struct buf into, values, from, names;
};

static void
insertion_column(struct insertion *s, int col, const char *column, const char *type, bool list, bool once)
{
	buf_printf(&s->into, "%s%s", col ? "," : "", column);
	if (once) {
		buf_printf(&s->values, ",$%d::%s", col + 1, type);
		return;
	}
	buf_printf(&s->values, "%sc%d%s%s", col ? "," : "", col, list ? "::" : "", list ? type : "");
	buf_printf(&s->from, "%s$%d::%s[]", col ? "," : "", col + 1, list ? "text" : type);
	buf_printf(&s->names, "%sc%d", col ? "," : "", col);
}

/* INSERT … SELECT of one list for each column, in order. */
static const char *
insert_all_sql(struct ctx *cx, const struct collection *c, unsigned alike)
{
	struct insertion s;

	buf_init(&s.into, cx->arena, 512);
	buf_init(&s.values, cx->arena, 512);
	buf_init(&s.from, cx->arena, 512);
	buf_init(&s.names, cx->arena, 512);
	for (int col = 0; col < N_FIXED; col++)
		insertion_column(&s, col, fixed[col].column, fixed[col].type, fixed[col].list, (alike >> fixed[col].alike & 1) != 0);
	for (int i = 0; i < c->n_live; i++)	/* lists of places have commas of their own */
		insertion_column(&s, N_FIXED + i, c->live[i]->column, doc_cast(cx->arena, c->live[i]),
		    (c->live[i]->array && !c->live[i]->encrypt) || c->live[i]->type == ATTR_GEO, false);
	return arena_printf(cx->arena, "INSERT INTO %s (%.*s) SELECT %.*s FROM unnest(%.*s) AS u(%.*s) RETURNING _seq,_id", c->table, STR_FMT(buf_view(&s.into)),
	    STR_FMT(buf_view(&s.values)), STR_FMT(buf_view(&s.from)), STR_FMT(buf_view(&s.names)));
}

static err_t
insert_all(struct ctx *cx, const struct collection *c, struct db_tx *tx, struct fresh *f)
{
	const char **lists = arena_array(cx->arena, const char *, c->n_live + N_FIXED), **one = arena_array(cx->arena, const char *, f->n + 1);
	unsigned alike;
	struct db_res *r;

	if (f->n == 0)
		return OK;
	alike = columns_alike(f);
	for (int col = 0; col < c->n_live + N_FIXED; col++) {
		for (int i = 0; i < f->n; i++)
			one[i] = f->v[i].v[col];
		lists[col] = col < N_FIXED && (alike >> fixed[col].alike & 1) ? one[0] : pg_array(cx->arena, one, f->n);
	}
	TRY(tx_query(tx, &r, insert_all_sql(cx, c, alike), c->n_live + N_FIXED, lists));
	for (int i = 0; i < f->n; i++) {
		if (i >= db_rows(r) || !str_is(db_str(r, i, 1), f->v[i].id))
			return fail(cx, ERR_GENERAL_UNKNOWN, "the rows of an insertion come in another order");
		f->seq[i] = db_str(r, i, 0);
	}
	return OK;
}

static size_t
tell_made(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct event_info *kind, const struct fresh *f, int i, struct event_pack *pack)
{
	size_t at;
	struct str json = doc_new_write(cx, c, &f->v[i], f->in[i]->data, f->seq[i], &at);
	struct event ev = doc_event(cx, o, kind, c, f->v[i].id, &f->v[i].readers, json);

	ev.number_at = at;
	many_add(cx, cx, o, c, json, at, f->seq[i]);
	event_pack_add(cx, pack, &ev);
	return json.n;
}

/* Whoever makes many texts lets others on the loop, but not with what a client's transaction has locked. */
static err_t
told_turn(struct ctx *cx, size_t n, size_t *bytes)
{
	if ((*bytes += n) < TOLD_BYTES || cx->within != NULL)
		return OK;
	*bytes = 0;
	return fib_yield(cx);
}

static void
fresh_init(struct ctx *cx, struct fresh *f, int n)
{
	*f = (struct fresh){.v = arena_array(cx->arena, struct doc_new, n + 1), .in = arena_array(cx->arena, const struct doc_in *, n + 1),
	    .seq = arena_array(cx->arena, struct str, n + 1), .now = pg_time(cx->arena, time_now_ms())};
}

/* ---- create ---- */

static err_t
create_all_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct fresh *f)
{
	struct event_pack pack;
	size_t bytes = 0;

	o->all->n = 0;
	o->all->total = f->n;
	TRY(insert_all(cx, c, tx, f));
	if (tx_undone(tx))
		return OK;
	event_pack_begin(&pack, tx, cx->arena);
	for (int i = 0; i < f->n && !tx_undone(tx); i++)
		TRY(told_turn(cx, tell_made(cx, o, c, &ev_document_create, f, i, &pack), &bytes));
	event_pack_end(&pack);
	return OK;
}

static err_t
create_all_check(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct fresh *f)
{
	int64_t bytes = 0;

	TRY(doc_room(cx, o, o->n));
	fresh_init(cx, f, o->n);
	for (int i = 0; i < o->n; i++) {
		TRY(doc_new_make(cx, o, c, o->in[i].id, o->in[i].data, &o->in[i].perms, NULL, f->now, &f->v[i]));
		f->in[i] = &o->in[i];
		if ((bytes += bulk_weight(c, f->v[i].vals)) > bytes_room(o))
			return doc_too_much(cx, "bytes", conf.bulk_bytes_max);
		if (i % TURN == TURN - 1 && cx->within == NULL)
			TRY(fib_yield(cx));
	}
	f->n = o->n;
	o->all->bytes = bytes;
	return OK;
}

err_t
doc_create_all_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	struct fresh f;

	TRY(doc_unrelated(cx, c, "create"));
	TRY(create_all_check(cx, o, c, &f));
	TRY(create_all_within(cx, o, c, tx, &f));
	doc_made(o, f.n);
	return OK;
}

static err_t
create_all(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;
	struct fresh f;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_unrelated(cx, c, "create"));
	TRY(create_all_check(cx, o, c, &f));
	TRY(TX_RUN(cx, tx, create_all_within(cx, o, c, tx, &f)));
	doc_made(o, o->n);
	return OK;
}

/* ---- upsert ---- */

struct upserts {		/* of the documents of one request */
	struct fresh fresh;
	struct doc_patch *patch;	/* of those that are there, in the places of the request */
	bool *there, *changed;
	int *as_fresh;		/* the place among the fresh ones */
};

static err_t
lock_all(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct db_res **out)
{
	const char **ids = arena_array(cx->arena, const char *, o->n + 1);
	err_t e;

	for (int i = 0; i < o->n; i++)
		ids[i] = str_dup(cx->arena, str_lower(cx->arena, str_c(o->in[i].id)));
	/* in one order, whoever comes: two of them do not wait for each other; an error before the first row is sent when there is too much in them */
	e = tx_query(tx, out, arena_printf(cx->arena, "WITH l AS (SELECT %s FROM %s WHERE lower(_id) = ANY ($1::text[]) ORDER BY _seq FOR NO KEY UPDATE) "
	    "SELECT %s, 1 / (sum(%s) OVER () <= $2::bigint)::int FROM l", c->columns, c->table, c->columns, c->width),
	    DB(pg_array(cx->arena, ids, o->n), pg_i64(cx->arena, bytes_room(o))));
	return e == ERR_DB_DATA && strcmp(db_sqlstate(cx), "22012") == 0 ? doc_too_much(cx, "bytes", conf.bulk_bytes_max) : e;
}

static int
row_of_id(const struct db_res *r, const char *id)
{
	for (int row = 0; row < db_rows(r); row++)
		if (str_ieq(db_str(r, row, DOC_ID), str_c(id)))
			return row;
	return -1;
}

/* What becomes of each; nothing is written yet. */
static err_t
upserts_sort(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct db_res *r, struct upserts *u)
{
	int64_t bytes = 0;

	for (int i = 0; i < o->n; i++) {
		const struct doc_in *in = &o->in[i];
		int row = row_of_id(r, in->id);
		struct doc_value *acted;
		struct doc_acts acts;

		u->there[i] = row >= 0;
		if (row >= 0) {
			struct doc_patch *p = &u->patch[i];

			*p = doc_patch_of(cx, o, r, row);
			p->data = p->acts.rest = in->data;
			p->given = &in->perms;
			TRY(doc_patch_check(cx, o, c, p));
			u->changed[i] = !doc_patch_idle(cx, o, c, p);
			bytes += u->changed[i] ? bulk_weight(c, p->vals) : 0;
		} else {
			struct doc_new *d = &u->fresh.v[u->fresh.n];

			TRY(doc_acts_take(cx, o, c, in->data, &acts));
			TRY(doc_acts_on_nothing(cx, o, c, &acts, tx, &acted));
			TRY(doc_new_make(cx, o, c, in->id, acts.rest, &in->perms, acted, u->fresh.now, d));
			u->fresh.in[u->fresh.n] = in;
			u->as_fresh[i] = u->fresh.n++;
			bytes += bulk_weight(c, d->vals);
		}
		if (bytes > bytes_room(o))
			return doc_too_much(cx, "bytes", conf.bulk_bytes_max);
	}
	o->all->bytes = bytes;
	return OK;
}

static int
by_key(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void
doc_lock_names(struct ctx *cx, struct db_tx *tx, const char *const *names, int n)
{
	int64_t *keys = arena_alloc(cx->arena, sizeof *keys * (size_t)(n + 1));
	const char **texts = arena_array(cx->arena, const char *, n + 1);

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		keys[i] = (int64_t)str_hash_stable(str_c(names[i]));
	qsort(keys, (size_t)n, sizeof *keys, by_key);
	for (int i = 0; i < n; i++)
		texts[i] = pg_i64(cx->arena, keys[i]);
	tx_add(tx, "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", DB(pg_array(cx->arena, texts, n)));
}

/* Whoever makes the same ones at the same time comes after: by locks on their ids, in one order. They would wait for each other at the unique index. */
static void
lock_fresh(struct ctx *cx, const struct collection *c, struct db_tx *tx, const struct fresh *f)
{
	const char **names = arena_array(cx->arena, const char *, f->n + 1);

	for (int i = 0; i < f->n; i++) {
		struct str id = str_lower(cx->arena, str_c(f->v[i].id));

		names[i] = arena_printf(cx->arena, "%s %.*s", c->table, STR_FMT(id));
	}
	doc_lock_names(cx, tx, names, f->n);
}

/* Whether two patches set the same columns, so that one statement does for both. */
static bool
same_columns(const struct collection *c, const struct doc_patch *a, const struct doc_patch *b)
{
	if (a->acts.n > 0 || b->acts.n > 0 || a->given->set != b->given->set || (a->created != NULL) != (b->created != NULL))
		return false;
	for (int i = 0; i < c->n_live; i++)
		if (a->vals[i].set != b->vals[i].set)
			return false;
	return true;
}

/* UPDATE … FROM lists of what the patches in v, all with the columns of the first, set. */
static void
update_alike(struct ctx *cx, const struct collection *c, struct db_tx *tx, struct doc_patch **v, int n)
{
	const char **lists = arena_array(cx->arena, const char *, c->n_live + 6), **one = arena_array(cx->arena, const char *, n + 1);
	struct buf set, from;
	int k = 0;

#define LIST(column, type, text)                                                                                     \
	do {                                                                                                         \
		for (int i = 0; i < n; i++)                                                                          \
			one[i] = (text);                                                                             \
		if (k > 0)                                                                                           \
			buf_printf(&set, "%s%s=u.c%d::%s", k > 1 ? "," : "", column, k, type);                       \
		buf_printf(&from, "%s$%d::text[]", k ? "," : "", k + 1);                                             \
		lists[k++] = pg_array(cx->arena, one, n);                                                            \
	} while (0)
	buf_init(&set, cx->arena, 256);
	buf_init(&from, cx->arena, 256);
	LIST("", "", v[i]->head.seq.p);
	LIST("_updated", "timestamptz", v[i]->updated);
	if (v[0]->created != NULL)
		LIST("_created", "timestamptz", v[i]->created);
	if (v[0]->given->set) {
		LIST("_perms", "text[]", v[i]->head.perms.p);
		for (int i = 0; i < n; i++) {
			struct strs readers = perms_roles(cx->arena, &v[i]->perms, STR("read"));

			one[i] = pg_array(cx->arena, readers.v, readers.n);
		}
		LIST("_read", "text[]", one[i]);
	}
	for (int at = 0; at < c->n_live; at++)
		if (v[0]->vals[at].set)
			LIST(c->live[at]->column, doc_cast(cx->arena, c->live[at]), v[i]->vals[at].v.p);
#undef LIST
	BUF_LIT(&from, ") AS u(c0");
	for (int i = 1; i < k; i++)
		buf_printf(&from, ",c%d", i);
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s AS t SET %s FROM unnest(%s) WHERE t._seq = u.c0::bigint", c->table, buf_view(&set).p, buf_view(&from).p), k, lists);
}

/* One statement for all that set the same; one for each that has operators. */
static err_t
upserts_update(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct upserts *u)
{
	struct doc_patch **alike = arena_array(cx->arena, struct doc_patch *, o->n + 1);
	bool *done = arena_array(cx->arena, bool, o->n + 1);
	int64_t bytes = o->all->bytes;

	for (int i = 0; i < o->n; i++) {
		int n = 0;

		if (!u->there[i] || !u->changed[i] || done[i])
			continue;
		if (u->patch[i].acts.n > 0) {
			TRY(doc_patch_write(cx, o, c, tx, &u->patch[i]));
			if ((bytes += row_weight(c, u->patch[i].r, u->patch[i].row)) > bytes_room(o))
				return doc_too_much(cx, "bytes", conf.bulk_bytes_max);
			continue;
		}
		for (int k = i; k < o->n; k++)
			if (u->there[k] && u->changed[k] && !done[k] && same_columns(c, &u->patch[i], &u->patch[k])) {
				doc_patch_settle(cx, &u->patch[k]);
				alike[n++] = &u->patch[k];
				done[k] = true;
			}
		update_alike(cx, c, tx, alike, n);
	}
	o->all->bytes = bytes;
	return OK;
}

static size_t
tell_changed(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct doc_patch *p, struct event_pack *pack)
{
	struct event ev = doc_patch_event(cx, o, c, &ev_document_upsert, p);

	many_add(cx, cx, o, c, ev.payload, ev.number_at, p->head.seq);
	event_pack_add(cx, pack, &ev);
	return ev.payload.n;
}

/* In the order of the request. */
static err_t
tell_upserts(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct upserts *u)
{
	struct event_pack pack;
	size_t bytes = 0, n;

	o->all->total = 0;
	event_pack_begin(&pack, tx, cx->arena);
	for (int i = 0; i < o->n; i++) {
		if (u->there[i] && !u->changed[i])
			continue;
		o->all->total++;
		if (tx_undone(tx))
			continue;
		if (!u->there[i])
			n = tell_made(cx, o, c, &ev_document_upsert, &u->fresh, u->as_fresh[i], &pack);
		else
			n = tell_changed(cx, o, c, &u->patch[i], &pack);
		TRY(told_turn(cx, n, &bytes));
	}
	event_pack_end(&pack);
	return OK;
}

static err_t
upsert_all_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, int *made_out)
{
	struct upserts u = {.patch = arena_array(cx->arena, struct doc_patch, o->n + 1), .there = arena_array(cx->arena, bool, o->n + 1),
	    .changed = arena_array(cx->arena, bool, o->n + 1), .as_fresh = arena_array(cx->arena, int, o->n + 1)};
	struct db_res *r;

	o->all->n = 0;
	fresh_init(cx, &u.fresh, o->n);
	TRY(lock_all(cx, o, c, tx, &r));
	TRY(upserts_sort(cx, o, c, tx, r, &u));
	lock_fresh(cx, c, tx, &u.fresh);
	TRY(insert_all(cx, c, tx, &u.fresh));
	TRY(upserts_update(cx, o, c, tx, &u));
	TRY(tell_upserts(cx, o, c, tx, &u));
	*made_out = u.fresh.n;
	return OK;
}

/* Those that are there need no room; they are counted where there is a bound alone. */
static err_t
room_for_fresh(struct ctx *cx, const struct doc_op *o, const struct collection *c)
{
	const char **ids = arena_array(cx->arena, const char *, o->n + 1);
	struct db_res *r;

	if (conf.documents_max == 0)
		return OK;
	for (int i = 0; i < o->n; i++)
		ids[i] = str_dup(cx->arena, str_lower(cx->arena, str_c(o->in[i].id)));
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT count(*) FROM %s WHERE lower(_id) = ANY ($1::text[])", c->table), DB(pg_array(cx->arena, ids, o->n))));
	return db_i64(r, 0, 0) < o->n ? doc_room(cx, o, o->n - (int)db_i64(r, 0, 0)) : OK;
}

static err_t
no_id_twice(struct ctx *cx, const struct doc_op *o)
{
	for (int i = 0; i < o->n; i++)
		for (int k = 0; k < i; k++)
			if (str_ieq(str_c(o->in[i].id), str_c(o->in[k].id)))
				return fail_msg(cx, ERR_DOCUMENT_ALREADY_EXISTS, "The id \"%s\" is named twice.", o->in[i].id);
	return OK;
}

err_t
doc_upsert_all_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	int made;

	TRY(doc_unrelated(cx, c, "upsert"));
	TRY(no_id_twice(cx, o));
	TRY(room_for_fresh(cx, o, c));
	TRY(upsert_all_within(cx, o, c, tx, &made));
	doc_made(o, made);
	return OK;
}

static err_t
upsert_all(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;
	err_t e = OK;
	int made = 0;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_unrelated(cx, c, "upsert"));
	TRY(no_id_twice(cx, o));
	if (o->n == 0)
		return OK;
	TRY(room_for_fresh(cx, o, c));
	for (int i = 0; i < RACES_MAX; i++) {	/* somebody may make one of them in between */
		e = TX_RUN(cx, tx, upsert_all_within(cx, o, c, tx, &made));
		if (!doc_id_taken(cx, e))
			break;
	}
	TRY(e);
	doc_made(o, made);
	return OK;
}

/* ---- those that queries find ---- */

struct found {			/* a bulk update or deletion under way */
	const struct doc_op *o;
	const struct collection *c;
	struct query_found q;
	const struct event_info *kind;
	struct doc_value *vals;	/* of an update; NULL: they are deleted */
	struct doc_acts acts;
	const char *created, *updated;
	int64_t bytes;		/* that operators made */
};

/* Where the row with this number was found; they come back in any order. */
static int
by_number(const void *a, const void *b)
{
	int64_t x = **(const int64_t *const *)a, y = **(const int64_t *const *)b;

	return x < y ? -1 : x > y;
}

/* The statement for the rows whose numbers are the last parameter. */
static const char *
slice_statement(struct ctx *cx, const struct found *f, struct doc_params *ps, const char *numbers)
{
	const struct doc_change ch = {.vals = f->vals, .acts = &f->acts, .created = f->created, .updated = f->updated, .perms = f->o->perms};
	const char *where;

	ps->v[ps->n++] = numbers;
	where = arena_printf(cx->arena, "_seq = ANY ($%d::bigint[])", ps->n);
	if (f->vals == NULL)
		return arena_printf(cx->arena, "DELETE FROM %s WHERE %s RETURNING %s", f->c->table, where, f->c->columns);
	return arena_printf(cx->arena, "%s RETURNING %s", doc_update_sql(cx, f->c, &ch, where, ps), f->c->columns);
}

/* What an update made of a row, or was never there although it must be. */
static err_t
slice_check(struct ctx *cx, const struct found *f, const struct db_res *r, int row)
{
	for (int i = 0; f->vals != NULL && i < f->c->n_live; i++)
		if (f->c->live[i]->required && db_null(r, row, DOC_ATTRS + i))
			return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid document structure: the required attribute \"%s\" is missing.", f->c->live[i]->key);
	if (f->vals != NULL)
		TRY(doc_check_places(cx, f->c, f->vals, r, row));
	for (int i = 0; i < f->acts.n; i++)
		TRY(doc_act_check(cx, f->o, &f->acts.v[i], STR(""), db_str(r, row, DOC_ATTRS + f->acts.v[i].a->place)));
	return OK;
}

static void
tell_found(struct ctx *cx, struct ctx *part, const struct found *f, const struct db_res *r, int row, struct event_pack *pack)
{
	struct doc_head head = doc_head_of(cx, r, row);
	struct strs perms = db_strs(part, r, row, DOC_PERMS), readers = perms_roles(part->arena, &perms, STR("read"));
	struct event ev;
	struct buf b;
	size_t at;

	buf_init(&b, part->arena, 1000);
	at = doc_write_row(&b, f->c, &head, r, row, NULL, NULL);
	ev = doc_event(part, f->o, f->kind, f->c, head.id.p, &readers, buf_view(&b));
	ev.number_at = at;
	many_add(cx, part, f->o, f->c, ev.payload, at, head.seq);
	event_pack_add(part, pack, &ev);
}

/* Writes n rows, and adds their events in the order in which they were found. `part`: memory that goes with the slice. */
static err_t
slice_write(struct ctx *cx, struct ctx *part, struct db_tx *tx, struct found *f, const int64_t *numbers, int n)
{
	struct doc_params ps = {.v = arena_array(part->arena, const char *, f->c->n_live + 8 + f->acts.n * DOC_ACT_PARAMS)};
	const char **texts = arena_array(part->arena, const char *, n), *sql;
	const int64_t **sorted = arena_array(part->arena, const int64_t *, n);
	struct event_pack pack;
	struct db_res *r;

	for (int i = 0; i < n; i++) {
		texts[i] = pg_i64(part->arena, numbers[i]);
		sorted[i] = &numbers[i];
	}
	qsort(sorted, (size_t)n, sizeof *sorted, by_number);
	sql = slice_statement(part, f, &ps, pg_array(part->arena, texts, n));
	TRY(tx_query(tx, &r, sql, ps.n, ps.v));
	if (db_rows(r) != n)
		return fail(cx, ERR_GENERAL_UNKNOWN, "%d of %d locked rows are there", db_rows(r), n);
	/* those that are shown are among the first that were found */
	int *row_at = arena_array(part->arena, int, n);

	for (int row = 0; row < n; row++) {
		int64_t number = db_i64(r, row, DOC_SEQ);
		const int64_t *want = &number;
		const int64_t **at = bsearch(&want, sorted, (size_t)n, sizeof *sorted, by_number);

		if (at == NULL)
			return fail(cx, ERR_GENERAL_UNKNOWN, "a row comes back that was not written");
		row_at[*at - numbers] = row;
		TRY(slice_check(cx, f, r, row));
		if (f->acts.n > 0 && (f->bytes += row_weight(f->c, r, row)) > bytes_room(f->o))
			return doc_too_much(cx, "bytes", conf.bulk_bytes_max);
	}
	if (tx_undone(tx))
		return OK;
	event_pack_begin(&pack, tx, part->arena);
	for (int i = 0; i < n; i++)
		tell_found(cx, part, f, r, row_at[i], &pack);
	event_pack_end(&pack);
	return OK;
}

static bool
is_locked(const struct db_res *locked, int64_t number)
{
	int from = 0, to = db_rows(locked);

	while (from < to) {
		int mid = from + (to - from) / 2;
		int64_t there = db_i64(locked, mid, 0);

		if (there == number)
			return true;
		if (there < number)
			from = mid + 1;
		else
			to = mid;
	}
	return false;
}

/* Locks the rows that were found; what somebody else changed meanwhile so that it is not asked for any more is none of them. */
static err_t
found_lock(struct ctx *cx, const struct found *f, struct db_tx *tx, const struct db_res *r, struct db_res **out)
{
	const char **v = arena_array(cx->arena, const char *, f->q.n_where + 1), **texts = arena_array(cx->arena, const char *, db_rows(r) + 1);

	for (int i = 0; i < f->q.n_where; i++)
		v[i] = f->q.v[i];
	for (int i = 0; i < db_rows(r); i++)
		texts[i] = db_cstr(r, i, 0);
	v[f->q.n_where] = pg_array(cx->arena, texts, db_rows(r));
	return tx_query(tx, out, f->q.lock, f->q.n_where + 1, v);
}

/* What operators may add: a slice is made for the most that can come of it. */
static int64_t
acts_growth(const struct found *f, int64_t width)
{
	int64_t n = 0;

	for (int i = 0; i < f->acts.n; i++)
		n += doc_act_growth(&f->acts.v[i], width);
	return n;
}

static err_t
found_numbers(struct ctx *cx, const struct found *f, struct db_tx *tx, int64_t **numbers_out, int64_t **widths_out, int *n_out)
{
	struct db_res *r, *locked;
	int64_t bytes = 0;
	int n = 0;

	TRY(tx_query(tx, &r, f->q.find, f->q.n_find, f->q.v));
	if (db_rows(r) > conf.bulk_rows_max)
		return doc_too_much(cx, "documents", conf.bulk_rows_max);
	*numbers_out = arena_alloc(cx->arena, sizeof **numbers_out * (size_t)(db_rows(r) + 1));
	*widths_out = arena_alloc(cx->arena, sizeof **widths_out * (size_t)(db_rows(r) + 1));
	for (int i = 0; i < db_rows(r); i++) {
		(*widths_out)[i] = db_i64(r, i, 1) + (f->vals ? bulk_weight(f->c, f->vals) : 0);
		if ((bytes += (*widths_out)[i]) > bytes_room(f->o))
			return doc_too_much(cx, "bytes", conf.bulk_bytes_max);
		(*widths_out)[i] += acts_growth(f, (*widths_out)[i]);
	}
	f->o->all->bytes = bytes;
	TRY(found_lock(cx, f, tx, r, &locked));
	for (int i = 0; i < db_rows(r); i++) {
		if (!is_locked(locked, db_i64(r, i, 0)))
			continue;
		(*numbers_out)[n] = db_i64(r, i, 0);
		(*widths_out)[n++] = (*widths_out)[i];
	}
	*n_out = n;
	return OK;
}

static err_t
found_write(struct ctx *cx, struct found *f, struct db_tx *tx)
{
	struct defer *mark = cx->defers;
	int64_t *numbers = NULL, *widths = NULL;
	int n = 0, end;

	f->o->all->n = 0;
	f->bytes = 0;
	TRY(found_numbers(cx, f, tx, &numbers, &widths, &n));
	for (int from = 0; from < n; from = end) {
		int64_t bytes = 0;
		struct ctx part;
		err_t e;

		for (end = from; end < n && end - from < SLICE_ROWS && bytes < SLICE_BYTES; end++)
			bytes += widths[end];
		ctx_init_part(&part, cx);
		e = slice_write(cx, &part, tx, f, numbers + from, end - from);
		ctx_fini(&part);
		ctx_unwind(cx, mark);	/* the results */
		TRY(e);
	}
	f->o->all->total = n;
	if (f->bytes > 0)	/* of what operators made of them */
		f->o->all->bytes = f->bytes;
	return OK;
}

static err_t
find_and_write(struct ctx *cx, const struct doc_op *o, struct found *f)
{
	struct query_list l;
	err_t e;

	l = doc_query_list(cx, f->c, 0);
	l.flags &= ~(unsigned)QUERY_SELECT;
	TRY(query_rows(cx, &l, o->queries, conf.bulk_rows_max, f->c->slim, &f->q));
	if (cx->within != NULL)
		return found_write(cx, f, cx->within);
	if (cx->share != NULL)
		return TX_RUN(cx, tx, found_write(cx, f, tx));
	cx->share = doc_large_share();
	e = TX_RUN(cx, tx, found_write(cx, f, tx));
	cx->share = NULL;
	return e;
}

static err_t
update_those_found(struct ctx *cx, const struct doc_op *o, const struct collection *c)
{
	struct found f = {.o = o, .c = c, .kind = &ev_document_update, .acts = {.rest = o->data}, .updated = pg_time(cx->arena, time_now_ms())};
	bool *stored;

	TRY(doc_unrelated(cx, c, "update"));
	f.vals = arena_alloc(cx->arena, sizeof *f.vals * (size_t)(f.c->n_live + 1));
	stored = arena_array(cx->arena, bool, f.c->n_live + 1);
	for (int i = 0; i < f.c->n_live; i++)
		stored[i] = true;
	TRY(doc_acts_take(cx, o, f.c, o->data, &f.acts));
	TRY(doc_check(cx, f.c, f.acts.rest, stored, f.vals));
	TRY(doc_dates(cx, o, o->data, &f.created, &f.updated));
	return find_and_write(cx, o, &f);
}

static err_t
update_found(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;

	TRY(doc_collection(cx, o, &c));
	return update_those_found(cx, o, c);
}

static err_t
delete_found(struct ctx *cx, const struct doc_op *o)
{
	struct found f = {.o = o, .kind = &ev_document_delete};

	TRY(doc_collection(cx, o, &f.c));
	TRY(doc_unrelated(cx, f.c, "delete"));
	return find_and_write(cx, o, &f);
}

err_t
doc_update_found_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	assert(cx->within == tx);
	return update_those_found(cx, o, c);
}

err_t
doc_delete_found_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	struct found f = {.o = o, .c = c, .kind = &ev_document_delete};

	assert(cx->within == tx);
	TRY(doc_unrelated(cx, c, "delete"));
	return find_and_write(cx, o, &f);
}

/* ---- the doors ---- */

static err_t
bulk_run(struct ctx *cx, struct doc_op *o, struct doc_many *out, err_t (*fn)(struct ctx *, const struct doc_op *))
{
	static const struct strs none;

	*out = (struct doc_many){0};
	TRY(allowed(cx, o));
	o->today = o->many = true;
	o->all = out;
	if (o->perms == NULL)
		o->perms = &none;
	return doc_run(cx, o, fn);
}

err_t
document_create_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const struct doc_in *in, int n,
    struct doc_many *out)
{
	return bulk_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .in = in, .n = n}, out, create_all);
}

err_t
document_upsert_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const struct doc_in *in, int n,
    struct doc_many *out)
{
	return bulk_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .in = in, .n = n}, out, upsert_all);
}

err_t
document_update_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const json_t *data,
    const struct strs *perms, const struct strs *queries, struct doc_many *out)
{
	struct doc_op o = {.p = p, .who = who, .db = db, .col = col, .data = data, .perms = perms, .queries = queries};

	*out = (struct doc_many){0};
	TRY(allowed(cx, &o));
	if (doc_empty(data))
		return ERR_DOCUMENT_MISSING_PAYLOAD;
	return bulk_run(cx, &o, out, update_found);
}

err_t
document_delete_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const struct strs *queries,
    struct doc_many *out)
{
	return bulk_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .queries = queries}, out, delete_found);
}
