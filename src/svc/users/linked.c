/* Identities: written by sign-ins, one statement each, so that two at once leave one. */
#include "svc/users/linked.h"

#include "core/id.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/roles.h"
#include "model/seal.h"

static const struct field linked_fields[] = {
	FIELD_HIDDEN(F_INT, struct linked, internal, "i.internal"),
	FIELD_HIDDEN(F_INT, struct linked, user_internal, "i.user_internal"),
	FIELD(F_ID, struct linked, id, "$id", "i.id", "Identity ID.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_TIME, struct linked, created, "$createdAt", "i.created", "Identity creation date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_TIME, struct linked, updated, "$updatedAt", "coalesce(i.updated, i.created)", "Identity update date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_ID, struct linked, user_id, "userId", "u.id", "User ID.", .flags = COL_ASKED | COL_LOWER),
	FIELD(F_STR, struct linked, provider, "provider", "i.provider", "Provider.", .flags = COL_ASKED),
	FIELD(F_STR, struct linked, provider_uid, "providerUid", "i.provider_uid", "User ID at the provider.", .flags = COL_ASKED),
	FIELD(F_STR, struct linked, email, "providerEmail", "i.email", "E-mail address at the provider.", .flags = COL_ASKED | COL_LOWER),
	FIELD(F_STR, struct linked, access_token, "providerAccessToken", "i.access_token", "Access token of the provider.", .flags = COL_SEALED),
	FIELD(F_TIME_OR_NONE, struct linked, access_token_expiry, "providerAccessTokenExpiry", "i.access_token_expiry", "When the provider's access token expires.",
	    .flags = COL_ASKED | COL_NULL),
	FIELD(F_STR, struct linked, refresh_token, "providerRefreshToken", "i.refresh_token", "Refresh token of the provider.", .flags = COL_SEALED),
	FIELD(F_STR, struct linked, id_token, "providerIdToken", "i.id_token", "ID token that an app signed in by last; empty: by a browser alone.", .flags = COL_SEALED,
	    .since = SINCE_2_3),
};
const struct shape linked_shape = SHAPE("identity", struct linked, linked_fields);

/* What the provider gave goes to nobody who only listens. */
static void
linked_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct linked *l = obj;
	struct linked told = *l;

	(void)p;
	told.access_token = told.refresh_token = told.id_token = "";
	ev->ids[0] = l->user_id;
	ev->ids[1] = l->id;
	ev->roles = roles_one(cx->arena, "user", l->user_id);
	ev->payload = shape_json(cx, &linked_shape, &told);
	ev->user = l->user_id;
}

static const struct record identities = {
	.shape = &linked_shape,
	.table = ":schema.identities",
	.alias = "i",
	.with = ":schema.users u",
	.on = "u.internal = i.user_internal",
	.entity = "Identity",
	.missing = ERR_USER_IDENTITY_NOT_FOUND,
	.concerns = linked_concerns,
};

static const char *
linked_seal(struct ctx *cx, const char *token)
{
	return token != NULL && token[0] != '\0' ? seal_text(cx->arena, token) : "";
}

static const char *
linked_address(struct ctx *cx, const char *email)
{
	return email != NULL ? str_lower(cx->arena, str_c(email)).p : "";
}

/* What is not given again is good still. `id_token` is the parameter of that one. */
#define RENEWED(id_token) "email = coalesce(nullif($2, ''), i.email), email_vouched = CASE WHEN $2 = '' THEN i.email_vouched ELSE $6::boolean END, access_token = coalesce(nullif($3, ''), i.access_token), " \
	"access_token_expiry = CASE WHEN $3 = '' THEN i.access_token_expiry ELSE $4::timestamptz END, " \
	"refresh_token = coalesce(nullif($5, ''), i.refresh_token), id_token = coalesce(nullif(" id_token ", ''), i.id_token), updated = $1::timestamptz"

err_t
linked_put(struct db_tx *tx, const struct project *p, const struct user *u, const struct linked_in *in)
{
	struct ctx *cx = tx_ctx(tx);
	const char *now = pg_time(cx->arena, time_now_ms()), *email = linked_address(cx, in->email);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena,
		"INSERT INTO %s.identities AS i (user_internal, provider, provider_uid, created, email, email_vouched, access_token, access_token_expiry, refresh_token, id_token, id, "
		"search) VALUES ($7::bigint, $8, $9, $1::timestamptz, $2, $6::boolean, $3, $4::timestamptz, $5, $12, $10, "
		"concat_ws(' ', $10::text, $11::text, $8::text, $9::text, $2::text)) "
		"ON CONFLICT (provider, provider_uid) DO UPDATE SET " RENEWED("$12") " WHERE i.user_internal = excluded.user_internal RETURNING 1",
		p->schema),
	    DB(now, email, linked_seal(cx, in->access_token), pg_time(cx->arena, in->access_token ? in->access_token_expiry : TIME_NONE),
		linked_seal(cx, in->refresh_token), pg_bool(in->vouched), pg_i64(cx->arena, u->internal), in->provider, in->uid, id_unique(cx->arena), u->id, linked_seal(cx, in->id_token))));
	return db_rows(r) > 0 ? OK : fail(cx, ERR_USER_ALREADY_EXISTS, "the identity is another user's");
}

