/* Secrets at rest: what is sealed opens under the same key only, and nothing else opens. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/conf.h"
#include "model/seal.h"

static struct arena *a;

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	conf.master_key = "the first key";
	a = arena_new();
}
static void
teardown(void)
{
	arena_free(&a);
}
TestSuite(seal, .init = setup, .fini = teardown);

Test(seal, opens_what_it_sealed)
{
	char *longest = calloc(1, 100001);
	const char *texts[] = {"", "a", "sk_\"quoted\"\n", "\xe0\xa4\xac\xe0\xa4\xbe", memset(longest, 'x', 100000)};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *sealed = seal_text(a, texts[i]);

		cr_expect(strncmp(sealed, "v1:", 3) == 0);
		cr_expect_str_eq(seal_open(a, str_c(sealed)), texts[i]);
	}
	cr_expect_null(seal_text(a, NULL));
	free(longest);
}

Test(seal, hides_that_two_secrets_are_equal)
{
	cr_expect_str_neq(seal_text(a, "same"), seal_text(a, "same"));
}

Test(seal, another_key_opens_nothing)
{
	const char *sealed = seal_text(a, "secret");

	conf.master_key = "the second key";
	cr_expect_null(seal_open(a, str_c(sealed)));
	conf.master_key = "the first key";
	cr_expect_str_eq(seal_open(a, str_c(sealed)), "secret");
}

Test(seal, a_former_key_opens_and_the_current_one_seals)
{
	const char *former = seal_text(a, "secret"), *anew;

	conf.master_key = "the second key";
	conf.master_key_old = "of long ago, the first key";
	cr_expect_str_eq(seal_open(a, str_c(former)), "secret");
	cr_expect_eq(seal_renew(a, str_c(former), &anew), SEAL_FORMER);
	cr_expect_eq(seal_renew(a, str_c(anew), &anew), SEAL_CURRENT);
	cr_expect_eq(seal_renew(a, STR("v1:AAAA"), &anew), SEAL_LOST);
	cr_expect_str_eq(seal_master(1), "of long ago");
	cr_expect_null(seal_master(3));
	former = seal_text(a, "new");
	conf.master_key_old = "";
	cr_expect_str_eq(seal_open(a, str_c(former)), "new");
}

static void
key_file(const char *path, const char *key)
{
	char fresh[64];
	FILE *f;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	f = fopen(fresh, "w");
	cr_assert(f != NULL && fputs(key, f) >= 0 && fclose(f) == 0 && rename(fresh, path) == 0);
}

/* What another process has sealed with a key that we have not seen opens at once. */
Test(seal, a_new_key_in_the_file_is_found_when_it_is_needed)
{
	char path[] = "/tmp/badal-key-XXXXXX", old[64];
	const char *first, *second;

	cr_assert_geq(mkstemp(path), 0);
	snprintf(old, sizeof old, "%s.old", path);
	key_file(path, "key one\n");
	conf.master_key = "";
	conf.master_key_file = path;
	first = seal_text(a, "secret");
	conf.master_key = "key two";
	second = seal_text(a, "secret");
	conf.master_key = "";
	cr_expect_str_eq(seal_open(a, str_c(first)), "secret");
	cr_expect_null(seal_open(a, str_c(second)));
	key_file(old, "key one\n");
	key_file(path, "key two\n");
	cr_expect_str_eq(seal_open(a, str_c(second)), "secret");
	cr_expect_str_eq(seal_open(a, str_c(first)), "secret");
	cr_expect_str_eq(seal_master(0), "key two");
	unlink(old);
	unlink(path);
	cr_expect_not(seal_look() && seal_open(a, str_c(second)) == NULL);	/* a file that goes away takes no key along */
}

/* Each bit counts: of the nonce, the text and the tag. */
Test(seal, a_changed_character_opens_nothing)
{
	const char *sealed = seal_text(a, "secret");
	size_t n = strlen(sealed);

	for (size_t i = 0; i < n; i++) {
		char *other = arena_strdup(a, sealed);
		const char *clear;

		other[i] = other[i] == 'A' ? 'B' : 'A';
		clear = seal_open(a, str_c(other));
		cr_expect_null(clear, "character %zu", i);
	}
}

Test(seal, malformed_text_opens_nothing)
{
	const char *sealed = seal_text(a, "secret"), *const bad[] = {NULL, "", "v1", "v1:", "v1:AAAA", "v1:!!!!", "v2:AAAA", "secret"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_null(seal_open(a, str_c(bad[i])), "case %zu", i);
	for (size_t n = 0; n < strlen(sealed); n++)
		cr_expect_null(seal_open(a, (struct str){sealed, n}), "cut to %zu", n);
}

Test(seal, a_tag_stands_for_its_text)
{
	unsigned char one[SEAL_TAG_LEN], again[SEAL_TAG_LEN], other[SEAL_TAG_LEN];

	seal_tag(STR("secret"), one);
	seal_tag(STR("secret"), again);
	seal_tag(STR("secreT"), other);
	cr_expect_eq(memcmp(one, again, sizeof one), 0);
	cr_expect_neq(memcmp(one, other, sizeof one), 0);
}
