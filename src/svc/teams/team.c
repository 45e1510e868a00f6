/* Teams and memberships. What must stay true: a team's total is the number of its confirmed memberships, and whoever gains or loses a
 * membership is told with the same commit. So whoever writes memberships first locks what they belong to, always in this order: the user,
 * then the team, then the memberships (user_delete too). */
#include "svc/teams/team.h"

#include "core/conf.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/record.h"
#include "model/roles.h"
#include "model/service.h"

enum { MEMBERSHIPS_MAX = 1000, PREFS_MAX = 65535 };	/* bytes */

static const struct field team_fields[] = {
	FIELD_HIDDEN(F_INT, struct team, internal, "t.internal"),
	FIELD(F_ID, struct team, id, "$id", "t.id", "Team ID.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_TIME, struct team, created, "$createdAt", "t.created", "Team creation date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_TIME, struct team, updated, "$updatedAt", "t.updated", "Team update date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_STR, struct team, name, "name", "t.name", "Team name.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_INT, struct team, total, "total", "t.total", "Number of members who accepted.", .flags = COL_ASKED),
	FIELD(F_JSON, struct team, prefs, "prefs", "t.prefs", "Preferences as a key-value object.", .since = SINCE_1_3),
};
const struct shape team_shape = SHAPE("team", struct team, team_fields);

static void
team_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct team *t = obj;

	(void)p;
	ev->ids[0] = t->id;
	ev->roles = roles_one(cx->arena, "team", t->id);
}

static const struct record teams = {
	.shape = &team_shape,
	.table = ":schema.teams",
	.alias = "t",
	.entity = "Team",
	.width = "octet_length(prefs)",
	.width_max = PREFS_MAX,
	.missing = ERR_TEAM_NOT_FOUND,
	.taken = ERR_TEAM_ALREADY_EXISTS,
	.concerns = team_concerns,
};

/* As user_has_factor has it. */
#define MEMBER_MFA "(u.mfa AND (u.totp OR (u.email_verification AND u.email <> '') OR (u.phone_verification AND u.phone <> '')))"
#define MEMBERSHIP_HEAD \
	FIELD_HIDDEN(F_INT, struct membership, internal, "m.internal"), \
	FIELD_HIDDEN(F_INT, struct membership, user_internal, "m.user_internal"), \
	FIELD_HIDDEN(F_INT, struct membership, team_internal, "m.team_internal"), \
	FIELD_HIDDEN(F_STR, struct membership, secret_hash, "m.secret_hash"), \
	FIELD_HIDDEN(F_STR, struct membership, sent_to, "m.sent_to", .flags = COL_NULL), \
	FIELD_HIDDEN(F_TIME_OR_NONE, struct membership, expire, "m.expire", .flags = COL_NULL), \
	FIELD_HIDDEN(F_INT, struct membership, epoch, "m.epoch"), \
	FIELD(F_ID, struct membership, id, "$id", "m.id", "Membership ID.", .flags = COL_ASKED | COL_SEARCH), \
	FIELD(F_TIME, struct membership, created, "$createdAt", "m.created", "Membership creation date in ISO 8601 format.", .flags = COL_ASKED), \
	FIELD(F_TIME, struct membership, updated, "$updatedAt", "m.updated", "Membership update date in ISO 8601 format.", .flags = COL_ASKED)
#define MEMBERSHIP_TAIL \
	FIELD(F_STR, struct membership, user_name, "userName", "u.name", "User name."), \
	FIELD(F_STR, struct membership, user_email, "userEmail", "u.email", "User e-mail address."), \
	FIELD(F_STR, struct membership, user_phone, "userPhone", "u.phone", "User phone number; empty for clients.", .since = SINCE_1_9_2), \
	FIELD(F_ID, struct membership, team_id, "teamId", "m.team_id", "Team ID.", .flags = COL_ASKED | COL_LOWER), \
	FIELD(F_STR, struct membership, team_name, "teamName", "t.name", "Team name."), \
	FIELD(F_TIME, struct membership, invited, "invited", "m.invited", "When the user was invited, in ISO 8601 format.", .flags = COL_ASKED), \
	FIELD(F_TIME_OR_NONE, struct membership, joined, "joined", "m.joined", "When the user accepted, in ISO 8601 format.", .flags = COL_ASKED | COL_NULL), \
	FIELD(F_BOOL, struct membership, confirm, "confirm", "m.confirm", "True when the invitation was accepted.", .flags = COL_ASKED), \
	FIELD(F_BOOL, struct membership, mfa, "mfa", MEMBER_MFA, "Whether the user is asked for a second factor.", .since = SINCE_1_5), \
	FIELD(F_TIME_OR_NONE, struct membership, user_accessed, "userAccessedAt", "u.accessed", "Last use of the account, by the day; empty for clients.", .since = SINCE_CONSOLES), \
	FIELD(F_STRS, struct membership, roles, "roles", "m.roles", "Roles in the team.", .flags = COL_ASKED)

