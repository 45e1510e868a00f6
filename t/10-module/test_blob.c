/* Blobs on a real directory: what is written reads back, whole and by ranges, however it is compressed and sealed; what is damaged, gone or not
 * kept is noticed or goes away; removing a place removes that place. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/metric.h"
#include "model/blob.h"
#include "space.h"

static struct project p = {.id = "proj", .internal = 1, .schema = "p_1", .name = "Project"};
static const struct blob_place at = {&p, "files", 1}, at11 = {&p, "files", 11};
static char dir[64];

static void
run(void (*fn)(struct ctx *cx))
{
	char command[128];

	cr_assert_geq(sodium_init(), 0);
	cr_assert(conf_load(NULL, 0, NULL, false));
	snprintf(dir, sizeof dir, "/tmp/badal-blob-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	conf.master_key = "a key of tests";
	conf.storage_dir = dir;
	metric_init(1);
	space_run((const char *[]){p.schema, NULL}, 240000, fn);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(failures, 0);
}

/* ---- contents ---- */

/* Words, so that it shrinks; noise does not. */
static struct str
content(struct ctx *cx, size_t n, bool noise)
{
	char *s = arena_alloc(cx->arena, n + 16);

	if (noise)
		randombytes_buf(s, n);
	for (size_t i = 0; !noise && i < n; i += 8)
		snprintf(s + i, 16, "%07zu ", i % 9973);
	return (struct str){s, n};
}

/* In pieces of odd sizes. */
static void
write_in_pieces(struct ctx *cx, struct blob_writer *w, struct str s)
{
	for (size_t n, step = 1; s.n > 0; s.p += n, s.n -= n, step = step * 7 % 70001) {
		n = step < s.n ? step : s.n;
		GOOD(blob_write(w, (struct str){s.p, n}));
	}
}

static struct blob_part
written(struct ctx *cx, const struct blob_place *place, struct str s, enum blob_coding coding, bool seal, const char *bind)
{
	struct blob_part part = {.bind = bind};
	struct blob_writer *w;

	CHECK(blob_create(cx, place, coding, seal, bind, &w) == OK);
	write_in_pieces(cx, w, s);
	CHECK(blob_finish(w, &part.blob) == OK);
	blob_keep(w);
	CHECK(part.blob.size == (int64_t)s.n);
	return part;
}

/* The range of the parts is what `wanted` says. */
static err_t
read_range(struct ctx *outer, const struct blob_part *v, int n, uint64_t offset, struct str wanted)
{
	struct ctx own, *cx = &own;
	struct blob_reader *r;
	struct str piece = STR_NONE;
	err_t e;

	ctx_init_part(cx, outer);
	e = blob_open(cx, &at, v, n, offset, wanted.n, &r);
	while (e == OK && (e = blob_read(r, &piece)) == OK && piece.n > 0) {
		CHECK(piece.n <= wanted.n && piece.n <= 256 * 1024);
		CHECK(piece.n <= wanted.n && memcmp(piece.p, wanted.p, piece.n) == 0);
		wanted.p += piece.n;
		wanted.n -= piece.n;
	}
	if (e == OK)
		CHECK(wanted.n == 0);
	ctx_fini(cx);
	return e;
}

static struct str
slice(struct str s, uint64_t offset, uint64_t n)
{
	return (struct str){s.p + offset, (size_t)n};
}

static void
read_ranges(struct ctx *cx, const struct blob_part *v, int n, struct str s)
{
	const uint64_t offsets[] = {0, 1, 39, 65535, 65536, 65537, 131072, 262143, 262144, 300000}, lengths[] = {1, 2, 100, 65536, 262144, 262145};

	GOOD(read_range(cx, v, n, 0, s));
	if (s.n > 40)
		GOOD(read_range(cx, v, n, s.n - 40, slice(s, s.n - 40, 40)));
	for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
		for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
			if (offsets[i] + lengths[k] <= s.n)
				GOOD(read_range(cx, v, n, offsets[i], slice(s, offsets[i], lengths[k])));
}

