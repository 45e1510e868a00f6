/* Signatures of ID tokens. The kind of the key decides which one it may have made; what the token says of that must agree. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "core/id.h"
#include "id_token.h"
#include "oauth_priv.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, EXPONENT_MAX = 4, P256_HALF = 32 };

static bool
member(struct ctx *cx, const json_t *jwk, const char *name, struct str *out)
{
	struct str text = json_str(json_object_get(jwk, name));

	return text.n > 0 && text.n <= RSA_BITS_MAX / 4 && base64_decode(cx->arena, text, true, out) && out->n > 0;
}

static EVP_PKEY *
made_key(const char *kind, OSSL_PARAM_BLD *parts)
{
	OSSL_PARAM *params = parts ? OSSL_PARAM_BLD_to_param(parts) : NULL;
	EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || make == NULL || EVP_PKEY_fromdata_init(make) != 1 || EVP_PKEY_fromdata(make, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(make);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
rsa_key(struct ctx *cx, const json_t *jwk)
{
	OSSL_PARAM_BLD *parts = OSSL_PARAM_BLD_new();
	BIGNUM *bn_n = NULL, *bn_e = NULL;
	EVP_PKEY *key = NULL;
	struct str n, e;

	if (member(cx, jwk, "n", &n) && member(cx, jwk, "e", &e) && n.n <= RSA_BITS_MAX / 8 && e.n <= EXPONENT_MAX) {
		bn_n = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
		bn_e = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
	}
	if (bn_n != NULL && bn_e != NULL && BN_is_odd(bn_e) && !BN_is_one(bn_e) && parts != NULL && OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(parts, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
		key = made_key("RSA", parts);
	OSSL_PARAM_BLD_free(parts);
	BN_free(bn_n);
	BN_free(bn_e);
	if (key != NULL && EVP_PKEY_bits(key) < RSA_BITS_MIN) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

/* A point that is not on the curve is no key. */
static EVP_PKEY *
p256_key(struct ctx *cx, const json_t *jwk)
{
	OSSL_PARAM_BLD *parts;
	unsigned char point[1 + 2 * P256_HALF] = {POINT_CONVERSION_UNCOMPRESSED};
	EVP_PKEY *key = NULL;
	struct str x, y;

	if (!str_is(json_str(json_object_get(jwk, "crv")), "P-256") || !member(cx, jwk, "x", &x) || !member(cx, jwk, "y", &y) || x.n != P256_HALF || y.n != P256_HALF)
		return NULL;
	memcpy(point + 1, x.p, P256_HALF);
	memcpy(point + 1 + P256_HALF, y.p, P256_HALF);
	parts = OSSL_PARAM_BLD_new();
	if (parts != NULL && OSSL_PARAM_BLD_push_utf8_string(parts, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(parts, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1)
		key = made_key("EC", parts);
	OSSL_PARAM_BLD_free(parts);
	return key;
}

static bool
verify(EVP_PKEY *key, struct str text, const unsigned char *signature, size_t n)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(md, signature, n, (const unsigned char *)text.p, text.n) == 1;

	EVP_MD_CTX_free(md);
	return ok;
}

/* JWTs have R and S side by side, OpenSSL wants them in DER. */
static bool
verify_p256(EVP_PKEY *key, struct str text, struct str raw)
{
	const unsigned char *half = (const unsigned char *)raw.p;
	ECDSA_SIG *sig = raw.n == 2 * P256_HALF ? ECDSA_SIG_new() : NULL;
	unsigned char *der = NULL;
	bool ok = false;
	int n;

	if (sig != NULL && ECDSA_SIG_set0(sig, BN_bin2bn(half, P256_HALF, NULL), BN_bin2bn(half + P256_HALF, P256_HALF, NULL)) == 1 && (n = i2d_ECDSA_SIG(sig, &der)) > 0)
		ok = verify(key, text, der, (size_t)n);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return ok;
}

bool
id_token_signed(struct ctx *cx, const char *alg, const json_t *jwk, struct str text, struct str signature)
{
	struct str kind = json_str(json_object_get(jwk, "kty"));
	EVP_PKEY *key = NULL;
	bool ok = false;

	if (str_is(kind, "RSA") && strcmp(alg, "RS256") == 0 && (key = rsa_key(cx, jwk)) != NULL)
		ok = verify(key, text, (const unsigned char *)signature.p, signature.n);
	else if (str_is(kind, "EC") && strcmp(alg, "ES256") == 0 && (key = p256_key(cx, jwk)) != NULL)
		ok = verify_p256(key, text, signature);
	EVP_PKEY_free(key);
	ERR_clear_error();	/* what is left there would be taken for an error of a connection */
	return ok;
}
