/* Devices: what all kinds have in common, and the one that is configured. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/id.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/offload.h"
#include "device_priv.h"

enum { DEVICE_FILE_MAGIC = 0x64667763, DEVICE_SOURCE_MAGIC = 0x64737263, DROP_MS = 60000 };

struct device *
device_new(const struct device_settings *s, char *why, size_t why_size)
{
	struct device *d = mem_zalloc(sizeof *d);
	bool ok;

	d->s = *s;
	d->root = -1;
	ok = strcmp(s->kind, "local") == 0 ? device_local_begin(d, why, why_size) : device_s3_begin(d, why, why_size);
	if (ok)
		return d;
	free(d);
	return NULL;
}

/* auto: an endpoint of one's own is rarely a name with a certificate for all buckets. */
static struct device_settings
settings_of(const struct conf *c)
{
	return (struct device_settings){
		.kind = c->storage_device, .dir = c->storage_dir, .endpoint = c->storage_s3_endpoint, .region = c->storage_s3_region,
		.bucket = c->storage_s3_bucket, .key = c->storage_s3_key, .secret = c->storage_s3_secret, .prefix = c->storage_s3_prefix,
		.acl = c->storage_s3_acl, .ca = c->storage_s3_ca,
		.path_style = strcmp(c->storage_s3_style, "path") == 0 || (strcmp(c->storage_s3_style, "host") != 0 && *c->storage_s3_endpoint != '\0'),
	};
}

const char *
device_conf_wrong(const struct conf *c)
{
	const struct device_settings s = settings_of(c);

	return strcmp(s.kind, "local") == 0 ? NULL : device_s3_wrong(&s);
}

/* One device after the other, of texts with blanks between them; STR_NONE at the end. */
static struct str
next_also(struct str *list)
{
	struct str one = STR_NONE;

	while (one.n == 0 && list->n > 0)
		one = str_trim(str_cut(list, ' '));
	return one;
}

const char *
device_also_wrong(const struct conf *c)
{
	static char why[512];
	struct str list = str_c(c->storage_also), one;
	struct arena *a = arena_new();
	const char *wrong = NULL;
	int n = 1;

	while (wrong == NULL && (one = next_also(&list)).n > 0) {
		struct device_settings s;

		if (n++ == DEVICES_MAX)
			wrong = "it names too many devices";
		else if (!device_parse(a, one, c->storage_dir, &s, why, sizeof why))
			wrong = why;
		else if (strcmp(s.kind, "local") != 0)
			wrong = device_s3_wrong(&s);
	}
	arena_free(&a);
	return wrong;
}

/* The others; false with a reason. */
static bool
devices_also(struct devices *d, char *why, size_t why_size)
{
	struct arena *kept = arena_new();	/* as long as the devices: for ever */
	struct str list = str_c(conf.storage_also), one;
	struct device_settings s;

	while ((one = next_also(&list)).n > 0) {
		if (d->n == DEVICES_MAX) {
			snprintf(why, why_size, "storage_also: more than %d devices", DEVICES_MAX - 1);
			return false;
		}
		if (!device_parse(kept, one, conf.storage_dir, &s, why, why_size) || (d->v[d->n] = device_new(&s, why, why_size)) == NULL)
			return false;
		d->n++;
	}
	return true;
}

err_t
device_configured(struct ctx *cx, struct devices *out)
{
	static struct devices configured;
	static const char *also;	/* it moves when it is loaded anew */
	const struct device_settings s = settings_of(&conf);
	struct devices d = {{configured.v[0]}, 1};
	char why[512];

	*out = configured;
	if (configured.n > 0 && also == conf.storage_also)
		return OK;
	if (d.v[0] == NULL)
		d.v[0] = device_new(&s, why, sizeof why);
	if (d.v[0] != NULL && devices_also(&d, why, sizeof why)) {
		*out = configured = d;
		also = conf.storage_also;
		return OK;
	}
	metric_add(M_storage_errors, 1);
	log_error(cx, "the storage cannot be used", "why=\"%s\"", why);
	return fail(cx, ERR_DEVICE, "%s", why);
}

const char *
device_name(const struct device *d)
{
	return d->name;
}

err_t
device_errno(struct ctx *cx, const struct device *d, const char *what, const char *key, int error)
{
	bool full = error == ENOSPC || error == EDQUOT;

	metric_add(full ? M_storage_full : M_storage_errors, 1);
	log_error(cx, full ? "the storage is full" : "the storage failed", "device=\"%s\" doing=\"%s\" key=%s error=\"%s\"", d->name, what, key, strerror(error));
	return fail(cx, full ? ERR_DEVICE_FULL : ERR_DEVICE, "%s %s: %s", what, key, strerror(error));
}

