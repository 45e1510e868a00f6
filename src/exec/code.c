/* Codes: archives that are unpacked once, into a plain directory that all sandboxes of a function see read-only.
 *
 * A small one is unpacked by a program of ours (unpack.c), in a sandbox with nothing else in it; what that does not know, and what is large, by tar.
 * They are unpacked in a sandbox: what reads an archive of strangers has no rights, and what it writes is nobody's. The bounds are of what comes out of gzip,
 * of the number of names, and of time; a bomb ends at them. A directory is whole or not there: it is used once tar has ended well. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "exec_priv.h"
#include "io/http.h"
#include "programs.h"

enum { CODE_MAGIC = 0x636f6465, EXPECTED_MS = 20 * 1000, UNPACK_MS = 60 * 1000, SAID_MAX = 2000, BAD_MS = 5000, SETTLED_MS = 1000, SIGPIPE_STATUS = 141, WARNING = 2, SMALL = 4 * 1024 * 1024,
	SMALL_BYTES = 64 * 1024 * 1024, SMALL_FILES = 10000 };
#define MIB (INT64_C(1024) * 1024)

static const char *place;		/* its directories */
static const char *unpacker;		/* badal-unpack; NULL: it is not installed */
static struct map *codes;
static int64_t bytes_in_all;

void
code_init(const char *dir)
{
	place = dir;
	codes = map_new();
	unpacker = program_beside(NULL, "badal-unpack");
}

/* ---- unpacking ---- */

/* Told on the standard output: gzip's and tar's exit statuses, whether there were more bytes and more files than may be, and the kilobytes that came of it. The
 * files are counted from what tar lists, with the directories above them that the archive has no entries of: each is known by its parent's number and its name. Who
 * counts says that there are too many; that tar has felt it is no sign, for a pipe takes the last ones of a list that nobody reads. */
static const char script[] =
	"find /code -mindepth 1 -delete; "	/* what badal-unpack has left; sandboxes may have the directory by now, so that it stays */
	"{ { gzip -dc </in/archive; echo $? >/tmp/gzip; } | { head -c \"$1\"; head -c 1 | wc -c >/tmp/more; }; } | "
	"{ tar -xv --numeric-owner --no-same-owner --no-same-permissions -C /code; echo $? >/tmp/tar; } | "
	"awk -v most=\"$2\" '{ k = split($0, part, \"/\"); dirs = k - 1; if (part[k] == \"\") k--; at = 0; "
	"for (i = 1; i <= dirs; i++) { dir = at SUBSEP part[i]; if (!(dir in known)) { known[dir] = ++last; n += i < k } at = known[dir] } if (++n > most) exit } "
	"END { print (n > most ? 1 : 0) >\"/tmp/files\" }'; "
	"chmod -R u+rwX,go+rX /code; "
	"for f in gzip tar more files; do read n </tmp/$f; echo $n; done; exec du -sk /code";

struct said {
	char out[64], err[SAID_MAX];
	size_t n_out, n_err;
};

static void
code_said(int fd, struct str piece, void *arg)
{
	struct said *s = arg;
	char *p = fd == 1 ? s->out : s->err;
	size_t *n = fd == 1 ? &s->n_out : &s->n_err, size = fd == 1 ? sizeof s->out : sizeof s->err;
	size_t take = piece.n < size - 1 - *n ? piece.n : size - 1 - *n;

	memcpy(p + *n, piece.p, take);
	*n += take;
	p[*n] = '\0';
}

/* What else than gzip it may be, for who named it so. NULL: it is gzip. */
static const char *
archive_wrong(const char *path)
{
	unsigned char head[512] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return "The archive is empty.";
	if (n >= 2 && head[0] == 0x1f && head[1] == 0x8b)
		return NULL;
	if (memcmp(head, "PK\003\004", 4) == 0)
		return "The archive is a zip file: a tar archive, compressed with gzip, is wanted (tar -czf code.tar.gz …).";
	if (n == sizeof head && memcmp(head + 257, "ustar", 5) == 0)
		return "The archive is not compressed: a tar archive, compressed with gzip, is wanted (tar -czf code.tar.gz …).";
	return "The archive is no gzip file: a tar archive, compressed with gzip, is wanted (tar -czf code.tar.gz …).";
}

