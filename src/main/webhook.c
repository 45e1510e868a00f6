/* Verbs of webhooks: what there are, what was delivered, and delivering it again. */
#include <stdio.h>
#include <string.h>

#include "core/vtime.h"
#include "io/bus.h"
#include "main_priv.h"
#include "svc/projects/project.h"
#include "svc/webhooks/webhooks.h"

enum { LOG_LINES = 1000 };

/* What strangers have written moves no terminal's cursor, and makes no columns. */
static void
webhook_cell(const char *s, char end)
{
	for (; s != NULL && *s != '\0'; s++)
		putchar((unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
	putchar(end);
}

static err_t
webhook_list_work(struct ctx *cx, void *arg)
{
	struct project *p;

	TRY(admin_project(cx, args_get(arg, "project"), &p));
	for (int i = 0; i < p->webhooks.n; i++) {
		const struct webhook *w = p->webhooks.v[i];

		webhook_cell(w->id, '\t');
		webhook_cell(w->name, '\t');
		printf("%s\t%lld\t", w->enabled ? "on" : "off", (long long)w->attempts);
		webhook_cell(w->url, '\t');
		webhook_cell(w->logs, '\n');
	}
	return OK;
}

static void
webhook_done(void *arg)
{
	(void)arg;
	bus_fini();
}

static err_t
webhook_named(struct ctx *cx, const struct args *a, struct project **p_out, struct webhook **w_out)
{
	TRY(admin_project(cx, args_get(a, "project"), p_out));
	*w_out = webhook_find(*p_out, args_get(a, "id"));
	if (*w_out == NULL)
		return fail_msg(cx, ERR_WEBHOOK_NOT_FOUND, "The project has no webhook %s.", args_get(a, "id"));
	bus_init();
	defer(cx, webhook_done, NULL);
	return OK;
}

static err_t
webhook_log_work(struct ctx *cx, void *arg)
{
	struct project *p;
	struct webhook *w;
	struct objs list;

	TRY(webhook_named(cx, arg, &p, &w));
	TRY(webhook_log(cx, p, w, LOG_LINES, &list));
	for (int i = 0; i < list.n; i++) {
		const struct sent *s = list.v[i];
		char date[30];

		webhook_cell(s->id, '\t');
		webhook_cell(time_iso(s->sent, date), '\t');
		webhook_cell(s->event, '\t');
		printf("%s\t%lld\t%lld\t%lld ms\t", s->status, (long long)s->attempts, (long long)s->code, (long long)s->duration);
		webhook_cell(s->error, '\n');
	}
	return OK;
}

static err_t
webhook_replay_work(struct ctx *cx, void *arg)
{
	struct project *p;
	struct webhook *w;
	int64_t n;

	TRY(webhook_named(cx, arg, &p, &w));
	TRY(webhook_replay(cx, p, w, args_get(arg, "delivery"), &n));
	printf("%lld\n", (long long)n);
	return OK;
}

int
webhook_list_run(struct args *a)
{
	return admin_work(a, webhook_list_work);
}

int
webhook_log_run(struct args *a)
{
	return admin_work(a, webhook_log_work);
}

int
webhook_replay_run(struct args *a)
{
	return admin_work(a, webhook_replay_work);
}
