/* Who is calling: logins resolved from tokens, cached per process.
 *
 * The rule: an entry counts only while the generation of its user, read before its rows were, has not moved. Entries are immutable and
 * counted; a context that got one holds a reference until it ends. */
#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/gen.h"
#include "core/id.h"
#include "core/json.h"
#include "core/log.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/event.h"
#include "model/jwt.h"
#include "model/pack.h"
#include "model/roles.h"
#include "model/seal.h"

enum { ENTRY_MAGIC = 0x6c6f6769, TOKEN_MAX = 4096, JWT_LEEWAY = 10 };
enum { FALLBACK_VALUES = 500 };	/* clients keep a token for each project: more is made to have us read it */

struct entry {			/* one allocation: everything it points to follows it */
	unsigned magic;		/* ENTRY_MAGIC */
	unsigned refs;		/* the cache's and one per context */
	uint64_t stale;		/* stable hash of user_stale_key */
	uint32_t gen;		/* its generation before the rows were read */
	struct login login;
	struct user user;
	struct session session;
};

struct key {
	int64_t project;
	unsigned char tag[SEAL_TAG_LEN];
};

/* Somebody with very many roles has a login of a hundred times the size, and as many logins as sessions: such ones have a small cache of their own. */
enum { LARGE = 8192, LARGE_ENTRIES = 256 };

static struct lru *cache, *cache_large;

static void
login_entry_unref(void *arg)
{
	struct entry *e = arg;

	assert(e->magic == ENTRY_MAGIC && e->refs > 0);
	if (--e->refs == 0)
		free(e);
}

static struct login *
login_entry_use(struct ctx *cx, struct entry *e)
{
	e->refs++;
	defer(cx, login_entry_unref, e);
	return &e->login;
}

/* ---- packing ---- */

static void
pack_members(struct pack *k, struct login *to, const struct login *l)
{
	struct membership_role *all = pack_room(k, sizeof *l->members * (size_t)l->n_members);

	for (int i = 0; i < l->n_members; i++) {
		struct membership_role m = {
			.id = pack_str(k, l->members[i].id),
			.team_id = pack_str(k, l->members[i].team_id),
			.roles = pack_strs(k, &l->members[i].roles),
			.joined = l->members[i].joined,
		};

		if (all != NULL)
			all[i] = m;
	}
	if (to != NULL)
		to->members = all;
}

static struct entry *
pack_login(struct pack *k, const struct login *l)
{
	struct entry *to = pack_room(k, sizeof *to);
	struct strs roles;
	int64_t *since;

	shape_pack(k, &user_shape, to ? &to->user : NULL, l->user);
	if (l->session != NULL)
		shape_pack(k, &session_shape, to ? &to->session : NULL, l->session);
	if (to != NULL) {
		to->login = *l;
		to->login.user = &to->user;
		to->login.session = l->session ? &to->session : NULL;
		to->session.user_agent = NULL;	/* of new ones alone */
	}
	pack_members(k, to ? &to->login : NULL, l);
	roles = pack_strs(k, &l->roles);
	since = pack_room(k, sizeof *since * (size_t)l->roles.n);
	if (to == NULL)
		return NULL;
	memcpy(since, l->since, sizeof *since * (size_t)l->roles.n);
	to->login.roles = roles;
	to->login.since = since;
	return to;
}

static struct entry *
entry_new(const struct login *l, size_t *size_out)
{
	struct pack k = {0};
	struct entry *e;

	(void)pack_login(&k, l);
	pack_begin(&k);
	e = pack_login(&k, l);
	e->magic = ENTRY_MAGIC;
	*size_out = k.n;
	return e;
}

/* ---- the cache ---- */

static struct str
key_str(const struct key *k)
{
	return (struct str){(const char *)k, sizeof *k};
}

static struct entry *
cached_in(struct lru *l, const struct key *k)
{
	struct entry *e = l ? lru_get(l, key_str(k)) : NULL;

	if (e == NULL || (e->gen == gen_of_hash(e->stale) && e->login.expire >= time_now_ms()))
		return e;
	lru_del(l, key_str(k));
	return NULL;
}

