/* Events: the table, the names an event expands to, and the door to the stream: a WAL message in the write's own transaction. */
#include "model/event.h"

#include <assert.h>
#include <stdio.h>

#include "core/gen.h"
#include "core/json.h"
#include "core/vtime.h"

enum { PARTS_MAX = 7, IDS_MAX = 3, NAMES_MAX = 40, PACK_BYTES = 128 * 1024,
	PACK_WHOLE = 1024 * 1024 };	/* bytes of a pack, taken apart */

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
		if (n == 4 && p->parts[i] == 0x07 && str_is(parts[2], "delete"))	/* of a part of it: it is there still */
			continue;

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

		if (part.n == 0 || memchr(part.p, '\0', part.n) != NULL)	/* it becomes a C string */
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

static int
count_values(const struct event *ev)
{
	int n = 0;

	while (n < IDS_MAX && ev->ids[n] != NULL)
		n++;
	return n;
}

/* All but what each event of a pack has of its own, and the end. */
static void
write_header(struct ctx *cx, struct jw *w, const struct event *ev)
{
	int hidden = 0;

	jw_obj(w);
	JW_KEY(w, "p");
	jw_cstr(w, ev->project);
	JW_KEY(w, "e");
	jw_cstr(w, ev->kind->pattern);
	event_write_texts(w, STR("v"), ev->ids, count_values(ev));
	write_channels(cx, w, ev);
	event_write_texts(w, STR("r"), ev->roles.v, ev->roles.n);
	JW_KEY(w, "t");
	jw_i64(w, time_now_ms());
	if (ev->flags != 0) {
		JW_KEY(w, "f");
		jw_i64(w, ev->flags);
	}
	if (ev->user != NULL) {
		JW_KEY(w, "u");
		jw_cstr(w, ev->user);
	}
	if (ev->actor != NULL) {
		JW_KEY(w, "a");
		jw_cstr(w, ev->actor);
	}
	if (cx->depth > 0) {
		JW_KEY(w, "d");
		jw_i64(w, cx->depth);
	}
	while (hidden < (int)(sizeof ev->hide / sizeof *ev->hide) && ev->hide[hidden] != NULL)
		hidden++;
	event_write_texts(w, STR("b"), ev->hide, hidden);
}

static struct str
payload_of(const struct event *ev)
{
	return ev->payload.n > 0 ? ev->payload : STR("[]");
}

struct str
event_message(struct ctx *cx, const struct event *ev)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 512 + ev->payload.n);
	jw_init(&w, &b);
	write_header(cx, &w, ev);
	if (ev->number_at > 0) {
		JW_KEY(&w, "q");
		jw_i64(&w, (int64_t)ev->number_at);
	}
	write_stale(&w, ev);
	jw_obj_end(&w);
	buf_ch(&b, '\n');
	buf_str(&b, payload_of(ev));
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

/* ---- many at once ---- */

void
event_pack_begin(struct event_pack *p, struct db_tx *tx, struct arena *a)
{
	*p = (struct event_pack){.tx = tx, .a = a};
	buf_init(&p->b, a, 4096);
}

void
event_pack_end(struct event_pack *p)
{
	if (p->b.n > 0)
		tx_add(p->tx, "SELECT pg_logical_emit_message(true, 'events', $1::text)", DB(p->b.p));
	p->b.n = p->whole = 0;
	p->like.kind = NULL;
}

static bool
texts_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
roles_same(const struct strs *a, const struct strs *b)
{
	if (a->n != b->n)
		return false;
	for (int i = 0; a->v != b->v && i < a->n; i++)
		if (!texts_same(a->v[i], b->v[i]))
			return false;
	return true;
}

/* Their headers differ in the last id, and in the place of the number, alone. */
static bool
heads_alike(const struct event *a, const struct event *b, int last)
{
	if (a->kind != b->kind || a->flags != b->flags || !texts_same(a->project, b->project) || !texts_same(a->user, b->user) || !texts_same(a->actor, b->actor))
		return false;
	for (int i = 0; i < last; i++)
		if (!texts_same(a->ids[i], b->ids[i]))
			return false;
	return roles_same(&a->roles, &b->roles);
}

/* The header with EVENT_PACK_ID for the last id, open at its end; STR_NONE: that is a part of it by itself. */
static struct str
pack_head(struct ctx *cx, const struct event *ev, int last)
{
	static const char *const ids[] = {"", EVENT_PACK_ID};
	struct event like = *ev;
	struct buf b;

	for (int i = 0; i < 2; i++) {
		struct jw w;

		like.ids[last] = ids[i];
		buf_init(&b, cx->arena, 512);
		jw_init(&w, &b);
		write_header(cx, &w, &like);
		if (i == 0 && memchr(b.p, EVENT_PACK_ID[0], b.n) != NULL)
			return STR_NONE;
	}
	return buf_view(&b);
}

static bool
pack_id_plain(const char *id)
{
	for (; *id != '\0'; id++)
		if ((unsigned char)*id < ' ' || *id == '"' || *id == '\\' || *id == EVENT_PACK_ID[0] || (unsigned char)*id >= 0x80)
			return false;
	return true;
}

static void
pack_number(struct buf *b, size_t n)
{
	buf_i64(b, (int64_t)n);
	buf_ch(b, ' ');
}

static void
pack_whole(struct ctx *cx, struct event_pack *p, const struct event *ev)
{
	struct str text = event_message(cx, ev);

	pack_number(&p->b, text.n);
	buf_str(&p->b, text);
	p->whole += text.n;
}

static bool
pack_begin_head(struct ctx *cx, struct event_pack *p, const struct event *ev, int last)
{
	struct str head;

	if (p->like.kind != NULL && heads_alike(&p->like, ev, last))
		return true;
	if ((head = pack_head(cx, ev, last)).n == 0)
		return false;
	buf_ch(&p->b, 'h');
	pack_number(&p->b, head.n);
	buf_str(&p->b, head);
	p->like = *ev;
	p->head = head.n;
	return true;
}

void
event_pack_add(struct ctx *cx, struct event_pack *p, const struct event *ev)
{
	struct str body = payload_of(ev);
	int last = count_values(ev) - 1;

	assert(ev->stale[0] == NULL && ev->hide[0] == NULL && ev->number == NULL && !tx_undone(p->tx));
	if (p->b.n > 0 && (p->b.n + body.n > PACK_BYTES || p->whole > PACK_WHOLE))
		event_pack_end(p);
	if (last < 0 || !pack_id_plain(ev->ids[last]) || !pack_begin_head(cx, p, ev, last)) {
		pack_whole(cx, p, ev);
		return;
	}
	buf_ch(&p->b, 'e');
	pack_number(&p->b, strlen(ev->ids[last]));
	pack_number(&p->b, ev->number_at);
	pack_number(&p->b, body.n);
	buf_c(&p->b, ev->ids[last]);
	buf_str(&p->b, body);
	p->whole += p->head + body.n;
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
