/* Links in mails. */
#include "model/link.h"

#include <ctype.h>

void
link_encode(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (isalnum(c) || (c != '\0' && strchr("-_.", c) != NULL))	/* an address may say %00 */
			buf_ch(b, (char)c);
		else if (c == ' ')
			buf_ch(b, '+');
		else
			buf_printf(b, "%%%02X", c);
	}
}

static void
add_pair(struct buf *b, bool *first, struct str name, struct str value)
{
	buf_ch(b, *first ? '?' : '&');
	*first = false;
	link_encode(b, name);
	buf_ch(b, '=');
	link_encode(b, value);
}

static int
link_find(const struct link_param *v, int n, struct str name)
{
	for (int i = 0; i < n; i++)
		if (str_is(name, v[i].name))
			return i;
	return -1;
}

const char *
link_with(struct arena *a, const char *url, const struct link_param *v, int n)
{
	struct str fragment = str_c(url), query = str_cut(&fragment, '#'), base = str_cut(&query, '?');
	bool *done = arena_array(a, bool, n + 1), first = true;
	struct buf b;

	buf_init(&b, a, base.n + query.n + 512);
	buf_str(&b, base);
	while (query.p != NULL) {
		struct str value = str_cut(&query, '&'), name = str_url_decode(a, str_cut(&value, '='), true);
		int at = link_find(v, n, name);

		if (name.n == 0 || (at >= 0 && done[at]))
			continue;
		if (at >= 0)
			done[at] = true;
		add_pair(&b, &first, name, at >= 0 ? str_c(v[at].value) : value.p ? str_url_decode(a, value, true) : STR(""));
	}
	for (int i = 0; i < n; i++)
		if (!done[i])
			add_pair(&b, &first, str_c(v[i].name), str_c(v[i].value));
	if (fragment.p != NULL) {
		buf_ch(&b, '#');
		buf_str(&b, fragment);
	}
	return buf_view(&b).p;
}
