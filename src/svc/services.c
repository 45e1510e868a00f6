/* The rooms of this program. */
#include "svc/services.h"

#define SERVICE(room) extern const struct service room##_service;
#include "tbl/services.h"
#undef SERVICE

void
services_init(void)
{
	static const struct service *const all[] = {
#define SERVICE(room) &room##_service,
#include "tbl/services.h"
#undef SERVICE
	};

	service_init(all, (int)(sizeof all / sizeof *all));
}
