/* badal doctor: looks over an installation, one line a finding, with advice. It changes nothing. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/share.h"
#include "core/vtime.h"
#include "exec/exec.h"
#include "exec/check.h"
#include "exec/far.h"
#include "io/bus.h"
#include "io/db.h"
#include "io/device.h"
#include "main_priv.h"
#include "model/geo.h"
#include "model/picture.h"
#include "model/picture_wire.h"
#include "model/space.h"
#include "picture/worker.h"
#include "scan/worker.h"

enum finding { FINE, WARN, WRONG };
enum { ASK_MS = 8000, SANDBOX_MS = 90000, BUS_PATIENCE_MS = 3000, DISK_LOW_MB = 1024, CLOCK_MS = 1000, SLOT_WARN_PERCENT = 50, STUCK_MAX = 20, PG_OLDEST = 140000 };

static int n_wrong, n_warn;

static void PRINTF_LIKE(3, 4)
doctor_say(enum finding f, const char *advice, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "WRONG"};
	va_list ap;

	n_warn += f == WARN;
	n_wrong += f == WRONG;
	printf("%-6s", words[f]);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	if (f != FINE && advice != NULL)
		printf("\n        -> %s", advice);
	printf("\n");
}

/* ---- this machine ---- */

static void
check_programs(const struct place *p)
{
	char path[PATH_MAX], dir[PATH_MAX + 16];

	snprintf(dir, sizeof dir, "%s/postgres", p->data);
	if (*conf.db_url == '\0') {
		if (postgres_program("postgres", dir, path) != NULL)
			doctor_say(FINE, NULL, "PostgreSQL to embed: %s", path);
		else
			doctor_say(WRONG, "apt-get install postgresql, or set db_url", "PostgreSQL is not installed");
	}
	if (*conf.redis_url == '\0') {
		if (program_find("redis-server", path) != NULL)
			doctor_say(FINE, NULL, "Redis to embed: %s", path);
		else
			doctor_say(WRONG, "apt-get install redis-server, or set redis_url", "Redis is not installed");
	}
}

static void
doctor_check_key(const struct place *p)
{
	char key[PATH_MAX + 16], old[PATH_MAX + 24];
	struct stat st;

	if (*conf.master_key_file != '\0')
		snprintf(key, sizeof key, "%s", conf.master_key_file);
	else
		snprintf(key, sizeof key, "%s/master.key", p->data);
	snprintf(old, sizeof old, "%s.old", key);
	if (*conf.master_key != '\0')
		doctor_say(FINE, NULL, "master key configured");
	else if (stat(key, &st) != 0)
		doctor_say(WARN, "made at the first start; restore it from a backup if there was one", "master key %s: %s", key, strerror(errno));
	else if ((st.st_mode & 077) != 0 || st.st_size < 16)
		doctor_say(WRONG, "chmod 600; if it is damaged restore it", "master key %s is damaged or open to others", key);
	else
		doctor_say(FINE, NULL, "master key %s", key);
	if (*conf.master_key == '\0' && stat(old, &st) == 0)
		doctor_say(WARN, "run badal key rotate-master again: it goes on", "a change of the master key was not finished: %s is still there", old);
}

static void
check_data(const struct place *p)
{
	struct statvfs fs;
	struct stat st;

	if (stat(p->data, &st) != 0) {
		doctor_say(WARN, "badal serve makes it at its first start; is --data-dir right?", "data directory %s: %s", p->data, strerror(errno));
		return;
	}
	if ((st.st_mode & 077) != 0)
		doctor_say(WRONG, "chmod 700: the database in it trusts whoever can enter", "data directory %s is open to others (mode %o)", p->data,
		    (unsigned)(st.st_mode & 0777));
	else if (st.st_uid != p->uid)
		doctor_say(WRONG, "run badal as its owner, or set run_user", "data directory %s belongs to user %u, badal runs as %s", p->data,
		    (unsigned)st.st_uid, p->user);
	else
		doctor_say(FINE, NULL, "data directory %s", p->data);
	doctor_check_key(p);
	if (statvfs(p->data, &fs) == 0) {
		unsigned long long mb = (unsigned long long)fs.f_bavail * fs.f_frsize / (1024 * 1024);

		doctor_say(mb < DISK_LOW_MB ? WARN : FINE, "make room: a full disk stops every write", "free disk space: %llu MiB", mb);
	}
}

