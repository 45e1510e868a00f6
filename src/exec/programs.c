#include "programs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *
program_first(const char *const *paths)
{
	for (; *paths != NULL; paths++)
		if (access(*paths, X_OK) == 0)
			return *paths;
	return NULL;
}

char *
program_beside(const char *named, const char *name)
{
	char self[PATH_MAX] = "", path[PATH_MAX + NAME_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (named != NULL)
		return access(named, X_OK) == 0 ? strdup(named) : NULL;
	self[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(self, '/')) != NULL) {
		snprintf(path, sizeof path, "%.*s/%s", (int)(slash - self), self, name);
		if (access(path, X_OK) == 0)
			return strdup(path);
	}
	snprintf(path, sizeof path, "%s/%s", BADAL_LIBEXEC, name);
	return access(path, X_OK) == 0 ? strdup(path) : NULL;
}
