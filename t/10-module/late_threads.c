/* Preloaded: each thread stays for a while after its work, and a fork while there is one is the end: whatever lock that thread held would be held for
 * ever in the new process. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { LATE_US = 300 * 1000 };

struct start {
	void *(*run)(void *);
	void *arg;
};

static atomic_int running;

static void *
late(void *arg)
{
	struct start s = *(struct start *)arg;
	void *result;

	free(arg);
	result = s.run(s.arg);
	usleep(LATE_US);
	running--;
	return result;
}

int
pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	struct start *s = malloc(sizeof *s);

	*(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
	*s = (struct start){run, arg};
	running++;
	return create(t, attr, late, s);
}

pid_t
fork(void)
{
	pid_t (*real)(void);

	if (running > 0)
		abort();
	*(void **)&real = dlsym(RTLD_NEXT, "fork");
	return real();
}
