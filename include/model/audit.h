/* The audit log of a project: who did what to which resource, for the log lists of the API (spec platform.md 18).
 *
 * audit_add only copies the entry into a bounded queue of the process; it is written to the projects' tables `audit` in batches, four
 * times a second. A process that is killed loses at most that interval (a drained one nothing: audit_drain). A full queue drops the
 * entry and counts it (M_audit_dropped).
 *
 * Of what one user did, the newest conf.audit_per_user_max of each event are kept, about: a process trims whom it has written a tenth of that for. */
#ifndef BADAL_MODEL_AUDIT_H
#define BADAL_MODEL_AUDIT_H

#include "model/project.h"

struct audit_entry {		/* all texts non-NULL; audit_add copies them */
	const char *user_id, *user_name, *user_email;
	const char *event, *resource, *mode, *ip, *user_agent;
	const char *impersonator;	/* id of the user who acted as that one; NULL or "": nobody */
};

void audit_init(void);			/* per process, on the loop: starts the timer */
void audit_add(const struct project *p, const struct audit_entry *e);	/* no wait */
void audit_drain(void);			/* starts writing at once */
bool audit_writing(void);		/* that goes on */
/* Awaits. Writes what is queued, of all projects, in turns, and trims whose entries have become many. */
err_t audit_flush(struct ctx *cx) MUST_CHECK;

/* ---- audit_trim.c ---- */
/* An entry was written. */
void audit_trim_note(const char *schema, const char *user, const char *event);
/* Awaits. Trims whose entries have become many since they were trimmed. */
err_t audit_trim_due(struct ctx *cx) MUST_CHECK;
/* Awaits. Trims all users of a data space. */
err_t audit_trim_all(struct ctx *cx, const char *schema) MUST_CHECK;

/* An entry as the API shows it. */
struct audit_log {
	const char *event, *user_id, *user_email, *user_name, *mode, *ip, *user_type;
	int64_t time;
	const char *os_code, *os_name, *os_version, *client_type, *client_code, *client_name, *client_version, *client_engine,
	    *client_engine_version, *device_name, *device_brand, *device_model, *country_code, *country_name;
};
extern const struct shape audit_shape;	/* model "log"; lists: reply_list(rq, &audit_shape, "logs", total, &list) */

enum audit_by { AUDIT_OF_USER, AUDIT_OF_RESOURCE };
/* Awaits, for entries of this project that are not written yet, too. Newest first; `queries` may hold limit and offset only (no limit: 5000 entries). `what`: a user's id, or a resource such as
 * "team/<id>". Entries before `since` are left out: an id may have had another owner. With `hide_user` the entries leave userId, userEmail, userName and mode empty (the users service).
 * `viewer`: who is shown them; entries of others leave out their addresses: userEmail, ip and the country that it tells. NULL: a key or an admin, who sees all.
 * ERR_GENERAL_ARGUMENT_INVALID. */
err_t audit_list(struct ctx *cx, const struct project *p, enum audit_by by, const char *what, int64_t since, const struct strs *queries,
    bool hide_user, const char *viewer, int64_t *total_out, struct objs *out) MUST_CHECK;

#endif
