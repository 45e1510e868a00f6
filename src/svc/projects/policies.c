/* Policies of a project: how its users sign in, and what they see of each other. A policy is a row: its model, which reads them off the project, and the columns
 * that a change of it writes. The paths below /v1/projects are those of former clients, with their names of parameters. */
#include "core/protocol.h"
#include "model/query.h"
#include "svc/projects/projects_priv.h"

enum { FLAGS_MAX = 6, POLICY_VALUES_MAX = FLAGS_MAX + 1 };

struct policy_in {
	const char *project;
	struct opt_int number;
	int flag[FLAGS_MAX];
};

struct policy {
	const char *id;
	const struct shape *shape;	/* of a struct project */
	const char *number;		/* column of the number; NULL: it has none */
	bool number_stays;		/* without one the number stays; else it is 0 */
	const char *flags[FLAGS_MAX];	/* columns of the flags */
};

/* ---- models ---- */

#define POLICY(name, model, id, ...)                                                                                                         \
	static const struct field name##_fields[] = {                                                                                        \
		{.key = "$id", .type = F_CONST, .doc = "Policy.", .text = "\"" id "\""},                                                     \
		__VA_ARGS__                                                                                                                  \
	};                                                                                                                                   \
	const struct shape name##_shape = SHAPE(model, struct project, name##_fields)
#define HAS(type_, member, key_, doc_) {.key = key_, .type = type_, .off = offsetof(struct project, member), .doc = doc_}

POLICY(policy_dictionary, "policyPasswordDictionary", "password-dictionary", HAS(F_BOOL, password_dictionary, "enabled", "Common passwords are refused."));
POLICY(policy_history, "policyPasswordHistory", "password-history", HAS(F_INT, password_history, "total", "How many former passwords are refused; 0: none."));
POLICY(policy_strength, "policyPasswordStrength", "password-strength", HAS(F_INT, strength.min, "min", "Fewest bytes."),
    HAS(F_BOOL, strength.uppercase, "uppercase", "There must be a capital letter."), HAS(F_BOOL, strength.lowercase, "lowercase", "There must be a small letter."),
    HAS(F_BOOL, strength.number, "number", "There must be a digit."), HAS(F_BOOL, strength.symbols, "symbols", "There must be something else."));
POLICY(policy_personal, "policyPasswordPersonalData", "password-personal-data",
    HAS(F_BOOL, password_personal, "enabled", "Passwords with data of their user are refused."));
POLICY(policy_alert, "policySessionAlert", "session-alert", HAS(F_BOOL, session_alerts, "enabled", "Users are told of new sessions."));
POLICY(policy_duration, "policySessionDuration", "session-duration", HAS(F_INT, session_duration, "duration", "Seconds that a session lasts."));
POLICY(policy_invalidation, "policySessionInvalidation", "session-invalidation",
    HAS(F_BOOL, invalidate_sessions, "enabled", "A new password ends a user's other sessions."));
POLICY(policy_sessions, "policySessionLimit", "session-limit", HAS(F_INT, sessions_limit, "total", "Most sessions of a user; 0: no limit."));
POLICY(policy_users, "policyUserLimit", "user-limit", HAS(F_INT, user_limit, "total", "Most users; 0: no limit."));
POLICY(policy_privacy, "policyMembershipPrivacy", "membership-privacy", HAS(F_BOOL, shows.user_id, "userId", "Members of a team see the others' ids."),
    HAS(F_BOOL, shows.user_email, "userEmail", "Addresses."), HAS(F_BOOL, shows.user_phone, "userPhone", "Phone numbers."),
    HAS(F_BOOL, shows.user_name, "userName", "Names."), HAS(F_BOOL, shows.mfa, "userMFA", "Whether they have a second factor."),
    HAS(F_BOOL, shows.accessed, "userAccessedAt", "When they were here."));
POLICY(policy_factors, "policyMfaFactors", "mfa-factors", HAS(F_BOOL, factors.totp, "totp", "Codes of an app may be a second factor."),
    HAS(F_BOOL, factors.email, "email", "Codes by mail."), HAS(F_BOOL, factors.phone, "phone", "Codes by short message."),
    HAS(F_BOOL, factors.custom, "custom", "What a server of the project checks."));

