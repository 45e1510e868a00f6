/* For main and tests: hands the list of services (include/tbl/services.h) down to those who read it. */
#ifndef BADAL_SVC_SERVICES_H
#define BADAL_SVC_SERVICES_H

#include "model/service.h"

void services_init(void);

#endif
