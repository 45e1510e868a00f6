/* User agents by t/rules and the table: what is taken from a text is text. Without a newline the input is a user agent; the lines after
 * the first are a rule file, to be read and asked. */
#include "../../src/model/agent_priv.h"
#include "fuzz.h"
#include "io/tree.h"

static void
check(const char *s)
{
	FUZZ_CHECK(strlen(s) < FOUND_MAX && str_utf8(str_c(s), NULL), "what was found is no text", str_c(s));
}

/* Every node by every question. */
static void
walk(const struct tree *t, int node, int depth)
{
	const char *key;
	int below;

	for (size_t i = 0; depth < 4 && i < 50 && (below = tree_at(t, node, i, &key)) != 0; i++) {
		(void)tree_text(t, below, key ? key : "regex");
		walk(t, below, depth + 1);
	}
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	static struct rules *rules;
	struct str ua = str_cut(&input, '\n');
	char why[128] = "";
	struct found f;
	struct agent g;
	struct tree *t;

	if (rules == NULL && (rules = rules_load(RULES_DIR, why, sizeof why)) == NULL)
		abort();
	rules_find(rules, ua, &f);
	check(f.os_name), check(f.os_version), check(f.client_name), check(f.client_version), check(f.client_engine);
	check(f.device_name), check(f.device_brand), check(f.device_model);
	g = agent_read(cx->arena, ua, &f);
	FUZZ_CHECK(g.os_code && g.client_type && g.device_model && g.client_engine_version, "a field is missing", ua);
	if (input.p == NULL)
		return;
	t = tree_read(input, why, sizeof why);
	FUZZ_CHECK((t == NULL) == (why[0] != '\0'), "no reason, or one for nothing", input);
	if (t != NULL) {
		walk(t, TREE_ROOT, 0);
		tree_free(&t);
	}
}
