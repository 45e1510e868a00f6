/* The local device where there are no files without a name, and where there is no room. The adapter is included, so that the test takes O_TMPFILE away. */
#include <fcntl.h>
static int no_tmpfile(void);
#undef O_TMPFILE
#define O_TMPFILE no_tmpfile()
#include "../../src/io/device_local.c"

#include "config.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <seccomp.h>
#include <sodium.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"
#include "check.h"

static bool nameless;
static char dir[64];
static void (*device_test)(struct ctx *cx, struct device *d);

static int
no_tmpfile(void)
{
	return nameless ? 020000000 | O_DIRECTORY : O_CREAT | O_DIRECTORY;	/* the latter no kernel takes */
}

static void
device_fiber(struct ctx *cx, void *arg)
{
	const struct device_settings s = {.kind = "local", .dir = dir};
	char why[256];
	struct device *d = device_new(&s, why, sizeof why);

	(void)arg;
	CHECK(d != NULL);
	if (d != NULL)
		device_test(cx, d);
	loop_stop();
}

static void
device_run(void (*fn)(struct ctx *cx, struct device *d))
{
	cr_assert_geq(sodium_init(), 0);
	cr_assert(conf_load(NULL, 0, NULL, false));
	metric_init(1);
	loop_init();
	device_test = fn;
	fib_spawn_new("test", 240000, device_fiber, NULL);
	loop_run();
	cr_assert_eq(failures, 0);
}

