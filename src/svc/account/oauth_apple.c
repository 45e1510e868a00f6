/* Apple: the client secret is a JWT that the app signs itself, and the profile is in the ID token. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "core/id.h"
#include "core/vtime.h"
#include "oauth_priv.h"

enum { HALF = 32 };
#define AUDIENCE "https://appleid.apple.com"
static const int64_t life_s = 15552000;

/* ---- ES256 ---- */

/* Without it OpenSSL would ask at the terminal for the passphrase of an encrypted key, and everything would wait. */
static int
no_passphrase(char *out, int n, int writing, void *arg)
{
	(void)out;
	(void)n;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *
read_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	if (key != NULL && (EVP_PKEY_base_id(key) != EVP_PKEY_EC || EVP_PKEY_bits(key) != HALF * 8)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();	/* as in id_token_key.c */
	return key;
}

/* JWTs want R and S side by side, OpenSSL gives them in DER. */
static bool
raw_signature(const unsigned char *der, size_t n, unsigned char out[2 * HALF])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	bool ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, HALF) == HALF && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + HALF, HALF) == HALF;

	ECDSA_SIG_free(sig);
	return ok;
}

static bool
sign(EVP_PKEY *key, struct str text, unsigned char out[2 * HALF])
{
	unsigned char der[128];
	size_t n = sizeof der;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(md, der, &n, (const unsigned char *)text.p, text.n) == 1 && raw_signature(der, n, out);

	EVP_MD_CTX_free(md);
	return ok;
}

static const char *
encoded(struct ctx *cx, const struct buf *b)
{
	return base64_encode(cx->arena, buf_view(b), true);
}

static const char *
jwt_head(struct ctx *cx, const char *key_id)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 64);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "alg");
	jw_cstr(&w, "ES256");
	JW_KEY(&w, "kid");
	jw_cstr(&w, key_id);
	jw_obj_end(&w);
	return encoded(cx, &b);
}

static const char *
jwt_claims(struct ctx *cx, const char *team, const char *client)
{
	int64_t now = time_now_ms() / 1000;
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "iss");
	jw_cstr(&w, team);
	JW_KEY(&w, "iat");
	jw_i64(&w, now);
	JW_KEY(&w, "exp");
	jw_i64(&w, now + life_s);
	JW_KEY(&w, "aud");
	jw_cstr(&w, AUDIENCE);
	JW_KEY(&w, "sub");
	jw_cstr(&w, client);
	jw_obj_end(&w);
	return encoded(cx, &b);
}

err_t
oauth_apple_secret(struct ctx *cx, const struct oauth_app *app, const char **out)
{
	const char *p8 = oauth_text(cx, app->members, "p8"), *kid = oauth_text(cx, app->members, "keyID"), *team = oauth_text(cx, app->members, "teamID");
	unsigned char sig[2 * HALF];
	const char *text;
	EVP_PKEY *key;
	bool ok;

	if (p8 == NULL || kid == NULL || team == NULL)
		return fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "apple: the secret lacks p8, keyID or teamID");
	key = read_key(p8);
	if (key == NULL)
		return fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "apple: p8 is no P-256 key");
	text = arena_printf(cx->arena, "%s.%s", jwt_head(cx, kid), jwt_claims(cx, team, app->client));
	ok = sign(key, str_c(text), sig);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (!ok)
		return oauth_failed(cx, "The sign-in could not be prepared.", "apple: signing failed");
	*out = arena_printf(cx->arena, "%s.%s", text, base64_encode(cx->arena, (struct str){(const char *)sig, sizeof sig}, true));
	return OK;
}

/* ---- the ID token ---- */

/* It came from Apple itself over TLS, which stands for its signature; that it is meant for this app is checked all the same. */
err_t
oauth_apple_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, const json_t *user, struct oauth_profile *out)
{
	const char *token = oauth_text(cx, t->reply, "id_token"), *aud, *iss;
	struct str rest = str_c(token), payload, text;
	json_t *claims;

	(void)user;
	(void)str_cut(&rest, '.');
	payload = rest.p ? str_cut(&rest, '.') : STR_NONE;
	if (payload.n == 0 || !base64_decode(cx->arena, payload, true, &text))
		return fail(cx, ERR_USER_MISSING_ID, "apple: no ID token");
	claims = json_parse_outside(cx, text, NULL);
	aud = oauth_text(cx, claims, "aud");
	iss = oauth_text(cx, claims, "iss");
	if (aud == NULL || strcmp(aud, app->client) != 0 || iss == NULL || strcmp(iss, AUDIENCE) != 0)
		return fail(cx, ERR_USER_MISSING_ID, "apple: the ID token is not for this app");
	out->id = oauth_text(cx, claims, "sub");
	out->email = oauth_text(cx, claims, "email");
	out->verified = oauth_true(oauth_at(claims, "email_verified"));
	out->name = out->verified ? out->email : "";
	return OK;
}
