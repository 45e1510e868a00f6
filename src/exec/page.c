/* Pictures of pages: a browser of this machine in a sandbox of its own, which badal-pose (pose.c) tells what to do. What the page makes of the browser stays in there: it
 * sees the machine's programs, an empty /tmp, and of networks what functions see. */
#include <stdlib.h>

#include "core/conf.h"
#include "core/fair.h"
#include "core/metric.h"
#include "exec_priv.h"
#include "exec/net.h"
#include "pose.h"
#include "programs.h"

enum { SAID_MAX = 300, PROCESSES = 400, FILES = 4096 };

static const char *const browsers[] = {"/usr/lib/chromium/chromium", "/usr/lib64/chromium-browser/chromium-browser", "/usr/lib/chromium-browser/chromium-browser", NULL};
static const char *browser, *poser;	/* NULL: not installed */

const char *
executor_browser(void)
{
	return program_first(browsers);
}

void
page_init(void)
{
	browser = executor_browser();
	poser = program_beside(NULL, "badal-pose");
}

int64_t
page_browsers(void)
{
	return browser != NULL && poser != NULL && net_on() ? conf.page_browsers : 0;
}

/* ---- turns ---- */

enum { WAIT_MS = 5000, QUEUE = 8, CLIENT_PART = 8, PROJECT_PART = 2 };

struct turn {			/* of a picture: it waits, or is being made */
	struct fair_item item;	/* first: the queue gives it back */
	struct fair_key who;
	struct fib_event come;
	struct turn *prev, *next;
};
static struct fair waiting;
static struct turn *turns;	/* those that are being made */
static int64_t n_turns;

/* A client has one browser at a time, and a project half of them. */
static bool
turn_may(const struct fair_item *it, void *arg)
{
	const struct turn *t = (const struct turn *)it;
	int64_t of_project = 0;

	(void)arg;
	for (const struct turn *o = turns; o != NULL; o = o->next) {
		if (fair_key_same(o->who, t->who))
			return false;
		of_project += o->who.project == t->who.project;
	}
	return n_turns < page_browsers() && of_project < (page_browsers() + 1) / 2;
}

static void
turn_begin(struct turn *t)
{
	t->next = turns;
	if (turns != NULL)
		turns->prev = t;
	turns = t;
	n_turns++;
	fib_signal(&t->come);
}

static void
turn_end(struct turn *t)
{
	struct turn *next;

	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		turns = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	n_turns--;
	while ((next = (struct turn *)fair_take_if(&waiting, turn_may, NULL)) != NULL)
		turn_begin(next);
}

static err_t
turn_wait(struct ctx *cx, struct turn *t)
{
	err_t e;

	*t = (struct turn){.who = fair_key(cx)};
	if (turn_may(&t->item, NULL)) {
		turn_begin(t);
		return OK;
	}
	if (page_browsers() == 0 || !fair_room(&waiting, t->who, (unsigned)page_browsers() * QUEUE, CLIENT_PART, PROJECT_PART))
		return fail(cx, ERR_BUSY, "as many browsers run as may (page_browsers)");
	fair_put(&waiting, &t->item, t->who);
	e = fib_await_for(cx, &t->come, WAIT_MS);
	if (t->come.set) {
		if (e != OK)	/* it came, and the client left */
			turn_end(t);
		return e;
	}
	fair_remove(&waiting, &t->item);
	return e == ERR_TIMEOUT ? fail(cx, ERR_BUSY, "no browser was free in %d ms", WAIT_MS) : e;
}

/* ---- a picture ---- */

struct page {
	struct sandbox *box;
	struct buf png;
	bool too_large;
	char said[SAID_MAX];		/* the beginning of its words on what is wrong */
	size_t n_said;
};

