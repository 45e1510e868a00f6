/* The life of a role: one process, one loop. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/machine.h"
#include "core/metric.h"
#include "exec/exec.h"
#include "io/budget.h"
#include "io/bus.h"
#include "io/db.h"
#include "jobs/jobs.h"
#include "main_priv.h"
#include "relay/relay.h"
#include "model/project.h"
#include "model/usage.h"

static bool
jobs_begin(void)
{
	db_init();
	bus_init();
	usage_init();
	return jobs_init();
}

static void
jobs_end(void)
{
	bus_fini();
	db_fini();
}

/* Jobs go before the relay: what they write must still reach the stream. */
const struct role roles[] = {
    {.name = "web", .init = web_init, .drain = web_drain, .fini = web_fini, .up = servers_up, .each = true},
    {.name = "relay", .init = relay_init, .drain = relay_drain, .last = true},
    {.name = "jobs", .init = jobs_begin, .drain = jobs_drain, .fini = jobs_end, .up = servers_up},
    {.name = "executor", .init = exec_role_init, .drain = executor_drain, .fini = exec_role_fini, .up = exec_role_up, .keeps = true},
    {0}};

const struct place *role_place;
static const struct role *role;
static const struct args *role_args;
static int role_ready_fd;
static bool draining;

static void
on_term(int signo)
{
	(void)signo;
	if (draining)
		return;
	draining = true;
	log_debug(NULL, "draining", "role=%s", role->name);
	role->drain();
}

static void
on_hup(int signo)
{
	(void)signo;
	if (!args_conf(role_args, true)) {
		log_error(NULL, "configuration not applied", "reason=\"see the lines above\"");
		return;
	}
	log_init(role->name, conf.log_level, conf.log_json);
	project_cache_clear();
}

_Noreturn static void
end(int status)
{
	fflush(NULL);
	exit(status);
}

/* Says so once the role can do its work. */
static void
role_answer(struct ctx *cx, void *arg)
{
	(void)arg;
	while (role->up != NULL && !role->up(cx))
		if (fib_sleep(cx, 20) != OK)
			return;
	if (write(role_ready_fd, "r", 1) != 1)
		log_warn(NULL, "the supervisor does not listen", "role=%s", role->name);
	close(role_ready_fd);
}

unsigned
role_processes(const struct role *r)
{
	if (!r->each)
		return 1;
	return conf.web_processes > 0 ? (unsigned)conf.web_processes : machine_cores();
}

/* Of what clients make processes hold: half of the memory that there is for all of them together. */
static size_t
role_memory(const struct role *r)
{
	size_t all = machine_memory();

	return all < SIZE_MAX ? all / 2 / role_processes(r) : SIZE_MAX;
}

_Noreturn void
role_main(const struct role *r, unsigned slot, const struct args *a, const struct place *p, int ready_fd)
{
	sigset_t none;
	pid_t parent = getppid();
	char name[16];

	role = r;
	role_place = p;
	conf_files = false;	/* the supervisor has looked, and could */
	role_args = a;
	role_ready_fd = ready_fd;
	snprintf(name, sizeof name, "badal-%s", r->name);
	prctl(PR_SET_NAME, name);
	signal(SIGINT, SIG_IGN);	/* Ctrl-C reaches us too; the supervisor gives the order */
	log_init(r->name, conf.log_level, conf.log_json);
	metric_slot(slot);
	loop_init();
	heap_setup();
	budget_share(role_memory(r));
	loop_on_signal(SIGTERM, on_term);
	loop_on_signal(SIGHUP, on_hup);
	if (!r->init() || (!r->keeps && !place_become(p)))	/* what needs rights (ports, keys, limits) is done by init */
		end(ROLE_CANNOT);
	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* after the change of user, which would clear it */
	if (getppid() != parent)
		end(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fib_spawn_new("ready", 0, role_answer, NULL);
	loop_run();
	if (r->fini != NULL)
		r->fini();
	end(draining ? 0 : 1);
}

/* ---- a loop for one piece of work ---- */

struct work {
	err_t (*fn)(struct ctx *cx, void *arg);
	void *arg;
	err_t result;
	char *why;
	size_t why_size;
};

static void
role_work_fiber(struct ctx *cx, void *arg)
{
	struct work *w = arg;

	w->result = w->fn(cx, w->arg);
	if (w->result != OK && w->why_size > 0) {
		const char *words = cx->message ? cx->message : err_info(w->result)->message, *detail = cx->detail;

		if (detail != NULL && strcmp(detail, db_constraint(cx)) == 0)	/* a name of ours that says nothing to others */
			detail = NULL;
		snprintf(w->why, w->why_size, "%s%s%s%s", words, detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
	}
	loop_stop();
}

err_t
with_loop(err_t (*fn)(struct ctx *cx, void *arg), void *arg, uint64_t timeout_ms, char *why_out, size_t why_size)
{
	struct work w = {.fn = fn, .arg = arg, .result = ERR_GENERAL_UNKNOWN, .why = why_out, .why_size = why_size};

	if (why_size > 0)
		why_out[0] = '\0';
	loop_init();
	db_init();
	fib_spawn_new(NULL, timeout_ms, role_work_fiber, &w);
	loop_run();
	db_fini();
	return w.result;
}