static const struct shape *const policy_models[] = {&policy_dictionary_shape, &policy_history_shape, &policy_strength_shape, &policy_personal_shape,
	&policy_alert_shape, &policy_duration_shape, &policy_invalidation_shape, &policy_sessions_shape, &policy_users_shape, &policy_privacy_shape,
	&policy_factors_shape, NULL};
const struct shape policy_shape = {.model = "policy", .any = policy_models};

/* ---- the policies ---- */

enum policy_id { DICTIONARY, HISTORY, STRENGTH, PERSONAL, ALERT, DURATION, INVALIDATION, SESSIONS, USERS, PRIVACY, FACTORS, LISTED_N,
	ALIASED = LISTED_N, CORPORATE, DISPOSABLE, FREE, POLICIES_N };
static const struct policy policies[POLICIES_N] = {
	[DICTIONARY] = {"password-dictionary", &policy_dictionary_shape, .flags = {"password_dictionary"}},
	[HISTORY] = {"password-history", &policy_history_shape, "password_history"},
	[STRENGTH] = {"password-strength", &policy_strength_shape, "strength_min", true,
	    {"strength_uppercase", "strength_lowercase", "strength_number", "strength_symbols"}},
	[PERSONAL] = {"password-personal-data", &policy_personal_shape, .flags = {"password_personal"}},
	[ALERT] = {"session-alert", &policy_alert_shape, .flags = {"session_alerts"}},
	[DURATION] = {"session-duration", &policy_duration_shape, "session_duration"},
	[INVALIDATION] = {"session-invalidation", &policy_invalidation_shape, .flags = {"invalidate_sessions"}},
	[SESSIONS] = {"session-limit", &policy_sessions_shape, "sessions_limit"},
	[USERS] = {"user-limit", &policy_users_shape, "user_limit"},
	[PRIVACY] = {"membership-privacy", &policy_privacy_shape,
	    .flags = {"members_user_id", "members_user_email", "members_user_phone", "members_user_name", "members_mfa", "members_accessed"}},
	[FACTORS] = {"mfa-factors", &policy_factors_shape, .flags = {"factor_totp", "factor_email", "factor_phone", "factor_custom"}},
	/* clients of today set these, and have no model of them */
	[ALIASED] = {"deny-aliased-email", NULL, .flags = {"deny_aliased"}},
	[CORPORATE] = {"deny-corporate-email", NULL, .flags = {"deny_corporate"}},
	[DISPOSABLE] = {"deny-disposable-email", NULL, .flags = {"deny_disposable"}},
	[FREE] = {"deny-free-email", NULL, .flags = {"deny_free"}},
};
static const char *const policy_ids[] = {"password-dictionary", "password-history", "password-strength", "password-personal-data", "session-alert",
	"session-duration", "session-invalidation", "session-limit", "user-limit", "membership-privacy", "mfa-factors", NULL};

/* "column = $4::boolean", and its value. */
static void
add_value(struct buf *set, const char **v, int *n, const char *column, const char *type, const char *value)
{
	buf_printf(set, "%s%s = $%d::%s", *n > 0 ? ", " : "", column, *n + 3, type);
	v[(*n)++] = value;
}

static err_t
policy_set(struct req *rq, const struct policy *po, const struct policy_in *in, struct project **out)
{
	const char *v[POLICY_VALUES_MAX];
	struct project *p;
	struct buf set;
	int n = 0;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	buf_init(&set, rq->cx.arena, 128);
	if (po->number != NULL && (in->number.set || !po->number_stays))
		add_value(&set, v, &n, po->number, "bigint", pg_i64(rq->cx.arena, in->number.set ? in->number.v : 0));
	for (int i = 0; i < FLAGS_MAX && po->flags[i] != NULL; i++)
		if (in->flag[i] >= 0)
			add_value(&set, v, &n, po->flags[i], "boolean", pg_bool(in->flag[i] == 1));
	*out = p;
	if (n == 0)
		return OK;
	return project_set(&rq->cx, p,
	    &(struct project_setting){.event = &ev_project_policy_update, .what = po->id, .set = str_dup(rq->cx.arena, buf_view(&set)), .n = n, .v = v}, out);
}

