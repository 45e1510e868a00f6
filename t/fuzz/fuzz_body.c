/* Bodies: the first byte says which kind; what comes out must be UTF-8 throughout, and bounded. */
#include "../../src/gate/gate_priv.h"
#include "fuzz.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	json_t *into = json_object();
	const char *why = NULL;
	json_free_t give_back;
	char *text;
	bool ok;

	if (input.n > 0 && input.p[0] == 'm')
		ok = body_multipart(cx, (struct str){input.p + 1, input.n - 1}, STR("XX"), into, &why);
	else
		ok = body_form(cx, input, into, &why);
	FUZZ_CHECK(ok == (why == NULL), "a refusal without reason", input);
	text = json_dumps(into, JSON_COMPACT);
	FUZZ_CHECK(text != NULL && str_utf8(str_c(text), NULL), "no UTF-8", input);
	json_get_alloc_funcs(NULL, &give_back);
	give_back(text);
	json_decref(into);
}
