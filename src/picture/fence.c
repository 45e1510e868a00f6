/* What a worker may open by name, whatever it does later: the system's libraries, fonts and their settings, for reading (Landlock). The processes of
 * pictures may open nothing at all (filter.c); those that draw letters must find fonts, and must not find the data directory. A kernel
 * without Landlock has the filter alone. */
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"

static const char *const readable[] = {"/usr", "/lib", "/lib64", "/etc/fonts", "/etc/ld.so.cache", "/var/cache/fontconfig"};

#define FENCE_READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Of the first version, which every kernel with Landlock has: all that it knows. */
#define FENCE_ALL (LANDLOCK_ACCESS_FS_MAKE_SYM | (LANDLOCK_ACCESS_FS_MAKE_SYM - 1))

static bool
fence_open(int rules, const char *path)
{
	struct landlock_path_beneath_attr a = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
	bool ok = true;

	if (a.parent_fd < 0)	/* not every system has all of them */
		return true;
	/* a file has no directory's rights */
	a.allowed_access = FENCE_READS;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) != 0) {
		a.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
		ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0) == 0;
	}
	close(a.parent_fd);
	return ok;
}

bool
fence_enter(void)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs = FENCE_ALL};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
	bool ok = rules >= 0;

	for (size_t i = 0; ok && i < sizeof readable / sizeof *readable; i++)
		ok = fence_open(rules, readable[i]);
	ok = ok && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	if (rules >= 0)
		close(rules);
	return ok;
}
