/* What the definition of an index must fulfil. Servers of 1.0 left most of it to the worker, where such an index ended failed; whoever speaks a
 * version since 1.4 is told at once. */
#include "svc/databases/collection.h"

#include "schema_priv.h"

enum { INDEXES_MAX = 59, ID_LENGTH = 36, INDEX_ATTRIBUTES_MAX = 32 };

static err_t
index_rules_bad(struct ctx *cx, const char *words)
{
	return fail_msg(cx, ERR_INDEX_INVALID, "%s", words);
}

/* ---- its attributes ---- */

static bool
is_system(const char *key)
{
	return strcmp(key, "$id") == 0 || strcmp(key, "$createdAt") == 0 || strcmp(key, "$updatedAt") == 0;
}

static err_t
check_attribute(struct ctx *cx, const struct collection *c, const char *key)
{
	const struct attribute *a = collection_attribute(c, str_c(key));

	if (is_system(key))
		return OK;
	if (a == NULL)
		return fail_msg(cx, ERR_ATTRIBUTE_UNKNOWN, "Unknown attribute: %s", key);
	if (a->rel != NULL)
		return fail_msg(cx, ERR_ATTRIBUTE_TYPE_INVALID, "An index is not made over a relationship: %s", key);
	if (strcmp(a->status, "available") != 0)
		return fail_msg(cx, ERR_ATTRIBUTE_NOT_AVAILABLE, "Attribute not available: %s", key);
	return OK;
}

static const struct index *
index_lookup_key(const struct collection *c, const char *key)
{
	for (int i = 0; i < c->n_indexes; i++)
		if (str_ieq(str_c(c->indexes[i].key), str_c(key)))
			return &c->indexes[i];
	return NULL;
}

err_t
index_check_new(struct ctx *cx, const struct collection *c, const struct index *x, bool rules)
{
	if (c->n_indexes >= INDEXES_MAX)
		return fail(cx, ERR_INDEX_LIMIT_EXCEEDED, "indexes=%d", c->n_indexes);
	/* all of them must be known before any is asked whether it is ready */
	for (int i = 0; i < x->attributes.n; i++) {
		err_t e = check_attribute(cx, c, x->attributes.v[i]);

		if (e == ERR_ATTRIBUTE_UNKNOWN)
			return e;
	}
	for (int i = 0; i < x->attributes.n; i++)
		TRY(check_attribute(cx, c, x->attributes.v[i]));
	if (rules || x->n_lengths > 0)	/* who gives lengths is no client of 1.0 */
		TRY(index_check_rules(cx, c, x));
	return index_lookup_key(c, x->key) ? fail(cx, ERR_INDEX_ALREADY_EXISTS, "key=%s", x->key) : OK;
}

err_t
index_find(struct ctx *cx, const struct collection *c, const char *key, const struct index **out)
{
	*out = index_lookup_key(c, key);
	return *out ? OK : fail(cx, ERR_INDEX_NOT_FOUND, "key=%s", key);
}

/* ---- the rules ---- */

static int64_t
length_of(const struct index *x, int i, const struct attribute *a, int64_t size)
{
	if (a == NULL)
		return strcmp(x->attributes.v[i], "$id") == 0 ? ID_LENGTH : 1;
	if (a->type != ATTR_STRING)
		return a->type == ATTR_FLOAT ? 2 : 1;
	return index_length(x, i) > 0 ? index_length(x, i) : size;
}

int64_t
index_length_sum(const struct collection *c, const struct index *x, const struct attribute *a, int64_t size)
{
	int64_t sum = 0;

	if (strcmp(x->type, "key") != 0 && strcmp(x->type, "unique") != 0)
		return 0;
	for (int i = 0; i < x->attributes.n; i++) {
		const struct attribute *one = collection_attribute(c, str_c(x->attributes.v[i]));

		sum += length_of(x, i, one, one == NULL ? 0 : one == a ? size : one->size);
	}
	return sum;
}

