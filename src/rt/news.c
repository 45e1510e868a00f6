/* One event of the stream: its header taken apart, its receivers' atoms, and its frame in the two dialects, made when first needed.
 *
 * The dialects differ in the names they show (1.0 names only, or the later ones too) and in the form of the time; see spec B9. */
#include "config.h"

#include "rt_priv.h"

#include "core/conf.h"
#include "core/gen.h"
#include "core/json.h"
#include "core/log.h"
#include "core/protocol.h"
#include "core/vtime.h"

/* ---- what clients resume from ---- */

/* Of the stream, not of the shard: positions order the events of all shards. */
static uint32_t
stream_tag(void)
{
	char text[16 + BUS_NAME_MAX];
	uint64_t h;

	snprintf(text, sizeof text, "events:0:%s", bus_stream_name());
	h = str_hash_stable(str_c(text));
	return (uint32_t)(h ^ (h >> 32));
}

char *
mark_text(struct stream_pos p, char out[MARK_MAX])
{
	char pos[42];

	if (*bus_stream_name() == '\0')
		return strcpy(out, "");
	snprintf(out, MARK_MAX, "%08x-%s", stream_tag(), stream_pos_text(p, pos));
	return out;
}

static bool
is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

int
mark_parse(struct str s, struct stream_pos *out)
{
	char tag[9];
	struct str head;

	if (s.n >= MARK_MAX)
		return -1;
	head = str_cut(&s, '-');
	if (head.n != 8 || !is_hex(head) || s.p == NULL || !stream_pos_parse(s, out))
		return -1;
	snprintf(tag, sizeof tag, "%08x", stream_tag());
	return str_is(head, tag);
}

/* ---- the header ---- */

static uint64_t numbers;	/* of events, as they are taken apart */

static struct strs
news_list_of(struct news *n, const json_t *j)
{
	struct strs out = {.set = true, .v = arena_array(n->cx.arena, const char *, json_array_size(j) + 1)};

	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *s = json_string_value(json_array_get(j, i));

		if (s != NULL)
			out.v[out.n++] = s;
	}
	return out;
}

void
news_bump(const struct news *n)
{
	for (size_t i = 0; i < json_array_size(n->stale); i++) {
		const char *s = json_string_value(json_array_get(n->stale, i));

		if (s != NULL)
			gen_bump_hash(strtoull(s, NULL, 10));
	}
}

bool
news_init(struct news *n, struct stream_pos pos, struct str header, struct str body)
{
	const json_t *j, *ids;

	*n = (struct news){.number = ++numbers, .pos = pos, .body = body};
	ctx_init(&n->cx);
	facts_init(&n->facts, &n->cx, body, NULL);
	j = json_parse(&n->cx, header, NULL);
	n->project = json_str(json_object_get(j, "p"));
	n->pattern = json_str(json_object_get(j, "e"));
	ids = json_object_get(j, "v");
	for (size_t i = 0; i < json_array_size(ids) && i < 3; i++)
		n->ids[i] = json_string_value(json_array_get(ids, i));
	if (n->project.n == 0 || !event_pattern_good(n->pattern, n->ids)) {
		char text[42];

		log_error(NULL, "malformed event", "id=%s", stream_pos_text(pos, text));
		return false;
	}
	n->user = json_str(json_object_get(j, "u"));
	n->base = news_list_of(n, json_object_get(j, "c"));
	n->roles = news_list_of(n, json_object_get(j, "r"));
	n->time = (int64_t)json_number_value(json_object_get(j, "t"));
	n->flags = (unsigned)json_integer_value(json_object_get(j, "f"));
	n->stale = json_object_get(j, "k");
	n->actor = json_object_get(j, "a");
	n->hide = news_list_of(n, json_object_get(j, "b"));
	n->number_at = (size_t)json_integer_value(json_object_get(j, "q"));
	return true;
}

void
news_local(struct news *n, const char *project, const char *name, const char *channel, const char *role, struct str payload)
{
	const char **v;

	*n = (struct news){.number = ++numbers, .local = true, .project = str_c(project), .pattern = str_c(name), .body = payload, .time = time_now_ms()};
	ctx_init(&n->cx);
	facts_init(&n->facts, &n->cx, payload, NULL);
	v = arena_array(n->cx.arena, const char *, 3);
	v[0] = name;
	v[1] = channel;
	v[2] = role;
	n->names = (struct strs){.n = 1, .set = true, .v = v};
	n->base = (struct strs){.n = 1, .set = true, .v = v + 1};
	n->roles = (struct strs){.n = 1, .set = true, .v = v + 2};
}

void
news_fini(struct news *n)
{
	for (int d = 0; d < DIALECT_N; d++) {
		if (n->whole[d] != NULL)
			frame_unref(n->whole[d]);
		if (n->head[d] != NULL)
			frame_unref(n->head[d]);
	}
	for (int i = 0; i < n->n_chans; i++)
		atom_unref(n->chans[i]);
	for (int i = 0; i < n->n_roles; i++)
		atom_unref(n->role_atoms[i]);
	atom_unref(n->space);
	facts_fini(&n->facts);
	if (n->tail != NULL)
		facts_fini(n->tail);
	ctx_fini(&n->cx);
}

