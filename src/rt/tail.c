/* The live tail of a project (spec realtime.md B7): who belongs to the team that owns it hears on the console that something happened, never what.
 *
 * A subscription to "console.tail.<project>" has a tap: a list of what happened since it was last emptied, which one timer does for all of them. A second has
 * 50 events for a tap and a frame 200, so what a tap makes a process keep is bounded; the rest is counted and said. There are few taps, so an event looks at all of them.
 *
 * The rule: a tap's connection holds the role of the team, or is refused in that same turn. While its roles are being read anew nothing is sent. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/id.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"

enum { TAP_MAGIC = 0x74617020, USER_PART = 8, BEAT_MS = 150, PER_SECOND = 50, PER_FRAME = 200, AT_ONCE = 16, WORK_TAP = 4, STEPS = 8 };
#define TAIL_CHANNEL "console.tail."

struct tap {
	unsigned magic;		/* TAP_MAGIC */
	struct tap *next, **at;	/* all of them */
	struct tap *more;	/* of the same subscription */
	struct peer *peer;
	struct filter *filter;	/* borrowed of the subscription; NULL: everything */
	atom_t sub, channel, project, team;	/* the subscription's id; the channel; id of the project; "team:<id>" of the console */
	int64_t number, born;	/* of the project */
	atom_t user;		/* who opened it, whatever becomes of them on the socket: it counts for that one */
	struct buf events;	/* that wait, as a list of JSON without its brackets */
	unsigned waiting;	/* how many they are */
	uint64_t second, in_second;
	uint64_t delivered, dropped;	/* since its listener was last told */
};

static struct tap *taps;
static int64_t n_taps;
static struct tap *telling, *emptying;	/* where to go on; who goes moves them */
static uint64_t told;	/* number of the event that is or was told */
static struct loop_timer *beat;
static bool scheduled;

/* ---- what is told of an event ---- */

/* The row of an event that is for others than the servers themselves. */
static bool
tail_is_told(const struct news *n)
{
	int services;
	const struct service *const *v = service_all(&services);

	if (n->local || (n->flags & EVENT_UNSEEN))
		return false;
	for (int i = 0; i < services; i++)
		for (const struct event_info *const *e = v[i]->events; e != NULL && *e != NULL; e++)
			if (str_is(n->pattern, (*e)->pattern))
				return (*e)->subscribable || (*e)->channels[0] != '\0';
	return false;
}

/* What stands before the last id is the type, what follows it the action. */
struct about {
	struct str type, action;
	const char *id;
	int ids;
};

static struct about
tail_about(const struct news *n)
{
	struct str rest = n->pattern, before = STR_NONE;
	struct about a = {0};

	while (rest.p != NULL) {
		struct str part = str_cut(&rest, '.');

		if (part.p[0] == '[') {
			a.id = n->ids[a.ids++];
			a.type = before;
			a.action = rest;
		}
		before = part;
	}
	a.action = str_cut(&a.action, '.');
	return a;
}

/* The ids of what it is in, and its own under its name. */
static void
tail_write_within(struct jw *w, const struct news *n)
{
	static const char *const names[][2] = {{"[databaseId]", "databaseId"}, {"[collectionId]", "collectionId"}, {"[bucketId]", "bucketId"},
		{"[functionId]", "functionId"}, {"[teamId]", "teamId"}};
	struct str rest = n->pattern;

	for (int k = 0; rest.p != NULL;) {
		struct str part = str_cut(&rest, '.');

		if (part.p[0] != '[')
			continue;
		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (str_is(part, names[i][0])) {
				jw_key(w, str_c(names[i][1]));
				jw_cstr(w, n->ids[k]);
			}
		k++;
	}
}

/* The one place where an event becomes what is told of it: never a part of its payload. */
static void
tail_write_event(struct jw *w, struct news *n)
{
	const char *actor = json_string_value(n->actor);
	struct about a = tail_about(n);
	char time[30];

	jw_obj(w);
	JW_KEY(w, "event");
	jw_cstr(w, event_names_told(&n->cx, str_dup(n->cx.arena, n->pattern), n->ids, n->flags).v[0]);
	JW_KEY(w, "type");
	jw_str(w, a.type);
	JW_KEY(w, "action");
	jw_str(w, a.action);
	JW_KEY(w, "userId");
	if (actor != NULL)
		jw_cstr(w, actor);
	else
		jw_null(w);
	JW_KEY(w, "timestamp");
	jw_cstr(w, time_iso(n->time, time));
	JW_KEY(w, "resourceId");
	jw_cstr(w, a.id);
	tail_write_within(w, n);
	jw_obj_end(w);
}

