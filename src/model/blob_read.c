/* Reading blobs: a range of a content that one or more of them make up.
 *
 * A step is what a thread reads, opens and unpacks into a buffer at once; while the client takes one, the next is made. Of a sealed blob only the blocks are read
 * that hold the range: their text goes straight to where it is to lie, the tags beside it. Compressed ones are unpacked from their beginning. What a provider
 * gives comes on the fiber, and only opening and unpacking it is a thread's. */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "blob_priv.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/offload.h"

enum {
	READER_MAGIC = 0x626c6272,
	BLOCKS = BLOB_STEP / SEAL_BLOCK,	/* of a step */
	PACKED_STEP = SEAL_BLOCK,		/* of compressed blobs, both what goes in and what comes out: the library needs memory, too */
	AT_ONCE = 128 * 1024			/* as much may be read and opened on the loop, when it is in memory */
};

enum trouble { FINE, SHORT, DAMAGED, FAILED };

struct read_step {		/* what a step gives */
	char *buf;		/* malloc'ed, `room` bytes */
	size_t room;
	size_t at, n;		/* the part of it that was asked for */
};

struct read_job {		/* a thread's, while it works; numbers are of the part's packed bytes unless it says otherwise */
	int fd;			/* -1: `iov` is filled already */
	const struct blob_part *part;
	bool sealed;
	struct blob_seal seal;
	uint64_t total;		/* packed bytes of the part */
	uint64_t next;		/* the first one that was not read */
	/* compressed parts */
	struct blob_pack *unpack;	/* NULL: as it is */
	char *raw;		/* malloc'ed: packed bytes */
	struct str packed;	/* of them, what was not unpacked */
	uint64_t clear;		/* bytes of the content that were made */
	uint64_t skip;		/* bytes of the content before the range */
	uint64_t want;		/* bytes of the range that are to come */
	bool starved;		/* more packed bytes are to be put into raw */
	bool ended;
	/* what is read at once */
	struct iovec iov[2 * BLOCKS];
	int n_iov;
	unsigned char tags[BLOCKS][SEAL_TAG];
	uint64_t stored_at;
	size_t stored;
	struct read_step *to;
	enum trouble trouble;
	int error;
};

struct blob_reader {
	unsigned magic;
	struct ctx *cx;
	const struct blob_place *at;
	struct devices devices;
	struct device *d;	/* of the part that is being read */
	const struct blob_part *part;
	int n_parts, i;		/* i: the part that is being read */
	uint64_t offset, left;	/* in the part; of the whole range */
	uint64_t part_left;	/* of the range, in this part; 0: the next part is to be opened */
	struct device_source *source;	/* NULL: none is open */
	struct read_job job;
	struct read_step steps[2];
	int front;		/* the step that the caller has */
	struct offload *ahead;
};

static struct blob_reader *
reader_of(const struct blob_reader *r)
{
	assert(r->magic == READER_MAGIC);
	return (struct blob_reader *)(uintptr_t)r;
}

/* ---- by a thread, or on the loop where there is little to do ---- */

static size_t
iov_bytes(const struct iovec *v, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

/* All of it; the file's size was looked at, so an early end is damage. */
static void
read_iov(struct read_job *j)
{
	struct iovec v[2 * BLOCKS], *at = v;
	int n = j->n_iov;
	uint64_t pos = j->stored_at;

	memcpy(v, j->iov, sizeof v);
	while (n > 0) {
		ssize_t got = preadv(j->fd, at, n, (off_t)pos);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			j->trouble = got == 0 ? SHORT : FAILED;
			j->error = errno;
			return;
		}
		pos += (uint64_t)got;
		for (; n > 0 && (size_t)got >= at->iov_len; at++, n--)
			got -= (ssize_t)at->iov_len;
		if (n > 0) {
			at->iov_base = (char *)at->iov_base + got;
			at->iov_len -= (size_t)got;
		}
	}
}

