/* The projects service: for people of the console. A project is seen by the members of its team, changed with all that belongs to it by their owners
 * and developers, and deleted by owners. Secrets are shown to those who may change them: a key has more rights than a member without a rank. */
#include <ctype.h>

#include "core/protocol.h"
#include "gate/caller.h"
#include "model/query.h"
#include "model/record.h"
#include "model/roles.h"
#include "svc/projects/projects_priv.h"
#include "svc/teams/team.h"
#include "svc/users/password.h"

static const char *const provider_names[] = {
#define PROVIDER(name, label) #name,
#include "tbl/providers.h"
#undef PROVIDER
	NULL};

/* ---- who may do what ---- */

/* As all of the team's projects have it, or as one that the team gave for this project alone. */
static bool
has_rank(struct req *rq, const struct project *p, const char *rank)
{
	struct arena *a = rq->cx.arena;

	if (roles_in_team(a, &rq->roles, p->team_id, rank))
		return true;
	return p->id != NULL && roles_in_team(a, &rq->roles, p->team_id, role_of_project(a, p->id, rank));
}

bool
project_right(struct req *rq, const struct project *p, enum right right)
{
	if (right == RIGHT_READ)
		return roles_in_team(rq->cx.arena, &rq->roles, p->team_id, NULL);
	return has_rank(rq, p, "owner") || (right == RIGHT_CHANGE && has_rank(rq, p, "developer"));
}

err_t
project_for(struct req *rq, const char *id, enum right right, struct project **out)
{
	TRY(project_get_bare(&rq->cx, str_c(id), out));
	if ((*out)->console || !project_right(rq, *out, RIGHT_READ))
		return fail(&rq->cx, ERR_PROJECT_NOT_FOUND, "not readable: %s", id);
	return project_right(rq, *out, right) ? OK : fail(&rq->cx, ERR_USER_UNAUTHORIZED, "project=%s", id);
}

err_t
project_of(struct req *rq, const char *id, enum right right, struct project **out)
{
	if (id != NULL)
		return project_for(rq, id, right, out);
	*out = rq->project;
	if (rq->project->console)
		return fail(&rq->cx, ERR_GENERAL_ACCESS_FORBIDDEN, "the console is no project");
	if (right == RIGHT_DELETE && strcmp(rq->role_label, "owner") != 0)	/* a key of it is one that developers make and read, too */
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "project=%s", rq->project->id);
	return OK;
}

/* ---- projects ---- */

struct project_params {
	const char *project, *region;
	struct project_in in;
};
#define DETAILS                                                                                                              \
	OPTIONAL("description", P_TEXT, struct project_params, in.description, "Description.", .max = 256),                  \
	    OPTIONAL("logo", P_TEXT, struct project_params, in.logo, "Logo.", .max = 1024),                                  \
	    OPTIONAL("url", P_URL, struct project_params, in.url, "Website."),                                               \
	    OPTIONAL("legalName", P_TEXT, struct project_params, in.legal_name, "Company legal name.", .max = 256),          \
	    OPTIONAL("legalCountry", P_TEXT, struct project_params, in.legal_country, "Company country.", .max = 256),       \
	    OPTIONAL("legalState", P_TEXT, struct project_params, in.legal_state, "Company state.", .max = 256),             \
	    OPTIONAL("legalCity", P_TEXT, struct project_params, in.legal_city, "Company city.", .max = 256),                \
	    OPTIONAL("legalAddress", P_TEXT, struct project_params, in.legal_address, "Company address.", .max = 256),       \
	    OPTIONAL("legalTaxId", P_TEXT, struct project_params, in.legal_tax_id, "Company tax ID.", .max = 256)
static const struct param create_params[] = {
	REQUIRED("projectId", P_CUSTOM_ID, struct project_params, in.id, "Project ID, or unique() for a generated one."),
	REQUIRED("name", P_TEXT, struct project_params, in.name, "Project name.", .max = 128),
	REQUIRED("teamId", P_UID, struct project_params, in.team_id, "Team that owns the project."),
	OPTIONAL("region", P_TEXT, struct project_params, region, "Where its data are: there is one place, default.", .max = 64),
	DETAILS,
};
static const struct param update_params[] = {
	PROJECT(struct project_params),
	REQUIRED("name", P_TEXT, struct project_params, in.name, "Project name.", .max = 128),
	DETAILS,
};

/* What clients of today may call a project: it may be part of a host's name. */
static bool
id_of_today(const char *id)
{
	return id[0] != '-' && id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

err_t
project_make(struct req *rq, const struct project_in *in, const char *region)
{
	struct project *p;

	if (rq->cx.format >= SINCE_1_9_5 && !id_of_today(in->id))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid projectId: it has small letters, digits and hyphens, and does not begin with one of those.");
	if (region != NULL && strcmp(region, "default") != 0)
		return fail(&rq->cx, ERR_PROJECT_REGION_UNSUPPORTED, "region=%s", region);
	if (!project_right(rq, &(struct project){.team_id = in->team_id}, RIGHT_READ))
		return fail(&rq->cx, ERR_TEAM_NOT_FOUND, "not a member: %s", in->team_id);
	if (!project_right(rq, &(struct project){.team_id = in->team_id}, RIGHT_CHANGE))
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "team=%s", in->team_id);
	TRY(project_create(&rq->cx, in, &p));
	return project_reply(rq, 201, p);
}

