/* Verbs of functions: what they wrote. */
#include <stdio.h>
#include <string.h>

#include "core/fiber.h"
#include "core/map.h"
#include "core/vtime.h"
#include "main_priv.h"
#include "svc/functions/functions.h"

enum { RUNS_SHOWN = 100, RUNS_READ = 1000, FOLLOW_MS = 500, BEHIND_MS = 10000, SEEN_MAX = 10000 };

/* What strangers have written moves no terminal's cursor. */
static void
function_line_out(const char *mark, struct str line)
{
	fputs(mark, stdout);
	for (size_t i = 0; i < line.n; i++)
		putchar(((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f ? '?' : line.p[i]);
	putchar('\n');
}

static void
function_text_out(const char *mark, struct str text)
{
	while (text.n > 0)
		function_line_out(mark, str_cut(&text, '\n'));
}

static void
function_run_out(const struct function_run *run)
{
	char date[30];

	printf("%s %s %s %s %lld %.3f s\n", time_iso(run->ended, date), run->id, run->trigger, run->status, (long long)run->code, run->seconds);
	function_text_out("  ", run->out);
	function_text_out("! ", run->err);
}

static void
seen_nothing(void *v)
{
	(void)v;
}

/* Awaits, for ever. Rows become visible a little later than the time that they bear, so each look goes back a while, and what was shown is known. */
static err_t
function_follow(struct ctx *cx, const struct project *p, const char *id, int64_t since)
{
	struct lru *seen = lru_new(SEEN_MAX, seen_nothing);
	static char yes;
	err_t e = OK;

	while (e == OK) {
		struct function_run *v;
		struct ctx part;
		int n;

		ctx_init_part(&part, cx);
		e = function_runs(&part, p, id, since > time_now_ms() - BEHIND_MS ? since : time_now_ms() - BEHIND_MS, RUNS_READ, &v, &n);
		for (int i = 0; e == OK && i < n; i++) {
			if (lru_get(seen, str_c(v[i].id)) != NULL)
				continue;
			lru_put(seen, str_c(v[i].id), &yes);
			function_run_out(&v[i]);
		}
		fflush(stdout);
		if (e != OK)
			(void)fail(cx, e, "%s", part.detail ? part.detail : "");
		ctx_fini(&part);
		if (e == OK)
			e = fib_sleep(cx, FOLLOW_MS);
	}
	lru_free(&seen);
	return e;
}

static err_t
function_logs_work(struct ctx *cx, void *arg)
{
	int64_t now = time_now_ms();
	const char *id = args_get(arg, "id");
	struct function_run *v;
	struct project *p;
	int n;

	TRY(admin_project(cx, args_get(arg, "project"), &p));
	TRY(function_runs(cx, p, id, 0, RUNS_SHOWN, &v, &n));
	for (int i = 0; i < n; i++)
		function_run_out(&v[i]);
	fflush(stdout);
	return args_get(arg, "follow") != NULL ? function_follow(cx, p, id, n > 0 ? v[n - 1].ended + 1 : now) : OK;
}

int
function_logs_run(struct args *a)
{
	return admin_work_for(a, function_logs_work, args_get(a, "follow") != NULL ? 0 : ADMIN_WORK_MS);
}
