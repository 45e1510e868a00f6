#include "model/probe.h"

#include "core/fair.h"
#include "core/metric.h"

struct probe {			/* in the arena of the context */
	int64_t project;
	uint64_t client;
	struct probe *prev, *next;
};
static struct probe *probes;

static void
probe_leave(void *arg)
{
	struct probe *b = arg;

	if (b->prev != NULL)
		b->prev->next = b->next;
	else
		probes = b->next;
	if (b->next != NULL)
		b->next->prev = b->prev;
}

err_t
probe_enter(struct ctx *cx, int64_t project)
{
	struct probe *b = arena_new_of(cx->arena, struct probe);
	uint64_t client = fair_key(cx).client;
	int n = 0, own = 0, same = 0;

	for (const struct probe *o = probes; o != NULL; o = o->next) {
		n++;
		own += o->project == project;
		same += o->client == client;
	}
	if (n >= PROBES_MAX || own >= PROBES_PROJECT || same >= PROBES_CLIENT) {
		metric_add(M_probes_refused, 1);
		return fail(cx, ERR_BUSY, "%d servers are being looked at, %d for this project, %d for this client", n, own, same);
	}
	*b = (struct probe){.project = project, .client = client, .next = probes};
	if (probes != NULL)
		probes->prev = b;
	probes = b;
	defer(cx, probe_leave, b);
	return OK;
}
