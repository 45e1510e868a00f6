/* Which user of ours somebody from a provider is. The provider's own id decides; an address does only when the provider vouches for it, for
 * otherwise whoever can type an address into an account there could have the account here. */
#include "core/id.h"
#include "core/vtime.h"
#include "model/event.h"
#include "svc/account/oauth.h"
#include "svc/users/linked.h"
#include "svc/users/password.h"
#include "svc/users/target.h"

enum { PASSWORD_BYTES = 20 };

/* A change that only caches and connections hear of: the session's own event tells the rest. */
static struct event
quiet_event(struct ctx *cx, const struct project *p, const struct user *u, unsigned flags)
{
	return (struct event){.kind = &ev_roles_update, .project = p->id, .ids = {u->id}, .user = u->id, .flags = flags,
		.stale = {user_stale_key(cx, p->id, u->id)}};
}

/* ---- somebody who is signed in already ---- */

/* An anonymous user becomes a person with name and address. An address that was there already stays: it may be a proven one. */
static void
oauth_user_convert(struct db_tx *tx, const struct project *p, const struct oauth_profile *who, struct user *u)
{
	struct ctx *cx = tx_ctx(tx);

	if (who->name[0] != '\0')
		u->name = who->name;
	if (u->email == NULL && who->email != NULL) {
		u->email = str_lower(cx->arena, str_c(who->email)).p;
		u->email_verification = false;
	}
	u->updated = time_now_ms();
	tx_add(tx,
	    arena_printf(cx->arena,
		"UPDATE %s.users SET name = $2::text, email = $3::text, email_verification = $4::boolean, updated = $5::timestamptz, "
		"search = concat_ws(' ', id, $3::text, phone, $2::text) WHERE internal = $1::bigint",
		p->schema),
	    DB(pg_i64(cx->arena, u->internal), u->name, u->email, pg_bool(u->email_verification), pg_time(cx->arena, u->updated)));
}

static err_t
add_to_account(struct db_tx *tx, const struct project *p, const struct linked_in *from, const struct oauth_profile *who, const struct user *current, struct user *u)
{
	struct event ev = quiet_event(tx_ctx(tx), p, current, EVENT_ROLES);

	TRY(user_lock_by(tx, p, NULL, current, u));
	if (user_anonymous(u)) {	/* still: it may have got an address and a password of its own meanwhile */
		const char *was = u->email;

		if (was == NULL)
			TRY(user_address_allowed(tx_ctx(tx), p, who->email));
		oauth_user_convert(tx, p, who, u);
		if (u->email != NULL)
			target_move(tx, p, u, "email", was, u->email);
	}
	TRY(linked_put(tx, p, u, from));
	event_emit(tx, &ev);
	return OK;
}

/* An address that is somebody else's, here or at a provider, comes into no second account. */
static err_t
check_address_free(struct ctx *cx, const struct project *p, const struct oauth_profile *who, const struct user *current)
{
	struct user *other;
	bool taken;
	err_t e;

	if (who->email == NULL)
		return OK;
	e = user_by_email(cx, p, who->email, &other);
	if (e != OK && e != ERR_USER_NOT_FOUND)
		return e;
	if (e == OK && other->internal != current->internal)
		return fail(cx, ERR_USER_ALREADY_EXISTS, "the address is that of user %s", other->id);
	TRY(linked_has_email(cx, p, who->email, current, &taken));
	return taken ? fail(cx, ERR_USER_ALREADY_EXISTS, "the address is that of another identity") : OK;
}

static err_t
oauth_user_attach(struct ctx *cx, const struct project *p, const struct linked_in *from, const struct oauth_profile *who, const struct user *current, const struct user *owner,
    struct user **out)
{
	struct user *u = arena_alloc(cx->arena, sizeof *u);
	err_t e;

	if (owner != NULL && owner->internal != current->internal)
		return fail(cx, ERR_USER_ALREADY_EXISTS, "the identity is user %s", owner->id);
	*u = *current;
	*out = u;
	if (owner != NULL && !user_anonymous(current))
		return OK;
	TRY(check_address_free(cx, p, who, current));
	e = TX_RUN(cx, tx, add_to_account(tx, p, from, who, current, u));
	return e == ERR_DB_UNIQUE ? fail(cx, ERR_USER_EMAIL_ALREADY_EXISTS, "%s", db_constraint(cx)) : e;
}

/* ---- somebody whose address we know ---- */

