/* Requests to a provider that speaks S3: signed by curl, sent again with a fresh signature while that can help.
 *
 * Every body goes with its MD5 and its SHA-256, so a provider refuses what was spoiled on the way; no other checksum headers are sent, which some do not
 * know. A try that gets no answer, a cut one, 5xx, 429 or a complaint about the clock is followed by another, after a pause that doubles and that
 * chance shortens. What a provider says in XML is for the log: nobody outside ever sees it. */
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/offload.h"
#include "s3_priv.h"

enum { PAUSE_MS = 200, PAUSE_MAX_MS = 10000, BODY_PIECE = 64 * 1024, ASK_HEADERS = 8 };

/* ---- sums ---- */

static void
sums_text(const unsigned char md5[16], const unsigned char hash[32], struct s3_sums *out)
{
	EVP_EncodeBlock((unsigned char *)out->md5, md5, 16);
	sodium_bin2hex(out->hash, sizeof out->hash, hash, 32);
}

void
s3_sum(struct str s, struct s3_sums *out)
{
	unsigned char md5[16], hash[32];

	if (EVP_Digest(s.p, s.n, md5, NULL, EVP_md5(), NULL) != 1 || EVP_Digest(s.p, s.n, hash, NULL, EVP_sha256(), NULL) != 1)
		mem_fatal(0);
	sums_text(md5, hash, out);
}

struct summing {
	int fd;
	uint64_t n;
	struct s3_sums *out;
	bool ok;
};

static void
sum_blocking(void *arg)
{
	struct summing *s = arg;
	EVP_MD_CTX *md5 = EVP_MD_CTX_new(), *hash = EVP_MD_CTX_new();
	unsigned char a[16], b[32];
	char *piece = mem_alloc(BODY_PIECE);

	s->ok = md5 != NULL && hash != NULL && EVP_DigestInit_ex(md5, EVP_md5(), NULL) == 1 && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
	for (uint64_t at = 0; s->ok && at < s->n;) {
		ssize_t got = pread(s->fd, piece, s->n - at < BODY_PIECE ? (size_t)(s->n - at) : BODY_PIECE, (off_t)at);

		s->ok = got > 0 && EVP_DigestUpdate(md5, piece, (size_t)got) == 1 && EVP_DigestUpdate(hash, piece, (size_t)got) == 1;
		at += got > 0 ? (uint64_t)got : 0;
	}
	s->ok = s->ok && EVP_DigestFinal_ex(md5, a, NULL) == 1 && EVP_DigestFinal_ex(hash, b, NULL) == 1;
	if (s->ok)
		sums_text(a, b, s->out);
	EVP_MD_CTX_free(md5);
	EVP_MD_CTX_free(hash);
	free(piece);
}

err_t
s3_sum_file(struct ctx *cx, int fd, uint64_t n, struct s3_sums *out)
{
	struct summing s = {.fd = fd, .n = n, .out = out};

	TRY(offload(cx, LANE_file, sum_blocking, &s));
	return s.ok ? OK : fail(cx, ERR_DEVICE, "what waits for the provider cannot be read");
}

/* ---- requests ---- */

const char *
s3_encode(struct arena *a, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
	struct buf b;

	buf_init(&b, a, strlen(s) + 16);
	for (; *s != '\0'; s++)
		if (strchr(plain, *s) != NULL)
			buf_ch(&b, *s);
		else
			buf_printf(&b, "%%%02X", (unsigned char)*s);
	return buf_view(&b).p;
}

static const struct s3 *
s3_of(const struct device *d)
{
	return d->own;
}

struct signed_ask {
	struct fetch f;
	struct fetch_header headers[ASK_HEADERS];
};

static void
add_ask_header(struct signed_ask *s, const char *name, const char *value)
{
	if (value != NULL && *value != '\0')
		s->headers[s->f.n_headers++] = (struct fetch_header){name, value};
}

static void
ask_prepare(struct ctx *own, const struct device *d, const char *method, const char *key, const char *query, const char *hash, struct signed_ask *out)
{
	static const char nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	const struct s3 *s = s3_of(d);

	memset(out, 0, sizeof *out);
	out->f = (struct fetch){
		.url = arena_printf(own->arena, "%s%s%s%s%s", s->base, key ? s->prefix : "", key ? key : "", query ? "?" : "", query ? query : ""),
		.method = method, .headers = out->headers, .user = s->s.key, .password = s->s.secret, .aws_sigv4 = s->sign,
		.private_ok = s->inside, .ca_file = s->s.ca, .timeout_ms = (uint64_t)conf.storage_s3_timeout, .progress_ms = (uint64_t)conf.storage_s3_timeout,
	};
	add_ask_header(out, "x-amz-content-sha256", hash ? hash : nothing);
}

/* A body from a file, in pieces that are in memory mostly. */
struct piece {
	int fd;
	char *to;
	uint64_t at;
	size_t n;
	ssize_t got;
};

static void
piece_blocking(void *arg)
{
	struct piece *p = arg;

	p->got = pread(p->fd, p->to, p->n, (off_t)p->at);
}

