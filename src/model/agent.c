/* User agents, by the rows of include/tbl/agents.h. The text is a stranger's: it is cut to a bounded length, and what is taken from it
 * goes out as JSON text. */
#include "agent_priv.h"

#include <ctype.h>
#include <strings.h>

enum { AGENT_MAX = 2048, MODEL_MAX = 64, OS_DESKTOP = 1, OS_APPLE = 2, OS_MODEL = 4, OS_BROAD = 8 };

static const struct os {
	const char *text, *code, *name, *version;
	unsigned flags;
} systems[] = {
#define AGENT_OS(...) {__VA_ARGS__},
#include "tbl/agents.h"
};

static const struct client {
	const char *text, *also, *version, *type, *code, *name, *engine;
} clients[] = {
#define AGENT_CLIENT(...) {__VA_ARGS__},
#include "tbl/agents.h"
};

static const struct engine {
	const char *name, *texts;
} engines[] = {
#define AGENT_ENGINE(...) {__VA_ARGS__},
#include "tbl/agents.h"
};

static const struct brand {
	const char *prefix, *brand;
} brands[] = {
#define AGENT_BRAND(...) {__VA_ARGS__},
#include "tbl/agents.h"
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* The number at p: digits and separators, with '_' as '.'; at most `parts` parts, 0: all. */
static const char *
number_at(struct arena *a, const char *p, int parts)
{
	struct buf b;

	buf_init(&b, a, 16);
	for (; isdigit((unsigned char)*p) || ((*p == '.' || *p == '_') && isdigit((unsigned char)p[1])); p++) {
		if (!isdigit((unsigned char)*p) && parts > 0 && --parts == 0)
			break;
		buf_ch(&b, *p == '_' ? '.' : *p);
	}
	return buf_view(&b).p;
}

/* The number after the first of the '|'-separated texts that has one; "" for none. */
static const char *
agent_number_after(struct arena *a, const char *ua, const char *texts, int parts)
{
	struct str rest = str_c(texts);

	while (rest.p != NULL) {
		const char *text = str_dup(a, str_cut(&rest, '|')), *at = strstr(ua, text);

		if (at != NULL && isdigit((unsigned char)at[strlen(text)]))
			return number_at(a, at + strlen(text), parts);
	}
	return "";
}

static const struct os *
set_os(struct arena *a, const char *ua, struct agent *g)
{
	for (size_t i = 0; i < COUNT(systems); i++) {
		const struct os *o = &systems[i];

		if (strstr(ua, o->text) == NULL)
			continue;
		g->os_code = o->code;
		g->os_name = o->name;
		if (o->version != NULL)
			g->os_version = o->version[0] == '=' ? o->version + 1 : agent_number_after(a, ua, o->version, 2);
		return o;
	}
	return NULL;
}

static void
set_engine(struct arena *a, const char *ua, const char *name, struct agent *g)
{
	for (size_t i = 0; i < COUNT(engines); i++)
		if (strcmp(engines[i].name, name) == 0) {
			g->client_engine = name;
			g->client_engine_version = agent_number_after(a, ua, engines[i].texts, 0);
		}
}

/* The command line tool names itself in its first word. */
static bool
set_cli(struct arena *a, const char *ua, struct agent *g)
{
	struct str rest = str_c(ua), word;

	if (strstr(ua, "AppwriteCLI") == NULL)
		return false;
	word = str_cut(&rest, ' ');
	(void)str_cut(&word, '/');
	g->client_type = "desktop";
	g->client_code = "cli";
	g->client_name = "Appwrite CLI";
	g->client_version = word.p ? str_dup(a, word) : "";
	return true;
}

/* True when a row says something, or says that nothing is to be said. */
static bool
set_client(struct arena *a, const char *ua, struct agent *g)
{
	for (size_t i = 0; i < COUNT(clients); i++) {
		const struct client *c = &clients[i];

		if (strstr(ua, c->text) == NULL || (c->also != NULL && strstr(ua, c->also) == NULL))
			continue;
		g->client_type = c->type;
		g->client_code = c->code;
		g->client_name = c->name;
		if (c->version != NULL)
			g->client_version = agent_number_after(a, ua, c->version, 2);
		if (c->engine != NULL)
			set_engine(a, ua, c->engine, g);
		return true;
	}
	return false;
}

/* How much comes before the ')' that closes what is open; a model may have its own: "moto g(7)". */
static size_t
until_closed(struct str s)
{
	int open = 0;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '(')
			open++;
		else if (s.p[i] == ')' && open-- == 0)
			return i;
	return s.n;
}

/* "Android 12; Pixel 6 Build/…)" or "Android 12; Pixel 6)": the part after the version. Firefox says only Mobile or Tablet there. */
static struct str
android_model(const char *ua)
{
	struct str inside = str_c(strstr(ua, "Android")), model;

	if (inside.p == NULL)
		return STR_NONE;
	inside.n = until_closed(inside);
	(void)str_cut(&inside, ';');
	model = str_trim(str_cut(&inside, ';'));
	if (model.n == 2 || (model.n == 5 && model.p[2] == '-'))	/* a language, in old ones */
		model = str_trim(str_cut(&inside, ';'));
	for (size_t i = 0; i + 6 < model.n; i++)
		if (memcmp(model.p + i, " Build", 6) == 0)
			model.n = i;
	if (model.n == 0 || model.n > MODEL_MAX || str_is(model, "Mobile") || str_is(model, "Tablet") || str_is(model, "K") || str_is(model, "wv"))
		return STR_NONE;
	return model;
}

