/* Builds: unpack, run the runtime's command, look for the entry point, pack; each in a sandbox of the same user, on one directory that is gone afterwards.
 *
 * What the command says goes to who asked as it is said, as far as its bound. What it leaves on disk is looked at once a second; too much ends it. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "exec_priv.h"
#include "io/http.h"

enum { BUILD_MAGIC = 0x6275696c, PACK_MS = 300 * 1000, LOOK_MS = 1000, WAITING_MAX = 256 * 1024, NO_ENTRY = 10, ENTRY_IS_DIR, PACK_FAILED, TOO_MANY, TOO_MUCH };
#define MIB (INT64_C(1024) * 1024)

static const char *place;
static unsigned n_builds;	/* that are worked on, not those that wait for it */
static struct waiters turn;

void
build_init(const char *dir)
{
	place = dir;
}

struct build {
	unsigned magic;
	struct ctx *cx;
	const struct exec_ask *q;
	const struct runtime *runtime;
	struct question *asked;
	struct http_msg *m;		/* of it */
	const char *dir;		/* archive, code/ and out/ */
	uid_t uid;
	const char *why;		/* it failed; NULL: not so far */
	uint64_t began;
	/* the sandbox that runs */
	struct sandbox *box;
	struct sandbox_end end;
	bool ended;
	err_t ended_with;
	bool too_much;			/* on disk */
	struct fib_event change;
	struct buf out, err;		/* said, and not yet told */
	size_t chars[2];		/* said in all, of either */
	struct output said;		/* of packing: what is in the directory */
};

static const char *const paths[] = {"PATH=/code/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", NULL};

/* ---- telling ---- */

static void
build_on_output(int fd, struct str piece, void *arg)
{
	struct build *b = arg;
	struct buf *to = fd == 1 ? &b->out : &b->err;
	size_t *chars = &b->chars[fd - 1], room = OUTPUT_CHARS > *chars ? OUTPUT_CHARS - *chars : 0;

	assert(b->magic == BUILD_MAGIC);
	if (piece.n > room)
		piece = str_head(piece, room);
	*chars += piece.n < room ? piece.n : room;
	buf_str(to, piece);
	if (b->out.n + b->err.n > WAITING_MAX)
		sandbox_hold(b->box, true);
	fib_signal(&b->change);
}

/* Up to the last whole character; a part of one waits for the rest of it. */
static size_t
build_whole(struct str s)
{
	size_t n = str_head(s, s.n).n;

	return n;
}

static err_t
build_tell_one(struct build *b, const char *name, struct buf *what, bool all)
{
	size_t n = all ? what->n : build_whole(buf_view(what));
	struct buf record;
	err_t e;

	if (n == 0)
		return OK;
	buf_init(&record, NULL, n + 64);
	exec_put(&record, name, str_c(str_text(b->cx->arena, (struct str){what->p, n})));
	memmove(what->p, what->p + n, what->n - n);
	what->n -= n;
	e = http_write(b->cx, b->m, buf_view(&record));
	buf_fini(&record);
	return e;
}

static err_t
build_tell(struct build *b, bool all)
{
	TRY(build_tell_one(b, "out", &b->out, all));
	TRY(build_tell_one(b, "err", &b->err, all));
	if (b->box != NULL)
		sandbox_hold(b->box, false);
	return OK;
}

/* ---- a sandbox, told of while it runs ---- */

static void
build_wait_fiber(struct ctx *cx, void *arg)
{
	struct build *b = arg;
	struct sandbox *box = b->box;

	b->ended_with = sandbox_wait(cx, &box, &b->end);
	if (b->end.said != NULL)
		b->end.said = arena_strdup(b->cx->arena, b->end.said);
	b->box = NULL;
	b->ended = true;
	fib_signal(&b->change);
}

static void
build_look(struct build *b, const char *code)
{
	int64_t bytes;

	if (tree_size(b->cx, code, conf.functions_unpacked_max, &bytes) != OK || (bytes >= 0 && bytes <= conf.functions_unpacked_max))
		return;
	b->too_much = true;
	if (b->box != NULL)
		sandbox_kill(b->box);
}

