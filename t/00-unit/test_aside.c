/* Long texts that stand aside while a document is read, changed and written. */
#include <criterion/criterion.h>
#include <string.h>

#include "../../src/gate/aside.h"
#include "core/ctx.h"
#include "core/json.h"
#include "ctx_world.h"

TestSuite(aside, .init = setup, .fini = teardown);

static unsigned seed = 1;

static unsigned
chance(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void
add_text(struct buf *b)
{
	static const char *const parts[] = {"a", "\\\"", "\\\\", "\\u0001", "é", "{\\\"a\\\":", "\\\\\\\"", " "};
	size_t n = chance(3) == 0 ? ASIDE_MIN - 8 + chance(16) : chance(4) == 0 ? chance(5000) : chance(20);

	buf_ch(b, '"');
	for (size_t before = b->n; b->n - before < n;)
		buf_c(b, parts[chance(8)]);
	buf_ch(b, '"');
}

static void
add_any(struct buf *b, int depth)
{
	unsigned kind = chance(depth > 4 ? 3 : 5), n = chance(5);

	if (kind < 2) {
		add_text(b);
	} else if (kind == 2) {
		buf_i64(b, (int64_t)chance(1000));
	} else {
		buf_ch(b, kind == 3 ? '[' : '{');
		for (unsigned i = 0; i < n; i++) {
			if (i > 0)
				buf_ch(b, ',');
			if (kind == 4) {
				add_text(b);
				buf_ch(b, ':');
			}
			add_any(b, depth + 1);
		}
		buf_ch(b, kind == 3 ? ']' : '}');
	}
}

static struct str
back(struct str json)
{
	struct aside a;
	struct str brief = aside_take(&a, cx.arena, json);
	struct buf b;

	cr_assert_leq(brief.n, json.n);
	buf_init(&b, cx.arena, 16);
	aside_put(&a, brief, &b);
	return buf_view(&b);
}

Test(aside, all_comes_back_as_it_was)
{
	for (int i = 0; i < 2000; i++) {
		struct buf b;

		buf_init(&b, cx.arena, 64);
		add_any(&b, 0);
		cr_assert(str_eq(back(buf_view(&b)), buf_view(&b)), "%s", b.p);
		for (int cut = 0; cut < 3; cut++) {	/* what is no JSON, too */
			struct str part = {b.p, chance((unsigned)b.n + 1)};

			cr_assert(str_eq(back(part), part), "%.*s", (int)part.n, part.p);
		}
	}
}

/* Through a tree, as the older formats do it. */
Test(aside, the_tree_in_between_means_the_same)
{
	for (int i = 0; i < 500; i++) {
		struct aside a;
		struct buf b, short_b, whole;
		struct jw w;
		json_t *tree, *one, *two;

		buf_init(&b, cx.arena, 64);
		buf_init(&short_b, cx.arena, 64);
		buf_init(&whole, cx.arena, 64);
		buf_ch(&b, '[');
		add_any(&b, 0);
		buf_ch(&b, ']');
		tree = json_parse(&cx, aside_take(&a, cx.arena, buf_view(&b)), NULL);
		cr_assert_not_null(tree);
		jw_init(&w, &short_b);
		jw_value(&w, tree);
		aside_put(&a, buf_view(&short_b), &whole);
		one = json_parse(&cx, buf_view(&b), NULL);
		two = json_parse(&cx, buf_view(&whole), NULL);
		cr_assert(json_equal(one, two), "%s\n%s", b.p, whole.p);
	}
}

Test(aside, long_texts_alone_are_taken)
{
	struct aside a;
	struct buf b;

	buf_init(&b, cx.arena, 64);
	for (int k = 0; k < 3; k++) {
		b.n = 0;
		BUF_LIT(&b, "{\"a\":\"");
		for (int i = 0; i < ASIDE_MIN - 3 + k; i++)
			buf_ch(&b, 'x');
		BUF_LIT(&b, "\"}");
		aside_take(&a, cx.arena, buf_view(&b));
		cr_expect_eq(a.n, k > 0);
		cr_expect_eq(a.bytes, k > 0 ? (size_t)(ASIDE_MIN - 1 + k) : 0);
	}
}

/* What was dropped from the tree stays away; what looks like a mark and is none is a text. */
Test(aside, only_its_own_marks_are_marks)
{
	struct aside a;
	struct buf b, out;
	struct str brief;
	char other[128];

	buf_init(&b, cx.arena, 64);
	buf_init(&out, cx.arena, 64);
	BUF_LIT(&b, "\"");
	for (int i = 0; i < ASIDE_MIN; i++)
		buf_ch(&b, 'x');
	BUF_LIT(&b, "\"");
	brief = aside_take(&a, cx.arena, buf_view(&b));
	cr_assert_eq(a.n, 1);
	cr_assert_eq(brief.n, 1 + ASIDE_MARK + ASIDE_NUMBER + 1);
	for (int k = 0; k < 4; k++) {
		static const char *const forms[] = {"[\"%s00000001\"]", "[\"%s0000000g\"]", "[\"%s000\"]", "[\" %s00000000\"]"};

		out.n = 0;
		snprintf(other, sizeof other, forms[k], a.mark);
		aside_put(&a, str_c(other), &out);
		cr_expect(str_eq(buf_view(&out), str_c(other)), "%s", other);
	}
	out.n = 0;
	aside_put(&a, a.n > 0 ? str_c(a.mark) : STR_NONE, &out);
	cr_expect(str_eq(buf_view(&out), str_c(a.mark)));
}