static long
read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long v = -1;

	if (f == NULL)
		return -1;
	if (fscanf(f, "%ld", &v) != 1)
		v = -1;
	fclose(f);
	return v;
}

/* The scanner is nobody's need but of those who ask for it. */
static void
doctor_check_scanner(void)
{
	const char *library = scan_library();
	DIR *d = conf.antivirus_db[0] != '\0' ? opendir(conf.antivirus_db) : NULL;
	bool required = strcmp(conf.antivirus, "required") == 0;

	if (strcmp(conf.antivirus, "off") == 0 || (conf.antivirus_db[0] == '\0' && !required)) {
		doctor_say(FINE, NULL, "virus scanner: off (antivirus_db names its signatures)");
		return;
	}
	doctor_say(library != NULL ? FINE : required ? WRONG : WARN, "apt-get install clamav-freshclam, which brings it, or set antivirus=off", "virus scanner: %s%s",
	    library ? "libclamav " : "libclamav is not installed", library ? library : "");
	doctor_say(d != NULL ? FINE : required ? WRONG : WARN, "freshclam fetches them", "virus signatures: %s%s", conf.antivirus_db,
	    d != NULL ? "" : " cannot be read");
	if (d != NULL)
		closedir(d);
}

static void
doctor_check_browser(void)
{
	const char *browser = executor_browser();

	if (conf.page_browsers == 0)
		doctor_say(FINE, NULL, "pictures of pages: off (page_browsers)");
	else
		doctor_say(browser != NULL ? FINE : WARN, "apt-get install chromium", "pictures of pages: %s", browser != NULL ? browser : "there is no Chromium");
}

/* Pictures in a directory, by their names. */
static int
count_pictures(const char *dir, const char *set)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof path, "%.*s/%s", PATH_MAX - 32, dir, set);
	if ((d = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += str_ends(str_c(e->d_name), ".png");
	closedir(d);
	return n;
}

static void
doctor_check_icons(void)
{
#define COUNTRY(...) + 1
	enum { N_FLAGS = 0
#include "tbl/countries.h"
	};
#undef COUNTRY
	static const struct {
		const char *set;
		int n;
	} sets[] = {{"flags", N_FLAGS + 1}, {"browsers", 14}, {"credit-cards", 19}};
	char dir[PATH_MAX];

	share_dir(conf.icon_dir, "icons", "made", ICON_DIR, dir, sizeof dir);
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		int n = count_pictures(dir, sets[i].set);

		doctor_say(n < sets[i].n ? WARN : FINE, "build with iso-flags-svg, fonts-font-awesome and librsvg2-bin installed, or set icon_dir", "%s of avatars: %d of %d in %.500s", sets[i].set,
		    n, sets[i].n, dir);
	}
}

static void
doctor_check_fonts(void)
{
	struct buf names;
	int frequent;

	buf_init(&names, NULL, 256);
	frequent = initials_missing(&names);
	if (frequent < 0)
		doctor_say(WARN, "apt-get install libpangocairo-1.0-0", "initials: Pango is not installed");
	else
		doctor_say(frequent > 0 ? WARN : FINE, "apt-get install fonts-noto-core fonts-noto-cjk, or leave these letters out", "initials: %s%s",
		    names.n > 0 ? "no font for " : "fonts for all scripts that are looked for", names.n > 0 ? names.p : "");
	buf_fini(&names);
}

