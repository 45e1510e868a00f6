/* Configuration from file, environment and command line, by the table. */
#include "core/conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/str.h"

extern char **environ;

enum conf_type { CT_TEXT, CT_SECRET, CT_FILE, CT_DIR, CT_CHOICE, CT_LIKE, CT_INT, CT_SIZE, CT_TIME, CT_BOOL };
enum conf_when { CW_START, CW_RELOAD };
enum { TEXT_MAX = 2000, LINE_MAX_LEN = 4096 };
#define CT_INT(min_, max_) CT_INT, .min = min_, .max = max_
#define CT_SIZE(min_, max_) CT_SIZE, .min = min_, .max = max_
#define CT_TIME(min_, max_) CT_TIME, .min = min_, .max = max_
#define CT_CHOICE(words_) CT_CHOICE, .words = words_
#define CT_LIKE(kind_) CT_LIKE, .kind = #kind_
#define CT_SECRET_LIKE(kind_) CT_LIKE, .kind = #kind_, .secret = true

struct row {
	const char *name, *def, *doc;
	enum conf_when when;
	size_t off;
	enum conf_type type;
	const char *min, *max;	/* of numbers; NULL: none */
	const char *words, *kind;	/* of a choice; of what is like something */
	bool secret;
};

static const struct row rows[] = {
#define CONF(name_, type_, def_, when_, doc_) \
	{.name = #name_, .def = def_, .when = CW_##when_, .doc = doc_, .off = offsetof(struct conf, name_), .type = CT_##type_},
#include "tbl/config.h"
#undef CONF
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

struct conf conf;
const struct conf_like *conf_likes;
const struct conf_rule *conf_rules;
bool conf_files;
static char places[N_ROWS][160];	/* where each row's value comes from, while it is loaded */

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

/* ---- what is wrong with a value: NULL, or words that follow it ---- */

static char wrong_words[600];

static const struct suffix *
row_suffixes(const struct row *r)
{
	return r->type == CT_SIZE ? size_suffixes : r->type == CT_TIME ? time_suffixes : plain_suffixes;
}

static const char *
number_wrong(const struct row *r, const char *value, int64_t *out)
{
	const struct suffix *s = row_suffixes(r);
	int64_t min = 0, max = INT64_MAX;

	if (!parse_number(value, s, out)) {
		snprintf(wrong_words, sizeof wrong_words, "is not valid: it must be a number%s",
		    r->type == CT_SIZE ? ", with k, m or g" : r->type == CT_TIME ? " with ms, s, m, h or d" : "");
		return wrong_words;
	}
	if (r->min == NULL)
		return NULL;
	if (parse_number(r->min, s, &min) && parse_number(r->max, s, &max) && *out >= min && *out <= max)
		return NULL;
	snprintf(wrong_words, sizeof wrong_words, "is out of bounds: it must be %s to %s", r->min, r->max);
	return wrong_words;
}

/* "|tls|ssl" in words: "empty, tls or ssl". */
static const char *
words_told(const char *words, char *out, size_t size)
{
	struct str rest = str_c(words);
	size_t n = 0;

	for (bool first = true; rest.p != NULL && n < size; first = false) {
		struct str one = str_cut(&rest, '|');

		n += (size_t)snprintf(out + n, size - n, "%s%.*s", first ? "" : rest.p != NULL ? ", " : " or ", STR_FMT(one.n > 0 ? one : STR("empty")));
	}
	return out;
}

static const char *
choice_wrong(const struct row *r, const char *value)
{
	struct str rest = str_c(r->words);
	const char *list[16], *near;
	char texts[16][32], told[400];
	int n = 0;

	while (rest.p != NULL && n < 15) {
		struct str one = str_cut(&rest, '|');

		if (str_is(one, value))
			return NULL;
		snprintf(texts[n], sizeof texts[n], "%.*s", STR_FMT(one));
		list[n] = texts[n];
		n++;
	}
	list[n] = NULL;
	near = str_near(str_c(value), list);
	snprintf(wrong_words, sizeof wrong_words, "is not valid: it must be %s%s%s%s", words_told(r->words, told, sizeof told),
	    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return wrong_words;
}

static const char *
path_wrong(const struct row *r, const char *value)
{
	struct stat st;

	if (!conf_files || *value == '\0')
		return NULL;
	if (stat(value, &st) != 0 || access(value, R_OK) != 0)
		snprintf(wrong_words, sizeof wrong_words, "cannot be used: %s", strerror(errno));
	else if (r->type == CT_DIR ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		snprintf(wrong_words, sizeof wrong_words, "is no %s", r->type == CT_DIR ? "directory" : "file");
	else
		return NULL;
	return wrong_words;
}

static const char *
like_wrong(const struct row *r, const char *value)
{
	const char *must = NULL;
	const struct conf_like *l = conf_likes;

	while (l != NULL && l->name != NULL && strcmp(l->name, r->kind) != 0)
		l++;
	if (l == NULL)
		return NULL;
	assert(l->name != NULL);	/* a kind that no row of likes knows */
	must = l->wrong(value);
	if (must == NULL)
		return NULL;
	snprintf(wrong_words, sizeof wrong_words, "is not valid: %s", must);
	return wrong_words;
}

static bool
one_line(const char *value)
{
	for (const char *s = value; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return strlen(value) <= TEXT_MAX && str_utf8(str_c(value), NULL);
}

static const char *
text_wrong(const struct row *r, const char *value)
{
	if (!one_line(value))
		return "is not valid: it must be one line of UTF-8, not too long";
	if (r->type == CT_CHOICE)
		return choice_wrong(r, value);
	if (r->type == CT_FILE || r->type == CT_DIR)
		return path_wrong(r, value);
	return r->type == CT_LIKE ? like_wrong(r, value) : NULL;
}

static bool
holds_text(const struct row *r)
{
	return r->type <= CT_LIKE;
}

static bool
is_secret(const struct row *r)
{
	return r->type == CT_SECRET || r->secret;
}

static bool
conf_set(struct conf *c, const struct row *r, const char *value, const char *where)
{
	void *at = (char *)c + r->off;
	const char *wrong = holds_text(r) ? text_wrong(r, value) : r->type == CT_BOOL ? NULL : number_wrong(r, value, at);

	if (r->type == CT_BOOL && !parse_bool(value, at))
		wrong = "is not valid: it must be on or off";
	if (holds_text(r))
		*(const char **)at = conf_keep_text(value);
	snprintf(places[r - rows], sizeof places[0], "%s", where);
	if (wrong == NULL)
		return true;
	if (is_secret(r))
		fprintf(stderr, "badal: %s: %s %s\n", where, r->name, wrong);
	else
		fprintf(stderr, "badal: %s: %s: '%.200s' %s\n", where, r->name, value, wrong);
	return false;
}

static bool
rules_hold(const struct conf *c)
{
	bool ok = true;

	for (const struct conf_rule *r = conf_rules; r != NULL && r->name != NULL; r++) {
		const char *wrong = r->wrong(c);

		if (wrong == NULL)
			continue;
		fprintf(stderr, "badal: %s: %s: %s\n", places[row_by_name(str_c(r->name)) - rows], r->name, wrong);
		ok = false;
	}
	return ok;
}

/* ---- where values come from ---- */

const char *const *
conf_names(void)
{
	static const char *names[N_ROWS + 1];

	for (int i = 0; i < N_ROWS; i++)
		names[i] = rows[i].name;
	return names;
}

/* A name that no row has; `shown` is it as it was written. Its value may be a secret, and is not repeated. */
static bool
unknown_name(const char *where, struct str shown, struct str name)
{
	const char *near = str_near(name, conf_names());

	fprintf(stderr, "badal: %s: '%.*s' is not a setting%s%s%s (see badal config)\n", where, STR_FMT(shown), near ? "; did you mean " : "", near ? near : "",
	    near ? "?" : "");
	return false;
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
	if (r == NULL)
		return unknown_name(where, name, name);
	if (rest.p == NULL) {
		fprintf(stderr, "badal: %s: %s: a line is name = value\n", where, r->name);
		return false;
	}
	rest = str_trim(rest);
	if (rest.n >= 2 && rest.p[0] == '"' && rest.p[rest.n - 1] == '"')
		rest = (struct str){rest.p + 1, rest.n - 2};
	snprintf(value, sizeof value, "%.*s", STR_FMT(rest));
	return conf_set(c, r, value, where);
}

static const char byte_order_mark[] = "\xef\xbb\xbf";	/* of editors that put one in front */

static bool
conf_read_file(struct conf *c, const char *path)
{
	FILE *f = fopen(path, "r");
	char *line = NULL, where[512];
	bool ok = true;
	size_t space = 0;
	struct stat st;
	ssize_t len;

	if (f == NULL || fstat(fileno(f), &st) != 0 || S_ISDIR(st.st_mode)) {
		fprintf(stderr, "badal: %s: %s\n", path, f == NULL ? strerror(errno) : "is a directory");
		if (f != NULL)
			fclose(f);
		return false;
	}
	for (int n = 1; (len = getline(&line, &space, f)) >= 0; n++) {
		snprintf(where, sizeof where, "%s:%d", path, n);
		if (len >= LINE_MAX_LEN || strlen(line) < (size_t)len) {
			fprintf(stderr, "badal: %s: %s\n", where, len >= LINE_MAX_LEN ? "the line is too long" : "it holds a NUL: the file must be UTF-8");
			ok = false;
			break;
		}
		ok = read_line(c, n == 1 && strncmp(line, byte_order_mark, 3) == 0 ? line + 3 : line, where) && ok;
	}
	free(line);
	fclose(f);
	return ok;
}

/* BADAL_<NAME>. Others may have names that begin so, too (the tests do, and so do containers for a service of our name): those are warned of, unless
 * they look like a slip. */
static bool
read_environment(struct conf *c)
{
	static const char *const others[] = {"BADAL_BIN", "BADAL_URL", "BADAL_ECHO", "BADAL_TEST", "BADAL_CHECK", "BADAL_ENDPOINT", "BADAL_SERVICE_",
	    "BADAL_PASSWORD", NULL};
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
		if (other || name.n - 6 >= sizeof lower)
			continue;
		for (size_t i = 0; i <= name.n - 6; i++)
			lower[i] = i == name.n - 6 ? '\0' : (char)tolower((unsigned char)name.p[i + 6]);
		snprintf(where, sizeof where, "environment %.*s", STR_FMT(name));
		r = row_by_name(str_c(lower));
		if (r != NULL)
			ok = conf_set(c, r, rest.p ? rest.p : "", where) && ok;
		else if (str_near(str_c(lower), conf_names()) != NULL)
			ok = unknown_name("environment", name, str_c(lower));
		else
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
		char plain[64], where[96];
		const struct row *r;

		snprintf(plain, sizeof plain, "%.*s", STR_FMT(name));
		for (char *p = plain; *p != '\0'; p++)
			if (*p == '-')
				*p = '_';
		r = row_by_name(str_c(plain));
		snprintf(where, sizeof where, "command line");
		if (r == NULL || rest.p == NULL)
			ok = unknown_name(where, name, str_c(plain));
		else
			ok = conf_set(c, r, rest.p, where) && ok;
	}
	return ok;
}

static bool
conf_same(const struct row *r, const struct conf *a, const struct conf *b)
{
	const void *x = (const char *)a + r->off, *y = (const char *)b + r->off;

	if (holds_text(r))
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
		size_t size = r->type == CT_BOOL ? sizeof(bool) : holds_text(r) ? sizeof(char *) : sizeof(int64_t);

		if (r->when != CW_START || conf_same(r, fresh, &conf))
			continue;
		fprintf(stderr, "badal: %s changes at the next start only\n", r->name);
		memcpy((char *)fresh + r->off, (const char *)&conf + r->off, size);
	}
}

static const char *const *forgotten;

/* Texts are kept once for all rows that have them: who shares one with a secret loses it, too. */
static void
conf_wipe(const char *text)
{
	for (struct kept *k = kept; k != NULL; k = k->next)
		if (k->text == text)
			memset(k->text, 0, strlen(k->text));
}

static void
conf_forget_in(struct conf *c)
{
	for (const char *const *name = forgotten; name != NULL && *name != NULL; name++) {
		const struct row *r = row_by_name(str_c(*name));
		const char **at = (const char **)(void *)((char *)c + r->off);

		assert(r != NULL && holds_text(r));
		conf_wipe(*at);
		*at = "";
	}
}

void
conf_forget(const char *const *names)
{
	forgotten = names;
	conf_forget_in(&conf);
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
	if (!ok || !rules_hold(&fresh))
		return false;
	conf_forget_in(&fresh);
	if (reload)
		keep_start_rows(&fresh);
	conf = fresh;
	return true;
}

static void
print_value(FILE *out, const struct row *r)
{
	const void *at = (const char *)&conf + r->off;

	if (holds_text(r))
		fprintf(out, "%s", *(const char *const *)at);
	else if (r->type == CT_BOOL)
		fprintf(out, "%s", *(const bool *)at ? "on" : "off");
	else
		fprintf(out, "%lld%s", (long long)*(const int64_t *)at, r->type == CT_TIME ? "ms" : "");
}

bool
conf_about(int i, struct conf_about *out)
{
	static char values[400];
	const struct row *r = &rows[i];

	if (i >= N_ROWS)
		return false;
	*out = (struct conf_about){r->name, r->def, r->doc, values, r->when == CW_RELOAD};
	values[0] = '\0';
	if (r->type == CT_CHOICE)
		words_told(r->words, values, sizeof values);
	else if (r->type == CT_BOOL)
		snprintf(values, sizeof values, "on or off");
	else if (r->min != NULL)
		snprintf(values, sizeof values, "%s to %s", r->min, r->max);
	return true;
}

void
conf_print(void *stdio_file, bool secrets)
{
	static const struct conf unset;
	bool loaded = memcmp(&conf, &unset, sizeof conf) != 0;
	FILE *out = stdio_file;

	for (int i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];

		struct conf_about about;

		conf_about(i, &about);
		fprintf(out, "# %s%s\n", r->doc, r->when == CW_RELOAD ? " (SIGHUP applies it)" : "");
		if (about.values[0] != '\0')
			fprintf(out, "# values: %s\n", about.values);
		fprintf(out, "# default: %s\n", r->def);
		fprintf(out, "%s = ", r->name);
		if (!loaded)
			fprintf(out, "%s", r->def);
		else if (is_secret(r) && !secrets && (*(const char *const *)((const char *)&conf + r->off))[0])
			fprintf(out, "(set)");
		else
			print_value(out, r);
		fprintf(out, "\n\n");
	}
}
