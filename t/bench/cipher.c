/* The floor of sealed blobs: microseconds of CPU to encrypt, and to decrypt, so many MiB in blocks of 64 KiB, and nothing else; by libsodium, then by OpenSSL. */
#include <openssl/evp.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 65536, MIB = 1 << 20 };

static double
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Encrypts one block, or decrypts it again. */
static bool
openssl_block(EVP_CIPHER_CTX *e, bool encrypt, unsigned char *box, const unsigned char *key, const unsigned char *nonce)
{
	int n;

	if (EVP_CipherInit_ex(e, NULL, NULL, key, nonce, encrypt) != 1 || (!encrypt && EVP_CIPHER_CTX_ctrl(e, EVP_CTRL_AEAD_SET_TAG, 16, box + BLOCK) != 1) ||
	    EVP_CipherUpdate(e, box, &n, box, BLOCK) != 1 || EVP_CipherFinal_ex(e, box + BLOCK, &n) != 1)
		return false;
	return !encrypt || EVP_CIPHER_CTX_ctrl(e, EVP_CTRL_AEAD_GET_TAG, 16, box + BLOCK) == 1;
}

/* The same block over and over: what it says does not matter to the time. */
static double
openssl_us(long blocks, bool encrypt, const unsigned char *key)
{
	static unsigned char box[BLOCK + 16], again[BLOCK + 16];
	EVP_CIPHER_CTX *e = EVP_CIPHER_CTX_new();
	unsigned char nonce[12] = {0};
	double a, copied;
	bool good = e != NULL && EVP_CipherInit_ex(e, EVP_chacha20_poly1305(), NULL, NULL, NULL, 1) == 1 && openssl_block(e, true, box, key, nonce);

	a = cpu_us();
	for (long i = 0; i < blocks; i++)
		memcpy(again, box, sizeof box);
	copied = cpu_us() - a;
	a = cpu_us();
	for (long i = 0; good && i < blocks; i++) {
		memcpy(again, box, sizeof box);
		good = openssl_block(e, encrypt, again, key, nonce);
	}
	EVP_CIPHER_CTX_free(e);
	return good ? cpu_us() - a - copied : -1;
}

int
main(int argc, char **argv)
{
	static unsigned char clear[BLOCK], box[BLOCK + crypto_aead_xchacha20poly1305_ietf_ABYTES];
	unsigned char key[32] = {1}, nonce[24] = {0};
	long blocks = argc > 1 ? atol(argv[1]) * (MIB / BLOCK) : 0, bad = 0;
	double a, b, c;

	if (blocks <= 0 || sodium_init() < 0)
		return 2;
	a = cpu_us();
	for (long i = 0; i < blocks; i++) {
		memcpy(nonce, &i, sizeof i);
		crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, clear, sizeof clear, NULL, 0, NULL, nonce, key);
	}
	b = cpu_us();
	for (long i = 0; i < blocks; i++)
		bad += crypto_aead_xchacha20poly1305_ietf_decrypt(clear, NULL, NULL, box, sizeof box, NULL, 0, nonce, key) != 0;
	c = cpu_us();
	printf("%.0f %.0f %.0f %.0f\n", b - a, c - b, openssl_us(blocks, true, key), openssl_us(blocks, false, key));
	return bad != 0;
}
