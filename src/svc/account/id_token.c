/* ID tokens: a signature by the provider's key, for an app of the project, not over, with the app's own nonce, and used once. Nothing of a token is
 * believed before its signature was found right, but for the name of the key, which only chooses among the provider's. */
#include "id_token.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"
#include "io/db.h"
#include "model/jwt.h"
#include "oauth_kept.h"
#include "oauth_priv.h"

enum { KEY_NAME_MAX = 256, SKEW_S = 60, LIFE_MAX_S = 7 * 86400 };

static const struct issuer {
	const char *key;
	const char *issued_by[2];
	const char *server, *keys;	/* where its keys are */
	bool nonce;		/* a token without one is refused */
	bool hashed;		/* the token has the hash of the nonce, never itself: whoever steals the token cannot read it there */
	bool bundles;		/* it is for the apps of the project's platforms of Apple, too */
} issuers[] = {
	{"apple", {"https://appleid.apple.com", NULL}, "https://appleid.apple.com", "/auth/keys", .nonce = true, .hashed = true, .bundles = true},
	{"google", {"https://accounts.google.com", "accounts.google.com"}, "https://www.googleapis.com", "/oauth2/v3/certs"},
};
enum { ISSUERS = sizeof issuers / sizeof *issuers };
const char *const id_token_providers[] = {"apple", "google", NULL};

static err_t
bad_token(struct ctx *cx, const char *why)
{
	return fail(cx, ERR_USER_INVALID_TOKEN, "ID token: %s", why);
}

/* ---- the signature ---- */

static const json_t *
decoded_object(struct ctx *cx, struct str part)
{
	struct str text;
	const json_t *j = base64_decode(cx->arena, part, true, &text) ? json_parse_outside(cx, text, NULL) : NULL;

	return json_is_object(j) ? j : NULL;
}

/* The key of this name, if it is there for signatures of this kind. */
static const json_t *
key_named(const json_t *set, struct str kid, const char *alg)
{
	const json_t *list = json_object_get(set, "keys"), *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const json_t *use = json_object_get(one, "use"), *of = json_object_get(one, "alg");

		if (str_eq(json_str(json_object_get(one, "kid")), kid) && (use == NULL || str_is(json_str(use), "sig")) && (of == NULL || str_is(json_str(of), alg)))
			return one;
	}
	return NULL;
}

/* Awaits. Keys are fetched anew for a name that they lack, as often as that is allowed. */
static err_t
id_token_key(struct ctx *cx, const struct issuer *by, struct str kid, const char *alg, const json_t **out)
{
	const char *url = arena_printf(cx->arena, "%s%s", conf.oauth_keys_url[0] ? conf.oauth_keys_url : by->server, by->keys);
	struct str text;

	*out = NULL;
	for (int lacks = 0; *out == NULL && lacks < 2; lacks++) {
		TRY(oauth_kept(cx, &(struct kept_ask){.kind = KEPT_KEYS, .url = url, .lacks = lacks == 1}, &text));
		*out = key_named(json_parse_outside(cx, text, NULL), kid, alg);
	}
	return *out != NULL ? OK : bad_token(cx, "no such key");
}

static err_t
check_signature(struct ctx *cx, const struct issuer *by, const struct jwt_parts *part)
{
	const json_t *head = decoded_object(cx, part->head), *key;
	const char *alg = oauth_text(cx, head, "alg");
	struct str kid = json_str(json_object_get(head, "kid")), signature;

	if (alg == NULL || (strcmp(alg, "RS256") != 0 && strcmp(alg, "ES256") != 0))
		return bad_token(cx, "alg");
	if (kid.n == 0 || kid.n > KEY_NAME_MAX || json_object_get(head, "crit") != NULL)
		return bad_token(cx, "header");
	if (!base64_decode(cx->arena, part->mac, true, &signature))
		return bad_token(cx, "no base64");
	TRY(id_token_key(cx, by, kid, alg, &key));
	return id_token_signed(cx, alg, key, part->told, signature) ? OK : bad_token(cx, "signature");
}

/* ---- what it says ---- */

static bool
says(const json_t *claims, const char *name, const char *what)
{
	return what != NULL && str_is(json_str(json_object_get(claims, name)), what);
}

