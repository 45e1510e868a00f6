/* The virus scanner, as those who have something scanned see it. The content goes into a file without a name, in the storage directory and not in memory, for
 * it may be large; the scanner gets the descriptor. */
#include "model/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/offload.h"
#include "io/worker.h"
#include "model/scan_wire.h"

enum { TRIES = 3 };
#define START_MS (180 * 1000)	/* the official signatures take a slow machine so long to read */

static struct scan_hello hello;	/* of the last connection */

static err_t
scan_greet(struct ctx *cx, struct worker *w)
{
	const struct scan_limits l = {.magic = SCAN_WIRE, .seconds = (uint32_t)(conf.antivirus_time / 1000), .depth = (uint32_t)conf.antivirus_depth,
		.files = (uint32_t)conf.antivirus_files, .bytes = (uint64_t)conf.antivirus_bytes};

	if (!worker_send(w, &l, sizeof l, NULL, 0))
		return fail(cx, ERR_FETCH, "the scanner is gone");
	TRY(worker_hear(cx, w, &hello, sizeof hello, loop_now() + START_MS));
	hello.engine[sizeof hello.engine - 1] = '\0';
	return hello.magic == SCAN_WIRE && hello.signatures > 0 ? OK : fail(cx, ERR_FETCH, "the scanner has no signatures");
}

static struct worker_pool scanners = {
	.kind = LAUNCH_SCAN,
	.width = &conf.antivirus_workers,
	.queue = &conf.antivirus_queue,
	.wait = &conf.antivirus_wait,
	.idle = &conf.antivirus_idle,
	.start_ms = START_MS,
	.greet = scan_greet,
	.started = M_scan_started,
	.lost = M_scan_lost,
	.refused = M_scan_refused,
	.busy = M_scan_busy,
};

/* ---- whether ---- */

static bool
have_signatures(void)
{
	DIR *d = conf.antivirus_db[0] != '\0' ? opendir(conf.antivirus_db) : NULL;
	const struct dirent *e;
	bool some = false;

	while (d != NULL && !some && (e = readdir(d)) != NULL)
		some = e->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return some;
}

err_t
scan_wanted(struct ctx *cx, bool *wanted_out)
{
	bool off = strcmp(conf.antivirus, "off") == 0, required = strcmp(conf.antivirus, "required") == 0;

	*wanted_out = !off && have_signatures();
	if (required && !*wanted_out)
		return fail(cx, ERR_SCAN_NONE, "no signatures in antivirus_db: %s", conf.antivirus_db);
	return OK;
}

/* ---- the content ---- */

struct scan_job {
	int fd;
	struct str piece;
	int error;		/* errno of a write */
};

static void
scan_write(void *arg)
{
	struct scan_job *j = arg;

	for (size_t at = 0; at < j->piece.n && j->error == 0;) {
		ssize_t n = write(j->fd, j->piece.p + at, j->piece.n - at);

		if (n < 0 && errno != EINTR)
			j->error = errno;
		else if (n > 0)
			at += (size_t)n;
	}
}