/* The line that says most, of gzip or tar. */
static const char *
archive_reason(struct arena *a, const struct said *s)
{
	struct str text = {s->err, s->n_err}, line = str_cut(&text, '\n');

	while (line.n == 0 && text.p != NULL)
		line = str_cut(&text, '\n');
	return arena_printf(a, "The archive is damaged: %.*s", STR_FMT(line));
}

static const char *
archive_judge(struct arena *a, const struct said *s, const struct sandbox_spec *spec, const struct sandbox_end *end, int64_t *bytes_out)
{
	int gzip, tar, more, files;
	long long kib;

	if (end->why == SANDBOX_TIME)
		return "The archive takes too long to unpack.";
	if (end->why != SANDBOX_EXIT || sscanf(s->out, "%d %d %d %d %lld", &gzip, &tar, &more, &files, &kib) != 5)
		return arena_printf(a, "The archive could not be unpacked: %s.", sandbox_end_text(a, spec, end));
	*bytes_out = kib * 1024;
	if (files)
		return arena_printf(a, "The archive has more than %lld files.", (long long)conf.functions_unpacked_files);
	if (more || *bytes_out > conf.functions_unpacked_max || strstr(s->err, "File too large") != NULL || strstr(s->err, "No space left") != NULL)
		return arena_printf(a, "The archive unpacks to more than %lld MiB.", (long long)(conf.functions_unpacked_max / MIB));
	if (gzip != 0 && gzip != WARNING && gzip != SIGPIPE_STATUS)
		return archive_reason(a, s);
	return tar == 0 ? NULL : archive_reason(a, s);
}

/* The common case. False: it is another one, of which a part may be there. */
static bool
code_unpack_small(struct ctx *cx, const char *archive, const char *to, uid_t uid, int64_t *bytes_out)
{
	static const char *const env[] = {NULL};
	const int64_t bytes = conf.functions_unpacked_max < SMALL_BYTES ? conf.functions_unpacked_max : SMALL_BYTES;
	const int64_t files = conf.functions_unpacked_files < SMALL_FILES ? conf.functions_unpacked_files : SMALL_FILES;
	const char *argv[] = {"/unpack", "/archive", arena_printf(cx->arena, "%lld", (long long)bytes), arena_printf(cx->arena, "%lld", (long long)files), NULL};
	struct sandbox_mount mounts[] = {{unpacker, "/unpack", false}, {archive, "/archive", false}, {to, "/code", true}};
	struct said said = {.n_out = 0};
	struct sandbox_spec spec = {.name = sandbox_name(cx, "unpack"), .uid = uid, .bare = true, .mounts = mounts, .n_mounts = 3, .argv = argv, .env = env, .dir = "/code",
		.memory = 64 * MIB, .file = bytes, .processes = 8, .files = 64, .limit_ms = UNPACK_MS, .output = code_said, .arg = &said};
	struct sandbox_end end;
	struct sandbox *s;
	struct stat st;
	long long kib;

	if (unpacker == NULL || stat(archive, &st) != 0 || st.st_size > SMALL || sandbox_start(cx, &spec, &s) != OK)
		return false;
	if (sandbox_wait(cx, &s, &end) != OK || end.why != SANDBOX_EXIT || end.number != 0 || sscanf(said.out, "%lld", &kib) != 1)
		return false;
	*bytes_out = kib * 1024;
	return *bytes_out <= conf.functions_unpacked_max;
}

err_t
code_unpack(struct ctx *cx, const char *archive, const char *to, uid_t uid, int64_t *bytes_out, const char **why_out)
{
	static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL};
	const char *argv[] = {"sh", "-c", script, "sh", arena_printf(cx->arena, "%lld", (long long)conf.functions_unpacked_max),
		arena_printf(cx->arena, "%lld", (long long)conf.functions_unpacked_files), NULL};
	struct sandbox_mount mounts[] = {{archive, "/in/archive", false}, {to, "/code", true}};
	struct said said = {.n_out = 0};
	struct sandbox_spec spec = {.name = sandbox_name(cx, "unpack"), .uid = uid, .mounts = mounts, .n_mounts = 2, .argv = argv, .env = env, .dir = "/tmp",
		.memory = 256 * MIB, .tmp = MIB, .file = conf.functions_unpacked_max, .processes = 32, .files = 256, .limit_ms = UNPACK_MS, .output = code_said, .arg = &said};
	struct sandbox *s;
	struct sandbox_end end;

	*bytes_out = 0;
	if ((*why_out = archive_wrong(archive)) != NULL || code_unpack_small(cx, archive, to, uid, bytes_out))
		return OK;
	TRY(sandbox_start(cx, &spec, &s));
	TRY(sandbox_wait(cx, &s, &end));
	*why_out = archive_judge(cx->arena, &said, &spec, &end, bytes_out);
	return OK;
}

