/* The executor: builds functions and runs them in sandboxes, for whoever asks over its socket (model/exec_wire.h). It needs Redis, to say that it is there. */
#ifndef BADAL_EXEC_EXEC_H
#define BADAL_EXEC_EXEC_H

#include <stdbool.h>
#include <sys/types.h>

/* On the loop, after bus_init. `dir` is its own, there, and empties; `uid` may use its socket. `key` opens the socket to other machines (conf.executor_listen).
 * False: it cannot listen. A machine without sandboxes is none of that: it is announced, and why. */
bool executor_init(const char *dir, uid_t uid, gid_t gid, const char *key);
bool executor_up(void);		/* it has announced itself */
/* Takes nothing more, lets what runs end within conf.drain_timeout; calls loop_stop. */
void executor_drain(void);
void executor_fini(void);
const char *executor_browser(void);	/* the program that makes pictures of pages (page_browsers); NULL: none is installed */

#endif
