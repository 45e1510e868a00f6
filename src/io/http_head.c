/* The head of an HTTP/1.1 request, and what HTTP/1.1 and HTTP/2 have in common about header fields.
 *
 * Everything is a view into the one copy of the head in the message's arena: the target stays as it was sent, byte by byte. Strict
 * where two readers could disagree about where a request ends (bare line feeds, folded lines, blanks before the colon,
 * contradicting lengths), lenient elsewhere. */
#include "http_priv.h"

#include <assert.h>
#include <ctype.h>

enum { HEADERS_MAX = 128, METHOD_MAX = 32, BUCKETS = 256 };

/* Headers that only the adapter reads, after the ones in tbl/headers.h. */
enum { OWN_CONNECTION = HDR_N, OWN_TRANSFER_ENCODING, OWN_UPGRADE, OWN_EXPECT, OWN_WS_KEY, OWN_WS_VERSION, OWN_N };

enum many { LAST, FIRST, ONCE, JOINED };	/* tbl/headers.h */

static const struct { const char *name; size_t n; enum many many; } names[OWN_N] = {
#define HDR(id, text, many) [HDR_##id] = {text, sizeof(text) - 1, many},
#include "tbl/headers.h"
#undef HDR
	[OWN_CONNECTION] = {"connection", 10, LAST},
	[OWN_TRANSFER_ENCODING] = {"transfer-encoding", 17, LAST},
	[OWN_UPGRADE] = {"upgrade", 7, LAST},
	[OWN_EXPECT] = {"expect", 6, LAST},
	[OWN_WS_KEY] = {"sec-websocket-key", 17, LAST},
	[OWN_WS_VERSION] = {"sec-websocket-version", 21, LAST},
};

/* What the own headers said. */
struct framing {
	bool chunked;		/* the Transfer-Encoding that we know, once */
	bool has_length;
	uint64_t seen;		/* of enum http_hdr, a bit each; the target may name a host as well */
	bool close, keep_alive, upgrade;	/* of Connection */
	bool websocket;		/* of Upgrade */
	bool version_13;
	bool expects;		/* 100-continue */
	int64_t length;
	struct str ws_key;
};

static uint8_t bucket[BUCKETS];		/* index + 1 of the first name with this hash */
static uint8_t chain[OWN_N];
static bool token_char[256], target_char[256];

static unsigned
name_hash(const char *p, size_t n)
{
	unsigned char a = (unsigned char)p[0] | 0x20, b = (unsigned char)p[n / 2] | 0x20, z = (unsigned char)p[n - 1] | 0x20;

	return (a * 7u + b * 31u + z * 13u + (unsigned)n) % BUCKETS;
}

void
header_setup(void)
{
	memset(bucket, 0, sizeof bucket);
	for (int i = 0; i < OWN_N; i++) {
		unsigned h = name_hash(names[i].name, names[i].n);

		chain[i] = bucket[h];
		bucket[h] = (uint8_t)(i + 1);
	}
	for (int c = 0; c < 256; c++) {
		token_char[c] = c < 128 && (isalnum(c) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL));
		target_char[c] = c > ' ' && c != 127;
	}
}

static int
name_find(const char *p, size_t n)
{
	for (int i = bucket[name_hash(p, n)]; i != 0; i = chain[i - 1])
		if (names[i - 1].n == n && strncasecmp(names[i - 1].name, p, n) == 0)
			return i - 1;
	return -1;
}

int
header_known(const char *name, size_t n)
{
	int i = n == 0 ? -1 : name_find(name, n);

	return i < HDR_N ? i : -1;
}

bool
header_once(uint64_t *seen, int hdr)
{
	uint64_t bit = UINT64_C(1) << hdr;
	bool again = (*seen & bit) != 0;

	static_assert(HDR_N <= 64, "a bit for each header");
	*seen |= bit;
	return !again || names[hdr].many != ONCE;
}

