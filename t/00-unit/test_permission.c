/* Permission lists: taken apart, compared with the roles of a caller. */
#include <criterion/criterion.h>

#include "model/permission.h"
#include "ctx_world.h"

TestSuite(permission, .init = setup, .fini = teardown);

static struct strs
texts(const char *joined)
{
	struct strs s = {.set = true, .v = arena_array(cx.arena, const char *, 20)};
	struct str rest = str_c(joined);

	while (*joined && rest.p != NULL)
		s.v[s.n++] = str_dup(cx.arena, str_cut(&rest, ';'));
	return s;
}

static const char *
joined(const struct strs *s)
{
	struct buf b;

	buf_init(&b, cx.arena, 64);
	for (int i = 0; i < s->n; i++)
		buf_printf(&b, "%s%s", i ? ";" : "", s->v[i]);
	return b.p ? b.p : "";
}

Test(permission, split)
{
	struct strs list = texts("read(\"any\");create(\"users\");read(\"user:a/verified\");update(\"team:t/owner\");delete(\"member:m\")");
	struct perms p;

	perms_split(cx.arena, &list, &p);
	cr_expect_str_eq(joined(&p.read), "any;user:a/verified");
	cr_expect_str_eq(joined(&p.create), "users");
	cr_expect_str_eq(joined(&p.update), "team:t/owner");
	cr_expect_str_eq(joined(&p.del), "member:m");
}

Test(permission, malformed_texts_grant_nothing)
{
	static const char *const bad[] = {"", "read", "read(any)", "read(\"\")", "readx(\"any\")", "read(\"any\"", "read(\"any)", "Read(\"any\")",
	    " read(\"any\")", "read(\"any\") ", "(\"any\")"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct strs list = {.n = 1, .set = true, .v = (const char *[]){bad[i]}};
		struct strs roles = perms_roles(cx.arena, &list, STR("read"));

		cr_expect_eq(roles.n, 0, "%s grants %s", bad[i], roles.n ? roles.v[0] : "");
	}
}

Test(permission, roles_meet)
{
	static const struct {
		const char *a, *b;
		bool meet;
	} rows[] = {{"any;users", "users", true}, {"any", "guests", false}, {"", "any", false}, {"any", "", false},
	    {"user:a", "user:A", false}, {"team:t", "team:t/owner", false}, {"x;y;z", "w;z", true}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct strs a = texts(rows[i].a), b = texts(rows[i].b);

		cr_expect_eq(roles_meet(&a, &b), rows[i].meet, "%s and %s", rows[i].a, rows[i].b);
		cr_expect_eq(roles_meet(&b, &a), rows[i].meet);
	}
}

Test(permission, foreign_roles)
{
	struct strs roles = texts("any;users;user:a;team:t;team:t/owner");
	struct strs own = texts("read(\"any\");update(\"user:a\");delete(\"team:t/owner\")");
	struct strs guests = texts("read(\"any\");read(\"guests\")"), other = texts("update(\"user:b\")"), none = texts("");

	cr_expect_null(perms_foreign(cx.arena, &own, &roles));
	cr_expect_null(perms_foreign(cx.arena, &none, &roles));
	cr_expect_str_eq(perms_foreign(cx.arena, &guests, &roles), "guests");
	cr_expect_str_eq(perms_foreign(cx.arena, &other, &roles), "user:b");
}

Test(permission, own_and_union)
{
	struct strs own = perms_own(cx.arena, "a"), x = texts("any;users"), y = texts("users;team:t;any"), z;

	cr_expect_str_eq(joined(&own), "read(\"user:a\");update(\"user:a\");delete(\"user:a\")");
	z = roles_union(cx.arena, &x, &y);
	cr_expect_str_eq(joined(&z), "any;users;team:t");
	cr_expect(z.set);
}