static void
doctor_check_limits(void)
{
	struct rlimit r;
	long backlog = read_number("/proc/sys/net/core/somaxconn"), overcommit = read_number("/proc/sys/vm/overcommit_memory");
	unsigned long long wanted = (unsigned long long)conf.connections_max + 1024;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		bool enough = r.rlim_max == RLIM_INFINITY || r.rlim_max >= wanted, root = geteuid() == 0;

		doctor_say(enough || root ? FINE : WARN, "raise it (LimitNOFILE= in the unit, ulimit -Hn), or lower connections_max",
		    enough ? "open files: %llu wanted, and %s%llu allowed" : "open files: %llu wanted, %s%llu allowed here", wanted,
		    enough ? "" : root ? "which root may raise to; " : "only ", (unsigned long long)r.rlim_max);
	}
	if (backlog >= 0)
		doctor_say(backlog < 4096 ? WARN : FINE, "sysctl net.core.somaxconn=4096, for bursts of connections", "listen backlog: %ld", backlog);
	if (overcommit >= 0 && *conf.redis_url == '\0')
		doctor_say(overcommit == 1 ? FINE : WARN, "sysctl vm.overcommit_memory=1, so that Redis can rewrite its file when memory is short",
		    "memory overcommit: %ld", overcommit);
}

static void
check_clock(void)
{
	struct timex t = {0};
	int state = adjtimex(&t);

	if (state < 0)
		doctor_say(WARN, "tokens and expiry need a right clock", "clock: cannot tell whether it is synchronised");
	else
		doctor_say(state == TIME_ERROR ? WARN : FINE, "run chrony or systemd-timesyncd: tokens and expiry need a right clock", "clock: %s",
		    state == TIME_ERROR ? "not synchronised" : "synchronised");
}

static const char *const doctor_reads[] = {[SOURCE_JPEG] = "JPEG", [SOURCE_PNG] = "PNG", [SOURCE_GIF] = "GIF", [SOURCE_WEBP] = "WebP",
    [SOURCE_AVIF] = "AVIF", [SOURCE_HEIC] = "HEIC", [SOURCE_N] = NULL};
static const char *const doctor_writes[] = {[PICTURE_JPG] = "JPEG", [PICTURE_PNG] = "PNG", [PICTURE_GIF] = "GIF", [PICTURE_WEBP] = "WebP",
    [PICTURE_AVIF] = "AVIF", [PICTURE_AVIF + 1] = NULL};

struct pictures_able {
	uint32_t reads, writes, moving;
};

/* In a process of its own: it loads libraries that nobody else does. */
static bool
ask_pictures(struct pictures_able *out)
{
	struct pictures_able able;
	int fds[2];
	bool told;
	pid_t pid;

	if (pipe(fds) != 0)
		return false;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		able.reads = picture_abilities(&able.writes, &able.moving);
		_exit(write(fds[1], &able, sizeof able) == (ssize_t)sizeof able ? 0 : 1);
	}
	close(fds[1]);
	told = pid > 0 && read(fds[0], out, sizeof *out) == (ssize_t)sizeof *out;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return told && out->reads != 0;
}

/* "JPEG, PNG" of the bits. */
static void
put_formats(struct buf *b, uint32_t bits, const char *const *names)
{
	const char *between = "";

	for (int i = 1; names[i] != NULL; i++) {
		if ((bits & 1U << i) == 0)
			continue;
		buf_printf(b, "%s%s", between, names[i]);
		between = ", ";
	}
}

static void
check_pictures(void)
{
	struct pictures_able able;
	struct buf b;

	if (!ask_pictures(&able)) {
		doctor_say(WARN, "apt-get install libgraphicsmagick-q16-3 (or …-3t64): until then previews and avatars answer 500", "pictures: GraphicsMagick is not installed");
		return;
	}
	buf_init(&b, NULL, 200);
	BUF_LIT(&b, "pictures: reads ");
	put_formats(&b, able.reads, doctor_reads);
	BUF_LIT(&b, "; writes ");
	put_formats(&b, able.writes, doctor_writes);
	doctor_say(FINE, NULL, "%s", buf_view(&b).p);
	buf_fini(&b);
	if (!able.moving)
		doctor_say(WARN, "apt-get install libwebpdemux2: until then moving WebP cannot be read", "pictures: libwebpdemux is not installed");
}

