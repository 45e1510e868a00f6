/* The users service: how an app's server lets its users in: sessions, tokens for one sign-in, and JSON web tokens. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "svc/users/access.h"
#include "svc/users/token.h"

static const struct field jwt_fields[] = {FIELD(F_STR, struct user_jwt, jwt, "jwt", NULL, "JSON web token.")};
const struct shape jwt_shape = SHAPE("jwt", struct user_jwt, jwt_fields);

struct access_in {
	const char *id, *session;
	struct opt_int length, seconds;
};
#define USER_PATH PATH("userId", P_UID, struct access_in, id, "User ID.")

/* ---- sessions ---- */

static const struct param user_params[] = {USER_PATH};

static err_t
users_create_session(struct req *rq, void *arg)
{
	const struct access_in *in = arg;
	const struct session_in how = {.provider = "server", .provider_uid = "", .factor = "server", .unlimited = true, .ip = rq->ip, .user_agent = rq->user_agent};
	struct session *s;
	struct user *u;
	char *token;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(session_create(&rq->cx, rq->project, u, &how, &s, &token));
	s->secret = token;
	s->current = false;	/* the caller's own is none */
	audit_as(rq, u);
	rq->usage_scope = how.provider;
	return reply(rq, 201, &session_shape, s);
}

/* ---- tokens ---- */

static const struct param token_params[] = {
	USER_PATH,
	OPTIONAL("length", P_RANGE, struct access_in, length, "Hexadecimal digits of the secret.", .min = TOKEN_SECRET_MIN, .max = TOKEN_SECRET_MAX, .def = "6"),
	OPTIONAL("expire", P_RANGE, struct access_in, seconds, "Seconds until it is no good any more.", .min = 60, .max = 31536000, .def = "900"),
};

static err_t
users_create_token(struct req *rq, void *arg)
{
	const struct access_in *in = arg;
	const struct token_in how = {.type = TOKEN_GENERIC, .length = (int)in->length.v, .life_ms = in->seconds.v * 1000, .ip = rq->ip,
		.user_agent = rq->user_agent, .shown = true, .event = &ev_user_token_create};
	struct token *t;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(token_create(&rq->cx, rq->project, u, &how, &t));
	audit_as(rq, u);
	return reply(rq, 201, &token_shape, t);
}

/* ---- JSON web tokens ---- */

static const struct param jwt_params[] = {
	USER_PATH,
	OPTIONAL("sessionId", P_UID, struct access_in, session, "Session that it stands for; \"recent\" is the newest, if there is one.", .def = "\"recent\""),
	JWT_DURATION(struct access_in, seconds),
};

/* The id of the session meant; "" when the user has none that counts. */
static err_t
session_meant(struct req *rq, const struct user *u, const char *id, const char **out)
{
	struct session *s;

	if (id != NULL && strcmp(id, "recent") != 0) {
		TRY(session_get(&rq->cx, rq->project, u, id, NULL, &s));
		*out = s->id;
		return OK;
	}
	return session_newest(&rq->cx, rq->project, u, out);
}

static err_t
users_create_jwt(struct req *rq, void *arg)
{
	const struct access_in *in = arg;
	const char *session;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	TRY(session_meant(rq, u, in->session, &session));
	audit_as(rq, u);
	return reply(rq, 201, &jwt_shape, &(struct user_jwt){login_jwt(&rq->cx, rq->project, u, session, jwt_life(&in->seconds))});
}

#define MAKE(tail, name_, scope_, handler_, model_, doc_, rows_, ...)                                                            \
	{.method = "POST", .path = "/v1/users/:userId" tail, .service = "users", .name = name_, .scope = scope_, .limit = "",    \
	    .handler = handler_, .model = model_, .status = 201, .doc = doc_, PARAMS(struct access_in, rows_), .since = SINCE_1_5, __VA_ARGS__}

static const struct route rows[] = {
	MAKE("/sessions", "createSession", "users.write|sessions.write", users_create_session, &session_shape,
	    "Begin a session for a user: its secret is the header X-Appwrite-Session of what follows.", user_params,
	    .audit = "session.create user/{userId}", .usage = "sessions.create"),
	MAKE("/tokens", "createToken", "users.write", users_create_token, &token_shape, "A secret by which the user signs in once.", token_params,
	    .audit = "token.create user/{userId}"),
	MAKE("/jwts", "createJWT", "users.write", users_create_jwt, &jwt_shape, "A token that stands for a user.", jwt_params,
	    .audit = "jwt.create user/{userId}"),
};
const struct routes user_access_routes = ROUTES(rows);