static const struct field membership_fields[] = {
	MEMBERSHIP_HEAD,
	FIELD(F_STR, struct membership, user_id, "userId", "m.user_id", "User ID; empty where the project hides it.", .flags = COL_ASKED | COL_LOWER | COL_SEARCH),
	MEMBERSHIP_TAIL,
};
const struct shape membership_shape = SHAPE("membership", struct membership, membership_fields);

/* The same for those who are not told who it is: they cannot ask for it either, nor search or order by it. */
static const struct field membership_veiled_fields[] = {
	MEMBERSHIP_HEAD,
	FIELD(F_STR, struct membership, user_id, "userId", "m.user_id", "User ID; empty where the project hides it.", .flags = COL_LOWER),
	MEMBERSHIP_TAIL,
};
static const struct shape membership_veiled_shape = SHAPE("membership", struct membership, membership_veiled_fields);

void
membership_veil(const struct project *p, struct membership *m)
{
	m->user_name = p->shows.user_name ? m->user_name : NULL;
	m->user_email = p->shows.user_email ? m->user_email : NULL;
	m->user_phone = p->shows.user_phone ? m->user_phone : NULL;
	m->user_id = p->shows.user_id ? m->user_id : NULL;
	m->user_accessed = p->shows.accessed ? m->user_accessed : TIME_NONE;
	m->mfa = m->mfa && p->shows.mfa;
}

/* What events do not tell clients. */
static void
membership_hide(const struct project *p, struct event *ev)
{
	const struct { const char *key; bool shown; } members[] = {{"userName", p->shows.user_name}, {"userEmail", p->shows.user_email},
		{"userPhone", p->shows.user_phone}, {"userId", p->shows.user_id}, {"mfa", p->shows.mfa}, {"userAccessedAt", p->shows.accessed}};
	int n = 0;

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (!members[i].shown)
			ev->hide[n++] = members[i].key;
}

/* Every change of a membership may change what its user is allowed to see. */
static void
membership_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct membership *m = obj;

	ev->ids[0] = m->team_id;
	ev->ids[1] = m->id;
	ev->roles = roles_one(cx->arena, "team", m->team_id);
	ev->flags = EVENT_ROLES;
	ev->user = m->user_id;
	ev->stale[0] = user_stale_key(cx, p->id, m->user_id);
	membership_hide(p, ev);
}

#define MEMBERSHIPS(shape_)                                                                                \
	.shape = shape_, .table = ":schema.memberships", .alias = "m", .with = ":schema.users u, :schema.teams t", \
	.on = "u.internal = m.user_internal AND t.internal = m.team_internal", .entity = "Membership",     \
	.missing = ERR_MEMBERSHIP_NOT_FOUND, .taken = ERR_TEAM_INVITE_ALREADY_EXISTS, .concerns = membership_concerns

static const struct record memberships = {MEMBERSHIPS(&membership_shape)};
static const struct record memberships_veiled = {MEMBERSHIPS(&membership_veiled_shape)};

/* ---- what writers of memberships lock first ---- */

/* Keeps the user, if there still is one, from being deleted, and others from giving it roles meanwhile. */
static void
lock_user(struct db_tx *tx, const struct project *p, int64_t internal)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.users WHERE internal = $1::bigint FOR NO KEY UPDATE", p->schema), DB(pg_i64(cx->arena, internal)));
}

static void
team_lock_team(struct db_tx *tx, const struct project *p, int64_t internal)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.teams WHERE internal = $1::bigint FOR NO KEY UPDATE", p->schema),
	    DB(pg_i64(cx->arena, internal)));
}

