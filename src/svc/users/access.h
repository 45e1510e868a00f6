/* JSON web tokens of the account and of the users service. */
#ifndef BADAL_SVC_USERS_ACCESS_H
#define BADAL_SVC_USERS_ACCESS_H

#include "core/conf.h"
#include "gate/gate.h"

struct user_jwt {
	const char *jwt;
};
extern const struct shape jwt_shape;
#define JWT_DURATION(st, member) \
	OPTIONAL("duration", P_RANGE, st, member, "Seconds that it is good for; by default what life_jwt says.", .min = 0, .max = 3600)
/* Of that parameter, ms. */
static inline int64_t
jwt_life(const struct opt_int *seconds)
{
	return seconds->set ? seconds->v * 1000 : conf.life_jwt;
}

#endif
