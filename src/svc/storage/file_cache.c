/* The cache of complete files: their rows, and where their bytes are, so that one that is read often costs no query. An entry counts while its generation stands;
 * every change of a complete file has an event, and each event makes it stale (file_emit). Unfinished uploads are not kept. */
#include <assert.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/map.h"
#include "core/metric.h"
#include "svc/storage/file.h"

enum { FILE_MAGIC = 0x66696c65, PARTS_KEPT_MAX = 16 };	/* more are few files, which are large */

struct kept {
	unsigned magic;
	unsigned refs;		/* the cache's and those of requests */
	uint32_t gen;
	int64_t project;	/* its number: another may have the id by now */
	struct arena *arena;	/* holds it, too */
	struct file f;
};

static struct lru *cache;

const char *
file_stale_key(struct ctx *cx, const struct project *p, int64_t bucket, const char *id)
{
	return arena_printf(cx->arena, "file:%s:%lld:%s", p->id, (long long)bucket, str_lower(cx->arena, str_c(id)).p);
}

static void
kept_unref(void *arg)
{
	struct kept *k = arg;
	struct arena *a = k->arena;

	assert(k->magic == FILE_MAGIC && k->refs > 0);
	if (--k->refs == 0)
		arena_free(&a);
}

static void
keep_parts(struct arena *a, struct file *f, const struct blob_part *parts, int n)
{
	struct blob_part *copy = arena_array(a, struct blob_part, n);

	for (int i = 0; i < n; i++) {
		copy[i] = parts[i];
		copy[i].blob.name = arena_strdup(a, parts[i].blob.name);
		copy[i].blob.md5 = arena_strdup(a, parts[i].blob.md5);
	}
	f->parts = copy;
	f->n_parts = n;
}

static struct kept *
kept_new(const struct project *p, const struct file *f, const struct blob_part *parts, int n, uint32_t gen)
{
	struct arena *a = arena_new();
	struct kept *k = arena_new_of(a, struct kept);

	*k = (struct kept){.magic = FILE_MAGIC, .refs = 1, .gen = gen, .project = p->internal, .arena = a};
	shape_copy(a, &file_shape, f, &k->f);
	if (n <= PARTS_KEPT_MAX)
		keep_parts(a, &k->f, parts, n);
	return k;
}

err_t
file_find(struct ctx *cx, const struct project *p, const struct bucket *b, const char *id, struct file *out)
{
	struct str key = str_c(file_stale_key(cx, p, b->internal, id));
	uint32_t gen = gen_of(key);
	const struct blob_part *parts;
	struct kept *k;
	int n;

	if (cache == NULL)
		cache = lru_new((size_t)conf.cache_entries, kept_unref);
	k = lru_get(cache, key);
	if (k == NULL || k->gen != gen || k->project != p->internal) {
		metric_add(M_cache_misses, 1);
		TRY(record_get(cx, p, &file_record, file_rows(cx, b, id), out));
		if (!out->complete)
			return OK;
		TRY(file_parts(cx, p, out, &parts, &n));
		lru_put(cache, key, k = kept_new(p, out, parts, n, gen));
	} else {
		metric_add(M_cache_hits, 1);
	}
	k->refs++;
	defer(cx, kept_unref, k);
	*out = k->f;
	return OK;
}
