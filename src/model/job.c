/* Jobs leave by the same door as events: a message in the WAL of the write's own transaction. */
#include "model/job.h"

#include <assert.h>

#include "core/id.h"
#include "core/vtime.h"
#include "io/bus.h"
#include "model/line.h"
#include "model/service.h"

bool jobs_drained;

bool
job_known(struct str kind)
{
	for (const char **k = job_kinds; *k != NULL; k++)
		if (str_is(kind, *k))
			return true;
	return false;
}

/* "kind id tries-so-far ms[ project]\npayload"; the relay makes an entry of the stream {jobs}:<kind> of it. */
void
tx_job(struct db_tx *tx, const char *kind, struct str payload)
{
	struct arena *a = tx_ctx(tx)->arena;
	const char *project = tx_ctx(tx)->project, *text;

	assert(job_known(str_c(kind)));
	text = arena_printf(a, "%s %s 0 %lld%s%s\n%.*s", kind, id_unique(a), (long long)time_now_ms(), project ? " " : "", project ? project : "",
	    STR_FMT(payload));
	tx_add(tx, "SELECT pg_logical_emit_message(true, 'job', $1::text)", DB(text));
}

static err_t
length(struct ctx *cx, const char *command, const char *key, int64_t *out)
{
	struct bus_reply *r;

	TRY(bus_cmd(cx, &r, BUS(str_c(command), str_c(key))));
	*out += r->type == BUS_INT ? r->i : 0;
	return OK;
}

/* A finished job leaves its stream, so what is in it waits or runs; those that failed wait in a sorted set for their next try. */
static bool
has_lines(const char *kind)
{
	for (int i = 0; job_kinds[i] != NULL; i++)
		if (strcmp(job_kinds[i], kind) == 0)
			return job_kinds_lined[i];
	return false;
}

err_t
job_depth(struct ctx *cx, const char *kind, int64_t *out)
{
	*out = 0;
	if (has_lines(kind))
		return line_depth(cx, kind, out);
	TRY(length(cx, "XLEN", arena_printf(cx->arena, JOB_KEYS "%s", kind), out));
	TRY(length(cx, "ZCARD", arena_printf(cx->arena, JOB_KEYS "%s:aside", kind), out));
	return length(cx, "ZCARD", arena_printf(cx->arena, JOB_KEYS "%s:later", kind), out);
}

err_t
job_dead(struct ctx *cx, const char *kind, int64_t *out)
{
	*out = 0;
	return length(cx, "XLEN", arena_printf(cx->arena, JOB_KEYS "%s:dead", kind), out);
}
