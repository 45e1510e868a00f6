/* Instances: processes that serve a function. Two fibers each: one that begins it (waits for its socket, tells it what it is), and one that waits for its end,
 * whatever that is. Its sandbox is made while its code is still being unpacked.
 *
 * Its socket is in a directory that it may write to until its server listens there, before any code of the function is loaded; and it is connected to through
 * a descriptor of the very file, for what is in that directory is a stranger's. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/json.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "exec/image.h"
#include "exec_priv.h"
#include "io/fetch.h"

enum { INSTANCE_MAGIC = 0x696e7374, SPEAK_PORT = 3000, SOCKET_LOOK_MS = 1, ANSWER_MAX = 1024 * 1024, STRAY_MAX = 64 * 1024, SETTLE_MS = 2000 };
#define MIB (INT64_C(1024) * 1024)

unsigned instances_alive;
static const char *place;

void
instances_init(const char *dir)
{
	place = dir;
}

const char *
sandbox_name(struct ctx *cx, const char *what)
{
	static unsigned n;

	return arena_printf(cx->arena, "badal-%d-%s-%u", (int)getpid(), what, n++);
}

static struct instance *
instance_cast(void *p)
{
	struct instance *i = p;

	assert(i->magic == INSTANCE_MAGIC);
	return i;
}

static void
instance_move(struct instance *i, enum instance_state to)
{
	assert(to > i->state);
	if (i->state == INSTANCE_STARTING)
		i->fn->n_starting--;
	i->state = to;
	i->idle = loop_now();
	waiters_wake(&i->changed);
	waiters_wake(&i->fn->changed);
}

void
instance_unref(struct instance *i)
{
	assert(i->magic == INSTANCE_MAGIC && i->refs > 0);
	if (--i->refs > 0)
		return;
	assert(i->state == INSTANCE_GONE && i->running == NULL);
	if (i->told >= 0)
		close(i->told);
	if (i->socket >= 0)	/* not before: `at` names its number, and somebody may be about to connect */
		close(i->socket);
	output_free(&i->stray[0]);
	output_free(&i->stray[1]);
	function_leave(i->fn);
	i->magic = 0;
	free(i->dir);
	free(i->broken);
	free(i->reason);
	free(i);
}

void
instance_close(struct instance *i)
{
	if (i->state < INSTANCE_ENDING)
		instance_move(i, INSTANCE_ENDING);
}

void
instance_finish(struct instance *i)
{
	if (i->state == INSTANCE_READY && !i->finishing) {
		i->finishing = true;
		metric_add(M_exec_left, 1);
		instance_close(i);
	}
}

void
instance_end(struct instance *i, enum exec_why cause)
{
	if (i->killed || i->state == INSTANCE_GONE)
		return;
	i->killed = true;
	i->cause = cause;
	instance_close(i);
	if (i->box != NULL)
		sandbox_kill(i->box);
}

/* ---- what it writes ---- */

static void
instance_part(uint64_t run, char which, struct str part, void *arg)
{
	struct instance *i = arg;

	for (struct running *r = i->running; r != NULL; r = r->next)
		if (r->number == run) {
			output_add(which == 'l' ? &r->logs : &r->errors, part);
			return;
		}
	if (run == 0 && i->stray[0].n < STRAY_MAX)
		output_add(&i->stray[0], str_head(part, STRAY_MAX - i->stray[0].n));
}

static void
instance_output(int fd, struct str piece, void *arg)
{
	struct instance *i = instance_cast(arg);

	if (fd == 1)
		frames_take(&i->frames, piece, instance_part, i);
	else if (i->stray[1].n < STRAY_MAX)
		output_add(&i->stray[1], str_head(piece, STRAY_MAX - i->stray[1].n));
}

struct str
instance_stray(struct arena *a, const struct instance *i)
{
	struct buf b;

	buf_init(&b, a, i->stray[0].n + i->stray[1].n + 1);
	for (int k = 0; k < 2; k++)
		buf_str(&b, (struct str){i->stray[k].p, i->stray[k].n});
	return buf_view(&b);
}

/* ---- the beginning ---- */

