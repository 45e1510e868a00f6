/* Runs a command in a sandbox, for tests: box DIR INIT NAME=value… -- command…
 *
 * Names: memory, tmp, file, processes, files, limit_ms, cpus, dir, root, ro and rw (a path that is shown), env (NAME=value), most (bytes of output that are
 * printed). What the command writes goes to our outputs, and how it ended to descriptor 3, as one line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "exec/sandbox.h"

enum { LIST_MAX = 32 };

static size_t most = 100000, written[3];

static void
box_output(int fd, struct str piece, void *arg)
{
	(void)arg;
	written[fd] += piece.n;
	if (written[fd] <= most)
		fwrite(piece.p, 1, piece.n, fd == 1 ? stdout : stderr);
}

static struct sandbox_mount mounts[LIST_MAX];
static const char *env[LIST_MAX] = {"PATH=/usr/local/bin:/usr/bin:/bin"};
static struct sandbox_spec spec = {.name = "box", .dir = "/tmp", .memory = 128 << 20, .tmp = 32 << 20, .file = 16 << 20, .processes = 64, .files = 256, .limit_ms = 20000,
	.mounts = mounts, .env = env, .output = box_output};
static int n_env = 1, status;

static void
box_run(struct ctx *cx, void *arg)
{
	static const char *const whys[] = {"exit", "signal", "no command", "time", "memory", "killed", "broken"};
	struct sandbox *s;
	struct sandbox_end end;
	err_t e = sandbox_start(cx, &spec, &s);

	(void)arg;
	if (e == OK)
		e = sandbox_wait(cx, &s, &end);
	fflush(stdout);
	if (e == OK)
		dprintf(3, "{\"why\":\"%s\",\"number\":%d,\"text\":\"%s\",\"out\":%zu,\"err\":%zu}\n", whys[end.why], end.number,
		    sandbox_end_text(cx->arena, &spec, &end), written[1], written[2]);
	else
		dprintf(3, "{\"why\":\"%s\"}\n", cx->detail ? cx->detail : "error");
	status = e == OK ? 0 : 1;
	loop_stop();
}

static bool
box_set(const char *name, char *value)
{
	static const struct { const char *name; int64_t *at; } numbers[] = {{"memory", &spec.memory}, {"tmp", &spec.tmp}, {"file", &spec.file},
		{"processes", &spec.processes}, {"files", &spec.files}, {"limit_ms", (int64_t *)&spec.limit_ms}, {"most", (int64_t *)&most}};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strcmp(name, numbers[i].name) == 0)
			return (*numbers[i].at = atoll(value)) >= 0;
	if (strcmp(name, "cpus") == 0)
		spec.cpus = atof(value);
	else if (strcmp(name, "dir") == 0)
		spec.dir = value;
	else if (strcmp(name, "name") == 0)
		spec.name = value;
	else if (strcmp(name, "root") == 0)
		spec.root = value;
	else if (strcmp(name, "env") == 0)
		env[n_env++] = value;
	else if (strcmp(name, "ro") == 0 || strcmp(name, "rw") == 0)
		mounts[spec.n_mounts++] = (struct sandbox_mount){value, value, name[1] == 'w'};
	else
		return false;
	return true;
}

int
main(int argc, char **argv)
{
	const char *why, *missing;
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
