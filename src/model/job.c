/* Jobs leave by the same door as events: a message in the WAL of the write's own transaction. */
#include "model/job.h"

#include "core/id.h"

static const char *const names[JOB_N] = {
#define JOB(kind, handler, retries, doc) [JOB_##kind] = #kind,
#include "tbl/jobs.h"
#undef JOB
};

const char *
job_name(enum job_kind k)
{
	return names[k];
}

enum job_kind
job_by_name(struct str name)
{
	for (int k = 0; k < JOB_N; k++)
		if (str_is(name, names[k]))
			return (enum job_kind)k;
	return JOB_N;
}

/* "kind id\npayload"; the relay makes an entry of the stream jobs:<kind> of it. */
void
tx_job(struct db_tx *tx, enum job_kind kind, struct str payload)
{
	struct arena *a = tx_ctx(tx)->arena;
	const char *text = arena_printf(a, "%s %s\n%.*s", names[kind], id_unique(a), STR_FMT(payload));

	tx_add(tx, "SELECT pg_logical_emit_message(true, 'job', $1::text)", DB(text));
}
