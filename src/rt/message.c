/* What clients say (spec realtime.md A5, B3). Every message is answered; a message that cannot be understood costs nothing but itself.
 *
 * A short one is handled where it comes in. A long one would hold up the loop: it is read on a thread and applied on a fiber, in pieces, between which
 * others are served. What it changes is changed at once, though: an event finds all of its subscriptions, or none. */
#include "rt_priv.h"

#include <stdlib.h>

#include "core/fiber.h"
#include "core/id.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"

enum { SESSION_MAX = 2048, QUICK_MAX = 4096, ASIDE_MIN = 16 * 1024 };

bool
message_counted(struct peer *c)
{
	uint32_t window = (uint32_t)(time_now_ms() / 60000);

	if (!conf.rate_limits)
		return true;
	if (c->window != window) {
		c->window = window;
		c->messages = 0;
	}
	if (c->messages >= conf.rt_message_rate || (c->patron != NULL && !patron_may_work(c->patron))) {
		metric_add(M_rate_limited, 1);
		peer_error(c, 1013, c->by_url ? "Too many messages" : "Too many messages.");
		return false;
	}
	c->messages++;
	return true;
}

/* Between the pieces of a long message: others are served. False: nobody waits for the rest. */
static bool
goes_on(struct ctx *cx, const struct peer *c)
{
	return cx->fib == NULL || (fib_yield(cx) == OK && c->ws != NULL && c->state != RT_REFUSED);
}

static void
invalid(struct peer *c, const char *message)
{
	peer_error(c, 1003, message);
}

/* {"type":"response","data":{"to":…,"success":true, – the caller goes on and ends both objects. */
static void
begin_response(struct jw *w, struct buf *b, struct ctx *cx, const char *to)
{
	buf_init(b, cx->arena, 512);
	jw_init(w, b);
	jw_obj(w);
	JW_KEY(w, "type");
	jw_cstr(w, "response");
	JW_KEY(w, "data");
	jw_obj(w);
	JW_KEY(w, "to");
	jw_cstr(w, to);
	JW_KEY(w, "success");
	jw_bool(w, true);
}

static void
end_response(struct jw *w, struct peer *c)
{
	jw_obj_end(w);
	jw_obj_end(w);
	if (c->ws != NULL)
		ws_send_text(c->ws, buf_view(w->b));
}

/* ---- ping ---- */

static void
on_ping(struct ctx *cx, struct peer *c, const json_t *data)
{
	(void)cx;
	(void)data;
	ws_send_text(c->ws, STR("{\"type\":\"pong\"}"));
}

/* ---- authentication ---- */

static void
authenticated(struct ctx *cx, struct peer *c, const char *home, const struct login *l)
{
	struct buf b;
	struct jw w;

	c->epoch = -1;
	peer_identify(c, home, l, l->session->id, l->session->expire);
	if (c->state == RT_REFUSED)
		return;
	begin_response(&w, &b, cx, "authentication");
	JW_KEY(&w, "user");
	if (peer_half(c, l))
		jw_null(&w);
	else
		shape_write(&w, &account_shape, l->user);
	end_response(&w, c);
}

static err_t
authenticate(struct ctx *cx, struct peer *c, struct str token)
{
	struct str home_id = c->admin ? STR("console") : atom_text(c->project);
	struct project *home, *p;
	struct patron *room;
	struct login *l;

	TRY(project_get(cx, home_id, &home));
	TRY(project_get(cx, atom_text(c->project), &p));
	TRY(who_by_token(cx, home, token, &l));
	if (c->ws == NULL)
		return OK;
	if (l == NULL || (c->admin && !who_owns(cx, p, l))) {
		invalid(c, "Session is not valid.");
		return OK;
	}
	if ((room = patron_of_user(str_c(home->id), str_c(l->user->id), c->user != 0 && str_is(peer_uid(c), l->user->id))) == NULL) {
		peer_error(c, 1013, "Too many connections");
		return OK;
	}
	authenticated(cx, c, home->id, l);
	patron_leave(&room);	/* the connection counts for itself now */
	return OK;
}

