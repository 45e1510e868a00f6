/* Indexes of the API as indexes of PostgreSQL.
 *
 * Short values are indexed as they are, so that filters and orders find them. A B-tree entry holds at most 2,704 bytes: values that may be
 * longer are indexed by a hash for equality, and are unique by the digest of their folded text. */
#include "svc/databases/collection.h"

enum {
	ENTRY_MAX = 2600,	/* bytes of an entry that fit with what else it carries */
	KEY_BYTES_MAX = 3072,	/* of a composite key, as the contract counts */
	UNIQUE_SIZE_MAX = 16383,
	COLUMNS_MAX = 32,
	ID_BYTES = 4 * 36,
	WORDS_CHARS = 200000	/* a tsvector holds 1 MiB */
};

struct part {			/* one attribute of an index */
	const char *column;
	const struct attribute *attr;	/* NULL: of the system */
	bool id;
	bool desc;
	int64_t bytes;		/* as the contract counts */
	int64_t length;		/* characters that count; 0: all */
};

static const char *
text_piece(struct arena *a, const char *schema, const struct attribute *at)
{
	const char *text = at->array ? arena_printf(a, "%s.flat(%s)", schema, at->column) : at->column;

	return at->array || at->size > WORDS_CHARS ? arena_printf(a, "left(%s, %d)", text, WORDS_CHARS) : text;
}

const char *
index_words(struct arena *a, const char *schema, const struct collection *c, const struct strs *keys)
{
	struct buf b;

	if (keys->n == 1) {
		const struct attribute *at = collection_attribute(c, str_c(keys->v[0]));

		return at ? arena_printf(a, "%s.words(%s)", schema, text_piece(a, schema, at)) : NULL;
	}
	buf_init(&b, a, 256);
	buf_printf(&b, "%s.words(", schema);
	for (int i = 0; i < keys->n; i++) {
		const struct attribute *at = collection_attribute(c, str_c(keys->v[i]));

		if (at == NULL)
			return NULL;
		buf_printf(&b, "%scoalesce(%s COLLATE \"C\", '')", i ? " || ' ' || " : "", text_piece(a, schema, at));
	}
	buf_ch(&b, ')');
	return b.p;
}

/* ---- what the definition is made of ---- */

bool
index_descends(const struct index *x, int i)
{
	return i < x->orders.n && str_ieq(str_c(x->orders.v[i]), STR("desc"));
}

static bool
index_plan_read_part(struct ctx *cx, const struct collection *c, const struct index *x, int i, struct part *out, const char **why_out)
{
	const char *key = x->attributes.v[i];

	*out = (struct part){.desc = index_descends(x, i), .bytes = 9, .length = index_length(x, i)};
	for (int k = 0; k < i; k++) {
		if (strcmp(x->attributes.v[k], key) == 0) {
			*why_out = arena_printf(cx->arena, "the attribute \"%s\" is named twice", key);
			return false;
		}
	}
	if (strcmp(key, "$id") == 0) {
		out->id = true;
		out->column = "lower(_id)";
		out->bytes = ID_BYTES;
	} else if (strcmp(key, "$createdAt") == 0) {
		out->column = "_created";
	} else if (strcmp(key, "$updatedAt") == 0) {
		out->column = "_updated";
	} else {
		out->attr = collection_attribute(c, str_c(key));
		if (out->attr == NULL || !out->attr->available) {
			*why_out = arena_printf(cx->arena, "the attribute \"%s\" is gone", key);
			return false;
		}
		out->column = out->attr->column;
		if (out->attr->encrypt) {
			*why_out = arena_printf(cx->arena, "the values of \"%s\" are encrypted", key);
			return false;
		}
		if (out->attr->type == ATTR_STRING)
			out->bytes = attribute_bytes(out->attr);
	}
	return true;
}

static bool
read_parts(struct ctx *cx, const struct collection *c, const struct index *x, struct part *parts, const char **why_out)
{
	if (x->attributes.n == 0) {
		*why_out = "an index needs an attribute";
		return false;
	}
	if (x->attributes.n > COLUMNS_MAX) {
		*why_out = arena_printf(cx->arena, "an index has at most %d attributes", COLUMNS_MAX);
		return false;
	}
	for (int i = 0; i < x->attributes.n; i++)
		if (!index_plan_read_part(cx, c, x, i, &parts[i], why_out))
			return false;
	return true;
}