/* Every request and every socket of a user carries the roles that its memberships give. The user is locked, so two that come at once do not both
 * fit; what is there from before there was a limit stays, and logins leave it out (model/login.c). */
static err_t
roles_fit(struct db_tx *tx, const struct project *p, int64_t user_internal)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT coalesce(sum(2 + cardinality(roles)), 0)::bigint FROM %s.memberships WHERE user_internal = $1::bigint AND confirm", p->schema),
	    DB(pg_i64(cx->arena, user_internal))));
	if (db_i64(r, 0, 0) <= conf.roles_max)
		return OK;
	return fail(cx, ERR_MEMBERSHIP_LIMIT_EXCEEDED, "roles=%lld", (long long)db_i64(r, 0, 0));
}

static void
add_to_total(struct db_tx *tx, const struct project *p, const struct membership *m, const char *change, int64_t now)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx,
	    arena_printf(cx->arena, "UPDATE %s.teams SET total = greatest(total %s, 0), updated = $2 WHERE internal = $1::bigint", p->schema, change),
	    DB(pg_i64(cx->arena, m->team_internal), pg_time(cx->arena, now)));
}

static struct membership *
membership_new(struct ctx *cx, const struct team *t, const struct user *u, const struct strs *roles, bool confirm)
{
	struct membership *m = arena_new_of(cx->arena, struct membership);

	record_init(cx, &memberships, m);
	m->user_internal = u->internal;
	m->user_id = u->id;
	m->user_name = u->name;
	m->user_email = u->email;
	m->user_phone = u->phone;
	m->user_accessed = u->accessed;
	m->mfa = u->mfa && user_has_factor(u);
	m->team_internal = t->internal;
	m->team_id = t->id;
	m->team_name = t->name;
	m->invited = m->created;
	m->joined = confirm ? m->created : TIME_NONE;
	m->confirm = confirm;
	m->expire = TIME_NONE;
	m->roles = *roles;
	return m;
}

static err_t
membership_insert(struct db_tx *tx, const struct project *p, struct membership *m)
{
	struct ctx *cx = tx_ctx(tx);
	err_t e = record_insert(tx, p, &memberships, m);

	if (e != ERR_DB || strcmp(db_sqlstate(cx), "23503") != 0)
		return e;
	/* foreign key: one of them went away */
	if (strstr(db_constraint(cx), "user") != NULL)
		return fail(cx, ERR_USER_NOT_FOUND, "user=%s", m->user_id);
	return fail(cx, ERR_TEAM_NOT_FOUND, "team=%s", m->team_id);
}

/* ---- teams ---- */

/* Projects name the team of the console that they belong to by its id: whoever made one under that id would own them. So a team that has projects stays,
 * and an id that projects name is taken. */
static err_t
team_without_projects(struct db_tx *tx, const struct project *p, const char *id, err_t otherwise)
{
	struct db_res *r;

	if (!p->console)
		return OK;
	TRY(tx_query(tx, &r, "SELECT 1 FROM badal.projects WHERE lower(team_id) = lower($1) LIMIT 1", DB(id)));
	return db_rows(r) == 0 ? OK : fail(tx_ctx(tx), otherwise, "team=%s has projects", id);
}

static err_t
team_create_tx(struct db_tx *tx, const struct project *p, struct team *t, const struct user *owner, const struct strs *roles)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev;

	if (owner != NULL)
		lock_user(tx, p, owner->internal);
	TRY(team_without_projects(tx, p, t->id, ERR_TEAM_ALREADY_EXISTS));
	TRY(record_insert(tx, p, &teams, t));
	ev = record_event(cx, p, &teams, &ev_team_create, owner ? owner->id : NULL, t);
	if (owner != NULL) {
		TRY(membership_insert(tx, p, membership_new(cx, t, owner, roles, true)));
		TRY(roles_fit(tx, p, owner->internal));
		ev.flags = EVENT_ROLES;
		ev.user = owner->id;
		ev.stale[0] = user_stale_key(cx, p->id, owner->id);
	}
	event_emit(tx, &ev);
	return OK;
}

err_t
team_create(struct ctx *cx, const struct project *p, const char *id, const char *name, const struct user *owner, const struct strs *roles,
    struct team **out)
{
	struct team *t = arena_new_of(cx->arena, struct team);