static err_t
send_file(struct ctx *cx, struct ctx *own, struct fetch_stream *s, int fd, uint64_t n)
{
	struct piece p = {.fd = fd, .to = mem_alloc(BODY_PIECE)};

	defer(own, free, p.to);
	for (; p.at < n; p.at += (uint64_t)p.got) {
		struct iovec v = {p.to, n - p.at < BODY_PIECE ? (size_t)(n - p.at) : BODY_PIECE};

		p.n = v.iov_len;
		p.got = preadv2(fd, &v, 1, (off_t)p.at, RWF_NOWAIT);
		if (p.got <= 0)
			TRY(offload(cx, LANE_file, piece_blocking, &p));
		if (p.got <= 0)
			return fail(cx, ERR_DEVICE, "what waits for the provider cannot be read");
		TRY(fetch_write(cx, s, (struct str){p.to, (size_t)p.got}));
	}
	return fetch_end(cx, s);
}

/* The body of a response that was asked for in pieces; it is not large. */
static err_t
take_reply(struct ctx *cx, struct ctx *own, struct fetch_stream *s, struct fetch_reply **out)
{
	struct str piece;
	struct buf body;

	TRY(fetch_head(cx, s, out));
	buf_init(&body, own->arena, 0);
	do {
		TRY(fetch_read(cx, s, &piece));
		buf_str(&body, piece);
	} while (piece.n > 0);
	(*out)->body = buf_view(&body);
	return OK;
}

static err_t
ask_once(struct ctx *own, const struct device *d, const struct s3_ask *q, struct fetch_reply **out)
{
	struct s3_sums sums;
	const struct s3_sums *of = q->sums;
	struct signed_ask a;
	struct fetch_stream *s;

	if (q->body.p != NULL && of == NULL) {
		s3_sum(q->body, &sums);
		of = &sums;
	}
	ask_prepare(own, d, q->method, q->key, q->query, of ? of->hash : NULL, &a);
	add_ask_header(&a, "Content-MD5", of ? of->md5 : NULL);
	add_ask_header(&a, "Content-Type", q->body.p != NULL ? "application/xml" : q->creates ? "application/octet-stream" : NULL);
	add_ask_header(&a, "x-amz-acl", q->creates ? s3_of(d)->s.acl : NULL);
	a.f.max_bytes = q->max_bytes ? q->max_bytes : S3_ERROR_BODY;
	if (q->fd <= 0) {
		a.f.body = q->body;
		return fetch(own, &a.f, out);
	}
	a.f.upload = true;
	a.f.length = (int64_t)q->n;
	a.f.timeout_ms = 0;
	TRY(fetch_open(own, &a.f, &s));
	TRY(send_file(own, own, s, q->fd, q->n));
	return take_reply(own, own, s, out);
}

/* ---- what an answer means ---- */

struct verdict {
	bool good, again, full;
	const char *code;	/* the provider's */
};

