/* What a user has as second factors. The secret of an app and recovery codes are sealed: both are shown or computed with, and a hash of anything as short could be
 * tried out. */
#include "svc/users/mfa.h"

#include <ctype.h>
#include <sodium.h>

#include "core/protocol.h"
#include "core/vtime.h"
#include "io/totp.h"
#include "model/link.h"
#include "model/seal.h"

enum { CODES = 6, CODE_LEN = 10 };

const char *const mfa_names[MFA_FACTORS + 1] = {"totp", "email", "phone", "recoveryCode", "custom", NULL};

static const struct field factors_fields[] = {
	FIELD(F_BOOL, struct mfa_factors, totp, "totp", NULL, "An authenticator app."),
	FIELD(F_BOOL, struct mfa_factors, phone, "phone", NULL, "A code by short message."),
	FIELD(F_BOOL, struct mfa_factors, email, "email", NULL, "A code by mail."),
	FIELD(F_BOOL, struct mfa_factors, recovery_code, "recoveryCode", NULL, "A recovery code."),
	FIELD(F_BOOL, struct mfa_factors, custom, "custom", NULL, "A code that the app's server brings."),
};
const struct shape mfa_factors_shape = SHAPE("mfaFactors", struct mfa_factors, factors_fields);

static const struct field type_fields[] = {
	FIELD(F_STR, struct mfa_type, secret, "secret", NULL, "Secret for the app, in base32."),
	FIELD(F_STR, struct mfa_type, uri, "uri", NULL, "The same as the app reads it from a picture (otpauth)."),
};
const struct shape mfa_type_shape = SHAPE("mfaType", struct mfa_type, type_fields);

static const struct field codes_fields[] = {FIELD(F_STRS, struct mfa_codes, codes, "recoveryCodes", NULL, "Codes that have not been used; each is good once.")};
const struct shape mfa_codes_shape = SHAPE("mfaRecoveryCodes", struct mfa_codes, codes_fields);

bool
mfa_allowed(const struct project *p, enum mfa_factor factor)
{
	const bool allowed[MFA_FACTORS] = {[MFA_TOTP] = p->factors.totp, [MFA_EMAIL] = p->factors.email, [MFA_PHONE] = p->factors.phone, [MFA_RECOVERY] = true,
	    [MFA_CUSTOM] = p->factors.custom};

	return allowed[factor];
}

err_t
mfa_usable(struct ctx *cx, const struct project *p, const struct user *u, struct mfa_factors *out)
{
	*out = (struct mfa_factors){
		.totp = u->totp && mfa_allowed(p, MFA_TOTP),
		.email = address_proved(u->email, u->email_verification) && mfa_allowed(p, MFA_EMAIL),
		.phone = address_proved(u->phone, u->phone_verification) && mfa_allowed(p, MFA_PHONE),
		.custom = mfa_allowed(p, MFA_CUSTOM),
	};
	return mfa_codes_any(cx, p, u, &out->recovery_code);
}

/* Everybody who shows the user or decides by it looks again. */
static void
mfa_emit(struct db_tx *tx, const struct project *p, const struct event_info *kind, const struct user_by *by, const struct user *now)
{
	struct event ev = user_event(tx_ctx(tx), p, kind, by, now);

	ev.flags = EVENT_ROLES;
	ev.stale[0] = user_stale_key(tx_ctx(tx), p->id, now->id);
	event_emit(tx, &ev);
}

/* ---- whether it is asked for ---- */

static err_t
stay_in(struct db_tx *tx, const struct project *p, const struct user *now, const char *session)
{
	const char *v[3];
	struct strs more = {.set = true, .v = v};
	struct session s;

	if (now->totp)
		v[more.n++] = mfa_names[MFA_TOTP];
	if (address_proved(now->email, now->email_verification))
		v[more.n++] = mfa_names[MFA_EMAIL];
	if (address_proved(now->phone, now->phone_verification))
		v[more.n++] = mfa_names[MFA_PHONE];
	TRY(session_add_factors(tx, p, now, session, &more, TIME_NONE, &s));
	if (user_wants_more(now, &s.factors))
		return fail_msg(tx_ctx(tx), ERR_USER_MORE_FACTORS_REQUIRED, "There is no second factor yet: add one before it is asked for.");
	return OK;
}

