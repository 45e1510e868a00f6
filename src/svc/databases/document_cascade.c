/* What the deletion of a document does to those that are related to it: it may not be deleted, they go with it, or they lose it.
 *
 * A document that is about to be deleted is locked against new links first; then its links are looked at and taken away. What goes with it is done
 * the same way, one collection after the other, until nothing is left to do. */
#include "document_priv.h"

#include "core/conf.h"

enum {
	REACH_MAX = 100,
};

struct doc_reach {
	int n;
	const struct collection *v[REACH_MAX];
};

/* How one collection is related to another; the attribute may be the other's. */
struct tie {
	const struct relation *rel;
};

static int
ties_of(struct ctx *cx, const struct collection *c, struct tie **out)
{
	int n = 0;

	*out = arena_array(cx->arena, struct tie, c->n_rels + c->n_incoming + 1);
	for (int i = 0; i < c->n_rels; i++)
		(*out)[n++].rel = c->rels[i]->rel;
	for (int i = 0; i < c->n_incoming; i++)
		(*out)[n++].rel = &c->incoming[i];
	return n;
}

/* The parent's end matters, but where many have one: that one's. */
static bool
matters(const struct relation *r)
{
	return r->kind == MANY_TO_ONE ? r->child : !r->child;
}

/* ---- where it may come to ---- */

static const struct collection *
reached(const struct doc_reach *reach, int64_t internal)
{
	for (int i = 0; i < reach->n; i++)
		if (reach->v[i]->internal == internal)
			return reach->v[i];
	return NULL;
}

err_t
doc_reach(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct doc_reach **out)
{
	struct doc_reach *reach;

	*out = NULL;
	if (c->n_rels + c->n_incoming == 0)
		return OK;
	reach = arena_new_of(cx->arena, struct doc_reach);
	reach->v[reach->n++] = c;
	for (int i = 0; i < reach->n; i++) {
		struct tie *ties;
		int n = ties_of(cx, reach->v[i], &ties);

		for (int k = 0; k < n; k++) {
			if (!matters(ties[k].rel) || ties[k].rel->end != END_CASCADE || reached(reach, ties[k].rel->related) != NULL)
				continue;
			if (reach->n == REACH_MAX)
				return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "A deletion reaches at most %d collections.", REACH_MAX);
			TRY(collection_get(cx, o->p, c->database_id, ties[k].rel->related_id, &reach->v[reach->n]));
			reach->n++;
		}
	}
	*out = reach;
	return OK;
}

/* ---- the work ---- */

struct doomed {			/* documents that are locked, and go */
	struct doomed *next;
	const struct collection *c;
	const char *seqs;	/* bigint[] */
};
struct cascade {
	const struct doc_op *o;
	struct db_tx *tx;
	const struct doc_reach *reach;
	struct doomed *last;	/* of the queue */
	int64_t left;		/* documents that may still go */
	int64_t links;		/* links that may still be taken away */
};

/* Nothing is looked at or locked for them before it is known how many they are. */
static err_t
count_links(struct ctx *cx, struct cascade *k, const struct doomed *d, const char *links, const char *mine)
{
	struct db_res *r;

	TRY(tx_query(k->tx, &r, arena_printf(cx->arena, "SELECT count(*) FROM (SELECT FROM %s WHERE %s = ANY ($1::bigint[]) LIMIT %lld) AS l", links, mine,
	    (long long)k->links + 1), DB(d->seqs)));
	if ((k->links -= db_i64(r, 0, 0)) < 0)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "With the document more than %lld links to others would go: unlink some of them first.",
		    (long long)conf.relation_rows_max * DOC_LINKS_EACH);
	return OK;
}

