/* Who a connection is: logins as fresh as the events that have been delivered, and what role events do to the connected.
 *
 * The rule: a login read before an event that changes roles is never put on a connection after that event. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/vtime.h"
#include "model/roles.h"

enum { TRIES_MAX = 20, WORK_TOLD = 64 };

/* Runs `read` until no role event came in between: the second time the cache answers, unless that event concerned its user. */
#define FRESH(read)                                                   \
	do {                                                          \
		uint64_t before_;                                     \
		int tries_ = 0;                                       \
                                                                      \
		do {                                                  \
			before_ = fanout_role_changes();              \
			TRY(read);                                    \
		} while (before_ != fanout_role_changes() && ++tries_ < TRIES_MAX); \
		if (tries_ == TRIES_MAX)                              \
			return fail(cx, ERR_BUSY, "roles change too fast"); \
	} while (0)

/* Nobody here: who is blocked, or has to set a password first. */
static void
drop_blocked(struct login **l)
{
	if (*l != NULL && (!(*l)->user->status || (*l)->user->reset))
		*l = NULL;
}

err_t
who_by_token(struct ctx *cx, const struct project *p, struct str token, struct login **out)
{
	FRESH(login_by_token(cx, p, token, out));
	drop_blocked(out);
	return OK;
}

err_t
who_by_tokens(struct ctx *cx, const struct project *p, const struct login_tokens *t, struct login **out)
{
	int which;

	FRESH(login_by_tokens(cx, p, t, out, &which));
	drop_blocked(out);
	return OK;
}

err_t
who_by_jwt(struct ctx *cx, const struct project *p, struct str jwt, struct login **out)
{
	FRESH(login_by_jwt(cx, p, jwt, out));
	drop_blocked(out);
	return OK;
}

err_t
who_as_other(struct ctx *cx, const struct project *p, struct str id, struct str email, struct str phone, struct login **l)
{
	const char *by_id = id.n > 0 ? str_dup(cx->arena, id) : NULL, *by_email = email.n > 0 ? str_dup(cx->arena, email) : NULL,
		   *by_phone = phone.n > 0 ? str_dup(cx->arena, phone) : NULL;
	struct login *other, *as = arena_new_of(cx->arena, struct login);
	struct user *u = arena_new_of(cx->arena, struct user);

	if (by_id == NULL && by_email == NULL && by_phone == NULL)
		return OK;
	FRESH(login_by_address(cx, p, by_id, by_email, by_phone, &other));
	drop_blocked(&other);
	if (other == NULL || other->user->internal == (*l)->user->internal || (user_wants_two(other->user) && !(*l)->twofold))
		return OK;
	*u = *other->user;
	*as = *other;
	user_seen_by_other(u, (*l)->user->id);
	as->user = u;
	as->session = (*l)->session;
	as->expire = (*l)->expire;
	as->twofold = (*l)->twofold;
	*l = as;
	return OK;
}

bool
who_owns(struct ctx *cx, const struct project *p, const struct login *l)
{
	return p->team_id != NULL && roles_in_team(cx->arena, &l->roles, p->team_id, NULL);
}

/* Whoever may not act as the other any more is nobody: they asked to be that one. */
static err_t
who_still_other(struct ctx *cx, const struct peer *c, const struct project *home, struct str as, struct login **l)
{
	if ((*l)->user->impersonator && !peer_half(c, *l))
		TRY(who_as_other(cx, home, as, STR_NONE, STR_NONE, l));
	if ((*l)->user->impersonated_by == NULL)
		*l = NULL;
	return OK;
}

