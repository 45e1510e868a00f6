/* The program: verbs of the shell (main.c, admin.c, doctor.c, manual.c), the supervisor (serve.c), its roles (role.c), and the embedded
 * servers (embed*.c) in their data directory (place.c). */
#ifndef BADAL_MAIN_PRIV_H
#define BADAL_MAIN_PRIV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/ctx.h"
#include "io/db.h"

/* ---- main.c ---- */

enum { EXIT_USAGE = 2, ARGS_MAX = 256 };

struct args {			/* what was said on the command line */
	const char *verb, *noun;	/* "key" "create"; noun "" when the verb has none */
	const char *file;		/* --config */
	int n;
	char *settings[ARGS_MAX];	/* "name=value" of the configuration; the supervisor adds what it found out */
	int n_own;
	struct {
		const char *name, *value;
		union {			/* the value as the parameter that it is */
			const char *text;
			struct strs list;
			int64_t time;
		} as;
	} own[32];			/* options of the verb */
};

struct option {			/* of a verb */
	const char *name, *arg, *doc;	/* arg NULL: a switch */
	bool required;
	const char *operation, *param;	/* the parameter of the verb's service that it is, and is checked as; NULL: none */
};

struct verb {
	const char *name, *noun;
	int (*run)(struct args *a);
	const struct option *options;	/* ended by an empty name */
	const char *doc;
	const char *service;	/* whose parameters its options are */
};
extern const struct verb verbs[];	/* ended by an empty name */

const char *args_get(const struct args *a, const char *name);	/* of an option of the verb, as the API would store it; NULL: absent */
struct strs args_list(const struct args *a, const char *name);	/* of one that is a list */
int64_t args_time(const struct args *a, const char *name);	/* of one that is a date; TIME_NONE: absent */
bool args_own(struct args *a, const char *name, const char *value);	/* one more, as if it had been said: checked; false with a line on stderr */
void args_setting(struct args *a, const char *name, const char *value);	/* one more setting, over all others */
void settings_init(void);	/* settings.c: what values may be */
/* Loads the configuration; `reload` as in conf_load. */
bool args_conf(const struct args *a, bool reload);

/* ---- place.c: the data directory, and who runs there ---- */

struct place {
	char data[PATH_MAX];		/* absolute */
	char sockets[PATH_MAX];		/* of the embedded servers: short enough for sun_path */
	uid_t uid;			/* who the embedded servers and the roles run as */
	gid_t gid;
	char user[64];
	bool root;			/* we are root and become somebody else */
};
/* Finds the names; makes nothing. False with a line on stderr or in the log. */
bool place_find(struct place *p);
/* Makes the directories, and takes the lock that keeps a second supervisor out. */
bool place_make(struct place *p);
/* The master key of the data directory, made when there is none; NULL: cannot. `make` false: NULL when there is none. */
const char *place_master_key(const struct place *p, bool make);
/* As root: a data directory of a former run as another system user becomes ours, with what is in it. True also when there is nothing to do. */
bool place_take_over(const struct place *p);
/* Writes a file with a key anew, whole or not at all, for those who run there. */
bool place_write_key(const struct place *p, const char *path, const char *key);
bool place_own(const struct place *p, const char *path, mode_t mode);	/* mkdir, and the directory belongs to the one who runs there */
/* For root, in a directory below the data directory, whose user may be a stranger's tool by now: neither the directory nor the file is reached through a link
 * of theirs. A new file is 0600. -1: cannot. */
int place_open(const char *path, int flags);
void place_unlink(const char *path);
/* Only one of these verbs at a time works in a directory: false, and a line on stderr, when another does. The lock goes with the process, however that ends. */
bool place_alone(const char *dir, const char *verb);
bool place_become(const struct place *p);	/* drops privileges for good; nothing when we have none */
/* Roles of the embedded PostgreSQL: the one it was made with, a superuser, which only the start and whoever looks after it use; the one that serves and owns
 * what Badal makes; the one of the relay. */
