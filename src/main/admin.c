/* Verbs that make what the console would: they call the model on a loop of their own, against the servers of a running instance. Their options are
 * parameters of the API's operations, and have been checked as those are (main.c). */
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/vtime.h"
#include "io/db.h"
#include "main_priv.h"
#include "model/audit.h"
#include "svc/projects/project.h"
#include "svc/teams/team.h"
#include "svc/users/user.h"

static int
admin_refuse(const char *what, const char *value)
{
	fprintf(stderr, "badal: %s%s\n", what, value);
	return EXIT_USAGE;
}

int
admin_work(struct args *a, err_t (*fn)(struct ctx *cx, void *arg))
{
	return admin_work_for(a, fn, ADMIN_WORK_MS);
}

int
admin_work_for(struct args *a, err_t (*fn)(struct ctx *cx, void *arg), uint64_t ms)
{
	struct place p;
	char why[1024];
	err_t e;

	if (!place_find(&p) || !place_served(&p) || !place_settings(&p, a, false) || !args_conf(a, false))
		return 1;
	e = with_loop(fn, a, ms, why, sizeof why);
	if (e == OK)
		return 0;
	fprintf(stderr, "badal: %s\n", why);
	return 1;
}

err_t
admin_space(struct ctx *cx, const char *id, struct project **out)
{
	return project_get(cx, id ? str_c(id) : STR("console"), out);
}

err_t
admin_project(struct ctx *cx, const char *id, struct project **out)
{
	TRY(project_get_bare(cx, str_c(id), out));
	return (*out)->console ? fail_msg(cx, ERR_PROJECT_NOT_FOUND, "The console is no project of this kind.") : OK;
}

/* As the operations of the API leave it. There is no address: it was done on the machine itself. */
err_t
admin_log(struct ctx *cx, const struct project *p, const struct user *u, const char *event)
{
	audit_add(p, &(struct audit_entry){.user_id = u->id, .user_name = u->name ? u->name : "", .user_email = u->email ? u->email : "", .event = event,
	    .resource = arena_printf(cx->arena, "user/%s", u->id), .mode = "admin", .ip = "", .user_agent = ""});
	return audit_flush(cx);
}

/* ---- user create ---- */

err_t
admin_make_user(struct ctx *cx, const struct project *p, const struct args *a, struct user **out)
{
	const struct user_in in = {.id = args_get(a, "id"), .email = args_get(a, "email"), .name = args_get(a, "name"), .password = args_get(a, "password")};

	TRY(user_create(cx, p, &in, 0, out));
	return admin_log(cx, p, *out, "user.create");
}

static err_t
user_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	struct project *p;
	struct user *u;

	TRY(admin_space(cx, args_get(a, "project"), &p));
	TRY(admin_make_user(cx, p, a, &u));
	printf("%s\n", u->id);
	return OK;
}

int
user_create_run(struct args *a)
{
	const char *password = ask_password(a, true);

	if (password == NULL || !args_own(a, "password", password))
		return EXIT_USAGE;
	return admin_work(a, user_work);
}

/* ---- project create ---- */

err_t
admin_owner(struct ctx *cx, const struct project *console, const char *email, struct user **out)
{
	struct db_res *r;

	if (email != NULL) {
		err_t e = user_by_email(cx, console, email, out);

		return e == ERR_USER_NOT_FOUND ? fail_msg(cx, e, "No user of the console has the e-mail address %s.", email) : e;
	}
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT id FROM %s.users ORDER BY internal LIMIT 2", console->schema), DB0));
	if (db_rows(r) != 1)
		return fail_msg(cx, ERR_USER_NOT_FOUND, "The console has %s: name the owner (--owner EMAIL).",
		    db_rows(r) == 0 ? "no users yet" : "several users");
	return user_by_id(cx, console, db_cstr(r, 0, 0), out);
}

/* A team is made for it when none is named. */
err_t
admin_make_project(struct ctx *cx, const struct project *console, const char *id, const char *name, const char *team_id, struct user *owner,
    struct project **out)
{
	struct strs owner_role = {.n = 1, .set = true, .v = (const char *[]){"owner"}};
	struct project_in in = {.id = id, .name = name, .team_id = team_id};
	struct project *taken;
	struct team *t;

	/* before a team is made for it */
	if (id != NULL && project_get_bare(cx, str_c(id), &taken) == OK)
		return fail(cx, ERR_PROJECT_ALREADY_EXISTS, "id=%s", id);
	if (team_id == NULL) {
		TRY(team_create(cx, console, NULL, name, owner, &owner_role, &t));
		in.team_id = t->id;
	}
	return project_create(cx, &in, out);
}

static err_t
project_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	const char *team_id = args_get(a, "team");
	struct project *console, *p;
	struct user *owner = NULL;

	TRY(admin_space(cx, NULL, &console));
	if (team_id == NULL)
		TRY(admin_owner(cx, console, args_get(a, "owner"), &owner));
	TRY(admin_make_project(cx, console, args_get(a, "id"), args_get(a, "name"), team_id, owner, &p));
	printf("%s\n", p->id);
	return OK;
}

int
project_create_run(struct args *a)
{
	return admin_work(a, project_work);
}

/* ---- platform create ---- */

static const char *
given(const struct args *a, const char *name)
{
	const char *s = args_get(a, name);

	return s ? s : "";
}

static err_t
platform_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	struct platform in = {.type = args_get(a, "type"), .name = args_get(a, "name"), .key = given(a, "key"), .store = given(a, "store"),
		.hostname = given(a, "hostname")};
	struct platform *made;
	struct project *p;

	TRY(admin_project(cx, args_get(a, "project"), &p));
	TRY(platform_create(cx, p, &in, &made));
	printf("%s\n", made->id);
	return OK;
}

/* The API lets such ones in, but they let nobody in. */
int
platform_create_run(struct args *a)
{
	bool web = strcmp(args_get(a, "type"), "web") == 0;

	if (*given(a, web ? "hostname" : "key") == '\0')
		return admin_refuse(web ? "a web platform needs --hostname" : "a platform of an app needs --key, its package name or bundle id", "");
	return admin_work(a, platform_work);
}

/* ---- key create ---- */

static err_t
key_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	const struct api_key in = {.name = args_get(a, "name"), .scopes = args_list(a, "scopes"), .expire = args_time(a, "expire")};
	struct project *p;
	struct api_key *k;

	TRY(admin_project(cx, args_get(a, "project"), &p));
	TRY(key_create(cx, p, &in, &k));
	printf("%s\n", k->secret);
	return OK;
}

int
key_create_run(struct args *a)
{
	return admin_work(a, key_work);
}
