/* The letters of names, codes, pictures of one byte a pixel, names in other languages. */
#include <criterion/criterion.h>
#include <zlib.h>

#include "core/arena.h"
#include "io/fetch.h"
#include "io/letters.h"
#include "io/names.h"
#include "io/png.h"
#include "io/qr.h"

static struct arena *a;

static void
open_arena(void)
{
	a = arena_new();
}

static void
close_arena(void)
{
	arena_free(&a);
}

TestSuite(letters, .init = open_arena, .fini = close_arena);

Test(letters, of_names)
{
	static const struct {
		const char *name, *first, *second;
		unsigned sum;
	} rows[] = {
		{"John Doe", "J", "D", 142}, {"W W", "W", "W", 174}, {"a", "A", NULL, 65}, {"", NULL, NULL, 0}, {" \t ", NULL, NULL, 0}, {"a  b", "A", "B", 131},
		{"  a b  ", "A", "B", 131}, {"a_b", "A", "B", 131}, {"a_b c", "A", "C", 132}, {"__", NULL, NULL, 0}, {"_a", "A", NULL, 65}, {"a b c d", "A", "B", 131},
		{"\u0438\u0432\u0430\u043d", "\u0418", NULL, 0xd0}, {"\u00e9a", "\u00c9", NULL, 0xc3}, {"e\u0301a", "E\u0301", NULL, 'E'},
		{"\U0001F468\u200d\U0001F469\u200d\U0001F467 x", "\U0001F468\u200d\U0001F469\u200d\U0001F467", "X", 0xf0 + 'X'},
		{"\U0001F1E9\U0001F1EA\U0001F1EB", "\U0001F1E9\U0001F1EA", NULL, 0xf0}, {"\u200fa", "A", NULL, 'A'}, {"\u202e\u200b", NULL, NULL, 0},
		{"a\u00a0b", "A", "B", 131}, {"a\u3000b", "A", "B", 131}, {"\u00df", "\u00df", NULL, 0xc3}, {"\u01c6x", "\u01c5", NULL, 0xc7}, {"@x (y", "@", "(", '@' + '('},
		{"\u0e01\u0e33\u0e41", "\u0e01\u0e33", NULL, 0xe0}, {"1", "1", NULL, '1'},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct letters l = letters_of(a, str_c(rows[i].name));
		const char *const want[] = {rows[i].first, rows[i].second};

		for (int k = 0; k < LETTERS_MAX; k++) {
			cr_assert_eq(l.v[k] == NULL, want[k] == NULL, "%s: letter %d is %s", rows[i].name, k, l.v[k]);
			if (want[k] != NULL)
				cr_assert_str_eq(l.v[k], want[k], "%s: %s", rows[i].name, l.v[k]);
		}
		cr_assert_eq(l.sum, rows[i].sum, "%s: %u", rows[i].name, l.sum);
	}
}

Test(letters, are_bounded)
{
	struct buf b;
	struct letters l;

	buf_init(&b, a, 4096);
	buf_ch(&b, 'a');
	for (int i = 0; i < 500; i++)
		buf_c(&b, "\u0301");
	l = letters_of(a, buf_view(&b));
	cr_assert_eq(strlen(l.v[0]), 1 + 7 * 2);
	b.n = 0;
	for (int i = 0; i < 100; i++)
		buf_c(&b, "\U0001F469\u200d");
	l = letters_of(a, buf_view(&b));
	cr_assert_lt(strlen(l.v[0]), 64);
	cr_assert(str_utf8(str_c(l.v[0]), NULL));
}

Test(letters, codes_that_fit_and_do_not)
{
	struct buf out, text;

	buf_init(&text, a, 8192);
	for (int i = 0; i < 512; i++)
		buf_c(&text, "\U0001F600");
	buf_init(&out, a, 4096);
	cr_assert(qr_png(&out, text.p, 400, 1));
	for (int i = 0; i < 512; i++)
		buf_c(&text, "\U0001F600");
	cr_assert_not(qr_png(&out, text.p, 400, 1));
}

