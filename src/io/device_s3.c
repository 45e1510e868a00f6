/* A provider that speaks S3 as a device.
 *
 * What is written waits in an unlinked file of the storage directory: up to a part's size it becomes one PUT when it is finished, beyond that parts of equal
 * size of a multipart upload, which is aborted when it is not finished. What is read comes in one ranged GET, which is taken up where it was
 * cut: a short answer never passes for a whole one. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/offload.h"
#include "core/vtime.h"
#include "s3_priv.h"

enum { PARTS_MAX = 10000, PART_MIN = 5 << 20, ETAG_MAX = 80, UPLOAD_ID_MAX = 1024, PAGES_MAX = 100000, COPY = 64 * 1024 };

/* Hosts by region, and the region where none is set. Who is not here is reached by storage_s3_endpoint. */
static const struct s3_provider {
	const char *kind, *host, *region;
} providers[] = {
	{"s3", "s3.%s.amazonaws.com", "us-east-1"},
	{"dospaces", "%s.digitaloceanspaces.com", "us-east-1"},
	{"backblaze", "s3.%s.backblazeb2.com", "us-west-004"},
	{"linode", "%s.linodeobjects.com", "eu-central-1"},
	{"wasabi", "s3.%s.wasabisys.com", "eu-central-1"},
};

static const struct s3_provider *
provider_find(const char *kind)
{
	for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
		if (strcmp(providers[i].kind, kind) == 0)
			return &providers[i];
	return NULL;
}

static bool
only(const char *s, const char *letters)
{
	return s[strspn(s, letters)] == '\0';
}
#define S3_NAME "abcdefghijklmnopqrstuvwxyz0123456789.-"

static const char *
region_of(const struct device_settings *s, const struct s3_provider *p)
{
	return *s->region == '\0' ? p->region : s->region;
}

