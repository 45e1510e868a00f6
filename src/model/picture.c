/* Asking an image worker (src/picture/worker.c) for a picture.
 *
 * The source is collected in a file in memory, so that a worker is taken only when there is all it needs, and a slow device holds none up. That file is
 * sealed, and handed over with an empty one for the result. */
#include "model/picture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/budget.h"
#include "io/worker.h"
#include "model/picture_wire.h"

enum { GREET_MS = 20000, SEND_TRIES = 3, CPU_TO_CLOCK = 3, READ_SLICE = 256 * 1024 };	/* a worker has its CPU time, in at most so many times as long */

static const char *const picture_types[] = {[PICTURE_SAME] = NULL, [PICTURE_JPG] = "image/jpeg", [PICTURE_PNG] = "image/png", [PICTURE_GIF] = "image/gif",
    [PICTURE_WEBP] = "image/webp", [PICTURE_AVIF] = "image/avif"};
enum { PICTURE_TYPES = sizeof picture_types / sizeof *picture_types };

static const char *const picture_gravities[GRAVITY_N] = {"top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"};

/* ---- the pool ---- */

static err_t
picture_greet(struct ctx *cx, struct worker *w)
{
	const struct picture_limits l = {.magic = PICTURE_WIRE, .frames = (uint32_t)conf.picture_frames, .pixels = (uint64_t)conf.picture_pixels,
	    .memory = (uint64_t)conf.picture_memory, .seconds = (uint64_t)(conf.picture_time + 999) / 1000};
	struct picture_able able;

	if (!worker_send(w, &l, sizeof l, NULL, 0))
		return fail(cx, ERR_FETCH, "the worker is gone");
	TRY(worker_hear(cx, w, &able, sizeof able, loop_now() + GREET_MS));
	if (able.magic != PICTURE_WIRE || able.reads == 0)
		return fail(cx, ERR_GENERAL_SERVER_ERROR, "no pictures: GraphicsMagick or seccomp is missing (badal doctor)");
	return OK;
}

static struct worker_pool pool = {.kind = LAUNCH_PICTURE, .width = &conf.picture_workers, .queue = &conf.picture_queue, .wait = &conf.picture_wait,
    .idle = &conf.picture_idle, .greet = picture_greet, .started = M_picture_workers_started, .lost = M_picture_workers_lost,
    .refused = M_pictures_refused, .busy = M_picture_workers_busy};

/* ---- the task ---- */

/* "f80" is "ff8800". */
static int32_t
colour(const char *hex)
{
	unsigned long v = hex == NULL || *hex == '\0' ? 0 : strtoul(hex, NULL, 16);

	if (hex == NULL || *hex == '\0')
		return -1;
	if (strlen(hex) == 3)
		v = (v >> 8 & 15) * 0x110000 + (v >> 4 & 15) * 0x1100 + (v & 15) * 0x11;
	return (int32_t)(v & 0xffffff);
}

