/* Regular expressions by PCRE2, in bytes and interpreted: as machine code a rule set takes several times the memory, in each process,
 * and a memory that is written and executed, for texts that are cached and come once. */
#include "io/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
	STEPS_MAX = 20000,	/* of one match: a hundredfold of what an honest text takes */
	HEAP_MAX = 256,		/* of one match, in KiB */
	CLOCK_EVERY = 8	/* matches between two looks at the thread's clock, which is a system call */
};

struct matcher {
	pcre2_match_data *data;
	pcre2_match_context *limits;
	struct str text;
	const char *before;
	uint64_t end;		/* of the thread's time */
	unsigned n;
	bool spent;
};

static char refused;		/* the code of what is no pattern */

static uint64_t
thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *
pattern_compile(const char *text, const char *before)
{
	pcre2_code *code;
	struct buf b;
	size_t at;
	int error;

	buf_init(&b, NULL, strlen(text) + strlen(before) + 16);
	buf_printf(&b, "(?<=%s)(?:%s)", before, text);
	code = pcre2_compile((PCRE2_SPTR)b.p, b.n, PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP | PCRE2_NEVER_UTF, &error, &at, NULL);
	buf_fini(&b);
	return code ? (void *)code : &refused;
}

/* Whichever thread is first publishes the code. */
static void *
code_of(struct matcher *m, struct pattern *p)
{
	void *code = atomic_load(&p->code), *none = NULL;
	uint64_t began;

	if (code != NULL)
		return code;
	began = thread_ns();
	code = pattern_compile(p->text, m->before);
	m->end += thread_ns() - began;
	if (atomic_compare_exchange_strong(&p->code, &none, code))
		return code;
	if (code != &refused)
		pcre2_code_free(code);
	return none;
}

void
pattern_fini(struct pattern *p)
{
	void *code = atomic_exchange(&p->code, NULL);

	if (code != &refused)
		pcre2_code_free(code);
}

struct matcher *
matcher_new(struct str text, const char *before, uint64_t budget_us)
{
	struct matcher *m = mem_zalloc(sizeof *m);

	m->data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	m->limits = pcre2_match_context_create(NULL);
	if (m->data == NULL || m->limits == NULL)
		mem_fatal(0);
	pcre2_set_match_limit(m->limits, STEPS_MAX);
	pcre2_set_depth_limit(m->limits, STEPS_MAX);
	pcre2_set_heap_limit(m->limits, HEAP_MAX);
	m->text = text.p ? text : STR("");
	m->before = before;
	m->end = thread_ns() + budget_us * 1000;
	return m;
}

void
matcher_free(struct matcher **mp)
{
	pcre2_match_data_free((*mp)->data);
	pcre2_match_context_free((*mp)->limits);
	free(*mp);
	*mp = NULL;
}

bool
pattern_match(struct matcher *m, struct pattern *p, struct str groups[PATTERN_GROUPS])
{
	const size_t *at;
	void *code;
	int n;

	if (!m->spent && ++m->n % CLOCK_EVERY == 0)
		m->spent = thread_ns() > m->end;
	if (m->spent || (code = code_of(m, p)) == &refused)
		return false;
	n = pcre2_match(code, (PCRE2_SPTR)m->text.p, m->text.n, 0, 0, m->data, m->limits);
	if (n < 0)
		return false;
	at = pcre2_get_ovector_pointer(m->data);
	for (int i = 0; i < PATTERN_GROUPS; i++) {
		groups[i] = STR_NONE;
		if ((n == 0 || i < n) && at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1])	/* 0: more groups; \K turns them round */
			groups[i] = (struct str){m->text.p + at[2 * i], at[2 * i + 1] - at[2 * i]};
	}
	return true;
}
