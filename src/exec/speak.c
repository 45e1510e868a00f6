/* Public runtime images, by their own start contract: the image's server is told in its environment what it is and who may ask, finds the archive of what was
 * built at /tmp/code.tar.gz, and answers at port 3000 of its network, which is bridged to the instance's socket. Of two generations:
 *
 *   v2   begins by the image's own command; POST / with x-internal-challenge, as run.c asks our own servers; output comes with the answer
 *   v5   begins by helpers/start.sh; any method and path with x-open-runtimes-secret, and the answer is the function's own. Output comes in files of
 *        /mnt/logs, which are read, and removed, through the directory's descriptor: what is in there is a stranger's
 *
 * Its root can be written to, for it unpacks into it (sandbox_spec.layer). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/loop.h"
#include "exec/image.h"
#include "exec_priv.h"
#include "io/fetch.h"

enum { LOOK_MS = 10, ANSWER_MAX = 64 * 1024 * 1024, HEADERS_MAX = 96, RUN_ID_MAX = 64, PIECE = 64 * 1024, FILE_MAX = 4 * OUTPUT_CHARS + 1, SLACK_S = 2, ENV_ONE_MAX = 128 * 1024, ENV_ALL_MAX = 1920 * 1024 };

const char speak_logs[] = "/mnt/logs";

/* ---- how it begins ---- */

static const char *const *
speak_shell(struct arena *a, const char *command, const char *told)
{
	const char **v = arena_array(a, const char *, 6);
	int n = 0;

	v[n++] = "sh";
	v[n++] = "-c";
	v[n++] = command;
	v[n++] = "sh";
	v[n++] = told;
	v[n] = NULL;
	return v;
}

const char *const *
speak_argv(struct arena *a, const struct runtime *r)
{
	if (r->contract == CONTRACT_V5)
		return speak_shell(a, "cp /tmp/code.* /mnt/code/ && exec nohup helpers/start.sh \"$1\"", r->start);
	return r->start[0] != '\0' ? speak_shell(a, arena_printf(a, "exec %s", r->start), NULL) : r->image->argv;
}

const char *
speak_code(const struct runtime *r)
{
	return r->contract == CONTRACT_V2 ? "/usr/code" : "/mnt/code";
}

const char *
speak_build_dir(const struct runtime *r)
{
	return r->contract == CONTRACT_V2 ? speak_code(r) : r->image->dir;
}

const char *const *
speak_build_argv(struct arena *a, const struct runtime *r)
{
	if (r->contract == CONTRACT_V5)
		return speak_shell(a, "exec helpers/build.sh \"$1\"", r->build);
	return speak_shell(a, r->build[0] != '\0' ? r->build : "exec /usr/local/src/build.sh", NULL);
}

/* ---- its environment ---- */

struct env {
	const char **v;
	int n, n_base;		/* the first ones, that others may replace */
};

static void
env_put(struct env *e, const char *text)
{
	size_t n = strcspn(text, "=") + 1;

	for (int i = 0; i < e->n_base; i++)
		if (strncmp(e->v[i], text, n) == 0) {
			e->v[i] = text;
			return;
		}
	e->v[e->n++] = text;
}

const char *const *
speak_env(struct arena *a, const struct runtime *r, const struct exec_function *f, const char *secret)
{
	bool old = r->contract == CONTRACT_V2;
	struct env e = {arena_array(a, const char *, f->n_variables + 64), 0, 0};

	env_put(&e, arena_printf(a, old ? "INTERNAL_RUNTIME_KEY=%s" : "OPEN_RUNTIMES_SECRET=%s", secret));
	env_put(&e, arena_printf(a, old ? "INTERNAL_RUNTIME_ENTRYPOINT=%s" : "OPEN_RUNTIMES_ENTRYPOINT=%s", f->entrypoint));
	e.n_base = e.n;
	for (int i = 0; r->env[i] != NULL; i++) {
		env_put(&e, r->env[i]);
		e.n_base = e.n;	/* the last one of a name counts */
	}
	for (int i = 0; i < f->n_variables; i++)
		env_put(&e, arena_printf(a, "%.*s=%.*s", STR_FMT(f->variables[i].name), STR_FMT(f->variables[i].value)));
	env_put(&e, arena_printf(a, old ? "INTERNAL_RUNTIME_KEY=%s" : "OPEN_RUNTIMES_SECRET=%s", secret));	/* whatever a variable says */
	env_put(&e, arena_printf(a, old ? "INTERNAL_RUNTIME_ENTRYPOINT=%s" : "OPEN_RUNTIMES_ENTRYPOINT=%s", f->entrypoint));
	e.v[e.n] = NULL;
	return e.v;
}

/* It is the one way into the environment of a program that is not ours, and the kernel bounds it. */
const char *
env_refusal(struct arena *a, const struct exec_function *f)
{
	size_t all = 0;

	for (int i = 0; i < f->n_variables; i++) {
		const struct exec_variable *v = &f->variables[i];
		size_t n = v->name.n + v->value.n + 2;

		if (n > ENV_ONE_MAX)
			return arena_printf(a, "The variable %.*s has %zu bytes: in the environment of a process one may have %d, with its name.", STR_FMT(v->name), n - 2, ENV_ONE_MAX - 2);
		all += n + sizeof(char *);
	}
	if (all > ENV_ALL_MAX)
		return arena_printf(a, "The variables of the function have %zu KiB: in the environment of a process they may have %d.", all / 1024, ENV_ALL_MAX / 1024);
	return NULL;
}

