/* Passwords, in processes that do nothing else. Nothing here may take longer for an e-mail that exists than for one that does not. */
#include "svc/users/password.h"

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/offload.h"
#include "io/worker.h"
#include "svc/users/password_worker.h"

enum { WORK_MAX = 120000 };	/* ms that one may take: far more than what passes the ceilings of an import */

/* ---- who does it ---- */

static err_t
password_greet(struct ctx *cx, struct worker *w)
{
	(void)cx, (void)w;	/* it has nothing to say but that it is there */
	return OK;
}

#define POOL(name)                                                                                                                                     \
	{.kind = LAUNCH_PASSWORD, .width = &conf.offload_##name##_threads, .queue = &conf.offload_##name##_queue, .wait = &conf.offload_wait,              \
	    .idle = &conf.password_idle, .greet = password_greet, .started = M_password_workers_started, .lost = M_password_workers_lost,                 \
	    .refused = M_passwords_refused, .busy = M_##name##_workers_busy}
static struct worker_pool pools[] = {[LANE_password] = POOL(password), [LANE_password_slow] = POOL(password_slow)};

/* One exchange; it is not broken off, since a process that is killed costs more to begin anew than what most hashes have left. */
static err_t
work_exchange(struct ctx *cx, struct worker *worker, struct str task, struct password_work *w)
{
	struct password_answer a;
	uint64_t own = cx->deadline;
	err_t e;

	if (!worker_send(worker, task.p, task.n, NULL, 0))
		return fail(cx, ERR_FETCH, "the worker is gone");
	cx->deadline = 0;
	fib_shield(cx, true);
	e = worker_hear(cx, worker, &a, sizeof a, loop_now() + WORK_MAX);
	fib_shield(cx, false);
	cx->deadline = own;
	TRY(e);
	w->ok = a.ok;
	memcpy(w->out, a.out, sizeof a.out);
	return a.magic == PASSWORD_WIRE ? OK : fail(cx, ERR_FETCH, "the worker says something else");
}

static void
work_run_blocking(void *arg)
{
	password_work_run(arg);
}

/* Awaits. A worker that was gone before it was asked is a matter of chance: once more. */
static err_t
work_do(struct ctx *cx, struct password_work *w, int lane)
{
	struct worker *worker;
	struct str task;
	err_t e = ERR_FETCH;

	if (!worker_can() || !password_task_pack(cx->arena, w, &task))
		return offload(cx, lane, work_run_blocking, w);
	for (int i = 0; e == ERR_FETCH && i < 2; i++) {
		TRY(worker_take(cx, &pools[lane], &worker));
		e = work_exchange(cx, worker, task, w);
		worker_give(worker, e == OK);
	}
	return e == ERR_FETCH || e == ERR_TIMEOUT ? fail(cx, ERR_BUSY, "a password was not hashed") : e;
}

/* ---- what is asked ---- */

static struct password_work *
work_new(struct ctx *cx, const char *password)
{
	struct password_work *w = arena_zalloc(cx->arena, sizeof *w);
	int64_t memory = conf.argon2_memory, passes = conf.argon2_time;

	w->password = password;
	w->memory = memory < (int64_t)crypto_pwhash_MEMLIMIT_MIN ? crypto_pwhash_MEMLIMIT_MIN : (size_t)memory;
	w->passes = passes < (int64_t)crypto_pwhash_OPSLIMIT_MIN ? crypto_pwhash_OPSLIMIT_MIN : (unsigned long long)passes;
	return w;
}

err_t
password_hash(struct ctx *cx, const char *password, const char **out)
{
	struct password_work *w = work_new(cx, password);

	TRY(work_do(cx, w, LANE_password));
	if (!w->ok)
		return fail(cx, ERR_BUSY, "no memory for a password hash");
	*out = w->out;
	return OK;
}

static const char *
password_text_of(struct ctx *cx, const json_t *o, const char *key)
{
	struct str s = json_str(json_object_get(o, key));

	return s.p ? str_dup(cx->arena, s) : NULL;
}

static struct password_options
options_of(struct ctx *cx, struct str text)
{
	const json_t *o = text.n > 0 ? json_parse(cx, text, NULL) : NULL;

	return (struct password_options){
		.version = password_text_of(cx, o, "version"),
		.salt = password_text_of(cx, o, "salt"),
		.separator = password_text_of(cx, o, "saltSeparator"),
		.signer = password_text_of(cx, o, "signerKey"),
		.cpu = json_integer_value(json_object_get(o, "costCpu")),
		.memory = json_integer_value(json_object_get(o, "costMemory")),
		.parallel = json_integer_value(json_object_get(o, "costParallel")),
		.length = json_integer_value(json_object_get(o, "length")),
		.own = json_object_get(o, "memoryCost") != NULL,	/* imported ones have no options */
	};
}

/* Nothing that takes long goes where everybody's passwords are. */
static int
password_lane(const struct password_work *w)
{
	if (w->stored == NULL || w->options.own)
		return LANE_password;
	return password_cost_of(w->hash_id, &w->options, w->stored).ms > (double)conf.import_slow ? LANE_password_slow : LANE_password;
}

err_t
password_verify(struct ctx *cx, const char *password, const char *hash_id, struct str options, const char *stored, bool *ok_out)
{
	struct password_work *w = work_new(cx, password);

	*ok_out = false;
	w->verify = true;
	if (stored != NULL && hash_id != NULL) {
		w->stored = stored;
		w->hash_id = hash_id;
		w->options = options_of(cx, options);
	}
	TRY(work_do(cx, w, password_lane(w)));
	*ok_out = w->ok;
	return OK;
}

bool
password_stays(struct ctx *cx, const char *hash_id, struct str options, const char *stored)
{
	struct password_options o = options_of(cx, options);

	return strcmp(hash_id, PASSWORD_HASH_ID) == 0 && (o.own || password_cost_of(hash_id, &o, stored).ms <= (double)conf.import_slow);
}

err_t
password_import_check(struct ctx *cx, const char *hash_id, struct str options, const char *stored)
{
	struct password_options o = options_of(cx, options);
	struct password_cost cost = password_cost_of(hash_id, &o, stored);

	if (cost.ms <= (double)conf.import_cost_max && cost.bytes <= (double)conf.import_memory_max)
		return OK;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid password: a sign-in with this hash would take too much time or memory");
}
