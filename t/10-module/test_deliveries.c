/* A run of a webhook's line whose time ends while deliveries are under way, against a real Redis. The deliveries are not real. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../src/jobs/jobs_priv.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/conf.h"
#include "core/loop.h"
#include "io/bus.h"
#include "servers.h"

#define deliver test_deliver
#define delivery_read test_delivery_read
#define log_add test_log_add
#define state_failed test_state_failed
#define state_well test_state_well
#define project_get_bare test_project_get
#include "../../src/svc/webhooks/work.c"

enum { INTERRUPTED = 2, LAST_MS = 30 };

static const char *const heads[] = {"a1", "a2", "b1", "c1", "b2", "c2"};	/* letter: the resource */
enum { HEADS = sizeof heads / sizeof *heads };
static char delivered[256];		/* heads in their order, with blanks */
static int n_delivered, interrupted, held, failed;
static bool finished;

err_t
test_project_get(struct ctx *cx, struct str id, struct project **out)
{
	static struct webhook hook = {.id = "w", .enabled = true};
	static void *hooks[] = {&hook};
	static struct project p = {.id = "p", .webhooks = {.n = 1, .v = hooks}};

	(void)cx;
	cr_assert(str_is(id, p.id));
	*out = &p;
	return OK;
}

bool
test_delivery_read(struct ctx *cx, const char *webhook, const struct line_entry *e, struct delivery *out)
{
	(void)webhook;
	*out = (struct delivery){.at = e->at, .id = str_dup(cx->arena, e->head), .actor = "", .time = time_now_ms(), .about = {.within = {(uint64_t)e->head.p[0]}, .n_within = 1}};
	return true;
}

err_t
test_log_add(struct ctx *cx, const char *line, const struct log_line *v, int n)
{
	(void)cx;
	(void)line;
	for (int i = 0; i < n; i++)
		cr_expect(v[i].o->ok);
	return OK;
}

err_t
test_state_failed(struct ctx *cx, const struct project *p, const struct webhook *w, const char *why, int64_t *attempts_out, bool *off_out)
{
	(void)cx;
	(void)p;
	(void)w;
	(void)why;
	failed++;
	*attempts_out = 1;
	*off_out = false;
	return OK;
}

err_t
test_state_well(struct ctx *cx, const struct project *p, const struct webhook *w)
{
	(void)cx;
	(void)p;
	(void)w;
	return OK;
}

/* The first goes well; those that are begun next hang until they are cancelled, and need a moment even then. What was given to them is still theirs. */
void
test_deliver(struct ctx *cx, const struct project *p, const struct webhook *w, const struct delivery *d, struct outcome *out)
{
	char was[8];

	snprintf(was, sizeof was, "%s", d->id);
	if (n_delivered > 0 && held < INTERRUPTED) {
		held++;
		cr_expect_eq(fib_sleep(cx, 600000), ERR_CANCELLED);
		fib_shield(cx, true);
		cr_expect_eq(fib_sleep(cx, LAST_MS), OK);
		fib_shield(cx, false);
		interrupted++;
		*out = (struct outcome){.why = "It was cancelled."};
	} else {
		n_delivered++;
		snprintf(delivered + strlen(delivered), sizeof delivered - strlen(delivered), "%s ", d->id);
		*out = (struct outcome){.ok = true, .status = 200, .ms = 1};
	}
	cr_expect_str_eq(d->id, was);
	cr_expect_str_eq(w->id, "w");
	cr_expect_str_eq(p->id, "p");
}

#define OKAY(expr) cr_assert_eq((expr), OK, "%s: %s", #expr, cx->detail ? cx->detail : "")

static bool
all_delivered(void)
{
	for (int i = 0; i < HEADS; i++)
		if (strstr(delivered, heads[i]) == NULL)
			return false;
	return true;
}

static int64_t
length(struct ctx *cx, const char *command, const char *key)
{
	struct bus_reply *r;

	OKAY(bus_cmd(cx, &r, BUS(str_c(command), str_c(key))));
	return r->i;
}

static void
ending(struct ctx *cx, void *arg)
{
	static const struct job_kind kinds[] = {{WEBHOOKS, webhooks_work, 100, .width = 4, .limit_ms = 500, .connections = 1, .lines = true}};
	static const struct jobs_setup set = {.kinds = kinds, .n_kinds = 1, .backoff_ms = 30, .claim_ms = 5000, .upkeep_ms = 100};
	bool put;

	(void)arg;
	for (int i = 0; i < HEADS; i++) {
		OKAY(line_put(cx, WEBHOOKS, "p/w", "p", str_c(heads[i]), STR("{}"), 1 << 20, 0, &put));
		cr_assert(put);
	}
	jobs_start(&set);
	while (!all_delivered() || length(cx, "XLEN", JOB_KEYS WEBHOOKS) > 0 || length(cx, "ZCARD", JOB_KEYS WEBHOOKS ":later") > 0)
		OKAY(fib_sleep(cx, 20));
	cr_expect_eq(interrupted, INTERRUPTED);
	cr_expect_geq(metric_value(M_jobs_late), 1);
	cr_expect_geq(metric_value(M_jobs_retried), 1);
	cr_expect_eq(failed, 0, "the receiver is not to blame");
	cr_expect_eq(length(cx, "EXISTS", JOB_KEYS WEBHOOKS ":line:p/w"), 0);
	cr_expect_eq(length(cx, "XLEN", JOB_KEYS WEBHOOKS ":dead"), 0);
	for (const char *c = "abc"; *c != '\0'; c++) {
		const char first[] = {*c, '1', '\0'}, second[] = {*c, '2', '\0'};

		cr_expect_lt(strstr(delivered, first), strstr(delivered, second), "%s", delivered);
	}
	cr_expect(all_under_way == 0 && all_bytes == 0);
	finished = true;
	loop_stop();
}

Test(deliveries, that_are_under_way_when_the_time_of_their_run_ends_are_made_again, .timeout = 120, .fini = servers_clean)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", getenv("TEST_LOG") ? getenv("TEST_LOG") : "error", false);
	conf.redis_url = server_url(server_redis());
	metric_init(1);
	loop_init();
	bus_init();
	fib_spawn_new("test", 110000, ending, NULL);
	loop_run();
	cr_assert(finished);
}
