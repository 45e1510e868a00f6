/* libclamav, found at run time: who does not scan need not have it. The numbers are those of its public header (clamav.h), the same since 0.101. */
#ifndef BADAL_SCAN_CLAM_H
#define BADAL_SCAN_CLAM_H

#include <stdbool.h>
#include <stdint.h>

struct clam {			/* an engine with its signatures */
	void *engine;
	unsigned signatures;
};

/* The library's version; NULL: it is not installed. */
const char *clam_library(void);
/* Reads all signatures of the directory; archives are unpacked into `tmp`. False with a reason. */
bool clam_load(struct clam *c, const char *dir, const char *tmp, const char **why_out);
/* Bounds of one file: what it and all in it may come to, how deep, how many, and ms. */
void clam_limit(struct clam *c, uint64_t bytes, uint32_t depth, uint32_t files, uint32_t ms);

enum clam_verdict { CLAM_CLEAN, CLAM_FOUND, CLAM_FAILED };
/* *name_out: of what was found, or why it failed; static. */
enum clam_verdict clam_scan(const struct clam *c, int fd, const char **name_out);

#endif
