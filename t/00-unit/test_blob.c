/* The format of sealed blobs, which must never change unnoticed, and compression in pieces. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#include "../../src/io/s3_priv.h"
#include "../../src/model/blob_priv.h"
#include "core/conf.h"

static const unsigned char data_key[SEAL_KEY] = "0123456789abcdef0123456789abcde";

Test(blob_seal, so_many_bytes_become_so_many)
{
	const uint64_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 131073, 6291456, INT64_C(1) << 50};
	uint64_t back;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint64_t stored = blob_seal_stored(sizes[i]);

		cr_expect(blob_seal_clear(stored, &back) && back == sizes[i], "%llu", (unsigned long long)sizes[i]);
	}
	for (uint64_t n = 0; n < SEAL_HEAD + SEAL_TAG; n++)
		cr_expect_not(blob_seal_clear(n, &back));
	/* a block that would be empty, or only a part of a tag */
	for (uint64_t n = 1; n <= SEAL_TAG; n++)
		cr_expect_not(blob_seal_clear(SEAL_HEAD + SEAL_BLOCK + SEAL_TAG + n, &back), "%llu", (unsigned long long)n);
	cr_expect_not(blob_seal_clear(UINT64_MAX, &back));
}

/* Of version 1, for ever: blobs of old must open. */
Test(blob_seal, the_format_is_what_it_was)
{
	unsigned char head[SEAL_HEAD], out[5 + SEAL_TAG], clear[5];
	char hex[2 * sizeof out + 1];
	struct blob_seal s;

	blob_seal_head(head);
	cr_expect_eq(memcmp(head, "badal blob\0\0\0\0\0\1", SEAL_HEAD), 0);
	blob_seal_init(&s, data_key, "00112233445566778899aabbccddeeff", "file 1 at 0");
	blob_seal_block(&s, 0, true, "hello", 5, out);
	sodium_bin2hex(hex, sizeof hex, out, sizeof out);
	cr_expect_str_eq(hex, "30e061fb763b44e129b70e117e666c098037155a32");
	memcpy(clear, out, 5);
	cr_expect(blob_seal_open(&s, 0, true, clear, 5, out + 5) && memcmp(clear, "hello", 5) == 0);
}

/* Whoever does the work, it is XChaCha20-Poly1305. */
Test(blob_seal, libsodium_opens_it_and_seals_it)
{
	const struct { uint64_t i; bool last; size_t n; } cases[] = {{0, true, 0}, {0, true, 1}, {3, true, 63}, {1, true, 65535}, {0, false, 65536}, {UINT64_C(1) << 40 | 7, false, 65536}};
	static unsigned char clear[SEAL_BLOCK], out[SEAL_BLOCK + SEAL_TAG], back[SEAL_BLOCK];
	struct blob_seal s;

	cr_assert(sodium_init() >= 0);
	randombytes_buf(clear, sizeof clear);
	blob_seal_init(&s, data_key, "00112233445566778899aabbccddeeff", "file 1 at 0");
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		unsigned char nonce[24] = {0}, tag[SEAL_TAG];
		size_t n = cases[k].n;

		memcpy(nonce, &cases[k].i, 8);
		nonce[8] = cases[k].last;
		blob_seal_block(&s, cases[k].i, cases[k].last, clear, n, out);
		cr_expect_eq(crypto_aead_xchacha20poly1305_ietf_decrypt_detached(back, NULL, out, n, out + n, s.bound, s.n_bound, nonce, s.key), 0, "%zu", k);
		cr_expect_eq(memcmp(back, clear, n), 0);
		crypto_aead_xchacha20poly1305_ietf_encrypt_detached(back, tag, NULL, clear, n, s.bound, s.n_bound, NULL, nonce, s.key);
		cr_expect(blob_seal_open(&s, cases[k].i, cases[k].last, back, n, tag), "%zu", k);
		cr_expect_eq(memcmp(back, clear, n), 0);
		tag[5] ^= 1;
		cr_expect_not(blob_seal_open(&s, cases[k].i, cases[k].last, back, n, tag), "%zu", k);
	}
}

/* What is not what was sealed is nowhere: not even with the caller, who was told so. */
Test(blob_seal, what_does_not_open_is_not_there)
{
	unsigned char out[5 + SEAL_TAG];
	struct blob_seal s;

	blob_seal_init(&s, data_key, "00", "a");
	blob_seal_block(&s, 0, true, "hello", 5, out);
	out[5] ^= 1;
	cr_expect_not(blob_seal_open(&s, 0, true, out, 5, out + 5));
	cr_expect_neq(memcmp(out, "hello", 5), 0);
}

