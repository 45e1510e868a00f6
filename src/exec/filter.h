/* What system calls a sandbox may make (seccomp). */
#ifndef BADAL_EXEC_FILTER_H
#define BADAL_EXEC_FILTER_H

/* The compiled filter in a file without a name, to be handed to bubblewrap; made once. The caller closes it.
 * -1: there is none here. */
int filter_open(void);

#endif
