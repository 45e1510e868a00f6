/* Previews: a file as a picture of the asked size and form, or an icon that stands for it (spec storage-avatars-locale-health.md 8, 9).
 *
 * Who may read the file may see its preview; that is asked before anything is looked for, so nobody gets what was made for somebody else. A preview is
 * known by a key of all that decides its bytes: the file's number and signature, every parameter, and the format, which Accept has a word in. */
#include "core/conf.h"
#include "core/vtime.h"
#include "files_priv.h"
#include "model/picture.h"

#define PREVIEW_FRESH_MS (30 * 24 * 3600 * INT64_C(1000))
enum { PREVIEW_VERSION = 1 };	/* of what is made of the same file and parameters: a new one makes other keys and tags */

struct preview_in {
	const char *bucket, *id;
	struct opt_int width, height, quality, border_width, border_radius, rotation;
	struct opt_float opacity;
	const char *gravity, *border_color, *background, *output;
};

static const char *const preview_gravities[] = {"center", "top-left", "top", "top-right", "left", "right", "bottom-left", "bottom", "bottom-right", NULL};
static const char *const outputs[] = {"jpg", "jpeg", "gif", "png", "webp", "avif", NULL};
static const enum picture_format output_formats[] = {PICTURE_JPG, PICTURE_JPG, PICTURE_GIF, PICTURE_PNG, PICTURE_WEBP, PICTURE_AVIF};

#define WHOLE(name_, member_, doc_, def_, min_, max_) OPTIONAL(name_, P_RANGE, struct preview_in, member_, doc_, .def = def_, .min = min_, .max = max_)
static const struct param preview_params[] = {
	PATH("bucketId", P_UID, struct preview_in, bucket, "Bucket ID."),
	PATH("fileId", P_UID, struct preview_in, id, "File ID."),
	WHOLE("width", width, "Width in pixels; 0: as the height has it.", "0", 0, 4000),
	WHOLE("height", height, "Height in pixels; 0: as the width has it.", "0", 0, 4000),
	OPTIONAL("gravity", P_ENUM_NOCASE, struct preview_in, gravity, "What stays when the picture is cut.", .def = "\"center\"", .list = preview_gravities),
	WHOLE("quality", quality, "Quality, for formats that lose some; -1: as usual.", "100", -1, 100),
	WHOLE("borderWidth", border_width, "Width of a border in pixels.", "0", 0, 100),
	OPTIONAL("borderColor", P_COLOR, struct preview_in, border_color, "Its colour."),
	WHOLE("borderRadius", border_radius, "Radius of round corners in pixels.", "0", 0, 4000),
	OPTIONAL("opacity", P_FRACTION, struct preview_in, opacity, "Opacity of every pixel.", .def = "1", .min = 0, .max = 1),
	WHOLE("rotation", rotation, "Degrees clockwise.", "0", -360, 360),
	OPTIONAL("background", P_COLOR, struct preview_in, background, "Colour under what is transparent."),
	OPTIONAL("output", P_ENUM, struct preview_in, output, "Format; that of the file when absent.", .list = outputs),
};

/* ---- what is asked for ---- */

/* Only where it says so: any type would do for everybody. */
static bool
client_takes(const struct req *rq, const char *type)
{
	struct str accept = rq->http->hdr[HDR_ACCEPT];

	return accept.n > 0 && memmem(accept.p, accept.n, type, strlen(type)) != NULL;
}

static enum picture_format
format_named(struct str word)
{
	for (int i = 0; outputs[i] != NULL; i++)
		if (str_ieq(word, str_c(outputs[i])))
			return output_formats[i];
	return PICTURE_SAME;
}

static enum picture_format
preview_format(const struct req *rq, const struct preview_in *in, const struct file *f)
{
	const char *dot = strrchr(f->name, '.');
	enum picture_format format = in->output ? format_named(str_c(in->output)) : dot ? format_named(str_c(dot + 1)) : PICTURE_SAME;

	if (in->output != NULL && format == PICTURE_AVIF && !client_takes(rq, "image/avif"))
		format = PICTURE_WEBP;
	if (in->output != NULL && format == PICTURE_WEBP && !client_takes(rq, "image/webp"))
		format = PICTURE_JPG;
	return format;
}

static bool
mime_listed(const char *mime, const char *const *list)
{
	for (; *list != NULL; list++)
		if (str_ieq(str_c(mime), str_c(*list)))
			return true;
	return false;
}

/* PICTURE_ICON_NONE: the file itself. */
static enum picture_icon
preview_icon(const struct file *f)
{
	static const char *const pictures[] = {"image/jpeg", "image/gif", "image/png", "image/webp", "image/avif", "image/heic", "image/heif", NULL};
	static const char *const videos[] = {"video/mp4", "video/x-flv", "video/webm", "application/x-mpegURL", "video/MP2T", "video/3gpp", "video/quicktime",
	    "video/x-msvideo", "video/x-ms-wmv", "video/x-matroska", NULL};

	if (!f->complete)
		return PICTURE_ICON_FILE;
	if (mime_listed(f->mime, pictures))
		return f->size > conf.storage_preview_limit ? PICTURE_ICON_IMAGE : PICTURE_ICON_NONE;
	return mime_listed(f->mime, videos) ? PICTURE_ICON_VIDEO : PICTURE_ICON_FILE;
}

/* ---- one preview ---- */

struct preview {
	struct req *rq;
	const struct file *f;
	enum picture_icon icon;
	struct picture_ask ask;
	const char *key;
	struct blob_reader *reader;
	bool secret;		/* the file lies encrypted on the device */
};

