/* What replies show of related documents.
 *
 * Each relationship that is asked for is read by one statement, for all rows at once; those behind it by one more each. Members are written before the
 * reply begins, and counted: a document that many lead to is written many times. */
#include "document_priv.h"

#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "io/budget.h"

enum {
	HOPS = 2,		/* levels below the document itself */
	PICKS_MAX = 100,	/* relationships of one request */
	ALL_BEFORE = 1008000,	/* older clients are shown all of it, unasked */
	TURN_ROWS = 50,
	HELD_AT_ONCE = 64 * 1024	/* bytes that are charged together */
};

struct pick {			/* a relationship to be shown */
	const struct attribute *a;
	const struct collection *c;
	bool *fields;		/* attributes by place; NULL: all */
	struct pick *sub;
	int n_sub;
	struct db_res *r;	/* rows of c, then the number of who they are related to; in the order of that */
};
struct related {
	struct ctx *cx;
	const struct doc_op *o;
	int picks;
	int64_t rows, written, bytes;	/* that may still be read, and be written */
	size_t due;		/* bytes that are written and not charged yet */
};

static err_t
too_many(struct ctx *cx, const char *what, int64_t max)
{
	return fail_msg(cx, ERR_GENERAL_QUERY_LIMIT_EXCEEDED, "Invalid queries: more than %lld %s. Select fewer, or ask for fewer documents.", (long long)max, what);
}

/* ---- what is asked for ---- */

static err_t
pick_add(struct related *w, const struct collection *c, const struct attribute *a, struct pick *v, int *n, struct pick **out)
{
	for (int i = 0; i < *n; i++)
		if (v[i].a == a) {
			*out = &v[i];
			return OK;
		}
	if (++w->picks > PICKS_MAX)
		return too_many(w->cx, "relationships", PICKS_MAX);
	*out = &v[(*n)++];
	(*out)->a = a;
	TRY(collection_get(w->cx, w->o->p, c->database_id, a->rel->related_id, &(*out)->c));
	(*out)->fields = arena_array(w->cx->arena, bool, (*out)->c->n_live + 1);
	(*out)->sub = arena_array(w->cx->arena, struct pick, (*out)->c->n_rels + 1);
	return OK;
}

/* The other side of the relationship that leads here. */
static bool
back(const struct attribute *a, const struct relation *via)
{
	return via != NULL && a->rel->number == via->number && a->rel->child != via->child;
}

/* The relationship that a path begins with, and the rest of the path. Keys have dots, too: the longest is meant. */
static const struct attribute *
relation_of_path(const struct collection *c, struct str path, struct str *rest_out)
{
	const struct attribute *best = NULL;
	size_t most = 0;

	for (int i = 0; i < c->n_rels; i++) {
		size_t n = strlen(c->rels[i]->key);

		if (n <= most || !c->rels[i]->available || path.n <= n || path.p[n] != '.' || memcmp(path.p, c->rels[i]->key, n) != 0)
			continue;
		best = c->rels[i];
		most = n;
		*rest_out = (struct str){path.p + n + 1, path.n - n - 1};
	}
	return best;
}

/* "author.books.title": what is not known is passed over. */
static err_t
pick_path(struct related *w, const struct collection *c, struct str path, const struct relation *via, int hop, struct pick *v, int *n)
{
	struct str rest;
	const struct attribute *a = relation_of_path(c, path, &rest), *own;
	struct pick *p;

	if (a == NULL || back(a, via))
		return OK;
	TRY(pick_add(w, c, a, v, n, &p));
	own = collection_attribute(p->c, rest);
	if (own != NULL && own->place >= 0)
		p->fields[own->place] = true;
	for (int i = 0; i < p->c->n_live && str_is(rest, "*"); i++)
		p->fields[i] = true;
	return own == NULL && hop < HOPS ? pick_path(w, p->c, rest, a->rel, hop + 1, p->sub, &p->n_sub) : OK;
}

static err_t
pick_all(struct related *w, const struct collection *c, const struct relation *via, int hop, struct pick *v, int *n)
{
	for (int i = 0; i < c->n_rels; i++) {
		struct pick *p;

		if (back(c->rels[i], via) || w->picks == PICKS_MAX)
			continue;
		TRY(pick_add(w, c, c->rels[i], v, n, &p));
		p->fields = NULL;
		if (hop < HOPS)
			TRY(pick_all(w, p->c, p->a->rel, hop + 1, p->sub, &p->n_sub));
	}
	return OK;
}