static err_t
projects_create(struct req *rq, void *arg)
{
	const struct project_params *in = arg;

	return project_make(rq, &in->in, in->region);
}

static const struct param list_params[] = {PROJECTS_ASKED};

/* Ids of the caller's teams, in lower case. */
static const char *
own_teams(struct req *rq)
{
	const char **v = arena_array(rq->cx.arena, const char *, rq->login->n_members + 1);

	for (int i = 0; i < rq->login->n_members; i++)
		v[i] = str_lower(rq->cx.arena, str_c(rq->login->members[i].team_id)).p;
	return pg_array(rq->cx.arena, v, rq->login->n_members);
}

/* What else than its columns clients of today ask for. */
static void
add_asked(struct ctx *cx, struct query_list *l)
{
	static const struct query_attr more[] = {{.key = "accessedAt", .column = "p.console_accessed", .type = ATTR_DATETIME},
		{.key = "search", .column = "p.search", .type = ATTR_STRING}};
	const struct query_attr *columns = shape_asked(&project_shape, &l->n_attrs);
	struct query_attr *all = arena_array(cx->arena, struct query_attr, l->n_attrs + 2);

	memcpy(all, columns, sizeof *all * (size_t)l->n_attrs);
	memcpy(all + l->n_attrs, more, sizeof more);
	l->attrs = all;
	l->n_attrs += 2;
}

/* A project is told whole, whatever members somebody wants to see of it. */
static struct strs
without_selects(struct req *rq, const struct strs *queries)
{
	struct strs rest = {.set = true, .v = arena_array(rq->cx.arena, const char *, queries->n + 1)};

	for (int i = 0; i < queries->n; i++) {
		struct str q = str_trim(str_c(queries->v[i]));
		const json_t *j = q.n > 0 && q.p[0] == '{' ? json_parse(&rq->cx, q, NULL) : NULL;

		if (!str_starts(q, "select(") && !str_is(json_str(json_object_get(j, "method")), "select"))
			rest.v[rest.n++] = queries->v[i];
	}
	return rest;
}

err_t
project_reply_list(struct req *rq, const char *teams, const struct projects_asked *in)
{
	struct query_list l = {.entity = "Project", .from = "badal.projects p", .columns = "p.id", .where = "lower(p.team_id) = ANY ($1::text[])",
		.n = 1, .v = &teams, .seq = "p.seq", .id = "p.id", .search = "p.search"};
	struct strs queries = without_selects(rq, &in->queries);
	struct query_page page;
	struct objs found = {0};

	add_asked(&rq->cx, &l);
	TRY(query_list(&rq->cx, &l, NULL, &queries, in->search, &page));
	found.v = arena_array(rq->cx.arena, void *, page.res ? db_rows(page.res) : 0);
	for (int i = 0; page.res != NULL && i < db_rows(page.res); i++) {
		struct project *p;
		err_t e = project_get_bare(&rq->cx, db_str(page.res, i, 0), &p);

		if (e == ERR_PROJECT_NOT_FOUND)	/* deleted meanwhile */
			continue;
		TRY(e);
		found.v[found.n++] = (void *)(uintptr_t)project_shown(rq, p);
	}
	return reply_list(rq, &project_shape, "projects", page.total, &found);
}

static err_t
projects_list(struct req *rq, void *arg)
{
	return project_reply_list(rq, own_teams(rq), arg);
}

static const struct param project_path[] = {PROJECT(struct one_in)};

static err_t
projects_get(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_update(struct req *rq, void *arg)
{
	const struct project_params *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_update(&rq->cx, p, &in->in, &p));
	return project_reply(rq, 200, p);
}

struct delete_in {
	const char *project, *password;
};
static const struct param delete_params[] = {
	PROJECT(struct delete_in),
	REQUIRED("password", P_PASSWORD, struct delete_in, password, "The caller's own password: of clients before 1.4.", .optional_since = SINCE_1_4),
};

static err_t
check_password(struct req *rq, const char *password)
{
	const struct user *u = rq->login->user;
	bool ok;

	if (password == NULL)	/* later clients do not ask for it */
		return OK;
	TRY(password_verify(&rq->cx, password, u->hash, u->hash_options, u->password, &ok));
	return ok ? OK : fail(&rq->cx, ERR_USER_INVALID_CREDENTIALS, "deleting a project");
}

/* To clients before 1.4 a team is there for its projects; later it is an organization. */
static err_t
projects_delete(struct req *rq, void *arg)
{
	const struct delete_in *in = arg;
	struct project *p;

	TRY(check_password(rq, in->password));
	TRY(project_for(rq, in->project, RIGHT_DELETE, &p));
	TRY(project_delete(&rq->cx, p, rq->login->user->id, rq->cx.format < SINCE_1_4));
	return reply_none(rq);
}

/* ---- settings ---- */