/* The pieces for packed bytes from j->next on, at most `room`, into `to`; sealed ones in whole blocks. */
static void
plan(struct read_job *j, char *to, size_t room)
{
	size_t n = j->total - j->next < room ? (size_t)(j->total - j->next) : room;

	j->n_iov = 0;
	j->stored_at = j->next;
	j->stored = n;
	assert(n > 0);	/* who has read everything asks for no more */
	if (!j->sealed) {
		j->iov[j->n_iov++] = (struct iovec){to, n};
		return;
	}
	assert(j->next % SEAL_BLOCK == 0 && room % SEAL_BLOCK == 0 && room <= BLOB_STEP);
	j->stored_at = SEAL_HEAD + j->next / SEAL_BLOCK * (SEAL_BLOCK + SEAL_TAG);
	for (size_t done = 0; done < n; done += SEAL_BLOCK) {
		j->iov[j->n_iov++] = (struct iovec){to + done, n - done < SEAL_BLOCK ? n - done : SEAL_BLOCK};
		j->iov[j->n_iov++] = (struct iovec){j->tags[done / SEAL_BLOCK], SEAL_TAG};
	}
}

/* Opens what plan said and read_iov, or the device, has brought. */
static void
open_planned(struct read_job *j, char *to)
{
	uint64_t last = blob_seal_blocks(j->total) - 1, block = j->next / SEAL_BLOCK;

	for (size_t done = 0; j->sealed && j->trouble == FINE && done < j->stored; done += SEAL_BLOCK, block++) {
		size_t n = j->stored - done < SEAL_BLOCK ? j->stored - done : SEAL_BLOCK;

		if (!blob_seal_open(&j->seal, block, block == last, (unsigned char *)to + done, n, j->tags[done / SEAL_BLOCK]))
			j->trouble = DAMAGED;
	}
	j->next += j->stored;
}

static void
plain_step_blocking(void *arg)
{
	struct read_job *j = arg;

	if (j->fd >= 0)
		read_iov(j);
	if (j->trouble == FINE)
		open_planned(j, j->to->buf);
}

/* Packed bytes for the library; false: they are still to be brought, or there are none. */
static bool
more_packed(struct read_job *j)
{
	if (j->next == j->total || (j->fd < 0 && !j->starved)) {
		j->starved = j->next < j->total;
		return false;
	}
	if (j->fd >= 0) {
		plan(j, j->raw, PACKED_STEP);
		read_iov(j);
	}
	j->starved = false;
	if (j->trouble == FINE)
		open_planned(j, j->raw);
	j->packed = (struct str){j->raw, j->stored};
	return j->trouble == FINE;
}

/* Up to `room` bytes of the content. Never more than its row promised: a byte more is damage, and so is an end that does not come. */
static size_t
unpack_some(struct read_job *j, char *to, size_t room)
{
	uint64_t promised = (uint64_t)j->part->blob.size - j->clear;
	char over;
	size_t n = 0;
	enum pack_result r;

	if (promised < room)
		room = (size_t)promised;
	r = room > 0 ? blob_unpack_run(j->unpack, &j->packed, to, room, &n) : blob_unpack_run(j->unpack, &j->packed, &over, 1, &n);
	if (r == PACK_BAD || (room == 0 && n > 0) || (r == PACK_DONE && n < promised))
		j->trouble = DAMAGED;
	j->ended = r == PACK_DONE;
	if (room == 0)
		n = 0;
	j->clear += n;
	return n;
}

/* Takes what lies before the range off n new bytes at the buffer's end. */
static void
keep_wanted(struct read_job *j, size_t n)
{
	struct read_step *s = j->to;
	size_t off = j->skip < n ? (size_t)j->skip : n;

	j->skip -= off;
	if (off > 0)
		memmove(s->buf + s->n, s->buf + s->n + off, n - off);
	n -= off;
	if (n > j->want)
		n = (size_t)j->want;
	s->n += n;
	j->want -= n;
}

static void
packed_step_blocking(void *arg)
{
	struct read_job *j = arg;
	struct read_step *s = j->to;

	while (j->trouble == FINE && !j->ended && s->n < PACKED_STEP && (j->want > 0 || j->clear == (uint64_t)j->part->blob.size)) {
		bool all = j->clear == (uint64_t)j->part->blob.size;
		size_t n;

		if (j->packed.n == 0 && !more_packed(j) && (j->starved || j->trouble != FINE))
			break;
		n = unpack_some(j, s->buf + s->n, PACKED_STEP - s->n);
		keep_wanted(j, n);
		if (n == 0 && !j->ended && j->packed.n == 0 && j->next == j->total)
			j->trouble = SHORT;
		if (all && !j->ended && j->packed.n > 0 && n == 0 && j->trouble == FINE)
			j->trouble = DAMAGED;
	}
}