/* ---- the archive comes ---- */

static bool
code_write(int fd, struct str piece)
{
	while (piece.n > 0) {
		ssize_t n = write(fd, piece.p, piece.n);

		if (n < 0 && errno != EINTR)
			return false;
		piece.p += n > 0 ? n : 0;
		piece.n -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

err_t
code_receive(struct ctx *cx, struct question *q, const char *path, int64_t most, const char **why_out)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	struct str piece = STR("x");
	err_t e = OK;

	*why_out = fd < 0 ? "the executor cannot write" : NULL;
	while (*why_out == NULL && (e = question_read(cx, q, &piece)) == OK && piece.n > 0)
		if ((most -= (int64_t)piece.n) < 0)
			*why_out = "the archive is too large";
		else if (!code_write(fd, piece))
			*why_out = errno == ENOSPC ? "the executor's disk is full" : "the executor cannot write";
	if (fd >= 0) {
		(void)fchmod(fd, 0644);
		close(fd);
	}
	return e;
}

/* ---- what is here ---- */

static void
code_move(struct code *c, enum code_state to)
{
	assert(c->magic == CODE_MAGIC);
	c->state = to;
	c->since = c->used = loop_now();
	waiters_wake(&c->waiting);
}

static void
code_forget(struct code *c)
{
	assert(c->magic == CODE_MAGIC && c->users == 0);
	map_del(codes, str_c(c->key));
	bytes_in_all -= c->bytes;
	metric_set(M_exec_code_bytes, bytes_in_all);
	if (c->dir != NULL)
		tree_leave(c->dir);
	waiters_wake(&c->waiting);
	c->magic = 0;
	free(c->key);
	free(c->dir);
	free(c->why);
	free(c->owner);
	free(c);
}

/* Nobody has it, nor is about to: who waited for it has long gone on. */
static bool
code_free(const struct code *c)
{
	return c->users == 0 && (c->state == CODE_READY || c->state == CODE_BAD) && c->waiting.first == NULL && loop_now() - c->since > SETTLED_MS;
}

struct oldest {
	struct code *code;
};

static bool
code_older(struct str key, void *value, void *arg)
{
	struct code *c = value;
	struct oldest *o = arg;

	(void)key;
	if (code_free(c) && (o->code == NULL || c->used < o->code->used))
		o->code = c;
	return true;
}

/* Room for what came last: who was used longest ago goes. */
static void
code_make_room(const struct code *keep)
{
	for (struct oldest o = {0}; bytes_in_all > conf.executor_code_max; code_forget(o.code)) {
		o.code = NULL;
		map_each(codes, code_older, &o);
		if (o.code == NULL || o.code == keep)
			return;
	}
}

static struct code *
code_new(const char *key)
{
	static unsigned n;
	struct code *c = mem_zalloc(sizeof *c);

	c->magic = CODE_MAGIC;
	c->key = mem_strdup(key);
	if (asprintf(&c->dir, "%s/code-%u", place, n++) < 0)
		abort();
	map_set(codes, str_c(c->key), c);
	return c;
}

struct code *
code_get(struct ctx *cx, const char *key, bool packed)
{
	struct code *c;

	while ((c = map_get(codes, str_c(key))) != NULL && c->state == CODE_EXPECTED && loop_now() - c->since < EXPECTED_MS)
		if (waiters_wait(cx, &c->waiting, EXPECTED_MS) == ERR_CANCELLED)
			return NULL;
	if (c != NULL && (c->state == CODE_UNPACKING || c->state == CODE_READY || (c->state == CODE_BAD && loop_now() - c->since < BAD_MS))) {
		c->used = loop_now();
		return c;
	}
	if (c == NULL)
		c = code_new(key);
	c->packed = packed;
	code_move(c, CODE_EXPECTED);
	return NULL;
}

void
code_use(struct code *c, int n)
{
	assert(c->magic == CODE_MAGIC && (n > 0 || c->users >= (unsigned)-n));
	c->users = (unsigned)((int)c->users + n);
	c->used = loop_now();
	if (c->users == 0 && c->doomed)
		code_forget(c);
}

void
code_own(struct code *c, const char *project, const char *function, const char *deployment)
{
	if (c->owner == NULL && asprintf(&c->owner, "%s/%s/%s", project, function, deployment) < 0)
		abort();
}

struct retired {
	char prefix[256];		/* "project/function/", "project/function/deployment" */
	bool whole;			/* the owner is that */
	struct code *found;
};

static bool
code_retired(struct str key, void *value, void *arg)
{
	struct code *c = value;
	struct retired *r = arg;

	(void)key;
	if (c->doomed || c->owner == NULL || (r->whole ? strcmp(c->owner, r->prefix) != 0 : strncmp(c->owner, r->prefix, strlen(r->prefix)) != 0))
		return true;
	r->found = c;
	return false;
}

void
code_retire(const char *project, const char *function, const char *deployment)
{
	struct retired r = {.whole = deployment[0] != '\0'};

	snprintf(r.prefix, sizeof r.prefix, "%s/%s/%s", project, function, deployment);
	do {
		r.found = NULL;
		map_each(codes, code_retired, &r);
		if (r.found == NULL)
			return;
		r.found->doomed = true;
		if (code_free(r.found))
			code_forget(r.found);
	} while (true);
}

err_t
code_wait(struct ctx *cx, struct code *c)
{
	assert(c->users > 0);
	while (c->state == CODE_UNPACKING || c->state == CODE_EXPECTED)
		TRY(waiters_wait(cx, &c->waiting, 0));
	return OK;
}

static void
code_unpack_fiber(struct ctx *cx, void *arg)
{
	struct code *c = arg;
	const char *archive = arena_printf(cx->arena, "%s.tar.gz", c->dir), *why = NULL;
	int64_t bytes = 0;
	err_t e = code_unpack(cx, archive, c->dir, sandbox_uid(), &bytes, &why);

	if (e != OK)
		why = "no sandbox can be started";
	unlink(archive);
	bytes_in_all += bytes - c->bytes;
	c->bytes = bytes;
	metric_set(M_exec_code_bytes, bytes_in_all);
	free(c->why);
	c->why = why != NULL ? mem_strdup(why) : NULL;
	code_move(c, why == NULL ? CODE_READY : CODE_BAD);
	code_make_room(c);
	code_use(c, -1);
}

/* One that stays an archive. */
static void
code_keep(struct ctx *cx, struct code *c)
{
	struct stat st;

	bytes_in_all -= c->bytes;
	c->bytes = stat(arena_printf(cx->arena, "%s/" CODE_ARCHIVE, c->dir), &st) == 0 ? (int64_t)st.st_size : 0;
	bytes_in_all += c->bytes;
	metric_set(M_exec_code_bytes, bytes_in_all);
	code_move(c, CODE_READY);
	code_make_room(c);
}

err_t
code_put(struct ctx *cx, const char *key, struct question *q, const char **why_out)
{
	struct code *c = map_get(codes, str_c(key));
	const char *archive;
	struct stat st;
	static unsigned n;
	err_t e;

	*why_out = NULL;
	if (c != NULL && c->state != CODE_EXPECTED)
		return OK;	/* somebody was quicker */
	archive = arena_printf(cx->arena, "%s/in-%u", place, n++);
	e = code_receive(cx, q, archive, conf.functions_unpacked_max, why_out);
	c = map_get(codes, str_c(key));
	if (e != OK || *why_out != NULL || (c != NULL && c->state != CODE_EXPECTED)) {
		unlink(archive);
		return e;
	}
	if (c == NULL)
		c = code_new(key);
	if (stat(c->dir, &st) == 0)
		tree_leave(c->dir);
	if (!tree_make(c->dir, 0) || rename(archive, arena_printf(cx->arena, c->packed ? "%s/" CODE_ARCHIVE : "%s.tar.gz", c->dir)) != 0) {
		*why_out = "the executor cannot write";
		return OK;
	}
	if (c->packed) {
		code_keep(cx, c);
		return OK;
	}
	code_use(c, 1);
	code_move(c, CODE_UNPACKING);
	fib_spawn_new("unpack", 0, code_unpack_fiber, c);
	return OK;
}
