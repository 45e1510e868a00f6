/* The tree that both grammars of queries become; private to src/model/query*.c and their tests. */
#ifndef BADAL_MODEL_QUERY_PRIV_H
#define BADAL_MODEL_QUERY_PRIV_H

#include "model/query.h"

enum query_kind { QK_FILTER, QK_LOGIC, QK_ORDER, QK_LIMIT, QK_OFFSET, QK_CURSOR, QK_SELECT };

/* Which servers' text grammar has a method. Those of 1.3 may be used by every client: 1.0 knew none of them, so they contradict nothing. */
enum query_text { JSON_ONLY, TEXT_1_3, TEXT_1_0 };

#define QUERY_SEQUENCE "$sequence"	/* the creation number, under the name of later servers */

/* Methods: name on the wire, kind, its first text grammar, fewest and most values by the later rules (-1: the limit of values). */
#define QUERY_METHODS(M)                                                \
	M(EQUAL, "equal", QK_FILTER, TEXT_1_0, 1, -1)                   \
	M(NOT_EQUAL, "notEqual", QK_FILTER, TEXT_1_0, 1, 1)             \
	M(LESS, "lessThan", QK_FILTER, TEXT_1_0, 1, 1)                  \
	M(LESS_EQUAL, "lessThanEqual", QK_FILTER, TEXT_1_0, 1, 1)       \
	M(GREATER, "greaterThan", QK_FILTER, TEXT_1_0, 1, 1)            \
	M(GREATER_EQUAL, "greaterThanEqual", QK_FILTER, TEXT_1_0, 1, 1) \
	M(SEARCH, "search", QK_FILTER, TEXT_1_0, 1, 1)                  \
	M(NOT_SEARCH, "notSearch", QK_FILTER, JSON_ONLY, 1, 1)          \
	M(BETWEEN, "between", QK_FILTER, TEXT_1_3, 2, 2)                \
	M(NOT_BETWEEN, "notBetween", QK_FILTER, JSON_ONLY, 2, 2)        \
	M(IS_NULL, "isNull", QK_FILTER, TEXT_1_3, 0, 0)                 \
	M(IS_NOT_NULL, "isNotNull", QK_FILTER, TEXT_1_3, 0, 0)          \
	M(STARTS, "startsWith", QK_FILTER, TEXT_1_3, 1, 1)              \
	M(NOT_STARTS, "notStartsWith", QK_FILTER, JSON_ONLY, 1, 1)      \
	M(ENDS, "endsWith", QK_FILTER, TEXT_1_3, 1, 1)                  \
	M(NOT_ENDS, "notEndsWith", QK_FILTER, JSON_ONLY, 1, 1)          \
	M(CONTAINS, "contains", QK_FILTER, JSON_ONLY, 1, -1)            \
	M(CONTAINS_ANY, "containsAny", QK_FILTER, JSON_ONLY, 1, -1)     \
	M(CONTAINS_ALL, "containsAll", QK_FILTER, JSON_ONLY, 1, -1)     \
	M(NOT_CONTAINS, "notContains", QK_FILTER, JSON_ONLY, 1, -1)     \
	M(INTERSECTS, "intersects", QK_FILTER, JSON_ONLY, 1, 1)         \
	M(NOT_INTERSECTS, "notIntersects", QK_FILTER, JSON_ONLY, 1, 1)  \
	M(CROSSES, "crosses", QK_FILTER, JSON_ONLY, 1, 1)               \
	M(NOT_CROSSES, "notCrosses", QK_FILTER, JSON_ONLY, 1, 1)        \
	M(OVERLAPS, "overlaps", QK_FILTER, JSON_ONLY, 1, 1)             \
	M(NOT_OVERLAPS, "notOverlaps", QK_FILTER, JSON_ONLY, 1, 1)      \
	M(TOUCHES, "touches", QK_FILTER, JSON_ONLY, 1, 1)               \
	M(NOT_TOUCHES, "notTouches", QK_FILTER, JSON_ONLY, 1, 1)        \
	M(DISTANCE_EQUAL, "distanceEqual", QK_FILTER, JSON_ONLY, 1, 1)  \
	M(DISTANCE_NOT_EQUAL, "distanceNotEqual", QK_FILTER, JSON_ONLY, 1, 1) \
	M(DISTANCE_GREATER, "distanceGreaterThan", QK_FILTER, JSON_ONLY, 1, 1) \
	M(DISTANCE_LESS, "distanceLessThan", QK_FILTER, JSON_ONLY, 1, 1) \
	M(AND, "and", QK_LOGIC, JSON_ONLY, 2, -1)                       \
	M(OR, "or", QK_LOGIC, JSON_ONLY, 2, -1)                         \
	M(ORDER_ASC, "orderAsc", QK_ORDER, TEXT_1_0, 0, 0)              \
	M(ORDER_DESC, "orderDesc", QK_ORDER, TEXT_1_0, 0, 0)            \
	M(ORDER_RANDOM, "orderRandom", QK_ORDER, JSON_ONLY, 0, 0)       \
	M(LIMIT, "limit", QK_LIMIT, TEXT_1_0, 1, 1)                     \
	M(OFFSET, "offset", QK_OFFSET, TEXT_1_0, 1, 1)                  \
	M(CURSOR_AFTER, "cursorAfter", QK_CURSOR, TEXT_1_0, 1, 1)       \
	M(CURSOR_BEFORE, "cursorBefore", QK_CURSOR, TEXT_1_0, 1, 1)     \
	M(SELECT, "select", QK_SELECT, TEXT_1_3, 1, -1)

