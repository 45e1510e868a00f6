/* Changes of a project that refresh it everywhere: for the kernel and the projects service. */
#ifndef BADAL_MODEL_PROJECT_WRITE_H
#define BADAL_MODEL_PROJECT_WRITE_H

#include "model/event.h"
#include "model/project.h"

extern const char *const project_auth_keys[PROJECT_AUTHS];	/* as stored, in the order of include/tbl/sign_in.h */
extern const char *const project_service_names[PROJECT_SERVICES];	/* as stored, in the order of include/tbl/services.h */
extern const char *const project_provider_keys[PROJECT_PROVIDERS];	/* in the order of include/tbl/providers.h */
extern const char *const project_protocol_names[PROJECT_PROTOCOLS];	/* as stored, in the order of struct project */

struct event project_event(struct ctx *cx, const struct event_info *kind, const char *id, const char *actor);
/* Awaits. One statement that ends in RETURNING, with the event that refreshes the project everywhere; no row: `missing`. */
err_t project_write(struct ctx *cx, const struct project *p, err_t missing, const char *sql, int n, const char *const *v) MUST_CHECK;

#endif
