/* badal init: what a first project takes, in one step: a user of the console, the project, a web platform and an API key. What is there already is
 * taken as it is, so it may be called again, and prints the same once more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"
#include "core/vtime.h"
#include "main_priv.h"
#include "svc/projects/project.h"
#include "svc/users/user.h"

struct first {			/* what there is in the end */
	struct user *user;
	struct project *project;
	const char *host;
	struct api_key *key;
	bool new_user, new_project, new_platform, new_key;
};

/* Where the instance says that it is reached, else where it would be with these settings. */
static const char *
endpoint(char *out, size_t size)
{
	struct place p;
	char path[PATH_MAX + 16];
	FILE *f = NULL;

	if (place_find(&p)) {
		snprintf(path, sizeof path, "%s/endpoint", p.sockets);
		f = fopen(path, "re");
	}
	if (f == NULL || fgets(out, (int)size, f) == NULL)
		serve_endpoint(out, size);
	if (f != NULL)
		fclose(f);
	out[strcspn(out, "\n")] = '\0';
	return out;
}

static err_t
first_user(struct ctx *cx, const struct args *a, struct first *f, const struct project *console)
{
	const char *email = args_get(a, "email");
	err_t e = email != NULL ? user_by_email(cx, console, email, &f->user) : admin_owner(cx, console, NULL, &f->user);

	if (e != ERR_USER_NOT_FOUND)
		return e;
	if (email == NULL)
		return fail_msg(cx, e, "The console has no user yet, or several: say --email EMAIL.");
	if (args_get(a, "password") == NULL)
		return fail_msg(cx, e, "There is no such user yet, and no password for one.");
	f->new_user = true;
	return admin_make_user(cx, console, a, &f->user);
}

static err_t
first_platform(struct ctx *cx, struct first *f)
{
	struct platform in = {.type = "web", .name = f->host, .key = "", .store = "", .hostname = f->host};
	struct platform *made;

	for (int i = 0; i < f->project->platforms.n; i++)
		if (strcmp(((const struct platform *)f->project->platforms.v[i])->hostname, f->host) == 0)
			return OK;
	f->new_platform = true;
	return platform_create(cx, f->project, &in, &made);
}

static err_t
first_key(struct ctx *cx, const struct args *a, struct first *f)
{
	const struct api_key in = {.name = args_get(a, "key"), .scopes = args_list(a, "scopes"), .expire = TIME_NONE};

	for (int i = 0; i < f->project->keys.n && f->key == NULL; i++) {
		struct api_key *k = f->project->keys.v[i];

		if (strcmp(k->name, args_get(a, "key")) == 0 && (k->expire == TIME_NONE || k->expire > time_now_ms()))
			f->key = k;
	}
	if (f->key != NULL)
		return OK;
	f->new_key = true;
	return key_create(cx, f->project, &in, &f->key);
}

static const char *
how(bool made)
{
	return made ? "made" : "was there";
}

static void
put_snippets(const struct first *f)
{
	char at[400];

	endpoint(at, sizeof at);
	printf("\n// a web page: npm install appwrite\nimport { Client, Account } from 'appwrite'\n"
	       "const client = new Client().setEndpoint('%s').setProject('%s')\nconst account = new Account(client)\n", at, f->project->id);
	printf("\n// a server: npm install node-appwrite\nimport { Client, Databases } from 'node-appwrite'\n"
	       "const client = new Client().setEndpoint('%s').setProject('%s')\n    .setKey('%s')\nconst databases = new Databases(client)\n", at, f->project->id, f->key->secret);
}

static void
put_first(const struct args *a, const struct first *f)
{
	const char *only = args_get(a, "print");

	if (only != NULL) {
		printf("%s\n", f->key->secret);
		return;
	}
	printf("user      %s (%s)\nproject   %s (%s)\nplatform  %s (%s)\nkey       %s (%s)\n", f->user->email, how(f->new_user), f->project->id, how(f->new_project), f->host,
	    how(f->new_platform), f->key->name, how(f->new_key));
	put_snippets(f);
}

static err_t
init_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	const char *id = args_get(a, "project");
	struct first f = {.host = args_get(a, "hostname")};
	struct project *console;
	err_t e;

	TRY(admin_space(cx, NULL, &console));
	TRY(first_user(cx, a, &f, console));
	e = admin_project(cx, id, &f.project);
	if (e == ERR_PROJECT_NOT_FOUND) {
		f.new_project = true;
		e = admin_make_project(cx, console, id, args_get(a, "project-name"), NULL, f.user, &f.project);
	}
	TRY(e);
	TRY(first_platform(cx, &f));
	TRY(first_key(cx, a, &f));
	put_first(a, &f);
	return OK;
}

/* What was not said; a terminal is asked for the address and the password. */
static bool
fill_in(struct args *a)
{
	static const char *const usual[][2] = {{"project", "demo"}, {"hostname", "localhost"}, {"key", "server"}, {"scopes", "all"}};
	const char *email = args_get(a, "email") ? args_get(a, "email") : ask_line("E-mail address to sign in to the console with (empty: of the user there is): ");
	const char *password = NULL;

	for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
		if (args_get(a, usual[i][0]) == NULL && !args_own(a, usual[i][0], usual[i][1]))
			return false;
	if (args_get(a, "project-name") == NULL && !args_own(a, "project-name", args_get(a, "project")))
		return false;
	if (email == NULL)
		return true;
	if (!args_own(a, "email", email))
		return false;
	password = ask_password(a, false);
	return password != NULL && (*password == '\0' || args_own(a, "password", password));
}

int
init_run(struct args *a)
{
	const char *only = args_get(a, "print");

	if (only != NULL && strcmp(only, "key") != 0) {
		fprintf(stderr, "badal: --print: there is: key\n");
		return EXIT_USAGE;
	}
	return fill_in(a) ? admin_work(a, init_work) : EXIT_USAGE;
}
