/* Writing blobs.
 *
 * What comes is gathered to steps of 256 KiB. A thread compresses a step, seals it, sums it up and appends it to the device's descriptor: one hand-over for
 * a step, and the loop never waits for a disk. The first step decides whether the content shrinks at all. */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "blob_priv.h"
#include "core/heap.h"
#include "core/id.h"
#include "core/metric.h"
#include "core/offload.h"

enum {
	WRITER_MAGIC = 0x626c6277,
	FIRST_ROOM = 16 * 1024,				/* of a step; small blobs need no more */
	SEALED_ROOM = 2 * (SEAL_BLOCK + SEAL_TAG),	/* gathered before it is written */
	SHRINK_BY = 16					/* a content that shrinks by less than a sixteenth is kept as it is */
};

struct blob_writer {
	unsigned magic;
	struct ctx *cx;
	struct device *d;
	const char *key;
	struct device_file *file;
	struct blob blob;		/* as far as it is known */
	struct str in;			/* the step: `room` bytes, malloc'ed or a block of the heap's (BLOB_STEP) */
	size_t room;
	bool finished, kept;
	/* the thread's, while it works */
	bool last;			/* this step is the last one */
	bool begun;			/* there was one before */
	struct blob_pack *pack;		/* NULL: not compressed */
	struct blob_seal seal;
	unsigned char *held;		/* a block that may be the last one */
	size_t n_held;
	uint64_t block;
	unsigned char *out;		/* sealed, to be written */
	size_t n_out;
	struct blob_sum *sum;
	size_t appended;		/* by this step */
	int error;			/* errno; 0: none */
	bool bad;			/* a library failed */
};

static struct blob_writer *
blob_writer_of(void *arg)
{
	struct blob_writer *w = arg;

	assert(w->magic == WRITER_MAGIC);
	return w;
}

/* ---- by a thread ---- */

static void
append(struct blob_writer *w, const void *p, size_t n)
{
	const char *at = p;
	int fd = device_file_fd(w->file);

	if (!blob_sum_add(w->sum, p, n))
		w->bad = true;
	w->appended += n;
	while (n > 0 && w->error == 0) {
		ssize_t done = write(fd, at, n);

		if (done > 0) {
			at += done;
			n -= (size_t)done;
		} else if (done == 0 || errno != EINTR) {
			w->error = done == 0 ? ENOSPC : errno;
		}
	}
}

static void
append_sealed(struct blob_writer *w)
{
	append(w, w->out, w->n_out);
	w->n_out = 0;
}

static void
write_block(struct blob_writer *w, const void *clear, size_t n, bool last)
{
	if (w->n_out + n + SEAL_TAG > SEALED_ROOM)
		append_sealed(w);
	blob_seal_block(&w->seal, w->block++, last, clear, n, w->out + w->n_out);
	w->n_out += n + SEAL_TAG;
}

static void
begin_sealed(struct blob_writer *w)
{
	unsigned char head[SEAL_HEAD];

	w->held = mem_alloc(SEAL_BLOCK);
	w->out = mem_alloc(SEALED_ROOM);
	blob_seal_head(head);
	append(w, head, sizeof head);
}

static void
hold_back(struct blob_writer *w, struct str *s)
{
	size_t n = s->n < SEAL_BLOCK - w->n_held ? s->n : SEAL_BLOCK - w->n_held;

	mem_copy(w->held + w->n_held, s->p, n);
	w->n_held += n;
	s->p += n;
	s->n -= n;
}

/* The last block says that it is the last: a full one is held back until it is known whether something follows. */
static void
seal_bytes(struct blob_writer *w, struct str s, bool last)
{
	if (w->held == NULL)
		begin_sealed(w);
	while (s.n > 0) {
		if (w->n_held == SEAL_BLOCK) {
			write_block(w, w->held, SEAL_BLOCK, false);
			w->n_held = 0;
		}
		if (w->n_held == 0 && s.n > SEAL_BLOCK) {
			write_block(w, s.p, SEAL_BLOCK, false);
			s.p += SEAL_BLOCK;
			s.n -= SEAL_BLOCK;
		} else {
			hold_back(w, &s);
		}
	}
	if (last)
		write_block(w, w->held, w->n_held, true);
	append_sealed(w);
}

static void
packed_bytes(struct blob_writer *w, struct str s, bool last)
{
	if (w->blob.sealed != 0)
		seal_bytes(w, s, last);
	else if (s.n > 0)
		append(w, s.p, s.n);
}

/* True when the first step has shrunk, and what became of it is written. */
static bool
first_packed(struct blob_writer *w, enum blob_coding coding)
{
	struct str in = w->in;
	size_t room = in.n - in.n / SHRINK_BY, n = 0;
	char *out = mem_alloc(room + 1);
	enum pack_result r = PACK_MORE;

	w->pack = blob_pack_new(coding);
	if (room > 0)
		r = blob_pack_run(w->pack, w->last ? PACK_END : PACK_FLUSH, &in, out, room, &n);
	if (r == PACK_DONE && n < room)
		packed_bytes(w, (struct str){out, n}, w->last);
	else
		blob_pack_free(&w->pack);
	free(out);
	return w->pack != NULL;
}

static void
next_packed(struct blob_writer *w)
{
	char out[16 * 1024];
	struct str in = w->in;
	enum pack_result r;

	do {
		size_t n = 0;

		r = blob_pack_run(w->pack, w->last ? PACK_END : PACK_GO_ON, &in, out, sizeof out, &n);
		packed_bytes(w, (struct str){out, n}, w->last && r == PACK_DONE);
	} while (r == PACK_MORE && w->error == 0);
	w->bad = w->bad || r == PACK_BAD;
}

