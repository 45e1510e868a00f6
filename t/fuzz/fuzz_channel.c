/* Realtime: the query string of a handshake up to its subscriptions, channel names, subscription queries, and payloads. What was read is what the limits promise. */
#include "../../src/rt/rt_priv.h"
#include "core/metric.h"
#include "fuzz.h"
#include "svc/services.h"

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
	struct facts facts;
	struct filter *f;
	struct buf b;
	struct jw w;

	if (filter_new(cx, &text, 1, &f) != NULL) {
		FUZZ_CHECK(f == NULL, "refused and kept", text);
		return;
	}
	facts_init(&facts, cx, STR("{\"a\":1,\"b\":\"x\",\"c\":null,\"d\":[1],\"e\":2.5,\"f\":\"7\"}"), NULL);
	while (!facts_scan(&facts, 5))
		;
	(void)filter_match(f, &facts, 0);
	facts_fini(&facts);
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
	if (event_pattern_good(pattern, ids))
		(void)event_names_told(cx, str_dup(cx->arena, pattern), ids, EVENT_LATER);
}

/* Any text is taken for a payload: in pieces or at once it says the same, and what is patched is as long. */
static void
payload(struct ctx *cx, struct str text)
{
	char *one = arena_memdup(cx->arena, text.p, text.n), *two = arena_memdup(cx->arena, text.p, text.n);
	const struct fact *a, *b;
	struct facts x, y;

	facts_init(&x, cx, text, one);
	facts_init(&y, cx, text, two);
	while (!facts_scan(&x, 3))
		;
	FUZZ_CHECK(facts_scan(&y, text.n), "not done at the end", text);
	FUZZ_CHECK(memcmp(one, two, text.n) == 0, "the pieces matter", text);
	a = facts_get(&x, STR("a"));
	b = facts_get(&y, STR("a"));
	FUZZ_CHECK((a == NULL) == (b == NULL) && (a == NULL || a->kind == b->kind), "the pieces matter to a member", text);
	facts_fini(&x);
	facts_fini(&y);
}

/* The whole way of a URL: it is refused, or nothing that looks like a query was passed over. */
static void
url(struct ctx *cx, struct ask *q)
{
	struct peer *c = peer_new(NULL);
	int queries = q->n_queries, plain = 0;
	const char *why;

	place_take(c, &(struct project){.id = "p"}, STR_NONE, "");
	for (int i = 0; i < queries; i++)
		plain += q->queries[i].plain;
	why = url_subscribe(cx, c, q);
	FUZZ_CHECK(why != NULL || queries - plain == 0 || c->n_subs > 0 || q->n_asked > q->n_channels, "queries of nothing", STR("url"));
	FUZZ_CHECK(why != NULL || peer_steps(c) <= (uint64_t)conf.rt_steps_max + 2, "too much was taken", STR("url"));
	c->state = RT_CLOSED;
	peer_free(c);
	FUZZ_CHECK(atom_count() == 0 && filter_count() == 0, "something is left", STR("url"));
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	static bool ready;
	struct ask q;

	if (!ready) {
		(void)conf_load(NULL, 0, NULL, false);
		metric_init(1);
		metric_slot(0);
		services_init();	/* their channels */
		ready = true;
	}
	ask_parse(cx->arena, input, &q);
	for (int i = 0; i < q.n_channels; i++)
		rewrite(cx, q.channels[i]);
	for (int i = 0; i < q.n_queries; i++) {
		FUZZ_CHECK(q.queries[i].slot >= 0 && q.queries[i].slot < SLOTS_MAX, "slot", q.queries[i].name);
		query(cx, q.queries[i].query);
	}
	url(cx, &q);
	rewrite(cx, input);
	query(cx, input);
	event(cx, input);
	payload(cx, input);
}
