/* One picture from its task, and what the libraries must be told before the first. */
#include <stdlib.h>
#include <string.h>

#include "libs.h"
#include "picture_priv.h"

/* What may be read and written; all other coders are taken off GraphicsMagick's list. */
static const struct coder {
	const char *name;
	enum picture_source reads;
	enum picture_format writes;
} coders[] = {
	{"JPEG", SOURCE_JPEG, PICTURE_JPG}, {"JPG", SOURCE_NONE, PICTURE_SAME}, {"PNG", SOURCE_PNG, PICTURE_PNG}, {"GIF", SOURCE_GIF, PICTURE_GIF},
	{"WEBP", SOURCE_WEBP, PICTURE_WEBP}, {"AVIF", SOURCE_AVIF, PICTURE_SAME}, {"HEIC", SOURCE_HEIC, PICTURE_SAME},
};

static const struct coder *
coder_find(const char *name)
{
	for (size_t i = 0; i < sizeof coders / sizeof *coders; i++)
		if (strcmp(coders[i].name, name) == 0)
			return &coders[i];
	return NULL;
}

static void
quiet(const ExceptionType severity, const char *reason, const char *description)
{
	(void)severity, (void)reason, (void)description;
}

static void
take_off_list(struct picture_able *able)
{
	ExceptionInfo why;
	MagickInfo **list;

	gm.GetExceptionInfo(&why);
	list = gm.GetMagickInfoArray(&why);
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		const struct coder *c = coder_find(list[i]->name);
		char name[MaxTextExtent];

		if (c == NULL) {
			strncpy(name, list[i]->name, sizeof name - 1);
			name[sizeof name - 1] = '\0';
			(void)gm.UnregisterMagickInfo(name);
			continue;
		}
		able->reads |= list[i]->decoder != NULL && c->reads ? 1U << c->reads : 0;
		able->writes |= list[i]->encoder != NULL && c->writes ? 1U << c->writes : 0;
	}
	gm.MagickFree(list);
	gm.DestroyExceptionInfo(&why);
}

bool
picture_setup(const struct picture_limits *l, struct picture_able *able)
{
	static const ResourceType none[] = {DiskResource, MapResource};
	ExceptionInfo why;

	*able = (struct picture_able){.magic = PICTURE_WIRE};
	if (!libs_open())
		return false;
	if (heif.here)
		(void)heif.heif_init(NULL);	/* its decoders may be files of their own, which no picture may open later */
	gm.GetExceptionInfo(&why);
	if (gm.InitializeMagickEx(NULL, MAGICK_OPT_NO_SIGNAL_HANDER, &why) != MagickPass)
		return false;
	gm.DestroyExceptionInfo(&why);
	(void)gm.SetErrorHandler(quiet);
	(void)gm.SetWarningHandler(quiet);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		(void)gm.SetMagickResourceLimit(none[i], 0);
	(void)gm.SetMagickResourceLimit(ThreadsResource, 1);
	(void)gm.SetMagickResourceLimit(FileResource, 8);
	(void)gm.SetMagickResourceLimit(MemoryResource, (magick_int64_t)l->memory);
	(void)gm.SetMagickResourceLimit(PixelsResource, (magick_int64_t)l->pixels);
	(void)gm.SetMagickResourceLimit(WidthResource, UINT16_MAX);
	(void)gm.SetMagickResourceLimit(HeightResource, UINT16_MAX);
	take_off_list(able);
	if (heif.here && heif.heif_have_encoder_for_format(heif_compression_AV1))
		able->writes |= 1U << PICTURE_AVIF;
	return true;
}

void
picture_warm_up(const struct picture_able *able)
{
	const struct picture_limits l = {.frames = 1, .pixels = 64 * 64};
	struct made first, again;

	for (enum picture_format f = PICTURE_JPG; f <= PICTURE_AVIF; f++) {
		struct picture_task t = {.icon = PICTURE_ICON_FILE, .width = 16, .height = 16, .gravity = GRAVITY_CENTER, .background = -1, .border_color = -1,
		    .opacity = 1000000, .format = (int32_t)f};

		if ((able->writes & 1U << f) == 0 || picture_work(NULL, 0, &l, &t, able, &first) != OUTCOME_MADE)
			continue;
		t.icon = PICTURE_ICON_NONE;
		t.format = PICTURE_PNG;
		t.width = t.height = 8;
		(void)picture_work(first.p, first.n, &l, &t, able, &again);
	}
}

static enum picture_format
same_format(enum picture_source s)
{
	return s == SOURCE_JPEG || s == SOURCE_HEIC ? PICTURE_JPG : s == SOURCE_GIF ? PICTURE_GIF : s == SOURCE_WEBP ? PICTURE_WEBP :
	    s == SOURCE_AVIF ? PICTURE_AVIF : PICTURE_PNG;
}

/* A format that is not written here becomes one that everybody can. */
static enum picture_format
format_of(const struct picture_task *t, enum picture_source s, const struct picture_able *able)
{
	enum picture_format f = t->format == PICTURE_SAME ? same_format(s) : (enum picture_format)t->format;

	if ((able->writes & 1U << f) == 0)
		f = f == PICTURE_GIF ? PICTURE_PNG : PICTURE_JPG;
	return f;
}

enum picture_outcome
picture_work(uint8_t *p, size_t n, const struct picture_limits *l, const struct picture_task *t, const struct picture_able *able, struct made *out)
{
	struct sniffed s = {0};
	struct film film = {0};
	enum picture_format format;
	enum picture_outcome o;

	if (t->icon == PICTURE_ICON_NONE && (!sniff(p, n, &s) || (able->reads & 1U << s.kind) == 0))
		return OUTCOME_BAD;
	format = format_of(t, s.kind, able);
	o = t->icon != PICTURE_ICON_NONE ? picture_draw((enum picture_icon)t->icon, l, t, &film) :
	    picture_read(p, n, &s, l, t, picture_animates(format), &film);
	for (int i = 0; i < film.n && o == OUTCOME_MADE; i++)
		if (!canvas_decorate(&film.v[i].c, t))
			o = OUTCOME_LARGE;
	if (o != OUTCOME_MADE)
		return o;
	film.w = film.v[0].c.w;
	film.h = film.v[0].c.h;
	return picture_write(&film, format, t, out);
}