static const char *
preview_key(const struct preview *v)
{
	const struct picture_ask *a = &v->ask;
	struct arena *mem = v->rq->cx.arena;
	const char *object = v->icon != PICTURE_ICON_NONE ? arena_printf(mem, "icons/%d", (int)v->icon) :
	    file_pictures(mem, v->rq->project, v->f);

	return arena_printf(mem, "%s?v=%d&bytes=%s&background=%s&borderColor=%s&borderRadius=%d&borderWidth=%d&gravity=%s&height=%d&opacity=%d&output=%d&"
	    "quality=%d&rotation=%d&width=%d", object, PREVIEW_VERSION, v->icon != PICTURE_ICON_NONE ? "" : v->f->signature,
	    a->background ? a->background : "", a->border_color ? a->border_color : "", a->border_radius, a->border_width, a->gravity, a->height,
	    (int)(a->opacity * 1e6 + 0.5), (int)a->format, a->quality, a->rotation, a->width);
}

static void
preview_init(struct preview *v, const struct preview_in *in)
{
	enum picture_format format = preview_format(v->rq, in, v->f);

	v->icon = preview_icon(v->f);
	if (v->icon != PICTURE_ICON_NONE && in->output == NULL)
		format = PICTURE_PNG;
	v->ask = (struct picture_ask){.width = (int)in->width.v, .height = (int)in->height.v, .gravity = str_lower(v->rq->cx.arena, str_c(in->gravity)).p,
	    .quality = in->quality.v < 0 ? 100 : (int)in->quality.v, .border_width = (int)in->border_width.v, .border_radius = (int)in->border_radius.v,
	    .border_color = in->border_color, .background = in->background, .opacity = in->opacity.v, .rotation = (int)in->rotation.v, .format = format};
	v->key = preview_key(v);
}

static err_t
preview_open(struct preview *v)
{
	struct blob_place at = bucket_place(v->rq->project, v->f->owner);
	struct ctx *cx = &v->rq->cx;
	const struct blob_part *parts;
	int n;

	TRY(file_parts(cx, v->rq->project, v->f, &parts, &n));
	for (int i = 0; i < n; i++)
		v->secret = v->secret || parts[i].blob.sealed != 0;
	return blob_open(cx, &at, parts, n, 0, (uint64_t)v->f->size, &v->reader);
}

/* Opened when the first bytes are wanted: not before there is a worker's place in the queue for it. */
static err_t
preview_source(struct ctx *cx, void *arg, struct str *piece_out)
{
	struct preview *v = arg;
	err_t e = v->reader != NULL ? OK : preview_open(v);

	if (e == OK)
		e = blob_read(v->reader, piece_out);
	return e == ERR_BLOB_GONE ? fail(cx, ERR_STORAGE_FILE_NOT_FOUND, "no bytes: file=%s", v->f->id) : e;
}

static err_t
preview_make(struct preview *v)
{
	struct ctx *cx = &v->rq->cx;
	struct picture pic;

	if (v->icon != PICTURE_ICON_NONE)
		TRY(picture_icon(cx, v->icon, &v->ask, &pic));
	else
		TRY(picture_make(cx, preview_source, v, &v->ask, &pic));
	picture_keep(cx, v->key, &pic, v->secret);
	return reply_raw(v->rq, 200, pic.type, pic.bytes);
}

/* The icon of half an upload is gone when the upload is done: nobody may keep it. */
static void
preview_head(struct preview *v, const struct bucket *b)
{
	reply_static(v->rq, "Vary", "Accept");
	reply_static(v->rq, "ETag", picture_tag(&v->rq->cx, v->key));
	if (v->f->complete)
		file_caching(v->rq, b, v->f, PREVIEW_FRESH_MS);
	else
		reply_static(v->rq, "Cache-Control", "no-store");
}

static err_t
preview_answer(struct preview *v)
{
	const char *type;
	uint64_t size;
	int fd;

	if (v->f->complete && str_etag_listed(v->rq->http->hdr[HDR_IF_NONE_MATCH], picture_tag(&v->rq->cx, v->key)))
		return reply_raw(v->rq, 304, NULL, STR_NONE);
	if (!picture_cached(&v->rq->cx, v->key, &fd, &size, &type))
		return preview_make(v);
	reply_hit(v->rq);
	return reply_file(v->rq, 200, type, fd, 0, size);
}

/* GET …/preview */
static err_t
storage_get_file_preview(struct req *rq, void *arg)
{
	const struct preview_in *in = arg;
	struct file_caller who = file_caller_of(rq);
	const struct bucket *b;
	struct preview *v = arena_new_of(rq->cx.arena, struct preview);
	struct file f;

	TRY(file_get(&rq->cx, rq->project, &who, in->bucket, in->id, &f));
	TRY(bucket_get(&rq->cx, rq->project, in->bucket, &b));
	v->rq = rq;
	v->f = &f;
	preview_init(v, in);
	preview_head(v, b);
	return preview_answer(v);
}

static const struct route rows[] = {
	{.method = "GET", .path = "/v1/storage/buckets/:bucketId/files/:fileId/preview", .service = "storage", .name = "getFilePreview", .scope = "files.read",
	    .limit = "", .handler = storage_get_file_preview, .status = 200, .doc = "A file as a picture.", PARAMS(struct preview_in, preview_params),
	    .usage = "files.read", .media = "image/*", .flags = ROUTE_ETAG | ROUTE_KEPT},
};
const struct routes preview_routes = ROUTES(rows);
