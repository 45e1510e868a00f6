/* Devices: where bytes lie under keys, a local directory or a provider that speaks S3. What they mean is told by model/blob.h.
 *
 * A key is a path of a few components of a-z, 0-9, _ . and -; an object is written once and whole. Whoever writes appends to a descriptor (by a
 * thread, with whatever makes the bytes), and whoever reads from a local directory has one as well; a provider is served from, and
 * gives, pieces in order. */
#ifndef BADAL_IO_DEVICE_H
#define BADAL_IO_DEVICE_H

#include <sys/uio.h>

#include "core/ctx.h"

enum { DEVICE_KEY_MAX = 200 };

struct device;
struct device_file;		/* being written */
struct device_source;		/* being read */

struct device_settings {	/* texts live as long as the device */
	const char *kind;	/* "local", or a row of device_s3.c */
	const char *dir;	/* of the local device; what waits for a provider lies there, too */
	/* of a provider; "": none */
	const char *endpoint;	/* "https://host:port" instead of the provider's own */
	const char *region, *bucket, *key, *secret, *prefix, *acl, *ca;
	bool path_style;	/* the bucket is in the path, not in the host's name */
};

/* A device; NULL and a reason when the settings cannot work. Lives as long as the process. */
struct device *device_new(const struct device_settings *s, char *why, size_t why_size);
/* Settings in one text (device_url.c), in the arena; false and a reason when they make no sense. `dir`: where what waits for a provider lies. */
bool device_parse(struct arena *a, struct str url, const char *dir, struct device_settings *out, char *why, size_t why_size);
/* Those that are configured, made at their first use: the first one is written to, the others (storage_also) may still hold something. */
enum { DEVICES_MAX = 4 };
struct devices {
	struct device *v[DEVICES_MAX];
	int n;
};
struct conf;
/* What cannot work of the settings, looked at before anything starts; NULL: nothing. Static. */
const char *device_conf_wrong(const struct conf *c), *device_also_wrong(const struct conf *c);
err_t device_configured(struct ctx *cx, struct devices *out) MUST_CHECK;
const char *device_name(const struct device *d);	/* for the log: "local /var/lib/…" */

/* ---- writing: errors ERR_DEVICE_FULL, ERR_DEVICE, and as offload ---- */

/* Awaits. Begins an object; nobody sees it before device_finish. It ends with cx. */
err_t device_create(struct ctx *cx, struct device *d, const char *key, struct device_file **out) MUST_CHECK;
int device_file_fd(const struct device_file *f);	/* append here */
/* Others may write the same bytes under the same key: one that fails takes nothing away. */
void device_share(struct device_file *f);
/* Awaits. `n` bytes were appended, at most a MiB: a provider may get what is there. */
err_t device_took(struct ctx *cx, struct device_file *f, size_t n) MUST_CHECK;
/* Awaits. It is there, whatever crashes. */
err_t device_finish(struct ctx *cx, struct device_file *f) MUST_CHECK;
/* No wait. Closes what is open; an object that was not finished is taken away behind the caller's back. NULL inside is fine. */
void device_drop(struct device_file **fp);
/* errno of a failed append as an error. */
err_t device_append_failed(struct ctx *cx, const struct device_file *f, int error);

/* ---- reading: ERR_BLOB_GONE, ERR_DEVICE ---- */

/* Awaits. Bytes [at, at + n) of an object. *size_out: of the whole. Ends with cx. */
err_t device_open(struct ctx *cx, struct device *d, const char *key, uint64_t at, uint64_t n, struct device_source **out, uint64_t *size_out) MUST_CHECK;
int device_source_fd(const struct device_source *s);	/* of a local directory, at which everything may be read; else -1 */
/* Awaits. The next bytes, into all of the pieces; where there is no descriptor. Never fewer. */
err_t device_fill(struct ctx *cx, struct device_source *s, const struct iovec *v, int n) MUST_CHECK;
void device_close(struct device_source **sp);	/* NULL inside is fine */

/* ---- removing and listing; all await ---- */

err_t device_remove(struct ctx *cx, struct device *d, const char *key) MUST_CHECK;	/* gone, or was not there */
/* Everything whose key begins with `prefix`, which ends in a slash. */
err_t device_remove_below(struct ctx *cx, struct device *d, const char *prefix) MUST_CHECK;
/* Calls fn for every object there; `prefix` ends in a slash or is "". `changed` is in ms of the clock. */
typedef err_t (*device_seen_fn)(struct ctx *cx, const char *key, int64_t size, int64_t changed, void *arg);
err_t device_walk(struct ctx *cx, struct device *d, const char *prefix, device_seen_fn fn, void *arg) MUST_CHECK;
/* The names directly below it that have something below them. */
typedef err_t (*device_name_fn)(struct ctx *cx, const char *name, void *arg);
err_t device_names(struct ctx *cx, struct device *d, const char *prefix, device_name_fn fn, void *arg) MUST_CHECK;
/* Takes away what writers that died have left on the device itself, older than a day; *removed_out of them. */
err_t device_tidy(struct ctx *cx, struct device *d, int *removed_out) MUST_CHECK;
/* Awaits. Who the device belongs to: the first one who asks, or with `take` the one who asks now. *ours_out: that is `owner` (at most 63 characters). */
err_t device_claim(struct ctx *cx, struct device *d, const char *owner, bool take, bool *ours_out) MUST_CHECK;
/* Awaits. Writes, reads and removes an object of its own: can it be used? */
err_t device_probe(struct ctx *cx, struct device *d) MUST_CHECK;
/* Of the file system that it writes to; -1: unknown, or without an end. */
int64_t device_free_bytes(const struct device *d);

#endif
