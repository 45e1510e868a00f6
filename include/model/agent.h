/* What a user agent says: operating system, client and device, in the names and codes of the session model. */
#ifndef BADAL_MODEL_AGENT_H
#define BADAL_MODEL_AGENT_H

#include "core/ctx.h"

struct agent {			/* "" where unknown */
	const char *os_code, *os_name, *os_version;
	const char *client_type, *client_code, *client_name, *client_version, *client_engine, *client_engine_version;
	const char *device_name, *device_brand, *device_model;
};

/* Awaits, when the text is asked for the first time and a rule set is installed; not after `until`, in loop_now()'s milliseconds: then,
 * and whenever the rules cannot be asked, it is what our own table knows. */
struct agent agent_of(struct ctx *cx, struct str user_agent, uint64_t until);
/* How long those who ask should wait: for one text or for many. */
enum { AGENT_PATIENCE_MS = 3000 };

#endif
