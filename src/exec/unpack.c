/* badal-unpack: unpacks a small archive (tar, compressed with gzip) into the directory that it begins in, in one process where a shell, gzip, tar and more
 * would be eight. A static program, for a sandbox with nothing in it.
 *
 *   badal-unpack ARCHIVE BYTES FILES      as much may come of it, and as many entries, with the directories above them
 *
 * It knows the common kinds of archives, and what it leaves is what tar leaves: modes are such that everybody can read, owners are nobody's, links come last.
 * Of all else (damaged, too much, another kind) it says nothing but its exit code 1, and leaves a half: then tar itself is asked. 0: all is there, and the
 * kilobytes that it takes are on the standard output. */
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 64 * 1024, LINKS_MAX = 4096, DISK = 4096 };

struct symlink {
	char *name, *target;
};

static struct {
	int fd;
	z_stream z;
	unsigned char in[PIECE];
	bool over;			/* the end of the compressed stream has come, and was whole */
	int64_t bytes_left, files_left;
	int64_t disk;			/* bytes that it takes */
	struct symlink links[LINKS_MAX];
	int n_links;
} un;

static _Noreturn void
unpack_no(void)
{
	_exit(1);
}

/* The next n bytes of the archive. */
static void
unpack_take(void *to, size_t n)
{
	un.z.next_out = to;
	un.z.avail_out = (uInt)n;
	if ((un.bytes_left -= (int64_t)n) < 0)
		unpack_no();
	while (un.z.avail_out > 0) {
		ssize_t got;
		int e;

		if (un.over)
			unpack_no();
		if (un.z.avail_in == 0) {
			if ((got = read(un.fd, un.in, sizeof un.in)) <= 0)
				unpack_no();
			un.z.next_in = un.in;
			un.z.avail_in = (uInt)got;
		}
		e = inflate(&un.z, Z_NO_FLUSH);
		un.over = e == Z_STREAM_END;
		if (e != Z_OK && e != Z_STREAM_END)
			unpack_no();
	}
}

/* To its end, for what it says of itself there; nothing may follow. */
static void
unpack_rest(void)
{
	static unsigned char rest[PIECE];
	ssize_t got;

	while (!un.over) {
		un.z.next_out = rest;
		un.z.avail_out = sizeof rest;
		if (un.z.avail_in == 0) {
			if ((got = read(un.fd, un.in, sizeof un.in)) <= 0)
				unpack_no();
			un.z.next_in = un.in;
			un.z.avail_in = (uInt)got;
		}
		switch (inflate(&un.z, Z_NO_FLUSH)) {
		case Z_STREAM_END:
			un.over = true;
			break;
		case Z_OK:
			break;
		default:
			unpack_no();
		}
		if ((un.bytes_left -= (int64_t)(sizeof rest - un.z.avail_out)) < 0)
			unpack_no();
	}
	if (un.z.avail_in > 0 || read(un.fd, un.in, 1) != 0)	/* another member, perhaps */
		unpack_no();
}

static void
unpack_count(void)
{
	if (--un.files_left < 0)
		unpack_no();
}

/* The directories above a name: no entries of their own, and files all the same. */
static void
unpack_above(char *name)
{
	for (char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(name, 0755) == 0) {
			un.disk += DISK;
			unpack_count();
		} else if (errno != EEXIST) {
			unpack_no();
		}
		*slash = '/';
	}
}

static int
unpack_open(const char *name)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fd = open(name, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlink(name) == 0)	/* the later one counts */
		fd = open(name, flags, 0600);
	if (fd < 0)
		unpack_no();
	return fd;
}

static void
unpack_file(const struct tar_entry *e)
{
	static char piece[PIECE];
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_sec = e->time}};
	mode_t mode = (e->mode & 0755) | 0644;
	int fd = unpack_open(e->name);

	for (int64_t left = e->size; left > 0;) {
		size_t n = left < PIECE ? (size_t)left : PIECE;

		unpack_take(piece, n);
		if (write(fd, piece, n) != (ssize_t)n)
			unpack_no();
		left -= (int64_t)n;
	}
	if (e->size % TAR_BLOCK != 0)
		unpack_take(piece, (size_t)(TAR_BLOCK - e->size % TAR_BLOCK));
	if (fchmod(fd, (mode & 0111) != 0 ? mode | 0111 : mode) != 0 || futimens(fd, times) != 0 || close(fd) != 0)
		unpack_no();
	un.disk += (e->size + DISK - 1) / DISK * DISK;
}

static void
unpack_entry(struct tar_entry *e)
{
	unpack_count();
	if (!tar_name_clean(e->name))
		unpack_no();
	if (e->name[0] == '\0') {
		if (e->kind != TAR_DIR)
			unpack_no();
		return;
	}
	unpack_above(e->name);
	switch (e->kind) {
	case TAR_FILE:
		unpack_file(e);
		return;
	case TAR_DIR:
		if (mkdir(e->name, 0755) != 0 && errno != EEXIST)
			unpack_no();
		un.disk += DISK;
		return;
	case TAR_HARDLINK:
		if (!tar_name_clean(e->link) || link(e->link, e->name) != 0)
			unpack_no();
		return;
	case TAR_SYMLINK:	/* last, so that nothing goes through them */
		if (un.n_links == LINKS_MAX || e->link[0] == '\0')
			unpack_no();
		un.links[un.n_links++] = (struct symlink){strdup(e->name), strdup(e->link)};
		return;
	default:
		unpack_no();
	}
}

static void
unpack_all(void)
{
	static struct tar_entry e, told;
	static unsigned char block[TAR_BLOCK];
	static char text[TAR_TEXT_MAX];
	bool first = true;

	for (tar_told_none(&told);; first = false) {
		unpack_take(block, sizeof block);
		tar_read(block, &told, &e);
		if (e.kind == TAR_END && !first)
			return;
		if (e.kind == TAR_LONG_NAME || e.kind == TAR_LONG_LINK || e.kind == TAR_PAX) {
			if (e.size > TAR_TEXT_MAX - TAR_BLOCK)
				unpack_no();
			unpack_take(text, (size_t)((e.size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK));
			if (!tar_told(e.kind, text, (size_t)e.size, &told))
				unpack_no();
		} else {
			unpack_entry(&e);
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc != 4 || (un.fd = open(argv[1], O_RDONLY | O_CLOEXEC)) < 0 || inflateInit2(&un.z, 16 + MAX_WBITS) != Z_OK)
		unpack_no();
	un.bytes_left = atoll(argv[2]);
	un.files_left = atoll(argv[3]);
	umask(022);
	unpack_all();
	unpack_rest();
	for (int i = 0; i < un.n_links; i++) {
		unpack_above(un.links[i].name);
		if (symlink(un.links[i].target, un.links[i].name) != 0)
			unpack_no();
	}
	printf("%lld\n", (long long)(un.disk + DISK) / 1024);
	return 0;
}
