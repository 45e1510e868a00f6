/* curl's multi interface on the loop: its sockets are polled by libuv, its one timer is a timer of libuv. */
#include "fetch_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "core/loop.h"

/* A socket of curl. That of a connection is kept until the connection is closed: one that serves again is only looked at again. */
struct watch {
	uv_poll_t uv;
	curl_socket_t fd;
	int events;		/* 0: not waited for */
};

struct place {			/* by descriptor */
	struct watch *w;
	bool connection;	/* else a pair that curl wakes itself with, and closes without a word */
};
static struct place *places;
static size_t n_places;

static CURLM *multi;
static uv_timer_t *timer;
static void (*on_done)(void *transfer, CURLcode result);

static void
fetch_loop_collect(void)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		CURLcode result = m->data.result;
		CURL *easy = m->easy_handle;
		char *transfer = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
		assert(transfer != NULL);
		curl_multi_remove_handle(multi, easy);
		on_done(transfer, result);
	}
}

static void
fetch_loop_on_timer(uv_timer_t *h)
{
	int running;

	(void)h;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	fetch_loop_collect();
}

static int
set_timer(CURLM *m, long ms, void *arg)
{
	(void)m;
	(void)arg;
	if (timer == NULL)
		return 0;
	if (ms < 0)
		uv_timer_stop(timer);
	else	/* 0 is the next turn of the loop, and not at once: curl must not be called from within its own callback */
		uv_timer_start(timer, fetch_loop_on_timer, (uint64_t)ms, 0);
	return 0;
}

static void
on_socket(uv_poll_t *h, int status, int events)
{
	struct watch *w = h->data;
	int flags = 0, running;

	/* An error of the socket: curl finds out which when it tries. Told of "an error" it would give up, where it begins anew on another
	 * connection when the server has closed a kept one meanwhile. */
	if (status < 0)
		events = UV_READABLE | UV_WRITABLE;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(multi, w->fd, flags, &running);
	if (status < 0 && w->events != 0 && !uv_is_closing((uv_handle_t *)h))	/* libuv has stopped it */
		uv_poll_start(h, w->events, on_socket);
	fetch_loop_collect();
}

static void
watch_closed(uv_handle_t *h)
{
	free(h->data);
}

static struct place *
place_of(curl_socket_t fd)
{
	if ((size_t)fd >= n_places) {
		size_t n = (size_t)fd + 64;

		places = mem_realloc(places, n * sizeof *places);
		memset(places + n_places, 0, (n - n_places) * sizeof *places);
		n_places = n;
	}
	return &places[fd];
}

static void
watch_end(struct place *p)
{
	if (p->w != NULL)
		uv_close((uv_handle_t *)&p->w->uv, watch_closed);
	p->w = NULL;
}

void
fetch_loop_opened(curl_socket_t fd)
{
	place_of(fd)->connection = true;
}

int
fetch_loop_close(void *arg, curl_socket_t fd)
{
	struct place *p = place_of(fd);

	(void)arg;
	watch_end(p);
	p->connection = false;
	return close(fd);
}

static struct watch *
watch_of(curl_socket_t fd)
{
	struct place *p = place_of(fd);
	struct watch *w;

	if (p->w != NULL)
		return p->w;
	w = mem_zalloc(sizeof *w);
	w->fd = fd;
	w->uv.data = w;
	if (uv_poll_init_socket(loop_uv(), &w->uv, fd) != 0) {
		free(w);
		return NULL;
	}
	return p->w = w;
}

/* Nobody waits for it now. */
static void
watch_rest(struct watch *w)
{
	struct place *p = place_of(w->fd);

	w->events = 0;
	if (p->connection)
		uv_poll_stop(&w->uv);
	else
		watch_end(p);
}

static int
set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct watch *w = sock;
	int events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			watch_rest(w);
		curl_multi_assign(multi, fd, NULL);
		return 0;
	}
	if (w == NULL) {
		if ((w = watch_of(fd)) == NULL)
			return -1;
		curl_multi_assign(multi, fd, w);
	}
	w->events = events;
	uv_poll_start(&w->uv, events, on_socket);
	return 0;
}

void
fetch_loop_start(void (*done)(void *, CURLcode))
{
	on_done = done;
	if (multi != NULL)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (multi = curl_multi_init()) == NULL)
		mem_fatal(0);
	timer = mem_zalloc(sizeof *timer);
	uv_timer_init(loop_uv(), timer);
	uv_unref((uv_handle_t *)timer);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 32L);
}

static void
fetch_loop_timer_closed(uv_handle_t *h)
{
	free(h);
}

void
fetch_loop_stop(void)
{
	curl_multi_cleanup(multi);
	multi = NULL;
	uv_close((uv_handle_t *)timer, fetch_loop_timer_closed);
	timer = NULL;
}

bool
fetch_loop_add(CURL *easy)
{
	return curl_multi_add_handle(multi, easy) == CURLM_OK;
}

void
fetch_loop_remove(CURL *easy)
{
	assert(multi != NULL);
	curl_multi_remove_handle(multi, easy);
}

/* curl would go on by a timer, a millisecond later at best: at 100 KiB a turn that is a bound on the speed. */
CURLcode
fetch_loop_go_on(CURL *easy)
{
	CURLcode e;
	int running;

	assert(multi != NULL);
	e = curl_easy_pause(easy, CURLPAUSE_CONT);
	if (e != CURLE_OK)
		return e;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	fetch_loop_collect();
	return CURLE_OK;
}
