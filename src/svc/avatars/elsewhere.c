/* Pictures and icons of other sites. */
#include "avatars_priv.h"
#include "core/conf.h"
#include "core/vtime.h"
#include "io/fetch.h"

enum { PAGE_MAX = 512 * 1024, ICON_SIDE = 56, ICO_HEAD = 6, ICO_ENTRY = 16 };

static const int64_t kept_ms = INT64_C(30) * 86400 * 1000;
static const char *const schemes[] = {"http", "https", NULL};

/* A month: what is elsewhere may change, and is asked for anew after that time. */
static long long
month(void)
{
	return (long long)(time_now_ms() / kept_ms);
}

/* What went wrong elsewhere is that there is nothing; what is ours (too many at once, the client left) stays what it is. */
static err_t
not_there(struct req *rq, err_t e, err_t none)
{
	switch (e) {
	case ERR_FETCH:
	case ERR_FETCH_REFUSED:
	case ERR_TIMEOUT:
	case ERR_PICTURE_BAD:
	case ERR_PICTURE_LARGE:
		return fail(&rq->cx, none, "%s", rq->cx.detail != NULL ? rq->cx.detail : err_info(e)->type);
	default:
		return e;
	}
}

/* ---- pictures ---- */

struct image_in {
	const char *url;
	struct opt_int width, height;
};
static const struct param image_params[] = {
    REQUIRED("url", P_URL, struct image_in, url, "Address of the picture.", .list = schemes),
    OPTIONAL("width", P_RANGE, struct image_in, width, "Width in pixels; 0: by the height.", .def = "400", .min = 0, .max = 2000),
    OPTIONAL("height", P_RANGE, struct image_in, height, "Height in pixels; 0: by the width.", .def = "400", .min = 0, .max = 2000),
};

static err_t
image_make(struct req *rq, const struct image_in *in, struct picture *out)
{
	struct remote r;

	TRY(remote_get(rq, in->url, (size_t)conf.avatar_bytes_max, true, &r));
	return avatar_of_bytes(rq, r.body, (int)in->width.v, (int)in->height.v, 100, out);
}

static err_t
avatars_get_image(struct req *rq, void *arg)
{
	const struct image_in *in = arg;
	struct avatar_shown s = {.days = DAYS_KEPT};
	struct picture pic;
	err_t e;

	s.key = arena_printf(rq->cx.arena, "%s/avatars-image?%lldx%lld %lld %s", rq->project->schema, (long long)in->width.v, (long long)in->height.v, month(), in->url);
	if (remote_is_ours(rq))
		return fail(&rq->cx, ERR_AVATAR_IMAGE_NOT_FOUND, "asked by ourselves");
	if (avatar_kept(rq, &s, &e))
		return e;
	if ((e = image_make(rq, in, &pic)) != OK)
		return not_there(rq, e, ERR_AVATAR_IMAGE_NOT_FOUND);
	return avatar_made(rq, &s, &pic);
}

/* ---- icons of pages ---- */

struct favicon_in {
	const char *url;
};
static const struct param favicon_params[] = {
    REQUIRED("url", P_URL, struct favicon_in, url, "Address of the page.", .list = schemes),
};

/* Told by its bytes, not by its name: many a favicon.ico is a PNG. */
static bool
is_ico(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = s.n >= ICO_HEAD ? (size_t)(p[4] | p[5] << 8) : 0;

	return n > 0 && memcmp(p, "\0\0\1\0", 4) == 0 && s.n >= ICO_HEAD + n * ICO_ENTRY;
}

static const char *
icon_address(struct req *rq, const struct remote *page, const char *base, const char *icon)
{
	struct arena *a = rq->cx.arena;
	const char *at = base[0] != '\0' ? fetch_resolve(a, page->url, base) : page->url;

	return fetch_resolve(a, at != NULL ? at : page->url, icon[0] != '\0' ? icon : "/favicon.ico");
}

/* An ICO as it is, the first time and every other: what reads it are browsers. Others as PNG. */
static err_t
favicon_make(struct req *rq, const char *url, struct picture *out)
{
	struct remote r;

	TRY(remote_get(rq, url, (size_t)conf.avatar_bytes_max, true, &r));
	if (!is_ico(r.body))
		return avatar_of_bytes(rq, r.body, ICON_SIDE, ICON_SIDE, 100, out);
	*out = (struct picture){.type = "image/x-icon", .bytes = r.body};
	return OK;
}

static err_t
avatars_get_favicon(struct req *rq, void *arg)
{
	const struct favicon_in *in = arg;
	struct avatar_shown s = {.days = DAYS_KEPT};
	const char *base, *icon, *url;
	struct remote page;
	struct picture pic;
	err_t e;

	s.key = arena_printf(rq->cx.arena, "%s/avatars-favicon?%lld %s", rq->project->schema, month(), in->url);
	if (remote_is_ours(rq))
		return fail(&rq->cx, ERR_AVATAR_REMOTE_URL_FAILED, "asked by ourselves");
	if (avatar_kept(rq, &s, &e))
		return e;
	if ((e = remote_get(rq, in->url, PAGE_MAX, false, &page)) != OK)
		return not_there(rq, e, ERR_AVATAR_REMOTE_URL_FAILED);
	if ((e = picture_page_icon(&rq->cx, page.body, &base, &icon)) != OK)
		return not_there(rq, e, ERR_AVATAR_ICON_NOT_FOUND);
	if ((url = icon_address(rq, &page, base, icon)) == NULL)
		return fail(&rq->cx, ERR_AVATAR_ICON_NOT_FOUND, "icon=%s", icon);
	if ((e = favicon_make(rq, url, &pic)) != OK)
		return not_there(rq, e, ERR_AVATAR_ICON_NOT_FOUND);
	return avatar_made(rq, &s, &pic);
}

static const struct route rows[] = {
    AVATAR_ROUTE("/favicon", "getFavicon", ROUTE_KEPT, "image/*", avatars_get_favicon, "The icon of a page.", PARAMS(struct favicon_in, favicon_params)),
    AVATAR_ROUTE("/image", "getImage", ROUTE_KEPT, "image/png", avatars_get_image, "A picture of another site, cut to a size.", PARAMS(struct image_in, image_params)),
};
const struct routes elsewhere_routes = ROUTES(rows);
