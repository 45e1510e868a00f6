/* Tokens: taking one is a DELETE … RETURNING in the transaction of what it allows, so that it serves once however many try. */
#include "svc/users/token.h"

#include <sodium.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/roles.h"
#include "svc/users/password.h"
#include "svc/users/password_policy.h"

enum { SECRET_BYTES = 128, SHORT_SECRET = 16, SHORT_SECRETS_MAX = 3, CODE_TRIES_MAX = 5 };

static const struct field token_fields[] = {
	FIELD(F_ID, struct token, id, "$id", "t.id", "Token ID."),
	FIELD(F_TIME, struct token, created, "$createdAt", "t.created", "Token creation date in ISO 8601 format."),
	FIELD(F_ID, struct token, user_id, "userId", "t.user_id", "User ID."),
	FIELD(F_STR, struct token, secret, "secret", "t.secret_hash", "Secret; empty for clients, who get it by mail or SMS."),
	FIELD(F_TIME, struct token, expire, "expire", "t.expire", "Token expiration date in ISO 8601 format."),
	FIELD(F_STR, struct token, phrase, "phrase", NULL, "Words that the mail shows as well; empty unless asked for.", .since = SINCE_1_5),
	FIELD_HIDDEN(F_BOOL, struct token, shown, "t.shown"),
	FIELD_HIDDEN(F_INT, struct token, type, "t.type"),
};
const struct shape token_shape = SHAPE("token", struct token, token_fields);

static struct event
token_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct user *u, const struct token *t)
{
	return (struct event){
		.kind = kind,
		.project = p->id,
		.ids = {u->id, t->id},
		.roles = roles_one(cx->arena, "user", u->id),
		.payload = shape_json(cx, &token_shape, t),
		.user = u->id,
		.actor = u->id,
	};
}

/* Of each type: what it looks like, and what its use proves. */
static const struct kind {
	enum token_type type;
	int digits, bytes;	/* of a new secret; the other is 0 */
	enum user_proves proves;
} kinds[] = {
	{TOKEN_VERIFICATION, 0, SECRET_BYTES, PROVES_EMAIL},
	{TOKEN_RECOVERY, 0, SECRET_BYTES, PROVES_EMAIL},
	{TOKEN_MAGIC, 0, SECRET_BYTES, PROVES_EMAIL},
	{TOKEN_PHONE, TOKEN_CODE_LEN, 0, PROVES_PHONE},
	{TOKEN_OAUTH2, 0, 32, PROVES_NOTHING},
	{TOKEN_EMAIL, TOKEN_CODE_LEN, 0, PROVES_EMAIL},
	{TOKEN_GENERIC, 0, TOKEN_SECRET_MAX / 2, PROVES_NOTHING},
	{TOKEN_RECOVERY_CODE, TOKEN_CODE_LEN, 0, PROVES_EMAIL},
	{TOKEN_VERIFICATION_CODE, TOKEN_CODE_LEN, 0, PROVES_EMAIL},
};

static const struct kind *
token_kind(int64_t type)
{
	const struct kind *k = kinds;

	while (k->type != (enum token_type)type)
		k++;
	return k;
}

static const char *
new_secret(struct ctx *cx, const struct token_in *in)
{
	const struct kind *k = token_kind(in->type);
	char *secret;

	if (in->code != NULL)
		return in->code;
	if (k->digits > 0)
		return arena_printf(cx->arena, "%0*u", k->digits, (unsigned)randombytes_uniform(1000000));
	secret = secret_hex(cx->arena, (size_t)k->bytes);
	if (in->length > 0)
		secret[in->length] = '\0';
	return secret;
}

/* Of a type, the newest of a user count. Of short secrets each one more that is valid makes guessing one likelier: of a server's they are few, and a code
 * ends the one before it. */
