/* What a process says to the virus scanner and hears from it (src/model/scan.c, src/scan/).
 *
 * One scanner per machine holds the signatures. Each connection to it is a process of its own, forked from it, so that the signatures are in memory once; it
 * scans one file after the other. Messages are kept apart by the socket; both sides check what they read. */
#ifndef BADAL_MODEL_SCAN_WIRE_H
#define BADAL_MODEL_SCAN_WIRE_H

#include <stdint.h>

enum { SCAN_WIRE = 0x5343414e, SCAN_TEXT_MAX = 96 };

struct scan_limits {		/* first message to a connection */
	uint32_t magic;
	uint32_t seconds;	/* of one file */
	uint32_t depth;		/* of archives in archives */
	uint32_t files;		/* in an archive */
	uint64_t bytes;		/* of a file, and of all that it holds */
};

struct scan_hello {		/* its answer */
	uint32_t magic;
	uint32_t signatures;	/* 0: there are none */
	char engine[SCAN_TEXT_MAX];	/* "1.4.6" */
};

struct scan_task {		/* with the descriptor of a file */
	uint32_t magic;
};

enum scan_outcome { SCAN_CLEAN, SCAN_FOUND, SCAN_LIMIT, SCAN_FAILED, SCAN_STALE };

struct scan_end {
	uint32_t magic;
	uint32_t outcome;		/* SCAN_STALE: the signatures have changed; a new connection has them */
	char name[SCAN_TEXT_MAX];	/* of what was found, or why it failed */
};

#endif
