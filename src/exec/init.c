/* The first process of a sandbox: a small static program of its own, so that any root will do. It gets all it needs over a descriptor, for what goes through
 * execve is bounded and can be seen from outside; starts the command; buries whoever dies; and when the command has ended says how and ends, and with it
 * everything in here.
 *
 * Descriptor 3: the frame: number of arguments, number of variables, the directory, the arguments, the variables, each with a NUL behind it. Read to its
 * end. Descriptor 4: "exit 7" or "signal 9" when it is over, "none 2" when there was no such command (the errno). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRAME_FD = 3, WORD_FD = 4, FRAME_MAX = 4 * 1024 * 1024, OURS = 125 };

static _Noreturn void
init_say(const char *word, int number)
{
	char line[32];
	int n = snprintf(line, sizeof line, "%s %d\n", word, number);

	(void)!write(WORD_FD, line, (size_t)n);
	_exit(strcmp(word, "exit") == 0 ? number : OURS);
}

static char *
init_frame(size_t *n_out)
{
	char *p = malloc(FRAME_MAX);
	ssize_t got = 1;

	for (*n_out = 0; p != NULL && *n_out < FRAME_MAX && (got = read(FRAME_FD, p + *n_out, FRAME_MAX - *n_out)) > 0;)
		*n_out += (size_t)got;
	if (p == NULL || got != 0 || *n_out == 0 || p[*n_out - 1] != '\0')
		init_say("none", EINVAL);
	close(FRAME_FD);
	return p;
}

/* The next text of the frame. */
static char *
init_next(char **at, const char *end)
{
	char *p = *at;

	if (p >= end)
		init_say("none", EINVAL);
	*at += strlen(p) + 1;
	return p;
}

static char **
init_texts(int n, char **at, const char *end)
{
	char **v = calloc((size_t)n + 1, sizeof *v);

	for (int i = 0; v != NULL && i < n; i++)
		v[i] = init_next(at, end);
	if (v == NULL)
		init_say("none", ENOMEM);
	return v;
}

static _Noreturn void
init_become(const char *dir, char **argv, char **env)
{
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	int e;

	for (int i = 0; env[i] != NULL; i++)
		if (strncmp(env[i], "PATH=", 5) == 0)
			path = env[i] + 5;
	setenv("PATH", path, 1);	/* where execvpe looks */
	setsid();
	if (chdir(dir) == 0)
		execvpe(argv[0], argv, env);
	e = errno;
	dprintf(2, "%s: %s\n", argv[0], strerror(e));
	init_say("none", e);
}

int
main(void)
{
	size_t n;
	char *frame = init_frame(&n), *at = frame, *dir, **argv, **env;
	const char *end = frame + n;
	int argc, envc, status;
	pid_t child, gone;

	fcntl(WORD_FD, F_SETFD, FD_CLOEXEC);
	argc = atoi(init_next(&at, end));
	envc = atoi(init_next(&at, end));
	dir = init_next(&at, end);
	if (argc < 1 || argc > 10000 || envc < 0 || envc > 10000)
		init_say("none", EINVAL);
	argv = init_texts(argc, &at, end);
	env = init_texts(envc, &at, end);
	child = fork();
	if (child == 0)
		init_become(dir, argv, env);
	memset(frame, 0, n);	/* secrets may be in it */
	for (int fd = 0; fd < 3; fd++)	/* the outputs end with the command and what it started, not with us */
		close(fd);
	while ((gone = waitpid(-1, &status, 0)) != child)
		if (gone < 0 && errno != EINTR)
			init_say("none", errno);
	if (WIFSIGNALED(status))
		init_say("signal", WTERMSIG(status));
	init_say("exit", WEXITSTATUS(status));
}