static void
drop_old(struct db_tx *tx, const struct project *p, const struct user *u, enum token_type type, size_t length)
{
	struct ctx *cx = tx_ctx(tx);
	int64_t most = token_kind(type)->digits > 0 ? 1 : length < SHORT_SECRET ? SHORT_SECRETS_MAX : conf.tokens_per_user_max;

	tx_add(tx,
	    arena_printf(cx->arena,
		"DELETE FROM %s.tokens WHERE internal IN (SELECT internal FROM %s.tokens WHERE user_internal = $1::bigint AND type = $2::integer "
		"ORDER BY internal DESC OFFSET $3::bigint)",
		p->schema, p->schema),
	    DB(pg_i64(cx->arena, u->internal), pg_i64(cx->arena, type), pg_i64(cx->arena, most)));
}

static void
token_lock(struct db_tx *tx, const struct project *p, const struct user *u)
{
	tx_add(tx, arena_printf(tx_ctx(tx)->arena, "SELECT 1 FROM %s.users WHERE internal = $1::bigint FOR NO KEY UPDATE", p->schema),
	    DB(pg_i64(tx_ctx(tx)->arena, u->internal)));
}

/* The user is locked: of two at once, each of which sees but its own, none would be the former. */
static err_t
token_insert(struct db_tx *tx, const struct project *p, const struct user *u, const struct token_in *in, const struct token *t)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev;

	token_lock(tx, p, u);
	tx_add(tx,
	    arena_printf(cx->arena,
		"INSERT INTO %s.tokens (id, user_internal, user_id, type, secret_hash, expire, ip, user_agent, created, sent_to, epoch, shown) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::boolean)",
		p->schema),
	    DB(t->id, pg_i64(cx->arena, u->internal), u->id, pg_i64(cx->arena, in->type), sha256_hex(cx->arena, str_c(t->secret)),
		pg_time(cx->arena, t->expire), in->ip ? in->ip : "", in->user_agent ? in->user_agent : "", pg_time(cx->arena, t->created),
		in->sent_to, pg_i64(cx->arena, u->epoch), pg_bool(in->shown)));
	drop_old(tx, p, u, in->type, strlen(t->secret));
	if (in->send != NULL)
		in->send(tx, t, in->arg);
	if (in->event == NULL)
		return OK;
	ev = token_event(cx, p, in->event, u, t);
	event_emit(tx, &ev);
	return OK;
}

err_t
token_create(struct ctx *cx, const struct project *p, const struct user *u, const struct token_in *in, struct token **out)
{
	struct token *t = arena_new_of(cx->arena, struct token);
	err_t e;

	t->id = id_unique(cx->arena);
	t->user_id = u->id;
	t->type = in->type;
	t->secret = new_secret(cx, in);
	t->created = time_now_ms();
	t->expire = t->created + in->life_ms;
	*out = t;
	e = TX_RUN(cx, tx, token_insert(tx, p, u, in, t));
	return e == ERR_DB && strcmp(db_sqlstate(cx), "23503") == 0 ? fail(cx, ERR_USER_NOT_FOUND, "user=%s was deleted meanwhile", u->id) : e;	/* foreign key */
}

/* ---- guesses ---- */

static bool
looks_like_code(const char *secret)
{
	return strlen(secret) == TOKEN_CODE_LEN && strspn(secret, "0123456789") == TOKEN_CODE_LEN;
}

/* Codes of the kinds that were tried; secrets of a server's are as long as it wants them, and live for as long. */
static unsigned
codes_of(unsigned types)
{
	unsigned codes = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].digits > 0)
			codes |= TOKEN_BIT(kinds[i].type);
	return codes & types;
}

/* A wrong code is one try at each that is open. The user is locked, so of many at once each sees those before it. What could be no code is no guess at one. */
static void
count_miss(struct db_tx *tx, const struct project *p, const struct user *u, const struct token_use *use)
{
	struct ctx *cx = tx_ctx(tx);

	if (looks_like_code(use->secret))
		tx_add(tx, arena_printf(cx->arena, "UPDATE %s.tokens SET tries = tries + 1 WHERE user_internal = $1::bigint AND (1 << type) & $2::integer <> 0", p->schema),
		    DB(pg_i64(cx->arena, u->internal), pg_i64(cx->arena, codes_of(use->types))));
}

/* ---- use ---- */

