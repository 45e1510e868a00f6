/* Whose account it is. Anybody can sign up with anybody's address, so an account belongs to whoever made it only until the owner of its address
 * shows up: with a secret that was sent there and lets its reader in (recovery, magic URL, code, invitation), or by a provider that vouches for
 * the address. All these ways end here, and here is the rule:
 *
 * An account that is made by a secret on its way to its address (magic URL, code, invitation) is its reader's from the start: nobody has anything else
 * that opens it. Else an address that is proved for the first time takes the account over. Whatever else opens it goes: sessions, password, OAuth2 identities, the
 * other address (whoever set it up can read there), second factors and recovery codes (but see proof_leaves_factors), keys, and by the epoch every secret that is on its way. Sockets
 * follow by EVENT_ROLES, which the caller's event must carry; requests of the other one that wait meanwhile find the epoch moved (user_lock_by).
 * Once it is proved, a proof ends nothing, but for a new password (recovery): that ends sessions, secrets and
 * keys of the account.
 *
 * The link of a verification lets nobody in. It is asked for by whoever holds the account and opened by whoever reads there, and only when both are
 * the same (it is opened with a session of the account) the address is proved by it; then nothing ends, since nothing changed hands. Opened by a
 * guest it makes the address verified, as the contract has it, and no more: the owner, who may have opened a stranger's link, still takes
 * over when they come in by themselves.
 *
 * What the project's team asks for (recovery, magic URL, code) shows it the secret (spec identity.md), so its use proves nothing: it does what the
 * contract says, and no more. A recovery is a new password, as the team may set one anyway, and sessions stay. */
#include <assert.h>

#include "core/vtime.h"
#include "svc/users/password.h"
#include "svc/users/password_policy.h"
#include "svc/users/target.h"
#include "svc/users/user.h"

#define PASSWORD_SET "password hash hash_options password_update password_mailed epoch"

static const struct {
	const char *confirm, *take;	/* columns that are set by a proof, and by one that takes over */
} addresses[] = {
	[PROVES_EMAIL] = {"email_verification email_proved", "email_verification email_proved phone phone_verification phone_proved " PASSWORD_SET},
	[PROVES_PHONE] = {"phone_verification phone_proved", "phone_verification phone_proved email email_verification email_proved " PASSWORD_SET},
};

/* Deletes what opens an account, so that nothing of it comes back whatever becomes of the account. */
static void
proof_end(struct db_tx *tx, const struct project *p, const struct user *u, bool identities)
{
	static const char *const all[] = {"sessions", "tokens", "identities"};
	struct ctx *cx = tx_ctx(tx);

	for (int i = 0; i < (identities ? 3 : 2); i++)
		tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.%s WHERE user_internal = $1::bigint", p->schema, all[i]),
		    DB(pg_i64(cx->arena, u->internal)));
}

void
user_end_keys(struct db_tx *tx, const struct project *p, const struct user *u, bool of_teams)
{
	const char *number = pg_i64(tx_ctx(tx)->arena, u->internal);

	if (!p->console)
		return;
	tx_add(tx, "DELETE FROM badal.account_keys WHERE user_internal = $1::bigint", DB(number));
	if (of_teams)
		tx_add(tx, "DELETE FROM badal.organization_keys WHERE user_internal = $1::bigint", DB(number));
}

/* The second factors of whoever made the account: they would shut its owner out, and let the other one in by a password that is found out later. */
static void
proof_end_factors(struct db_tx *tx, const struct project *p, const struct user *u)
{
	static const char *const all[] = {"recovery_codes", "challenges"};
	struct ctx *cx = tx_ctx(tx);
	const char *number = pg_i64(cx->arena, u->internal);

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.%s WHERE user_internal = $1::bigint", p->schema, all[i]), DB(number));
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.users SET mfa = false, totp = false, totp_secret = '', totp_step = 0 WHERE internal = $1::bigint", p->schema), DB(number));
}

static void
proof_password(const struct user_proof *proof, struct user *n)
{
	n->password = proof->hash;
	n->hash = PASSWORD_HASH_ID;
	n->hash_options = STR(PASSWORD_HASH_OPTIONS);
	n->password_mailed = proof->of == PROVES_EMAIL && proof->hash != NULL && !proof->nobody_knows;
	n->password_update = proof->hash != NULL && !proof->nobody_knows ? time_now_ms() : TIME_NONE;
}

/* Does the app stay, with its codes and the wish for it? Where the address was verified its reader has seen the account before: it is more likely theirs than a
 * stranger's, and a mailbox alone does not open it. Who comes by a provider has shown two factors. */
static bool
proof_leaves_factors(const struct user_proof *proof, const struct user *now)
{
	return now->totp && !proof->nobody_knows && (proof->of == PROVES_EMAIL ? now->email_verification : now->phone_verification);
}

err_t
user_prove(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_proof *proof, struct user *now)
{
	struct ctx *cx = tx_ctx(tx);
	const struct rows w = rows_internal(cx, u->internal);
	struct user n = {0};
	bool proved;

	TRY(user_lock(tx, p, u, now));
	if (!now->status)
		return fail(cx, ERR_USER_BLOCKED, "user=%s", now->id);
	*proof->took_over_out = false;
	if (proof->of == PROVES_NOTHING)
		return OK;
	assert(proof->of == PROVES_EMAIL || proof->of == PROVES_PHONE);
	proved = proof->of == PROVES_EMAIL ? now->email_proved : now->phone_proved;
	n.email_verification = proof->of == PROVES_EMAIL;
	n.phone_verification = proof->of == PROVES_PHONE;
	n.email_proved = n.email_verification && (proved || proof->how < PROOF_BY_LINK);
	n.phone_proved = n.phone_verification && (proved || proof->how < PROOF_BY_LINK);
	n.epoch = now->epoch + 1;
	if (!proved && proof->how == PROOF_LETS_IN) {
		*proof->took_over_out = true;
		proof_end(tx, p, now, true);
		if (!proof_leaves_factors(proof, now))
			proof_end_factors(tx, p, now);
		user_end_keys(tx, p, now, true);
		proof_password(proof, &n);
		TRY(record_set(tx, p, &user_record, w, addresses[proof->of].take, &n, now));
		target_renew(tx, p, now);
		if (proof->hash != NULL && !proof->nobody_knows)
			password_remember(tx, p, now);
		return OK;
	}
	TRY(record_set(tx, p, &user_record, w, addresses[proof->of].confirm, &n, now));
	if (proof->hash == NULL || proof->nobody_knows)
		return OK;
	if (proof->how != PROOF_BY_CONSOLE) {
		proof_end(tx, p, now, false);
		user_end_keys(tx, p, now, false);
	}
	proof_password(proof, &n);
	TRY(record_set(tx, p, &user_record, w, PASSWORD_SET, &n, now));
	password_remember(tx, p, now);
	return OK;
}
