/* Sums of stored bytes: MD5 where it is a file's signature, XXH3 where it only tells damage. The latter is ten times as fast, and an upload in parts would
 * otherwise cost two MD5s of every byte: one of its part, one of the file. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <xxhash.h>

#include "blob_priv.h"

enum { SUM_BYTES = 16 };

struct blob_sum {
	EVP_MD_CTX *md5;	/* one of the two */
	XXH3_state_t *fast;
};

struct blob_sum *
blob_sum_new(bool fast)
{
	struct blob_sum *s = mem_zalloc(sizeof *s);

	if (fast)
		s->fast = XXH3_createState();
	else
		s->md5 = EVP_MD_CTX_new();
	if (fast ? s->fast == NULL || XXH3_128bits_reset(s->fast) != XXH_OK : s->md5 == NULL || EVP_DigestInit_ex(s->md5, EVP_md5(), NULL) != 1)
		mem_fatal(0);
	return s;
}

bool
blob_sum_add(struct blob_sum *s, const void *p, size_t n)
{
	return s->fast != NULL ? XXH3_128bits_update(s->fast, p, n) == XXH_OK : EVP_DigestUpdate(s->md5, p, n) == 1;
}

bool
blob_sum_end(struct blob_sum *s, char out[BLOB_SUM])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char sum[SUM_BYTES];
	XXH128_canonical_t canonical;

	if (s->fast != NULL) {
		XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(s->fast));
		memcpy(sum, canonical.digest, SUM_BYTES);
		*out++ = 'x';
	} else if (EVP_DigestFinal_ex(s->md5, sum, NULL) != 1) {
		return false;
	}
	for (int i = 0; i < SUM_BYTES; i++) {
		*out++ = hex[sum[i] >> 4];
		*out++ = hex[sum[i] & 15];
	}
	*out = '\0';
	return true;
}

void
blob_sum_free(struct blob_sum **sp)
{
	if (*sp == NULL)
		return;
	EVP_MD_CTX_free((*sp)->md5);
	XXH3_freeState((*sp)->fast);
	free(*sp);
	*sp = NULL;
}

bool
blob_sum_fast(const char *sum)
{
	return sum[0] == 'x';
}
