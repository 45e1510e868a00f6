/* Kinds of API keys. What must stay true: an ephemeral one is of the very project it was made for, not of another that gets its id later; and no other JSON
 * web token of ours is one, for none besides has scopes. */
#include "model/key.h"

#include "core/id.h"
#include "core/json.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/jwt.h"

#define EPHEMERAL_PREFIX "ephemeral_"

enum key_kind
key_kind(struct str secret)
{
	static const struct { const char *begin; enum key_kind kind; } kinds[] = {{KEY_STANDARD_PREFIX, KEY_STANDARD}, {EPHEMERAL_PREFIX, KEY_EPHEMERAL},
		{"dynamic_", KEY_EPHEMERAL}, {KEY_ORGANIZATION_PREFIX, KEY_ORGANIZATION}, {KEY_ACCOUNT_PREFIX, KEY_ACCOUNT}};

	if (memchr(secret.p, '_', secret.n) == NULL)
		return KEY_STANDARD;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (str_starts(secret, kinds[i].begin))
			return kinds[i].kind;
	return KEY_UNKNOWN;
}

bool
key_is_ephemeral(const struct api_key *k)
{
	return k->id[0] == '\0';
}

char *
key_ephemeral(struct ctx *cx, const struct project *p, const struct strs *scopes, int64_t life_ms)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 512);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "projectId");
	jw_cstr(&w, p->id);
	JW_KEY(&w, "scopes");
	jw_arr(&w);
	for (int i = 0; i < scopes->n; i++)
		jw_cstr(&w, scopes->v[i]);
	jw_arr_end(&w);
	JW_KEY(&w, "exp");
	jw_i64(&w, (time_now_ms() + life_ms) / 1000);
	JW_KEY(&w, "project");
	jw_i64(&w, p->internal);
	jw_obj_end(&w);
	buf_ch(&b, '\0');
	return arena_printf(cx->arena, "%s%s", EPHEMERAL_PREFIX, jwt_make(cx, b.p));
}

struct api_key *
key_of_ephemeral(struct ctx *cx, const struct project *p, struct str secret)
{
	const json_t *j = NULL, *scopes;
	struct api_key *k;

	str_cut(&secret, '_');
	if (jwt_read(cx, secret, 0, &j) != NULL)
		return NULL;
	scopes = json_object_get(j, "scopes");
	if (!json_is_array(scopes) || !str_is(json_str(json_object_get(j, "projectId")), p->id) ||
	    json_integer_value(json_object_get(j, "project")) != p->internal)
		return NULL;
	k = arena_new_of(cx->arena, struct api_key);
	*k = (struct api_key){.kind = KEY_EPHEMERAL, .id = "", .name = "", .secret = "", .project = p->internal, .accessed = TIME_NONE,
		.expire = json_integer_value(json_object_get(j, "exp")) * 1000};
	k->scopes = (struct strs){.set = true, .v = arena_array(cx->arena, const char *, json_array_size(scopes) + 1)};
	for (size_t i = 0; i < json_array_size(scopes); i++)
		k->scopes.v[k->scopes.n++] = str_dup(cx->arena, json_str(json_array_get(scopes, i)));
	return k;
}

/* ---- of teams and users of the console ---- */

/* By its hash, as sessions are: there is nothing to compare that could be guessed letter by letter. */
err_t
owned_key_find(struct ctx *cx, enum key_kind kind, struct str secret, struct owned_key **out)
{
	bool person = kind == KEY_ACCOUNT;
	const struct shape *s = person ? &account_key_shape : &organization_key_shape;
	struct owned_key *k;
	struct db_res *r;

	*out = NULL;
	TRY(db_query(cx, &r,
	    person ? arena_printf(cx->arena, "SELECT u.id, %s FROM badal.account_keys c JOIN p_0.users u ON u.internal = c.user_internal WHERE c.secret_hash = $1", shape_columns(s)) :
		     arena_printf(cx->arena,
			 "SELECT t.id, %s FROM badal.organization_keys c JOIN p_0.teams t ON t.internal = c.team_internal JOIN p_0.users u ON u.internal = c.user_internal "
			 "JOIN p_0.memberships m ON m.internal = c.membership_internal WHERE c.secret_hash = $1 AND u.status AND m.confirm AND 'owner' = ANY (m.roles)",
			 shape_columns(s)),
	    DB(sha256_hex(cx->arena, secret))));
	if (db_rows(r) == 0)
		return OK;
	k = *out = arena_new_of(cx->arena, struct owned_key);
	shape_read(cx, s, k, r, 0, 1);
	k->k.owner = db_cstr(r, 0, 0);
	k->k.kind = kind;
	return OK;
}