/* To its end, whatever happens to who asked: nothing of it stays. */
static err_t
build_box(struct build *b, const struct sandbox_spec *spec, const char *watched)
{
	err_t told = OK, e;

	b->ended = false;
	fib_event_reset(&b->change);
	TRY(sandbox_start(b->cx, spec, &b->box));
	fib_spawn_new("build", 0, build_wait_fiber, b);
	while (!b->ended) {
		e = fib_await_for(b->cx, &b->change, LOOK_MS);
		fib_event_reset(&b->change);
		if (e == ERR_CANCELLED)
			fib_shield(b->cx, true);
		if (told == OK)
			told = build_tell(b, false);
		if ((told != OK || e == ERR_CANCELLED) && b->box != NULL) {
			sandbox_hold(b->box, false);
			b->out.n = b->err.n = 0;
			sandbox_kill(b->box);
		} else if (e == ERR_TIMEOUT && watched != NULL && !b->ended) {
			build_look(b, watched);
		}
	}
	return told == OK ? build_tell(b, true) : told;
}

/* ---- the steps ---- */

static const char *const *
build_env(const struct build *b)
{
	const struct exec_function *f = &b->q->run.f;
	const char **v = arena_array(b->cx->arena, const char *, f->n_variables + 64);
	int n = 0;

	for (const char *const *e = b->runtime->env; *e != NULL; e++)
		v[n++] = *e;
	v[n++] = arena_printf(b->cx->arena, "INTERNAL_RUNTIME_ENTRYPOINT=%s", f->entrypoint);
	v[n++] = arena_printf(b->cx->arena, "OPEN_RUNTIMES_ENTRYPOINT=%s", f->entrypoint);
	if (b->runtime->contract != CONTRACT_OURS)
		v[n++] = arena_printf(b->cx->arena, b->runtime->contract == CONTRACT_V2 ? "INTERNAL_RUNTIME_KEY=%s" : "OPEN_RUNTIMES_SECRET=%s", secret_hex(b->cx->arena, 16));
	v[n++] = "CI=true";
	for (int i = 0; i < f->n_variables; i++)	/* the last one of a name counts: theirs */
		v[n++] = arena_printf(b->cx->arena, "%.*s=%.*s", STR_FMT(f->variables[i].name), STR_FMT(f->variables[i].value));
	return v;
}

static const char *
build_too_much(const struct build *b)
{
	return arena_printf(b->cx->arena, "The build makes more than %lld MiB of files.", (long long)(conf.functions_unpacked_max / MIB));
}

static err_t
build_command(struct build *b)
{
	const char *code = arena_printf(b->cx->arena, "%s/code", b->dir), *argv[] = {"sh", "-c", b->runtime->build, NULL};
	struct sandbox_mount mounts[] = {{code, "/code", true}, {arena_printf(b->cx->arena, "%s/archive", b->dir), "/tmp/" CODE_ARCHIVE, false}};
	struct sandbox_spec spec = {.name = sandbox_name(b->cx, "build"), .uid = b->uid, .root = b->runtime->root, .mounts = mounts, .n_mounts = 1, .argv = argv,
		.env = build_env(b), .dir = "/code", .memory = conf.functions_build_memory, .tmp = conf.functions_build_memory / 2, .file = conf.functions_unpacked_max,
		.processes = conf.functions_processes * 2, .files = conf.functions_files, .limit_ms = (uint64_t)conf.functions_build_timeout, .output = build_on_output, .arg = b};
	int64_t bytes;
	err_t e;

	if (b->runtime->contract != CONTRACT_OURS) {	/* what was unpacked is where its build looks for it, and it leaves an archive there */
		mounts[0].to = speak_code(b->runtime);
		spec.n_mounts = 2;
		spec.argv = speak_build_argv(b->cx->arena, b->runtime);
		spec.dir = speak_build_dir(b->runtime);
		spec.layer = true;
		unlink(arena_printf(b->cx->arena, "%s/" CODE_ARCHIVE, code));
	} else if (b->runtime->build[0] == '\0') {
		return OK;
	}
	if ((b->why = env_refusal(b->cx->arena, &b->q->run.f)) != NULL)
		return OK;
	if (net_on())
		TRY(ready_take(b->cx, &spec.net));
	e = build_box(b, &spec, code);
	net_free(&spec.net);
	TRY(e);
	TRY(tree_size(b->cx, code, conf.functions_unpacked_max, &bytes));
	if (b->too_much || bytes < 0 || bytes > conf.functions_unpacked_max)
		b->why = build_too_much(b);
	else if (b->end.why != SANDBOX_EXIT || b->end.number != 0)
		b->why = arena_printf(b->cx->arena, "The build %s.", sandbox_end_text(b->cx->arena, &spec, &b->end));
	return OK;
}

