/* What kind of bytes a file holds, and how browsers are told. What a browser would run is never shown as what it is, whatever the file's name. */
#include "svc/storage/media.h"

#include <magic.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/offload.h"

/* ---- what it is ---- */

static const char unknown[] = "application/octet-stream";

enum { SVG_NAME_MAX = 256 };	/* of the root element, with its prefix */

struct looking {		/* by a thread */
	struct str head;
	char type[128];		/* "" when libmagic has no answer */
	bool svg;
};

/* Skips what begins with `from`, to behind `to`; s->p is NULL when that never comes. */
static bool
skip_between(struct str *s, const char *from, const char *to)
{
	const char *end;

	if (!str_starts(*s, from))
		return false;
	end = memmem(s->p, s->n, to, strlen(to));
	*s = end ? (struct str){end + strlen(to), s->n - (size_t)(end + strlen(to) - s->p)} : STR_NONE;
	return true;
}

/* A document type ends with its first '>', or behind its declarations in brackets. */
static bool
skip_doctype(struct str *s)
{
	const char *end, *inner;

	if (!str_starts(*s, "<!DOCTYPE"))
		return false;
	end = memchr(s->p, '>', s->n);
	inner = end != NULL ? memchr(s->p, '[', (size_t)(end - s->p)) : NULL;
	return skip_between(s, "<!DOCTYPE", inner != NULL ? "]>" : ">");
}

/* Whether the root element of an XML text is "svg", of whatever prefix: libmagic looks no further than its first bytes, and takes one behind a comment for HTML. Each
 * byte is looked at a few times at most, and a name ends somewhere. */
static bool
rooted_in_svg(struct str s)
{
	bool typed = false;
	size_t n = 0;

	(void)skip_between(&s, "\xef\xbb\xbf", "\xbf");
	for (;;) {
		while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\r' || s.p[0] == '\n'))
			s = (struct str){s.p + 1, s.n - 1};
		if (skip_between(&s, "<?", "?>") || skip_between(&s, "<!--", "-->"))
			continue;
		if (typed || !skip_doctype(&s))	/* there is one */
			break;
		typed = true;
	}
	while (n < s.n && n < SVG_NAME_MAX && strchr(" \t\r\n/>", s.p[n]) == NULL)
		n++;
	return n < s.n && (str_is((struct str){s.p, n}, "<svg") || (n > 5 && s.p[0] == '<' && memcmp(s.p + n - 4, ":svg", 4) == 0));
}

static bool
maybe_svg(const char *type)
{
	return strcmp(type, "text/html") == 0 || strcmp(type, "text/xml") == 0 || strcmp(type, "application/xml") == 0 || strcmp(type, "text/plain") == 0;
}

/* One cookie for all threads: libmagic's own database is shared and large, its look at 256 KiB is short. */
static void
look(void *arg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static magic_t cookie;
	struct looking *l = arg;
	const char *type = NULL;

	pthread_mutex_lock(&lock);
	if (cookie == NULL && (cookie = magic_open(MAGIC_MIME_TYPE)) != NULL && magic_load(cookie, NULL) != 0) {
		magic_close(cookie);
		cookie = NULL;
	}
	if (cookie != NULL)
		type = magic_buffer(cookie, l->head.p, l->head.n);
	l->type[0] = '\0';
	if (type != NULL && strlen(type) < sizeof l->type)
		strcpy(l->type, type);
	pthread_mutex_unlock(&lock);
	l->svg = maybe_svg(l->type) && rooted_in_svg(l->head);
}

err_t
media_type(struct ctx *cx, struct str head, const char **out)
{
	struct looking l = {.head = head};

	*out = "application/x-empty";
	if (head.n == 0)
		return OK;
	TRY(offload(cx, LANE_file, look, &l));
	if (l.type[0] == '\0')
		log_warn(cx, "the type of a file is not known", "reason=\"libmagic has no database, or no answer\"");
	*out = l.type[0] != '\0' ? arena_strdup(cx->arena, l.type) : unknown;
	if (l.svg)
		*out = "image/svg+xml";
	return OK;
}

/* ---- what it is shown as ---- */

