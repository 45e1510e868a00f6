/* One connected client: who it is, what it subscribes to, and its place in the index.
 *
 * The rule: roles, channels and seats change only while the peer is out of the index; whoever changes them takes it out and puts it
 * back in the same turn of the loop, or leaves it RT_CATCHING. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "rt/rt.h"

enum { ENTRIES_MAX = 8192, WAITING_MAX = 64 };

static struct peer **peers;		/* by number */
static uint32_t n_numbers, cap_numbers;
static uint32_t *free_list, n_free;	/* room for cap_numbers */

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
	c->expire = INT64_MAX;
	c->num = number_take(c);
	metric_add(M_rt_connections, 1);
	return c;
}

/* ---- the index ---- */

void
index_moved(struct seat s, uint32_t pos)
{
	struct peer *c = peers[s.conn];

	if (s.entry == UINT32_MAX)
		c->user_pos = pos;
	else
		c->pos[s.entry] = pos;
}

static void
peer_enter(struct peer *c)
{
	uint64_t n = (uint64_t)c->n_chans * c->n_roles;
	uint32_t e = 0;

	c->wide = n > ENTRIES_MAX;
	if (c->wide)
		n = c->n_chans;
	c->pos = mem_alloc((n + 1) * sizeof *c->pos);
	for (uint32_t i = 0; i < c->n_chans; i++) {
		if (c->wide) {
			c->pos[i] = index_add(c->chans[i], ROLE_WIDE, (struct seat){c->num, i});
			continue;
		}
		for (uint32_t k = 0; k < c->n_roles; k++, e++)
			c->pos[e] = index_add(c->chans[i], c->roles[k], (struct seat){c->num, e});
	}
}

static void
peer_leave(struct peer *c)
{
	uint32_t e = 0;

	for (uint32_t i = 0; i < c->n_chans; i++) {
		if (c->wide) {
			index_del(c->chans[i], ROLE_WIDE, c->pos[i]);
			continue;
		}
		for (uint32_t k = 0; k < c->n_roles; k++, e++)
			index_del(c->chans[i], c->roles[k], c->pos[e]);
	}
	free(c->pos);
	c->pos = NULL;
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
	if (c->state == RT_LIVE && to != RT_LIVE)
		peer_leave(c);
	else if (c->state != RT_LIVE && to == RT_LIVE)
		peer_enter(c);
	c->state = (uint8_t)to;
}

/* ---- who it is ---- */

static void
forget_user(struct peer *c)
{
	if (c->user != 0) {
		index_del(ATOM_WHO, c->user, c->user_pos);
		atom_unref(c->user);
		atom_unref(c->session);
		atom_unref(c->home);
	}
	c->user = c->session = c->home = 0;
	c->expire = INT64_MAX;
	for (uint32_t i = 0; i < c->n_roles; i++)
		atom_unref(c->roles[i]);
	free(c->roles);
	c->roles = NULL;
	c->n_roles = 0;
}

static void
take_roles(struct peer *c, const struct strs *roles)
{
	c->roles = mem_alloc((size_t)(roles->n + 1) * sizeof *c->roles);
	for (int i = 0; i < roles->n; i++) {
		atom_t role = atom_get(c->project, str_c(roles->v[i]));
		uint32_t k;

		for (k = 0; k < c->n_roles && c->roles[k] != role; k++)
			;
		if (k < c->n_roles)
			atom_unref(role);
		else
			c->roles[c->n_roles++] = role;
	}
}

struct str
peer_uid(const struct peer *c)
{
	struct str s;

	if (c->user == 0)
		return STR_NONE;
	s = atom_text(c->user);
	return (struct str){s.p + 5, s.n - 5};
}

/* ---- subscriptions ---- */

static void
sub_forget_chans(struct sub *s)
{
	for (uint32_t i = 0; i < s->n_chans; i++)
		atom_unref(s->chans[i]);
	free(s->chans);
	s->chans = NULL;
	s->n_chans = 0;
}

static void
sub_fini(struct peer *c, struct sub *s)
{
	sub_forget_chans(s);
	for (uint32_t i = 0; i < s->n_asked; i++)
		atom_unref(s->asked[i]);
	free(s->asked);
	free(s->id);
	c->filter_bytes -= filter_size(s->filter);
	filter_free(&s->filter);
}

