/* Roles and their scopes (spec platform.md 7): a bit per scope, a mask per role. The scopes are those that the services describe. */
#include "gate_priv.h"

#include <assert.h>

static const struct {
	const char *role, *marks;
} roles[] = {{"guests", "g"}, {"users", "u"}, {"owner", "ua"}, {"admin", "a"}, {"developer", "a"}, {"apps", "k"}};

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

static void
scope_add(struct scope_set *to, int i)
{
	to->bits[i / 64] |= UINT64_C(1) << i % 64;
}

struct scope_set
scope_bits(const char *names)
{
	struct str rest = str_c(names);
	struct scope_set bits = {0};

	scopes_collect();
	while (rest.p != NULL) {
		struct str name = str_cut(&rest, '|');

		for (int i = 0; i < n_scopes; i++)
			if (scopes[i]->roles[0] != '\0' && str_is(name, scopes[i]->name))
				scope_add(&bits, i);
	}
	return bits;
}

static struct scope_set
mask_of(const char *marks)
{
	struct scope_set mask = {0};

	scopes_collect();
	for (int i = 0; i < n_scopes; i++)
		if (strpbrk(scopes[i]->roles, marks) != NULL)
			scope_add(&mask, i);
	return mask;
}

static const struct scope_set *
scopes_of_role(const char *role)
{
	static struct scope_set masks[sizeof roles / sizeof *roles];
	static bool made[sizeof roles / sizeof *roles];

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		if (strcmp(roles[i].role, role) != 0)
			continue;
		if (!made[i])
			masks[i] = mask_of(roles[i].marks);
		made[i] = true;
		return &masks[i];
	}
	return NULL;
}

bool
scopes_met(const struct scope_set *asked, const char *role)
{
	const struct scope_set *held = scopes_of_role(role);
	uint64_t both = 0;

	for (int i = 0; held != NULL && i < SCOPES_MAX / 64; i++)
		both |= asked->bits[i] & held->bits[i];
	return both != 0;
}
