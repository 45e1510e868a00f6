/* The filter of system calls. A list of what is allowed; all else fails with EPERM, which libraries take for an answer. */
#include "filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"

static const int allowed[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Libraries of fonts look for files, and read them. */
static const int reading[] = {
	SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(fadvise64), SCMP_SYS(getcwd),
};

static struct sock_fprog filter_code[FILTER_N];

/* Threads, which decoders of video have, and no processes; memory that is written or executed, but nothing new to execute. */
static bool
allow_some(scmp_filter_ctx f)
{
	const uint64_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;

	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&	/* its flags lie in memory; the C library falls back */
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

static bool
allow_reading(scmp_filter_ctx f)
{
	const uint64_t writes = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;	/* O_TMPFILE has O_ACCMODE's, too */
	bool ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, writes, O_RDONLY)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFL)) == 0 &&
	    seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_SETFD)) == 0;

	for (size_t i = 0; ok && i < sizeof reading / sizeof *reading; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, reading[i], 0) == 0;
	return ok;
}

/* As code: a process has nothing to do but to load it. */
static bool
filter_export(scmp_filter_ctx f, enum filter which)
{
	static struct sock_filter codes[FILTER_N][4096], *code;
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t n = -1;

	code = codes[which];
	if (fd >= 0 && seccomp_export_bpf(f, fd) == 0)
		n = pread(fd, code, sizeof codes[which], 0);
	if (fd >= 0)
		close(fd);
	if (n <= 0 || (size_t)n >= sizeof codes[which])
		return false;
	filter_code[which] = (struct sock_fprog){.len = (unsigned short)((size_t)n / sizeof *code), .filter = code};
	return true;
}

static bool
filter_build(enum filter which)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = f != NULL && allow_some(f);

	for (size_t i = 0; ok && i < sizeof allowed / sizeof *allowed; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
	ok = ok && (which != FILTER_FILES || allow_reading(f)) && filter_export(f, which);
	seccomp_release(f);
	return ok;
}

bool
filter_make(void)
{
	return filter_build(FILTER_BYTES) && filter_build(FILTER_FILES);
}

bool
filter_enter(enum filter which)
{
#ifdef BADAL_SANITIZE	/* which has needs of its own */
	return filter_code[which].len > 0;
#else
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter_code[which]) == 0;
#endif
}

/* ---- the probe ---- */

static int
try_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int
try_create(void)
{
	return open("/tmp/badal-probe", O_WRONLY | O_CREAT | O_EXCL, 0600);
}

static int
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int
try_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int
try_kill(void)
{
	return kill(getppid(), 0);
}

static int
try_trace(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int
try_limit(void)
{
	const struct rlimit r = {1, 1};

	return setrlimit(RLIMIT_CORE, &r);
}

static int
try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int
try_memory(void)	/* what must work */
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int
try_change(void)
{
	return open("/dev/null", O_RDWR);
}

static int
try_font(void)
{
	return open("/usr", O_RDONLY | O_DIRECTORY);
}

static int
try_fence(void)
{
	return 0;
}

enum expected { NEVER, ALWAYS, WITH_FILES };
static const struct probe {
	const char *name;
	int (*fn)(void);
	enum expected works;
} probes[] = {
	{"memory", try_memory, ALWAYS}, {"font", try_font, WITH_FILES}, {"open", try_open, NEVER}, {"create", try_create, NEVER}, {"change", try_change, NEVER}, {"socket", try_socket, NEVER},
	{"fork", try_fork, NEVER}, {"exec", try_exec, NEVER}, {"kill", try_kill, NEVER}, {"trace", try_trace, NEVER}, {"limit", try_limit, NEVER},
	{"code", try_code, NEVER},
};

/* In a process of its own behind fence and filter; `fence` is whether there is one, or must be. */
static bool
probe_works(const struct probe *p, enum filter which, bool fence)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit((fence && !fence_enter()) || !filter_enter(which) ? 2 : p->fn() >= 0 ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
filter_probe(void)
{
	static const struct probe any = {"fence", try_fence, ALWAYS};
	bool fence, worked;
	int wrong = 0;

#ifdef BADAL_SANITIZE
	printf("no filter under sanitizers\n");
	return 0;
#endif
	if (!filter_make())
		return 1;
	fence = probe_works(&any, FILTER_BYTES, true);
	printf("fence: %s\n", fence ? "works" : "this kernel has none");
	for (int which = 0; which < FILTER_N; which++)
		for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
			if (which == FILTER_FILES && !fence && probes[i].fn == try_open)
				continue;
			worked = probe_works(&probes[i], which, fence);
			printf("%s%s: %s\n", probes[i].name, which == FILTER_FILES ? " with files" : "", worked ? "works" : "refused");
			wrong += worked != (probes[i].works == ALWAYS || (probes[i].works == WITH_FILES && which == FILTER_FILES));
		}
	return wrong > 0;
}