static int
clamped(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

static err_t
picture_task_of(struct ctx *cx, const struct picture_ask *a, struct picture_task *t)
{
	*t = (struct picture_task){
	    .magic = PICTURE_WIRE,
	    .width = clamped(a->width, 0, PICTURE_SIDE_MAX),
	    .height = clamped(a->height, 0, PICTURE_SIDE_MAX),
	    .gravity = GRAVITY_CENTER,
	    .quality = clamped(a->quality, 0, 100),
	    .border_width = clamped(a->border_width, 0, 1000),
	    .border_radius = clamped(a->border_radius, 0, PICTURE_SIDE_MAX),
	    .rotation = clamped(a->rotation, -360, 360),
	    .border_color = colour(a->border_color),
	    .background = colour(a->background),
	    .opacity = clamped((int)(a->opacity * 1e6 + 0.5), 0, 1000000),
	    .format = (int32_t)a->format,
	};
	for (int g = 0; a->gravity != NULL && g < GRAVITY_N; g++)
		if (str_ieq(str_c(a->gravity), str_c(picture_gravities[g])))
			t->gravity = g;
	if (t->border_width > 0 && t->border_color < 0)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid borderColor: a border needs a colour.");
	return OK;
}

/* ---- one picture ---- */

struct picture_job {
	struct picture_task task;
	int source, result;	/* files in memory */
	struct budget held;	/* for the source */
};

static err_t
job_files(struct ctx *cx, struct picture_job *j)
{
	j->source = memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	j->result = memfd_create("result", MFD_CLOEXEC);
	return j->source >= 0 && j->result >= 0 ? OK : fail(cx, ERR_BUSY, "no files in memory: %s", strerror(errno));
}

static err_t
job_write(struct ctx *cx, struct picture_job *j, struct str piece)
{
	while (piece.n > 0) {
		ssize_t w = write(j->source, piece.p, piece.n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return fail(cx, ERR_BUSY, "no memory for a picture: %s", strerror(errno));
		piece.p += w;
		piece.n -= (size_t)w;
	}
	return OK;
}

static err_t
job_collect(struct ctx *cx, struct picture_job *j, picture_source_fn source, void *arg)
{
	struct str piece;

	for (size_t n = 0;; n += piece.n) {
		TRY(source(cx, arg, &piece));
		if (piece.n == 0)
			break;
		if (piece.n > (size_t)conf.picture_source_max - n)
			return fail(cx, ERR_PICTURE_LARGE, "a picture of more than %lld bytes", (long long)conf.picture_source_max);
		TRY(budget_charge(&j->held, piece.n));
		TRY(job_write(cx, j, piece));
		TRY(fib_yield(cx));
	}
	if (fcntl(j->source, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		return fail(cx, ERR_BUSY, "cannot seal a file in memory: %s", strerror(errno));
	return OK;
}

static err_t
job_result(struct ctx *cx, struct picture_job *j, struct picture *out)
{
	struct picture_result r;
	char *to;

	if (pread(j->result, &r, sizeof r, 0) != (ssize_t)sizeof r || r.magic != PICTURE_WIRE)
		return fail(cx, ERR_PICTURE_BAD, "the worker made nothing of it");
	if (r.outcome == OUTCOME_LARGE)
		return fail(cx, ERR_PICTURE_LARGE, "over the limits of pixels, memory or time");
	if (r.outcome == OUTCOME_CANNOT)
		return fail(cx, ERR_PICTURE_BAD, "a format that is not installed here");
	if (r.outcome != OUTCOME_MADE || (r.format == PICTURE_SAME) != (j->task.kind == TASK_PAGE) || r.format >= PICTURE_TYPES ||
	    r.bytes > PICTURE_RESULT_MAX || r.width > INT16_MAX * 2 || r.height > INT16_MAX * 2)
		return fail(cx, ERR_PICTURE_BAD, "no picture, or a broken one");
	TRY(budget_hold(cx, r.bytes));
	to = arena_alloc(cx->arena, r.bytes);
	for (size_t n = 0; n < r.bytes; n += READ_SLICE) {
		size_t slice = r.bytes - n < READ_SLICE ? r.bytes - n : READ_SLICE;

		if (pread(j->result, to + n, slice, (off_t)(sizeof r + n)) != (ssize_t)slice)
			return fail(cx, ERR_PICTURE_BAD, "the worker's result is short");
		TRY(fib_yield(cx));
	}
	*out = (struct picture){picture_types[r.format], {to, r.bytes}, (int)r.width, (int)r.height};
	return OK;
}

/* Awaits the worker's end of it; `well` says whether the worker may do another. */
static err_t
job_work(struct ctx *cx, struct worker *w, bool *well)
{
	uint64_t deadline = loop_now() + CPU_TO_CLOCK * (uint64_t)conf.picture_time;
	struct picture_end end;
	err_t e;

	*well = false;
	e = worker_hear(cx, w, &end, sizeof end, deadline);
	if (e == ERR_TIMEOUT && (cx->deadline == 0 || cx->deadline > loop_now())) {
		metric_add(M_pictures_late, 1);
		return fail(cx, ERR_PICTURE_LARGE, "a picture took longer than %d times picture_time", CPU_TO_CLOCK);
	}
	if (e == ERR_FETCH)
		return fail(cx, ERR_PICTURE_BAD, "a worker ended in the middle of a picture");
	TRY(e);
	*well = end.magic == PICTURE_WIRE && end.crashed == 0;
	return *well ? OK : fail(cx, ERR_PICTURE_BAD, "a picture ended its process: signal=%u", end.crashed);
}

/* One that ended while it was free may not have been noticed: then another. */
static err_t
job_begin(struct ctx *cx, struct picture_job *j, struct worker **out)
{
	for (int i = 0; i < SEND_TRIES; i++) {
		TRY(worker_take(cx, &pool, out));
		if (worker_send(*out, &j->task, sizeof j->task, (const int[]){j->source, j->result}, 2))
			return OK;
		worker_give(*out, false);
	}
	return fail(cx, ERR_BUSY, "workers end while they are free");
}

static err_t
job_run(struct ctx *cx, struct picture_job *j, struct picture *out)
{
	struct worker *w;
	bool well;
	err_t e;

	TRY(job_begin(cx, j, &w));
	e = job_work(cx, w, &well);
	worker_give(w, well);
	TRY(e);
	return job_result(cx, j, out);
}

static err_t
job_make(struct ctx *cx, struct picture_job *j, picture_source_fn source, void *arg, struct picture *out)
{
	TRY(job_files(cx, j));
	if (source != NULL)
		TRY(job_collect(cx, j, source, arg));
	return job_run(cx, j, out);
}

static err_t
make(struct ctx *cx, picture_source_fn source, void *arg, const struct picture_task *t, struct picture *out)
{
	struct picture_job j = {.task = *t, .source = -1, .result = -1};
	err_t e;

	TRY(worker_room(cx, &pool));
	e = job_make(cx, &j, source, arg, out);
	if (j.source >= 0)
		close(j.source);
	if (j.result >= 0)
		close(j.result);
	budget_close(&j.held);
	metric_add(e == OK ? M_pictures_made : M_pictures_failed, 1);
	return e;
}

err_t
picture_make(struct ctx *cx, picture_source_fn source, void *arg, const struct picture_ask *ask, struct picture *out)
{
	struct picture_task t;

	TRY(picture_task_of(cx, ask, &t));
	return make(cx, source, arg, &t, out);
}

err_t
picture_icon(struct ctx *cx, enum picture_icon icon, const struct picture_ask *ask, struct picture *out)
{
	struct picture_task t;

	TRY(picture_task_of(cx, ask, &t));
	t.icon = (int32_t)icon;
	if (t.background < 0)
		t.background = 0xeceff1;
	return make(cx, NULL, NULL, &t, out);
}

/* ---- letters and pages ---- */

static err_t
source_once(struct ctx *cx, void *arg, struct str *piece_out)
{
	struct str *left = arg;

	(void)cx;
	*piece_out = *left;
	*left = STR_NONE;
	return OK;
}

err_t
picture_initials(struct ctx *cx, struct str letters, int width, int height, unsigned color, struct picture *out)
{
	struct picture_task t = {.magic = PICTURE_WIRE, .kind = TASK_INITIALS, .width = width, .height = height, .background = (int32_t)(color & 0xffffff), .border_color = -1,
	    .opacity = 1000000};

	assert(width >= 1 && height >= 1 && width <= INITIALS_SIDE_MAX && height <= INITIALS_SIDE_MAX);
	return make(cx, source_once, &letters, &t, out);
}

err_t
picture_page_icon(struct ctx *cx, struct str page, const char **base_out, const char **icon_out)
{
	struct picture_task t = {.magic = PICTURE_WIRE, .kind = TASK_PAGE, .border_color = -1, .background = -1, .opacity = 1000000};
	struct picture out;
	struct str rest;

	TRY(make(cx, source_once, &page, &t, &out));
	rest = out.bytes;
	*base_out = str_dup(cx->arena, str_cut(&rest, '\n'));
	*icon_out = rest.n > 0 ? str_dup(cx->arena, rest) : "";
	return OK;
}
