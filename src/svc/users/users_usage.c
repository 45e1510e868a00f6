/* How the accounts of a project are used. */
#include "model/usage.h"

#include "core/protocol.h"
#include "gate/gate.h"

struct users_in {
	const char *range, *provider;
};
static const char *const providers[] = {"email", "anonymous", "magic-url", "phone",
#define PROVIDER(name, label) "oauth-" #name,
#include "tbl/providers.h"
#undef PROVIDER
	NULL};
static const struct param users_params[] = {
	OPTIONAL("range", P_ENUM, struct users_in, range, "How far back.", .def = "\"30d\"", .list = usage_ranges),
	OPTIONAL("provider", P_ENUM, struct users_in, provider, "How people signed in, for sessionsProviderCreate.", .def = "\"\"", .list = providers),
};

static err_t
users_get_usage(struct req *rq, void *arg)
{
	static const struct usage_series today[] = {
		{"usersTotal", "users.$all.count.total", {NULL}, USAGE_NEWEST},
		{"sessionsTotal", "sessions.$all.count.total", {NULL}, USAGE_NEWEST},
		{"users", "users.$all.count.total"},
		{"sessions", "sessions.$all.count.total"},
	};
	const struct users_in *in = arg;
	const char *provider = in->provider && in->provider[0] ? in->provider : "$all";
	const char *name = strncmp(provider, "oauth-", 6) == 0 ? provider + 6 : provider;	/* sessions bear it without */
	const struct usage_series v[] = {
		{"usersCount", "users.$all.count.total"},
		{"usersCreate", "users.$all.requests.create"},
		{"usersRead", "users.$all.requests.read"},
		{"usersUpdate", "users.$all.requests.update"},
		{"usersDelete", "users.$all.requests.delete"},
		{"sessionsCreate", "sessions.$all.requests.create"},
		{"sessionsProviderCreate", arena_printf(rq->cx.arena, "sessions.%s.requests.create", name)},
		{"sessionsDelete", "sessions.$all.requests.delete"},
	};

	if (rq->cx.format >= SINCE_1_5)
		return reply_usage(rq, rq->project, in->range, today, sizeof today / sizeof today[0]);
	return reply_usage(rq, rq->project, in->range, v, sizeof v / sizeof v[0]);
}

#define BEFORE(key_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape, .until = SINCE_1_5)
static const struct field usage_fields[] = {
	USAGE_RANGE,
	BEFORE("usersCount", "Users."),
	BEFORE("usersCreate", "Users created."),
	BEFORE("usersRead", "Reads of users."),
	BEFORE("usersUpdate", "Changes of users."),
	BEFORE("usersDelete", "Users deleted."),
	BEFORE("sessionsCreate", "Sign-ins."),
	BEFORE("sessionsProviderCreate", "Sign-ins by the provider."),
	BEFORE("sessionsDelete", "Sessions ended."),
	TOLD("usersTotal", F_INT, "Users.", .since = SINCE_1_5),
	TOLD("sessionsTotal", F_INT, "Sessions.", .since = SINCE_1_5),
	TOLD("users", F_LIST, "Users.", .sub = &metric_shape, .since = SINCE_1_5),
	TOLD("sessions", F_LIST, "Sessions.", .sub = &metric_shape, .since = SINCE_1_5),
};
static const struct shape usage_shape = SHAPE_TOLD("usageUsers", usage_fields);

static const struct route rows[] = {
	{"GET", "/v1/users/usage", "users", "getUsage", "users.read", "", NULL, users_get_usage, &usage_shape, 200, "How accounts are used.",
	    PARAMS(struct users_in, users_params)},
};
const struct routes usage_routes = ROUTES(rows);
