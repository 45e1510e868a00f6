/* Users, sessions, teams and memberships against a real PostgreSQL: what is stored, what each write makes stale, what races leave. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"
#include "model/roles.h"
#include "svc/teams/team.h"
#include "space.h"

static struct project p = {.id = "proj", .internal = 1, .schema = "p_1", .name = "Project"};

static void
run(void (*fn)(struct ctx *cx))
{
	char memory[] = "argon2_memory=8m", passes[] = "argon2_time=1", *settings[] = {memory, passes};

	cr_assert_geq(sodium_init(), 0);
	cr_assert(conf_load(NULL, 2, settings, false));
	conf.master_key = "a key of tests";
	space_run((const char *[]){p.schema, NULL}, 240000, fn);
	cr_assert_eq(failures, 0);
}

static struct user *
some_user(struct ctx *cx, const char *id)
{
	const struct user_in in = {.id = id, .email = arena_printf(cx->arena, "%s@Example.org", id), .name = id, .password = "password-1"};
	struct user *u = NULL;

	CHECK(user_create(cx, &p, &in, 0, &u) == OK);
	return u;
}

static struct user *
by_id(struct ctx *cx, const char *id)
{
	struct user *u = NULL;

	CHECK(user_by_id(cx, &p, id, &u) == OK);
	return u;
}

/* The user behind a token; NULL: a guest. */
static struct login *
login(struct ctx *cx, const char *token)
{
	struct login *l = NULL;

	CHECK(login_by_token(cx, &p, str_c(token), &l) == OK);
	return l;
}

/* ---- users ---- */

static void
users(struct ctx *cx)
{
	const struct user_by server = {0};
	struct user *u = some_user(cx, "alice"), *same, *v;
	struct query_page page;
	const struct strs none = {.set = true};

	CHECK(strcmp(u->email, "alice@example.org") == 0);
	CHECK(u->internal > 0 && u->password_update == u->created);
	FAILS(user_create(cx, &p, &(struct user_in){.id = "ALICE"}, 0, &v), USER_ALREADY_EXISTS);
	FAILS(user_create(cx, &p, &(struct user_in){.email = "aLICE@example.org"}, 0, &v), USER_ALREADY_EXISTS);
	GOOD(user_create(cx, &p, &(struct user_in){.id = "bare"}, 0, &v));
	CHECK(v->password == NULL && v->email == NULL && user_anonymous(v));
	same = by_id(cx, "Alice");
	CHECK(same->internal == u->internal && strcmp(same->name, "alice") == 0 && same->status && str_is(same->prefs, "{}"));
	CHECK(str_is(same->hash_options, "{\"memoryCost\":2048,\"timeCost\":4,\"threads\":3}"));

	GOOD(user_set_name(cx, &p, u, NULL, "Alice L", &u));
	GOOD(user_set_email(cx, &p, u, NULL, "A2@Example.org", "password-1", &u));
	FAILS(user_set_email(cx, &p, u, NULL, "x@example.org", "password-2", &v), USER_INVALID_CREDENTIALS);
	GOOD(user_set_phone(cx, &p, u, NULL, "+4930123", "password-1", &u));
	GOOD(user_create(cx, &p, &(struct user_in){.id = "bob", .email = "bob@example.org", .phone = "+4930999"}, 0, &v));
	FAILS(user_set_email(cx, &p, v, &server, "a2@example.org", NULL, &same), USER_EMAIL_ALREADY_EXISTS);
	FAILS(user_set_phone(cx, &p, v, &server, "+4930123", NULL, &same), USER_EMAIL_ALREADY_EXISTS);
	FAILS(user_set_phone(cx, &p, u, NULL, "+4930999", "password-1", &same), USER_PHONE_ALREADY_EXISTS);
	FAILS(user_set_password(cx, &p, u, NULL, "password-9", "wrong-one", NULL, &same), USER_INVALID_CREDENTIALS);
	GOOD(user_set_password(cx, &p, u, NULL, "password-2", "password-1", NULL, &u));
	GOOD(user_set_email_verification(cx, &p, u, &server, true, &u));
	GOOD(user_set_phone_verification(cx, &p, u, &server, true, &u));
	GOOD(user_set_prefs(cx, &p, u, NULL, json_parse(cx, STR("{\"a\":{},\"b\":[1,\"\xc3\xa4\"]}"), NULL), &u));
	u = by_id(cx, "alice");
	CHECK(strcmp(u->name, "Alice L") == 0 && strcmp(u->email, "a2@example.org") == 0 && strcmp(u->phone, "+4930123") == 0);
	CHECK(u->email_verification && u->phone_verification);
	CHECK(str_is(u->prefs, "{\"a\":{},\"b\":[1,\"\xc3\xa4\"]}"));

	GOOD(user_list(cx, &p, &none, NULL, &page));
	CHECK(page.total == 3 && page.res != NULL && db_rows(page.res) == 3);
	GOOD(user_list(cx, &p, &none, "Alice", &page));
	CHECK(page.total == 1);
	GOOD(user_list(cx, &p, &(struct strs){.n = 3, .set = true, .v = (const char *[]){"equal(\"emailVerification\", true)", "orderDesc(\"name\")",
		"cursorBefore(\"bob\")"}}, NULL, &page));
	CHECK(page.total == 1);
	GOOD(user_list(cx, &p, &(struct strs){.n = 1, .set = true, .v = (const char *[]){"greaterThan(\"$createdAt\", \"2020-01-01\")"}}, NULL, &page));
	CHECK(page.total == 3);
	GOOD(user_delete(cx, &p, u, &server));
	FAILS(user_by_id(cx, &p, "alice", &v), USER_NOT_FOUND);
	FAILS(user_set_name(cx, &p, u, NULL, "ghost", &v), USER_NOT_FOUND);
	FAILS(user_delete(cx, &p, u, &server), USER_NOT_FOUND);
}

