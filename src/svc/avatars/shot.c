/* Pictures of pages, made by browsers of executors. */
#include <string.h>

#include "avatars_priv.h"
#include "core/json.h"
#include "core/protocol.h"
#include "io/budget.h"
#include "model/exec.h"
#include "model/proxy.h"

struct shot_in {
	const char *url, *theme, *user_agent, *locale, *timezone, *output;
	struct opt_int viewport_width, viewport_height, sleep, width, height, quality;
	struct opt_float scale, latitude, longitude, accuracy;
	int fullpage, touch;
	struct strs permissions;
	json_t *headers;
};
static const char *const shot_schemes[] = {"http", "https", NULL}, *const themes[] = {"light", "dark", NULL};
static const char *const shot_outputs[] = {"jpg", "jpeg", "png", "webp", "heic", "avif", "gif", NULL};

/* Names of the protocol, and the browser's; NULL: it has no such permission to give. */
#define PERMISSIONS(P)                                                                                                                                        \
	P("geolocation", "geolocation") P("camera", "videoCapture") P("microphone", "audioCapture") P("notifications", "notifications") P("midi", "midi")     \
	P("push", NULL) P("clipboard-read", "clipboardReadWrite") P("clipboard-write", "clipboardSanitizedWrite") P("payment-handler", "paymentHandler")      \
	P("usb", NULL) P("bluetooth", NULL) P("accelerometer", "sensors") P("gyroscope", "sensors") P("magnetometer", "sensors")                               \
	P("ambient-light-sensor", "sensors") P("background-sync", "backgroundSync") P("persistent-storage", "durableStorage")                                 \
	P("screen-wake-lock", "wakeLockScreen") P("web-share", NULL) P("xr-spatial-tracking", NULL)
#define NAME(name, browsers) name,
#define PAIR(name, browsers) {name, browsers},
static const char *const permission_names[] = {PERMISSIONS(NAME) NULL};
static const struct {
	const char *name, *browsers;
} permissions[] = {PERMISSIONS(PAIR)};
#undef NAME
#undef PAIR

static const struct param shot_params[] = {
    REQUIRED("url", P_URL, struct shot_in, url, "Address of the page.", .list = shot_schemes),
    OPTIONAL("headers", P_JSON_OBJECT, struct shot_in, headers, "Headers of requests to the page's own host.", .def = "[]"),
    OPTIONAL("viewportWidth", P_RANGE, struct shot_in, viewport_width, "Width of the window in pixels of the page.", .def = "1280", .min = 1, .max = 1920),
    OPTIONAL("viewportHeight", P_RANGE, struct shot_in, viewport_height, "Height of the window in pixels of the page.", .def = "720", .min = 1, .max = 1080),
    OPTIONAL("scale", P_FRACTION, struct shot_in, scale, "Pixels of the picture for each of the page.", .def = "1", .min = 0, .max = 3),
    OPTIONAL("theme", P_ENUM, struct shot_in, theme, "Colours that the user prefers.", .def = "\"light\"", .list = themes),
    OPTIONAL("userAgent", P_TEXT, struct shot_in, user_agent, "What the browser calls itself.", .def = "\"\"", .max = 512),
    OPTIONAL("fullpage", P_BOOL_LOOSE, struct shot_in, fullpage, "The whole page, not the window alone.", .def = "false"),
    OPTIONAL("locale", P_TEXT, struct shot_in, locale, "Language of the user, such as de-DE.", .def = "\"\"", .max = 10),
    OPTIONAL("timezone", P_TEXT, struct shot_in, timezone, "Time zone of the user, such as Europe/Berlin.", .def = "\"\"", .max = 64),
    OPTIONAL("latitude", P_FRACTION, struct shot_in, latitude, "Where the user is, in degrees.", .def = "0", .min = -90, .max = 90),
    OPTIONAL("longitude", P_FRACTION, struct shot_in, longitude, "Where the user is, in degrees.", .def = "0", .min = -180, .max = 180),
    OPTIONAL("accuracy", P_FRACTION, struct shot_in, accuracy, "How exact that is, in metres.", .def = "0", .min = 0, .max = 100000),
    OPTIONAL("touch", P_BOOL_LOOSE, struct shot_in, touch, "The screen can be touched.", .def = "false"),
    OPTIONAL("permissions", P_ENUMS, struct shot_in, permissions, "What the page may do.", .def = "[]", .list = permission_names),
    OPTIONAL("sleep", P_RANGE, struct shot_in, sleep, "Seconds between the page's being loaded and the picture.", .def = "0", .min = 0, .max = 10),
    OPTIONAL("width", P_RANGE, struct shot_in, width, "Width of the picture in pixels; 0: as it comes, or by the height.", .def = "0", .min = 0, .max = 2000),
    OPTIONAL("height", P_RANGE, struct shot_in, height, "Height of the picture in pixels; 0: as it comes, or by the width.", .def = "0", .min = 0, .max = 2000),
    OPTIONAL("quality", P_RANGE, struct shot_in, quality, "Quality; -1: that of the format.", .def = "-1", .min = -1, .max = 100),
    OPTIONAL("output", P_ENUM, struct shot_in, output, "Format; nothing: PNG. heic is answered as AVIF, which is its like.", .def = "\"\"", .list = shot_outputs),
};

