/* Users: creation, sign-in by password, changes of the account. Every write is one statement with its event, so a lost connection leaves
 * either both or none. */
#include "svc/users/user.h"

#include <stdio.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"
#include "model/event.h"
#include "model/roles.h"
#include "svc/users/password.h"

enum { PREFS_MAX = 65535 };	/* bytes */

bool
user_anonymous(const struct user *u)
{
	return u->password == NULL && (u->email == NULL || u->phone == NULL);
}

/* ---- reading ---- */

static err_t
user_find(struct ctx *cx, const struct project *p, const char *condition, const char *value, struct user **out)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s.users u WHERE %s", shape_columns(&user_shape), p->schema, condition), DB(value)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_NOT_FOUND, "%s", condition);
	*out = arena_new_of(cx->arena, struct user);
	shape_read(cx, &user_shape, *out, r, 0, 0);
	return OK;
}

err_t
user_by_id(struct ctx *cx, const struct project *p, const char *id, struct user **out)
{
	return user_find(cx, p, "lower(u.id) = lower($1)", id, out);
}

err_t
user_by_email(struct ctx *cx, const struct project *p, const char *email, struct user **out)
{
	return user_find(cx, p, "lower(u.email) = lower($1)", email, out);
}

err_t
user_by_phone(struct ctx *cx, const struct project *p, const char *phone, struct user **out)
{
	return user_find(cx, p, "u.phone = $1", phone, out);
}

/* ---- creation ---- */

/* Is `what` an entry of the comma-separated list? An empty list admits everybody. */
static bool
listed(const char *list, const char *what)
{
	struct str rest = str_c(list);

	if (rest.n == 0)
		return true;
	while (rest.p != NULL)
		if (str_is(str_cut(&rest, ','), what))
			return true;
	return false;
}

err_t
user_signup_allowed(struct ctx *cx, const struct project *p, const char *email, const char *ip)
{
	if (!p->console)
		return OK;
	if (!listed(conf.console_emails, str_lower(cx->arena, str_c(email)).p))
		return fail(cx, ERR_USER_EMAIL_NOT_WHITELISTED, "email=%s", email);
	if (!listed(conf.console_ips, ip))
		return fail(cx, ERR_USER_IP_NOT_WHITELISTED, "ip=%s", ip);
	return OK;
}

/* The parts that are there, joined by blanks: what the search of lists looks at. */
static const char *
search_text(struct ctx *cx, const char *const *v, int n)
{
	struct buf b;

	buf_init(&b, cx->arena, 128);
	for (int i = 0; i < n; i++) {
		if (v[i] == NULL || v[i][0] == '\0')
			continue;
		if (b.n > 0)
			buf_ch(&b, ' ');
		buf_c(&b, v[i]);
	}
	return buf_view(&b).p;
}
#define SEARCH(cx, ...) search_text(cx, (const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static struct event
user_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct user *u, const struct shape *model)
{
	return (struct event){
		.kind = kind,
		.project = p->id,
		.ids = {u->id},
		.roles = roles_one(cx->arena, "user", u->id),
		.payload = shape_json(cx, model, u),
		.user = u->id,
		.actor = u->id,
	};
}

static err_t
taken(struct ctx *cx, err_t e)
{
	return e == ERR_DB_UNIQUE ? fail(cx, ERR_USER_ALREADY_EXISTS, "%s", db_constraint(cx)) : e;
}