static void
page_on_output(int fd, struct str piece, void *arg)
{
	struct page *p = arg;
	size_t room = fd == 1 ? EXEC_PAGE_MAX - p->png.n : sizeof p->said - 1 - p->n_said;

	if (piece.n > room) {
		if (fd == 1 && !p->too_large) {
			p->too_large = true;
			sandbox_kill(p->box);
		}
		piece.n = room;
	}
	if (fd == 1) {
		buf_str(&p->png, piece);
	} else {
		memcpy(p->said + p->n_said, piece.p, piece.n);
		p->n_said += piece.n;
	}
}

/* What became of it, in the words of a run. */
static void
page_judge(struct ctx *cx, const struct sandbox_spec *spec, const struct page *p, const struct sandbox_end *end, struct exec_ran *out)
{
	static const struct { int code; enum exec_why why; } ends[] = {{POSE_REFUSED, EXEC_FAILED}, {POSE_NO_PAGE, EXEC_NO_ENTRYPOINT}};
	struct str said = str_trim((struct str){p->said, p->n_said});

	if (!p->too_large && end->why == SANDBOX_EXIT && end->number == POSE_DONE) {
		ran_is(out, EXEC_DONE, "");
		out->status = 200;
		out->body = (struct str){arena_memdup(cx->arena, p->png.p, p->png.n), p->png.n};
		return;
	}
	metric_add(M_exec_pages_failed, 1);
	for (size_t i = 0; end->why == SANDBOX_EXIT && i < sizeof ends / sizeof *ends; i++)
		if (end->number == ends[i].code) {
			ran_is(out, ends[i].why, str_text(cx->arena, said));
			return;
		}
	if (p->too_large)
		ran_is(out, EXEC_NO_ENTRYPOINT, "the picture of the page is too large");
	else if (end->why == SANDBOX_TIME)
		ran_is(out, EXEC_NO_ENTRYPOINT, "the page took too long");
	else
		ran_is(out, end->why == SANDBOX_MEMORY ? EXEC_MEMORY : EXEC_DIED, arena_printf(cx->arena, "%s %.*s", sandbox_end_text(cx->arena, spec, end), STR_FMT(said)));
}

static err_t
page_make(struct ctx *cx, const struct exec_ask *q, struct page *p, struct exec_ran *out)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "HOME=/tmp", "LC_ALL=C.UTF-8", NULL};
	const char *argv[] = {"/run/badal-pose", browser, str_dup(cx->arena, q->run.body), NULL};
	const struct sandbox_mount mounts[] = {{poser, "/run/badal-pose", false}};
	struct sandbox_spec spec = {.name = sandbox_name(cx, "page"), .mounts = mounts, .n_mounts = 1, .argv = argv, .env = env, .dir = "/tmp", .memory = conf.page_memory,
		.tmp = conf.page_memory / 4, .file = conf.page_memory / 4, .processes = PROCESSES, .files = FILES,
		.limit_ms = q->run.limit_ms < (uint64_t)conf.page_time ? q->run.limit_ms : (uint64_t)conf.page_time, .output = page_on_output, .arg = p};
	struct sandbox_end end;
	err_t e;

	TRY(ready_take(cx, &spec.net));
	e = sandbox_start(cx, &spec, &p->box);
	if (e == OK) {
		struct sandbox *box = p->box;

		e = sandbox_wait(cx, &box, &end);
	}
	net_free(&spec.net);
	if (e == OK)
		page_judge(cx, &spec, p, &end, out);
	return e;
}

err_t
page_serve(struct ctx *cx, const struct exec_ask *q, struct exec_ran *out)
{
	struct turn *t = arena_new_of(cx->arena, struct turn);
	struct page p = {0};
	err_t e;

	cx->project = q->project;
	cx->client = q->run.user;
	TRY(turn_wait(cx, t));
	metric_add(M_exec_pages, 1);
	buf_init(&p.png, NULL, 0);
	e = page_make(cx, q, &p, out);
	buf_fini(&p.png);
	turn_end(t);
	return e;
}
