/* What slots make of words: bounded, and read once. */
#include <criterion/criterion.h>

#include "core/arena.h"
#include "svc/messages/mail_template.h"
#include "svc/messages/mail_words.h"

static struct ctx cx;

static void
open_ctx(void)
{
	ctx_init(&cx);
}

static void
close_ctx(void)
{
	ctx_fini(&cx);
}

TestSuite(mail_words, .init = open_ctx, .fini = close_ctx);

static struct str
times(const char *text, size_t n)
{
	struct buf b;

	buf_init(&b, cx.arena, n * strlen(text) + 1);
	for (size_t i = 0; i < n; i++)
		buf_c(&b, text);
	return buf_view(&b);
}

Test(mail_words, slots)
{
	const struct slot v[] = {{"a", STR("<1>")}, {"agentDevice", STR("{{a}}")}};
	static const struct { const char *text, *filled; } rows[] = {
		{"", ""}, {"{{a}}", "&lt;1&gt;"}, {"{{agentDevice}} {{b}}", "{{a}} {{b}}"}, {"{{", "{{"}, {"{{a}", "{{a}"}, {"{{{a}}", "{{{a}}"}, {"{{{{a}}", "{{&lt;1&gt;"}, {"x{{a}}y{{a}}}}", "x&lt;1&gt;y&lt;1&gt;}}"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str s = mail_words_fill(&cx, str_c(rows[i].text), MARKUP, v, 2);

		cr_assert(str_is(s, rows[i].filled), "%s: %.*s", rows[i].text, STR_FMT(s));
	}
}

Test(mail_words, values_are_bounded_and_words_are_not)
{
	struct slot v[] = {{"a", times("&", 1024)}, {"b", STR_NONE}};
	struct str most = mail_words_fill(&cx, times("{{a}}", 204), MARKUP, v, 2), plain;

	cr_assert_eq(most.n, 204 * 5 * 1024);
	cr_assert_null(mail_words_fill(&cx, times("{{a}}", 205), MARKUP, v, 2).p);
	cr_assert_null(mail_words_fill(&cx, times("{{a}}", 1025), PLAIN, v, 2).p);
	cr_assert_null(mail_words_fill(&cx, STR("x{{b}}"), PLAIN, v, 2).p);
	plain = mail_words_fill(&cx, times("0123456789abcdef", 256 * 1024), PLAIN, v, 2);
	cr_assert_eq(plain.n, 4 * 1024 * 1024);
}

/* What never closes is looked for once. Otherwise these take hours. */
Test(mail_words, of_openings_alone, .timeout = 120)
{
	const struct slot v[] = {{"a", STR("x")}};
	const struct letter l = {.kind = "recovery", .project = "", .to = "a@example.org", .name = "", .link = "", .code = "", .phrase = "", .locale = "en", .owner = "", .team = "",
		.device = "", .client = "", .os = "", .ip = "", .country = ""};
	struct str open = times("{{", 4 * 1024 * 1024), less = times("<", 10 * 1024 * 1024);
	struct worded w;

	cr_assert_eq(mail_words_fill(&cx, open, PLAIN, v, 1).n, open.n);
	cr_assert(mail_template_render(&cx, &(struct mail_template){.kind = "recovery", .locale = "en", .subject = "x", .message = less.p}, &l, &w));
	cr_assert_eq(w.text.n, less.n);
}