/* ---- parts ---- */

static void
part_close(struct blob_reader *r)
{
	device_close(&r->source);
	blob_pack_free(&r->job.unpack);
	free(r->job.raw);
	sodium_memzero(&r->job, sizeof r->job);
}

static err_t
damaged(struct ctx *cx, const struct blob_reader *r, const char *why)
{
	metric_add(M_blobs_broken, 1);
	log_error(cx, "a blob is not what was written", "key=%s why=\"%s\"", blob_key(cx->arena, r->at, r->part[r->i].blob.name), why);
	return fail(cx, ERR_BLOB_BROKEN, "%s: %s", r->part[r->i].blob.name, why);
}

/* Packed bytes of a part by its row. */
static err_t
part_total(struct ctx *cx, const struct blob_reader *r, const struct blob *b, uint64_t *out)
{
	*out = (uint64_t)b->stored;
	if (b->size < 0 || b->stored < 0 || (b->sealed != 0 && !blob_seal_clear((uint64_t)b->stored, out)) ||
	    (b->coding == BLOB_NONE && *out != (uint64_t)b->size))
		return damaged(cx, r, "its row contradicts itself");
	return OK;
}

/* Where the device is to begin, and how much it is to bring: all blocks that hold the range. */
static void
part_range(const struct blob_reader *r, uint64_t *at_out, uint64_t *n_out)
{
	const struct read_job *j = &r->job;
	uint64_t from = r->offset, to = r->offset + r->part_left;

	if (j->unpack != NULL) {
		from = 0;
		to = j->total;
	}
	if (j->sealed) {
		uint64_t first = from / SEAL_BLOCK, end = to > from ? blob_seal_blocks(to) : first + 1;

		from = SEAL_HEAD + first * (SEAL_BLOCK + SEAL_TAG);
		to = SEAL_HEAD + end * (SEAL_BLOCK + SEAL_TAG);
		if (to > blob_seal_stored(j->total))
			to = blob_seal_stored(j->total);
	}
	*at_out = from;
	*n_out = to - from;
}

static err_t
part_key(struct ctx *cx, struct blob_reader *r, const struct blob_part *part)
{
	int64_t number = part->blob.sealed;
	unsigned char key[SEAL_KEY];

	if (number == 0)
		return OK;
	TRY(blob_data_key(cx, r->at->p, &number, key));
	blob_seal_init(&r->job.seal, key, part->blob.name, part->bind);
	sodium_memzero(key, sizeof key);
	r->job.sealed = true;
	return OK;
}

/* Where it is: at the device that is written to, or at another one while it is moved. */
static err_t
part_find(struct ctx *cx, struct blob_reader *r, const char *key, uint64_t *size_out)
{
	uint64_t at, n;
	err_t e = ERR_BLOB_GONE;

	part_range(r, &at, &n);
	/* the first one again: it may have come there after we have looked, and gone from where we have looked after that */
	for (int i = 0; e == ERR_BLOB_GONE && i < r->devices.n + (r->devices.n > 1); i++) {
		r->d = r->devices.v[i % r->devices.n];
		e = device_open(cx, r->d, key, at, n, &r->source, size_out);
	}
	if (e == ERR_BLOB_GONE) {
		metric_add(M_blobs_gone, 1);
		log_error(cx, "a blob is gone that a row promises", "key=%s", key);
	}
	return e;
}

static err_t
part_open(struct ctx *cx, struct blob_reader *r)
{
	const struct blob_part *part = &r->part[r->i];
	struct read_job *j = &r->job;
	uint64_t size;

	r->part_left = (uint64_t)part->blob.size - r->offset < r->left ? (uint64_t)part->blob.size - r->offset : r->left;
	*j = (struct read_job){.fd = -1, .part = part, .skip = r->offset, .want = r->part_left};
	TRY(part_total(cx, r, &part->blob, &j->total));
	TRY(part_key(cx, r, part));
	if (part->blob.coding != BLOB_NONE)
		j->unpack = blob_unpack_new(part->blob.coding);
	TRY(part_find(cx, r, blob_key(cx->arena, r->at, part->blob.name), &size));
	if (size != (uint64_t)part->blob.stored)
		return damaged(cx, r, "its size");
	j->fd = device_source_fd(r->source);
	j->next = j->unpack != NULL ? 0 : j->sealed ? r->offset / SEAL_BLOCK * SEAL_BLOCK : r->offset;
	if (j->unpack != NULL)
		j->raw = mem_alloc(PACKED_STEP);
	return OK;
}