/* What a reader of PNG sees. */
static void
check_png(const struct buf *b, int width, int height)
{
	const unsigned char *p = (const unsigned char *)b->p;

	cr_assert_eq(memcmp(p, "\x89PNG\r\n\x1a\n", 8), 0);
	for (size_t at = 8, last = 0; !last;) {
		size_t n = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
		const unsigned char *end = p + at + 8 + n;

		cr_assert_leq(at + 12 + n, b->n);
		cr_assert_eq((uLong)end[0] << 24 | (uLong)end[1] << 16 | (uLong)end[2] << 8 | end[3], crc32(0, p + at + 4, (unsigned)(n + 4)));
		last = memcmp(p + at + 4, "IEND", 4) == 0;
		at += 12 + n;
		cr_assert(!last || at == b->n);
	}
	cr_assert_eq(p[18] << 8 | p[19], width);
	cr_assert_eq(p[22] << 8 | p[23], height);
}

Test(letters, pictures_are_png)
{
	unsigned char pixels[300 * 7];
	struct buf b;

	for (size_t i = 0; i < sizeof pixels; i++)
		pixels[i] = (unsigned char)(i * 37);
	for (int w = 1; w <= 300; w += 23) {
		buf_init(&b, a, 64);
		png_write_gray(&b, pixels, w, 7);
		check_png(&b, w, 7);
		buf_init(&b, a, 64);
		png_write_veil(&b, pixels, w, 7, 0x123456);
		check_png(&b, w, 7);
	}
}

Test(letters, links_mean_addresses)
{
	static const struct {
		const char *base, *link, *means;
	} rows[] = {
		{"https://a.com:8443/b/c?x=1", "img/f.png", "https://a.com:8443/b/img/f.png"}, {"https://a.com/b/", "../f.png?v=1#x", "https://a.com/f.png?v=1"},
		{"https://a.com/b", "//b.com/f.png", "https://b.com/f.png"}, {"http://a.com/b", "https://b.com/f.png", "https://b.com/f.png"},
		{"http://a.com:81/b?x", "/favicon.ico", "http://a.com:81/favicon.ico"}, {"http://a.com/b", "?y", "http://a.com/b?y"},
		{"http://a.com/", "file:///etc/passwd", NULL}, {"http://a.com/", "ftp://b.com/x.png", NULL}, {"http://a.com/", "javascript:alert(1)", NULL},
		{"http://a.com/", "data:image/png;base64,AA", NULL}, {"nothing", "/x", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *means = fetch_resolve(a, rows[i].base, rows[i].link);

		if (rows[i].means == NULL)
			cr_assert(means == NULL || strncmp(means, "http", 4) == 0, "%s on %s: %s", rows[i].link, rows[i].base, means);
		else
			cr_assert_str_eq(means ? means : "none", rows[i].means, "%s on %s: %s", rows[i].link, rows[i].base, means ? means : "none");
	}
}

Test(letters, locales_by_their_words)
{
	static const struct {
		const char *words, *code;
	} rows[] = {
		{"de", "de"}, {"DE", "de"}, {"de-AT", "de"}, {"de_CH", "de"}, {"pt", "pt-pt"}, {"pt-BR", "pt-br"}, {"pt-AO", "pt-pt"}, {"zh", "zh-cn"}, {"zh-Hant-HK", "zh-tw"},
		{"zh-hans-cn", "zh-cn"}, {"no", "nb"}, {"fil-PH", "tl"}, {"iw", "he"}, {"en-US", "en"}, {"xx", NULL}, {"", NULL}, {"-", NULL}, {"d", NULL}, {"deutsch", NULL}, {"de-", "de"},
		{"de-AT-x-private-words-that-are-long", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *code = names_locale(str_c(rows[i].words));

		cr_assert_eq(code == NULL, rows[i].code == NULL, "%s: %s", rows[i].words, code);
		if (code != NULL)
			cr_assert_str_eq(code, rows[i].code);
	}
}