/* The socket itself, once it is there. What else may be by its name is none. */
static bool
instance_socket(struct instance *i)
{
	struct stat st;
	char path[4096 + 8];

	snprintf(path, sizeof path, "%s/s", i->dir);
	i->socket = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (i->socket < 0)
		return false;
	if (fstat(i->socket, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		close(i->socket);
		i->socket = -1;
		return false;
	}
	snprintf(i->at, sizeof i->at, "/proc/self/fd/%d", i->socket);
	return true;
}

/* From now on nothing is written there. Without rights we cannot forbid it; then functions_tick looks. */
static void
instance_lock(const struct instance *i)
{
	if (geteuid() == 0 && (lchown(i->dir, 0, 0) != 0 || chmod(i->dir, 0755) != 0))
		log_warn(NULL, "the directory of a function stays open", "path=%s error=\"%s\"", i->dir, strerror(errno));
}

static struct str
instance_told(struct ctx *cx, const struct instance *i)
{
	static const char *const generations[] = {"arity", "v2", "v5"};
	const struct exec_function *f = &i->fn->f;
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "entrypoint");
	jw_cstr(&w, f->entrypoint);
	JW_KEY(&w, "generation");
	jw_cstr(&w, generations[f->generation]);
	JW_KEY(&w, "secret");
	jw_cstr(&w, i->secret);
	JW_KEY(&w, "variables");
	jw_obj(&w);
	for (int k = 0; k < f->n_variables; k++) {
		jw_key(&w, f->variables[k].name);
		jw_str(&w, f->variables[k].value);
	}
	jw_obj_end(&w);
	jw_obj_end(&w);
	return buf_view(&b);
}

static err_t
instance_heard(struct ctx *cx, struct instance *i, struct str body)
{
	json_t *told = json_parse(cx, body, NULL);

	if (told == NULL)
		return fail(cx, ERR_EXEC, "the server of the runtime makes no sense");
	i->old = str_is(json_str(json_object_get(told, "generation")), "v2");
	if (json_is_string(json_object_get(told, "error")))
		i->broken = mem_strdup(str_text(cx->arena, json_str(json_object_get(told, "error"))));
	return OK;
}

/* Awaits the server's word that the function is loaded. Of a try nothing stays: there may be thousands, and what comes is a stranger's. */
static err_t
instance_tell(struct ctx *cx, struct instance *i)
{
	const struct fetch_header h[] = {{"content-type", "application/json"}};
	const struct fetch f = {.url = arena_printf(cx->arena, "http://%s/__badal/start", i->name), .unix_path = i->at, .method = "POST", .headers = h, .n_headers = 1,
		.body = instance_told(cx, i), .private_ok = true, .max_bytes = ANSWER_MAX, .timeout_ms = (uint64_t)conf.functions_start_timeout};

	while (true) {
		struct fetch_reply *r;
		struct ctx part;
		err_t e;

		ctx_init_part(&part, cx);
		e = fetch(&part, &f, &r);
		if (e == OK)
			e = instance_heard(&part, i, r->body);
		ctx_fini(&part);
		if (e != ERR_FETCH || i->state != INSTANCE_STARTING || cx->deadline <= loop_now())
			return e;
		TRY(fib_sleep(cx, SOCKET_LOOK_MS));	/* bound, and not listened to yet */
	}
}

static err_t
instance_begin(struct ctx *cx, struct instance *i)
{
	if (i->fn->runtime->contract != CONTRACT_OURS) {
		if (!instance_socket(i))
			return fail(cx, ERR_EXEC, "it has no way in");
		TRY(speak_up(cx, i));
		if (i->state != INSTANCE_STARTING || i->box == NULL)
			return fail(cx, ERR_EXEC, "it ended");
		i->old = i->fn->runtime->contract == CONTRACT_V2;
		i->told = sandbox_told(i->box);
		return OK;
	}
	while (i->state == INSTANCE_STARTING && !instance_socket(i))
		TRY(fib_sleep(cx, SOCKET_LOOK_MS));
	if (i->socket < 0)
		return fail(cx, ERR_EXEC, "it ended");
	instance_lock(i);
	TRY(code_wait(cx, i->fn->code));
	if (i->state != INSTANCE_STARTING || i->fn->code->state != CODE_READY)
		return fail(cx, ERR_EXEC, "it ended, or its code cannot be unpacked");
	return instance_tell(cx, i);
}

