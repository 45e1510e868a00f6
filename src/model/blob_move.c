/* Blobs from one device to another: as they are, sealed and compressed, under the same keys.
 *
 * One is at the new device, whole and safe, before it is removed at the old one, and who reads looks at both; so nothing is missing at any moment, and what was
 * copied before is seen and passed over. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "blob_care_priv.h"
#include "blob_priv.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/offload.h"
#include "model/blob_care.h"

enum { MOVE_WIDE = 4, MOVE_STEP = 256 * 1024, TELL_EVERY = 1000 };

/* ---- bytes ---- */

struct pump {			/* a thread's, while it works */
	int from, to;		/* -1: buf is filled already; it is not written */
	struct blob_sum *sum;	/* NULL: none */
	char *buf;
	uint64_t at;
	size_t n;
	int error;
};

static void
pump_blocking(void *arg)
{
	struct pump *p = arg;

	for (size_t done = 0; p->from >= 0 && done < p->n && p->error == 0;) {
		ssize_t got = pread(p->from, p->buf + done, p->n - done, (off_t)(p->at + done));

		if (got <= 0 && (got == 0 || errno != EINTR))
			p->error = got == 0 ? EIO : errno;
		done += got > 0 ? (size_t)got : 0;
	}
	if (p->error == 0 && p->sum != NULL && !blob_sum_add(p->sum, p->buf, p->n))
		p->error = EIO;
	for (size_t done = 0; p->to >= 0 && done < p->n && p->error == 0;) {
		ssize_t put = write(p->to, p->buf + done, p->n - done);

		if (put <= 0 && (put == 0 || errno != EINTR))
			p->error = put == 0 ? ENOSPC : errno;
		done += put > 0 ? (size_t)put : 0;
	}
}

/* All of a source, into a file or a sum. */
static err_t
pump(struct ctx *cx, struct device_source *s, uint64_t size, struct device_file *f, struct blob_sum *sum)
{
	struct pump p = {.from = device_source_fd(s), .to = f != NULL ? device_file_fd(f) : -1, .sum = sum, .buf = mem_alloc(MOVE_STEP)};

	defer(cx, free, p.buf);
	for (; p.at < size; p.at += p.n) {
		struct iovec v = {p.buf, size - p.at < MOVE_STEP ? (size_t)(size - p.at) : MOVE_STEP};

		p.n = v.iov_len;
		if (p.from < 0)
			TRY(device_fill(cx, s, &v, 1));
		TRY(offload(cx, LANE_file, pump_blocking, &p));
		if (p.error != 0)
			return f != NULL ? device_append_failed(cx, f, p.error) : fail(cx, ERR_DEVICE, "read: %s", strerror(p.error));
		if (f != NULL)
			TRY(device_took(cx, f, p.n));
	}
	return OK;
}

static void
free_sum(void *arg)
{
	struct blob_sum *s = arg;

	blob_sum_free(&s);
}

err_t
blob_read_again(struct ctx *cx, struct device *d, const char *key, uint64_t size, const char *sum, bool *same_out)
{
	struct blob_sum *s = blob_sum_new(blob_sum_fast(sum));
	struct device_source *from;
	char now[BLOB_SUM];
	uint64_t all;

	defer(cx, free_sum, s);
	TRY(device_open(cx, d, key, 0, size, &from, &all));
	TRY(pump(cx, from, size, NULL, s));
	device_close(&from);
	if (!blob_sum_end(s, now))
		return fail(cx, ERR_GENERAL_SERVER_ERROR, "no sum");
	*same_out = strcmp(sum, now) == 0;
	return OK;
}

/* ---- one blob ---- */

struct mover {
	struct device *from, *to;
	bool take;
	struct move_count *n;
	void (*told)(const struct move_count *n);
	int busy;
	int64_t seen;
	struct fib_event freed;
};

static err_t
move_copy(struct ctx *cx, struct mover *m, const char *key, uint64_t size)
{
	struct device_source *s;
	struct device_file *f;
	uint64_t now;

	TRY(device_open(cx, m->from, key, 0, size, &s, &now));
	if (now != size)
		return fail(cx, ERR_DEVICE, "its size has changed");
	TRY(device_create(cx, m->to, key, &f));
	device_share(f);	/* somebody else may be moving, too */
	TRY(pump(cx, s, size, f, NULL));
	TRY(device_finish(cx, f));
	m->n->copied++;
	m->n->bytes += (int64_t)size;
	return OK;
}

static err_t
move_one(struct ctx *cx, struct mover *m, const char *key, uint64_t size)
{
	struct device_source *s;
	uint64_t there;
	err_t e = device_open(cx, m->to, key, 0, 0, &s, &there);

	if (e == OK && there != size)	/* one of them is damaged, and it is not for us to say which */
		return fail(cx, ERR_DEVICE, "it has another size there: %llu, here %llu", (unsigned long long)there, (unsigned long long)size);
	if (e == OK)
		m->n->there++;
	else if (e == ERR_BLOB_GONE)
		e = move_copy(cx, m, key, size);
	TRY(e);
	return m->take ? device_remove(cx, m->from, key) : OK;
}

struct moving {
	struct mover *m;
	uint64_t size;
	char key[DEVICE_KEY_MAX + 1];
};

static void
move_fiber(struct ctx *cx, void *arg)
{
	struct moving *one = arg;
	struct mover *m = one->m;
	err_t e = move_one(cx, m, one->key, one->size);

	if (e == ERR_BLOB_GONE) {
		m->n->gone++;
	} else if (e != OK) {
		m->n->failed++;
		log_error(cx, "a blob was not moved", "key=%s why=\"%s\"", one->key, cx->detail ? cx->detail : err_info(e)->name);
	}
	if (++m->seen % TELL_EVERY == 0)
		m->told(m->n);
	m->busy--;
	fib_signal(&m->freed);
	free(one);
}

/* ---- all ---- */

static err_t
move_room(struct ctx *cx, struct mover *m, int most)
{
	while (m->busy > most) {
		fib_event_reset(&m->freed);
		TRY(fib_await(cx, &m->freed));
	}
	return OK;
}

static err_t
move_seen(struct ctx *cx, const char *key, int64_t size, int64_t changed, void *arg)
{
	struct mover *m = arg;
	struct moving *one;

	(void)changed;
	if (strncmp(key, "p_", 2) != 0)
		return OK;
	TRY(move_room(cx, m, MOVE_WIDE - 1));
	one = mem_alloc(sizeof *one);
	one->m = m;
	one->size = (uint64_t)size;
	memcpy(one->key, key, strlen(key) + 1);
	m->busy++;
	fib_spawn_new("move", 0, move_fiber, one);
	return OK;
}

err_t
blob_move(struct ctx *cx, struct device *from, struct device *to, bool take, struct move_count *n, void (*told)(const struct move_count *n))
{
	struct mover m = {.from = from, .to = to, .take = take, .n = n, .told = told};
	err_t e, rest;

	assert(from != to && strcmp(device_name(from), device_name(to)) != 0);
	e = device_walk(cx, from, "", move_seen, &m);
	fib_shield(cx, true);	/* they use m */
	rest = move_room(cx, &m, 0);
	fib_shield(cx, false);
	return e != OK ? e : rest;
}
