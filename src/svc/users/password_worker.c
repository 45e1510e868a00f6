#include "svc/users/password_worker.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io/worker.h"

enum { CONTROL = 0, USAGE = 2, ABSENT = UINT16_MAX };

/* ---- the message: numbers, then the words, each with a NUL at its end ---- */

#define WORDS(W) W(password) W(hash_id) W(stored) W(options.version) W(options.salt) W(options.separator) W(options.signer)
#define COUNT(member) +1
enum { N_WORDS = 0 WORDS(COUNT) };

struct password_task {
	uint32_t magic;
	bool verify, own;
	uint64_t passes, memory;
	int64_t cpu, kept_memory, parallel, length;	/* of the options */
	uint16_t words[N_WORDS];	/* their lengths; ABSENT: NULL */
};

bool
password_task_pack(struct arena *a, const struct password_work *w, struct str *out)
{
#define ADDRESS(member) w->member,
	const char *const words[N_WORDS] = {WORDS(ADDRESS)};
	const struct password_options *o = &w->options;
	struct password_task t = {.magic = PASSWORD_WIRE, .verify = w->verify, .own = o->own, .passes = w->passes, .memory = w->memory, .cpu = o->cpu,
	    .kept_memory = o->memory, .parallel = o->parallel, .length = o->length};
	size_t n = sizeof t;
	char *p;

	for (int i = 0; i < N_WORDS; i++) {
		size_t length = words[i] ? strlen(words[i]) : ABSENT;

		if (words[i] != NULL && (length >= ABSENT || (n += length + 1) > PASSWORD_TASK_MAX))
			return false;
		t.words[i] = (uint16_t)length;
	}
	*out = (struct str){p = arena_alloc(a, n), n};
	memcpy(p, &t, sizeof t);
	p += sizeof t;
	for (int i = 0; i < N_WORDS; i++)
		if (words[i] != NULL) {
			memcpy(p, words[i], t.words[i] + 1U);
			p += t.words[i] + 1U;
		}
	return true;
}

bool
password_task_unpack(char *p, size_t n, struct password_work *w)
{
#define PLACE(member) &w->member,
	const char **const words[N_WORDS] = {WORDS(PLACE)};
	struct password_task t;
	char *end = p + n;

	if (n < sizeof t)
		return false;
	memcpy(&t, p, sizeof t);
	p += sizeof t;
	*w = (struct password_work){.verify = t.verify, .passes = t.passes, .memory = (size_t)t.memory,
	    .options = {.own = t.own, .cpu = t.cpu, .memory = t.kept_memory, .parallel = t.parallel, .length = t.length}};
	for (int i = 0; i < N_WORDS; i++) {
		if (t.words[i] == ABSENT)
			continue;
		if (end - p <= t.words[i] || p[t.words[i]] != '\0')
			return false;
		*words[i] = p;
		p += t.words[i] + 1;
	}
	return t.magic == PASSWORD_WIRE && p == end && w->password != NULL;
}

/* ---- the work ---- */

static void
work_hash(struct password_work *w)
{
	w->ok = crypto_pwhash_str_alg(w->out, w->password, strlen(w->password), w->passes, w->memory, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

/* A fresh hash is the same work as a comparison with one: it stands in where there is nothing to compare, and makes up for what an
 * imported hash did not cost. */
static void
work_verify(struct password_work *w)
{
	bool ok = w->stored != NULL && password_matches(w->hash_id, &w->options, w->stored, w->password);

	if (w->stored == NULL || (!ok && !w->options.own))
		work_hash(w);
	w->ok = ok;
}

void
password_work_run(struct password_work *w)
{
	if (w->verify)
		work_verify(w);
	else
		work_hash(w);
}

/* ---- the process ---- */

/* False: the other side is gone, or is none of ours. */
static bool
password_turn(char *task)
{
	int fds[PASS_MAX];
	struct password_work w;
	struct password_answer a = {.magic = PASSWORD_WIRE};
	ssize_t n = pass_recv(CONTROL, task, PASSWORD_TASK_MAX, fds, 0);
	bool sent;

	if (n <= 0 || n > PASSWORD_TASK_MAX || !password_task_unpack(task, (size_t)n, &w))
		return false;
	password_work_run(&w);
	a.ok = w.ok;
	memcpy(a.out, w.out, sizeof a.out);
	sodium_memzero(task, (size_t)n);
	sent = pass_send(CONTROL, &a, sizeof a, NULL, 0);
	sodium_memzero(&a, sizeof a);
	sodium_memzero(&w, sizeof w);
	return sent;
}

int
password_worker_main(int argc, char **argv)
{
	static char task[PASSWORD_TASK_MAX];
	const struct rlimit none = {0, 0};
	struct stat st;

	(void)argc;
	if (fstat(CONTROL, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		fprintf(stderr, "badal: %s is started by badal serve\n", argv[1]);
		return USAGE;
	}
	prctl(PR_SET_NAME, "badal-password");
	prctl(PR_SET_DUMPABLE, 0);	/* passwords are in here */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || sodium_init() < 0)
		return 1;
	while (password_turn(task))
		continue;
	return 0;
}
