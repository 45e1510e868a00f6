/* Descriptors of others on the loop. */
#include "io/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "core/loop.h"

enum { WATCH_MAGIC = 0x77617463 };

struct watch {
	unsigned magic;
	uv_poll_t poll;
	void (*fn)(void *arg);
	void *arg;
};

static void
watch_on_ready(uv_poll_t *h, int status, int events)
{
	struct watch *w = h->data;

	(void)status;
	(void)events;
	assert(w->magic == WATCH_MAGIC);
	w->fn(w->arg);
}

static void
watch_on_closed(uv_handle_t *h)
{
	struct watch *w = h->data;

	assert(w->magic == WATCH_MAGIC);
	w->magic = 0;
	free(w);
}

struct watch *
watch_open(int fd, void (*fn)(void *arg), void *arg)
{
	struct watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		abort();
	w->magic = WATCH_MAGIC;
	w->fn = fn;
	w->arg = arg;
	uv_poll_init(loop_uv(), &w->poll, fd);
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, watch_on_ready);
	return w;
}

void
watch_close(struct watch **wp)
{
	struct watch *w = *wp;

	*wp = NULL;
	if (w != NULL)
		uv_close((uv_handle_t *)&w->poll, watch_on_closed);
}
