/* Lines that strangers cause: so many in a second for each of them, then a count of those left out.
 *
 * Who is remembered is bounded, and so are all of them together: a flood of ever new addresses writes no more than conf.log_rate either. */
#include <stdlib.h>

#include "core/addr.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"

enum { SOURCES_MAX = 4096, NAME_MAX_BYTES = 128, SUMMARY_MS = 10000 };

struct source {
	uint64_t since;			/* loop_now() when its window began */
	int64_t lines;			/* written in it */
	uint64_t left_out;		/* not yet said */
	struct source *prev, *next;	/* of those with some left out */
	char name[NAME_MAX_BYTES];
};

static struct lru *sources;
static struct source all = {.name = "all"}, quiet = {.prev = &quiet, .next = &quiet};
static bool summary_due;

static void
say(struct source *s)
{
	log_info(NULL, "lines left out", "of=%s lines=%llu", s->name, (unsigned long long)s->left_out);
	s->left_out = 0;
	s->prev->next = s->next;
	s->next->prev = s->prev;
	s->prev = s->next = NULL;
}

void
log_left_out(void)
{
	while (quiet.next != &quiet)
		say(quiet.next);
}

static void
log_rate_summary(void *arg)
{
	(void)arg;
	summary_due = false;
	log_left_out();
}

static bool
window_has_room(struct source *s, int64_t lines, uint64_t ms)
{
	uint64_t now = loop_now();

	if (now - s->since >= ms) {
		s->since = now;
		s->lines = 0;
	}
	return lines <= 0 || s->lines < lines;
}

static void
log_rate_forget(void *arg)
{
	struct source *s = arg;

	if (s->left_out > 0)
		say(s);
	free(s);
}

static struct source *
source_of(struct str who)
{
	struct str key = {who.p, who.n < NAME_MAX_BYTES - 1 ? who.n : NAME_MAX_BYTES - 1};
	struct source *s;

	if (sources == NULL)
		sources = lru_new(SOURCES_MAX, log_rate_forget);
	if ((s = lru_get(sources, key)) != NULL)
		return s;
	s = mem_zalloc(sizeof *s);
	memcpy(s->name, key.p, key.n);
	s->since = loop_now();
	lru_put(sources, key, s);
	return s;
}

static void
leave_out(struct source *s)
{
	metric_add(M_log_left_out, 1);
	if (s->left_out++ > 0)
		return;
	s->next = &quiet;
	s->prev = quiet.prev;
	quiet.prev->next = s;
	quiet.prev = s;
	if (summary_due)
		return;
	summary_due = true;
	loop_after(SUMMARY_MS, log_rate_summary, NULL);
}

bool
log_may(struct str who, int64_t lines, uint64_t ms)
{
	struct source *s;

	if (!window_has_room(&all, conf.log_rate, 1000)) {
		leave_out(&all);
		return false;
	}
	s = source_of(who);
	if (!window_has_room(s, lines, ms)) {
		leave_out(s);
		return false;
	}
	s->lines++;
	all.lines++;
	return true;
}

bool
log_may_client(const char *address)
{
	char net[ADDR_NET_MAX];

	return log_may(str_c(addr_net(address != NULL ? address : "-", net)), conf.log_client_rate, 1000);
}