/* ---- being up ---- */

err_t
speak_up(struct ctx *cx, struct instance *i)
{
	const struct fetch f = {.url = arena_printf(cx->arena, "http://%s/__opr/health", i->name), .unix_path = i->at, .private_ok = true, .timeout_ms = (uint64_t)conf.functions_start_timeout};

	while (true) {	/* those of v2 know no such path, and say so */
		struct fetch_reply *r;
		struct ctx part;	/* of a try nothing stays: there may be thousands */
		err_t e;

		ctx_init_part(&part, cx);
		e = fetch(&part, &f, &r);
		ctx_fini(&part);
		if (e != ERR_FETCH || i->state != INSTANCE_STARTING || cx->deadline <= loop_now())
			return e;
		TRY(fib_sleep(cx, LOOK_MS));
	}
}

/* ---- what it logs ---- */

const char *
speak_id(struct arena *a, uint64_t number)
{
	return arena_printf(a, "run-%llu", (unsigned long long)number);
}

static bool
speak_id_sound(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n <= RUN_ID_MAX && strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static void
speak_file(int dir, const char *id, const char *which, struct output *o)
{
	char name[RUN_ID_MAX + 32], *piece;
	struct stat st;
	size_t most = FILE_MAX;
	ssize_t n;
	int fd;

	snprintf(name, sizeof name, "%s_%s.log", id, which);
	if ((fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0)
		return;
	piece = mem_zalloc(PIECE);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		while (most > 0 && (n = read(fd, piece, most < PIECE ? most : PIECE)) > 0) {
			output_add(o, (struct str){piece, (size_t)n});
			most -= (size_t)n;
		}
	free(piece);
	close(fd);
	(void)unlinkat(dir, name, 0);	/* it is not in the function's way any more; what stays goes with the layer */
}

void
speak_written(const struct instance *i, const char *id, struct running *me)
{
	if (i->told < 0 || !speak_id_sound(id))
		return;
	speak_file(i->told, id, "logs", &me->logs);
	speak_file(i->told, id, "errors", &me->errors);
}

/* ---- a run ---- */

static int
speak_headers(struct ctx *cx, const struct instance *i, const struct exec_run *r, const char *id, struct fetch_header *h)
{
	int n = 0;

	h[n++] = (struct fetch_header){"x-open-runtimes-secret", i->secret};
	h[n++] = (struct fetch_header){"x-open-runtimes-timeout", arena_printf(cx->arena, "%llu", (unsigned long long)(r->limit_ms / 1000 + SLACK_S))};	/* ours comes first, and ends all of it */
	h[n++] = (struct fetch_header){"x-open-runtimes-logging", "enabled"};
	h[n++] = (struct fetch_header){"x-open-runtimes-log-id", id};
	for (int k = 0; k < r->n_headers && n < HEADERS_MAX; k++)
		if (run_header_sound(r->headers[k].value) && r->headers[k].name.n > 0 && !str_ieq(r->headers[k].name, STR("content-length")))
			h[n++] = (struct fetch_header){str_dup(cx->arena, r->headers[k].name), str_dup(cx->arena, r->headers[k].value)};
	return n;
}

err_t
speak_run(struct ctx *cx, const struct instance *i, const struct exec_run *r, struct running *me, struct exec_ran *out)
{
	const char *path = r->path.n > 0 && r->path.p[0] == '/' && run_header_sound(r->path) ? str_dup(cx->arena, r->path) : "/", *id = speak_id(cx->arena, me->number), *told;
	const char *method = r->method.n > 0 ? str_dup(cx->arena, r->method) : "POST";
	bool empty = r->body.n == 0 && strcmp(method, "POST") != 0;
	struct fetch_header h[HEADERS_MAX + 8];
	struct fetch f = {.url = arena_printf(cx->arena, "http://%s%s", i->name, path), .unix_path = i->at, .method = method, .headers = h, .n_headers = speak_headers(cx, i, r, id, h),
		.body = empty ? STR_NONE : (struct str){r->body.n > 0 ? r->body.p : "", r->body.n}, .private_ok = true, .max_bytes = ANSWER_MAX, .timeout_ms = r->limit_ms,
		.connect_ms = r->limit_ms, .alone = true};
	struct fetch_reply *reply;

	TRY(fetch(cx, &f, &reply));
	told = fetch_header(reply, "x-open-runtimes-log-id");
	speak_written(i, told != NULL && speak_id_sound(told) ? told : id, me);
	out->status = reply->status;
	out->body = reply->body;
	out->logs = output_text(cx->arena, (struct str){arena_memdup(cx->arena, me->logs.p, me->logs.n), me->logs.n}, me->logs.cut, "");
	out->errors = output_text(cx->arena, (struct str){arena_memdup(cx->arena, me->errors.p, me->errors.n), me->errors.n}, me->errors.cut, "");
	run_headers_of(cx, reply, out);
	return OK;
}
