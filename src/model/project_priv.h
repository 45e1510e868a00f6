/* What the files of projects share. */
#ifndef BADAL_MODEL_PROJECT_PRIV_H
#define BADAL_MODEL_PROJECT_PRIV_H

#include "model/event.h"
#include "model/project.h"

extern const char *const project_auth_keys[PROJECT_AUTHS];

struct event project_event(struct ctx *cx, enum event_kind kind, const char *id, const char *actor);
/* Awaits. One statement that ends in RETURNING, with the event that refreshes the project everywhere; no row: `missing`. */
err_t project_write(struct ctx *cx, const struct project *p, err_t missing, const char *sql, int n, const char *const *v) MUST_CHECK;

#endif
