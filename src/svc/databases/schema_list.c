/* Lists of a collection's attributes and indexes. Without queries the cached collection has them all; queries, which clients know since 1.4, are
 * PostgreSQL's to answer like any other list's. Clients before 1.5 get all of them where they ask for no page. */
#include "svc/databases/collection.h"

enum { PAGE = 25 };

struct member_list {
	const char *name;		/* of the list and of its table */
	const char *entity;
	const struct query_attr *attrs;
	int n_attrs;
	int (*count)(const struct collection *c);
	int64_t (*internal)(const struct collection *c, int i);
	void (*write)(struct jw *w, const struct collection *c, int i);
};

/* ---- attributes ---- */

static const struct query_attr attribute_attrs[] = {
    {"key", "key", ATTR_STRING, .not_null = true},
    {"type", "type", ATTR_STRING, .not_null = true},
    {"size", "size", ATTR_INTEGER, .not_null = true},
    {"required", "required", ATTR_BOOLEAN, .not_null = true},
    {"array", "\"array\"", ATTR_BOOLEAN, .not_null = true},
    {"status", "status", ATTR_STRING, .not_null = true},
    {"error", "error", ATTR_STRING, .not_null = true},
};

static int
attribute_count(const struct collection *c)
{
	return c->n_attrs;
}

static int64_t
attribute_internal(const struct collection *c, int i)
{
	return c->attrs[i].internal;
}

static void
attribute_write_at(struct jw *w, const struct collection *c, int i)
{
	attribute_write(w, &c->attrs[i], NULL);
}

static const struct member_list attribute_members = {"attributes", "Attribute", attribute_attrs,
    sizeof attribute_attrs / sizeof attribute_attrs[0], attribute_count, attribute_internal, attribute_write_at};

/* ---- indexes ---- */

static const struct query_attr index_attrs[] = {
    {"key", "key", ATTR_STRING, .not_null = true},
    {"type", "type", ATTR_STRING, .not_null = true},
    {"status", "status", ATTR_STRING, .not_null = true},
    {"attributes", "attributes", ATTR_STRING, .array = true, .not_null = true},
    {"error", "error", ATTR_STRING, .not_null = true},
};

static int
index_count(const struct collection *c)
{
	return c->n_indexes;
}

static int64_t
index_internal(const struct collection *c, int i)
{
	return c->indexes[i].internal;
}

static void
index_write_at(struct jw *w, const struct collection *c, int i)
{
	index_write(w, c, &c->indexes[i], NULL);
}

static const struct member_list index_members = {"indexes", "Index", index_attrs, sizeof index_attrs / sizeof index_attrs[0], index_count,
    index_internal, index_write_at};

/* ---- both ---- */

static err_t
select_members(struct ctx *cx, const struct project *p, const struct collection *c, const struct member_list *m, const struct strs *queries,
    struct query_page *page)
{
	struct query_attr *attrs = arena_array(cx->arena, struct query_attr, m->n_attrs);
	const struct query_list l = {
		.entity = words_say(cx->arena, cx->words, m->entity),
		.from = arena_printf(cx->arena, "%s.%s", p->schema, m->name),
		.columns = "internal",
		.where = "collection = $1::bigint",
		.n = 1,
		.v = (const char *const[]){pg_i64(cx->arena, c->internal)},
		.seq = "internal",
		.id = "key",
		.attrs = attrs,
		.n_attrs = m->n_attrs,
		.flags = QUERY_CURSOR_ERRORS,
	};

	for (int i = 0; i < m->n_attrs; i++) {
		attrs[i] = m->attrs[i];
		attrs[i].key = words_say(cx->arena, cx->words, attrs[i].key);
	}
	return query_list(cx, &l, NULL, queries, NULL, page);
}

/* One that the cached collection does not know is newer than it, or gone. */
static void
write_selected(struct jw *w, const struct collection *c, const struct member_list *m, const struct query_page *page)
{
	for (int row = 0; page->res != NULL && row < db_rows(page->res); row++)
		for (int i = 0; i < m->count(c); i++)
			if (m->internal(c, i) == db_i64(page->res, row, 0))
				m->write(w, c, i);
}

/* Those that the cached collection answers with. */
static int
first_members(const struct ctx *cx, const struct collection *c, const struct member_list *m)
{
	int n = m->count(c);

	return cx->format >= SINCE_1_5 && n > PAGE ? PAGE : n;
}

static err_t
schema_list_list(struct ctx *cx, const struct project *p, const char *db, const char *col, const struct member_list *m, const struct strs *queries,
    struct str *json_out)
{
	struct query_page page = {0};
	const struct collection *c;
	struct buf b;
	struct jw w;

	TRY(collection_get(cx, p, db, col, &c));
	page.total = cx->uncounted ? 0 : m->count(c);
	if (queries->n > 0)
		TRY(select_members(cx, p, c, m, queries, &page));
	buf_init(&b, cx->arena, 512);
	jw_init(&w, &b);
	w.words = cx->words;
	w.format = cx->format;
	jw_obj(&w);
	JW_KEY(&w, "total");
	jw_i64(&w, page.total);
	jw_word(&w, m->name);
	jw_arr(&w);
	for (int i = 0; queries->n == 0 && i < first_members(cx, c, m); i++)
		m->write(&w, c, i);
	write_selected(&w, c, m, &page);
	jw_arr_end(&w);
	jw_obj_end(&w);
	*json_out = buf_view(&b);
	return OK;
}

err_t
attribute_list_json(struct ctx *cx, const struct project *p, const char *db, const char *col, const struct strs *queries, struct str *json_out)
{
	return schema_list_list(cx, p, db, col, &attribute_members, queries, json_out);
}

err_t
index_list_json(struct ctx *cx, const struct project *p, const char *db, const char *col, const struct strs *queries, struct str *json_out)
{
	return schema_list_list(cx, p, db, col, &index_members, queries, json_out);
}
