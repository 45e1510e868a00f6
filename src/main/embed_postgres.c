/* The embedded PostgreSQL: logical WAL, unix socket only, settings given at each start so that they are always the program's own. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "main_priv.h"

static char program[PATH_MAX];

static int
embed_postgres_version_of(const char *dir)
{
	char path[PATH_MAX + 16], text[16] = "";
	FILE *f;

	snprintf(path, sizeof path, "%s/PG_VERSION", dir);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fgets(text, sizeof text, f) == NULL)
		text[0] = '\0';
	fclose(f);
	return atoi(text);
}

/* Debian keeps the versions side by side: the one the data was made with, else the newest. */
const char *
postgres_program(const char *name, const char *data, char out[PATH_MAX])
{
	int wanted = embed_postgres_version_of(data), best = 0;
	DIR *d = opendir("/usr/lib/postgresql");
	struct dirent *x;

	while (d != NULL && (x = readdir(d)) != NULL) {
		int v = atoi(x->d_name);

		snprintf(out, PATH_MAX, "/usr/lib/postgresql/%d/bin/%s", v, name);
		if (v > best && (wanted == 0 || v == wanted) && access(out, X_OK) == 0)
			best = v;
	}
	if (d != NULL)
		closedir(d);
	if (best == 0)
		return program_find(name, out);
	snprintf(out, PATH_MAX, "/usr/lib/postgresql/%d/bin/%s", best, name);
	return out;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* By its own user: a tree that is changed meanwhile leads root anywhere. */
static void
remove_tree(const struct place *p, const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (place_become(p))
			nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* Everything on disk before the directory gets its final name, so a crash leaves either none or a whole one. */
static bool
make_cluster(struct embed *e, const struct place *p)
{
	char initdb[PATH_MAX], fresh[PATH_MAX + 8];
	char *argv[] = {initdb, (char[]){"-D"}, fresh, (char[]){"-U"}, (char[]){"badal"}, (char[]){"-A"}, (char[]){"trust"}, (char[]){"-E"},
	    (char[]){"UTF8"}, (char[]){"--locale=C.UTF-8"}, (char[]){"--data-checksums"}, (char[]){"--no-sync"}, (char[]){"--no-instructions"}, NULL};
	int fd;

	snprintf(fresh, sizeof fresh, "%s.new", e->dir);
	if (postgres_program("initdb", e->dir, initdb) == NULL) {
		log_error(NULL, "PostgreSQL is not installed", "advice=\"apt-get install postgresql, or set db_url\"");
		return false;
	}
	remove_tree(p, fresh);
	if (!place_own(p, fresh, 0700) || !embed_run(e, p, argv))
		return false;
	fd = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) != 0 || rename(fresh, e->dir) != 0) {
		log_error(NULL, "cannot keep the new database", "path=%s error=\"%s\"", fresh, strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	close(fd);
	log_info(NULL, "database made", "path=%s", e->dir);
	return true;
}

/* Nobody works here any more (embed.c made sure): a pid in these may belong to anybody by now, and would keep the server from starting. */
static void
remove_locks(const struct embed *e, const struct place *p)
{
	const char *const files[][2] = {{e->dir, "postmaster.pid"}, {p->sockets, ".s.PGSQL.5432.lock"}, {p->sockets, ".s.PGSQL.5432"}};
	char path[PATH_MAX + 32];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", files[i][0], files[i][1]);
		place_unlink(path);
	}
}

static bool
embed_postgres_prepare(struct embed *e, const struct place *p)
{

	if (embed_postgres_version_of(e->dir) == 0 && !make_cluster(e, p))
		return false;
	if (postgres_program("postgres", e->dir, program) == NULL || strstr(program, "postgres") == NULL) {
		log_error(NULL, "the PostgreSQL that the data was made with is not installed", "version=%d directory=%s", embed_postgres_version_of(e->dir), e->dir);
		return false;
	}
	remove_locks(e, p);
	return true;
}

static void
embed_postgres_exec(struct embed *e, const struct place *p)
{
	static char text[40][PATH_MAX + 64], dash_c[] = "-c";
	char *argv[96] = {program, (char[]){"-D"}, e->dir};
	long long wal = (long long)(conf.stream_max_wal / (1024 * 1024)), connections = 40 + 12 * conf.db_pool_size;
	int n = 0, at = 3;

#define SET(...) snprintf(text[n++], sizeof text[0], __VA_ARGS__)
	SET("listen_addresses=");
	SET("unix_socket_directories=%s", p->sockets);
	SET("unix_socket_permissions=0700");
	SET("port=5432");
	SET("wal_level=logical");
	SET("max_slot_wal_keep_size=%lld", wal > 0 ? wal : -1);
	SET("max_replication_slots=8");
	SET("max_wal_senders=8");
	SET("fsync=on");
	SET("full_page_writes=on");
	SET("synchronous_commit=on");
	SET("max_connections=%lld", connections < 100 ? 100 : connections > 1000 ? 1000 : connections);
	SET("shared_buffers=128MB");
	SET("effective_cache_size=1GB");
	SET("work_mem=4MB");
	SET("maintenance_work_mem=64MB");
	SET("logical_decoding_work_mem=16MB");
	SET("max_wal_size=1GB");
	SET("checkpoint_timeout=15min");
	SET("seq_page_cost=0.1");		/* as our sessions have it: db_connect.c */
	SET("random_page_cost=0.11");
	SET("jit=off");
	SET("max_parallel_workers_per_gather=0");	/* short statements; and /dev/shm is small in containers */
	SET("huge_pages=off");
	SET("timezone=UTC");
	SET("log_timezone=UTC");
	SET("logging_collector=off");
	SET("log_destination=stderr");
	SET("log_min_messages=warning");
	SET("log_min_error_statement=panic");		/* statements carry users' data */
	SET("log_checkpoints=off");
	SET("cluster_name=badal");
	SET("restart_after_crash=on");
#undef SET
	for (int i = 0; i < n; i++) {
		argv[at++] = dash_c;
		argv[at++] = text[i];
	}
	argv[at] = NULL;
	/* the order of ending must reach the server, not a shell's ignored signals */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	execv(program, argv);
}

/* The server itself writes its state into the eighth line of postmaster.pid. */
static bool
embed_postgres_ready(struct embed *e, const struct place *p)
{
	char path[PATH_MAX + 32], line[PATH_MAX];
	FILE *f;
	bool ok = false;

	(void)p;
	snprintf(path, sizeof path, "%s/postmaster.pid", e->dir);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	for (int i = 1; fgets(line, sizeof line, f) != NULL; i++) {
		if (i == 1 && atoi(line) != (int)e->pid)
			break;
		ok = ok || (i == 8 && strncmp(line, "ready", 5) == 0);
	}
	fclose(f);
	return ok;
}

struct embed embed_postgres = {
    .name = "postgres", .process = "postgres", .stop_signal = SIGINT, .prepare = embed_postgres_prepare, .exec = embed_postgres_exec, .ready = embed_postgres_ready};
