/* What a project may hold of something, where a setting bounds it: for operators who host strangers. 0 is any number, and costs nothing.
 *
 * How much there is is a look at many rows, so it is taken anew now and then, and what this process adds meanwhile is counted on top. Whoever is refused is
 * refused by a look of the last second or so. Several processes know nothing of each other between looks: together they may let in what comes in that time. */
#ifndef BADAL_MODEL_BOUND_H
#define BADAL_MODEL_BOUND_H

#include "model/project.h"

struct bound {
	const char *name;				/* "files" */
	const char *(*look)(struct arena *a, const char *schema);	/* SQL of one row: how many there are, and their bytes */
};

/* Awaits. Whether so many more fit, and so many bytes. ERR_PROJECT_FULL. */
err_t bound_room(struct ctx *cx, const struct project *p, const struct bound *b, int64_t count_most, int64_t count, int64_t bytes_most, int64_t bytes) MUST_CHECK;
/* No wait. They are there now. */
void bound_added(const struct project *p, const struct bound *b, int64_t count, int64_t bytes);

#endif