const char *
device_s3_wrong(const struct device_settings *s)
{
	const struct s3_provider *p = provider_find(s->kind);
	const char *e = s->endpoint, *region = p != NULL ? region_of(s, p) : "";

	if (p == NULL)
		return "no such device";
	if (*s->bucket == '\0' || strlen(s->bucket) > 63 || !only(s->bucket, S3_NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"))
		return "storage_s3_bucket is missing or no name of a bucket";
	if (*s->key == '\0' || *s->secret == '\0')
		return "storage_s3_key and storage_s3_secret are missing";
	if (*region == '\0' || strlen(region) > 40 || !only(region, S3_NAME))
		return "storage_s3_region is no name of a region";
	if (strlen(s->prefix) > 100 || !only(s->prefix, S3_NAME "_/") || s->prefix[0] == '/' || strstr(s->prefix, "..") || strstr(s->prefix, "//"))
		return "storage_s3_prefix is not of a-z, 0-9, . _ - and slashes between them";
	if (*e != '\0' && (strlen(e) > 200 || (strncmp(e, "https://", 8) != 0 && strncmp(e, "http://", 7) != 0) || !only(strstr(e, "//") + 2, S3_NAME ":[]")))
		return "storage_s3_endpoint is not http(s)://host[:port]";
	return NULL;
}

bool
device_s3_begin(struct device *d, char *why, size_t why_size)
{
	const struct s3_provider *p = provider_find(d->s.kind);
	const char *wrong = device_s3_wrong(&d->s), *region, *host;
	struct s3 *s;
	char named[128];
	size_t scheme;

	if (wrong != NULL) {
		snprintf(why, why_size, "%s: %s", d->s.kind, wrong);
		return false;
	}
	if (!device_root(d, why, why_size))
		return false;
	region = region_of(&d->s, p);
	s = mem_zalloc(sizeof *s);
	s->s = d->s;
	s->inside = *d->s.endpoint != '\0';
	snprintf(named, sizeof named, "https://");
	snprintf(named + 8, sizeof named - 8, p->host, region);
	host = s->inside ? d->s.endpoint : named;
	scheme = (size_t)(strstr(host, "//") + 2 - host);
	if (d->s.path_style)
		snprintf(s->base, sizeof s->base, "%s/%s/", host, d->s.bucket);
	else
		snprintf(s->base, sizeof s->base, "%.*s%s.%s/", (int)scheme, host, d->s.bucket, host + scheme);
	snprintf(s->prefix, sizeof s->prefix, "%s%s", d->s.prefix, *d->s.prefix != '\0' && d->s.prefix[strlen(d->s.prefix) - 1] != '/' ? "/" : "");
	snprintf(s->sign, sizeof s->sign, "aws:amz:%s:s3", region);
	snprintf(d->name, sizeof d->name, "%s %.100s", d->s.kind, s->base);
	d->kind = &device_s3;
	d->own = s;
	return true;
}

/* An answer that is none of those that we can use. */
static err_t
answered(struct ctx *cx, const struct device *d, const char *what, const char *key, int status)
{
	metric_add(M_storage_errors, 1);
	log_error(cx, "the storage failed", "device=\"%s\" doing=\"%s\" key=%s status=%d", d->name, what, key, status);
	return fail(cx, ERR_DEVICE, "%s %s: status %d", what, key, status);
}

/* ---- writing ---- */

struct s3_writing {		/* own of a file; malloc'ed, it outlives the context of the writer */
	uint64_t waits;		/* bytes in the file */
	uint64_t part_size;	/* of all but the last one, whatever is configured meanwhile */
	int parts;		/* sent */
	char *upload;		/* id of the multipart upload; NULL: there is none */
	char (*etags)[ETAG_MAX + 1];
};

struct s3_job {
	struct device_file *f;
	uint64_t from, n;
	int error;
};

static void
spool_blocking(void *arg)
{
	struct s3_job *j = arg;
	const char *slash = strrchr(j->f->key, '/');
	char path[DEVICE_KEY_MAX + 8];

	j->f->fd = device_spool(j->f->d, slash ? slash + 1 : j->f->key, &j->f->named);
	j->error = errno;
	if (j->f->fd < 0 || !j->f->named)
		return;
	snprintf(path, sizeof path, "tmp/%s", slash ? slash + 1 : j->f->key);
	unlinkat(j->f->d->root, path, 0);
	j->f->named = false;
}

static err_t
s3_create(struct ctx *cx, struct device_file *f)
{
	struct s3_writing *w = mem_zalloc(sizeof *w);
	struct s3_job j = {.f = f};
	err_t e;

	w->part_size = conf.storage_s3_part < PART_MIN ? PART_MIN : (uint64_t)conf.storage_s3_part;
	f->own = w;
	e = offload(cx, LANE_file, spool_blocking, &j);
	if (e == OK && f->fd < 0)
		e = device_errno(cx, f->d, "create", f->key, j.error);
	if (e != OK) {
		if (f->fd >= 0)
			close(f->fd);
		free(w);
	}
	return e;
}

static err_t
upload_begin(struct ctx *cx, struct device_file *f, struct s3_writing *w)
{
	const struct s3_ask q = {.method = "POST", .key = f->key, .query = "uploads=", .body = STR(""), .creates = true};
	struct fetch_reply *r;
	const char *id;

	TRY(s3_ask(cx, f->d, &q, &r));
	id = s3_xml_text(cx->arena, r->body, "UploadId");
	if (r->status != 200 || *id == '\0' || strlen(id) > UPLOAD_ID_MAX)
		return answered(cx, f->d, "begin parts", f->key, r->status);
	w->upload = mem_strdup(id);
	w->etags = mem_alloc(PARTS_MAX * sizeof *w->etags);
	return OK;
}

static const char *
part_query(struct ctx *cx, const struct s3_writing *w, int part)
{
	const char *id = s3_encode(cx->arena, w->upload);

	return part > 0 ? arena_printf(cx->arena, "partNumber=%d&uploadId=%s", part, id) : arena_printf(cx->arena, "uploadId=%s", id);
}

/* The first `n` bytes that wait. */
static err_t
upload_part(struct ctx *cx, struct device_file *f, struct s3_writing *w, uint64_t n)
{
	struct s3_sums sums;
	struct s3_ask q = {.method = "PUT", .key = f->key, .fd = f->fd, .n = n, .sums = &sums};
	struct fetch_reply *r;
	const char *etag;

	if (w->parts == PARTS_MAX)
		return fail(cx, ERR_DEVICE, "more than %d parts: storage_s3_part is too small", PARTS_MAX);
	q.query = part_query(cx, w, w->parts + 1);
	TRY(s3_sum_file(cx, f->fd, n, &sums));
	TRY(s3_ask(cx, f->d, &q, &r));
	etag = fetch_header(r, "etag");
	if (r->status != 200 || etag == NULL || strlen(etag) > ETAG_MAX || strpbrk(etag, "<>&") != NULL)
		return answered(cx, f->d, "put a part", f->key, r->status);
	snprintf(w->etags[w->parts++], sizeof *w->etags, "%s", etag);
	return OK;
}

/* What waits behind the part that was sent moves to the front. */
static void
shift_blocking(void *arg)
{
	struct s3_job *j = arg;
	char *piece = mem_alloc(COPY);
	uint64_t at = 0;

	while (at < j->n && j->error == 0) {
		ssize_t got = pread(j->f->fd, piece, j->n - at < COPY ? (size_t)(j->n - at) : COPY, (off_t)(j->from + at));

		if (got <= 0 || pwrite(j->f->fd, piece, (size_t)got, (off_t)at) != got)
			j->error = got < 0 ? errno : ENOSPC;
		at += got > 0 ? (uint64_t)got : 0;
	}
	if (j->error == 0 && (ftruncate(j->f->fd, (off_t)j->n) != 0 || lseek(j->f->fd, 0, SEEK_END) < 0))
		j->error = errno;
	free(piece);
}

static err_t
s3_took(struct ctx *cx, struct device_file *f, size_t n)
{
	struct s3_writing *w = f->own;

	w->waits += n;
	while (w->waits > w->part_size) {
		struct s3_job j = {.f = f, .from = w->part_size, .n = w->waits - w->part_size};

		if (w->upload == NULL)
			TRY(upload_begin(cx, f, w));
		TRY(upload_part(cx, f, w, w->part_size));
		TRY(offload(cx, LANE_file, shift_blocking, &j));
		if (j.error != 0)
			return device_errno(cx, f->d, "write", f->key, j.error);
		w->waits = j.n;
	}
	return OK;
}

static err_t
put_whole(struct ctx *cx, struct device_file *f, struct s3_writing *w)
{
	struct s3_sums sums;
	const struct s3_ask q = {.method = "PUT", .key = f->key, .fd = f->fd, .n = w->waits, .sums = &sums, .creates = true};
	struct fetch_reply *r;

	TRY(s3_sum_file(cx, f->fd, w->waits, &sums));
	f->maybe = true;
	TRY(s3_ask(cx, f->d, &q, &r));
	return r->status / 100 == 2 ? OK : answered(cx, f->d, "put", f->key, r->status);
}

/* The size that the object has there; -1: there is none. */
static err_t
s3_size(struct ctx *cx, struct device *d, const char *key, int64_t *size_out)
{
	const struct s3_ask q = {.method = "HEAD", .key = key};
	struct fetch_reply *r;
	const char *n;

	TRY(s3_ask(cx, d, &q, &r));
	n = fetch_header(r, "content-length");
	*size_out = -1;
	if (r->status == 200 && (n == NULL || !str_to_i64(str_c(n), size_out)))
		return fail(cx, ERR_DEVICE, "the provider does not tell an object's size");
	return OK;
}

/* The answer to an earlier try may have been lost: then the upload is gone, which providers tell in various ways, and the object there. */
static err_t
upload_end(struct ctx *cx, struct device_file *f, struct s3_writing *w)
{
	struct s3_ask q = {.method = "POST", .key = f->key, .query = part_query(cx, w, 0)};
	struct fetch_reply *r;
	struct buf b;
	int64_t size, sent = (int64_t)((uint64_t)(w->parts - 1) * w->part_size + w->waits);
	err_t e;

	buf_init(&b, cx->arena, 256 + (size_t)w->parts * 128);
	buf_c(&b, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (int i = 0; i < w->parts; i++)
		buf_printf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i + 1, w->etags[i]);
	buf_c(&b, "</CompleteMultipartUpload>");
	q.body = buf_view(&b);
	f->maybe = true;
	e = s3_ask(cx, f->d, &q, &r);
	if (e != OK && e != ERR_DEVICE)
		return e;
	if (e == OK && r->status / 100 == 2)
		return OK;
	TRY(s3_size(cx, f->d, f->key, &size));
	if (e != OK)
		return size == sent ? OK : e;
	return size == sent ? OK : answered(cx, f->d, "put parts together", f->key, r->status);
}

static void
s3_writing_free(struct s3_writing *w)
{
	free(w->upload);
	free(w->etags);
	free(w);
}

static err_t
s3_finish(struct ctx *cx, struct device_file *f)
{
	struct s3_writing *w = f->own;

	if (w->upload == NULL)
		return put_whole(cx, f, w);
	TRY(upload_part(cx, f, w, w->waits));
	return upload_end(cx, f, w);
}

static err_t s3_remove(struct ctx *cx, struct device *d, const char *key);

static err_t
upload_abort(struct ctx *cx, struct device *d, const char *key, const char *upload)
{
	const struct s3_ask q = {.method = "DELETE", .key = key, .query = arena_printf(cx->arena, "uploadId=%s", s3_encode(cx->arena, upload))};
	struct fetch_reply *r;

	return s3_ask(cx, d, &q, &r);
}

static void
s3_drop(struct ctx *cx, struct device_file *f)
{
	struct s3_writing *w = f->own;

	close(f->fd);	/* it was unlinked and is small */
	if (!f->finished && w->upload != NULL && upload_abort(cx, f->d, f->key, w->upload) != OK)
		log_warn(cx, "an upload at the provider stays until the upkeep finds it", "key=%s", f->key);
	if (device_file_undo(f) && s3_remove(cx, f->d, f->key) != OK)
		log_warn(cx, "an object stays until the upkeep finds it", "key=%s", f->key);
	s3_writing_free(w);
}

/* ---- reading ---- */

struct s3_reading {		/* own of a source */
	struct ctx own;		/* of the request that is under way */
	bool open;
	struct fetch_stream *stream;
	struct str left;	/* of the piece that came last */
	char etag[ETAG_MAX + 1];
	int cuts;		/* in a row, without a byte */
};

static void
reading_stop(struct s3_reading *r)
{
	if (r->open)
		ctx_fini(&r->own);
	r->open = false;
	r->stream = NULL;
	r->left = STR_NONE;
}

/* "bytes 0-9/100" → 100; of a whole answer, its length. */
static bool
reply_total(const struct fetch_reply *h, uint64_t at, uint64_t *total_out)
{
	const char *text = fetch_header(h, h->status == 206 ? "content-range" : "content-length"), *slash;
	int64_t n;

	if (text != NULL && h->status == 206) {
		slash = strrchr(text, '/');
		if (strncmp(text, "bytes ", 6) != 0 || slash == NULL || strtoull(text + 6, NULL, 10) != at)
			return false;
		text = slash + 1;
	}
	if (text == NULL || !str_to_i64(str_c(text), &n) || n < 0 || (h->status == 200 && at != 0))
		return false;
	*total_out = (uint64_t)n;
	return true;
}

/* Begins, or takes up, the request for what is still to come. */
static err_t
reading_begin(struct ctx *cx, struct device_source *s, uint64_t *total_out)
{
	struct s3_reading *r = s->own;
	struct fetch_reply *h;
	const char *etag;
	bool first = r->etag[0] == '\0';
	err_t e;

	reading_stop(r);
	ctx_init_part(&r->own, cx);
	r->open = true;
	e = s3_get(cx, &r->own, s->d, s->key, s->at, s->end, first ? NULL : r->etag, &r->stream, &h);
	if (e == OK && h->status == 404)
		e = fail(cx, ERR_BLOB_GONE, "%s is not there", s->key);
	else if (e == OK && h->status == 416 && first)
		*total_out = 0;
	else if (e == OK && (h->status == 412 || !reply_total(h, s->at, total_out)))
		e = answered(cx, s->d, "read", s->key, h->status);
	if (e != OK) {
		reading_stop(r);
		return e;
	}
	etag = fetch_header(h, "etag");
	if (first && etag != NULL && strlen(etag) <= ETAG_MAX)
		snprintf(r->etag, sizeof r->etag, "%s", etag);
	return OK;
}

static void
s3_close(struct device_source *s)
{
	reading_stop(s->own);
	free(s->own);
	s->own = NULL;
}

static err_t
s3_open(struct ctx *cx, struct device_source *s, uint64_t *size_out)
{
	int64_t size;
	err_t e;

	s->own = mem_zalloc(sizeof(struct s3_reading));
	if (s->at < s->end) {
		e = reading_begin(cx, s, size_out);
	} else {
		e = s3_size(cx, s->d, s->key, &size);
		if (e == OK && size < 0)
			e = fail(cx, ERR_BLOB_GONE, "%s is not there", s->key);
		*size_out = e == OK ? (uint64_t)size : 0;
	}
	if (e != OK)
		s3_close(s);
	return e;
}

/* The next piece of the answer. A cut one is taken up again, as long as something comes at all. */
static err_t
next_piece(struct ctx *cx, struct device_source *s)
{
	struct s3_reading *r = s->own;
	uint64_t total;
	err_t e;

	for (;;) {
		e = r->stream != NULL ? fetch_read(cx, r->stream, &r->left) : ERR_FETCH;
		if (e == OK && r->left.n > 0) {
			r->cuts = 0;
			return OK;
		}
		if (e == OK)
			e = fail(cx, ERR_FETCH, "it ended early");
		if (!s3_again(e) || (cx->deadline != 0 && loop_now() >= cx->deadline))
			return e;
		if (++r->cuts >= conf.storage_s3_tries) {
			metric_add(M_storage_errors, 1);
			log_error(cx, "the storage failed", "device=\"%s\" doing=read key=%s why=\"%s\"", s->d->name, s->key, cx->detail ? cx->detail : "");
			return fail(cx, ERR_DEVICE, "read: cut off");
		}
		log_warn(cx, "a read from the storage was cut off and is taken up", "device=\"%s\" key=%s at=%llu", s->d->name, s->key, (unsigned long long)s->at);
		TRY(s3_pause(cx, r->cuts));
		TRY(reading_begin(cx, s, &total));
	}
}

static err_t
s3_fill(struct ctx *cx, struct device_source *s, const struct iovec *v, int n)
{
	struct s3_reading *r = s->own;

	for (int i = 0; i < n; i++)
		for (size_t done = 0, take; done < v[i].iov_len; done += take) {
			if (r->left.n == 0)
				TRY(next_piece(cx, s));
			take = v[i].iov_len - done < r->left.n ? v[i].iov_len - done : r->left.n;
			memcpy((char *)v[i].iov_base + done, r->left.p, take);
			r->left.p += take;
			r->left.n -= take;
			s->at += take;
		}
	return OK;
}

/* ---- removing and listing ---- */

static err_t
s3_remove(struct ctx *cx, struct device *d, const char *key)
{
	const struct s3_ask q = {.method = "DELETE", .key = key};
	struct fetch_reply *r;

	return s3_ask(cx, d, &q, &r);
}

struct s3_page {
	const char *prefix;
	bool names;		/* a level only */
	const char *token;	/* of the next page; "" at the end */
	struct str body;
};

static err_t
list_page(struct ctx *cx, struct device *d, struct s3_page *p)
{
	const struct s3 *s = d->own;
	struct s3_ask q = {.method = "GET", .max_bytes = S3_LIST_BODY};
	struct fetch_reply *r;

	q.query = arena_printf(cx->arena, "%s%s%s%slist-type=2&max-keys=1000&prefix=%s", *p->token ? "continuation-token=" : "", s3_encode(cx->arena, p->token),
	    *p->token ? "&" : "", p->names ? "delimiter=%2F&" : "", s3_encode(cx->arena, arena_printf(cx->arena, "%s%s", s->prefix, p->prefix)));
	TRY(s3_ask(cx, d, &q, &r));
	if (r->status != 200)
		return answered(cx, d, "list", p->prefix, r->status);
	p->body = r->body;
	p->token = strcmp(s3_xml_text(cx->arena, r->body, "IsTruncated"), "true") == 0 ? s3_xml_text(cx->arena, r->body, "NextContinuationToken") : "";
	return OK;
}

struct s3_told {
	device_seen_fn seen;
	device_name_fn name;
	void *arg;
};

/* Where ours begins in a provider's key; NULL: it is not one of ours. */
static const char *
our_key(const struct device *d, const char *prefix, const char *key)
{
	const struct s3 *s = d->own;
	size_t n = strlen(s->prefix);

	return strncmp(key, s->prefix, n) == 0 && strncmp(key + n, prefix, strlen(prefix)) == 0 && strlen(key + n) <= DEVICE_KEY_MAX ? key + n : NULL;
}

static err_t
tell_object(struct ctx *cx, struct device *d, const char *prefix, struct str xml, const struct s3_told *t)
{
	const char *key = our_key(d, prefix, s3_xml_text(cx->arena, xml, "Key"));
	int64_t size = 0, changed = time_now_ms();

	if (key == NULL || !str_to_i64(str_c(s3_xml_text(cx->arena, xml, "Size")), &size) ||
	    !time_parse(str_c(s3_xml_text(cx->arena, xml, "LastModified")), &changed))
		return OK;
	return t->seen(cx, key, size, changed, t->arg);
}

static err_t
tell_name(struct ctx *cx, struct device *d, const char *prefix, struct str xml, const struct s3_told *t)
{
	const char *key = our_key(d, prefix, s3_xml_text(cx->arena, xml, "Prefix"));
	char name[DEVICE_KEY_MAX + 1];

	if (key == NULL)
		return OK;
	snprintf(name, sizeof name, "%s", key + strlen(prefix));
	name[strcspn(name, "/")] = '\0';
	return *name != '\0' ? t->name(cx, name, t->arg) : OK;
}

static err_t
tell_page(struct ctx *cx, struct device *d, const struct s3_page *p, const struct s3_told *t)
{
	struct str at = p->body, one;

	while (s3_xml_next(&at, t->name ? "CommonPrefixes" : "Contents", &one))
		TRY(t->name ? tell_name(cx, d, p->prefix, one, t) : tell_object(cx, d, p->prefix, one, t));
	return OK;
}

/* A page in memory of its own: there may be a million objects. */
static err_t
list_all(struct ctx *cx, struct device *d, const char *prefix, const struct s3_told *t)
{
	char token[2048] = "";

	for (int n = 0; n < PAGES_MAX; n++) {
		struct ctx own;
		struct s3_page p = {.prefix = prefix, .names = t->name != NULL, .token = token};
		err_t e;

		ctx_init_part(&own, cx);
		e = list_page(&own, d, &p);
		if (e == OK)
			e = tell_page(&own, d, &p, t);
		if (e != OK)
			e = fail(cx, e, "%s", own.detail ? own.detail : err_info(e)->name);
		else if (strlen(p.token) < sizeof token)
			memmove(token, p.token, strlen(p.token) + 1);
		else
			e = fail(cx, ERR_DEVICE, "the provider's token is too long");
		ctx_fini(&own);
		if (e != OK || *token == '\0')
			return e;
	}
	return fail(cx, ERR_DEVICE, "the provider's list does not end");
}

static err_t
s3_walk(struct ctx *cx, struct device *d, const char *prefix, device_seen_fn fn, void *arg)
{
	const struct s3_told t = {.seen = fn, .arg = arg};

	return list_all(cx, d, prefix, &t);
}

static err_t
s3_names(struct ctx *cx, struct device *d, const char *prefix, device_name_fn fn, void *arg)
{
	const struct s3_told t = {.name = fn, .arg = arg};

	return list_all(cx, d, prefix, &t);
}

struct s3_removing {
	struct device *d;
	struct buf keys;	/* NUL after each */
	int n;
};

static err_t
note_key(struct ctx *cx, const char *key, int64_t size, int64_t changed, void *arg)
{
	struct s3_removing *r = arg;

	(void)cx, (void)size, (void)changed;
	buf_add(&r->keys, key, strlen(key) + 1);
	r->n++;
	return OK;
}

/* Keys are of letters that XML does not mind. */
static err_t
remove_many(struct ctx *cx, struct s3_removing *rm)
{
	const struct s3 *s = rm->d->own;
	struct s3_ask q = {.method = "POST", .query = "delete=", .max_bytes = S3_LIST_BODY, .may_lack = true};
	struct fetch_reply *r;
	struct str at, error;
	struct buf b;

	buf_init(&b, cx->arena, rm->keys.n + (size_t)rm->n * 64);
	buf_c(&b, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
	for (size_t i = 0; i < rm->keys.n; i += strlen(rm->keys.p + i) + 1)
		buf_printf(&b, "<Object><Key>%s%s</Key></Object>", s->prefix, rm->keys.p + i);
	buf_c(&b, "</Delete>");
	q.body = buf_view(&b);
	TRY(s3_ask(cx, rm->d, &q, &r));
	at = r->body;
	return r->status / 100 == 2 && !s3_xml_next(&at, "Error", &error) ? OK : fail(cx, ERR_DEVICE, "not all objects were removed: status %d", r->status);
}

/* Who knows no list, or failed on one of it, gets one request for each. */
static err_t
remove_each(struct ctx *cx, struct s3_removing *rm)
{
	for (size_t i = 0; i < rm->keys.n; i += strlen(rm->keys.p + i) + 1)
		TRY(s3_remove(cx, rm->d, rm->keys.p + i));
	return OK;
}

/* From the beginning after each page, until nothing is left. */
static err_t
s3_remove_below(struct ctx *cx, struct device *d, const char *prefix)
{
	for (int n = 0; n < PAGES_MAX; n++) {
		struct ctx own;
		struct s3_page p = {.prefix = prefix, .token = ""};
		struct s3_removing rm = {.d = d};
		const struct s3_told t = {.seen = note_key, .arg = &rm};
		err_t e;

		ctx_init_part(&own, cx);
		buf_init(&rm.keys, own.arena, 0);
		e = list_page(&own, d, &p);
		if (e == OK)
			e = tell_page(&own, d, &p, &t);
		if (e == OK && rm.n > 0 && remove_many(&own, &rm) != OK)
			e = remove_each(&own, &rm);
		if (e != OK)
			e = fail(cx, e, "%s", own.detail ? own.detail : err_info(e)->name);
		ctx_fini(&own);
		if (e != OK || rm.n == 0)
			return e;
	}
	return fail(cx, ERR_DEVICE, "the provider's list does not end");
}

/* ---- uploads that nobody finished ---- */

static err_t
tidy_upload(struct ctx *cx, struct device *d, struct str xml, int *removed)
{
	const char *key = our_key(d, "", s3_xml_text(cx->arena, xml, "Key")), *id = s3_xml_text(cx->arena, xml, "UploadId");
	int64_t begun;

	if (key == NULL || *id == '\0' || !time_parse(str_c(s3_xml_text(cx->arena, xml, "Initiated")), &begun) || begun > time_now_ms() - DEVICE_STALE_MS)
		return OK;
	++*removed;
	return upload_abort(cx, d, key, id);
}

/* A page at a time; what is aborted is not on the next one. */
static err_t
s3_tidy(struct ctx *cx, struct device *d, int *removed_out)
{
	const struct s3 *s = d->own;
	struct s3_ask q = {.method = "GET", .max_bytes = S3_LIST_BODY, .may_lack = true};
	const char *key = "", *id = "";

	do {
		struct fetch_reply *r;
		struct str at, one;
		struct arena *a = cx->arena;

		q.query = arena_printf(a, "%s%smax-uploads=1000&prefix=%s%s%s&uploads=", *key ? "key-marker=" : "", *key ? arena_printf(a, "%s&", s3_encode(a, key)) : "",
		    s3_encode(a, s->prefix), *id ? "&upload-id-marker=" : "", s3_encode(a, id));
		TRY(s3_ask(cx, d, &q, &r));
		if (r->status != 200) {
			log_info(cx, "the provider does not tell which uploads are unfinished: let a rule of the bucket end them", "status=%d", r->status);
			return OK;
		}
		at = r->body;
		while (s3_xml_next(&at, "Upload", &one))
			TRY(tidy_upload(cx, d, one, removed_out));
		key = strcmp(s3_xml_text(a, r->body, "IsTruncated"), "true") == 0 ? s3_xml_text(a, r->body, "NextKeyMarker") : "";
		id = s3_xml_text(a, r->body, "NextUploadIdMarker");
	} while (*key != '\0');
	return OK;
}

const struct device_kind device_s3 = {
	.create = s3_create, .took = s3_took, .finish = s3_finish, .drop = s3_drop, .open = s3_open, .fill = s3_fill, .close = s3_close, .remove = s3_remove,
	.remove_below = s3_remove_below, .walk = s3_walk, .names = s3_names, .tidy = s3_tidy,
};
