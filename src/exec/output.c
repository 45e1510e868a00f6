/* What functions write: kept to a bound, cut at a character, and told apart by run where their servers say whose it is. */
#include <stdlib.h>

#include "exec_priv.h"

enum { OUTPUT_BYTES = 4 * OUTPUT_CHARS };
#define CUT_NOTE "\n[the rest was dropped: 1,000,000 characters of an output are kept]\n"

void
output_add(struct output *o, struct str piece)
{
	size_t n = piece.n < OUTPUT_BYTES - o->n ? piece.n : OUTPUT_BYTES - o->n;

	o->cut = o->cut || n < piece.n;
	if (o->n + n > o->room) {
		o->room = o->n + n + o->room / 2 + 256;
		o->p = mem_realloc(o->p, o->room);
	}
	mem_copy(o->p + o->n, piece.p, n);
	o->n += n;
}

void
output_free(struct output *o)
{
	free(o->p);
	*o = (struct output){0};
}

/* Bytes that are no UTF-8 become question marks. */
static struct str
output_clean(struct arena *a, struct str s)
{
	char *p = arena_memdup(a, s.p, s.n);
	size_t at = 0, bad;

	while (at < s.n && (bad = str_utf8_bad((struct str){p + at, s.n - at})) < s.n - at) {
		p[at + bad] = '?';
		at += bad + 1;
	}
	return (struct str){p, s.n};
}

/* Where the first `most` characters end. */
static size_t
output_chars(struct str s, size_t most)
{
	size_t n = 0, i = 0;

	for (; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == most)
			break;
	return i;
}

struct str
output_text(struct arena *a, struct str text, bool cut, const char *last)
{
	size_t extra = strlen(last);
	struct buf b;

	if (text.n > OUTPUT_BYTES)
		text.n = OUTPUT_BYTES;	/* looked at no further */
	if (!str_utf8(text, NULL))
		text = output_clean(a, text);
	if (!cut && text.n + extra <= OUTPUT_CHARS && extra == 0)
		return text;
	cut = cut || output_chars(text, OUTPUT_CHARS - extra) < text.n;
	if (cut)
		text.n = output_chars(text, OUTPUT_CHARS - extra - (sizeof CUT_NOTE - 1));
	buf_init(&b, a, text.n + extra + sizeof CUT_NOTE + 1);
	buf_str(&b, text);
	if (cut)
		BUF_LIT(&b, CUT_NOTE);
	else if (extra > 0 && text.n > 0 && text.p[text.n - 1] != '\n')
		buf_ch(&b, '\n');
	buf_c(&b, last);
	return buf_view(&b);
}

/* ---- frames ---- */

/* The head is complete: "\036run which length". False: it is none, and only looked so. */
static bool
frames_head(struct frames *f)
{
	struct str rest = {f->head + 1, f->n_head - 1}, run = str_cut(&rest, ' '), which = str_cut(&rest, ' ');
	int64_t number, length;

	if (!str_to_i64(run, &number) || number <= 0 || which.n != 1 || (which.p[0] != 'l' && which.p[0] != 'e') || !str_to_i64(rest, &length) || length < 0)
		return false;
	f->run = (uint64_t)number;
	f->which = which.p[0];
	f->left = (size_t)length;
	return true;
}

static void
frames_char(struct frames *f, char c, void (*part)(uint64_t run, char which, struct str part, void *arg), void *arg)
{
	if (c != '\n' && f->n_head < sizeof f->head) {
		f->head[f->n_head++] = c;
		return;
	}
	f->in_head = false;
	if (c == '\n' && frames_head(f))
		return;
	part(0, 'l', (struct str){f->head, f->n_head}, arg);
	part(0, 'l', (struct str){&c, 1}, arg);
}

void
frames_take(struct frames *f, struct str piece, void (*part)(uint64_t run, char which, struct str part, void *arg), void *arg)
{
	while (piece.n > 0) {
		size_t n = 1;
		const char *mark;

		if (f->in_head) {
			frames_char(f, piece.p[0], part, arg);
		} else if (f->left > 0) {
			n = piece.n < f->left ? piece.n : f->left;
			part(f->run, f->which, (struct str){piece.p, n}, arg);
			f->left -= n;
		} else if (piece.p[0] == '\036') {
			f->in_head = true;
			f->head[0] = '\036';
			f->n_head = 1;
		} else {
			mark = memchr(piece.p, '\036', piece.n);
			n = mark != NULL ? (size_t)(mark - piece.p) : piece.n;
			part(0, 'l', (struct str){piece.p, n}, arg);
		}
		piece.p += n;
		piece.n -= n;
	}
}
