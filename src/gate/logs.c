/* What was done: the reply that every service's log route gives. */
#include "gate/caller.h"

err_t
reply_logs(struct req *rq, enum audit_by by, const char *what, int64_t since, const struct strs *queries, bool hide_user)
{
	struct objs list;
	const char *viewer = rq->bypass ? NULL : rq->login != NULL ? rq->login->user->id : "";
	int64_t total;

	TRY(audit_list(&rq->cx, rq->project, by, what, since, queries, hide_user, viewer, &total, &list));
	return reply_list(rq, &audit_shape, "logs", total, &list);
}
