/* Events: the table, the names an event expands to, and the door to the stream: a WAL message in the write's own transaction. */
#include "model/event.h"

#include <assert.h>
#include <stdio.h>

#include "core/gen.h"
#include "core/json.h"
#include "core/vtime.h"

enum { PARTS_MAX = 7, IDS_MAX = 3, NAMES_MAX = 40, PACK_BYTES = 128 * 1024, LENGTH_MAX = 21 };

#define EVENT EVENT_DEFINE
#include "tbl/events.h"
#undef EVENT

/* ---- names (spec functions-webhooks-events.md 2) ---- */

/* Which parts of a pattern a prefix of it keeps: bit i for part i. */
struct prefixes {
	int n;
	unsigned char parts[5];
};
static const struct prefixes prefixes_by_parts[PARTS_MAX + 1] = {
	[3] = {2, {0x07, 0x03}},			/* t.[r].a */
	[4] = {3, {0x07, 0x0f, 0x03}},			/* t.[r].a.attr */
	[5] = {3, {0x1f, 0x0f, 0x03}},			/* t.[r].s.[q].a */
	[6] = {5, {0x3f, 0x1f, 0x0f, 0x33, 0x03}},	/* t.[r].s.[q].a.attr */
	[7] = {4, {0x7f, 0x3f, 0x0f, 0x03}},		/* t.[r].s.[q].u.[v].a */
};

/* Which ids a variant replaces by *: bit i for id i. With fewer ids the higher bits are ignored and repetitions left out. */
static const unsigned char variants[8] = {0, 7, 2, 3, 1, 4, 5, 6};

static const char *
variant_name(struct arena *a, const struct str *parts, int n, unsigned kept, const char *const *ids, unsigned starred)
{
	struct buf b;
	int id = 0;

	buf_init(&b, a, 128);
	for (int i = 0; i < n; i++) {
		bool placeholder = parts[i].p[0] == '[';

		if (kept & (1u << i)) {
			if (b.n > 0)
				buf_ch(&b, '.');
			if (!placeholder)
				buf_str(&b, parts[i]);
			else
				buf_c(&b, starred & (1u << id) ? "*" : ids[id]);
		}
		id += placeholder;
	}
	return buf_view(&b).p;
}

static int
count_ids(const struct str *parts, int n, unsigned kept)
{
	int ids = 0;

	for (int i = 0; i < n; i++)
		ids += parts[i].p[0] == '[' && (kept & (1u << i));
	return ids;
}

struct strs
event_names(struct ctx *cx, const char *pattern, const char *const *ids)
{
	struct str rest = str_c(pattern), parts[PARTS_MAX];
	struct strs out = {.set = true, .v = arena_array(cx->arena, const char *, NAMES_MAX)};
	const struct prefixes *p;
	int n = 0;

	while (rest.p != NULL && n < PARTS_MAX)
		parts[n++] = str_cut(&rest, '.');
	assert(rest.p == NULL && n >= 3);
	p = &prefixes_by_parts[n];
	for (int i = 0; i < p->n; i++) {
		unsigned mask = (1u << count_ids(parts, n, p->parts[i])) - 1, seen = 0;

		for (int k = 0; k < 8; k++) {
			unsigned starred = variants[k] & mask;

			if (seen & (1u << starred))
				continue;
			seen |= 1u << starred;
			assert(out.n < NAMES_MAX);
			out.v[out.n++] = variant_name(cx->arena, parts, n, p->parts[i], ids, starred);
		}
	}
	return out;
}

bool
event_pattern_good(struct str pattern, const char *const *ids)
{
	int parts = 0, wanted = 0;

	while (pattern.p != NULL) {
		struct str part = str_cut(&pattern, '.');

		if (part.n == 0)
			return false;
		wanted += part.p[0] == '[';
		parts++;
	}
	for (int i = 0; i < wanted; i++)
		if (i >= IDS_MAX || ids[i] == NULL)
			return false;
	return parts >= 3 && parts <= PARTS_MAX;
}

/* ---- the message ---- */

/* The value of a placeholder such as "[userId]" of the pattern. */
static const char *
id_of(const struct event *ev, struct str placeholder)
{
	struct str rest = str_c(ev->kind->pattern);
	int id = 0;

	while (rest.p != NULL) {
		struct str part = str_cut(&rest, '.');

		if (part.p[0] != '[')
			continue;
		if (str_eq(part, placeholder))
			return ev->ids[id];
		id++;
	}
	assert(!"a channel names a placeholder that the pattern lacks");
	return "";
}

/* One channel with its placeholders replaced. */
static struct str
channel(struct ctx *cx, const struct event *ev, struct str template)
{
	struct buf b;

	buf_init(&b, cx->arena, 128);
	while (template.p != NULL) {
		struct str part = str_cut(&template, '.');

		if (b.n > 0)
			buf_ch(&b, '.');
		if (part.n > 0 && part.p[0] == '[')
			buf_c(&b, id_of(ev, part));
		else
			buf_str(&b, part);
	}
	return buf_view(&b);
}

static void
write_channels(struct ctx *cx, struct jw *w, const struct event *ev)
{
	struct str rest = str_c(ev->kind->channels);

	if (rest.n == 0)
		return;
	JW_KEY(w, "c");
	jw_arr(w);
	while (rest.p != NULL)
		jw_str(w, channel(cx, ev, str_cut(&rest, '|')));
	jw_arr_end(w);
}

static void
event_write_texts(struct jw *w, struct str key, const char *const *v, int n)
{
	if (n == 0)
		return;
	jw_key(w, key);
	jw_arr(w);
	for (int i = 0; i < n; i++)
		jw_cstr(w, v[i]);
	jw_arr_end(w);
}