static bool
peer_has(const atom_t *v, uint32_t n, atom_t a)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i] == a)
			return true;
	return false;
}

/* The channels of a subscription for the user there is now: those derived from "account" come last. */
static void
sub_rewrite(struct peer *c, struct sub *s, struct arena *a)
{
	struct str uid = peer_uid(c), out[2], *late = arena_array(a, struct str, s->n_asked + 1);
	uint32_t n_late = 0;
	atom_t got;

	sub_forget_chans(s);
	s->chans = mem_alloc((2 * (size_t)s->n_asked + 1) * sizeof *s->chans);
	for (uint32_t i = 0; i < s->n_asked + n_late; i++) {
		int n = 1;

		if (i < s->n_asked) {
			n = channel_rewrite(a, atom_text(s->asked[i]), uid, out);
			if (n == 2)
				late[n_late++] = out[1];
		} else
			out[0] = late[i - s->n_asked];
		if (n == 0)
			continue;
		got = atom_get(c->project, out[0]);
		if (peer_has(s->chans, s->n_chans, got))
			atom_unref(got);
		else
			s->chans[s->n_chans++] = got;
	}
	s->chans = mem_realloc(s->chans, (s->n_chans + 1) * sizeof *s->chans);
}

static int
by_number(const void *a, const void *b)
{
	atom_t x = *(const atom_t *)a, y = *(const atom_t *)b;

	return x < y ? -1 : x > y;
}

/* The union over the subscriptions. */
static void
gather(struct peer *c)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->n_subs; i++)
		n += c->subs[i].n_chans;
	free(c->chans);
	c->chans = mem_alloc((n + 1) * sizeof *c->chans);
	c->n_chans = 0;
	for (uint32_t i = 0; i < c->n_subs; i++) {
		if (c->subs[i].n_chans > 0)
			memcpy(c->chans + c->n_chans, c->subs[i].chans, c->subs[i].n_chans * sizeof *c->chans);
		c->n_chans += c->subs[i].n_chans;
	}
	if (c->n_subs < 2)
		return;
	qsort(c->chans, n, sizeof *c->chans, by_number);
	c->n_chans = 0;
	for (size_t i = 0; i < n; i++)
		if (i == 0 || c->chans[i] != c->chans[c->n_chans - 1])
			c->chans[c->n_chans++] = c->chans[i];
}

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

void
peer_identify(struct peer *c, const char *home, const struct login *l, const char *session, int64_t expire)
{
	enum rt_state was = step_out(c);
	struct arena *a = arena_new();

	forget_user(c);
	if (l != NULL) {
		c->home = atom_get(0, str_c(home));
		c->user = atom_get(c->home, str_c(arena_printf(a, "user:%s", l->user->id)));
		c->user_pos = index_add(ATOM_WHO, c->user, (struct seat){c->num, UINT32_MAX});
		if (session != NULL)
			c->session = atom_get(c->home, str_c(session));
		c->expire = expire;
		who_watch(expire);
	}
	take_roles(c, l ? &l->roles : roles_guest());
	for (uint32_t i = 0; i < c->n_subs; i++)
		sub_rewrite(c, &c->subs[i], a);
	gather(c);
	arena_free(&a);
	step_in(c, was);
}

static bool
sub_is(const struct sub *s, struct str id)
{
	return str_is(id, s->id);
}

static bool
remove_subs(struct peer *c, struct str id)
{
	uint32_t kept = 0;
	bool any = false;

	for (uint32_t i = 0; i < c->n_subs; i++) {
		if (sub_is(&c->subs[i], id)) {
			sub_fini(c, &c->subs[i]);
			any = true;
		} else
			c->subs[kept++] = c->subs[i];
	}
	c->n_subs = kept;
	return any;
}

