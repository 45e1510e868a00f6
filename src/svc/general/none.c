/* What this server does not have, and clients ask for in passing: lists with nothing in them, so that a command line which pulls all there is goes on,
 * and one that has deployed a function asks in vain where it is. */
#include "core/protocol.h"
#include "gate/gate.h"

struct none_in {
	struct strs queries;
	const char *search;
};
static const struct param none_params[] = {
    OPTIONAL("queries", P_QUERIES, struct none_in, queries, "Queries, which find nothing.", .def = "[]"),
    OPTIONAL("search", P_TEXT, struct none_in, search, "Words to look for.", .def = "\"\"", .max = 256),
    LIST_TOTAL,
};

static const struct field site_fields[] = {TOLD("$id", F_ID, "Site ID.")};
static const struct field topic_fields[] = {TOLD("$id", F_ID, "Topic ID.")};
static const struct field rule_fields[] = {TOLD("$id", F_ID, "Rule ID.")};
static const struct shape site_shape = SHAPE_TOLD("site", site_fields), topic_shape = SHAPE_TOLD("topic", topic_fields), rule_shape = SHAPE_TOLD("proxyRule", rule_fields);

static err_t
general_list_none(struct req *rq, void *in)
{
	const struct objs none = {0};

	(void)in;
	return reply_list(rq, rq->route->model, rq->route->list, 0, &none);
}

#define NONE(path_, service_, name_, scope_, model_, list_, doc_, since_)                                                                       \
	{.method = "GET", .path = path_, .service = service_, .name = name_, .scope = scope_, .limit = "", .handler = general_list_none,        \
	    .model = model_, .list = list_, .status = 200, .doc = doc_, .since = since_, PARAMS(struct none_in, none_params)}
static const struct route rows[] = {
    NONE("/v1/sites", "sites", "list", "sites.read", &site_shape, "sites", "The sites of a project: there are none.", SINCE_1_7),
    NONE("/v1/messaging/topics", "messaging", "listTopics", "topics.read", &topic_shape, "topics", "The topics of messages: there are none.", SINCE_1_5),
    NONE("/v1/proxy/rules", "proxy", "listRules", "rules.read", &rule_shape, "rules", "The domains that lead to functions and sites: there are none.", SINCE_1_5),
};
const struct routes none_routes = ROUTES(rows);