static struct login *
login_cache_get(struct ctx *cx, const struct key *k)
{
	struct entry *e = cached_in(cache, k);

	if (e == NULL)
		e = cached_in(cache_large, k);
	if (e == NULL) {
		metric_add(M_cache_misses, 1);
		return NULL;
	}
	metric_add(M_cache_hits, 1);
	return login_entry_use(cx, e);
}

static struct login *
cache_put(struct ctx *cx, const struct key *k, const struct login *l, uint64_t stale, uint32_t gen)
{
	size_t size;
	struct entry *e = entry_new(l, &size);

	if (cache == NULL) {
		cache = lru_new(conf.cache_entries > 0 ? (size_t)conf.cache_entries : 1, login_entry_unref);
		cache_large = lru_new(LARGE_ENTRIES, login_entry_unref);
	}
	e->stale = stale;
	e->gen = gen;
	e->refs = 1;
	lru_put(size > LARGE ? cache_large : cache, key_str(k), e);
	return login_entry_use(cx, e);
}

/* ---- use ---- */

enum { TOUCH_EVERY = 24 * 3600 * 1000 };	/* ms */

bool
login_touch_due(const struct login *l)
{
	return l->user->accessed == TIME_NONE || l->user->accessed <= time_now_ms() - TOUCH_EVERY;
}

/* Another machine may have noted it already: then what is remembered here is old. */
void
login_touch(struct ctx *cx, const struct project *p, const struct login *l)
{
	const struct user *u = l->user;
	int64_t now = time_now_ms();
	struct event ev = {.kind = &ev_roles_update, .project = p->id, .ids = {u->id}, .user = u->id, .stale = {user_stale_key(cx, p->id, u->id)}};
	struct db_res *r;
	err_t e;

	if (!login_touch_due(l))
		return;
	e = event_write(cx, &ev, &r,
	    arena_printf(cx->arena,
		"UPDATE %s.users AS u SET accessed = $2::timestamptz WHERE u.internal = $1::bigint AND (u.accessed IS NULL OR u.accessed <= $3::timestamptz) "
		"RETURNING u.internal",
		p->schema),
	    DB(pg_i64(cx->arena, u->internal), pg_time(cx->arena, now), pg_time(cx->arena, now - TOUCH_EVERY)));
	if (e != OK)
		log_warn(cx, "cannot note the use of an account", "user=%s error=%s", u->id, cx->detail ? cx->detail : "");
	else if (db_rows(r) == 0)
		gen_bump(str_c(ev.stale[0]));
}

/* ---- reading ---- */

static struct strs
login_strs_of_json(struct ctx *cx, const json_t *list)
{
	struct strs s = {.set = true, .v = arena_array(cx->arena, const char *, json_array_size(list) + 1)};

	for (size_t i = 0; i < json_array_size(list); i++)
		s.v[s.n++] = str_dup(cx->arena, json_str(json_array_get(list, i)));
	return s;
}

/* The text is our own SQL's: [[id, team, [role…], joined]…]. */
static void
read_members(struct ctx *cx, struct login *l, struct str text)
{
	const json_t *list = text.n > 0 ? json_parse(cx, text, NULL) : NULL;

	l->members = arena_array(cx->arena, struct membership_role, json_array_size(list) + 1);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *m = json_array_get(list, i);

		l->members[l->n_members++] = (struct membership_role){
			.id = str_dup(cx->arena, json_str(json_array_get(m, 0))),
			.team_id = str_dup(cx->arena, json_str(json_array_get(m, 1))),
			.roles = login_strs_of_json(cx, json_array_get(m, 2)),
			.joined = (int64_t)json_number_value(json_array_get(m, 3)),
		};
	}
}

/* The oldest ones, as many as together give roles_max roles: rows from before there was a limit may give more. */
static const char *
members_sql(struct ctx *cx, const char *schema)
{
	return arena_printf(cx->arena,
	    "(SELECT json_agg(json_build_array(m.id, m.team_id, m.roles, (extract(epoch FROM coalesce(m.joined, m.created)) * 1000)::bigint) ORDER BY m.internal) "
	    "FROM (SELECT id, team_id, roles, joined, created, internal, sum(2 + cardinality(roles)) OVER (ORDER BY internal) AS n "
	    "FROM %s.memberships WHERE user_internal = u.internal AND confirm ORDER BY internal LIMIT %lld) m WHERE m.n <= %lld)",
	    schema, (long long)conf.roles_max / 2, (long long)conf.roles_max);
}

