/* Secrets at rest: XChaCha20-Poly1305 with a random nonce; the key is a hash of the master key under a label of its own.
 *
 * What is sealed, is sealed with the current master key; what is opened may be sealed with a former one, while badal key rotate-master is at work. Keys are
 * settings, or lines of files that are looked at again every second and whenever something does not open: so processes at work take over a new key, and
 * open what one that has it already has sealed. */
#include "model/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"

static const char prefix[] = "v1:";
enum {
	NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
	MASTERS_MAX = 5, MASTER_MAX = 1024, LOOK_MS = 1000
};

struct master {
	char text[MASTER_MAX + 1];
	unsigned char key[KEY];
};

static struct master masters[MASTERS_MAX];	/* the first one is current */
static int n_masters;
static const char *made_from, *made_from_old;	/* settings: they move when they change */
static struct stat file_seen, old_seen;
static int64_t file_looked;

static void
master_add(struct str text)
{
	static const char label[] = "badal secrets at rest";
	struct master *m = &masters[n_masters];

	text = str_trim(text);
	if (n_masters == MASTERS_MAX || text.n > MASTER_MAX)
		return;
	memcpy(m->text, text.p ? text.p : "", text.n);
	m->text[text.n] = '\0';
	crypto_generichash(m->key, sizeof m->key, (const unsigned char *)m->text, text.n, (const unsigned char *)label, sizeof label - 1);
	n_masters++;
}

static void
masters_of_settings(void)
{
	struct str old = str_c(conf.master_key_old), one;

	if (n_masters > 0 && made_from == conf.master_key && made_from_old == conf.master_key_old)
		return;
	made_from = conf.master_key;
	made_from_old = conf.master_key_old;
	n_masters = 0;
	master_add(str_c(conf.master_key));
	while ((one = str_cut(&old, ',')).n > 0)
		master_add(one);
}

/* ---- files ---- */

static int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool
file_moved(const char *path, struct stat *seen)
{
	struct stat st;

	if (stat(path, &st) != 0)
		memset(&st, 0, sizeof st);
	if (st.st_ino == seen->st_ino && st.st_mtim.tv_sec == seen->st_mtim.tv_sec && st.st_mtim.tv_nsec == seen->st_mtim.tv_nsec && st.st_size == seen->st_size)
		return false;
	*seen = st;
	return true;
}

static bool
master_of_file(const char *path)
{
	char text[MASTER_MAX + 2];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text);
	close(fd);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n <= 0 || n > MASTER_MAX)
		return false;
	master_add((struct str){text, (size_t)n});
	return true;
}

/* True when there may be others than before. Without any key nothing may be sealed: better no process than a secret that anybody opens. */
static bool
masters_of_files(bool now)
{
	char old[4096];
	int before = n_masters;
	bool moved;

	if (!now && n_masters > 0 && clock_ms() - file_looked < LOOK_MS)
		return false;
	file_looked = clock_ms();
	snprintf(old, sizeof old, "%s.old", conf.master_key_file);
	moved = file_moved(conf.master_key_file, &file_seen);
	if (!(file_moved(old, &old_seen) || moved || n_masters == 0))
		return false;
	n_masters = 0;
	if (!master_of_file(conf.master_key_file)) {
		log_error(NULL, "the master key cannot be read", "path=%s error=\"%s\"", conf.master_key_file, strerror(errno));
		if (before == 0)
			abort();
		n_masters = before;	/* those are still there */
		return false;
	}
	(void)master_of_file(old);	/* mostly there is none */
	return true;
}

static bool
masters_look(bool now)
{
	static bool were_files;
	bool files = conf.master_key != NULL && *conf.master_key == '\0' && conf.master_key_file != NULL && *conf.master_key_file != '\0';

	if (files != were_files)
		n_masters = 0;
	were_files = files;
	if (files)
		return masters_of_files(now);
	masters_of_settings();
	return false;
}

const char *
seal_master(int i)
{
	if (i == 0)
		(void)masters_look(false);
	return i < n_masters ? masters[i].text : NULL;
}

void
seal_forget(void)
{
	sodium_memzero(masters, sizeof masters);
	n_masters = 0;
}

bool
seal_look(void)
{
	return masters_look(true);
}

/* ---- sealing ---- */

const char *
seal_text(struct arena *a, const char *clear)
{
	size_t n;
	unsigned char *box;
	const char *text;

	if (clear == NULL)
		return NULL;
	(void)masters_look(false);
	n = strlen(clear);
	box = arena_alloc(a, NONCE + n + TAG);
	randombytes_buf(box, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, (const unsigned char *)clear, n, (const unsigned char *)prefix,
	    sizeof prefix - 1, NULL, box, masters[0].key);
	text = base64_encode(a, (struct str){(const char *)box, NONCE + n + TAG}, false);
	return arena_printf(a, "%s%s", prefix, text);
}

/* *which_out: the master that it was. */
static const char *
open_box(struct arena *a, struct str box, int *which_out)
{
	const unsigned char *b = (const unsigned char *)box.p;
	unsigned char *clear = arena_alloc(a, box.n - NONCE - TAG + 1);

	clear[box.n - NONCE - TAG] = '\0';
	for (int i = 0; i < n_masters; i++)
		if (crypto_aead_xchacha20poly1305_ietf_decrypt(clear, NULL, NULL, b + NONCE, box.n - NONCE, (const unsigned char *)prefix, sizeof prefix - 1,
			b, masters[i].key) == 0) {
			*which_out = i;
			return (const char *)clear;
		}
	return NULL;
}

static const char *
open_sealed(struct arena *a, struct str sealed, int *which_out)
{
	struct str box;
	const char *clear;

	if (!str_starts(sealed, prefix))
		return NULL;
	sealed.p += sizeof prefix - 1;
	sealed.n -= sizeof prefix - 1;
	if (!base64_decode(a, sealed, false, &box) || box.n < NONCE + TAG)
		return NULL;
	(void)masters_look(false);
	clear = open_box(a, box, which_out);
	return clear == NULL && masters_look(true) ? open_box(a, box, which_out) : clear;
}

const char *
seal_open(struct arena *a, struct str sealed)
{
	int which;

	return open_sealed(a, sealed, &which);
}

enum seal_age
seal_renew(struct arena *a, struct str sealed, const char **anew_out)
{
	int which;
	const char *clear = open_sealed(a, sealed, &which);

	*anew_out = NULL;
	if (clear == NULL)
		return SEAL_LOST;
	if (which == 0)
		return SEAL_CURRENT;
	*anew_out = seal_text(a, clear);
	return SEAL_FORMER;
}

void
seal_tag(struct str s, unsigned char out[SEAL_TAG_LEN])
{
	static unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
	static bool made;

	if (!made) {
		randombytes_buf(key, sizeof key);
		made = true;
	}
	crypto_shorthash_siphashx24(out, (const unsigned char *)s.p, s.n, key);
}

const char *
seal_signup_token(struct arena *a)
{
	unsigned char mac[32];
	char *text = arena_alloc(a, 33);

	hmac_sha256(str_c(conf.master_key), STR("first sign-up on the console"), mac);
	return sodium_bin2hex(text, 33, mac, 16);
}