	*t = (struct team){.id = id, .name = name, .total = owner ? 1 : 0};
	record_init(cx, &teams, t);
	*out = t;
	return TX_RUN(cx, tx, team_create_tx(tx, p, t, owner, roles));
}

err_t
team_get(struct ctx *cx, const struct project *p, const char *id, struct team **out)
{
	*out = arena_new_of(cx->arena, struct team);
	return record_get(cx, p, &teams, rows_id(id), *out);
}

err_t
team_list(struct ctx *cx, const struct project *p, const struct user *member, const struct strs *queries, const char *search,
    struct query_page *out)
{
	struct rows w = {0};

	if (member != NULL) {
		w = rows_internal(cx, member->internal);
		w.where = arena_printf(cx->arena,
		    "@.internal IN (SELECT m.team_internal FROM %s.memberships m WHERE m.user_internal = $1::bigint AND m.confirm)", p->schema);
	}
	return record_list(cx, p, &teams, w, queries, search, out);
}

static err_t
team_set_name(struct db_tx *tx, const struct project *p, const struct team *t, const char *name, const char *actor, struct team *out)
{
	TRY(record_set(tx, p, &teams, rows_internal(tx_ctx(tx), t->internal), "name", &(struct team){.name = name}, out));
	record_emit(tx, p, &teams, &ev_team_update, actor, out);
	return OK;
}

err_t
team_rename(struct ctx *cx, const struct project *p, const struct team *t, const char *name, const char *actor, struct team **out)
{
	*out = arena_new_of(cx->arena, struct team);
	return TX_RUN(cx, tx, team_set_name(tx, p, t, name, actor, *out));
}

static err_t
team_put_prefs(struct db_tx *tx, const struct project *p, const struct team *t, struct str prefs, const char *actor, struct team *out)
{
	struct event ev;

	TRY(record_set(tx, p, &teams, rows_internal(tx_ctx(tx), t->internal), "prefs", &(struct team){.prefs = prefs}, out));
	ev = record_event(tx_ctx(tx), p, &teams, &ev_team_update_prefs, actor, out);
	ev.payload = out->prefs;
	event_emit(tx, &ev);
	return OK;
}

err_t
team_set_prefs(struct ctx *cx, const struct project *p, const struct team *t, const json_t *prefs, const char *actor, struct team **out)
{
	struct str text = preferences_text(cx, prefs);

	*out = arena_new_of(cx->arena, struct team);
	return TX_RUN(cx, tx, team_put_prefs(tx, p, t, text, actor, *out));
}

enum { TOLD_AT_ONCE = 200 };	/* about a millisecond; a server's team may have any number */

/* One internal event for each member: their connections lose the team's roles. After so many a question that asks nothing waits until they are sent: the loop turns, and
 * what is queued for PostgreSQL stays small. */
static err_t
emit_roles(struct db_tx *tx, const struct project *p, struct db_res *members)
{
	struct db_res *r;

	for (int i = 0; i < db_rows(members); i++) {
		const char *id = db_cstr(members, i, 0);

		if (db_bool(members, i, 1))
			event_emit(tx, &(struct event){.kind = &ev_roles_update, .project = p->id, .ids = {id}, .flags = EVENT_ROLES, .user = id,
				.stale = {user_stale_key(tx_ctx(tx), p->id, id)}});
		if (i % TOLD_AT_ONCE == TOLD_AT_ONCE - 1)
			TRY(tx_query(tx, &r, "SELECT 1", DB0));
	}
	return OK;
}

/* The team is locked first, with its key: no membership comes in behind those that are counted, and no project behind those that were looked for. */
static err_t
team_delete_tx(struct db_tx *tx, const struct project *p, const struct team *t, const char *actor)
{
	struct ctx *cx = tx_ctx(tx);
	const struct rows w = rows_internal(cx, t->internal);
	struct db_res *members;
	struct team now;

	TRY(record_lock_key(tx, p, &teams, w, &now));
	TRY(team_without_projects(tx, p, now.id, ERR_TEAM_NOT_EMPTY));
	TRY(tx_query(tx, &members,
	    arena_printf(cx->arena, "DELETE FROM %s.memberships WHERE team_internal = $1::bigint RETURNING user_id, confirm", p->schema), w.n, w.v));
	TRY(record_delete(tx, p, &teams, w, &now));
	record_emit(tx, p, &teams, &ev_team_delete, actor, &now);
	return emit_roles(tx, p, members);
}

