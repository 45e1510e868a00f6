/* Users: creation, sign-in by password, changes of the account. Every write is one transaction with its event. */
#include "svc/users/user.h"

#include "core/conf.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/email.h"
#include "model/roles.h"
#include "svc/users/linked.h"
#include "svc/users/password.h"
#include "svc/users/password_policy.h"
#include "svc/users/target.h"

enum { PREFS_MAX = 65535 };	/* bytes */

bool
user_anonymous(const struct user *u)
{
	return u->password == NULL && (u->email == NULL || u->phone == NULL);
}

static void
user_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct user *u = obj;

	(void)p;
	ev->ids[0] = u->id;
	ev->roles = roles_one(cx->arena, "user", u->id);
	ev->user = u->id;
}

const struct record user_record = {
	.shape = &user_shape,
	.table = ":schema.users",
	.alias = "u",
	.entity = "User",
	.width = "octet_length(prefs)",
	.selects = true,
	.width_max = PREFS_MAX,
	.missing = ERR_USER_NOT_FOUND,
	.taken = ERR_USER_ALREADY_EXISTS,
	.concerns = user_concerns,
};
/* The same as users see themselves: what events of their own carry. */
static const struct record accounts = {.shape = &account_shape, .alias = "u", .concerns = user_concerns};

struct event
user_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct user_by *by, const struct user *u)
{
	return by ? record_event(cx, p, &user_record, kind, by->actor, u) : record_event(cx, p, &accounts, kind, kind == &ev_user_create ? NULL : u->id, u);	/* whoever signs up is a guest */
}

err_t
user_refuse(struct ctx *cx, const char *why)
{
	cx->message = "There was an error processing your request. Please check the inputs and try again.";
	return fail(cx, ERR_GENERAL_BAD_REQUEST, "%s", why);
}

struct user
user_without_secrets(const struct user *u)
{
	struct user told = *u;

	told.password = NULL;
	told.hash_options = STR("{}");
	return told;
}

/* ---- reading ---- */

static err_t
user_find(struct ctx *cx, const struct project *p, struct rows w, struct user **out)
{
	*out = arena_new_of(cx->arena, struct user);
	return record_get(cx, p, &user_record, w, *out);
}

err_t
user_by_id(struct ctx *cx, const struct project *p, const char *id, struct user **out)
{
	return user_find(cx, p, rows_id(id), out);
}

err_t
user_by_email(struct ctx *cx, const struct project *p, const char *email, struct user **out)
{
	return user_find(cx, p, (struct rows){"lower(@.email) = lower($1)", 1, {email}}, out);
}

err_t
user_by_phone(struct ctx *cx, const struct project *p, const char *phone, struct user **out)
{
	return user_find(cx, p, (struct rows){"@.phone = $1", 1, {phone}}, out);
}

/* ---- creation ---- */

/* Is `what` an entry of the comma-separated list? An empty list admits everybody. */
static bool
user_listed(const char *list, const char *what)
{
	struct str rest = str_c(list);

	if (rest.n == 0)
		return true;
	while (rest.p != NULL)
		if (str_ieq(str_trim(str_cut(&rest, ',')), str_c(what)))
			return true;
	return false;
}

err_t
user_signup_allowed(struct ctx *cx, const struct project *p, const char *email, const char *ip)
{
	if (!p->console)
		return OK;
	if (!user_listed(conf.console_emails, str_lower(cx->arena, str_c(email)).p))
		return fail(cx, ERR_USER_EMAIL_NOT_WHITELISTED, "email=%s", email);
	if (!user_listed(conf.console_ips, ip))
		return fail(cx, ERR_USER_IP_NOT_WHITELISTED, "ip=%s", ip);
	return OK;
}

err_t
user_address_allowed(struct ctx *cx, const struct project *p, const char *email)
{
	const struct {
		bool asked;
		bool (*has)(struct str email);
		bool wanted;
		err_t e;
	} rules[] = {{p->denies.disposable, email_disposable, false, ERR_USER_EMAIL_DISPOSABLE}, {p->denies.free, email_free, false, ERR_USER_EMAIL_FREE},
		{p->denies.corporate, email_corporate, true, ERR_USER_EMAIL_NOT_CORPORATE}, {p->denies.aliased, email_untagged, true, ERR_USER_EMAIL_NOT_CANONICAL}};

	if (email == NULL || email[0] == '\0')
		return OK;
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i].asked && rules[i].has(str_c(email)) != rules[i].wanted)
			return fail(cx, rules[i].e, "email=%s", email);
	return OK;
}