static void
instance_begin_fiber(struct ctx *cx, void *arg)
{
	struct instance *i = instance_cast(arg);
	err_t e = instance_begin(cx, i);

	if (i->state == INSTANCE_STARTING && e == OK) {
		i->was_ready = true;
		sandbox_settle(i->box);
		i->fn->start_ms = loop_now() - i->began;
		metric_observe(M_exec_start_time, i->fn->start_ms * 1000);
		instance_move(i, INSTANCE_READY);
	} else {
		instance_end(i, e == ERR_TIMEOUT ? EXEC_TIMED_OUT : EXEC_DIED);
	}
	instance_unref(i);
}

/* ---- the end ---- */

const char *
instance_memory_text(struct arena *a)
{
	return arena_printf(a, "The function was ended for want of memory: it may use %lld MiB.", (long long)(conf.functions_memory / MIB));
}

static void
instance_say(struct instance *i, struct ctx *cx, const struct sandbox_spec *spec, const struct sandbox_end *end)
{
	if (end->why == SANDBOX_MEMORY || i->cause == EXEC_MEMORY) {
		i->how = EXEC_MEMORY;
		i->reason = mem_strdup(instance_memory_text(cx->arena));
		metric_add(M_exec_kill_memory, 1);
	} else if (i->cause == EXEC_TIMED_OUT) {
		i->how = EXEC_TIMED_OUT;
		i->reason = mem_strdup(i->was_ready ? "The process of the function was ended, for a run of it took too long." :
		    arena_printf(cx->arena, "The function was not loaded within %lld s.", (long long)conf.functions_start_timeout / 1000));
		metric_add(M_exec_kill_time, 1);
	} else {
		i->how = EXEC_DIED;
		i->reason = mem_strdup(arena_printf(cx->arena, "The process of the function %s.", sandbox_end_text(cx->arena, spec, end)));
		metric_add(end->why == SANDBOX_KILLED ? M_exec_kill_idle : M_exec_died, 1);
	}
}

static void
instance_gone(struct instance *i)
{
	struct function *fn = i->fn;
	struct instance **at;

	for (at = &fn->instances; *at != i; at = &(*at)->next)
		;
	*at = i->next;
	tree_leave(i->dir);
	fn->n_instances--;
	instances_alive--;
	metric_set(M_exec_sandboxes, instances_alive);
	instance_move(i, INSTANCE_GONE);
	instance_unref(i);
}

/* A command of plain words needs no shell, whose start is a millisecond of each cold one. */
static const char *const *
instance_command(struct arena *a, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+: ";
	const char **argv = arena_array(a, const char *, strlen(text) + 4);
	struct str rest = str_c(text);
	int n = 0;

	while (text[strspn(text, plain)] == '\0' && rest.p != NULL) {
		struct str word = str_cut(&rest, ' ');

		if (word.n > 0)
			argv[n++] = str_dup(a, word);
	}
	if (n == 0) {
		argv[n++] = "sh";
		argv[n++] = "-c";
		argv[n++] = arena_printf(a, "exec %s", text);
	}
	argv[n] = NULL;
	return argv;
}

/* Our server in there: it is told over its socket what it is. */
static void
instance_ours(struct ctx *cx, struct instance *i, struct sandbox_mount mounts[3], struct sandbox_spec *s)
{
	const struct runtime *r = i->fn->runtime;
	const char **env = arena_array(cx->arena, const char *, 64);
	int n = 0;

	for (const char *const *e = r->env; *e != NULL; e++)
		env[n++] = *e;
	env[n++] = "BADAL_SOCKET=/run/badal/s";
	env[n++] = arena_printf(cx->arena, "BADAL_MEMORY=%lld", (long long)s->memory);
	env[n] = NULL;
	s->argv = instance_command(cx->arena, r->start);
	s->env = env;
	s->dir = "/code";
	mounts[0] = (struct sandbox_mount){i->dir, "/run/badal", true};
	mounts[1] = (struct sandbox_mount){i->fn->code->dir, "/code", false};
	mounts[2] = (struct sandbox_mount){r->server, "/runtime", false};
	s->n_mounts = r->server != NULL ? 3 : 2;
}

