/* What connections of realtime say of their users. */
#include "core/id.h"
#include "core/vtime.h"
#include "gate/gate.h"
#include "svc/presences/presence.h"

#define LIFE_MS (30 * INT64_C(86400000))	/* should nobody be able to tell that it ended */

static const char *const verbs[] = {"read", "update", "delete", "write", NULL};

struct said_in {
	const char *id, *status;
	struct strs permissions;
	json_t *metadata;
};
static const struct param said_params[] = {
	OPTIONAL("presenceId", P_CUSTOM_ID, struct said_in, id, "Presence ID."),
	REQUIRED("status", P_TEXT, struct said_in, status, "What the user says of themselves.", .max = 2048),
	OPTIONAL("permissions", P_PERMISSIONS, struct said_in, permissions, "Who may see it.", .list = verbs),
	OPTIONAL("metadata", P_ASSOC, struct said_in, metadata, "What the client keeps with it."),
};

/* "Invalid status: …" is "status: …" here. */
static err_t
said_read(struct ctx *cx, const json_t *data, struct said_in *in)
{
	static const char invalid[] = "Invalid ";
	err_t e;

	if (json_str(json_object_get(data, "status")).n == 0 && (json_object_get(data, "status") == NULL || json_is_null(json_object_get(data, "status"))))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Payload is not valid. Status is required");
	e = params_take_aside(cx, said_params, (int)(sizeof said_params / sizeof *said_params), data, in);
	if (e != OK && cx->message != NULL && str_starts(str_c(cx->message), invalid))
		cx->message += sizeof invalid - 1;
	return e;
}

err_t
presences_said(struct ctx *cx, const struct project *p, const struct socket *s, json_t *data, struct jw *w)
{
	const struct presence_who who = {.roles = s->roles, .actor = s->user};
	struct said_in in = {0};
	struct presence_in say;
	struct presence now;

	TRY(said_read(cx, data, &in));
	say = (struct presence_in){.id = in.id ? in.id : id_unique(cx->arena), .status = in.status, .permissions = in.permissions, .metadata = in.metadata,
		.expires = time_now_ms() + LIFE_MS, .socket = s};
	TRY(presence_put(cx, p, &who, s->user, &say, &now));
	now.sequence = arena_printf(cx->arena, "%lld", (long long)now.internal);
	JW_KEY(w, "presence");
	shape_write(w, &presence_said_shape, &now);
	return OK;
}