static err_t
check_names(struct ctx *cx, const struct index *x)
{
	static const char *const reserved[] = {"primary", "_created_at", "_updated_at", "_tenant_id"};

	if (x->attributes.n == 0)
		return index_rules_bad(cx, "No attributes provided for index");
	for (int i = 0; i < x->attributes.n; i++)
		for (int k = 0; k < i; k++)
			if (str_ieq(str_c(x->attributes.v[i]), str_c(x->attributes.v[k])))
				return index_rules_bad(cx, "Duplicate attributes provided");
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (str_ieq(str_c(x->key), str_c(reserved[i])))
			return index_rules_bad(cx, "Index key name is reserved");
	if (x->attributes.n > INDEX_ATTRIBUTES_MAX)
		return fail_msg(cx, ERR_INDEX_INVALID, "An index has at most %d attributes", INDEX_ATTRIBUTES_MAX);
	return OK;
}

static err_t
check_one(struct ctx *cx, const struct index *x, const char *key, const struct attribute *a)
{
	bool text = a != NULL ? a->type == ATTR_STRING : strcmp(key, "$id") == 0;

	if (a != NULL && a->type == ATTR_GEO && strcmp(x->type, "spatial") != 0)
		return fail_msg(cx, ERR_INDEX_INVALID, "Cannot create %s index on spatial attribute \"%s\"", x->type, key);
	if (a != NULL && a->array) {
		cx->words = NULL;	/* this error has one name in both families */
		return fail_msg(cx, ERR_INDEX_INVALID, "Creating indexes on array attributes is not supported: %s", key);
	}
	if (a != NULL && a->encrypt)
		return fail_msg(cx, ERR_INDEX_INVALID, "Creating indexes on encrypted attributes is not supported: %s", key);
	if (strcmp(x->type, "fulltext") == 0 && !text)
		return fail_msg(cx, ERR_INDEX_INVALID, "Attribute \"%s\" cannot be part of a fulltext index, must be of type string", key);
	return OK;
}

static err_t
check_length(struct ctx *cx, const struct index *x, int i, const struct attribute *a)
{
	const char *key = x->attributes.v[i];
	int64_t n = index_length(x, i), size = a == NULL ? ID_LENGTH : a->size;

	if (n < 0)
		return fail_msg(cx, ERR_INDEX_INVALID, "Negative index length provided for %s", key);
	if (n > 0 && (a != NULL ? a->type != ATTR_STRING : strcmp(key, "$id") != 0))
		return fail_msg(cx, ERR_INDEX_INVALID, "Cannot set a length on \"%s\" attributes", a ? attr_kinds[a->kind].name : "datetime");
	if (n > size && n > 0)
		return fail_msg(cx, ERR_INDEX_INVALID, "Index length %lld is larger than the size for %s: %lld", (long long)n, key, (long long)size);
	return OK;
}

static bool
index_is_of_a_place(const struct collection *c, const struct index *x)
{
	const struct attribute *a = collection_attribute(c, str_c(x->attributes.v[0]));

	return x->attributes.n == 1 && a != NULL && a->type == ATTR_GEO;
}

err_t
index_check_rules(struct ctx *cx, const struct collection *c, const struct index *x)
{
	TRY(check_names(cx, x));
	if (strcmp(x->type, "spatial") == 0 && !index_is_of_a_place(c, x))
		return index_rules_bad(cx, "Spatial index must have exactly one attribute, a spatial one");
	if (x->n_lengths > x->attributes.n)
		return index_rules_bad(cx, "Invalid index lengths: there are more of them than attributes");
	for (int i = 0; i < x->attributes.n; i++)
		TRY(check_one(cx, x, x->attributes.v[i], collection_attribute(c, str_c(x->attributes.v[i]))));
	for (int i = 0; i < x->attributes.n; i++)
		TRY(check_length(cx, x, i, collection_attribute(c, str_c(x->attributes.v[i]))));
	if (index_length_sum(c, x, NULL, 0) > INDEX_LENGTH_MAX)
		return fail_msg(cx, ERR_INDEX_INVALID, "Index length is longer than the maximum: %d", INDEX_LENGTH_MAX);
	return OK;
}