static bool
is_selected(const struct strs *select, const char *name)
{
	for (int i = 0; i < select->n; i++)
		if (strcmp(select->v[i], name) == 0)
			return true;
	return false;
}

bool
doc_select_own(const struct collection *c, const struct strs *select)
{
	for (int i = 0; i < select->n; i++)
		if (strchr(select->v[i], '.') == NULL || collection_attribute(c, str_c(select->v[i])) != NULL)
			return true;
	return false;
}

/* ---- reading ---- */

/* Whether the caller may read all of them (*roles NULL), some, or none (false). */
static bool
readable_by(struct related *w, const struct collection *c, const char **roles)
{
	const struct doc_caller *who = w->o->who;

	*roles = NULL;
	if ((!c->enabled || !c->database_enabled) && !who->bypass)
		return false;
	if (doc_granted(w->o, &c->perms.read))
		return true;
	*roles = pg_array(w->cx->arena, who->roles->v, who->roles->n);
	return c->document_security;
}

static err_t
read_pick(struct related *w, struct pick *p, const char *seqs)
{
	const struct relation *r = p->a->rel;
	const char *mine = r->child ? "child" : "parent", *other = r->child ? "parent" : "child", *roles, *bound = "", *sql;
	const char *v[2] = {seqs};
	struct ctx *cx = w->cx;
	long long rows = w->rows;
	err_t e;

	if (!readable_by(w, p->c, &roles))
		return OK;
	v[1] = roles;
	if (w->rows > conf.list_bytes_max / p->c->width_max)
		bound = arena_printf(cx->arena, ", 1 / (sum(%s) OVER () <= %lld)::int", p->c->width, (long long)conf.list_bytes_max);
	/* No more links are looked at than there may be: whoever has more is refused before anything is joined or sorted, and the root of what is missing
	 * is no number. */
	sql = arena_printf(cx->arena, "WITH l AS MATERIALIZED (SELECT %s, %s FROM %s.r_%lld WHERE %s = ANY ($1::bigint[]) LIMIT %lld) SELECT %s, l.%s%s FROM l JOIN %s ON _seq = l.%s "
	    "WHERE sqrt(%lld - (SELECT count(*) FROM l)) >= 0%s ORDER BY l.%s, _seq",
	    mine, other, w->o->p->schema, (long long)r->number, mine, rows + 1, p->c->columns, mine, bound, p->c->table, other, rows,
	    roles ? " AND _read && $2::text[]" : "", mine);
	e = db_query(cx, &p->r, sql, roles ? 2 : 1, v);
	if (e == ERR_DB_DATA && strcmp(db_sqlstate(cx), "22012") == 0)	/* the bound's division */
		return too_many(cx, "bytes of related documents", conf.list_bytes_max);
	if (e == ERR_DB_DATA && strcmp(db_sqlstate(cx), "2201F") == 0)
		return too_many(cx, "related documents", conf.relation_rows_max);
	TRY(e);
	w->rows -= db_rows(p->r);
	return budget_hold(cx, db_bytes(p->r));
}

static err_t
read_picks(struct related *w, struct pick *v, int n, const char *seqs)
{
	for (int i = 0; i < n; i++) {
		const char **own;

		TRY(read_pick(w, &v[i], seqs));
		if (v[i].r == NULL || db_rows(v[i].r) == 0 || v[i].n_sub == 0)
			continue;
		own = arena_array(w->cx->arena, const char *, db_rows(v[i].r));
		for (int k = 0; k < db_rows(v[i].r); k++)
			own[k] = db_cstr(v[i].r, k, DOC_SEQ);
		TRY(read_picks(w, v[i].sub, v[i].n_sub, pg_array(w->cx->arena, own, db_rows(v[i].r))));
	}
	return OK;
}

/* ---- writing ---- */