/* An image with a server of its own: it is told in its environment, finds the archive where it looks for it, and listens in its network. Awaits the archive. */
static err_t
instance_image(struct ctx *cx, struct instance *i, struct sandbox_mount mounts[3], struct sandbox_spec *s)
{
	const struct runtime *r = i->fn->runtime;

	TRY(code_wait(cx, i->fn->code));
	TRY(net_bridge(cx, s->net, arena_printf(cx->arena, "%s/s", i->dir), SPEAK_PORT));
	s->argv = speak_argv(cx->arena, r);
	s->env = speak_env(cx->arena, r, &i->fn->f, i->secret);
	s->dir = r->image->dir;
	s->layer = true;
	s->told = r->contract == CONTRACT_V5 ? speak_logs : NULL;
	mounts[0] = (struct sandbox_mount){arena_printf(cx->arena, "%s/" CODE_ARCHIVE, i->fn->code->dir), "/tmp/" CODE_ARCHIVE, false};
	s->n_mounts = 1;
	return OK;
}

static err_t
instance_spec(struct ctx *cx, struct instance *i, struct sandbox_mount mounts[3], struct sandbox_spec *s)
{
	if (i->killed)
		return fail(cx, ERR_EXEC, "it was ended before it began");
	if (net_on())
		TRY(ready_take(cx, &s->net));
	if (i->fn->runtime->contract != CONTRACT_OURS)
		return s->net != NULL ? instance_image(cx, i, mounts, s) : fail(cx, ERR_EXEC, "there are no networks, and the image listens in one");
	instance_ours(cx, i, mounts, s);
	return OK;
}

/* The whole life. The specification is needed to its end. */
static void
instance_fiber(struct ctx *cx, void *arg)
{
	struct instance *i = instance_cast(arg);
	struct sandbox_mount mounts[3];
	struct sandbox_spec spec = {.name = i->name, .root = i->fn->runtime->root, .mounts = mounts,
		.memory = conf.functions_memory, .tmp = conf.functions_tmp, .file = conf.functions_tmp, .processes = conf.functions_processes, .files = conf.functions_files,
		.cpus = (double)conf.functions_cpu / 100, .output = instance_output, .arg = i};
	struct sandbox_end end = {.why = SANDBOX_BROKEN, .said = "it cannot be started"};
	struct sandbox *box;

	if (instance_spec(cx, i, mounts, &spec) == OK && !i->killed && sandbox_start(cx, &spec, &box) == OK) {
		i->box = box;
		if (i->killed)		/* while it was made */
			sandbox_kill(box);
		i->refs++;
		fib_spawn_new("begin", (uint64_t)conf.functions_start_timeout, instance_begin_fiber, i);
		if (sandbox_wait(cx, &box, &end) != OK)
			log_warn(cx, "the wait for a function's end was given up", "name=%s", i->name);
		i->box = NULL;
	} else if (!i->killed && cx->detail != NULL) {
		log_error(cx, "a function cannot be started", "reason=\"%s\"", cx->detail);
	}
	net_free(&spec.net);
	instance_say(i, cx, &spec, &end);
	instance_gone(i);
}

struct instance *
instance_start(struct function *fn)
{
	static unsigned n;
	struct instance *i = mem_zalloc(sizeof *i);
	struct ctx cx;

	ctx_init(&cx);
	*i = (struct instance){.magic = INSTANCE_MAGIC, .refs = 1, .fn = fn, .socket = -1, .told = -1, .began = loop_now(), .idle = loop_now(), .next = fn->instances};
	snprintf(i->name, sizeof i->name, "%s", sandbox_name(&cx, "fn"));
	snprintf(i->secret, sizeof i->secret, "%s", secret_hex(cx.arena, 16));
	ctx_fini(&cx);
	if (asprintf(&i->dir, "%s/fn-%u", place, n++) < 0)
		abort();
	if (!tree_make(i->dir, 0))
		log_error(NULL, "cannot make a directory", "path=%s error=\"%s\"", i->dir, strerror(errno));
	fn->instances = i;
	fn->n_instances++;
	fn->n_starting++;
	fn->refs++;
	instances_alive++;
	metric_set(M_exec_sandboxes, instances_alive);
	fib_spawn_new("instance", 0, instance_fiber, i);
	return i;
}
