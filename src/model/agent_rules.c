/* A rule set: read from files once, asked by any thread. The first rule of a group of files that matches decides; a rule below it (a
 * model of a brand, a version of a system) makes it more exact. */
#include "agent_priv.h"

#include <ctype.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/pattern.h"
#include "io/tree.h"

/* A name begins where the text or a word begins; some marks of vendors stand right before it. */
#define BEGINNING "^|[^A-Z0-9_-]|[^A-Z0-9-]_|sprd-|MZ-"

enum { BUDGET_US = 20000, FILE_MAX = 8 * 1024 * 1024, RULES_MAX = 200000 };

static const struct file {
	enum group { SYSTEM, CLIENT, DEVICE, GROUPS } group;
	const char *path, *type, *gate;
} files[] = {
#define AGENT_RULES(...) {__VA_ARGS__},
#include "tbl/agents.h"
};
enum { FILES = sizeof files / sizeof files[0] };

struct rule {			/* texts may hold $1 to $9; "" for none */
	struct pattern pattern;
	const char *name;	/* a brand's, among devices */
	const char *text;	/* the version, or the model */
	const char *extra;	/* the engine, or the kind of device */
	struct rule *below;
	unsigned n_below;
};

struct rules {
	struct arena *arena;
	struct { struct rule *v; unsigned n; } lists[FILES];
	size_t count;
};

/* ---- reading ---- */

static struct rule *read_list(struct rules *r, const struct tree *t, int list, enum group group, bool below, unsigned *n_out);

static const char *
agent_rules_keep(struct rules *r, const char *text)
{
	return text[0] != '\0' ? arena_strdup(r->arena, text) : "";
}

static bool
read_rule(struct rules *r, const struct tree *t, int node, const char *name, enum group group, bool below, struct rule *to)
{
	const char *pattern = tree_text(t, node, "regex");

	if (pattern[0] == '\0' || ++r->count > RULES_MAX)
		return false;
	to->pattern.text = agent_rules_keep(r, pattern);
	to->name = agent_rules_keep(r, name ? name : tree_text(t, node, group == DEVICE ? "brand" : "name"));
	to->text = agent_rules_keep(r, tree_text(t, node, group == DEVICE ? "model" : "version"));
	to->extra = agent_rules_keep(r, group == DEVICE ? tree_text(t, node, "device") : tree_text(t, tree_get(t, node, "engine"), "default"));
	if (!below)
		to->below = read_list(r, t, tree_get(t, node, group == DEVICE ? "models" : "versions"), group, true, &to->n_below);
	return true;
}

static struct rule *
read_list(struct rules *r, const struct tree *t, int list, enum group group, bool below, unsigned *n_out)
{
	size_t n = tree_count(t, list);
	struct rule *v = n ? arena_array(r->arena, struct rule, n) : NULL;

	*n_out = 0;
	for (size_t i = 0; i < n; i++) {
		const char *key;
		int node = tree_at(t, list, i, &key);

		if (read_rule(r, t, node, key, group, below, &v[*n_out]))
			++*n_out;
	}
	return v;
}

/* The file's text, to be freed. False when there is such a file and it cannot be read; no file is no text. */
static bool
agent_rules_read_file(const char *path, struct buf *out, char *why, size_t why_size)
{
	struct stat st;
	FILE *f;

	buf_init(out, NULL, 0);
	if (stat(path, &st) != 0)
		return true;
	f = S_ISREG(st.st_mode) && st.st_size <= FILE_MAX ? fopen(path, "re") : NULL;
	if (f == NULL) {
		snprintf(why, why_size, "it cannot be opened or is too large");
		return false;
	}
	buf_reserve(out, (size_t)st.st_size);
	out->n = fread(out->p, 1, (size_t)st.st_size, f);
	out->p[out->n] = '\0';
	fclose(f);
	return true;
}

/* Newer sets come as modules of JavaScript: an assignment of what is else the YAML file. */
static bool
load_file(struct rules *r, int i, const char *dir, const char *ending, char *why, size_t why_size)
{
	char path[4096], reason[128];
	struct tree *t;
	struct buf b;
	struct str text;
	bool ok;

	snprintf(path, sizeof path, "%s/%s.%s", dir, files[i].path, ending);
	ok = agent_rules_read_file(path, &b, reason, sizeof reason);
	if (ok && b.p != NULL) {
		text = buf_view(&b);
		if (strcmp(ending, "js") == 0)
			(void)str_cut(&text, '=');
		t = tree_read(text, reason, sizeof reason);
		ok = t != NULL;
		if (ok) {
			r->lists[i].v = read_list(r, t, TREE_ROOT, files[i].group, false, &r->lists[i].n);
			tree_free(&t);
		}
	}
	buf_fini(&b);
	if (!ok)
		snprintf(why, why_size, "%s.%s: %s", files[i].path, ending, reason);
	return ok;
}

struct rules *
rules_load(const char *dir, char *why, size_t why_size)
{
	struct rules *r = mem_zalloc(sizeof *r);
	bool ok = true;

	r->arena = arena_new();
	for (int i = 0; ok && i < FILES; i++) {
		ok = load_file(r, i, dir, "yml", why, why_size);
		if (ok && r->lists[i].n == 0)
			ok = load_file(r, i, dir, "js", why, why_size);
	}
	(void)malloc_trim(0);	/* the files' trees are several times the rules */
	if (ok && r->count > 0 && r->count <= RULES_MAX)
		return r;
	if (ok)
		snprintf(why, why_size, r->count ? "too many rules" : "no rules");
	rules_free(&r);
	return NULL;
}

