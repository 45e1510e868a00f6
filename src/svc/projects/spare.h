/* Data spaces made in advance. Making one takes 80 relations, some 50 ms of PostgreSQL's time however it is done; taking one that is
 * there, a row. */
#ifndef BADAL_SVC_PROJECTS_SPARE_H
#define BADAL_SVC_PROJECTS_SPARE_H

#include "io/db.h"

/* Awaits. The internal number of a data space at this program's version, which is the project's from now on when tx commits; 0: there is
 * none. */
err_t spare_take(struct db_tx *tx, int64_t *internal_out) MUST_CHECK;
/* Awaits. Makes as many as conf.project_spares says, but no more than there are projects, and gives those up that are of no use any more.
 * One process of all does it at a time; the others have nothing to do. */
err_t spare_fill(struct ctx *cx) MUST_CHECK;

#endif
