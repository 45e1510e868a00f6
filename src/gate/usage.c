/* How a resource is used: the reply that every service's usage route gives. */
#include "model/usage.h"

#include "gate/gate.h"

err_t
reply_usage(struct req *rq, const struct project *p, const char *range, const struct usage_series *v, int n)
{
	struct str json;

	/* the model says it in the caller's words, or it is one for all */
	if (n > 0 && strcmp(rq->route->model->fields[1].key, v[0].name) == 0)
		rq->cx.words = NULL;
	TRY(usage_snapshot(&rq->cx, p));
	TRY(usage_json(&rq->cx, p, range, v, n, &json));
	return reply_json(rq, 200, json);
}
