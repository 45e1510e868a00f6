/* What a sandboxed program may ask of the kernel: tries each call, prints its name and "ok" or the errno's name. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void
told(const char *name, long got)
{
	printf("%s %s\n", name, got >= 0 ? "ok" : strerrorname_np(errno));
}

/* clone with only these flags, as who makes a namespace would. */
static long
raw_clone(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | 17 /* SIGCHLD */, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

int
main(void)
{
	char zero[256] = {0};

	told("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	told("umount", umount2("/usr", MNT_DETACH));
	told("pivot_root", syscall(SYS_pivot_root, "/", "/tmp"));
	told("chroot", chroot("/tmp"));
	told("fsopen", syscall(430, "tmpfs", 0));
	told("open_tree", syscall(428, -100, "/", 1));
	told("unshare user", unshare(CLONE_NEWUSER));
	told("unshare net", unshare(CLONE_NEWNET));
	told("setns", setns(0, 0));
	told("clone user", raw_clone(CLONE_NEWUSER));
	told("clone", raw_clone(0));
	told("clone3", syscall(435, zero, 88));
	told("ptrace", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	told("process_vm_readv", syscall(SYS_process_vm_readv, 1, zero, 1, zero, 1, 0));
	told("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	told("bpf", syscall(SYS_bpf, 0, zero, sizeof zero));
	told("perf_event_open", syscall(SYS_perf_event_open, zero, 0, -1, -1, 0));
	told("userfaultfd", syscall(SYS_userfaultfd, 0));
	told("io_uring", syscall(425, 1, zero));
	told("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	told("init_module", syscall(SYS_init_module, zero, 0, ""));
	told("syslog", syscall(SYS_syslog, 10, NULL, 0));
	told("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, zero, 0));
	told("mknod", mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)));
	told("raw socket", socket(AF_INET, SOCK_RAW, 1));
	told("packet socket", socket(AF_PACKET, SOCK_RAW, 0));
	told("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	told("alg socket", socket(38, SOCK_SEQPACKET, 0));
	told("tcp socket", socket(AF_INET, SOCK_STREAM, 0));
	told("tcp6 socket", socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	told("udp socket", socket(AF_INET, SOCK_DGRAM, 0));
	told("unix socket", socket(AF_UNIX, SOCK_STREAM, 0));
	told("netlink socket", socket(AF_NETLINK, SOCK_RAW, 0));
	told("personality", syscall(SYS_personality, 0x0040000 /* no randomized addresses */));
	told("a call to come", syscall(9999));
	told("setuid", setuid(0));
	told("root's files", open("/.init", O_WRONLY));
	return 0;
}
