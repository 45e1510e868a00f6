/* JSON web tokens that the server signs for itself. What one is for, its members say: whoever reads one looks for those of its own kind. */
#ifndef BADAL_MODEL_JWT_H
#define BADAL_MODEL_JWT_H

#include "core/ctx.h"
#include "core/json.h"

/* `payload`: JSON of an object; its exp is in seconds. */
char *jwt_make(struct ctx *cx, const char *payload);
struct jwt_parts {
	struct str head, payload, mac;	/* in base64 */
	struct str told;		/* head and payload, as they are signed */
};
/* False: it does not have three parts, or is too long. */
bool jwt_cut(struct str jwt, struct jwt_parts *out);
/* NULL: it is ours, and its time has not passed, give or take `leeway` seconds; else what is wrong with it. */
const char *jwt_read(struct ctx *cx, struct str jwt, int64_t leeway, const json_t **payload_out);

#endif
