/* Challenges: what a session is asked for when it has to prove a second factor. One is good for an hour, for the session that asked for it, and for a few tries. */
#include <sodium.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/roles.h"
#include "model/seal.h"
#include "svc/users/mfa.h"

enum { LIFE_MS = 3600 * 1000, TRIES_MAX = 5, OPEN_MAX = 3 };

static const struct field challenge_fields[] = {
	FIELD_HIDDEN(F_INT, struct mfa_challenge, internal, "c.internal"),
	FIELD_HIDDEN(F_STR, struct mfa_challenge, factor, "c.factor"),
	FIELD_HIDDEN(F_STR, struct mfa_challenge, sent_to, "c.sent_to"),
	FIELD(F_ID, struct mfa_challenge, id, "$id", "c.id", "Challenge ID."),
	FIELD(F_TIME, struct mfa_challenge, created, "$createdAt", "c.created", "Challenge creation date in ISO 8601 format."),
	FIELD(F_ID, struct mfa_challenge, user_id, "userId", NULL, "User ID."),
	FIELD(F_TIME, struct mfa_challenge, expire, "expire", "c.expire", "Challenge expiration date in ISO 8601 format."),
};
const struct shape mfa_challenge_shape = SHAPE("mfaChallenge", struct mfa_challenge, challenge_fields);

static const struct field secret_fields[] = {
	FIELD(F_ID, struct mfa_challenge, id, "$id", NULL, "Challenge ID."),
	FIELD(F_TIME, struct mfa_challenge, created, "$createdAt", NULL, "Challenge creation date in ISO 8601 format."),
	FIELD(F_ID, struct mfa_challenge, user_id, "userId", NULL, "User ID."),
	FIELD(F_TIME, struct mfa_challenge, expire, "expire", NULL, "Challenge expiration date in ISO 8601 format."),
	FIELD(F_STR, struct mfa_challenge, code, "code", NULL, "Code of the factor custom, which the app's server brings to its user; empty of others."),
};
const struct shape mfa_challenge_secret_shape = SHAPE("mfaChallengeSecret", struct mfa_challenge, secret_fields);

/* ---- asking ---- */

static bool
has_address(const char *address)
{
	return address != NULL && address[0] != '\0';
}

/* Can the user be asked for it? */
static err_t
challenge_possible(struct ctx *cx, const struct user *u, enum mfa_factor factor)
{
	switch (factor) {
	case MFA_TOTP:
		return u->totp ? OK : fail(cx, ERR_USER_AUTHENTICATOR_NOT_FOUND, "user=%s", u->id);
	case MFA_EMAIL:
		if (!has_address(u->email))
			return fail(cx, ERR_USER_EMAIL_NOT_FOUND, "user=%s", u->id);
		return u->email_verification ? OK : fail(cx, ERR_USER_EMAIL_NOT_VERIFIED, "user=%s", u->id);
	case MFA_PHONE:
		if (!has_address(u->phone))
			return fail(cx, ERR_USER_PHONE_NOT_FOUND, "user=%s", u->id);
		return u->phone_verification ? OK : fail(cx, ERR_USER_PHONE_NOT_VERIFIED, "user=%s", u->id);
	default:
		return OK;
	}
}

static const char *
challenge_address(const struct user *u, enum mfa_factor factor)
{
	return factor == MFA_EMAIL ? u->email : factor == MFA_PHONE ? u->phone : "";
}

/* Of a session the newest few: each one that is open is more to guess at. */
static err_t
challenge_insert(struct db_tx *tx, const struct project *p, const struct mfa_challenge_in *in, const struct mfa_challenge *c, const struct user *now)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena,
		"INSERT INTO %s.challenges (id, user_internal, session_internal, factor, code, sent_to, expire, created) "
		"SELECT $1, s.user_internal, s.internal, $4, $5, $6, $7::timestamptz, $8::timestamptz FROM %s.sessions s "
		"WHERE lower(s.id) = lower($2) AND s.user_internal = $3::bigint AND s.expire >= $8::timestamptz RETURNING session_internal",
		p->schema, p->schema),
	    DB(c->id, in->session, pg_i64(cx->arena, now->internal), c->factor, c->code[0] ? seal_text(cx->arena, c->code) : "", challenge_address(now, in->factor),
		pg_time(cx->arena, c->expire), pg_time(cx->arena, c->created))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_SESSION_NOT_FOUND, "session=%s", in->session);
	tx_add(tx,
	    arena_printf(cx->arena,
		"DELETE FROM %s.challenges WHERE internal IN (SELECT internal FROM %s.challenges WHERE session_internal = $1::bigint ORDER BY internal DESC OFFSET %d)",
		p->schema, p->schema, OPEN_MAX),
	    DB(db_cstr(r, 0, 0)));
	return OK;
}

