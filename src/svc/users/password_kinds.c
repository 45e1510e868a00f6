/* The kinds of password hashes that users are imported with. Whoever imports them chooses their costs, and who signs in the length of the
 * password, so what both come to has a ceiling above which a hash matches nothing: a login may not hold a thread for minutes, nor take
 * the machine's memory. */
#include "svc/users/password.h"

#include <crypt.h>
#include <math.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>

enum {
	BCRYPT_COST_MAX = 16,
	PHPASS_LOG2_MIN = 7,
	PHPASS_LOG2_MAX = 20,
	PHPASS_BLOCKS_MAX = 1 << 22,	/* that MD5 reads, over all rounds: each reads the password again */
	CRYPT_ROUNDS_MAX = 1000000,
	PHC_MAX = 1024,
	KEY_MAX = 1024,		/* bytes of a scrypt key */
	SALT_MAX = 512
};
/* Milliseconds of a core, about, for a unit of each kind: measured on machines of these years, and good enough to tell a second from a minute. */
#define MS_BCRYPT 0.06		/* at cost 0; twice that for each more */
#define MS_CRYPT_ROUND 0.0006	/* SHA-crypt */
#define MS_MD5 0.0003
#define MS_ARGON2_MIB 0.7	/* and pass */
#define MS_SCRYPT_MIB 3.0
static const int64_t memory_max = INT64_C(256) << 20, work_max = INT64_C(1) << 30;	/* bytes of argon2 and scrypt, once and over all passes */

static bool
password_kinds_same(const char *a, const char *b)
{
	return str_eq_secret(str_c(a), str_c(b));
}

static void
to_hex(const unsigned char *p, size_t n, char *out)	/* 2n + 1 bytes */
{
	sodium_bin2hex(out, 2 * n + 1, p, n);
}

/* ---- digests ---- */

static const struct { const char *version, *name; } digests[] = {
	{"sha1", "SHA1"}, {"sha224", "SHA224"}, {"sha256", "SHA256"}, {"sha384", "SHA384"}, {"sha512/224", "SHA512-224"},
	{"sha512/256", "SHA512-256"}, {"sha512", "SHA512"}, {"sha3-224", "SHA3-224"}, {"sha3-256", "SHA3-256"}, {"sha3-384", "SHA3-384"},
	{"sha3-512", "SHA3-512"}};
const char *const password_sha_versions[] = {"sha1", "sha224", "sha256", "sha384", "sha512/224", "sha512/256", "sha512", "sha3-224", "sha3-256",
	"sha3-384", "sha3-512", NULL};

static bool
digest_matches(const char *name, const char *stored, const char *password)
{
	const EVP_MD *md = EVP_get_digestbyname(name);
	unsigned char sum[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned n;

	if (md == NULL || EVP_Digest(password, strlen(password), sum, &n, md, NULL) != 1)
		return false;
	to_hex(sum, n, hex);
	return password_kinds_same(hex, stored);
}

static bool
match_md5(const struct password_options *o, const char *stored, const char *password)
{
	(void)o;
	return digest_matches("MD5", stored, password);
}

static bool
match_sha(const struct password_options *o, const char *stored, const char *password)
{
	struct str version = str_c(o->version && o->version[0] ? o->version : "sha3-512");

	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
		if (str_ieq(version, str_c(digests[i].version)))
			return digest_matches(digests[i].name, stored, password);
	return false;
}

/* ---- crypt(3), argon2 ---- */

static long
password_kinds_number_after(const char *text, const char *mark)
{
	const char *at = strstr(text, mark);

	return at ? strtol(at + strlen(mark), NULL, 10) : -1;
}

/* Of the kinds that crypt(3) knows, those whose cost we can read. */
static bool
crypt_bounded(const char *stored)
{
	if (stored[0] == '$' && stored[1] == '2')
		return strlen(stored) == 60 && stored[3] == '$' && strtol(stored + 4, NULL, 10) <= BCRYPT_COST_MAX;
	if (strncmp(stored, "$1$", 3) == 0)
		return true;
	if (strncmp(stored, "$5$", 3) == 0 || strncmp(stored, "$6$", 3) == 0)
		return password_kinds_number_after(stored, "rounds=") <= CRYPT_ROUNDS_MAX;
	return false;
}

static bool
match_crypt(const char *stored, const char *password)
{
	struct crypt_data *d;
	const char *sum;
	bool ok = false;

	if (!crypt_bounded(stored) || (d = calloc(1, sizeof *d)) == NULL)
		return false;
	sum = crypt_r(password, stored, d);
	if (sum != NULL && sum[0] != '*')
		ok = password_kinds_same(sum, stored);
	free(d);
	return ok;
}

static bool
argon2_bounded(const char *stored)
{
	int64_t kib = password_kinds_number_after(stored, "$m="), passes = password_kinds_number_after(stored, ",t=");

	return kib > 0 && passes > 0 && kib <= memory_max >> 10 && passes <= (work_max >> 10) / kib;
}

/* Argon2 of any flavour; the prefix decides, so bcrypt comes the same way. The costs of our own are the operator's choice. */
static bool
match_argon2(const struct password_options *o, const char *stored, const char *password)
{
	char text[PHC_MAX] = "";	/* salts and sums may be longer than ours */

	if (strncmp(stored, "$argon2", 7) != 0)
		return match_crypt(stored, password);
	if (strlen(stored) >= sizeof text || (!o->own && !argon2_bounded(stored)))
		return false;
	memcpy(text, stored, strlen(stored));	/* the library reads all of its array */
	return crypto_pwhash_str_verify(text, password, strlen(password)) == 0;
}

/* ---- PHPass: portable hashes ---- */

static const char phpass_alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void
phpass_encode(const unsigned char sum[16], char out[23])
{
	int n = 0;

	for (int i = 0; i < 16; i += 3) {
		unsigned v = sum[i] | (i + 1 < 16 ? (unsigned)sum[i + 1] << 8 : 0) | (i + 2 < 16 ? (unsigned)sum[i + 2] << 16 : 0);

		for (int k = 0; k < (i + 1 < 16 ? 4 : 2); k++, v >>= 6)
			out[n++] = phpass_alphabet[v & 63];
	}
	out[n] = '\0';
}

/* MD5 of salt and password, then `rounds` times MD5 of the last sum and the password. */
static bool
phpass_sum(const char *salt, const char *password, long rounds, unsigned char sum[16])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t n = strlen(password);
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_md5(), NULL) && EVP_DigestUpdate(md, salt, 8) && EVP_DigestUpdate(md, password, n) &&
	    EVP_DigestFinal_ex(md, sum, NULL);

	while (ok && rounds-- > 0)
		ok = EVP_DigestInit_ex(md, EVP_md5(), NULL) && EVP_DigestUpdate(md, sum, 16) && EVP_DigestUpdate(md, password, n) &&
		    EVP_DigestFinal_ex(md, sum, NULL);
	EVP_MD_CTX_free(md);
	return ok;
}

