/* The little XML that S3 speaks: elements with text, no attributes that matter, never the same name inside itself where we look. */
#include <stdlib.h>

#include "s3_priv.h"

enum { TAG_MAX = 40 };

/* Behind "<tag>" or "<tag …>"; NULL: none. */
static const char *
tag_open(struct str s, const char *tag)
{
	size_t n = strlen(tag);

	for (const char *p = s.p, *end = s.p + s.n; p != NULL && p < end; p++) {
		p = memchr(p, '<', (size_t)(end - p));
		if (p == NULL || (size_t)(end - p) < n + 2)
			return NULL;
		if (memcmp(p + 1, tag, n) != 0 || (p[n + 1] != '>' && p[n + 1] != ' '))
			continue;
		p = memchr(p, '>', (size_t)(end - p));
		return p == NULL ? NULL : p + 1;
	}
	return NULL;
}

bool
s3_xml_next(struct str *at, const char *tag, struct str *out)
{
	const char *from = at->n > 0 ? tag_open(*at, tag) : NULL, *to;
	char close[TAG_MAX + 4];
	size_t n = strlen(tag) + 3;

	if (from == NULL || strlen(tag) > TAG_MAX)
		return false;
	memcpy(close, "</", 2);
	memcpy(close + 2, tag, n - 3);
	memcpy(close + n - 1, ">", 2);
	to = memmem(from, at->n - (size_t)(from - at->p), close, n);
	if (to == NULL)
		return false;
	*out = (struct str){from, (size_t)(to - from)};
	at->n -= (size_t)(to + n - at->p);
	at->p = to + n;
	return true;
}

static const struct {
	const char *name;
	char c;
} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&#34;", '"'}, {"&#39;", '\''}, {"&#x22;", '"'}, {"&#x27;", '\''}};

const char *
s3_xml_text(struct arena *a, struct str xml, const char *tag)
{
	struct str s;
	char *text, *to;

	if (!s3_xml_next(&xml, tag, &s))
		return "";
	to = text = arena_alloc(a, s.n + 1);
	while (s.n > 0) {
		size_t n = 1;

		*to = *s.p;
		for (size_t i = 0; *s.p == '&' && i < sizeof entities / sizeof *entities; i++)
			if (str_starts(s, entities[i].name)) {
				*to = entities[i].c;
				n = strlen(entities[i].name);
			}
		to++;
		s.p += n;
		s.n -= n;
	}
	*to = '\0';
	return text;
}
