/* Sandboxes.
 *
 * bubblewrap makes the namespaces and the tree of files; badal-init (init.c) is process 1 in there. Nothing of this machine is shown but its programs and
 * what they need to be started: /usr, the links to it, roots of TLS, and a few files of /etc made for sandboxes. As root every sandbox is another user (of
 * executor_uids), so that none can touch another's processes or files should all else fail; else they are the same user and namespaces alone part them. */
#include "exec/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"
#include "exec/check.h"
#include "filter.h"
#include "cgroup.h"
#include "io/child.h"
#include "layer.h"
#include "programs.h"

enum { SANDBOX_MAGIC = 0x73616e64, ARGS_MAX = 400, SAID_MAX = 2000, WORD_MAX = 32, INSIDE_ID = 1000, SWEEP_ROUNDS = 4 };

struct pids {
	pid_t *v;
	int n, room, sorted;		/* so many at the beginning are in order */
};

struct sandbox {
	unsigned magic;
	struct sandbox_spec spec;	/* its limits, output and arg; not its strings */
	struct child *child;		/* NULL: it has ended */
	struct cgroup group;
	int word;			/* where badal-init says how it ended */
	struct layer layer;		/* spec.layer: what the child needs for it */
	int heard;			/* what became of that; -1: nothing comes */
	uid_t uid;			/* 0: ours */
	int status;
	enum sandbox_why killed;	/* by us, and why; SANDBOX_EXIT: it was not */
	struct loop_timer *limit;
	struct fib_event ended;
	struct pids settled;		/* processes that stay; none: it has not settled */
	size_t n_said;
	char said[SAID_MAX];		/* what came on the standard error, its beginning */
};

static char *etc_dir;			/* files that are shown as /etc/… */
static const char *bwrap, *init_program;
static bool layers_shared;		/* files cannot be shown as another user's: sandboxes with a layer over them are their user */

/* ---- what is shown of this machine ---- */

