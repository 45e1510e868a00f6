/* What the service manager hears (sd_notify(3)): a datagram to the socket that $NOTIFY_SOCKET names. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "main_priv.h"

void
notify(const char *state)
{
	const char *to = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = to != NULL ? strlen(to) : 0;
	int fd;

	if (n < 2 || n >= sizeof a.sun_path || (to[0] != '/' && to[0] != '@'))
		return;
	memcpy(a.sun_path, to, n);
	if (to[0] == '@')	/* of the abstract namespace */
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warn(NULL, "the service manager does not hear", "socket=%s", to);
	if (fd >= 0)
		close(fd);
}

void
notify_reloading(void)
{
	struct timespec t;
	char text[80];

	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	notify(text);
}

int
notify_interval_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long v = usec != NULL ? atoll(usec) : 0;

	if (v <= 0 || (pid != NULL && atoll(pid) != (long long)getpid()))
		return -1;
	return v / 2000 > INT32_MAX ? -1 : v < 2000 ? 1 : (int)(v / 2000);	/* twice as often as it must be */
}
