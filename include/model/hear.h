/* Triggers: what services make of events that were written. The jobs role reads the event stream and asks each service that hears; what the
 * service wants done leaves with the position of the event, all or nothing: an event makes its jobs once, whatever crashes.
 *
 * A job may stand alone, or in a line: the entries of a line keep the order of the events, and one job at a time looks after a line (model/line.h). */
#ifndef BADAL_MODEL_HEAR_H
#define BADAL_MODEL_HEAR_H

#include "io/db.h"

struct project;
struct heard_out;

struct heard {			/* an event; valid during the call */
	const char *id;		/* the same whenever it is heard; [0-9a-f-], at most 50 characters */
	const struct project *project;	/* its settings; its data space may be behind */
	const char *pattern;	/* "users.[userId].create" */
	const char *ids[3];	/* values of the placeholders; NULL behind the last */
	int n_ids;
	struct strs names;	/* what it is called by those who subscribe (event_names), the most telling first */
	int64_t time;		/* ms, when it was written */
	const char *actor;	/* acting user, NULL: a guest or a key */
	unsigned flags;		/* enum event_flags */
	int depth;		/* executions that led to it, one by the other */
	struct str payload;	/* JSON */
};

struct hears {			/* of a service */
	/* The cache key (core/gen.h) that a change of the project's subscribers bumps, in the arena. */
	const char *(*stale)(struct ctx *cx, const char *project);
	/* Awaits. The event names that subscribers of the project listen to; kept until the key is bumped. */
	err_t (*names)(struct ctx *cx, const struct project *p, struct strs *out) MUST_CHECK;
	/* Awaits. Says what follows from an event whose names have one of those in common, or may have. The same event may be asked for again, when
	 * something failed or crashed: then nothing of the earlier answer counts. */
	err_t (*look)(struct ctx *cx, const struct heard *ev, struct heard_out *out) MUST_CHECK;
};

/* The event is called by one of these. */
bool heard_one_of(const struct heard *ev, const struct strs *subscribed);

/* A job of this kind; its id is that of the event and of the subscriber ([A-Za-z0-9._-]), and the same if the event is heard again. */
void heard_job(struct heard_out *out, const char *kind, const char *subscriber, struct str payload);

/* An entry at the end of a line. */
struct heard_entry {
	const char *kind;	/* of the job that looks after the line, and runs with the line's name as payload */
	const char *line;	/* "<project>/<…>" */
	const char *subscriber;
	struct str head, body;	/* head: without line feeds. Bodies that are the same text in memory travel once */
	int64_t max;		/* bytes that a line may have; what does not fit is dropped, and counted. 0: no bound */
	int64_t max_project;	/* the same of all lines of the kind that its project has */
};
void heard_line(struct heard_out *out, const struct heard_entry *e);

/* What an entry of a line remembers of what an event was about, to keep the order of each resource. */
enum { HEARD_WITHIN_MAX = 3 };
struct heard_about {
	struct strs names;		/* all that the event is called (event_names_told), the most telling first */
	uint64_t within[HEARD_WITHIN_MAX];	/* the resources that it is of, from the outermost to itself */
	int n_within;
};
/* "<pattern> <id>…", parted by tabs: none of them has one. Behind the last id that there may be stands "later" (EVENT_LATER). */
void heard_about_put(struct buf *b, const struct heard *ev);
/* The same, read; in cx's arena. False: malformed. */
bool heard_about_read(struct ctx *cx, struct str text, struct heard_about *out);
/* One must be done before the other: their resources are the same, or one contains the other. */
bool heard_about_same(const struct heard_about *a, const struct heard_about *b);

/* ---- for the jobs role ---- */

struct heard_op {
	const char *kind, *project, *id;	/* id: of the job */
	const char *line;	/* NULL: a job that stands alone */
	struct str head, body;
	int64_t max, max_project;
};
struct heard_out {
	struct ctx *cx;		/* whose arena has it all */
	const struct heard *ev;
	struct heard_op *v;
	int n, room;
	size_t bytes;
};

/* The project's name in an event's header, and its pattern, without reading all of it. False: it is none of ours. */
bool heard_peek(struct str header, struct str *project_out, struct str *pattern_out);
/* The stale keys of a header (as event.h writes them): each is bumped. */
void heard_bump(struct str header);
/* The whole header, without the project. False: malformed. */
bool heard_read(struct ctx *cx, const char *id, struct str header, struct str payload, struct heard *out);

/* What one project's subscribers listen to, kept while the generations last. */
struct ears;
/* Awaits on a miss. True when something of this project may be meant by events of this pattern; *p_out is the project then. False also for a project
 * that is gone. */
err_t ears_prick(struct ctx *cx, struct str project, struct str pattern, bool *out) MUST_CHECK;
void ears_clear(void);

#endif