/* The other sessions lack it from now on, also what they stayed in with when it was asked for before, or an app that was set up with them. */
static void
others_stay_out(struct db_tx *tx, const struct project *p, const struct user *now, const char *session)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx,
	    arena_printf(cx->arena,
		"UPDATE %s.sessions SET factors = factors[1:1] "
		"WHERE user_internal = $1::bigint AND lower(id) <> lower($2) AND cardinality(factors) > 1 AND NOT two_shown AND NOT 'oauth2' = ANY (factors)",
		p->schema),
	    DB(pg_i64(cx->arena, now->internal), session));
}

static err_t
mfa_set_tx(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by, const char *session, bool on, struct user *now)
{
	TRY(user_lock_by(tx, p, by, u, now));
	if (on && !now->mfa && session != NULL)
		others_stay_out(tx, p, now, session);
	now->mfa = on;
	if (on && session != NULL)
		TRY(stay_in(tx, p, now, session));
	TRY(record_set(tx, p, &user_record, rows_internal(tx_ctx(tx), u->internal), "mfa", &(struct user){.mfa = on}, now));
	mfa_emit(tx, p, &ev_user_update_mfa, by, now);
	return OK;
}

err_t
mfa_set(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *session, bool on, struct user **out)
{
	*out = arena_new_of(cx->arena, struct user);
	return TX_RUN(cx, tx, mfa_set_tx(tx, p, u, by, session, on, *out));
}

/* ---- authenticator apps ---- */

/* A part of a path: a blank is no plus there. */
static void
add_label(struct buf *b, const char *text)
{
	struct str rest = str_c(text);

	while (rest.p != NULL) {
		link_encode(b, str_cut(&rest, ' '));
		if (rest.p != NULL)
			BUF_LIT(b, "%20");
	}
}

static const char *
totp_uri(struct ctx *cx, const struct project *p, const struct user *u, const char *secret)
{
	const char *label = u->email && u->email[0] ? u->email : u->phone && u->phone[0] ? u->phone : u->id;
	struct buf b;

	buf_init(&b, cx->arena, 256);
	BUF_LIT(&b, "otpauth://totp/");
	add_label(&b, p->name);
	BUF_LIT(&b, ":");
	add_label(&b, label);
	buf_printf(&b, "?issuer=");
	add_label(&b, p->name);
	buf_printf(&b, "&secret=%s&algorithm=SHA1&digits=%d&period=%d", secret, TOTP_DIGITS, TOTP_STEP_S);
	return buf_view(&b).p;
}

static err_t
totp_set_secret(struct db_tx *tx, const struct project *p, const struct user *u, const char *sealed)
{
	struct ctx *cx = tx_ctx(tx);
	struct user now;

	TRY(user_lock_by(tx, p, NULL, u, &now));
	if (now.totp)
		return fail(cx, ERR_USER_AUTHENTICATOR_ALREADY_VERIFIED, "user=%s", u->id);
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.users SET totp_secret = $2, totp_step = 0 WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, u->internal), sealed));
	mfa_emit(tx, p, &ev_user_update_mfa, NULL, &now);
	return OK;
}

err_t
mfa_totp_begin(struct ctx *cx, const struct project *p, const struct user *u, struct mfa_type *out)
{
	const char *secret = totp_secret(cx->arena), *sealed = seal_text(cx->arena, secret);

	*out = (struct mfa_type){secret, totp_uri(cx, p, u, secret)};
	return TX_RUN(cx, tx, totp_set_secret(tx, p, u, sealed));
}

/* Of a locked user. *secret_out NULL: there is none, or it cannot be opened any more. */
static err_t
totp_read(struct db_tx *tx, const struct project *p, const struct user *u, const char **secret_out, int64_t *after_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT totp_secret, totp_step FROM %s.users WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, u->internal))));
	*secret_out = db_rows(r) > 0 && db_str(r, 0, 0).n > 0 ? seal_open(cx->arena, db_str(r, 0, 0)) : NULL;
	*after_out = db_rows(r) > 0 ? db_i64(r, 0, 1) : 0;
	return OK;
}

