/* Secrets at rest: what is sealed opens under the same key only, and nothing else opens. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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
