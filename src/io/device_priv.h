/* Devices, private: what a kind of device does (device_local.c, device_s3.c) behind device.c. */
#ifndef BADAL_IO_DEVICE_PRIV_H
#define BADAL_IO_DEVICE_PRIV_H

#include "io/device.h"

enum { DEVICE_STALE_MS = 24 * 3600 * 1000 };

struct device_file {
	unsigned magic;		/* DEVICE_FILE_MAGIC */
	struct device *d;
	char key[DEVICE_KEY_MAX + 1];
	int fd;			/* -1: closed */
	bool named;		/* a temporary name instead of none: */
	char spool[DEVICE_KEY_MAX + 1];	/* of the local device, in tmp/ */
	bool maybe;		/* it may have got its name, although nobody was told */
	bool shared;		/* others may write the very same object */
	bool finished;
	void *own;		/* the kind's */
};

struct device_source {
	unsigned magic;		/* DEVICE_SOURCE_MAGIC */
	struct device *d;
	const char *key;
	int fd;			/* -1: in pieces */
	uint64_t at, end;	/* of what is still to come, in pieces */
	void *own;
};

struct device_kind {
	err_t (*create)(struct ctx *cx, struct device_file *f);
	err_t (*took)(struct ctx *cx, struct device_file *f, size_t n);	/* NULL: nothing to do */
	err_t (*finish)(struct ctx *cx, struct device_file *f);
	void (*drop)(struct ctx *cx, struct device_file *f);	/* on a fiber of its own: not finished; f is a copy that holds no arena's memory but own */
	err_t (*open)(struct ctx *cx, struct device_source *s, uint64_t *size_out);
	err_t (*fill)(struct ctx *cx, struct device_source *s, const struct iovec *v, int n);
	void (*close)(struct device_source *s);
	err_t (*remove)(struct ctx *cx, struct device *d, const char *key);
	err_t (*remove_below)(struct ctx *cx, struct device *d, const char *prefix);
	err_t (*walk)(struct ctx *cx, struct device *d, const char *prefix, device_seen_fn fn, void *arg);
	err_t (*names)(struct ctx *cx, struct device *d, const char *prefix, device_name_fn fn, void *arg);
	err_t (*tidy)(struct ctx *cx, struct device *d, int *removed_out);
};

struct device {
	const struct device_kind *kind;
	struct device_settings s;
	char name[160];
	int root;		/* the directory */
	void *own;
};

/* The object is to be removed, when its writer is dropped. */
static inline bool
device_file_undo(const struct device_file *f)
{
	return f->maybe && !f->finished && !f->shared;
}

extern const struct device_kind device_local, device_s3;
/* Opens, or makes, the directory. */
bool device_root(struct device *d, char *why, size_t why_size);
bool device_s3_begin(struct device *d, char *why, size_t why_size);
struct device_kept;
/* A small file that is kept open, and its size; to be given back instead of closed. NULL: it is not, and the caller opens it. */
struct device_kept *device_kept_get(const struct device *d, const char *key, uint64_t *size_out);
/* After opening it: the descriptor is kept, when it is read again and again. NULL: it is not, and the caller closes it. */
struct device_kept *device_kept_put(const struct device *d, const char *key, int fd, uint64_t size);
int device_kept_fd(const struct device_kept *k);
void device_kept_unref(struct device_kept **kp);
/* What cannot work of a provider's settings; NULL: nothing. */
const char *device_s3_wrong(const struct device_settings *s);
bool device_local_begin(struct device *d, char *why, size_t why_size);
/* An unlinked file in the device's directory, or one with a name where there are none (*named_out). Blocks. -1: errno. */
int device_spool(const struct device *d, const char *name, bool *named_out);
/* The error of an errno, counted. */
err_t device_errno(struct ctx *cx, const struct device *d, const char *what, const char *key, int error);

#endif
