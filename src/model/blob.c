/* Blobs: their keys, and what removes and lists them. */
#include "model/blob.h"

#include <stdlib.h>

#include "blob_priv.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"

enum { REMOVE_LATER_MS = 120000 };

const char *const blob_codings[] = {[BLOB_NONE] = "none", [BLOB_GZIP] = "gzip", [BLOB_ZSTD] = "zstd", NULL};

const char *
blob_prefix(struct arena *a, const struct blob_place *at)
{
	return arena_printf(a, "%s/%s/%lld/", at->p->schema, at->kind, (long long)at->owner);
}

/* A directory for the first two letters, so that none gets very large. */
const char *
blob_key(struct arena *a, const struct blob_place *at, const char *name)
{
	return arena_printf(a, "%s/%s/%lld/%.2s/%s", at->p->schema, at->kind, (long long)at->owner, name, name);
}

bool
blob_has_md5(const struct blob *b)
{
	return !blob_sum_fast(b->md5);
}

/* ---- removing ---- */

static err_t
remove_noted(struct ctx *cx, struct device *d, const char *key)
{
	err_t e = device_remove(cx, d, key);

	if (e != OK)
		log_warn(cx, "a blob stays until the upkeep finds it", "key=%s why=\"%s\"", key, cx->detail ? cx->detail : err_info(e)->name);
	return e;
}

struct remove_later {
	struct device *d;
	char key[DEVICE_KEY_MAX + 1];
};

static void
remove_later_fiber(struct ctx *cx, void *arg)
{
	struct remove_later *r = arg;

	(void)remove_noted(cx, r->d, r->key);	/* it has said so */
	free(r);
}

void
blob_remove_later(struct device *d, const char *key)
{
	struct remove_later *r = mem_alloc(sizeof *r);

	r->d = d;
	memcpy(r->key, key, strlen(key) + 1);
	fib_spawn_new("blob", REMOVE_LATER_MS, remove_later_fiber, r);
}

err_t
blob_remove(struct ctx *cx, const struct blob_place *at, const char *name)
{
	struct devices d;

	TRY(device_configured(cx, &d));
	for (int i = 0; i < d.n; i++)
		TRY(remove_noted(cx, d.v[i], blob_key(cx->arena, at, name)));
	metric_add(M_blobs_removed, 1);
	return OK;
}

err_t
blob_remove_place(struct ctx *cx, const struct blob_place *at)
{
	struct devices d;

	TRY(device_configured(cx, &d));
	for (int i = 0; i < d.n; i++)
		TRY(device_remove_below(cx, d.v[i], blob_prefix(cx->arena, at)));
	return OK;
}

/* ---- listing ---- */

struct walking {
	blob_seen_fn fn;
	void *arg;
	int64_t before;
};

static err_t
walk_one(struct ctx *cx, const char *key, int64_t size, int64_t changed, void *arg)
{
	const struct walking *w = arg;
	const char *slash = strrchr(key, '/');

	return changed > w->before ? OK : w->fn(cx, slash != NULL ? slash + 1 : key, size, w->arg);
}

err_t
blob_walk(struct ctx *cx, const struct blob_place *at, int64_t age_ms, blob_seen_fn fn, void *arg)
{
	struct walking w = {fn, arg, time_now_ms() - age_ms};
	struct devices d;

	TRY(device_configured(cx, &d));
	for (int i = 0; i < d.n; i++)
		TRY(device_walk(cx, d.v[i], blob_prefix(cx->arena, at), walk_one, &w));
	return OK;
}

struct places {
	struct device *d;
	const char *kind, *schema;
	blob_place_fn fn;
	void *arg;
};

static err_t
place_owner(struct ctx *cx, const char *name, void *arg)
{
	const struct places *p = arg;
	int64_t owner;

	return str_to_i64(str_c(name), &owner) ? p->fn(cx, p->schema, owner, p->arg) : OK;
}

static err_t
place_schema(struct ctx *cx, const char *name, void *arg)
{
	struct places *p = arg;

	if (strncmp(name, "p_", 2) != 0)
		return OK;
	p->schema = name;
	return device_names(cx, p->d, arena_printf(cx->arena, "%s/%s/", name, p->kind), place_owner, p);
}

err_t
blob_places(struct ctx *cx, const char *kind, blob_place_fn fn, void *arg)
{
	struct places p = {.kind = kind, .fn = fn, .arg = arg};
	struct devices d;

	TRY(device_configured(cx, &d));
	for (int i = 0; i < d.n; i++) {
		p.d = d.v[i];
		TRY(device_names(cx, p.d, "", place_schema, &p));
	}
	return OK;
}
