/* The jobs role: consumers of the services' job streams, retries, dead letters, periodic maintenance. */
#ifndef BADAL_JOBS_JOBS_H
#define BADAL_JOBS_JOBS_H

#include <stdbool.h>

/* The role's work, on the loop. Needs loop_init, db_init and bus_init before. Always true today; false would end the role. */
bool jobs_init(void);
/* Takes no more jobs, lets the running ones finish within conf.drain_timeout (then they are cancelled and another consumer repeats
 * them); calls loop_stop() when the last has ended. */
void jobs_drain(void);

#endif