static bool
match_phpass(const struct password_options *o, const char *stored, const char *password)
{
	const char *at;
	unsigned char sum[16];
	char text[23];
	long rounds;

	(void)o;
	if (strncmp(stored, "$P$", 3) != 0 && strncmp(stored, "$H$", 3) != 0)
		return match_crypt(stored, password);
	if (strlen(stored) != 34 || (at = strchr(phpass_alphabet, stored[3])) == NULL)
		return false;
	if (at - phpass_alphabet < PHPASS_LOG2_MIN || at - phpass_alphabet > PHPASS_LOG2_MAX)
		return false;
	rounds = 1L << (at - phpass_alphabet);
	if (strlen(password) / 64 >= (size_t)(PHPASS_BLOCKS_MAX / rounds) || !phpass_sum(stored + 4, password, rounds, sum))
		return false;
	phpass_encode(sum, text);
	return password_kinds_same(text, stored + 12);
}

/* ---- scrypt and its modified form ---- */

static bool
scrypt(const char *password, size_t n, const unsigned char *salt, size_t n_salt, int64_t N, int64_t r, int64_t p, unsigned char *key, size_t n_key)
{
	return EVP_PBE_scrypt(password, n, salt, n_salt, (uint64_t)N, (uint64_t)r, (uint64_t)p, (uint64_t)memory_max + (1 << 20), key, n_key) == 1;
}

static int64_t
power_of_two(int64_t n)
{
	int64_t v = 1;

	while (v <= n / 2)
		v *= 2;
	return v;
}

static bool
match_scrypt(const struct password_options *o, const char *stored, const char *password)
{
	int64_t N = power_of_two(o->cpu);
	unsigned char key[KEY_MAX];
	char hex[2 * KEY_MAX + 1];

	if (o->salt == NULL || N < 2 || N > (1 << 24) || o->memory < 1 || o->memory > 1024 || o->parallel < 1 || o->parallel > 16)
		return false;
	if (o->length < 1 || o->length > KEY_MAX || 128 * N * o->memory > memory_max || 128 * N * o->memory * o->parallel > work_max)
		return false;
	if (!scrypt(password, strlen(password), (const unsigned char *)o->salt, strlen(o->salt), N, o->memory, o->parallel, key, (size_t)o->length))
		return false;
	to_hex(key, (size_t)o->length, hex);
	return password_kinds_same(hex, stored);
}

static bool
from_base64(const char *text, unsigned char *out, size_t room, size_t *n_out)
{
	const char *end;

	return text != NULL && sodium_base642bin(out, room, text, strlen(text), NULL, n_out, &end, sodium_base64_VARIANT_ORIGINAL) == 0 && *end == '\0';
}

/* Passwords were taken for Latin-1 and encoded as UTF-8 once more before they were hashed. */
static char *
twice_encoded(const char *password)
{
	unsigned char *out = malloc(2 * strlen(password) + 1), *o = out;

	if (out == NULL)
		return NULL;
	for (const unsigned char *p = (const unsigned char *)password; *p; p++) {
		if (*p < 0x80) {
			*o++ = *p;
		} else {
			*o++ = (unsigned char)(0xc0 | *p >> 6);
			*o++ = (unsigned char)(0x80 | (*p & 0x3f));
		}
	}
	*o = '\0';
	return (char *)out;
}

