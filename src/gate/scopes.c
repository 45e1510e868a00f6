/* Roles and their scopes (spec platform.md 7): a bit per scope, a mask per role. The scopes are those that the services describe. */
#include "gate_priv.h"

#include <assert.h>

static const struct {
	const char *role, *marks;
} roles[] = {{"guests", "g"}, {"users", "u"}, {"owner", "ua"}, {"admin", "a"}, {"developer", "a"}, {"apps", "k"}};

enum { SCOPES_MAX = 64 };	/* a scope is a bit */

static const struct scope *scopes[SCOPES_MAX];	/* of all services */
static int n_scopes;

static void
scopes_collect(void)
{
	int n;
	const struct service *const *v = service_all(&n);

	if (n_scopes > 0)
		return;
	for (int i = 0; i < n; i++)
		for (const struct scope *s = v[i]->scopes; s != NULL && s->name != NULL; s++) {
			assert(n_scopes < SCOPES_MAX);
			scopes[n_scopes++] = s;
		}
}

uint64_t
scope_bits(const char *names)
{
	struct str rest = str_c(names);
	uint64_t bits = 0;

	scopes_collect();
	while (rest.p != NULL) {
		struct str name = str_cut(&rest, '|');

		for (int i = 0; i < n_scopes; i++)
			if (scopes[i]->roles[0] != '\0' && str_is(name, scopes[i]->name))
				bits |= UINT64_C(1) << i;
	}
	return bits;
}

static uint64_t
mask_of(const char *marks)
{
	uint64_t mask = 0;

	scopes_collect();
	for (int i = 0; i < n_scopes; i++)
		if (strpbrk(scopes[i]->roles, marks) != NULL)
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
