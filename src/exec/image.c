/* Images. An image is a directory of `images`, named after its address: `digest`, `config.json` and `rootfs`. It comes there by a rename, so it is there or not.
 *
 * What registries and archives say is a stranger's: skopeo, which shares this machine's network, for registries are where operators have them, and umoci, which has
 * none, run in sandboxes that see one new directory. What they leave is read as a stranger's file, too. */
#include "exec/image.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/json.h"
#include "core/log.h"
#include "exec/sandbox.h"
#include "io/child.h"
#include "programs.h"

enum { ADDRESS_MAX = 300, SAID_MAX = 1024 * 1024, ERROR_MAX = 600, CONFIG_MAX = 1024 * 1024, WAIT_MS = 100, MIB = 1024 * 1024, TOOL_MEMORY = 768 * MIB, TOOL_TMP = 64 * MIB,
	TOOL_PROCESSES = 256, TOOL_FILES = 1024, TEXTS_MAX = 1000 };

static struct arena *memory;	/* of the images that are there */
static struct known {
	struct image image;
	struct known *next;
} *known;
static struct fetching {
	const char *address;
	struct fetching *next;
} *fetchings;
static bool swept;

/* ---- what is asked for ---- */

struct image_settings
image_configured(const char *dir)
{
	return (struct image_settings){.dir = dir, .auth = conf.executor_registry_auth, .plain = conf.executor_registry_plain, .bytes_max = conf.executor_image_max,
		.files_max = conf.executor_image_files, .limit_ms = (uint64_t)conf.executor_image_timeout};
}

static const char *const skopeo[] = {"/usr/bin/skopeo", "/usr/local/bin/skopeo", NULL}, *const umoci[] = {"/usr/bin/umoci", "/usr/local/bin/umoci", NULL};

const char *
image_missing(void)
{
	bool s = program_first(skopeo) == NULL, u = program_first(umoci) == NULL;

	return s && u ? "skopeo, umoci" : s ? "skopeo" : u ? "umoci" : "";
}

