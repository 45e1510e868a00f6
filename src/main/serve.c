/* The supervisor: starts embedded servers, migrates, forks the roles and watches them until it is told to stop.
 *
 * It runs no loop of libuv (each role makes its own after the fork) and opens no connection: it waits for signals and for the
 * roles' first words, so nothing that a request does can bring it down. What it starts ends with it, even when it is killed. */
#include "config.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/gen.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/bus.h"
#include "io/db.h"
#include "io/http.h"
#include "main_priv.h"
#include "model/seal.h"
#include "model/space.h"

enum {
	CHILDREN_MAX = 260, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 10000, STEADY_MS = 30000, TICK_MS = 50,
	PORT_PATIENCE_MS = 3000,	/* a killed run's listeners need a moment to go */
	DB_PATIENCE_MS = 60000, EMBED_READY_MS = 60000, EMBED_STOP_MS = 60000, FIRST_TRIES = 5,
	START_MS = 600000, VERB_MS = 24 * 3600 * 1000,	/* of migrations */
	BUS_PATIENCE_MS = 2000
};
#define SESSION_NICE_TEXT "-5"

struct child {
	const struct role *role;
	pid_t pid;		/* 0: not running */
	int ready_fd;		/* -1: it has answered, or is gone */
	bool ready;
	int64_t started, retry_at;
	unsigned fails;		/* in a row */
};

static struct args *args;
static struct place place;
static struct child children[CHILDREN_MAX];
static int n_children;
static struct embed *embeds[2];
static int64_t embed_retry_at[2];
static int n_embeds;
static int signal_fd = -1, port_holder = -1, order_fd = -1;
static bool stopping, hurry, announced;
static int exit_status;

static int64_t
serve_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the port ---- */