/* Looks for the entry point, or says what there is: "d" or "f" and a name on each line. */
#define SCRIPT_LOOK(there) \
	"if [ -d \"./$1\" ]; then exit 11; elif ! { " there "; }; then for x in * .*; do case $x in .|..|'*'|'.*') ;; *) if [ -d \"./$x\" ]; then if [ -f \"./$x/$1\" ]; then " \
	"echo \"D $x\"; else echo \"d $x\"; fi; else echo \"f $x\"; fi ;; esac; done | head -n 21; exit 10; fi; "
/* Of an image also in what its build made: it need not be in the source. */
static const char script_entry[] = SCRIPT_LOOK("[ -f \"./$1\" ] || { [ -f " CODE_ARCHIVE " ] && tar -tzf " CODE_ARCHIVE " 2>/dev/null | grep -qxF -e \"$1\" -e \"./$1\"; }");
/* What could not be unpacked again for a run, by its bytes ($2) or files ($3), is none: it would fail at each. */
static const char script_pack[] = SCRIPT_LOOK("[ -f \"./$1\" ]")
	"[ $(find . -printf x | head -c $(($3 + 1)) | wc -c) -le $3 ] || exit 13; "
	"tar -c --mode=u+rw,go+r --owner=0 --group=0 . | { head -c $2; head -c 1 | wc -c >/tmp/more; } | gzip -1 >/out/code.tar.gz && [ -s /out/code.tar.gz ] || exit 12; "
	"read more </tmp/more; [ $more = 0 ] || exit 14";

static void
build_on_listing(int fd, struct str piece, void *arg)
{
	struct build *b = arg;

	(void)fd;
	output_add(&b->said, str_head(piece, 4096));
}

/* "There is no file index.js. What there is: a, b/." And what is likely meant, when all is in one folder. */
static const char *
build_no_entry(struct build *b)
{
	const char *entry = b->q->run.f.entrypoint, *names[24], *top = NULL;
	struct str rest = {b->said.p, b->said.n}, line;
	bool inside = false;
	int n = 0;

	while ((line = str_cut(&rest, '\n')).p != NULL && n < 20)
		if (line.n > 2) {
			bool dir = line.p[0] != 'f';

			inside = line.p[0] == 'D';
			top = dir ? str_text(b->cx->arena, (struct str){line.p + 2, line.n - 2}) : NULL;
			names[n++] = arena_printf(b->cx->arena, "%s%s", str_text(b->cx->arena, (struct str){line.p + 2, line.n - 2}), dir ? "/" : "");
		}
	if (n == 0)
		return arena_printf(b->cx->arena, "There is no file %s: the archive is empty.", entry);
	if (n == 1 && top != NULL)
		return arena_printf(b->cx->arena, "There is no file %s: the archive holds nothing but the folder %s. Pack what is in the folder%s.", entry, top,
		    inside ? arena_printf(b->cx->arena, ", or set the entry point to %s/%s", top, entry) : "");
	return arena_printf(b->cx->arena, "There is no file %s. What there is: %s.", entry, str_join(b->cx->arena, names, n));
}

