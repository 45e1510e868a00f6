/* The roles of the embedded PostgreSQL. It is made with a superuser (ROLE_OWNER), as every cluster is; what serves clients must not be one, since a superuser
 * reads and writes files and runs programs of the machine. So ROLE_APP owns what Badal makes, and ROLE_RELAY alone may replicate.
 *
 * Databases of former versions were served by the superuser: what it owns in our schemas changes hands here, a bounded number of objects in a transaction, because each of them is a
 * lock. Cut short, it goes on at the next start; when there is nothing to do it costs a few queries. */
#include "core/log.h"
#include "io/db.h"
#include "main_priv.h"
#include "model/geo.h"

enum { BATCH = 100 };

static const char *const ready_sql[] = {
    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '" ROLE_APP "') THEN CREATE ROLE " ROLE_APP " LOGIN; END IF; "
    "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '" ROLE_RELAY "') THEN CREATE ROLE " ROLE_RELAY " LOGIN REPLICATION; END IF; END $$",
    "ALTER ROLE " ROLE_APP " NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    "ALTER ROLE " ROLE_RELAY " NOSUPERUSER NOCREATEDB NOCREATEROLE REPLICATION NOBYPASSRLS",
    /* the relay makes the publication, which is an object of the database */
    "DO $$ BEGIN EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO " ROLE_APP "', current_database()); "
    "EXECUTE format('GRANT CONNECT, CREATE ON DATABASE %I TO " ROLE_RELAY "', current_database()); END $$",
    NULL};

/* What is not yet the application's, as statements. Sequences of columns and indexes follow their tables. */
static const char moves_sql[] =
    "WITH own AS (SELECT oid FROM pg_roles WHERE rolname = '" ROLE_APP "'), "
    "space AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname ~ '^(badal|p_[0-9]+)$'), "
    "moves AS ("
    "SELECT format('ALTER %s %I.%I OWNER TO " ROLE_APP "', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, "
    "nspname, relname) AS sql FROM pg_class c JOIN space s ON s.oid = relnamespace, own WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND relowner <> own.oid "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')) "
    "UNION ALL SELECT format('ALTER ROUTINE %s OWNER TO " ROLE_APP "', p.oid::regprocedure) FROM pg_proc p JOIN space s ON s.oid = pronamespace, own WHERE proowner <> own.oid "
    "UNION ALL SELECT format('ALTER COLLATION %I.%I OWNER TO " ROLE_APP "', nspname, collname) FROM pg_collation JOIN space s ON s.oid = collnamespace, own WHERE collowner <> own.oid "
    "UNION ALL SELECT format('ALTER TYPE %I.%I OWNER TO " ROLE_APP "', nspname, typname) FROM pg_type JOIN space s ON s.oid = typnamespace, own WHERE typowner <> own.oid "
    "AND typtype IN ('d', 'e', 'r') "
    "UNION ALL SELECT format('ALTER SCHEMA %I OWNER TO " ROLE_APP "', nspname) FROM space, own WHERE nspowner <> own.oid "
    "UNION ALL SELECT format('ALTER PUBLICATION %I OWNER TO " ROLE_RELAY "', pubname) FROM pg_publication WHERE pubname = 'badal' "
    "AND pubowner <> (SELECT oid FROM pg_roles WHERE rolname = '" ROLE_RELAY "')) "
    "SELECT count(*), 'DO $badal$ BEGIN ' || string_agg(sql, '; ') || '; END $badal$' FROM (SELECT sql FROM moves LIMIT $1::bigint) x";

err_t
embed_roles(struct ctx *cx, void *arg)
{
	struct db_res *r;
	int64_t moved = 0;

	(void)arg;
	for (int i = 0; ready_sql[i] != NULL; i++)
		TRY(db_exec(cx, NULL, ready_sql[i], DB0));
	TRY(db_script(cx, geo_maker_sql));
	for (;;) {
		TRY(db_query(cx, &r, moves_sql, DB(pg_i64(cx->arena, BATCH))));
		if (db_i64(r, 0, 0) == 0)
			break;
		moved += db_i64(r, 0, 0);
		TRY(db_exec(cx, NULL, db_cstr(r, 0, 1), DB0));
	}
	if (moved > 0)
		log_info(NULL, "the database serves by a role that is no superuser", "role=%s objects=%lld", ROLE_APP, (long long)moved);
	return OK;
}