Test(blob_seal, a_block_opens_in_its_place_only)
{
	unsigned char out[5 + SEAL_TAG], text[5];
	struct blob_seal s, other;

	blob_seal_init(&s, data_key, "00", "a");
	blob_seal_block(&s, 0, true, "hello", 5, out);
#define OPENS(seal, i, last) (memcpy(text, out, 5), blob_seal_open(seal, i, last, text, 5, out + 5))
	cr_expect(OPENS(&s, 0, true));
	cr_expect_not(OPENS(&s, 0, false));
	cr_expect_not(OPENS(&s, 1, true));
	blob_seal_init(&other, data_key, "00", "b");
	cr_expect_not(OPENS(&other, 0, true));
	blob_seal_init(&other, data_key, "01", "a");
	cr_expect_not(OPENS(&other, 0, true));
	blob_seal_init(&other, (const unsigned char *)"another key, of as many bytes ..", "00", "a");
	cr_expect_not(OPENS(&other, 0, true));
	for (size_t i = 0; i < sizeof out; i++)
		for (int bit = 0; bit < 8; bit++) {
			out[i] ^= (unsigned char)(1 << bit);
			cr_expect_not(OPENS(&s, 0, true), "byte %zu bit %d", i, bit);
			out[i] ^= (unsigned char)(1 << bit);
		}
}

/* A bomb gives what there is room for, and says that there is more. */
Test(blob_pack, no_more_than_there_is_room_for)
{
	for (int coding = BLOB_GZIP; coding <= BLOB_ZSTD; coding++) {
		struct blob_pack *p = blob_pack_new((enum blob_coding)coding), *u;
		size_t zeros = 8 << 20, n = 0, m = 0;
		char *clear = calloc(1, zeros), *packed = malloc(zeros);
		struct str in = {clear, zeros};

		cr_assert_eq(blob_pack_run(p, PACK_END, &in, packed, zeros, &n), PACK_DONE);
		cr_expect_lt(n, zeros / 500);
		u = blob_unpack_new((enum blob_coding)coding);
		in = (struct str){packed, n};
		cr_expect_eq(blob_unpack_run(u, &in, clear, 1000, &m), PACK_MORE);
		cr_expect_eq(m, 1000);
		blob_pack_free(&p);
		blob_pack_free(&u);
		free(clear);
		free(packed);
	}
}

Test(s3, its_xml)
{
	struct arena *a = arena_new();
	struct str at = STR("<?xml version=\"1.0\"?><L xmlns=\"x\"><Contents a=\"b\"><Key>a&amp;b&#34;</Key></Contents><Contents><Key></Key></Contents><Contents>"), one;

	cr_expect_str_eq(s3_xml_text(a, at, "Key"), "a&b\"");
	cr_expect_str_eq(s3_xml_text(a, at, "Ke"), "");
	cr_expect(s3_xml_next(&at, "Contents", &one) && str_is(one, "<Key>a&amp;b&#34;</Key>"));
	cr_expect(s3_xml_next(&at, "Contents", &one) && str_is(one, "<Key></Key>"));
	cr_expect_not(s3_xml_next(&at, "Contents", &one));
	cr_expect_str_eq(s3_encode(a, "a/b c~%+ü"), "a%2Fb%20c~%25%2B%C3%BC");
	arena_free(&a);
}

Test(device, settings_in_one_text)
{
	struct arena *a = arena_new();
	struct device_settings s;
	char why[512];
	const char *const bad[] = {"", "local:", "local:relative", "s3:x", "s3://bucket", "s3://k:s@b?style=round", "s3://k:s@b?what=1"};
	struct conf c = {.storage_dir = "/var"};

	cr_assert(device_parse(a, STR("wasabi://KEY:a%2Fb%40@files/some/where?region=eu-west-1&acl=private"), "/var", &s, why, sizeof why));
	cr_expect_str_eq(s.kind, "wasabi");
	cr_expect_str_eq(s.key, "KEY");
	cr_expect_str_eq(s.secret, "a/b@");
	cr_expect_str_eq(s.bucket, "files");
	cr_expect_str_eq(s.prefix, "some/where");
	cr_expect_str_eq(s.region, "eu-west-1");
	cr_expect_str_eq(s.acl, "private");
	cr_expect_not(s.path_style);
	cr_assert(device_parse(a, STR("s3://k:s@b?endpoint=http://127.0.0.1:9000"), "/var", &s, why, sizeof why));
	cr_expect(s.path_style);
	cr_expect_str_eq(s.endpoint, "http://127.0.0.1:9000");
	cr_assert(device_parse(a, STR("local:/srv/files"), "/var", &s, why, sizeof why));
	cr_expect_str_eq(s.dir, "/srv/files");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_not(device_parse(a, str_c(bad[i]), "/var", &s, why, sizeof why), "%s", bad[i]);
	c.storage_also = " local:/a  s3://k:s@b ";
	cr_expect_null(device_also_wrong(&c));
	c.storage_also = "local:/a local:/b local:/c local:/d";
	cr_expect_not_null(device_also_wrong(&c));
	c.storage_also = "floppy://k:s@b";
	cr_expect_not_null(device_also_wrong(&c));
	arena_free(&a);
}