/* ---- steps ---- */

static void
reader_room(struct read_step *s, size_t room)
{
	s->at = s->n = 0;
	if (room <= s->room)
		return;
	free(s->buf);
	s->buf = mem_alloc(room);
	s->room = room;
}

/* The next step of a part that is not compressed: no further than the range, in whole blocks when it is sealed. */
static void
plain_plan(struct blob_reader *r, struct read_step *s)
{
	struct read_job *j = &r->job;
	uint64_t n = r->offset + r->part_left - j->next;

	if (j->sealed)
		n = (n + SEAL_BLOCK - 1) / SEAL_BLOCK * SEAL_BLOCK;
	if (n > BLOB_STEP)
		n = BLOB_STEP;
	reader_room(s, (size_t)n);
	j->to = s;
	plan(j, s->buf, (size_t)n);
}

/* Little, and in memory. What is not sealed costs no more than a copy. */
static bool
plain_at_once(struct read_job *j)
{
	if (j->stored > (j->sealed ? AT_ONCE : BLOB_STEP) ||
	    preadv2(j->fd, j->iov, j->n_iov, (off_t)j->stored_at, RWF_NOWAIT) != (ssize_t)iov_bytes(j->iov, j->n_iov))
		return false;
	open_planned(j, j->to->buf);
	return true;
}

/* Awaits what the device brings, and a thread where there is something to open. */
static err_t
plain_step(struct ctx *cx, struct blob_reader *r, struct read_step *s)
{
	struct read_job *j = &r->job;

	plain_plan(r, s);
	if (j->fd >= 0 && plain_at_once(j))
		return OK;
	if (j->fd < 0)
		TRY(device_fill(cx, r->source, j->iov, j->n_iov));
	if (j->fd >= 0 || j->sealed)
		return offload(cx, LANE_file, plain_step_blocking, j);
	open_planned(j, s->buf);
	return OK;
}

static void
packed_to(struct blob_reader *r, struct read_step *s)
{
	reader_room(s, PACKED_STEP);
	r->job.to = s;
}

/* The device's bytes are brought by the fiber, as the thread asks for them. */
static err_t
packed_feed(struct ctx *cx, struct blob_reader *r)
{
	struct read_job *j = &r->job;

	while (j->starved && j->trouble == FINE) {
		plan(j, j->raw, PACKED_STEP);
		TRY(device_fill(cx, r->source, j->iov, j->n_iov));
		TRY(offload(cx, LANE_compress, packed_step_blocking, j));
	}
	return OK;
}

static err_t
packed_step(struct ctx *cx, struct blob_reader *r, struct read_step *s)
{
	struct read_job *j = &r->job;

	packed_to(r, s);
	j->starved = j->fd < 0 && j->packed.n == 0 && j->next < j->total;
	if (!j->starved)
		TRY(offload(cx, LANE_compress, packed_step_blocking, j));
	return packed_feed(cx, r);
}

static err_t
step_verdict(struct ctx *cx, struct blob_reader *r)
{
	const struct read_job *j = &r->job;

	if (j->trouble == FAILED) {
		metric_add(M_storage_errors, 1);
		log_error(cx, "the storage failed", "device=\"%s\" doing=read key=%s error=\"%s\"", device_name(r->d),
		    blob_key(cx->arena, r->at, j->part->blob.name), strerror(j->error));
		return fail(cx, ERR_DEVICE, "read: %s", strerror(j->error));
	}
	return j->trouble == FINE ? OK : damaged(cx, r, j->trouble == SHORT ? "it ends early" : "its content");
}

/* Awaits the step that was begun ahead, or makes it now. */
static err_t
step_make(struct ctx *cx, struct blob_reader *r, struct read_step *s)
{
	if (!offload_busy(r->ahead))
		return r->job.unpack != NULL ? packed_step(cx, r, s) : plain_step(cx, r, s);
	return offload_end(cx, r->ahead);
}

/* The part of it that was asked for. */
static void
step_cut(const struct blob_reader *r, struct read_step *s)
{
	uint64_t first = r->job.next - r->job.stored;

	if (r->job.unpack != NULL)
		return;
	s->at = (size_t)(r->offset - first);
	s->n = r->job.stored - s->at;
	if (s->n > r->part_left)
		s->n = (size_t)r->part_left;
}