static err_t
policy_update(struct req *rq, const struct policy *po, const struct policy_in *in)
{
	struct project *p;

	TRY(policy_set(rq, po, in, &p));
	return project_reply(rq, 200, p);
}

#define UPDATES(name, id)                               \
	static err_t                                    \
	projects_update_##name(struct req *rq, void *in) \
	{                                               \
		return policy_update(rq, &policies[id], in); \
	}
UPDATES(dictionary, DICTIONARY)
UPDATES(history, HISTORY)
UPDATES(personal, PERSONAL)
UPDATES(alert, ALERT)
UPDATES(duration, DURATION)
UPDATES(invalidation, INVALIDATION)
UPDATES(sessions, SESSIONS)
UPDATES(users, USERS)
UPDATES(privacy, PRIVACY)
UPDATES(factors, FACTORS)
UPDATES(aliased, ALIASED)
UPDATES(corporate, CORPORATE)
UPDATES(disposable, DISPOSABLE)
UPDATES(free, FREE)

static err_t
projects_update_strength(struct req *rq, void *in)
{
	struct project *p;

	TRY(policy_set(rq, &policies[STRENGTH], in, &p));
	return reply(rq, 200, &policy_strength_shape, p);
}

/* Clients before 1.9.2 know three of its flags, say all of them, and mean that the ids and numbers are hidden. */
static err_t
projects_update_privacy_former(struct req *rq, void *arg)
{
	static const int known[] = {1, 3, 4}, hidden[] = {0, 2};
	struct policy_in in = *(const struct policy_in *)arg;

	for (int i = 0; i < 3 && rq->cx.format < SINCE_1_9_2; i++)
		if (in.flag[known[i]] < 0)
			in.flag[known[i]] = 1;
	for (int i = 0; i < 2 && rq->cx.format < SINCE_1_9_2; i++)
		in.flag[hidden[i]] = 0;
	return policy_update(rq, &policies[PRIVACY], &in);
}

/* ---- looking ---- */

struct policy_look {
	const char *id;
	struct strs queries;
};

static err_t
projects_get_policy(struct req *rq, void *arg)
{
	const struct policy_look *in = arg;
	struct project *p;

	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	for (int i = 0; i < LISTED_N; i++)
		if (strcmp(policies[i].id, in->id) == 0)
			return reply(rq, 200, policies[i].shape, p);
	return fail(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "policy=%s", in->id);
}

struct policy_page {
	const struct project *p;
	int from;
	int64_t format;
};

static bool
policy_write(struct buf *b, int i, const void *arg)
{
	const struct policy_page *page = arg;
	struct jw w;

	jw_init(&w, b);
	w.format = page->format;
	shape_write(&w, policies[page->from + i].shape, page->p);
	return true;
}

static err_t
projects_list_policies(struct req *rq, void *arg)
{
	const struct policy_look *in = arg;
	struct policy_page page = {.format = rq->cx.format};
	struct project *p;
	int to;

	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	TRY(query_window(&rq->cx, &in->queries, FACTORS, &page.from, &to));	/* typed clients of today know no list with the last */
	page.p = p;
	return reply_members(rq, &(struct member_list){.shape = &policy_shape, .key = "policies", .total = FACTORS, .n = to - page.from,
					 .write = policy_write, .arg = &page});
}

/* ---- rows ---- */

#define FLAG(name_, i, doc_) REQUIRED(name_, P_BOOL, struct policy_in, flag[i], doc_)
#define MAY(name_, i, doc_) OPTIONAL(name_, P_BOOL, struct policy_in, flag[i], doc_)
#define ENABLED FLAG("enabled", 0, "On or off.")
#define NUMBER(name_, doc_, ...) REQUIRED(name_, P_RANGE, struct policy_in, number, doc_, __VA_ARGS__)

static const struct param switch_params[] = {ENABLED};
static const struct param history_params[] = {NUMBER("total", "How many former passwords are refused; null: none.", .min = 1, .max = 20, .nullable = true)};
static const struct param duration_params[] = {NUMBER("duration", "Seconds that a session lasts.", .min = 60, .max = 31536000)};
static const struct param sessions_params[] = {NUMBER("total", "Most sessions of a user.", .min = 1, .max = 100)};
static const struct param users_params[] = {NUMBER("total", "Most users; null: no limit.", .min = 0, .max = 10000, .nullable = true)};
static const struct param strength_params[] = {
	OPTIONAL("min", P_RANGE, struct policy_in, number, "Fewest bytes.", .min = 8, .max = 256), MAY("uppercase", 0, "There must be a capital letter."),
	MAY("lowercase", 1, "There must be a small letter."), MAY("number", 2, "There must be a digit."), MAY("symbols", 3, "There must be something else.")};
