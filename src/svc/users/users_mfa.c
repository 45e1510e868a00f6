/* The users service: second factors of a project's users, for its servers and its team. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "svc/users/mfa.h"

struct user_mfa_in {
	const char *id, *type, *challenge;
	int on;
};
#define USER_PATH PATH("userId", P_UID, struct user_mfa_in, id, "User ID.")
static const char *const types[] = {"totp", NULL};
static const struct param user_params[] = {USER_PATH};
static const struct param mfa_params[] = {USER_PATH, REQUIRED("mfa", P_BOOL, struct user_mfa_in, on, "Ask for a second factor; false ends it, with whatever the user has.")};
static const struct param type_params[] = {USER_PATH, PATH("type", P_ENUM_NOCASE, struct user_mfa_in, type, "Kind of authenticator.", .list = types)};
static const struct param challenge_params[] = {USER_PATH, PATH("challengeId", P_TEXT, struct user_mfa_in, challenge, "Challenge ID.", .max = 256)};

static err_t
users_update_mfa(struct req *rq, void *arg)
{
	const struct user_mfa_in *in = arg;
	const struct user_by by = {.actor = caller_id(rq)};
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(mfa_set(&rq->cx, rq->project, u, &by, NULL, in->on == 1, &u));
	audit_as(rq, u);
	return reply(rq, 200, &user_shape, u);
}

static err_t
users_delete_mfa_authenticator(struct req *rq, void *arg)
{
	const struct user_mfa_in *in = arg;
	const struct user_by by = {.actor = caller_id(rq)};
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(mfa_totp_remove(&rq->cx, rq->project, u, &by));
	audit_as(rq, u);
	return reply_none(rq);
}

static err_t
users_list_mfa_factors(struct req *rq, void *arg)
{
	const struct user_mfa_in *in = arg;
	struct mfa_factors f;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(mfa_usable(&rq->cx, rq->project, u, &f));
	return reply(rq, 200, &mfa_factors_shape, &f);
}

static err_t
users_get_mfa_challenge(struct req *rq, void *arg)
{
	const struct user_mfa_in *in = arg;
	struct mfa_challenge *c;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(mfa_challenge_get(&rq->cx, rq->project, u, in->challenge, &c));
	return reply(rq, 200, &mfa_challenge_secret_shape, c);
}

static err_t
users_get_mfa_recovery_codes(struct req *rq, void *arg)
{
	const struct user_mfa_in *in = arg;
	struct mfa_codes codes;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(mfa_codes_get(&rq->cx, rq->project, u, &codes));
	audit_as(rq, u);
	return reply(rq, 200, &mfa_codes_shape, &codes);
}

static err_t
write_codes(struct req *rq, const char *id, int status,
    err_t (*make)(struct ctx *, const struct project *, const struct user *, const struct user_by *, struct mfa_codes *))
{
	const struct user_by by = {.actor = caller_id(rq)};
	struct mfa_codes codes;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, id, &u));
	TRY(make(&rq->cx, rq->project, u, &by, &codes));
	audit_as(rq, u);
	return reply(rq, status, &mfa_codes_shape, &codes);
}

static err_t
users_create_mfa_recovery_codes(struct req *rq, void *arg)
{
	const struct user_mfa_in *in = arg;

	return write_codes(rq, in->id, 201, mfa_codes_create);
}

static err_t
users_update_mfa_recovery_codes(struct req *rq, void *arg)
{
	const struct user_mfa_in *in = arg;

	return write_codes(rq, in->id, 200, mfa_codes_renew);
}

#define READ(tail, name_, handler_, model_, doc_, rows_, ...)                                                                          \
	{.method = "GET", .path = "/v1/users/:userId/mfa" tail, .service = "users", .name = name_, .scope = "users.read", .limit = "", \
	    .handler = handler_, .model = model_, .status = 200, .doc = doc_, PARAMS(struct user_mfa_in, rows_), .usage = "users.read", .since = SINCE_1_5, __VA_ARGS__}
#define CHANGE(method_, tail, name_, handler_, model_, status_, doc_, rows_)                                                                \
	{.method = method_, .path = "/v1/users/:userId/mfa" tail, .service = "users", .name = name_, .scope = "users.write", .limit = "", \
	    .handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(struct user_mfa_in, rows_), .since = SINCE_1_5,       \
	    .audit = "user.update user/{userId}", .usage = "users.update"}

static const struct route rows[] = {
	CHANGE("PATCH", "", "updateMFA", users_update_mfa, &user_shape, 200, "Whether a user is asked for a second factor.", mfa_params),
	CHANGE("DELETE", "/authenticators/:type", "deleteMFAAuthenticator", users_delete_mfa_authenticator, NULL, 204, "Remove a user's authenticator app.", type_params),
	READ("/factors", "listMFAFactors", users_list_mfa_factors, &mfa_factors_shape, "Second factors that a user can use now.", user_params, .audit = NULL),
	READ("/challenges/:challengeId", "getMFAChallenge", users_get_mfa_challenge, &mfa_challenge_secret_shape, "A challenge whose code the app's server brings to its user.",
	    challenge_params, .audit = NULL),
	READ("/recovery-codes", "getMFARecoveryCodes", users_get_mfa_recovery_codes, &mfa_codes_shape, "Recovery codes of a user that have not been used.", user_params,
	    .audit = "user.read user/{userId}"),
	CHANGE("PATCH", "/recovery-codes", "createMFARecoveryCodes", users_create_mfa_recovery_codes, &mfa_codes_shape, 201, "Recovery codes for a user who has none.", user_params),
	CHANGE("PUT", "/recovery-codes", "updateMFARecoveryCodes", users_update_mfa_recovery_codes, &mfa_codes_shape, 200,
	    "New recovery codes for a user in the place of the former ones.", user_params),
};
const struct routes user_mfa_routes = ROUTES(rows);
