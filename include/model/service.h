/* A service, described once: what its room tells the kernel, the dispatcher, realtime and the jobs. */
#ifndef BADAL_MODEL_SERVICE_H
#define BADAL_MODEL_SERVICE_H

#include <stddef.h>

struct routes;
struct shape;

struct service {
	const char *name;			/* of the room */
	const struct routes *const *routes;	/* gate/gate.h; NULL at the end */
	const struct shape *const *shapes;	/* its models, in the order of the OpenAPI document; NULL at the end */
};

/* The services of this program, handed down by main before anything asks for them; `v` must live as long as the process. */
void service_init(const struct service *const *v, int n);
/* Them, in order. */
const struct service *const *service_all(int *n_out);

#endif
