/* multipart/form-data (RFC 7578) in pieces of any size.
 *
 * The delimiter is searched for in the input itself; only a head, and how far a delimiter at the end of a piece has matched, outlive a
 * piece. A delimiter begins with a carriage return and has no other, so a match that fails begins nowhere but at the next one. */
#include "config.h"	/* memmem */

#include "multipart.h"

#include <assert.h>
#include <inttypes.h>

#include "gate_priv.h"

enum state {
	IN_DATA,	/* of a part, or in the preamble */
	AT_MARK,	/* behind a delimiter: two bytes say what follows */
	AT_DASH,	/* the second of the two that end all */
	AT_LINE,	/* the second of a line's end */
	IN_HEAD,
	AT_END,
	FAILED
};

bool
mp_init(struct mp *mp, struct str boundary)
{
	if (boundary.n == 0 || boundary.n > MP_BOUNDARY_MAX || memchr(boundary.p, '\r', boundary.n) != NULL || memchr(boundary.p, '\n', boundary.n) != NULL)
		return false;
	*mp = (struct mp){.state = IN_DATA, .n_mark = boundary.n + 4, .matched = 2, .borrowed = 2};	/* the body's start is as good as a line's */
	memcpy(mp->mark, "\r\n--", 4);
	memcpy(mp->mark + 4, boundary.p, boundary.n);
	return true;
}

static struct str
skip(struct str s, size_t n)
{
	return (struct str){s.p + n, s.n - n};
}

/* How many bytes at the end of s begin a delimiter. */
static size_t
tail(const struct mp *mp, struct str s)
{
	size_t most = s.n < mp->n_mark - 1 ? s.n : mp->n_mark - 1;
	const char *cr = most > 0 ? memrchr(s.p + s.n - most, '\r', most) : NULL;
	size_t n = cr != NULL ? (size_t)(s.p + s.n - cr) : 0;

	return n > 0 && memcmp(cr, mp->mark, n) == 0 ? n : 0;
}

/* Goes on with a delimiter that began in an earlier piece. */
static enum mp_event
multipart_go_on(struct mp *mp, struct str *in, struct str *data)
{
	while (in->n > 0 && mp->matched < mp->n_mark && in->p[0] == mp->mark[mp->matched]) {
		mp->matched++;
		*in = skip(*in, 1);
	}
	if (mp->matched == mp->n_mark || in->n == 0)
		return MP_MORE;
	*data = (struct str){mp->mark + mp->borrowed, mp->matched - mp->borrowed};	/* it was none: these were data */
	mp->matched = mp->borrowed = 0;
	return data->n > 0 ? MP_DATA : MP_MORE;
}

/* Data up to a delimiter, or all of it but what may begin one. */
static enum mp_event
take_data(struct mp *mp, struct str *in, struct str *data)
{
	const char *at = in->n >= mp->n_mark ? memmem(in->p, in->n, mp->mark, mp->n_mark) : NULL;

	if (at != NULL) {
		*data = (struct str){in->p, (size_t)(at - in->p)};
		*in = skip(*in, data->n + mp->n_mark);
		mp->matched = mp->n_mark;
	} else {
		mp->matched = tail(mp, *in);
		*data = (struct str){in->p, in->n - mp->matched};
		*in = skip(*in, in->n);
	}
	return data->n > 0 ? MP_DATA : MP_MORE;
}

static enum mp_event
step_data(struct mp *mp, struct str *in, struct str *data)
{
	enum mp_event e;

	if (mp->matched == mp->n_mark) {
		mp->borrowed = 0;
		mp->state = AT_MARK;
		if (!mp->in_part)
			return MP_MORE;
		mp->in_part = false;
		return MP_PART_END;
	}
	e = mp->matched > 0 ? multipart_go_on(mp, in, data) : take_data(mp, in, data);
	return mp->in_part ? e : MP_MORE;	/* the preamble is nobody's */
}

/* A head that holds a delimiter has not ended where it should. */
static bool
head_whole(const struct mp *mp)
{
	struct str rest = mp->head;

	if (rest.n >= mp->n_mark - 2 && memcmp(rest.p, mp->mark + 2, mp->n_mark - 2) == 0)
		return false;
	return rest.n < mp->n_mark || memmem(rest.p, rest.n, mp->mark, mp->n_mark) == NULL;
}