#define ROLE_OWNER "badal"
#define ROLE_APP "badal_app"
#define ROLE_RELAY "badal_relay"
const char *place_db_url(const struct place *p, const char *role);	/* of the embedded servers; static */
const char *place_redis_url(const struct place *p);
const char *place_storage(const struct place *p);	/* directory of the files; static */
bool place_served(const struct place *p);	/* false and a line on stderr when no instance runs here and none is configured */
/* Settings for a verb that talks to the servers of a running instance. */
bool place_settings(const struct place *p, struct args *a, bool make);

/* ---- embed.c: embedded servers ---- */

enum embed_state { EMBED_OFF, EMBED_STARTING, EMBED_UP, EMBED_STOPPING, EMBED_DOWN };

struct embed {
	const char *name;		/* "postgres", "redis" */
	const char *process;		/* its name as the kernel knows it */
	int stop_signal;		/* asks for an orderly end */
	enum embed_state state;
	pid_t pid;
	char dir[PATH_MAX];
	char log[PATH_MAX];
	off_t log_from;			/* where this start's lines begin */
	unsigned fails;			/* in a row */
	int64_t started;		/* monotonic ms */
	/* Prepares the directory (first start). Blocks. */
	bool (*prepare)(struct embed *e, const struct place *p);
	/* In the child: becomes the server, or returns. */
	void (*exec)(struct embed *e, const struct place *p);
	bool (*ready)(struct embed *e, const struct place *p);
};
extern struct embed embed_postgres, embed_redis;

bool embed_clear(struct embed *e, const struct place *p);	/* ends what a crash left of it */
bool embed_start(struct embed *e, const struct place *p);	/* the first time: prepares, clears what a crash left, starts */
bool embed_wait(struct embed *e, const struct place *p, int ms);	/* until it answers; false: it ended, or too late */
bool embed_stop(struct embed *e, int ms);			/* orderly, then by force */
void embed_log_tail(const struct embed *e);
/* Runs a program as the unprivileged user, to its end; what it says goes to e->log. */
bool embed_run(const struct embed *e, const struct place *p, char *const *argv);
/* The program's path, looked for in $PATH and the usual places; NULL: not installed. */
const char *program_find(const char *name, char out[PATH_MAX]);
const char *postgres_program(const char *name, const char *data, char out[PATH_MAX]);

/* ---- embed_roles.c ---- */
err_t embed_roles(struct ctx *cx, void *arg) MUST_CHECK;	/* awaits, as ROLE_OWNER: the roles that serve are there and own what is theirs */

/* ---- notify.c: the service manager ---- */
void notify(const char *state);		/* "READY=1"; nothing where none listens */
void notify_reloading(void);
int notify_interval_ms(void);		/* how often it wants to hear of us; -1: never */

/* ---- role.c ---- */

struct role {
	const char *name;
	bool (*init)(void);	/* on the loop; may go on in the background */
	void (*drain)(void);	/* calls loop_stop when it is done */
	void (*fini)(void);	/* after the loop; may be NULL */
	bool (*up)(struct ctx *cx);	/* awaits; can it do its work now? NULL: as soon as the loop runs */
	bool each;		/* as many processes as web_processes says; else one */
	bool last;		/* drained after the others: it carries what they write */
	bool keeps;		/* the rights that it was started with, for sandboxes */
};
enum { ROLE_CANNOT = 78 };	/* exit status: the configuration can never work */
extern const struct role roles[];	/* ended by an empty name */

extern const struct place *role_place;	/* of the role's process */
unsigned role_processes(const struct role *r);
/* The life of a role in a forked process; never returns. A byte is written to ready_fd when it answers. */
_Noreturn void role_main(const struct role *r, unsigned slot, const struct args *a, const struct place *p, int ready_fd);
/* Runs fn on a fiber of a loop of its own and returns what it gives, with databases open. For verbs and the migration; once per process. */
err_t with_loop(err_t (*fn)(struct ctx *cx, void *arg), void *arg, uint64_t timeout_ms, char *why_out, size_t why_size);

