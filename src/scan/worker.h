/* The virus scanner, as the program sees it. */
#ifndef BADAL_SCAN_WORKER_H
#define BADAL_SCAN_WORKER_H

/* The hidden verb: badal scan-worker DIRECTORY-OF-SIGNATURES DIRECTORY-FOR-FILES. */
int scan_worker_main(int argc, char **argv);
/* The version of the library that is installed here; NULL: none. For badal doctor. */
const char *scan_library(void);

#endif