/* ---- receivers ---- */

/* Where clients hear of it. What concerns only those who run a project is told on the console; calls on the console itself are told
 * nowhere. */
static struct str
published_on(const struct news *n)
{
	bool for_console = n->base.n == 1 && strcmp(n->base.v[0], "console") == 0;

	if (n->base.n == 0 || n->roles.n == 0)
		return STR_NONE;
	if (n->local || !str_is(n->project, "console"))
		return for_console ? STR("console") : n->project;
	return for_console ? n->project : STR_NONE;
}

bool
news_resolve(struct news *n)
{
	struct arena *a = n->cx.arena;
	struct str where = published_on(n);

	if (where.n == 0 || (n->space = atom_find(0, where)) == 0)
		return false;
	n->own = !n->local && where.p == n->project.p;
	(void)atom_ref(n->space);	/* it takes turns of the loop to deliver: no number may become another name's meanwhile */
	n->n_channels = channels_of_event(a, n->project, n->pattern, n->ids, &n->base, &n->channels);
	n->chans = arena_array(a, atom_t, n->n_channels + 1);
	for (int later = 0; later < 2; later++) {
		for (int i = 0; i < n->n_channels; i++) {
			atom_t got = n->channels[i].later == (later == 1) ? atom_find(n->space, n->channels[i].name) : 0;

			if (got != 0)
				n->chans[n->n_chans++] = atom_ref(got);
		}
		if (later == 0)
			n->n_old = n->n_chans;
	}
	for (int i = 0; i < n->n_chans; i++)
		n->sieve[n->chans[i] / 64 % NEWS_SIEVE] |= UINT64_C(1) << n->chans[i] % 64;
	n->role_atoms = arena_array(a, atom_t, n->roles.n + 1);
	for (int i = 0; i < n->roles.n; i++) {
		atom_t got = atom_find(n->space, str_c(n->roles.v[i]));

		if (got != 0)
			n->role_atoms[n->n_roles++] = atom_ref(got);
	}
	return n->n_chans > 0 && n->n_roles > 0;
}

/* Events of the user as a whole name one id; they have no targets (those are of a format that realtime does not speak). */
bool
news_personal(const struct news *n)
{
	return str_starts(n->pattern, "users.") && n->ids[1] != NULL;
}

int
news_channel(const struct news *n, atom_t chan)
{
	if ((n->sieve[chan / 64 % NEWS_SIEVE] >> chan % 64 & 1) == 0)
		return -1;
	for (int i = n->n_chans - 1; i >= 0; i--)
		if (n->chans[i] == chan)
			return i;
	return -1;
}

/* ---- the payload ---- */

static const struct event_secret *
secret_of(struct str pattern)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct event_secret *s = v[i]->secrets; s != NULL && s->prefix != NULL; s++)
			if (str_starts(pattern, s->prefix))
				return s->drop[0] || s->blank[0] ? s : NULL;
	return NULL;
}

static bool
starts_with_any(const char *const *list, const char *key)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, key) == 0)
			return true;
	return false;
}

static bool
news_hides(const struct news *n, const char *key)
{
	for (int i = 0; i < n->hide.n; i++)
		if (strcmp(n->hide.v[i], key) == 0)
			return true;
	return false;
}

static void
write_clean(struct jw *w, const struct news *n, const json_t *tree, const struct event_secret *s)
{
	const char *key;
	void *it;

	jw_obj(w);
	for (it = json_object_iter((json_t *)(uintptr_t)tree); it != NULL; it = json_object_iter_next((json_t *)(uintptr_t)tree, it)) {
		key = json_object_iter_key(it);
		if (s != NULL && starts_with_any(s->drop, key))
			continue;
		jw_key(w, str_c(key));
		if (news_hides(n, key) && json_is_boolean(json_object_iter_value(it)))
			jw_bool(w, false);
		else if (news_hides(n, key) || (s != NULL && starts_with_any(s->blank, key)))
			jw_cstr(w, "");
		else
			jw_value(w, json_object_iter_value(it));
	}
	jw_obj_end(w);
}

/* Without what clients are not told, be it in a frame or by what their queries find. Only payloads with such members, none of which is large, are made
 * anew, when somebody here may hear of them. */
static void
news_clean(struct news *n)
{
	const struct event_secret *s = secret_of(n->pattern);
	const json_t *tree;
	struct buf b;
	struct jw w;

	if (n->shut || n->body.n == 0)
		return;
	n->shut = true;
	if (s == NULL && n->hide.n == 0)
		return;
	tree = json_parse(&n->cx, n->body, NULL);
	buf_init(&b, n->cx.arena, n->body.n + 64);
	jw_init(&w, &b);
	if (s != NULL && s->needs != NULL && json_object_get(tree, s->needs) == NULL)
		s = NULL;
	if (tree == NULL)
		BUF_LIT(&b, "[]");	/* never what cannot be looked through */
	else if (json_is_object(tree) && (s != NULL || n->hide.n > 0))
		write_clean(&w, n, tree, s);
	else
		jw_value(&w, tree);
	n->body = buf_view(&b);
	facts_fini(&n->facts);
	facts_init(&n->facts, &n->cx, n->body, NULL);
}