static void
begin(void)
{
	snprintf(dir, sizeof dir, "/tmp/badal-device-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
}

static void
clean(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

static int
names_in(const char *sub)
{
	char path[128];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof path, "%s/%s", dir, sub);
	if ((d = opendir(path)) == NULL)
		return -1;
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
named(struct ctx *cx, struct device *d)
{
	struct device_file *f, *other;
	struct device_source *s;
	uint64_t size;
	int removed;
	char path[128];
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	GOOD(device_create(cx, d, "p_1/files/1/aa/aa01", &f));
	GOOD(device_create(cx, d, "p_1/files/1/bb/bb01", &other));
	CHECK(names_in("tmp") == 2 && write(device_file_fd(f), "hello", 5) == 5);
	GOOD(device_took(cx, f, 5));
	GOOD(device_finish(cx, f));
	CHECK(names_in("tmp") == 1 && names_in("p_1/files/1/aa") == 1);
	GOOD(device_open(cx, d, "p_1/files/1/aa/aa01", 0, 5, &s, &size));
	CHECK(size == 5);
	device_drop(&other);
	for (int i = 0; names_in("tmp") != 0 && i < 500; i++)
		GOOD(fib_sleep(cx, 10));
	CHECK(names_in("tmp") == 0);
	/* what a dead writer has left goes when it is old */
	GOOD(device_create(cx, d, "p_1/files/1/cc/cc01", &f));
	GOOD(device_create(cx, d, "p_1/files/1/cc/cc02", &other));
	snprintf(path, sizeof path, "%s/tmp/cc01", dir);
	CHECK(utimensat(AT_FDCWD, path, old, 0) == 0);
	GOOD(device_tidy(cx, d, &removed));
	CHECK(removed == 1 && names_in("tmp") == 1);
}
Test(device, where_files_have_a_name_from_the_start)
{
	begin();
	device_run(named);
	clean();
}

static void
paths(struct ctx *cx, struct device *d)
{
	char path[128];
	struct device_source *s;
	uint64_t size;

	/* no link leads out, neither for a key nor for a directory */
	snprintf(path, sizeof path, "%s/out", dir);
	CHECK(symlink("/etc", path) == 0);
	CHECK(device_open(cx, d, "out/passwd", 0, 1, &s, &size) == ERR_DEVICE);
	GOOD(device_remove_below(cx, d, "tmp/"));
	CHECK(device_remove(cx, d, "out/passwd") == ERR_DEVICE && access("/etc/passwd", F_OK) == 0);
	CHECK(device_open(cx, d, "tmp/none", 0, 1, &s, &size) == ERR_BLOB_GONE);
}
Test(device, no_link_leads_out)
{
	nameless = true;
	begin();
	device_run(paths);
	clean();
}

/* As in a sandbox that looks at modes of files, and so cannot let it through. */
static bool
refuse_openat2(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = f != NULL && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0) == 0 &&
	    seccomp_load(f) == 0;

	seccomp_release(f);
	return ok;
}
Test(device, a_sandbox_that_lets_no_file_be_opened_is_said_before_any_is_written)
{
	const struct device_settings s = {.kind = "local", .dir = dir};
	char why[256] = "";

	begin();
#ifndef BADAL_SANITIZE
	cr_assert(refuse_openat2());
	cr_assert_null(device_new(&s, why, sizeof why));
	cr_assert_not_null(strstr(why, "openat2"), "%s", why);
#else
	(void)refuse_openat2, (void)s, (void)why;
#endif
	clean();
}

static void
put(struct ctx *cx, struct device *d, const char *key, size_t n)
{
	char *bytes = mem_zalloc(n);
	struct device_file *f;

	GOOD(device_create(cx, d, key, &f));
	CHECK(write(device_file_fd(f), bytes, n) == (ssize_t)n);
	GOOD(device_took(cx, f, n));
	GOOD(device_finish(cx, f));
	device_drop(&f);
	free(bytes);
}

/* Opens and closes it; the descriptor, closed or not. */
static int
looked_at(struct ctx *cx, struct device *d, const char *key, uint64_t want)
{
	struct device_source *s;
	uint64_t size = 0;
	int fd;

	if (device_open(cx, d, key, 0, 1, &s, &size) != OK)
		return -1;
	fd = device_source_fd(s);
	CHECK(size == want);
	device_close(&s);
	return fd;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Until it stays open; a busy machine may make long pauses. */
static int
often(struct ctx *cx, struct device *d, const char *key, uint64_t want)
{
	int fd = -1;

	for (int i = 0; !is_open(fd) && i < 1000; i++)
		fd = looked_at(cx, d, key, want);
	CHECK(is_open(fd));
	return fd;
}

static void
kept(struct ctx *cx, struct device *d)
{
	const char *key = "p_1/files/1/aa/aa02", *large = "p_1/files/1/aa/aa03";
	struct device_source *s;
	uint64_t size;
	int fd;

	put(cx, d, key, 5);
	CHECK(!is_open(looked_at(cx, d, key, 5)));	/* once is not often */
	fd = often(cx, d, key, 5);
	/* without its name it is gone, but not for who reads it; under the same name there may be another one */
	GOOD(device_open(cx, d, key, 0, 1, &s, &size));
	GOOD(device_remove(cx, d, key));
	CHECK(looked_at(cx, d, key, 5) == -1 && is_open(device_source_fd(s)));
	put(cx, d, key, 6);
	CHECK(looked_at(cx, d, key, 6) != fd && is_open(fd));
	device_close(&s);
	fd = often(cx, d, key, 6);
	for (int i = 0; is_open(fd) && i < 1000; i++)	/* not for ever */
		GOOD(fib_sleep(cx, 10));
	CHECK(!is_open(fd));
	put(cx, d, large, 2 << 20);
	for (int i = 0; i < 3; i++)
		CHECK(!is_open(looked_at(cx, d, large, 2 << 20)));
}
Test(device, small_files_stay_open_for_a_moment)
{
	begin();
	device_run(kept);
	clean();
}

static void
shared(struct ctx *cx, struct device *d)
{
	struct device_file *f, *same, *own, *longer;

	GOOD(device_create(cx, d, "p_1/files/1/aa/aa01", &f));
	GOOD(device_create(cx, d, "p_1/files/1/aa/aa01", &same));
	GOOD(device_create(cx, d, "p_1/files/1/aa/aa01", &longer));
	GOOD(device_create(cx, d, "p_1/files/1/aa/aa01", &own));
	device_share(f);
	device_share(same);
	device_share(longer);
	CHECK(write(device_file_fd(f), "hello", 5) == 5 && write(device_file_fd(same), "hello", 5) == 5);
	CHECK(write(device_file_fd(own), "hello", 5) == 5 && write(device_file_fd(longer), "hello!", 6) == 6);
	GOOD(device_finish(cx, f));
	GOOD(device_finish(cx, same));
	CHECK(device_finish(cx, longer) == ERR_DEVICE);	/* not the same bytes */
	CHECK(device_finish(cx, own) == ERR_DEVICE);	/* a name that is to be its own */
	CHECK(names_in("p_1/files/1/aa") == 1);
	for (struct device_file *v[] = {f, same, longer, own}, **p = v; p < v + 4; p++)
		device_drop(p);
	for (int i = 0; fib_count() > 1 && i < 500; i++)
		GOOD(fib_sleep(cx, 10));
	CHECK(names_in("p_1/files/1/aa") == 1 && names_in("tmp") == 0);
}
Test(device, who_shares_may_be_second)
{
	nameless = true;
	begin();
	device_run(shared);
	clean();
}
Test(device, who_shares_may_be_second_where_files_have_a_name)
{
	begin();
	device_run(shared);
	clean();
}

static err_t
write_much(struct ctx *cx, struct device *d)
{
	static char bytes[1 << 20];
	struct device_file *f;

	TRY(device_create(cx, d, "p_1/files/1/aa/aa01", &f));
	for (int i = 0; i < 4; i++) {
		ssize_t n = write(device_file_fd(f), bytes, sizeof bytes);

		if (n != (ssize_t)sizeof bytes)
			return device_append_failed(cx, f, n < 0 ? errno : ENOSPC);
	}
	return device_finish(cx, f);
}

static void
full(struct ctx *cx, struct device *d)
{
	struct ctx own;
	int64_t room;

	ctx_init_part(&own, cx);
	CHECK(write_much(&own, d) == ERR_DEVICE_FULL);
	ctx_fini(&own);
	CHECK(metric_value(M_storage_full) == 1);
	/* what did not fit leaves the room it took */
	for (int i = 0; (room = device_free_bytes(d)) < 1 << 20 && i < 500; i++)
		GOOD(fib_sleep(cx, 10));
	CHECK(room >= 1 << 20);
	GOOD(device_probe(cx, d));
}
Test(device, no_room_is_said_and_counted)
{
	nameless = true;
	begin();
	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", dir, "tmpfs", 0, "size=2m") != 0) {
		clean();
		cr_skip_test("no rights to mount");
	}
	device_run(full);
	umount2(dir, MNT_DETACH);	/* the device has it open */
	clean();
}