static void
check_tls(void)
{
	const char *const files[] = {conf.tls_cert, conf.tls_key, conf.executor_tls_cert, conf.executor_tls_key, conf.executor_tls_ca};

	if (!*conf.tls_cert != !*conf.tls_key)
		doctor_say(WRONG, "set both tls_cert and tls_key", "TLS: only one of certificate and key is configured");
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (*files[i] != '\0' && access(files[i], R_OK) != 0)
			doctor_say(WRONG, files[i] == conf.executor_tls_ca ? "web and jobs read it, as run_user" : "badal reads it at start-up, before it drops privileges", "TLS: %s: %s",
			    files[i], strerror(errno));
		else if (*files[i] != '\0')
			doctor_say(FINE, NULL, "TLS: %s", files[i]);
}

static bool
role_is_here(const char *name)
{
	struct str rest = str_c(conf.roles);

	while (rest.n > 0)
		if (str_is(str_trim(str_cut(&rest, ',')), name))
			return true;
	return false;
}

/* What other machines send it. */
static void
check_far(void)
{
	bool tls = *conf.executor_tls_cert != '\0';

	if (!role_is_here("executor") || *conf.executor_listen == '\0')
		return;
	if (tls || !far_leaves(conf.executor_listen))
		doctor_say(FINE, NULL, "executor: %s%s", conf.executor_listen, tls ? ", TLS" : "");
	else
		doctor_say(WARN, "set executor_tls_cert and executor_tls_key here, and executor_tls_ca where functions are called",
		    "executor: code, variables and data of functions come to %s in clear", conf.executor_listen);
}

/* ---- sandboxes ---- */

static int
doctor_remove(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st;
	(void)kind;
	(void)f;
	return remove(path) != 0 && errno != ENOENT;
}

static void
sandbox_finding(void *arg, enum check_mark mark, const char *advice, const char *text)
{
	bool wanted = *(const bool *)arg;	/* this machine is to run functions */

	doctor_say(mark == CHECK_HOLDS ? FINE : mark == CHECK_ACCEPTED || !wanted ? WARN : WRONG, advice, "%s", text);
}

static err_t
try_sandboxes(struct ctx *cx, void *arg)
{
	bool wanted = role_is_here("executor");
	const struct check c = {sandbox_finding, &wanted};

	sandbox_check(cx, arg, &c);
	return OK;
}

/* In a process of its own, with a directory of its own: it becomes one that makes sandboxes. */
static void
check_sandboxes(void)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX], why[256];
	int fds[2], found[2] = {0, 0};
	pid_t pid;

	snprintf(dir, sizeof dir, "%s/badal-doctor-XXXXXX", tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) != 0 || pipe(fds) != 0)
		return;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		n_warn = n_wrong = 0;
		log_init("doctor", "error", false);
		(void)with_loop(try_sandboxes, dir, SANDBOX_MS, why, sizeof why);
		fflush(stdout);
		found[0] = n_warn;
		found[1] = n_wrong;
		_exit(write(fds[1], found, sizeof found) != (ssize_t)sizeof found);
	}
	close(fds[1]);
	if (pid < 0 || read(fds[0], found, sizeof found) != (ssize_t)sizeof found)
		doctor_say(WARN, "look at the log of the executor", "sandboxes: they could not be tried");
	n_warn += found[0];
	n_wrong += found[1];
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (nftw(dir, doctor_remove, 16, FTW_DEPTH | FTW_PHYS) != 0)
		doctor_say(WARN, "remove it", "%s is left", dir);
}

/* ---- the servers ---- */

