/* Shapes: one table per model drives its SQL columns, reading a row, writing the JSON, and the OpenAPI document. */
#ifndef BADAL_MODEL_SHAPE_H
#define BADAL_MODEL_SHAPE_H

#include <stddef.h>

#include "io/db.h"

struct words;

enum field_type {
	F_STR,		/* const char *; NULL writes "" */
	F_ID,		/* the same: an id */
	F_ENUM,		/* the same: one of `values` */
	F_DATA,		/* struct str: a text that may have NULs; in the table as shape_data_column has it */
	F_TIME,		/* int64_t ms; a date in ISO 8601 */
	F_TIME_OR_NONE,	/* the same; TIME_NONE writes "" */
	F_BOOL,		/* bool */
	F_INT,		/* int64_t */
	F_FLOAT,	/* double */
	F_STRS,		/* struct strs; writes a list */
	F_JSON,		/* struct str: JSON text of an object, written as it is; empty writes {} */
	F_LIST,		/* struct objs: list of objects of `sub`; a column of it is a JSON list of shape_json_columns */
	F_CONST		/* not stored: `doc`'s neighbour `text` is written as JSON, or what `say` makes of the object */
};

struct shape;
struct objs {			/* a list of objects of one shape */
	int n;
	void **v;
};

enum column_flags {
	COL_ASKED = 1,	/* lists are filtered and ordered by it */
	COL_NULL = 2,	/* it may be NULL in the table; a text that is NULL in the program is '' there without this */
	COL_LOWER = 4,	/* its values are compared in lower case */
	COL_SEARCH = 8,	/* it is part of what searches look at */
	COL_SEALED = 16	/* a text that is sealed at rest (seal.h) and clear in the program; "" when it cannot be opened */
};

struct field {
	const char *key;	/* name on the wire */
	const char *column;	/* SQL column or expression; NULL: not read from SQL */
	enum field_type type;
	unsigned flags;		/* of its column: enum column_flags */
	size_t off;		/* in the model's struct */
	const char *doc;
	const struct shape *sub;	/* F_LIST */
	const char *text;		/* F_CONST: JSON text; F_LIST without `sub`: the schema of its members, for OpenAPI */
	const char *const *values;	/* F_ENUM: NULL at the end */
	int64_t since;			/* the first version of the protocol whose clients are told, as in ctx.h's format; 0: all */
	int64_t until;			/* the first one whose clients are not told any more; 0: all are */
	bool sometimes;			/* not in each reply, even so; for OpenAPI */
	bool hidden;			/* read from SQL, never written */
	size_t tag;			/* F_JSON: offset of the text that clients since 1.2 are told as the object's first member, `type`; 0: none */
	void (*say)(struct jw *w, const void *at);	/* F_CONST: writes what follows from the member at `off`; `text` tells its type, for OpenAPI; NULL: `text` is it */
	bool nullable;			/* may be null: an F_STR that is NULL is written so; else for OpenAPI, of models that are written by hand */
};

struct shape {
	const char *model;	/* name in OpenAPI, e.g. "user" */
	size_t size;		/* of the struct */
	int n;
	const struct field *fields;
	const struct shape *const *any;	/* it is one of these, NULL at the end, and has no fields of its own; for OpenAPI */
	bool open;		/* it has further members, which are the client's own */
};

#define SHAPE(model_, type_, rows_) {.model = model_, .size = sizeof(type_), .n = (int)(sizeof(rows_) / sizeof(rows_[0])), .fields = rows_}
/* FIELD(type, struct, member, key, column, doc) and perhaps ", .flags = …" */
#define FIELD(type_, st, member, key_, column_, ...) \
	{.key = key_, .column = column_, .type = type_, .off = offsetof(st, member), .doc = __VA_ARGS__}
/* FIELD_HIDDEN(type, struct, member, column) and perhaps ", .flags = …" */
#define FIELD_HIDDEN(type_, st, member, ...) \
	{.key = "", .type = type_, .off = offsetof(st, member), .doc = "", .hidden = true, .column = __VA_ARGS__}