static void
write_step_blocking(void *arg)
{
	struct blob_writer *w = blob_writer_of(arg);

	if (!w->begun && w->blob.coding != BLOB_NONE && !first_packed(w, w->blob.coding))
		w->blob.coding = BLOB_NONE;
	else if (!w->begun && w->blob.coding != BLOB_NONE)
		w->begun = true;
	else if (w->pack != NULL)
		next_packed(w);
	if (w->blob.coding == BLOB_NONE)
		packed_bytes(w, w->in, w->last);
	w->begun = true;
}

/* ---- on the fiber ---- */

static err_t
write_step(struct ctx *cx, struct blob_writer *w)
{
	w->appended = 0;
	TRY(offload(cx, w->blob.coding == BLOB_NONE ? LANE_file : LANE_compress, write_step_blocking, w));
	w->blob.stored += (int64_t)w->appended;
	w->in.n = 0;
	if (w->error != 0)
		return device_append_failed(cx, w->file, w->error);
	if (w->bad)
		return fail(cx, ERR_GENERAL_SERVER_ERROR, "a blob cannot be compressed or summed up");
	return device_took(cx, w->file, w->appended);
}

static void
step_free(struct blob_writer *w)
{
	void *p = (void *)(uintptr_t)w->in.p;

	if (w->room == BLOB_STEP)
		heap_block_free(p);
	else
		free(p);
	w->room = 0;
	w->in = STR_NONE;
}

/* What the writer holds, but not its object. */
static void
writer_free(struct blob_writer *w)
{
	step_free(w);
	free(w->held);
	free(w->out);
	blob_sum_free(&w->sum);
	blob_pack_free(&w->pack);
	sodium_memzero(&w->seal, sizeof w->seal);
	w->held = w->out = NULL;
}

static void
writer_end(void *arg)
{
	struct blob_writer *w = blob_writer_of(arg);

	writer_free(w);
	device_drop(&w->file);
	if (!w->kept)
		metric_add(M_blobs_dropped, 1);
	if (w->finished && !w->kept)
		blob_remove_later(w->d, w->key);
	w->magic = 0;
}

err_t
blob_create(struct ctx *cx, const struct blob_place *at, enum blob_coding coding, bool seal, const char *bind, struct blob_writer **out)
{
	struct blob_writer *w = arena_new_of(cx->arena, struct blob_writer);
	unsigned char key[SEAL_KEY];
	struct devices d;

	*out = NULL;
	w->magic = WRITER_MAGIC;
	w->cx = cx;
	w->blob = (struct blob){.name = secret_hex(cx->arena, BLOB_NAME / 2), .coding = coding};
	w->key = blob_key(cx->arena, at, w->blob.name);
	TRY(device_configured(cx, &d));
	w->d = d.v[0];
	if (seal) {
		TRY(blob_data_key(cx, at->p, &w->blob.sealed, key));
		blob_seal_init(&w->seal, key, w->blob.name, bind);
		sodium_memzero(key, sizeof key);
	}
	TRY(device_create(cx, w->d, w->key, &w->file));
	w->sum = blob_sum_new(false);
	defer(cx, writer_end, w);
	*out = w;
	return OK;
}

void
blob_no_md5(struct blob_writer *w)
{
	assert(blob_writer_of(w)->blob.size == 0);
	blob_sum_free(&w->sum);
	w->sum = blob_sum_new(true);
}

/* Small blobs have a small room, all others that of a step at once: it is a block of the heap's, which is there already, mostly. */
static void
writer_room(struct blob_writer *w, size_t more)
{
	size_t n = w->in.n;
	char *p;

	if (n + more <= w->room || w->room == BLOB_STEP)
		return;
	if (n + more <= FIRST_ROOM) {
		w->in.p = mem_alloc(w->room = FIRST_ROOM);
		return;
	}
	p = heap_block();
	mem_copy(p, w->in.p, n);
	step_free(w);
	w->in = (struct str){p, n};
	w->room = BLOB_STEP;
}

struct str
blob_head(const struct blob_writer *w)
{
	assert(blob_writer_of((void *)(uintptr_t)w)->blob.size == (int64_t)w->in.n && !w->begun);
	return w->in;
}

/* A step that is full goes when more comes: until then it is the head of what was written. */
err_t
blob_write(struct blob_writer *w, struct str piece)
{
	assert(!blob_writer_of(w)->finished && !w->last);
	while (piece.n > 0) {
		size_t n;

		if (w->in.n == BLOB_STEP)
			TRY(write_step(w->cx, w));
		writer_room(w, piece.n);
		n = piece.n < w->room - w->in.n ? piece.n : w->room - w->in.n;
		memcpy((char *)(uintptr_t)w->in.p + w->in.n, piece.p, n);
		w->in.n += n;
		w->blob.size += (int64_t)n;
		piece.p += n;
		piece.n -= n;
	}
	return OK;
}

err_t
blob_finish(struct blob_writer *w, struct blob *out)
{
	struct ctx *cx = blob_writer_of(w)->cx;
	char sum[BLOB_SUM];

	assert(!w->finished && !w->last);
	w->last = true;
	if (w->in.n > 0 || w->blob.sealed != 0 || w->pack != NULL)
		TRY(write_step(cx, w));
	if (!w->begun)
		w->blob.coding = BLOB_NONE;	/* there was nothing */
	if (!blob_sum_end(w->sum, sum))
		return fail(cx, ERR_GENERAL_SERVER_ERROR, "a blob cannot be summed up");
	w->blob.md5 = arena_strdup(cx->arena, sum);
	TRY(device_finish(cx, w->file));
	w->finished = true;
	writer_free(w);
	metric_add(M_blobs_written, 1);
	*out = w->blob;
	return OK;
}

void
blob_keep(struct blob_writer *w)
{
	assert(blob_writer_of(w)->finished);
	w->kept = true;
}
