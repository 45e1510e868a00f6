/* Configuration from file, environment and command line, by the table. */
#include "core/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/str.h"

extern char **environ;

enum conf_type { CT_STR, CT_INT, CT_SIZE, CT_TIME, CT_BOOL };
enum conf_when { CW_START, CW_RELOAD };

struct row {
	const char *name;
	enum conf_type type;
	const char *def;
	enum conf_when when;
	const char *doc;
	size_t off;
};

static const struct row rows[] = {
#define CONF(name, type, def, when, doc) {#name, CT_##type, def, CW_##when, doc, offsetof(struct conf, name)},
#include "tbl/config.h"
#undef CONF
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

struct conf conf;

static const struct row *
row_by_name(struct str name)
{
	for (int i = 0; i < N_ROWS; i++)
		if (strlen(rows[i].name) == name.n && strncmp(rows[i].name, name.p, name.n) == 0)
			return &rows[i];
	return NULL;
}

struct suffix {
	const char *text;
	int64_t factor;
};
static const struct suffix size_suffixes[] = {{"", 1}, {"k", 1024}, {"m", 1024 * 1024}, {"g", 1024 * 1024 * 1024}, {NULL, 0}};
static const struct suffix time_suffixes[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct suffix plain_suffixes[] = {{"", 1}, {NULL, 0}};

static bool
parse_number(const char *text, const struct suffix *suffixes, int64_t *out)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (end == text || errno != 0 || v < 0)
		return false;
	if (v == 0 && *end == '\0') {	/* nought is the same in every unit */
		*out = 0;
		return true;
	}
	for (; suffixes->text != NULL; suffixes++)
		if (strcmp(end, suffixes->text) == 0)
			return !__builtin_mul_overflow((int64_t)v, suffixes->factor, out);
	return false;
}

static bool
parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"on", "yes", "true", "enabled", "1"}, *const no[] = {"off", "no", "false", "disabled", "0"};

	for (int i = 0; i < 5; i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*out = strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

/* Texts stay for the process, since readers hold plain pointers across reloads; the same text is kept once. */
struct kept {
	struct kept *next;
	char text[];
};
static struct kept *kept;

static const char *
conf_keep_text(const char *text)
{
	size_t n = strlen(text) + 1;
	struct kept *k;

	for (k = kept; k != NULL; k = k->next)
		if (strcmp(k->text, text) == 0)
			return k->text;
	k = mem_alloc(sizeof *k + n);
	memcpy(k->text, text, n);
	k->next = kept;
	kept = k;
	return k->text;
}

static bool
conf_set(struct conf *c, const struct row *r, const char *value, const char *where)
{
	void *at = (char *)c + r->off;
	bool ok;

	switch (r->type) {
	case CT_STR:
		*(const char **)at = conf_keep_text(value);
		ok = true;
		break;
	case CT_INT:
		ok = parse_number(value, plain_suffixes, at);
		break;
	case CT_SIZE:
		ok = parse_number(value, size_suffixes, at);
		break;
	case CT_TIME:
		ok = parse_number(value, time_suffixes, at);
		break;
	case CT_BOOL:
		ok = parse_bool(value, at);
		break;
	default:
		ok = false;
	}
	if (!ok)
		fprintf(stderr, "badal: %s: %s: '%s' is not valid\n", where, r->name, value);
	return ok;
}

/* "name = value" lines, '#' comments, optional double quotes around the value. */
static bool
read_line(struct conf *c, char *line, const char *where)
{
	struct str rest = str_trim(str_c(line)), name;
	const struct row *r;
	char value[4096];

	while (rest.n > 0 && isspace((unsigned char)rest.p[rest.n - 1]))
		rest.n--;
	if (rest.n == 0 || rest.p[0] == '#')
		return true;
	name = str_trim(str_cut(&rest, '='));
	r = row_by_name(name);
	if (r == NULL || rest.p == NULL) {
		fprintf(stderr, "badal: %s: '%.*s' is not a setting (see badal config)\n", where, STR_FMT(name));
		return false;
	}
	rest = str_trim(rest);
	if (rest.n >= 2 && rest.p[0] == '"' && rest.p[rest.n - 1] == '"')
		rest = (struct str){rest.p + 1, rest.n - 2};
	snprintf(value, sizeof value, "%.*s", STR_FMT(rest));
	return conf_set(c, r, value, where);
}

static bool
conf_read_file(struct conf *c, const char *path)
{
	FILE *f = fopen(path, "r");
	char line[4096], where[512];
	bool ok = true;

	if (f == NULL) {
		fprintf(stderr, "badal: %s: %s\n", path, strerror(errno));
		return false;
	}
	for (int n = 1; fgets(line, sizeof line, f) != NULL; n++) {
		snprintf(where, sizeof where, "%s:%d", path, n);
		ok = read_line(c, line, where) && ok;
	}
	fclose(f);
	return ok;
}

/* BADAL_<NAME>; names the table does not know are refused unless they belong to the build or the tests. */
static bool
read_environment(struct conf *c)
{
	static const char *const others[] = {"BADAL_BIN", "BADAL_URL", "BADAL_ECHO", "BADAL_TEST", "BADAL_CHECK", "BADAL_ENDPOINT", NULL};
	bool ok = true;

	for (char **e = environ; *e != NULL; e++) {
		struct str rest = str_c(*e), name;
		char lower[64], where[96];
		const struct row *r;
		bool other = false;

		if (strncmp(*e, "BADAL_", 6) != 0)
			continue;
		name = str_cut(&rest, '=');
		for (int i = 0; others[i] != NULL; i++)
			other = other || str_starts(name, others[i]);
		if (name.n - 6 >= sizeof lower)
			continue;
		for (size_t i = 0; i <= name.n - 6; i++)
			lower[i] = i == name.n - 6 ? '\0' : (char)tolower((unsigned char)name.p[i + 6]);
		snprintf(where, sizeof where, "environment BADAL_%s", lower);
		r = row_by_name(str_c(lower));
		if (r != NULL)
			ok = conf_set(c, r, rest.p ? rest.p : "", where) && ok;
		else if (!other)
			fprintf(stderr, "badal: warning: environment %.*s is not a setting\n", STR_FMT(name));
	}
	return ok;
}

static bool
read_args(struct conf *c, int nargs, char *const *args)
{
	bool ok = true;

	for (int i = 0; i < nargs; i++) {
		struct str rest = str_c(args[i]), name = str_cut(&rest, '=');
		char plain[64];
		const struct row *r;

		snprintf(plain, sizeof plain, "%.*s", STR_FMT(name));
		for (char *p = plain; *p != '\0'; p++)
			if (*p == '-')
				*p = '_';
		r = row_by_name(str_c(plain));
		if (r == NULL || rest.p == NULL) {
			fprintf(stderr, "badal: command line: '%s' is not a setting (see badal config)\n", args[i]);
			ok = false;
			continue;
		}
		ok = conf_set(c, r, rest.p, "command line") && ok;
	}
	return ok;
}

static bool
conf_same(const struct row *r, const struct conf *a, const struct conf *b)
{
	const void *x = (const char *)a + r->off, *y = (const char *)b + r->off;

	if (r->type == CT_STR)
		return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
	if (r->type == CT_BOOL)
		return *(const bool *)x == *(const bool *)y;
	return *(const int64_t *)x == *(const int64_t *)y;
}

static void
keep_start_rows(struct conf *fresh)
{
	for (int i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		size_t size = r->type == CT_BOOL ? sizeof(bool) : r->type == CT_STR ? sizeof(char *) : sizeof(int64_t);

		if (r->when != CW_START || conf_same(r, fresh, &conf))
			continue;
		fprintf(stderr, "badal: %s changes at the next start only\n", r->name);
		memcpy((char *)fresh + r->off, (const char *)&conf + r->off, size);
	}
}

bool
conf_load(const char *file, int nargs, char *const *args, bool reload)
{
	struct conf fresh = {0};
	bool ok = true;

	for (int i = 0; i < N_ROWS; i++)
		ok = conf_set(&fresh, &rows[i], rows[i].def, "default") && ok;
	if (file != NULL)
		ok = conf_read_file(&fresh, file) && ok;
	ok = read_environment(&fresh) && ok;
	ok = read_args(&fresh, nargs, args) && ok;
	if (!ok)
		return false;
	if (reload)
		keep_start_rows(&fresh);
	conf = fresh;
	return true;
}

static bool
is_secret(const struct row *r)
{
	static const char *const parts[] = {"key", "secret", "token", "password", "_url", "sms_provider"};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strstr(r->name, parts[i]) != NULL)
			return true;
	return false;
}

static void
print_value(FILE *out, const struct row *r)
{
	const void *at = (const char *)&conf + r->off;

	if (r->type == CT_STR)
		fprintf(out, "%s", *(const char *const *)at);
	else if (r->type == CT_BOOL)
		fprintf(out, "%s", *(const bool *)at ? "on" : "off");
	else
		fprintf(out, "%lld%s", (long long)*(const int64_t *)at, r->type == CT_TIME ? "ms" : "");
}

void
conf_print(void *stdio_file, bool secrets)
{
	static const struct conf unset;
	bool loaded = memcmp(&conf, &unset, sizeof conf) != 0;
	FILE *out = stdio_file;

	for (int i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];

		fprintf(out, "# %s%s\n# default: %s\n", r->doc, r->when == CW_RELOAD ? " (SIGHUP applies it)" : "", r->def);
		fprintf(out, "%s = ", r->name);
		if (!loaded)
			fprintf(out, "%s", r->def);
		else if (is_secret(r) && !secrets && r->type == CT_STR && (*(const char *const *)((const char *)&conf + r->off))[0])
			fprintf(out, "(set)");
		else
			print_value(out, r);
		fprintf(out, "\n\n");
	}
}
