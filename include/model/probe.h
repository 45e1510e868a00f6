/* Looks at servers that a project names while it waits: its mail server, whose certificate it asks for, its document of OpenID Connect. They may be made to take long, so a project has a share of those that a
 * process makes at once, a client with many projects another, and all of them together leave most of its outgoing requests (fetches_max) to sign-ins, downloads and the like. */
#ifndef BADAL_MODEL_PROBE_H
#define BADAL_MODEL_PROBE_H

#include "core/ctx.h"

enum { PROBES_MAX = 16, PROBES_PROJECT = 2, PROBES_CLIENT = 4 };

/* Takes a place until the context ends. `project`: its internal number. ERR_BUSY: there is none. No wait. */
err_t probe_enter(struct ctx *cx, int64_t project) MUST_CHECK;

#endif
