#include "tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 0, NAME_N = 100, MODE = 100, SIZE = 124, TIME = 136, SUM = 148, SUM_N = 8, TYPE = 156, LINK = 157, MAGIC = 257, PREFIX = 345, PREFIX_N = 155, NONE = -1 };

void
tar_told_none(struct tar_entry *told)
{
	told->name[0] = told->link[0] = '\0';
	told->size = told->time = NONE;
}

/* A number of octal digits, with blanks or NULs about it. -1: it is none. */
static int64_t
tar_number(const unsigned char *p, size_t n)
{
	int64_t v = 0;
	size_t i = 0, digits = 0;

	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7' && digits < 12; i++, digits++)
		v = v * 8 + (p[i] - '0');
	while (i < n && (p[i] == ' ' || p[i] == '\0'))
		i++;
	return i == n && digits > 0 ? v : -1;
}

static bool
tar_sum_fits(const unsigned char *b)
{
	int64_t sum = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= SUM && i < SUM + SUM_N ? ' ' : b[i];
	return tar_number(b + SUM, SUM_N) == sum;
}

static bool
tar_is_zero(const unsigned char *b)
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (b[i] != 0)
			return false;
	return true;
}

static enum tar_kind
tar_kind_of(unsigned char type)
{
	switch (type) {
	case '\0':
	case '0':
		return TAR_FILE;
	case '1':
		return TAR_HARDLINK;
	case '2':
		return TAR_SYMLINK;
	case '5':
		return TAR_DIR;
	case 'L':
		return TAR_LONG_NAME;
	case 'K':
		return TAR_LONG_LINK;
	case 'x':
		return TAR_PAX;
	}
	return TAR_OTHER;
}

void
tar_read(const unsigned char b[TAR_BLOCK], struct tar_entry *told, struct tar_entry *out)
{
	const char *text = (const char *)b;
	bool posix = memcmp(b + MAGIC, "ustar\0" "00", 8) == 0, gnu = memcmp(b + MAGIC, "ustar  \0", 8) == 0;
	size_t n;

	out->kind = TAR_END;
	if (tar_is_zero(b))
		return;
	out->kind = (posix || gnu) && tar_sum_fits(b) ? tar_kind_of(b[TYPE]) : TAR_OTHER;
	out->size = tar_number(b + SIZE, 12);
	out->time = tar_number(b + TIME, 12);
	out->mode = (unsigned)tar_number(b + MODE, 8);
	if (out->size < 0 || out->time < 0 || tar_number(b + MODE, 8) < 0)
		out->kind = TAR_OTHER;
	snprintf(out->name, sizeof out->name, "%.*s%s%.*s", posix ? PREFIX_N : 0, text + PREFIX, posix && text[PREFIX] != '\0' ? "/" : "", NAME_N, text + NAME);
	snprintf(out->link, sizeof out->link, "%.*s", NAME_N, text + LINK);
	if (out->kind == TAR_LONG_NAME || out->kind == TAR_LONG_LINK || out->kind == TAR_PAX || out->kind == TAR_OTHER)
		return;		/* what was told is of the next one */
	if (told->name[0] != '\0')
		memcpy(out->name, told->name, sizeof out->name);
	if (told->link[0] != '\0')
		memcpy(out->link, told->link, sizeof out->link);
	if (told->size != NONE)
		out->size = told->size;
	if (told->time != NONE)
		out->time = told->time;
	tar_told_none(told);
	n = strlen(out->name);
	if (out->kind == TAR_FILE && n > 0 && out->name[n - 1] == '/')	/* as the first of them wrote directories */
		out->kind = TAR_OTHER;
	if (out->kind != TAR_FILE && out->size != 0)
		out->kind = TAR_OTHER;
}

static bool
tar_text(char out[TAR_NAME_MAX], const char *text, size_t n)
{
	if (n == 0 || n >= TAR_NAME_MAX || memchr(text, '\0', n) != NULL)
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

static bool
tar_digits(const char *p, size_t n, int64_t *out)
{
	*out = 0;
	if (n == 0 || n > 18)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*out = *out * 10 + (p[i] - '0');
	}
	return true;
}

static bool
tar_word(const char *key, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(key, word, n) == 0;
}

/* "path", "NAME" and what else has a meaning for files; times of other kinds, owners and remarks have none. */
static bool
tar_pax_one(const char *key, size_t n_key, const char *value, size_t n, struct tar_entry *told)
{
	static const char *const nothing[] = {"atime", "ctime", "uid", "gid", "uname", "gname", "comment", "SCHILY.dev", "SCHILY.ino", "SCHILY.nlink", "SCHILY.fflags", NULL};
	const char *dot;

	if (tar_word(key, n_key, "path"))
		return tar_text(told->name, value, n);
	if (tar_word(key, n_key, "linkpath"))
		return tar_text(told->link, value, n);
	if (tar_word(key, n_key, "size"))
		return tar_digits(value, n, &told->size);
	if (tar_word(key, n_key, "mtime")) {
		dot = memchr(value, '.', n);
		return tar_digits(value, dot != NULL ? (size_t)(dot - value) : n, &told->time);
	}
	for (const char *const *x = nothing; *x != NULL; x++)
		if (tar_word(key, n_key, *x))
			return true;
	return (n_key > 13 && memcmp(key, "SCHILY.xattr.", 13) == 0) || (n_key > 11 && memcmp(key, "LIBARCHIVE.", 11) == 0);
}

/* Records "length key=value\n", the length of all of it. */
static bool
tar_pax(const char *text, size_t n, struct tar_entry *told)
{
	while (n > 0) {
		const char *blank = memchr(text, ' ', n), *is;
		int64_t length;
		size_t head;

		if (blank == NULL || !tar_digits(text, (size_t)(blank - text), &length))
			return false;
		head = (size_t)(blank - text) + 1;
		if (length <= (int64_t)head || length > (int64_t)n || text[length - 1] != '\n' || (is = memchr(blank + 1, '=', (size_t)length - head)) == NULL)
			return false;
		if (!tar_pax_one(blank + 1, (size_t)(is - blank) - 1, is + 1, (size_t)(text + length - 1 - (is + 1)), told))
			return false;
		text += length;
		n -= (size_t)length;
	}
	return true;
}

bool
tar_told(enum tar_kind kind, const char *text, size_t n, struct tar_entry *told)
{
	if (kind == TAR_PAX)
		return tar_pax(text, n, told);
	if (n > 0 && text[n - 1] == '\0')
		n--;
	return tar_text(kind == TAR_LONG_NAME ? told->name : told->link, text, n);
}

bool
tar_name_clean(char *name)
{
	char *to = name;

	if (*name == '/')
		return false;
	for (const char *at = name; *at != '\0';) {
		size_t n = strcspn(at, "/");

		if (n == 2 && at[0] == '.' && at[1] == '.')
			return false;
		if (n > 0 && !(n == 1 && at[0] == '.')) {
			if (to != name)
				*to++ = '/';
			memmove(to, at, n);
			to += n;
		}
		at += n;
		at += strspn(at, "/");
	}
	*to = '\0';
	return true;
}
