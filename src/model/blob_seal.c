/* Sealed blobs: a head, then blocks of 64 KiB, each with a tag behind it (XChaCha20-Poly1305).
 *
 * The key is the blob's own: made of the project's data key and the blob's random name. The nonce is the number of the block and whether it is the last one,
 * and every block is bound to the head and to what the blob belongs to. So a block opens in its place only: cut off, moved,
 * swapped with another blob's or followed by more, it is noticed, and any block can be opened without the others. */
#include <assert.h>
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

void
blob_seal_block(const struct blob_seal *s, uint64_t i, bool last, const void *clear, size_t n, unsigned char *out)
{
	unsigned char nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

	assert(n == SEAL_BLOCK || (last && n < SEAL_BLOCK && (n > 0 || i == 0)));
	block_nonce(i, last, nonce);
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(out, out + n, NULL, clear, n, s->bound, s->n_bound, NULL, nonce, s->key);
}

bool
blob_seal_open(const struct blob_seal *s, uint64_t i, bool last, unsigned char *text, size_t n, const unsigned char tag[SEAL_TAG])
{
	unsigned char nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

	block_nonce(i, last, nonce);
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
