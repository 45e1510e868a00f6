/* All that is in an image that a test makes: a server at port 3000 that speaks as the public runtime images do. POST / with x-internal-challenge is answered as
 * those of 1.0 do, what has x-open-runtimes-secret as those of today; what both say is what it sees: method, path, length, and the archive it was shown. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static char code[200] = "none";

static const char *
header(const char *head, const char *name, char out[100])
{
	size_t n = strlen(name);

	out[0] = '\0';
	for (const char *p = strstr(head, "\r\n"); p != NULL; p = strstr(p + 2, "\r\n"))
		if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':')
			sscanf(p + 2 + n + 1, " %99[^\r\n]", out);
	return out;
}

static void
serve(int s)
{
	static char head[65536];
	char key[100], length[100], method[16], path[200], body[600];
	const char *secret = getenv("OPEN_RUNTIMES_SECRET"), *challenge = getenv("INTERNAL_RUNTIME_KEY");
	size_t n = 0, want;
	ssize_t got;
	int status = 200;

	head[0] = '\0';
	while (strstr(head, "\r\n\r\n") == NULL && n < sizeof head - 1 && (got = read(s, head + n, sizeof head - 1 - n)) > 0)
		head[n += (size_t)got] = '\0';
	if (sscanf(head, "%15s %199s", method, path) != 2)
		return;
	want = strtoul(header(head, "content-length", length), NULL, 10) + (size_t)(strstr(head, "\r\n\r\n") + 4 - head);
	while (n < want && n < sizeof head - 1 && (got = read(s, head + n, sizeof head - 1 - n)) > 0)
		n += (size_t)got;
	if (challenge != NULL) {
		status = strcmp(method, "POST") == 0 && strcmp(header(head, "x-internal-challenge", key), challenge) == 0 ? 200 : 500;
		snprintf(body, sizeof body, status == 200 ? "{\"response\":\"%s %s %s\",\"stdout\":\"\",\"stderr\":\"\"}" : "{\"stderr\":\"Unauthorized\"}", method, path, code);
	} else {
		status = secret != NULL && strcmp(header(head, "x-open-runtimes-secret", key), secret) == 0 ? 200 : 500;
		snprintf(body, sizeof body, "%s %s %s %s", method, path, length, code);
	}
	dprintf(s, "HTTP/1.1 %d X\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n%s", status, strlen(body), body);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(3000)};
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1, c;
	FILE *f = fopen("/tmp/code.tar.gz", "r");
	char dir[100];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (f != NULL && fgets(code, sizeof code, f) == NULL)
		return 1;
	for (int i = 0; i < argc; i++)
		printf("%s ", argv[i]);
	printf("in %s with %s\n", getcwd(dir, sizeof dir), getenv("FROM_IMAGE") ? getenv("FROM_IMAGE") : "nothing");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(s, (struct sockaddr *)&a, sizeof a) != 0 || listen(s, 16) != 0)
		return 2;
	printf("up\n");
	while ((c = accept(s, NULL, NULL)) >= 0) {
		serve(c);
		close(c);
	}
	return 3;
}