err_t
who_refresh(struct ctx *cx, struct peer *c)
{
	struct project *home, *p;
	struct login *l = NULL;
	const char *user, *session, *home_id;
	int64_t expire = c->expire;
	atom_t was = c->user;
	struct str as;

	if (was == 0)
		return OK;
	user = str_dup(cx->arena, peer_real_uid(c));
	as = c->real != 0 ? str_c(str_dup(cx->arena, peer_uid(c))) : STR_NONE;
	session = c->session ? str_dup(cx->arena, atom_text(c->session)) : NULL;
	home_id = str_dup(cx->arena, atom_text(c->home));
	TRY(project_get(cx, str_c(home_id), &home));
	TRY(project_get(cx, atom_text(c->project), &p));
	FRESH(login_by_id(cx, home, user, session, &l));
	drop_blocked(&l);
	if (l != NULL && ((c->admin && !who_owns(cx, p, l)) || (c->epoch >= 0 && l->user->epoch != c->epoch)))
		l = NULL;
	if (l != NULL && as.n > 0)
		TRY(who_still_other(cx, c, home, as, &l));
	if (c->ws != NULL && c->user == was)	/* else it lost the identity meanwhile */
		peer_identify(c, home_id, l, session, expire);
	return OK;
}

/* ---- role events ---- */

static bool
ends(const struct news *n, const struct peer *c)
{
	if (n->flags & EVENT_USER_GONE)
		return true;
	if (!(n->flags & EVENT_LOGOUT) || c->session == 0)
		return false;
	if (c->real != 0 && !str_eq(n->user, peer_real_uid(c)))
		return false;		/* the other's sessions */
	return n->ids[1] == NULL || str_is(atom_text(c->session), n->ids[1]);
}

/* The position right before p. */
static struct stream_pos
who_before(struct stream_pos p)
{
	if (p.index > 0)
		return (struct stream_pos){p.lsn, p.index - 1};
	return (struct stream_pos){p.lsn - 1, UINT64_MAX};
}

static void
who_apply(const struct news *n, struct peer *c)
{
	if (c->ws == NULL || c->state == RT_REFUSED || c->state == RT_OPENING)
		return;		/* a handshake looks again by itself */
	if (ends(n, c)) {
		peer_identify(c, "", NULL, NULL, INT64_MAX);
		return;
	}
	if (!(n->flags & EVENT_ROLES))
		return;
	c->stale = true;
	if (c->state != RT_LIVE)
		return;
	/* Who has received the event by the old roles does not get it again by the new ones; others may. A console user's event is not of the
	 * project that is looked at, nor of its shard. */
	if (c->home != c->project || c->entered == fanout_number())	/* the latter came in behind the event */
		c->at = fanout_pos(c);
	else
		c->at = fanout_received(c) ? n->pos : who_before(n->pos);
	peer_move(c, RT_CATCHING);
	task_settle(c);
}

/* Those whom the event at hand concerns: noted at once, since telling them changes the list. */
static struct {
	bool begun;
	atom_t user;
	uint32_t *nums, n, next;
} told;

static void
note_all(const struct news *n)
{
	atom_t home = atom_find(0, n->project);
	struct arena *a = arena_new();
	atom_t user = home ? atom_find(home, str_c(arena_printf(a, "user:%.*s", STR_FMT(n->user)))) : 0;
	const struct seat *v = NULL;
	uint32_t count = 0;

	arena_free(&a);
	told.begun = true;
	if (user == 0)
		return;
	v = index_list(ATOM_WHO, user, &count);
	told.user = atom_ref(user);
	told.nums = mem_alloc((count + 1) * sizeof *told.nums);
	for (told.n = 0; told.n < count; told.n++)
		told.nums[told.n] = v[told.n].conn;
}

bool
who_tell(const struct news *n, int64_t *left)
{
	if (n->flags == 0 || n->user.n == 0) {
		place_event(n);
		return true;
	}
	if (!told.begun)
		note_all(n);
	for (; told.next < told.n && *left > 0; told.next++) {
		struct peer *c = peer_by_num(told.nums[told.next]);
		uint64_t changes = seats_changes();

		if (c == NULL || (c->user != told.user && c->real != told.user))
			continue;	/* the number is somebody else's by now, or the connection is */
		who_apply(n, c);
		*left -= WORK_TOLD + (int64_t)(seats_changes() - changes);
	}
	return told.next == told.n;
}

void
who_told(void)
{
	atom_unref(told.user);
	free(told.nums);
	memset(&told, 0, sizeof told);
}

