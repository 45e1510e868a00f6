/* One connected client: who it is, what it subscribes to, and its place in the index.
 *
 * The rule: roles, channels and seats change only while the peer is out of the index; whoever changes them takes it out and puts it
 * back in the same turn of the loop, or leaves it RT_CATCHING. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "model/roles.h"
#include "rt/rt.h"

enum { PEER_FREE = 1024 };

static struct peer **peers;		/* by number */
static uint32_t n_numbers, cap_numbers;
static uint32_t *free_list, n_free;	/* room for cap_numbers */
static unsigned n_open;

/* ---- numbers ---- */

static uint32_t
number_take(struct peer *c)
{
	uint32_t num;

	if (n_free > 0)
		num = free_list[--n_free];
	else {
		if (n_numbers == cap_numbers) {
			cap_numbers = cap_numbers ? cap_numbers * 2 : 64;
			peers = mem_realloc(peers, cap_numbers * sizeof(struct peer *));
			free_list = mem_realloc(free_list, cap_numbers * sizeof *free_list);
		}
		num = n_numbers++;
	}
	peers[num] = c;
	return num;
}

struct peer *
peer_by_num(uint32_t num)
{
	assert(num < n_numbers);
	return peers[num];
}

unsigned
peers_open(void)
{
	return n_open;
}

uint32_t
peer_numbers(void)
{
	return n_numbers;
}

struct peer *
peer_new(struct ws *w)
{
	struct peer *c = mem_zalloc(sizeof *c);

	c->magic = PEER_MAGIC;
	c->state = RT_OPENING;
	c->ws = w;
	c->expire = c->until = INT64_MAX;
	c->num = number_take(c);
	metric_add(M_rt_connections, 1);
	return c;
}

/* ---- the index ---- */

void
index_moved(struct seat s, uint32_t pos)
{
	struct peer *c = peers[s.conn];

	if (s.entry == SEAT_USER) {
		c->user_pos = pos;
		return;
	}
	if (s.entry == SEAT_REAL) {
		c->real_pos = pos;
		return;
	}
	if (s.entry == SEAT_PLACE) {
		c->place_pos = pos;
		return;
	}
	fanout_leaving(c);
	c->pos[s.entry] = pos;
}

static struct peer *
peer_of(const struct ws *w)
{
	struct peer *c = ws_data(w);

	assert(c != NULL && c->magic == PEER_MAGIC && c->ws == w && c->state != RT_CLOSED);
	return c;
}

/* Whether a connection may go from one state to another. */
static bool
may_move(enum rt_state from, enum rt_state to)
{
	static const bool may[][RT_CLOSED + 1] = {
		[RT_OPENING] = {[RT_CATCHING] = true, [RT_REFUSED] = true, [RT_CLOSED] = true},
		[RT_CATCHING] = {[RT_LIVE] = true, [RT_REFUSED] = true, [RT_CLOSED] = true},
		[RT_LIVE] = {[RT_CATCHING] = true, [RT_REFUSED] = true, [RT_CLOSED] = true},
		[RT_REFUSED] = {[RT_CLOSED] = true},
		[RT_CLOSED] = {false},
	};

	return may[from][to];
}

void
peer_move(struct peer *c, enum rt_state to)
{
	assert(c->magic == PEER_MAGIC && may_move(c->state, to));
	if (c->state == RT_LIVE && to != RT_LIVE) {
		fanout_leaving(c);
		seats_leave(c);
	} else if (c->state != RT_LIVE && to == RT_LIVE) {
		seats_enter(c);
		c->entered = fanout_number();
	}
	c->state = (uint8_t)to;
}

/* ---- what it costs ---- */

static void
peer_count(struct peer *c)
{
	struct purse *p = patron_purse(c->patron);

	if (p == NULL)
		return;
	assert(p->held >= c->in_purse);
	p->held += c->text.held - c->in_purse;
	c->in_purse = c->text.held;
}

