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

static struct sock_fprog filter_code;

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

/* As code: a process has nothing to do but to load it. */
static bool
filter_export(scmp_filter_ctx f)
{
	static struct sock_filter code[4096];
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0 && seccomp_export_bpf(f, fd) == 0)
		n = pread(fd, code, sizeof code, 0);
	if (fd >= 0)
		close(fd);
	if (n <= 0 || (size_t)n >= sizeof code)
		return false;
	filter_code = (struct sock_fprog){.len = (unsigned short)((size_t)n / sizeof *code), .filter = code};
	return true;
}

bool
filter_make(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = f != NULL && allow_some(f);

	for (size_t i = 0; ok && i < sizeof allowed / sizeof *allowed; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
	ok = ok && filter_export(f);
	seccomp_release(f);
	return ok;
}

bool
filter_enter(void)
{
#ifdef BADAL_SANITIZE	/* which has needs of its own */
	return filter_code.len > 0;
#else
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter_code) == 0;
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

static const struct probe {
	const char *name;
	int (*fn)(void);
	bool works;
} probes[] = {
	{"memory", try_memory, true}, {"open", try_open, false}, {"create", try_create, false}, {"socket", try_socket, false}, {"fork", try_fork, false},
	{"exec", try_exec, false}, {"kill", try_kill, false}, {"trace", try_trace, false}, {"limit", try_limit, false}, {"code", try_code, false},
};

int
filter_probe(void)
{
	int wrong = 0;

	if (!filter_make())
		return 1;
	for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
		int status = 0;
		bool worked;
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(!filter_enter() ? 2 : probes[i].fn() >= 0 ? 0 : 1);
		worked = waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
		printf("%s: %s\n", probes[i].name, worked ? "works" : "refused");
		wrong += worked != probes[i].works;
	}
	return wrong > 0;
}