static const char *
path_of(struct ctx *cx, const struct blob_place *place, const struct blob *b)
{
	return arena_printf(cx->arena, "%s/%s/%s/%lld/%.2s/%s", dir, place->p->schema, place->kind, (long long)place->owner, b->name, b->name);
}

/* ---- tests ---- */

static void
all_sizes(struct ctx *cx)
{
	const size_t sizes[] = {0, 1, 40, 65535, 65536, 65537, 131072, 262143, 262144, 262145, 327680, 2097152, 2097153, 6 * 1024 * 1024};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int coding = BLOB_NONE; coding <= BLOB_ZSTD; coding++)
			for (int kind = 0; kind < 4; kind++) {
				struct ctx own;
				struct str s;
				struct blob_part part;

				ctx_init_part(&own, cx);
				s = content(&own, sizes[i], kind & 1);
				part = written(&own, &at, s, (enum blob_coding)coding, kind & 2, "file 1 at 0");
				CHECK((part.blob.sealed != 0) == (kind >= 2));
				CHECK(sizes[i] < 1000 || (part.blob.coding == (enum blob_coding)coding) == (coding == BLOB_NONE || !(kind & 1)));
				CHECK(sizes[i] < 65536 || part.blob.coding == BLOB_NONE || part.blob.stored < part.blob.size / 2);
				read_ranges(&own, &part, 1, s);
				ctx_fini(&own);
			}
}
Test(blob, reads_back_whole_and_by_ranges, .timeout = 600)
{
	run(all_sizes);
}

/* As a file in chunks is: compressed, sealed and plain ones side by side. */
static void
parts(struct ctx *cx)
{
	struct str s = content(cx, 1500000, false);
	struct blob_part v[4];

	v[0] = written(cx, &at, slice(s, 0, 500000), BLOB_ZSTD, true, "file 1 at 0");
	v[1] = written(cx, &at, slice(s, 500000, 500000), BLOB_NONE, false, "file 1 at 500000");
	v[2] = written(cx, &at, slice(s, 1000000, 1), BLOB_NONE, true, "file 1 at 1000000");
	v[3] = written(cx, &at, slice(s, 1000001, 499999), BLOB_GZIP, false, "file 1 at 1000001");
	read_ranges(cx, v, 4, s);
	GOOD(read_range(cx, v, 4, 499990, slice(s, 499990, 500020)));
	GOOD(read_range(cx, v, 4, 999999, slice(s, 999999, 3)));
	GOOD(read_range(cx, v, 4, 1000000, slice(s, 1000000, 1)));
}
Test(blob, parts_make_up_a_content, .timeout = 300)
{
	run(parts);
}

/* Their rows may go between the look at the file's and the look at theirs. */
static void
parts_that_went(struct ctx *cx)
{
	struct blob_part v[2] = {written(cx, &at, STR("hello "), BLOB_NONE, false, "x"), written(cx, &at, STR("world"), BLOB_NONE, false, "x")};
	static const struct {
		int n;
		uint64_t offset, bytes;
	} none[] = {{0, 0, 11}, {0, 3, 1}, {1, 0, 11}, {1, 6, 1}, {1, 0, 7}, {2, 11, 1}, {2, 0, 12}, {2, 5, UINT64_MAX}, {2, UINT64_MAX, 2}};
	struct blob_reader *r;

	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		CHECK(blob_open(cx, &at, v, none[i].n, none[i].offset, none[i].bytes, &r) == ERR_BLOB_GONE && r == NULL);
	GOOD(read_range(cx, v, 2, 0, STR("hello world")));
	GOOD(read_range(cx, v, 2, 11, STR("")));
	GOOD(read_range(cx, v, 0, 0, STR("")));
}
Test(blob, tells_when_parts_do_not_hold_what_is_asked_for, .timeout = 300)
{
	run(parts_that_went);
}

