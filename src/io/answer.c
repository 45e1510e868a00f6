/* Answers of HTTP/1.1: head, then a body of a length, in chunks, or to the end of the connection. */
#include "answer.h"

#include <assert.h>
#include <ctype.h>

enum { HEADERS_MAX = 100, HEAD_BYTES = 32768, BODY_HINT = 16 << 20, STATUS_LINE = 12 };

void
answer_begin(struct answer *a, struct arena *arena, size_t max, bool bodiless)
{
	*a = (struct answer){.arena = arena, .max = max, .bodiless = bodiless, .reply = arena_new_of(arena, struct fetch_reply)};
	a->reply->headers = arena_array(arena, struct fetch_header, HEADERS_MAX);
	buf_init(&a->head, arena, 1024);
}

static void
answer_refuse(struct answer *a, const char *why)
{
	a->state = ANSWER_BAD;
	a->why = why;
}

/* ---- the head ---- */

struct answer_framing {
	bool chunked, has_length, close, keep_alive;
	int64_t length;
};

static bool
answer_length(struct answer_framing *f, struct str v)
{
	int64_t n = header_length(v);

	if (n < 0 || (f->has_length && f->length != n))
		return false;
	f->has_length = true;
	f->length = n;
	return true;
}

/* What the header says about where the body ends. */
static bool
answer_frame(struct answer_framing *f, const char *name, struct str v)
{
	if (strcmp(name, "content-length") == 0)
		return answer_length(f, v);
	if (strcmp(name, "transfer-encoding") == 0) {
		if (f->chunked || !str_ieq(v, STR("chunked")))
			return false;
		f->chunked = true;
	} else if (strcmp(name, "connection") == 0) {
		f->close = f->close || str_ieq(v, STR("close"));
		f->keep_alive = f->keep_alive || str_ieq(v, STR("keep-alive"));
	}
	return true;
}

/* Name and value become texts where they are; the line ends at `end`, whose byte is ours. */
static bool
answer_header(struct answer *a, struct answer_framing *f, char *line, char *end)
{
	char *colon = memchr(line, ':', (size_t)(end - line)), *value;

	if (colon == NULL || colon == line || a->reply->n_headers == HEADERS_MAX)
		return false;
	for (char *p = line; p < colon; p++) {
		if (*p <= ' ' || (unsigned char)*p >= 127)	/* also refuses folded lines, and blanks before the colon */
			return false;
		*p = (char)tolower((unsigned char)*p);
	}
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
		;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (!header_value_ok(value, (size_t)(end - value)))
		return false;
	*colon = *end = '\0';
	a->reply->headers[a->reply->n_headers++] = (struct fetch_header){line, value};
	return answer_frame(f, line, (struct str){value, (size_t)(end - value)});
}

