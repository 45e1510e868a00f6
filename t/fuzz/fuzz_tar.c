/* Headers of archives and what they are told by texts: a name that is taken leads nowhere else, whatever it was. The sums are put right, or nothing would get past them. */
#include "exec/tar.c"
#include "fuzz.h"

static void
fuzz_block(const unsigned char *from, struct tar_entry *told, struct tar_entry *out)
{
	unsigned char block[TAR_BLOCK];
	unsigned sum = 0;

	memcpy(block, from, TAR_BLOCK);
	memset(block + SUM, ' ', SUM_N);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += block[i];
	snprintf((char *)block + SUM, SUM_N, "%06o", sum);
	tar_read(block, told, out);
}

static void
fuzz_name(char *name, struct str input)
{
	const char *rest = name;

	if (!tar_name_clean(name) || *name == '\0')
		return;
	for (;; rest++) {
		size_t n = strcspn(rest, "/");

		FUZZ_CHECK(n > 0 && !(n == 1 && rest[0] == '.') && !(n == 2 && rest[0] == '.' && rest[1] == '.'), "a name leads elsewhere", input);
		if (*(rest += n) == '\0')
			return;
	}
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	static struct tar_entry e, told;
	const unsigned char *at = (const unsigned char *)input.p;
	size_t left = input.n;

	(void)cx;
	tar_told_none(&told);
	while (left >= TAR_BLOCK) {
		fuzz_block(at, &told, &e);
		at += TAR_BLOCK;
		left -= TAR_BLOCK;
		if (e.kind == TAR_END || e.kind == TAR_OTHER)
			return;
		FUZZ_CHECK(e.size >= 0 && memchr(e.name, '\0', sizeof e.name) != NULL && memchr(e.link, '\0', sizeof e.link) != NULL, "an entry makes no sense", input);
		if (e.kind == TAR_PAX || e.kind == TAR_LONG_NAME || e.kind == TAR_LONG_LINK) {
			size_t n = (uint64_t)e.size < left ? (size_t)e.size : left, all = (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;

			if (!tar_told(e.kind, (const char *)at, n, &told))
				return;
			FUZZ_CHECK(told.size >= NONE && told.time >= NONE, "a number makes no sense", input);
			at += all < left ? all : left;
			left -= all < left ? all : left;
		} else {
			fuzz_name(e.name, input);
			fuzz_name(e.link, input);
		}
	}
}