static bool
code_in(const char *s, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

/* Its root element: a list of what was removed may hold some, and putting parts together may end in one after a 200. */
static bool
is_error(struct str xml)
{
	const char *root = xml.n > 0 ? memmem(xml.p, xml.n, "<Error", 6) : NULL, *first = xml.p;

	while (root != NULL && first < root && (first = memchr(first, '<', (size_t)(root - first))) != NULL && first[1] == '?')
		first++;
	return root != NULL && (first == NULL || first == root);
}

static struct verdict
reply_verdict(struct arena *a, const struct fetch_reply *r)
{
	static const char *const again[] = {"RequestTimeTooSkewed", "RequestTimeout", "InternalError", "ServiceUnavailable", "SlowDown", "IncompleteBody", "BadDigest",
	    "OperationAborted", "XAmzContentSHA256Mismatch", NULL};
	static const char *const full[] = {"QuotaExceeded", "StorageFull", "XMinioStorageFull", "InsufficientStorage", "storage_cap_exceeded", NULL};
	struct verdict v = {.code = ""};
	int s = r->status;

	if (is_error(r->body))
		v.code = s3_xml_text(a, r->body, "Code");
	v.good = (s / 100 == 2 && !is_error(r->body)) || (s == 404 && strcmp(v.code, "NoSuchBucket") != 0) || s == 412 || s == 416;
	v.full = s == 507 || code_in(v.code, full);
	v.again = !v.good && !v.full && (s == 500 || s == 502 || s == 503 || s == 504 || s == 429 || s == 408 || code_in(v.code, again));
	return v;
}

/* A code is a word; whatever else a provider writes there is not for our log. */
static const char *
clean_code(const char *code)
{
	return *code != '\0' && strlen(code) <= 64 && strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(code) ? code : "none";
}

static err_t
judge_reply(struct ctx *cx, const struct s3_ask *q, const struct fetch_reply *r, bool *again_out)
{
	struct verdict v = reply_verdict(cx->arena, r);

	*again_out = v.again;
	if (v.good || (q->may_lack && !v.again && (r->status / 100 == 4 || r->status == 501)))
		return OK;
	return fail(cx, v.full ? ERR_DEVICE_FULL : ERR_DEVICE, "%s %s: status %d, code %s", q->method, q->key ? q->key : "", r->status, clean_code(v.code));
}

bool
s3_again(err_t e)
{
	return e == ERR_FETCH || e == ERR_TIMEOUT || e == ERR_BUSY;
}

err_t
s3_pause(struct ctx *cx, int n)
{
	uint64_t ms = (uint64_t)PAUSE_MS << (n < 8 ? n - 1 : 7);

	if (ms > PAUSE_MAX_MS)
		ms = PAUSE_MAX_MS;
	metric_add(M_storage_retries, 1);
	return fib_sleep(cx, ms / 2 + randombytes_uniform((uint32_t)(ms / 2) + 1));
}

/* The caller's own end is not the provider's fault. */
static bool
asker_ended(const struct ctx *cx, err_t e)
{
	return e == ERR_CANCELLED || (e == ERR_TIMEOUT && cx->deadline != 0 && loop_now() >= cx->deadline);
}

/* Whatever went wrong, in our words. */
static err_t
gave_up(struct ctx *cx, const struct device *d, const struct s3_ask *q, err_t e, const char *why)
{
	if (e == ERR_BUSY)	/* our own doing */
		return fail(cx, e, "%s", why);
	if (e == ERR_DEVICE_FULL)
		metric_add(M_storage_full, 1);
	else
		metric_add(M_storage_errors, 1);
	log_error(cx, "the storage failed", "device=\"%s\" doing=%s key=%s why=\"%s\"", d->name, q->method, q->key ? q->key : "", why);
	return fail(cx, e == ERR_DEVICE_FULL ? e : ERR_DEVICE, "%s", why);
}

err_t
s3_ask(struct ctx *cx, const struct device *d, const struct s3_ask *q, struct fetch_reply **out)
{
	*out = NULL;
	for (int n = 1;; n++) {
		struct ctx *own = arena_new_of(cx->arena, struct ctx);
		bool again = false;
		const char *why;
		err_t e;

		ctx_init_arena(own, cx->arena);
		own->fib = cx->fib;
		own->deadline = cx->deadline;
		own->id = cx->id;
		own->project = cx->project;
		own->client = cx->client;
		e = ask_once(own, d, q, out);
		again = s3_again(e);
		if (e == OK)
			e = judge_reply(own, q, *out, &again);
		why = arena_strdup(cx->arena, own->detail ? own->detail : err_info(e)->name);
		ctx_fini(own);
		if (e == OK)
			return OK;
		if (asker_ended(cx, e))
			return fail(cx, e, "%s", why);
		if (!again || n >= conf.storage_s3_tries)
			return gave_up(cx, d, q, e, why);
		log_warn(cx, "the storage is asked again", "device=\"%s\" doing=%s key=%s try=%d why=\"%s\"", d->name, q->method, q->key ? q->key : "", n, why);
		TRY(s3_pause(cx, n));
	}
}

static err_t
get_once(struct ctx *cx, struct ctx *own, const struct device *d, const char *key, const char *range, const char *if_match, struct fetch_stream **out,
    struct fetch_reply **head_out)
{
	struct signed_ask a;

	ask_prepare(own, d, "GET", key, NULL, NULL, &a);
	add_ask_header(&a, "Range", range);
	add_ask_header(&a, "If-Match", if_match);
	a.f.timeout_ms = 0;
	a.f.headers = memcpy(arena_alloc(own->arena, sizeof a.headers), a.headers, sizeof a.headers);
	TRY(fetch_open(own, &a.f, out));
	return fetch_head(cx, *out, head_out);
}

err_t
s3_get(struct ctx *cx, struct ctx *own, const struct device *d, const char *key, uint64_t from, uint64_t to, const char *if_match, struct fetch_stream **out,
    struct fetch_reply **head_out)
{
	const struct s3_ask q = {.method = "GET", .key = key};
	const char *range = arena_printf(own->arena, "bytes=%llu-%llu", (unsigned long long)from, (unsigned long long)to - 1);

	for (int n = 1;; n++) {
		bool again;
		const char *why;
		err_t e;

		*out = NULL;
		e = get_once(cx, own, d, key, range, if_match, out, head_out);
		again = s3_again(e);
		why = e == OK ? "" : cx->detail ? cx->detail : own->detail ? own->detail : err_info(e)->name;
		if (e == OK && (*head_out)->status / 100 != 2) {
			(void)take_reply(own, own, *out, head_out);	/* it is looked at for its code alone */
			e = judge_reply(own, &q, *head_out, &again);
			why = own->detail ? own->detail : "";
		}
		if (e == OK)
			return OK;
		fetch_close(out);
		if (asker_ended(cx, e))
			return fail(cx, e, "%s", why);
		if (!again || n >= conf.storage_s3_tries)
			return gave_up(cx, d, &q, e, why);
		log_warn(cx, "the storage is asked again", "device=\"%s\" doing=GET key=%s try=%d why=\"%s\"", d->name, key, n, why);
		TRY(s3_pause(cx, n));
	}
}