static void
on_authentication(struct ctx *cx, struct peer *c, const json_t *data)
{
	const json_t *session = json_object_get(data, "session");
	struct str token = json_str(session);
	err_t e;

	if (c->real != 0)
		invalid(c, "A connection in another user's name stays so.");
	else if (session == NULL)
		invalid(c, c->by_url ? "Payload is not valid." : "Payload is not valid. Session is required");
	else if (token.n == 0 || token.n > SESSION_MAX)
		invalid(c, "Session is not valid.");
	else if ((e = authenticate(cx, c, token)) != OK && c->ws != NULL) {
		if (log_may_client(cx->client))
			log_warn(cx, "authentication failed", "error=%s", err_info(e)->name);
		peer_error(c, err_info(e)->status, "Error: Server Error");
	}
}

/* ---- subscribe ---- */

struct wanted {			/* one subscription of a message */
	struct str id;
	struct str *channels;
	int n;
	struct filter *filter;
	bool last;		/* no other of the message has its id */
};

static const char *
read_channels(struct ctx *cx, const json_t *list, struct wanted *w)
{
	if (list == NULL)
		return "channels is not present in payload.";
	if (!json_is_array(list))
		return "channels is not a valid array.";
	w->channels = arena_array(cx->arena, struct str, json_array_size(list) + 1);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct str name = json_str(json_array_get(list, i));

		if (name.p == NULL)
			return "channels must contain only strings.";
		if (channel_allowed(name))
			w->channels[w->n++] = name;
	}
	return NULL;
}

static const char *
read_queries(struct ctx *cx, const json_t *list, struct wanted *w)
{
	size_t n = json_array_size(list);
	struct str *text = arena_array(cx->arena, struct str, n + 1);
	const char *why;

	if (list == NULL || json_is_null(list))
		return NULL;
	if (!json_is_array(list))
		return "queries is not a valid array.";
	for (size_t i = 0; i < n; i++) {
		text[i] = json_str(json_array_get(list, i));
		if (text[i].p == NULL)
			return "queries is not a valid array.";
	}
	why = filter_new(cx, text, (int)n, &w->filter);
	return why ? arena_printf(cx->arena, "Invalid query: %s", why) : NULL;
}

static const char *
read_wanted(struct ctx *cx, const json_t *j, struct wanted *w)
{
	const json_t *id = json_object_get(j, "subscriptionId");
	const char *why;

	if (!json_is_object(j))
		return "Each subscribe payload must be an object.";
	if (id == NULL || json_is_null(id) || str_is(json_str(id), "unique()"))
		w->id = str_c(id_unique(cx->arena));
	else if (!id_valid(w->id = json_str(id)))
		return "subscriptionId is not a valid id.";
	why = read_channels(cx, json_object_get(j, "channels"), w);
	return why ? why : read_queries(cx, json_object_get(j, "queries"), w);
}

/* What a connection would come to. */
struct sum {
	uint64_t subs, channels, tails, steps;
	size_t bytes;
};

static void
add_wanted(struct sum *t, const struct wanted *w)
{
	t->subs++;
	t->channels += (uint64_t)w->n;
	t->steps += 1 + (uint64_t)w->n + filter_steps(w->filter);
	t->bytes += filter_size(w->filter) + sizeof(struct sub);
	for (int i = 0; i < w->n; i++)
		t->tails += tail_channel(w->channels[i]);
	for (int i = 0; i < w->n; i++)
		t->bytes += w->channels[i].n + sizeof(struct listen) + 2 * sizeof(atom_t);
}

/* Those that the message does not replace stay. */
static void
add_kept(struct sum *t, const struct peer *c, const struct wanted *v, int n)
{
	for (uint32_t i = 0; i < c->n_subs; i++) {
		struct str id = atom_text(c->subs[i].id);
		bool replaced = false;

		for (int k = 0; k < n && !replaced; k++)
			replaced = str_eq(id, v[k].id);
		if (replaced)
			continue;
		t->subs++;
		t->channels += c->subs[i].n_asked;
		t->tails += tail_count(&c->subs[i]);
		t->steps += 1 + c->subs[i].n_chans + filter_steps(c->subs[i].filter);
	}
}

/* What the whole batch would come to. */
static const char *
message_check_limits(const struct peer *c, const struct wanted *v, int n)
{
	struct sum t = {0};

	add_kept(&t, c, v, n);
	for (int i = 0; i < n; i++)
		if (v[i].last)
			add_wanted(&t, &v[i]);
	if (t.subs > (uint64_t)conf.rt_subscriptions_max)
		return "There are too many subscriptions.";
	if (t.channels > (uint64_t)conf.rt_channels_max || t.tails > TAILS_MAX)
		return "There are too many channels.";
	return t.steps > (uint64_t)conf.rt_steps_max || !peer_room(c, t.bytes) ? "There are too many queries." : NULL;
}