static void
tail_describe(struct news *n)
{
	struct buf b;
	struct jw w;

	if (n->tail != NULL)
		return;
	buf_init(&b, n->cx.arena, 512);
	jw_init(&w, &b);
	tail_write_event(&w, n);
	n->tail = arena_new_of(n->cx.arena, struct facts);
	facts_init(n->tail, &n->cx, buf_view(&b), NULL);
	while (!facts_scan(n->tail, b.n))
		;
}

/* ---- an event ---- */

static void
tap_take(struct tap *t, struct news *n)
{
	uint64_t second = loop_now() / 1000;

	tail_describe(n);
	if (t->filter != NULL && !filter_match(t->filter, n->tail, 0))
		return;
	if (t->second != second) {
		t->second = second;
		t->in_second = 0;
	}
	if (t->in_second >= PER_SECOND || t->waiting >= PER_FRAME) {
		t->dropped++;
		metric_add(M_rt_tail_dropped, 1);
		return;
	}
	t->in_second++;
	if (t->waiting++ > 0)
		buf_ch(&t->events, ',');
	buf_str(&t->events, n->tail->text);
}

bool
tail_tell(struct news *n, int64_t *left)
{
	atom_t project;

	if (n_taps == 0)
		return true;
	if (told != n->number) {
		told = n->number;
		telling = (project = atom_find(0, n->project)) != 0 && tail_of(project) && tail_is_told(n) ? taps : NULL;
	}
	project = telling != NULL ? atom_find(0, n->project) : 0;
	while (telling != NULL && *left > 0) {
		struct tap *t = telling;

		telling = t->next;
		if (t->project != project || !place_same(n, t->born))
			continue;
		tap_take(t, n);
		*left -= WORK_TAP + (int64_t)filter_steps(t->filter) / STEPS;
	}
	return telling == NULL;
}

/* ---- frames ---- */

static void
write_frame(struct buf *b, const struct tap *t, const char *name, struct str payload)
{
	bool old = t->peer->by_url;
	char time[30];
	struct jw w;

	frame_begin_event(&w, b);
	jw_cstr(&w, name);
	jw_arr_end(&w);
	JW_KEY(&w, "channels");
	jw_arr(&w);
	jw_str(&w, atom_text(t->channel));
	jw_arr_end(&w);
	JW_KEY(&w, "timestamp");
	jw_cstr(&w, old ? time_sql(time_now_ms(), time) : time_iso(time_now_ms(), time));
	JW_KEY(&w, "payload");
	jw_raw(&w, payload);
	JW_KEY(&w, "subscriptions");
	jw_arr(&w);
	jw_str(&w, atom_text(t->sub));
	jw_arr_end(&w);
	jw_obj_end(&w);
	jw_obj_end(&w);
}

/* It has been told who it is, and is still that one: while roles are read it is not live. What waits for its reader is not made more. */
static bool
tap_may_send(const struct tap *t)
{
	const struct peer *c = t->peer;

	return c->ws != NULL && c->state == RT_LIVE && !ws_lagging(c->ws);
}

static void
tap_write_events(struct arena *a, struct tap *t, struct buf *b)
{
	if (t->waiting == 0)
		return;
	write_frame(b, t, "console.tail", str_c(arena_printf(a, "[%.*s]", STR_FMT(buf_view(&t->events)))));
	t->delivered += t->waiting;
	t->waiting = 0;
	buf_fini(&t->events);
	buf_init(&t->events, NULL, 0);
}

static void
tap_write_stats(struct arena *a, struct tap *t, struct buf *b)
{
	if (t->dropped == 0)
		return;
	write_frame(b, t, "console.tail.stats", str_c(arena_printf(a, "{\"$type\":\"tail.stats\",\"delivered\":%llu,\"dropped\":%llu}",
	    (unsigned long long)t->delivered, (unsigned long long)t->dropped)));
	t->delivered = t->dropped = 0;
}

