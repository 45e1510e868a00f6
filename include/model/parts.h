/* Content that comes in parts, in any order and at once, on the storage device: which of them are there. A row of a service has the counts, a table beside it
 * a row for each part. What must stay true: parts never overlap; the content is whole when they fill it. */
#ifndef BADAL_MODEL_PARTS_H
#define BADAL_MODEL_PARTS_H

#include "model/blob.h"
#include "model/record.h"

/* What the struct of such a row begins with, under the names of its columns (size, the owner and complete may have others there). */
#define PARTED                                                                                                                             \
	int64_t internal, owner;	/* numbers: of the row, and of the owner of the place where its bytes are */                        \
	const char *id;                                                                                                                    \
	int64_t size;			/* of the whole */                                                                                 \
	int64_t chunks_total, chunks_uploaded;	/* as clients count them; those of the unbroken start */                                   \
	bool complete;                                                                                                                     \
	int64_t chunk;			/* bytes of a chunk; 0: only the last one has come */                                              \
	int64_t received, unbroken;	/* bytes of all parts; of those from the start without a gap */                                    \
	int64_t changes			/* counts parts that came: whoever read them finds out that there are others */
struct parted {
	PARTED;
};

struct part_table {
	const struct record *record;	/* of the rows; its struct begins with PARTED */
	const char *table, *of;		/* "file_parts", and its column of the row: "file" */
	/* The blob of a part has no row any more. In the transaction that took it. No wait. */
	void (*wasted)(struct db_tx *tx, const struct project *p, int64_t owner, const char *blob);
	/* Whether there is room for so many bytes more of the row; awaits. NULL: always. */
	err_t (*room)(struct db_tx *tx, const struct project *p, const struct parted *row, int64_t more);
};

struct part_in {		/* a part that came, on the device */
	int64_t start, total;	/* where it belongs, of how many bytes */
	const struct blob *blob;
};

/* In a transaction. A row for the part. No wait. */
void part_insert(struct db_tx *tx, const struct project *p, const struct part_table *t, int64_t internal, const struct part_in *in);
/* In the transaction that has locked the row, or (fresh) made it; awaits. Takes the part in and counts anew. A part that is there already takes its own
 * place again. *repeated_out: the row is complete and has this part, nothing was changed. ERR_STORAGE_INVALID_CONTENT_RANGE: it does not fit what is there;
 * ERR_DOCUMENT_ALREADY_EXISTS: the row is complete without it; what the table's `room` says. */
err_t part_take(struct db_tx *tx, const struct project *p, const struct part_table *t, const struct part_in *in, bool fresh, struct parted *row,
    bool *repeated_out) MUST_CHECK;
/* Awaits. All parts of the row in order, in the arena. */
err_t parts_load(struct ctx *cx, const struct project *p, const struct part_table *t, int64_t internal, const char *bind, const struct blob_part **out,
    int *n_out) MUST_CHECK;

#endif