/* Keys are ours: names of schemas, kinds, numbers, random hex. */
static bool
key_good(const char *key)
{
	size_t n = strlen(key);

	return n > 0 && n <= DEVICE_KEY_MAX && key[0] != '/' && strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_-./") == n && strstr(key, "..") == NULL &&
	    strstr(key, "//") == NULL;
}

/* ---- writing ---- */

static struct device_file *
device_file_of(const struct device_file *f)
{
	assert(f->magic == DEVICE_FILE_MAGIC);
	return (struct device_file *)(uintptr_t)f;
}

static void
drop_fiber(struct ctx *cx, void *arg)
{
	struct device_file *f = device_file_of(arg);

	f->d->kind->drop(cx, f);
	free(f);
}

/* Closing the last descriptor of a large file frees its blocks, which takes a while: by a thread, on a fiber of its own. */
void
device_drop(struct device_file **fp)
{
	struct device_file *f = *fp, *rest;

	*fp = NULL;
	if (f == NULL || device_file_of(f)->d == NULL)
		return;
	rest = mem_alloc(sizeof *rest);
	*rest = *f;
	f->d = NULL;
	fib_spawn_new("blob", DROP_MS, drop_fiber, rest);
}

static void
drop_deferred(void *arg)
{
	struct device_file *f = arg;

	device_drop(&f);
}

err_t
device_create(struct ctx *cx, struct device *d, const char *key, struct device_file **out)
{
	struct device_file *f = arena_new_of(cx->arena, struct device_file);

	assert(key_good(key));
	*out = NULL;
	*f = (struct device_file){.magic = DEVICE_FILE_MAGIC, .d = d, .fd = -1};
	snprintf(f->key, sizeof f->key, "%s", key);
	TRY(d->kind->create(cx, f));
	defer(cx, drop_deferred, f);
	*out = f;
	return OK;
}

int
device_file_fd(const struct device_file *f)
{
	return device_file_of(f)->fd;
}

void
device_share(struct device_file *f)
{
	device_file_of(f)->shared = true;
}

err_t
device_took(struct ctx *cx, struct device_file *f, size_t n)
{
	metric_add(M_storage_in, (int64_t)n);
	return device_file_of(f)->d->kind->took == NULL ? OK : f->d->kind->took(cx, f, n);
}

err_t
device_finish(struct ctx *cx, struct device_file *f)
{
	assert(!device_file_of(f)->finished);
	TRY(f->d->kind->finish(cx, f));
	f->finished = true;
	return OK;
}

err_t
device_append_failed(struct ctx *cx, const struct device_file *f, int error)
{
	return device_errno(cx, device_file_of(f)->d, "write", f->key, error);
}

/* ---- reading ---- */

static struct device_source *
device_source(const struct device_source *s)
{
	assert(s->magic == DEVICE_SOURCE_MAGIC);
	return (struct device_source *)(uintptr_t)s;
}

void
device_close(struct device_source **sp)
{
	struct device_source *s = *sp;

	*sp = NULL;
	if (s == NULL || device_source(s)->d == NULL)
		return;
	s->d->kind->close(s);
	s->d = NULL;
}

static void
close_source(void *arg)
{
	struct device_source *s = arg;

	device_close(&s);
}

err_t
device_open(struct ctx *cx, struct device *d, const char *key, uint64_t at, uint64_t n, struct device_source **out, uint64_t *size_out)
{
	struct device_source *s = arena_new_of(cx->arena, struct device_source);

	assert(key_good(key));
	*out = NULL;
	*s = (struct device_source){.magic = DEVICE_SOURCE_MAGIC, .d = d, .key = arena_strdup(cx->arena, key), .fd = -1, .at = at, .end = at + n};
	TRY(d->kind->open(cx, s, size_out));
	defer(cx, close_source, s);
	*out = s;
	return OK;
}

int
device_source_fd(const struct device_source *s)
{
	return device_source(s)->fd;
}

err_t
device_fill(struct ctx *cx, struct device_source *s, const struct iovec *v, int n)
{
	assert(device_source(s)->fd < 0);
	return s->d->kind->fill(cx, s, v, n);
}

/* ---- the rest ---- */

