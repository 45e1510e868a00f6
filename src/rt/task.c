/* What needs a fiber: the handshake, messages that ask the database, catching up. One at a time per connection, in order, and a
 * bounded number at once; the others wait. A task and its peer hold each other: who goes last frees the peer. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/loop.h"
#include "io/budget.h"

enum { RUNNING_MAX = 128, MESSAGES_MAX = 64, BYTES_MAX = 1024 * 1024 };

struct message {
	struct message *next;
	size_t n;
	char text[];
};

struct task {
	struct task *next;	/* in the queue */
	struct peer *c;
	struct http_msg *up;	/* the handshake, NULL when done */
	struct message *first, **last;
	unsigned n_messages;
	size_t bytes;
	struct fib *fib;	/* NULL: waits for its turn */
};

static struct task *queue_first, **queue_last = &queue_first;
static unsigned running;
static struct budget waiting;	/* the messages */

static void task_run(struct ctx *cx, void *arg);

static void
start_waiting(void)
{
	struct task *t;

	while (running < RUNNING_MAX && (t = queue_first) != NULL) {
		queue_first = t->next;
		if (queue_first == NULL)
			queue_last = &queue_first;
		running++;
		fib_spawn_new("rt", 0, task_run, t);
	}
}

void
task_step_aside(bool on)
{
	if (!on) {
		running++;
		return;
	}
	running--;
	start_waiting();
}

static struct task *
task_of(struct peer *c)
{
	struct task *t = c->task;

	if (t != NULL)
		return t;
	t = mem_zalloc(sizeof *t);
	t->c = c;
	t->last = &t->first;
	c->task = t;
	*queue_last = t;
	queue_last = &t->next;
	start_waiting();
	return t;
}

static struct message *
task_pop(struct task *t)
{
	struct message *m = t->first;

	if (m == NULL)
		return NULL;
	t->first = m->next;
	if (t->first == NULL)
		t->last = &t->first;
	t->n_messages--;
	t->bytes -= m->n;
	budget_release(&waiting, m->n);
	return m;
}

/* One step with memory and a deadline of its own. */
static bool
task_step(struct task *t, struct fib *fib)
{
	struct peer *c = t->c;
	struct message *m = NULL;
	struct ctx cx;

	if (c->ws == NULL || c->state == RT_REFUSED)
		return false;
	if (t->up == NULL && c->state != RT_CATCHING && (m = task_pop(t)) == NULL)
		return false;
	ctx_init(&cx);
	cx.fib = fib;
	cx.id = "rt";
	cx.deadline = loop_now() + (uint64_t)conf.request_timeout;
	if (c->project != 0)
		cx.project = atom_text(c->project).p;
	if (c->address != 0)
		cx.client = atom_text(c->address).p;
	if (t->up != NULL) {
		peer_handshake(&cx, c, t->up);
		http_done(t->up);
		t->up = NULL;
	} else if (m == NULL)
		peer_settle(&cx, c);
	else if (!message_quick(c, (struct str){m->text, m->n}))
		message_slow(&cx, c, (struct str){m->text, m->n});
	ctx_fini(&cx);
	free(m);
	return true;
}

static void
task_run(struct ctx *cx, void *arg)
{
	struct task *t = arg;
	struct peer *c = t->c;
	struct message *m;

	t->fib = cx->fib;
	while (task_step(t, cx->fib))
		;
	if (t->up != NULL)
		http_done(t->up);
	while ((m = task_pop(t)) != NULL)
		free(m);
	c->task = NULL;
	free(t);
	if (c->state == RT_CLOSED)
		peer_free(c);
	running--;
	start_waiting();
}

void
task_open(struct peer *c, struct http_msg *up)
{
	task_of(c)->up = up;
}

void
task_settle(struct peer *c)
{
	assert(c->state == RT_CATCHING);
	task_of(c);
}

bool
task_message(struct peer *c, struct str text)
{
	struct task *t = task_of(c);
	struct message *m;

	if (t->n_messages >= MESSAGES_MAX || t->bytes + text.n > BYTES_MAX || budget_room(&waiting, text.n) != OK)
		return false;
	budget_force(&waiting, text.n);
	m = mem_alloc(sizeof *m + text.n + 1);
	m->next = NULL;
	m->n = text.n;
	if (text.n > 0)
		memcpy(m->text, text.p, text.n);
	*t->last = m;
	t->last = &m->next;
	t->n_messages++;
	t->bytes += text.n;
	return true;
}

void
task_abandon(struct peer *c)
{
	if (c->task->fib != NULL)
		fib_cancel(c->task->fib);
}
