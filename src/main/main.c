/* badal: the verbs of the shell. The table below is also the help and the manual page. */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/vtime.h"
#include "gate/gate.h"
#include "main_priv.h"
#include "model/proxy.h"
#include "picture/worker.h"
#include "scan/worker.h"
#include "model/service.h"
#include "svc/services.h"
#include "svc/users/password_worker.h"

static const struct option no_options[] = {{0}};
static const struct option serve_options[] = {{"dev", NULL, "As dev = on: mails and short messages are shown at /dev/messages, on this machine only.", false, NULL, NULL}, {0}};
static const struct option config_options[] = {{"secrets", NULL, "Print passwords and keys as well.", false}, {0}};
/* The last two of an option: the operation and the parameter that it is checked as. */
#define PASSWORDS                                                                                                                            \
	{"password", "PASSWORD", "Password; \"-\" reads it from standard input. Without it, it is asked for, or that of the next or of BADAL_PASSWORD.", false, "create", "password"}, \
	{"password-file", "FILE", "File whose first line is the password.", false, NULL, NULL}
#define OF_PROJECT {"project", "ID", "Project.", true, "createKey", "projectId"}
#define SAID_TWICE {"yes", NULL, "It is meant.", false, NULL, NULL}
static const struct option init_options[] = {
    {"email", "EMAIL", "E-mail address of the console's user; asked for, or the only one there is.", false, "create", "email"},
    PASSWORDS,
    {"name", "NAME", "Name of the user.", false, "create", "name"},
    {"project", "ID", "Project; demo when absent.", false, "createKey", "projectId"},
    {"project-name", "NAME", "Name of the project; its id when absent.", false, "createKey", "name"},
    {"hostname", "HOST", "Host name that its web pages come from; localhost when absent.", false, "createPlatform", "hostname"},
    {"key", "NAME", "Name of the API key; server when absent.", false, "createKey", "name"},
    {"scopes", "LIST", "Scopes of the key, comma-separated; \"all\" or nothing for every one.", false, "createKey", "scopes"},
    {"print", "WHAT", "key: print the secret of the key alone, for scripts.", false, NULL, NULL},
    {0}};
static const struct option user_options[] = {
    {"email", "EMAIL", "E-mail address to sign in with.", true, "create", "email"},
    PASSWORDS,
    {"name", "NAME", "Name.", false, "create", "name"},
    {"id", "ID", "Id; one is made when absent.", false, "create", "userId"},
    {"project", "ID", "Project that the user belongs to; the console when absent.", false, NULL, NULL},
    {0}};
static const struct option users_options[] = {{"project", "ID", "Project; the console when absent.", false, NULL, NULL}, {0}};
static const struct option user_delete_options[] = {
    {"id", "ID", "Id.", false, "delete", "userId"},
    {"email", "EMAIL", "E-mail address, instead of the id.", false, "create", "email"},
    {"project", "ID", "Project; the console when absent.", false, NULL, NULL},
    SAID_TWICE,
    {0}};
static const struct option project_options[] = {
    {"name", "NAME", "Name.", true, "create", "name"},
    {"id", "ID", "Id; one is made when absent.", false, "create", "projectId"},
    {"owner", "EMAIL", "Console user who owns it; the only one when absent.", false, NULL, NULL},
    {"team", "ID", "Team of the console that owns it; one is made for the owner when absent.", false, "create", "teamId"},
    {0}};
static const struct option project_delete_options[] = {{"id", "ID", "Project.", true, "delete", "projectId"}, SAID_TWICE, {0}};
static const struct option platform_options[] = {
    OF_PROJECT,
    {"type", "TYPE", "web, android, apple-ios, flutter-ios, flutter-android, unity and others.", true, "createPlatform", "type"},
    {"name", "NAME", "Name.", true, "createPlatform", "name"},
    {"hostname", "HOST", "Host name of a web platform; *.example.org is allowed.", false, "createPlatform", "hostname"},
    {"key", "KEY", "Package name or bundle id of an app.", false, "createPlatform", "key"},
    {"store", "ID", "Id of an app in its store.", false, "createPlatform", "store"},
    {0}};
