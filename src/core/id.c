/* Identifiers and secrets: libsodium for randomness, hashes and base64. */
#include "core/id.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/vtime.h"

char *
id_unique(struct arena *a)
{
	int64_t us = time_now_us();
	char *d = arena_alloc(a, ID_LEN + 1);

	snprintf(d, ID_LEN + 1, "%08x%05x%07x", (unsigned)(us / 1000000), (unsigned)(us % 1000000),
	    (unsigned)(randombytes_random() & 0xfffffff));
	return d;
}

static bool
id_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
id_valid_within(struct str s, size_t max)
{
	if (s.n == 0 || s.n > max || !id_plain(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!id_plain(s.p[i]) && s.p[i] != '_' && s.p[i] != '-' && s.p[i] != '.')
			return false;
	return true;
}

bool
id_valid(struct str s)
{
	return id_valid_within(s, ID_MAX);
}

char *
secret_hex(struct arena *a, size_t nbytes)
{
	unsigned char *raw = arena_alloc(a, nbytes);
	char *d;

	randombytes_buf(raw, nbytes);
	d = hex_encode(a, raw, nbytes);
	sodium_memzero(raw, nbytes);
	return d;
}

char *
sha256_hex(struct arena *a, struct str s)
{
	unsigned char h[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(h, (const unsigned char *)s.p, s.n);
	return hex_encode(a, h, sizeof h);
}

static int
variant(bool url)
{
	return url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_ORIGINAL;
}

char *
base64_encode(struct arena *a, struct str s, bool url)
{
	size_t n = sodium_base64_encoded_len(s.n, variant(url));
	char *d = arena_alloc(a, n);

	return sodium_bin2base64(d, n, (const unsigned char *)s.p, s.n, variant(url));
}

bool
base64_decode(struct arena *a, struct str s, bool url, struct str *out)
{
	char *d = arena_alloc(a, s.n + 1);
	size_t n;

	if (sodium_base642bin((unsigned char *)d, s.n, s.p, s.n, NULL, &n, NULL, variant(url)) != 0)
		return false;
	d[n] = '\0';
	*out = (struct str){d, n};
	return true;
}

void
hmac_sha1(struct str key, struct str msg, unsigned char out[20])
{
	static EVP_MAC *mac;	/* finding it takes longer than a short message */
	OSSL_PARAM sha1[] = {OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA1"}, 0), OSSL_PARAM_construct_end()};
	EVP_MAC_CTX *c;
	size_t n = 0;

	if (mac == NULL)
		mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	c = EVP_MAC_CTX_new(mac);
	if (c == NULL || !EVP_MAC_init(c, (const unsigned char *)key.p, key.n, sha1) || !EVP_MAC_update(c, (const unsigned char *)msg.p, msg.n) ||
	    !EVP_MAC_final(c, out, &n, 20) || n != 20)
		abort();
	EVP_MAC_CTX_free(c);
}

static crypto_auth_hmacsha256_state *
hmac_state(struct hmac *h)
{
	_Static_assert(sizeof h->state >= sizeof(crypto_auth_hmacsha256_state), "it has room for it");
	return (crypto_auth_hmacsha256_state *)(void *)h->state;
}

void
hmac_begin(struct hmac *h, struct str key)
{
	crypto_auth_hmacsha256_init(hmac_state(h), (const unsigned char *)key.p, key.n);
}

void
hmac_add(struct hmac *h, struct str piece)
{
	crypto_auth_hmacsha256_update(hmac_state(h), (const unsigned char *)piece.p, piece.n);
}

void
hmac_end(struct hmac *h, unsigned char out[32])
{
	crypto_auth_hmacsha256_final(hmac_state(h), out);
}

void
hmac_sha256(struct str key, struct str msg, unsigned char out[32])
{
	struct hmac h;

	hmac_begin(&h, key);
	hmac_add(&h, msg);
	hmac_end(&h, out);
}