/* Types of platforms whose key is the id of a bundle of Apple's. */
static bool
has_bundle(const struct platform *f)
{
	static const char *const types[] = {"apple", "apple-ios", "apple-macos", "apple-watchos", "apple-tvos", "flutter-ios", "flutter-macos", "react-native-ios"};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(f->type, types[i]) == 0)
			return f->key != NULL && f->key[0] != '\0';
	return false;
}

static bool
is_for(const struct project *p, const struct issuer *by, const json_t *claims, const char *app)
{
	if (says(claims, "aud", app))
		return true;
	for (int i = 0; by->bundles && i < p->platforms.n; i++) {
		const struct platform *f = p->platforms.v[i];

		if (has_bundle(f) && says(claims, "aud", f->key))
			return true;
	}
	return false;
}

/* The claim is the nonce, or its hash in hex; a token without one may be for an app that made none, and for no other: somebody may have put another's token in its place. */
static bool
nonce_ok(struct ctx *cx, const struct issuer *by, const json_t *claims, const char *nonce)
{
	const json_t *claim = json_object_get(claims, "nonce");
	bool given = nonce != NULL && nonce[0] != '\0';

	if (claim == NULL)
		return !by->nonce && !given;
	return given && (str_eq_secret(json_str(claim), str_c(sha256_hex(cx->arena, str_c(nonce)))) ||
			    (!by->hashed && str_eq_secret(json_str(claim), str_c(nonce))));
}

static err_t
check_claims(struct ctx *cx, const struct project *p, const struct issuer *by, const json_t *claims, const char *app, const char *nonce)
{
	const json_t *exp = json_object_get(claims, "exp"), *iat = json_object_get(claims, "iat"), *nbf = json_object_get(claims, "nbf");
	int64_t now = time_now_ms() / 1000;

	if (!says(claims, "iss", by->issued_by[0]) && !says(claims, "iss", by->issued_by[1]))
		return bad_token(cx, "iss");
	if (!is_for(p, by, claims, app))
		return bad_token(cx, "aud");
	if (!json_is_integer(exp) || json_integer_value(exp) <= now - SKEW_S || json_integer_value(exp) > now + LIFE_MAX_S)
		return bad_token(cx, "exp");
	if (!json_is_integer(iat) || json_integer_value(iat) > now + SKEW_S || (nbf != NULL && (!json_is_integer(nbf) || json_integer_value(nbf) > now + SKEW_S)))
		return bad_token(cx, "iat");
	return nonce_ok(cx, by, claims, nonce) ? OK : bad_token(cx, "nonce");
}

/* Apple says "true", Google true. */
static bool
vouched_for(const json_t *claims)
{
	const json_t *v = json_object_get(claims, "email_verified");

	return json_is_true(v) || str_is(json_str(v), "true");
}

err_t
id_token_read(struct ctx *cx, const struct project *p, const struct id_token_in *in, struct id_token *out)
{
	const struct issuer *by = issuers;
	struct jwt_parts part;
	const json_t *claims;
	const char *app;

	while (strcmp(by->key, in->provider) != 0)
		by++;
	TRY(oauth_app_id(cx, p, by->key, &app));
	if (strlen(in->token) > ID_TOKEN_MAX || !jwt_cut(str_c(in->token), &part))
		return bad_token(cx, "form");
	TRY(check_signature(cx, by, &part));
	claims = decoded_object(cx, part.payload);
	TRY(check_claims(cx, p, by, claims, app, in->nonce));
	*out = (struct id_token){.expire = (json_integer_value(json_object_get(claims, "exp")) + SKEW_S) * 1000, .hash = sha256_hex(cx->arena, part.told)};
	out->who = (struct oauth_profile){.id = oauth_text(cx, claims, "sub"), .email = oauth_text(cx, claims, "email"), .name = oauth_text(cx, claims, "name"),
		.verified = vouched_for(claims)};
	return oauth_profile_checked(cx, &out->who);
}

err_t
id_token_spend(struct ctx *cx, const struct project *p, const struct id_token *t)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "INSERT INTO %s.id_tokens (hash, expire) VALUES (decode($1, 'hex'), $2::timestamptz) ON CONFLICT DO NOTHING RETURNING 1", p->schema),
	    DB(t->hash, pg_time(cx->arena, t->expire))));
	return db_rows(r) > 0 ? OK : bad_token(cx, "used before");
}
