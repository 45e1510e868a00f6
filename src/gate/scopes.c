/* Roles and their scopes (spec platform.md 7): a bit per scope, a mask per role. */
#include "gate_priv.h"

/* Who has it: g guests, u users, a admin and developer (an owner has those of users and admin), k any API key. */
static const struct {
	const char *name, *roles;
} scopes[] = {
    {"public", "gu"}, {"home", "gu"}, {"console", "gu"}, {"account", "u"},
    {"teams.read", "ua"}, {"teams.write", "ua"},
    {"documents.read", "gua"}, {"documents.write", "gua"},
    {"files.read", "gua"}, {"files.write", "gua"},
    {"projects.read", "u"}, {"projects.write", "u"},
    {"locale.read", "gua"}, {"avatars.read", "gua"},
    {"execution.read", "ua"}, {"execution.write", "gua"},
    {"buckets.read", "a"}, {"buckets.write", "a"},
    {"users.read", "a"}, {"users.write", "a"},
    {"databases.read", "a"}, {"databases.write", "a"},
    {"collections.read", "a"}, {"collections.write", "a"},
    {"platforms.read", "a"}, {"platforms.write", "a"},
    {"keys.read", "a"}, {"keys.write", "a"},
    {"webhooks.read", "a"}, {"webhooks.write", "a"},
    {"functions.read", "a"}, {"functions.write", "a"},
    {"health.read", "ak"},
};
enum { SCOPES_N = sizeof scopes / sizeof *scopes };

static const struct {
	const char *role, *marks;
} roles[] = {{"guests", "g"}, {"users", "u"}, {"owner", "ua"}, {"admin", "a"}, {"developer", "a"}, {"apps", "k"}};

uint64_t
scope_bit(const char *scope)
{
	_Static_assert(SCOPES_N <= 64, "a scope is a bit");
	for (int i = 0; i < SCOPES_N; i++)
		if (strcmp(scopes[i].name, scope) == 0)
			return UINT64_C(1) << i;
	return 0;
}

static uint64_t
mask_of(const char *marks)
{
	uint64_t mask = 0;

	for (int i = 0; i < SCOPES_N; i++)
		if (strpbrk(scopes[i].roles, marks) != NULL)
			mask |= UINT64_C(1) << i;
	return mask;
}

uint64_t
scopes_of_role(const char *role)
{
	static uint64_t masks[sizeof roles / sizeof *roles];

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (strcmp(roles[i].role, role) == 0)
			return masks[i] ? masks[i] : (masks[i] = mask_of(roles[i].marks));
	return 0;
}