enum { SHOW = 1, SANDBOX };
static const struct shown {
	const char *mime;
	int how;
} shown[] = {
#define DOCUMENT(name) {"application/vnd.openxmlformats-officedocument." name, SHOW}
#define MACRO(name) {"application/vnd.ms-" name ".macroEnabled.12", SHOW}
	{"image/jpeg", SHOW}, {"image/gif", SHOW}, {"image/png", SHOW}, {"image/webp", SHOW}, {"image/heic", SHOW}, {"image/avif", SHOW},
	{"image/svg+xml", SANDBOX},
	{"video/mp4", SHOW}, {"video/x-flv", SHOW}, {"video/webm", SHOW}, {"application/x-mpegURL", SHOW}, {"video/MP2T", SHOW}, {"video/3gpp", SHOW},
	{"video/quicktime", SHOW}, {"video/x-msvideo", SHOW}, {"video/x-ms-wmv", SHOW}, {"video/x-matroska", SHOW},
	{"audio/basic", SHOW}, {"audio/mid", SHOW}, {"audio/mpeg", SHOW}, {"audio/mp4", SHOW}, {"audio/x-aiff", SHOW}, {"audio/x-mpegurl", SHOW},
	{"audio/vnd.rn-realaudio", SHOW}, {"audio/ogg", SHOW}, {"audio/vorbis", SHOW}, {"audio/vnd.wav", SHOW}, {"audio/L24", SHOW},
	{"audio/x-wav", SHOW}, {"audio/wav", SHOW}, {"audio/flac", SHOW}, {"audio/x-flac", SHOW}, {"audio/opus", SHOW}, {"audio/aac", SHOW},
	{"audio/x-hx-aac-adts", SHOW}, {"audio/x-m4a", SHOW},
	{"application/msword", SHOW}, {"application/vnd.ms-excel", SHOW}, {"application/vnd.ms-powerpoint", SHOW}, {"application/vnd.ms-access", SHOW},
	DOCUMENT("wordprocessingml.document"), DOCUMENT("wordprocessingml.template"), DOCUMENT("spreadsheetml.sheet"), DOCUMENT("spreadsheetml.template"),
	DOCUMENT("presentationml.presentation"), DOCUMENT("presentationml.template"), DOCUMENT("presentationml.slideshow"),
	MACRO("word.document"), MACRO("word.template"), MACRO("excel.sheet"), MACRO("excel.template"), MACRO("excel.addin"), MACRO("excel.sheet.binary"),
	MACRO("powerpoint.addin"), MACRO("powerpoint.presentation"), MACRO("powerpoint.template"), MACRO("powerpoint.slideshow"),
	{"application/pdf", SHOW},
};

static const struct shown *
shown_as(const char *mime)
{
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		if (str_ieq(str_c(mime), str_c(shown[i].mime)))
			return &shown[i];
	return NULL;
}

const char *
media_shown(const char *mime, bool *active_out)
{
	const struct shown *s = shown_as(mime);

	*active_out = s != NULL && s->how == SANDBOX;
	return s ? s->mime : NULL;
}

/* ---- what it is called ---- */

enum { NAME_TOLD_MAX = 3072, EXTENSION_TOLD_MAX = 64 };

static bool
plain(unsigned char c)
{
	return c >= 32 && c < 127;
}

/* attr-char of RFC 8187. */
static bool
attr_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("!#$&+-.^_`|~", c) != NULL);
}

/* Bytes of the name in the form of RFC 8187. */
static size_t
encoded_length(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += attr_char((unsigned char)s.p[i]) ? 1 : 3;
	return n;
}

/* Proxies have 4 KiB for a whole head, often: of a name that would be longer the beginning and the extension are told. */
static const char *
name_told(struct ctx *cx, const char *name)
{
	const char *dot = strrchr(name, '.');
	struct str ext = str_c(dot ? dot : ""), start = str_c(name);
	size_t room = NAME_TOLD_MAX;

	if (encoded_length(start) <= room)
		return name;
	if (encoded_length(ext) > EXTENSION_TOLD_MAX)
		ext = STR("");
	start.n -= ext.n;
	room -= encoded_length(ext);
	while (encoded_length(start) > room)
		start = str_head(start, start.n - (encoded_length(start) - room + 2) / 3);
	return arena_printf(cx->arena, "%.*s%s", STR_FMT(start), ext.p);
}

const char *
media_disposition(struct ctx *cx, const char *disposition, const char *full)
{
	const char *name = name_told(cx, full);
	bool ascii = true;
	struct buf b;

	buf_init(&b, cx->arena, 64 + strlen(name));
	buf_printf(&b, "%s; filename=\"", disposition);
	for (const char *c = name; *c != '\0'; c++) {
		ascii = ascii && plain((unsigned char)*c);
		if (*c == '"' || *c == '\\')
			buf_ch(&b, '\\');
		if (plain((unsigned char)*c))
			buf_ch(&b, *c);
		else if ((*c & 0xc0) != 0x80)	/* one mark for a character, however many bytes it has */
			buf_ch(&b, '_');
	}
	buf_ch(&b, '"');
	if (ascii)
		return buf_view(&b).p;
	BUF_LIT(&b, "; filename*=UTF-8''");
	for (const char *c = name; *c != '\0'; c++)
		buf_printf(&b, attr_char((unsigned char)*c) ? "%c" : "%%%02X", (unsigned char)*c);
	return buf_view(&b).p;
}
