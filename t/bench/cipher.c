/* The floor of sealed blobs: microseconds of CPU to encrypt, and to decrypt, so many MiB in blocks of 64 KiB, and nothing else. */
#include <sodium.h>
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
	printf("%.0f %.0f\n", b - a, c - b);
	return bad != 0;
}