/* Both are made before one is sent: sending may end the connection, and the tap with it. */
static bool
tap_empty(struct tap *t)
{
	struct arena *a;
	struct buf b[2];
	uint32_t num = t->peer->num;

	if ((t->waiting == 0 && t->dropped == 0) || !tap_may_send(t))
		return false;
	a = arena_new();
	for (int i = 0; i < 2; i++) {
		buf_init(&b[i], a, 256 + t->events.n);
		(i == 0 ? tap_write_events : tap_write_stats)(a, t, &b[i]);
	}
	for (int i = 0; i < 2; i++) {
		const struct peer *c = peer_by_num(num);

		if (b[i].n == 0 || c == NULL || c->ws == NULL)
			continue;
		metric_add(M_rt_deliveries, 1);
		ws_send_text(c->ws, buf_view(&b[i]));
	}
	arena_free(&a);
	return true;
}

static void
tail_empty(void *arg)
{
	(void)arg;
	scheduled = false;
	for (int n = 0; emptying != NULL && n < AT_ONCE;) {
		struct tap *t = emptying;

		emptying = t->next;
		n += tap_empty(t);
	}
	if (emptying == NULL)
		return;
	scheduled = true;
	loop_soon(tail_empty, NULL);
}

static void
tail_on_beat(void *arg)
{
	(void)arg;
	if (n_taps == 0) {
		loop_timer_stop(&beat);
		return;
	}
	if (scheduled)
		return;
	emptying = taps;
	tail_empty(NULL);
}

/* ---- who listens ---- */

static bool
tail_refuse(struct peer *c)
{
	peer_refuse(c, 1008, "The live tail of a project is for members of the team that owns it, on the console");
	return false;
}

/* Who is on the socket, and not whom that one acts as; 0: a guest. */
static atom_t
tail_user(const struct peer *c)
{
	return c->user != 0 ? atom_get(c->project, peer_real_uid(c)) : 0;
}

static int64_t
tails_of_user(atom_t user)
{
	int64_t n = 0;

	for (const struct tap *t = taps; t != NULL; t = t->next)
		n += t->user == user;
	return n;
}

/* The process has room for one more, and the user: one leaves the most of it to others, whatever sockets and projects there are. */
static bool
tail_room(const struct peer *c)
{
	int64_t most = conf.rt_tails_max / USER_PART;
	atom_t user = tail_user(c);
	bool room = n_taps < conf.rt_tails_max && tails_of_user(user) < (most > TAILS_MAX ? most : TAILS_MAX);

	atom_unref(user);
	return room;
}

static void
tap_new(struct peer *c, struct sub *s, atom_t channel, const struct project *p)
{
	struct tap *t = mem_zalloc(sizeof *t);
	char role[8 + ID_MAX];

	snprintf(role, sizeof role, "team:%s", p->team_id);
	t->magic = TAP_MAGIC;
	t->peer = c;
	t->filter = s->filter;
	t->sub = atom_ref(s->id);
	t->channel = atom_ref(channel);
	t->project = atom_get(0, str_c(p->id));
	t->number = p->internal;
	t->born = p->created;
	t->team = atom_get(c->project, str_c(role));
	t->user = tail_user(c);
	buf_init(&t->events, NULL, 0);
	t->more = s->taps;
	s->taps = t;
	t->next = taps;
	t->at = &taps;
	if (taps != NULL)
		taps->at = &t->next;
	taps = t;
	metric_add(M_rt_tails, 1);
	if (n_taps++ == 0 && beat == NULL)
		beat = loop_every(BEAT_MS, tail_on_beat, NULL);
}

static void
tap_end(struct tap *t)
{
	assert(t->magic == TAP_MAGIC);
	if (telling == t)
		telling = t->next;
	if (emptying == t)
		emptying = t->next;
	*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
	n_taps--;
	metric_add(M_rt_tails, -1);
	atom_unref(t->sub);
	atom_unref(t->channel);
	atom_unref(t->project);
	atom_unref(t->team);
	atom_unref(t->user);
	buf_fini(&t->events);
	t->magic = 0;
	free(t);
}

