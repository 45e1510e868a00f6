/* Where the write-ahead log stands. */
#include "io/db.h"

/* A commit is in the WAL that is flushed before anybody sees it, unless commits do not wait for that. */
static const char end_sql[] =
    "SELECT pg_wal_lsn_diff(CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END, "
    "'0/0')::bigint";

err_t
db_wal_end(struct ctx *cx, uint64_t *lsn_out)
{
	struct db_res *r;

	*lsn_out = 0;
	TRY(db_query(cx, &r, end_sql, DB0));
	*lsn_out = (uint64_t)db_i64(r, 0, 0);
	return OK;
}
