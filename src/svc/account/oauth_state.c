/* The state of a sign-in travels with the browser. It is sealed, so that it can hold what must stay secret and nobody can make one up, and
 * written in the characters that no provider mangles. */
#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"
#include "model/seal.h"
#include "svc/account/oauth.h"

/* Sealed texts of other kinds exist: this says which one it is. */
#define KIND "oauth2"

static const char seal_mark[] = "v1:";

static const struct {
	const char *key;
	size_t off;
} texts[] = {
    {"p", offsetof(struct oauth_state, project)}, {"o", offsetof(struct oauth_state, provider)}, {"s", offsetof(struct oauth_state, success)},
    {"f", offsetof(struct oauth_state, failure)}, {"u", offsetof(struct oauth_state, user)}, {"n", offsetof(struct oauth_state, nonce)},
    {"v", offsetof(struct oauth_state, verifier)},
};
enum { N_TEXTS = sizeof texts / sizeof *texts };

const char *
oauth_state_seal(struct ctx *cx, struct oauth_state *s)
{
	struct buf b;
	struct jw w;
	char *text, *end;

	s->expire = time_now_ms() + conf.life_oauth2_state;
	buf_init(&b, cx->arena, 512);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "k");
	jw_cstr(&w, KIND);
	for (int i = 0; i < N_TEXTS; i++) {
		jw_key(&w, str_c(texts[i].key));
		jw_cstr(&w, *(const char *const *)(const void *)((const char *)s + texts[i].off));
	}
	JW_KEY(&w, "t");
	jw_bool(&w, s->token);
	JW_KEY(&w, "g");
	jw_i64(&w, s->epoch);
	JW_KEY(&w, "e");
	jw_i64(&w, s->expire);
	jw_obj_end(&w);
	text = arena_strdup(cx->arena, seal_text(cx->arena, buf_view(&b).p) + sizeof seal_mark - 1);
	for (char *c = text; *c != '\0'; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	end = strchr(text, '=');
	if (end != NULL)
		*end = '\0';
	return strlen(text) <= OAUTH_STATE_MAX ? text : NULL;
}

static const char *
unsealed(struct ctx *cx, const char *text)
{
	size_t n = strlen(text);
	char *box;

	if (n == 0 || n > OAUTH_STATE_MAX || text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] != '\0')
		return NULL;
	box = arena_printf(cx->arena, "%s%s%s", seal_mark, text, n % 4 == 2 ? "==" : n % 4 == 3 ? "=" : "");
	for (char *c = box; *c != '\0'; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	return seal_open(cx->arena, str_c(box));
}

bool
oauth_state_open(struct ctx *cx, const char *text, struct oauth_state *out)
{
	const char *clear = text ? unsealed(cx, text) : NULL;
	const json_t *j = clear ? json_parse(cx, str_c(clear), NULL) : NULL;

	if (!str_is(json_str(json_object_get(j, "k")), KIND))
		return false;
	for (int i = 0; i < N_TEXTS; i++) {
		struct str s = json_str(json_object_get(j, texts[i].key));

		*(const char **)(void *)((char *)out + texts[i].off) = s.p ? str_dup(cx->arena, s) : "";
	}
	out->token = json_is_true(json_object_get(j, "t"));
	out->epoch = json_integer_value(json_object_get(j, "g"));
	out->expire = json_integer_value(json_object_get(j, "e"));
	return out->expire >= time_now_ms();
}
