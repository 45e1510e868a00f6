/* Where an executor is reached by other machines (executor_listen). */
#ifndef BADAL_EXEC_FAR_H
#define BADAL_EXEC_FAR_H

#include <stdbool.h>

bool far_place(const char *at);		/* "10.0.0.5:9100", "[fd00::5]:9100", "name:9100" */
/* Why it is not to be; NULL: it may, also of a name, whose address is looked at later. */
const char *far_refusal(const char *at, bool tls);
bool far_leaves(const char *at);	/* what goes there leaves this machine */

#endif
