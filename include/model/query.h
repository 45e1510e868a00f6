/* Queries of list endpoints: the 1.0 text grammar and the later JSON grammar, one tree, one compiler to parameterised SQL.
 * Spec databases.md 8 and 9. An element whose first non-blank character is '{' is JSON. */
#ifndef BADAL_MODEL_QUERY_H
#define BADAL_MODEL_QUERY_H

#include "model/geo.h"
#include "model/shape.h"

enum attr_type { ATTR_STRING, ATTR_INTEGER, ATTR_FLOAT, ATTR_BOOLEAN, ATTR_DATETIME, ATTR_GEO };

struct query_attr {		/* what may be filtered and ordered by */
	const char *key;	/* "name", "$id", "$createdAt" */
	const char *column;	/* quoted SQL column */
	enum attr_type type;
	bool array;
	bool not_null;		/* never NULL: plain indexes serve its order */
	bool lower;		/* the column is lower(…): values compare in lower case too */
	const char *hashes;	/* SQL of the hashes of a list's elements, where an index has those; NULL: none has */
	int64_t size;		/* most bytes of a text, or of the elements of a list, or of a value with many points; 0: short */
	bool sealed;		/* nothing can be asked of what it holds */
	bool digits;		/* an integer that may come as text */
	bool narrow;		/* an integer of 32 bits: no value of it is beyond ±2147483647 */
	const char *geo;	/* of a spatial one: SQL of the schema of PostGIS; NULL: it is none */
	enum geo_type geo_type;
	/* Of related records: a filter finds the records that one of them is related to. There is no order by it. */
	const struct query_via *via;
	const char *words;	/* of a related record's text: SQL of its words, where a full-text index has them */
	bool link;		/* the relationship itself: what it is compared with are ids */
	bool list_side;		/* a relationship of which this side has a list: nothing can be asked of it */
};

struct query_via {
	const char *begin;	/* SQL: "_seq IN (SELECT … WHERE ", to which a condition on the related record and a parenthesis belong */
	const char *roles;	/* literal of the roles, one of which must be among its readers; NULL: all may be asked of */
	bool none;		/* none of them may */
	const char *table;	/* theirs */
	const struct query_via *of;	/* related to what, when that is a related record itself */
};

struct query_index {		/* what makes a text query acceptable (QUERY_NEEDS_INDEX) */
	struct strs attributes;	/* keys, in order */
	bool available;
	const char *words;	/* SQL of its words (tsvector) when it is a full-text index, else NULL */
};

enum query_flags {
	QUERY_NEEDS_INDEX = 1,	/* the index rule of 1.0 text queries (documents) */
	QUERY_ONLY_PAGE = 2,	/* logs: limit and offset only, newest first by the column `created` */
	QUERY_DOCUMENT_ERRORS = 4,	/* violations in JSON queries are general_query_invalid, else general_argument_invalid */
	QUERY_SELECT = 16,	/* select is allowed */
	QUERY_CURSOR_ERRORS = 64,	/* a cursor that is none is general_query_invalid */
	QUERY_WHERE_FIRST = 32,	/* few rows fulfil `where`: find them before any order is thought of */
	QUERY_DERIVED = 128	/* `from` is a statement in brackets, without parameters: PostgreSQL says how many rows it expects of it */
};

struct query_list {		/* one list: a table with rules */
	const char *entity;	/* "Database": words of the cursor error */
	const char *from;	/* "p_1.databases" */
	const char *columns;	/* NULL: shape_columns(shape) */
	const char *where;	/* further condition with $1..$n, or NULL */
	int n;			/* its parameters */
	const char *const *v;
	const char *seq;	/* column of the creation number, e.g. "internal" */
	const char *id;		/* column of the public id; looked up as lower(id) */
	const char *search;	/* column of the search text, NULL none */
	const char *width;	/* SQL of the bytes of a row, NULL: rows are short */
	int64_t width_max;	/* about the most that they can be, at least 1 */
	int64_t page;		/* rows when no limit is named; 0: 25 */
	const char *slim;	/* what is read instead of a row where a page may hold more than conf.list_whole_max, with the row's bytes as _width; NULL: nothing */
	/* Besides $id (id), $createdAt (created) and $updatedAt (updated), which are always allowed; a row with one of these keys
	 * names another column for it. */
	const struct query_attr *attrs;
	int n_attrs;
	/* select may name its members, and what it does not name is not read where that can be large (shape_columns_chosen); NULL: see QUERY_SELECT */
	const struct shape *chosen;
	const char *schema;	/* of its columns */
	const char *changes;	/* sequence of which each change of a row of `from`, which is one table, takes a number (query_total.c); NULL: totals are counted each time */
	unsigned flags;
	const struct query_index *indexes;
	int n_indexes;
};

struct query_page {
	int64_t total;		/* capped at 5000; 0 where ctx.uncounted */
	struct db_res *res;	/* the rows, in order; NULL when there are none to read (limit 0) */
	struct strs select;	/* keys of a select, when set */
	bool slim;		/* the rows are those of query_list.slim */
};

/* Awaits. Validates `queries`, resolves the cursor, runs page and count in one statement (the count is skipped when the page shows it, or it is known).
 * The result may have columns after those asked for.
 * Errors: ERR_GENERAL_ARGUMENT_INVALID (a page of more than conf.list_bytes_max, too), ERR_GENERAL_QUERY_INVALID,
 * ERR_GENERAL_CURSOR_NOT_FOUND. */
err_t query_list(struct ctx *cx, const struct query_list *l, const struct shape *shape, const struct strs *queries, const char *search,
    struct query_page *out) MUST_CHECK;
/* Awaits. The statement of that list and PostgreSQL's plan for it as JSON text; only the cursor is read. */
err_t query_explain(struct ctx *cx, const struct query_list *l, const struct shape *shape, const struct strs *queries,
    const char **sql_out, struct str *plan_out) MUST_CHECK;
/* Two statements for a transaction: `find` gives the numbers of the rows of these queries and a column more, in their order, without a limit all of them, but
 * never more than one beyond `max`; `lock` locks those of a list of numbers that still are what the filters say, in the order of the numbers, so that nobody
 * waits for whoever waits for him. */
struct query_found {
	const char *find, *lock;
	int n_find, n_where;		/* parameters: of find, and of lock before its list */
	const char *const *v;
};
/* Awaits. Errors as query_list. */
err_t query_rows(struct ctx *cx, const struct query_list *l, const struct strs *queries, int64_t max, const char *columns, struct query_found *out) MUST_CHECK;
/* Of a list that is no table: which of its n entries are asked for, by limit and offset alone. Awaits nothing. */
err_t query_window(struct ctx *cx, const struct strs *queries, int n, int *from_out, int *to_out) MUST_CHECK;
/* Queries of one record: select only. *out is set when there was one. */
err_t query_select(struct ctx *cx, const struct query_list *l, const struct strs *queries, struct strs *out) MUST_CHECK;

struct db_share *query_scans(void);	/* of connections (conf.db_scan_part), for what looks through tables */

#endif