/* The token meant, which is taken or looked at. The user is locked first, so that what is compared is still the user's when it is said to be verified.
 * *missed_out: there is none, which is counted, and so no failure of the transaction. */
static err_t
token_find(struct db_tx *tx, const struct project *p, const struct user *u, const struct token_use *use, bool take, struct token *t, bool *missed_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	token_lock(tx, p, u);
	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena,
		"%s %s.tokens AS t %s %s.users u WHERE u.internal = $1::bigint AND t.user_internal = u.internal AND (1 << t.type) & $2::integer <> 0 "
		"AND t.secret_hash = $3 AND t.expire >= $4::timestamptz AND t.epoch = u.epoch AND t.tries < %d "
		"AND (t.sent_to IS NULL OR lower(t.sent_to) = lower(CASE WHEN t.type = $5::integer THEN u.phone ELSE u.email END)) %s %s",
		take ? "DELETE FROM" : arena_printf(cx->arena, "SELECT %s FROM", shape_columns(&token_shape)), p->schema, take ? "USING" : ",", p->schema,
		CODE_TRIES_MAX, take ? "RETURNING" : "", take ? shape_columns(&token_shape) : ""),
	    DB(pg_i64(cx->arena, u->internal), pg_i64(cx->arena, use->types), sha256_hex(cx->arena, str_c(use->secret)),
		pg_time(cx->arena, time_now_ms()), pg_i64(cx->arena, TOKEN_PHONE))));
	*missed_out = db_rows(r) == 0;
	if (*missed_out)
		count_miss(tx, p, u, use);
	else
		shape_read(cx, &token_shape, t, r, 0, 0);
	return OK;
}

static err_t
token_none(struct ctx *cx, const struct user *u)
{
	return fail(cx, ERR_USER_INVALID_TOKEN, "user=%s", u->id);
}

/* `hash`: of a new password, NULL: none. */
static err_t
redeem(struct db_tx *tx, const struct project *p, const struct user *u, const struct token_use *use, const char *hash, struct token *t, struct user *now,
    bool *missed_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct user_proof proof = {.how = use->how, .hash = hash, .took_over_out = &t->took_over};
	struct event ev;

	TRY(token_find(tx, p, u, use, true, t, missed_out));
	if (*missed_out)
		return OK;
	proof.of = token_kind(t->type)->proves;
	if (t->shown)
		proof.how = PROOF_BY_CONSOLE;
	TRY(user_prove(tx, p, u, &proof, now));
	ev = token_event(cx, p, use->event == NULL ? &ev_roles_update : use->event, now, t);
	if (use->event == NULL) {
		ev.ids[1] = NULL;
		ev.payload = STR("");
	}
	ev.actor = use->actor;
	ev.flags = EVENT_ROLES;
	ev.stale[0] = user_stale_key(cx, p->id, now->id);
	event_emit(tx, &ev);
	return OK;
}

/* What a new password has to be is said to who has the token, and to nobody else. */
static err_t
check_new(struct ctx *cx, const struct project *p, const struct user *u, const struct token_use *use)
{
	struct token t;
	bool missed;

	TRY(TX_RUN(cx, tx, token_find(tx, p, u, use, false, &t, &missed)));
	if (missed)
		return token_none(cx, u);
	TRY(password_policy_history(cx, p, u, use->password));
	return password_policy(cx, p, use->password, NULL);
}

err_t
token_redeem(struct ctx *cx, const struct project *p, struct user **u, const struct token_use *use, struct token **out)
{
	struct user *now = arena_new_of(cx->arena, struct user);
	const char *hash = NULL;
	bool missed;

	*out = arena_new_of(cx->arena, struct token);
	if (use->password != NULL) {	/* before the transaction: nothing may be locked meanwhile */
		TRY(check_new(cx, p, *u, use));
		TRY(password_hash(cx, use->password, &hash));
	}
	TRY(TX_RUN(cx, tx, redeem(tx, p, *u, use, hash, *out, now, &missed)));
	if (missed)
		return token_none(cx, *u);
	*u = now;
	return OK;
}
