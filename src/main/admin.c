/* Verbs that write what the console would: they call the model on a loop of their own, against the servers of a running instance. */
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"
#include "io/db.h"
#include "main_priv.h"
#include "model/format.h"
#include "svc/projects/project.h"
#include "svc/teams/team.h"
#include "svc/users/user.h"

enum { WORK_MS = 30000, PASSWORD_MIN = 8, NAME_MAX_POINTS = 128, HOST_MAX = 256 };

static int
admin_refuse(const char *what, const char *value)
{
	fprintf(stderr, "badal: %s%s\n", what, value);
	return EXIT_USAGE;
}

static int
refuse_listing(const char *what, const char *value, const char *const *list)
{
	fprintf(stderr, "badal: no such %s: %s; there are:", what, value);
	for (; *list != NULL; list++)
		fprintf(stderr, " %s", *list);
	fprintf(stderr, "\n");
	return EXIT_USAGE;
}

static bool
admin_in_list(const char *const *list, struct str s)
{
	for (; *list != NULL; list++)
		if (str_is(s, *list))
			return true;
	return false;
}

static bool
good_name(const char *s)
{
	size_t points;

	return s == NULL || (str_utf8(str_c(s), &points) && points <= NAME_MAX_POINTS);
}

/* Finds the servers, runs fn there, and says why when it fails. */
static int
work(struct args *a, err_t (*fn)(struct ctx *cx, void *arg))
{
	struct place p;
	char why[1024];
	err_t e;

	if (!place_find(&p) || !place_served(&p) || !place_settings(&p, a, false) || !args_conf(a, false))
		return 1;
	e = with_loop(fn, a, WORK_MS, why, sizeof why);
	if (e == OK)
		return 0;
	fprintf(stderr, "badal: %s\n", why);
	return 1;
}

static err_t
project_named(struct ctx *cx, const char *id, struct project **out)
{
	return project_get(cx, id ? str_c(id) : STR("console"), out);
}

static err_t
settings_of(struct ctx *cx, const char *id, struct project **out)
{
	return project_get_bare(cx, id ? str_c(id) : STR("console"), out);
}

/* ---- user create ---- */

static char password_line[512];

static const char *
read_password(void)
{
	if (fgets(password_line, sizeof password_line, stdin) == NULL)
		return "";
	password_line[strcspn(password_line, "\r\n")] = '\0';
	return password_line;
}

static err_t
user_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	struct user_in in = {.id = args_get(a, "id"), .email = args_get(a, "email"), .name = args_get(a, "name"), .password = args_get(a, "password")};
	struct project *p;
	struct user *u;

	if (strcmp(in.password, "-") == 0)
		in.password = password_line;
	TRY(project_named(cx, args_get(a, "project"), &p));
	TRY(user_create(cx, p, &in, 0, &u));
	printf("%s\n", u->id);
	return OK;
}

int
user_create_run(struct args *a)
{
	const char *password = args_get(a, "password"), *id = args_get(a, "id");

	if (strcmp(password, "-") == 0)
		password = read_password();
	if (!format_email(str_c(args_get(a, "email"))))
		return admin_refuse("not an e-mail address: ", args_get(a, "email"));
	if (strlen(password) < PASSWORD_MIN)
		return admin_refuse("the password is shorter than 8 characters", "");
	if (id != NULL && !id_valid(str_c(id)))
		return admin_refuse("not an id: ", id);
	if (!good_name(args_get(a, "name")))
		return admin_refuse("the name is too long or not UTF-8", "");
	return work(a, user_work);
}

/* ---- project create ---- */

/* The named user of the console, or the only one. */
static err_t
find_owner(struct ctx *cx, const struct project *console, const char *email, struct user **out)
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

