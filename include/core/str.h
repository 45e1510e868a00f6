/* Strings: a counted view (struct str) and a growing buffer (struct buf). */
#ifndef BADAL_CORE_STR_H
#define BADAL_CORE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/arena.h"

/* A borrowed, counted piece of text; p may be NULL only when n is 0 and means "absent". Not NUL-terminated in general. */
struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_FMT(s) (int)(s).n, (s).p	/* for printf's "%.*s" */

static inline struct str
str_c(const char *c)
{
	return c ? (struct str){c, strlen(c)} : (struct str){NULL, 0};
}
static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool
str_is(struct str a, const char *c)
{
	return str_eq(a, str_c(c));
}
bool str_ieq(struct str a, struct str b);		/* ASCII case-insensitive */
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
struct str str_trim(struct str s);			/* blanks and tabs off both ends */
/* Whether If-None-Match names the tag (RFC 9110, 13.1.2: compared weakly). */
bool str_etag_listed(struct str list, const char *tag);
/* Cuts *s at the first `sep`: returns the part before, leaves the part after in *s ({NULL,0} when there was no sep). */
struct str str_cut(struct str *s, char sep);
/* Is `line` one of the lines, which are sorted by their bytes and end with a line feed each? They are searched where they lie. */
bool str_line_in(struct str sorted, struct str line);
/* Takes the character off the beginning of *s; false, and nothing is taken, when it begins otherwise. */
bool str_eat(struct str *s, char c);
char *str_dup(struct arena *a, struct str s);		/* NUL-terminated copy */
struct str str_lower(struct arena *a, struct str s);	/* ASCII lower-case copy */
/* Decimal text to integer: the whole text, optional sign, no blanks; false when malformed or out of range. */
bool str_to_i64(struct str s, int64_t *out);
/* The same for numbers of clients: JavaScript reads the bounds of 64 bits as 2^63 and writes that as 9223372036854776000, which means the bounds. */
bool str_to_i64_rounded(struct str s, int64_t *out);
/* Decimal text of a finite number, with a point or an exponent or without, between blanks. */
bool str_to_f64(struct str s, double *out);
/* True when s is well-formed UTF-8 (no surrogates, no overlong forms). `points_out` (may be NULL) gets the code points. */
bool str_utf8(struct str s, size_t *points_out);
/* The beginning of s, of at most `max` bytes, that ends with a whole character. What is cut from a text of UTF-8 is one. */
struct str str_head(struct str s, size_t max);
/* s as text of UTF-8 in the arena: bytes that are none become '?', what is left of a last character that was cut off is dropped. */
char *str_text(struct arena *a, struct str s);
/* Percent-decoding; `plus` turns '+' into a blank. Malformed escapes stay as they are. Copy in the arena. */
struct str str_url_decode(struct arena *a, struct str s, bool plus);
/* The first percent sign that begins no escape, s.n: none. */
size_t str_url_bad(struct str s);
/* Where a character begins that is not UTF-8, s.n: nowhere. */
size_t str_utf8_bad(struct str s);
/* What a text from outside must not hold, in words that its place follows; NULL: it is one. A NUL is in no text that a client means, and ends what
 * travels on as a C string. *at: where. */
const char *str_fault(struct str s, size_t *at);
/* A name or value of a form or query, decoded. An escape that is none is told rather than guessed at; *at: where in the raw text. */
const char *str_form_text(struct arena *a, struct str raw, struct str *out, const char **at);
/* "a, b, c"; "" when there are none. */
const char *str_join(struct arena *a, const char *const *v, int n);
/* Constant-time equality for secrets of equal length; unequal lengths are false. */
bool str_eq_secret(struct str a, struct str b);
/* What of the list (ended by NULL) is most like the word, if it may be meant: a slip of one or two letters, or left-out ends. NULL: nothing is. */
const char *str_near(struct str word, const char *const *list);
uint64_t str_hash(struct str s);			/* 64-bit, keyed per process: for tables, not for storage */
uint64_t str_hash_stable(struct str s);			/* 64-bit FNV-1a: the same on every process and machine */
char *hex_encode(struct arena *a, const void *p, size_t n);	/* lower-case */

/* A growing byte buffer, always NUL-terminated once written to. With an arena it grows there (never freed singly);
 * without one it uses malloc and is freed by buf_fini. */
struct buf {
	char *p;
	size_t n, cap;
	struct arena *arena;	/* NULL: malloc */
};

void buf_init(struct buf *b, struct arena *a, size_t hint);
void buf_fini(struct buf *b);
void buf_reserve(struct buf *b, size_t more);		/* room for `more` bytes plus NUL */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_c(struct buf *b, const char *c);
void buf_ch(struct buf *b, char c);
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
static inline struct str
buf_view(const struct buf *b)
{
	return (struct str){b->p ? b->p : "", b->n};
}
#define BUF_LIT(b, lit) buf_add((b), "" lit, sizeof(lit) - 1)

#endif