enum query_method {
#define M(name, word, kind, text, min, max) Q_##name,
	QUERY_METHODS(M)
#undef M
	Q_N
};

struct query_method_info {
	const char *name;
	enum query_kind kind;
	enum query_text text;
	int min, max;
};
extern const struct query_method_info query_methods[Q_N];
/* The method of this name, or Q_N. */
enum query_method query_method_by(struct str name);
/* The same, and what a name such as createdAfter stands for: *attr_out is the attribute that it brings along, else NULL. *word_out: the name (static). */
enum query_method query_method_of(struct str name, const char **attr_out, const char **word_out);

enum query_value_type { QV_NULL, QV_BOOL, QV_INT, QV_FLOAT, QV_TEXT, QV_LIST };
struct query_value {
	enum query_value_type type;
	bool b;
	int64_t i;
	double f;
	struct str s;		/* QV_TEXT: NUL-terminated in the arena; of a spatial attribute: the SQL text of the value */
	const json_t *list;	/* QV_LIST */
	/* of a spatial attribute, set by query_check: what it is; `f` is a distance, `b` one in metres */
	enum geo_type geo;
};

struct query_plan;
struct query {
	enum query_method method;
	const char *word;		/* what the client calls it */
	bool sugar;			/* which says the attribute, too */
	bool json;
	bool later;			/* the rules of servers since 1.3 hold: JSON, the text of a client of 1.3 and 1.4, or a method of theirs */
	const char *attr;		/* "" when there is none */
	const struct query_attr *on;	/* set by query_check */
	struct query_value *v;
	int n;
	enum { BOXES_FIRST, BOXES_ALONE, BOXES_EXPECTED } boxes;	/* of a spatial attribute: no more than that the boxes meet; as PostgreSQL can tell how many do */
	struct query *sub;		/* and, or */
	int n_sub;
};

/* Parse one element; false with a reason (in the context's arena or static). */
bool query_parse_text(struct ctx *cx, struct str text, struct query *out, const char **why_out);
bool query_parse_json(struct ctx *cx, struct str text, struct query *out, const char **why_out);
/* Either, by the first non-blank character. */
bool query_parse(struct ctx *cx, struct str text, struct query *out, const char **why_out);

/* The rules of one query on list `l`; resolves attributes. False with a reason. */
bool query_check(struct ctx *cx, const struct query_list *l, struct query *q, const char **why_out);
/* No two queries that one related record cannot fulfil. False with a reason. */
bool query_check_twice(struct ctx *cx, const struct query *q, int n, const char **why_out);
/* ---- spatial attributes (query_geo.c) ---- */
/* Whether the method is for them alone; whether it is for them, too. */
bool query_geo_only(enum query_method m);
bool query_geo_also(enum query_method m);
/* The values of a filter on one. False with a reason. */
bool query_geo_check(struct ctx *cx, struct query *q, const char **why_out);
/* Awaits, when there are polygons. None of them crosses itself: ERR_GENERAL_QUERY_INVALID, as query_refuse says it. */
err_t query_geo_sound(struct ctx *cx, const struct query *q, int n, bool *out) MUST_CHECK;
/* The condition; false, and nothing is written: it is like that of any attribute. */
bool query_geo_sql(struct query_plan *p, struct buf *b, const struct query *q);
/* What a filter does with each point of an attribute, in bytes that would be compared. */
double query_geo_cost(const struct query *q);
/* How often it unpacks a row's place to look at its box, and how many boxes that are at hand it looks at. */
void query_geo_boxes(const struct query_list *l, const struct query *q, double *unpacked_out, double *compared_out);
/* The list has an index that begins with the attribute, and is none of words. */
bool query_indexed(const struct query_list *l, const struct query *q);
/* Only those rows are compared whose boxes meet, which query.boxes asks for. */
bool query_geo_boxed(const struct query *q);

