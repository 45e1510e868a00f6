/* Where programs that we start are. */
#ifndef BADAL_EXEC_PROGRAMS_H
#define BADAL_EXEC_PROGRAMS_H

const char *program_first(const char *const *paths);	/* the first that can be started; NULL: none */
/* One of ours: `named` when it is not NULL, else beside our own program, as in the tree where it is built, or where it is installed. NULL: it is not there.
 * To be freed, or kept. */
char *program_beside(const char *named, const char *name);

#endif
