/* Answers of HTTP/1.1 as the executor reads them from sandboxes: whole, byte by byte, and what is refused. */
#include <criterion/criterion.h>

#include "../../src/io/answer.h"

enum { MAX = 1000 };

static struct answer
take(struct arena *a, const char *text, size_t n, size_t step, size_t *used_out)
{
	struct answer r;
	size_t at = 0;

	answer_begin(&r, a, MAX, false);
	while (at < n && r.state < ANSWER_WHOLE) {
		size_t part = step < n - at ? step : n - at, used = answer_take(&r, text + at, part);

		cr_assert(used <= part);
		at += used;
		if (used < part)
			break;
	}
	*used_out = at;
	if (at == n)
		answer_end(&r);
	return r;
}

/* status 0: it is refused. `left`: bytes behind it that are not its own. */
static const struct {
	const char *text;
	int status;
	const char *body;
	bool keeps;
	size_t left;
} answers[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, 0},
	{"HTTP/1.1 200\r\ncontent-length:5 \r\n\r\nhello", 200, "hello", true, 0},
	{"HTTP/1.1 200 \r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhelloHTTP", 200, "hello", true, 4},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 200, "hello", false, 0},
	{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false, 0},
	{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n\r\nhello", 200, "hello", true, 0},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\nX", 200, "hello", true, 1},
	{"HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", false, 0},
	{"HTTP/1.1 200 OK\r\n\r\n", 200, "", false, 0},
	{"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nX", 204, "", true, 1},
	{"HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", true, 0},
	{"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", 503, "", true, 0},
	{"", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\n: none\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\r\nA: b\001\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 0, NULL, false, 0},
	{"HTTP/1.1 2x0 OK\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 099 No\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1 2000 OK\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/2.0 200 OK\r\n\r\n", 0, NULL, false, 0},
	{"HTTP/1.1\r\n\r\n", 0, NULL, false, 0},
	{"\r\n\r\n", 0, NULL, false, 0},
	{"hello\r\n\r\n", 0, NULL, false, 0},
};

Test(answer, is_the_same_however_it_is_cut)
{
	static const size_t steps[] = {SIZE_MAX / 2, 1, 2, 3, 7, 19};

	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
			struct arena *a = arena_new();
			size_t n = strlen(answers[i].text), used;
			struct answer r = take(a, answers[i].text, n, steps[k], &used);
			bool whole = r.state == ANSWER_WHOLE;

			cr_assert_eq(whole, answers[i].status != 0, "\"%s\" in %zu: %s", answers[i].text, steps[k], r.why);
			if (whole) {
				cr_expect_eq(r.reply->status, answers[i].status);
				cr_expect(str_is(answer_reply(&r)->body, answers[i].body), "%s", answers[i].text);
				cr_expect_eq(r.keeps, answers[i].keeps, "%s", answers[i].text);
				cr_expect_eq(n - used, answers[i].left, "%s", answers[i].text);
			}
			arena_free(&a);
		}
}

Test(answer, its_headers_are_texts_with_small_names)
{
	struct arena *a = arena_new();
	const char text[] = "HTTP/1.1 200 OK\r\nX-One: \t a b \r\nX-TWO:\r\nx: \xc3\xa4\r\n\r\n";
	size_t used;
	struct answer r = take(a, text, sizeof text - 1, 5, &used);

	cr_assert_eq(r.reply->n_headers, 3);
	cr_expect_str_eq(fetch_header(r.reply, "x-one"), "a b");
	cr_expect_str_eq(fetch_header(r.reply, "x-two"), "");
	cr_expect_str_eq(fetch_header(r.reply, "x"), "\xc3\xa4");
	arena_free(&a);
}

Test(answer, to_head_has_no_body)
{
	static const char *const texts[] = {"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct arena *a = arena_new();
		struct answer r;

		answer_begin(&r, a, MAX, true);
		cr_expect_eq(answer_take(&r, texts[i], strlen(texts[i])), strlen(texts[i]));
		cr_expect(r.state == ANSWER_WHOLE && r.keeps && answer_reply(&r)->body.n == 0, "%s", texts[i]);
		arena_free(&a);
	}
}

Test(answer, has_bounds)
{
	struct arena *a = arena_new();
	struct buf b;
	size_t used;

	buf_init(&b, a, 0);
	BUF_LIT(&b, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 101; i++)
		BUF_LIT(&b, "A: b\r\n");
	BUF_LIT(&b, "\r\n");
	cr_expect_eq(take(a, b.p, b.n, 100, &used).state, ANSWER_BAD, "101 headers");

	b.n = 0;
	BUF_LIT(&b, "HTTP/1.1 200 OK\r\nA: ");
	while (b.n < 40000)
		BUF_LIT(&b, "aaaaaaaaaaaaaaaa");
	cr_expect_eq(take(a, b.p, b.n, 4096, &used).state, ANSWER_BAD, "a head without an end");
	cr_expect(used <= 32768);

	b.n = 0;
	for (int i = 0; i < 3000; i++)
		BUF_LIT(&b, "HTTP/1.1 100 Go on\r\n\r\n");
	cr_expect_eq(take(a, b.p, b.n, 4096, &used).state, ANSWER_BAD, "interim answers without an end");
	cr_expect(used <= 32768);

	b.n = 0;
	BUF_LIT(&b, "HTTP/1.1 200 OK\r\n\r\n");
	for (int i = 0; i < 126; i++)
		BUF_LIT(&b, "12345678");
	cr_expect_eq(take(a, b.p, b.n, 100, &used).state, ANSWER_BAD, "a body of no length that is too large");

	b.n = 0;
	BUF_LIT(&b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 126; i++)
		BUF_LIT(&b, "8\r\n12345678\r\n");
	cr_expect_eq(take(a, b.p, b.n, 100, &used).state, ANSWER_BAD, "chunks that are too large");
	arena_free(&a);
}
