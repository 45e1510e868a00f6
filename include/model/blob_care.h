/* What an operator does with blobs: look whether rows and bytes agree, and move bytes to another device. Both while servers run. */
#ifndef BADAL_MODEL_BLOB_CARE_H
#define BADAL_MODEL_BLOB_CARE_H

#include "io/device.h"

struct move_count {
	int64_t copied, bytes, there, gone, failed;	/* there: copied before; gone: removed by somebody meanwhile */
};
/* Awaits, long. Copies every blob of one device to another, some at a time; with `take` they are removed where they were as soon as they are there. It may be
 * stopped and begun again anywhere. A blob that fails is logged and counted, and the others go on. */
err_t blob_move(struct ctx *cx, struct device *from, struct device *to, bool take, struct move_count *n, void (*told)(const struct move_count *n)) MUST_CHECK;

/* Awaits. Whether the devices are this database's alone: what no row of ours knows may be another installation's, or of a database that was replaced, and must
 * not be removed then. A device that is nobody's becomes ours; with `take` each does. */
err_t blob_ours(struct ctx *cx, bool take, bool *ours_out) MUST_CHECK;
/* Awaits. Takes away what writers that died have left at the devices themselves, older than a day: temporary files, uploads in parts. For an upkeep. */
err_t blob_tidy(struct ctx *cx) MUST_CHECK;

struct check_count {
	int64_t rows, missing, size, damaged;	/* blobs that rows promise; not there, of another size, of another sum */
	int64_t blobs, orphans, removed;	/* blobs that are there; that no row knows; that were removed because of it */
	int64_t projects, failed;		/* looked at; that could not be */
};
struct check_how {
	bool repair;		/* remove what no row knows, when it is a day old */
	bool claim;		/* the devices are ours from now on */
	bool deep;		/* read everything, and compare the sums */
	void (*found)(const char *what, const char *of, const char *key);	/* each thing that is wrong */
};
/* Awaits, long. */
err_t blob_check(struct ctx *cx, const struct check_how *how, struct check_count *n) MUST_CHECK;

#endif