static bool
aes256_ctr(const unsigned char key[32], const unsigned char *in, size_t n, unsigned char *out)
{
	static const unsigned char iv[16];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n_out;
	bool ok = c != NULL && EVP_EncryptInit_ex(c, EVP_aes_256_ctr(), NULL, key, iv) && EVP_EncryptUpdate(c, out, &n_out, in, (int)n);

	EVP_CIPHER_CTX_free(c);
	return ok;
}

static bool
match_scrypt_modified(const struct password_options *o, const char *stored, const char *password)
{
	unsigned char salt[2 * SALT_MAX], signer[SALT_MAX], key[64], sealed[SALT_MAX];
	char text[sodium_base64_ENCODED_LEN(SALT_MAX, sodium_base64_VARIANT_ORIGINAL)], *twice;
	size_t n_salt, n_separator, n_signer;
	bool ok;

	if (!from_base64(o->salt, salt, SALT_MAX, &n_salt) || !from_base64(o->separator, salt + n_salt, SALT_MAX, &n_separator) ||
	    !from_base64(o->signer, signer, sizeof signer, &n_signer) || (twice = twice_encoded(password)) == NULL)
		return false;
	ok = scrypt(twice, strlen(twice), salt, n_salt + n_separator, 16384, 8, 1, key, sizeof key) && aes256_ctr(key, signer, n_signer, sealed);
	free(twice);
	if (!ok)
		return false;
	sodium_bin2base64(text, sizeof text, sealed, n_signer, sodium_base64_VARIANT_ORIGINAL);
	return password_kinds_same(text, stored);
}

static const struct {
	const char *id;
	bool (*matches)(const struct password_options *o, const char *stored, const char *password);
} kinds[] = {
	{"argon2", match_argon2},
	{"bcrypt", match_argon2},
	{"md5", match_md5},
	{"sha", match_sha},
	{"phpass", match_phpass},
	{"scrypt", match_scrypt},
	{"scryptMod", match_scrypt_modified},
};

/* ---- costs ---- */

static struct password_cost
cost_crypt(const char *stored)
{
	double rounds = password_kinds_number_after(stored, "rounds=");

	if (stored[0] == '$' && stored[1] == '2')
		return (struct password_cost){strlen(stored) == 60 ? ldexp(MS_BCRYPT, (int)strtol(stored + 4, NULL, 10)) : 0, 0};
	if (strncmp(stored, "$5$", 3) == 0 || strncmp(stored, "$6$", 3) == 0)
		return (struct password_cost){(rounds > 0 ? rounds : 5000) * MS_CRYPT_ROUND, 0};
	return (struct password_cost){0};
}

static struct password_cost
cost_argon2(const struct password_options *o, const char *stored)
{
	double kib = password_kinds_number_after(stored, "$m="), passes = password_kinds_number_after(stored, ",t=");

	(void)o;
	if (strncmp(stored, "$argon2", 7) != 0)
		return cost_crypt(stored);
	if (strlen(stored) >= PHC_MAX || kib <= 0 || passes <= 0)
		return (struct password_cost){0};
	return (struct password_cost){kib * passes / 1024 * MS_ARGON2_MIB, kib * 1024};
}

static struct password_cost
cost_phpass(const struct password_options *o, const char *stored)
{
	const char *at = strlen(stored) == 34 ? strchr(phpass_alphabet, stored[3]) : NULL;

	(void)o;
	if (strncmp(stored, "$P$", 3) != 0 && strncmp(stored, "$H$", 3) != 0)
		return cost_crypt(stored);
	return (struct password_cost){at ? ldexp(MS_MD5, (int)(at - phpass_alphabet)) : 0, 0};
}

static struct password_cost
cost_scrypt(const struct password_options *o, const char *stored)
{
	double bytes = 128 * (double)o->cpu * (double)o->memory;

	(void)stored;
	if (o->cpu < 1 || o->memory < 1 || o->parallel < 1 || o->length < 1)
		return (struct password_cost){0};
	return (struct password_cost){bytes * (double)o->parallel / (1 << 20) * MS_SCRYPT_MIB + (double)o->length / 32 * MS_CRYPT_ROUND, bytes};
}

static const struct {
	const char *id;
	struct password_cost (*cost)(const struct password_options *o, const char *stored);
} costs[] = {{"argon2", cost_argon2}, {"bcrypt", cost_argon2}, {"phpass", cost_phpass}, {"scrypt", cost_scrypt}};

struct password_cost
password_cost_of(const char *hash_id, const struct password_options *o, const char *stored)
{
	for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
		if (strcmp(costs[i].id, hash_id) == 0)
			return costs[i].cost(o, stored);
	return (struct password_cost){0};	/* digests, and scryptMod, whose costs are fixed: 16 MiB once */
}

bool
password_matches(const char *hash_id, const struct password_options *o, const char *stored, const char *password)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].id, hash_id) == 0)
			return kinds[i].matches(o, stored, password);
	return false;
}