void
peer_subscribe(struct peer *c, struct str id, const struct str *asked, int n, struct filter *f, bool replace)
{
	enum rt_state was = step_out(c);
	struct arena *a = arena_new();
	struct sub *s;

	if (replace)
		remove_subs(c, id);
	c->subs = mem_realloc(c->subs, (c->n_subs + 1) * sizeof *c->subs);
	s = &c->subs[c->n_subs++];
	*s = (struct sub){.id = mem_zalloc(id.n + 1), .filter = f, .asked = mem_alloc((size_t)(n + 1) * sizeof *s->asked)};
	memcpy(s->id, id.p, id.n);
	c->filter_bytes += filter_size(f);
	for (int i = 0; i < n; i++) {
		atom_t name = atom_get(c->project, asked[i]);

		if (peer_has(s->asked, s->n_asked, name))
			atom_unref(name);
		else
			s->asked[s->n_asked++] = name;
	}
	sub_rewrite(c, s, a);
	gather(c);
	c->simple = c->by_url && c->n_subs == 1 && c->subs[0].filter == NULL;
	arena_free(&a);
	step_in(c, was);
}

bool
peer_unsubscribe(struct peer *c, struct str id)
{
	enum rt_state was = step_out(c);
	bool any = remove_subs(c, id);

	gather(c);
	c->simple = false;
	step_in(c, was);
	return any;
}

size_t
peer_channel_count(const struct peer *c)
{
	size_t n = 0;

	for (uint32_t i = 0; i < c->n_subs; i++)
		n += c->subs[i].n_asked;
	return n;
}

/* In the order of the subscriptions; what is derived from "account" last. */
void
peer_write_channels(struct jw *w, const struct peer *c, struct str only_id)
{
	atom_t *seen = mem_alloc((c->n_chans + 1) * sizeof *seen);
	uint32_t n = 0;

	jw_arr(w);
	for (uint32_t i = 0; i < c->n_subs; i++) {
		const struct sub *s = &c->subs[i];

		if (only_id.p != NULL && !sub_is(s, only_id))
			continue;
		for (uint32_t k = 0; k < s->n_chans; k++) {
			if (peer_has(seen, n, s->chans[k]))
				continue;
			seen[n++] = s->chans[k];
			jw_str(w, atom_text(s->chans[k]));
		}
	}
	jw_arr_end(w);
	free(seen);
}

/* ---- events ---- */

static bool
shares(const atom_t *a, uint32_t n, const atom_t *b, uint32_t m)
{
	for (uint32_t i = 0; i < m; i++)
		if (peer_has(a, n, b[i]))
			return true;
	return false;
}

bool
peer_concerned(const struct peer *c, const struct news *n)
{
	return c->project == n->space && shares(c->chans, c->n_chans, n->chans, (uint32_t)n->n_chans) &&
	    shares(c->roles, c->n_roles, n->role_atoms, (uint32_t)n->n_roles);
}

size_t
peer_matches(const struct peer *c, struct news *n, char *out, bool *later_out)
{
	const char *before = NULL;
	size_t at = 0, len;

	*later_out = false;
	for (uint32_t i = 0; i < c->n_subs; i++) {
		const struct sub *s = &c->subs[i];
		bool old = shares(s->chans, s->n_chans, n->chans, (uint32_t)n->n_old);

		if (!old && !shares(s->chans, s->n_chans, n->chans + n->n_old, (uint32_t)(n->n_chans - n->n_old)))
			continue;
		if (s->filter != NULL && !filter_match(s->filter, news_tree(n)))
			continue;
		*later_out |= !old;
		if (before != NULL && strcmp(before, s->id) == 0)
			continue;	/* another part of the same */
		before = s->id;
		len = strlen(s->id);
		if (at + len + 3 > MATCHES_MAX)
			break;
		if (at > 0)
			out[at++] = ',';
		out[at++] = '"';
		memcpy(out + at, s->id, len);
		at += len;
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
	if (c->ws == NULL)
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

/* ---- life ---- */

void
peer_free(struct peer *c)
{
	assert(c->ws == NULL && c->task == NULL && c->state == RT_CLOSED);
	for (uint32_t i = 0; i < c->n_subs; i++)
		sub_fini(c, &c->subs[i]);
	free(c->subs);
	forget_user(c);
	free(c->chans);
	atom_unref(c->project);
	peers[c->num] = NULL;
	free_list[n_free++] = c->num;
	c->magic = 0;
	free(c);
}

void
rt_ws_open(struct ws *w, struct http_msg *up)
{
	struct peer *c = peer_new(w);

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
	peer_move(c, RT_CLOSED);
	c->ws = NULL;
	metric_add(M_rt_connections, -1);
	if (c->task != NULL)
		task_abandon(c);
	else
		peer_free(c);
}