static const struct {
	const char *name, *text;
} etc_files[] = {
	{"passwd", "root:x:0:0:root:/root:/bin/sh\nfunction:x:1000:1000:function:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
	{"group", "root:x:0:\nfunction:x:1000:\nnogroup:x:65534:\n"},
	{"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"},
	{"hosts", "127.0.0.1 localhost\n::1 localhost\n"},
	{"resolv.conf", "nameserver 127.0.0.53\noptions timeout:3 attempts:3\n"},	/* badal-net, or nobody */
};

/* Of /etc: no more than programs need to be started. */
static const char *const etc_shown[] = {"/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/certs", "/etc/ca-certificates", "/etc/localtime", "/etc/mime.types", "/etc/php", "/etc/fonts",
	"/etc/services", "/etc/protocols"};

static bool
etc_write(const char *dir)
{
	for (size_t i = 0; i < sizeof etc_files / sizeof *etc_files; i++) {
		char path[PATH_MAX];
		FILE *f;
		bool ok;

		snprintf(path, sizeof path, "%s/%s", dir, etc_files[i].name);
		if ((f = fopen(path, "we")) == NULL)
			return false;
		ok = fputs(etc_files[i].text, f) >= 0;
		if (fclose(f) != 0 || !ok || chmod(path, 0644) != 0)
			return false;
	}
	return true;
}

const char *
sandbox_setup(const char *dir, const char *init, const char **why_out)
{
	static const char *const bwraps[] = {"/usr/bin/bwrap", "/usr/local/bin/bwrap", NULL};

	int filter = -1;

	bwrap = program_first(bwraps);
	init_program = program_beside(init, "badal-init");
	*why_out = NULL;
	if (bwrap == NULL)
		*why_out = "bubblewrap is not installed";
	else if (init_program == NULL)
		*why_out = "badal-init is not installed";
	else if ((filter = filter_open()) < 0)
		*why_out = "the filter of system calls cannot be made";
	else if (asprintf(&etc_dir, "%s/etc", dir) < 0 || (mkdir(etc_dir, 0755) != 0 && errno != EEXIST) || !etc_write(etc_dir) || !layer_setup(dir))
		*why_out = "its directory cannot be written to";
	if (filter >= 0)
		close(filter);
	return *why_out == NULL ? cgroup_setup() : NULL;
}

/* ---- the command line of bubblewrap ---- */

struct args {
	const char *v[ARGS_MAX];
	int n;
	struct arena *arena;
};

static void
arg1(struct args *a, const char *x)
{
	assert(a->n < ARGS_MAX - 1);
	a->v[a->n++] = x;
}

static void
arg2(struct args *a, const char *x, const char *y)
{
	arg1(a, x);
	arg1(a, y);
}

static void
arg3(struct args *a, const char *x, const char *y, const char *z)
{
	arg2(a, x, y);
	arg1(a, z);
}

static void
args_tmpfs(struct args *a, int64_t size, const char *at)
{
	arg2(a, "--size", arena_printf(a->arena, "%lld", (long long)size));
	arg2(a, "--tmpfs", at);
}

/* The programs of this machine; a directory that is a link to /usr here is one there. */
static void
args_machine(struct args *a)
{
	static const char *const tops[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
	struct stat st;

	arg3(a, "--ro-bind", "/usr", "/usr");
	for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
		char to[PATH_MAX];
		ssize_t n;

		if (lstat(tops[i], &st) != 0)
			continue;
		n = S_ISLNK(st.st_mode) ? readlink(tops[i], to, sizeof to - 1) : -1;
		if (n > 0)
			arg3(a, "--symlink", arena_printf(a->arena, "%.*s", (int)n, to), tops[i]);
		else
			arg3(a, "--ro-bind", tops[i], tops[i]);
	}
	for (size_t i = 0; i < sizeof etc_shown / sizeof *etc_shown; i++)
		arg3(a, "--ro-bind-try", etc_shown[i], etc_shown[i]);
}

/* With a network the API is there by its name (net.c). */
static void
args_etc(struct args *a, const struct sandbox_spec *s)
{
	for (size_t i = 0; i < sizeof etc_files / sizeof *etc_files; i++) {
		const char *name = etc_files[i].name, *from = arena_printf(a->arena, "%s/%s", etc_dir, name);
		bool hosts = strcmp(name, "hosts") == 0;

		if (s->machine_net && (hosts || strcmp(name, "resolv.conf") == 0) && access(arena_printf(a->arena, "/etc/%s", name), R_OK) == 0)
			from = arena_printf(a->arena, "/etc/%s", name);
		else if (hosts && s->net != NULL && *net_api() != '\0')
			from = arena_printf(a->arena, "%s/hosts.net", etc_dir);
		arg3(a, "--ro-bind", from, arena_printf(a->arena, "/etc/%s", name));
	}
}

/* What programs expect. */
static void
args_usual(struct args *a, const struct sandbox_spec *s)
{
	if (s->root == NULL)
		args_machine(a);
	args_etc(a, s);
	arg2(a, "--proc", "/proc");
	arg2(a, "--dev", "/dev");
	args_tmpfs(a, s->tmp, "/tmp");
	args_tmpfs(a, s->tmp, "/dev/shm");
}

enum { FRAME = 3, WORD, FILTER, SANDBOX_FDS = 3 };	/* descriptors in the child */

static void
args_make(struct args *a, const struct sandbox_spec *s)
{
	const char *id = arena_printf(a->arena, "%d", INSIDE_ID);

	arg1(a, "bwrap");
	arg3(a, "--unshare-user", "--disable-userns", "--unshare-pid");
	arg2(a, "--unshare-ipc", "--unshare-uts");
	if (s->net == NULL && !s->machine_net)
		arg1(a, "--unshare-net");
	arg3(a, "--unshare-cgroup-try", "--die-with-parent", "--as-pid-1");
	arg3(a, "--new-session", "--cap-drop", "ALL");
	arg2(a, "--uid", id);
	arg2(a, "--gid", id);
	arg2(a, "--hostname", s->name);
	arg2(a, "--seccomp", arena_printf(a->arena, "%d", FILTER));
	if (s->layer)
		arg3(a, "--bind", layer_root(), "/");
	else if (s->root != NULL)
		arg3(a, "--ro-bind", s->root, "/");
	if (!s->bare)
		args_usual(a, s);
	arg3(a, "--ro-bind", init_program, "/.init");
	for (int i = 0; i < s->n_mounts; i++)
		arg3(a, s->mounts[i].writable ? "--bind" : "--ro-bind", s->mounts[i].from, s->mounts[i].to);
	if (s->told != NULL)
		arg3(a, "--bind", layer_told(), s->told);
	if (s->root == NULL && !s->layer)
		arg2(a, "--remount-ro", "/");
	if (!s->bare)
		arg2(a, "--remount-ro", "/dev");
	arg2(a, "--", "/.init");
	a->v[a->n] = NULL;
}

/* ---- what badal-init is told ---- */

static void
frame_text(struct buf *b, const char *text)
{
	buf_str(b, (struct str){text, strlen(text) + 1});
}

static int
texts_count(const char *const *v)
{
	int n = 0;

	while (v[n] != NULL)
		n++;
	return n;
}

/* A file without a name that holds the frame; -1: there is none. */
static int
frame_open(struct ctx *cx, const struct sandbox_spec *s)
{
	int fd = memfd_create("start", MFD_CLOEXEC);
	struct buf b;

	buf_init(&b, cx->arena, 4096);
	frame_text(&b, arena_printf(cx->arena, "%d", texts_count(s->argv)));
	frame_text(&b, arena_printf(cx->arena, "%d", texts_count(s->env)));
	frame_text(&b, s->dir);
	for (int i = 0; s->argv[i] != NULL; i++)
		frame_text(&b, s->argv[i]);
	for (int i = 0; s->env[i] != NULL; i++)
		frame_text(&b, s->env[i]);
	if (fd < 0 || write(fd, b.p, b.n) != (ssize_t)b.n || lseek(fd, 0, SEEK_SET) != 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* ---- the child ---- */

static bool
sandbox_bound(int what, int64_t most)
{
	struct rlimit l = {(rlim_t)most, (rlim_t)most};

	return most <= 0 || setrlimit(what, &l) == 0;
}

/* In the child, between fork and exec. */
static bool
sandbox_enter(void *arg)
{
	const struct sandbox *s = arg;
	struct rlimit none = {0, 0};

	umask(022);
	if (!cgroup_join(&s->group) || setrlimit(RLIMIT_CORE, &none) != 0 || !sandbox_bound(RLIMIT_FSIZE, s->spec.file) || !sandbox_bound(RLIMIT_NOFILE, s->spec.files))
		return false;
	if (s->spec.net != NULL && !net_enter(s->spec.net))
		return false;
	if (s->spec.layer && !layer_enter(&s->layer))
		return false;
	if (s->uid == 0)
		return true;
	/* not those of glibc, which look for other threads: child_fork_into */
	return syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, s->uid, s->uid, s->uid) == 0 && syscall(SYS_setresuid, s->uid, s->uid, s->uid) == 0;
}

static void
sandbox_on_output(struct child *c, int fd, struct str piece, void *arg)
{
	struct sandbox *s = arg;
	size_t n = piece.n < sizeof s->said - s->n_said ? piece.n : sizeof s->said - s->n_said;

	assert(s->magic == SANDBOX_MAGIC && c == s->child);
	if (fd == 2) {
		memcpy(s->said + s->n_said, piece.p, n);
		s->n_said += n;
	}
	if (s->spec.output != NULL)
		s->spec.output(fd, piece, s->spec.arg);
}

static void
sandbox_on_end(struct child *c, int status, void *arg)
{
	struct sandbox *s = arg;

	assert(s->magic == SANDBOX_MAGIC && c == s->child);
	s->child = NULL;
	s->status = status;
	loop_timer_stop(&s->limit);
	fib_signal(&s->ended);
}

static void
sandbox_end_for(struct sandbox *s, enum sandbox_why why)
{
	assert(s->magic == SANDBOX_MAGIC);
	if (s->child == NULL || s->killed != SANDBOX_EXIT)
		return;
	s->killed = why;
	cgroup_kill(&s->group);
	child_kill(s->child);
}

static void
sandbox_on_limit(void *arg)
{
	struct sandbox *s = arg;

	s->limit = NULL;
	sandbox_end_for(s, SANDBOX_TIME);
}

void
sandbox_kill(struct sandbox *s)
{
	sandbox_end_for(s, SANDBOX_KILLED);
}

void
sandbox_hold(struct sandbox *s, bool on)
{
	if (s->child != NULL)
		child_hold(s->child, on);
}

bool
sandbox_starved(const struct sandbox *s)
{
	return !cgroup_kills_whole() && cgroup_out_of_memory(&s->group);
}

/* What it reached of the world through us is gone. */
static void
sandbox_on_net_lost(void *arg)
{
	sandbox_end_for(arg, SANDBOX_KILLED);
}

int64_t
sandbox_memory(const struct sandbox *s)
{
	return cgroup_memory(&s->group);
}

/* ---- processes of it ---- */

static int
pid_order(const void *a, const void *b)
{
	const pid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
pids_add(struct pids *p, pid_t pid)
{
	if (p->n == p->room) {
		p->room = p->room > 0 ? 2 * p->room : 8;
		p->v = mem_realloc(p->v, (size_t)p->room * sizeof *p->v);
	}
	p->v[p->n++] = pid;
}

static void
pids_sort(struct pids *p)
{
	if (p->n > 0)
		qsort(p->v, (size_t)p->n, sizeof *p->v, pid_order);
	p->sorted = p->n;
}

static bool
pids_has(const struct pids *p, pid_t pid)
{
	return p->sorted > 0 && bsearch(&pid, p->v, (size_t)p->sorted, sizeof *p->v, pid_order) != NULL;
}

static void
pid_settles(pid_t pid, void *arg)
{
	pids_add(arg, pid);
}

void
sandbox_settle(struct sandbox *s)
{
	s->settled.n = 0;
	(void)cgroup_each(&s->group, pid_settles, &s->settled);
	pids_sort(&s->settled);
}

struct sweep {
	const struct pids *settled;
	struct pids swept;
};

/* One that was ended is there a moment longer. */
static void
sweep_one(pid_t pid, void *arg)
{
	struct sweep *w = arg;

	if (!pids_has(w->settled, pid) && !pids_has(&w->swept, pid) && kill(pid, SIGKILL) == 0)
		pids_add(&w->swept, pid);
}

int
sandbox_sweep(struct sandbox *s, bool *clean_out)
{
	struct sweep w = {.settled = &s->settled};
	int swept;

	*clean_out = true;
	for (int i = 0; i < SWEEP_ROUNDS && s->settled.n > 0; i++) {	/* what was ended may have begun others before */
		(void)cgroup_each(&s->group, sweep_one, &w);
		*clean_out = w.swept.n == w.swept.sorted;
		if (*clean_out)
			break;
		pids_sort(&w.swept);
	}
	swept = w.swept.n;
	free(w.swept.v);
	return swept;
}

/* ---- life ---- */

static void
sandbox_free(struct sandbox *s)
{
	assert(s->magic == SANDBOX_MAGIC && s->child == NULL);
	if (s->spec.net != NULL)
		net_on_lost(s->spec.net, NULL, NULL);
	cgroup_close(&s->group);
	free(s->settled.v);
	if (s->word >= 0)
		close(s->word);
	if (s->heard >= 0)
		close(s->heard);
	s->magic = 0;
	free(s);
}

uid_t
sandbox_uid(void)
{
	enum { FIRST_UID = 700000, UIDS = 10000 };
	static uid_t next;

	return geteuid() == 0 ? FIRST_UID + next++ % UIDS : 0;
}

uid_t
sandbox_layer_uid(const char *root)
{
	struct stat st;

	return layers_shared && root != NULL && stat(root, &st) == 0 && st.st_uid != 0 ? st.st_uid : sandbox_uid();
}

int
sandbox_told(struct sandbox *s)
{
	char why[200];

	return layer_heard(s->heard, why);
}

/* As root: what it may write is its own. */
static bool
sandbox_own(const struct sandbox *s, const struct sandbox_spec *spec)
{
	for (int i = 0; s->uid != 0 && i < spec->n_mounts; i++)
		if (spec->mounts[i].writable && lchown(spec->mounts[i].from, s->uid, s->uid) != 0)
			return false;
	return true;
}

static bool
sandbox_layer(struct sandbox *s, int heard[2])
{
	const char *root = s->spec.root;
	uid_t owner = s->uid;
	struct stat st;

	if (s->uid != 0 && !layers_shared)
		owner = root != NULL && stat(root, &st) == 0 ? st.st_uid : 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, heard) != 0)
		return false;
	s->heard = heard[0];
	layer_init(&s->layer, root, s->spec.tmp, owner, s->uid, heard[1]);
	return true;
}

static bool
sandbox_launch(struct ctx *cx, struct sandbox *s, const struct sandbox_spec *spec)
{
	static const char *const no_env[] = {NULL};
	struct args a = {.arena = cx->arena};
	struct child_spec c = {.program = bwrap, .argv = a.v, .env = no_env, .n_fds = SANDBOX_FDS, .before = sandbox_enter, .output = sandbox_on_output,
		.end = sandbox_on_end, .arg = s};
	int word[2], heard[2] = {-1, -1}, frame = frame_open(cx, spec), filter;

	if (frame < 0)
		return false;
	if (pipe2(word, O_CLOEXEC | O_NONBLOCK) != 0) {	/* its end has come before it is read: nobody waits, whoever else may have the other end for a moment */
		close(frame);
		return false;
	}
	if (spec->layer && !sandbox_layer(s, heard)) {
		close(frame);
		close(word[0]);
		close(word[1]);
		return false;
	}
	args_make(&a, spec);
	c.fds[FRAME - FRAME] = frame;
	c.fds[WORD - FRAME] = word[1];
	c.fds[FILTER - FRAME] = filter = filter_open();
	c.group = s->group.group;
	s->word = word[0];
	s->child = child_start(&c);
	close(frame);
	close(word[1]);
	if (heard[1] >= 0)
		close(heard[1]);
	if (filter >= 0)
		close(filter);
	return s->child != NULL;
}

err_t
sandbox_start(struct ctx *cx, const struct sandbox_spec *spec, struct sandbox **out)
{
	const struct cgroup_limits limits = {spec->memory, spec->processes, spec->cpus};
	struct sandbox *s = calloc(1, sizeof *s);
	const char *unbounded;
	int unset;

	assert(bwrap != NULL && spec->argv[0] != NULL);
	if (s == NULL)
		abort();
	*s = (struct sandbox){.magic = SANDBOX_MAGIC, .spec = *spec, .word = -1, .heard = -1,
		.uid = spec->uid != 0 ? spec->uid : spec->layer ? sandbox_layer_uid(spec->root) : sandbox_uid()};
	cgroup_open(&s->group, spec->name, &limits);
	unbounded = cgroup_refusal(&s->group, sandbox_accepted, &unset);
	metric_add(M_exec_unbounded, unset > 0);
	if (unbounded != NULL) {
		sandbox_free(s);
		return fail(cx, ERR_SANDBOX, "name=%s error=\"its %s cannot be bounded: the kernel does not take the limit\"", spec->name, unbounded);
	}
	if (!sandbox_own(s, spec) || !sandbox_launch(cx, s, spec)) {
		int e = errno;

		sandbox_free(s);
		return fail(cx, ERR_SANDBOX, "name=%s error=\"%s\"", spec->name, strerror(e));
	}
	if (spec->net != NULL)
		net_on_lost(spec->net, sandbox_on_net_lost, s);
	if (spec->limit_ms > 0)
		s->limit = loop_after(spec->limit_ms, sandbox_on_limit, s);
	*out = s;
	return OK;
}

/* The word of badal-init; without one bubblewrap did not get so far, or all were killed at once. */
static struct sandbox_end
sandbox_judge(struct ctx *cx, struct sandbox *s)
{
	static const struct { const char *word; enum sandbox_why why; } words[] = {{"exit ", SANDBOX_EXIT}, {"signal ", SANDBOX_SIGNAL}, {"none ", SANDBOX_NO_COMMAND}};
	char word[WORD_MAX] = "";
	ssize_t n = read(s->word, word, sizeof word - 1);

	if (s->killed != SANDBOX_EXIT)
		return (struct sandbox_end){.why = s->killed};
	if (cgroup_out_of_memory(&s->group))
		return (struct sandbox_end){.why = SANDBOX_MEMORY};
	for (size_t i = 0; n > 0 && i < sizeof words / sizeof *words; i++)
		if (strncmp(word, words[i].word, strlen(words[i].word)) == 0)
			return (struct sandbox_end){words[i].why, atoi(word + strlen(words[i].word)), NULL};
	if (WIFSIGNALED(s->status))
		return (struct sandbox_end){.why = SANDBOX_SIGNAL, .number = WTERMSIG(s->status)};
	if (s->n_said == 0 && s->heard >= 0) {	/* bubblewrap was not begun, perhaps for this */
		char why[200];
		int told = layer_heard(s->heard, why);

		if (told >= 0)
			close(told);
		if (why[0] != '\0')
			return (struct sandbox_end){SANDBOX_BROKEN, WEXITSTATUS(s->status), arena_strdup(cx->arena, why)};
	}
	while (s->n_said > 0 && s->said[s->n_said - 1] == '\n')
		s->n_said--;
	return (struct sandbox_end){SANDBOX_BROKEN, WEXITSTATUS(s->status), str_dup(cx->arena, (struct str){s->said, s->n_said})};
}

err_t
sandbox_wait(struct ctx *cx, struct sandbox **sp, struct sandbox_end *out)
{
	struct sandbox *s = *sp;
	err_t e = fib_await(cx, &s->ended);

	*sp = NULL;
	if (e != OK) {
		sandbox_kill(s);
		fib_shield(cx, true);
		cx->deadline = 0;
		if (fib_await(cx, &s->ended) != OK)
			abort();	/* what is killed ends, and nothing else can end the wait */
		fib_shield(cx, false);
	}
	*out = sandbox_judge(cx, s);
	sandbox_free(s);
	return e;
}

const char *
sandbox_end_text(struct arena *a, const struct sandbox_spec *s, const struct sandbox_end *e)
{
	switch (e->why) {
	case SANDBOX_EXIT:
		return arena_printf(a, "ended with exit code %d", e->number);
	case SANDBOX_SIGNAL:
		return arena_printf(a, "ended by signal %d (%s)", e->number, strsignal(e->number));
	case SANDBOX_NO_COMMAND:
		return arena_printf(a, "could not be started: %s", strerror(e->number));
	case SANDBOX_TIME:
		return arena_printf(a, "ended after its time of %llu s", (unsigned long long)s->limit_ms / 1000);
	case SANDBOX_MEMORY:
		return arena_printf(a, "ended for want of memory: it may use %lld MiB", (long long)s->memory / (1024 * 1024));
	case SANDBOX_KILLED:
		return "was ended";
	case SANDBOX_BROKEN:
		return arena_printf(a, "no sandbox could be made: %s", e->said);
	}
	return "";
}

/* ---- layers ---- */

/* A root of nothing, with the machine's programs; its layer is written to, and something of the root taken away. NULL: it holds. */
static const char *
layers_try(struct ctx *cx)
{
	static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	static unsigned n;
	static const char *const argv[] = {"sh", "-c", "echo x >/new && rm -r /probe && mkdir /probe && echo x >/probe/new && rm -r /probe /new", NULL};
	const struct sandbox_spec spec = {.name = arena_printf(cx->arena, "layer-%d-%u", (int)getpid(), n++), .layer = true, .argv = argv, .env = env, .dir = "/tmp",
		.memory = 64 << 20, .tmp = 1 << 20, .file = 1 << 20, .processes = 24, .files = 64, .limit_ms = 15000};
	struct sandbox_end end;
	struct sandbox *s;

	if (sandbox_start(cx, &spec, &s) != OK || sandbox_wait(cx, &s, &end) != OK)
		return cx->detail != NULL ? cx->detail : "no sandbox can be started";
	if (end.why == SANDBOX_EXIT && end.number == 0)
		return NULL;
	return end.why == SANDBOX_BROKEN ? end.said : arena_printf(cx->arena, "what tries it %s", sandbox_end_text(cx->arena, &spec, &end));
}

const char *
sandbox_layers(struct ctx *cx, bool *shared_out)
{
	static bool tried;
	static char *wrong;
	const char *why;

	if (!tried) {
		why = layers_try(cx);
		if (why != NULL)	/* perhaps for a reason of the moment: what is found holds until the executor ends */
			why = layers_try(cx);
		if (why != NULL && geteuid() == 0) {
			layers_shared = true;
			why = layers_try(cx);
		}
		tried = true;
		wrong = why != NULL ? strdup(why) : NULL;
	}
	*shared_out = layers_shared;
	return wrong;
}
