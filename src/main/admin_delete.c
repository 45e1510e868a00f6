/* Verbs that delete, by the same functions as the API: events, teams, caches, the audit log and the background work that follows are the same. */
#include <stdio.h>

#include "main_priv.h"
#include "svc/projects/project.h"
#include "svc/users/user.h"

/* What takes everything along is not done by a slip. */
static bool
meant(const struct args *a, const char *what)
{
	if (args_get(a, "yes") != NULL)
		return true;
	fprintf(stderr, "badal: this deletes %s; say --yes if that is meant\n", what);
	return false;
}

static err_t
user_gone(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	const char *id = args_get(a, "id");
	struct user_by by = {0};
	struct project *p;
	struct user *u;

	TRY(admin_space(cx, args_get(a, "project"), &p));
	TRY(id != NULL ? user_by_id(cx, p, id, &u) : user_by_email(cx, p, args_get(a, "email"), &u));
	TRY(user_delete(cx, p, u, &by));
	TRY(admin_log(cx, p, u, "user.delete"));
	printf("%s\n", u->id);
	return OK;
}

int
user_delete_run(struct args *a)
{
	if ((args_get(a, "id") == NULL) == (args_get(a, "email") == NULL)) {
		fprintf(stderr, "badal: name the user by --id or by --email\n");
		return EXIT_USAGE;
	}
	return meant(a, "the user with sessions and memberships") ? admin_work(a, user_gone) : EXIT_USAGE;
}

static err_t
project_gone(struct ctx *cx, void *arg)
{
	struct project *p;

	TRY(admin_project(cx, args_get(arg, "id"), &p));
	TRY(project_delete(cx, p, NULL, true));
	printf("%s\n", p->id);
	return OK;
}

int
project_delete_run(struct args *a)
{
	return meant(a, "the project with all that is in it") ? admin_work(a, project_gone) : EXIT_USAGE;
}

static err_t
platform_gone(struct ctx *cx, void *arg)
{
	struct project *p;

	TRY(admin_project(cx, args_get(arg, "project"), &p));
	TRY(platform_delete(cx, p, args_get(arg, "id")));
	printf("%s\n", args_get(arg, "id"));
	return OK;
}

int
platform_delete_run(struct args *a)
{
	return admin_work(a, platform_gone);
}

static err_t
key_gone(struct ctx *cx, void *arg)
{
	struct project *p;

	TRY(admin_project(cx, args_get(arg, "project"), &p));
	TRY(key_delete(cx, p, args_get(arg, "id")));
	printf("%s\n", args_get(arg, "id"));
	return OK;
}

int
key_delete_run(struct args *a)
{
	return admin_work(a, key_gone);
}
