/* Private PostgreSQL and Redis for tests. */
#include "servers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/str.h"

enum { READY_MAX = 180, SERVERS_MAX = 16 };	/* READY_MAX: seconds */

struct server {
	bool pg;
	int port;		/* of a Redis in cluster mode, which wants one; 0: none */
	pid_t pid;		/* 0: not running */
	char dir[64], url[256];
};

static struct server *servers[SERVERS_MAX];
static int n_servers;

static _Noreturn void
die(const char *what, const char *detail)
{
	fprintf(stderr, "servers: %s: %s\n", what, detail);
	abort();
}

/* The user that PostgreSQL runs as when we are root. */
static const struct passwd *
nobody(void)
{
	const struct passwd *pw = getpwnam("postgres");

	if (pw == NULL)
		pw = getpwnam("nobody");
	if (pw == NULL)
		die("no user", "postgres, nobody");
	return pw;
}

/* Where Debian keeps what is not on the path. */
static const char *
pg_bin(const char *name)
{
	static char path[512];
	glob_t g;
	char pattern[128];

	snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
	if (glob(pattern, 0, NULL, &g) == 0) {
		snprintf(path, sizeof path, "%s", g.gl_pathv[g.gl_pathc - 1]);
		globfree(&g);
		return path;
	}
	return name;
}