/* Counting and inserting under one lock: two sign-ups at once may not both be the last one allowed. */
static err_t
insert_limited(struct db_tx *tx, const struct project *p, const struct event *ev, const char *sql, int n, const char *const *v,
    int64_t *internal_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	tx_add(tx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", DB(p->schema));
	TRY(taken(cx, tx_query(tx, &r, sql, n, v)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_COUNT_EXCEEDED, "limit=%lld", (long long)p->user_limit);
	*internal_out = db_i64(r, 0, 0);
	if (ev != NULL)
		event_emit(tx, ev);
	return OK;
}

static err_t
user_insert(struct ctx *cx, const struct project *p, struct user *u, const struct user_in *in, const char *search, unsigned flags)
{
	const char *created = pg_time(cx->arena, u->created);
	struct event ev = user_event(cx, p, &ev_user_create, u, flags & USER_AS_ACCOUNT ? &account_shape : &user_shape);
	bool limited = (flags & USER_LIMIT) && p->user_limit > 0;
	const char *room = limited ? arena_printf(cx->arena, "(SELECT count(*) FROM (SELECT 1 FROM %s.users LIMIT %lld) x) < %lld", p->schema,
				   (long long)p->user_limit, (long long)p->user_limit)
				   : "true";
	const char *sql = arena_printf(cx->arena,
	    "INSERT INTO %s.users AS u (id, name, email, phone, password, hash_options, registration, password_update, search, created, updated, hash, "
	    "email_verification) SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::timestamptz, $8::timestamptz, $9::text, "
	    "$7::timestamptz, $7::timestamptz, $10::text, $11::boolean WHERE %s RETURNING u.internal",
	    p->schema, room);
	const char *const v[] = {u->id, u->name, u->email, u->phone, u->password, u->hash_options.p, created, pg_time(cx->arena, u->password_update),
		search, u->hash, pg_bool(u->email_verification), in->provider, in->provider_uid};
	int n = (int)(sizeof v / sizeof *v) - (in->provider ? 0 : 2);
	struct db_res *r;

	if (in->provider != NULL)	/* both or neither: without the identity the user could not come back */
		sql = arena_printf(cx->arena,
		    "WITH u AS (%s) INSERT INTO %s.identities AS i (user_internal, provider, provider_uid, created) "
		    "SELECT u.internal, $12::text, $13::text, $7::timestamptz FROM u RETURNING i.user_internal",
		    sql, p->schema);
	if (!(flags & USER_AS_ACCOUNT))
		ev.actor = in->actor;
	if (limited)
		return TX_RUN(cx, tx, insert_limited(tx, p, flags & USER_SILENT ? NULL : &ev, sql, n, v, &u->internal));
	if (flags & USER_SILENT)
		TRY(taken(cx, db_query(cx, &r, sql, n, v)));
	else
		TRY(taken(cx, event_write(cx, &ev, &r, sql, n, v)));
	u->internal = db_i64(r, 0, 0);
	return OK;
}

err_t
user_create(struct ctx *cx, const struct project *p, const struct user_in *in, unsigned flags, struct user **out)
{
	struct user *u = arena_new_of(cx->arena, struct user);

	u->id = in->id ? in->id : id_unique(cx->arena);
	u->email = in->email && in->email[0] ? str_lower(cx->arena, str_c(in->email)).p : NULL;
	u->phone = in->phone && in->phone[0] ? in->phone : NULL;
	u->name = in->name;
	u->hash = PASSWORD_HASH_ID;
	u->hash_options = STR(PASSWORD_HASH_OPTIONS);
	u->prefs = STR("{}");
	u->status = true;
	u->password_update = TIME_NONE;
	if (in->hash != NULL) {
		u->password = in->password;
		u->hash = in->hash;
		u->hash_options = in->hash_options;
	} else if (in->password != NULL && in->password[0] != '\0') {
		TRY(password_hash(cx, in->password, &u->password));
	}
	u->created = u->updated = u->registration = time_now_ms();
	if (u->password != NULL && !(flags & USER_SILENT))	/* an invited user's password is random: nobody knows the old one */
		u->password_update = u->created;
	u->email_verification = in->email_verified;
	TRY(user_insert(cx, p, u, in, SEARCH(cx, u->id, u->email, u->phone, u->name), flags));
	*out = u;
	return OK;
}

/* ---- sign-in ---- */

/* Imported hashes give way to ours as soon as the password is known. Nobody but the caches needs to hear of it. *moved_out: the password
 * is not the one any more that was read, so what was found out about it may not hold. */
static err_t
rehash(struct ctx *cx, const struct project *p, struct user *u, const char *password, bool *moved_out)
{
	struct event ev = {.kind = &ev_roles_update, .project = p->id, .ids = {u->id}, .user = u->id, .stale = {user_stale_key(cx, p->id, u->id)}};
	const char *hash;
	struct db_res *r;

	*moved_out = false;
	if (strcmp(u->hash, PASSWORD_HASH_ID) == 0)
		return OK;
	TRY(password_hash(cx, password, &hash));
	TRY(event_write(cx, &ev, &r,
	    arena_printf(cx->arena,
		"UPDATE %s.users AS u SET password = $2::text, hash = '" PASSWORD_HASH_ID "', hash_options = '" PASSWORD_HASH_OPTIONS "' "
		"WHERE u.internal = $1::bigint AND u.password = $3::text RETURNING u.internal",
		p->schema),
	    DB(pg_i64(cx->arena, u->internal), hash, u->password)));
	*moved_out = db_rows(r) == 0;
	u->password = hash;
	u->hash = PASSWORD_HASH_ID;
	u->hash_options = STR(PASSWORD_HASH_OPTIONS);
	return OK;
}

static err_t
check_credentials(struct ctx *cx, const struct project *p, const char *email, const char *password, struct user **out)
{
	struct user *u = NULL;
	err_t e = user_by_email(cx, p, email, &u);
	bool ok;

	if (e != OK && e != ERR_USER_NOT_FOUND)
		return e;
	TRY(password_verify(cx, password, u ? u->hash : NULL, u ? u->hash_options : STR_NONE, u ? u->password : NULL, &ok));
	if (!ok)
		return fail(cx, ERR_USER_INVALID_CREDENTIALS, "%s", u ? "wrong password" : "unknown e-mail");
	if (!u->status)
		return fail(cx, ERR_USER_BLOCKED, "user=%s", u->id);
	*out = u;
	return OK;
}

err_t
user_sign_in(struct ctx *cx, const struct project *p, const char *email, const char *password, struct user **out)
{
	bool moved = true;

	/* another first sign-in of an imported user may have been faster: then the password is looked at once more */
	for (int tries = 0; moved && tries < 2; tries++) {
		TRY(check_credentials(cx, p, email, password, out));
		TRY(rehash(cx, p, *out, password, &moved));
	}
	return moved ? fail(cx, ERR_USER_INVALID_CREDENTIALS, "the password changed meanwhile") : OK;
}

/* ---- changes ---- */

/* The search text, from the row itself: what another request changed since we read it must stay. */
#define SET_SEARCH(name, email, phone) ", search = concat_ws(' ', u.id, nullif(" name ", ''), " email ", " phone ")"

struct change {
	const struct event_info *kind;
	unsigned flags;		/* of the event */
	const char *set;	/* columns; $1 is the internal id, $2 the time, $3 and $4 are a and b */
	const char *a, *b;
	void (*copy)(struct user *to, const struct user *from);	/* the members that `set` writes */
	bool knows_password;	/* the password was asked for, or there was none to ask for */
};

static bool
same_password(const struct user *a, const struct user *b)
{
	return a->password == NULL || b->password == NULL ? a->password == b->password : strcmp(a->password, b->password) == 0;
}

err_t
user_lock(struct db_tx *tx, const struct project *p, const struct user *u, struct user *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s.users u WHERE u.internal = $1::bigint FOR NO KEY UPDATE", shape_columns(&user_shape), p->schema),
	    DB(pg_i64(cx->arena, u->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_NOT_FOUND, "user=%s", u->id);
	shape_read(cx, &user_shape, out, r, 0, 0);
	return OK;
}

/* Makes `u` what `n` wants; *now is the new state. What else changed since `u` was read goes into the reply and the event, and a password that
 * was changed meanwhile allows nothing any more. */
static err_t
update_locked(struct db_tx *tx, const struct project *p, const struct user_by *by, const struct user *u, const struct user *n, const struct change *c,
    struct user *now)
{
	struct ctx *cx = tx_ctx(tx);
	const char *v[4];
	struct event ev;

	TRY(user_lock(tx, p, u, now));
	if (c->knows_password && !same_password(now, u))
		return fail(cx, ERR_USER_INVALID_CREDENTIALS, "the password of %s changed meanwhile", u->id);
	c->copy(now, n);
	now->updated = time_now_ms();
	v[0] = pg_i64(cx->arena, now->internal);
	v[1] = pg_time(cx->arena, now->updated);
	v[2] = c->a;
	v[3] = c->b;
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.users AS u SET %s, updated = $2::timestamptz WHERE u.internal = $1::bigint", p->schema, c->set),
	    strstr(c->set, "$4") ? 4 : 3, v);
	ev = user_event(cx, p, c->kind, now, by ? &user_shape : &account_shape);
	if (by != NULL) {
		ev.actor = by->actor;
		if (c->kind == &ev_user_update_prefs)
			ev.payload = now->prefs;
	}
	ev.flags = c->flags;
	ev.stale[0] = user_stale_key(cx, p->id, now->id);
	event_emit(tx, &ev);
	return OK;
}

static err_t
user_update(struct ctx *cx, const struct project *p, const struct user_by *by, const struct user *u, const struct user *n, const struct change *c,
    struct user **out)
{
	*out = arena_new_of(cx->arena, struct user);
	return TX_RUN(cx, tx, update_locked(tx, p, by, u, n, c, *out));
}

static void
copy_name(struct user *to, const struct user *from)
{
	to->name = from->name;
}

err_t
user_set_name(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *name, struct user **out)
{
	const struct user n = {.name = name};

	return user_update(cx, p, by, u, &n,
	    &(struct change){.kind = &ev_user_update_name, .set = "name = $3::text" SET_SEARCH("$3::text", "u.email", "u.phone"), .a = name,
		.copy = copy_name},
	    out);
}

static void
copy_prefs(struct user *to, const struct user *from)
{
	to->prefs = from->prefs;
}

err_t
user_set_prefs(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const json_t *prefs, struct user **out)
{
	struct user n = {.prefs = STR("{}")};
	struct buf b;
	struct jw w;

	if (prefs != NULL && (json_is_object(prefs) ? json_object_size(prefs) : json_array_size(prefs)) > 0) {
		buf_init(&b, cx->arena, 256);
		jw_init(&w, &b);
		w.empty_as_list = true;
		jw_value(&w, prefs);
		n.prefs = buf_view(&b);
	}
	return user_update(cx, p, by, u, &n,
	    &(struct change){.kind = &ev_user_update_prefs, .set = "prefs = $3::text", .a = n.prefs.p, .copy = copy_prefs}, out);
}

static void
copy_status(struct user *to, const struct user *from)
{
	to->status = from->status;
}

err_t
user_set_status(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool status, struct user **out)
{
	const struct user n = {.status = status};

	return user_update(cx, p, by, u, &n,
	    &(struct change){.kind = &ev_user_update_status, .flags = status ? EVENT_ROLES : EVENT_USER_GONE, .set = "status = $3::boolean",
		.a = pg_bool(status), .copy = copy_status},
	    out);
}

static void
copy_password(struct user *to, const struct user *from)
{
	to->password = from->password;
	to->hash = PASSWORD_HASH_ID;
	to->hash_options = STR(PASSWORD_HASH_OPTIONS);
	to->password_update = from->password_update;
}

err_t
user_set_password(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *password, const char *old,
    struct user **out)
{
	struct user n = {0};
	bool ok = true;

	if (by == NULL && u->password_update != TIME_NONE)
		TRY(password_verify(cx, old ? old : "", u->hash, u->hash_options, u->password, &ok));
	if (!ok)
		return fail(cx, ERR_USER_INVALID_CREDENTIALS, "old password");
	TRY(password_hash(cx, password, &n.password));
	n.password_update = time_now_ms();
	return user_update(cx, p, by, u, &n,
	    &(struct change){.kind = &ev_user_update_password,
		.set = "password = $3::text, hash = '" PASSWORD_HASH_ID "', hash_options = '" PASSWORD_HASH_OPTIONS
		       "', password_update = $4::timestamptz",
		.a = n.password, .b = pg_time(cx->arena, n.password_update), .copy = copy_password, .knows_password = by == NULL},
	    out);
}

/* E-mail and phone ask for the password; an anonymous user has none to ask for. */
static err_t
check_password(struct ctx *cx, const struct user *u, const char *password)
{
	bool ok;

	if (user_anonymous(u))
		return OK;
	TRY(password_verify(cx, password, u->hash, u->hash_options, u->password, &ok));
	return ok ? OK : fail(cx, ERR_USER_INVALID_CREDENTIALS, "user=%s", u->id);
}

static void
copy_email(struct user *to, const struct user *from)
{
	to->email = from->email;
	to->email_verification = false;
}

static void
copy_email_password(struct user *to, const struct user *from)
{
	copy_email(to, from);
	to->password = from->password;
	to->hash = PASSWORD_HASH_ID;
	to->hash_options = STR(PASSWORD_HASH_OPTIONS);
}

err_t
user_set_email(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *email, const char *password,
    struct user **out)
{
	struct user n = {.email = str_lower(cx->arena, str_c(email)).p};
	struct change c = {.kind = &ev_user_update_email, .flags = EVENT_ROLES, .copy = copy_email, .knows_password = by == NULL,
		.set = "email = $3::text, email_verification = false" SET_SEARCH("u.name", "$3::text", "u.phone")};
	err_t e;

	if (by == NULL)
		TRY(check_password(cx, u, password));
	if (by == NULL && user_anonymous(u)) {
		TRY(password_hash(cx, password, &n.password));
		c.copy = copy_email_password;
		c.set = "email = $3::text, email_verification = false, password = $4::text, hash = '" PASSWORD_HASH_ID
			"', hash_options = '" PASSWORD_HASH_OPTIONS "'" SET_SEARCH("u.name", "$3::text", "u.phone");
	}
	c.a = n.email;
	c.b = n.password;
	e = user_update(cx, p, by, u, &n, &c, out);
	return e == ERR_DB_UNIQUE ? fail(cx, ERR_USER_EMAIL_ALREADY_EXISTS, "email=%s", n.email) : e;
}

static void
copy_phone(struct user *to, const struct user *from)
{
	to->phone = from->phone;
	to->phone_verification = false;
}

err_t
user_set_phone(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *phone, const char *password,
    struct user **out)
{
	const struct user n = {.phone = phone};
	err_t e;

	if (by == NULL)
		TRY(check_password(cx, u, password));
	e = user_update(cx, p, by, u, &n,
	    &(struct change){.kind = &ev_user_update_phone, .flags = EVENT_ROLES,
		.set = "phone = $3::text, phone_verification = false" SET_SEARCH("u.name", "u.email", "$3::text"), .a = phone, .copy = copy_phone,
		.knows_password = by == NULL},
	    out);
	return e == ERR_DB_UNIQUE ? fail(cx, by ? ERR_USER_EMAIL_ALREADY_EXISTS : ERR_USER_PHONE_ALREADY_EXISTS, "phone=%s", phone) : e;
}

static void
copy_email_verification(struct user *to, const struct user *from)
{
	to->email_verification = from->email_verification;
}

static void
copy_phone_verification(struct user *to, const struct user *from)
{
	to->phone_verification = from->phone_verification;
}

err_t
user_set_email_verification(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on, struct user **out)
{
	const struct user n = {.email_verification = on};

	return user_update(cx, p, by, u, &n,
	    &(struct change){.kind = &ev_user_update_verification, .flags = EVENT_ROLES, .set = "email_verification = $3::boolean", .a = pg_bool(on),
		.copy = copy_email_verification},
	    out);
}

err_t
user_set_phone_verification(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on, struct user **out)
{
	const struct user n = {.phone_verification = on};

	return user_update(cx, p, by, u, &n,
	    &(struct change){.kind = &ev_user_update_verification, .flags = EVENT_ROLES, .set = "phone_verification = $3::boolean", .a = pg_bool(on),
		.copy = copy_phone_verification},
	    out);
}

/* The user is locked, so no membership comes in between; the teams are, so none is accepted: what is deleted is what was counted. */
static void
leave_teams(struct db_tx *tx, const struct project *p, const char *internal)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx,
	    arena_printf(cx->arena,
		"SELECT 1 FROM %s.teams WHERE internal IN (SELECT team_internal FROM %s.memberships WHERE user_internal = $1::bigint) "
		"ORDER BY internal FOR NO KEY UPDATE",
		p->schema, p->schema),
	    DB(internal));
	tx_add(tx,
	    arena_printf(cx->arena,
		"WITH gone AS (DELETE FROM %s.memberships WHERE user_internal = $1::bigint RETURNING team_internal, confirm) "
		"UPDATE %s.teams AS t SET total = greatest(t.total - 1, 0), updated = $2 FROM gone WHERE gone.confirm AND t.internal = gone.team_internal",
		p->schema, p->schema),
	    DB(internal, pg_time(cx->arena, time_now_ms())));
}

