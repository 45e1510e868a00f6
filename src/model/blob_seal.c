/* Sealed blobs: a head, then blocks of 64 KiB, each with a tag behind it (XChaCha20-Poly1305).
 *
 * The key is the blob's own: made of the project's data key and the blob's random name. The nonce is the number of the block and whether it is the last one,
 * and every block is bound to the head and to what the blob belongs to. So a block opens in its place only: cut off, moved,
 * swapped with another blob's or followed by more, it is noticed, and any block can be opened without the others.
 *
 * OpenSSL's ChaCha20-Poly1305 takes little more than half the time of libsodium's. XChaCha20 is that under a key that HChaCha20 makes of the first part of the
 * nonce; where OpenSSL has no such cipher libsodium does it all. */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#include "blob_priv.h"

static const unsigned char seal_head[SEAL_HEAD] = "badal blob\0\0\0\0\0\1";	/* the last byte is the version */

void
blob_seal_head(unsigned char out[SEAL_HEAD])
{
	memcpy(out, seal_head, SEAL_HEAD);
}

void
blob_seal_init(struct blob_seal *s, const unsigned char data_key[SEAL_KEY], const char *name, const char *bind)
{
	size_t n = strlen(bind);

	assert(n <= BLOB_BIND_MAX);
	crypto_generichash(s->key, sizeof s->key, (const unsigned char *)name, strlen(name), data_key, SEAL_KEY);
	memcpy(s->bound, seal_head, SEAL_HEAD);
	memcpy(s->bound + SEAL_HEAD, bind, n);
	s->n_bound = SEAL_HEAD + n;
}

static void
block_nonce(uint64_t i, bool last, unsigned char out[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES])
{
	memset(out, 0, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
	for (int b = 0; b < 8; b++)
		out[b] = (unsigned char)(i >> 8 * b);
	out[8] = last;
}

/* ---- OpenSSL ---- */

static pthread_once_t cipher_once = PTHREAD_ONCE_INIT;
static pthread_key_t cipher_mine;
static bool cipher_kept;	/* there is room for one in each thread */

static void
cipher_free(void *arg)
{
	EVP_CIPHER_CTX_free(arg);
}

static void
cipher_setup(void)
{
	cipher_kept = pthread_key_create(&cipher_mine, cipher_free) == 0;
}

/* Of this thread, since to find it costs as much as a small block; NULL: there is none. */
static EVP_CIPHER_CTX *
cipher_of_thread(void)
{
	EVP_CIPHER_CTX *c;

	pthread_once(&cipher_once, cipher_setup);
	if (!cipher_kept || (c = pthread_getspecific(cipher_mine)) != NULL)
		return cipher_kept ? c : NULL;
	c = EVP_CIPHER_CTX_new();
	if (c != NULL && EVP_CipherInit_ex(c, EVP_chacha20_poly1305(), NULL, NULL, NULL, 1) == 1 && pthread_setspecific(cipher_mine, c) == 0)
		return c;
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

/* Ready for the text of a block; NULL: it cannot be done so. */
static EVP_CIPHER_CTX *
cipher_begin(const struct blob_seal *s, const unsigned char nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES], bool seal)
{
	unsigned char key[SEAL_KEY], iv[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};
	EVP_CIPHER_CTX *c = cipher_of_thread();
	int n;

	if (c == NULL)
		return NULL;
	crypto_core_hchacha20(key, nonce, s->key, NULL);
	memcpy(iv + 4, nonce + crypto_core_hchacha20_INPUTBYTES, 8);
	if (EVP_CipherInit_ex(c, NULL, NULL, key, iv, seal) != 1 || EVP_CipherUpdate(c, NULL, &n, s->bound, (int)s->n_bound) != 1)
		c = NULL;
	sodium_memzero(key, sizeof key);
	return c;
}

static bool
cipher_seal(EVP_CIPHER_CTX *c, const void *clear, size_t n, unsigned char *out)
{
	int did, rest;

	return (n == 0 || EVP_EncryptUpdate(c, out, &did, clear, (int)n) == 1) && EVP_EncryptFinal_ex(c, out + n, &rest) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG, out + n) == 1;
}

/* In place. What does not open is not left there. */
static bool
cipher_open(EVP_CIPHER_CTX *c, unsigned char *text, size_t n, const unsigned char tag[SEAL_TAG])
{
	unsigned char expected[SEAL_TAG];
	int did, rest;
	bool good;

	memcpy(expected, tag, SEAL_TAG);
	good = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG, expected) == 1 && (n == 0 || EVP_DecryptUpdate(c, text, &did, text, (int)n) == 1) &&
	    EVP_DecryptFinal_ex(c, text + n, &rest) == 1;
	if (!good) {
		sodium_memzero(text, n);
		ERR_clear_error();
	}
	return good;
}

/* ---- blocks ---- */

void
blob_seal_block(const struct blob_seal *s, uint64_t i, bool last, const void *clear, size_t n, unsigned char *out)
{
	unsigned char nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	EVP_CIPHER_CTX *c;

	assert(n == SEAL_BLOCK || (last && n < SEAL_BLOCK && (n > 0 || i == 0)));
	block_nonce(i, last, nonce);
	c = cipher_begin(s, nonce, true);
	if (c == NULL || !cipher_seal(c, clear, n, out))
		crypto_aead_xchacha20poly1305_ietf_encrypt_detached(out, out + n, NULL, clear, n, s->bound, s->n_bound, NULL, nonce, s->key);
}

bool
blob_seal_open(const struct blob_seal *s, uint64_t i, bool last, unsigned char *text, size_t n, const unsigned char tag[SEAL_TAG])
{
	unsigned char nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	EVP_CIPHER_CTX *c;

	block_nonce(i, last, nonce);
	c = cipher_begin(s, nonce, false);
	if (c != NULL)
		return cipher_open(c, text, n, tag);
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(text, NULL, text, n, tag, s->bound, s->n_bound, nonce, s->key) == 0;
}

uint64_t
blob_seal_blocks(uint64_t clear)
{
	return clear == 0 ? 1 : (clear + SEAL_BLOCK - 1) / SEAL_BLOCK;
}

uint64_t
blob_seal_stored(uint64_t clear)
{
	return SEAL_HEAD + clear + blob_seal_blocks(clear) * SEAL_TAG;
}

bool
blob_seal_clear(uint64_t stored, uint64_t *clear_out)
{
	uint64_t n, blocks;

	if (stored < SEAL_HEAD + SEAL_TAG || stored > INT64_MAX)
		return false;
	n = stored - SEAL_HEAD;
	blocks = (n + SEAL_BLOCK + SEAL_TAG - 1) / (SEAL_BLOCK + SEAL_TAG);
	if (n < blocks * SEAL_TAG)
		return false;
	*clear_out = n - blocks * SEAL_TAG;
	return blob_seal_stored(*clear_out) == stored;
}