/* *found_out false: there is no app. */
static err_t
totp_take(struct db_tx *tx, const struct project *p, const struct user *u, const char *code, bool *found_out, bool *right_out)
{
	struct ctx *cx = tx_ctx(tx);
	const char *secret;
	int64_t after, step;

	TRY(totp_read(tx, p, u, &secret, &after));
	*found_out = secret != NULL;
	step = secret != NULL ? totp_step(secret, code, time_now_ms(), after) : TOTP_NONE;
	*right_out = step != TOTP_NONE;
	if (*right_out)
		tx_add(tx, arena_printf(cx->arena, "UPDATE %s.users SET totp = true, totp_step = $2::bigint WHERE internal = $1::bigint", p->schema),
		    DB(pg_i64(cx->arena, u->internal), pg_i64(cx->arena, step)));
	return OK;
}

err_t
mfa_totp_take(struct db_tx *tx, const struct project *p, const struct user *u, const char *code, bool *right_out)
{
	bool found;

	return totp_take(tx, p, u, code, &found, right_out);
}

static err_t
totp_verify_tx(struct db_tx *tx, const struct project *p, const struct user *u, const char *session, const char *code, struct user *now)
{
	struct ctx *cx = tx_ctx(tx);
	const struct strs more = {.set = true, .n = 1, .v = (const char **)arena_memdup(cx->arena, &mfa_names[MFA_TOTP], sizeof *mfa_names)};
	struct session s;
	bool found, right;

	TRY(user_lock_by(tx, p, NULL, u, now));
	if (now->totp)
		return fail(cx, ERR_USER_AUTHENTICATOR_ALREADY_VERIFIED, "user=%s", u->id);
	TRY(totp_take(tx, p, now, code, &found, &right));
	if (!right)
		return fail(cx, found ? ERR_USER_INVALID_TOKEN : ERR_USER_AUTHENTICATOR_NOT_FOUND, "user=%s", u->id);
	now->totp = true;
	if (session != NULL)
		TRY(session_add_factors(tx, p, now, session, &more, TIME_NONE, &s));
	mfa_emit(tx, p, &ev_user_update_mfa, NULL, now);
	return OK;
}

err_t
mfa_totp_verify(struct ctx *cx, const struct project *p, const struct user *u, const char *session, const char *code, struct user **out)
{
	*out = arena_new_of(cx->arena, struct user);
	return TX_RUN(cx, tx, totp_verify_tx(tx, p, u, session, code, *out));
}

/* With challenges that ask for it: they are not answered by another app either. */
static err_t
totp_remove_tx(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by)
{
	struct ctx *cx = tx_ctx(tx);
	const char *number = pg_i64(cx->arena, u->internal);
	struct db_res *r;
	struct user now;

	TRY(user_lock_by(tx, p, by, u, &now));
	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "UPDATE %s.users SET totp = false, totp_secret = '', totp_step = 0 WHERE internal = $1::bigint AND totp_secret <> '' RETURNING 1", p->schema),
	    DB(number)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_AUTHENTICATOR_NOT_FOUND, "user=%s", u->id);
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.challenges WHERE user_internal = $1::bigint AND factor = $2", p->schema), DB(number, mfa_names[MFA_TOTP]));
	now.totp = false;
	mfa_emit(tx, p, &ev_user_delete_mfa, by, &now);
	return OK;
}

err_t
mfa_totp_remove(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by)
{
	return TX_RUN(cx, tx, totp_remove_tx(tx, p, u, by));
}

/* ---- recovery codes ---- */

/* Of characters that are not mistaken for each other: fifty bits. */
static const char *
new_code(struct arena *a)
{
	static const char from[] = "23456789abcdefghjkmnpqrstuvwxyz";
	char *code = arena_alloc(a, CODE_LEN + 1);

	for (int i = 0; i < CODE_LEN; i++)
		code[i] = from[randombytes_uniform(sizeof from - 1)];
	code[CODE_LEN] = '\0';
	return code;
}

static struct mfa_codes
new_codes(struct arena *a)
{
	struct mfa_codes c = {{.set = true, .v = arena_array(a, const char *, CODES)}};

	while (c.codes.n < CODES)
		c.codes.v[c.codes.n++] = new_code(a);
	return c;
}

enum codes_how { CODES_FIRST, CODES_AGAIN };