static void
set_android(struct arena *a, const char *ua, struct agent *g)
{
	struct str model = android_model(ua);

	g->device_name = strstr(ua, "Mobile") ? "smartphone" : strstr(ua, "TV") ? "tv" : "tablet";
	if (model.p == NULL)
		return;
	for (size_t i = 0; i < COUNT(brands); i++)
		if (str_starts(model, brands[i].prefix)) {
			g->device_brand = brands[i].brand;
			g->device_model = str_dup(a, model);
			return;
		}
}

static void
set_apple(const char *ua, struct agent *g)
{
	static const struct { const char *text, *kind, *model; } devices[] = {
	    {"iPad", "tablet", "iPad"}, {"iPhone", "smartphone", "iPhone"}, {"iPod", "portable media player", "iPod Touch"},
	    {"AppleTV", "tv", "Apple TV"}, {"Apple TV", "tv", "Apple TV"}, {"atch", "wearable", ""}};

	g->device_brand = "Apple";
	for (size_t i = 0; i < COUNT(devices); i++)
		if (strstr(ua, devices[i].text) != NULL) {
			g->device_name = devices[i].kind;
			g->device_model = devices[i].model;
			return;
		}
}

/* ---- what a rule set adds ---- */

static const char *
agent_known(struct arena *a, const char *text)
{
	return text[0] != '\0' ? arena_strdup(a, text) : "";
}

static const struct os *
os_named(const char *name)
{
	for (size_t i = 0; i < COUNT(systems); i++)
		if (strcasecmp(systems[i].name, name) == 0)
			return &systems[i];
	return NULL;
}

/* A system that the table does not know, or only its family. The flags of what it is then. */
static unsigned
add_os(struct arena *a, const char *ua, const struct found *f, const struct os *o, struct agent *g)
{
	const struct os *named = os_named(f->os_name);

	if (f->os_name[0] == '\0' || (o != NULL && (!(o->flags & OS_BROAD) || strcasecmp(f->os_name, o->name) == 0)))
		return o ? o->flags : 0;
	g->os_code = named ? named->code : "";
	g->os_name = named ? named->name : agent_known(a, f->os_name);
	g->os_version = agent_known(a, f->os_version);
	if (named != NULL)
		return named->flags;
	return strstr(ua, "X11") ? OS_DESKTOP : o ? o->flags & OS_MODEL : 0;
}

static const struct client *
client_named(const char *name)
{
	for (size_t i = 0; i < COUNT(clients); i++)
		if (strcasecmp(clients[i].name, name) == 0)
			return &clients[i];
	return NULL;
}

/* Rules of apps come before browsers; a browser that only the rules know is one built on what the table saw. */
static bool
client_better(const struct found *f, bool seen, const struct agent *g)
{
	if (f->client_name[0] == '\0' || strcmp(g->client_code, "cli") == 0)
		return false;
	if (!seen)
		return true;
	if (strcmp(f->client_type, "library") == 0 || strcmp(g->client_type, "library") == 0)
		return false;
	return strcmp(f->client_type, "browser") != 0 || client_named(f->client_name) == NULL;
}

static void
add_client(struct arena *a, const char *ua, const struct found *f, bool seen, struct agent *g)
{
	const struct client *named = client_named(f->client_name);

	if (!client_better(f, seen, g))
		return;
	g->client_type = f->client_type;
	g->client_code = named && strcmp(f->client_type, "browser") == 0 ? named->code : "";
	g->client_name = agent_known(a, f->client_name);
	g->client_version = agent_known(a, f->client_version);
	if (strcmp(f->client_type, "browser") == 0 && f->client_engine[0] == '\0')
		return;		/* that of the browser that it is built on */
	g->client_engine = agent_known(a, f->client_engine);
	g->client_engine_version = "";
	set_engine(a, ua, g->client_engine, g);
}

/* What runs Apple's systems is Apple's, whatever its text reminds of. Rules older than a model know its line alone ("Moto G"): then what
 * the text says is more exact. */
static void
add_device(struct arena *a, const struct found *f, unsigned flags, struct agent *g)
{
	if ((flags & OS_APPLE) && f->device_brand[0] != '\0' && strcmp(f->device_brand, "Apple") != 0)
		return;
	if (f->device_name[0] != '\0')
		g->device_name = agent_known(a, f->device_name);
	if (f->device_brand[0] == '\0')
		return;
	if (strcmp(f->device_brand, g->device_brand) != 0 || strncasecmp(g->device_model, f->device_model, strlen(f->device_model)) != 0)
		g->device_model = agent_known(a, f->device_model);
	g->device_brand = agent_known(a, f->device_brand);
}

struct agent
agent_read(struct arena *a, struct str user_agent, const struct found *f)
{
	struct agent g = {"", "", "", "", "", "", "", "", "", "", "", ""};
	const char *ua;
	const struct os *o;
	unsigned flags;
	bool seen;

	ua = str_dup(a, str_head(user_agent, AGENT_MAX));
	o = set_os(a, ua, &g);
	flags = f ? add_os(a, ua, f, o, &g) : o ? o->flags : 0;
	seen = set_cli(a, ua, &g) || set_client(a, ua, &g);
	if (f != NULL)
		add_client(a, ua, f, seen, &g);
	if (flags & OS_APPLE)
		set_apple(ua, &g);
	if (flags & OS_MODEL)
		set_android(a, ua, &g);
	if (f != NULL)
		add_device(a, f, flags, &g);
	if ((flags & OS_DESKTOP) && g.device_name[0] == '\0' && strcmp(g.client_type, "browser") == 0)
		g.device_name = "desktop";
	return g;
}
