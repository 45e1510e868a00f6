/* Each part is tried by doing it. What a sandbox could not do is explained by what the machine says of itself: the files and words of `hints`. */
#include "exec/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "exec/image.h"
#include "exec/net.h"
#include "exec/sandbox.h"
#include "forward.h"

enum { SAID = 2000, MEMORY = 64 << 20, TMP = 16 << 20, PROCESSES = 24, TRY_MS = 15000 };

/* ---- guarantees ---- */

static const struct {
	const char *name, *without;
} guarantees[] = {
#define GUARANTEE(name, without) {#name, without},
#include "tbl/guarantees.h"
#undef GUARANTEE
};

static bool
words_hold(const char *list, const char *word)
{
	struct str rest = str_c(list);

	while (rest.n > 0)
		if (str_is(str_trim(str_cut(&rest, ',')), word))
			return true;
	return false;
}

static const char *
guarantee_without(const char *name)
{
	for (size_t i = 0; i < sizeof guarantees / sizeof *guarantees; i++)
		if (strcmp(guarantees[i].name, name) == 0)
			return guarantees[i].without;
	return "";
}

const char *
sandbox_wrong_guarantee(const char *accept)
{
	static char wrong[64];
	struct str rest = str_c(accept);

	while (rest.n > 0) {
		struct str one = str_trim(str_cut(&rest, ','));

		snprintf(wrong, sizeof wrong, "%.*s", STR_FMT(one));
		if (one.n > 0 && *guarantee_without(wrong) == '\0')
			return wrong;
	}
	return NULL;
}

const char *
sandbox_refusal(struct arena *a, const char *missing, const char *no_network)
{
	for (size_t i = 0; i < sizeof guarantees / sizeof *guarantees; i++) {
		const char *name = guarantees[i].name;
		bool lacks = strcmp(name, "identity") == 0 ? geteuid() != 0 : strcmp(name, "network") == 0 ? no_network != NULL : words_hold(missing, name);

		if (lacks && !words_hold(conf.executor_accept, name))
			return arena_printf(a, "%s cannot be guaranteed%s%s: %s (badal doctor says more; executor_accept accepts it)", name, strcmp(name, "network") == 0 ? ", " : "",
			    strcmp(name, "network") == 0 ? no_network : "", guarantees[i].without);
	}
	return NULL;
}

bool
sandbox_accepted(const char *guarantee)
{
	return words_hold(conf.executor_accept, guarantee);
}

/* ---- why not ---- */

