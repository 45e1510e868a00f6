/* Time zones by name, from the zone files of the system (RFC 8536). */
#ifndef BADAL_CORE_ZONE_H
#define BADAL_CORE_ZONE_H

#include "core/str.h"

/* Seconds east of UTC in the zone ("Europe/Paris") when its clocks show local_s, seconds since 1970 as if it were UTC. What they show twice is
 * the first time; what they skip is counted as before the change. False when there is no such zone. */
bool zone_offset(struct str name, int64_t local_s, int *offset_s_out);

#endif