#define FIELD_ENUM(values_, st, member, key_, column_, ...) \
	{.key = key_, .column = column_, .type = F_ENUM, .off = offsetof(st, member), .values = values_, .doc = __VA_ARGS__}

/* FIELD_ALWAYS(key, JSON text, since, doc): a neutral member of what there is no service for, and perhaps ", .until = …" */
#define FIELD_ALWAYS(key_, text_, since_, ...) {.key = key_, .type = F_CONST, .text = text_, .since = since_, .doc = __VA_ARGS__}

/* FIELD_MADE(struct, member, key, function, JSON text of that type, since, doc): what follows from another member; it may be null */
#define FIELD_MADE(st, member, key_, say_, text_, since_, ...) \
	{.key = key_, .type = F_CONST, .off = offsetof(st, member), .say = say_, .text = text_, .since = since_, .nullable = true, .doc = __VA_ARGS__}

/* Models of replies that are written by hand: these tables only tell, for OpenAPI, and the tests hold every reply against them. */
#define SHAPE_TOLD(model_, rows_) {.model = model_, .n = (int)(sizeof(rows_) / sizeof(rows_[0])), .fields = rows_}
#define TOLD(key_, type_, doc_, ...) {.key = key_, .type = type_, .doc = doc_, __VA_ARGS__}

/* "id, created_at, …" of the fields that have a column; static per shape. */
const char *shape_columns(const struct shape *s);
/* The same for a project's data space, where columns are read from other tables of it: with `schema` for ":schema". */
const char *shape_columns_in(struct arena *a, const struct shape *s, const char *schema);
/* The same, where texts, lists and objects that nobody chose, by the names of members, are NULL: what those that were chosen are made of is there. */
const char *shape_columns_chosen(struct arena *a, const struct shape *s, const char *schema, const struct strs *chosen);
bool shape_has(const struct shape *s, struct str key);	/* a member that clients are told of */
/* Reads columns [col, …) of a row, in the order of shape_columns, into obj (strings borrowed from the result). */
void shape_read(struct ctx *cx, const struct shape *s, void *obj, const struct db_res *r, int row, int col);
/* The same row as one JSON value (NULL for none), "json_build_array(…)", and reading it (strings borrowed from the JSON). For the rows of another
 * table that come with a row. */
const char *shape_json_columns(const struct shape *s);
void shape_read_json(struct ctx *cx, const struct shape *s, void *obj, const json_t *row);
/* All rows of a JSON list of such values (may be NULL) as objects in the arena. */
struct objs shape_rows_json(struct ctx *cx, const struct shape *s, const json_t *list);
/* All rows of a result as objects in the arena. */
struct objs shape_rows(struct ctx *cx, const struct shape *s, const struct db_res *r);
/* A copy of the object, with the texts, lists and objects that its fields point at, in `a`. */
void shape_copy(struct arena *a, const struct shape *s, const void *obj, void *out);
/* PostgreSQL's texts have no NULs: U+0001 stands before what it escapes, and is escaped itself. What there is nothing to do for is not copied. */
const char *shape_data_column(struct arena *a, struct str text);
struct str shape_data_text(struct arena *a, struct str column);
/* Is a client of this version told of the member? */
static inline bool
field_told(const struct field *f, int64_t format)
{
	return !f->hidden && f->since <= format && (f->until == 0 || format < f->until);
}
/* Writes the object. */
void shape_write(struct jw *w, const struct shape *s, const void *obj);
/* The shape with model and members in these words, for the process; `s` itself when `words` is NULL, and when the model's name is the same in them:
 * then it is one model, whoever asks. */
const struct shape *shape_in(const struct words *words, const struct shape *s);
/* JSON text of the object in cx's arena. */
struct str shape_json(struct ctx *cx, const struct shape *s, const void *obj);

#endif