void
tail_close(struct sub *s)
{
	while (s->taps != NULL) {
		struct tap *t = s->taps;

		(void)tap_empty(t);	/* it may be replaced by one like it: nothing is lost between */
		s->taps = t->more;
		tap_end(t);
	}
}

unsigned
tail_count(const struct sub *s)
{
	unsigned n = 0;

	for (const struct tap *t = s->taps; t != NULL; t = t->more)
		n++;
	return n;
}

static unsigned
tails_of_peer(const struct peer *c)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < c->n_subs; i++)
		n += tail_count(&c->subs[i]);
	return n;
}

bool
tail_channel(struct str asked)
{
	return str_starts(asked, TAIL_CHANNEL);
}

/* Awaits. False: it has been refused, or is gone. */
static bool
tail_open_one(struct ctx *cx, struct peer *c, uint32_t sub, atom_t channel)
{
	struct str name = str_c(str_dup(cx->arena, atom_text(channel))), id = {name.p + sizeof TAIL_CHANNEL - 1, name.n - (sizeof TAIL_CHANNEL - 1)};
	struct project *p = NULL;
	err_t e = id_valid(id) ? project_get_bare(cx, id, &p) : ERR_PROJECT_NOT_FOUND;

	if (c->ws == NULL || c->state == RT_REFUSED)
		return false;
	if (e == ERR_PROJECT_NOT_FOUND || (e == OK && p->team_id == NULL))
		return tail_refuse(c);
	if (tails_of_peer(c) >= TAILS_MAX) {	/* one channel is in as many subscriptions as a URL has slots for it */
		peer_refuse(c, 1008, "Too many channels");
		return false;
	}
	if (e != OK || !tail_room(c)) {
		metric_add(M_rt_work_refused, e == OK);
		peer_refuse(c, 1013, "Try again later");
		return false;
	}
	tap_new(c, &c->subs[sub], channel, p);
	return tail_check(c);
}

bool
tail_open(struct ctx *cx, struct peer *c)
{
	for (uint32_t i = 0; i < c->n_subs; i++) {
		bool open = c->subs[i].taps != NULL;	/* it has been here before */

		for (uint32_t k = 0; !open && k < c->subs[i].n_asked; k++)
			if (tail_channel(atom_text(c->subs[i].asked[k]))) {
				if (!str_is(atom_text(c->project), "console"))
					return tail_refuse(c);
				if (!tail_open_one(cx, c, i, c->subs[i].asked[k]))
					return false;
			}
	}
	return true;
}

bool
tail_check(struct peer *c)
{
	for (uint32_t i = 0; c->held != NULL && i < c->n_subs; i++)
		for (const struct tap *t = c->subs[i].taps; t != NULL; t = t->more)
			if (held_find(c->held, t->team) == NULL)
				return tail_refuse(c);
	return true;
}

/* ---- a project changes ---- */

bool
tail_of(atom_t project)
{
	for (const struct tap *t = taps; t != NULL; t = t->next)
		if (t->project == project)
			return true;
	return false;
}

static struct tap *
tap_that_moved(atom_t project, int64_t number, atom_t team)
{
	for (struct tap *t = taps; t != NULL; t = t->next)
		if (t->project == project && (team == 0 || t->team != team || t->number != number) && t->peer->ws != NULL && t->peer->state != RT_REFUSED)
			return t;
	return NULL;
}

void
tail_project(struct str id, const struct project *p)
{
	atom_t project = atom_find(0, id), console = atom_find(0, STR("console")), team = 0;
	char role[8 + ID_MAX];
	struct tap *t;

	if (project == 0 || console == 0 || n_taps == 0)
		return;
	if (p != NULL && p->team_id != NULL) {
		snprintf(role, sizeof role, "team:%s", p->team_id);
		team = atom_get(console, str_c(role));
	}
	while ((t = tap_that_moved(project, p != NULL ? p->internal : 0, team)) != NULL) {
		if (team == 0 || t->number != p->internal || t->peer->held == NULL || held_find(t->peer->held, team) == NULL) {
			(void)tail_refuse(t->peer);
			continue;
		}
		atom_unref(t->team);
		t->team = atom_ref(team);
	}
	atom_unref(team);
}

void
tail_fini(void)
{
	loop_timer_stop(&beat);
}