static bool
contains(struct str s, const char *what)
{
	return s.n > 0 && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

bool
news_scanned(const struct news *n)
{
	return n->facts.done;
}

bool
news_scan(struct news *n, size_t bytes)
{
	news_clean(n);
	if (n->facts.at == 0 && !n->facts.done && contains(n->body, "{}")) {
		n->payload = (struct str){arena_memdup(n->cx.arena, n->body.p, n->body.n), n->body.n};
		n->patched = true;
		facts_init(&n->facts, &n->cx, n->body, (char *)(uintptr_t)n->payload.p);
	}
	return facts_scan(&n->facts, bytes);
}

/* As clients get it: empty objects are lists, as the protocol's clients have always seen them. */
static struct str
clean_payload(struct news *n)
{
	news_clean(n);
	if (n->body.n == 0)
		return STR("[]");
	if (contains(n->body, "{}"))
		while (!news_scan(n, n->body.n))	/* has been done in pieces by who sends much */
			;
	return n->patched ? n->payload : n->body;
}

/* ---- frames ---- */

static struct strs
names_of(struct news *n, enum dialect d)
{
	const char *pattern;

	if (n->names.set)
		return n->names;
	pattern = str_dup(n->cx.arena, n->pattern);
	return d == DIALECT_NEW ? event_names_told(&n->cx, pattern, n->ids, n->flags) : event_names(&n->cx, pattern, n->ids);
}

/* Who names its channels in the URL is told what 1.0 told, unless the settings say that whoever names no format speaks a later one. */
static bool
of_1_0(enum dialect d)
{
	return d == DIALECT_OLD && protocol_setting() < SINCE_1_8;
}

/* The payload without "$sequence". */
static void
write_payload(struct news *n, enum dialect d, struct jw *w)
{
	static const char begin[] = "\"$sequence\":\"";
	struct str s = n->payload, rest;

	if (n->number_at == 0 || !of_1_0(d) || s.n < n->number_at + sizeof begin || memcmp(s.p + n->number_at, begin, sizeof begin - 1) != 0) {
		jw_raw(w, s);
		return;
	}
	rest = (struct str){s.p + n->number_at, s.n - n->number_at};
	(void)str_cut(&rest, ',');
	jw_raw(w, (struct str){s.p, n->number_at});
	buf_str(w->b, rest);
}

void
frame_begin_event(struct jw *w, struct buf *b)
{
	jw_init(w, b);
	jw_obj(w);
	JW_KEY(w, "type");
	jw_cstr(w, "event");
	JW_KEY(w, "data");
	jw_obj(w);
	JW_KEY(w, "events");
	jw_arr(w);
}

static void
write_head(struct news *n, enum dialect d, struct buf *b)
{
	struct strs names = names_of(n, d);
	char time[30];
	struct jw w;

	if (!n->cleaned) {
		n->payload = clean_payload(n);
		n->cleaned = true;
	}
	frame_begin_event(&w, b);
	for (int i = 0; i < names.n; i++)
		jw_cstr(&w, names.v[i]);
	jw_arr_end(&w);
	JW_KEY(&w, "channels");
	jw_arr(&w);
	for (int i = 0; i < n->n_channels; i++)
		if (d == DIALECT_NEW || !n->channels[i].later)
			jw_str(&w, n->channels[i].name);
	jw_arr_end(&w);
	JW_KEY(&w, "timestamp");
	jw_cstr(&w, d == DIALECT_NEW ? time_iso(n->time, time) : time_sql(n->time, time));
	JW_KEY(&w, "payload");
	write_payload(n, d, &w);
	BUF_LIT(b, ",\"subscriptions\":[");
}

static struct str
end_of(struct news *n)
{
	char mark[MARK_MAX];

	if (n->local || *mark_text(n->pos, mark) == '\0')
		return STR("]}}");
	return str_c(arena_printf(n->cx.arena, "]},\"id\":\"%s\"}", mark));
}

struct frame *
news_head(struct news *n, enum dialect d, struct str *end_out)
{
	struct buf b;

	if (n->head[d] == NULL) {
		buf_init(&b, n->cx.arena, n->body.n + 4096);
		write_head(n, d, &b);
		n->head[d] = frame_new(buf_view(&b));
	}
	*end_out = end_of(n);
	return n->head[d];
}

struct frame *
news_whole(struct news *n, enum dialect d)
{
	struct buf b;

	if (n->whole[d] == NULL) {
		buf_init(&b, n->cx.arena, n->body.n + 4096);
		write_head(n, d, &b);
		buf_printf(&b, "\"%s\"", URL_SUBSCRIPTION);
		buf_str(&b, end_of(n));
		n->whole[d] = frame_new(buf_view(&b));
	}
	return n->whole[d];
}