static const struct param privacy_params[] = {MAY("userId", 0, "Members of a team see the others' ids."), MAY("userEmail", 1, "Addresses."),
	MAY("userPhone", 2, "Phone numbers."), MAY("userName", 3, "Names."), MAY("userMFA", 4, "Whether they have a second factor."),
	MAY("userAccessedAt", 5, "When they were here.")};
static const struct param factors_params[] = {MAY("totp", 0, "Codes of an app."), MAY("email", 1, "Codes by mail."), MAY("phone", 2, "Codes by short message."),
	MAY("custom", 3, "What a server of the project checks.")};
static const struct param policy_path[] = {PATH("policyId", P_ENUM, struct policy_look, id, "Policy.", .list = policy_ids)};
static const struct param policies_params[] = {
	OPTIONAL("queries", P_QUERIES, struct policy_look, queries, "Queries: limit and offset.", .def = "[]"),
	LIST_TOTAL,
};

#define OF PROJECT(struct policy_in)
#define TOTAL_LATER .later = "total", .later_since = SINCE_1_9_2, .nullable = true
static const struct param former_switch_params[] = {OF, REQUIRED("enabled", P_BOOL, struct policy_in, flag[0], "On or off.", .def = "false")};
static const struct param former_alert_params[] = {
	OF, REQUIRED("alerts", P_BOOL_LOOSE, struct policy_in, flag[0], "On or off.", .def = "false", .later = "enabled", .later_since = SINCE_1_9_2)};
static const struct param former_history_params[] = {OF, NUMBER("limit", "How many former passwords are refused; 0: none.", .max = 20, .def = "0", TOTAL_LATER)};
static const struct param former_duration_params[] = {OF, NUMBER("duration", "Seconds that a session lasts.", .min = 60, .max = 31536000, .def = "31536000")};
static const struct param former_sessions_params[] = {
	OF, NUMBER("limit", "Most sessions of a user.", .min = 1, .max = 100, .later = "total", .later_since = SINCE_1_9_2)};
static const struct param former_users_params[] = {OF, NUMBER("limit", "Most users; 0: no limit.", .min = 0, .max = 10000, TOTAL_LATER)};
static const struct param former_privacy_params[] = {OF, OPTIONAL("userName", P_BOOL_LOOSE, struct policy_in, flag[3], "Names."),
	OPTIONAL("userEmail", P_BOOL_LOOSE, struct policy_in, flag[1], "Addresses."),
	OPTIONAL("mfa", P_BOOL_LOOSE, struct policy_in, flag[4], "Whether they have a second factor.", .later = "userMFA", .later_since = SINCE_1_9_2),
	MAY("userId", 0, "Ids."), MAY("userPhone", 2, "Phone numbers."), MAY("userAccessedAt", 5, "When they were here.")};

#define POLICY_ROW(since_, id, name_, handler_, doc_, rows) \
	OWN(since_, "PATCH", "/policies/" id, name_, "policies.write|project.policies.write", handler_, &project_shape, 200, doc_, struct policy_in, rows)
#define FORMER(since_, tail, name_, handler_, doc_, rows) PROJECTS_SINCE(since_, "PATCH", "/:projectId/auth/" tail, name_, handler_, doc_, struct policy_in, rows)