static const struct option in_project_options[] = {OF_PROJECT, {0}};
static const struct option platform_delete_options[] = {OF_PROJECT, {"id", "ID", "Platform.", true, "deletePlatform", "platformId"}, {0}};
static const struct option key_options[] = {
    OF_PROJECT,
    {"name", "NAME", "Name.", true, "createKey", "name"},
    {"scopes", "LIST", "Scopes, comma-separated; \"all\" for every one.", true, "createKey", "scopes"},
    {"expire", "TIME", "When it ends, as a date; never when absent.", false, "createKey", "expire"},
    {0}};
static const struct option key_delete_options[] = {OF_PROJECT, {"id", "ID", "Key.", true, "deleteKey", "keyId"}, {0}};

static const struct option webhook_options[] = {OF_PROJECT, {"id", "ID", "Webhook.", true, "getWebhook", "webhookId"}, {0}};
static const struct option webhook_replay_options[] = {
    OF_PROJECT,
    {"id", "ID", "Webhook.", true, "getWebhook", "webhookId"},
    {"delivery", "ID", "Delivery; when absent all that were not delivered in the end.", false, "replayWebhook", "deliveryId"},
    {0}};

static const struct option function_logs_options[] = {
    OF_PROJECT,
    {"id", "ID", "Function.", true},
    {"follow", NULL, "Go on with what ends from now on.", false},
    {0}};

static const struct option storage_check_options[] = {
    {"deep", NULL, "Read all bytes, and compare their sums.", false},
    {"claim", NULL, "The storage is this database's from now on: after it was restored into another PostgreSQL.", false},
    {"repair", NULL, "Remove bytes that no row knows and that are older than a day.", false},
    {0}};
static const struct option storage_move_options[] = {
    {"to", "DEVICE", "Device to copy to, written as in storage_also; \"-\" reads it from standard input. The servers go on with theirs.", false},
    {"keep", NULL, "Leave the bytes at the former devices, too.", false},
    {0}};

static int help_run(struct args *a);
static int version_run(struct args *a);
static int config_run(struct args *a);
static int config_check_run(struct args *a);

const struct verb verbs[] = {
    {"serve", "", serve_run, serve_options, "Run the server: embedded PostgreSQL and Redis where no addresses are configured, migrations, and the roles."},
    {"migrate", "", migrate_run, no_options, "Bring the database up to date, and end."},
    {"doctor", "", doctor_run, no_options, "Look over the installation and say what to do about it; ends with 1 when something is wrong."},
    {"config", "check", config_check_run, no_options, "Say what is wrong with the settings, the files they name included; ends with 0 when nothing is."},
    {"config", "", config_run, config_options, "Print every setting with its documentation, as a configuration file."},
    {"init", "", init_run, init_options, "Make what a first project takes, a console user, the project, a web platform and an API key, and print code that uses them. What is there is kept."},
    {"user", "create", user_create_run, user_options, "Make a user.", "users"},
    {"user", "list", user_list_run, users_options, "List users: id, e-mail address, name."},
    {"user", "delete", user_delete_run, user_delete_options, "Delete a user.", "users"},
    {"project", "create", project_create_run, project_options, "Make a project.", "projects"},
    {"project", "list", project_list_run, no_options, "List projects: id, name, team."},
    {"project", "delete", project_delete_run, project_delete_options, "Delete a project with everything in it, as the API does.", "projects"},
    {"platform", "create", platform_create_run, platform_options, "Add a platform to a project: browsers are served on its host name only.", "projects"},
    {"platform", "list", platform_list_run, in_project_options, "List platforms: id, type, name, host name or key.", "projects"},
    {"platform", "delete", platform_delete_run, platform_delete_options, "Remove a platform.", "projects"},
    {"key", "create", key_create_run, key_options, "Make an API key and print its secret.", "projects"},
    {"key", "list", key_list_run, in_project_options, "List API keys: id, name, end, scopes.", "projects"},
    {"key", "delete", key_delete_run, key_delete_options, "Delete an API key.", "projects"},
    {"key", "rotate-master", key_rotate_run, no_options, "Make a new master key and seal everything in the database anew, while servers run or not; when it was stopped, it goes on."},
    {"function", "logs", function_logs_run, function_logs_options, "Print what the last hundred executions of a function wrote: a line of each (when it ended, id, trigger, how, status, duration), output indented, errors behind \"!\".", "projects"},
    {"webhook", "list", webhook_list_run, in_project_options, "List webhooks: id, name, on or off, failed tries since the last success, address, why the last try failed.", "projects"},
    {"webhook", "log", webhook_log_run, webhook_options, "List what was delivered to a webhook, or was not, the newest first: id, time, event, how it ended, tries, status, duration, why.", "projects"},
    {"webhook", "replay", webhook_replay_run, webhook_replay_options, "Deliver again: one delivery, or all that were given up or came while the webhook was off; prints how many.", "projects"},
    {"storage", "check", storage_check_run, storage_check_options, "Compare the rows of files with the bytes on the storage, both ways; ends with 1 when something is wrong."},
    {"storage", "move", storage_move_run, storage_move_options, "Copy all files to another device (--to), or move what is still at former ones (storage_also) to the one that is configured, while servers run; when it was stopped, it goes on."},
    {"version", "", version_run, no_options, "Print the version."},
    {"manual", "", manual_run, no_options, "Print the manual page."},
    {"help", "", help_run, no_options, "Print this; help VERB prints one of them."},
    {0}};