static void
write_wanted(struct ctx *cx, struct jw *w, const struct peer *c, const struct wanted *v)
{
	jw_obj(w);
	JW_KEY(w, "subscriptionId");
	jw_str(w, v->id);
	JW_KEY(w, "channels");
	channels_write(w, cx->arena, v->channels, v->n, peer_uid(c));
	JW_KEY(w, "queries");
	jw_arr(w);
	filter_write(w, v->filter);
	jw_arr_end(w);
	jw_obj_end(w);
}

static void
subscribe_all(struct ctx *cx, struct peer *c, struct wanted *v, int n)
{
	struct buf b;
	struct jw w;

	for (int i = 0; i < n && goes_on(cx, c); i++)
		if (v[i].last)
			peer_subscribe(c, v[i].id, v[i].channels, v[i].n, v[i].filter ? filter_ref(v[i].filter) : NULL, true);
	if (!tail_open(cx, c))
		return;
	begin_response(&w, &b, cx, "subscribe");
	JW_KEY(&w, "subscriptions");
	jw_arr(&w);
	for (int i = 0; i < n; i++)
		write_wanted(cx, &w, c, &v[i]);
	jw_arr_end(&w);
	end_response(&w, c);
}

/* Of several with one id the last counts. */
static void
mark_last(struct wanted *v, int n)
{
	for (int i = 0; i < n; i++) {
		v[i].last = true;
		for (int k = i + 1; k < n && v[i].last; k++)
			v[i].last = !str_eq(v[i].id, v[k].id);
	}
}

/* *n_out: how many have been read, also when the last of them is wrong. */
static const char *
read_batch(struct ctx *cx, const struct peer *c, const json_t *data, struct wanted *v, size_t n, int *n_out)
{
	const char *why = NULL;

	if (!json_is_array(data))
		return "Payload is not valid.";
	if (n > (size_t)conf.rt_subscriptions_max)
		return "There are too many subscriptions.";
	for (; *n_out < (int)n && why == NULL && goes_on(cx, c); ++*n_out)
		why = read_wanted(cx, json_array_get(data, (size_t)*n_out), &v[*n_out]);
	if (why != NULL || *n_out < (int)n)
		return why ? why : "It takes too long.";
	mark_last(v, (int)n);
	return message_check_limits(c, v, (int)n);
}

static void
on_subscribe(struct ctx *cx, struct peer *c, const json_t *data)
{
	size_t size = json_array_size(data);
	struct wanted *v = arena_array(cx->arena, struct wanted, size + 1);
	const char *why;
	int n = 0;

	if (data == NULL || json_is_null(data)) {
		invalid(c, "Payload is not valid. Items is required");
		return;
	}
	why = read_batch(cx, c, data, v, size, &n);
	if (why != NULL)
		invalid(c, arena_printf(cx->arena, "%s%s", str_starts(str_c(why), "Invalid query") ? "" : "items: ", why));
	else
		subscribe_all(cx, c, v, n);
	for (int i = 0; i < n; i++)
		filter_free(&v[i].filter);
}

/* The first subscription of a connection that resumes: it is brought up from its old place. */
static void
on_subscribe_resuming(struct ctx *cx, struct peer *c, const json_t *data)
{
	if (c->state == RT_LIVE)
		peer_move(c, RT_CATCHING);
	on_subscribe(cx, c, data);
	if (c->n_subs == 0) {
		c->at = fanout_pos(c);
		return;
	}
	c->horizon = fanout_pos(c);
	c->returns = true;
	c->at = c->since;
	c->resumes = false;
}

/* ---- unsubscribe ---- */

