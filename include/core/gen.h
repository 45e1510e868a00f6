/* Generations: 65,536 counters in shared memory, made before the roles are forked, that keep caches fresh.
 *
 * A cached key remembers gen_of(key) as read BEFORE its row was read; a hit counts only while the counter is unchanged.
 * Whoever commits a change bumps the keys it changed, before answering. Keys are text such as "user:<project>:<id>". */
#ifndef BADAL_CORE_GEN_H
#define BADAL_CORE_GEN_H

#include "core/str.h"

void gen_init(void);			/* in the supervisor, before fork */
uint32_t gen_of(struct str key);
void gen_bump(struct str key);
void gen_bump_hash(uint64_t stable_hash);	/* the key's str_hash_stable, as carried by events */
void gen_bump_all(void);			/* news of changes were lost: nothing cached counts any more */
uint32_t gen_of_hash(uint64_t stable_hash);

#endif
