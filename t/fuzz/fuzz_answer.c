/* Answers that come from sandboxes: the first bytes say how they are cut, and nothing may depend on that. */
#include "../../src/io/answer.c"
#include "../../src/io/http_chunks.c"
#include "../../src/io/http_field.c"
#include "fuzz.h"

enum { MAX = 4096 };

static struct answer
decode(struct ctx *cx, struct str input, const size_t *sizes, int n, size_t *used_out)
{
	struct answer a;
	size_t at = 0;

	answer_begin(&a, cx->arena, MAX, false);
	for (int i = 0; at < input.n && a.state < ANSWER_WHOLE; i++) {
		size_t part = sizes[i % n] < input.n - at ? sizes[i % n] : input.n - at, used = answer_take(&a, input.p + at, part);

		FUZZ_CHECK(used <= part && (used == part || a.state >= ANSWER_WHOLE), "bytes that are lost", input);
		at += used;
	}
	if (at == input.n)
		answer_end(&a);
	*used_out = at;
	return a;
}

static void
same(const struct answer *a, const struct answer *b, struct str input)
{
	FUZZ_CHECK(a->state == b->state, "an end that depends on the pieces", input);
	if (a->state != ANSWER_WHOLE)
		return;
	FUZZ_CHECK(a->reply->status == b->reply->status && a->keeps == b->keeps && a->reply->n_headers == b->reply->n_headers, "a head that depends on the pieces", input);
	for (int i = 0; i < a->reply->n_headers; i++)
		FUZZ_CHECK(strcmp(a->reply->headers[i].name, b->reply->headers[i].name) == 0 && strcmp(a->reply->headers[i].value, b->reply->headers[i].value) == 0,
		    "a header that depends on the pieces", input);
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	size_t sizes[4], whole = SIZE_MAX / 2, one = 1, used[3];
	struct answer a, b, c;

	if (input.n < 4)
		return;
	for (int i = 0; i < 4; i++)
		sizes[i] = (unsigned char)input.p[i] % 64 + 1;
	input = (struct str){input.p + 4, input.n - 4};
	a = decode(cx, input, &whole, 1, &used[0]);
	b = decode(cx, input, sizes, 4, &used[1]);
	c = decode(cx, input, &one, 1, &used[2]);
	same(&a, &b, input);
	same(&a, &c, input);
	if (a.state != ANSWER_WHOLE)
		return;
	FUZZ_CHECK(used[0] == used[1] && used[0] == used[2], "an end that depends on the pieces", input);
	FUZZ_CHECK(str_eq(answer_reply(&a)->body, answer_reply(&b)->body) && str_eq(answer_reply(&a)->body, answer_reply(&c)->body), "a body that depends on the pieces", input);
	FUZZ_CHECK(a.reply->status >= 200 && a.reply->status <= 999 && a.reply->body.n <= MAX, "what no answer is", input);
}