static int
bind_to(const struct addrinfo *ai, bool share)
{
	int on = 1, e, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (http_both_families(fd, ai) && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    (!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

/* The web processes share the port, so none of them would notice that somebody else listens there already: a socket that does not
 * share must get it first. With port 0 the kernel chooses, and the sharing socket that was given it keeps it ours. */
static bool
claim_port(void)
{
	struct addrinfo *ai;
	int64_t end = serve_now_ms() + PORT_PATIENCE_MS;
	int e = http_address(&ai), fd;

	if (e != 0) {
		log_error(NULL, "cannot listen", "address=%s port=%lld error=\"%s\"", conf.listen, (long long)conf.port, gai_strerror(e));
		return false;
	}
	while ((fd = bind_to(ai, conf.port == 0)) < 0 && errno == EADDRINUSE && serve_now_ms() < end)
		poll(NULL, 0, TICK_MS);
	if (fd < 0)
		log_error(NULL, "cannot listen", "address=%s port=%lld error=\"%s\"%s", conf.listen, (long long)conf.port, strerror(errno),
		    errno == EADDRINUSE ? " advice=\"end what listens there, or choose another with --port\"" :
		    errno == EACCES ? " advice=\"ports below 1024 are for root, or for CAP_NET_BIND_SERVICE\"" : "");
	freeaddrinfo(ai);
	if (fd >= 0 && conf.port == 0) {
		struct sockaddr_storage at;
		socklen_t n = sizeof at;
		char serv[16] = "0";

		if (getsockname(fd, (struct sockaddr *)&at, &n) == 0)
			(void)getnameinfo((struct sockaddr *)&at, n, NULL, 0, serv, sizeof serv, NI_NUMERICSERV);
		args_setting(args, "port", serv);
		port_holder = fd;
	} else if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

/* ---- signals ---- */

static void
reload(void)
{
	bool ok;

	notify_reloading();
	ok = args_conf(args, true);
	notify(ok ? "READY=1\nSTATUS=serving" : "READY=1\nSTATUS=serving; the changed configuration has a mistake and was not applied");
	if (!ok) {
		log_error(NULL, "configuration not applied", "reason=\"see the lines above\"");
		return;
	}
	log_init("badal", conf.log_level, conf.log_json);
	log_info(NULL, "configuration read again", "file=%s", args->file ? args->file : "");
	for (int i = 0; i < n_children; i++)
		if (children[i].pid > 0)
			kill(children[i].pid, SIGHUP);
}

static void
take_signals(void)
{
	struct signalfd_siginfo s;

	while (read(signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
		if (s.ssi_signo == SIGHUP && !stopping) {
			reload();
		} else if (s.ssi_signo == SIGTERM || s.ssi_signo == SIGINT) {
			hurry = stopping;
			if (!stopping)
				log_info(NULL, "stopping", "signal=%s", s.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
			stopping = true;
		}
	}
}

static bool
signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&set, ((const int[]){SIGTERM, SIGINT, SIGHUP, SIGCHLD})[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signal_fd < 0)
		log_error(NULL, "cannot watch signals", "error=\"%s\"", strerror(errno));
	return signal_fd >= 0;
}

/* ---- roles ---- */

static void
close_ours(void)
{
	close(signal_fd);
	launch_close();
	if (port_holder >= 0)
		close(port_holder);
	for (int i = 0; i < n_children; i++)
		if (children[i].ready_fd >= 0)
			close(children[i].ready_fd);
}

static void
child_start(struct child *c)
{
	int fds[2];

	c->started = serve_now_ms();
	c->retry_at = 0;
	c->ready = false;
	if (pipe2(fds, O_CLOEXEC) != 0) {
		log_error(NULL, "cannot start a role", "role=%s error=\"%s\"", c->role->name, strerror(errno));
		c->retry_at = serve_now_ms() + 1000;
		return;
	}
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0) {
		close(fds[0]);
		close_ours();
		role_main(c->role, (unsigned)(c - children) + 1, args, &place, fds[1]);
	}
	close(fds[1]);
	c->ready_fd = fds[0];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	if (c->pid < 0) {
		log_error(NULL, "cannot start a role", "role=%s error=\"%s\"", c->role->name, strerror(errno));
		close(fds[0]);
		c->pid = 0;
		c->ready_fd = -1;
		c->retry_at = serve_now_ms() + 1000;
	}
}

static int64_t
back_off(unsigned *fails, int64_t started)
{
	int64_t ms;

	if (serve_now_ms() - started > STEADY_MS)
		*fails = 0;
	ms = (int64_t)BACKOFF_FIRST_MS << (*fails > 7 ? 7 : *fails);
	++*fails;
	return ms > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : ms;
}

static void
child_ended(struct child *c, int status)
{
	int64_t wait;

	c->pid = 0;
	if (c->ready_fd >= 0)
		close(c->ready_fd);
	c->ready_fd = -1;
	if (stopping)
		return;
	/* A first start that cannot succeed says so; later, patience is better. */
	if (!announced && ((WIFEXITED(status) && WEXITSTATUS(status) == ROLE_CANNOT) || c->fails >= FIRST_TRIES)) {
		log_error(NULL, "a role cannot start", "role=%s", c->role->name);
		stopping = true;
		exit_status = 1;
		return;
	}
	wait = back_off(&c->fails, c->started);
	c->retry_at = serve_now_ms() + wait;
	metric_add(M_role_restarts, 1);
	log_warn(NULL, "a role ended", "role=%s %s=%d again_ms=%lld", c->role->name, WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)wait);
}

static void
embed_ended(int i, int status)
{
	struct embed *e = embeds[i];
	int64_t wait = back_off(&e->fails, e->started);

	e->pid = 0;
	e->state = EMBED_DOWN;
	embed_retry_at[i] = serve_now_ms() + wait;
	log_error(NULL, "an embedded server ended", "server=%s %s=%d again_ms=%lld", e->name, WIFSIGNALED(status) ? "signal" : "status",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (long long)wait);
	if (!WIFSIGNALED(status))
		embed_log_tail(e);
}

static void
serve_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (launch_ended(pid, status))
			continue;
		for (int i = 0; i < n_children; i++)
			if (children[i].pid == pid)
				child_ended(&children[i], status);
		for (int i = 0; i < n_embeds; i++)
			if (embeds[i]->pid == pid)
				embed_ended(i, status);
	}
}

static bool
serve_wanted(const char *name)
{
	char list[256], *rest = list, *one;

	snprintf(list, sizeof list, "%s", conf.roles);
	while ((one = strsep(&rest, ", ")) != NULL)
		if (strcmp(one, name) == 0)
			return true;
	return false;
}

static void
plan_roles(void)
{
	for (const struct role *r = roles; r->name != NULL; r++)
		for (unsigned n = role_processes(r); serve_wanted(r->name) && n > 0 && n_children < CHILDREN_MAX; n--)
			children[n_children++] = (struct child){.role = r, .ready_fd = -1};
	assert(n_children > 0);	/* settings.c lets no others in */
}

/* ---- the database ---- */

/* Awaits. One that is away comes back some time; one that can never be used is told of before anything begins. */
static err_t
usable_redis(struct ctx *cx)
{
	uint64_t end = loop_now() + BUS_PATIENCE_MS;
	err_t e = OK;

	bus_init();
	while (e == OK && !bus_up() && bus_refusal() == NULL && loop_now() < end)
		e = fib_sleep(cx, 20);
	bus_fini();
	return e == OK && bus_refusal() != NULL ? fail(cx, ERR_BUS, "%s", bus_refusal()) : e;
}

/* Who configured it may have no other; but they should know. */
static err_t
warn_of_superuser(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT current_user FROM pg_roles WHERE rolname = current_user AND rolsuper", DB0));
	if (db_rows(r) > 0)
		log_warn(NULL, "the database role that serves is a superuser", "role=%s advice=\"give db_url a role that only owns its database: badal doctor says how\"", db_cstr(r, 0, 0));
	return OK;
}

/* Whoever signs up first owns the console: that takes a token as long as nobody has. To the standard error, so it is no line of the log. */
static err_t
tell_signup_token(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT 1 FROM p_0.users LIMIT 1", DB0));
	if (db_rows(r) == 0 && serve_wanted("web"))
		fprintf(stderr, "The console has no user yet. Its first sign-up needs this token, unless it comes from this machine (or use `badal init`):\n"
		    "sign-up token %s\n", seal_signup_token(cx->arena));
	return OK;
}

/* What a start waits for: the platform's own migrations. The projects' are done when they are used, and in the background. */
static err_t
serve_prepare(struct ctx *cx, void *arg)
{
	(void)arg;
	TRY(db_migrate(cx, conf.sql_dir));
	TRY(warn_of_superuser(cx));
	TRY(tell_signup_token(cx));
	return *conf.redis_url != '\0' ? usable_redis(cx) : OK;
}

/* The verb: the projects, too, and those at once that have failed before. */
static err_t
migrate_all(struct ctx *cx, void *arg)
{
	struct space_report r;

	(void)arg;
	TRY(db_migrate(cx, conf.sql_dir));
	TRY(db_exec(cx, NULL, "UPDATE badal.projects SET stuck_at = NULL WHERE stuck_at IS NOT NULL", DB0));
	TRY(space_walk(cx, false));
	TRY(space_report(cx, &r));
	return r.behind == 0 ? OK : fail_msg(cx, ERR_PROJECT_STUCK, "%lld projects cannot be brought up to date: badal doctor names them.", (long long)r.behind);
}

static int
migrate_here(err_t (*what)(struct ctx *cx, void *arg), uint64_t timeout_ms)
{
	char why[1024];
	err_t e = with_loop(what, NULL, timeout_ms, why, sizeof why);

	if (e != OK)
		log_error(NULL, e == ERR_BUS ? "cannot use Redis" : "cannot migrate", "reason=\"%s\"", why);
	return e == OK ? 0 : e == ERR_DB_DOWN || e == ERR_DB_BUSY ? 3 : 1;
}

/* In a process of its own, so that the supervisor opens no connection; `db_url` NULL: as configured. Waits for an outside database that is not up yet. */
static bool
done_apart(err_t (*what)(struct ctx *cx, void *arg), const char *db_url)
{
	int64_t end = serve_now_ms() + DB_PATIENCE_MS;
	int status;
	pid_t pid, self = getpid();

	for (;;) {
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			close_ours();
			log_init("migrate", conf.log_level, conf.log_json);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (db_url != NULL)
				conf.db_url = db_url;
			exit(place_become(&place) && getppid() == self ? migrate_here(what, START_MS) : 1);
		}
		if (pid < 0)
			return false;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return true;
		take_signals();
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 3 || serve_now_ms() > end || stopping)
			return false;
		poll(NULL, 0, 500);
	}
}