static err_t
challenge_create_tx(struct db_tx *tx, const struct project *p, const struct user *u, const struct mfa_challenge_in *in, const struct mfa_challenge *c)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev = {.kind = &ev_challenge_create, .project = p->id, .ids = {u->id, c->id}, .roles = roles_one(cx->arena, "user", u->id), .user = u->id, .actor = u->id};
	struct user now;

	TRY(user_lock(tx, p, u, &now));
	TRY(challenge_possible(cx, &now, in->factor));
	TRY(challenge_insert(tx, p, in, c, &now));
	if (in->send != NULL)
		in->send(tx, &now, c->code, in->arg);
	ev.payload = shape_json(cx, &mfa_challenge_shape, c);
	event_emit(tx, &ev);
	return OK;
}

err_t
mfa_challenge_create(struct ctx *cx, const struct project *p, const struct user *u, const struct mfa_challenge_in *in, struct mfa_challenge **out)
{
	bool coded = in->factor == MFA_EMAIL || in->factor == MFA_PHONE || in->factor == MFA_CUSTOM, any = true;
	struct mfa_challenge *c = *out = arena_new_of(cx->arena, struct mfa_challenge);

	if (in->factor == MFA_RECOVERY)
		TRY(mfa_codes_any(cx, p, u, &any));
	if (!any)
		return fail(cx, ERR_USER_RECOVERY_CODES_NOT_FOUND, "user=%s", u->id);
	c->id = id_unique(cx->arena);
	c->user_id = u->id;
	c->factor = mfa_names[in->factor];
	c->code = coded ? arena_printf(cx->arena, "%06u", (unsigned)randombytes_uniform(1000000)) : "";
	c->created = time_now_ms();
	c->expire = c->created + LIFE_MS;
	return TX_RUN(cx, tx, challenge_create_tx(tx, p, u, in, c));
}

/* ---- answering ---- */

static enum mfa_factor
factor_of(const char *name)
{
	int i = 0;

	while (i < MFA_FACTORS - 1 && strcmp(mfa_names[i], name) != 0)
		i++;
	return (enum mfa_factor)i;
}

/* Of a locked user. */
static err_t
challenge_find(struct db_tx *tx, const struct project *p, const struct user *u, const char *session, const char *id, struct mfa_challenge *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena,
		"SELECT c.code, %s FROM %s.challenges c JOIN %s.sessions s ON s.internal = c.session_internal "
		"WHERE lower(c.id) = lower($1) AND c.user_internal = $2::bigint AND lower(s.id) = lower($3) AND c.expire >= $4::timestamptz AND c.tries < %d",
		shape_columns(&mfa_challenge_shape), p->schema, p->schema, TRIES_MAX),
	    DB(id, pg_i64(cx->arena, u->internal), session, pg_time(cx->arena, time_now_ms()))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_INVALID_TOKEN, "challenge=%s", id);
	shape_read(cx, &mfa_challenge_shape, out, r, 0, 1);
	out->code = db_str(r, 0, 0).n > 0 ? seal_open(cx->arena, db_str(r, 0, 0)) : "";
	return OK;
}

static bool
code_right(struct ctx *cx, const struct mfa_challenge *c, enum mfa_factor factor, const struct user *now, const char *code)
{
	const char *to = challenge_address(now, factor);

	if (c->code == NULL || c->code[0] == '\0' || challenge_possible(cx, now, factor) != OK || to == NULL || !str_ieq(str_c(to), str_c(c->sent_to)))
		return false;
	return str_eq_secret(str_c(code), str_c(c->code));
}

static err_t
challenge_answer(struct db_tx *tx, const struct project *p, const struct user *now, const struct mfa_challenge *c, const char *code, bool *right_out)
{
	enum mfa_factor factor = factor_of(c->factor);

	*right_out = false;
	if (!mfa_allowed(p, factor) || (factor == MFA_TOTP && !now->totp))
		return OK;
	if (factor == MFA_TOTP)
		return mfa_totp_take(tx, p, now, code, right_out);
	if (factor == MFA_RECOVERY)
		return mfa_codes_take(tx, p, now, code, right_out);
	*right_out = code_right(tx_ctx(tx), c, factor, now, code);
	return OK;
}