static void
agent_rules_forget(struct rule *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pattern_fini(&v[i].pattern);
		agent_rules_forget(v[i].below, v[i].n_below);
	}
}

void
rules_free(struct rules **rp)
{
	for (int i = 0; i < FILES; i++)
		agent_rules_forget((*rp)->lists[i].v, (*rp)->lists[i].n);
	arena_free(&(*rp)->arena);
	free(*rp);
	*rp = NULL;
}

size_t
rules_count(const struct rules *r)
{
	return r->count;
}

/* ---- asking ---- */

/* `text` with $1 to $9 filled in, without blanks around it; `from` becomes `to`. An empty text leaves what was there. */
static void
agent_rules_fill(char out[FOUND_MAX], const char *text, const struct str *groups, char from, char to)
{
	char s[FOUND_MAX];
	size_t n = 0;
	struct str found;

	if (text[0] == '\0')
		return;
	for (out[0] = '\0'; *text != '\0'; text++) {
		struct str part = {text, 1};

		if (text[0] == '$' && isdigit((unsigned char)text[1]))
			part = groups[*++text - '0'];
		if (n + part.n >= sizeof s)
			return;
		for (size_t i = 0; i < part.n; i++)
			s[n++] = part.p[i] == from ? to : part.p[i];
	}
	found = str_trim((struct str){s, n});
	if (!str_utf8(found, NULL))	/* cut within a character */
		return;
	memcpy(out, found.p, found.n);
	out[found.n] = '\0';
}

/* The first two numbers. */
static void
fill_version(char out[FOUND_MAX], const char *text, const struct str *groups)
{
	struct str rest, major, minor;
	char all[FOUND_MAX] = "";

	agent_rules_fill(all, text, groups, '_', '.');
	if (text[0] == '\0')
		return;
	rest = str_c(all);
	major = str_cut(&rest, '.');
	minor = rest.p ? str_cut(&rest, '.') : STR_NONE;
	snprintf(out, FOUND_MAX, "%.*s%s%.*s", STR_FMT(major), minor.n ? "." : "", (int)minor.n, minor.n ? minor.p : "");
}

static void
fill_model(char out[FOUND_MAX], const char *text, const struct str *groups)
{
	agent_rules_fill(out, text, groups, '_', ' ');
	if (str_ends(str_c(out), " TD"))
		out[strlen(out) - 3] = '\0';	/* the radio of a network */
	if (strcmp(out, "Build") == 0)
		out[0] = '\0';
}

static void
agent_rules_say(enum group group, const struct rule *rule, const struct str *groups, struct found *f)
{
	switch (group) {
	case SYSTEM:
		agent_rules_fill(f->os_name, rule->name, groups, 0, 0);
		fill_version(f->os_version, rule->text, groups);
		break;
	case CLIENT:
		agent_rules_fill(f->client_name, rule->name, groups, 0, 0);
		fill_version(f->client_version, rule->text, groups);
		agent_rules_fill(f->client_engine, rule->extra, groups, 0, 0);
		break;
	default:
		agent_rules_fill(f->device_brand, strcmp(rule->name, "Unknown") == 0 ? "" : rule->name, groups, 0, 0);
		agent_rules_fill(f->device_name, rule->extra, groups, 0, 0);
		fill_model(f->device_model, rule->text, groups);
	}
}

static const struct rule *
first(struct matcher *m, struct rule *v, unsigned n, struct str *groups)
{
	for (unsigned i = 0; i < n; i++)
		if (pattern_match(m, &v[i].pattern, groups))
			return &v[i];
	return NULL;
}

static bool
gate_open(const char *gate, const char *ua)
{
	for (struct str rest = str_c(gate), part; rest.p != NULL;) {
		part = str_cut(&rest, '|');
		if (memmem(ua, strlen(ua), part.p, part.n) != NULL)
			return true;
	}
	return gate == NULL;
}

static bool
agent_rules_ask(struct matcher *m, struct rules *r, int i, struct found *f)
{
	const struct rule *rule, *below;
	struct str groups[PATTERN_GROUPS];

	rule = first(m, r->lists[i].v, r->lists[i].n, groups);
	if (rule == NULL)
		return false;
	agent_rules_say(files[i].group, rule, groups, f);
	if (files[i].group == CLIENT)
		f->client_type = files[i].type;
	below = first(m, rule->below, rule->n_below, groups);
	if (below != NULL)
		agent_rules_say(files[i].group, below, groups, f);
	return true;
}

void
rules_find(struct rules *r, struct str user_agent, struct found *f)
{
	char ua[RULES_TEXT_MAX + 1];
	bool done[GROUPS] = {false};
	size_t n = str_head(user_agent, RULES_TEXT_MAX).n;
	struct matcher *m;

	*f = (struct found){.client_type = ""};
	memcpy(ua, user_agent.p ? user_agent.p : "", n);
	ua[n] = '\0';
	m = matcher_new((struct str){ua, n}, BEGINNING, BUDGET_US);
	for (int i = 0; i < FILES; i++) {
		if (done[files[i].group] || !gate_open(files[i].gate, ua))
			continue;
		done[files[i].group] = agent_rules_ask(m, r, i, f);
		if (!done[DEVICE] && files[i].group == DEVICE && files[i].type != NULL) {
			snprintf(f->device_name, FOUND_MAX, "%s", files[i].type);
			done[DEVICE] = true;
		}
	}
	matcher_free(&m);
}
