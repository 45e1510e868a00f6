/* Answers from a file.
 *
 * To a plain socket by sendfile, else by reading pieces. Both read on the loop only what is in memory already: sendfile and read of
 * what is not would hold up everybody for as long as a disk takes. What is not goes through the thread pool: preadv2 with RWF_NOWAIT
 * tells, and costs next to nothing for what is. */
#include "http_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/offload.h"

enum {
	SLICE = 4 * PIECE,	/* of sendfile, between two looks at memory and at the clock */
	AHEAD = 2 * PIECE	/* what the kernel reads at once, at least */
};

struct reading {		/* a part of the file, by a thread */
	int fd;
	char *to;
	uint64_t offset;
	size_t n;
	ssize_t got;
};

static void
read_blocking(void *arg)
{
	struct reading *r = arg;

	do
		r->got = pread(r->fd, r->to, r->n, (off_t)r->offset);
	while (r->got < 0 && errno == EINTR);
}

/* The bytes are not in memory, or it cannot be told. */
static ssize_t
read_resident(int fd, char *to, uint64_t offset, size_t n)
{
	struct iovec v = {to, n};

	return preadv2(fd, &v, 1, (off_t)offset, RWF_NOWAIT);
}

/* Awaits at most n bytes at `to`. */
static err_t
read_piece(struct ctx *cx, int fd, char *to, uint64_t offset, size_t n, size_t *got_out)
{
	struct reading r = {fd, to, offset, n, read_resident(fd, to, offset, n)};

	if (r.got <= 0)
		TRY(offload(cx, LANE_file, read_blocking, &r));
	if (r.got <= 0)
		return fail(cx, ERR_GENERAL_SERVER_ERROR, "a file ends early or cannot be read: offset=%llu", (unsigned long long)offset);
	*got_out = (size_t)r.got;
	return OK;
}

static void
free_buffer(void *p)
{
	free(p);
}

static err_t
send_read(struct ctx *cx, struct http_msg *m, int fd, uint64_t offset, uint64_t n)
{
	char *piece = mem_alloc(PIECE);
	size_t got;

	defer(cx, free_buffer, piece);
	for (; n > 0; n -= got, offset += got) {
		TRY(read_piece(cx, fd, piece, offset, n < PIECE ? (size_t)n : PIECE, &got));
		TRY(http_write(cx, m, (struct str){piece, got}));
		TRY(fib_yield(cx));
	}
	return OK;
}

/* Awaits until the slice is in memory, as far as its first and its last byte tell; of little the last one does: the kernel reads ahead of a reader in order. */
static err_t
warm(struct ctx *cx, int fd, uint64_t offset, size_t n)
{
	struct defer *mark = cx->defers;
	char probe, *scratch;
	size_t got;

	if ((n <= AHEAD || read_resident(fd, &probe, offset, 1) == 1) && read_resident(fd, &probe, offset + n - 1, 1) == 1)
		return OK;
	scratch = mem_alloc(PIECE);
	defer(cx, free_buffer, scratch);
	for (size_t at = 0; at < n; at += got)
		TRY(read_piece(cx, fd, scratch, offset + at, n - at < PIECE ? n - at : PIECE, &got));
	ctx_unwind(cx, mark);
	return OK;
}

static err_t
http_file_send_slice(struct ctx *cx, struct msg *x, int fd, uint64_t *offset, size_t n)
{
	uint64_t end = *offset + n, before;
	ssize_t sent;

	while (*offset < end) {
		TRY(stream_room(cx, x));
		before = *offset;
		sent = conn_send_file(x->conn, fd, offset, (size_t)(end - *offset));
		if (sent < 0)
			return fail(cx, ERR_CANCELLED, "the client left, or the file is shorter than it was");
		x->choked = sent == 0;
		x->out += *offset - before;
	}
	return OK;
}

/* After the last slice nothing is awaited: the answer ends before the client's next request can come. */
static err_t
send_mapped(struct ctx *cx, struct msg *x, int fd, uint64_t offset, uint64_t n)
{
	uint64_t end = offset + n;

	while (offset < end) {
		size_t slice = end - offset < SLICE ? (size_t)(end - offset) : SLICE;

		TRY(warm(cx, fd, offset, slice));
		TRY(http_file_send_slice(cx, x, fd, &offset, slice));
		if (offset < end)
			TRY(fib_yield(cx));
	}
	return OK;
}

static err_t
send_all(struct ctx *cx, struct msg *x, int fd, uint64_t offset, uint64_t n)
{
	if (x->bodiless || n == 0)
		return stream_gone(cx, x);
	TRY(stream_gone(cx, x));
	if (x->conn->proto == PROTO_H1 && x->conn->tls == NULL)
		return send_mapped(cx, x, fd, offset, n);
	return send_read(cx, &x->m, fd, offset, n);
}

err_t
http_send_file(struct ctx *cx, struct http_msg *m, int status, const struct http_header *h, int nh, int fd, uint64_t offset, uint64_t n)
{
	uint64_t deadline = cx->deadline, began = loop_now();
	struct msg *x = msg_cast(m);
	struct defer *mark = cx->defers;
	err_t e;

	assert(n <= INT64_MAX && offset <= INT64_MAX - n);
	http_begin(m, status, h, nh, (int64_t)n);
	cx->deadline = began + (uint64_t)conf.transfer_timeout;	/* a long way from the disk is no fault of the handler's either */
	e = send_all(cx, x, fd, offset, n);
	cx->deadline = deadline ? deadline + (loop_now() - began) : 0;
	ctx_unwind(cx, mark);
	if (e == OK)
		http_end(m);
	return e;
}
