/* A picture of the user who calls. */
#include "avatars_priv.h"
#include "core/protocol.h"
#include "io/letters.h"

static const char *const outputs[] = {"png", "jpg", "webp", NULL};
struct photo_in {
	struct opt_int width, height, quality;
	const char *output, *rating;
};
static const char *const ratings[] = {"g", "pg", "r", "x", NULL};
static const struct param photo_params[] = {
    OPTIONAL("width", P_RANGE, struct photo_in, width, "Width in pixels.", .def = "256", .min = 0, .max = 2000),
    OPTIONAL("height", P_RANGE, struct photo_in, height, "Height in pixels.", .def = "256", .min = 0, .max = 2000),
    OPTIONAL("quality", P_RANGE, struct photo_in, quality, "Quality.", .def = "100", .min = 0, .max = 100),
    OPTIONAL("output", P_ENUM, struct photo_in, output, "Format.", .def = "\"png\"", .list = outputs),
    OPTIONAL("rating", P_ENUM, struct photo_in, rating, "For whom pictures of other sites are fit; none are asked for.", .def = "\"g\"", .list = ratings),
};

static enum picture_format
photo_format(const char *output)
{
	return strcmp(output, "jpg") == 0 ? PICTURE_JPG : strcmp(output, "webp") == 0 ? PICTURE_WEBP : PICTURE_PNG;
}

/* Initials, and a sign for who has none. */
static err_t
photo_make(struct req *rq, const struct photo_in *in, struct picture *out)
{
	const struct user *u = rq->login != NULL && !rq->admin_mode ? rq->login->user : NULL;
	const char *name = u == NULL ? "" : u->name != NULL && u->name[0] != '\0' ? u->name : u->email != NULL ? u->email : "";
	const struct picture_ask ask = {.width = (int)in->width.v, .height = (int)in->height.v, .quality = (int)in->quality.v, .opacity = 1, .format = photo_format(in->output)};
	struct letters l = letters_of(rq->cx.arena, str_c(name));

	if (l.v[0] == NULL)
		return picture_icon(&rq->cx, PICTURE_ICON_IMAGE, &ask, out);
	TRY(picture_initials(&rq->cx, str_c(arena_printf(rq->cx.arena, "%s\n%s", l.v[0], l.v[1] ? l.v[1] : "")), ask.width, ask.height, 0xa1c4ff, out));
	return ask.format == PICTURE_PNG ? OK : picture_make(&rq->cx, avatar_once, &out->bytes, &ask, out);
}

static err_t
avatars_get_photo(struct req *rq, void *arg)
{
	const struct photo_in *in = arg;
	struct picture pic;
	err_t e;

	if (in->width.v == 0 || in->height.v == 0)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid %s: It must be 1 at least.", in->width.v == 0 ? "width" : "height");
	e = photo_make(rq, in, &pic);
	if (e == ERR_PICTURE_BAD || e == ERR_PICTURE_LARGE)
		return fail(&rq->cx, ERR_GENERAL_SERVER_ERROR, "no picture: %s", rq->cx.detail ? rq->cx.detail : "");
	TRY(e);
	reply_static(rq, "Cache-Control", "private, no-store");
	return reply_raw(rq, 200, pic.type, pic.bytes);
}

static const struct route rows[] = {
    {.method = "GET", .path = "/v1/avatars/photo", .service = "avatars", .name = "getPhoto", .scope = "avatars.read", .limit = "", .handler = avatars_get_photo, .status = 200,
	.doc = "The initials of the user who calls. No other site is asked for a picture: it would be told who the user is.", .media = "image/*", .since = SINCE_1_9_5,
	PARAMS(struct photo_in, photo_params)},
};
const struct routes photo_routes = ROUTES(rows);