/* Locks the user. Whether the address is still theirs, and proven or not, decides what is done with the account: if any of that changed since it
 * was read, nothing is. */
static err_t
lock_unchanged(struct ctx *cx, struct db_tx *tx, const struct project *p, const struct user *u)
{
	struct user now;

	TRY(user_lock(tx, p, u, &now));
	if (now.email == NULL || !str_ieq(str_c(now.email), str_c(u->email)) || now.email_verification != u->email_verification ||
	    now.email_proved != u->email_proved)
		return fail(cx, ERR_USER_ALREADY_EXISTS, "the address of %s changed meanwhile", u->id);
	return now.status ? OK : fail(cx, ERR_USER_BLOCKED, "user=%s", u->id);
}

static err_t
random_password(struct ctx *cx, const char **hash_out)
{
	return password_hash(cx, secret_hex(cx->arena, PASSWORD_BYTES), hash_out);
}

/* `hash`: of a password that nobody knows, for an account whose address was not proved; else NULL. */
static err_t
link_locked(struct db_tx *tx, const struct project *p, const struct linked_in *from, const struct user *u, const char *hash,
    bool *took_over)
{
	const struct user_proof proof = {.of = PROVES_EMAIL, .hash = hash, .nobody_knows = true, .took_over_out = took_over};
	struct ctx *cx = tx_ctx(tx);
	struct event ev = quiet_event(cx, p, u, EVENT_ROLES);
	struct user now;

	TRY(lock_unchanged(cx, tx, p, u));
	TRY(user_prove(tx, p, u, &proof, &now));
	TRY(linked_put(tx, p, u, from));
	event_emit(tx, &ev);
	return OK;
}

static err_t
link_email(struct ctx *cx, const struct project *p, const struct linked_in *from, const struct oauth_profile *who, const struct user *u, bool *took_over)
{
	const char *hash = NULL;
	err_t e;

	if (!who->verified)
		return user_refuse(cx, "the provider does not vouch for the address");
	if (!u->status)
		return fail(cx, ERR_USER_BLOCKED, "user=%s", u->id);
	if (!u->email_proved)
		TRY(random_password(cx, &hash));
	e = TX_RUN(cx, tx, link_locked(tx, p, from, u, hash, took_over));
	if (e != OK)
		*took_over = false;	/* the caller may go on with whose the identity is */
	return e == ERR_DB_UNIQUE ? fail(cx, ERR_USER_ALREADY_EXISTS, "%s", db_constraint(cx)) : e;
}

/* ---- */

static err_t
oauth_user_find_or_create(struct ctx *cx, const struct project *p, const struct linked_in *from, const struct oauth_profile *who, struct user **out,
    bool *took_over)
{
	const struct user_in in = {.email = who->email, .name = who->name, .password = secret_hex(cx->arena, PASSWORD_BYTES),
		.email_verified = who->verified, .linked = from};
	err_t e = who->email ? user_by_email(cx, p, who->email, out) : ERR_USER_NOT_FOUND;
	bool taken = false;

	if (e == OK) {
		TRY(link_email(cx, p, from, who, *out, took_over));
		return user_by_id(cx, p, (*out)->id, out);
	}
	if (e == ERR_USER_NOT_FOUND && who->email != NULL)
		TRY(linked_has_email(cx, p, who->email, NULL, &taken));
	if (taken)	/* who has it there signs in from there */
		return user_refuse(cx, "the address is that of another identity");
	return e == ERR_USER_NOT_FOUND ? user_create(cx, p, &in, USER_LIMIT | USER_UNCHOSEN, out) : e;
}

err_t
oauth_user(struct ctx *cx, const struct project *p, const struct linked_in *from, const struct oauth_profile *who, const struct user *current, struct user **out,
    bool *took_over_out)
{
	struct user *owner;
	err_t e;

	*took_over_out = false;
	TRY(linked_find(cx, p, from, &owner));
	if (current != NULL)
		return oauth_user_attach(cx, p, from, who, current, owner, out);
	if (owner == NULL) {
		e = oauth_user_find_or_create(cx, p, from, who, out, took_over_out);
		if (e != ERR_USER_ALREADY_EXISTS)
			return e;
		/* the first sign-in of somebody, twice at once: the other one made the user */
		TRY(linked_find(cx, p, from, &owner));
		if (owner == NULL)
			return e;
	}
	if (!owner->status)
		return fail(cx, ERR_USER_BLOCKED, "user=%s", owner->id);
	*out = owner;
	return OK;
}