enum { MANY_MEMBERS = 4096 };	/* bytes */

static err_t
login_pause(struct ctx *cx, struct str members)
{
	return members.n > MANY_MEMBERS ? fib_yield(cx) : OK;
}

static int
n_columns(const struct shape *s)
{
	int n = 0;

	for (int i = 0; i < s->n; i++)
		n += s->fields[i].column != NULL;
	return n;
}

/* Columns: memberships, the end of the session, the session's when there is an `s` for them, the user's. Thousands of roles are read in pieces: whoever has them
 * may ask for them again and again. */
static err_t
login_read_login(struct ctx *cx, const struct db_res *r, struct session *s, struct login **out)
{
	struct login *l = *out = arena_new_of(cx->arena, struct login);
	struct str members = db_str(r, 0, 0);

	l->expire = db_null(r, 0, 1) ? INT64_MAX : db_time(r, 0, 1);
	l->user = arena_new_of(cx->arena, struct user);
	if (s != NULL)
		shape_read(cx, &session_shape, s, r, 0, 2);
	shape_read(cx, &user_shape, l->user, r, 0, s != NULL ? 2 + n_columns(&session_shape) : 2);
	l->twofold = s != NULL && session_shown_two(s);
	l->half = s != NULL && user_wants_more(l->user, &s->factors);
	TRY(login_pause(cx, members));
	read_members(cx, l, members);
	TRY(login_pause(cx, members));
	l->roles = roles_of(cx->arena, l->user, l->members, l->n_members, &l->since);
	return login_pause(cx, members);
}

/* ---- tokens ---- */

/* base64 of {"id":…,"secret":…}; false for anything else. */
static bool
token_decode(struct ctx *cx, struct str token, struct str *id_out, struct str *secret_out)
{
	struct str text;
	const json_t *j;

	if (token.n == 0 || token.n > TOKEN_MAX || !base64_decode(cx->arena, token, false, &text))
		return false;
	j = json_parse(cx, text, NULL);
	if (!json_is_object(j))
		return false;
	*id_out = json_str(json_object_get(j, "id"));
	*secret_out = json_str(json_object_get(j, "secret"));
	return id_valid(*id_out) && secret_out->n > 0;
}

err_t
login_by_token(struct ctx *cx, const struct project *p, struct str token, struct login **out)
{
	struct key k = {.project = p->internal};
	struct session *s = arena_new_of(cx->arena, struct session);
	struct str id, secret;
	struct login *l;
	struct db_res *r;
	uint64_t stale;
	uint32_t gen;

	*out = NULL;
	if (token.n == 0 || token.n > TOKEN_MAX)
		return OK;
	seal_tag(token, k.tag);
	if ((*out = login_cache_get(cx, &k)) != NULL)
		return OK;
	if (!token_decode(cx, token, &id, &secret))
		return OK;
	stale = str_hash_stable(str_c(user_stale_key(cx, p->id, str_dup(cx->arena, id))));
	gen = gen_of_hash(stale);
	TRY(db_query(cx, &r,
	    arena_printf(cx->arena,
		"SELECT %s, s.expire, %s, %s FROM %s.sessions s JOIN %s.users u ON u.internal = s.user_internal "
		"WHERE s.secret_hash = $1 AND lower(u.id) = lower($2) AND s.expire >= $3::timestamptz",
		members_sql(cx, p->schema), shape_columns(&session_shape), shape_columns_in(cx->arena, &user_shape, p->schema), p->schema, p->schema),
	    DB(sha256_hex(cx->arena, secret), str_dup(cx->arena, id), pg_time(cx->arena, time_now_ms()))));
	if (db_rows(r) == 0)
		return OK;
	TRY(login_read_login(cx, r, s, &l));
	l->session = s;
	s->current = true;
	*out = cache_put(cx, &k, l, stale, gen);
	return OK;
}

