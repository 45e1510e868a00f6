/* What a user agent says: operating system, client and device, in the names and codes of the session model. */
#ifndef BADAL_MODEL_AGENT_H
#define BADAL_MODEL_AGENT_H

#include "core/arena.h"
#include "core/str.h"

struct agent {			/* "" where unknown */
	const char *os_code, *os_name, *os_version;
	const char *client_type, *client_code, *client_name, *client_version, *client_engine, *client_engine_version;
	const char *device_name, *device_brand, *device_model;
};

struct agent agent_parse(struct arena *a, struct str user_agent);

#endif
