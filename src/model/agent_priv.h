/* User agents: what a rule set (the data files of Device Detector) finds in one, and the set. */
#ifndef BADAL_MODEL_AGENT_PRIV_H
#define BADAL_MODEL_AGENT_PRIV_H

#include "model/agent.h"

enum {
	RULES_TEXT_MAX = 1024,	/* bytes of a user agent; no honest one is longer, and the rules are not asked for it */
	FOUND_MAX = 64		/* bytes of what is found; what is longer is none */
};

struct found {			/* "" where unknown */
	char os_name[FOUND_MAX], os_version[FOUND_MAX];
	char client_name[FOUND_MAX], client_version[FOUND_MAX], client_engine[FOUND_MAX];
	char device_name[FOUND_MAX], device_brand[FOUND_MAX], device_model[FOUND_MAX];
	const char *client_type;	/* static */
};

struct rules;
/* Reads a directory of rules; blocks. NULL when a file cannot be read or there is no rule at all, then `why` says so. A pattern that
 * PCRE2 refuses shows when the first text comes to it, and never matches. */
struct rules *rules_load(const char *dir, char *why, size_t why_size);
void rules_free(struct rules **rp);
size_t rules_count(const struct rules *r);
/* What the rules find in the text's first RULES_TEXT_MAX bytes; any thread, bounded in time. */
void rules_find(struct rules *r, struct str user_agent, struct found *out);

/* What our own table says, completed by what the rules found (NULL: nothing). */
struct agent agent_read(struct arena *a, struct str user_agent, const struct found *f);

#endif
