/* Blobs whose rows went, and blobs that never had one.
 *
 * Rows are the book. A blob goes when no row knows it: whatever takes one from its row leaves it in a table of waste with the same commit, and a job removes
 * what stands there; the search for orphans finds what even that does not know, since a crash came between. All of it can stop anywhere and begin again. */
#ifndef BADAL_MODEL_WASTE_H
#define BADAL_MODEL_WASTE_H

#include "model/blob.h"

struct waste {			/* of one kind of places */
	const char *kind;	/* "files" */
	const char *table, *of;	/* of a data space: what is to go, and its column of the place's owner: "file_waste", "bucket" */
	const char *owners;	/* table of the owners: "buckets" */
	const char *known;	/* SQL: a row of the data space :schema knows the blob `name`; besides those of the table itself */
};

/* No wait. A blob of the owner's place is to go; "" for all of them. The job that does it is the caller's to add. */
void waste_add(struct db_tx *tx, const struct project *p, const struct waste *w, int64_t owner, const char *blob);
/* Awaits, long. Removes all that is to go; what cannot be removed now stays. */
err_t waste_remove(struct ctx *cx, const struct project *p, const struct waste *w) MUST_CHECK;
/* Awaits, long. Removes blobs, a day old, that no row knows, of all projects; nothing where the devices are not ours alone. */
err_t waste_find_orphans(struct ctx *cx, const struct waste *w) MUST_CHECK;
/* Awaits, long. The project of a job's payload {"project":…}; NULL: it is gone, and its bytes are orphans. */
struct job;
err_t waste_project(struct ctx *cx, const struct job *job, struct project **out) MUST_CHECK;

/* Awaits, long. fn for the console and for each project, in a context of its own: what one takes is given back before the next, and its trouble is its own. */
err_t project_each(struct ctx *cx, const char *work, err_t (*fn)(struct ctx *cx, const char *id)) MUST_CHECK;

#endif