static bool
embeds_postgres(void)
{
	for (int i = 0; i < n_embeds; i++)
		if (embeds[i] == &embed_postgres)
			return true;
	return false;
}

static bool
prepare_database(void)
{
	if (embeds_postgres() && !done_apart(embed_roles, place_db_url(&place, ROLE_OWNER)))
		return false;
	return done_apart(serve_prepare, NULL);
}

int
migrate_run(struct args *a)
{
	if (!place_find(&place) || !place_served(&place) || !place_settings(&place, a, false) || !args_conf(a, false))
		return 1;
	return migrate_here(migrate_all, VERB_MS) == 0 ? 0 : 1;
}

/* ---- the life ---- */

static bool
start_embedded(void)
{
	if (*conf.redis_url == '\0')
		embeds[n_embeds++] = &embed_redis;
	if (*conf.db_url == '\0')
		embeds[n_embeds++] = &embed_postgres;
	for (int i = 0; i < n_embeds; i++)
		if (!embed_start(embeds[i], &place))
			return false;
	for (int i = 0; i < n_embeds; i++)
		if (!embed_wait(embeds[i], &place, EMBED_READY_MS))
			return false;
	take_signals();
	return !stopping;
}

void
serve_endpoint(char *out, size_t size)
{
	bool any = *conf.listen == '\0' || strcmp(conf.listen, "*") == 0 || strcmp(conf.listen, "0.0.0.0") == 0 || strcmp(conf.listen, "::") == 0;
	const char *host = any ? "127.0.0.1" : conf.listen;

	snprintf(out, size, "%s://%s%s%s:%lld/v1", *conf.tls_cert ? "https" : "http", strchr(host, ':') ? "[" : "", host, strchr(host, ':') ? "]" : "",
	    (long long)conf.port);
}