static pid_t
spawn(struct server *s, const char *const *argv)
{
	pid_t parent = getpid(), pid;
	const struct passwd *pw = getuid() == 0 ? nobody() : NULL;
	char log[128];
	int fd;

	snprintf(log, sizeof log, "%s/log", s->dir);
	pid = fork();
	if (pid < 0)
		die("fork", argv[0]);
	if (pid > 0)
		return pid;
	if (s->pg && pw != NULL && (setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, s->pg ? SIGQUIT : SIGKILL);
	if (getppid() != parent)
		_exit(126);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	if (chdir(s->dir) != 0)
		_exit(126);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static struct server *
server_new(bool pg)
{
	struct server *s = mem_zalloc(sizeof *s);
	const char *tmp = getenv("TMPDIR");

	s->pg = pg;
	snprintf(s->dir, sizeof s->dir, "%s/badal-t-XXXXXX", tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
	if (mkdtemp(s->dir) == NULL || n_servers == SERVERS_MAX)
		die("mkdtemp", s->dir);
	if (pg && getuid() == 0 && chown(s->dir, nobody()->pw_uid, nobody()->pw_gid) != 0)
		die("chown", s->dir);
	if (pg)
		snprintf(s->url, sizeof s->url, "host=%s port=5432 user=postgres dbname=postgres", s->dir);
	else
		snprintf(s->url, sizeof s->url, "unix://%s/s", s->dir);
	servers[n_servers++] = s;
	return s;
}

static bool
ready(const struct server *s)
{
	redisContext *c;
	redisReply *r;
	bool ok;

	if (s->pg)
		return PQping(s->url) == PQPING_OK;
	c = redisConnectUnixWithTimeout(s->url + strlen("unix://"), (struct timeval){.tv_sec = 5});
	r = c != NULL && c->err == 0 ? redisCommand(c, "PING") : NULL;
	ok = r != NULL && r->type == REDIS_REPLY_STATUS;
	freeReplyObject(r);
	redisFree(c);
	return ok;
}

static void
launch(struct server *s)
{
	char data[80], sockets[96], port[12];

	snprintf(port, sizeof port, "%d", s->port);
	snprintf(data, sizeof data, "%s/data", s->dir);
	snprintf(sockets, sizeof sockets, "unix_socket_directories=%s", s->dir);
	if (s->pg)
		s->pid = spawn(s, (const char *const[]){pg_bin("postgres"), "-D", data, "-c", sockets, "-c", "listen_addresses=",
		    "-c", "port=5432", "-c", "wal_level=logical", "-c", "shared_buffers=16MB", "-c", "max_connections=40", "-c",
		    "wal_sender_timeout=30s", "-c", "autovacuum=off", NULL});
	else if (s->port != 0)
		s->pid = spawn(s, (const char *const[]){"redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket",
		    s->url + strlen("unix://"), "--dir", s->dir, "--cluster-enabled", "yes", "--appendonly", "yes", "--save", "", NULL});
	else	/* "everysec" puts writes off while the disk is slow, and a kill takes what was answered: that is for server_tear to do */
		s->pid = spawn(s, (const char *const[]){"redis-server", "--port", "0", "--unixsocket", s->url + strlen("unix://"), "--dir",
		    s->dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "", NULL});
}

/* A killed postmaster leaves children that hold its shared memory for a moment: starting may take some tries. */
void
server_start(struct server *s)
{
	if (s->pid == 0)
		launch(s);
	for (int i = 0; i < READY_MAX * 50; i++) {
		if (ready(s))
			return;
		usleep(20000);
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
			launch(s);
	}
	die("not ready in time", s->dir);
}

struct server *
server_pg(void)
{
	struct server *s = server_new(true);
	/* initdb takes a second of processor time; a copy of what it made for somebody else, a twentieth */
	static const char script[] =
	    "if [ -d \"$1\" ] && [ -O \"$1\" ]; then exec cp -a --reflink=auto \"$1\" \"$2\"; fi; "
	    "\"$3\" -D \"$2\" -U postgres -A trust -E UTF8 --locale=C -N || exit 1; "
	    "cp -a \"$2\" \"$1.$$\" && mv -T \"$1.$$\" \"$1\" || rm -rf \"$1.$$\"";
	const char *tmp = getenv("TMPDIR"), *initdb = pg_bin("initdb");
	char data[80], seed[128];
	int status;
	pid_t pid;

	snprintf(data, sizeof data, "%s/data", s->dir);
	snprintf(seed, sizeof seed, "%s/badal-seed-module-%zx", tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp", (size_t)str_hash_stable(str_c(initdb)));
	pid = spawn(s, (const char *const[]){"sh", "-c", script, "seed", seed, data, initdb, NULL});
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("initdb failed", s->dir);
	server_start(s);
	return s;
}

struct server *
server_redis(void)
{
	struct server *s = server_new(false);

	server_start(s);
	return s;
}

/* One whose bus, 10000 higher, is free as well, as far as can be told. */
static int
free_port(void)
{
	for (;;) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t len = sizeof a;
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &len) != 0)
			die("no port", "");
		close(fd);
		if (ntohs(a.sin_port) < 55000)
			return ntohs(a.sin_port);
	}
}

static bool
says(const struct server *s, const char *wanted, const char *command)
{
	redisContext *c = redisConnectUnix(s->url + strlen("unix://"));
	redisReply *r = NULL;
	bool ok;

	redisAppendFormattedCommand(c, command, strlen(command));	/* an inline command */
	(void)redisGetReply(c, (void **)&r);
	ok = r != NULL && r->str != NULL && strstr(r->str, wanted) != NULL;
	freeReplyObject(r);
	redisFree(c);
	return ok;
}

struct server *
server_redis_cluster(void)
{
	struct server *s = server_new(false);

	s->port = free_port();
	server_start(s);
	if (!says(s, "OK", "CLUSTER ADDSLOTSRANGE 0 16383\r\n"))
		die("no slots", s->dir);
	for (int i = 0; !says(s, "cluster_state:ok", "CLUSTER INFO\r\n"); i++) {
		if (i == READY_MAX * 50)
			die("the cluster is not ready", s->dir);
		usleep(20000);
	}
	return s;
}

const char *
server_url(const struct server *s)
{
	return s->url;
}

static void
end(struct server *s, int signo)
{
	if (s->pid == 0)
		return;
	kill(s->pid, SIGCONT);
	kill(s->pid, signo);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void
server_stop(struct server *s)
{
	end(s, s->pg ? SIGINT : SIGTERM);
}

/* True when no such process runs; one that only waits to be reaped counts as ended. */
static bool
ended(long pid)
{
	char path[48], state = 'Z';
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return true;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'Z';	/* it went while we read */
	fclose(f);
	return state == 'Z' || state == 'X';
}

/* Backends outlive a postmaster by the moment in which they notice, and answer meanwhile: all go, and all are waited for. The
 * postmaster stands still first, so that it starts none behind our back. */
void
server_kill(struct server *s)
{
	char path[64];
	long child[256];
	int n = 0;
	FILE *f;

	kill(s->pid, SIGSTOP);
	snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)s->pid, (long)s->pid);
	f = fopen(path, "r");
	while (f != NULL && n < 256 && fscanf(f, "%ld", &child[n]) == 1)
		n++;
	if (f != NULL)
		fclose(f);
	for (int i = 0; i < n; i++)
		kill((pid_t)child[i], SIGKILL);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
	for (int i = 0; i < n; i++)
		for (int tries = 0; !ended(child[i]); tries++) {
			if (tries == READY_MAX * 200)
				die("a killed backend does not end", s->dir);
			usleep(5000);
		}
}

void
server_tear(struct server *s, long bytes)
{
	struct stat st;
	char pattern[96];
	glob_t g;

	snprintf(pattern, sizeof pattern, "%s/append*/*.incr.aof", s->dir);
	if (glob(pattern, 0, NULL, &g) != 0)
		die("no append-only file", s->dir);
	if (stat(g.gl_pathv[0], &st) != 0 || truncate(g.gl_pathv[0], st.st_size > bytes ? st.st_size - bytes : 0) != 0)
		die("truncate", g.gl_pathv[0]);
	globfree(&g);
}

void
server_freeze(struct server *s, bool on)
{
	kill(s->pid, on ? SIGSTOP : SIGCONT);
}

static void
remove_dir(const char *dir)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

void
servers_clean(void)
{
	while (n_servers > 0) {
		struct server *s = servers[--n_servers];

		end(s, s->pg ? SIGQUIT : SIGKILL);
		remove_dir(s->dir);
		free(s);
	}
}
