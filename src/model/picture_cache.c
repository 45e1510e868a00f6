/* Pictures that were made, on the disk of this machine.
 *
 * A file each, <data_dir>/cache/pictures/<owner>/<object>/<whole key>, all hashed, written under another name and renamed: whoever finds one finds
 * all of it, whatever crashed. When it was used last is the file's own access time, set here (whatever the file system is mounted with). How many bytes there
 * are is a number in a file that all processes have mapped; who puts it over the bound makes room, one at a time, and counts anew. So does who finds
 * that nobody has for a day. The upkeep of jobs could not: it runs on one machine, and each has a cache of its own. */
#include "model/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/offload.h"
#include "model/seal.h"

enum {
	HASH = 16, HASH_HEX = 2 * HASH + 1, NAMES = 3,
	TOUCH_S = 60,			/* a use is noted so often */
	UNUSED_S = 30 * 24 * 3600,	/* what nobody asked for goes */
	SWEEP_S = 24 * 3600, STALE_S = 3600,	/* a half-written file is nobody's any more */
	ROOM_PERCENT = 80,		/* of the bound, once room is made */
	BLOCK = 4096			/* a file costs this at least */
};

/* Leads what is kept sealed, in place of the beginning of a picture. */
static const char sealed_mark[8] = "BADALSL1";
enum { SEAL_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, SEAL_MAC = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	SEAL_OVER = sizeof sealed_mark + SEAL_NONCE + SEAL_MAC, SEAL_KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES };

struct cache_count {		/* shared by the processes of this machine */
	_Atomic int64_t bytes;
	_Atomic int64_t swept;	/* seconds */
};

struct cache_work {		/* of a thread; the strings are the context's */
	char root[PATH_MAX];
	char names[NAMES][HASH_HEX];
	int n_names;
	unsigned char key[SEAL_KEY_BYTES];
	int64_t bound;
	/* found */
	int fd;
	uint64_t size;
	const char *type;
	/* to keep */
	struct str bytes;
	bool secret, kept;
	int64_t dropped;
};

static struct cache_count *count;

/* ---- names ---- */

static void
hash_name(struct str s, char out[HASH_HEX])
{
	unsigned char h[HASH];

	crypto_generichash(h, sizeof h, (const unsigned char *)s.p, s.n, NULL, 0);
	sodium_bin2hex(out, HASH_HEX, h, sizeof h);
}

/* "owner/object?variant": of the owner, of the object, of it all; as many as the text has. */
static void
cache_names(struct cache_work *w, const char *text)
{
	const char *object = strchr(text, '/'), *variant = strchr(text, '?');

	hash_name((struct str){text, object ? (size_t)(object - text) : strlen(text)}, w->names[0]);
	hash_name((struct str){text, variant ? (size_t)(variant - text) : strlen(text)}, w->names[1]);
	hash_name(str_c(text), w->names[2]);
	w->n_names = variant ? 3 : object ? 2 : 1;
}

static struct cache_work *
cache_work_new(struct ctx *cx, const char *text)
{
	struct cache_work *w = arena_new_of(cx->arena, struct cache_work);
	static const char label[] = "badal pictures";
	const char *master = seal_master(0);	/* of a former one nothing opens, and is made again */

	w->fd = -1;
	w->bound = conf.preview_cache_size;
	snprintf(w->root, sizeof w->root, "%s/cache/pictures", conf.data_dir);
	cache_names(w, text);
	crypto_generichash(w->key, sizeof w->key, (const unsigned char *)master, strlen(master), (const unsigned char *)label, sizeof label - 1);
	return w;
}

static bool
cache_path(const struct cache_work *w, int names, const char *before, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s", w->root);

	for (int i = 0; i < names && n < PATH_MAX; i++)
		n += snprintf(out + n, (size_t)(PATH_MAX - n), "/%s%s", i == NAMES - 1 ? before : "", w->names[i]);
	return n < PATH_MAX;
}

/* ---- how much there is ---- */

static bool
make_directory(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool
count_map(const struct cache_work *w)
{
	char path[PATH_MAX + 16];
	void *p = MAP_FAILED;
	int fd;

	if (count != NULL)
		return true;
	snprintf(path, sizeof path, "%s/.count", w->root);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && ftruncate(fd, sizeof *count) == 0)
		p = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		return false;
	count = p;
	return true;
}

/* In a thread, and others may be at it. */
static bool
count_open(const struct cache_work *w)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
	char above[PATH_MAX];
	bool ok;

	snprintf(above, sizeof above, "%.*s", (int)(strlen(w->root) - sizeof "/pictures" + 1), w->root);
	if (!make_directory(above) || !make_directory(w->root))	/* each time: somebody may have cleared it away */
		return false;
	pthread_mutex_lock(&one);
	ok = count_map(w);
	pthread_mutex_unlock(&one);
	return ok;
}

