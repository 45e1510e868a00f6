/* The events of a room, defined and listed in `events`: for its service.c, which says before where they stand, e.g.
 *	#define ROOM_EVENTS "svc/teams/events.h" */
#include "model/service.h"

#define EVENT EVENT_DEFINE
#include ROOM_EVENTS
#undef EVENT
static const struct event_info *const events[] = {
#define EVENT EVENT_LISTED
#include ROOM_EVENTS
#undef EVENT
	NULL,
};