/* Counting and inserting under one lock: two sign-ups at once may not both be the last one allowed. */
static err_t
take_place(struct db_tx *tx, const struct project *p)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	tx_add(tx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", DB(p->schema));
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT count(*) FROM (SELECT 1 FROM %s.users LIMIT $1::bigint) x", p->schema),
	    DB(pg_i64(cx->arena, p->user_limit))));
	return db_i64(r, 0, 0) < p->user_limit ? OK : fail(cx, ERR_USER_COUNT_EXCEEDED, "limit=%lld", (long long)p->user_limit);
}

/* With the identity it comes from, if any: without it the user could not come back. */
static err_t
user_insert(struct db_tx *tx, const struct project *p, struct user *u, const struct user_in *in, bool limited, const struct event *ev)
{
	if (limited)
		TRY(take_place(tx, p));
	TRY(record_insert(tx, p, &user_record, u));
	if (in->linked != NULL)
		TRY(linked_put(tx, p, u, in->linked));
	if (u->password_update != TIME_NONE)
		password_remember(tx, p, u);
	event_emit(tx, ev);
	return target_put_own(tx, p, u);
}

static err_t
user_store(struct ctx *cx, const struct project *p, struct user *u, const struct user_in *in, unsigned flags)
{
	bool limited = (flags & USER_LIMIT) && p->user_limit > 0;
	const struct user told = flags & USER_UNCHOSEN ? user_without_secrets(u) : *u;
	const struct event ev = user_event(cx, p, &ev_user_create, flags & USER_AS_ACCOUNT ? NULL : &(struct user_by){in->actor}, &told);

	return TX_RUN(cx, tx, user_insert(tx, p, u, in, limited, &ev));
}

err_t
user_create(struct ctx *cx, const struct project *p, const struct user_in *in, unsigned flags, struct user **out)
{
	struct user *u = arena_new_of(cx->arena, struct user);

	if (flags & USER_LIMIT)
		TRY(user_address_allowed(cx, p, in->email));
	u->id = in->id;
	u->email = in->email && in->email[0] ? str_lower(cx->arena, str_c(in->email)).p : NULL;
	u->phone = in->phone && in->phone[0] ? in->phone : NULL;
	u->name = in->name;
	u->hash = PASSWORD_HASH_ID;
	u->hash_options = STR(PASSWORD_HASH_OPTIONS);
	u->prefs = STR("{}");
	u->status = true;
	u->password_update = u->labelled = TIME_NONE;
	if (in->hash != NULL) {
		u->password = in->password;
		u->hash = in->hash;
		u->hash_options = in->hash_options;
	} else if (in->password != NULL && in->password[0] != '\0') {
		if (!(flags & USER_UNCHOSEN))
			TRY(password_policy(cx, p, in->password, &(struct password_about){in->id, in->email, in->phone, in->name}));
		TRY(password_hash(cx, in->password, &u->password));
	}
	record_init(cx, &user_record, u);
	u->registration = u->accessed = u->created;
	if (u->password != NULL && !(flags & USER_UNCHOSEN))
		u->password_update = u->created;
	u->email_verification = in->email_verified;
	u->email_proved = in->email_verified || (in->for_reader && u->email != NULL);
	u->phone_proved = in->for_reader && u->phone != NULL;
	*out = u;
	return user_store(cx, p, u, in, flags);
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
	if (password_stays(cx, u->hash, u->hash_options, u->password))
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

struct user_change {
	const struct event_info *kind;
	const char *set;	/* columns */
	unsigned flags;		/* of the event */
	bool knows_password;	/* the password was asked for, or there was none to ask for */
	bool ends_secrets;	/* that are on their way */
	bool remembers;		/* the password, as the project says */
	bool ends_sessions;
	const char *keeps;	/* the id of one that does not end; NULL: all do */
	const char *moves;	/* the kind of target that goes with the address; NULL: none */
};

static bool
same_password(const struct user *a, const struct user *b)
{
	return a->password == NULL || b->password == NULL ? a->password == b->password : strcmp(a->password, b->password) == 0;
}

err_t
user_lock(struct db_tx *tx, const struct project *p, const struct user *u, struct user *out)
{
	return record_lock(tx, p, &user_record, rows_internal(tx_ctx(tx), u->internal), out);
}

err_t
user_lock_by(struct db_tx *tx, const struct project *p, const struct user_by *by, const struct user *u, struct user *out)
{
	TRY(user_lock(tx, p, u, out));
	return by != NULL || out->epoch == u->epoch ? OK : fail(tx_ctx(tx), ERR_USER_UNAUTHORIZED, "the account of %s changed meanwhile", u->id);
}

/* Moves the epoch: whatever was sent out before opens nothing any more, nor does a sign-in that began before. */
static void
end_secrets(struct db_tx *tx, const struct project *p, const struct user *u)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.users SET epoch = epoch + 1 WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, u->internal)));
}