/* Nobody's need but of those who keep places. */
static void
doctor_say_geo(const struct db_res *r)
{
	bool available = db_bool(r, 0, 9), ours = db_bool(r, 0, 10);

	if (!db_null(r, 0, 8))
		doctor_say(FINE, NULL, "PostGIS: in schema %s", db_cstr(r, 0, 8));
	else if (db_bool(r, 0, 11))
		doctor_say(WARN, "GRANT USAGE ON SCHEMA … TO the role of db_url, where … is that schema", "PostGIS: in a schema that badal may not use; points, lines and polygons are refused");
	else if (!available)
		doctor_say(FINE, NULL, "PostGIS: not installed; points, lines and polygons are refused (apt-get install postgresql-15-postgis-3, of PostgreSQL's version, if they are wanted)");
	else if (ours)
		doctor_say(FINE, NULL, "PostGIS: installed; the first point, line or polygon makes it");
	else
		doctor_say(FINE, NULL, "PostGIS: installed, but not in this database; points, lines and polygons are refused (CREATE EXTENSION postgis, by a superuser, if they are wanted)");
}

static err_t
check_database(struct ctx *cx)
{
	struct db_res *r;
	int64_t version, skew;

	TRY(db_query(cx, &r,
	    "SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('wal_level'), "
	    "current_setting('fsync'), current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots), "
	    "(extract(epoch FROM clock_timestamp()) * 1000)::bigint, to_regclass('badal.migrations') IS NOT NULL, " GEO_SCHEMA_SQL ", "
	    "EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis'), to_regprocedure('" GEO_HOME ".make()') IS NOT NULL, "
	    "EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis')", DB0));
	version = db_i64(r, 0, 0);
	doctor_say(version < PG_OLDEST ? WRONG : FINE, "badal needs PostgreSQL 14 or newer", "PostgreSQL %s answers", db_cstr(r, 0, 1));
	doctor_say(str_is(db_str(r, 0, 2), "logical") ? FINE : WRONG, "set wal_level = logical and restart PostgreSQL: events come from the WAL",
	    "wal_level: %s", db_cstr(r, 0, 2));
	doctor_say(str_is(db_str(r, 0, 3), "on") ? FINE : WRONG, "set fsync = on: without it a crash loses acknowledged writes", "fsync: %s",
	    db_cstr(r, 0, 3));
	skew = db_i64(r, 0, 6) - time_now_ms();
	doctor_say(skew > CLOCK_MS || skew < -CLOCK_MS ? WARN : FINE, "synchronise both clocks", "clock against the database's: %lld ms", (long long)skew);
	doctor_say(db_bool(r, 0, 7) ? FINE : WARN, "badal migrate, or badal serve", "schema: %s", db_bool(r, 0, 7) ? "present" : "not made yet");
	doctor_say_geo(r);
	if (db_i64(r, 0, 5) > db_i64(r, 0, 4))
		doctor_say(WRONG, "raise max_replication_slots", "replication slots: %lld of %lld", (long long)db_i64(r, 0, 5), (long long)db_i64(r, 0, 4));
	return OK;
}

static err_t
check_slot(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    "SELECT active, coalesce(wal_status, ''), pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint, "
	    "(SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size') "
	    "FROM pg_replication_slots WHERE slot_name = 'badal'", DB0));
	if (db_rows(r) == 0) {
		doctor_say(WARN, "the relay makes it when it first runs (role relay)", "event slot: none");
		return OK;
	}
	doctor_say(db_bool(r, 0, 0) ? FINE : WARN, "run the role relay on some machine: events wait", "event slot: %s",
	    db_bool(r, 0, 0) ? "a relay reads it" : "nobody reads it");
	if (str_is(db_str(r, 0, 1), "lost"))
		doctor_say(WRONG, "the relay was away too long; raise max_slot_wal_keep_size. A new slot starts a fresh stream",
		    "event slot: its WAL is gone");
	else if (db_i64(r, 0, 3) > 0)
		doctor_say(db_i64(r, 0, 2) / (1024 * 1024) * 100 > db_i64(r, 0, 3) * SLOT_WARN_PERCENT ? WARN : FINE,
		    "look at the relay's log and at Redis", "event slot holds back %lld KiB of at most %lld MiB", (long long)(db_i64(r, 0, 2) / 1024),
		    (long long)db_i64(r, 0, 3));
	else
		doctor_say(WARN, "set max_slot_wal_keep_size: without it a relay that is away fills the disk", "event slot holds back %lld KiB, without a limit",
		    (long long)(db_i64(r, 0, 2) / 1024));
	return OK;
}

