/* How long a process keeps its loop: preloaded, it measures the CPU time of its thread from one epoll_wait of the loop to the next. CPU time, since the
 * clock on the wall counts what others do with the core. Works with any build of the program.
 *
 *   cc -shared -fPIC -O2 -o turns.so turns.c && TURNS=/some/dir LD_PRELOAD=./turns.so badal serve …
 *
 * $TURNS/<pid> is `seen`, 64-bit numbers, mapped: who reads may also set them to zero. With TURNS_STACKS=<ms>, $TURNS/<pid>.stacks says where a
 * turn was that had taken so much CPU time, and each further millisecond: frames as program(+offset), for addr2line. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
enum { LOOP_EVENTS = 512 };	/* the loop takes so many at least; who takes few looks at a set of its own within a turn */

static struct {
	volatile uint64_t longest, over;	/* ns; turns over 5 ms */
	volatile uint64_t over_two, turns;	/* turns over 2 ms; all */
	volatile uint64_t longest_wall;		/* ns, by the clock on the wall: without a core, or blocked, counts too */
} *seen;
static pid_t owner;
static __thread uint64_t since, since_wall;

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t
cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- where long turns are ---- */

enum { FRAMES = 48 };

static uint64_t stacks_after;	/* ns; 0: nobody asks */
static int stacks_fd = -1;
static timer_t alarm_clock;	/* of the wall, since those of CPU time tick every few milliseconds */

static void
alarm_in(uint64_t ns)
{
	struct itimerspec t = {.it_value = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)}};

	if (stacks_fd >= 0 && gettid() == owner)
		timer_settime(alarm_clock, 0, &t, NULL);
}

static void
on_alarm(int signo)
{
	uint64_t used = since != 0 ? cpu_ns() - since : 0;
	void *frames[FRAMES];
	char line[64];
	int n;

	(void)signo;
	if (since == 0)
		return;
	if (used < stacks_after) {
		alarm_in(stacks_after - used + 1000);
		return;
	}
	n = snprintf(line, sizeof line, "-- %llu us\n", (unsigned long long)(used / 1000));
	(void)!write(stacks_fd, line, (size_t)n);
	backtrace_symbols_fd(frames, backtrace(frames, FRAMES), stacks_fd);
	alarm_in(MS);
}

static void
alarm_make(const char *path)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMAX - 3};
	struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	const char *after = getenv("TURNS_STACKS");
	char name[600];
	void *frames[2];

	stacks_fd = -1;
	if (after == NULL)
		return;
	stacks_after = (uint64_t)(atof(after) * 1e6);
	ev._sigev_un._tid = gettid();
	(void)backtrace(frames, 2);	/* loads what it needs */
	sigaction(SIGRTMAX - 3, &act, NULL);
	snprintf(name, sizeof name, "%s.stacks", path);
	if (timer_create(CLOCK_MONOTONIC, &ev, &alarm_clock) == 0)
		stacks_fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static void
map_file(void)
{
	char path[512];
	void *p;
	int fd;

	owner = getpid();
	seen = NULL;
	if (getenv("TURNS") == NULL)
		return;
	snprintf(path, sizeof path, "%s/%d", getenv("TURNS"), (int)owner);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, sizeof *seen) != 0)
		return;
	p = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		seen = p;
	alarm_make(path);
}

static void
turn_ends(void)
{
	uint64_t ns = since != 0 ? cpu_ns() - since : 0, wall = since != 0 ? clock_ns(CLOCK_MONOTONIC) - since_wall : 0;
	bool loop = since != 0;

	since = 0;
	if (owner != getpid())
		map_file();
	if (seen == NULL || !loop)
		return;
	alarm_in(0);
	seen->turns++;
	if (ns > seen->longest)
		seen->longest = ns;
	if (wall > seen->longest_wall)
		seen->longest_wall = wall;
	seen->over += ns > 5 * MS;
	seen->over_two += ns > 2 * MS;
}

static void
turn_begins(void)
{
	since_wall = clock_ns(CLOCK_MONOTONIC);
	since = cpu_ns();
	alarm_in(stacks_after);
}

int
epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
	static int (*next)(int, struct epoll_event *, int, int);
	int r;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "epoll_wait");
	if (n < LOOP_EVENTS)
		return next(fd, events, n, timeout);
	turn_ends();
	r = next(fd, events, n, timeout);
	turn_begins();
	return r;
}

int
epoll_pwait(int fd, struct epoll_event *events, int n, int timeout, const sigset_t *set)
{
	static int (*next)(int, struct epoll_event *, int, int, const sigset_t *);
	int r;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "epoll_pwait");
	if (n < LOOP_EVENTS)
		return next(fd, events, n, timeout, set);
	turn_ends();
	r = next(fd, events, n, timeout, set);
	turn_begins();
	return r;
}
