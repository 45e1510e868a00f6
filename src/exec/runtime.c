/* Runtimes: what functions are written in. A file of conf.runtimes_dir says how one is built and started; the interpreter is asked for its version in a
 * sandbox, which shows at the same time that sandboxes can be made here and that the interpreter is seen in them. What is not there is not listed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/share.h"
#include "exec/check.h"
#include "exec/image.h"
#include "exec_priv.h"

enum { RUNTIMES_MAX = 64, FILE_MAX = 16 * 1024, SERVER_MAX = 1024 * 1024, ASK_MS = 30 * 1000, FETCH_AGAIN_MS = 60 * 1000, SAID_MAX = 8192, ENV_MAX = 40 };
enum { MIB = 1024 * 1024 };

static struct runtime runtimes[RUNTIMES_MAX];
static struct exec_runtime publics[RUNTIMES_MAX];
static int n_runtimes;
static struct arena *memory;

/* ---- files ---- */

struct entry {			/* what a file says */
	const char *key, *name, *base, *version, *known, *entrypoint, *server, *start, *env, *build, *logo, *overlap, *contract;
};

static const struct {
	const char *name;
	size_t at;
} words[] = {
#define WORD(x) {#x, offsetof(struct entry, x)}
	WORD(key), WORD(name), WORD(base), WORD(version), WORD(known), WORD(entrypoint), WORD(server), WORD(start), WORD(env), WORD(build), WORD(logo), WORD(overlap), WORD(contract),
#undef WORD
};

static bool
runtime_file_line(struct arena *a, struct str line, struct entry *e)
{
	struct str name = str_trim(str_cut(&line, '='));

	if (name.n == 0 || name.p[0] == '#')
		return true;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_is(name, words[i].name)) {
			*(const char **)(void *)((char *)e + words[i].at) = str_dup(a, str_trim(line));
			return true;
		}
	return false;
}

static bool
file_read(const char *path, char *out, size_t size, size_t *n_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, size) : -1;

	if (fd >= 0)
		close(fd);
	*n_out = n > 0 ? (size_t)n : 0;
	return n >= 0 && (size_t)n < size;
}

static enum contract
runtime_contract(const struct entry *e)
{
	return strcmp(e->contract, "v2") == 0 ? CONTRACT_V2 : strcmp(e->contract, "v5") == 0 ? CONTRACT_V5 : CONTRACT_OURS;
}

/* One file of the directory; false, and a line in the log, when it is none of a runtime. */
static bool
runtime_file(struct arena *a, const char *path, struct entry *e)
{
	char *text = arena_alloc(a, FILE_MAX);
	struct str rest, line;
	size_t n;

	*e = (struct entry){.base = "host", .contract = "", .known = "", .env = "", .build = "", .server = "", .logo = "", .overlap = "0", .entrypoint = "", .version = ""};
	if (!file_read(path, text, FILE_MAX, &n)) {
		log_warn(NULL, "a runtime cannot be read", "path=%s error=\"%s\"", path, strerror(errno));
		return false;
	}
	for (rest = (struct str){text, n}; rest.n > 0;) {
		line = str_cut(&rest, '\n');
		if (!runtime_file_line(a, line, e)) {
			log_warn(NULL, "a runtime says what nobody knows", "path=%s line=\"%.*s\"", path, STR_FMT(line));
			return false;
		}
	}
	if (e->key == NULL || e->name == NULL || (e->start == NULL && strcmp(e->contract, "v2") != 0)) {
		log_warn(NULL, "a runtime needs key, name and start", "path=%s", path);
		return false;
	}
	if (e->start == NULL)
		e->start = "";
	if (runtime_contract(e) == CONTRACT_OURS ? e->contract[0] != '\0' : strncmp(e->base, "oci:", 4) != 0) {
		log_warn(NULL, "a contract is v2 or v5, and of an image", "path=%s contract=\"%s\" base=\"%s\"", path, e->contract, e->base);
		return false;
	}
	return true;
}

