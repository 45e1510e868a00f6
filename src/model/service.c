/* The list of services: who reads descriptions asks here, so no layer below the rooms names one. */
#include "model/service.h"

#include <assert.h>

static const struct service *const *services;
static int n_services;

void
service_init(const struct service *const *v, int n)
{
	assert(v != NULL && n > 0 && (services == NULL || services == v));
	services = v;
	n_services = n;
}

const struct service *const *
service_all(int *n_out)
{
	assert(services != NULL);
	*n_out = n_services;
	return services;
}