static void
write_stale(struct jw *w, const struct event *ev)
{
	if (ev->stale[0] == NULL)
		return;
	JW_KEY(w, "k");
	jw_arr(w);
	for (size_t i = 0; i < sizeof ev->stale / sizeof ev->stale[0] && ev->stale[i] != NULL; i++) {
		char text[24];
		int n = snprintf(text, sizeof text, "%llu", (unsigned long long)str_hash_stable(str_c(ev->stale[i])));

		jw_str(w, (struct str){text, (size_t)n});	/* text: a double holds only 53 bits */
	}
	jw_arr_end(w);
}

struct str
event_message(struct ctx *cx, const struct event *ev)
{
	struct buf b;
	struct jw w;
	int ids = 0;

	while (ids < IDS_MAX && ev->ids[ids] != NULL)
		ids++;
	buf_init(&b, cx->arena, 512 + ev->payload.n);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "p");
	jw_cstr(&w, ev->project);
	JW_KEY(&w, "e");
	jw_cstr(&w, ev->kind->pattern);
	event_write_texts(&w, STR("v"), ev->ids, ids);
	write_channels(cx, &w, ev);
	event_write_texts(&w, STR("r"), ev->roles.v, ev->roles.n);
	JW_KEY(&w, "t");
	jw_i64(&w, time_now_ms());
	if (ev->flags != 0) {
		JW_KEY(&w, "f");
		jw_i64(&w, ev->flags);
	}
	if (ev->user != NULL) {
		JW_KEY(&w, "u");
		jw_cstr(&w, ev->user);
	}
	if (ev->actor != NULL) {
		JW_KEY(&w, "a");
		jw_cstr(&w, ev->actor);
	}
	if (cx->depth > 0) {
		JW_KEY(&w, "d");
		jw_i64(&w, cx->depth);
	}
	if (ev->number_at > 0) {
		JW_KEY(&w, "q");
		jw_i64(&w, (int64_t)ev->number_at);
	}
	write_stale(&w, ev);
	jw_obj_end(&w);
	buf_ch(&b, '\n');
	buf_str(&b, ev->payload.n > 0 ? ev->payload : STR("[]"));
	return buf_view(&b);
}

/* ---- writing ---- */

static void
event_bump(const struct event *ev)
{
	for (size_t i = 0; i < sizeof ev->stale / sizeof ev->stale[0] && ev->stale[i] != NULL; i++)
		gen_bump(str_c(ev->stale[i]));
}

void
event_emit(struct db_tx *tx, const struct event *ev)
{
	if (tx_undone(tx))
		return;
	tx_add(tx, "SELECT pg_logical_emit_message(true, 'event', $1::text)", DB(event_message(tx_ctx(tx), ev).p));
	for (size_t i = 0; i < sizeof ev->stale / sizeof ev->stale[0] && ev->stale[i] != NULL; i++)
		tx_stale(tx, ev->stale[i]);
}

void
event_emit_all(struct db_tx *tx, struct arena *a, const struct str *messages, int n)
{
	for (int from = 0, end; !tx_undone(tx) && from < n; from = end) {
		size_t bytes = 0;
		struct buf b;

		for (end = from; end < n && (end == from || bytes + messages[end].n < PACK_BYTES); end++)
			bytes += messages[end].n + LENGTH_MAX;
		buf_init(&b, a, bytes + 1);
		for (int i = from; i < end; i++) {
			buf_i64(&b, (int64_t)messages[i].n);
			buf_ch(&b, ' ');
			buf_str(&b, messages[i]);
		}
		tx_add(tx, "SELECT pg_logical_emit_message(true, 'events', $1::text)", DB(buf_view(&b).p));
	}
}

/* The statement of a write and its event, and its parameters. */
static const char *
written(struct ctx *cx, const struct event *ev, const char *sql, int n, const char *const *v, const char ***values_out)
{
	const char **values = arena_array(cx->arena, const char *, n + 2);

	if (n > 0)
		memcpy(values, v, sizeof *values * (size_t)n);
	values[n] = event_message(cx, ev).p;
	*values_out = values;
	if (ev->number == NULL)
		return arena_printf(cx->arena, "WITH w AS (%s) SELECT w.*, pg_logical_emit_message(true, 'event', $%d::text) FROM w", sql, n + 1);
	values[n + 1] = ev->rest.p;
	return arena_printf(cx->arena, "WITH w AS (%s) SELECT w.*, pg_logical_emit_message(true, 'event', $%d::text || w.%s || $%d::text) FROM w", sql,
	    n + 1, ev->number, n + 2);
}

static int
event_params(const struct event *ev, int n)
{
	return ev->number != NULL ? n + 2 : n + 1;
}

void
event_add(struct db_tx *tx, const struct event *ev, const char *sql, int n, const char *const *v)
{
	const char **values;

	assert(ev->stale[0] == NULL);
	if (tx_undone(tx)) {
		tx_add(tx, sql, n, v);
		return;
	}
	sql = written(tx_ctx(tx), ev, sql, n, v, &values);
	tx_add(tx, sql, event_params(ev, n), values);
}

err_t
event_write(struct ctx *cx, const struct event *ev, struct db_res **res_out, const char *sql, int n, const char *const *v)
{
	struct db_res *r = NULL;
	const char **values;
	err_t e;

	sql = written(cx, ev, sql, n, v, &values);
	e = db_query(cx, &r, sql, event_params(ev, n), values);
	if (e != OK && db_maybe_done(e))
		event_bump(ev);
	TRY(e);
	if (db_rows(r) > 0)
		event_bump(ev);
	if (res_out != NULL)
		*res_out = r;
	return OK;
}
