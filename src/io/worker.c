/* Worker processes, as those who use them see them.
 *
 * What must stay true: `n` counts those that are there or being started; each is free (in `free`), or taken by one fiber. Who gives one back hands it,
 * or the place of one that died, to whose turn it is. A free one that becomes readable has died: it has nothing to say. */
#include "io/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"

enum { WORKER_MAGIC = 0x776b7072, START_WAIT_MS = 15000, WORKER_CLIENT_PART = 8, WORKER_PROJECT_PART = 2 };

struct worker {
	unsigned magic;
	struct worker_pool *pool;
	struct worker *next;		/* in `free` */
	int fd, process;		/* process: a pidfd; -1: none */
	uv_poll_t poll;
	struct fib_event readable;
	bool is_free;
	struct loop_timer *idle;
};

struct turn {			/* a fiber that waits for one */
	struct fair_item item;	/* first: the queue gives it back */
	struct fib_event come;
	struct worker *worker;	/* NULL: a place, to start one in */
};

static int launcher = -1;

/* ---- messages with descriptors ---- */

union pass_control {
	char bytes[CMSG_SPACE(sizeof(int) * PASS_MAX)];
	struct cmsghdr align;
};

bool
pass_send(int fd, const void *p, size_t n, const int *fds, int n_fds)
{
	union pass_control control = {{0}};
	struct iovec v = {(void *)(uintptr_t)p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t sent;

	assert(n_fds >= 0 && n_fds <= PASS_MAX);
	if (n_fds > 0) {
		struct cmsghdr *c;

		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
	}
	do
		sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)n;
}

