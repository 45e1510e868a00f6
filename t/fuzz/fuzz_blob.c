/* What lies on a device, or comes from a provider: sealed blobs with changes made to them, compressed ones, lists in XML. The first byte says which. */
#include "../../src/io/s3_priv.h"
#include "../../src/model/blob_priv.h"
#include "fuzz.h"

enum { CLEAR = SEAL_BLOCK + 100, STORED = SEAL_HEAD + CLEAR + 2 * SEAL_TAG, ROOM = 1 << 20 };

static const unsigned char data_key[SEAL_KEY] = "a key of tests";

static void
seal_genuine(const struct blob_seal *s, unsigned char *out)
{
	unsigned char *clear = calloc(1, CLEAR);

	blob_seal_head(out);
	blob_seal_block(s, 0, false, clear, SEAL_BLOCK, out + SEAL_HEAD);
	blob_seal_block(s, 1, true, clear + SEAL_BLOCK, CLEAR - SEAL_BLOCK, out + SEAL_HEAD + SEAL_BLOCK + SEAL_TAG);
	free(clear);
}

/* Blocks that open, as a reader of so many stored bytes would try them; -1: no such number of bytes is a blob. */
static int
opens(const struct blob_seal *s, unsigned char *stored, uint64_t n)
{
	uint64_t clear, blocks;
	int good = 0;

	if (!blob_seal_clear(n, &clear))
		return -1;
	blocks = blob_seal_blocks(clear);
	for (uint64_t i = 0; i < blocks; i++) {
		unsigned char *b = stored + SEAL_HEAD + i * (SEAL_BLOCK + SEAL_TAG);
		size_t len = i + 1 < blocks ? SEAL_BLOCK : (size_t)(clear - i * SEAL_BLOCK);

		good += blob_seal_open(s, i, i + 1 == blocks, b, len, b + len);
	}
	return good;
}

/* Edits of four bytes: where (three), and what. The first edit is the length. */
static void
fuzz_seal(struct str in)
{
	static unsigned char genuine[STORED];
	unsigned char *stored = calloc(1, 2 * STORED);
	const unsigned char *e = (const unsigned char *)in.p;
	struct blob_seal s;
	size_t n = in.n >= 3 ? (size_t)((unsigned)e[0] | (unsigned)e[1] << 8 | (unsigned)e[2] << 16) % (2 * STORED) : STORED;
	bool changed[2] = {false, false};
	int good;

	blob_seal_init(&s, data_key, "0123", "file 1 at 0");
	if (genuine[0] == 0)
		seal_genuine(&s, genuine);
	memcpy(stored, genuine, STORED);
	for (size_t i = 4; i + 4 <= in.n; i += 4)
		stored[((unsigned)e[i] | (unsigned)e[i + 1] << 8 | (unsigned)e[i + 2] << 16) % (2 * STORED)] ^= e[i + 3];
	changed[0] = memcmp(stored + SEAL_HEAD, genuine + SEAL_HEAD, SEAL_BLOCK + SEAL_TAG) != 0;
	changed[1] = memcmp(stored + SEAL_HEAD + SEAL_BLOCK + SEAL_TAG, genuine + SEAL_HEAD + SEAL_BLOCK + SEAL_TAG, STORED - SEAL_HEAD - SEAL_BLOCK - SEAL_TAG) != 0;
	good = opens(&s, stored, n);
	/* of another length only the first block may open, and only where it is not the last one */
	FUZZ_CHECK(good <= (n == STORED ? !changed[0] + !changed[1] : n > SEAL_HEAD + SEAL_BLOCK + SEAL_TAG ? !changed[0] : 0), "it opens", in);
	FUZZ_CHECK(n != STORED || good == !changed[0] + !changed[1], "it does not open", in);
	free(stored);
}

/* What comes out must not depend on how it is cut, and never be more than there is room for. */
static size_t
unpack_all(enum blob_coding coding, struct str in, size_t piece, char *out)
{
	struct blob_pack *p = blob_unpack_new(coding);
	enum pack_result r = PACK_MORE;
	size_t n = 0, before = 1;

	while (r == PACK_MORE && n < ROOM && (in.n > 0 || n != before)) {
		struct str part = {in.p, in.n < piece ? in.n : piece};
		size_t room = n + piece < ROOM ? n + piece : ROOM, had = part.n;

		before = n;
		r = blob_unpack_run(p, &part, out, room, &n);
		in.p += had - part.n;
		in.n -= had - part.n;
		FUZZ_CHECK(n <= room, "more than there is room for", in);
		if (had == part.n && n == before)
			break;
	}
	blob_pack_free(&p);
	return r == PACK_BAD ? SIZE_MAX : n;
}

static void
fuzz_pack(enum blob_coding coding, struct str in)
{
	char *a = malloc(ROOM), *b = malloc(ROOM);
	size_t n = unpack_all(coding, in, ROOM, a), m = unpack_all(coding, in, 7, b);

	FUZZ_CHECK(n == SIZE_MAX || m == SIZE_MAX || memcmp(a, b, n < m ? n : m) == 0, "it depends on the pieces", in);
	free(a);
	free(b);
}

static void
fuzz_xml(struct ctx *cx, struct str in)
{
	struct str at = in, one;

	while (s3_xml_next(&at, "Contents", &one)) {
		FUZZ_CHECK(one.p >= in.p && one.p + one.n <= in.p + in.n, "outside", in);
		FUZZ_CHECK(strlen(s3_xml_text(cx->arena, one, "Key")) <= one.n, "longer than it was", in);
	}
	(void)s3_xml_text(cx->arena, in, "NextContinuationToken");
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	int kind = input.n > 0 ? (unsigned char)input.p[0] % 4 : 0;
	struct str rest = {input.p + 1, input.n - 1};

	if (input.n < 2)
		return;
	if (kind == 0)
		fuzz_seal(rest);
	else if (kind == 3)
		fuzz_xml(cx, rest);
	else
		fuzz_pack(kind == 1 ? BLOB_GZIP : BLOB_ZSTD, rest);
}