static void
sum_and_descriptor(struct ctx *cx)
{
	struct blob_part plain = written(cx, &at, STR("hello world"), BLOB_NONE, false, "x");
	struct blob_part sealed = written(cx, &at, STR("hello world"), BLOB_NONE, true, "x");
	struct blob_reader *r;
	char text[16];
	int fd;

	CHECK(strcmp(plain.blob.md5, "5eb63bbbe01eeed093cb22bb8f5acdc3") == 0);
	CHECK(plain.blob.stored == 11 && strlen(plain.blob.name) == 32);
	CHECK(strcmp(sealed.blob.md5, plain.blob.md5) != 0);
	GOOD(blob_open(cx, &at, &plain, 1, 0, 11, &r));
	fd = blob_fd(r);
	CHECK(fd >= 0 && pread(fd, text, sizeof text, 0) == 11 && memcmp(text, "hello world", 11) == 0);
	GOOD(blob_open(cx, &at, &sealed, 1, 0, 11, &r));
	CHECK(blob_fd(r) == -1);
}
Test(blob, tells_its_sum_and_its_descriptor, .timeout = 300)
{
	run(sum_and_descriptor);
}

static void
spoil(struct ctx *cx, const struct blob_part *part, off_t at_byte)
{
	int fd = open(path_of(cx, &at, &part->blob), O_RDWR);
	char c;

	CHECK(fd >= 0 && pread(fd, &c, 1, at_byte) == 1);
	c ^= 1;
	CHECK(pwrite(fd, &c, 1, at_byte) == 1);
	close(fd);
}

static void
damage(struct ctx *cx)
{
	struct str s = content(cx, 200000, true), words = content(cx, 200000, false);
	struct blob_part a = written(cx, &at, s, BLOB_NONE, true, "a"), b = written(cx, &at, s, BLOB_NONE, true, "a"), c, d, e;

	/* another's bind, another's bytes under its name */
	c = a;
	c.bind = "b";
	FAILS(read_range(cx, &c, 1, 0, s), BLOB_BROKEN);
	CHECK(rename(path_of(cx, &at, &a.blob), path_of(cx, &at, &b.blob)) == 0);
	FAILS(read_range(cx, &b, 1, 0, s), BLOB_BROKEN);
	FAILS(read_range(cx, &a, 1, 0, s), BLOB_GONE);
	/* one bit: only who reads its block notices */
	d = written(cx, &at, s, BLOB_NONE, true, "d");
	spoil(cx, &d, 16 + 65536 + 16 + 5);
	GOOD(read_range(cx, &d, 1, 0, slice(s, 0, 65536)));
	FAILS(read_range(cx, &d, 1, 65536, slice(s, 65536, 1)), BLOB_BROKEN);
	GOOD(read_range(cx, &d, 1, 131072, slice(s, 131072, 65536)));
	FAILS(read_range(cx, &d, 1, 0, s), BLOB_BROKEN);
	/* cut off at a block's end, and a row that agrees */
	e = written(cx, &at, s, BLOB_NONE, true, "e");
	CHECK(truncate(path_of(cx, &at, &e.blob), 16 + 65536 + 16) == 0);
	FAILS(read_range(cx, &e, 1, 0, s), BLOB_BROKEN);
	e.blob.stored = 16 + 65536 + 16;
	e.blob.size = 65536;
	FAILS(read_range(cx, &e, 1, 0, slice(s, 0, 65536)), BLOB_BROKEN);
	/* compressed: by its own sum, by a row that promises another size */
	for (int coding = BLOB_GZIP; coding <= BLOB_ZSTD; coding++) {
		c = written(cx, &at, words, (enum blob_coding)coding, false, "c");
		c.blob.size--;
		FAILS(read_range(cx, &c, 1, 0, slice(words, 0, words.n - 1)), BLOB_BROKEN);
		c.blob.size += 2;
		FAILS(read_range(cx, &c, 1, 0, content(cx, words.n + 1, false)), BLOB_BROKEN);
		c.blob.size--;
		spoil(cx, &c, c.blob.stored - 3);
		FAILS(read_range(cx, &c, 1, 0, words), BLOB_BROKEN);
	}
	CHECK(metric_value(M_blobs_broken) == 12 && metric_value(M_blobs_gone) == 1);
}
Test(blob, damage_is_noticed, .timeout = 300)
{
	run(damage);
}