void
peer_set_patron(struct peer *c, struct patron *p)
{
	struct purse *was = patron_purse(c->patron);

	if (was != NULL)
		was->held -= c->in_purse;
	c->in_purse = 0;
	if (c->ws != NULL)
		ws_set_purse(c->ws, patron_purse(p));
	patron_leave(&c->patron);
	c->patron = p;
	peer_count(c);
}

/* Small ones are not charged: a socket costs more than they do. */
static void
peer_charge(struct peer *c)
{
	size_t n = c->sub_bytes + seats_bytes(c) + (c->held ? c->held->n * sizeof(struct held_role) : 0);

	n = n > PEER_FREE ? n : 0;
	if (n > c->text.held)
		budget_force(&c->text, n - c->text.held);
	else
		budget_release(&c->text, c->text.held - n);
	peer_count(c);
}

bool
peer_room(const struct peer *c, size_t more)
{
	if (c->listen_bytes + c->sub_bytes + more <= (size_t)conf.rt_text_max && (more <= PEER_FREE || (purse_room(patron_purse(c->patron), more) && budget_room(&c->text, more) == OK)))
		return true;
	metric_add(M_rt_text_refused, 1);
	return false;
}

uint64_t
peer_steps(const struct peer *c)
{
	return c->steps;
}

/* ---- who it is ---- */

static void
forget_user(struct peer *c)
{
	if (c->user != 0) {
		index_del(ATOM_WHO, c->user, c->user_pos);
		if (c->real != 0)
			index_del(ATOM_WHO, c->real, c->real_pos);
		atom_unref(c->real);
		atom_unref(c->user);
		atom_unref(c->session);
		atom_unref(c->home);
	}
	c->user = c->real = c->session = c->home = 0;
	deadline_set(c, INT64_MAX);
	held_unref(c->held);
	c->held = NULL;
}

/* The id in "user:<id>". */
static struct str
rest_of_user(atom_t user)
{
	struct str s = atom_text(user);

	return (struct str){s.p + 5, s.n - 5};
}

struct str
peer_uid(const struct peer *c)
{
	return c->user != 0 ? rest_of_user(c->user) : STR_NONE;
}

struct str
peer_real_uid(const struct peer *c)
{
	return c->real != 0 ? rest_of_user(c->real) : peer_uid(c);
}

/* ---- subscriptions ---- */

struct placed {			/* an atom and where it stood */
	atom_t atom;
	uint32_t at;
};

static int
by_atom(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->atom != y->atom)
		return x->atom < y->atom ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Keeps the first of each; the references of the others are given back. */
static uint32_t
atoms_once(atom_t *v, uint32_t n, struct arena *a)
{
	struct placed *p = arena_array(a, struct placed, n + 1);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct placed){v[i], i};
	qsort(p, n, sizeof *p, by_atom);
	for (uint32_t i = 1; i < n; i++)
		if (p[i].atom == p[i - 1].atom) {
			atom_unref(p[i].atom);
			v[p[i].at] = 0;
		}
	for (uint32_t i = 0; i < n; i++)
		if (v[i] != 0)
			v[kept++] = v[i];
	return kept;
}

/* The channels of a personal subscription for the user there is now: those derived from "account" come last. */
static atom_t *
sub_rewritten(struct peer *c, const struct sub *s, struct arena *a, uint32_t *n_out)
{
	atom_t *v = mem_alloc((2 * (size_t)s->n_asked + 1) * sizeof *v), *late = arena_array(a, atom_t, s->n_asked + 1);
	struct str out[2];
	uint32_t n = 0, n_late = 0;

	for (uint32_t i = 0; i < s->n_asked; i++) {
		int names = channel_rewrite(a, atom_text(s->asked[i]), peer_uid(c), out);

		if (names > 0)
			v[n++] = atom_get(c->project, out[0]);
		if (names == 2)
			late[n_late++] = atom_get(c->project, out[1]);
	}
	memcpy(v + n, late, n_late * sizeof *v);
	*n_out = atoms_once(v, n + n_late, a);
	return v;
}