static enum mp_event
step_head(struct mp *mp, struct str *in)
{
	while (in->n > 0) {
		if (mp->n_head == MP_HEAD_MAX)
			return MP_BAD;
		mp->text[mp->n_head++] = in->p[0];
		*in = skip(*in, 1);
		if (mp->n_head == 2 && memcmp(mp->text, "\r\n", 2) == 0)
			mp->head = STR("");
		else if (mp->n_head >= 4 && memcmp(mp->text + mp->n_head - 4, "\r\n\r\n", 4) == 0)
			mp->head = (struct str){mp->text, mp->n_head - 4};
		else
			continue;
		if (!head_whole(mp))
			return MP_BAD;
		mp->state = IN_DATA;
		mp->in_part = true;
		/* the empty line may be the first of a delimiter: a part without data */
		mp->matched = mp->borrowed = 2;
		return MP_PART;
	}
	return MP_MORE;
}

/* A byte that only one place allows. */
static enum mp_event
step_byte(struct mp *mp, struct str *in)
{
	char c = in->p[0];

	*in = skip(*in, 1);
	if (mp->state == AT_MARK && (c == '-' || c == '\r')) {
		mp->state = c == '-' ? AT_DASH : AT_LINE;
		return MP_MORE;
	}
	if (mp->state == AT_DASH && c == '-') {
		mp->state = AT_END;
		return MP_END;
	}
	if (mp->state == AT_LINE && c == '\n') {
		mp->state = IN_HEAD;
		mp->n_head = 0;
		return MP_MORE;
	}
	return MP_BAD;
}

static enum mp_event
multipart_step(struct mp *mp, struct str *in, struct str *data)
{
	switch ((enum state)mp->state) {
	case IN_DATA:
		return step_data(mp, in, data);
	case IN_HEAD:
		return step_head(mp, in);
	case AT_END:
		*in = skip(*in, in->n);
		return MP_END;
	case FAILED:
		return MP_BAD;
	default:
		return step_byte(mp, in);
	}
}

enum mp_event
mp_step(struct mp *mp, struct str *in, struct str *data)
{
	enum mp_event e = MP_MORE;

	*data = STR("");
	while (e == MP_MORE && (in->n > 0 || (mp->state == IN_DATA && mp->matched == mp->n_mark)))
		e = multipart_step(mp, in, data);
	if (e == MP_MORE && mp->state == AT_END)
		e = MP_END;
	if (e == MP_BAD)
		mp->state = FAILED;
	return e;
}

/* ---- heads ---- */

/* The value of a parameter, in quotes or not; \" is a quote and \\ a backslash. What follows it is left in *rest. */
static struct str
parameter_value(struct arena *a, struct str *rest)
{
	struct buf b;
	size_t i = 1;

	if (rest->n == 0 || rest->p[0] != '"') {
		struct str token;

		for (i = 0; i < rest->n && rest->p[i] != ';'; i++)
			;
		token = str_trim((struct str){rest->p, i});
		*rest = skip(*rest, i);
		return (struct str){arena_memdup(a, token.p, token.n), token.n};
	}
	buf_init(&b, a, 32);
	for (; i < rest->n && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && i + 1 < rest->n && (rest->p[i + 1] == '"' || rest->p[i + 1] == '\\'))
			i++;
		buf_ch(&b, rest->p[i]);
	}
	*rest = skip(*rest, i < rest->n ? i + 1 : rest->n);
	return (struct str){b.p ? b.p : "", b.n};
}

/* UTF-8''%e2%82%ac (RFC 5987); anything else, and what is no UTF-8, is STR_NONE. */
static struct str
extended_value(struct arena *a, struct str s)
{
	struct str charset = str_cut(&s, '\''), v;

	if (s.p == NULL || !str_ieq(charset, STR("UTF-8")))
		return STR_NONE;
	str_cut(&s, '\'');	/* the language */
	if (s.p == NULL)
		return STR_NONE;
	v = str_url_decode(a, s, false);
	return str_utf8(v, NULL) ? v : STR_NONE;
}

static void
read_disposition(struct arena *a, struct str line, struct part_head *out)
{
	struct str extended = STR_NONE;
	const char *semi;

	while (line.n > 0 && (semi = memchr(line.p, ';', line.n)) != NULL) {
		struct str key, value;
		size_t i;

		line = str_trim(skip(line, (size_t)(semi - line.p) + 1));
		for (i = 0; i < line.n && line.p[i] != '=' && line.p[i] != ';'; i++)
			;
		key = str_trim((struct str){line.p, i});
		if (i == line.n || line.p[i] != '=') {
			line = skip(line, i);
			continue;
		}
		line = skip(line, i + 1);
		value = parameter_value(a, &line);
		if (str_ieq(key, STR("name")) && out->name.p == NULL)
			out->name = value;
		else if (str_ieq(key, STR("filename")) && out->filename.p == NULL)
			out->filename = value;
		else if (str_ieq(key, STR("filename*")) && extended.p == NULL)
			extended = extended_value(a, value);
	}
	if (extended.p != NULL)
		out->filename = extended;
}

