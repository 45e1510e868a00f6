/* Passwords in the thread pool. Nothing here may take longer for an e-mail that exists than for one that does not. */
#include "svc/users/password.h"

#include <sodium.h>

#include "core/conf.h"
#include "core/offload.h"

struct work {			/* lives in the waiting fiber's arena; the worker touches nothing else */
	const char *password;
	const char *hash_id, *stored;	/* NULL: hash */
	struct password_options options;
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

/* A fresh hash is the same work as a comparison with one: it stands in where there is nothing to compare, and makes up for what an
 * imported hash did not cost. */
static void
work_verify(void *arg)
{
	struct work *w = arg;
	bool ok = w->stored != NULL && password_matches(w->hash_id, &w->options, w->stored, w->password);

	if (w->stored == NULL || (!ok && !w->options.own))
		work_hash(w);
	w->ok = ok;
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

	TRY(offload(cx, LANE_password, work_hash, w));
	if (!w->ok)
		return fail(cx, ERR_BUSY, "no memory for a password hash");
	*out = w->out;
	return OK;
}

static const char *
password_text_of(struct ctx *cx, const json_t *o, const char *key)
{
	struct str s = json_str(json_object_get(o, key));

	return s.p ? str_dup(cx->arena, s) : NULL;
}

static struct password_options
options_of(struct ctx *cx, struct str text)
{
	const json_t *o = text.n > 0 ? json_parse(cx, text, NULL) : NULL;

	return (struct password_options){
		.version = password_text_of(cx, o, "version"),
		.salt = password_text_of(cx, o, "salt"),
		.separator = password_text_of(cx, o, "saltSeparator"),
		.signer = password_text_of(cx, o, "signerKey"),
		.cpu = json_integer_value(json_object_get(o, "costCpu")),
		.memory = json_integer_value(json_object_get(o, "costMemory")),
		.parallel = json_integer_value(json_object_get(o, "costParallel")),
		.length = json_integer_value(json_object_get(o, "length")),
		.own = json_object_get(o, "memoryCost") != NULL,	/* imported ones have no options */
	};
}

/* Nothing that takes long goes where everybody's passwords are. */
static int
password_lane(const struct work *w)
{
	if (w->stored == NULL || w->options.own)
		return LANE_password;
	return password_cost_of(w->hash_id, &w->options, w->stored).ms > (double)conf.import_slow ? LANE_password_slow : LANE_password;
}

err_t
password_verify(struct ctx *cx, const char *password, const char *hash_id, struct str options, const char *stored, bool *ok_out)
{
	struct work *w = work_new(cx, password);

	*ok_out = false;
	if (stored != NULL && hash_id != NULL) {
		w->stored = stored;
		w->hash_id = hash_id;
		w->options = options_of(cx, options);
	}
	TRY(offload(cx, password_lane(w), work_verify, w));
	*ok_out = w->ok;
	return OK;
}

bool
password_stays(struct ctx *cx, const char *hash_id, struct str options, const char *stored)
{
	struct password_options o = options_of(cx, options);

	return strcmp(hash_id, PASSWORD_HASH_ID) == 0 && (o.own || password_cost_of(hash_id, &o, stored).ms <= (double)conf.import_slow);
}

err_t
password_import_check(struct ctx *cx, const char *hash_id, struct str options, const char *stored)
{
	struct password_options o = options_of(cx, options);
	struct password_cost cost = password_cost_of(hash_id, &o, stored);

	if (cost.ms <= (double)conf.import_cost_max && cost.bytes <= (double)conf.import_memory_max)
		return OK;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid password: a sign-in with this hash would take too much time or memory");
}