static int
files_below(const char *path)
{
	char command[160];
	FILE *f;
	int n = -1;

	snprintf(command, sizeof command, "find %s -type f | wc -l", path);
	f = popen(command, "r");
	CHECK(f != NULL && fscanf(f, "%d", &n) == 1);
	pclose(f);
	return n;
}

/* What was not finished, and what was finished and not kept, goes with the context. */
static void
not_kept(struct ctx *cx)
{
	struct ctx own;
	struct blob_writer *w;
	struct blob b;

	ctx_init_part(&own, cx);
	CHECK(blob_create(&own, &at, BLOB_NONE, true, "x", &w) == OK && blob_write(w, content(&own, 600000, true)) == OK);
	CHECK(blob_create(&own, &at, BLOB_NONE, false, "x", &w) == OK && blob_write(w, STR("some")) == OK && blob_finish(w, &b) == OK);
	CHECK(files_below(dir) == 1);
	ctx_fini(&own);
	for (int i = 0; files_below(dir) != 0 && i < 500; i++)
		GOOD(fib_sleep(cx, 10));
	CHECK(files_below(dir) == 0 && metric_value(M_blobs_dropped) == 2);
}
Test(blob, what_is_not_kept_goes_away, .timeout = 300)
{
	run(not_kept);
}

static err_t
count_blob(struct ctx *cx, const char *name, int64_t stored, void *arg)
{
	(void)cx;
	CHECK(strlen(name) == 32 && stored == 4);
	++*(int *)arg;
	return OK;
}

static err_t
sum_place(struct ctx *cx, const char *schema, int64_t owner, void *arg)
{
	(void)cx;
	CHECK(strcmp(schema, "p_1") == 0);
	*(int64_t *)arg += owner;
	return OK;
}

static void
places(struct ctx *cx)
{
	struct blob_part one;
	int n = 0, old = 0;
	int64_t owners = 0, kinds = 0;

	for (int i = 0; i < 600; i++)
		one = written(cx, &at, STR("some"), BLOB_NONE, false, "x");
	(void)written(cx, &at11, STR("some"), BLOB_NONE, false, "x");
	GOOD(blob_walk(cx, &at, 0, count_blob, &n));
	GOOD(blob_walk(cx, &at, 3600000, count_blob, &old));
	GOOD(blob_places(cx, "files", sum_place, &owners));
	GOOD(blob_places(cx, "builds", sum_place, &kinds));
	CHECK(n == 600 && old == 0 && owners == 12 && kinds == 0);
	GOOD(blob_remove(cx, &at, one.blob.name));
	GOOD(blob_remove(cx, &at, one.blob.name));
	FAILS(read_range(cx, &one, 1, 0, STR("some")), BLOB_GONE);
	n = 0;
	GOOD(blob_walk(cx, &at, 0, count_blob, &n));
	CHECK(n == 599);
	GOOD(blob_remove_place(cx, &at));
	GOOD(blob_remove_place(cx, &at));
	n = 0;
	GOOD(blob_walk(cx, &at, 0, count_blob, &n));
	CHECK(n == 0);
	GOOD(blob_walk(cx, &at11, 0, count_blob, &n));
	CHECK(n == 1);
	one = written(cx, &at, STR("some"), BLOB_NONE, false, "x");	/* its directories were known and are gone */
	GOOD(read_range(cx, &one, 1, 0, STR("some")));
}
Test(blob, a_place_is_removed_exactly, .timeout = 300)
{
	run(places);
}