void
header_set(struct msg *x, int hdr, struct str value)
{
	struct str *s = &x->m.hdr[hdr];
	size_t n = s->n + 2 + value.n;
	char *joined = (char *)(uintptr_t)s->p;	/* ours, once there are two */

	if (s->p == NULL || names[hdr].many == LAST) {
		*s = value;
		return;
	}
	if (names[hdr].many != JOINED)
		return;
	if (n > x->joined[hdr]) {	/* it doubles: there may be thousands of them */
		x->joined[hdr] = (uint32_t)(2 * n);
		joined = arena_alloc(x->m.arena, 2 * n);
		mem_copy(joined, s->p, s->n);
	}
	memcpy(joined + s->n, hdr == HDR_COOKIE ? "; " : ", ", 2);
	mem_copy(joined + s->n + 2, value.p, value.n);
	*s = (struct str){joined, n};
}

ssize_t
head_end(const char *p, size_t n, size_t from)
{
	const char *e, *bare;

	from = from > 3 ? from - 3 : 0;
	e = memmem(p + from, n - from, "\r\n\r\n", 4);
	if (e != NULL)
		return e + 4 - p;
	bare = memmem(p + from, n - from, "\n\n", 2);
	return bare != NULL ? -1 : 0;
}

static bool
list_has(struct str list, const char *word)
{
	while (list.p != NULL)
		if (str_ieq(str_trim(str_cut(&list, ',')), str_c(word)))
			return true;
	return false;
}

static err_t
http_head_set_length(struct framing *f, struct str v)
{
	int64_t n = header_length(v);

	if (n == LENGTH_LARGE)
		return ERR_REQUEST_TOO_LARGE;
	if (n == LENGTH_BAD || (f->has_length && f->length != n))
		return ERR_REQUEST_MALFORMED;
	f->has_length = true;
	f->length = n;
	return OK;
}

static err_t
own_header(struct framing *f, int id, struct str v)
{
	switch (id) {
	case OWN_CONNECTION:
		f->close = f->close || list_has(v, "close");
		f->keep_alive = f->keep_alive || list_has(v, "keep-alive");
		f->upgrade = f->upgrade || list_has(v, "upgrade");
		return OK;
	case OWN_TRANSFER_ENCODING:	/* one coding, and the one that says where the body ends */
		if (f->chunked || !str_ieq(v, STR("chunked")))
			return ERR_REQUEST_MALFORMED;
		f->chunked = true;
		return OK;
	case OWN_UPGRADE:
		f->websocket = f->websocket || list_has(v, "websocket");
		return OK;
	case OWN_EXPECT:
		f->expects = str_ieq(v, STR("100-continue"));
		return OK;
	case OWN_WS_KEY:
		f->ws_key = v;
		return OK;
	case OWN_WS_VERSION:
		f->version_13 = str_is(v, "13");
		return OK;
	case HDR_CONTENT_LENGTH:
		return http_head_set_length(f, v);
	default:
		return OK;
	}
}

/* Takes the mark off a path. */
static void
take_mark(struct http_msg *m)
{
	struct str rest = m->path, mark;

	if (rest.n < 2 || rest.p[1] != '~')
		return;
	rest = (struct str){rest.p + 2, rest.n - 2};
	mark = str_cut(&rest, '/');
	if (rest.p == NULL)
		return;
	m->mark = mark;
	m->path = (struct str){rest.p - 1, rest.n + 1};
}

/* Splits the target; an absolute one also names the host, which then counts. */
static err_t
parse_target(struct http_msg *m, struct str t)
{
	const char *q;

	if (t.n == 0)
		return ERR_REQUEST_MALFORMED;
	for (size_t i = 0; i < t.n; i++)
		if (!target_char[(unsigned char)t.p[i]])
			return ERR_REQUEST_MALFORMED;
	if (t.p[0] != '/' && !(t.n == 1 && t.p[0] == '*')) {
		size_t scheme = t.n > 7 && strncasecmp(t.p, "http://", 7) == 0 ? 7 :
		    t.n > 8 && strncasecmp(t.p, "https://", 8) == 0	? 8 : 0;
		size_t host = scheme;

		if (scheme == 0)
			return ERR_REQUEST_MALFORMED;
		while (host < t.n && strchr("/?#", t.p[host]) == NULL)
			host++;
		m->hdr[HDR_HOST] = (struct str){t.p + scheme, host - scheme};
		t = (struct str){t.p + host, t.n - host};
	}
	q = t.n > 0 ? memchr(t.p, '?', t.n) : NULL;
	m->path = (struct str){t.p, q ? (size_t)(q - t.p) : t.n};
	m->query = q ? (struct str){q + 1, t.n - m->path.n - 1} : STR("");
	if (m->path.n == 0)
		m->path = STR("/");
	take_mark(m);
	return OK;
}

