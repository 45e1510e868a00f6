/* JSON: what parses is written so that it parses to the same. */
#include "core/json.h"
#include "fuzz.h"

static void
write_all(struct ctx *cx, const json_t *j, bool ascii, struct str *out)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 64);
	jw_init(&w, &b);
	w.ascii = ascii;
	jw_value(&w, j);
	*out = buf_view(&b);
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	const char *why = NULL;
	json_t *j = json_parse(cx, input, &why), *again;
	struct str text, text_again;

	if (j == NULL) {
		FUZZ_CHECK(why != NULL, "no reason", input);
		return;
	}
	for (int ascii = 0; ascii < 2; ascii++) {
		write_all(cx, j, ascii, &text);
		FUZZ_CHECK(str_utf8(text, NULL), "no UTF-8", text);
		FUZZ_CHECK((again = json_parse(cx, text, &why)) != NULL, why, text);
		write_all(cx, again, ascii, &text_again);
		FUZZ_CHECK(str_eq(text, text_again), "written twice it differs", text_again);
	}
}
