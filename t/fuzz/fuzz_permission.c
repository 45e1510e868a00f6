/* Permission lists, one text a line, and the array literals that carry them. */
#include "fuzz.h"
#include "svc/databases/document.h"

enum { LINES_MAX = 200 };

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct strs list = {.set = true, .v = arena_array(cx->arena, const char *, LINES_MAX)}, back;
	struct str rest = input, literal;
	struct perms p;
	struct buf b;

	while (rest.p != NULL && list.n < LINES_MAX)
		list.v[list.n++] = str_dup(cx->arena, str_cut(&rest, '\n'));
	perms_split(cx->arena, &list, &p);
	(void)perms_foreign(cx->arena, &list, &p.read);
	(void)roles_union(cx->arena, &p.read, &p.update);
	literal = str_c(pg_array(cx->arena, list.v, list.n));
	back = pg_array_parse(cx->arena, literal);
	FUZZ_CHECK(back.n == list.n, "another number of elements came back", literal);
	for (int i = 0; i < list.n; i++)
		FUZZ_CHECK(strcmp(back.v[i], list.v[i]) == 0, "another element came back", literal);
	buf_init(&b, cx->arena, 64);
	doc_write_array(&b, ATTR_STRING, literal);
	if (str_utf8(input, NULL))
		FUZZ_CHECK(json_parse(cx, buf_view(&b), NULL) != NULL, "no JSON", buf_view(&b));
	/* and as a literal that somebody else wrote */
	(void)pg_array_parse(cx->arena, input);
	b.n = 0;
	doc_write_array(&b, ATTR_STRING, input);
	doc_write_array(&b, ATTR_DATETIME, input);
	doc_write_array(&b, ATTR_FLOAT, input);
}