struct setting_in {
	const char *project, *name, *app_id, *secret;
	int enabled;
};
static const struct param oauth_params[] = {
	PROJECT(struct setting_in),
	REQUIRED("provider", P_ENUM, struct setting_in, name, "Provider.", .list = provider_names),
	OPTIONAL("appId", P_TEXT, struct setting_in, app_id, "App ID at the provider.", .max = 256),
	OPTIONAL("secret", P_TEXT, struct setting_in, secret, "Secret of the app.", .max = 512),
	OPTIONAL("enabled", P_BOOL, struct setting_in, enabled, "Users may sign in there: of clients since 1.1, to whom what is not given stays."),
};

static err_t
projects_update_oauth2(struct req *rq, void *arg)
{
	const struct setting_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_set_provider(&rq->cx, p,
	    &(struct provider_change){.key = in->name, .app_id = in->app_id, .secret = in->secret, .enabled = in->enabled, .anew = rq->cx.format < SINCE_1_1}, &p));
	return project_reply(rq, 200, p);
}

/* ---- domains ---- */

struct domain_in {
	const char *project, *name;
};
#define DOMAIN_ID PATH("domainId", P_UID, struct one_in, id, "Domain ID.")
static const struct param domain_create_params[] = {
	PROJECT(struct domain_in),
	REQUIRED("domain", P_HOSTNAME, struct domain_in, name, "Domain name."),
};
static const struct param domain_path[] = {PROJECT(struct one_in), DOMAIN_ID};

static bool
label_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

static err_t
check_labels(struct req *rq, struct str name)
{
	while (name.p != NULL) {
		struct str label = str_cut(&name, '.');

		if (label.n == 0 || label.n > 63 || !label_ok(label))
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID,
			    "Invalid domain: a label has 1 to 63 letters, digits and hyphens.");
	}
	return OK;
}

static err_t
projects_create_domain(struct req *rq, void *arg)
{
	const struct domain_in *in = arg;
	struct domain *made;
	struct project *p;

	TRY(check_labels(rq, str_c(in->name)));
	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(domain_create(&rq->cx, p, str_lower(rq->cx.arena, str_c(in->name)).p, &made));
	return reply(rq, 201, &domain_shape, made);
}

static err_t
projects_list_domains(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	return reply_list(rq, &domain_shape, "domains", p->domains.n, &p->domains);
}

static err_t
projects_get_domain(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct domain *found;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	if ((found = domain_find(p, in->id)) == NULL)
		return fail(&rq->cx, ERR_DOMAIN_NOT_FOUND, "id=%s", in->id);
	return reply(rq, 200, &domain_shape, found);
}

static err_t
projects_update_domain_verification(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct domain *now;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(domain_verify(&rq->cx, p, in->id, &now));
	return reply(rq, 200, &domain_shape, now);
}

static err_t
projects_delete_domain(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(domain_delete(&rq->cx, p, in->id));
	return reply_none(rq);
}

/* ---- routes ---- */

static const struct route rows[] = {
	PROJECTS("POST", "", "create", "write", projects_create, &project_shape, 201, "Create a project.", struct project_params, create_params),
	LISTS("", "list", projects_list, &project_shape, "projects", "The projects of the caller's teams.", struct projects_asked, list_params),
	PROJECTS("GET", "/:projectId", "get", "read", projects_get, &project_shape, 200, "One project.", struct one_in, project_path),
	PROJECTS("PATCH", "/:projectId", "update", "write", projects_update, &project_shape, 200, "Change a project; what is left out is emptied.",
	    struct project_params, update_params),
	{.method = "DELETE", .path = "/v1/projects/:projectId", .service = "projects", .name = "delete", .scope = "projects.write", .limit = LIMIT_PASSWORD,
	    .handler = projects_delete, .status = 204, .doc = "Delete a project with everything in it.", .flags = ROUTE_CONSOLE,
	    PARAMS(struct delete_in, delete_params)},
	PROJECTS("PATCH", "/:projectId/oauth2", "updateOAuth2", "write", projects_update_oauth2, &project_shape, 200, "Set the app of an OAuth2 provider.",
	    struct setting_in, oauth_params),

	PROJECTS("POST", "/:projectId/domains", "createDomain", "write", projects_create_domain, &domain_shape, 201, "Add a domain.", struct domain_in,
	    domain_create_params),
	LISTS("/:projectId/domains", "listDomains", projects_list_domains, &domain_shape, "domains", "List domains.", struct one_in, project_path),
	PROJECTS("GET", "/:projectId/domains/:domainId", "getDomain", "read", projects_get_domain, &domain_shape, 200, "One domain.", struct one_in,
	    domain_path),
	PROJECTS("PATCH", "/:projectId/domains/:domainId/verification", "updateDomainVerification", "write", projects_update_domain_verification, &domain_shape, 200,
	    "Look whether the domain points here.", struct one_in, domain_path),
	PROJECTS("DELETE", "/:projectId/domains/:domainId", "deleteDomain", "write", projects_delete_domain, NULL, 204, "Remove a domain.", struct one_in,
	    domain_path),
};
const struct routes project_routes = ROUTES(rows);