static int64_t
cost_of(int64_t size)
{
	return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/* ---- making room ---- */

struct kept_file {
	char *path;
	int64_t used, cost;
};

static int
longest_unused_first(const void *a, const void *b)
{
	const struct kept_file *x = a, *y = b;

	return x->used < y->used ? -1 : x->used > y->used;
}

struct kept_list {
	struct kept_file *v;
	size_t n, room;
	int64_t bytes;
};

static void
list_add(struct kept_list *l, const FTSENT *f)
{
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->v = mem_realloc(l->v, l->room * sizeof *l->v);
	}
	l->v[l->n++] = (struct kept_file){mem_strdup(f->fts_accpath), f->fts_statp->st_atim.tv_sec, cost_of(f->fts_statp->st_size)};
	l->bytes += cost_of(f->fts_statp->st_size);
}

static void
list_take(struct kept_list *l, FTS *fts, int64_t now)
{
	for (FTSENT *f; (f = fts_read(fts)) != NULL;) {
		if (f->fts_info == FTS_DP && f->fts_level > 0)
			(void)rmdir(f->fts_accpath);	/* when it is empty */
		if (f->fts_info != FTS_F || f->fts_level != NAMES)
			continue;
		if (f->fts_name[0] == '.') {
			if (f->fts_statp->st_mtim.tv_sec < now - STALE_S)
				(void)unlink(f->fts_accpath);
		} else {
			list_add(l, f);
		}
	}
}

static void
list_cut(struct kept_list *l, int64_t wanted, int64_t now, int64_t *dropped)
{
	qsort(l->v, l->n, sizeof *l->v, longest_unused_first);
	for (size_t i = 0; i < l->n; i++) {
		if ((l->bytes > wanted || l->v[i].used < now - UNUSED_S) && unlink(l->v[i].path) == 0) {
			l->bytes -= l->v[i].cost;
			++*dropped;
		}
		free(l->v[i].path);
	}
	free(l->v);
}

static void
cache_sweep(struct cache_work *w)
{
	char path[PATH_MAX + 16], *const roots[] = {w->root, NULL};
	struct kept_list l = {0};
	int64_t now = time(NULL);
	FTS *fts;
	int lock;

	snprintf(path, sizeof path, "%s/.lock", w->root);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return;
	if (flock(lock, LOCK_EX | LOCK_NB) == 0 && (fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL)) != NULL) {
		list_take(&l, fts, now);
		fts_close(fts);
		list_cut(&l, w->bound / 100 * ROOM_PERCENT, now, &w->dropped);
		atomic_store(&count->bytes, l.bytes);
		atomic_store(&count->swept, now);
	}
	close(lock);
}

static void
cache_tend(struct cache_work *w)
{
	if (atomic_load(&count->bytes) > w->bound || atomic_load(&count->swept) < time(NULL) - SWEEP_S)
		cache_sweep(w);
}

/* ---- finding ---- */

static const char *
type_of_bytes(const unsigned char *p, size_t n)
{
	if (n < 12)
		return NULL;
	return memcmp(p, "\xff\xd8\xff", 3) == 0 ? "image/jpeg" : memcmp(p, "\x89PNG", 4) == 0 ? "image/png" : memcmp(p, "GIF8", 4) == 0 ? "image/gif" :
	    memcmp(p, "RIFF", 4) == 0 ? "image/webp" : memcmp(p + 4, "ftyp", 4) == 0 ? "image/avif" :
	    memcmp(p, "\0\0\1\0", 4) == 0 ? "image/x-icon" : NULL;
}

/* The clear bytes, in a file in memory; -1: it is not sealed with our key. */
static int
unseal(const struct cache_work *w, int fd, size_t size)
{
	unsigned char *box = malloc(size), *clear = malloc(size);
	int out = -1;

	if (box != NULL && clear != NULL && size > SEAL_OVER && pread(fd, box, size, 0) == (ssize_t)size &&
	    crypto_aead_xchacha20poly1305_ietf_decrypt(clear, NULL, NULL, box + sizeof sealed_mark + SEAL_NONCE, size - sizeof sealed_mark - SEAL_NONCE,
	    (const unsigned char *)w->names[2], HASH_HEX, box + sizeof sealed_mark, w->key) == 0) {
		out = memfd_create("picture", MFD_CLOEXEC);
		if (out >= 0 && write(out, clear, size - SEAL_OVER) != (ssize_t)(size - SEAL_OVER)) {
			close(out);
			out = -1;
		}
	}
	free(box);
	free(clear);
	return out;
}

static void
note_use(int fd, const struct stat *st)
{
	const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};

	if (st->st_atim.tv_sec < time(NULL) - TOUCH_S)
		(void)futimens(fd, now);
}

