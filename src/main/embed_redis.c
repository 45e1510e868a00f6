/* The embedded Redis: append-only file, one fsync a second, no port, nothing ever evicted. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/log.h"
#include "main_priv.h"

static char program[PATH_MAX];

static bool
embed_redis_prepare(struct embed *e, const struct place *p)
{
	if (program[0] == '\0' && program_find("redis-server", program) == NULL) {
		log_error(NULL, "redis-server is not installed", "advice=\"apt-get install redis-server, or set redis_url\"");
		program[0] = '\0';
		return false;
	}
	return place_own(p, e->dir, 0700);
}

static void
embed_redis_exec(struct embed *e, const struct place *p)
{
	char sock[PATH_MAX + 32];
	char *argv[] = {program, (char[]){"--port"}, (char[]){"0"}, (char[]){"--unixsocket"}, sock, (char[]){"--unixsocketperm"}, (char[]){"700"},
	    (char[]){"--dir"}, e->dir, (char[]){"--daemonize"}, (char[]){"no"}, (char[]){"--save"}, (char[]){""}, (char[]){"--appendonly"},
	    (char[]){"yes"}, (char[]){"--appendfsync"}, (char[]){"everysec"}, (char[]){"--aof-load-truncated"}, (char[]){"yes"},
	    (char[]){"--maxmemory-policy"}, (char[]){"noeviction"}, (char[]){"--set-proc-title"}, (char[]){"no"}, NULL};

	snprintf(sock, sizeof sock, "%s/redis.sock", p->sockets);
	execv(program, argv);
}

static bool
embed_redis_ready(struct embed *e, const struct place *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval soon = {.tv_usec = 200000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[8] = "";
	bool ok;

	(void)e;
	snprintf(a.sun_path, sizeof a.sun_path, "%.90s/redis.sock", p->sockets);
	ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0 &&
	    send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 && recv(fd, answer, sizeof answer - 1, 0) > 4 && strncmp(answer, "+PONG", 5) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

struct embed embed_redis = {
    .name = "redis", .process = "redis-server", .stop_signal = SIGTERM, .prepare = embed_redis_prepare, .exec = embed_redis_exec, .ready = embed_redis_ready};