/* A name and a value that HTTP has. */
static bool
shot_header_sound(const char *name, const json_t *value)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	struct str s = json_str(value);

	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return json_is_string(value) && name[0] != '\0' && name[strspn(name, token)] == '\0';
}

static err_t
shot_check(struct req *rq, const struct shot_in *in)
{
	enum { HEADERS_MAX = 64 };
	static const double least_scale = 0.1;
	const char *name;
	json_t *value;

	if (in->scale.v < least_scale)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid scale: Value must be a valid range between 0.1 and 3");
	if (json_object_size(in->headers) > HEADERS_MAX || json_array_size(in->headers) > 0)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid headers: They must be an object of at most %d texts.", HEADERS_MAX);
	json_object_foreach(in->headers, name, value)
		if (!shot_header_sound(name, value))
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid headers: They must be names and texts as HTTP has them.");
	return OK;
}

static void
shot_permissions(struct jw *w, const struct strs *asked)
{
	bool said[sizeof permissions / sizeof *permissions] = {false};

	JW_KEY(w, "permissions");
	jw_arr(w);
	for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++)
		for (int k = 0; k < asked->n; k++)
			said[i] = said[i] || strcmp(asked->v[k], permissions[i].name) == 0;
	for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++)
		if (said[i] && permissions[i].browsers != NULL)
			jw_cstr(w, permissions[i].browsers);
	jw_arr_end(w);
}

/* What badal-pose reads (src/exec/pose.c). */
static struct str
shot_ask(struct req *rq, const struct shot_in *in)
{
	const struct { const char *name, *v; } texts[] = {{"url", in->url}, {"theme", in->theme}, {"userAgent", in->user_agent}, {"locale", in->locale}, {"timezone", in->timezone}};
	const struct { const char *name; double v; } numbers[] = {{"width", (double)in->viewport_width.v}, {"height", (double)in->viewport_height.v}, {"scale", in->scale.v},
	    {"latitude", in->latitude.v}, {"longitude", in->longitude.v}, {"accuracy", in->accuracy.v}, {"sleep", (double)in->sleep.v}};
	struct buf b;
	struct jw w;

	buf_init(&b, rq->cx.arena, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		jw_key(&w, str_c(texts[i].name));
		jw_cstr(&w, texts[i].v);
	}
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		jw_key(&w, str_c(numbers[i].name));
		jw_f64(&w, numbers[i].v);
	}
	JW_KEY(&w, "fullpage");
	jw_bool(&w, in->fullpage == 1);
	JW_KEY(&w, "touch");
	jw_bool(&w, in->touch == 1);
	shot_permissions(&w, &in->permissions);
	if (json_object_size(in->headers) > 0) {
		JW_KEY(&w, "headers");
		jw_value(&w, in->headers);
	}
	jw_obj_end(&w);
	return buf_view(&b);
}