static bool
is_prefix(const char *s)
{
	return *s == '\0' || (key_good(s) && s[strlen(s) - 1] == '/');
}

err_t
device_remove(struct ctx *cx, struct device *d, const char *key)
{
	assert(key_good(key));
	return d->kind->remove(cx, d, key);
}

/* The slash at its end is what keeps bucket 1 from taking those of 11 along. */
err_t
device_remove_below(struct ctx *cx, struct device *d, const char *prefix)
{
	assert(*prefix != '\0' && is_prefix(prefix));
	return d->kind->remove_below(cx, d, prefix);
}

err_t
device_walk(struct ctx *cx, struct device *d, const char *prefix, device_seen_fn fn, void *arg)
{
	assert(is_prefix(prefix));
	return d->kind->walk(cx, d, prefix, fn, arg);
}

err_t
device_names(struct ctx *cx, struct device *d, const char *prefix, device_name_fn fn, void *arg)
{
	assert(is_prefix(prefix));
	return d->kind->names(cx, d, prefix, fn, arg);
}

err_t
device_tidy(struct ctx *cx, struct device *d, int *removed_out)
{
	*removed_out = 0;
	return d->kind->tidy(cx, d, removed_out);
}

/* ---- small objects: a trial, and whose the device is ---- */

struct probe {
	struct device_file *f;
	struct device_source *s;
	char text[64], got[64];
	bool read;		/* it was there, whatever it said */
	int error;
};

static void
probe_blocking(void *arg)
{
	struct probe *p = arg;
	size_t n = strlen(p->text);
	ssize_t r = p->f != NULL ? write(device_file_fd(p->f), p->text, n) : pread(device_source_fd(p->s), p->got, n, 0);

	p->error = r == (ssize_t)n ? 0 : r < 0 ? errno : EIO;
}

static err_t
probe_write(struct ctx *cx, struct device *d, const char *key, struct probe *p)
{
	TRY(device_create(cx, d, key, &p->f));
	TRY(offload(cx, LANE_file, probe_blocking, p));
	if (p->error != 0)
		return device_append_failed(cx, p->f, p->error);
	TRY(device_took(cx, p->f, strlen(p->text)));
	return device_finish(cx, p->f);
}

static err_t
probe_read(struct ctx *cx, struct device *d, const char *key, struct probe *p)
{
	const struct iovec v = {p->got, strlen(p->text)};
	uint64_t size;

	p->f = NULL;
	TRY(device_open(cx, d, key, 0, v.iov_len, &p->s, &size));
	p->read = true;
	if (size != v.iov_len)
		return fail(cx, ERR_DEVICE, "what was written does not read back");
	if (device_source_fd(p->s) < 0)
		TRY(device_fill(cx, p->s, &v, 1));
	else
		TRY(offload(cx, LANE_file, probe_blocking, p));
	return p->error == 0 && strcmp(p->text, p->got) == 0 ? OK : fail(cx, ERR_DEVICE, "what was written does not read back");
}

err_t
device_probe(struct ctx *cx, struct device *d)
{
	const char *name = secret_hex(cx->arena, 16), *key = arena_printf(cx->arena, "probe/%s", name);
	struct probe p = {0};

	snprintf(p.text, sizeof p.text, "written by badal doctor: %s", name);
	TRY(probe_write(cx, d, key, &p));
	TRY(probe_read(cx, d, key, &p));
	return device_remove(cx, d, key);
}

err_t
device_claim(struct ctx *cx, struct device *d, const char *owner, bool take, bool *ours_out)
{
	static const char key[] = "installation";
	struct probe p = {0};
	err_t e;

	assert(strlen(owner) < sizeof p.text);
	snprintf(p.text, sizeof p.text, "%s", owner);
	e = probe_read(cx, d, key, &p);
	if (e != OK && e != ERR_BLOB_GONE && !p.read)
		return e;
	*ours_out = e == OK;
	if (e == OK || (e != ERR_BLOB_GONE && !take))
		return OK;
	if (e != ERR_BLOB_GONE)
		TRY(device_remove(cx, d, key));
	e = probe_write(cx, d, key, &p);
	if (e != OK && probe_read(cx, d, key, &p) == OK)	/* another one of ours was quicker */
		e = OK;
	*ours_out = e == OK;
	return e;
}

int64_t
device_free_bytes(const struct device *d)
{
	struct statvfs fs;

	return fstatvfs(d->root, &fs) == 0 ? (int64_t)((uint64_t)fs.f_bavail * fs.f_frsize) : -1;
}