static int
own_at(const struct args *a, const char *name)
{
	for (int i = a->n_own - 1; i >= 0; i--)
		if (strcmp(a->own[i].name, name) == 0)
			return i;
	return -1;
}

const char *
args_get(const struct args *a, const char *name)
{
	int i = own_at(a, name);

	return i < 0 ? NULL : a->own[i].value;
}

struct strs
args_list(const struct args *a, const char *name)
{
	int i = own_at(a, name);

	return i < 0 ? (struct strs){0} : a->own[i].as.list;
}

int64_t
args_time(const struct args *a, const char *name)
{
	int i = own_at(a, name);

	return i < 0 ? TIME_NONE : a->own[i].as.time;
}

/* "all" of the scopes. */
static const char *
all_scopes(void)
{
	static char list[KEY_SCOPES_MAX * 40];
	size_t n = 0;

	for (int i = 0; key_scopes[i] != NULL && n < sizeof list; i++)
		n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i > 0 ? "," : "", key_scopes[i]);
	assert(n < sizeof list);
	return list;
}

/* Checks the value as the parameter that it is, and keeps it as the API would. */
static bool
own_check(const char *service, const struct option *o, struct args *a, int i)
{
	const char *value = a->own[i].value, *wrong;

	if (o->param == NULL)
		return true;
	if (strcmp(o->name, "scopes") == 0 && strcmp(value, "all") == 0)
		value = all_scopes();
	wrong = api_param_wrong(service, o->operation, o->param, value, &a->own[i].as);
	if (wrong != NULL) {
		fprintf(stderr, "badal: --%s: %s\n", o->name, wrong);
		return false;
	}
	if (strcmp(o->name, "scopes") != 0 && strcmp(o->name, "expire") != 0 && a->own[i].as.text != NULL)
		a->own[i].value = a->own[i].as.text;
	return true;
}

void
args_setting(struct args *a, const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 2;
	char *text = mem_alloc(n);

	assert(a->n < ARGS_MAX);
	snprintf(text, n, "%s=%s", name, value);
	a->settings[a->n++] = text;
}

bool
args_conf(const struct args *a, bool reload)
{
	return conf_load(a->file, a->n, a->settings, reload);
}

static const struct verb *
verb_find(const char *name, const char *noun)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0 && (v->noun[0] == '\0' || strcmp(v->noun, noun) == 0))
			return v;
	return NULL;
}