err_t
team_delete(struct ctx *cx, const struct project *p, const struct team *t, const char *actor)
{
	return TX_RUN(cx, tx, team_delete_tx(tx, p, t, actor));
}

/* ---- memberships ---- */

static err_t
team_join(struct db_tx *tx, const struct project *p, struct membership *m, const struct invitation *invite, const char *actor)
{
	struct event ev = record_event(tx_ctx(tx), p, &memberships, &ev_membership_create, actor, m);

	lock_user(tx, p, m->user_internal);
	if (m->confirm)
		add_to_total(tx, p, m, "+ 1", m->created);
	else
		ev.flags = 0;
	TRY(membership_insert(tx, p, m));
	if (m->confirm)
		TRY(roles_fit(tx, p, m->user_internal));
	if (invite != NULL && invite->send != NULL)
		invite->send(tx, m, invite->arg);
	event_emit(tx, &ev);
	return OK;
}

static void
membership_invite(struct membership *m, const struct invitation *i, const struct user *u)
{
	m->secret_hash = i->secret_hash;
	m->sent_to = i->sent_to;
	m->expire = time_now_ms() + conf.life_invitation;
	m->epoch = u->epoch;
}

/* An e-mail address may begin with + as well. */
bool
membership_by_phone(const struct membership *m)
{
	return m->sent_to != NULL && m->sent_to[0] == '+' && strchr(m->sent_to, '@') == NULL;
}

/* Can the invitation still be accepted? */
static bool
invitation_good(const struct membership *m, const struct user *u)
{
	int64_t end = m->expire != TIME_NONE ? m->expire : m->invited + conf.life_invitation;
	const char *address = membership_by_phone(m) ? u->phone : u->email;

	return m->epoch == u->epoch && end >= time_now_ms() && (m->sent_to == NULL || (address != NULL && str_ieq(str_c(m->sent_to), str_c(address))));
}

static struct rows
rows_pair(struct ctx *cx, const struct membership *m)
{
	return (struct rows){"@.team_internal = $1::bigint AND @.user_internal = $2::bigint", 2, {pg_i64(cx->arena, m->team_internal), pg_i64(cx->arena, m->user_internal)}};
}

/* A server adds somebody who is only invited so far: they need not accept any more. */
static err_t
join_invited(struct db_tx *tx, const struct project *p, struct membership *m, const char *actor)
{
	const struct membership yes = {.confirm = true, .joined = time_now_ms(), .roles = m->roles};
	struct ctx *cx = tx_ctx(tx);
	struct membership was;

	lock_user(tx, p, m->user_internal);
	team_lock_team(tx, p, m->team_internal);
	TRY(record_lock(tx, p, &memberships, rows_pair(cx, m), &was));
	if (was.confirm)
		return fail(cx, ERR_MEMBERSHIP_ALREADY_CONFIRMED, "id=%s", was.id);
	add_to_total(tx, p, m, "+ 1", yes.joined);
	TRY(record_set(tx, p, &memberships, rows_internal(cx, was.internal), "confirm joined roles", &yes, m));
	TRY(roles_fit(tx, p, m->user_internal));
	record_emit(tx, p, &memberships, &ev_membership_status, actor, m);
	return OK;
}

/* Somebody who is invited already, by an invitation that is over, gets another one. */
static err_t
invite_again(struct db_tx *tx, const struct project *p, struct membership *m, const struct user *u, const struct invitation *i, const char *actor)
{
	const struct rows w = rows_pair(tx_ctx(tx), m);
	bool today = tx_ctx(tx)->format >= SINCE_1_9;	/* then whoever is invited is so again */
	struct membership was, n = *m;
	struct user now;

	TRY(user_lock(tx, p, u, &now));
	team_lock_team(tx, p, m->team_internal);
	TRY(record_lock(tx, p, &memberships, w, &was));
	if (was.confirm || (!today && invitation_good(&was, &now)) || now.epoch != u->epoch)
		return fail(tx_ctx(tx), today && was.confirm ? ERR_MEMBERSHIP_ALREADY_CONFIRMED : ERR_TEAM_INVITE_ALREADY_EXISTS, "id=%s", was.id);
	membership_invite(&n, i, &now);
	n.invited = time_now_ms();
	TRY(record_set(tx, p, &memberships, rows_internal(tx_ctx(tx), was.internal), "secret_hash sent_to expire epoch invited roles", &n, m));
	if (i->send != NULL)
		i->send(tx, m, i->arg);
	record_emit(tx, p, &memberships, &ev_membership_update, actor, m);
	return OK;
}