static err_t
parse_request_line(struct http_msg *m, char *line, size_t n)
{
	struct str rest = {line, n}, version;

	m->method = str_cut(&rest, ' ');
	if (m->method.n == 0 || m->method.n > METHOD_MAX || rest.p == NULL)
		return ERR_REQUEST_MALFORMED;
	for (size_t i = 0; i < m->method.n; i++)
		if (!token_char[(unsigned char)m->method.p[i]])
			return ERR_REQUEST_MALFORMED;
	if (rest.n < 10)
		return ERR_REQUEST_MALFORMED;
	version = (struct str){rest.p + rest.n - 9, 9};
	if (str_is(version, " HTTP/1.1"))
		m->version = 11;
	else if (str_is(version, " HTTP/1.0"))
		m->version = 10;
	else
		return ERR_REQUEST_MALFORMED;
	return parse_target(m, (struct str){rest.p, rest.n - 9});
}

static err_t
parse_header(struct msg *x, struct framing *f, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	struct str v;
	size_t len;
	int id;

	if (colon == NULL || colon == line)
		return ERR_REQUEST_MALFORMED;
	len = (size_t)(colon - line);
	for (size_t i = 0; i < len; i++)	/* also refuses folded lines and blanks before the colon */
		if (!token_char[(unsigned char)line[i]])
			return ERR_REQUEST_MALFORMED;
	v = str_trim((struct str){colon + 1, n - len - 1});
	if (v.n == 0)
		v.p = colon + 1;
	if (!header_value_ok(v.p, v.n))
		return ERR_REQUEST_MALFORMED;
	id = name_find(line, len);
	if (id < 0)
		return OK;
	if (id < HDR_N && !header_once(&f->seen, id))
		return ERR_REQUEST_MALFORMED;
	if (id < HDR_N)
		header_set(x, id, v);
	return own_header(f, id, v);
}

static err_t
http_head_apply(struct msg *x, const struct framing *f)
{
	if (f->chunked && (f->has_length || x->m.version < 11))	/* two readers may take it in two ways */
		return ERR_REQUEST_MALFORMED;
	x->head = str_is(x->m.method, "HEAD");
	x->keep = x->m.version == 11 ? !f->close : f->keep_alive && !f->close;
	x->expects = x->m.version == 11 && f->expects;
	x->ws_key = f->ws_key;
	x->upgrade = x->m.version == 11 && f->upgrade && f->websocket && f->version_13 && str_is(x->m.method, "GET");
	x->in_chunks = f->chunked;
	x->m.length = f->chunked ? -1 : f->length;
	return OK;
}

void
head_guess(struct msg *x, const char *p, size_t n)
{
	struct str rest = {arena_memdup(x->m.arena, p, n), n};

	str_cut(&rest, '\n');
	while (rest.n > 0) {
		struct str v = str_cut(&rest, '\n'), name = str_cut(&v, ':');
		int id = v.p != NULL ? header_known(name.p, name.n) : -1;

		if (v.n > 0 && v.p[v.n - 1] == '\r')
			v.n--;
		v = str_trim(v);
		if (id >= 0 && rest.p != NULL && x->m.hdr[id].p == NULL && header_value_ok(v.p, v.n))	/* the last line may go on */
			x->m.hdr[id] = v;
	}
}

err_t
head_parse(struct msg *x, char *head, size_t n)
{
	struct framing f = {0};
	char *p = head, *end = head + n - 2, *eol;	/* the empty line is not a header */
	int count = 0;

	assert(n >= 4);
	eol = memchr(p, '\r', n);
	if (eol[1] != '\n')
		return ERR_REQUEST_MALFORMED;
	TRY(parse_request_line(&x->m, p, (size_t)(eol - p)));
	for (p = eol + 2; p < end; p = eol + 2) {
		eol = memchr(p, '\r', (size_t)(end - p));	/* a lone \r is inside the line then, and refused as a bad byte */
		if (eol == NULL || eol[1] != '\n')
			return ERR_REQUEST_MALFORMED;
		if (++count > HEADERS_MAX)
			return ERR_HEADERS_TOO_LARGE;
		TRY(parse_header(x, &f, p, (size_t)(eol - p)));
	}
	return http_head_apply(x, &f);
}