/* For the verbs beside us, which do not know our settings. Of no matter when it fails. */
static void
leave_endpoint(const char *text)
{
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof path, "%s/endpoint", place.sockets);
	place_unlink(path);
	fd = place_open(path, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || (place.root && fchown(fd, place.uid, place.gid) != 0))
		log_warn(NULL, "cannot leave the endpoint for others", "path=%s error=\"%s\"", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void
serve_announce(void)
{
	char at[400];

	announced = true;
	serve_endpoint(at, sizeof at);
	if (serve_wanted("web")) {
		leave_endpoint(at);
		printf("ready %s\n", at);
	} else {
		printf("ready\n");
	}
	fflush(stdout);
	if (conf.dev)
		log_warn(NULL, "development: mails and short messages are not sent but shown to this machine", "at=%.*s/dev/messages", (int)strlen(at) - 3, at);
	notify("READY=1\nSTATUS=serving");
	log_info(NULL, "ready", "port=%lld roles=%s processes=%d", (long long)conf.port, conf.roles, n_children);
}

static void
hear(void)
{
	bool all = true;
	char byte;

	for (int i = 0; i < n_children; i++) {
		struct child *c = &children[i];

		if (c->ready_fd >= 0 && read(c->ready_fd, &byte, 1) == 1) {
			close(c->ready_fd);
			c->ready_fd = -1;
			c->ready = true;
			log_debug(NULL, "a role answers", "role=%s pid=%d ms=%lld", c->role->name, (int)c->pid, (long long)(serve_now_ms() - c->started));
		}
		all = all && c->ready;
	}
	if (all && !announced && !stopping)
		serve_announce();
}

/* What is due: restarts, and servers that are coming up. True while more is due soon. */
static bool
tend(void)
{
	int64_t now = serve_now_ms();
	bool busy = false;

	for (int i = 0; i < n_embeds; i++) {
		struct embed *e = embeds[i];

		if (e->state == EMBED_STARTING && e->ready(e, &place)) {
			e->state = EMBED_UP;
			log_info(NULL, "an embedded server is back", "server=%s", e->name);
		}
		if (e->state == EMBED_DOWN && now >= embed_retry_at[i] && !embed_start(e, &place))
			embed_retry_at[i] = now + back_off(&e->fails, now);
		busy = busy || e->state != EMBED_UP;
	}
	for (int i = 0; i < n_children; i++) {
		if (children[i].pid == 0 && now >= children[i].retry_at)
			child_start(&children[i]);
		busy = busy || children[i].pid == 0;
	}
	return busy;
}

/* How many workers a role may have; one of each kind more, since one that was killed is alive for a moment. */
static int
workers_each(void)
{
	return (int)(conf.picture_workers + conf.offload_password_threads + conf.offload_password_slow_threads) + 3;
}

static void
serve_watch(void)
{
	struct pollfd fds[CHILDREN_MAX + 2];

	while (!stopping) {
		int n = 0, beat = announced ? notify_interval_ms() : -1;
		bool busy = tend();

		fds[n++] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = order_fd, .events = POLLIN};
		for (int i = 0; i < n_children; i++)
			if (children[i].ready_fd >= 0)
				fds[n++] = (struct pollfd){.fd = children[i].ready_fd, .events = POLLIN};
		if (poll(fds, (nfds_t)n, busy ? TICK_MS : beat) < 0 && errno != EINTR)
			break;
		if (beat > 0)
			notify("WATCHDOG=1");
		hear();		/* before the dead are buried: a last word counts */
		take_signals();
		serve_reap();
		if (order_fd >= 0)
			launch_orders(&place, n_children * workers_each());
	}
}

