/* Relationships: an attribute without a column, on one side or on both, and a table of links.
 *
 * A link is a pair of creation numbers, so that it costs the same whichever kind it is of, and a document's row is not touched by what others do with
 * it. How many links a document may have is what the table's keys say. Making and ending one holds the rows of both collections, the older first. */
#include "svc/databases/collection.h"

#include "core/vtime.h"
#include "schema_priv.h"

const char *const relation_kinds[] = {"oneToOne", "oneToMany", "manyToOne", "manyToMany", NULL};
const char *const relation_ends[] = {"restrict", "cascade", "setNull", NULL};

int
relation_name(const char *const *names, const char *name)
{
	for (int i = 0; names[i] != NULL; i++)
		if (name != NULL && strcmp(names[i], name) == 0)
			return i;
	return 0;
}

bool
relation_many(const struct relation *r)
{
	return r->kind == MANY_TO_MANY || r->kind == (r->child ? MANY_TO_ONE : ONE_TO_MANY);
}

bool
relation_shared(const struct relation *r)
{
	return r->kind == MANY_TO_MANY || r->kind == (r->child ? ONE_TO_MANY : MANY_TO_ONE);
}

/* ---- both collections ---- */

struct pair {			/* locked: the one that was asked for, and the other; they may be the same */
	struct collection *c, *other;
};

static err_t
lock_pair(struct db_tx *tx, const struct project *p, const struct collection *c, const struct collection *other, struct pair *out)
{
	if (c->internal == other->internal) {
		TRY(schema_lock(tx, p, c, SCHEMA_WAIT_NOW, &out->c));
		out->other = out->c;
		return OK;
	}
	if (c->internal < other->internal)
		TRY(schema_lock(tx, p, c, SCHEMA_WAIT_NOW, &out->c));
	TRY(schema_lock(tx, p, other, SCHEMA_WAIT_NOW, &out->other));
	if (c->internal > other->internal)
		TRY(schema_lock(tx, p, c, SCHEMA_WAIT_NOW, &out->c));
	return OK;
}

/* Of one side; the other collection's cache knows of the relationship, too. */
static void
relation_tell(struct db_tx *tx, const struct event_info *kind, const struct project *p, const char *actor, const struct collection *c, const struct attribute *a,
    const char *status, const struct collection *other)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev = collection_event(cx, kind, p, actor, c, a->key, attribute_payload(cx, a, status));

	if (status != NULL && strcmp(status, "available") == 0)
		ev.flags = EVENT_DONE;
	ev.stale[1] = collection_stale_key(cx, p->id, other->database_id, other->id);
	event_emit(tx, &ev);
}

/* The other side's attribute of a relationship; NULL: it is one-way. */
static const struct attribute *
partner_of(const struct collection *other, const struct attribute *a)
{
	for (int i = 0; i < other->n_attrs; i++) {
		const struct relation *r = other->attrs[i].rel;

		if (r != NULL && r->number == a->rel->number && r->child != a->rel->child)
			return &other->attrs[i];
	}
	return NULL;
}

/* ---- create ---- */

static err_t
check_free(struct ctx *cx, const struct pair *pr, const struct relation_in *in, const struct attribute *a, const struct attribute *b)
{
	TRY(attribute_check_new(cx, pr->c, a));
	for (int i = 0; i < pr->c->n_attrs; i++) {
		const struct relation *r = pr->c->attrs[i].rel;

		if (r == NULL || r->related != pr->other->internal)
			continue;
		if (str_ieq(str_c(r->two_way_key), str_c(a->rel->two_way_key)) || (in->kind == MANY_TO_MANY && r->kind == MANY_TO_MANY))
			return fail(cx, ERR_ATTRIBUTE_ALREADY_EXISTS, "key=%s relation=%s", a->key, pr->c->attrs[i].key);
	}
	if (!in->two_way)
		return OK;
	if (pr->c == pr->other && str_ieq(str_c(a->key), str_c(b->key)))
		return fail(cx, ERR_ATTRIBUTE_ALREADY_EXISTS, "key=%s", b->key);
	if (pr->c == pr->other)
		TRY(attribute_check_width(cx, collection_width(pr->c) + attribute_width(a) + attribute_width(b)));
	return attribute_check_new(cx, pr->other, b);
}

static void
insert_side(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;
	const struct relation *r = a->rel;

	attribute_insert(tx, p, c, a);
	tx_add(tx, arena_printf(mem, "UPDATE %s.attributes SET relation = $2::bigint, related = $3::bigint, relation_type = $4, two_way = $5::boolean, "
	    "two_way_key = $6, on_delete = $7, side = $8 WHERE internal = $1::bigint", p->schema), DB(pg_i64(mem, a->internal), pg_i64(mem, r->number),
	    pg_i64(mem, r->related), relation_kinds[r->kind], pg_bool(r->two_way), r->two_way_key, relation_ends[r->end], r->child ? "child" : "parent"));
}

