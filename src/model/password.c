/* argon2id in the thread pool. Nothing here may take longer for an e-mail that exists than for one that does not. */
#include "model/password.h"

#include <sodium.h>

#include "core/conf.h"
#include "core/fiber.h"

struct work {			/* lives in the waiting fiber's arena; the worker touches nothing else */
	const char *password;
	const char *stored;	/* NULL: hash */
	char out[crypto_pwhash_STRBYTES];
	unsigned long long passes;
	size_t memory;
	bool ok;
};

static void
work_hash(void *arg)
{
	struct work *w = arg;

	w->ok = crypto_pwhash_str_alg(w->out, w->password, strlen(w->password), w->passes, w->memory, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static void
work_verify(void *arg)
{
	struct work *w = arg;

	w->ok = crypto_pwhash_str_verify(w->stored, w->password, strlen(w->password)) == 0;
}

static struct work *
work_new(struct ctx *cx, const char *password)
{
	struct work *w = arena_zalloc(cx->arena, sizeof *w);
	int64_t memory = conf.argon2_memory, passes = conf.argon2_time;

	w->password = password;
	w->memory = memory < (int64_t)crypto_pwhash_MEMLIMIT_MIN ? crypto_pwhash_MEMLIMIT_MIN : (size_t)memory;
	w->passes = passes < (int64_t)crypto_pwhash_OPSLIMIT_MIN ? crypto_pwhash_OPSLIMIT_MIN : (unsigned long long)passes;
	return w;
}

err_t
password_hash(struct ctx *cx, const char *password, const char **out)
{
	struct work *w = work_new(cx, password);

	TRY(offload(cx, work_hash, w));
	if (!w->ok)
		return fail(cx, ERR_BUSY, "no memory for a password hash");
	*out = w->out;
	return OK;
}

err_t
password_verify(struct ctx *cx, const char *password, const char *hash_id, const char *stored, bool *ok_out)
{
	struct work *w = work_new(cx, password);
	bool known = stored != NULL && hash_id != NULL && strcmp(hash_id, PASSWORD_HASH_ID) == 0 && strlen(stored) < crypto_pwhash_STRBYTES;

	*ok_out = false;
	w->stored = stored;
	/* a fresh hash is the same work as a comparison with one */
	TRY(offload(cx, known ? work_verify : work_hash, w));
	*ok_out = known && w->ok;
	return OK;
}