/* What a browser made, in the answer's terms. */
static err_t
shot_judge(struct req *rq, const struct exec_ran *ran)
{
	switch (ran->why) {
	case EXEC_DONE:
		return OK;
	case EXEC_FAILED:
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "The browser refuses: %.*s", (int)strcspn(ran->reason, "\r\n"), ran->reason);
	case EXEC_NO_ENTRYPOINT:
		return fail(&rq->cx, ERR_AVATAR_REMOTE_URL_FAILED, "%s", ran->reason);
	default:
		return fail(&rq->cx, ERR_AVATAR_REMOTE_URL_FAILED, "its browser ended: %s", ran->reason);
	}
}

static enum picture_format
shot_format(const char *output)
{
	static const struct { const char *name; enum picture_format format; } known[] = {{"jpg", PICTURE_JPG}, {"jpeg", PICTURE_JPG}, {"webp", PICTURE_WEBP}, {"avif", PICTURE_AVIF},
	    {"heic", PICTURE_AVIF}, {"gif", PICTURE_GIF}};

	for (size_t i = 0; output != NULL && i < sizeof known / sizeof *known; i++)
		if (strcmp(output, known[i].name) == 0)
			return known[i].format;
	return PICTURE_PNG;
}

/* Made anew by a worker of ours also where nothing is to change: what the browser gives may be a stranger's. */
static err_t
shot_make(struct req *rq, const struct shot_in *in, struct picture *out)
{
	const struct picture_ask ask = {.width = (int)in->width.v, .height = (int)in->height.v, .quality = in->quality.v < 0 ? 90 : (int)in->quality.v, .opacity = 1, .format = shot_format(in->output)};
	struct exec_ran ran;
	struct str left;
	err_t e;

	TRY(budget_hold(&rq->cx, EXEC_PAGE_MAX));
	e = exec_page(&rq->cx, shot_ask(rq, in), &ran);
	if (e == ERR_EXEC)
		return fail(&rq->cx, ERR_GENERAL_NOT_IMPLEMENTED, "%s", rq->cx.detail != NULL ? rq->cx.detail : "");
	TRY(e);
	TRY(shot_judge(rq, &ran));
	left = ran.body;
	return picture_make(&rq->cx, avatar_once, &left, &ask, out);
}

static err_t
avatars_get_screenshot(struct req *rq, void *arg)
{
	const struct shot_in *in = arg;
	const struct avatar_shown s = {.of_caller = true};	/* and of this moment */
	struct picture pic;
	err_t e;

	/* a page may ask for a picture of itself; a function, which has a key, does not */
	if (proxy_is_sandbox(rq->http->peer) && rq->caller != CALLER_KEY)
		return fail(&rq->cx, ERR_AVATAR_REMOTE_URL_FAILED, "asked by a page");
	TRY(shot_check(rq, in));
	e = shot_make(rq, in, &pic);
	if (e == ERR_PICTURE_BAD || e == ERR_PICTURE_LARGE)
		return fail(&rq->cx, ERR_AVATAR_REMOTE_URL_FAILED, "%s", rq->cx.detail != NULL ? rq->cx.detail : "");
	TRY(e);
	return avatar_made(rq, &s, &pic);
}

static const struct route rows[] = {
    {.method = "GET", .path = "/v1/avatars/screenshots", .service = "avatars", .name = "getScreenshot", .scope = "avatars.read", .limit = "60/3600 !url:{url},ip:{ip}",
	.handler = avatars_get_screenshot, .status = 200, .doc = "A picture of a page, made by a browser of this server. It needs page_browsers.", .media = "image/*", .since = SINCE_1_8,
	PARAMS(struct shot_in, shot_params)},
};
const struct routes shot_routes = ROUTES(rows);