static bool
is_text(const struct part *p)
{
	return p->attr != NULL && (p->attr->type == ATTR_STRING || p->attr->array);
}

/* ---- SQL ---- */

/* A text whose equality is the value's, of bounded length. */
static const char *
digest(struct arena *a, const char *schema, const struct part *p)
{
	const char *text = p->attr && p->attr->array ? arena_printf(a, "%s.flat(%s)", schema, p->column) : p->column;

	if (p->length > 0)
		text = arena_printf(a, "left(%s, %lld)", text, (long long)p->length);
	return arena_printf(a, "md5(%s.fold(%s COLLATE \"C\"))", schema, text);
}

/* Elements that an entry of a GIN index might not hold are there by their hashes. */
const char *
index_hashes(struct arena *a, const char *schema, const struct attribute *at)
{
	bool fits = attribute_bytes(at) <= ENTRY_MAX;

	return at->array && !at->encrypt && at->type == ATTR_STRING && !fits ? arena_printf(a, "%s.hashes(%s)", schema, at->column) : NULL;
}

static void
put_sql(struct ctx *cx, struct index_plan *plan, const char *schema, const struct collection *c, const char *name, bool unique,
    const char *rest)
{
	plan->name[plan->n] = name;
	plan->sql[plan->n++] = arena_printf(cx->arena, "CREATE %sINDEX CONCURRENTLY IF NOT EXISTS %s ON %s.c_%lld %s", unique ? "UNIQUE " : "",
	    name, schema, (long long)c->internal, rest);
}

/* Longest values in a B-tree entry, in bytes; arrays have no bound. */
static int64_t
entry_bytes(const struct part *parts, int n)
{
	int64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += parts[i].attr && parts[i].attr->array ? ENTRY_MAX + 1 : parts[i].bytes;
	return sum;
}

/* Whether the values stand in the index as they are. Those that are unique by their first characters do not. */
static bool
is_plain(const struct part *parts, int n, bool unique)
{
	for (int i = 0; unique && i < n; i++)
		if (parts[i].length > 0)
			return false;
	return entry_bytes(parts, n) <= ENTRY_MAX;
}

static const char *
tree_columns(struct ctx *cx, const char *schema, const struct part *parts, int n, bool unique)
{
	bool fits = is_plain(parts, n, unique);
	struct buf b;

	buf_init(&b, cx->arena, 128);
	buf_ch(&b, '(');
	for (int i = 0; i < n; i++) {
		const struct part *p = &parts[i];
		bool by_digest = is_text(p) && !fits;

		buf_c(&b, i ? ", " : "");
		buf_c(&b, by_digest ? digest(cx->arena, schema, p) : p->column);
		if (!by_digest && p->attr != NULL)	/* the order of queries; columns of the system are never null */
			buf_c(&b, p->desc ? " DESC NULLS LAST" : " NULLS FIRST");
		else if (p->desc)
			buf_c(&b, " DESC");
	}
	/* the creation number breaks ties in every list */
	buf_c(&b, unique ? ")" : ", _seq)");
	return b.p;
}

/* Bytes of a composite key, as the contract counts: today four for each character and each value besides. */
static int64_t
counted(const struct part *p)
{
	if (p->length > 0)
		return 4 * p->length;
	return p->id || (p->attr && p->attr->type == ATTR_STRING) ? p->bytes : p->attr && p->attr->type == ATTR_FLOAT ? 8 : 4;
}

static bool
plan_tree(struct ctx *cx, const char *schema, const struct collection *c, const struct index *x, const struct part *parts,
    struct index_plan *plan, const char **why_out)
{
	const char *name = arena_printf(cx->arena, "i_%lld", (long long)x->internal);
	bool unique = strcmp(x->type, "unique") == 0, fits = is_plain(parts, x->attributes.n, unique);
	const struct part *one = x->attributes.n == 1 ? parts : NULL;
	const char *hashes = one != NULL && one->attr != NULL ? index_hashes(cx->arena, schema, one->attr) : NULL;
	int64_t bytes = 0;