static size_t
sub_bytes(const struct sub *s)
{
	return sizeof *s + atom_text(s->id).n + (s->n_asked + s->n_chans) * sizeof *s->chans + filter_size(s->filter);
}

static void
sub_count(struct peer *c, const struct sub *s, bool on)
{
	uint64_t steps = 1 + s->n_chans + filter_steps(s->filter);

	c->sub_bytes = on ? c->sub_bytes + sub_bytes(s) : c->sub_bytes - sub_bytes(s);
	c->steps = on ? c->steps + steps : c->steps - steps;
	c->n_filters += s->filter == NULL ? 0 : on ? 1u : -1u;
}

static void
sub_use(struct peer *c, const struct sub *s)
{
	for (uint32_t i = 0; i < s->n_chans; i++)
		seats_use(c, s->chans[i]);
	sub_count(c, s, true);
}

static void
sub_drop(struct peer *c, const struct sub *s)
{
	sub_count(c, s, false);
	for (uint32_t i = 0; i < s->n_chans; i++)
		seats_drop(c, s->chans[i]);
}

static void
sub_forget_chans(struct sub *s)
{
	for (uint32_t i = 0; s->chans != s->asked && i < s->n_chans; i++)
		atom_unref(s->chans[i]);
	if (s->chans != s->asked)
		free(s->chans);
	s->chans = NULL;
	s->n_chans = 0;
}

static void
sub_fini(struct peer *c, struct sub *s)
{
	tail_close(s);
	sub_drop(c, s);
	sub_forget_chans(s);
	for (uint32_t i = 0; i < s->n_asked; i++)
		atom_unref(s->asked[i]);
	free(s->asked);
	atom_unref(s->id);
	filter_free(&s->filter);
}

/* Other channels for another user: what stays is not touched. */
static void
sub_rewrite(struct peer *c, struct sub *s, struct arena *a)
{
	struct sub was = *s;

	if (!s->personal)
		return;
	s->chans = sub_rewritten(c, s, a, &s->n_chans);
	sub_use(c, s);
	sub_drop(c, &was);
	sub_forget_chans(&was);
}

/* In the index, or on the way in: out of it while roles change. */
static enum rt_state
step_out(struct peer *c)
{
	enum rt_state was = c->state;

	if (was == RT_LIVE)
		peer_move(c, RT_CATCHING);
	return was;
}

static void
step_in(struct peer *c, enum rt_state was)
{
	if (was == RT_LIVE)
		peer_move(c, RT_LIVE);
}

/* Its account: another user's, or that of its address. */
static void
peer_change_patron(struct peer *c)
{
	if (c->patron == NULL)
		return;		/* it is not let in yet */
	if (c->user != 0)
		peer_set_patron(c, patron_of_user(atom_text(c->home), peer_real_uid(c), true));
	else
		peer_set_patron(c, patron_of_guest(c->address ? atom_text(c->address).p : "", true));
}

static void
take_user(struct peer *c, const char *home, const struct login *l, struct arena *a)
{
	c->home = atom_get(0, str_c(home));
	c->user = atom_get(c->home, str_c(arena_printf(a, "user:%s", l->user->id)));
	c->user_pos = index_add(ATOM_WHO, c->user, (struct seat){c->num, SEAT_USER});
	if (l->user->impersonated_by != NULL) {
		c->real = atom_get(c->home, str_c(arena_printf(a, "user:%s", l->user->impersonated_by)));
		c->real_pos = index_add(ATOM_WHO, c->real, (struct seat){c->num, SEAT_REAL});
	}
	budget_known(&c->text);
}

static void
take_session(struct peer *c, const char *session, int64_t expire)
{
	atom_unref(c->session);
	c->session = session != NULL && c->home != 0 ? atom_get(c->home, str_c(session)) : 0;
	deadline_set(c, expire < c->until ? expire : c->until);
}

static bool
is_user(const struct peer *c, const char *home, const struct login *l)
{
	if (l == NULL || c->user == 0)
		return l == NULL && c->user == 0;
	if ((c->real != 0) != (l->user->impersonated_by != NULL) || (c->real != 0 && !str_is(rest_of_user(c->real), l->user->impersonated_by)))
		return false;
	return str_is(atom_text(c->home), home) && str_is(peer_uid(c), l->user->id);
}

