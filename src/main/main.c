/* badal: the verbs of the shell. The table below is also the help and the manual page. */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "main_priv.h"
#include "model/proxy.h"
#include "picture/worker.h"
#include "scan/worker.h"
#include "svc/services.h"

static const struct option no_options[] = {{0}};
static const struct option config_options[] = {{"secrets", NULL, "Print passwords and keys as well.", false}, {0}};
static const struct option user_options[] = {
    {"email", "EMAIL", "E-mail address to sign in with.", true},
    {"password", "PASSWORD", "Password, 8 characters or more; \"-\" reads it from standard input.", true},
    {"name", "NAME", "Name.", false},
    {"id", "ID", "Id; one is made when absent.", false},
    {"project", "ID", "Project that the user belongs to; the console when absent.", false},
    {0}};
static const struct option project_options[] = {
    {"name", "NAME", "Name.", true},
    {"id", "ID", "Id; one is made when absent.", false},
    {"owner", "EMAIL", "Console user who owns it; the only one when absent.", false},
    {"team", "ID", "Team of the console that owns it; one is made for the owner when absent.", false},
    {0}};
static const struct option platform_options[] = {
    {"project", "ID", "Project.", true},
    {"type", "TYPE", "web, android, apple-ios, flutter-ios, flutter-android, unity and others.", true},
    {"name", "NAME", "Name.", true},
    {"hostname", "HOST", "Host name of a web platform; *.example.org is allowed.", false},
    {"key", "KEY", "Package name or bundle id of an app.", false},
    {0}};
static const struct option key_options[] = {
    {"project", "ID", "Project.", true},
    {"name", "NAME", "Name.", true},
    {"scopes", "LIST", "Scopes, comma-separated; \"all\" for every one.", true},
    {"expire", "TIME", "When it ends, as a date; never when absent.", false},
    {0}};

static int help_run(struct args *a);
static int version_run(struct args *a);
static int config_run(struct args *a);

const struct verb verbs[] = {
    {"serve", "", serve_run, no_options, "Run the server: embedded PostgreSQL and Redis where no addresses are configured, migrations, and the roles."},
    {"migrate", "", migrate_run, no_options, "Bring the database up to date, and end."},
    {"doctor", "", doctor_run, no_options, "Look over the installation and say what to do about it; ends with 1 when something is wrong."},
    {"config", "", config_run, config_options, "Print every setting with its documentation, as a configuration file."},
    {"user", "create", user_create_run, user_options, "Make a user."},
    {"project", "create", project_create_run, project_options, "Make a project."},
    {"platform", "create", platform_create_run, platform_options, "Add a platform to a project: browsers are served on its host name only."},
    {"key", "create", key_create_run, key_options, "Make an API key and print its secret; it is not shown again."},
    {"key", "rotate-master", key_rotate_run, no_options, "Make a new master key and seal everything in the database anew, while servers run or not; when it was stopped, it goes on."},
    {"version", "", version_run, no_options, "Print the version."},
    {"manual", "", manual_run, no_options, "Print the manual page."},
    {"help", "", help_run, no_options, "Print this; help VERB prints one of them."},
    {0}};

const char *
args_get(const struct args *a, const char *name)
{
	for (int i = a->n_own - 1; i >= 0; i--)
		if (strcmp(a->own[i].name, name) == 0)
			return a->own[i].value;
	return NULL;
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
	const char *wrong;

	if (!conf_load(a->file, a->n, a->settings, reload))
		return false;
	wrong = proxy_wrong_entry();
	if (wrong != NULL)
		fprintf(stderr, "badal: trust_proxy: '%s' is not an address, a network, private, on or off\n", wrong);
	return wrong == NULL;
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
	else if (*i + 1 < argc)
		value = argv[++*i];
	else
		return main_usage("a value is missing after ", argv[*i]);
	if (o == NULL && strcmp(name, "config") == 0) {
		a->file = value;
	} else if (o == NULL) {
		if (a->n >= ARGS_MAX - 16)	/* room for what the supervisor adds */
			return main_usage("too many options", "");
		args_setting(a, name, value);
	} else {
		if (a->n_own >= (int)(sizeof a->own / sizeof a->own[0]))
			return main_usage("too many options", "");
		a->own[a->n_own].name = o->name;
		a->own[a->n_own++].value = value;
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
	printf("\nSettings come from the command line, the environment (BADAL_*) and the file, in this order; badal config prints them all.\n");
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
	services_init();
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
	if (e == 0)
		e = main_check_required(&a, v);
	if (e != 0)
		return e;
	if (sodium_init() < 0)
		return 1;
	if (!args_conf(&a, false))
		return EXIT_USAGE;
	log_init("badal", conf.log_level, conf.log_json);
	e = v->run(&a);
	return fflush(stdout) == 0 ? e : 1;
}
