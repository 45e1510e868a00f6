/* Changes of a project, as far as every service may cause them: the write that refreshes it everywhere, and the use of its keys. */
#include "core/log.h"
#include "core/vtime.h"
#include "model/key.h"
#include "model/project_write.h"

enum { TOUCH_EVERY = 24 * 3600 * 1000 };	/* ms */

/* Names of SDKs that a key remembers. */
static const char *const known_sdks[] = {"node.js", "deno", "php", "python", "ruby", "go", "java", ".net", "dart", "kotlin", "swift", NULL};

struct event
project_event(struct ctx *cx, const struct event_info *kind, const char *id, const char *actor)
{
	return (struct event){.kind = kind, .project = id, .ids = {id}, .actor = actor, .stale = {project_stale_key(cx, id)}};
}

err_t
project_write(struct ctx *cx, const struct project *p, err_t missing, const char *sql, int n, const char *const *v)
{
	struct event ev = project_event(cx, &ev_project_update, p->id, NULL);
	struct db_res *r;

	TRY(event_write(cx, &ev, &r, sql, n, v));
	return db_rows(r) > 0 ? OK : fail(cx, missing, "project=%s", p->id);
}

static bool
project_write_listed(const char *const *list, int n, struct str s)
{
	for (int i = 0; i < n; i++)
		if (str_is(s, list[i]))
			return true;
	return false;
}

/* What a use of the key adds to its row, as the columns of TOUCH: $3 now, $4 the SDK or NULL, $5 what is long ago. False: nothing. */
#define TOUCH "accessed = $3, sdks = CASE WHEN $4::text IS NULL OR $4 = ANY (sdks) THEN sdks ELSE sdks || $4::text END"
#define TOUCH_DUE "(c.accessed IS NULL OR c.accessed <= $5::timestamptz OR NOT ($4::text IS NULL OR $4 = ANY (sdks)))"

static bool
touch_due(struct ctx *cx, const struct api_key *k, struct str sdk, const char *v[3])
{
	bool known = project_write_listed(known_sdks, (int)(sizeof known_sdks / sizeof *known_sdks) - 1, sdk) && !project_write_listed(k->sdks.v, k->sdks.n, sdk);

	v[0] = pg_time(cx->arena, time_now_ms());
	v[1] = known ? str_dup(cx->arena, sdk) : NULL;
	v[2] = pg_time(cx->arena, time_now_ms() - TOUCH_EVERY);
	return known || k->accessed == TIME_NONE || k->accessed <= time_now_ms() - TOUCH_EVERY;
}

static void
touch_failed(struct ctx *cx, const struct api_key *k)
{
	log_warn(cx, "cannot note the use of a key", "key=%s error=%s", k->id, cx->detail ? cx->detail : "");
}

static void
project_write_touch(struct ctx *cx, const struct project *p, const char *table, const struct api_key *k, struct str sdk)
{
	const char *v[3];
	err_t e;

	if (!touch_due(cx, k, sdk, v))
		return;
	/* of many requests at once one writes it, and so tells all others */
	e = project_write(cx, p, ERR_KEY_NOT_FOUND,
	    arena_printf(cx->arena, "UPDATE badal.%s AS c SET " TOUCH " WHERE c.project = $1 AND lower(c.id) = lower($2) AND " TOUCH_DUE " RETURNING c.internal", table),
	    DB(pg_i64(cx->arena, p->internal), k->id, v[0], v[1], v[2]));
	if (e != OK && e != ERR_KEY_NOT_FOUND)
		touch_failed(cx, k);
}

void
project_key_touch(struct ctx *cx, const struct project *p, const struct api_key *k, struct str sdk)
{
	project_write_touch(cx, p, "keys", k, sdk);
}

void
project_dev_key_touch(struct ctx *cx, const struct project *p, const struct api_key *k, struct str sdk)
{
	project_write_touch(cx, p, "dev_keys", k, sdk);
}

void
project_console_touch(struct ctx *cx, const struct project *p)
{
	int64_t now = time_now_ms();
	err_t e;

	if (p->console || (p->console_accessed != TIME_NONE && p->console_accessed > now - TOUCH_EVERY))
		return;
	e = project_write(cx, p, ERR_PROJECT_NOT_FOUND,
	    "UPDATE badal.projects AS p SET console_accessed = $2 WHERE p.internal = $1::bigint AND (p.console_accessed IS NULL OR p.console_accessed <= $3::timestamptz) "
	    "RETURNING p.internal",
	    DB(pg_i64(cx->arena, p->internal), pg_time(cx->arena, now), pg_time(cx->arena, now - TOUCH_EVERY)));
	if (e != OK && e != ERR_PROJECT_NOT_FOUND)
		log_warn(cx, "cannot note the use of a project", "project=%s error=%s", p->id, cx->detail ? cx->detail : "");
}

/* Nobody keeps these, so nobody is told. */
void
owned_key_touch(struct ctx *cx, const struct owned_key *k, struct str sdk)
{
	const char *v[3], *table = k->k.kind == KEY_ACCOUNT ? "account_keys" : "organization_keys";

	if (touch_due(cx, &k->k, sdk, v) &&
	    db_exec(cx, NULL, arena_printf(cx->arena, "UPDATE badal.%s AS c SET " TOUCH " WHERE c.internal = $1::bigint AND c.id = $2 AND " TOUCH_DUE, table),
		DB(pg_i64(cx->arena, k->k.internal), k->k.id, v[0], v[1], v[2])) != OK)
		touch_failed(cx, &k->k);
}