/* "HTTP/1.1 200 …"; its version behind the dot, -1: it is none. */
static int
answer_status(struct answer *a, const char *line, size_t n)
{
	if (n < STATUS_LINE || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' || (n > STATUS_LINE && line[STATUS_LINE] != ' '))
		return -1;
	a->reply->status = 0;
	for (int i = 9; i < STATUS_LINE; i++) {
		if (!isdigit((unsigned char)line[i]))
			return -1;
		a->reply->status = a->reply->status * 10 + (line[i] - '0');
	}
	return a->reply->status < 100 ? -1 : line[7] - '0';
}

/* Whose body is which. */
static void
answer_body(struct answer *a, const struct answer_framing *f, int version)
{
	int status = a->reply->status;

	if (status == 101 || (f->chunked && (f->has_length || version == 0))) {
		answer_refuse(a, "the head of the answer makes no sense");
		return;
	}
	if (status < 200) {	/* another one follows */
		a->head.n = 0;
		a->reply->n_headers = 0;
		return;
	}
	a->has_head = true;
	a->keeps = version == 1 ? !f->close : f->keep_alive && !f->close;
	a->left = f->has_length ? (uint64_t)f->length : 0;
	a->grows = !f->has_length || a->left > BODY_HINT;
	buf_init(&a->body, a->arena, a->left < BODY_HINT ? (size_t)a->left : BODY_HINT);
	if (a->bodiless || status == 204 || status == 304)
		a->state = ANSWER_WHOLE;
	else if (f->chunked)
		a->state = ANSWER_CHUNKS;
	else if (f->has_length)
		a->state = a->left > 0 ? ANSWER_LENGTH : ANSWER_WHOLE;
	else
		a->state = ANSWER_TO_END;
	a->keeps = a->keeps && a->state != ANSWER_TO_END;
	chunks_begin(&a->chunks);
	if (a->state == ANSWER_LENGTH && a->left > a->max)
		answer_refuse(a, "the response is too large");
}

static void
answer_head(struct answer *a)
{
	struct answer_framing f = {0};
	char *p = a->head.p, *end = p + a->head.n - 2, *eol = memchr(p, '\r', a->head.n);
	int version = eol[1] == '\n' ? answer_status(a, p, (size_t)(eol - p)) : -1;

	for (p = eol + 2; version >= 0 && p < end; p = eol + 2) {
		eol = memchr(p, '\r', (size_t)(end - p));	/* a lone one is inside the line then, and refused as a bad byte */
		if (eol == NULL || eol[1] != '\n' || !answer_header(a, &f, p, eol))
			version = -1;
	}
	if (version < 0)
		answer_refuse(a, "the head of the answer makes no sense");
	else
		answer_body(a, &f, version);
}

static size_t
answer_take_head(struct answer *a, const char *p, size_t n)
{
	size_t had = a->head.n, from = had > 3 ? had - 3 : 0, take = n < HEAD_BYTES - a->head_bytes ? n : HEAD_BYTES - a->head_bytes;
	const char *end;

	buf_add(&a->head, p, take);
	end = memmem(a->head.p + from, a->head.n - from, "\r\n\r\n", 4);
	if (end == NULL) {
		a->head_bytes += take;
		if (take < n)
			answer_refuse(a, "the response is too large");
		return take;
	}
	a->head.n = (size_t)(end + 4 - a->head.p);
	take = a->head.n - had;
	a->head_bytes += take;
	answer_head(a);
	return take;
}

/* ---- the body ---- */

static void
answer_add(struct answer *a, const char *p, size_t n)
{
	if (n > a->max - a->body.n)
		answer_refuse(a, "the response is too large");
	else
		buf_add(&a->body, p, n);
}

static size_t
answer_take_chunks(struct answer *a, const char *p, size_t n)
{
	struct str data;
	size_t used = chunks_take(&a->chunks, p, n, &data);

	if (chunks_bad(&a->chunks))
		answer_refuse(a, "the chunks of the answer make no sense");
	else if (chunks_ended(&a->chunks))
		a->state = ANSWER_WHOLE;
	else
		answer_add(a, data.p, data.n);
	return used;
}

size_t
answer_take(struct answer *a, const char *p, size_t n)
{
	size_t at = 0, part;

	while (at < n && a->state < ANSWER_WHOLE) {
		part = n - at;
		if (a->state == ANSWER_HEAD) {
			part = answer_take_head(a, p + at, part);
		} else if (a->state == ANSWER_CHUNKS) {
			part = answer_take_chunks(a, p + at, part);
		} else {
			if (a->state == ANSWER_LENGTH && part > a->left)
				part = (size_t)a->left;
			answer_add(a, p + at, part);
			if (a->state == ANSWER_LENGTH && (a->left -= part) == 0)
				a->state = ANSWER_WHOLE;
		}
		at += part;
	}
	return at;
}

void
answer_end(struct answer *a)
{
	if (a->state == ANSWER_TO_END)
		a->state = ANSWER_WHOLE;
	else if (a->state < ANSWER_WHOLE)
		answer_refuse(a, a->state == ANSWER_HEAD ? "the connection ended without an answer" : "the answer breaks off");
}

struct fetch_reply *
answer_reply(struct answer *a)
{
	a->reply->body = a->body.p != NULL ? buf_view(&a->body) : STR("");
	return a->reply;
}