void
peer_identify(struct peer *c, const char *home, const struct login *l, const char *session, int64_t expire)
{
	bool guest = l == NULL || peer_half(c, l);
	const struct strs *roles = guest ? roles_guest() : c->admin ? roles_abroad() : &l->roles;
	struct held *held = held_get(c->project, roles, !guest && !c->admin ? l->since : NULL);
	bool same = c->held == held && is_user(c, home, l);
	enum rt_state was = c->state;
	struct arena *a = arena_new();

	if (guest || !is_user(c, home, l))
		said_leave(c);
	c->half = l != NULL && guest;
	if (!same) {
		was = step_out(c);
		c->identities++;
		forget_user(c);
		c->held = held;
		held = NULL;
		if (l != NULL)
			take_user(c, home, l, a);
		for (uint32_t i = 0; i < c->n_subs; i++)
			sub_rewrite(c, &c->subs[i], a);
		peer_change_patron(c);
	}
	take_session(c, l != NULL ? session : NULL, l != NULL ? expire : INT64_MAX);
	held_unref(held);
	peer_charge(c);
	arena_free(&a);
	if (!same) {
		step_in(c, was);
		(void)tail_check(c);
	}
}

static bool
remove_subs(struct peer *c, atom_t id, uint32_t upto)
{
	uint32_t kept = 0;
	bool any = false;

	for (uint32_t i = 0; i < c->n_subs; i++) {
		if (i < upto && c->subs[i].id == id) {
			sub_fini(c, &c->subs[i]);
			any = true;
		} else
			c->subs[kept++] = c->subs[i];
	}
	c->n_subs = kept;
	return any;
}

static void
sub_init(struct peer *c, struct sub *s, struct str id, const struct str *asked, int n, struct filter *f, struct arena *a)
{
	*s = (struct sub){.id = atom_get(c->project, id), .filter = f, .asked = mem_alloc((size_t)(n + 1) * sizeof *s->asked)};
	for (int i = 0; i < n; i++) {
		s->asked[i] = atom_get(c->project, asked[i]);
		s->personal |= channel_personal(asked[i]);
	}
	s->n_asked = atoms_once(s->asked, (uint32_t)n, a);
	s->chans = s->asked;
	s->n_chans = s->n_asked;
	if (s->personal)
		s->chans = sub_rewritten(c, s, a, &s->n_chans);
}

void
peer_subscribe(struct peer *c, struct str id, const struct str *asked, int n, struct filter *f, bool replace)
{
	struct arena *a = arena_new();
	struct sub s;

	sub_init(c, &s, id, asked, n, f, a);
	c->subs = mem_realloc(c->subs, (c->n_subs + 1) * sizeof *c->subs);
	c->subs[c->n_subs++] = s;
	sub_use(c, &s);		/* first what comes, then what goes: what stays is not touched */
	if (replace)
		remove_subs(c, s.id, c->n_subs - 1);
	c->simple = c->by_url && c->n_subs == 1 && c->subs[0].filter == NULL && str_is(atom_text(c->subs[0].id), URL_SUBSCRIPTION);
	peer_charge(c);
	arena_free(&a);
}

bool
peer_unsubscribe(struct peer *c, struct str id)
{
	atom_t atom = atom_find(c->project, id);
	bool any = atom != 0 && remove_subs(c, atom, c->n_subs);

	if (any)
		c->simple = false;
	peer_charge(c);
	return any;
}

/* ---- events ---- */

bool
peer_concerned(const struct peer *c, const struct news *n)
{
	bool on = false;

	for (int i = 0; i < n->n_chans && !on; i++)
		on = seats_have(c, n->chans[i]);
	return on && c->project == n->space && held_meets(c->held, n);
}