/* Who serves must not be able to read and write the machine's files through the database. */
static err_t
check_role(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT rolname, rolsuper, rolreplication FROM pg_roles WHERE rolname = current_user", DB0));
	if (db_rows(r) == 0)
		return OK;
	if (db_bool(r, 0, 1))
		doctor_say(WRONG, "CREATE ROLE … LOGIN, ALTER DATABASE … OWNER TO it, and name it in db_url; the relay's with REPLICATION in relay_db_url",
		    "database role %s is a superuser", db_cstr(r, 0, 0));
	else if (db_bool(r, 0, 2))
		doctor_say(WARN, "only the relay needs REPLICATION: give it a role of its own in relay_db_url", "database role %s may replicate", db_cstr(r, 0, 0));
	else
		doctor_say(FINE, NULL, "database role %s: no superuser, no replication", db_cstr(r, 0, 0));
	return OK;
}

/* Projects that are not at this program's migration; the stuck ones by name. */
static err_t
check_projects(struct ctx *cx)
{
	struct space_report s;
	struct objs stuck;

	TRY(space_report(cx, &s));
	TRY(space_stuck(cx, STUCK_MAX, &stuck));
	doctor_say(s.behind > 0 ? WARN : FINE, "they are brought up to date at their first use and by the role jobs; or badal migrate",
	    "projects to bring up to date: %lld", (long long)s.behind);
	if (s.newer > 0)
		doctor_say(WRONG, "run the newer badal here, too", "projects that a newer badal has migrated: %lld", (long long)s.newer);
	for (int i = 0; i < stuck.n; i++) {
		const struct project *p = stuck.v[i];

		doctor_say(WRONG, "it answers 503 until this is mended; then badal migrate, or wait", "project %s (%s, at migration %lld) cannot be brought up to date: %s",
		    p->id, p->schema, (long long)p->version, p->stuck);
	}
	if (s.stuck > stuck.n)
		printf("        and %lld more\n", (long long)(s.stuck - stuck.n));
	return OK;
}

static struct str
redis_setting(struct ctx *cx, const char *name)
{
	struct bus_reply *r;

	if (bus_cmd(cx, &r, BUS(STR("CONFIG"), STR("GET"), str_c(name))) != OK || r->type != BUS_LIST || r->n < 2)
		return STR_NONE;	/* managed services forbid CONFIG */
	return r->v[1].s;
}

static void
check_setting(struct ctx *cx, const char *name, const char *wanted, const char *advice)
{
	struct str v = redis_setting(cx, name);

	if (v.p == NULL)
		doctor_say(WARN, advice, "Redis %s: cannot be asked", name);
	else
		doctor_say(str_is(v, wanted) ? FINE : WRONG, advice, "Redis %s: %.*s", name, STR_FMT(v));
}

static void
check_redis(struct ctx *cx)
{
	uint64_t end = loop_now() + BUS_PATIENCE_MS;

	cx->deadline = loop_now() + ASK_MS;	/* whatever PostgreSQL has taken of the first one */
	bus_init();
	while (!bus_up() && bus_refusal() == NULL && loop_now() < end)
		if (fib_sleep(cx, 20) != OK)
			break;
	if (bus_up()) {
		doctor_say(FINE, NULL, "Redis answers");
		check_setting(cx, "appendonly", "yes", "set appendonly yes: the event stream must survive a restart");
		check_setting(cx, "appendfsync", "everysec", "set appendfsync everysec: the relay waits for it, always is only slower");
		check_setting(cx, "maxmemory-policy", "noeviction", "set maxmemory-policy noeviction: events must not be evicted");
	} else if (bus_refusal() != NULL) {
		doctor_say(WRONG, "name a Redis that holds all slots", "Redis: %s", bus_refusal());
	} else {
		doctor_say(WRONG, *conf.redis_url ? "is it running, and is redis_url right?" : "start badal serve", "Redis does not answer");
	}
	bus_fini();
}

