/* Queries of a list, one a line: both grammars, the rules, and the SQL, which must not hold a byte of them. */
#include "../../src/model/query_priv.h"
#include "core/conf.h"
#include "fuzz.h"

enum { QUERIES_MAX = 100 };

static const struct query_attr attrs[] = {
    {"s", "a_1", ATTR_STRING, false, false}, {"i", "a_2", ATTR_INTEGER, false, false}, {"f", "a_3", ATTR_FLOAT, false, false},
    {"b", "a_4", ATTR_BOOLEAN, false, false}, {"d", "a_5", ATTR_DATETIME, false, false}, {"ss", "a_6", ATTR_STRING, true, false},
    {"ii", "a_7", ATTR_INTEGER, true, false}, {"p", "a_8", ATTR_GEO, .geo = "badal_geo", .geo_type = GEO_POINT},
    {"g", "a_9", ATTR_GEO, .geo = "badal_geo", .geo_type = GEO_POLYGON, .size = 480000}, {"$createdAt", "_created", ATTR_DATETIME, false, true}};

static const char *s_key[] = {"s"}, *si_keys[] = {"s", "i"};
static const struct query_index indexes[] = {{{1, true, s_key}, true, "a_1_words"}, {{2, true, si_keys}, true, NULL}};

/* Our own words and marks only. */
static void
check_sql(const char *sql)
{
	FUZZ_CHECK(strpbrk(sql, "';\\\n") == NULL, "the caller's text in SQL", str_c(sql));
	FUZZ_CHECK(str_utf8(str_c(sql), NULL), "SQL is no UTF-8", str_c(sql));
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct query_list l = {.entity = "Document", .from = "p_1.c_1", .seq = "_seq", .id = "_id", .attrs = attrs,
	    .n_attrs = sizeof attrs / sizeof attrs[0], .indexes = indexes, .n_indexes = 2,
	    .flags = QUERY_NEEDS_INDEX | QUERY_DOCUMENT_ERRORS | QUERY_SELECT};
	struct query *q = arena_array(cx->arena, struct query, QUERIES_MAX);
	struct query_plan *p = arena_new_of(cx->arena, struct query_plan);
	const char *why = NULL;
	int n = 0;

	conf.list_rows_max = 20000;
	cx->format = input.n % 2 ? 1004000 : 0;
	while (input.p != NULL && n < QUERIES_MAX) {
		struct str line = str_cut(&input, '\n');

		if (!query_parse(cx, line, &q[n], &why) || !query_check(cx, &l, &q[n], &why)) {
			FUZZ_CHECK(why != NULL && str_utf8(str_c(why), NULL), "no reason, or one of broken text", line);
			continue;
		}
		n++;
	}
	(void)query_check_indexes(cx, &l, q, n, &why);	/* whatever it says: the SQL must be sound */
	query_plan_init(p, cx, &l, q, n, NULL);
	check_sql(query_plan_count(p, 0));
	check_sql(query_plan_cursor(p));
	check_sql(query_plan_page(p, "_id", NULL));
	for (int i = 0; i < p->n_v; i++)
		FUZZ_CHECK(p->v[i] != NULL && str_utf8(str_c(p->v[i]), NULL), "a broken value", str_c(p->v[i]));
}
