/* The executor's life: it tries whether sandboxes can be made, listens, says once a second in Redis that it is there, and ends with what runs in it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "exec/check.h"
#include "exec_priv.h"
#include "io/bus.h"
#include "io/http.h"

enum { TICK_MS = 1000, DRAIN_TICK_MS = 20, LAST_MS = 2000, BACKLOG = 4096 };

static struct {
	const char *dir, *name, *local, *address, *why;
	bool announced, draining;
	uint64_t drain_end;
} me = {.why = ""};

/* ---- sockets ---- */

static int
listen_local(const char *path, uid_t uid, gid_t gid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof a.sun_path) {
		log_error(NULL, "the path of the executor's socket is too long: set executor_dir", "path=%s", path);
		close(fd);
		return -1;
	}
	strcpy(a.sun_path, path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || chmod(path, 0600) != 0 || (geteuid() == 0 && chown(path, uid, gid) != 0) || listen(fd, BACKLOG) != 0) {
		log_error(NULL, "the executor cannot listen", "path=%s error=\"%s\"", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* ---- being there ---- */

static void
role_announcement(struct buf *b)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct exec_announcement n = {.name = me.name, .local = me.local, .address = me.address, .tls = *conf.executor_tls_cert != '\0', .why = me.why};
	struct buf warm, kept;
	int n_runtimes;
	union {
		const struct exec_runtime *in;
		struct exec_runtime *out;
	} v = {.in = runtimes_public(&n_runtimes)};	/* it is only read */

	buf_init(&warm, NULL, 256);
	functions_warm(&warm);
	n.busy = (int64_t)functions_busy() * 100 / (cores > 0 ? cores : 1);
	n.runtimes = v.out;
	n.n_runtimes = n_runtimes;
	n.warm = buf_view(&warm);
	buf_init(&kept, NULL, 256);
	functions_kept(&kept);
	n.kept = buf_view(&kept);
	n.room = functions_keep_room();
	n.browsers = page_browsers();
	exec_announcement_put(b, &n);
	buf_fini(&warm);
	buf_fini(&kept);
}

err_t
role_announce(struct ctx *cx)
{
	const char *key = arena_printf(cx->arena, "%s:%s", EXEC_ANNOUNCED, me.name);
	struct bus_reply *r;
	struct buf b;

	buf_init(&b, cx->arena, 1024);
	role_announcement(&b);
	TRY(bus_cmd(cx, &r, BUS(STR("SET"), str_c(key), buf_view(&b), STR("PX"), bus_number(cx, EXEC_ALIVE_MS))));
	TRY(bus_cmd(cx, &r, BUS(STR("SADD"), STR(EXEC_ANNOUNCED), str_c(me.name))));
	me.announced = true;
	return OK;
}

static void
role_withdraw(void)
{
	char key[128];

	snprintf(key, sizeof key, "%s:%s", EXEC_ANNOUNCED, me.name);
	(void)bus_post(BUS(STR("DEL"), str_c(key)));	/* else it expires */
}

static void
role_tick(struct ctx *cx, void *arg)
{
	(void)arg;
	if (!me.draining && role_announce(cx) != OK && me.announced)
		log_warn(cx, "the executor cannot say that it is there", "reason=\"%s\"", cx->detail != NULL ? cx->detail : "");
}

static void
role_on_tick(void *arg)
{
	(void)arg;
	functions_tick();
	ready_tick();
	fib_spawn_new("announce", TICK_MS * 2, role_tick, NULL);
}

static void
role_begin(struct ctx *cx, void *arg)
{
	const char *runtimes = arena_printf(cx->arena, "%s/runtimes", me.dir), *why = "", *missing, *refusal, *no_network = NULL;
	struct net_settings net = net_configured(me.dir);

	(void)arg;
	missing = sandbox_setup(me.dir, NULL, &why);
	if (missing != NULL && missing[0] != '\0')
		log_warn(cx, "sandboxes are not bounded in everything", "missing=\"%s\" advice=\"run the executor as badal-executor.service, or see doc/sandboxes.md\"", missing);
	if (missing != NULL && net_setup(cx, &net, &no_network) == NULL)
		log_warn(cx, "functions reach no network", "reason=\"%s\"", no_network);
	if (missing != NULL && (refusal = sandbox_refusal(cx->arena, missing, no_network)) != NULL) {
		missing = NULL;
		why = refusal;
	}
	if (missing == NULL || !tree_make(runtimes, 0) || !runtimes_read(cx, runtimes, &why)) {
		me.why = mem_strdup(why != NULL && *why != '\0' ? why : "its directory cannot be written to");
		log_error(cx, "functions are off: no sandbox can be made", "reason=\"%s\" advice=\"badal doctor says more\"", me.why);
	}
	while (role_announce(cx) != OK)
		if (fib_sleep(cx, 50) != OK)
			return;
	ready_tick();
	loop_every(TICK_MS, role_on_tick, NULL);
}

/* What a former run left goes, but for images, and for what it remembers of this machine (netd_space.c); who used it is dead, for sandboxes end with their executor. */
static bool
role_place(const char *dir)
{
	char path[4096 + 256];
	const struct dirent *e;
	struct stat st;
	DIR *d;

	if ((mkdir(dir, 0755) != 0 && errno != EEXIST) || lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || chmod(dir, 0755) != 0 ||
	    (d = opendir(dir)) == NULL)
		return false;
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, "images") != 0 && strcmp(e->d_name, "forwarding") != 0 && unlink(path) != 0)
			tree_leave(path);
	}
	closedir(d);
	return true;
}

bool
executor_init(const char *dir, uid_t uid, gid_t gid, const char *key)
{
	struct ctx cx;
	int fd;

	ctx_init(&cx);		/* its arena stays, as the strings do */
	me.dir = arena_strdup(cx.arena, dir);
	me.name = id_unique(cx.arena);
	me.local = arena_printf(cx.arena, "%s/executor.sock", dir);
	me.address = conf.executor_listen;
	if (!role_place(dir)) {
		log_error(NULL, "the executor's directory cannot be used", "path=%s error=\"%s\"", dir, strerror(errno));
		return false;
	}
	code_init(me.dir);
	build_init(me.dir);
	page_init();
	instances_init(me.dir);
	far_init(key, me.address, me.name);
	if (!http_open(&executor_http, NULL) || (fd = listen_local(me.local, uid, gid)) < 0 || !http_listen_on(fd, false))
		return false;
	if (*conf.executor_listen != '\0' && !far_listen(conf.executor_listen))
		return false;
	fib_spawn_new("begin", 0, role_begin, NULL);
	return true;
}

bool
executor_up(void)
{
	return me.announced;
}

/* ---- the end ---- */

static void
role_drain_more(void *arg)
{
	static bool ended;

	(void)arg;
	if ((serve_busy() > 0 || http_unsent_answers() > 0) && loop_now() < me.drain_end)
		return;
	if (!ended) {
		ended = true;
		functions_end();
		ready_end();
	}
	if ((instances_alive == 0 && serve_busy() == 0 && http_unsent_answers() == 0) || loop_now() > me.drain_end + LAST_MS)	/* who was ended is still told so */
		loop_stop();
}

void
executor_drain(void)
{
	me.draining = true;
	me.drain_end = loop_now() + (uint64_t)conf.drain_timeout;
	role_withdraw();
	http_drain();
	loop_every(DRAIN_TICK_MS, role_drain_more, NULL);
}

void
executor_fini(void)
{
	http_fini();
	ready_end();
	net_fini();
	unlink(me.local);
}
