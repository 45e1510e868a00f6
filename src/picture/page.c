/* Where the icon of an HTML page is, by libxml2's HTML parser: it calls us for each element and builds no tree. */
#include <libxml/HTMLparser.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "picture_priv.h"

enum { PAGE_SLICE = 16 * 1024, LINK_MAX = 2048, SIDE_MAX = 10000 };

struct found {
	htmlParserCtxtPtr parser;
	char base[LINK_MAX + 1], icon[LINK_MAX + 1];
	bool has_base;
	int64_t area;		/* of icon; -1: there is none */
};

static const char *
attribute(const xmlChar **v, const char *name)
{
	for (; v != NULL && v[0] != NULL; v += 2)
		if (v[1] != NULL && str_ieq(str_c((const char *)v[0]), str_c(name)))
			return (const char *)v[1];
	return NULL;
}

/* Without blanks at its ends, and none of what may not be in an address. False: it is none that we take. */
static bool
take_link(const char *text, char to[LINK_MAX + 1])
{
	struct str s = str_c(text);
	size_t n = 0;

	while (s.n > 0 && (unsigned char)s.p[0] <= ' ')
		s = (struct str){s.p + 1, s.n - 1};
	while (s.n > 0 && (unsigned char)s.p[s.n - 1] <= ' ')
		s.n--;
	for (size_t i = 0; i < s.n && n < LINK_MAX; i++)
		if ((unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f)	/* browsers leave line ends out */
			to[n++] = s.p[i];
	to[n] = '\0';
	return s.n > 0 && s.n <= LINK_MAX;
}

static bool
says_icon(const char *rel)
{
	struct str s = str_c(rel);

	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && strchr(" \t\r\n\f", s.p[n]) == NULL)
			n++;
		if (str_ieq((struct str){s.p, n}, STR("icon")))
			return true;
		n += n < s.n;
		s = (struct str){s.p + n, s.n - n};
	}
	return false;
}

/* What a picture can be made of, or passed on: by the end of the path. */
static bool
kind_known(const char *href)
{
	static const char *const kinds[] = {".ico", ".png", ".jpg", ".jpeg", ".gif", ".webp"};
	struct str path = {href, strcspn(href, "?#")};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t n = strlen(kinds[i]);

		if (path.n > n && str_ieq((struct str){path.p + path.n - n, n}, str_c(kinds[i])))
			return true;
	}
	return false;
}

/* Of "32x32 64x64" the first; 0: it does not say. */
static int64_t
area_of(const char *sizes)
{
	char *end;
	long w, h;

	if (sizes == NULL)
		return 0;
	w = strtol(sizes, &end, 10);
	if (w <= 0 || w > SIDE_MAX || (*end != 'x' && *end != 'X'))
		return 0;
	h = strtol(end + 1, NULL, 10);
	return h > 0 && h <= SIDE_MAX ? (int64_t)w * h : 0;
}

/* The largest, of equals the last. */
static void
on_link(struct found *f, const xmlChar **attributes)
{
	const char *rel = attribute(attributes, "rel"), *href = attribute(attributes, "href");
	int64_t area = area_of(attribute(attributes, "sizes"));
	char link[LINK_MAX + 1];

	if (rel == NULL || href == NULL || !says_icon(rel) || area < f->area || !take_link(href, link) || !kind_known(link))
		return;
	memcpy(f->icon, link, sizeof link);
	f->area = area;
}

static void
on_element(void *arg, const xmlChar *name, const xmlChar **attributes)
{
	struct found *f = arg;
	const char *href;

	if (str_ieq(str_c((const char *)name), STR("link"))) {
		on_link(f, attributes);
	} else if (str_ieq(str_c((const char *)name), STR("base")) && !f->has_base && (href = attribute(attributes, "href")) != NULL) {
		f->has_base = take_link(href, f->base);
		if (!f->has_base)
			f->base[0] = '\0';
	}
}

enum picture_outcome
page_work(const uint8_t *p, size_t n, struct made *out)
{
	htmlSAXHandler sax = {.startElement = on_element};
	struct found f = {.area = -1};
	struct buf text;

	f.parser = htmlCreatePushParserCtxt(&sax, &f, NULL, 0, NULL, XML_CHAR_ENCODING_NONE);
	if (f.parser == NULL)
		return OUTCOME_LARGE;
	(void)htmlCtxtUseOptions(f.parser, HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET | HTML_PARSE_RECOVER);
	for (size_t at = 0; at < n; at += PAGE_SLICE)
		(void)htmlParseChunk(f.parser, (const char *)p + at, (int)(n - at < PAGE_SLICE ? n - at : PAGE_SLICE), 0);
	(void)htmlParseChunk(f.parser, NULL, 0, 1);
	htmlFreeParserCtxt(f.parser);
	buf_init(&text, NULL, 2 * LINK_MAX + 2);
	buf_c(&text, f.base);
	buf_ch(&text, '\n');
	buf_c(&text, f.icon);
	*out = (struct made){PICTURE_SAME, 0, 0, (uint8_t *)text.p, text.n};
	return OUTCOME_MADE;
}
