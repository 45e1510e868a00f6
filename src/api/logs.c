/* The audit logs of accounts, users and teams; those of databases and documents are with their services. */
#include "api_priv.h"
#include "model/audit.h"
#include "model/roles.h"
#include "model/team.h"
#include "model/usage.h"
#include "model/user.h"

struct logs_in {
	const char *id;
	struct strs queries;
};
#define QUERIES OPTIONAL("queries", P_QUERIES, struct logs_in, queries, "Queries: limit and offset.")
static const struct param account_params[] = {QUERIES};
static const struct param user_params[] = {PATH("userId", P_UID, struct logs_in, id, "User ID."), QUERIES};
static const struct param team_params[] = {PATH("teamId", P_UID, struct logs_in, id, "Team ID."), QUERIES};

static err_t
reply_logs(struct req *rq, const struct project *p, enum audit_by by, const char *what, int64_t since, const struct strs *queries,
    bool hide_user)
{
	struct objs list;
	int64_t total;

	TRY(audit_list(&rq->cx, p, by, what, since, queries, hide_user, &total, &list));
	return reply_list(rq, &audit_shape, "logs", total, &list);
}

static err_t
account_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	const struct user *u = rq->login->user;

	return reply_logs(rq, rq->project, AUDIT_OF_USER, u->id, u->created, &in->queries, false);
}

static err_t
user_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->id, &u));
	return reply_logs(rq, rq->project, AUDIT_OF_USER, u->id, u->created, &in->queries, true);
}

static err_t
team_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	struct team *t;

	TRY(team_get(&rq->cx, rq->project, in->id, &t));
	if (!rq->bypass && !roles_in_team(rq->cx.arena, &rq->roles, t->id, NULL))
		return fail(&rq->cx, ERR_TEAM_NOT_FOUND, "not a member of %s", in->id);
	return reply_logs(rq, rq->project, AUDIT_OF_RESOURCE, arena_printf(rq->cx.arena, "team/%s", t->id), t->created, &in->queries, false);
}

#define LOGS(path_, service_, scope_, usage_, handler_, doc_, rows_)                                                         \
	{.method = "GET", .path = path_, .service = service_, .name = "getLogs", .scope = scope_, .limit = "", .handler = handler_, \
	    .model = &audit_shape, .status = 200, .doc = doc_, PARAMS(struct logs_in, rows_), .usage = usage_, .list = "logs"}
static const struct route rows[] = {
    LOGS("/v1/account/logs", "account", "account", USAGE(USERS, READ), account_logs, "What the caller did.", account_params),
    LOGS("/v1/users/:userId/logs", "users", "users.read", USAGE(USERS, READ), user_logs, "What a user did.", user_params),
    LOGS("/v1/teams/:teamId/logs", "teams", "teams.read", 0, team_logs, "What was done to a team.", team_params),
};
const struct routes log_routes = ROUTES(rows);
