/* Secrets at rest: XChaCha20-Poly1305 with a random nonce; the key is a hash of the master key under a label of its own. */
#include "model/seal.h"

#include <sodium.h>

#include "core/conf.h"
#include "core/id.h"

static const char prefix[] = "v1:";
enum {
	NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES
};

/* Derived anew when the master key moved (tests, reload): hashing it is cheap beside the rest. */
static const unsigned char *
seal_key(void)
{
	static unsigned char key[KEY];
	static const char *made_from;
	static const char label[] = "badal secrets at rest";

	if (made_from != conf.master_key) {
		const char *master = conf.master_key ? conf.master_key : "";

		crypto_generichash(key, sizeof key, (const unsigned char *)master, strlen(master), (const unsigned char *)label, sizeof label - 1);
		made_from = conf.master_key;
	}
	return key;
}

const char *
seal_text(struct arena *a, const char *clear)
{
	size_t n;
	unsigned char *box;
	const char *text;

	if (clear == NULL)
		return NULL;
	n = strlen(clear);
	box = arena_alloc(a, NONCE + n + TAG);
	randombytes_buf(box, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, (const unsigned char *)clear, n, (const unsigned char *)prefix,
	    sizeof prefix - 1, NULL, box, seal_key());
	text = base64_encode(a, (struct str){(const char *)box, NONCE + n + TAG}, false);
	return arena_printf(a, "%s%s", prefix, text);
}

const char *
seal_open(struct arena *a, struct str sealed)
{
	struct str box;
	unsigned char *clear;
	const unsigned char *b;

	if (!str_starts(sealed, prefix))
		return NULL;
	sealed.p += sizeof prefix - 1;
	sealed.n -= sizeof prefix - 1;
	if (!base64_decode(a, sealed, false, &box) || box.n < NONCE + TAG)
		return NULL;
	b = (const unsigned char *)box.p;
	clear = arena_alloc(a, box.n - NONCE - TAG + 1);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(clear, NULL, NULL, b + NONCE, box.n - NONCE, (const unsigned char *)prefix,
		sizeof prefix - 1, b, seal_key()) != 0)
		return NULL;
	clear[box.n - NONCE - TAG] = '\0';
	return (const char *)clear;
}

void
seal_tag(struct str s, unsigned char out[SEAL_TAG_LEN])
{
	static unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
	static bool made;

	if (!made) {
		randombytes_buf(key, sizeof key);
		made = true;
	}
	crypto_shorthash_siphashx24(out, (const unsigned char *)s.p, s.n, key);
}

const char *
seal_signup_token(struct arena *a)
{
	unsigned char mac[32];
	char *text = arena_alloc(a, 33);

	hmac_sha256(str_c(conf.master_key), STR("first sign-up on the console"), mac);
	return sodium_bin2hex(text, 33, mac, 16);
}
