/* The account service: signing in by an ID token that an app got from its provider on the device. What becomes of who it is, is what becomes of who comes back
 * from a provider in a browser (oauth_user.c). */
#include "gate/caller.h"
#include "account_priv.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "svc/account/id_token.h"
#include "svc/users/linked.h"

enum { ACCESS_MAX = 16384 };

struct native_in {
	struct id_token_in token;
	const char *access, *name;
	struct opt_int expiry;
};
static const struct param native_params[] = {
	REQUIRED("provider", P_ENUM, struct native_in, token.provider, "Provider that gave the token: apple or google.", .list = id_token_providers),
	REQUIRED("idToken", P_TEXT, struct native_in, token.token, "ID token of OpenID Connect.", .max = ID_TOKEN_MAX),
	OPTIONAL("nonce", P_TEXT, struct native_in, token.nonce, "Nonce that the token was asked for with. Apple, which is given its SHA-256 in hex, is always asked with one.", .max = 1024),
	OPTIONAL("accessToken", P_TEXT, struct native_in, access, "Access token of the provider, to be kept with the session.", .max = ACCESS_MAX),
	OPTIONAL("accessTokenExpiry", P_RANGE, struct native_in, expiry, "Seconds that it is good for.", .max = 315360000),
	OPTIONAL("name", P_TEXT, struct native_in, name, "Name of a new user, where the token has none.", .max = 128),
};

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* Awaits. The user that it is, by a token that nobody used before. */
static err_t
who_it_is(struct req *rq, const struct native_in *in, struct linked_in *from, struct user **out)
{
	struct id_token t;
	bool took_over;

	TRY(id_token_read(&rq->cx, rq->project, &in->token, &t));
	TRY(id_token_spend(&rq->cx, rq->project, &t));
	if (t.who.name[0] == '\0' && is_given(in->name))
		t.who.name = in->name;
	*from = (struct linked_in){.provider = in->token.provider, .uid = t.who.id, .email = t.who.email, .access_token = is_given(in->access) ? in->access : NULL,
		.access_token_expiry = in->expiry.set ? time_now_ms() + in->expiry.v * 1000 : TIME_NONE, .vouched = t.who.verified, .id_token = in->token.token};
	TRY(oauth_user(&rq->cx, rq->project, from, &t.who, caller_user(rq), out, &took_over));
	if (took_over)
		audit_takeover(rq, *out);
	return OK;
}

static err_t
account_create_id_token_session(struct req *rq, void *arg)
{
	const struct native_in *in = arg;
	struct linked_in from;
	struct user *u;

	TRY(account_no_jwt(rq));
	TRY(who_it_is(rq, in, &from, &u));
	return account_sign_in(rq, u,
	    &(struct session_in){.provider = from.provider, .provider_uid = from.uid, .access_token = from.access_token, .access_token_expiry = from.access_token_expiry,
		.replaces = caller_user(rq) ? rq->login->session : NULL});
}

static const struct route rows[] = {
	{"POST", "/v1/account/sessions/id-token", "account", "createIdTokenSession", SCOPE_SIGN_IN, "50/3600 url:{url},ip:{ip}", NULL, account_create_id_token_session, &session_shape, 201,
	    "Sign in by an ID token that an app got from its provider.", PARAMS(struct native_in, native_params), .audit = "session.create user/{user}",
	    .usage = "sessions.create", .flags = ROUTE_SIGN_IN, .since = SINCE_1_9_5},
};
const struct routes account_id_token_routes = ROUTES(rows);