bool
image_address_fine(const char *address)
{
	size_t n = strlen(address);

	return n > 0 && n <= ADDRESS_MAX && isalnum((unsigned char)address[0]) && strspn(address, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@+") == n &&
	    strstr(address, "//") == NULL && strstr(address, "..") == NULL;
}

/* Its directory: the address with nothing in it that a path may not have, and a hash, for two may look alike then. */
static const char *
image_place(struct arena *a, const struct image_settings *s, const char *address)
{
	char *name = arena_printf(a, "%.150s", address);
	uint64_t h = 14695981039346656037ULL;

	for (const char *p = address; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ULL;
	for (char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
			*p = '_';
	return arena_printf(a, "%s/images/%s-%016llx", s->dir, name, (unsigned long long)h);
}

static bool
image_is_plain(const struct image_settings *s, const char *address)
{
	struct str rest = str_c(s->plain);
	const char *slash = strchr(address, '/');

	while (rest.n > 0 && slash != NULL) {
		struct str one = str_trim(str_cut(&rest, ' '));

		if (one.n > 0 && str_eq(one, (struct str){address, (size_t)(slash - address)}))
			return true;
	}
	return false;
}

/* ---- what is there ---- */

/* A file that may be anything: NULL when it is no file, too long, or a link. */
static char *
image_file(struct arena *a, const char *path, size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = NULL;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size < most) {
		text = arena_alloc(a, (size_t)st.st_size + 1);
		text[read(fd, text, (size_t)st.st_size) == st.st_size ? st.st_size : 0] = '\0';
	}
	if (fd >= 0)
		close(fd);
	return text;
}

static const char *const *
image_texts(const json_t *list)
{
	size_t n = json_array_size(list);
	const char **v;

	if (n > TEXTS_MAX)
		n = TEXTS_MAX;
	v = arena_alloc(memory, (n + 1) * sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = str_dup(memory, json_str(json_array_get(list, i)));
	v[n] = NULL;
	return v;
}

/* Reads one that is in its place, and keeps it. */
static const struct image *
image_load(struct ctx *cx, const char *place, const char *address)
{
	char *digest = image_file(cx->arena, arena_printf(cx->arena, "%s/digest", place), 200);
	char *text = image_file(cx->arena, arena_printf(cx->arena, "%s/config.json", place), CONFIG_MAX);
	json_t *j = digest != NULL && text != NULL ? json_parse_outside(cx, str_c(text), NULL) : NULL, *process = json_object_get(j, "process");
	struct known *k;

	if (!json_is_object(process))
		return NULL;
	if (memory == NULL)
		memory = arena_new();
	k = arena_alloc(memory, sizeof *k);
	*k = (struct known){{.address = str_dup(memory, str_c(address)), .digest = str_dup(memory, str_trim(str_c(digest))), .root = arena_printf(memory, "%s/rootfs", place),
		.argv = image_texts(json_object_get(process, "args")), .env = image_texts(json_object_get(process, "env")), .dir = str_dup(memory, json_str(json_object_get(process, "cwd")))}, known};
	if (k->image.dir == NULL || k->image.dir[0] != '/')
		k->image.dir = "/";
	known = k;
	return &k->image;
}

const struct image *
image_there(struct ctx *cx, const struct image_settings *s, const char *address)
{
	for (struct known *k = known; k != NULL; k = k->next)
		if (strcmp(k->image.address, address) == 0)
			return &k->image;
	return image_load(cx, image_place(cx->arena, s, address), address);
}

/* ---- programs in sandboxes ---- */

struct tool {			/* one, and what it says */
	struct buf out;
	size_t n_err;
	char err[ERROR_MAX];
};

static void
tool_output(int fd, struct str piece, void *arg)
{
	struct tool *t = arg;

	if (fd == 1 && t->out.n + piece.n <= SAID_MAX)
		buf_str(&t->out, piece);
	if (fd == 2) {		/* the end is what matters */
		size_t keep = piece.n >= sizeof t->err - 1 ? 0 : t->n_err + piece.n < sizeof t->err ? t->n_err : sizeof t->err - 1 - piece.n;

		memmove(t->err, t->err + t->n_err - keep, keep);
		if (piece.n > sizeof t->err - 1)
			piece = (struct str){piece.p + piece.n - (sizeof t->err - 1), sizeof t->err - 1};
		memcpy(t->err + keep, piece.p, piece.n);
		t->n_err = keep + piece.n;
	}
}

/* The last line of what it said, as a reason; of skopeo's lines the message. */
static const char *
tool_reason(struct ctx *cx, struct tool *t)
{
	struct str s = {t->err, t->n_err};
	char *text, *said;

	while (s.n > 0 && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == '\n') {
			s = (struct str){s.p + i, s.n - i};
			break;
		}
	text = str_text(cx->arena, str_trim(s));
	for (char *p = text; *p != '\0'; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			*p = '\'';
	said = strstr(text, " msg='");
	return strstr(text, "file too large") != NULL ? "it has more than executor_image_max" : said != NULL ? said + strlen(" msg=") : text;
}

/* Runs one with `work` as its /w. Awaits. ERR_SANDBOX with what it said. */
static err_t
tool_run(struct ctx *cx, const struct image_settings *s, const char *work, bool net, const char *const *argv, struct tool *t)
{
	static unsigned n;
	static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/w/tmp", "LC_ALL=C.UTF-8", NULL};
	const struct sandbox_mount mount = {work, "/w", true};
	const struct sandbox_spec spec = {.name = arena_printf(cx->arena, "image-%d-%u", (int)getpid(), n++), .mounts = &mount, .n_mounts = 1, .argv = argv, .env = env, .dir = "/w",
		.memory = TOOL_MEMORY, .tmp = TOOL_TMP, .file = s->bytes_max, .processes = TOOL_PROCESSES, .files = TOOL_FILES, .limit_ms = s->limit_ms, .machine_net = net,
		.output = tool_output, .arg = t};
	struct sandbox *box;
	struct sandbox_end end;

	buf_init(&t->out, cx->arena, 4096);
	t->n_err = 0;
	TRY(sandbox_start(cx, &spec, &box));
	TRY(sandbox_wait(cx, &box, &end));
	if (end.why == SANDBOX_EXIT && end.number == 0)
		return OK;
	if (end.why == SANDBOX_EXIT && t->n_err > 0)
		return fail(cx, ERR_SANDBOX, "%s", tool_reason(cx, t));
	return fail(cx, ERR_SANDBOX, "%s %s", argv[0], sandbox_end_text(cx->arena, &spec, &end));
}

static void
image_on_removed(struct child *c, int status, void *arg)
{
	(void)c;
	(void)status;
	fib_signal(arg);
}

/* Files, whatever their modes are. Awaits. */
static void
image_remove(struct ctx *cx, const char *pattern)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	const char *const argv[] = {"sh", "-c", "for d in $0; do chmod -R u+rwX \"$d\" && rm -rf \"$d\"; done", pattern, NULL};
	struct fib_event done = {0};
	const struct child_spec c = {.program = "/bin/sh", .argv = argv, .env = env, .end = image_on_removed, .arg = &done};

	if (child_start(&c) == NULL)
		return;
	fib_shield(cx, true);
	cx->deadline = 0;
	if (fib_await(cx, &done) != OK)
		abort();	/* it ends, and nothing else can end the wait */
	fib_shield(cx, false);
}

/* ---- fetching ---- */

/* "name:tag@digest" without what says which of its images. */
static const char *
image_repository(struct arena *a, const char *address)
{
	char *name = arena_printf(a, "%s", address), *at = strchr(name, '@'), *slash, *colon;

	if (at != NULL)
		*at = '\0';
	slash = strrchr(name, '/');
	colon = strrchr(slash != NULL ? slash : name, ':');
	if (colon != NULL)
		*colon = '\0';
	return name;
}

static err_t
image_digest(struct ctx *cx, const struct image_settings *s, const char *work, const char *address, const char *verify, const char *auth, const char **out)
{
	const char *const argv[] = {"skopeo", "inspect", verify, "--no-tags", arena_printf(cx->arena, "docker://%s", address), auth, NULL};
	struct tool t = {.n_err = 0};
	struct str digest;

	TRY(tool_run(cx, s, work, true, argv, &t));
	digest = json_str(json_object_get(json_parse_outside(cx, buf_view(&t.out), NULL), "Digest"));
	if (digest.n < 40 || digest.n > 150 || !str_starts(digest, "sha"))
		return fail(cx, ERR_SANDBOX, "the registry does not say what it has");
	*out = str_dup(cx->arena, digest);
	return OK;
}

/* What begins both: "watched COMMAND…" is killed when it has written more than the image may have. */
static const char watched[] =
    "much() { set -- $(du -sk /w 2>/dev/null); [ \"${1:-0}\" -gt \"$KIB\" ] && { echo \"it has more than $KIB KiB (executor_image_max)\" >&2; return; }\n"
    "	set -- $(du -s --inodes /w 2>/dev/null); [ \"${1:-0}\" -gt \"$FILES\" ] && echo \"it has more than $FILES files (executor_image_files)\" >&2; }\n"
    "watched() { \"$@\" & p=$!\n"
    "	while kill -0 $p 2>/dev/null; do sleep 0.1; much && { kill -9 $p; exit 9; }; done\n"
    "	wait $p || exit; if much; then exit 9; fi; }\n";

/* Then modes that let the user of a sandbox read what root could, nothing that gives rights, and places for what sandboxes are shown. */
static const char unpack[] =
    "watched umoci unpack --rootless --image /w/oci:image /w/out/bundle\n"
    "cd /w/out/bundle/rootfs || exit\n"
    "find . -type p -delete -o -type s -delete\n"
    "chmod -R u+rwX,go+rX,go-w,ug-s . || exit\n"
    "for d in proc dev tmp etc run run/badal code out runtime mnt mnt/code mnt/logs usr usr/code; do [ -d $d ] && [ ! -L $d ] || { rm -rf $d; mkdir $d; } || exit; done\n"
    "for f in .init etc/resolv.conf etc/hosts etc/passwd etc/group etc/nsswitch.conf; do [ -f $f ] && [ ! -L $f ] || { rm -rf $f; : >$f; }; done\n"
    "chmod 0755 . ..\n";

/* `args`: those of the script, $1 and on. */
static err_t
image_script(struct ctx *cx, const struct image_settings *s, const char *work, bool net, const char *script, const char *const args[4])
{
	const char *text = arena_printf(cx->arena, "KIB=%lld FILES=%lld\n%s%s", (long long)(s->bytes_max / 1024), (long long)s->files_max, watched, script);
	const char *const argv[] = {"sh", "-c", text, "image", args[0], args[1], args[2], args[3], NULL};
	struct tool t = {.n_err = 0};

	return tool_run(cx, s, work, net, argv, &t);
}

static bool
image_dir(const char *path, mode_t mode)
{
	return (mkdir(path, mode) == 0 || errno == EEXIST) && chmod(path, mode) == 0;
}

/* The sign-ins, where skopeo can read them: in a directory that nobody can list, while it works. */
static const char *
image_auth(struct ctx *cx, const struct image_settings *s, const char *work)
{
	char *text = *s->auth != '\0' ? image_file(cx->arena, s->auth, CONFIG_MAX) : NULL;
	const char *path = arena_printf(cx->arena, "%s/auth.json", work);
	FILE *f = text != NULL ? fopen(path, "we") : NULL;

	if (f == NULL)
		return NULL;
	fputs(text, f);
	return fclose(f) == 0 && chmod(path, 0444) == 0 ? "--authfile=/w/auth.json" : NULL;
}

static err_t
image_into(struct ctx *cx, const struct image_settings *s, const char *address, const char *work, const char *place)
{
	const char *verify = image_is_plain(s, address) ? "--tls-verify=false" : "--tls-verify=true", *auth = image_auth(cx, s, work);
	const char *bundle = arena_printf(cx->arena, "%s/out/bundle", work), *file = arena_printf(cx->arena, "%s/digest", bundle), *digest = NULL;
	const char *copy[4] = {NULL, image_is_plain(s, address) ? "--src-tls-verify=false" : "--src-tls-verify=true", auth != NULL ? "--src-authfile=/w/auth.json" : NULL, NULL};
	FILE *f;

	TRY(image_digest(cx, s, work, address, verify, auth, &digest));
	copy[0] = arena_printf(cx->arena, "docker://%s@%s", image_repository(cx->arena, address), digest);
	TRY(image_script(cx, s, work, true, "from=$1; shift; watched skopeo --insecure-policy copy --quiet \"$@\" \"$from\" oci:/w/oci:image", copy));
	if (auth != NULL)
		unlink(arena_printf(cx->arena, "%s/auth.json", work));
	TRY(image_script(cx, s, work, false, unpack, (const char *const[4]){NULL}));
	if ((f = fopen(file, "wxe")) == NULL || fprintf(f, "%s", digest) < 0 || fclose(f) != 0 || rename(bundle, place) != 0)
		return fail(cx, ERR_SANDBOX, "%s: %s", file, strerror(errno));
	return OK;
}

static err_t
image_fetch(struct ctx *cx, const struct image_settings *s, const char *address)
{
	const char *images = arena_printf(cx->arena, "%s/images", s->dir), *place = image_place(cx->arena, s, address);
	char *work = arena_printf(cx->arena, "%s/.new-XXXXXX", images);
	err_t e;

	if (!image_dir(images, 0711))
		return fail(cx, ERR_SANDBOX, "%s: %s", images, strerror(errno));
	if (!swept)		/* what a crash has left */
		image_remove(cx, arena_printf(cx->arena, "%s/.new-*", images));
	swept = true;
	if (mkdtemp(work) == NULL)
		return fail(cx, ERR_SANDBOX, "%s: %s", work, strerror(errno));
	for (const char *const *d = (const char *const[]){"oci", "out", "tmp", NULL}; *d != NULL; d++)
		if (!image_dir(arena_printf(cx->arena, "%s/%s", work, *d), 0777))
			return fail(cx, ERR_SANDBOX, "%s: %s", work, strerror(errno));
	e = chmod(work, 0711) == 0 ? image_into(cx, s, address, work, place) : fail(cx, ERR_SANDBOX, "%s: %s", work, strerror(errno));
	image_remove(cx, work);
	if (e == OK)
		log_info(cx, "an image was fetched", "image=%s", address);
	return e;
}

static bool
image_fetching(const char *address)
{
	for (struct fetching *f = fetchings; f != NULL; f = f->next)
		if (strcmp(f->address, address) == 0)
			return true;
	return false;
}

err_t
image_open(struct ctx *cx, const struct image_settings *s, const char *address, const struct image **out)
{
	struct fetching mine = {address, NULL}, **at;
	err_t e = OK;

	if (!image_address_fine(address))
		return fail(cx, ERR_SANDBOX, "image=%.100s is no address of an image", address);
	while (image_fetching(address))
		TRY(fib_sleep(cx, WAIT_MS));
	if ((*out = image_there(cx, s, address)) != NULL)
		return OK;
	if (*image_missing() != '\0')
		return fail(cx, ERR_SANDBOX, "image=%s cannot be fetched: %s not installed", address, image_missing());
	mine.next = fetchings;
	fetchings = &mine;
	e = image_fetch(cx, s, address);
	for (at = &fetchings; *at != &mine;)
		at = &(*at)->next;
	*at = mine.next;
	if (e == OK && (*out = image_load(cx, image_place(cx->arena, s, address), address)) == NULL)
		return fail(cx, ERR_SANDBOX, "image=%s has no configuration", address);
	return e;
}