static err_t
delete_locked(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by)
{
	struct ctx *cx = tx_ctx(tx);
	const char *internal = pg_i64(cx->arena, u->internal);
	struct db_res *r;
	struct event ev;
	struct user now;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s.users u WHERE u.internal = $1::bigint FOR UPDATE", shape_columns(&user_shape), p->schema),
	    DB(internal)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_NOT_FOUND, "internal=%s", internal);
	shape_read(cx, &user_shape, &now, r, 0, 0);
	leave_teams(tx, p, internal);
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.users WHERE internal = $1::bigint", p->schema), DB(internal));
	ev = user_event(cx, p, &ev_user_delete, &now, &user_shape);
	ev.flags = EVENT_USER_GONE;
	ev.actor = by ? by->actor : now.id;
	ev.stale[0] = user_stale_key(cx, p->id, now.id);
	event_emit(tx, &ev);
	return OK;
}

err_t
user_delete(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by)
{
	return TX_RUN(cx, tx, delete_locked(tx, p, u, by));
}

err_t
user_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, struct query_page *out)
{
	static const struct query_attr attrs[] = {
		{"name", "u.name", ATTR_STRING, false, false},
		{"email", "lower(u.email)", ATTR_STRING, .lower = true},
		{"phone", "u.phone", ATTR_STRING, false, false},
		{"status", "u.status", ATTR_BOOLEAN, false, true},
		{"passwordUpdate", "u.password_update", ATTR_DATETIME, false, false},
		{"registration", "u.registration", ATTR_DATETIME, false, true},
		{"emailVerification", "u.email_verification", ATTR_BOOLEAN, false, true},
		{"phoneVerification", "u.phone_verification", ATTR_BOOLEAN, false, true},
		{"$id", "u.id", ATTR_STRING, false, true},
		{"$createdAt", "u.created", ATTR_DATETIME, false, true},
		{"$updatedAt", "u.updated", ATTR_DATETIME, false, true},
	};
	const struct query_list l = {.entity = "User", .from = arena_printf(cx->arena, "%s.users u", p->schema), .seq = "u.internal", .id = "u.id",
		.search = "u.search", .attrs = attrs, .n_attrs = (int)(sizeof attrs / sizeof *attrs), .width = "octet_length(prefs)", .width_max = PREFS_MAX};

	return query_list(cx, &l, &user_shape, queries, search, out);
}