static const struct option *
option_find(const struct verb *v, const char *name)
{
	for (const struct option *o = v->options; o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static int
main_usage(const char *what, const char *arg)
{
	fprintf(stderr, "badal: %s%s (see badal help)\n", what, arg);
	return EXIT_USAGE;
}

/* No setting either: the verb's own options may have been meant, which the settings' table does not know. */
static int
check_name(const struct verb *v, const char *name)
{
	const char *list[40], *near, *const *settings = conf_names();
	char plain[64];
	int n = 0;

	snprintf(plain, sizeof plain, "%s", name);
	for (char *s = plain; *s != '\0'; s++)
		*s = *s == '-' ? '_' : *s;
	for (; *settings != NULL; settings++)
		if (strcmp(*settings, plain) == 0)
			return 0;
	for (const struct option *o = v->options; o->name != NULL && n < 39; o++)
		list[n++] = o->name;
	list[n] = NULL;
	near = str_near(str_c(name), list);
	if (near == NULL)
		return 0;	/* conf_load says what it is like */
	fprintf(stderr, "badal: there is no option --%s; did you mean --%s?\n", name, near);
	return EXIT_USAGE;
}

/* --name=value or --name value: an option of the verb, else a setting. Advances *i over a value of its own. */
static int
take_option(struct args *a, const struct verb *v, int argc, char **argv, int *i)
{
	char name[64];
	const char *text = argv[*i] + 2, *value = strchr(text, '=');
	const struct option *o;

	if (strncmp(argv[*i], "--", 2) != 0 || *text == '\0')
		return main_usage("cannot make sense of ", argv[*i]);
	snprintf(name, sizeof name, "%.*s", value ? (int)(value - text) : 60, text);
	o = option_find(v, name);
	if (value != NULL)
		value++;
	else if (o != NULL && o->arg == NULL)
		value = "on";
	else if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0)	/* another option is no value: that may be written --name=--value */
		value = argv[++*i];
	else
		return main_usage("a value is missing after ", argv[*i]);
	if (o == NULL && strcmp(name, "config") == 0) {
		a->file = value;
	} else if (o == NULL) {
		if (check_name(v, name) != 0)
			return EXIT_USAGE;
		if (a->n >= ARGS_MAX - 16)	/* room for what the supervisor adds */
			return main_usage("too many options", "");
		args_setting(a, name, value);
	} else {
		if (args_get(a, o->name) != NULL)
			return main_usage("said twice: --", o->name);
		if (a->n_own >= (int)(sizeof a->own / sizeof a->own[0]))
			return main_usage("too many options", "");
		a->own[a->n_own].name = o->name;
		a->own[a->n_own++].value = value;
	}
	return 0;
}

/* init makes things of two services. */
static const char *
service_of(const struct verb *v, const struct option *o)
{
	return v->service ? v->service : o->operation != NULL && strcmp(o->operation, "create") == 0 ? "users" : "projects";
}

bool
args_own(struct args *a, const char *name, const char *value)
{
	const struct verb *v = verb_find(a->verb, a->noun);
	const struct option *o = option_find(v, name);
	int i = a->n_own;

	assert(o != NULL && i < (int)(sizeof a->own / sizeof a->own[0]));
	a->own[i].name = o->name;
	a->own[i].value = value;
	a->n_own++;
	return own_check(service_of(v, o), o, a, i);
}

static int
main_check_own(struct args *a, const struct verb *v)
{
	for (int i = 0; i < a->n_own; i++) {
		const struct option *o = option_find(v, a->own[i].name);

		/* a password may yet be read from elsewhere: the verb checks it then */
		if (strcmp(o->name, "password") != 0 && !own_check(service_of(v, o), o, a, i))
			return EXIT_USAGE;
	}
	return 0;
}

static int
main_check_required(const struct args *a, const struct verb *v)
{
	for (const struct option *o = v->options; o->name != NULL; o++)
		if (o->required && args_get(a, o->name) == NULL)
			return main_usage("missing: --", o->name);
	return 0;
}

static void
main_put_verb(const struct verb *v)
{
	printf("  %s%s%s\n      %s\n", v->name, v->noun[0] ? " " : "", v->noun, v->doc);
	for (const struct option *o = v->options; o->name != NULL; o++) {
		char left[64];

		snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg ? "=" : "", o->arg ? o->arg : "");
		printf("        %-22s %s%s\n", left, o->doc, o->required ? " Required." : "");
	}
}