static bool
is_clean(struct str s)
{
	return str_utf8(s, NULL) && (s.n == 0 || memchr(s.p, '\0', s.n) == NULL);
}

bool
part_head_parse(struct arena *a, struct str head, struct part_head *out)
{
	*out = (struct part_head){STR_NONE, STR_NONE, STR_NONE};
	while (head.p != NULL && head.n > 0) {
		struct str line = str_cut(&head, '\n'), name = str_trim(str_cut(&line, ':'));

		if (line.p == NULL)
			continue;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (str_ieq(name, STR("content-disposition")))
			read_disposition(a, line, out);
		else if (str_ieq(name, STR("content-type")) && out->type.p == NULL) {
			line = str_trim(line);
			out->type = (struct str){arena_memdup(a, line.p, line.n), line.n};
		}
	}
	return is_clean(out->name) && is_clean(out->filename) && is_clean(out->type);
}

struct str
mp_boundary(struct str type)
{
	while (type.p != NULL) {
		struct str value = str_trim(str_cut(&type, ';')), name = str_cut(&value, '=');

		if (!str_ieq(name, STR("boundary")) || value.p == NULL)
			continue;
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = (struct str){value.p + 1, value.n - 2};
		return value;
	}
	return STR_NONE;
}

/* ---- of a request ---- */

struct multipart {
	struct req *rq;
	struct mp mp;
	struct str in;		/* of the last piece, not used yet */
	uint64_t taken;		/* of the body: the last piece and those before */
	int parts;
	int parts_max;
	bool in_part;
	bool done;
};

static err_t
multipart_bad(struct multipart *m)
{
	return fail_msg(&m->rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "The parameters cannot be read. It is not valid multipart/form-data at byte %" PRIu64 ".", m->taken - m->in.n);
}

err_t
multipart_open(struct req *rq, int parts_max, struct multipart **out)
{
	struct multipart *m = *out = arena_new_of(rq->cx.arena, struct multipart);
	struct str type = rq->http->hdr[HDR_CONTENT_TYPE], kind = str_trim(str_cut(&type, ';'));

	m->rq = rq;
	m->parts_max = parts_max;
	m->in = STR("");
	if (!str_ieq(kind, STR("multipart/form-data")) || !mp_init(&m->mp, mp_boundary(type)))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "The parameters cannot be read. It is not valid multipart/form-data: its Content-Type names no boundary.");
	return OK;
}

/* Awaits the next event. */
static err_t
next_event(struct multipart *m, struct str *data, enum mp_event *e)
{
	for (;;) {
		*e = mp_step(&m->mp, &m->in, data);
		if (*e == MP_BAD)
			return multipart_bad(m);
		if (*e != MP_MORE)
			return OK;
		TRY(http_body_read(&m->rq->cx, m->rq->http, &m->in));
		m->taken += m->in.n;
		if (m->in.n == 0)	/* it ends before its end */
			return multipart_bad(m);
	}
}

/* What follows the last part is read, so that the connection can be kept, and means nothing. */
static err_t
read_rest(struct multipart *m)
{
	struct str rest;

	m->done = true;
	do
		TRY(http_body_read(&m->rq->cx, m->rq->http, &rest));
	while (rest.n > 0);
	return OK;
}

err_t
multipart_next(struct multipart *m, struct part_head *head_out, bool *more_out)
{
	struct str data;
	enum mp_event e;

	*more_out = false;
	while (!m->done) {
		TRY(next_event(m, &data, &e));
		if (e == MP_END)
			return read_rest(m);
		if (e != MP_PART)	/* the rest of a part that nobody read */
			continue;
		if (++m->parts > m->parts_max)
			return fail_msg(&m->rq->cx, ERR_REQUEST_TOO_LARGE, "The body has more than %d parts.", m->parts_max);
		if (!part_head_parse(m->rq->cx.arena, m->mp.head, head_out))
			return fail_msg(&m->rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "The parameters cannot be read. The head of a part is not valid UTF-8 or holds a NUL, before byte %" PRIu64 ".", m->taken - m->in.n);
		*more_out = m->in_part = true;
		return OK;
	}
	return OK;
}

err_t
multipart_read(struct multipart *m, struct str *piece_out)
{
	enum mp_event e;

	*piece_out = STR("");
	if (!m->in_part)
		return OK;
	TRY(next_event(m, piece_out, &e));
	assert(e == MP_DATA || e == MP_PART_END);	/* within a part there is nothing else */
	m->in_part = e == MP_DATA;
	return OK;
}
