/* badal key rotate-master: a new master key, and everything sealed anew, while servers run or not.
 *
 * With the key in a file (the usual case) the former one is kept beside it as <file>.old until nothing is sealed with it any more; processes at work look at both every
 * second (model/seal.h). With the key in the settings it is the operator's to give all machines the new one and the former one first. What a request has
 * sealed with the former key a moment ago may be stored only now: so there is a last look once no such request can be at work. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "main_priv.h"
#include "model/seal.h"

enum { TAKEN_OVER_MS = 2500, LOOKS_MAX = 20 };

static int64_t told_of;

static void
rotate_told(const struct seal_count *n, const char *schema)
{
	if (n->renewed == told_of)
		return;
	told_of = n->renewed;
	printf("%s: %lld sealed anew so far\n", schema, (long long)n->renewed);
	fflush(stdout);
}

/* Until a look that began when no request of the time before could be at work any more finds nothing. */
static err_t
rotate_work(struct ctx *cx, void *arg)
{
	struct seal_count *total = arg, n;

	for (int look = 0; look < LOOKS_MAX; look++) {
		TRY(fib_sleep(cx, look == 0 ? TAKEN_OVER_MS : TAKEN_OVER_MS + (uint64_t)conf.request_timeout));
		told_of = 0;
		TRY(seal_rotate(cx, &n, rotate_told));
		total->renewed += n.renewed;
		total->current = n.current;
		total->lost = n.lost;
		if (look > 0 && n.renewed == 0)
			return OK;
	}
	return fail(cx, ERR_BUSY, "somebody still seals with the former key: do all servers know the new one?");
}

static bool
former_read(const char *path, char *out, size_t size)
{
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	if (n <= 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

/* The former key goes beside the file before the new one goes into it. A former one that differs is of a rotation that was stopped. */
static bool
rotate_files(const struct place *p)
{
	char key[1024], former[1024], old[PATH_MAX + 16];
	unsigned char bytes[32];

	snprintf(old, sizeof old, "%s.old", conf.master_key_file);
	if (!former_read(conf.master_key_file, key, sizeof key)) {
		fprintf(stderr, "badal: %s cannot be read: %s\n", conf.master_key_file, strerror(errno));
		return false;
	}
	if (former_read(old, former, sizeof former) && strcmp(former, key) != 0) {
		printf("going on with a rotation that was stopped\n");
		return true;
	}
	if (!place_write_key(p, old, key))
		return false;
	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2hex(key, sizeof key, bytes, sizeof bytes);
	return place_write_key(p, conf.master_key_file, key);
}

/* Two at once would each make a key, and the one that ends first would take away what the other still needs. */
static bool
rotate_alone(void)
{
	const char *slash = strrchr(conf.master_key_file, '/');
	char dir[PATH_MAX];

	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - conf.master_key_file) + 1 : 1, slash ? conf.master_key_file : ".");
	return place_alone(dir, "key rotate-master");
}

int
key_rotate_run(struct args *a)
{
	struct place p;
	struct seal_count n = {0};
	char why[1024], old[PATH_MAX + 16];
	bool files;

	if (!place_find(&p) || !place_served(&p) || !place_settings(&p, a, false) || !args_conf(a, false))
		return 1;
	files = *conf.master_key == '\0';
	if (!files && *conf.master_key_old == '\0') {
		fprintf(stderr, "badal: give all servers the new key as master_key and the former one as master_key_old first, then run this with the same settings\n");
		return EXIT_USAGE;
	}
	if (files && (!rotate_alone() || !rotate_files(&p)))
		return 1;
	if (with_loop(rotate_work, &n, 0, why, sizeof why) != OK) {
		fprintf(stderr, "badal: %s\nThe former key is still needed; run this again.\n", why);
		return 1;
	}
	snprintf(old, sizeof old, "%s.old", conf.master_key_file);
	if (files && unlink(old) != 0) {
		fprintf(stderr, "badal: %s cannot be removed: %s\n", old, strerror(errno));
		return 1;
	}
	printf("%lld sealed anew, %lld under the new key\n", (long long)n.renewed, (long long)n.current);
	if (n.lost > 0)
		printf("%lld cannot be opened with any key and were left as they are\n", (long long)n.lost);
	printf("%s\n", files ? "Backups of before need the former key; it is gone from here." : "master_key_old is not needed any more.");
	return 0;
}