err_t
login_by_id(struct ctx *cx, const struct project *p, const char *user_id, const char *session_id, struct login **out)
{
	struct key k = {.project = p->internal};
	struct session named = {0};
	struct login *l;
	struct db_res *r;
	uint64_t stale;
	uint32_t gen;

	/* '!' cannot begin a token, nor be in an id: the two kinds of keys never meet */
	seal_tag(str_c(arena_printf(cx->arena, "!%s!%s", user_id, session_id ? session_id : "")), k.tag);
	if ((*out = login_cache_get(cx, &k)) != NULL)
		return OK;
	stale = str_hash_stable(str_c(user_stale_key(cx, p->id, user_id)));
	gen = gen_of_hash(stale);
	TRY(db_query(cx, &r,
	    arena_printf(cx->arena,
		"SELECT %s, s.expire, %s%s%s FROM %s.users u LEFT JOIN %s.sessions s ON lower(s.id) = lower($2::text) AND s.user_internal = u.internal "
		"WHERE lower(u.id) = lower($1) AND ($2::text IS NULL OR s.expire >= $3::timestamptz)",
		members_sql(cx, p->schema), session_id ? shape_columns(&session_shape) : "", session_id ? ", " : "", shape_columns_in(cx->arena, &user_shape, p->schema), p->schema, p->schema),
	    DB(user_id, session_id, pg_time(cx->arena, time_now_ms()))));
	if (db_rows(r) == 0)
		return OK;
	TRY(login_read_login(cx, r, session_id ? &named : NULL, &l));
	*out = cache_put(cx, &k, l, stale, gen);
	return OK;
}

err_t
login_by_address(struct ctx *cx, const struct project *p, const char *id, const char *email, const char *phone, struct login **out)
{
	struct db_res *r;

	*out = NULL;
	if (id != NULL)
		return id_valid(str_c(id)) ? login_by_id(cx, p, id, NULL, out) : OK;
	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT id FROM %s.users WHERE %s = $1", p->schema, email ? "lower(email)" : "phone"),
	    DB(email ? str_lower(cx->arena, str_c(email)).p : phone)));
	return db_rows(r) > 0 ? login_by_id(cx, p, db_cstr(r, 0, 0), NULL, out) : OK;
}

/* ---- JSON web tokens ---- */

char *
login_jwt(struct ctx *cx, const struct project *p, const struct user *u, const char *session, int64_t life_ms)
{
	/* the epoch is left out while it is 0: the payload of the contract has three members */
	const char *epoch = u->epoch > 0 ? arena_printf(cx->arena, ",\"epoch\":%lld", (long long)u->epoch) : "";
	/* ids are chosen by who makes users and projects, and may be those of others in other projects, or of who was there before */
	const char *whose = session[0] == '\0' ? arena_printf(cx->arena, ",\"project\":\"%s\",\"number\":%lld,\"user\":%lld", p->id, (long long)p->internal, (long long)u->internal) : "";
	const char *payload = arena_printf(cx->arena, "{\"userId\":\"%s\",\"sessionId\":\"%s\",\"exp\":%lld%s%s}", u->id, session,
	    (long long)((time_now_ms() + life_ms) / 1000), epoch, whose);

	return jwt_make(cx, payload);
}

/* One that names no session names the very user. Those of earlier programs have no number of the project. */
static bool
jwt_of_user(const json_t *j, const struct project *p, const struct user *u)
{
	const json_t *number = json_object_get(j, "number");

	return (number == NULL || json_integer_value(number) == p->internal) && str_is(json_str(json_object_get(j, "project")), p->id) && json_integer_value(json_object_get(j, "user")) == u->internal;
}

/* One that says when it was made is good for only so long, whatever it says. */
static const char *
jwt_age(const json_t *j)
{
	const json_t *iat = json_object_get(j, "iat");

	if (iat != NULL && (!json_is_integer(iat) || time_now_ms() / 1000 - json_integer_value(iat) >= conf.life_jwt / 1000 - JWT_LEEWAY))
		return "It is too old.";
	return NULL;
}

