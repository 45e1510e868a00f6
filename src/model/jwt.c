/* JSON web tokens that the server signs for itself: HS256 with the master key, those of former master keys too. */
#include "model/jwt.h"

#include "core/id.h"
#include "core/json.h"
#include "core/vtime.h"
#include "model/seal.h"

enum { TOKEN_MAX = 16384 };

static char *
jwt_sign(struct ctx *cx, const char *master, struct str head_and_payload)
{
	unsigned char mac[32];

	hmac_sha256(str_c(master), head_and_payload, mac);
	return base64_encode(cx->arena, (struct str){(const char *)mac, sizeof mac}, true);
}

char *
jwt_make(struct ctx *cx, const char *payload)
{
	const char *head = base64_encode(cx->arena, STR("{\"typ\":\"JWT\",\"alg\":\"HS256\"}"), true);
	const char *text = arena_printf(cx->arena, "%s.%s", head, base64_encode(cx->arena, str_c(payload), true));

	return arena_printf(cx->arena, "%s.%s", text, jwt_sign(cx, seal_master(0), str_c(text)));
}

static bool
jwt_alg_ok(struct ctx *cx, struct str head)
{
	struct str text;
	const json_t *j;

	if (!base64_decode(cx->arena, head, true, &text))
		return false;
	j = json_parse(cx, text, NULL);
	return json_is_object(j) && str_is(json_str(json_object_get(j, "alg")), "HS256");
}

/* NULL, or what is wrong. */
static const char *
jwt_times(const json_t *j, int64_t leeway)
{
	int64_t now = time_now_ms() / 1000;
	const json_t *exp = json_object_get(j, "exp"), *nbf = json_object_get(j, "nbf");

	if (!json_is_integer(exp) || now - leeway >= json_integer_value(exp))
		return "It has expired.";
	if (nbf != NULL && (!json_is_integer(nbf) || now <= json_integer_value(nbf) - leeway))
		return "It is not valid yet.";
	return NULL;
}

/* By a key that we know; one that another process has taken over a moment ago is looked for. */
static bool
jwt_signed(struct ctx *cx, struct str head_and_payload, struct str mac)
{
	const char *master;

	do
		for (int i = 0; (master = seal_master(i)) != NULL; i++)
			if (str_eq_secret(mac, str_c(jwt_sign(cx, master, head_and_payload))))
				return true;
	while (seal_look());
	return false;
}

bool
jwt_cut(struct str jwt, struct jwt_parts *out)
{
	struct str rest = jwt;

	out->head = str_cut(&rest, '.');
	out->payload = rest.p ? str_cut(&rest, '.') : STR_NONE;
	out->mac = rest;
	if (jwt.n > TOKEN_MAX || out->head.n == 0 || out->payload.n == 0 || rest.n == 0 || memchr(rest.p, '.', rest.n) != NULL)
		return false;
	out->told = (struct str){jwt.p, out->head.n + 1 + out->payload.n};
	return true;
}

const char *
jwt_read(struct ctx *cx, struct str jwt, int64_t leeway, const json_t **payload_out)
{
	struct jwt_parts part;
	struct str text;

	if (!jwt_cut(jwt, &part))
		return "It does not have three parts.";
	if (!jwt_signed(cx, part.told, part.mac) || !jwt_alg_ok(cx, part.head))
		return "The signature is wrong.";
	if (!base64_decode(cx->arena, part.payload, true, &text) || !json_is_object(*payload_out = json_parse(cx, text, NULL)))
		return "The payload is not an object.";
	return jwt_times(*payload_out, leeway);
}