err_t
membership_create(struct ctx *cx, const struct project *p, const struct team *t, const struct user *u, const struct strs *roles,
    const struct invitation *i, const char *actor, struct membership **out)
{
	struct membership *m = membership_new(cx, t, u, roles, i == NULL);
	err_t e;

	if (i != NULL)
		membership_invite(m, i, u);
	*out = m;
	e = TX_RUN(cx, tx, team_join(tx, p, m, i, actor));
	if (e != ERR_TEAM_INVITE_ALREADY_EXISTS || (i == NULL && cx->format < SINCE_1_9))
		return e;
	return TX_RUN(cx, tx, i != NULL ? invite_again(tx, p, m, u, i, actor) : join_invited(tx, p, m, actor));
}

err_t
membership_get(struct ctx *cx, const struct project *p, const char *id, struct membership **out)
{
	*out = arena_new_of(cx->arena, struct membership);
	return record_get(cx, p, &memberships, rows_id(id), *out);
}

err_t
membership_list(struct ctx *cx, const struct project *p, const struct team *t, bool veiled, const struct strs *queries, const char *search,
    struct query_page *out)
{
	struct rows w = {"@.team_internal = $1::bigint", 1, {pg_i64(cx->arena, t->internal)}};

	if (!veiled || p->shows.user_id)
		return record_list(cx, p, &memberships, w, queries, search, out);
	if (search != NULL && search[0] != '\0')	/* the words that are searched have the user's id among them */
		w = (struct rows){"@.team_internal = $1::bigint AND lower(@.id) = lower($2)", 2, {w.v[0], search}};
	return record_list(cx, p, &memberships_veiled, w, queries, NULL, out);
}

err_t
membership_list_user(struct ctx *cx, const struct project *p, const struct user *u, const struct strs *queries, const char *search, struct query_page *out)
{
	const struct rows w = {"@.user_internal = $1::bigint", 1, {pg_i64(cx->arena, u->internal)}};

	return record_list(cx, p, &memberships, w, queries, search, out);
}

err_t
membership_all_user(struct ctx *cx, const struct project *p, const struct user *u, struct objs *out)
{
	const struct rows w = {"@.user_internal = $1::bigint", 1, {pg_i64(cx->arena, u->internal)}};

	return record_all(cx, p, &memberships, w, MEMBERSHIPS_MAX, out);
}

/* A team of the console keeps an owner. The team is locked: two owners do not go at once. */
static err_t
check_owner_left(struct db_tx *tx, const struct project *p, const struct membership *was, err_t prohibited)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	if (!p->console || cx->format < SINCE_1_6 || !was->confirm || !roles_have(&was->roles, "owner"))
		return OK;
	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT 1 FROM %s.memberships WHERE team_internal = $1::bigint AND internal <> $2::bigint AND confirm AND 'owner' = ANY (roles) LIMIT 1", p->schema),
	    DB(pg_i64(cx->arena, was->team_internal), pg_i64(cx->arena, was->internal))));
	return db_rows(r) > 0 ? OK : fail(cx, prohibited, "id=%s", was->id);
}

static err_t
set_roles(struct db_tx *tx, const struct project *p, const struct membership *m, const struct strs *roles, const char *actor, struct membership *out)
{
	const struct rows w = rows_internal(tx_ctx(tx), m->internal);
	struct membership was;

	lock_user(tx, p, m->user_internal);
	if (p->console)
		team_lock_team(tx, p, m->team_internal);
	TRY(record_lock(tx, p, &memberships, w, &was));
	if (!roles_have(roles, "owner"))
		TRY(check_owner_left(tx, p, &was, ERR_MEMBERSHIP_DOWNGRADE_PROHIBITED));
	TRY(record_set(tx, p, &memberships, w, "roles", &(struct membership){.roles = *roles}, out));
	if (out->confirm && out->roles.n > was.roles.n)
		TRY(roles_fit(tx, p, m->user_internal));
	record_emit(tx, p, &memberships, &ev_membership_update, actor, out);
	return OK;
}

