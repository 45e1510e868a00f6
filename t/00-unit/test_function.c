/* When another process of a function is begun. */
#include <criterion/criterion.h>

#include "exec/function.c"

static const struct {
	const char *what;
	double run_ms;
	uint64_t start_ms;
	unsigned there, starting, waiting;
	uint64_t patience;
} rows[] = {
	{"nothing is known of its starts", 1, 0, 1, 0, 16, PATIENCE_MS},
	{"nothing is known of its runs", -1, 80, 1, 0, 16, PATIENCE_MS},
	{"short runs, which one process serves sooner than another is ready", 1, 80, 1, 0, 16, 80},
	{"so many of them that it does not", 1, 80, 1, 0, 80, PATIENCE_MS},
	{"two processes serve twice as many", 1, 80, 2, 0, 80, 80},
	{"one that is not ready serves none", 1, 80, 1, 1, 80, PATIENCE_MS},
	{"long runs", 100, 80, 1, 0, 1, PATIENCE_MS},
	{"a start that takes long", 1, 5000, 1, 0, 16, PATIENCE_MAX},
	{"one that takes no longer than a moment", 0, 5, 1, 0, 16, PATIENCE_MS},
	{"there is none to wait for", 1, 80, 0, 0, 1, 0},
	{"as many as may be", 1, 80, 8, 0, 16, 0},
	{"others are begun already", 1, 80, 1, 2, 2, 0},
};

Test(function, waits_as_long_as_a_start_would_take)
{
	conf.functions_instances_max = 8;
	conf.executor_instances_max = 100;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct instance ready = {.state = INSTANCE_READY, .runs = 1};
		const struct function f = {.instances = rows[i].there > 0 ? &ready : NULL, .n_instances = rows[i].there + rows[i].starting, .n_starting = rows[i].starting,
			.n_waiting = rows[i].waiting, .run_ms = rows[i].run_ms, .start_ms = rows[i].start_ms};

		cr_expect_eq(function_patience(&f), rows[i].patience, "%s: %llu", rows[i].what, (unsigned long long)function_patience(&f));
	}
}

Test(function, begins_none_where_the_machine_is_full)
{
	struct instance ready = {.state = INSTANCE_READY, .runs = 1};
	const struct function f = {.instances = &ready, .n_instances = 1, .n_waiting = 3, .run_ms = 1, .start_ms = 80};

	conf.functions_instances_max = 8;
	conf.executor_instances_max = instances_alive = 4;
	cr_expect_eq(function_patience(&f), 0);
}

Test(function, learns_what_its_runs_take)
{
	struct function f = {.magic = FUNCTION_MAGIC, .refs = 9, .run_ms = -1};
	struct instance i = {.magic = 0x696e7374, .state = INSTANCE_ENDING, .fn = &f, .refs = 9, .runs = 3};

	metric_init(1);
	loop_init();
	n_runs = 3;
	(void)function_give_back(&i, 400);
	cr_expect_eq(f.run_ms, 400);
	(void)function_give_back(&i, 0);
	cr_expect_eq(f.run_ms, 350);
	(void)function_give_back(&i, 350);
	cr_expect_eq(f.run_ms, 350);
}
