/* Layers over roots. The child, on its way to become a sandbox, takes a mount namespace, and there makes a file system in memory with the upper half in it, and
 * overlayfs of that over the lower half. With the sandbox's last process all of it is gone. bubblewrap then finds the root by its path.
 *
 * The lower half is somebody's, and who may write is who it belongs to: as root its files are shown as those of this very sandbox (a mount with mapped ids),
 * so that sandboxes of one image stay different users; where the kernel or the file system has no such mounts, its sandboxes are the user that it belongs to.
 * Without root it is all the same user, and the mounts are made in a user namespace.
 *
 * All that the child does is system calls, on paths that were made before; no name that is in an image is followed. */
#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/worker.h"

enum { FILES_MAX = 200000 };

static char *place, *empty, *root, *told;

static bool
layer_dir(const char *path)
{
	return (mkdir(path, 0755) == 0 || errno == EEXIST) && chmod(path, 0755) == 0;
}

bool
layer_setup(const char *dir)
{
	char *probe = NULL;
	bool ok;

	if (asprintf(&place, "%s/layer", dir) < 0 || asprintf(&root, "%s/layer/root", dir) < 0 || asprintf(&told, "%s/layer/told", dir) < 0 ||
	    asprintf(&empty, "%s/empty", dir) < 0 || asprintf(&probe, "%s/empty/probe", dir) < 0)
		abort();
	ok = layer_dir(place) && layer_dir(empty) && layer_dir(probe);	/* there to be removed by who tries a layer */
	free(probe);
	return ok;
}

void
layer_init(struct layer *l, const char *under, int64_t bytes, uid_t owner, uid_t uid, int out)
{
	*l = (struct layer){.place = place, .under = under != NULL ? under : empty, .owner = owner, .uid = uid, .out = out};
	snprintf(l->options, sizeof l->options, "size=%lld,nr_inodes=%d,mode=0755", (long long)bytes, FILES_MAX);
}

const char *
layer_root(void)
{
	return root;
}

const char *
layer_told(void)
{
	return told;
}

/* ---- in the child ---- */

static bool
layer_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Mounts of our own. Without root they take a user namespace, unless we are in the one of a network by now. */
static bool
layer_space(void)
{
	uid_t uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS) == 0)
		return true;
	if (uid == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !layer_write("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof map, "%u %u 1\n", uid, uid);
	if (!layer_write("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof map, "%u %u 1\n", gid, gid);
	return layer_write("/proc/self/gid_map", map);
}

/* A user namespace that says whose the owner's files become; it lives as long as its descriptor. */
static int
layer_mapping(uid_t owner, uid_t uid)
{
	char path[64], map[64];
	pid_t parent = getpid();
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, 0);	/* as fork, and nothing is run after it */
	int fd = -1;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		for (;;)
			pause();
	}
	if (pid < 0)
		return -1;
	snprintf(map, sizeof map, "%u %u 1\n", owner, uid);
	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	if (layer_write(path, map)) {
		snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
		if (layer_write(path, map)) {
			snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
			fd = open(path, O_RDONLY | O_CLOEXEC);
		}
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

/* Shows `from` at `to`, with its files' owner as another. */
static bool
layer_mapped(const char *from, const char *to, uid_t owner, uid_t uid)
{
	int users = layer_mapping(owner, uid), tree = users >= 0 ? open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) : -1;
	struct mount_attr a = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)users};
	bool ok = tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &a, sizeof a) == 0 && move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) == 0;
	int e = errno;

	if (tree >= 0)
		close(tree);
	if (users >= 0)
		close(users);
	errno = e;
	return ok;
}

/* In `place`, the directory that the process is in: paths of others may have any character, and the options of a mount may not. */
static const char *
layer_make(const struct layer *l)
{
	static const char *const dirs[] = {"up", "work", "low", "root", "told"};
	bool mine = l->owner == l->uid;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)	/* what the machine unmounts goes here, too; nothing of ours goes out */
		return "mounts cannot be parted from the machine's";
	if (mount("tmpfs", l->place, "tmpfs", MS_NOSUID | MS_NODEV, l->options) != 0 || chdir(l->place) != 0)
		return "there is no file system in memory";
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
		if (mkdir(dirs[i], 0755) != 0 || (geteuid() == 0 && chown(dirs[i], l->uid, l->uid) != 0))
			return "there is no room in memory";
	if (mine ? mount(l->under, "low", NULL, MS_BIND, NULL) != 0 : !layer_mapped(l->under, "low", l->owner, l->uid))
		return mine ? "the root cannot be shown" : "files cannot be shown as another user's";
	if (mount("overlay", "root", "overlay", MS_NOSUID | MS_NODEV, geteuid() == 0 ? "lowerdir=low,upperdir=up,workdir=work" : "userxattr,lowerdir=low,upperdir=up,workdir=work") != 0)
		return "overlayfs cannot be mounted";
	return NULL;
}

bool
layer_enter(const struct layer *l)
{
	const char *why;
	char text[200];
	int fd;

	why = layer_space() ? layer_make(l) : "a mount namespace cannot be made";
	if (why != NULL) {
		int n = snprintf(text, sizeof text, "%s (%s)", why, strerrordesc_np(errno));

		(void)pass_send(l->out, text, (size_t)n, NULL, 0);
		return false;
	}
	fd = open("told", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && pass_send(l->out, "", 1, &fd, 1) && chdir("/") == 0;
}

/* ---- here ---- */

int
layer_heard(int in, char why[200])
{
	int fds[PASS_MAX];
	ssize_t n = in >= 0 ? pass_recv(in, why, 199, fds, MSG_DONTWAIT) : -1;

	why[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		return -1;
	for (int i = 1; i < PASS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return fds[0];
}
