/* Runs a command in a sandbox, for tests: box DIR INIT NAME=value… -- command…
 *
 * Names: memory, tmp, file, processes, files, limit_ms, cpus, dir, root, ro and rw (a path that is shown), env (NAME=value), layer (its root can be written to; SHARED in its environment says
 * whether those of one root are one user), most (bytes of output that are
 * printed); way, pool, allow, dns and api of its network, bridge (a unix socket for its port 3000), nets (how many networks are made); image, plain, auth, bytes and count
 * (image_settings), of which come root, environment, directory and, for a command of "-", the command. The address of the API is in its environment as API. What the command writes goes to our outputs, and how it ended to descriptor 3, as one line of JSON. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "exec/image.h"
#include "exec/sandbox.h"

enum { LIST_MAX = 32 };

static size_t most = 100000, written[3];

static void
box_output(int fd, struct str piece, void *arg)
{
	(void)arg;
	written[fd] += piece.n;
	if (written[fd] <= most) {
		fwrite(piece.p, 1, piece.n, fd == 1 ? stdout : stderr);
		fflush(fd == 1 ? stdout : stderr);
	}
}

static struct sandbox_mount mounts[LIST_MAX];
static const char *env[LIST_MAX] = {"PATH=/usr/local/bin:/usr/bin:/bin"};
static struct sandbox_spec spec = {.name = "box", .dir = "/tmp", .memory = 128 << 20, .tmp = 32 << 20, .file = 16 << 20, .processes = 64, .files = 256, .limit_ms = 20000,
	.mounts = mounts, .env = env, .output = box_output};
static int n_env = 1, status, n_nets = 1;
static struct net_settings net = {.way = "", .pool = "198.19.0.0/16", .allow = "", .dns = "", .api = ""};
static const char *bridge, *image;
static struct image_settings images = {.auth = "", .plain = "", .bytes_max = 200 << 20, .files_max = 10000, .limit_ms = 60000};

static err_t
box_image(struct ctx *cx)
{
	const struct image *i;

	TRY(image_open(cx, &images, image, &i));
	spec.root = i->root;
	spec.dir = i->dir;
	for (int n = 0; i->env[n] != NULL && n_env < LIST_MAX - 4; n++)
		env[n_env++] = i->env[n];
	if (strcmp(spec.argv[0], "-") == 0)
		spec.argv = i->argv;
	dprintf(3, "{\"digest\":\"%s\",\"root\":\"%s\"}\n", i->digest, i->root);
	return OK;
}

static err_t
box_layer(struct ctx *cx)
{
	bool shared;
	const char *why = sandbox_layers(cx, &shared);

	if (why != NULL)
		return fail(cx, ERR_SANDBOX, "%s", why);
	env[n_env++] = shared ? "SHARED=yes" : "SHARED=no";
	return OK;
}

/* A network for the sandbox, and what else is asked for. */
static err_t
box_net(struct ctx *cx, struct net **out)
{
	const char *why;

	if (net_setup(cx, &net, &why) == NULL)
		return fail(cx, ERR_SANDBOX, "%s", why);
	for (int i = 1; i < n_nets; i++)
		TRY(net_open(cx, out));
	TRY(net_open(cx, out));
	if (bridge != NULL)
		TRY(net_bridge(cx, *out, bridge, 3000));
	env[n_env++] = arena_printf(cx->arena, "API=%s", net_api());
	env[n_env++] = arena_printf(cx->arena, "ADDRESS=%s", net_address(*out));
	spec.net = *out;
	return OK;
}

static void
box_run(struct ctx *cx, void *arg)
{
	static const char *const whys[] = {"exit", "signal", "no command", "time", "memory", "killed", "broken"};
	struct sandbox *s;
	struct sandbox_end end;
	struct net *n = NULL;
	err_t e = *net.way != '\0' ? box_net(cx, &n) : OK;

	(void)arg;
	if (e == OK && image != NULL)
		e = box_image(cx);
	if (e == OK && spec.layer)
		e = box_layer(cx);
	if (e == OK)
		e = sandbox_start(cx, &spec, &s);
	if (e == OK)
		e = sandbox_wait(cx, &s, &end);
	net_free(&n);
	net_fini();
	net_ended(cx);
	fflush(stdout);
	if (e == OK)
		dprintf(3, "{\"why\":\"%s\",\"number\":%d,\"text\":\"%s\",\"out\":%zu,\"err\":%zu}\n", whys[end.why], end.number,
		    sandbox_end_text(cx->arena, &spec, &end), written[1], written[2]);
	else {
		char *why = arena_printf(cx->arena, "%s", cx->detail ? cx->detail : "error");

		for (char *p = why; *p != '\0'; p++)
			*p = *p == '"' ? '\'' : *p;
		dprintf(3, "{\"why\":\"%s\"}\n", why);
	}
	status = e == OK ? 0 : 1;
	loop_stop();
}

static bool
box_set(const char *name, char *value)
{
	static const struct { const char *name; int64_t *at; } numbers[] = {{"memory", &spec.memory}, {"tmp", &spec.tmp}, {"file", &spec.file},
		{"processes", &spec.processes}, {"files", &spec.files}, {"limit_ms", (int64_t *)&spec.limit_ms}, {"most", (int64_t *)&most}, {"bytes", &images.bytes_max}, {"count", &images.files_max}};
	static const struct { const char *name; const char **at; } texts[] = {{"way", &net.way}, {"pool", &net.pool}, {"allow", &net.allow}, {"dns", &net.dns}, {"api", &net.api},
		{"dir", &spec.dir}, {"name", &spec.name}, {"root", &spec.root}, {"bridge", &bridge}, {"image", &image}, {"plain", &images.plain}, {"auth", &images.auth}};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strcmp(name, texts[i].name) == 0)
			return (*texts[i].at = value) != NULL;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(name, numbers[i].name) == 0)
			return (*numbers[i].at = atoll(value)) >= 0;
	if (strcmp(name, "cpus") == 0)
		spec.cpus = atof(value);
	else if (strcmp(name, "layer") == 0)
		spec.layer = true;
	else if (strcmp(name, "nets") == 0)
		n_nets = atoi(value);
	else if (strcmp(name, "env") == 0)
		env[n_env++] = value;
	else if (strcmp(name, "ro") == 0 || strcmp(name, "rw") == 0) {
		char *to = strchr(value, ':');	/* "/outside" or "/outside:/inside" */

		if (to != NULL)
			*to++ = '\0';
		mounts[spec.n_mounts++] = (struct sandbox_mount){value, to != NULL ? to : value, name[1] == 'w'};
	} else
		return false;
	return true;
}

int
main(int argc, char **argv)
{
	const char *why, *missing;
	char program[PATH_MAX];
	int i = 3;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		char *value = strchr(argv[i], '=');

		if (value == NULL)
			return 2;
		*value = '\0';
		if (!box_set(argv[i], value + 1))
			return 2;
	}
	if (i + 1 >= argc)
		return 2;
	snprintf(program, sizeof program, "%.*s-net", (int)(strlen(argv[2]) - strlen("-init")), argv[2]);
	net.dir = images.dir = argv[1];
	net.program = program;
	spec.argv = (const char *const *)(argv + i + 1);
	log_init("box", "warn", false);
	loop_init();
	missing = sandbox_setup(argv[1], argv[2], &why);
	if (missing == NULL) {
		dprintf(3, "{\"why\":\"%s\"}\n", why);
		return 1;
	}
	fib_spawn_new("box", 0, box_run, NULL);
	loop_run();
	return status;
}