/* Keys say how many there may be of each side; whoever is looked up by has an index. */
static void
create_links(struct db_tx *tx, const struct project *p, const struct relation *r)
{
	static const char *const keys[] = {
		[ONE_TO_ONE] = "PRIMARY KEY (parent), UNIQUE (child)",
		[ONE_TO_MANY] = "PRIMARY KEY (child)",
		[MANY_TO_ONE] = "PRIMARY KEY (parent)",
		[MANY_TO_MANY] = "PRIMARY KEY (parent, child)",
	};
	static const char *const more[] = {[ONE_TO_ONE] = NULL, [ONE_TO_MANY] = "parent", [MANY_TO_ONE] = "child", [MANY_TO_MANY] = "child"};
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "CREATE TABLE %s.r_%lld (parent bigint NOT NULL, child bigint NOT NULL, %s)", p->schema, (long long)r->number,
	    keys[r->kind]), DB0);
	if (more[r->kind] != NULL)
		tx_add(tx, arena_printf(mem, "CREATE INDEX ON %s.r_%lld (%s)", p->schema, (long long)r->number, more[r->kind]), DB0);
}

static err_t
relation_create_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *c, const struct collection *other,
    const struct relation_in *in, struct str *json_out)
{
	struct relation parent = {.kind = in->kind, .end = in->end, .two_way = in->two_way, .related = other->internal, .related_id = other->id}, child = parent;
	struct attribute a = attribute_of(&(struct attribute_in){.kind = KIND_RELATIONSHIP}), b = a;
	struct ctx *cx = tx_ctx(tx);
	int64_t numbers[2];
	struct pair pr;

	TRY(lock_pair(tx, p, c, other, &pr));
	a.key = in->key ? in->key : other->id;
	b.key = in->two_way_key ? in->two_way_key : c->id;
	parent.two_way_key = b.key;
	child.two_way_key = a.key;
	child.child = true;
	child.related = c->internal;
	child.related_id = c->id;
	a.rel = &parent;
	b.rel = &child;
	TRY(check_free(cx, &pr, in, &a, &b));
	TRY(schema_numbers(tx, p, "attributes", 2, numbers));
	attribute_set_number(cx->arena, &a, numbers[0]);
	attribute_set_number(cx->arena, &b, numbers[1]);
	parent.number = child.number = a.internal;
	create_links(tx, p, &parent);
	insert_side(tx, p, c, &a);
	relation_tell(tx, &ev_attribute_create, p, actor, c, &a, "processing", other);
	if (in->two_way) {
		insert_side(tx, p, other, &b);
		relation_tell(tx, &ev_attribute_create, p, actor, other, &b, "processing", c);
		relation_tell(tx, &ev_attribute_update, p, actor, other, &b, "available", c);
	}
	relation_tell(tx, &ev_attribute_update, p, actor, c, &a, "available", other);
	*json_out = attribute_json(cx, &a, "processing");
	return OK;
}

err_t
relation_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const struct relation_in *in,
    struct str *json_out)
{
	const struct collection *c, *other;

	TRY(collection_get(cx, p, db, col, &c));
	TRY(collection_get(cx, p, db, in->related, &other));
	return TX_RUN(cx, tx, relation_create_tx(tx, p, actor, c, other, in, json_out));
}

/* ---- change ---- */

static void
set_side(struct db_tx *tx, const struct project *p, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "UPDATE %s.attributes SET key = $2, two_way_key = $3, on_delete = $4, updated = $5::timestamptz WHERE internal = "
	    "$1::bigint", p->schema), DB(pg_i64(mem, a->internal), a->key, a->rel->two_way_key, relation_ends[a->rel->end], pg_time(mem, a->updated)));
}

/* What one side becomes. */
static struct attribute
changed_side(struct ctx *cx, const struct attribute *a, const enum relation_end *end, const char *key, const char *two_way_key)
{
	struct relation *r = arena_new_of(cx->arena, struct relation);
	struct attribute to = *a;

	*r = *a->rel;
	r->end = end ? *end : r->end;
	r->two_way_key = two_way_key ? two_way_key : r->two_way_key;
	to.key = key ? key : a->key;
	to.rel = r;
	to.updated = time_now_ms();
	return to;
}