/* ---- role_web.c ---- */
bool web_init(void);
void web_drain(void);
void web_fini(void);
bool servers_up(struct ctx *cx);	/* awaits: PostgreSQL and Redis answer */

/* ---- role_exec.c ---- */
bool exec_role_init(void);
void exec_role_fini(void);
bool exec_role_up(struct ctx *cx);
bool exec_role_alone(void);		/* the executor is all that runs here: no database is needed */
const char *exec_role_dir(const struct place *p);	/* static */

/* ---- launch.c: worker processes that roles ask for (io/worker.h) ---- */

void launch_write(const char *path, const char *text);	/* into a file of the kernel's, as far as we may */
int launch_open(void);		/* before the roles are forked; the descriptor to poll, -1: cannot */
void launch_close(void);	/* in a role, which keeps its own way to us */
void launch_orders(const struct place *p, int at_most);	/* takes what was asked for; no more than so many are alive */
void launch_stop(void);		/* once nobody asks for workers any more: the scanner would wait for who might */
bool launch_ended(pid_t pid, int status);	/* whether it was one of them */

/* ---- verbs ---- */
int serve_run(struct args *a);
void serve_endpoint(char *out, size_t size);	/* where the API is, as conf has it */
int migrate_run(struct args *a);
int doctor_run(struct args *a);
int manual_run(struct args *a);
int init_run(struct args *a);
int user_create_run(struct args *a);
int project_create_run(struct args *a);
int platform_create_run(struct args *a);
int key_create_run(struct args *a);
int key_rotate_run(struct args *a);
int user_list_run(struct args *a);
int project_list_run(struct args *a);
int platform_list_run(struct args *a);
int key_list_run(struct args *a);
int user_delete_run(struct args *a);
int project_delete_run(struct args *a);
int platform_delete_run(struct args *a);
int key_delete_run(struct args *a);
int function_logs_run(struct args *a);
int webhook_list_run(struct args *a);
int webhook_log_run(struct args *a);
int webhook_replay_run(struct args *a);

/* ---- ask.c ---- */
const char *ask_password(const struct args *a, bool needed);	/* of options, file, environment or terminal; NULL with a line on stderr; "": not needed, and none. Static */
const char *ask_line(const char *prompt);	/* NULL: nobody is there to answer. Static */

/* ---- admin.c: for the verbs that write what the console would ---- */
struct project;
struct user;
/* Finds the servers, runs fn there, and says why when it fails. The status of the program. */
enum { ADMIN_WORK_MS = 30000 };
int admin_work(struct args *a, err_t (*fn)(struct ctx *cx, void *arg));
int admin_work_for(struct args *a, err_t (*fn)(struct ctx *cx, void *arg), uint64_t ms);	/* 0: as long as it takes */
err_t admin_space(struct ctx *cx, const char *id, struct project **out) MUST_CHECK;	/* awaits; id NULL: the console's */
err_t admin_project(struct ctx *cx, const char *id, struct project **out) MUST_CHECK;	/* awaits; its settings only */
err_t admin_owner(struct ctx *cx, const struct project *console, const char *email, struct user **out) MUST_CHECK;	/* awaits; email NULL: the only user */
err_t admin_make_user(struct ctx *cx, const struct project *p, const struct args *a, struct user **out) MUST_CHECK;
err_t admin_make_project(struct ctx *cx, const struct project *console, const char *id, const char *name, const char *team_id, struct user *owner,
    struct project **out) MUST_CHECK;
err_t admin_log(struct ctx *cx, const struct project *p, const struct user *u, const char *event) MUST_CHECK;	/* an entry of the audit log */
int storage_check_run(struct args *a);
int storage_move_run(struct args *a);

#endif
