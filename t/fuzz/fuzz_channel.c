/* Realtime: the query string of a handshake, channel names, and subscription queries. What was read is what the limits promise. */
#include "../../src/rt/rt_priv.h"
#include "fuzz.h"
#include "svc/services.h"

void
index_moved(struct seat s, uint32_t pos)
{
	(void)s, (void)pos;
}

static void
rewrite(struct ctx *cx, struct str name)
{
	struct str out[2];
	int n = channel_rewrite(cx->arena, name, STR("me"), out);

	FUZZ_CHECK((n > 0) == channel_allowed(name), "allowed and dropped", name);
	for (int i = 0; i < n; i++)
		FUZZ_CHECK(!str_starts(out[i], "account.") || str_is(out[i], "account.me") || str_starts(out[i], "account.me."),
		    "the channel of somebody else", out[i]);
}

static void
query(struct ctx *cx, struct str text)
{
	struct filter *f;
	struct buf b;
	struct jw w;

	if (filter_new(cx, &text, 1, &f) != NULL) {
		FUZZ_CHECK(f == NULL, "refused and kept", text);
		return;
	}
	(void)filter_match(f, json_parse(cx, STR("{\"a\":1,\"b\":\"x\",\"c\":null,\"d\":[1]}"), NULL));
	buf_init(&b, cx->arena, 64);
	jw_init(&w, &b);
	jw_arr(&w);
	filter_write(&w, f);
	jw_arr_end(&w);
	FUZZ_CHECK(json_parse(cx, buf_view(&b), NULL) != NULL, "its canonical form is no JSON", text);
	filter_free(&f);
}

static void
event(struct ctx *cx, struct str pattern)
{
	const char *ids[3] = {"d", "c", "x"}, *base[] = {"documents", "account"};
	struct strs list = {.n = 2, .set = true, .v = base};
	struct channel *v;

	(void)channels_of_event(cx->arena, STR("p"), pattern, ids, &list, &v);
	(void)pattern_twin(cx->arena, pattern);
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct ask q;

	services_init();	/* their channels */
	ask_parse(cx->arena, input, &q);
	for (int i = 0; i < q.n_channels; i++)
		rewrite(cx, q.channels[i]);
	for (int i = 0; i < q.n_queries; i++) {
		FUZZ_CHECK(q.queries[i].slot >= 0 && q.queries[i].slot < SLOTS_MAX, "slot", q.queries[i].name);
		query(cx, q.queries[i].query);
	}
	rewrite(cx, input);
	query(cx, input);
	event(cx, input);
}
