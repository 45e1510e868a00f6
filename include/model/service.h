/* A service, described once. Its room exports one `const struct service`; router, key scopes, switches, event validation, realtime, usage,
 * OpenAPI and older formats read it, so that no layer below the rooms names a service. Lists end with a row of zeros, and may be NULL. */
#ifndef BADAL_MODEL_SERVICE_H
#define BADAL_MODEL_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/words.h"
#include "io/db.h"

struct arena;
struct project;
struct job_kind;
struct job_task;
struct hears;
struct routes;
struct shape;
struct socket_word;

struct scope {			/* spec platform.md 7 */
	const char *name;	/* "teams.read" */
	const char *roles;	/* who has it: g guests, u users, a admin and developer (an owner has those of users and admin), k any API key */
	int key;		/* its place among the scopes that a key may be given, from 1; 0: none */
};

struct event_info {		/* a row of a room's events.h */
	const char *pattern;	/* "users.[userId].sessions.[sessionId].create" */
	const char *channels;	/* '|'-separated templates with [placeholders]; "" when it is not published */
	int64_t subscribable;	/* by webhooks and functions: 0 never, 1 always, else for clients of that version and later */
	const char *payload;	/* '|'-separated models it may be of; "": none, or not a reply's */
	const char *doc;
};

/* Members of a payload that go no further than webhooks: of the events whose pattern begins with `prefix`; the first row that fits counts,
 * of the first service that has one. */
struct event_secret {
	const char *prefix;
	const char *needs;	/* only when the payload has this member; NULL: always */
	const char *drop[4], *blank[3];	/* left out; made an empty text */
};

struct channel_twin {		/* later names of what an event is published on */
	const char *prefix;	/* of the pattern */
	const char *channels;	/* '|'-separated templates with the pattern's [placeholders] */
};

/* Formats of replies; the numbers are minor versions before 1.0. */
enum format { FORMAT_NOW, FORMAT_11, FORMAT_12, FORMAT_13, FORMAT_14, FORMAT_15 };

struct older {			/* a member of a model that had another name in one format, and came last then */
	enum format format;
	const char *model, *key;
	const char *to;		/* NULL: it was not there */
};

struct made_id {		/* an id that clients before 0.12 did not choose */
	const char *path, *param;	/* of a POST */
};

enum usage_op { USAGE_CREATE, USAGE_READ, USAGE_UPDATE, USAGE_DELETE };

struct usage_kind {		/* what requests count as, for the console's charts; a route names "<kind>.<op>" */
	const char *name;	/* "documents" */
	const char *scopes[2];	/* path parameters that narrow it, outer and inner; NULL: none */
	bool handed;		/* its scope is no parameter: the handler says it (rq->usage_scope), and what it creates counts only with one */
};

/* Another path of a route, or of all routes below one. A segment ":" stands for a placeholder; the placeholders of `path` that `alias` lacks are
 * its first ones, and have the value `bound`. Rate limits are counted for the route, whatever path was used. A documented row for one
 * route stands before those of a whole branch, which then leave that route alone. */
struct path_alias {
	const char *method;	/* NULL: any */
	const char *alias;	/* "/v1/database/collections" */
	const char *path;	/* "/v1/databases/:/collections" */
	const char *bound;	/* "default"; NULL: nothing is bound */
	bool below;		/* also of the routes below it, with the same rest of the path */
	bool later;		/* no client of 1.0 knows it: who names no format speaks the newest there */
	bool documented;	/* it has operations of its own in the OpenAPI document: the clients of 1.0 know it */
};

/* A later family of paths: what stands below `path` is there below `as` as well, in other words: segments, parameters, operations, models and their
 * members, errors. The rows of routes are the same, and so are rate limits (counted apart), usage and events. */
struct family_scope {
	const char *scope;	/* of the row */
	const char *segment;	/* of its path; NULL: whatever it is */
	const char *scopes;	/* '|'-separated: one of them is enough */
};
struct family {
	const char *name;			/* "tablesDB": tag of its operations in the OpenAPI document */
	const char *path, *as;			/* "/v1/databases", "/v1/tablesdb" */
	const char *toggle;			/* its switch, FAMILY of include/tbl/services.h */
	int64_t since;				/* the first version of the protocol that has it */
	struct words words;
	const struct family_scope *scopes;	/* the first row that fits; none: the row's own scope */
};

