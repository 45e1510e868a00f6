/* What is drawn here: codes, and initials. */
#include <stdlib.h>

#include "avatars_priv.h"
#include "core/offload.h"
#include "io/letters.h"
#include "io/qr.h"

/* ---- codes ---- */

struct qr_in {
	const char *text;
	struct opt_int size, margin;
	int download;
};
static const struct param qr_params[] = {
    REQUIRED("text", P_TEXT, struct qr_in, text, "What the code says.", .max = 512),
    OPTIONAL("size", P_RANGE, struct qr_in, size, "Pixels of a side.", .def = "400", .min = 1, .max = 1000),
    OPTIONAL("margin", P_RANGE, struct qr_in, margin, "Quiet zone, in modules.", .def = "1", .min = 0, .max = 10),
    OPTIONAL("download", P_BOOL_LOOSE, struct qr_in, download, "Whether a browser is to save it.", .def = "false"),
};

struct qr_work {
	const struct qr_in *in;
	struct buf png;		/* malloc */
	bool ok;
};

static void
qr_work(void *arg)
{
	struct qr_work *w = arg;

	w->ok = qr_png(&w->png, w->in->text, (int)w->in->size.v, (int)w->in->margin.v);
}

static err_t
avatars_get_q_r(struct req *rq, void *in)
{
	struct qr_work w = {.in = in};
	struct picture pic = {.type = "image/png"};
	err_t e;

	buf_init(&w.png, NULL, 16 * 1024);
	e = offload(&rq->cx, LANE_draw, qr_work, &w);
	if (e == OK)
		pic.bytes = (struct str){arena_memdup(rq->cx.arena, w.png.p, w.png.n), w.png.n};
	buf_fini(&w.png);
	TRY(e);
	if (!w.ok)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid text: It fits into no code.");
	if (w.in->download == 1)
		reply_static(rq, "Content-Disposition", "attachment; filename=\"qr.png\"");
	return avatar_made(rq, &(struct avatar_shown){.days = DAYS_DRAWN}, &pic);
}

/* ---- initials ---- */

struct initials_in {
	const char *name;
	struct opt_int width, height;
	const char *background;
};
static const struct param initials_params[] = {
    OPTIONAL("name", P_TEXT, struct initials_in, name, "Name; without one that of the user who calls.", .max = 128),
    OPTIONAL("width", P_RANGE, struct initials_in, width, "Width in pixels.", .def = "500", .min = 0, .max = 2000),
    OPTIONAL("height", P_RANGE, struct initials_in, height, "Height in pixels.", .def = "500", .min = 0, .max = 2000),
    OPTIONAL("background", P_COLOR, struct initials_in, background, "Colour; without one it depends on the letters."),
};

static const char *
name_of_caller(const struct req *rq)
{
	const struct user *u = rq->login != NULL ? rq->login->user : NULL;

	if (u == NULL)
		return "";
	return u->name != NULL && u->name[0] != '\0' ? u->name : u->email != NULL ? u->email : "";
}

/* The colours of the contract: by the last digit of the sum. */
static unsigned
color_of(unsigned sum)
{
	static const unsigned palette[] = {0xffa1ce, 0xfdc584, 0x94dbd1, 0xa1c4ff, 0xffa1ce, 0xcbb1fc};

	return palette[sum % 10 % (sizeof palette / sizeof palette[0])];
}

/* "f80" is "ff8800". */
static unsigned
color_parse(const char *hex)
{
	unsigned v = (unsigned)strtoul(hex, NULL, 16);

	return strlen(hex) == 6 ? v : (v & 0xf00) * 0x1100 | (v & 0xf0) * 0x110 | (v & 0xf) * 0x11;
}

static err_t
avatars_get_initials(struct req *rq, void *arg)
{
	const struct initials_in *in = arg;
	bool of_caller = in->name == NULL || strcmp(in->name, "0") == 0;	/* which the contract takes for none */
	struct letters l = letters_of(rq->cx.arena, str_c(of_caller ? name_of_caller(rq) : in->name));
	const char *text = arena_printf(rq->cx.arena, "%s\n%s", l.v[0] ? l.v[0] : "", l.v[1] ? l.v[1] : "");
	unsigned color = in->background != NULL ? color_parse(in->background) : color_of(l.sum);
	int width = (int)in->width.v, height = (int)in->height.v;
	struct avatar_shown s = {.days = DAYS_DRAWN, .of_caller = of_caller};
	struct picture pic;
	err_t e;

	if (width == 0 || height == 0)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid %s: It must be 1 at least.", width == 0 ? "width" : "height");
	s.key = arena_printf(rq->cx.arena, "avatars/initials?%dx%d %06x %s", width, height, color, text);
	if (avatar_kept(rq, &s, &e))
		return e;
	e = picture_initials(&rq->cx, str_c(text), width, height, color, &pic);
	if (e == ERR_PICTURE_BAD)	/* the fault is the machine's: badal doctor */
		return fail(&rq->cx, ERR_GENERAL_SERVER_ERROR, "no initials: %s", rq->cx.detail ? rq->cx.detail : "");
	TRY(e);
	return avatar_made(rq, &s, &pic);
}

static const struct route rows[] = {
    AVATAR_ROUTE("/initials", "getInitials", ROUTE_KEPT, "image/png", avatars_get_initials, "The initials of a name.", PARAMS(struct initials_in, initials_params)),
    AVATAR_ROUTE("/qr", "getQR", 0, "image/png", avatars_get_q_r, "A QR code.", PARAMS(struct qr_in, qr_params)),
};
const struct routes drawn_routes = ROUTES(rows);