	for (int i = 0; i < x->attributes.n; i++) {
		bytes += counted(&parts[i]);
		if (unique && parts[i].length == 0 && parts[i].attr && parts[i].attr->type == ATTR_STRING && parts[i].attr->size > UNIQUE_SIZE_MAX) {
			*why_out = arena_printf(cx->arena, "the attribute \"%s\" is too large to be unique", x->attributes.v[i]);
			return false;
		}
	}
	if (!unique && one == NULL && bytes > KEY_BYTES_MAX) {
		*why_out = arena_printf(cx->arena, "the attributes take %lld bytes, an index holds %d", (long long)bytes, KEY_BYTES_MAX);
		return false;
	}
	if (one != NULL && (one->id || (one->attr == NULL && !unique)))
		return true;
	if (unique || one == NULL || fits)
		put_sql(cx, plan, schema, c, name, unique, tree_columns(cx, schema, parts, x->attributes.n, unique));
	if (one != NULL && !fits && one->attr->array)	/* serves contains */
		put_sql(cx, plan, schema, c, unique ? arena_printf(cx->arena, "%s_h", name) : name, false,
		    arena_printf(cx->arena, "USING gin (%s)", hashes ? hashes : one->column));
	else if (one != NULL && !fits)			/* serves equality */
		put_sql(cx, plan, schema, c, unique ? arena_printf(cx->arena, "%s_h", name) : name, false,
		    arena_printf(cx->arena, "USING hash (%s)", one->column));
	return true;
}

static bool
plan_words(struct ctx *cx, const char *schema, const struct collection *c, const struct index *x, const struct part *parts,
    struct index_plan *plan, const char **why_out)
{
	for (int i = 0; i < x->attributes.n; i++) {
		if (!is_text(&parts[i])) {
			*why_out = arena_printf(cx->arena, "the attribute \"%s\" is no text", x->attributes.v[i]);
			return false;
		}
	}
	put_sql(cx, plan, schema, c, arena_printf(cx->arena, "i_%lld", (long long)x->internal), false,
	    arena_printf(cx->arena, "USING gin (%s)", index_words(cx->arena, schema, c, &x->attributes)));
	return true;
}

static bool
is_spatial(const struct part *p)
{
	return p->attr != NULL && p->attr->type == ATTR_GEO;
}

static bool
plan_places(struct ctx *cx, const char *schema, const struct collection *c, const struct index *x, const struct part *parts, struct index_plan *plan,
    const char **why_out)
{
	if (x->attributes.n != 1 || !is_spatial(&parts[0])) {
		*why_out = "a spatial index has one attribute, a spatial one";
		return false;
	}
	put_sql(cx, plan, schema, c, arena_printf(cx->arena, "i_%lld", (long long)x->internal), false, arena_printf(cx->arena, "USING gist (%s)", parts[0].column));
	return true;
}

bool
index_plan(struct ctx *cx, const char *schema, const struct collection *c, const struct index *x, struct index_plan *out,
    const char **why_out)
{
	struct part parts[COLUMNS_MAX];
	bool words = strcmp(x->type, "fulltext") == 0, spatial = strcmp(x->type, "spatial") == 0;

	*out = (struct index_plan){0};
	if (!words && !spatial && strcmp(x->type, "key") != 0 && strcmp(x->type, "unique") != 0) {
		*why_out = arena_printf(cx->arena, "indexes of type \"%s\" are not supported", x->type);
		return false;
	}
	if (!read_parts(cx, c, x, parts, why_out))
		return false;
	if (spatial)
		return plan_places(cx, schema, c, x, parts, out, why_out);
	for (int i = 0; i < x->attributes.n; i++) {
		if (is_spatial(&parts[i])) {
			*why_out = arena_printf(cx->arena, "the attribute \"%s\" is spatial", x->attributes.v[i]);
			return false;
		}
	}
	return words ? plan_words(cx, schema, c, x, parts, out, why_out) : plan_tree(cx, schema, c, x, parts, out, why_out);
}