/* Each device that is configured is written to, read and cleaned up. */
static void
check_storage(struct ctx *cx)
{
	struct devices d;
	int64_t room;

	cx->deadline = loop_now() + ASK_MS;
	if (device_configured(cx, &d) != OK) {
		doctor_say(WRONG, "look at the settings that begin with storage_", "storage: %s", cx->detail ? cx->detail : "");
		return;
	}
	for (int i = 0; i < d.n; i++)
		if (device_probe(cx, d.v[i]) == OK)
			doctor_say(FINE, NULL, "storage %s can be written and read", device_name(d.v[i]));
		else
			doctor_say(WRONG, "doc/storage.md says what each device needs", "storage %s: %s", device_name(d.v[i]), cx->detail ? cx->detail : "");
	room = device_free_bytes(d.v[0]);
	if (room >= 0 && room >> 20 < DISK_LOW_MB)
		doctor_say(WARN, "make room: uploads will fail", "free space for files: %lld MiB", (long long)(room >> 20));
}

static err_t
check_servers(struct ctx *cx, void *arg)
{
	err_t e = check_database(cx), p;

	(void)arg;
	if (e == OK)
		e = check_role(cx);
	if (e == OK)
		e = check_slot(cx);
	if (e != OK)
		doctor_say(WRONG, "is badal serve (or your PostgreSQL) running, and are data_dir or db_url right?", "PostgreSQL: %s",
		    cx->detail ? cx->detail : err_info(e)->message);
	else if ((p = check_projects(cx)) != OK)
		doctor_say(WARN, "badal migrate, or badal serve", "projects: %s", cx->detail ? cx->detail : err_info(p)->message);
	check_redis(cx);
	check_storage(cx);
	return OK;
}

/* Who asks for a mail writes the Host header. */
static void
check_mail(void)
{
	if (conf.dev)
		doctor_say(WARN, "dev = off on a server for others", "development: mails and short messages are not sent, and who is on this machine can read them");
	if (conf.smtp_host == NULL || *conf.smtp_host == '\0')
		return;
	if (*conf.domain == '\0' || strcmp(conf.domain, "localhost") == 0)
		doctor_say(WARN, "set domain to the server's name", "mails are sent, but domain is not set: those that link to this server are refused");
	else
		doctor_say(FINE, NULL, "mails link to %s", conf.domain);
}

int
doctor_run(struct args *a)
{
	struct place p;
	char why[256];

	doctor_say(FINE, NULL, "badal %s", PACKAGE_VERSION);
	if (!place_find(&p))
		return 1;
	check_programs(&p);
	check_data(&p);
	check_tls();
	check_pictures();
	doctor_check_scanner();
	doctor_check_browser();
	doctor_check_icons();
	doctor_check_fonts();
	doctor_check_limits();
	check_mail();
	check_clock();
	check_far();
	check_sandboxes();
	if (access(p.data, X_OK) == 0 || *conf.db_url != '\0') {
		args_setting(a, "db_url", *conf.db_url ? conf.db_url : place_db_url(&p, ROLE_APP));
		args_setting(a, "redis_url", *conf.redis_url ? conf.redis_url : place_redis_url(&p));
		args_setting(a, "storage_dir", place_storage(&p));
		if (!args_conf(a, false) || !place_become(&p) || with_loop(check_servers, NULL, ASK_MS, why, sizeof why) != OK)
			return 1;
	}
	printf("%d wrong, %d to think about\n", n_wrong, n_warn);
	return n_wrong > 0 ? 1 : 0;
}
