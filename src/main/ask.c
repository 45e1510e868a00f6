/* What a verb asks whoever calls it: secrets come from a terminal without being shown, a file, the environment or standard input, so that none has to
 * stand on a command line, which others on the machine can see and shells remember. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "main_priv.h"

enum { SECRET_MAX = 1024 };

/* The first line, without its end. False with a line on stderr. */
static bool
first_line(FILE *f, const char *what, char *out, size_t size)
{
	if (fgets(out, (int)size, f) == NULL) {
		fprintf(stderr, "badal: %s: there is nothing to read\n", what);
		return false;
	}
	if (strchr(out, '\n') == NULL && !feof(f)) {
		fprintf(stderr, "badal: %s: the line is too long\n", what);
		return false;
	}
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

static bool
line_of_file(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (f == NULL) {
		fprintf(stderr, "badal: %s: %s\n", path, strerror(errno));
		return false;
	}
	ok = first_line(f, path, out, size);
	fclose(f);
	return ok;
}

static bool
unseen_line(FILE *tty, const char *prompt, char *out, size_t size)
{
	struct termios before, silent;
	bool ok;

	if (tcgetattr(fileno(tty), &before) != 0)
		return false;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	tcsetattr(fileno(tty), TCSAFLUSH, &silent);	/* before the question: what is typed from here on is not shown, and not lost */
	fprintf(tty, "%s", prompt);
	fflush(tty);
	ok = fgets(out, (int)size, tty) != NULL;
	tcsetattr(fileno(tty), TCSAFLUSH, &before);
	fprintf(tty, "\n");
	out[ok ? strcspn(out, "\r\n") : 0] = '\0';
	return ok;
}

/* The API would take it for none, and make a user who cannot sign in. */
static const char *
not_empty(const char *where, const char *password)
{
	if (*password != '\0')
		return password;
	fprintf(stderr, "badal: %s: the password is empty\n", where);
	return NULL;
}

/* Twice, since what was typed was not seen. */
static bool
asked_secret(char *out, size_t size, bool needed)
{
	char again[SECRET_MAX];
	FILE *tty = isatty(STDIN_FILENO) ? fopen("/dev/tty", "r+e") : NULL;
	bool ok;

	out[0] = '\0';
	if (tty == NULL && !needed)
		return true;
	if (tty == NULL) {
		fprintf(stderr, "badal: a password is needed: --password-file FILE, BADAL_PASSWORD in the environment, or --password - for standard input\n");
		return false;
	}
	ok = unseen_line(tty, needed ? "Password: " : "Password (empty: the user is there already): ", out, size);
	snprintf(again, sizeof again, "%s", out);
	if (ok && (needed || *out != '\0'))
		ok = unseen_line(tty, "Once more: ", again, sizeof again);
	fclose(tty);
	if (ok && needed && *out == '\0')
		ok = not_empty("terminal", out) != NULL;
	if (ok && strcmp(out, again) != 0) {
		fprintf(stderr, "badal: the two are not the same\n");
		ok = false;
	}
	return ok;
}

const char *
ask_password(const struct args *a, bool needed)
{
	static char secret[SECRET_MAX];
	const char *said = args_get(a, "password"), *file = args_get(a, "password-file"), *env = getenv("BADAL_PASSWORD");

	if (said != NULL && file != NULL) {
		fprintf(stderr, "badal: --password or --password-file, not both\n");
		return NULL;
	}
	if (file != NULL)
		return line_of_file(file, secret, sizeof secret) ? not_empty(file, secret) : NULL;
	if (said != NULL && strcmp(said, "-") == 0)
		return first_line(stdin, "standard input", secret, sizeof secret) ? not_empty("standard input", secret) : NULL;
	if (said != NULL)
		return not_empty("--password", said);
	if (env != NULL && *env != '\0')	/* an empty one is how containers say none */
		return env;
	return asked_secret(secret, sizeof secret, needed) ? secret : NULL;
}

const char *
ask_line(const char *prompt)
{
	static char line[SECRET_MAX];

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return NULL;
	fprintf(stderr, "%s", prompt);
	return first_line(stdin, "standard input", line, sizeof line) && line[0] != '\0' ? line : NULL;
}