static const struct route policy_rows[] = {
	OWN_LIST(SINCE_1_9_5, "/policies", "listPolicies", "policies.read|project.policies.read", projects_list_policies, &policy_shape, "policies",
	    "All policies.", struct policy_look, policies_params),
	OWN(SINCE_1_9_5, "GET", "/policies/:policyId", "getPolicy", "policies.read|project.policies.read", projects_get_policy, &policy_shape, 200, "One policy.",
	    struct policy_look, policy_path),
	POLICY_ROW(SINCE_1_9_2, "password-dictionary", "updatePasswordDictionaryPolicy", projects_update_dictionary, "Refuse common passwords.", switch_params),
	POLICY_ROW(SINCE_1_9_2, "password-history", "updatePasswordHistoryPolicy", projects_update_history, "Refuse former passwords.", history_params),
	OWN(SINCE_1_9_5, "PATCH", "/policies/password-strength", "updatePasswordStrengthPolicy", "policies.write|project.policies.write", projects_update_strength,
	    &policy_strength_shape, 200, "What a password must have.", struct policy_in, strength_params),
	POLICY_ROW(SINCE_1_9_2, "password-personal-data", "updatePasswordPersonalDataPolicy", projects_update_personal, "Refuse passwords with data of their user.",
	    switch_params),
	POLICY_ROW(SINCE_1_9_2, "session-alert", "updateSessionAlertPolicy", projects_update_alert, "Tell users of new sessions.", switch_params),
	POLICY_ROW(SINCE_1_9_2, "session-duration", "updateSessionDurationPolicy", projects_update_duration, "How long a session lasts.", duration_params),
	POLICY_ROW(SINCE_1_9_2, "session-invalidation", "updateSessionInvalidationPolicy", projects_update_invalidation, "End other sessions with a new password.",
	    switch_params),
	POLICY_ROW(SINCE_1_9_2, "session-limit", "updateSessionLimitPolicy", projects_update_sessions, "Limit the sessions of a user.", sessions_params),
	POLICY_ROW(SINCE_1_9_2, "user-limit", "updateUserLimitPolicy", projects_update_users, "Limit the number of users.", users_params),
	POLICY_ROW(SINCE_1_9_2, "membership-privacy", "updateMembershipPrivacyPolicy", projects_update_privacy, "What members of a team see of each other.",
	    privacy_params),
	POLICY_ROW(SINCE_1_9_5, "mfa-factors", "updateMfaFactorsPolicy", projects_update_factors, "Which second factors there are.", factors_params),
	POLICY_ROW(SINCE_1_9_5, "deny-aliased-email", "updateDenyAliasedEmailPolicy", projects_update_aliased, "Refuse aliases of addresses.", switch_params),
	POLICY_ROW(SINCE_1_9_5, "deny-corporate-email", "updateDenyCorporateEmailPolicy", projects_update_corporate, "Take addresses of firms alone: neither free nor disposable ones.", switch_params),
	POLICY_ROW(SINCE_1_9_5, "deny-disposable-email", "updateDenyDisposableEmailPolicy", projects_update_disposable, "Refuse disposable addresses.",
	    switch_params),
	POLICY_ROW(SINCE_1_9_5, "deny-free-email", "updateDenyFreeEmailPolicy", projects_update_free, "Refuse addresses of free providers.", switch_params),

	PROJECTS("PATCH", "/:projectId/auth/limit", "updateAuthLimit", "write", projects_update_users, &project_shape, 200, "Limit the number of users.",
	    struct policy_in, former_users_params),
	FORMER(SINCE_1_1, "duration", "updateAuthDuration", projects_update_duration, "How long a session lasts.", former_duration_params),
	FORMER(SINCE_1_2, "max-sessions", "updateAuthSessionsLimit", projects_update_sessions, "Limit the sessions of a user.", former_sessions_params),
	FORMER(SINCE_1_3, "password-history", "updateAuthPasswordHistory", projects_update_history, "Refuse former passwords.", former_history_params),
	FORMER(SINCE_1_3, "password-dictionary", "updateAuthPasswordDictionary", projects_update_dictionary, "Refuse common passwords.", former_switch_params),
	FORMER(SINCE_1_4, "personal-data", "updatePersonalDataCheck", projects_update_personal, "Refuse passwords with data of their user.", former_switch_params),
	FORMER(SINCE_1_6, "session-alerts", "updateSessionAlerts", projects_update_alert, "Tell users of new sessions.", former_alert_params),
	FORMER(SINCE_1_6_1, "memberships-privacy", "updateMembershipsPrivacy", projects_update_privacy_former, "What members of a team see of each other.",
	    former_privacy_params),
	FORMER(SINCE_1_8, "session-invalidation", "updateSessionInvalidation", projects_update_invalidation, "End other sessions with a new password.",
	    former_switch_params),
};
const struct routes policy_routes = ROUTES(policy_rows);