/* Their connections find out by the refresh that the event brings. */
static void
end_sessions(struct db_tx *tx, const struct project *p, const struct user *u, const char *keeps)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.sessions WHERE user_internal = $1::bigint AND ($2::text IS NULL OR id <> $2::text)", p->schema),
	    DB(pg_i64(cx->arena, u->internal), keeps));
}

/* A password that was changed since `u` was read allows nothing any more; that there was none to ask for, nothing in an account that changed hands. */
static err_t
lock_known(struct db_tx *tx, const struct project *p, const struct user *u)
{
	struct user now;

	TRY(user_lock(tx, p, u, &now));
	return same_password(&now, u) && (u->password != NULL || now.epoch == u->epoch) ? OK : fail(tx_ctx(tx), ERR_USER_INVALID_CREDENTIALS, "the password of %s changed meanwhile", u->id);
}

/* The target follows; what is taken is found with the user first, and said of it. */
static err_t
set_address(struct db_tx *tx, const struct project *p, const struct user *u, const struct user *n, const struct user_change *c, struct user *now)
{
	bool email = strcmp(c->moves, "email") == 0;
	struct user was;
	err_t e;

	TRY(user_lock(tx, p, u, &was));
	TRY(record_set(tx, p, &user_record, rows_internal(tx_ctx(tx), u->internal), c->set, n, now));
	target_move(tx, p, u, c->moves, email ? was.email : was.phone, email ? now->email : now->phone);
	e = user_lock(tx, p, u, now);
	return e == ERR_DB_UNIQUE ? fail(tx_ctx(tx), ERR_USER_TARGET_ALREADY_EXISTS, "%s of %s", c->moves, u->id) : e;
}

static err_t
user_set(struct db_tx *tx, const struct project *p, const struct user_by *by, const struct user *u, const struct user *n, const struct user_change *c, struct user *now)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev;

	if (c->knows_password)
		TRY(lock_known(tx, p, u));
	if (c->ends_secrets)
		end_secrets(tx, p, u);
	TRY(c->moves != NULL ? set_address(tx, p, u, n, c, now) : record_set(tx, p, &user_record, rows_internal(cx, u->internal), c->set, n, now));
	if (c->remembers)
		password_remember(tx, p, now);
	if (c->ends_sessions) {
		end_sessions(tx, p, u, c->keeps);
		user_end_keys(tx, p, u, false);
	}
	ev = user_event(cx, p, c->kind, by, now);
	if (by != NULL && c->kind == &ev_user_update_prefs)
		ev.payload = now->prefs;
	ev.flags = c->flags;
	ev.stale[0] = user_stale_key(cx, p->id, now->id);
	event_emit(tx, &ev);
	return OK;
}

/* Makes `u` what `n` wants; *out is the new state, with what else changed since `u` was read. */
static err_t
user_change(struct ctx *cx, const struct project *p, const struct user_by *by, const struct user *u, const struct user *n, const struct user_change *c,
    struct user **out)
{
	*out = arena_new_of(cx->arena, struct user);
	return TX_RUN(cx, tx, user_set(tx, p, by, u, n, c, *out));
}