static const struct hint {
	const char *said;	/* part of what was said; NULL: anything */
	const char *file, *value;	/* a file that begins with it; value NULL: that is there */
	const char *why, *advice;
} hints[] = {
	{NULL, "/proc/sys/user/max_user_namespaces", "0\n", "user namespaces are switched off (user.max_user_namespaces is 0)", "sysctl user.max_user_namespaces=20000, and in /etc/sysctl.d"},
	{"No space left", NULL, NULL, "there are too many user namespaces", "raise sysctl user.max_user_namespaces"},
	{NULL, "/proc/sys/kernel/unprivileged_userns_clone", "0\n", "user namespaces are kept from users without rights (kernel.unprivileged_userns_clone)", "sysctl kernel.unprivileged_userns_clone=1, or run the executor as root"},
	{"mount proc", "/.dockerenv", NULL, "the container hides parts of /proc, so that no other can be mounted", "docker run --security-opt systempaths=unconfined --security-opt seccomp=unconfined --security-opt apparmor=unconfined, or run the executor outside"},
	{"mount proc", "/run/.containerenv", NULL, "the container hides parts of /proc, so that no other can be mounted", "podman run --security-opt unmask=ALL, or run the executor outside"},
	{"mount proc", "/dev/lxc", NULL, "the container may not mount /proc", "set security.nesting=true of the LXC container"},
	{"mount proc", NULL, NULL, "parts of /proc are hidden (a container, or hidepid), so that no other can be mounted", "in a container: unmask /proc (Docker: --security-opt systempaths=unconfined; LXC: security.nesting=true); with hidepid: mount -o remount,hidepid=0 /proc, or run the executor as root"},
	{"uid map", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor keeps bubblewrap from using the user namespaces that it can make", "put the profile share/badal/apparmor/badal into /etc/apparmor.d and load it: apparmor_parser -r /etc/apparmor.d/badal; or run the executor as root, or sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
	{NULL, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor restricts user namespaces", "put the profile share/badal/apparmor/badal into /etc/apparmor.d and load it: apparmor_parser -r /etc/apparmor.d/badal; or run the executor as root"},
	{"Creating new namespace failed", "/.dockerenv", NULL, "the container may not make namespaces", "docker run --security-opt seccomp=unconfined, or run the executor outside"},
	{"No permissions to create", NULL, NULL, "namespaces cannot be made by this user", "run the executor as root, or allow user namespaces (in a container: its seccomp profile)"},
	{"pivot_root", NULL, NULL, "the root file system cannot be changed (a ramdisk?)", "run from a real root file system"},
};

static bool
hint_file(const struct hint *h)
{
	char text[64] = "";
	FILE *f;

	if (h->file == NULL)
		return true;
	if (h->value == NULL)
		return access(h->file, F_OK) == 0;
	if ((f = fopen(h->file, "re")) == NULL)
		return false;
	if (fgets(text, sizeof text, f) == NULL)
		text[0] = '\0';
	fclose(f);
	return strcmp(text, h->value) == 0;
}

static const struct hint *
hint_of(const char *said)
{
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
		if ((hints[i].said == NULL || strstr(said, hints[i].said) != NULL) && hint_file(&hints[i]))
			return &hints[i];
	return NULL;
}

/* ---- trying ---- */

struct trial {
	struct ctx *cx;
	const struct check *c;
	char out[SAID];
	size_t n_out;
};

static void PRINTF_LIKE(4, 5)
check_say(struct trial *t, enum check_mark mark, const char *advice, const char *fmt, ...)
{
	va_list ap;
	char text[1000];

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	t->c->say(t->c->arg, mark, mark == CHECK_HOLDS ? NULL : advice, text);
}

static void
check_guarantee(struct trial *t, const char *name, bool holds, const char *advice, const char *why)
{
	bool accepted = words_hold(conf.executor_accept, name);

	if (holds)
		check_say(t, CHECK_HOLDS, NULL, "sandboxes: %s", why);
	else
		check_say(t, accepted ? CHECK_ACCEPTED : CHECK_LACKS, advice, "sandboxes: %s: %s%s", why, guarantee_without(name), accepted ? " (accepted by executor_accept)" : "; functions are off");
}

static void
check_output(int fd, struct str piece, void *arg)
{
	struct trial *t = arg;
	size_t n = piece.n < sizeof t->out - 1 - t->n_out ? piece.n : sizeof t->out - 1 - t->n_out;

	(void)fd;
	memcpy(t->out + t->n_out, piece.p, n);
	t->n_out += n;
	t->out[t->n_out] = '\0';
}

/* Runs a script in a sandbox. False: there was none, said in end. */
static bool
check_run(struct trial *t, const char *script, struct net *net, struct sandbox_end *end)
{
	static unsigned n;
	static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct sandbox_spec spec = {.name = arena_printf(t->cx->arena, "check-%d-%u", (int)getpid(), n++), .argv = argv, .env = env, .dir = "/tmp", .memory = MEMORY, .tmp = TMP,
		.file = TMP, .processes = PROCESSES, .files = 64, .limit_ms = TRY_MS, .net = net, .output = check_output, .arg = t};
	struct sandbox *s;

	t->n_out = 0;
	t->out[0] = '\0';
	if (sandbox_start(t->cx, &spec, &s) == OK && sandbox_wait(t->cx, &s, end) == OK)
		return end->why != SANDBOX_BROKEN && end->why != SANDBOX_NO_COMMAND;
	*end = (struct sandbox_end){.why = SANDBOX_BROKEN, .said = t->cx->detail != NULL ? t->cx->detail : ""};
	return false;
}

static bool
check_whole(struct trial *t)
{
	struct sandbox_end end;
	const struct hint *h;

	if (check_run(t, "grep -q '^Seccomp:.2$' /proc/self/status && grep -q '^NoNewPrivs:.1$' /proc/self/status && grep -q '^CapBnd:.0*$' /proc/self/status && echo closed", NULL, &end)) {
		bool closed = strcmp(t->out, "closed\n") == 0;

		check_say(t, closed ? CHECK_HOLDS : CHECK_LACKS, "the kernel needs CONFIG_SECCOMP_FILTER; sanitizers and odd kernels have none", closed ?
		    "sandboxes: namespaces, mounts, no capabilities, filter of system calls" : "sandboxes can be made, but have more rights than they should");
		return closed;
	}
	h = hint_of(end.said != NULL ? end.said : "");
	check_say(t, CHECK_LACKS, h != NULL ? h->advice : "doc/sandboxes.md says what a machine needs", "sandboxes cannot be made: %s (%s); functions are off",
	    h != NULL ? h->why : "nobody knows why", end.said != NULL && *end.said != '\0' ? end.said : "nothing was said");
	return false;
}

static void
check_limits(struct trial *t, const char *missing)
{
	const char *advice = access("/run/systemd/system", F_OK) == 0 ?
	    (geteuid() == 0 ? "run it as badal-executor.service, which has control groups of its own (Delegate=yes); to try that here: systemd-run --pipe -p Delegate=yes badal doctor" :
	    "give it control groups of its own: systemd-run --user --scope -p Delegate=yes badal serve (or doctor)") :
	    "mount control groups that this user may write to (/sys/fs/cgroup), of version 2 or 1";
	struct sandbox_end end;
	bool bounded;

	/* more than there is to be, and not so much that it harms should it be there */
	bounded = !words_hold(missing, "memory") && check_run(t, "head -c 160m /dev/zero | tail -c 160m | wc -c; echo all", NULL, &end) && end.why == SANDBOX_MEMORY;
	check_guarantee(t, "memory", bounded, advice, bounded ? "memory is bounded" : "memory is not bounded");
	bounded = !words_hold(missing, "processes") && check_run(t, "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do sleep 2 & done; echo all", NULL, &end) &&
	    strstr(t->out, "all") == NULL;
	check_guarantee(t, "processes", bounded, advice, bounded ? "processes are bounded" : "processes are not bounded");
	bounded = !words_hold(missing, "processors");
	check_guarantee(t, "processors", bounded, advice, bounded ? "processors can be bounded" : "processors cannot be bounded");
	check_guarantee(t, "identity", geteuid() == 0, "run the executor as root (badal-executor.service)", geteuid() == 0 ? "each is another user outside" : "we are not root");
}

static void
check_network(struct trial *t, const char *dir)
{
	struct net_settings s = net_configured(dir);
	const char *why, *way = net_setup(t->cx, &s, &why);
	struct sandbox_end end;
	struct net *n = NULL;
	bool holds = false;

	if (way != NULL && net_open(t->cx, &n) != OK)
		why = t->cx->detail;
	else if (way != NULL && !(holds = check_run(t, "grep -q . /proc/net/route && wc -l </proc/net/route", n, &end) && atoi(t->out) > 1))
		why = "a sandbox has no route in it";
	net_free(&n);
	check_guarantee(t, "network", holds, geteuid() == 0 ? "apt-get install libnftables1; a container needs CAP_NET_ADMIN and /proc/sys/net that can be written" :
	    access("/dev/net/tun", R_OK | W_OK) != 0 ? "let this user open /dev/net/tun (mode 0666), and apt-get install passt libnftables1" : "apt-get install passt libnftables1 (or slirp4netns)",
	    holds ? arena_printf(t->cx->arena, "network by %s; the API is at %s", way, *net_api() != '\0' ? net_api() : "no address") : arena_printf(t->cx->arena, "there is no network: %s", why != NULL ? why : ""));
	if (holds && strcmp(way, "veth") == 0 && forward_drops())
		check_say(t, CHECK_ACCEPTED, "iptables -I FORWARD -i 'bdl+' -j ACCEPT; iptables -I FORWARD -o 'bdl+' -j ACCEPT (with Docker: into DOCKER-USER instead of FORWARD)",
		    "sandboxes: this machine drops what is forwarded (Docker, ufw or firewalld): functions reach the API, but perhaps not the Internet");
	net_fini();
	net_ended(t->cx);
}

/* Only images with servers of their own need it. */
static void
check_layers(struct trial *t)
{
	bool shared;
	const char *why = sandbox_layers(t->cx, &shared);

	if (why != NULL)
		check_say(t, CHECK_ACCEPTED, "a kernel with overlayfs (Linux 5.11 without root), and none of a container's in the way; runtimes without contract= need none",
		    "sandboxes: no root can be written to: %s; images cannot be served by servers of their own", why);
	else if (shared)
		check_say(t, CHECK_ACCEPTED, "Linux 5.19, and executor_dir on ext4, XFS or btrfs", "sandboxes: those of an image with a server of its own are one user outside: files cannot be shown as another user's here%s",
		    sandbox_accepted("identity") ? "" : "; they are not served, for executor_accept has no identity");
	else
		check_say(t, CHECK_HOLDS, NULL, "sandboxes: roots of images can be written to, each in a layer of its own");
}

void
sandbox_check(struct ctx *cx, const char *dir, const struct check *c)
{
	struct trial t = {.cx = cx, .c = c};
	const char *why, *missing = sandbox_setup(dir, NULL, &why);

	if (missing == NULL) {
		check_say(&t, CHECK_LACKS, "apt-get install bubblewrap, and install badal whole (make install)", "sandboxes: %s; functions are off", why);
		return;
	}
	if (!check_whole(&t))
		return;
	check_limits(&t, missing);
	check_layers(&t);
	check_network(&t, dir);
	if (*image_missing() == '\0')
		check_say(&t, CHECK_HOLDS, NULL, "runtimes from images: skopeo and umoci");
	else
		check_say(&t, CHECK_ACCEPTED, "apt-get install skopeo umoci, if runtimes are to come from images", "runtimes from images: %s not installed", image_missing());
}