/* Orders these roles to end and waits for them; who takes too long is killed. */
static void
serve_drain(bool last)
{
	int64_t end = serve_now_ms() + conf.drain_timeout + 5000;
	bool killed = false;

	for (int i = 0; i < n_children; i++)
		if (children[i].pid > 0 && children[i].role->last == last)
			kill(children[i].pid, SIGTERM);
	for (;;) {
		struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
		int alive = 0;

		serve_reap();
		for (int i = 0; i < n_children; i++)
			alive += children[i].pid > 0 && children[i].role->last == last;
		if (alive == 0)
			return;
		if ((serve_now_ms() > end || hurry) && !killed) {
			log_warn(NULL, "roles do not end in time", "roles=%d", alive);
			for (int i = 0; i < n_children; i++)
				if (children[i].pid > 0 && children[i].role->last == last)
					kill(children[i].pid, SIGKILL);
			killed = true;
		}
		poll(&fd, 1, TICK_MS * 4);
		take_signals();
	}
}

static void
stop_all(void)
{
	stopping = true;
	notify("STOPPING=1");
	serve_drain(false);
	serve_drain(true);
	launch_stop();
	for (int i = n_embeds - 1; i >= 0; i--)
		if (!embed_stop(embeds[i], hurry ? 2000 : EMBED_STOP_MS))
			exit_status = 1;
}

/* While we still may: the roles drop the rights to read them. */
static bool
read_migrations(void)
{
	struct ctx cx;
	err_t e;

	ctx_init(&cx);
	e = db_migrate_load(&cx);
	if (e != OK)
		log_error(NULL, "cannot read the migrations", "reason=\"%s\"", cx.detail ? cx.detail : err_info(e)->message);
	ctx_fini(&cx);
	return e == OK;
}

/* Another supervisor looks after the data directory, or another machine does: no database is used. */
static bool
start_executor_alone(void)
{
	if (!place_settings(&place, args, false) || !args_conf(args, false))
		return false;
	gen_init();
	metric_init((unsigned)n_children + 1);
	metric_slot(0);
	return true;
}

/* Cores are shared among sessions first. In ours are the loops, which many wait for; each backend of PostgreSQL, and each sandbox, leads one of its own. In a
 * session that somebody else leads (a shell's) we are guests. */
static void
go_before_others(void)
{
	if (getsid(0) == getpid())
		launch_write("/proc/self/autogroup", SESSION_NICE_TEXT);
}

static bool
start_all(void)
{
	prctl(PR_SET_NAME, "badal");
	if (!signals_open() || !place_find(&place) || (!exec_role_alone() && !read_migrations()))
		return false;
	plan_roles();
	if (exec_role_alone())
		return start_executor_alone();
	if (serve_wanted("web") && !claim_port())
		return false;
	if (!place_make(&place) || !place_settings(&place, args, true) || !start_embedded() || !args_conf(args, false))
		return false;
	if (!prepare_database() || (order_fd = launch_open()) < 0)
		return false;
	gen_init();
	metric_init((unsigned)n_children + 1);
	metric_slot(0);
	return true;
}

int
serve_run(struct args *a)
{
	args = a;
	if (conf.dev && strcmp(conf.listen, "::") == 0)
		args_setting(a, "listen", "127.0.0.1");
	if (!args_conf(a, false))
		return EXIT_USAGE;
	go_before_others();
	if (start_all())
		serve_watch();
	else
		exit_status = stopping ? 0 : 1;
	stop_all();
	log_info(NULL, "stopped", "status=%d", exit_status);
	return exit_status;
}
