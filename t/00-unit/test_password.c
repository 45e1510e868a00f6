/* Password hashes of every kind against published values, and hashes nobody should wait for. */
#include <criterion/criterion.h>
#include <sodium.h>

#include "svc/users/password.h"

#define SIGNER "XyEKE9RcTDeLEsL/RjwPDBv/RqDl8fb3gpYEOQaPihbxf1ZAtSOHCjuAAa7Q3oHpCYhXSN9tizHgVOwn6krflQ=="

static const struct row {
	const char *kind, *stored, *password;
	struct password_options o;
} good[] = {
	{"md5", "144fa7eaa4904e8ee120651997f70dcc", "appwrite", {0}},
	{"md5", "900150983cd24fb0d6963f7d28e17f72", "abc", {0}},	/* RFC 1321 */
	{"sha", "a9993e364706816aba3e25717850c26c9cd0d89d", "abc", {.version = "sha1"}},	/* FIPS 180, FIPS 202 examples */
	{"sha", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7", "abc", {.version = "sha224"}},
	{"sha", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc", {.version = "SHA256"}},
	{"sha", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7", "abc", {.version = "sha384"}},
	{"sha", "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa", "abc", {.version = "sha512/224"}},
	{"sha", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23", "abc", {.version = "sha512/256"}},
	{"sha",
	    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	    "abc", {.version = "sha512"}},
	{"sha", "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf", "abc", {.version = "sha3-224"}},
	{"sha", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532", "abc", {.version = "sha3-256"}},
	{"sha", "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25", "abc", {.version = "sha3-384"}},
	{"sha",
	    "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
	    "abc", {.version = NULL}},
	{"bcrypt", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", {0}},	/* crypt_blowfish */
	{"bcrypt", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", "\xff\xff\xa3", {0}},
	{"argon2", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", {0}},
	{"argon2", "$argon2i$v=19$m=20,t=3,p=2$YXBwd3JpdGU$A/54i238ed09ZR4NwlACU5XnkjNBZU9QeOEuhjLiexI", "appwrite", {0}},
	{"argon2", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password", {0}},	/* phc-winner-argon2 */
	{"argon2",	/* libargon2: a salt of 32 bytes, a sum of 64 */
	    "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHRzb21lc2FsdHNvbWVzYWx0c29tZXNhbHQ$"
	    "ZLIBcVoWryPtaa3UGkMejFZVJxhcLISwgiRTd5J2NiXsB36eEJL3xNa++YiN8XsoKcGKtbZlQJvqXjzls2DQjw",
	    "password", {0}},
	{"phpass", "$P$Br387rwferoKN7uwHZqNMu98q3U8RO.", "appwrite", {0}},
	{"phpass", "$H$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "test12345", {0}},
	{"phpass", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", {0}},
	{"scrypt",
	    "3fdef49701bc4cfaacd551fe017283513284b4731e6945c263246ef948d3cf63b5d269c31fd697246085111a428245e24a4ddc6b64c687bc60a8910dbafc1d5b",
	    "appwrite", {.salt = "appwrite", .cpu = 16384, .memory = 13, .parallel = 2, .length = 64}},
	{"scrypt",	/* RFC 7914 */
	    "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
	    "password", {.salt = "NaCl", .cpu = 1024, .memory = 8, .parallel = 16, .length = 64}},
	{"scryptMod", "UlM7JiXRcQhzAGlaonpSqNSLIz475WMddOgLjej5De9vxTy48K6WtqlEzrRFeK4t0COfMhWCb8wuMHgxOFCHFQ==", "appwrite",
	    {.salt = "UxLMreBr6tYyjQ==", .separator = "Bw==", .signer = SIGNER}},
};

static const struct row bad[] = {
	{"none", "x", "x", {0}},
	{"md5", "144FA7EAA4904E8EE120651997F70DCC", "appwrite", {0}},	/* compared as it is */
	{"md5", "", "appwrite", {0}},
	{"sha", "a9993e364706816aba3e25717850c26c9cd0d89d", "abc", {.version = "sha2"}},
	{"bcrypt", "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U", {0}},	/* days of work */
	{"bcrypt", "$2a$", "x", {0}},
	{"bcrypt", "$6$rounds=999999999$abcdefgh$x", "x", {0}},
	{"bcrypt", "$y$jFT$abcdefgh$x", "x", {0}},
	{"bcrypt", "*0", "x", {0}},
	{"argon2", "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password", {0}},
	{"argon2", "$argon2id$v=19$m=8,t=99999999,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password", {0}},
	{"argon2", "$argon2id$", "password", {0}},
	{"phpass", "$P$Sr387rwferoKN7uwHZqNMu98q3U8RO.", "appwrite", {0}},
	{"phpass", "$P$B", "appwrite", {0}},
	{"phpass", "$P$!r387rwferoKN7uwHZqNMu98q3U8RO.", "appwrite", {0}},
	{"scrypt", "00", "appwrite", {.salt = "a", .cpu = INT64_MAX, .memory = INT64_MAX, .parallel = 1, .length = 1}},
	{"scrypt", "00", "appwrite", {.salt = "a", .cpu = 1 << 20, .memory = 1024, .parallel = 1, .length = 1}},
	{"scrypt", "00", "appwrite", {.salt = "a", .cpu = 0, .memory = 0, .parallel = 0, .length = 0}},
	{"scrypt", "00", "appwrite", {0}},
	{"scryptMod", "x", "appwrite", {.salt = "%%", .separator = "Bw==", .signer = SIGNER}},
	{"scryptMod", "x", "appwrite", {0}},
};

Test(password, costs)
{
	static const struct {
		const char *id, *stored;
		struct password_options o;
		double min, max;	/* ms */
	} rows[] = {
		{"bcrypt", "$2a$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", {0}, 30, 120},
		{"argon2", "$2a$16$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", {0}, 3001, 8000},
		{"phpass", "$P$Br387rwferoKN7uwHZqNMu98q3U8RO.", {0}, 0.1, 10},
		{"phpass", "$P$zr387rwferoKN7uwHZqNMu98q3U8RO.", {0}, 1e9, 1e18},
		{"argon2", "$argon2id$v=19$m=65536,t=3,p=1$YXBwd3JpdGU$A", {0}, 50, 400},
		{"argon2", "$argon2id$v=19$m=99999999999999999999,t=9999999999999999999,p=1$YQ$A", {0}, 1e9, 1e50},
		{"scrypt", "aa", {.cpu = 16384, .memory = 8, .parallel = 1, .length = 64}, 20, 200},
		{"scrypt", "aa", {.cpu = INT64_MAX, .memory = INT64_MAX, .parallel = INT64_MAX, .length = INT64_MAX}, 1e9, 1e60},
		{"scrypt", "aa", {.cpu = INT64_MIN, .memory = -1, .parallel = 1, .length = 1}, 0, 0},
		{"md5", "x", {0}, 0, 0},
		{"argon2", "", {0}, 0, 0},
		{"bcrypt", "$2", {0}, 0, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double ms = password_cost_of(rows[i].id, &rows[i].o, rows[i].stored).ms;

		cr_expect(ms >= rows[i].min && ms <= rows[i].max, "%s %s: %f", rows[i].id, rows[i].stored, ms);
	}
}

Test(password, published_values)
{
	cr_assert_geq(sodium_init(), 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		const struct row *r = &good[i];

		cr_expect(password_matches(r->kind, &r->o, r->stored, r->password), "%s %s", r->kind, r->stored);
		cr_expect_not(password_matches(r->kind, &r->o, r->stored, "another one"), "%s %s", r->kind, r->stored);
	}
}

/* Right, but for their cost: whoever imports hashes chooses it, and who signs in the password's length. What we made ourselves always counts. */
Test(password, right_but_too_expensive)
{
	static char phc[crypto_pwhash_STRBYTES], xs[32800 + 1];
	const struct password_options imported = {0}, own = {.own = true};

	cr_assert_geq(sodium_init(), 0);
	cr_assert_eq(crypto_pwhash_str_alg(phc, "password", 8, 17, 64 << 20, crypto_pwhash_ALG_ARGON2ID13), 0);
	cr_expect(password_matches("argon2", &own, phc, "password"));
	cr_expect_not(password_matches("argon2", &imported, phc, "password"));
	memset(xs, 'x', sizeof xs - 1);
	cr_expect_not(password_matches("phpass", &imported, "$P$Br387rwfeiQtT8ZNVfbsMwn8WfOaas1", xs));
	xs[4096] = '\0';
	cr_expect(password_matches("phpass", &imported, "$P$Br387rwfe9JXLF6VwyX3ez9d8i9css/", xs));
}

Test(password, nonsense_and_excess_match_nothing)
{
	cr_assert_geq(sodium_init(), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_not(password_matches(bad[i].kind, &bad[i].o, bad[i].stored, bad[i].password), "%s %s", bad[i].kind, bad[i].stored);
}