/* The first row that is related to this one. */
static int
related_first(const struct db_res *r, int col, int64_t seq)
{
	int low = 0, high = r ? db_rows(r) : 0;

	while (low < high) {
		int mid = (low + high) / 2;

		if (db_i64(r, mid, col) < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static err_t related_members(struct related *w, const struct pick *v, int n, int64_t seq, struct buf *b);

/* A document that many lead to is read once and written often. */
static err_t
related_grown(struct related *w, size_t all, size_t own)
{
	w->bytes -= (int64_t)own;
	w->due += all;
	if (w->bytes < 0)
		return too_many(w->cx, "bytes of related documents", conf.list_bytes_max);
	if (w->due < HELD_AT_ONCE)
		return OK;
	TRY(budget_hold(w->cx, w->due));
	w->due = 0;
	return w->cx->within == NULL ? fib_yield(w->cx) : OK;	/* what is locked waits for nobody */
}

static err_t
write_one(struct related *w, const struct pick *p, int row, struct buf *b)
{
	struct doc_head head = doc_head_of(w->cx, p->r, row);
	size_t before = b->n;
	struct buf more;

	if (--w->written < 0)
		return too_many(w->cx, "related documents", conf.relation_rows_max);
	buf_init(&more, w->cx->arena, 64);
	TRY(related_members(w, p->sub, p->n_sub, db_i64(p->r, row, DOC_SEQ), &more));
	doc_head_reply(w->cx, &head);
	head.more = buf_view(&more);
	(void)doc_write_row(b, p->c, &head, p->r, row, NULL, p->fields);
	return related_grown(w, b->n - before, b->n - before - more.n);
}

static err_t
write_pick(struct related *w, const struct pick *p, int64_t seq, struct buf *b)
{
	int col = DOC_ATTRS + p->c->n_live, row = related_first(p->r, col, seq);
	bool many = relation_many(p->a->rel), any = false;

	buf_str(b, p->a->json_key);
	if (many)
		buf_ch(b, '[');
	for (; p->r != NULL && row < db_rows(p->r) && db_i64(p->r, row, col) == seq && (many || !any); row++) {
		if (any)
			buf_ch(b, ',');
		TRY(write_one(w, p, row, b));
		any = true;
	}
	buf_c(b, many ? "]," : any ? "," : "null,");
	return OK;
}

static err_t
related_members(struct related *w, const struct pick *v, int n, int64_t seq, struct buf *b)
{
	for (int i = 0; i < n; i++)
		TRY(write_pick(w, &v[i], seq, b));
	return OK;
}

/* ---- ids of what is not shown ---- */

static bool
is_picked(const struct pick *v, int n, const struct attribute *a)
{
	for (int i = 0; i < n; i++)
		if (v[i].a == a)
			return true;
	return false;
}

/* Of those with one other at most, all by one statement: the relationship's place, the row's number, the id. */
static err_t
read_ids(struct related *w, const struct collection *c, const struct pick *v, int n, const char *seqs, struct db_res **out)
{
	struct ctx *cx = w->cx;
	struct buf b;

	*out = NULL;
	buf_init(&b, cx->arena, 256);
	for (int i = 0; i < c->n_rels; i++) {
		const struct relation *r = c->rels[i]->rel;
		const char *mine = r->child ? "child" : "parent", *other = r->child ? "parent" : "child";

		if (relation_many(r) || is_picked(v, n, c->rels[i]))
			continue;
		buf_printf(&b, "%sSELECT %d AS n, l.%s AS mine, _id FROM %s.r_%lld AS l JOIN %s.c_%lld ON _seq = l.%s WHERE l.%s = ANY ($1::bigint[])",
		    b.n ? " UNION ALL " : "", i, mine, w->o->p->schema, (long long)r->number, w->o->p->schema, (long long)r->related, other, mine);
	}
	if (b.n == 0)
		return OK;
	buf_c(&b, " ORDER BY mine, n");
	buf_ch(&b, '\0');
	return db_query(cx, out, b.p, DB(seqs));
}

static void
write_ids(const struct collection *c, const struct pick *v, int n, const struct db_res *ids, int64_t seq, struct buf *b)
{
	int row = related_first(ids, 1, seq);

	for (int i = 0; ids != NULL && i < c->n_rels; i++) {
		bool there = row < db_rows(ids) && db_i64(ids, row, 1) == seq && db_i64(ids, row, 0) == i;

		if (relation_many(c->rels[i]->rel) || is_picked(v, n, c->rels[i]))
			continue;
		buf_str(b, c->rels[i]->json_key);
		if (there)
			json_escape(b, db_str(ids, row++, 2));
		else
			buf_c(b, "null");
		buf_ch(b, ',');
	}
}

/* ---- what may be asked of them ---- */

static bool
asked_of(struct related *w, const char *path)
{
	const char *begin = arena_printf(w->cx->arena, "\"%s.", path);

	for (int i = 0; i < w->o->queries->n; i++)
		if (strstr(w->o->queries->v[i], begin) != NULL)
			return true;
	return false;
}

/* The words of a text that a full-text index has alone. */
static const char *
related_words(const struct collection *c, const char *key)
{
	for (int i = 0; i < c->n_indexes; i++) {
		const struct query_index *x = &c->query_indexes[i];

		if (x->words != NULL && x->attributes.n == 1 && strcmp(x->attributes.v[0], key) == 0)
			return x->words;
	}
	return NULL;
}

static struct query_attr
asked_attr(struct related *w, const char *path, const struct query_via *via, const struct query_attr *of)
{
	struct query_attr at = *of;

	at.key = arena_printf(w->cx->arena, "%s.%s", path, of->key);
	at.via = via;
	at.hashes = NULL;
	return at;
}

/* Each attribute of the other collection, and its columns of the system, under "<path>.". */
static void
ask_attrs(struct related *w, const struct collection *other, const char *path, const struct query_via *via, struct query_list *l)
{
	static const struct query_attr system[] = {{.key = "$id", .column = "lower(_id)", .type = ATTR_STRING, .lower = true},
	    {.key = "$sequence", .column = "_seq", .type = ATTR_INTEGER, .digits = true}};
	const int n_system = (int)(sizeof system / sizeof *system);
	struct query_attr *v = arena_array(w->cx->arena, struct query_attr, l->n_attrs + other->n_query_attrs + n_system);

	memcpy(v, l->attrs, sizeof *v * (size_t)l->n_attrs);
	l->attrs = v;
	for (int i = 0; i < other->n_query_attrs; i++) {
		const struct query_attr *of = &other->query_attrs[i];

		if (of->via != NULL)
			continue;
		v[l->n_attrs] = asked_attr(w, path, via, of);
		v[l->n_attrs++].words = related_words(other, of->key);
	}
	for (int i = 0; i < n_system; i++)
		v[l->n_attrs++] = asked_attr(w, path, via, &system[i]);
}

/* The relationship at the end of the path, and those behind it, where the queries name them. */
static err_t
ask_more(struct related *w, const struct collection *c, const struct attribute *a, const char *path, const struct query_via *of, int hop, struct query_list *l)
{
	struct query_via *via;
	const struct collection *other;

	if (!asked_of(w, path))
		return OK;
	via = arena_new_of(w->cx->arena, struct query_via);
	TRY(collection_get(w->cx, w->o->p, c->database_id, a->rel->related_id, &other));
	*via = (struct query_via){.begin = collection_via(w->cx->arena, w->o->p->schema, a->rel), .table = other->table, .of = of};
	via->none = !readable_by(w, other, &via->roles);
	ask_attrs(w, other, path, via, l);
	for (int i = 0; i < other->n_rels && hop < HOPS; i++)
		if (!back(other->rels[i], a->rel))
			TRY(ask_more(w, other, other->rels[i], arena_printf(w->cx->arena, "%s.%s", path, other->rels[i]->key), via, hop + 1, l));
	return OK;
}

err_t
doc_related_asked(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct query_list *l)
{
	struct related w = {.cx = cx, .o = o};

	for (int i = 0; i < c->n_rels && o->queries != NULL; i++)
		TRY(ask_more(&w, c, c->rels[i], c->rels[i]->key, NULL, 1, l));
	return OK;
}

/* ---- the doors ---- */

static err_t
relate(struct related *w, const struct collection *c, struct pick *v, int n, bool ids, const int64_t *seqs, int rows, const struct str **out)
{
	struct str *more = arena_array(w->cx->arena, struct str, rows + 1);
	const char **texts = arena_array(w->cx->arena, const char *, rows + 1), *list;
	struct db_res *of_ids = NULL;

	for (int i = 0; i < rows; i++)
		texts[i] = pg_i64(w->cx->arena, seqs[i]);
	list = pg_array(w->cx->arena, texts, rows);
	if (ids)
		TRY(read_ids(w, c, v, n, list, &of_ids));
	TRY(read_picks(w, v, n, list));
	for (int i = 0; i < rows; i++) {
		struct buf b;

		buf_init(&b, w->cx->arena, 128);
		write_ids(c, v, n, of_ids, seqs[i], &b);
		TRY(related_members(w, v, n, seqs[i], &b));
		more[i] = buf_view(&b);
		if (n > 0 && i % TURN_ROWS == TURN_ROWS - 1 && w->cx->within == NULL)
			TRY(fib_yield(w->cx));
	}
	*out = more;
	return OK;
}

static struct related
related_begin(struct ctx *cx, const struct doc_op *o)
{
	return (struct related){.cx = cx, .o = o, .rows = conf.relation_rows_max, .written = conf.relation_rows_max, .bytes = conf.list_bytes_max};
}

/* All of them, unasked, and so nobody can be told to ask for less: fewer levels, and at last ids, where it would be too much. */
static err_t
related_unasked(struct ctx *cx, const struct doc_op *o, const struct collection *c, const int64_t *seqs, int rows, const struct str **out)
{
	err_t e = OK;

	for (int hop = 1; hop <= HOPS + 1; hop++) {
		struct related w = related_begin(cx, o);
		struct pick *v = arena_array(cx->arena, struct pick, c->n_rels + 1);
		int n = 0;

		if (hop <= HOPS)
			TRY(pick_all(&w, c, NULL, hop, v, &n));
		e = relate(&w, c, v, n, true, seqs, rows, out);
		if (e != ERR_GENERAL_QUERY_LIMIT_EXCEEDED || cx->within != NULL)
			return e;
		cx->message = NULL;
	}
	return e;
}

err_t
doc_related(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct strs *select, const int64_t *seqs, int n, const struct str **out)
{
	bool star = !select->set || is_selected(select, "*"), old = cx->words == NULL && cx->format > 0 && cx->format < ALL_BEFORE;
	struct related w = related_begin(cx, o);
	struct pick *v;
	int picks = 0;

	*out = NULL;
	if (c->n_rels == 0 || n == 0)
		return OK;
	v = arena_array(cx->arena, struct pick, c->n_rels + 1);
	if (old && star)
		return related_unasked(cx, o, c, seqs, n, out);
	for (int i = 0; i < select->n; i++)
		TRY(pick_path(&w, c, str_c(select->v[i]), NULL, 1, v, &picks));
	return relate(&w, c, v, picks, star || !doc_select_own(c, select), seqs, n, out);
}

static err_t
related_reply(struct ctx *cx, const struct doc_op *o, struct str *more_out)
{
	struct related w = related_begin(cx, o);
	const struct collection *c;
	const struct str *more;
	struct pick *v;
	int n = 0;

	*more_out = STR_NONE;
	TRY(collection_get(cx, o->p, o->db, o->col, &c));
	if (c->n_rels == 0)
		return OK;
	v = arena_array(cx->arena, struct pick, c->n_rels + 1);
	TRY(pick_all(&w, c, NULL, 1, v, &n));
	TRY(relate(&w, c, v, n, false, &o->linking->seq, 1, &more));
	*more_out = more[0];
	return OK;
}

/* The write is done: what goes wrong now must not make it look undone. */
void
doc_related_reply(struct ctx *cx, const struct doc_op *o)
{
	struct str more;
	struct buf b;
	err_t e;

	if (o->linking == NULL)
		return;
	doc_made(o, o->linking->made);
	if (o->linking->seq == 0)
		return;
	e = related_reply(cx, o, &more);
	for (int i = 0; i < DOC_STALE_MAX && doc_stale(cx, e); i++) {
		doc_forget(cx, o->p, o->db, o->col);
		e = related_reply(cx, o, &more);
	}
	if (e != OK)
		log_warn(cx, "related documents are left out of a reply", "error=%s detail=%s", err_info(e)->name, cx->detail ? cx->detail : "");
	cx->message = NULL;
	if (e != OK || more.n == 0)
		return;
	buf_init(&b, cx->arena, o->out->n + more.n);
	buf_ch(&b, '{');
	buf_str(&b, more);
	buf_str(&b, (struct str){o->out->p + 1, o->out->n - 1});
	*o->out = buf_view(&b);
}