static err_t
project_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	struct project_in in = {.id = args_get(a, "id"), .name = args_get(a, "name"), .team_id = args_get(a, "team")};
	struct strs owner_role = {.n = 1, .set = true, .v = (const char *[]){"owner"}};
	struct project *console, *p, *taken;
	struct user *owner;
	struct team *t;

	TRY(project_named(cx, NULL, &console));
	/* before a team is made for it */
	if (in.id != NULL && project_get_bare(cx, str_c(in.id), &taken) == OK)
		return fail(cx, ERR_PROJECT_ALREADY_EXISTS, "id=%s", in.id);
	if (in.team_id == NULL) {
		TRY(find_owner(cx, console, args_get(a, "owner"), &owner));
		TRY(team_create(cx, console, NULL, in.name, owner, &owner_role, &t));
		in.team_id = t->id;
	}
	TRY(project_create(cx, &in, &p));
	printf("%s\n", p->id);
	return OK;
}

int
project_create_run(struct args *a)
{
	const char *id = args_get(a, "id");

	if (id != NULL && !id_valid(str_c(id)))
		return admin_refuse("not an id: ", id);
	if (!good_name(args_get(a, "name")) || *args_get(a, "name") == '\0')
		return admin_refuse("the name is empty, too long or not UTF-8", "");
	return work(a, project_work);
}

/* ---- platform create ---- */

static err_t
platform_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	struct platform in = {.type = args_get(a, "type"), .name = args_get(a, "name"), .key = args_get(a, "key"), .hostname = args_get(a, "hostname")};
	struct platform *made;
	struct project *p;

	in.key = in.key ? in.key : "";
	in.hostname = in.hostname ? in.hostname : "";
	in.store = "";
	TRY(settings_of(cx, args_get(a, "project"), &p));
	TRY(platform_create(cx, p, &in, &made));
	printf("%s\n", made->id);
	return OK;
}

int
platform_create_run(struct args *a)
{
	const char *host = args_get(a, "hostname");

	if (!admin_in_list(platform_types, str_c(args_get(a, "type"))))
		return refuse_listing("type of platform", args_get(a, "type"), platform_types);
	if (!good_name(args_get(a, "name")) || *args_get(a, "name") == '\0')
		return admin_refuse("the name is empty, too long or not UTF-8", "");
	if (host != NULL && strlen(host) > HOST_MAX)
		return admin_refuse("the host name is too long", "");
	return work(a, platform_work);
}

/* ---- key create ---- */

static const char *wanted_scopes[64];
static int n_wanted_scopes;

static bool
read_scopes(const char *text)
{
	static char list[2048];
	char *rest = list, *one;

	if (strcmp(text, "all") == 0) {
		while (key_scopes[n_wanted_scopes] != NULL && n_wanted_scopes < 64) {
			wanted_scopes[n_wanted_scopes] = key_scopes[n_wanted_scopes];
			n_wanted_scopes++;
		}
		return true;
	}
	snprintf(list, sizeof list, "%s", text);
	while ((one = strsep(&rest, ", ")) != NULL) {
		if (*one == '\0')
			continue;
		if (!admin_in_list(key_scopes, str_c(one)) || n_wanted_scopes == 64) {
			refuse_listing("scope", one, key_scopes);
			return false;
		}
		wanted_scopes[n_wanted_scopes++] = one;
	}
	return true;
}

static err_t
key_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	const struct strs scopes = {.n = n_wanted_scopes, .set = true, .v = wanted_scopes};
	const char *expire = args_get(a, "expire");
	int64_t at = TIME_NONE;
	struct project *p;
	struct api_key *k;

	if (expire != NULL && !time_parse(str_c(expire), &at))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Not a date: %s", expire);
	TRY(settings_of(cx, args_get(a, "project"), &p));
	TRY(key_create(cx, p, args_get(a, "name"), &scopes, at, &k));
	printf("%s\n", k->secret);
	return OK;
}

int
key_create_run(struct args *a)
{
	if (!good_name(args_get(a, "name")) || *args_get(a, "name") == '\0')
		return admin_refuse("the name is empty, too long or not UTF-8", "");
	if (!read_scopes(args_get(a, "scopes")))
		return EXIT_USAGE;
	return work(a, key_work);
}