/* A code that was sent is read by who holds the session, as the link of a verification is that is opened with it (proof.c). And a password that came with more
 * than the mailbox is its owner's, whoever might have read the mail that it was set by. */
static void
challenge_proves(struct db_tx *tx, const struct project *p, const struct user *now, enum mfa_factor factor, const struct session *s)
{
	bool email = factor == MFA_EMAIL && !now->email_proved, phone = factor == MFA_PHONE && !now->phone_proved,
	     password = factor != MFA_EMAIL && now->password_mailed && session_by_password(s);
	struct ctx *cx = tx_ctx(tx);

	if (email || phone || password)
		tx_add(tx,
		    arena_printf(cx->arena,
			"UPDATE %s.users SET email_proved = email_proved OR $2::boolean, phone_proved = phone_proved OR $3::boolean, "
			"password_mailed = password_mailed AND NOT $4::boolean WHERE internal = $1::bigint",
			p->schema),
		    DB(pg_i64(cx->arena, now->internal), pg_bool(email), pg_bool(phone), pg_bool(password)));
}

static err_t
challenge_solved(struct db_tx *tx, const struct project *p, const struct user *now, const struct mfa_challenge *c, const char *session, struct session *s)
{
	struct ctx *cx = tx_ctx(tx);
	enum mfa_factor factor = factor_of(c->factor);
	const char *v[] = {mfa_names[factor]};
	struct event ev;

	TRY(session_add_factors(tx, p, now, session, &(struct strs){.set = true, .n = 1, .v = v}, time_now_ms(), s));
	challenge_proves(tx, p, now, factor, s);
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.challenges WHERE internal = $1::bigint", p->schema), DB(pg_i64(cx->arena, c->internal)));
	ev = session_event(cx, p, &ev_session_create, now, s->id, shape_json(cx, &session_shape, s));
	ev.flags = EVENT_ROLES;
	ev.stale[0] = user_stale_key(cx, p->id, now->id);
	event_emit(tx, &ev);
	return session_make_room(tx, p, now, s);
}

/* A wrong answer is written down, so it is no failure of the transaction. */
static err_t
challenge_solve_tx(struct db_tx *tx, const struct project *p, const struct user *u, const char *session, const char *id, const char *code, struct session *s,
    bool *right_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct mfa_challenge c = {0};
	struct user now;

	TRY(user_lock(tx, p, u, &now));
	if (!now.status)
		return fail(cx, ERR_USER_BLOCKED, "user=%s", u->id);
	TRY(challenge_find(tx, p, &now, session, id, &c));
	TRY(challenge_answer(tx, p, &now, &c, code, right_out));
	if (*right_out)
		return challenge_solved(tx, p, &now, &c, session, s);
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.challenges SET tries = tries + 1 WHERE internal = $1::bigint", p->schema), DB(pg_i64(cx->arena, c.internal)));
	return OK;
}

err_t
mfa_challenge_solve(struct ctx *cx, const struct project *p, const struct user *u, const char *session, const char *id, const char *code, struct session **out)
{
	bool right = false;

	*out = arena_new_of(cx->arena, struct session);
	TRY(TX_RUN(cx, tx, challenge_solve_tx(tx, p, u, session, id, code, *out, &right)));
	return right ? OK : fail(cx, ERR_USER_INVALID_TOKEN, "challenge=%s", id);
}

/* ---- for servers ---- */

err_t
mfa_challenge_get(struct ctx *cx, const struct project *p, const struct user *u, const char *id, struct mfa_challenge **out)
{
	struct mfa_challenge *c = *out = arena_new_of(cx->arena, struct mfa_challenge);
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT c.code, %s FROM %s.challenges c WHERE lower(c.id) = lower($1) AND c.user_internal = $2::bigint AND c.expire >= $3::timestamptz",
		shape_columns(&mfa_challenge_shape), p->schema),
	    DB(id, pg_i64(cx->arena, u->internal), pg_time(cx->arena, time_now_ms()))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_INVALID_TOKEN, "challenge=%s", id);
	shape_read(cx, &mfa_challenge_shape, c, r, 0, 1);
	c->user_id = u->id;
	c->code = factor_of(c->factor) == MFA_CUSTOM ? seal_open(cx->arena, db_str(r, 0, 0)) : "";
	return OK;
}
