/* Small files of a local directory that are read again and again: their descriptors stay open for a moment.
 *
 * To look a path up, open it and close it again costs more than half of what it costs to send 100 kB. A file is kept at its second opening within KEPT_MS, and
 * closed when nobody has wanted it for as long. One whose name is gone counts no more, and what it holds of the disk is bounded: KEPT_SLOTS × KEPT_MAX for
 * KEPT_MS. On the loop alone; threads may read what a reader holds. */
#include <assert.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/loop.h"
#include "device_priv.h"

enum { KEPT_SLOTS = 64, KEPT_MS = 1000, KEPT_MAX = 1 << 20 };

struct device_kept {		/* a key has one place where it can be */
	const struct device *d;	/* NULL: nothing was opened here lately */
	char key[DEVICE_KEY_MAX + 1];
	int fd;			/* -1: it was opened once */
	unsigned refs;		/* readers */
	uint64_t used;		/* loop_now() of the last opening */
};

static struct device_kept *slots;
static struct loop_timer *sweeper;

static void
slot_clear(struct device_kept *k)
{
	assert(k->refs == 0);
	if (k->fd >= 0)
		close(k->fd);
	*k = (struct device_kept){.fd = -1};
}

static void
kept_sweep(void *arg)
{
	bool any = false;

	(void)arg;
	for (int i = 0; i < KEPT_SLOTS; i++) {
		if (slots[i].d != NULL && slots[i].refs == 0 && loop_now() - slots[i].used >= KEPT_MS)
			slot_clear(&slots[i]);
		any = any || slots[i].d != NULL;
	}
	if (!any)
		loop_timer_stop(&sweeper);
}

static struct device_kept *
kept_slot(const char *key)
{
	if (slots == NULL) {
		slots = mem_zalloc(KEPT_SLOTS * sizeof *slots);
		for (int i = 0; i < KEPT_SLOTS; i++)
			slots[i].fd = -1;
	}
	if (sweeper == NULL)
		sweeper = loop_every(KEPT_MS, kept_sweep, NULL);
	return &slots[str_hash_stable(str_c(key)) % KEPT_SLOTS];
}

static bool
slot_is(const struct device_kept *k, const struct device *d, const char *key)
{
	return k->d == d && strcmp(k->key, key) == 0;
}

struct device_kept *
device_kept_get(const struct device *d, const char *key, uint64_t *size_out)
{
	struct device_kept *k = kept_slot(key);
	struct stat st;

	if (!slot_is(k, d, key) || k->fd < 0)
		return NULL;
	if (fstat(k->fd, &st) != 0 || st.st_nlink == 0) {	/* who reads it still has it to its end */
		if (k->refs == 0)
			slot_clear(k);
		return NULL;
	}
	k->refs++;
	k->used = loop_now();
	*size_out = (uint64_t)st.st_size;
	return k;
}

struct device_kept *
device_kept_put(const struct device *d, const char *key, int fd, uint64_t size)
{
	struct device_kept *k = kept_slot(key);
	bool again = slot_is(k, d, key) && loop_now() - k->used < KEPT_MS;

	if (k->refs > 0 || size > KEPT_MAX)
		return NULL;
	if (again && k->fd < 0) {
		k->fd = fd;
		k->refs = 1;
		k->used = loop_now();
		return k;
	}
	slot_clear(k);
	k->d = d;
	snprintf(k->key, sizeof k->key, "%s", key);
	k->used = loop_now();
	return NULL;
}

int
device_kept_fd(const struct device_kept *k)
{
	return k->fd;
}

void
device_kept_unref(struct device_kept **kp)
{
	assert((*kp)->refs > 0);
	(*kp)->refs--;
	*kp = NULL;
}
