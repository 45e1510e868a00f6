/* Asks the rule set on the thread pool and remembers the answers. The set is read when the first text comes. */
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_priv.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/offload.h"

#define DEBIAN_RULES "/usr/share/rubygems-integration/all/gems/device_detector-*/regexes"

enum { CACHE_MAX = 2000 };

struct question {		/* a thread's while it is there */
	struct str user_agent;
	struct found found;
	bool answered;
};

static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static struct rules *rules;	/* set once, by a thread; NULL: none */
static char rules_dir[512], rules_why[256];	/* as rules */

/* ---- threads ---- */

static void
find_debian(char *out, size_t size)
{
	glob_t g = {0};
	const char *newest = "";

	if (glob(DEBIAN_RULES, 0, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (strverscmp(g.gl_pathv[i], newest) > 0)
				newest = g.gl_pathv[i];
	snprintf(out, size, "%s", newest);
	globfree(&g);
}

static void
agent_ask_load(void)
{
	if (strcmp(conf.agent_rules, "auto") == 0)
		find_debian(rules_dir, sizeof rules_dir);
	else
		snprintf(rules_dir, sizeof rules_dir, "%s", conf.agent_rules);
	if (rules_dir[0] != '\0')
		rules = rules_load(rules_dir, rules_why, sizeof rules_why);
}

static void
agent_ask_answer(void *arg)
{
	struct question *q = arg;

	pthread_once(&loaded, agent_ask_load);
	if (rules != NULL)
		rules_find(rules, q->user_agent, &q->found);
	q->answered = true;
}

/* ---- the loop's side ---- */

static struct lru *cache;	/* of struct found */
static bool no_rules;		/* known once a thread has looked */

/* True once it is known that there are rules; says in the log what became of them. */
static bool
have_rules(void)
{
	static bool said;

	if (!said && rules != NULL)
		log_info(NULL, "agent rules read", "dir=%s n=%zu", rules_dir, rules_count(rules));
	else if (!said && rules_dir[0] != '\0')
		log_error(NULL, "no agent rules: user agents are read by the built-in table alone", "dir=%s why=%s", rules_dir, rules_why);
	said = true;
	return rules != NULL;
}

/* NULL when the rules cannot be asked. Not to be kept over an await. */
static const struct found *
agent_ask_ask(struct ctx *cx, struct str user_agent, uint64_t until)
{
	struct question q = {.user_agent = user_agent};
	uint64_t deadline = cx->deadline;
	struct found *f;
	err_t e;

	if (loop_now() >= until)
		return NULL;
	cx->deadline = deadline && deadline < until ? deadline : until;
	e = offload(cx, LANE_agent, agent_ask_answer, &q);
	cx->deadline = deadline;
	if (e != OK && !q.answered)	/* where the client has left the next await says so */
		return NULL;
	if (!have_rules()) {
		no_rules = true;
		return NULL;
	}
	f = mem_alloc(sizeof *f);
	*f = q.found;
	lru_put(cache, user_agent, f);
	return f;
}

struct agent
agent_of(struct ctx *cx, struct str user_agent, uint64_t until)
{
	const struct found *f = NULL;

	if (cache == NULL)
		cache = lru_new(CACHE_MAX, free);
	if (!no_rules && user_agent.n > 0 && user_agent.n <= RULES_TEXT_MAX && conf.agent_rules[0] != '\0') {
		f = lru_get(cache, user_agent);
		if (f == NULL)
			f = agent_ask_ask(cx, user_agent, until);
	}
	return agent_read(cx->arena, user_agent, f);
}