err_t
user_set_name(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *name, struct user **out)
{
	const struct user_change c = {&ev_user_update_name, "name"};

	return user_change(cx, p, by, u, &(struct user){.name = name}, &c, out);
}

struct str
preferences_text(struct ctx *cx, const json_t *prefs)
{
	struct buf b;
	struct jw w;

	if (prefs == NULL || (json_is_object(prefs) ? json_object_size(prefs) : json_array_size(prefs)) == 0)
		return STR("{}");
	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	jw_value(&w, prefs);
	return buf_view(&b);
}

err_t
user_set_prefs(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const json_t *prefs, struct user **out)
{
	const struct user_change c = {&ev_user_update_prefs, "prefs"};

	return user_change(cx, p, by, u, &(struct user){.prefs = preferences_text(cx, prefs)}, &c, out);
}

err_t
user_set_status(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool status, struct user **out)
{
	const struct user_change c = {&ev_user_update_status, "status", status ? EVENT_ROLES : EVENT_USER_GONE, .ends_secrets = !status};

	return user_change(cx, p, by, u, &(struct user){.status = status}, &c, out);
}

/* What was there before under its name is the role of then; labels that stay begin anew, which shows less to who resumes, not more. */
err_t
user_set_labels(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct strs *labels, struct user **out)
{
	const struct user_change c = {&ev_user_update_labels, "labels labelled", EVENT_ROLES};

	return user_change(cx, p, by, u, &(struct user){.labels = *labels, .labelled = time_now_ms()}, &c, out);
}

err_t
user_set_impersonator(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on, struct user **out)
{
	const struct user_change c = {&ev_user_update_impersonator, "impersonator", EVENT_ROLES};

	return user_change(cx, p, by, u, &(struct user){.impersonator = on}, &c, out);
}

#define PASSWORD_SET "password hash hash_options password_mailed"

static err_t
hash_password(struct ctx *cx, const char *password, struct user *n)
{
	n->hash = PASSWORD_HASH_ID;
	n->hash_options = STR(PASSWORD_HASH_OPTIONS);
	return password_hash(cx, password, &n->password);
}

/* What a new password has to be, by the project; the old one was right. */
static err_t
check_new_password(struct ctx *cx, const struct project *p, const struct user *u, const char *password)
{
	TRY(password_policy_history(cx, p, u, password));
	return password_policy(cx, p, password, &(struct password_about){u->id, u->email, u->phone, u->name});
}

err_t
user_set_password(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *password, const char *old,
    const struct session *current, struct user **out)
{
	const struct user_change c = {&ev_user_update_password, PASSWORD_SET " password_update", EVENT_ROLES, .knows_password = by == NULL, .ends_secrets = true,
		.remembers = true, .ends_sessions = p->invalidate_sessions, .keeps = current ? current->id : NULL};
	struct user n = {.hash = PASSWORD_HASH_ID, .hash_options = STR(PASSWORD_HASH_OPTIONS), .password_update = TIME_NONE};
	bool ok = true;

	if (by == NULL && u->password_update != TIME_NONE)
		TRY(password_verify(cx, old ? old : "", u->hash, u->hash_options, u->password, &ok));
	if (!ok)
		return fail(cx, ERR_USER_INVALID_CREDENTIALS, "old password");
	if (password == NULL || password[0] == '\0')
		return user_change(cx, p, by, u, &n, &c, out);
	TRY(check_new_password(cx, p, u, password));
	TRY(hash_password(cx, password, &n));
	n.password_update = time_now_ms();
	return user_change(cx, p, by, u, &n, &c, out);
}

/* E-mail and phone ask for the password; an anonymous user has none to ask for. */
static err_t
user_check_password(struct ctx *cx, const struct user *u, const char *password)
{
	bool ok;

	if (user_anonymous(u))
		return OK;
	TRY(password_verify(cx, password, u->hash, u->hash_options, u->password, &ok));
	return ok ? OK : fail(cx, ERR_USER_INVALID_CREDENTIALS, "user=%s", u->id);
}