static void
cache_find(void *arg)
{
	struct cache_work *w = arg;
	unsigned char head[12];
	char path[PATH_MAX];
	struct stat st;

	if (!cache_path(w, NAMES, "", path) || (w->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return;
	if (fstat(w->fd, &st) == 0 && pread(w->fd, head, sizeof head, 0) == (ssize_t)sizeof head) {
		note_use(w->fd, &st);
		w->size = (uint64_t)st.st_size;
		if (memcmp(head, sealed_mark, sizeof sealed_mark) == 0) {
			int clear = unseal(w, w->fd, (size_t)st.st_size);

			close(w->fd);
			w->fd = clear;
			w->size -= SEAL_OVER;
		}
		if (w->fd >= 0 && pread(w->fd, head, sizeof head, 0) == (ssize_t)sizeof head)
			w->type = type_of_bytes(head, sizeof head);
	}
	if (w->fd >= 0 && w->type == NULL) {
		close(w->fd);
		w->fd = -1;
	}
}

static void
close_kept(void *arg)
{
	close((int)(intptr_t)arg);
}

bool
picture_cached(struct ctx *cx, const char *key, int *fd_out, uint64_t *size_out, const char **type_out)
{
	struct cache_work *w;

	if (conf.preview_cache_size <= 0)
		return false;
	w = cache_work_new(cx, key);
	if (offload(cx, LANE_picture, cache_find, w) != OK || w->fd < 0) {
		if (w->fd >= 0)
			close(w->fd);
		return false;
	}
	defer(cx, close_kept, (void *)(intptr_t)w->fd);
	metric_add(M_pictures_cached, 1);
	*fd_out = w->fd;
	*size_out = w->size;
	*type_out = w->type;
	return true;
}

/* ---- keeping ---- */

static bool
write_whole(int fd, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t got = write(fd, p, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p = (const char *)p + got;
		n -= (size_t)got;
	}
	return true;
}

static bool
write_sealed(const struct cache_work *w, int fd)
{
	unsigned char nonce[SEAL_NONCE], *box = malloc(w->bytes.n + SEAL_MAC);
	bool ok = box != NULL;

	randombytes_buf(nonce, sizeof nonce);
	ok = ok && crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, (const unsigned char *)w->bytes.p, w->bytes.n, (const unsigned char *)w->names[2],
	    HASH_HEX, NULL, nonce, w->key) == 0;
	ok = ok && write_whole(fd, sealed_mark, sizeof sealed_mark) && write_whole(fd, nonce, sizeof nonce) && write_whole(fd, box, w->bytes.n + SEAL_MAC);
	free(box);
	return ok;
}

static void
cache_write(void *arg)
{
	static _Atomic unsigned serial;
	struct cache_work *w = arg;
	char path[PATH_MAX], fresh[PATH_MAX], before[40];
	bool ok;
	int fd;

	if (!count_open(w))
		return;
	for (int i = 1; i < NAMES; i++)
		if (!cache_path(w, i, "", path) || !make_directory(path))
			return;
	snprintf(before, sizeof before, ".%d.%u.", (int)getpid(), atomic_fetch_add(&serial, 1));
	if (!cache_path(w, NAMES, "", path) || !cache_path(w, NAMES, before, fresh))
		return;
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	ok = (w->secret ? write_sealed(w, fd) : write_whole(fd, w->bytes.p, w->bytes.n)) && fdatasync(fd) == 0;	/* else a crash could leave its name alone */
	close(fd);
	w->kept = ok && rename(fresh, path) == 0;
	if (!w->kept) {
		(void)unlink(fresh);
		return;
	}
	atomic_fetch_add(&count->bytes, cost_of((int64_t)w->bytes.n));
	cache_tend(w);
}

void
picture_keep(struct ctx *cx, const char *key, const struct picture *pic, bool secret)
{
	struct cache_work *w;

	if (conf.preview_cache_size <= 0 || cost_of((int64_t)pic->bytes.n) > conf.preview_cache_size / 4)
		return;
	w = cache_work_new(cx, key);
	w->bytes = pic->bytes;
	w->secret = secret;
	if (offload(cx, LANE_picture, cache_write, w) != OK || !w->kept) {
		log_debug(cx, "a picture was not kept", "detail=%s", cx->detail ? cx->detail : "");
		return;
	}
	metric_add(M_pictures_kept, 1);
	metric_add(M_pictures_dropped, w->dropped);
}

/* ---- forgetting ---- */

static void
cache_remove(void *arg)
{
	struct cache_work *w = arg;
	char path[PATH_MAX], *const roots[] = {path, NULL};
	FTS *fts;

	if (!count_open(w) || !cache_path(w, w->n_names, "", path) || access(path, F_OK) != 0)
		return;
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	for (FTSENT *f; fts != NULL && (f = fts_read(fts)) != NULL;) {
		if (f->fts_info == FTS_F && unlink(f->fts_accpath) == 0)
			atomic_fetch_sub(&count->bytes, cost_of(f->fts_statp->st_size));
		else if (f->fts_info == FTS_DP)
			(void)rmdir(f->fts_accpath);
	}
	if (fts != NULL)
		fts_close(fts);
}

void
picture_forget(struct ctx *cx, const char *what)
{
	if (conf.preview_cache_size > 0 && offload(cx, LANE_picture, cache_remove, cache_work_new(cx, what)) != OK)
		log_debug(cx, "pictures were not forgotten", "what=%s", what);	/* what stays is found by no key, and goes by age */
}

const char *
picture_tag(struct ctx *cx, const char *key)
{
	char name[HASH_HEX];

	hash_name(str_c(key), name);
	return arena_printf(cx->arena, "\"%s\"", name);
}