static err_t
refuse_related(struct ctx *cx, const struct cascade *k, const struct doomed *d, const struct relation *r, const char *links, const char *mine, const char *other)
{
	struct db_res *res;

	/* a document that is related to itself is no reason to stay, nor is a link to one that is gone */
	TRY(tx_query(k->tx, &res, arena_printf(cx->arena, "SELECT EXISTS (SELECT 1 FROM %s JOIN %s.c_%lld ON _seq = %s WHERE %s = ANY ($1::bigint[])%s)", links,
	    k->o->p->schema, (long long)r->related, other, mine, r->related == d->c->internal ? arena_printf(cx->arena, " AND NOT (%s = ANY ($1::bigint[]))", other) : ""), DB(d->seqs)));
	return db_bool(res, 0, 0) ? fail(cx, ERR_DOCUMENT_DELETE_RESTRICTED, "relation=%lld", (long long)r->number) : OK;
}

static err_t
doom_related(struct ctx *cx, struct cascade *k, const struct doomed *d, const struct collection *c, const char *links, const char *mine, const char *other)
{
	struct doomed *more = arena_new_of(cx->arena, struct doomed);
	const char **seqs;
	struct db_res *r;

	TRY(tx_query(k->tx, &r, arena_printf(cx->arena, "SELECT _seq, _perms FROM %s WHERE _seq IN (SELECT %s FROM %s WHERE %s = ANY ($1::bigint[])) ORDER BY _seq "
	    "LIMIT %lld FOR UPDATE", c->table, other, links, mine, (long long)k->left + 1), DB(d->seqs)));
	if ((k->left -= db_rows(r)) < 0)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "With the document more than %lld related ones would go: delete some of them first.",
		    (long long)conf.relation_rows_max);
	if (db_rows(r) == 0)
		return OK;
	if (!c->enabled && !k->o->who->see_disabled)
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s switched off", c->id);
	seqs = arena_array(cx->arena, const char *, db_rows(r));
	for (int i = 0; i < db_rows(r); i++) {
		struct strs perms = db_strs(cx, r, i, 1);

		if (!doc_holds_verb(cx, k->o, c, &c->perms.del, &perms, STR("delete")))
			return doc_unauthorized(cx, "a related document is not the caller's to delete");
		seqs[i] = db_cstr(r, i, 0);
	}
	*more = (struct doomed){.c = c, .seqs = pg_array(cx->arena, seqs, db_rows(r))};
	k->last->next = more;
	k->last = more;
	return OK;
}

static err_t
untie(struct ctx *cx, struct cascade *k, const struct doomed *d, const struct relation *r)
{
	const char *links = arena_printf(cx->arena, "%s.r_%lld", k->o->p->schema, (long long)r->number);
	const char *mine = r->child ? "child" : "parent", *other = r->child ? "parent" : "child";
	const struct collection *c = reached(k->reach, r->related);

	TRY(count_links(cx, k, d, links, mine));
	if (matters(r) && r->end == END_RESTRICT)
		TRY(refuse_related(cx, k, d, r, links, mine, other));
	if (matters(r) && r->end == END_CASCADE && c != NULL)
		TRY(doom_related(cx, k, d, c, links, mine, other));
	tx_add(k->tx, arena_printf(cx->arena, "DELETE FROM %s WHERE %s = ANY ($1::bigint[])", links, mine), DB(d->seqs));
	return OK;
}

err_t
doc_cascade(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_reach *reach, const char *seq)
{
	struct doomed top = {.c = c, .seqs = pg_array(cx->arena, &seq, 1)};
	struct cascade k = {.o = o, .tx = tx, .reach = reach, .last = &top, .left = o->related ? *o->related : conf.relation_rows_max,
	    .links = o->links ? *o->links : conf.relation_rows_max * DOC_LINKS_EACH};

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s WHERE _seq = $1::bigint FOR UPDATE", c->table), DB(seq));
	for (const struct doomed *d = &top; d != NULL; d = d->next) {
		struct tie *ties;
		int n = ties_of(cx, d->c, &ties);

		if (d != &top)	/* first: nobody comes to them by another way */
			tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s WHERE _seq = ANY ($1::bigint[])", d->c->table), DB(d->seqs));
		for (int i = 0; i < n; i++)
			TRY(untie(cx, &k, d, ties[i].rel));
	}
	if (o->related != NULL)
		*o->related = k.left;
	if (o->links != NULL)
		*o->links = k.links;
	return OK;
}