err_t
login_by_jwt(struct ctx *cx, const struct project *p, struct str jwt, struct login **out)
{
	const json_t *j = NULL;
	struct str user, session;
	const char *why;

	*out = NULL;
	if ((why = jwt_read(cx, jwt, JWT_LEEWAY, &j)) == NULL)
		why = jwt_age(j);
	if (why != NULL)
		return fail_msg(cx, ERR_USER_JWT_INVALID, "Failed to verify JWT. %s", why);
	user = json_str(json_object_get(j, "userId"));
	session = json_str(json_object_get(j, "sessionId"));
	if (!id_valid(user) || (session.n > 0 && !id_valid(session)))
		return OK;
	TRY(login_by_id(cx, p, str_dup(cx->arena, user), session.n > 0 ? str_dup(cx->arena, session) : NULL, out));
	if (*out != NULL && (*out)->user->epoch != json_integer_value(json_object_get(j, "epoch")))
		*out = NULL;	/* made before the user's password, address or status changed */
	if (*out != NULL && session.n == 0 && !jwt_of_user(j, p, (*out)->user))
		*out = NULL;
	return OK;
}

int64_t
login_jwt_expiry(struct ctx *cx, struct str jwt)
{
	struct str part = jwt, text;
	const json_t *j, *iat;
	int64_t end;

	str_cut(&part, '.');
	if (!base64_decode(cx->arena, str_cut(&part, '.'), true, &text))
		return 0;
	j = json_parse(cx, text, NULL);
	iat = json_object_get(j, "iat");
	end = json_integer_value(json_object_get(j, "exp"));
	if (end > INT64_MAX / 2000)
		end = INT64_MAX / 2000;
	end += JWT_LEEWAY;
	if (iat != NULL && json_integer_value(iat) < end - (conf.life_jwt / 1000 - JWT_LEEWAY))
		end = json_integer_value(iat) + conf.life_jwt / 1000 - JWT_LEEWAY;
	return end * 1000;
}

/* ---- where the token is ---- */

/* One more, unless it is none, there already, or one too many. Our own tokens begin like this: no need to decode them to know that they are some. */
static void
add_token(struct ctx *cx, struct login_tokens *t, struct str token, bool cookie)
{
	struct str id, secret;

	if (t->n == LOGIN_TOKENS_MAX || token.n == 0 || token.n > TOKEN_MAX)
		return;
	if (!str_starts(token, "eyJpZCI6") && !token_decode(cx, token, &id, &secret))
		return;
	for (int i = 0; i < t->n; i++)
		if (str_eq(t->v[i].token, token))
			return;
	t->v[t->n].token = token;
	t->v[t->n++].cookie = cookie;
}

/* All cookies of that name: browsers keep one for each domain and path, and send what is longest there, or oldest, first. */
static void
add_cookies(struct ctx *cx, struct login_tokens *t, struct str header, struct str name)
{
	while (header.p != NULL) {
		struct str value = str_trim(str_cut(&header, ';'));
		struct str key = str_trim(str_cut(&value, '='));

		if (value.p != NULL && str_eq(key, name))
			add_token(cx, t, str_url_decode(cx->arena, str_trim(value), false), true);
	}
}

void
login_tokens_of(struct ctx *cx, const char *project_id, const struct login_headers *h, struct login_tokens *out)
{
	const char *name = arena_printf(cx->arena, "a_session_%s", project_id), *twin = arena_printf(cx->arena, "%s_legacy", name);
	struct str lower = str_lower(cx->arena, str_c(name));
	const json_t *j;

	out->n = 0;
	if (h->cookie.n > 0) {
		add_cookies(cx, out, h->cookie, lower);
		add_cookies(cx, out, h->cookie, str_lower(cx->arena, str_c(twin)));
	}
	if (h->fallback.n > 0 && json_values(h->fallback) <= FALLBACK_VALUES && json_is_object(j = json_parse(cx, h->fallback, NULL))) {
		add_token(cx, out, json_str(json_object_get(j, name)), false);
		add_token(cx, out, json_str(json_object_get(j, twin)), false);
	}
	add_token(cx, out, h->session, false);
}

err_t
login_by_tokens(struct ctx *cx, const struct project *p, const struct login_tokens *t, struct login **out, int *which_out)
{
	struct login *l;

	*out = NULL;
	*which_out = -1;
	for (int i = 0; i < t->n; i++) {
		TRY(login_by_token(cx, p, t->v[i].token, &l));
		if (l == NULL || (*out != NULL && !l->user->status))
			continue;
		*out = l;
		*which_out = i;
		if (l->user->status)
			break;
	}
	return OK;
}
