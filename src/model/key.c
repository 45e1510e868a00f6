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
		{"dynamic_", KEY_EPHEMERAL}, {"organization_", KEY_ORGANIZATION}, {"account_", KEY_ACCOUNT}};

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
	*k = (struct api_key){.id = "", .name = "", .secret = "", .project = p->internal, .accessed = TIME_NONE,
		.expire = json_integer_value(json_object_get(j, "exp")) * 1000};
	k->scopes = (struct strs){.set = true, .v = arena_array(cx->arena, const char *, json_array_size(scopes) + 1)};
	for (size_t i = 0; i < json_array_size(scopes); i++)
		k->scopes.v[k->scopes.n++] = str_dup(cx->arena, json_str(json_array_get(scopes, i)));
	return k;
}
