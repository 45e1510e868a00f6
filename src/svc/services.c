/* The rooms of this program. */
#include "svc/services.h"

#define SERVICE(room, label) extern const struct service room##_service;
#include "tbl/services.h"

void
services_init(void)
{
	static const struct service *const all[] = {
#define SERVICE(room, label) &room##_service,
#include "tbl/services.h"
	};

	service_init(all, (int)(sizeof all / sizeof *all));
}