Test(identity, users, .timeout = 300)
{
	run(users);
}

struct race {
	struct fib_event done;
	int left, made, refused;
};

static void
sign_up(struct ctx *cx, void *arg)
{
	struct race *r = arg;
	struct user *u;
	err_t e = user_create(cx, &p, &(struct user_in){0}, USER_LIMIT, &u);

	r->made += e == OK;
	r->refused += e == ERR_USER_COUNT_EXCEEDED;
	if (--r->left == 0)
		fib_signal(&r->done);
}

/* Many at once: exactly as many as the limit allows. */
static void
limit(struct ctx *cx)
{
	struct race r = {.left = 12};

	p.user_limit = 5;
	for (int i = 0; i < 12; i++)
		fib_spawn_new("racer", 120000, sign_up, &r);
	GOOD(fib_await(cx, &r.done));
	CHECK(r.made == 5 && r.refused == 7);
}

Test(identity, user_limit_holds_in_a_race, .timeout = 300)
{
	run(limit);
}

/* ---- sign-in ---- */

static void
sessions(struct ctx *cx)
{
	const struct session_in in = {.provider = "email", .provider_uid = "alice@example.org", .ip = "127.0.0.1", .user_agent = "curl/7.85.0"};
	const struct user_by server = {0};
	struct user *u = some_user(cx, "alice"), *v;
	struct session *s, *s2, *got;
	struct objs list;
	struct login *l;
	char *token, *token2, *jwt;

	FAILS(user_sign_in(cx, &p, "alice@example.org", "password-2", &v), USER_INVALID_CREDENTIALS);
	FAILS(user_sign_in(cx, &p, "nobody@example.org", "password-1", &v), USER_INVALID_CREDENTIALS);
	GOOD(user_sign_in(cx, &p, "ALICE@example.org", "password-1", &u));
	GOOD(session_create(cx, &p, u, &in, &s, &token));
	CHECK(strcmp(s->client_name, "curl") == 0 && s->current);
	CHECK((l = login(cx, token)) != NULL && strcmp(l->user->id, "alice") == 0 && strcmp(l->session->id, s->id) == 0);
	CHECK(login(cx, token) == l);	/* from the cache */
	CHECK(login(cx, arena_printf(cx->arena, "%sA", token)) == NULL);
	CHECK(login(cx, "eyJpZCI6ImFsaWNlIiwic2VjcmV0IjoieCJ9") == NULL);
	jwt = login_jwt(cx, &p, l->user, l->session->id, conf.life_jwt);
	GOOD(session_create(cx, &p, u, &in, &s2, &token2));
	GOOD(session_list(cx, &p, u, s->secret_hash, &list));
	CHECK(list.n == 2 && ((struct session *)list.v[0])->current && !((struct session *)list.v[1])->current);
	GOOD(session_get(cx, &p, u, s2->id, NULL, &got));
	CHECK(!got->current && got->expire > time_now_ms());
	FAILS(session_get(cx, &p, some_user(cx, "bob"), s2->id, NULL, &got), USER_SESSION_NOT_FOUND);

	/* what is written shows at once, although the login is cached */
	GOOD(user_set_name(cx, &p, u, NULL, "Alice L", &u));
	CHECK(strcmp(login(cx, token)->user->name, "Alice L") == 0);
	GOOD(session_delete(cx, &p, u, NULL, s));
	CHECK(login(cx, token) == NULL && login(cx, token2) != NULL);
	GOOD(login_by_jwt(cx, &p, str_c(jwt), &l));
	CHECK(l == NULL);
	FAILS(session_delete(cx, &p, u, NULL, s), USER_SESSION_NOT_FOUND);
	GOOD(session_delete_all(cx, &p, u, &server, NULL));
	CHECK(login(cx, token2) == NULL);
	GOOD(session_delete_all(cx, &p, u, NULL, NULL));	/* none left is fine */
	GOOD(user_set_status(cx, &p, u, &server, false, &u));
	FAILS(user_sign_in(cx, &p, "alice@example.org", "password-1", &v), USER_BLOCKED);
	FAILS(user_sign_in(cx, &p, "alice@example.org", "password-x", &v), USER_INVALID_CREDENTIALS);
}