static void
on_unsubscribe(struct ctx *cx, struct peer *c, const json_t *data)
{
	struct buf b;
	struct jw w;

	if (data == NULL || json_is_null(data)) {
		invalid(c, "Payload is not valid. Items is required");
		return;
	}
	if (!json_is_array(data)) {
		invalid(c, "items: Payload is not valid.");
		return;
	}
	for (size_t i = 0; i < json_array_size(data); i++)
		if (json_str(json_object_get(json_array_get(data, i), "subscriptionId")).n == 0) {
			invalid(c, "items: Each unsubscribe payload must include a non-empty subscriptionId.");
			return;
		}
	begin_response(&w, &b, cx, "unsubscribe");
	JW_KEY(&w, "subscriptions");
	jw_arr(&w);
	for (size_t i = 0; i < json_array_size(data) && goes_on(cx, c); i++) {
		struct str id = json_str(json_object_get(json_array_get(data, i), "subscriptionId"));

		jw_obj(&w);
		JW_KEY(&w, "subscriptionId");
		jw_str(&w, id);
		JW_KEY(&w, "removed");
		jw_bool(&w, peer_unsubscribe(c, id));
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	end_response(&w, c);
}

/* ---- what rooms answer ---- */

static void
on_word(struct ctx *cx, struct peer *c, const struct socket_word *word, json_t *data)
{
	struct buf b;
	struct jw w;

	begin_response(&w, &b, cx, word->type);
	if (said_handle(cx, c, word, data, &w))
		end_response(&w, c);
}

/* ---- the table ---- */

static const struct kind {
	const char *type;
	void (*fn)(struct ctx *cx, struct peer *c, const json_t *data);
	bool slow;		/* needs a fiber */
} kinds[] = {
	{"ping", on_ping, false},
	{"authentication", on_authentication, true},
	{"subscribe", on_subscribe, false},
	{"unsubscribe", on_unsubscribe, false},
};
static const struct kind of_room = {NULL, NULL, true};

/* The row of the message, or NULL after the client was told why there is none. */
static const struct kind *
message_kind_of(struct peer *c, const json_t *j)
{
	struct str type = json_str(json_object_get(j, "type"));

	if (!json_is_object(j) || (json_object_get(j, "type") == NULL && json_object_get(j, "data") == NULL)) {
		invalid(c, "Message format is not valid.");
		return NULL;
	}
	for (size_t i = 0; type.n > 0 && i < sizeof kinds / sizeof *kinds; i++)
		if (str_is(type, kinds[i].type))
			return &kinds[i];
	if (said_word(type) != NULL)
		return &of_room;
	invalid(c, "Message type is not valid.");
	return NULL;
}

/* What a message takes: reading it, and what it changes in the index. */
static void
message_count_work(struct peer *c, struct str text, uint64_t changes)
{
	if (c->patron != NULL)
		patron_worked(c->patron, 1 + text.n / 16 + (c->changes - changes) / 4);
}

static bool
handle(struct ctx *cx, struct peer *c, struct str text, const json_t *j)
{
	uint64_t changes = c->changes;
	const struct kind *k = message_kind_of(c, j);
	bool resuming = k != NULL && k->fn == on_subscribe && c->resumes;
	bool asks = k != NULL && k->fn == on_subscribe && str_is(atom_text(c->project), "console");	/* it may be a tail: whose project is it? */

	if (k != NULL && (k->slow || resuming || asks) && cx->fib == NULL)
		return false;
	if (k == &of_room)
		on_word(cx, c, said_word(json_str(json_object_get(j, "type"))), json_object_get(j, "data"));
	else if (k != NULL)
		(resuming ? on_subscribe_resuming : k->fn)(cx, c, json_object_get(j, "data"));
	message_count_work(c, text, changes);
	return true;
}

static json_t *
message_parse(struct ctx *cx, struct str text)
{
	return str_utf8(text, NULL) ? json_parse_outside(cx, text, NULL) : NULL;
}

bool
message_quick(struct peer *c, struct str text)
{
	struct ctx cx;
	bool done;

	if (text.n > QUICK_MAX)
		return false;
	ctx_init(&cx);
	done = handle(&cx, c, text, message_parse(&cx, text));
	ctx_fini(&cx);
	return done;
}

void
message_slow(struct ctx *cx, struct peer *c, struct str text)
{
	json_t *j = NULL;
	err_t e = OK;

	if (!goes_on(cx, c))
		return;
	if (text.n >= ASIDE_MIN)
		e = json_parse_aside(cx, text, &j);
	else
		j = message_parse(cx, text);
	if (c->ws == NULL || c->state == RT_REFUSED)
		return;
	if (e == OK)
		(void)handle(cx, c, text, j);
	else
		peer_error(c, 1013, "Try again later");
}