static err_t
relation_update_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *c, const struct collection *other, const char *key,
    const enum relation_end *end, const char *new_key, struct str *json_out)
{
	const struct attribute *found, *taken, *partner;
	struct ctx *cx = tx_ctx(tx);
	struct attribute to, of;
	struct pair pr;

	TRY(lock_pair(tx, p, c, other, &pr));
	TRY(attribute_find(cx, pr.c, key, &found));
	if (found->rel == NULL || found->rel->related != other->internal)
		return fail(cx, ERR_BUSY, "%s was made anew", key);
	taken = new_key ? attribute_lookup(pr.c, new_key) : NULL;
	if (taken != NULL && taken != found)
		return fail(cx, ERR_ATTRIBUTE_ALREADY_EXISTS, "key=%s", new_key);
	to = changed_side(cx, found, end, new_key, NULL);
	set_side(tx, p, &to);
	relation_tell(tx, &ev_attribute_update, p, actor, c, &to, NULL, other);
	partner = partner_of(pr.other, found);
	if (partner != NULL) {
		of = changed_side(cx, partner, end, NULL, to.key);
		set_side(tx, p, &of);
		relation_tell(tx, &ev_attribute_update, p, actor, other, &of, NULL, c);
	}
	*json_out = attribute_json(cx, &to, NULL);
	return OK;
}

/* The relationship with this key, and the collection on its other side. */
static err_t
find_relation(struct ctx *cx, const struct project *p, const struct collection *c, const char *key, const struct collection **other_out)
{
	const struct attribute *a;

	TRY(attribute_find(cx, c, key, &a));
	if (a->rel == NULL)
		return fail(cx, ERR_ATTRIBUTE_TYPE_INVALID, "key=%s", key);
	return collection_get(cx, p, c->database_id, a->rel->related_id, other_out);
}

err_t
relation_update(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key,
    const enum relation_end *end, const char *new_key, struct str *json_out)
{
	const struct collection *c, *other;

	TRY(collection_get(cx, p, db, col, &c));
	TRY(find_relation(cx, p, c, key, &other));
	return TX_RUN(cx, tx, relation_update_tx(tx, p, actor, c, other, key, end, new_key, json_out));
}

/* ---- the end ---- */

static void
delete_side(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *c, const struct attribute *a, const struct collection *other)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "DELETE FROM %s.attributes WHERE internal = $1::bigint", p->schema), DB(pg_i64(mem, a->internal)));
	relation_tell(tx, &ev_attribute_delete, p, actor, c, a, NULL, other);
}

/* The links are out of reach at once, and dropped in the background. */
static err_t
relation_delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *c, const struct collection *other, const char *key)
{
	const struct attribute *a, *partner;
	struct ctx *cx = tx_ctx(tx);
	struct pair pr;

	TRY(lock_pair(tx, p, c, other, &pr));
	TRY(attribute_find(cx, pr.c, key, &a));
	if (a->rel == NULL || a->rel->related != other->internal)
		return fail(cx, ERR_BUSY, "%s was made anew", key);
	partner = partner_of(pr.other, a);
	delete_side(tx, p, actor, c, a, other);
	if (partner != NULL)
		delete_side(tx, p, actor, other, partner, c);
	schema_job(tx, p, NULL);
	return OK;
}

err_t
relation_delete(struct ctx *cx, const struct project *p, const char *actor, const struct collection *c, const char *key)
{
	const struct collection *other;

	TRY(find_relation(cx, p, c, key, &other));
	return TX_RUN(cx, tx, relation_delete_tx(tx, p, actor, c, other, key));
}

err_t
relation_orphan(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *c)
{
	struct ctx *cx = tx_ctx(tx);
	const char *internal = pg_i64(cx->arena, c->internal);
	struct db_res *r;

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.collections WHERE internal = $1::bigint FOR UPDATE", p->schema), DB(internal));
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT %s FROM %s.collections WHERE internal <> $1::bigint AND (internal IN (SELECT collection FROM "
	    "%s.attributes WHERE related = $1::bigint) OR internal IN (SELECT related FROM %s.attributes WHERE collection = $1::bigint))",
	    collection_columns(cx, p->schema), p->schema, p->schema, p->schema), DB(internal)));
	for (int i = 0; i < db_rows(r); i++) {
		struct collection *other;

		TRY(collection_read(cx, r, i, 0, c->database, c->database_id, &other));
		defer(cx, collection_unref, other);
		tx_stale(tx, collection_stale_key(cx, p->id, other->database_id, other->id));
		for (int k = 0; k < other->n_attrs; k++)
			if (other->attrs[k].rel != NULL && other->attrs[k].rel->related == c->internal)
				delete_side(tx, p, actor, other, &other->attrs[k], c);
	}
	return OK;
}