Test(identity, sessions, .timeout = 300)
{
	run(sessions);
}

static void
rehash(struct ctx *cx)
{
	const struct user_in in = {.id = "old", .email = "old@example.org", .password = "144fa7eaa4904e8ee120651997f70dcc", .hash = "md5",
		.hash_options = STR("[]")};
	struct user *u;

	GOOD(user_create(cx, &p, &in, 0, &u));
	u = by_id(cx, "old");
	CHECK(strcmp(u->hash, "md5") == 0 && str_is(u->hash_options, "[]") && strcmp(u->password, in.password) == 0);
	FAILS(user_sign_in(cx, &p, "old@example.org", "144fa7eaa4904e8ee120651997f70dcc", &u), USER_INVALID_CREDENTIALS);
	GOOD(user_sign_in(cx, &p, "old@example.org", "appwrite", &u));
	u = by_id(cx, "old");
	CHECK(strcmp(u->hash, "argon2") == 0 && strncmp(u->password, "$argon2id$", 10) == 0);
	GOOD(user_sign_in(cx, &p, "old@example.org", "appwrite", &u));
}

Test(identity, imported_hash_is_replaced_at_login, .timeout = 300)
{
	run(rehash);
}

/* ---- teams ---- */

static void
teams(struct ctx *cx)
{
	const struct session_in in = {.provider = "email", .ip = "127.0.0.1", .user_agent = ""};
	const struct strs owner = {.n = 1, .set = true, .v = (const char *[]){"owner"}}, two = {.n = 2, .set = true, .v = (const char *[]){"a", "b c"}};
	const struct strs none = {.set = true};
	struct user *alice = some_user(cx, "alice"), *bob = some_user(cx, "bob"), *carl = some_user(cx, "carl");
	const struct invitation invite = {.secret_hash = "h"};
	struct membership *m, *pending;
	struct query_page page;
	struct objs list;
	struct session *s;
	struct team *t, *t2;
	bool taken;
	char *token;

	GOOD(session_create(cx, &p, bob, &in, &s, &token));
	GOOD(team_create(cx, &p, "red", "Red", alice, &owner, &t));
	FAILS(team_create(cx, &p, "RED", "Red", alice, &owner, &t2), TEAM_ALREADY_EXISTS);
	GOOD(team_create(cx, &p, NULL, "Blue", NULL, &owner, &t2));
	CHECK(t2->total == 0 && strlen(t2->id) == ID_LEN);

	CHECK(login(cx, token)->n_members == 0);
	GOOD(membership_create(cx, &p, t, bob, &two, NULL, NULL, &m));
	CHECK(m->confirm && m->joined == m->invited && strcmp(m->team_name, "Red") == 0 && strcmp(m->user_name, "bob") == 0);
	CHECK(roles_have(&login(cx, token)->roles, "team:red/b c") && roles_have(&login(cx, token)->roles, "team:red"));
	FAILS(membership_create(cx, &p, t, bob, &two, NULL, NULL, &pending), TEAM_INVITE_ALREADY_EXISTS);
	GOOD(membership_set_roles(cx, &p, m, &owner, NULL, &m));
	CHECK(roles_have(&login(cx, token)->roles, "team:red/owner") && !roles_have(&login(cx, token)->roles, "team:red/a"));

	/* of roles from before there was a limit, or with a higher one, a login has the oldest that fit */
	CHECK(login(cx, token)->since[0] == INT64_MIN && login(cx, token)->since[5] == m->joined);
	conf.roles_max = 2;
	GOOD(membership_set_roles(cx, &p, m, &owner, NULL, &m));
	CHECK(login(cx, token)->n_members == 0);
	conf.roles_max = 3;
	GOOD(membership_set_roles(cx, &p, m, &owner, NULL, &m));
	CHECK(login(cx, token)->n_members == 1);
	FAILS(membership_set_roles(cx, &p, m, &two, NULL, &pending), MEMBERSHIP_LIMIT_EXCEEDED);
	FAILS(membership_create(cx, &p, t2, bob, &none, NULL, NULL, &pending), MEMBERSHIP_LIMIT_EXCEEDED);
	FAILS(team_create(cx, &p, NULL, "Green", bob, &owner, &t2), MEMBERSHIP_LIMIT_EXCEEDED);

	GOOD(membership_create(cx, &p, t, carl, &two, &invite, "alice", &pending));
	FAILS(membership_confirm(cx, &p, pending, &m, &carl, &taken), MEMBERSHIP_LIMIT_EXCEEDED);
	conf.roles_max = 1000;
	CHECK(!pending->confirm && pending->joined == TIME_NONE);
	GOOD(team_get(cx, &p, "red", &t));
	CHECK(t->total == 2);
	GOOD(membership_get(cx, &p, pending->id, &pending));
	CHECK(strcmp(pending->secret_hash, "h") == 0 && pending->roles.n == 2 && strcmp(pending->roles.v[1], "b c") == 0);
	GOOD(membership_confirm(cx, &p, pending, &m, &carl, &taken));
	FAILS(membership_confirm(cx, &p, pending, &m, &carl, &taken), MEMBERSHIP_ALREADY_CONFIRMED);
	GOOD(team_get(cx, &p, "red", &t));
	CHECK(t->total == 3);
	GOOD(membership_list(cx, &p, t, false, &none, NULL, &page));
	CHECK(page.total == 3 && db_rows(page.res) == 3);
	GOOD(membership_list(cx, &p, t, false, &(struct strs){.n = 2, .set = true, .v = (const char *[]){"equal(\"userId\", \"bob\")", "orderDesc(\"joined\")"}},
	    NULL, &page));
	CHECK(page.total == 1);
	GOOD(membership_list(cx, &p, t, false, &none, "carl", &page));
	CHECK(page.total == 1);
	GOOD(membership_all_user(cx, &p, carl, &list));
	CHECK(list.n == 1 && strcmp(((struct membership *)list.v[0])->team_name, "Red") == 0);
	GOOD(team_list(cx, &p, bob, &none, NULL, &page));
	CHECK(page.total == 1);
	GOOD(team_list(cx, &p, NULL, &(struct strs){.n = 1, .set = true, .v = (const char *[]){"greaterThanEqual(\"total\", 1)"}}, NULL, &page));
	CHECK(page.total == 1);
	GOOD(team_list(cx, &p, NULL, &none, "Blue", &page));
	CHECK(page.total == 1);
	GOOD(team_rename(cx, &p, t, "Redder", NULL, &t));
	GOOD(team_list(cx, &p, NULL, &none, "Redder", &page));
	CHECK(page.total == 1);

	GOOD(user_delete(cx, &p, carl, NULL));
	GOOD(team_get(cx, &p, "red", &t));
	CHECK(t->total == 2);
	GOOD(membership_all_user(cx, &p, bob, &list));
	GOOD(membership_delete(cx, &p, list.v[0], "bob"));
	FAILS(membership_delete(cx, &p, list.v[0], "bob"), MEMBERSHIP_NOT_FOUND);
	CHECK(login(cx, token)->n_members == 0);
	GOOD(membership_create(cx, &p, t, bob, &two, NULL, NULL, &m));
	CHECK(login(cx, token)->n_members == 1);
	GOOD(team_delete(cx, &p, t, NULL));
	CHECK(login(cx, token)->n_members == 0);	/* the roles of every member went with the team */
	FAILS(team_delete(cx, &p, t, NULL), TEAM_NOT_FOUND);
	FAILS(team_get(cx, &p, "red", &t2), TEAM_NOT_FOUND);
	FAILS(team_rename(cx, &p, t, "x", NULL, &t2), TEAM_NOT_FOUND);
	FAILS(membership_create(cx, &p, t, bob, &two, NULL, NULL, &m), TEAM_NOT_FOUND);
}

Test(identity, teams, .timeout = 300)
{
	run(teams);
}