/* All verbs, or those of this name. */
static int
help(const char *name)
{
	printf("usage: badal VERB [--setting=value]... [--config FILE]\n\n");
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (name == NULL || strcmp(v->name, name) == 0)
			main_put_verb(v);
	printf("\nVerbs that talk to a running server find it by --data-dir. Settings come from the command line, the environment (BADAL_*) and the file, in this order; badal config prints them all.\n");
	return 0;
}

static int
help_run(struct args *a)
{
	(void)a;
	return help(NULL);
}

static bool
is_help(const char *s)
{
	return strcmp(s, "--help") == 0 || strcmp(s, "-h") == 0;
}

static bool
verb_named(const char *name)
{
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return true;
	return false;
}

/* Says what there is instead. */
static int
no_verb(const char *name)
{
	bool half = verb_named(name);

	fprintf(stderr, half ? "badal: %s what? There is:" : "badal: no such verb: %s; there are:", name);
	for (const struct verb *v = verbs; v->name != NULL; v++)
		if (!half || strcmp(v->name, name) == 0)
			fprintf(stderr, "%s %s%s%s", v == verbs || half ? "" : ",", v->name, v->noun[0] ? " " : "", v->noun);
	fprintf(stderr, " (see badal help)\n");
	return EXIT_USAGE;
}

static int
version_run(struct args *a)
{
	(void)a;
	printf("badal %s\n", PACKAGE_VERSION);
	return 0;
}

static int
config_run(struct args *a)
{
	conf_print(stdout, args_get(a, "secrets") != NULL);
	return 0;
}

/* Whoever comes here has passed: main loads the settings first. */
static int
config_check_run(struct args *a)
{
	(void)a;
	printf("ok\n");
	return 0;
}

/* Verbs that need what settings name. Others may be called by somebody who cannot read it: a private key, say. */
static bool
uses_files(const struct verb *v)
{
	return v->run == serve_run || v->run == config_check_run;
}

int
main(int argc, char **argv)
{
	static struct args a;
	const struct verb *v;
	const char *first = argc > 1 ? argv[1] : "help";
	int i = 2, e = 0;

	if (strcmp(first, "picture-worker") == 0)	/* before anything that it has no need of */
		return picture_worker_main(argc, argv);
	if (strcmp(first, "scan-worker") == 0)
		return scan_worker_main(argc, argv);
	if (strcmp(first, "password-worker") == 0)
		return password_worker_main(argc, argv);
	services_init();
	settings_init();
	if (is_help(first))
		first = "help";
	if (strcmp(first, "--version") == 0)
		first = "version";
	if (strcmp(first, "help") == 0 && argc > 2 && argv[2][0] != '-')
		return verb_named(argv[2]) ? help(argv[2]) : no_verb(argv[2]);
	if (argc > 2 && is_help(argv[argc - 1]) && verb_named(first))
		return help(first);
	v = verb_find(first, argc > 2 ? argv[2] : "");
	if (v == NULL)
		return no_verb(first);
	a.verb = v->name;
	a.noun = v->noun;
	if (v->noun[0] != '\0')
		i++;
	for (; i < argc && e == 0; i++)
		e = take_option(&a, v, argc, argv, &i);
	if (args_get(&a, "dev") != NULL)
		args_setting(&a, "dev", args_get(&a, "dev"));
	if (e == 0)
		e = main_check_required(&a, v);
	if (e == 0)
		e = main_check_own(&a, v);
	if (e != 0)
		return e;
	if (sodium_init() < 0)
		return 1;
	conf_files = uses_files(v);
	if (!args_conf(&a, false))
		return EXIT_USAGE;
	log_init("badal", conf.log_level, conf.log_json);
	e = v->run(&a);
	return fflush(stdout) == 0 ? e : 1;
}