static void
scan_open(void *arg)
{
	struct scan_job *j = arg;

	j->fd = open(conf.storage_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (j->fd < 0)
		j->fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	j->error = j->fd < 0 ? errno : 0;
}

static void
scan_close(void *arg)
{
	struct scan_job *j = arg;

	if (j->fd >= 0)
		close(j->fd);
}

static err_t
scan_collect(struct ctx *cx, struct scan_job *j, scan_source_fn source, void *arg)
{
	TRY(offload(cx, LANE_file, scan_open, j));
	defer(cx, scan_close, j);
	for (int64_t n = 0; j->error == 0; n += (int64_t)j->piece.n) {
		TRY(source(cx, arg, &j->piece));
		if (j->piece.n == 0)
			return OK;
		if (n + (int64_t)j->piece.n > conf.antivirus_bytes)
			return fail(cx, ERR_SCAN_FOUND, "larger than antivirus_bytes");
		TRY(offload(cx, LANE_file, scan_write, j));
	}
	return fail(cx, ERR_SCAN_DOWN, "no room for a file to be scanned: %s", strerror(j->error));
}

/* ---- one scan ---- */

/* How a connection ended it. `well`: it may scan another. */
static err_t
scan_ask(struct ctx *cx, struct worker *w, const struct scan_job *j, struct scan_end *end, bool *well)
{
	const struct scan_task task = {SCAN_WIRE};
	uint64_t deadline = loop_now() + 2 * (uint64_t)conf.antivirus_time;
	err_t e;

	*well = false;
	if (!worker_send(w, &task, sizeof task, &j->fd, 1))
		return fail(cx, ERR_FETCH, "the scanner is gone");
	e = worker_hear(cx, w, end, sizeof *end, deadline);
	if (e == ERR_TIMEOUT && (cx->deadline == 0 || cx->deadline > loop_now())) {
		metric_add(M_scan_late, 1);
		return fail(cx, ERR_SCAN_FOUND, "scanning takes longer than antivirus_time");
	}
	TRY(e);
	end->name[sizeof end->name - 1] = '\0';
	*well = end->magic == SCAN_WIRE && end->outcome != SCAN_STALE;
	return OK;
}

static err_t
scan_once(struct ctx *cx, const struct scan_job *j, struct scan_end *end)
{
	struct worker *w;
	bool well;
	err_t e;

	TRY(worker_take(cx, &scanners, &w));
	e = scan_ask(cx, w, j, end, &well);
	worker_give(w, well);
	return e;
}

static err_t
scan_judge(struct ctx *cx, const struct scan_end *end)
{
	switch (end->magic == SCAN_WIRE ? end->outcome : SCAN_FAILED) {
	case SCAN_CLEAN:
		metric_add(M_scan_clean, 1);
		return OK;
	case SCAN_FOUND:
	case SCAN_LIMIT:
		metric_add(M_scan_found, 1);
		log_warn(cx, "a file was refused", "found=\"%s\"", end->name);
		return fail(cx, ERR_SCAN_FOUND, "found %s", end->name);
	default:
		return fail(cx, ERR_SCAN_DOWN, "the scanner failed: %s", end->name);
	}
}

/* A connection may end just when it is asked: its signatures are old, or it was idle for too long. What ends it twice is a file that it cannot bear. */
static err_t
scan_run(struct ctx *cx, const struct scan_job *j)
{
	struct scan_end end = {.outcome = SCAN_FAILED};
	err_t e = ERR_FETCH;

	for (int i = 0; i < TRIES; i++) {
		e = scan_once(cx, j, &end);
		if (e != ERR_FETCH && !(e == OK && end.outcome == SCAN_STALE))
			break;
	}
	if (e == ERR_FETCH || (e == ERR_BUSY && cx->detail != NULL && strstr(cx->detail, "start") != NULL))
		return fail(cx, ERR_SCAN_DOWN, "the scanner does not answer");
	TRY(e);
	return scan_judge(cx, &end);
}

err_t
scan_content(struct ctx *cx, scan_source_fn source, void *arg)
{
	struct scan_job j = {.fd = -1};
	struct defer *mark = cx->defers;
	err_t e;

	TRY(worker_room(cx, &scanners));
	e = scan_collect(cx, &j, source, arg);
	if (e == OK)
		e = scan_run(cx, &j);
	ctx_unwind(cx, mark);
	return e;
}

err_t
scan_version(struct ctx *cx, const char **out)
{
	struct worker *w;
	err_t e = worker_take(cx, &scanners, &w);

	if (e != OK)
		return fail(cx, ERR_SCAN_DOWN, "the scanner does not answer");
	worker_give(w, true);
	*out = arena_printf(cx->arena, "ClamAV %s, %u signatures", hello.engine, hello.signatures);
	return OK;
}
