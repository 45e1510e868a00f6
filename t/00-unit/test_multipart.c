/* multipart/form-data: what is read, whatever the pieces. */
#include <criterion/criterion.h>

#include "multipart_world.h"

#define CD "Content-Disposition: form-data; "

static const struct {
	const char *body, *want;
} cases[] = {
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n1\r\n--XX--\r\n", "[a||:1]."},
	{"preamble\r\n--XX\r\n" CD "name=a\r\n\r\n1\r\n--XX\r\n" CD "name=\"b\"; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\n2\r\n--XX--epilogue", "[a||:1][b|f|text/plain:2]."},
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n\r\n--XX--", "[a||:]."},
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n--XX--", "[a||:]."},	/* a head alone */
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n\r\n\r\n\r\n--XX--", "[a||:\r\n\r\n]."},
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n\r\n--X\r\n--X\r\r\n--XX--", "[a||:\r\n--X\r\n--X\r]."},
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n--X\r\n--XX--", "[a||:--X]."},
	{"--XX\r\n\r\ndata\r\n--XX--", "[||:data]."},
	{"--XX--", "."},
	{"--XX\r\n" CD "name=\"a\\\"b\\\\\"; filename=\"\"\r\n\r\n1\r\n--XX--", "[a\"b\\||:1]."},
	{"--XX\r\n" CD "filename=\"x.txt\"; name=\"a\"; filename*=UTF-8''%e2%82%ac%20x\r\n\r\n1\r\n--XX--", "[a|\xe2\x82\xac x|:1]."},
	{"--XX\r\n" CD "name=\"a\"; filename=\"ok\"; filename*=UTF-8''%ff\r\n\r\n1\r\n--XX--", "[a|ok|:1]."},
	{"--XX\r\n" CD "name=\"a\"; filename=\"\xc3\xbc;=.txt\"\r\n\r\n1\r\n--XX--", "[a|\xc3\xbc;=.txt|:1]."},
	{"--XX\r\n" CD "name=\"\xff\"\r\n\r\n1\r\n--XX--", "[?:1]."},
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n1\r\n--XX", "[a||:1]!"},
	{"--XX\r\n" CD "name=\"a\"\r\n\r\n1", "[a||:1!"},
	{"--XX\r\n" CD "name=\"a\"\r\n--XX--\r\n\r\n", "!"},	/* a delimiter in a head */
	{"--XXY\r\n" CD "name=\"a\"\r\n\r\n1\r\n--XX--", "!"},
	{"--XX-\r\n", "!"},
	{"--XX\n" CD "name=\"a\"\n\n1\n--XX--", "!"},
	{"nothing", "!"},
	{"", "!"},
};

Test(multipart, whatever_the_pieces)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str body = str_c(cases[i].body), got;

		for (size_t first = 0; first <= body.n; first++)
			for (size_t then = 0; then < 8; then++) {
				struct arena *a = arena_new();
				size_t sizes[] = {first, then, 1, 3, 0};

				got = multipart_parse(a, body, STR("XX"), first == 0 ? (size_t[]){1} : sizes, first == 0 ? 1 : 5);
				cr_assert(str_is(got, cases[i].want) || (got.n > 0 && got.p[got.n - 1] == '!' && str_ends(str_c(cases[i].want), "!") && got.n <= strlen(cases[i].want)),
				    "case %zu cut at %zu: %.*s", i, first, STR_FMT(got));
				arena_free(&a);
			}
	}
}

Test(multipart, bounds)
{
	struct arena *a = arena_new();
	struct buf b;

	buf_init(&b, a, 0);
	buf_c(&b, "--XX\r\nX: ");
	for (int i = 0; i < MP_HEAD_MAX; i++)
		buf_ch(&b, 'x');
	buf_c(&b, "\r\n\r\n1\r\n--XX--");
	cr_expect(str_is(multipart_parse(a, buf_view(&b), STR("XX"), (size_t[]){0}, 1), "!"));
	cr_expect(str_is(multipart_parse(a, STR("--"), STR(""), (size_t[]){0}, 1), "no boundary"));
	cr_expect(str_is(multipart_parse(a, STR("--"), STR("a\r\n"), (size_t[]){0}, 1), "no boundary"));
	cr_expect(str_is(mp_boundary(STR("multipart/form-data; charset=x; Boundary=\"a b\"")), "a b"));
	cr_expect(mp_boundary(STR("multipart/form-data")).p == NULL);
	arena_free(&a);
}