ssize_t
pass_recv(int fd, void *p, size_t n, int fds[PASS_MAX], int flags)
{
	union pass_control control;
	struct iovec v = {p, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
	ssize_t got;

	for (int i = 0; i < PASS_MAX; i++)
		fds[i] = -1;
	do
		got = recvmsg(fd, &m, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	for (struct cmsghdr *c = got >= 0 ? CMSG_FIRSTHDR(&m) : NULL; c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));	/* the buffer holds no more than PASS_MAX */
	return got >= 0 && (m.msg_flags & MSG_TRUNC) != 0 ? (ssize_t)n + 1 : got;
}

/* ---- life and death ---- */

void
worker_launcher(int fd)
{
	launcher = fd;
}

bool
worker_can(void)
{
	return launcher >= 0;
}

static void
worker_closed(uv_handle_t *h)
{
	struct worker *w = h->data;

	assert(w->magic == WORKER_MAGIC);
	w->magic = 0;
	close(w->fd);
	free(w);
}

/* The process may be in the middle of something that has no end. */
static void
worker_end(struct worker *w)
{
	assert(w->magic == WORKER_MAGIC && !w->is_free && w->readable.waiter == NULL);
	loop_timer_stop(&w->idle);
	if (w->process >= 0) {
		(void)syscall(SYS_pidfd_send_signal, w->process, SIGKILL, NULL, 0);
		close(w->process);
		w->process = -1;
	}
	uv_close((uv_handle_t *)&w->poll, worker_closed);
}

static void
free_remove(struct worker *w)
{
	struct worker **at = &w->pool->free;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	w->is_free = false;
	loop_timer_stop(&w->idle);
}

static void
worker_drop_free(void *arg)
{
	struct worker *w = arg;

	assert(w->magic == WORKER_MAGIC && w->is_free);
	free_remove(w);
	w->pool->n--;
	worker_end(w);
}

static void
worker_readable(uv_poll_t *h, int status, int events)
{
	struct worker *w = h->data;

	(void)status, (void)events;
	assert(w->magic == WORKER_MAGIC);
	uv_poll_stop(h);
	if (w->is_free) {
		metric_add(w->pool->lost, 1);
		worker_drop_free(w);
	} else {
		fib_signal(&w->readable);
	}
}

static void
worker_watch(struct worker *w)
{
	uv_poll_start(&w->poll, UV_READABLE, worker_readable);
}

/* ---- messages ---- */

bool
worker_send(struct worker *w, const void *p, size_t n, const int *fds, int n_fds)
{
	assert(w->magic == WORKER_MAGIC && !w->is_free);
	return pass_send(w->fd, p, n, fds, n_fds);
}

/* Awaits the next message, whatever it is. */
static err_t
worker_next(struct ctx *cx, struct worker *w, void *p, size_t n, int fds[PASS_MAX], ssize_t *got_out, uint64_t deadline)
{
	uint64_t own = cx->deadline;
	err_t e;

	for (;;) {
		*got_out = pass_recv(w->fd, p, n, fds, MSG_DONTWAIT);
		if (*got_out >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return OK;
		fib_event_reset(&w->readable);
		worker_watch(w);
		cx->deadline = own == 0 || own > deadline ? deadline : own;
		e = fib_await(cx, &w->readable);
		cx->deadline = own;
		uv_poll_stop(&w->poll);
		TRY(e);
	}
}

err_t
worker_hear(struct ctx *cx, struct worker *w, void *p, size_t n, uint64_t deadline)
{
	int fds[PASS_MAX];
	ssize_t got;

	assert(w->magic == WORKER_MAGIC && !w->is_free);
	TRY(worker_next(cx, w, p, n, fds, &got, deadline));
	for (int i = 0; i < PASS_MAX; i++)
		if (fds[i] >= 0)	/* from a worker that is none any more */
			close(fds[i]);
	return got == (ssize_t)n ? OK : fail(cx, ERR_FETCH, got <= 0 ? "the worker is gone" : "the worker says something else");
}

/* ---- starting one ---- */

static struct worker *
worker_new(struct worker_pool *p, int fd)
{
	struct worker *w = mem_zalloc(sizeof *w);

	w->magic = WORKER_MAGIC;
	w->pool = p;
	w->fd = fd;
	w->process = -1;
	uv_poll_init(loop_uv(), &w->poll, fd);
	w->poll.data = w;
	return w;
}

static err_t
worker_meet(struct ctx *cx, struct worker *w)
{
	int fds[PASS_MAX];
	ssize_t got;
	char byte;

	TRY(worker_next(cx, w, &byte, 1, fds, &got, loop_now() + (w->pool->start_ms ? w->pool->start_ms : START_WAIT_MS)));
	w->process = fds[0];
	if (fds[1] >= 0)
		close(fds[1]);
	if (got != 1 || w->process < 0)
		return fail(cx, ERR_BUSY, "a worker does not start");
	return w->pool->greet(cx, w);
}

/* Awaits a new process, in the place that the caller holds. */
static err_t
worker_start(struct ctx *cx, struct worker_pool *p, struct worker **out)
{
	char kind = (char)p->kind;
	int pair[2];
	err_t e;

	if (launcher < 0)
		return fail(cx, ERR_BUSY, "nobody starts workers here");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return fail(cx, ERR_BUSY, "no sockets for a worker: %s", strerror(errno));
	if (!pass_send(launcher, &kind, 1, &pair[1], 1)) {
		close(pair[0]);
		close(pair[1]);
		return fail(cx, ERR_BUSY, "the supervisor does not take an order");
	}
	close(pair[1]);
	*out = worker_new(p, pair[0]);
	metric_add(p->started, 1);
	e = worker_meet(cx, *out);
	if (e == OK)
		return OK;
	if (e != ERR_CANCELLED && (e != ERR_TIMEOUT || cx->deadline == 0 || cx->deadline > loop_now())) {	/* and not because nobody waits any more */
		log_warn(cx, "a worker process does not start", "reason=\"%s\"", cx->detail ? cx->detail : "");
		metric_add(p->lost, 1);
	}
	worker_end(*out);
	*out = NULL;
	return e == ERR_FETCH ? ERR_BUSY : e;
}

/* ---- turns ---- */

static unsigned
at_least(int64_t v, unsigned least)
{
	return v > (int64_t)least ? (unsigned)v : least;
}

err_t
worker_room(struct ctx *cx, struct worker_pool *p)
{
	if (p->free != NULL || p->n < at_least(*p->width, 1) || fair_room(&p->waiting, fair_key(cx), at_least(*p->queue, 1), WORKER_CLIENT_PART, WORKER_PROJECT_PART))
		return OK;
	metric_add(p->refused, 1);
	return fail(cx, ERR_BUSY, "too many wait for a worker: %u", p->waiting.n);
}

/* The place of one that is no more, or `w`, to whose turn it is; else it is free. */
static void
worker_pass_on(struct worker_pool *p, struct worker *w)
{
	struct turn *t = p->n > at_least(*p->width, 1) && w == NULL ? NULL : (struct turn *)fair_take(&p->waiting);

	if (t != NULL) {
		t->worker = w;
		fib_signal(&t->come);
	} else if (w == NULL) {
		p->n--;
	} else {
		w->is_free = true;
		w->next = p->free;
		p->free = w;
		w->idle = loop_after((uint64_t)at_least(*p->idle, 1), worker_drop_free, w);
		worker_watch(w);
	}
}

static err_t
worker_wait(struct ctx *cx, struct worker_pool *p, struct worker **out)
{
	struct turn t = {.come = {0}};
	err_t e;

	TRY(worker_room(cx, p));
	fair_put(&p->waiting, &t.item, fair_key(cx));
	e = *p->wait > 0 ? fib_await_for(cx, &t.come, (uint64_t)*p->wait) : fib_await(cx, &t.come);
	if (!t.come.set) {
		fair_remove(&p->waiting, &t.item);
		if (e == ERR_TIMEOUT && (cx->deadline == 0 || cx->deadline > loop_now())) {
			metric_add(p->refused, 1);
			return fail(cx, ERR_BUSY, "no worker was free in %lld ms", (long long)*p->wait);
		}
		return e;
	}
	*out = t.worker;
	if (e != OK)		/* it came, and the client left */
		worker_pass_on(p, t.worker);
	return e;
}

static void
worker_busy(struct worker_pool *p, int by)
{
	p->n_busy += (unsigned)by;
	metric_set(p->busy, p->n_busy);
}

err_t
worker_take(struct ctx *cx, struct worker_pool *p, struct worker **out)
{
	struct worker *w = p->free;
	err_t e;

	if (w != NULL) {
		free_remove(w);
		uv_poll_stop(&w->poll);
	} else if (p->n < at_least(*p->width, 1)) {
		p->n++;
	} else {
		TRY(worker_wait(cx, p, &w));
	}
	e = w != NULL ? OK : worker_start(cx, p, &w);
	if (e != OK) {
		worker_pass_on(p, NULL);
		return e;
	}
	worker_busy(p, 1);
	*out = w;
	return OK;
}

void
worker_give(struct worker *w, bool well)
{
	struct worker_pool *p = w->pool;

	assert(w->magic == WORKER_MAGIC && !w->is_free);
	worker_busy(p, -1);
	if (!well) {
		metric_add(p->lost, 1);
		worker_end(w);
		w = NULL;
	}
	worker_pass_on(p, w);
}
