/* Passwords, hashed by worker processes (by threads where no supervisor starts any): argon2id for all new ones, and the kinds that imported users bring.
 * Their queue is bounded: ERR_BUSY when too many wait. */
#ifndef BADAL_SVC_USERS_PASSWORD_H
#define BADAL_SVC_USERS_PASSWORD_H

#include "core/ctx.h"
#include "core/json.h"

#define PASSWORD_HASH_ID "argon2"
/* What the user model reports; the real parameters are in the hash itself. */
#define PASSWORD_HASH_OPTIONS "{\"memoryCost\":2048,\"timeCost\":4,\"threads\":3}"

struct password_options {	/* of a stored hash; unused ones NULL and 0 */
	const char *version;	/* sha: the digest's name */
	const char *salt, *separator, *signer;	/* scrypt; base64 for the modified one */
	int64_t cpu, memory, parallel, length;	/* scrypt: N, r, p, bytes */
	bool own;		/* argon2: made here, not imported */
};

/* Awaits. A PHC string of `password` in cx's arena. */
err_t password_hash(struct ctx *cx, const char *password, const char **out) MUST_CHECK;
/* Awaits. *ok_out: the password belongs to the stored hash of kind `hash_id` with `options` (JSON, may be absent). `stored` NULL (no such
 * user, no password) is false and costs what a comparison with an argon2id hash of ours does; so does a wrong password of an imported one. */
err_t password_verify(struct ctx *cx, const char *password, const char *hash_id, struct str options, const char *stored, bool *ok_out) MUST_CHECK;

/* What a comparison with an imported hash costs, by its own parameters: milliseconds of a core, about, and bytes of memory. What matches nothing
 * because it is malformed costs nothing. */
struct password_cost {
	double ms, bytes;
};
struct password_cost password_cost_of(const char *hash_id, const struct password_options *o, const char *stored);
/* ERR_GENERAL_ARGUMENT_INVALID when an imported hash costs more than conf.import_cost_max or import_memory_max. */
err_t password_import_check(struct ctx *cx, const char *hash_id, struct str options, const char *stored) MUST_CHECK;
/* Does it stay at a sign-in? One of ours does, and of those that are imported an Argon2 hash that does not take long (the contract has it so);
 * all others give way to one of ours. */
bool password_stays(struct ctx *cx, const char *hash_id, struct str options, const char *stored);

/* The comparison itself, for a worker: does not touch the loop. Unknown kinds and costs out of bounds are false. */
bool password_matches(const char *hash_id, const struct password_options *o, const char *stored, const char *password);
/* The eleven digests of kind "sha", NULL-terminated, lower-case. */
extern const char *const password_sha_versions[];

#endif