/* One of these scripts, where the code is. */
static err_t
build_inside(struct build *b, const char *script)
{
	const char *entry = b->q->run.f.entrypoint;
	const char *argv[] = {"sh", "-c", script, "sh", entry, arena_printf(b->cx->arena, "%lld", (long long)conf.functions_unpacked_max),
		arena_printf(b->cx->arena, "%lld", (long long)conf.functions_unpacked_files), NULL};
	struct sandbox_mount mounts[] = {{arena_printf(b->cx->arena, "%s/code", b->dir), "/code", true}, {arena_printf(b->cx->arena, "%s/out", b->dir), "/out", true}};
	struct sandbox_spec spec = {.name = sandbox_name(b->cx, "pack"), .uid = b->uid, .mounts = mounts, .n_mounts = 2, .argv = argv, .env = paths, .dir = "/code",
		.memory = 256 * MIB, .tmp = MIB, .file = conf.functions_unpacked_max, .processes = 32, .files = 256, .limit_ms = PACK_MS, .output = build_on_listing, .arg = b};

	output_free(&b->said);
	TRY(build_box(b, &spec, NULL));
	if (b->end.why == SANDBOX_EXIT && b->end.number == NO_ENTRY)
		b->why = build_no_entry(b);
	else if (b->end.why == SANDBOX_EXIT && b->end.number == ENTRY_IS_DIR)
		b->why = arena_printf(b->cx->arena, "The entry point %s is a folder: it must be a file.", entry);
	else if (b->end.why == SANDBOX_EXIT && b->end.number == TOO_MANY)
		b->why = arena_printf(b->cx->arena, "The build makes more than %lld files.", (long long)conf.functions_unpacked_files);
	else if (b->end.why == SANDBOX_EXIT && b->end.number == TOO_MUCH)
		b->why = build_too_much(b);
	else if (b->end.why != SANDBOX_EXIT || b->end.number != 0)
		b->why = arena_printf(b->cx->arena, "What was built could not be packed: it %s.", sandbox_end_text(b->cx->arena, &spec, &b->end));
	return OK;
}

/* Where its archive is. */
static const char *
build_made(const struct build *b)
{
	return arena_printf(b->cx->arena, "%s/%s/" CODE_ARCHIVE, b->dir, b->runtime->contract == CONTRACT_OURS ? "out" : "code");
}

/* By an image's own build, which packs as well. */
static err_t
build_by_image(struct build *b)
{
	const char *missing;

	TRY(build_inside(b, script_entry));
	missing = b->why;
	b->why = NULL;
	TRY(build_command(b));
	if (b->why != NULL) {
		if (missing != NULL)	/* which may well be why */
			b->why = arena_printf(b->cx->arena, "%s %s", b->why, missing);
		return OK;
	}
	if (missing != NULL)
		TRY(build_inside(b, script_entry));
	if (b->why != NULL)
		b->why = missing;	/* what was sent says more than what came of it */
	else if (access(build_made(b), F_OK) != 0)
		b->why = arena_printf(b->cx->arena, "The build of the image made no %s/" CODE_ARCHIVE ".", speak_code(b->runtime));
	return OK;
}

static err_t
build_steps(struct build *b)
{
	const char *archive = arena_printf(b->cx->arena, "%s/archive", b->dir);
	int64_t bytes;

	b->why = NULL;
	TRY(code_unpack(b->cx, archive, arena_printf(b->cx->arena, "%s/code", b->dir), b->uid, &bytes, &b->why));
	if (b->why != NULL)
		return OK;
	if (b->runtime->contract != CONTRACT_OURS)
		return build_by_image(b);
	TRY(build_command(b));
	return b->why == NULL ? build_inside(b, script_pack) : OK;
}

/* ---- the answer ---- */

