/* JSON: parsing by jansson with bounded depth, writing by a streaming writer of our own.
 *
 * The writer gives the wire form of the protocol: no blanks, "/" as "\/", UTF-8 left as it is, integral floats as integers. */
#ifndef BADAL_CORE_JSON_H
#define BADAL_CORE_JSON_H

#include <jansson.h>

#include "core/err.h"
#include "core/str.h"

struct ctx;

enum { JSON_DEPTH_MAX = 64 };	/* deeper documents are refused */

/* Parses text (must be UTF-8; big integers become reals; duplicate keys: the last wins). The value is freed with the context
 * (defer). NULL when malformed or too deep; `why_out` (may be NULL) then gets a short reason, static or in cx's arena. */
json_t *json_parse(struct ctx *cx, struct str text, const char **why_out);
/* The same of what clients and other servers send: a text with a NUL is malformed, as PostgreSQL keeps none and C strings end there. */
json_t *json_parse_outside(struct ctx *cx, struct str text, const char **why_out);
/* The latter for large texts, which would hold up the loop: awaits a thread that parses. *out NULL: malformed, too deep, or no UTF-8. Freed with the
 * context, too. ERR_BUSY as offload. */
err_t json_parse_aside(struct ctx *cx, struct str text, json_t **out) MUST_CHECK;
/* Around the making of a tree from a text of so many bytes, on one thread and without an await: its memory is its own, and goes back as a whole. */
bool json_grow(size_t text);
void json_grown(bool began);	/* what json_grow said */
/* At most so many values (members and elements, and what holds them) are in the text: known before a tree is made of it. */
size_t json_values(struct str text);
/* The same, and about how many bytes its tree takes, which are many times those of the text when that is made of tiny values. A text is weighed in pieces,
 * one after the other, beginning with JSON_WEIGHT: about 3 ms for each MB. */
struct json_weight {
	size_t values, bytes;
	bool in_string, escaped;	/* at the end of what was weighed */
};
#define JSON_WEIGHT ((struct json_weight){.values = 1, .bytes = 96})
void json_weigh(struct json_weight *w, struct str piece);
/* Freed with the context; gives j, which may be NULL. */
json_t *json_keep(struct ctx *cx, json_t *j);
/* Borrowed view of a JSON string; STR_NONE when j is not a string. */
struct str json_str(const json_t *j);

struct jw {			/* the writer: put values; commas and colons take care of themselves */
	struct buf *b;
	unsigned depth;
	bool comma;		/* the next value or key needs a comma before it */
	bool ascii;		/* escape non-ASCII as \uXXXX (webhooks) */
	int64_t format;		/* version of the protocol that the reader speaks (core/ctx.h): members that came later are left out */
	const struct words *words;	/* what the reader calls things (core/ctx.h): for jw_word */
	bool empty_as_list;	/* write {} as [] when re-encoding a json_t, and where it is nested in a field of JSON text */
};

void jw_init(struct jw *w, struct buf *b);
void jw_obj(struct jw *w);
void jw_obj_end(struct jw *w);
void jw_arr(struct jw *w);
void jw_arr_end(struct jw *w);
void jw_key(struct jw *w, struct str key);		/* escaped like any string */
void jw_word(struct jw *w, const char *key);		/* a key in the reader's words */
#define JW_KEY(w, lit) jw_key((w), STR(lit))
void jw_str(struct jw *w, struct str s);
void jw_cstr(struct jw *w, const char *s);		/* NULL writes "" */
void jw_i64(struct jw *w, int64_t v);
void jw_f64(struct jw *w, double v);			/* shortest round trip; 5.0 -> 5; 1e17 -> 1.0e+17; 1e-5 -> 1.0e-5; -0.0 -> -0; not finite -> null */
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, struct str json);		/* a ready JSON value, trusted */
void jw_value(struct jw *w, const json_t *j);		/* a whole tree */
/* The text of a JSON string with quotes and escapes, appended to b. */
void json_escape(struct buf *b, struct str s);
void json_escape_part(struct buf *b, struct str s);	/* the same without the quotes */

/* Appends JSON text in the form in which PHP writes what it has read (spec functions-webhooks-events.md 5): no blanks, ASCII, {} as [], objects
 * with the keys 0, 1, … as lists, numbers as PHP prints them. The text must be sound, of any depth; false when it is not. */
bool json_php(struct buf *b, struct str text);

/* Makes {} nested in compact JSON text [], in place: both have two bytes. */
void json_empties_to_lists(char *text, size_t n);

#endif
