/* How much of unfinished uploads may be held: what somebody began and left lies there for storage_upload_expiry, and no file shows it.
 *
 * A user's sum is exact but for parts that commit at the same moment. The project's may be as old as FRESH_MS where that lets a part in, since it is a look at
 * every unfinished upload; whoever is refused is refused by a fresh one. The part that completes a file is never refused: with it the bytes are a file's. */
#include <stdlib.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "svc/storage/file.h"

enum { ROW_BYTES = 64 * 1024, FRESH_MS = 10000, PROJECTS = 1000 };	/* ROW_BYTES: of each upload, however little has come */

struct held {			/* of a project, as far as this process knows */
	int64_t bytes;
	uint64_t at;		/* loop_now() of the look; 0: none yet */
};

static struct lru *projects;

static struct held *
quota_held(const struct project *p)
{
	struct held *h;

	if (projects == NULL)
		projects = lru_new(PROJECTS, free);
	h = lru_get(projects, str_c(p->schema));
	if (h == NULL)
		lru_put(projects, str_c(p->schema), h = mem_zalloc(sizeof *h));
	return h;
}

/* One file of the largest size always has room, and another one beside it. */
static int64_t
quota_bound(int64_t set)
{
	return set > 2 * (conf.storage_limit + ROW_BYTES) ? set : 2 * (conf.storage_limit + ROW_BYTES);
}

/* uploader NULL: of all. */
static err_t
quota_sum(struct db_tx *tx, const struct project *p, const char *uploader, int64_t *out)
{
	struct arena *a = tx_ctx(tx)->arena;
	const char *all = arena_printf(a, "SELECT coalesce(sum(received + %d), 0)::bigint FROM %s.files WHERE NOT complete", ROW_BYTES, p->schema);
	struct db_res *r;

	if (uploader == NULL)
		TRY(tx_query(tx, &r, all, DB0));
	else
		TRY(tx_query(tx, &r, arena_printf(a, "%s AND uploader = $1", all), DB(uploader)));
	*out = db_i64(r, 0, 0);
	return OK;
}

static err_t
quota_refused(struct ctx *cx, err_t e, const char *of, int64_t bytes)
{
	metric_add(M_storage_open_refused, 1);
	return fail(cx, e, "unfinished uploads of %s hold %lld bytes", of, (long long)bytes);
}

static err_t
quota_project(struct db_tx *tx, const struct project *p, int64_t more)
{
	int64_t most = quota_bound(conf.storage_open_project);
	struct held *h = quota_held(p);
	bool fresh = h->at != 0 && loop_now() - h->at < FRESH_MS;
	int64_t bytes;

	if (!fresh || h->bytes + more > most) {
		TRY(quota_sum(tx, p, NULL, &bytes));
		h = quota_held(p);	/* others were at work meanwhile */
		*h = (struct held){bytes, loop_now()};
	}
	if (h->bytes + more > most)
		return quota_refused(tx_ctx(tx), ERR_STORAGE_OPEN_PROJECT, "the project", h->bytes);
	h->bytes += more;
	return OK;
}

err_t
quota_room(struct db_tx *tx, const struct project *p, const struct parted *row, int64_t more)
{
	const struct file *f = (const struct file *)(const void *)row;	/* it begins with it */
	int64_t bytes;

	if (f->received + more >= f->size)
		return OK;
	if (*f->uploader != '\0') {
		TRY(quota_sum(tx, p, f->uploader, &bytes));
		if (bytes + more > quota_bound(conf.storage_open_user))
			return quota_refused(tx_ctx(tx), ERR_STORAGE_OPEN_USER, f->uploader, bytes);
	}
	return quota_project(tx, p, more);
}