static err_t
step_take(struct ctx *cx, struct blob_reader *r)
{
	struct read_step *s = &r->steps[!r->front];

	TRY(step_make(cx, r, s));
	TRY(step_verdict(cx, r));
	step_cut(r, s);
	if (s->n == 0)
		return damaged(cx, r, "it ends early");
	r->front = !r->front;
	r->offset += s->n;
	r->part_left -= s->n;
	r->left -= s->n;
	metric_add(M_storage_out, (int64_t)s->n);
	return OK;
}

/* The next step, while the caller has this one: where a thread has something to do. What is only read, the kernel reads ahead; of a provider, curl. */
static void
step_ahead(struct ctx *cx, struct blob_reader *r)
{
	struct read_job *j = &r->job;
	struct read_step *s = &r->steps[!r->front];
	bool packed = j->unpack != NULL;

	if (j->fd < 0 || r->part_left == 0 || (!packed && (!j->sealed || r->part_left <= AT_ONCE)))
		return;
	if (packed)
		packed_to(r, s);
	else
		plain_plan(r, s);
	if (offload_begin(cx, r->ahead, packed ? LANE_compress : LANE_file, packed ? packed_step_blocking : plain_step_blocking, j) != OK)
		cx->detail = NULL;	/* there is no room for it now: it is made when it is asked for */
}

/* ---- what callers see ---- */

static void
reader_end(void *arg)
{
	struct blob_reader *r = reader_of(arg);

	offload_drop(r->cx, r->ahead);
	part_close(r);
	free(r->steps[0].buf);
	free(r->steps[1].buf);
	r->magic = 0;
}

/* Their rows may have gone since somebody looked at that of the file. */
static bool
parts_hold(const struct blob_part *v, int n_parts, uint64_t offset, uint64_t n)
{
	uint64_t size = 0;

	for (int i = 0; i < n_parts; i++)
		size += (uint64_t)v[i].blob.size;
	return offset <= size && n <= size - offset;
}

err_t
blob_open(struct ctx *cx, const struct blob_place *at, const struct blob_part *v, int n_parts, uint64_t offset, uint64_t n, struct blob_reader **out)
{
	struct blob_reader *r = arena_new_of(cx->arena, struct blob_reader);
	struct blob_place *place = arena_new_of(cx->arena, struct blob_place);

	*out = NULL;
	*place = *at;
	*r = (struct blob_reader){.magic = READER_MAGIC, .cx = cx, .at = place, .part = v, .n_parts = n_parts, .offset = offset, .left = n};
	r->job.fd = -1;
	r->ahead = offload_new(cx);
	TRY(device_configured(cx, &r->devices));
	defer(cx, reader_end, r);
	if (!parts_hold(v, n_parts, offset, n))
		return fail(cx, ERR_BLOB_GONE, "%llu bytes at %llu: not in %d parts", (unsigned long long)n, (unsigned long long)offset, n_parts);
	while (r->i < n_parts - 1 && r->offset >= (uint64_t)v[r->i].blob.size)
		r->offset -= (uint64_t)v[r->i++].blob.size;
	if (n_parts > 0)
		TRY(part_open(cx, r));
	*out = r;
	return OK;
}

static err_t
next_part(struct ctx *cx, struct blob_reader *r)
{
	while (r->part_left == 0) {
		part_close(r);
		r->i++;
		r->offset = 0;
		assert(r->i < r->n_parts);	/* the range lies inside */
		TRY(part_open(cx, r));
	}
	return OK;
}

err_t
blob_read(struct blob_reader *r, struct str *piece_out)
{
	struct ctx *cx = reader_of(r)->cx;

	*piece_out = STR_NONE;
	if (r->left == 0)
		return OK;
	TRY(next_part(cx, r));
	TRY(step_take(cx, r));
	*piece_out = (struct str){r->steps[r->front].buf + r->steps[r->front].at, r->steps[r->front].n};
	step_ahead(cx, r);
	return OK;
}

int
blob_fd(const struct blob_reader *r)
{
	const struct blob *b = reader_of(r)->n_parts == 1 ? &r->part[0].blob : NULL;

	return b != NULL && b->coding == BLOB_NONE && b->sealed == 0 && r->source != NULL ? device_source_fd(r->source) : -1;
}
