/* Lines: jobs that keep the order of the events they come from (model/hear.h), one line beside the other. A line has one holder at a time: the run of
 * a job of its kind whose payload is the line's name. There is such a job (it waits, runs, or waits for its next try) while the line has entries.
 *
 * {jobs}:<kind>:line:<name>  stream: entries with the fields h and b
 * {jobs}:<kind>:lines        sorted set: lines with entries, by the time up to which somebody is answerable for them; past it they are woken anew
 * {jobs}:<kind>:holders      hash: the token of who holds a line; whoever finds another's token lets go
 * {jobs}:<kind>:sizes        hash: bytes of each line, of all lines of a project ("<project>/"), and the number of all entries ("") */
#ifndef BADAL_MODEL_LINE_H
#define BADAL_MODEL_LINE_H

#include "model/job.h"

enum { LINE_LEASE = 60 * 1000 };	/* ms for which a sign of life is good */

struct line {			/* held */
	const char *kind, *name, *project;
	const char *token;
};

struct line_entry {
	const char *at;		/* its place */
	struct str head, body;
};

/* Awaits. From now on the line is this run's. */
err_t line_hold(struct ctx *cx, const struct job *job, struct line *out) MUST_CHECK;
/* Awaits. At most `count` entries behind `after` (NULL: from the first), in order, and no more once they have `bytes`: one at least, whatever it has. *more_out:
 * there may be others. */
err_t line_read(struct ctx *cx, const struct line *l, const char *after, int count, size_t bytes, struct line_entry **out, int *n_out, bool *more_out) MUST_CHECK;
/* Awaits. These are done, and the holder lives. n may be 0. *mine_out false: somebody else holds the line now, and nothing was done. */
err_t line_done(struct ctx *cx, const struct line *l, const char *const *at, int n, bool *mine_out) MUST_CHECK;
/* Awaits. The run ends. With entries left a job for them begins at `when` (ms; 0: at once). The same when another holds it by now: then nothing happens. */
err_t line_leave(struct ctx *cx, const struct line *l, int64_t when) MUST_CHECK;
/* Awaits. Wakes the lines that somebody was answerable for and is no more. For the jobs role, now and then. */
err_t line_wake_lost(struct ctx *cx, const char *kind) MUST_CHECK;
/* Awaits. All entries of all lines of the kind. */
err_t line_depth(struct ctx *cx, const char *kind, int64_t *out) MUST_CHECK;
/* Awaits. Puts an entry at the end, as heard_line does, but not on account of an event. False: the line, or its project, has no room. */
err_t line_put(struct ctx *cx, const char *kind, const char *name, const char *project, struct str head, struct str body, int64_t max, int64_t max_project,
    bool *put_out) MUST_CHECK;

/* The Lua function put(line, kind, lines, sizes: keys; name, h, b, max, now, jobhead, all) that puts one; 1, 0: the line has no room, -1: all of its project have none. For scripts. */
extern const char line_put_lua[];
/* "line", "lines", …: the key of a kind, of a line when it has a name. */
struct str line_key(struct ctx *cx, const char *kind, const char *what, const char *name);

#endif