/* A request of later versions that is not there, and whose last segment would pass for an id or a word of one that is. */
struct path_absent {
	const char *method, *path;	/* "GET", "/v1/users/identities"; ":" stands for a placeholder */
};

/* An event of the past, for somebody who resumes: may he still be shown it? */
struct shown {
	const char *const *ids;		/* of the event */
	bool gone;			/* it tells that its row was deleted */
	const char *created, *number;	/* $createdAt and $sequence of its payload, "" when it has none: a row of now may be another with the same id */
	struct strs permissions;	/* $permissions of its payload */
	bool yes;			/* the answer; false at first */
};

/* Answers for those of one event's rows that `prefix` is of; the first that fits counts. Awaits. Others are shown by the roles that the event was for. */
struct shown_now {
	const char *prefix;		/* of the pattern */
	err_t (*look)(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n) MUST_CHECK;
};

/* Blobs (model/blob.h) that rows promise, for who compares them with the bytes. A list ends with a row of zeros. */
struct blob_book {
	const char *kind;	/* of their places */
	/* A SELECT over the project's schema, in the arena: owner (the place's), name, stored, md5 (as struct blob has it), and what (text: whose it is, for people). */
	const char *(*select)(struct arena *a, const char *schema);
};

struct service {
	const char *name;			/* of the room; switch, and tag in the OpenAPI document */
	const struct routes *const *routes;	/* gate/gate.h; NULL at the end */
	const struct path_alias *aliases;
	const struct family *family;		/* NULL: there is none */
	const struct path_absent *absent;
	bool own;				/* its routes act on whoever calls, also for somebody who acts as another */
	const struct shape *const *shapes;	/* its models, in the order of the OpenAPI document; NULL at the end */
	const struct scope *scopes;
	const struct event_info *const *events;	/* NULL at the end */
	const struct event_secret *secrets;
	const char *const *acted_on;		/* channels that end so, or so and an id, have a twin for each action; NULL at the end */
	const struct channel_twin *channels;
	const struct word_twin *words;		/* of event names */
	const struct shown_now *shown;
	const struct usage_kind *usage;
	/* How many there are of its things, and how large: a SELECT of metric ("files.$all.count.total") and value over the project's schema, in the arena; NULL: it counts none. */
	const char *(*gauges)(struct arena *a, const char *schema);
	const struct older *older;
	const struct made_id *made_ids;
	const struct job_kind *jobs;		/* model/job.h */
	const struct job_task *tasks;		/* done now and then */
	const struct blob_book *blobs;
	const struct hears *hears;		/* model/hear.h */
	const struct socket_word *sockets;	/* model/socket.h: what connections of realtime may say to it */
	const char *const *mails;		/* kinds of mails it sends: their words are in etc/mail; NULL at the end */
};

/* The rows of an events.h: EVENT(name, pattern, channels, subscribable, payload, doc) declared, defined, and listed. */
#define EVENT_DECLARE(name, ...) extern const struct event_info ev_##name;
#define EVENT_DEFINE(name, ...) const struct event_info ev_##name = {__VA_ARGS__};
#define EVENT_LISTED(name, ...) &ev_##name,

enum { KEY_SCOPES_MAX = 128, JOB_KINDS_MAX = 64 };
/* The scopes that a key may be given, in the order of the contract; NULL at the end. Filled in by service_init. */
extern const char *key_scopes[KEY_SCOPES_MAX + 1];
/* The kinds of jobs; NULL at the end. Filled in by service_init. */
extern const char *job_kinds[JOB_KINDS_MAX + 1];
extern bool job_kinds_lined[JOB_KINDS_MAX];	/* which of them look after lines */

/* The services of this program, handed down by main before anything asks for them; `v` must live as long as the process. Aborts on a
 * contradictory description. */
void service_init(const struct service *const *v, int n);
/* Them, in order. */
const struct service *const *service_all(int *n_out);

#endif
