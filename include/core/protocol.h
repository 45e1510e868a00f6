/* Versions of the protocol that clients speak, as struct ctx's format has them: 1.4.0 is 1004000. */
#ifndef BADAL_CORE_PROTOCOL_H
#define BADAL_CORE_PROTOCOL_H

#include <stdint.h>

#include "core/str.h"

#define PROTOCOL(major, minor, patch) ((major) * INT64_C(1000000) + (minor) * 1000 + (patch))

enum {
	SINCE_1_1 = 1001000,
	SINCE_1_2 = 1002000,
	SINCE_1_3 = 1003000,
	SINCE_1_4 = 1004000,
	SINCE_1_5 = 1005000,
	SINCE_1_6 = 1006000,
	SINCE_1_6_1 = 1006001,
	SINCE_1_7 = 1007000,
	SINCE_1_8 = 1008000,
	SINCE_1_9 = 1009000,
	SINCE_1_9_1 = 1009001,
	SINCE_1_9_2 = 1009002,
	SINCE_1_9_3 = 1009003,
	SINCE_1_9_4 = 1009004,
	SINCE_1_9_5 = 1009005,
	SINCE_1_9_6 = 1009006,
	SINCE_2_3 = 2003000,
	SINCE_CONSOLES = SINCE_1_8,	/* what is newer, and kept from nobody: consoles and command lines of today say 1.8.0 */
	PROTOCOL_NEWEST = SINCE_2_3
};

/* -1: it names none ("" or "0"); 0: it is no version, which counts as older than all. What follows a number ("-RC1", "+build") says nothing. */
int64_t protocol_version(struct str s);
/* The same of the setting response_format, which may be "newest". */
int64_t protocol_setting(void);
/* "1.4.0"; in the arena. */
const char *protocol_text(struct arena *a, int64_t version);

#endif
