/* Where the program's own files are. */
#include "core/share.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { LEVELS = 4 };	/* build/badal, build/t/10-module/test_db, … */

static bool
share_holds(const char *dir, const char *probe)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, probe);
	return access(path, R_OK) == 0;
}

const char *
share_dir(const char *configured, const char *sub, const char *probe, const char *installed, char *out, size_t size)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	if (configured != NULL && configured[0] != '\0') {
		snprintf(out, size, "%s", configured);
		return out;
	}
	exe[n > 0 ? n : 0] = '\0';
	for (int up = 0; up < LEVELS; up++) {
		char *slash = strrchr(exe, '/');

		if (slash == NULL)
			break;
		*slash = '\0';
		snprintf(out, size, "%s/%s", exe, sub);
		if (share_holds(out, probe))
			return out;
	}
	snprintf(out, size, "%s", installed);
	return out;
}

bool
share_read(const char *path, size_t max, struct str *out)
{
	FILE *f = fopen(path, "re");
	char chunk[8192];
	struct buf b;
	size_t n;

	if (f == NULL)
		return false;
	buf_init(&b, NULL, sizeof chunk);
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && b.n <= max)
		buf_add(&b, chunk, n);
	n = (size_t)ferror(f);
	fclose(f);
	*out = buf_view(&b);
	return n == 0 && out->n <= max;
}