/* The index rule over all text queries of a request. False with a reason. */
bool query_check_indexes(struct ctx *cx, const struct query_list *l, const struct query *q, int n, const char **why_out);
/* The full-text index over exactly this attribute, or NULL. */
const struct query_index *query_fulltext(const struct query_list *l, const char *attr);

/* A list as SQL, taken apart. */
struct query_plan {
	const struct query_list *l;
	struct ctx *cx;
	const struct query *q;
	int n;
	const char *search;
	/* found in q */
	const struct query *orders[100];	/* attribute orders only */
	int n_orders;
	int related;		/* sub-queries of the filters that look at other tables */
	bool by_id;		/* $id is among them: no tie-break is needed */
	bool natural_desc;	/* creation order, newest first */
	bool random;
	int64_t limit, offset;
	bool slim;		/* the page reads query_list.slim */
	bool shared;		/* query_cost lent the context a share */
	const char *cursor;
	bool before;
	bool cursor_later;	/* a null among what its row is ordered by is an error: JSON, of a client of 1.7 or later or that does not say */
	struct strs select;
	/* made from it */
	struct strs once;	/* SQL of what filters look at that takes long to make: it is made once for each row, as _o0, _o1, … */
	const char *from;	/* query_list.from with these */
	struct str where;	/* "" or " WHERE …" */
	const char *begin;	/* of the statement: "" or DB_PLAN_ANEW */
	const char **v;
	int n_v, cap_v;
	struct {			/* of query_total.c */
		enum { TOTAL_COUNT, TOTAL_NONE, TOTAL_LEARN, TOTAL_KNOWN } how;
		struct str key;
		uint64_t reading;	/* TOTAL_LEARN: of the table's number, of which the answer was here before this was sent; 0: none */
		bool more;
		int64_t known, from, to;	/* TOTAL_KNOWN: while the table's number is within these */
		const char *start, *stats, *file;	/* and the epoch is this */
		bool again;	/* what was known was not true: it is counted */
	} total;
};
void query_plan_init(struct query_plan *p, struct ctx *cx, const struct query_list *l, const struct query *q, int n, const char *search);
/* The statement that reads the cursor's row: its creation number, then its value for each order. */
const char *query_plan_cursor(struct query_plan *p);
/* The statement that reads the page; `cursor` is the row of query_plan_cursor or NULL. Its last-but-`extra_out` columns are the list's. */
const char *query_plan_page(struct query_plan *p, const char *columns, const struct db_res *cursor);
/* The same rows, without anything beside them; and those of them that are in a list of numbers, which is the parameter behind those of the filters. */
const char *query_plan_rows(struct query_plan *p, const char *columns, const struct db_res *cursor);
const char *query_plan_lock(struct query_plan *p);
/* A part of the page's statement; it stands alone behind p->begin. Counts at most QUERY_TOTAL_MAX, and `more`. */
const char *query_plan_count(struct query_plan *p, int more);

/* Says how the total is found, once the filters are all that has parameters: it may be known. Without, it is counted. */
void query_total_plan(struct query_plan *p);
/* The column of the page's statement that tells it. */
const char *query_total_sql(struct query_plan *p);
/* What the column says; -1: the page tells it. False: what was known is true no longer, and forgotten; the page must be read anew. */
bool query_total_answer(struct query_plan *p, const struct db_res *r, int col, int64_t *out) MUST_CHECK;

/* Awaits. Refuses what would take longer than any statement may (conf.query_cost_max), before it starts. What looks through texts or lists, or
 * has a search, shares a part of the connections from here on, until query_cost_end. */
err_t query_cost(struct query_plan *p) MUST_CHECK;
void query_cost_end(struct query_plan *p);

/* The tsquery for a search of this text, as the project's function wanted() makes it; NULL: the text is not ASCII, only the function can. */
const char *query_wanted(struct arena *a, struct str text);

/* ---- between query_sql.c and query_page.c ---- */
/* The number of a new parameter. */
int query_param(struct query_plan *p, const char *v);
/* The column of an attribute; ids compare without regard to case. */
const char *query_column(struct query_plan *p, const struct query_attr *a);
/* What a value of the whole attribute is cast to. */
const char *query_whole_cast(const struct query_attr *a);

enum { QUERY_TOTAL_MAX = 5000, QUERY_DEFAULT_LIMIT = 25, QUERY_LOG_LIMIT = 5000 };

#endif