static err_t
codes_write(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by, enum codes_how how, const struct strs *codes)
{
	const struct event_info *kind = by == NULL ? &ev_user_update_mfa : how == CODES_FIRST ? &ev_user_create_codes : &ev_user_update_codes;
	struct ctx *cx = tx_ctx(tx);
	const char *number = pg_i64(cx->arena, u->internal);
	struct db_res *r;
	struct user now;

	TRY(user_lock_by(tx, p, by, u, &now));
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.recovery_codes WHERE user_internal = $1::bigint LIMIT 1", p->schema), DB(number)));
	if (how == CODES_FIRST && db_rows(r) > 0)
		return fail(cx, ERR_USER_RECOVERY_CODES_ALREADY_EXISTS, "user=%s", u->id);
	if (how == CODES_AGAIN && db_rows(r) == 0)
		return fail(cx, ERR_USER_RECOVERY_CODES_NOT_FOUND, "user=%s", u->id);
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.recovery_codes WHERE user_internal = $1::bigint", p->schema), DB(number));
	for (int i = 0; i < codes->n; i++)
		tx_add(tx, arena_printf(cx->arena, "INSERT INTO %s.recovery_codes (user_internal, code) VALUES ($1::bigint, $2)", p->schema),
		    DB(number, seal_text(cx->arena, codes->v[i])));
	mfa_emit(tx, p, kind, by, &now);
	return OK;
}

err_t
mfa_codes_create(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, struct mfa_codes *out)
{
	*out = new_codes(cx->arena);
	return TX_RUN(cx, tx, codes_write(tx, p, u, by, CODES_FIRST, &out->codes));
}

err_t
mfa_codes_renew(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, struct mfa_codes *out)
{
	*out = new_codes(cx->arena);
	return TX_RUN(cx, tx, codes_write(tx, p, u, by, CODES_AGAIN, &out->codes));
}

static const char *
codes_sql(struct ctx *cx, const struct project *p)
{
	return arena_printf(cx->arena, "SELECT code, internal FROM %s.recovery_codes WHERE user_internal = $1::bigint ORDER BY internal", p->schema);
}

err_t
mfa_codes_get(struct ctx *cx, const struct project *p, const struct user *u, struct mfa_codes *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, codes_sql(cx, p), DB(pg_i64(cx->arena, u->internal))));
	*out = (struct mfa_codes){{.set = true, .v = arena_array(cx->arena, const char *, db_rows(r) + 1)}};
	for (int i = 0; i < db_rows(r); i++) {
		const char *code = seal_open(cx->arena, db_str(r, i, 0));

		if (code != NULL)
			out->codes.v[out->codes.n++] = code;
	}
	return out->codes.n > 0 ? OK : fail(cx, ERR_USER_RECOVERY_CODES_NOT_FOUND, "user=%s", u->id);
}

err_t
mfa_codes_any(struct ctx *cx, const struct project *p, const struct user *u, bool *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT EXISTS (SELECT 1 FROM %s.recovery_codes WHERE user_internal = $1::bigint)", p->schema),
	    DB(pg_i64(cx->arena, u->internal))));
	*out = db_bool(r, 0, 0);
	return OK;
}

/* As people type what they have written down: in capitals, with blanks and dashes. */
static const char *
plain_code(struct arena *a, const char *code)
{
	char *plain = arena_alloc(a, strlen(code) + 1), *to = plain;

	for (; *code != '\0'; code++)
		if (*code != ' ' && *code != '-')
			*to++ = (char)tolower((unsigned char)*code);
	*to = '\0';
	return plain;
}

err_t
mfa_codes_take(struct db_tx *tx, const struct project *p, const struct user *u, const char *code, bool *right_out)
{
	struct ctx *cx = tx_ctx(tx);
	const char *plain = plain_code(cx->arena, code), *number = NULL;
	struct db_res *r;

	TRY(tx_query(tx, &r, codes_sql(cx, p), DB(pg_i64(cx->arena, u->internal))));
	for (int i = 0; i < db_rows(r); i++) {
		const char *is = seal_open(cx->arena, db_str(r, i, 0));

		if (is != NULL && str_eq_secret(str_c(plain), str_c(is)))
			number = db_cstr(r, i, 1);
	}
	*right_out = number != NULL;
	if (*right_out)
		tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.recovery_codes WHERE internal = $1::bigint", p->schema), DB(number));
	return OK;
}