err_t
membership_set_roles(struct ctx *cx, const struct project *p, const struct membership *m, const struct strs *roles, const char *actor,
    struct membership **out)
{
	*out = arena_new_of(cx->arena, struct membership);
	return TX_RUN(cx, tx, set_roles(tx, p, m, roles, actor, *out));
}

/* Since the membership was found it may have been accepted, got other roles, or another invitation. */
static err_t
confirm(struct db_tx *tx, const struct project *p, const struct membership *m, struct membership *out, struct user *u, bool *took_over)
{
	const struct membership yes = {.confirm = true, .joined = time_now_ms()};
	const struct rows w = rows_internal(tx_ctx(tx), m->internal);
	const struct user_proof proof = {.of = m->sent_to == NULL ? PROVES_NOTHING : membership_by_phone(m) ? PROVES_PHONE : PROVES_EMAIL, .took_over_out = took_over};

	TRY(user_lock(tx, p, &(struct user){.internal = m->user_internal}, u));
	team_lock_team(tx, p, m->team_internal);
	TRY(record_lock(tx, p, &memberships, w, out));
	if (out->confirm)
		return fail(tx_ctx(tx), ERR_MEMBERSHIP_ALREADY_CONFIRMED, "id=%s", m->id);
	if (strcmp(out->secret_hash, m->secret_hash) != 0 || !invitation_good(out, u))
		return fail(tx_ctx(tx), ERR_TEAM_INVALID_SECRET, "over: %s", m->id);
	TRY(user_prove(tx, p, u, &proof, u));
	add_to_total(tx, p, out, "+ 1", yes.joined);
	TRY(record_set(tx, p, &memberships, w, "confirm joined", &yes, out));
	TRY(roles_fit(tx, p, out->user_internal));
	record_emit(tx, p, &memberships, &ev_membership_status, m->user_id, out);
	return OK;
}

err_t
membership_confirm(struct ctx *cx, const struct project *p, const struct membership *m, struct membership **out, struct user **u_out,
    bool *took_over_out)
{
	*out = arena_new_of(cx->arena, struct membership);
	*u_out = arena_new_of(cx->arena, struct user);
	return TX_RUN(cx, tx, confirm(tx, p, m, *out, *u_out, took_over_out));
}

static err_t
team_leave(struct db_tx *tx, const struct project *p, const struct membership *m, const char *actor)
{
	const struct rows w = rows_internal(tx_ctx(tx), m->internal);
	struct membership now;

	team_lock_team(tx, p, m->team_internal);
	if (p->console) {
		TRY(record_lock(tx, p, &memberships, w, &now));
		TRY(check_owner_left(tx, p, &now, ERR_MEMBERSHIP_DELETION_PROHIBITED));
	}
	TRY(record_delete(tx, p, &memberships, w, &now));
	if (now.confirm)
		add_to_total(tx, p, &now, "- 1", time_now_ms());
	record_emit(tx, p, &memberships, &ev_membership_delete, actor, &now);
	return OK;
}

err_t
membership_delete(struct ctx *cx, const struct project *p, const struct membership *m, const char *actor)
{
	return TX_RUN(cx, tx, team_leave(tx, p, m, actor));
}

/* ---- who resumes ---- */

/* Of a membership that is gone only that it went: what was told of it before names a person who is no longer there. */
err_t
memberships_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n)
{
	const char **ids = arena_array(cx->arena, const char *, n);
	struct db_res *r;

	(void)roles;		/* the team's members are told, as the event was for them */
	for (int i = 0; i < n; i++)
		ids[i] = str_lower(cx->arena, str_c(v[i]->ids[1])).p;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT lower(id) FROM %s.memberships WHERE lower(id) = ANY ($1::text[])", p->schema),
	    DB(pg_array(cx->arena, ids, n))));
	for (int i = 0; i < n; i++) {
		v[i]->yes = v[i]->gone;
		for (int row = 0; row < db_rows(r) && !v[i]->yes; row++)
			v[i]->yes = strcmp(ids[i], db_cstr(r, row, 0)) == 0;
	}
	return OK;
}
