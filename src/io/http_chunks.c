/* Bodies in chunks (RFC 9112, 7.1): a state for each place between two bytes, so that it does not matter how they are cut.
 *
 * What two readers could read in two ways is refused: blanks around a size, bare line feeds, signs, sizes that overflow, folded trailers.
 * What may be left out, extensions and trailers, is thrown away, and bounded like Go's net/http does it: a body that is mostly framing is no
 * upload. */
#include "http_priv.h"

#include <assert.h>

enum { SIZE_DIGITS = 15, LINE_MAX_BYTES = 1024, EXCESS_MAX = 16 * 1024, TRAILERS_MAX = 8 * 1024, LINE_FREE = 16 };

enum chunks_state {
	CHUNKS_NONE,		/* the body is not in chunks */
	CHUNKS_SIZE,		/* digits of a size */
	CHUNKS_BLANK,		/* between them and the semicolon */
	CHUNKS_EXTENSION,
	CHUNKS_SIZE_LF,		/* the line feed of that line */
	CHUNKS_DATA,
	CHUNKS_DATA_CR,
	CHUNKS_DATA_LF,
	CHUNKS_TRAILER,		/* at the begin of a line behind the last chunk */
	CHUNKS_FIELD,		/* in it */
	CHUNKS_FIELD_LF,
	CHUNKS_LAST_LF,		/* of the empty line */
	CHUNKS_END,
	CHUNKS_BAD
};

void
chunks_begin(struct chunks *d)
{
	*d = (struct chunks){.state = CHUNKS_SIZE};
}

bool
chunks_ended(const struct chunks *d)
{
	return d->state == CHUNKS_END;
}

bool
chunks_bad(const struct chunks *d)
{
	return d->state == CHUNKS_BAD;
}

static int
chunk_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum chunks_state
size_byte(struct chunks *d, char c)
{
	int digit = chunk_digit(c);

	if (digit >= 0) {
		if (d->line == SIZE_DIGITS)
			return CHUNKS_BAD;
		d->left = d->left * 16 + (uint64_t)digit;
		d->line++;
		return CHUNKS_SIZE;
	}
	if (d->line == 0)
		return CHUNKS_BAD;
	return c == '\r' ? CHUNKS_SIZE_LF : c == ';' ? CHUNKS_EXTENSION : c == ' ' || c == '\t' ? CHUNKS_BLANK : CHUNKS_BAD;
}

static enum chunks_state
blank_byte(struct chunks *d, char c)
{
	if (c == ';')
		return CHUNKS_EXTENSION;
	return (c == ' ' || c == '\t') && ++d->line < LINE_MAX_BYTES ? CHUNKS_BLANK : CHUNKS_BAD;
}

/* The line of a size is complete: more framing than data, in sum, is refused. */
static enum chunks_state
size_end(struct chunks *d)
{
	uint64_t paid = LINE_FREE + 2 * d->left, excess = d->excess + d->line;

	excess = excess > paid ? excess - paid : 0;
	if (excess > EXCESS_MAX)
		return CHUNKS_BAD;
	d->excess = (uint16_t)excess;
	d->line = 0;
	return d->left > 0 ? CHUNKS_DATA : CHUNKS_TRAILER;
}

/* Of what is thrown away: it is bounded, and text. */
static enum chunks_state
ignored_byte(struct chunks *d, char c, unsigned max, enum chunks_state same, enum chunks_state at_cr)
{
	if (c == '\r')
		return at_cr;
	return ++d->line > max || !header_value_ok(&c, 1) ? CHUNKS_BAD : same;
}

static enum chunks_state
trailer_byte(struct chunks *d, char c)
{
	if (c == '\r')
		return CHUNKS_LAST_LF;
	if (c == ' ' || c == '\t')	/* folded */
		return CHUNKS_BAD;
	return ignored_byte(d, c, TRAILERS_MAX, CHUNKS_FIELD, CHUNKS_BAD);
}

static enum chunks_state
framing_byte(struct chunks *d, char c)
{
	switch ((enum chunks_state)d->state) {
	case CHUNKS_SIZE:
		return size_byte(d, c);
	case CHUNKS_BLANK:
		return blank_byte(d, c);
	case CHUNKS_EXTENSION:
		return ignored_byte(d, c, LINE_MAX_BYTES, CHUNKS_EXTENSION, CHUNKS_SIZE_LF);
	case CHUNKS_SIZE_LF:
		return c == '\n' ? size_end(d) : CHUNKS_BAD;
	case CHUNKS_DATA_CR:
		return c == '\r' ? CHUNKS_DATA_LF : CHUNKS_BAD;
	case CHUNKS_DATA_LF:
		return c == '\n' ? CHUNKS_SIZE : CHUNKS_BAD;
	case CHUNKS_TRAILER:
		return trailer_byte(d, c);
	case CHUNKS_FIELD:
		return ignored_byte(d, c, TRAILERS_MAX, CHUNKS_FIELD, CHUNKS_FIELD_LF);
	case CHUNKS_FIELD_LF:
		return c == '\n' ? CHUNKS_TRAILER : CHUNKS_BAD;
	case CHUNKS_LAST_LF:
		return c == '\n' ? CHUNKS_END : CHUNKS_BAD;
	case CHUNKS_NONE:
	case CHUNKS_DATA:
	case CHUNKS_END:
	case CHUNKS_BAD:
		break;
	}
	assert(!"a state that takes no framing");
	return CHUNKS_BAD;
}

size_t
chunks_take(struct chunks *d, const char *p, size_t n, struct str *data_out)
{
	size_t at = 0, have;

	assert(d->state != CHUNKS_NONE);
	*data_out = (struct str){p, 0};
	while (at < n && d->state != CHUNKS_DATA && d->state < CHUNKS_END)
		d->state = (uint8_t)framing_byte(d, p[at++]);
	if (at == n || d->state != CHUNKS_DATA)
		return at;
	have = d->left < n - at ? (size_t)d->left : n - at;
	*data_out = (struct str){p + at, have};
	d->left -= have;
	if (d->left == 0)
		d->state = CHUNKS_DATA_CR;
	return at + have;
}