/* What was packed; it is in a directory that a stranger may write to. -1: there is none. */
static int
build_result(const struct build *b, uint64_t *size_out)
{
	struct stat st;
	int fd = open(build_made(b), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	*size_out = fd >= 0 ? (uint64_t)st.st_size : 0;
	return fd;
}

static err_t
build_send(struct build *b, int fd)
{
	enum { PIECE = 64 * 1024 };
	char *piece = arena_alloc(b->cx->arena, PIECE);
	ssize_t n;

	while ((n = read(fd, piece, PIECE)) > 0)
		TRY(http_write(b->cx, b->m, (struct str){piece, (size_t)n}));
	return n == 0 ? OK : fail(b->cx, ERR_EXEC, "what was built cannot be read");
}

static err_t
build_answer(struct build *b)
{
	uint64_t size = 0;
	int fd = b->why == NULL ? build_result(b, &size) : -1;
	struct buf end;
	err_t e;

	if (fd < 0 && b->why == NULL)
		b->why = "What was built could not be read.";
	metric_add(b->why == NULL ? M_exec_builds : M_exec_builds_failed, 1);
	buf_init(&end, b->cx->arena, 512);
	if (b->why != NULL) {
		exec_put(&end, "err", str_c(arena_printf(b->cx->arena, "%s%s\n", b->chars[1] > 0 ? "\n" : "", b->why)));
		exec_put(&end, "why", str_c(b->why));
	}
	exec_put(&end, "seconds", str_c(arena_printf(b->cx->arena, "%.3f", (double)(loop_now() - b->began) / 1000)));
	exec_put_number(&end, "ok", b->why == NULL);
	exec_put(&end, EXEC_END, STR_NONE);
	e = http_write(b->cx, b->m, buf_view(&end));
	if (e == OK && fd >= 0)
		e = build_send(b, fd);
	if (fd >= 0)
		close(fd);
	return e;
}

/* The archive, of which the beginning came with the head. */
static err_t
build_receive(struct build *b, struct str begin, const char **why_out)
{
	const char *path = arena_printf(b->cx->arena, "%s/archive", b->dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && write(fd, begin.p != NULL ? begin.p : "", begin.n) == (ssize_t)begin.n;

	if (fd >= 0)
		close(fd);
	*why_out = ok ? NULL : "the executor cannot write";
	return ok ? code_receive(b->cx, b->asked, path, conf.functions_unpacked_max, why_out) : OK;
}

static err_t
build_in_turn(struct build *b)
{
	http_begin(b->m, 200, NULL, 0, -1);
	b->began = loop_now();
	TRY(build_steps(b));
	TRY(build_answer(b));
	http_end(b->m);
	return OK;
}

static err_t
build_work(struct build *b, struct str begin)
{
	const char *why = "the executor cannot write";
	err_t e;

	if (!tree_make(b->dir, 0) || !tree_make(arena_printf(b->cx->arena, "%s/code", b->dir), b->uid) || !tree_make(arena_printf(b->cx->arena, "%s/out", b->dir), b->uid))
		return fail(b->cx, ERR_EXEC, "%s", why);
	TRY(build_receive(b, begin, &why));
	if (why != NULL)
		return fail(b->cx, ERR_EXEC, "%s", why);
	while (n_builds >= (uint64_t)conf.functions_builds_max)
		TRY(waiters_wait(b->cx, &turn, 0));
	n_builds++;
	e = build_in_turn(b);
	n_builds--;
	waiters_wake(&turn);
	return e;
}

void
build_serve(struct ctx *cx, const struct exec_ask *q, struct str archive_begin, struct question *asked)
{
	static unsigned number;
	struct build b = {.magic = BUILD_MAGIC, .cx = cx, .q = q, .asked = asked, .m = asked->m, .runtime = runtime_named(q->run.f.runtime)};
	err_t e;

	b.uid = b.runtime != NULL && b.runtime->contract != CONTRACT_OURS ? sandbox_layer_uid(b.runtime->root) : sandbox_uid();
	b.dir = arena_printf(cx->arena, "%s/build-%u", place, number++);
	buf_init(&b.out, NULL, 4096);
	buf_init(&b.err, NULL, 4096);
	e = b.runtime != NULL ? build_work(&b, archive_begin) : fail(cx, ERR_EXEC, "the runtime is not installed here");
	if (e != OK && e != ERR_CANCELLED) {
		log_warn(cx, "a build was not done", "reason=\"%s\"", cx->detail != NULL ? cx->detail : err_info(e)->message);
		if (!http_begun(b.m))
			http_reply(b.m, 503, NULL, 0, str_c(cx->detail));
	}
	buf_fini(&b.out);
	buf_fini(&b.err);
	output_free(&b.said);
	tree_leave(b.dir);
}