/* Whether the event is on one of the channels; *later_out: on one with a later name. */
static bool
sub_hears(const struct sub *s, const struct news *n, bool *later_out)
{
	bool any = false;

	*later_out = false;
	for (uint32_t i = 0; i < s->n_chans && !*later_out; i++) {
		int at = news_channel(n, s->chans[i]);

		any |= at >= 0;
		*later_out |= at >= n->n_old;
	}
	return any;
}

size_t
peer_matches(const struct peer *c, struct news *n, char *out, bool *later_out)
{
	atom_t before = 0;
	size_t at = 0;

	*later_out = false;
	for (uint32_t i = 0; i < c->n_subs; i++) {
		const struct sub *s = &c->subs[i];
		struct str id;
		bool later;

		if (!sub_hears(s, n, &later) || (s->filter != NULL && !filter_match(s->filter, &n->facts, n->number)))
			continue;
		*later_out |= later;
		if (before == s->id)
			continue;	/* another part of the same */
		before = s->id;
		id = atom_text(s->id);
		if (at + id.n + 3 > MATCHES_MAX)
			break;
		if (at > 0)
			out[at++] = ',';
		out[at++] = '"';
		memcpy(out + at, id.p, id.n);
		at += id.n;
		out[at++] = '"';
	}
	return at;
}

/* ---- telling ---- */

void
peer_error(struct peer *c, int code, const char *message)
{
	struct buf b;

	if (c->ws == NULL)
		return;
	buf_init(&b, NULL, 128);
	BUF_LIT(&b, "{\"type\":\"error\",\"data\":{\"code\":");
	buf_i64(&b, code);
	BUF_LIT(&b, ",\"message\":");
	json_escape(&b, str_c(message));
	BUF_LIT(&b, "}}");
	ws_send_text(c->ws, buf_view(&b));
	buf_fini(&b);
}

void
peer_refuse(struct peer *c, int code, const char *message)
{
	if (c->ws == NULL || c->state == RT_REFUSED)
		return;
	peer_error(c, code, message);
	peer_move(c, RT_REFUSED);
	if (conf.rt_close_policy && (code == 1008 || code == 1013))
		ws_close(c->ws, code, message);
	else if (conf.rt_close_policy)
		ws_close(c->ws, 1008, message);
	else
		ws_drop(c->ws);
}

void
peer_end(struct peer *c, int code, const char *reason)
{
	if (c->ws == NULL || c->state == RT_REFUSED)
		return;
	peer_move(c, RT_REFUSED);
	ws_close(c->ws, code, reason);
}

/* ---- life ---- */

void
peer_free(struct peer *c)
{
	assert(c->ws == NULL && c->task == NULL && c->state == RT_CLOSED);
	for (uint32_t i = 0; i < c->n_subs; i++)
		sub_fini(c, &c->subs[i]);
	free(c->subs);
	seats_fini(c);
	forget_user(c);
	peer_set_patron(c, NULL);
	budget_close(&c->text);
	atom_unref(c->address);
	place_leave(c);
	peers[c->num] = NULL;
	free_list[n_free++] = c->num;
	c->magic = 0;
	free(c);
}

void
rt_ws_open(struct ws *w, struct http_msg *up)
{
	struct peer *c = peer_new(w);

	if (n_open++ == 0)
		fanout_hurry(true);
	ws_set_data(w, c);
	task_open(c, up);
}

void
rt_ws_message(struct ws *w, struct str text)
{
	struct peer *c = peer_of(w);

	if (c->state == RT_REFUSED || !message_counted(c))
		return;
	if (c->task == NULL && message_quick(c, text))
		return;
	if (!task_message(c, text))
		peer_error(c, 1013, "Too many messages");
}

void
rt_ws_close(struct ws *w)
{
	struct peer *c = peer_of(w);

	if (c->counted)
		stats_count(c->project, -1);
	said_leave(c);
	peer_move(c, RT_CLOSED);
	c->ws = NULL;
	metric_add(M_rt_connections, -1);
	if (--n_open == 0)
		fanout_hurry(false);
	if (c->task != NULL)
		task_abandon(c);
	else
		peer_free(c);
}