/* The identity is there when the user is read, and both in one statement: one that is deleted at the same time signs nobody in afterwards. */
err_t
linked_find(struct ctx *cx, const struct project *p, const struct linked_in *in, struct user **out)
{
	struct db_res *r;

	*out = NULL;
	TRY(db_query(cx, &r,
	    arena_printf(cx->arena,
		"WITH mine AS (UPDATE %s.identities AS i SET " RENEWED("$9") " WHERE i.provider = $7 AND i.provider_uid = $8 RETURNING i.user_internal) "
		"SELECT %s FROM %s.users u WHERE u.internal = (SELECT user_internal FROM mine)",
		p->schema, shape_columns_in(cx->arena, &user_shape, p->schema), p->schema),
	    DB(pg_time(cx->arena, time_now_ms()), linked_address(cx, in->email), linked_seal(cx, in->access_token),
		pg_time(cx->arena, in->access_token ? in->access_token_expiry : TIME_NONE), linked_seal(cx, in->refresh_token), pg_bool(in->vouched), in->provider, in->uid, linked_seal(cx, in->id_token))));
	if (db_rows(r) == 0)
		return OK;
	*out = arena_new_of(cx->arena, struct user);
	shape_read(cx, &user_shape, *out, r, 0, 0);
	return OK;
}

err_t
linked_renew(struct ctx *cx, const struct project *p, const struct user *u, const struct linked_in *in)
{
	int n;

	return db_exec(cx, &n,
	    arena_printf(cx->arena,
		"UPDATE %s.identities SET access_token = $2, access_token_expiry = $3::timestamptz, refresh_token = $4, updated = $1::timestamptz "
		"WHERE provider = $5 AND provider_uid = $6 AND user_internal = $7::bigint",
		p->schema),
	    DB(pg_time(cx->arena, time_now_ms()), linked_seal(cx, in->access_token), pg_time(cx->arena, in->access_token ? in->access_token_expiry : TIME_NONE),
		linked_seal(cx, in->refresh_token), in->provider, in->uid, pg_i64(cx->arena, u->internal)));
}

err_t
linked_has_email(struct ctx *cx, const struct project *p, const char *email, const struct user *u, bool *taken_out)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT 1 FROM %s.identities i WHERE i.email = $1 AND i.email <> '' AND i.email_vouched AND i.user_internal <> $2::bigint LIMIT 1", p->schema),
	    DB(linked_address(cx, email), pg_i64(cx->arena, u ? u->internal : 0))));
	*taken_out = db_rows(r) > 0;
	return OK;
}

err_t
linked_newest(struct ctx *cx, const struct project *p, const struct user *u, const char *provider, struct linked **out)
{
	const struct rows w = {"@.internal = (SELECT n.internal FROM :schema.identities n WHERE n.user_internal = $1::bigint AND n.provider = $2 "
		"ORDER BY coalesce(n.updated, n.created) DESC, n.internal DESC LIMIT 1)", 2, {pg_i64(cx->arena, u->internal), provider}};

	*out = arena_new_of(cx->arena, struct linked);
	return record_get(cx, p, &identities, w, *out);
}

err_t
linked_list(struct ctx *cx, const struct project *p, const struct user *u, const struct strs *queries, const char *search, struct query_page *out)
{
	struct rows w = {0};

	if (u != NULL)
		w = (struct rows){"@.user_internal = $1::bigint", 1, {pg_i64(cx->arena, u->internal)}};
	return record_list(cx, p, &identities, w, queries, search, out);
}

static err_t
linked_remove(struct db_tx *tx, const struct project *p, const struct user *u, const char *id, const char *actor)
{
	struct ctx *cx = tx_ctx(tx);
	const struct rows w = {"lower(@.id) = lower($1) AND ($2::bigint IS NULL OR @.user_internal = $2::bigint)", 2,
		{id, u ? pg_i64(cx->arena, u->internal) : NULL}};
	struct linked gone;

	TRY(record_delete(tx, p, &identities, w, &gone));
	record_emit(tx, p, &identities, &ev_identity_delete, actor, &gone);
	return OK;
}

err_t
linked_delete(struct ctx *cx, const struct project *p, const struct user *u, const char *id, const char *actor)
{
	return TX_RUN(cx, tx, linked_remove(tx, p, u, id, actor));
}
