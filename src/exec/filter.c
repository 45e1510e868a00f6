/* The filter of system calls. What we know is allowed, but for the rows below; what we do not know, because it is newer than this, does not exist: libraries
 * then fall back on what they did before (clone3, faccessat2). */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KNOWN = 450, TYPE_MASK = 0xf };	/* system calls up to here have been looked at */

/* Refused by name, as a call that one has no right to. */
static const char *const forbidden[] = {
	/* the tree of files, and other namespaces */
	"mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "setns", "unshare",
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
	/* the kernel itself, its keys, and where it has had most of its holes */
	"init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms", "kexec_load", "kexec_file_load", "reboot", "syslog", "bpf",
	"perf_event_open", "userfaultfd", "lookup_dcookie", "add_key", "request_key", "keyctl", "nfsservctl", "vm86", "vm86old", "modify_ldt", "iopl", "ioperm",
	/* what belongs to the machine */
	"acct", "swapon", "swapoff", "quotactl", "quotactl_fd", "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex",
	"sethostname", "setdomainname", "vhangup", "fanotify_init", "fanotify_mark", "open_by_handle_at", "name_to_handle_at", "move_pages",
	"migrate_pages", "set_mempolicy_home_node",
};
/* They do not exist: who asks for them has another way. */
static const char *const absent[] = {"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_secret", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "uselib", "sysfs", "_sysctl"};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};	/* netlink: what addresses there are */

#define COUNT(v) (sizeof(v) / sizeof *(v))

static bool
names_hold(const char *const *v, size_t n, int call)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_syscall_resolve_name(v[i]) == call)
			return true;
	return false;
}

/* Calls that depend on their arguments; they are left out of the general rule. */
static const char *const judged[] = {"socket", "clone", "personality"};

static int
allow_known(scmp_filter_ctx f)
{
	int e = 0;

	for (int call = 0; call <= KNOWN && e == 0; call++) {
		if (names_hold(judged, COUNT(judged), call) || names_hold(absent, COUNT(absent), call))
			continue;
		e = seccomp_rule_add(f, names_hold(forbidden, COUNT(forbidden), call) ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW, call, 0);
		if (e == -EDOM)
			e = 0;	/* no call has this number here */
	}
	return e;
}

static int
judge_sockets(scmp_filter_ctx f)
{
	int e = 0;

	for (size_t i = 0; i < COUNT(families) && e == 0; i++)
		for (int type = SOCK_STREAM; type <= SOCK_PACKET && e == 0; type++) {
			bool raw = type == SOCK_RAW || type == SOCK_PACKET || type == SOCK_RDM;

			e = seccomp_rule_add(f, raw && families[i] != AF_NETLINK ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]), SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, (scmp_datum_t)type));
		}
	for (int family = AF_NETLINK + 1; family < AF_MAX && e == 0; family++)
		e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
	for (int family = AF_INET + 1; family < AF_NETLINK && e == 0; family++)
		if (family != AF_INET6)
			e = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
	return e;
}

static int
judge_others(scmp_filter_ctx f)
{
	const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;
	int e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, spaces, 0));

	if (e == 0)	/* asking which it is, and the usual one */
		e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, 0xffffffff));
	if (e == 0)
		e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, 0));
	return e;
}

static int
filter_compile(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int fd = f != NULL ? memfd_create("filter", MFD_CLOEXEC) : -1;

	if (fd >= 0 && (seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0 || allow_known(f) != 0 || judge_sockets(f) != 0 || judge_others(f) != 0 ||
	    seccomp_export_bpf(f, fd) != 0)) {
		close(fd);
		fd = -1;
	}
	if (f != NULL)
		seccomp_release(f);
	return fd;
}

int
filter_open(void)
{
	static int made = -2;
	char path[64];

	if (made == -2)
		made = filter_compile();
	if (made < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", made);
	return open(path, O_RDONLY | O_CLOEXEC);	/* with a place of its own in it: sandboxes begin side by side */
}
