/* Blobs, private: the sealed format (blob_seal.c), compression (blob_pack.c), data keys (blob_keys.c), writing and reading. */
#ifndef BADAL_MODEL_BLOB_PRIV_H
#define BADAL_MODEL_BLOB_PRIV_H

#include "io/device.h"
#include "model/blob.h"

enum { BLOB_STEP = BLOB_HEAD, BLOB_NAME = 32, BLOB_BIND_MAX = 255 };

/* "p_1/files/7/" and "p_1/files/7/0a/0a1b…" */
const char *blob_prefix(struct arena *a, const struct blob_place *at);
const char *blob_key(struct arena *a, const struct blob_place *at, const char *name);
/* Takes an object away behind the caller's back. No wait. */
void blob_remove_later(struct device *d, const char *key);

/* ---- blob_seal.c: no waits, no state but what is given ---- */

enum { SEAL_HEAD = 16, SEAL_BLOCK = 65536, SEAL_TAG = 16, SEAL_KEY = 32 };

struct blob_seal {
	unsigned char key[SEAL_KEY];
	unsigned char bound[SEAL_HEAD + BLOB_BIND_MAX];	/* head and bind: what every block is bound to */
	size_t n_bound;
};
void blob_seal_init(struct blob_seal *s, const unsigned char data_key[SEAL_KEY], const char *name, const char *bind);
void blob_seal_head(unsigned char out[SEAL_HEAD]);
/* Block `i`, n + SEAL_TAG bytes at `out`. Only the last one may be shorter than SEAL_BLOCK, and only that of an empty content is empty. */
void blob_seal_block(const struct blob_seal *s, uint64_t i, bool last, const void *clear, size_t n, unsigned char *out);
/* In place; false: it is not what was sealed there. */
bool blob_seal_open(const struct blob_seal *s, uint64_t i, bool last, unsigned char *text, size_t n, const unsigned char tag[SEAL_TAG]);
uint64_t blob_seal_stored(uint64_t clear);			/* bytes that so many become */
bool blob_seal_clear(uint64_t stored, uint64_t *clear_out);	/* and back; false: no number of bytes becomes that */
uint64_t blob_seal_blocks(uint64_t clear);

/* ---- blob_pack.c: for threads ---- */

struct blob_pack;
enum pack_mode { PACK_GO_ON, PACK_FLUSH, PACK_END };
enum pack_result { PACK_MORE, PACK_DONE, PACK_BAD };
struct blob_pack *blob_pack_new(enum blob_coding coding);
struct blob_pack *blob_unpack_new(enum blob_coding coding);
void blob_pack_free(struct blob_pack **pp);
/* Takes from *in and adds to out[*n] up to `room`. PACK_DONE: nothing is left of *in and, flushing or ending, of what was held. */
enum pack_result blob_pack_run(struct blob_pack *p, enum pack_mode mode, struct str *in, char *out, size_t room, size_t *n);
/* PACK_DONE: the end; whatever is left of *in does not belong to it. PACK_MORE: it wants more of one or the other. */
enum pack_result blob_unpack_run(struct blob_pack *p, struct str *in, char *out, size_t room, size_t *n);

/* ---- blob_sum.c: for threads; false: a library failed ---- */

enum { BLOB_SUM = 34 };	/* a sum as text, with its end */
struct blob_sum;
struct blob_sum *blob_sum_new(bool fast);
bool blob_sum_add(struct blob_sum *s, const void *p, size_t n) MUST_CHECK;
bool blob_sum_end(struct blob_sum *s, char out[BLOB_SUM]) MUST_CHECK;
void blob_sum_free(struct blob_sum **sp);	/* NULL inside is fine */
bool blob_sum_fast(const char *sum);		/* which of the two a row has */

/* ---- blob_keys.c ---- */

/* Awaits. The data key of this number; of the newest, made when there is none, when *number is 0. */
err_t blob_data_key(struct ctx *cx, const struct project *p, int64_t *number, unsigned char key_out[SEAL_KEY]) MUST_CHECK;

#endif
