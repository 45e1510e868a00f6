/* Data keys: what a project's blobs are sealed under. They are rows of its schema, sealed with the master key, so a change of that re-seals some rows and no
 * blob. A key never changes, so it may be kept. */
#include <sodium.h>
#include <stdlib.h>

#include "blob_priv.h"
#include "core/id.h"
#include "core/log.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/db.h"
#include "model/seal.h"

enum { KEYS_KEPT = 4096 };

struct data_key {
	int64_t number;
	unsigned char key[SEAL_KEY];
};

static struct lru *keys_kept;

static void
data_key_drop(void *arg)
{
	sodium_memzero(arg, sizeof(struct data_key));
	free(arg);
}

static struct str
kept_as(struct ctx *cx, const struct project *p, int64_t number)
{
	return str_c(arena_printf(cx->arena, "%s %lld", p->schema, (long long)number));
}

static err_t
data_key_keep(struct ctx *cx, const struct project *p, int64_t asked, int64_t number, struct str sealed, struct data_key *out)
{
	const char *hex = seal_open(cx->arena, sealed);
	struct data_key *kept;

	out->number = number;
	if (hex == NULL || sodium_hex2bin(out->key, sizeof out->key, hex, strlen(hex), NULL, NULL, NULL) != 0 || strlen(hex) != 2 * SEAL_KEY) {
		metric_add(M_blobs_broken, 1);
		log_error(cx, "a data key cannot be opened: it is sealed under another master key", "schema=%s number=%lld", p->schema, (long long)number);
		return fail(cx, ERR_BLOB_BROKEN, "data key %lld of %s", (long long)number, p->schema);
	}
	if (keys_kept == NULL)
		keys_kept = lru_new(KEYS_KEPT, data_key_drop);
	kept = mem_alloc(sizeof *kept);
	*kept = *out;
	lru_put(keys_kept, kept_as(cx, p, asked), kept);
	return OK;
}

static err_t
newest_key(struct ctx *cx, const struct project *p, struct data_key *out)
{
	struct arena *a = cx->arena;
	const char *ask = arena_printf(a, "SELECT number, secret FROM %s.data_keys ORDER BY number DESC LIMIT 1", p->schema);
	struct db_res *r;

	TRY(db_query(cx, &r, ask, DB0));
	if (db_rows(r) == 0) {	/* who else makes one at this moment wins, or loses */
		TRY(db_exec(cx, NULL, arena_printf(a, "INSERT INTO %s.data_keys (number, secret, created) VALUES (1, $1, $2) ON CONFLICT DO NOTHING", p->schema),
		    DB(seal_text(a, secret_hex(a, SEAL_KEY)), pg_time(a, time_now_ms()))));
		TRY(db_query(cx, &r, ask, DB0));
	}
	if (db_rows(r) == 0)
		return fail(cx, ERR_DB, "no data key");
	return data_key_keep(cx, p, 0, db_i64(r, 0, 0), db_str(r, 0, 1), out);
}

static err_t
numbered_key(struct ctx *cx, const struct project *p, int64_t number, struct data_key *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT secret FROM %s.data_keys WHERE number = $1", p->schema), DB(pg_i64(cx->arena, number))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_BLOB_BROKEN, "%s has no data key %lld", p->schema, (long long)number);
	return data_key_keep(cx, p, number, number, db_str(r, 0, 0), out);
}

err_t
blob_data_key(struct ctx *cx, const struct project *p, int64_t *number, unsigned char key_out[SEAL_KEY])
{
	const struct data_key *kept = keys_kept != NULL ? lru_get(keys_kept, kept_as(cx, p, *number)) : NULL;
	struct data_key k;

	if (kept != NULL)
		k = *kept;
	else
		TRY(*number == 0 ? newest_key(cx, p, &k) : numbered_key(cx, p, *number, &k));
	*number = k.number;
	memcpy(key_out, k.key, SEAL_KEY);
	sodium_memzero(&k, sizeof k);
	return OK;
}
