/* Countries of addresses, by a MaxMind database (GeoLite2 or DB-IP "country"). */
#ifndef BADAL_IO_COUNTRY_H
#define BADAL_IO_COUNTRY_H

#include "core/arena.h"

struct country {		/* in the arena */
	const char *code;	/* ISO, lower-case; "--" unknown */
	const char *name;	/* in the locale (names.h); its word for "Unknown" */
	const char *continent;	/* "EU"; "" unknown */
};

/* The country of a numeric address. Unknown without a database, for private and malformed addresses, and on a damaged database.
 * No wait: the file is mapped. `locale` may be NULL. */
struct country country_of(struct arena *a, const char *ip, const char *locale);

#endif