static int
runtime_files(struct arena *a, struct entry *out)
{
	char dir[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
	struct dirent **names;
	int n, found = 0;

	share_dir(conf.runtimes_dir, "etc/runtimes.d", "node.conf", RUNTIMES_DIR "/runtimes.d", dir, sizeof dir);
	n = scandir(dir, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(names[i]->d_name);

		snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
		if (len > 5 && strcmp(names[i]->d_name + len - 5, ".conf") == 0 && found < RUNTIMES_MAX && runtime_file(a, path, &out[found]))
			found++;
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return found;
}

/* ---- servers ---- */

/* A copy where any user can read it. NULL: there is none. */
static const char *
runtime_server(const char *to, const struct entry *e)
{
	char from[PATH_MAX], path[2 * PATH_MAX];
	char *text, *dir, *copy;
	const char *name = strrchr(e->server, '/');
	size_t n;
	FILE *f;
	bool ok;

	if (e->server[0] == '\0')
		return NULL;
	share_dir("", "contrib/runtimes", "node/server.mjs", RUNTIMES_DIR "/runtimes", from, sizeof from);
	snprintf(path, sizeof path, "%s%s%s", e->server[0] == '/' ? "" : from, e->server[0] == '/' ? "" : "/", e->server);
	dir = arena_printf(memory, "%s/%s", to, e->key);
	copy = arena_printf(memory, "%s/%s", dir, name != NULL ? name + 1 : e->server);
	text = arena_alloc(memory, SERVER_MAX);
	if (!file_read(path, text, SERVER_MAX, &n) || (mkdir(dir, 0755) != 0 && errno != EEXIST) || chmod(dir, 0755) != 0 || (f = fopen(copy, "we")) == NULL) {
		log_warn(NULL, "the server of a runtime is not there", "path=%s", path);
		return NULL;
	}
	ok = fwrite(text, 1, n, f) == n;
	ok = fclose(f) == 0 && ok && chmod(copy, 0644) == 0;
	return ok ? dir : NULL;
}

/* ---- versions ---- */

struct said {
	char text[SAID_MAX];
	size_t n;
};

static void
runtime_said(int fd, struct str piece, void *arg)
{
	struct said *s = arg;
	size_t n = piece.n < sizeof s->text - 1 - s->n ? piece.n : sizeof s->text - 1 - s->n;

	if (fd == 1) {
		memcpy(s->text + s->n, piece.p, n);
		s->n += n;
		s->text[s->n] = '\0';
	}
}

/* All of one root are asked at once: "node v20.1.2", "php PHP 8.2.1 (cli)", each on a line. An image has its own PATH. */
static bool
runtime_ask(struct ctx *cx, const struct entry *v, int n, const struct image *image, struct said *said, const char **why_out)
{
	static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LANG=C.UTF-8", NULL};
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct sandbox_spec spec = {.name = sandbox_name(cx, "versions"), .root = image != NULL ? image->root : NULL, .argv = argv, .env = image != NULL ? image->env : env, .dir = "/tmp", .memory = INT64_C(512) * MIB, .tmp = 16 * MIB,
		.file = 16 * MIB, .processes = 128, .files = 1024, .limit_ms = ASK_MS, .output = runtime_said, .arg = said};
	struct sandbox *s;
	struct sandbox_end end;
	struct buf b;

	buf_init(&b, cx->arena, 1024);
	for (int i = 0; i < n; i++)
		if (v[i].version[0] != '\0' && (image != NULL || strcmp(v[i].base, "host") == 0))
			buf_printf(&b, "{ v=$(%s 2>/dev/null) && echo %s $v; } & ", v[i].version, v[i].key);
	BUF_LIT(&b, "wait");
	argv[2] = buf_view(&b).p;
	if (sandbox_start(cx, &spec, &s) != OK || sandbox_wait(cx, &s, &end) != OK) {
		*why_out = cx->detail != NULL ? cx->detail : "no sandbox can be started";
		return false;
	}
	if (end.why == SANDBOX_EXIT)
		return true;
	*why_out = sandbox_end_text(cx->arena, &spec, &end);
	return false;
}

/* The first number with a dot, or the first number, of the line that begins with the key: "20.1". "": there is none. */
static const char *
runtime_version_of(struct arena *a, const struct said *s, const char *key)
{
	struct str rest = {s->text, s->n};
	size_t n = strlen(key);

	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');
		const char *p = line.p + n, *end = line.p + line.n;
		int major, minor = 0;

		if (line.n <= n || memcmp(line.p, key, n) != 0 || *p != ' ')
			continue;
		for (; p < end && (*p < '0' || *p > '9'); p++)
			;
		if (p < end && sscanf(p, "%d.%d", &major, &minor) >= 1)
			return arena_printf(a, "%d.%d", major, minor);
	}
	return "";
}

/* The name that clients know it by: the same version, or the same major one; else its own. */
static const char *
runtime_known(struct arena *a, const char *version, const char *known)
{
	struct str rest = str_c(known), one;
	const char *best = NULL;

	while ((one = str_cut(&rest, ' ')).p != NULL) {
		if (one.n == 0)
			continue;
		if (str_is(one, version))
			return version;
		if (strchr(version, '.') != NULL && strtol(one.p, NULL, 10) == strtol(version, NULL, 10) && memchr(one.p, '.', one.n) == NULL)
			best = str_dup(a, one);
		else if (one.n > 2 && one.p[one.n - 1] == '0' && one.p[one.n - 2] == '.' && strtol(one.p, NULL, 10) == strtol(version, NULL, 10) && strcmp(known, "") != 0 &&
		    strtol(version, NULL, 10) >= 10)
			best = str_dup(a, one);	/* "20.0" of languages that count major versions only */
	}
	return best != NULL ? best : version;
}

/* ---- the list ---- */

static const char *const *
runtime_env(const struct entry *e, const struct image *image)
{
	const char **v = arena_array(memory, const char *, ENV_MAX);
	struct str rest = str_c(e->env), one;
	int n = 0;

	for (int i = 0; image != NULL && image->env[i] != NULL && n < ENV_MAX / 2; i++)	/* the last one of a name counts: ours but for PATH */
		v[n++] = image->env[i];
	if (n == 0)
		v[n++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	v[n++] = "HOME=/tmp";
	v[n++] = "LANG=C.UTF-8";
	while ((one = str_cut(&rest, ' ')).p != NULL && n < ENV_MAX - 1)
		if (one.n > 0)
			v[n++] = str_dup(memory, one);
	return v;
}

static void
runtime_add(const struct entry *e, const char *version, const char *server, const struct image *image)
{
	const char *known = runtime_known(memory, version, e->known);
	struct runtime *r = &runtimes[n_runtimes];

	r->pub = (struct exec_runtime){.id = arena_printf(memory, "%s-%s", e->key, known), .key = e->key, .name = e->name, .version = known, .base = image != NULL ? image->address : "host", .image = image != NULL ? image->address : "",
		.logo = e->logo[0] != '\0' ? e->logo : arena_printf(memory, "%s.png", e->key), .entrypoint = e->entrypoint};
	r->contract = runtime_contract(e);
	r->image = image;
	r->server = server;
	r->start = e->start;
	r->build = e->build;
	r->env = runtime_env(e, image);
	r->root = image != NULL ? image->root : NULL;
	r->overlap = r->contract == CONTRACT_V2 && atoi(e->overlap) == 0 ? 1 : atoi(e->overlap);	/* they tell outputs of runs at once apart by nothing */
	publics[n_runtimes++] = r->pub;
	log_info(NULL, "a runtime is there", "id=%s version=%s", r->pub.id, version);
}

/* ---- from images ---- */

struct from_image {
	struct entry e;
	const char *dir;	/* for its server */
};

static const char *
runtime_image(const struct entry *e)	/* its address; NULL: it has none */
{
	return strncmp(e->base, "oci:", 4) == 0 ? e->base + 4 : NULL;
}

/* Whether one with a server of its own can run here; false, and a line in the log: it cannot. */
static bool
runtime_speaks(struct ctx *cx, const struct entry *e, const struct image *image)
{
	const char *why = NULL;
	bool shared = false;

	if (!net_on())
		why = "it listens in its network, and there are no networks";
	else if (image->argv[0] == NULL && e->start[0] == '\0')
		why = "it has no command";
	else if ((why = sandbox_layers(cx, &shared)) == NULL && shared && !sandbox_accepted("identity"))
		why = "its functions would be one user outside, for files cannot be shown as another user's here (executor_accept)";
	if (why != NULL)
		log_error(cx, "the image of a runtime cannot be served by its own server", "runtime=%s image=%s reason=\"%s\" advice=\"badal doctor says more\"", e->key, image->address, why);
	else if (shared)
		log_warn(cx, "the functions of an image are one user outside", "runtime=%s image=%s advice=\"badal doctor says more\"", e->key, image->address);
	return why == NULL;
}

/* Fetches the image, however often that fails, and then it is one of the others. What it has of a server of its own is not asked, unless that is to serve. */
static void
runtime_fetch(struct ctx *cx, void *arg)
{
	const struct from_image *f = arg;
	const struct image_settings settings = image_configured(arena_printf(cx->arena, "%.*s", (int)(strrchr(f->dir, '/') - f->dir), f->dir));	/* the executor's own */
	const char *version, *server, *why = "";
	const struct image *image;
	struct said said = {.n = 0};

	while (image_open(cx, &settings, runtime_image(&f->e), &image) != OK) {
		log_error(cx, "the image of a runtime cannot be had", "runtime=%s image=%s reason=\"%s\"", f->e.key, runtime_image(&f->e), cx->detail != NULL ? cx->detail : "");
		if (fib_sleep(cx, FETCH_AGAIN_MS) != OK)
			return;
	}
	if (runtime_contract(&f->e) != CONTRACT_OURS && !runtime_speaks(cx, &f->e, image))
		return;
	if (!runtime_ask(cx, &f->e, 1, image, &said, &why))
		log_error(cx, "the image of a runtime does not run", "runtime=%s image=%s reason=\"%s\"", f->e.key, image->address, why);
	else if ((version = runtime_version_of(memory, &said, f->e.key))[0] == '\0')
		log_error(cx, "the image of a runtime has no such interpreter", "runtime=%s image=%s command=\"%s\"", f->e.key, image->address, f->e.version);
	else if (((server = runtime_server(f->dir, &f->e)) != NULL || f->e.server[0] == '\0') && n_runtimes < RUNTIMES_MAX)
		runtime_add(&f->e, version, server, image);
}

bool
runtimes_read(struct ctx *cx, const char *dir, const char **why_out)
{
	struct entry *v;
	struct said said = {.n = 0};
	int n;

	memory = arena_new();
	v = arena_array(memory, struct entry, RUNTIMES_MAX);
	n = runtime_files(memory, v);
	if (!runtime_ask(cx, v, n, NULL, &said, why_out))
		return false;
	for (int i = 0; i < n; i++) {
		const char *version = strcmp(v[i].base, "host") == 0 ? runtime_version_of(memory, &said, v[i].key) : "", *server;

		if (runtime_image(&v[i]) != NULL) {	/* it comes when it is there */
			struct from_image *f = arena_alloc(memory, sizeof *f);

			*f = (struct from_image){v[i], arena_strdup(memory, dir)};
			fib_spawn_new("image", 0, runtime_fetch, f);
		}
		if (version[0] != '\0' && ((server = runtime_server(dir, &v[i])) != NULL || v[i].server[0] == '\0'))
			runtime_add(&v[i], version, server, NULL);
	}
	return true;
}

const struct runtime *
runtime_named(const char *id)
{
	const struct exec_runtime *p = exec_runtime_named(publics, n_runtimes, id);

	return p != NULL ? &runtimes[p - publics] : NULL;
}

const struct exec_runtime *
runtimes_public(int *n_out)
{
	*n_out = n_runtimes;
	return publics;
}