err_t
user_set_email(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *email, const char *password,
    struct user **out)
{
	struct user_change c = {&ev_user_update_email, "email email_verification email_proved", EVENT_ROLES, .knows_password = by == NULL, .ends_secrets = true, .moves = "email"};
	struct user n = {.email = email[0] ? str_lower(cx->arena, str_c(email)).p : NULL};
	err_t e;

	if (by == NULL) {
		TRY(user_address_allowed(cx, p, email));
		TRY(user_check_password(cx, u, password));
	}
	if (by == NULL && user_anonymous(u)) {
		TRY(password_policy_history(cx, p, u, password));
		TRY(password_policy(cx, p, password, &(struct password_about){u->id, email, u->phone, u->name}));
		TRY(hash_password(cx, password, &n));
		c.remembers = true;
		c.set = "email email_verification email_proved " PASSWORD_SET;
		if (cx->format >= SINCE_1_5) {	/* to 1.0 this password counts as none that was set */
			c.set = "email email_verification email_proved password_update " PASSWORD_SET;
			n.password_update = time_now_ms();
		}
	}
	e = user_change(cx, p, by, u, &n, &c, out);
	return e == ERR_DB_UNIQUE ? fail(cx, ERR_USER_EMAIL_ALREADY_EXISTS, "email=%s", n.email) : e;
}

err_t
user_set_phone(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *phone, const char *password,
    struct user **out)
{
	const struct user_change c = {&ev_user_update_phone, "phone phone_verification phone_proved", EVENT_ROLES, .knows_password = by == NULL, .ends_secrets = true, .moves = "sms"};
	err_t e;

	if (by == NULL)
		TRY(user_check_password(cx, u, password));
	e = user_change(cx, p, by, u, &(struct user){.phone = phone[0] ? phone : NULL}, &c, out);
	return e == ERR_DB_UNIQUE ? fail(cx, by && cx->format < SINCE_1_5 ? ERR_USER_EMAIL_ALREADY_EXISTS : ERR_USER_PHONE_ALREADY_EXISTS, "phone=%s", phone) : e;
}

err_t
user_set_email_verification(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on, struct user **out)
{
	const struct user_change c = {&ev_user_update_verification, "email_verification email_proved", EVENT_ROLES};

	return user_change(cx, p, by, u, &(struct user){.email_verification = on, .email_proved = on}, &c, out);
}

err_t
user_set_phone_verification(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on, struct user **out)
{
	const struct user_change c = {&ev_user_update_verification, "phone_verification phone_proved", EVENT_ROLES};

	return user_change(cx, p, by, u, &(struct user){.phone_verification = on, .phone_proved = on}, &c, out);
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

/* On the console teams own projects: they are not left without their people, one that was made or joined meanwhile neither. */
static err_t
in_no_team(struct db_tx *tx, const struct project *p, const char *internal)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(tx_ctx(tx)->arena, "SELECT 1 FROM %s.memberships WHERE user_internal = $1::bigint AND confirm LIMIT 1", p->schema), DB(internal)));
	return db_rows(r) == 0 ? OK : fail(tx_ctx(tx), ERR_USER_DELETION_PROHIBITED, "memberships");
}

static err_t
user_delete_tx(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by)
{
	struct ctx *cx = tx_ctx(tx);
	const struct rows w = rows_internal(cx, u->internal);
	struct event ev;
	struct user now;

	TRY(record_lock_key(tx, p, &user_record, w, &now));
	if (p->console && by == NULL)
		TRY(in_no_team(tx, p, w.v[0]));
	leave_teams(tx, p, w.v[0]);
	TRY(record_delete(tx, p, &user_record, w, &now));
	ev = record_event(cx, p, &user_record, &ev_user_delete, by ? by->actor : now.id, &now);
	ev.flags = EVENT_USER_GONE;
	ev.stale[0] = user_stale_key(cx, p->id, now.id);
	event_emit(tx, &ev);
	return OK;
}

err_t
user_delete(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by)
{
	return TX_RUN(cx, tx, user_delete_tx(tx, p, u, by));
}

err_t
user_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, struct query_page *out)
{
	return record_list(cx, p, &user_record, (struct rows){0}, queries, search, out);
}
