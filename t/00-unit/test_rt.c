/* Realtime as clients see it, in a world made for it (rt_world.h): frames, order, roles, resuming. */
#include "rt_world.h"

#define URL "project=p&channels[]=documents&channels[]=memberships&channels[]=account"

TestSuite(rt, .init = world_init);

Test(rt, old_dialect)
{
	struct ws *w = connect_as("alice", "project=p&channels[]=account&channels[]=documents&channels[]=documents&channels[]=account.bob");
	char want[300], id[MARK_MAX];

	snprintf(want, sizeof want, "{\"type\":\"connected\",\"data\":{\"channels\":[\"account\",\"documents\"],\"user\":null,"
				    "\"subscriptions\":[\"00000000000000000000\"]},\"id\":\"%s\"}\n", mark_text((struct stream_pos){100, 0}, id));
	cr_expect_str_eq(heard(w), want);
	close_ws(w);
}

Test(rt, old_dialect_event)
{
	struct ws *w = connect_as("", URL);

	heard(w);
	append("{\"p\":\"p\",\"e\":\"teams.[teamId].create\",\"v\":[\"t\"],\"c\":[\"documents\"],\"r\":[\"any\"],\"t\":1664886896789}", "{\"a\\/b\":{}}");
	show();
	settle_all();
	cr_expect(strstr(heard(w), "{\"type\":\"event\",\"data\":{\"events\":[\"teams.t.create\",\"teams.*.create\",\"teams.t\",\"teams.*\"],"
				   "\"channels\":[\"documents\"],\"timestamp\":\"2022-10-04 12:34:56.789\",\"payload\":{\"a\\/b\":[]},"
				   "\"subscriptions\":[\"00000000000000000000\"]},\"id\":\"") != NULL);
	close_ws(w);
}

Test(rt, new_dialect)
{
	struct ws *w;
	const char *got;

	person("alice");
	w = connect_as("alice", "project=p");
	got = heard(w);
	cr_expect(strstr(got, "{\"type\":\"connected\",\"data\":{\"channels\":[],\"subscriptions\":[],\"user\":{\"$id\":\"alice\"") == got, "%s", got);
	say(w, "{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"s1\",\"channels\":[\"rows\",\"account\"]},"
	       "{\"subscriptionId\":\"s2\",\"channels\":[\"documents.create\"],\"queries\":[\"{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":\\\"n\\\",\\\"values\\\":[2]}\"]}]}");
	cr_expect_str_eq(heard(w),
	    "{\"type\":\"response\",\"data\":{\"to\":\"subscribe\",\"success\":true,\"subscriptions\":[{\"subscriptionId\":\"s1\","
	    "\"channels\":[\"rows\",\"account\",\"account.alice\"],\"queries\":[]},{\"subscriptionId\":\"s2\",\"channels\":[\"documents.create\"],"
	    "\"queries\":[\"{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":\\\"n\\\",\\\"values\\\":[2]}\"]}]}}\n");
	document("users", 1);
	document("users", 2);
	show();
	settle_all();
	got = heard(w);
	cr_expect(strstr(got, "\"databases.d.collections.c.documents.x1.create\",\"databases.d.tables.c.rows.x1.create\"") != NULL, "%s", got);
	cr_expect(strstr(got, "\"timestamp\":\"1970-01-01T00:00:00.000+00:00\",\"payload\":{\"n\":1},\"subscriptions\":[\"s1\"]},\"id\"") != NULL, "%s", got);
	cr_expect(strstr(got, "\"payload\":{\"n\":2},\"subscriptions\":[\"s1\",\"s2\"]},\"id\"") != NULL, "%s", got);
	say(w, "{\"type\":\"unsubscribe\",\"data\":[{\"subscriptionId\":\"s1\"},{\"subscriptionId\":\"no\"}]}");
	cr_expect_str_eq(heard(w), "{\"type\":\"response\",\"data\":{\"to\":\"unsubscribe\",\"success\":true,\"subscriptions\":["
				   "{\"subscriptionId\":\"s1\",\"removed\":true},{\"subscriptionId\":\"no\",\"removed\":false}]}}\n");
	say(w, "{\"type\":\"ping\"}");
	cr_expect_str_eq(heard(w), "{\"type\":\"pong\"}\n");
	close_ws(w);
	cr_expect_eq(atom_count(), 0);
	cr_expect_eq(metric_value(M_rt_subscriptions), 0);
}

Test(rt, a_channel_of_later_times_in_a_url_gets_the_later_names)
{
	struct ws *w = connect_as("", "project=p&channels[]=rows&channels[]=memberships");

	heard(w);
	document("any", 1);
	show();
	settle_all();
	cr_expect(strstr(heard(w), "\"rows\"") != NULL);
	close_ws(w);
}

Test(rt, queries_in_a_url)
{
	struct ws *w = connect_as("", "project=p&channels[]=documents&channels[]=memberships&documents[1][]=%7B%22method%22:%22equal%22,%22attribute%22:%22n%22,%22values%22:[2]%7D");

	cr_expect(strstr(heard(w), "\"subscriptions\":[\"00000000000000000000\",\"00000000000000000001\"]") != NULL);
	document("any", 1);
	document("any", 2);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2");
	close_ws(w);
	w = connect_as("", "project=p&channels[]=documents&documents[0][]=nonsense");
	cr_expect(strstr(heard(w), "\"code\":1008,\"message\":\"Invalid query") != NULL);
	close_ws(w);
}

Test(rt, permission_decides)
{
	struct ws *alice, *bob, *guest;

	person("alice");
	person("bob");
	alice = connect_as("alice", URL);
	bob = connect_as("bob", URL);
	guest = connect_as("", URL);
	document("user:alice", 1);
	document("users", 2);
	document("any", 3);
	document("guests", 4);
	document("team:x", 5);
	show();
	settle_all();
	cr_expect_str_eq(events(alice), "1 2 3");
	cr_expect_str_eq(events(bob), "2 3");
	cr_expect_str_eq(events(guest), "3 4");
	close_ws(alice);
	close_ws(bob);
	close_ws(guest);
	cr_expect_eq(atom_count(), 0);
}

Test(rt, refusals)
{
	static const struct { const char *query, *want; int code; } row[] = {
		{"project=nosuch&channels[]=a", "\"code\":1008,\"message\":\"Missing or unknown project ID\"", -1},
		{"project=&channels[]=a", "\"code\":1008,\"message\":\"Missing or unknown project ID\"", -1},
		{"project=p&channels[]=account.x", "\"code\":1008,\"message\":\"Missing channels\"", -1},
		{"project=p&channels=x", "\"code\":1008,", -1},
		{"project=p&channels[]=a&jwt=x", "\"code\":401,\"message\":\"Failed to verify JWT. No.\"", -1},
		{"project=p&channels[]=a&since=x", "\"code\":1008,\"message\":\"Invalid since\"", -1},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct ws *w = connect_as("", row[i].query);

		cr_expect(strstr(w->got.p, row[i].want) != NULL, "%s", w->got.p);
		cr_expect_eq(w->code, row[i].code);
		close_ws(w);
	}
	conf.rt_compat = "1.0";
	struct ws *w = connect_as("", "project=p");
	cr_expect(strstr(w->got.p, "Missing channels") != NULL);
	close_ws(w);
	conf.rate_limits = true;
	connects = conf.rt_connect_rate;
	w = connect_as("", URL);
	cr_expect(strstr(w->got.p, "\"code\":1013,\"message\":\"Too many requests\"") != NULL);
	close_ws(w);
	cr_expect_eq(atom_count(), 0);
}

Test(rt, messages_that_are_not_understood)
{
	static const struct { const char *text, *want; } row[] = {
		{"hello", "Message format is not valid."},
		{"null", "Message format is not valid."},
		{"{}", "Message format is not valid."},
		{"1", "Message format is not valid."},
		{"\"x\"", "Message format is not valid."},
		{"[]", "Message format is not valid."},
		{"\xff", "Message format is not valid."},
		{"{\"type\":1}", "Message type is not valid."},
		{"{\"type\":\"nothing\"}", "Message type is not valid."},
		{"{\"data\":{}}", "Message type is not valid."},
		{"{\"type\":\"authentication\"}", "Payload is not valid."},
		{"{\"type\":\"authentication\",\"data\":{}}", "Payload is not valid."},
		{"{\"type\":\"authentication\",\"data\":{\"session\":\"nobody\"}}", "Session is not valid."},
		{"{\"type\":\"authentication\",\"data\":{\"session\":1}}", "Session is not valid."},
		{"{\"type\":\"subscribe\"}", "Payload is not valid. Items is required"},
		{"{\"type\":\"subscribe\",\"data\":{}}", "items: Payload is not valid."},
		{"{\"type\":\"subscribe\",\"data\":[1]}", "items: Each subscribe payload must be an object."},
		{"{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"_\",\"channels\":[]}]}", "items: subscriptionId is not a valid id."},
		{"{\"type\":\"subscribe\",\"data\":[{}]}", "items: channels is not present in payload."},
		{"{\"type\":\"subscribe\",\"data\":[{\"channels\":\"x\"}]}", "items: channels is not a valid array."},
		{"{\"type\":\"subscribe\",\"data\":[{\"channels\":[1]}]}", "items: channels must contain only strings."},
		{"{\"type\":\"subscribe\",\"data\":[{\"channels\":[],\"queries\":1}]}", "items: queries is not a valid array."},
		{"{\"type\":\"subscribe\",\"data\":[{\"channels\":[],\"queries\":[\"x\"]}]}", "Invalid query: A query is no JSON."},
		{"{\"type\":\"unsubscribe\",\"data\":[{}]}", "items: Each unsubscribe payload must include a non-empty subscriptionId."},
	};
	struct ws *w = connect_as("", URL);
	char want[200];

	heard(w);
	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		say(w, row[i].text);
		snprintf(want, sizeof want, "{\"type\":\"error\",\"data\":{\"code\":1003,\"message\":\"%s\"}}\n", row[i].want);
		cr_expect_str_eq(heard(w), want, "%s", row[i].text);
	}
	cr_expect_eq(w->code, 0);
	close_ws(w);
}

Test(rt, limits_of_a_connection)
{
	struct ws *w = connect_as("", URL);

	conf.rt_subscriptions_max = 2;
	conf.rt_channels_max = 5;
	say(w, "{\"type\":\"subscribe\",\"data\":[{\"channels\":[\"a\"]},{\"channels\":[\"b\"]}]}");
	cr_expect(strstr(heard(w), "items: There are too many subscriptions.") != NULL);
	say(w, "{\"type\":\"subscribe\",\"data\":[{\"channels\":[\"a\",\"b\",\"c\"]}]}");
	cr_expect(strstr(heard(w), "items: There are too many channels.") != NULL);
	conf.rate_limits = true;
	conf.rt_message_rate = 2;
	for (int i = 0; i < 6; i++)	/* a minute may begin in between */
		say(w, "{\"type\":\"ping\"}");
	cr_expect(strstr(heard(w), "{\"type\":\"error\",\"data\":{\"code\":1013,\"message\":\"Too many messages\"}}") != NULL);
	cr_expect_eq(w->code, 0);
	close_ws(w);
}

Test(rt, late_authentication_replaces_the_roles)
{
	struct ws *w;

	person("alice");
	person("bob");
	w = connect_as("", URL);
	say(w, "{\"type\":\"authentication\",\"data\":{\"session\":\"alice\"}}");
	cr_expect(strstr(heard(w), "{\"type\":\"response\",\"data\":{\"to\":\"authentication\",\"success\":true,\"user\":{\"$id\":\"alice\"") != NULL);
	document("guests", 1);
	document("user:alice", 2);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2");
	say(w, "{\"type\":\"authentication\",\"data\":{\"session\":\"bob\"}}");
	document("user:alice", 3);
	document("user:bob", 4);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "4");
	say(w, "{\"type\":\"authentication\",\"data\":{\"session\":\"wrong\"}}");
	document("user:bob", 5);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "5", "a wrong session changes nothing");
	close_ws(w);
}

/* ---- roles ---- */

Test(rt, new_roles_hold_from_their_event_on)
{
	struct person *alice = person("alice");
	struct ws *w = connect_as("alice", URL);

	document("team:t", 1);
	alice->roles[2] = "team:t";
	membership("alice", EVENT_ROLES, "team:t", 2);
	document("team:t", 3);
	document("users", 4);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2 3 4");
	alice->roles[2] = NULL;
	document("team:t", 5);
	membership("alice", EVENT_ROLES, "team:t", 6);
	document("team:t", 7);
	document("users", 8);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "5 6 8", "the last event of the team is the one that ends it");
	document("users", 9);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "9");
	close_ws(w);
}

Test(rt, a_live_tail_is_told_nothing_while_roles_are_read_anew)
{
	struct person *boss = person("boss");
	struct ws *w;
	const char *text;

	boss->roles[2] = "team:owners";
	w = connect_as("boss", "project=console&channels[]=console.tail.p");
	cr_expect(strstr(heard(w), "\"connected\"") != NULL);
	document("nobody", 1);
	show();
	turn(400);
	text = heard(w);
	cr_expect(strstr(text, "documents.x1.create") != NULL && strstr(text, "\"n\"") == NULL, "%s", text);
	login_ms = 20000;
	append("{\"p\":\"console\",\"e\":\"roles.[userId].update\",\"v\":[\"boss\"],\"t\":0,\"f\":1,\"u\":\"boss\"}", "[]");
	document("nobody", 2);
	show();
	turn(400);
	cr_expect_str_eq(heard(w), "");
	close_ws(w);
}

Test(rt, roles_change_again_while_they_are_read)
{
	struct person *alice = person("alice");
	struct ws *w = connect_as("alice", URL);

	login_ms = 10;
	alice->roles[2] = "team:t";
	membership("alice", EVENT_ROLES, "none", 1);
	show();
	turn(4);	/* it is being read */
	alice->roles[2] = NULL;
	membership("alice", EVENT_ROLES, "none", 2);
	document("team:t", 3);
	document("users", 4);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "4");
	close_ws(w);
}

static void
leave_team(void)
{
	person("alice")->roles[2] = NULL;
	membership("alice", EVENT_ROLES, "none", 1);
	document("team:t", 2);
	document("users", 3);
	show();
}

Test(rt, roles_change_during_the_handshake)
{
	struct ws *w;

	person("alice")->roles[2] = "team:t";
	login_ms = 5;
	during_login = leave_team;
	w = connect_as("alice", URL);
	document("team:t", 4);
	document("users", 5);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "5");
	close_ws(w);
}

Test(rt, roles_change_during_an_authentication)
{
	struct ws *w = connect_as("", URL);

	person("alice")->roles[2] = "team:t";
	login_ms = 5;
	during_login = leave_team;
	say(w, "{\"type\":\"authentication\",\"data\":{\"session\":\"alice\"}}");
	document("team:t", 4);
	document("users", 5);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "5");
	close_ws(w);
}

Test(rt, the_end_of_a_session_takes_what_it_gave)
{
	struct person *alice = person("alice");
	struct ws *one = connect_as("alice", URL), *other;

	alice->session = "s2";
	other = connect_as("alice", URL);
	session_end("alice", "s");
	document("user:alice", 1);
	document("users", 2);
	document("guests", 3);
	show();
	settle_all();
	cr_expect_str_eq(events(one), "777 3");
	cr_expect_str_eq(events(other), "777 1 2");
	membership("alice", EVENT_USER_GONE, "none", 4);
	document("users", 5);
	show();
	settle_all();
	cr_expect_str_eq(events(other), "");
	close_ws(one);
	close_ws(other);
	cr_expect_eq(atom_count(), 0);
}

Test(rt, sessions_end_by_time)
{
	struct ws *w;

	person("alice")->expire = 1;
	w = connect_as("alice", URL);
	cr_expect_eq(w->code, 0);
	deadline_pass(NULL);
	cr_expect_eq(w->code, 3000);
	document("users", 1);
	document("guests", 2);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "");
	cr_expect_eq(metric_value(M_rt_expired), 1);
	close_ws(w);
	cr_expect_eq(atom_count(), 0);
}

/* ---- what a connection stands on ---- */

static void
project_changed(const char *what)
{
	char header[200];

	snprintf(header, sizeof header, "{\"p\":\"p\",\"e\":\"projects.[projectId].%s\",\"v\":[\"p\"],\"t\":1}", what);
	append(header, "[]");
	show();
	settle_all();
}

Test(rt, a_platform_that_is_removed_ends_its_connections)
{
	struct ws *page, *app, *other;

	app = connect_as("", URL);
	origin_now = "https://a.example";
	page = connect_as("", URL);
	other = connect_as("", "project=console&channels[]=console");
	project_changed("update");
	cr_expect_eq(page->code, 0, "it is there still");
	foreign = origin_now;
	heard(page);
	project_changed("update");
	cr_expect_str_eq(heard(page), "{\"type\":\"error\",\"data\":{\"code\":1008,\"message\":\"Invalid Origin.\"}}\n");
	cr_expect_eq(page->code, -1);
	cr_expect_eq(app->code, 0);
	cr_expect_eq(other->code, 0);
	close_ws(page);
	close_ws(app);
	close_ws(other);
	cr_expect_eq(atom_count(), 0);
}

Test(rt, a_platform_that_is_removed_while_nobody_can_be_asked_ends_its_connections_later)
{
	struct ws *page;

	origin_now = "https://a.example";
	page = connect_as("", URL);
	foreign = origin_now;
	heard(page);
	project_fails = true;
	project_changed("update");
	cr_expect_eq(page->code, 0);
	project_fails = false;
	for (int i = 0; i < 3000 && page->code == 0; i++)
		turn(1);
	cr_expect_eq(page->code, -1);
	close_ws(page);
	settle_all();
	cr_expect_eq(atom_count(), 0);
}

static void
project_goes(void)
{
	project_gone = true;
	project_changed("delete");
}

Test(rt, a_project_that_is_deleted_ends_its_connections)
{
	struct ws *w = connect_as("", URL), *coming;

	person("alice");
	heard(w);
	login_ms = 20;
	coming = open_as("alice", URL);
	turn(5);
	project_goes();
	for (int i = 0; i < 30; i++)
		turn(1);
	settle_all();
	cr_expect_str_eq(heard(w), "{\"type\":\"error\",\"data\":{\"code\":1008,\"message\":\"Missing or unknown project ID\"}}\n");
	cr_expect_eq(w->code, -1);
	cr_expect_eq(coming->code, -1, "in the middle of its handshake");
	cr_expect(strstr(heard(coming), "connected") == NULL);
	close_ws(w);
	close_ws(coming);
	cr_expect_eq(atom_count(), 0);
}

/* A user of the console looks at a project. What it is there and what it is in are others' names here. */
Test(rt, roles_of_the_console_count_for_nothing_in_a_project)
{
	static const char *const foreign_roles[] = {"team:owners", "team:owners/owner", "user:root", "member:m", "team:t"};
	struct ws *w, *user;

	person("root")->roles[2] = "team:owners";
	person("root")->roles[3] = "team:owners/owner";
	person("root")->roles[4] = "member:m";
	person("root")->roles[5] = "team:t";
	w = connect_as("root", URL "&mode=admin");
	user = connect_as("root", URL);
	cr_expect(strstr(heard(w), "\"user\":{\"$id\":\"root\"") != NULL);
	for (int i = 0; i < 5; i++)
		document(foreign_roles[i], i);
	document("users", 10);
	document("any", 11);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "10 11");
	cr_expect_str_eq(events(user), "0 1 2 3 4 10 11");
	membership("root", EVENT_ROLES, "none", 1);
	document("team:t", 12);
	document("users", 13);
	show();
	settle_all();
	cr_expect_str_eq(events(user), "12 13");
	close_ws(user);
	user = connect_as("", URL "&mode=admin");
	heard(user);
	say(user, "{\"type\":\"authentication\",\"data\":{\"session\":\"root\"}}");
	heard(user);
	document("team:t", 14);
	document("users", 15);
	show();
	settle_all();
	cr_expect_str_eq(events(user), "15");
	close_ws(w);
	close_ws(user);
}

/* A heap of them by time: whatever comes, changes and goes, those whose time has come are taken, and no others. */
Test(rt, deadlines_take_those_whose_time_has_come)
{
	enum { N = 300 };
	struct peer *c[N];
	int past = 0;

	srand(3);
	for (int i = 0; i < N; i++)
		c[i] = peer_new(NULL);
	for (int i = 0; i < 5 * N; i++) {
		int64_t ms = rand() % 3 == 0 ? INT64_MAX : rand() % 2 ? 1 + rand() % 1000 : INT64_MAX - 1 - rand() % 1000;

		deadline_set(c[rand() % N], ms);
	}
	for (int i = 0; i < N; i++)
		past += c[i]->expire <= 1000;
	cr_assert_gt(past, 50);
	for (int i = 0; i < N; i += 100)
		deadline_pass(NULL);	/* a slice each */
	cr_expect_eq(metric_value(M_rt_expired), past);
	for (int i = 0; i < N; i++) {
		cr_expect_eq(c[i]->due != 0, c[i]->expire > 1000 && c[i]->expire != INT64_MAX, "%d", i);
		deadline_set(c[i], INT64_MAX);
		c[i]->state = RT_CLOSED;
		peer_free(c[i]);
	}
}

Test(rt, blocked_users_are_guests)
{
	struct ws *w;

	person("alice")->blocked = true;
	w = connect_as("alice", URL);
	cr_expect(strstr(heard(w), "\"user\":null") != NULL);
	close_ws(w);
}

Test(rt, secrets_stay_here)
{
	struct ws *w;
	const char *got;

	person("alice");
	w = connect_as("alice", URL);
	heard(w);
	append("{\"p\":\"p\",\"e\":\"users.[userId].update.name\",\"v\":[\"alice\"],\"c\":[\"account\"],\"r\":[\"user:alice\"],\"t\":0}",
	    "{\"$id\":\"alice\",\"name\":\"A\",\"password\":\"HASH\",\"hash\":\"argon2\",\"hashOptions\":{\"x\":1},\"prefs\":{}}");
	append("{\"p\":\"p\",\"e\":\"users.[userId].recovery.[tokenId].create\",\"v\":[\"alice\",\"t\"],\"c\":[\"account\"],\"r\":[\"user:alice\"],\"t\":0}",
	    "{\"$id\":\"t\",\"secret\":\"HASH\",\"expire\":\"\"}");
	append("{\"p\":\"p\",\"e\":\"users.[userId].update.prefs\",\"v\":[\"alice\"],\"c\":[\"account\"],\"r\":[\"user:alice\"],\"t\":0}",
	    "{\"password\":\"mine\"}");
	show();
	settle_all();
	got = heard(w);
	cr_expect_null(strstr(got, "HASH"));
	cr_expect_not_null(strstr(got, "\"payload\":{\"$id\":\"alice\",\"name\":\"A\",\"prefs\":[]}"), "%s", got);
	cr_expect_not_null(strstr(got, "\"payload\":{\"$id\":\"t\",\"expire\":\"\"}"));
	cr_expect_not_null(strstr(got, "\"payload\":{\"password\":\"mine\"}"));
	close_ws(w);
}

Test(rt, the_console_hears_only_of_its_projects)
{
	struct ws *w;

	person("root")->roles[2] = "team:owners";
	w = connect_as("root", "project=console&channels[]=console&channels[]=account");
	heard(w);
	append("{\"p\":\"console\",\"e\":\"users.[userId].update.name\",\"v\":[\"root\"],\"c\":[\"account\"],\"r\":[\"user:root\"],\"t\":0}", "{\"n\":1}");
	append("{\"p\":\"p\",\"e\":\"databases.[databaseId].collections.[collectionId].attributes.[attributeId].create\",\"v\":[\"d\",\"c\",\"a\"],"
	       "\"c\":[\"console\"],\"r\":[\"team:owners\"],\"t\":0}",
	    "{\"n\":2}");
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2");
	close_ws(w);
}

Test(rt, malformed_entries_are_passed_over)
{
	static const char *const bad[] = {"", "x", "[]", "{}", "{\"p\":\"p\",\"e\":\"a\"}", "{\"p\":\"p\",\"e\":\"a.[b].c\"}",
		"{\"p\":\"p\",\"e\":\"a..c\",\"v\":[\"x\"]}", "{\"p\":1,\"e\":2}"};
	struct ws *w = connect_as("", URL);

	heard(w);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		append(bad[i], "{\"n\":1}");
	document("any", 2);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2");
	close_ws(w);
}

/* ---- resuming ---- */

/* Something has happened before. */
static void
history(void)
{
	document("any", -1);
	show();
	settle_all();
}

/* The id of the last frame. */
static const char *
last_id_of(const struct ws *w)
{
	static char id[MARK_MAX];
	const char *p = w->got.p, *found = NULL;

	while ((p = strstr(p, "\"id\":\"")) != NULL)
		found = p += 6;
	snprintf(id, sizeof id, "%.*s", found ? (int)strcspn(found, "\"") : 0, found ? found : "");
	return id;
}

static const char *
last_id(struct ws *w)
{
	const char *id = last_id_of(w);

	w->got.n = 0;
	return id;
}

static struct ws *
resume_as(const char *user, const char *id)
{
	char query[200];

	snprintf(query, sizeof query, "%s&since=%s", URL, id);
	return open_as(user, query);
}

Test(rt, resumes_without_gap_or_double)
{
	struct ws *w;
	int i = 0;
	char want[4000] = "", id[MARK_MAX];

	history();
	w = connect_as("", URL);
	strcpy(id, last_id(w));
	for (; i < 300; i++)
		document(i % 3 == 0 ? "users" : "any", i);
	show();
	settle_all();
	close_ws(w);
	w = resume_as("", id);
	for (; i < 600; i++) {	/* more of them while it catches up */
		document(i % 3 == 0 ? "users" : "any", i);
		show();
		if (i % 10 == 0)
			turn(1);
	}
	settle_all();
	document("any", i);
	show();
	settle_all();
	for (int k = 0; k <= i; k++)
		if (k % 3 != 0 || k == i)
			snprintf(want + strlen(want), sizeof want - strlen(want), "%s%d", *want ? " " : "", k);
	cr_expect(strstr(w->got.p, "\"gap\":false") != NULL);
	cr_expect_str_eq(events(w), want);
	close_ws(w);
}

/* Each has a place of its own: whoever comes back gets what is behind it, from the middle of an entry too, and while one is gone through. */
Test(rt, events_that_came_together_are_one_by_one)
{
	char want[8000] = "", id[MARK_MAX];
	struct ws *w, *more;
	const char *got;
	uint64_t began;
	int n = 1;

	history();
	conf.rt_slice = 1;
	w = connect_as("", URL);
	for (int i = 0; i < 5; i++) {
		documents_together("any", n, 100);
		documents_together("users", n + 100, 2);	/* these are for others */
		document("any", n + 100);
		for (int k = 0; k <= 100; k++)
			snprintf(want + strlen(want), sizeof want - strlen(want), "%s%d", *want ? " " : "", n + k);
		n += 101;
	}
	began = fanout_number();
	show();
	while (fanout_number() < began + 50)	/* in the middle of the first */
		uv_run(loop_uv(), UV_RUN_NOWAIT);
	more = open_as("", URL);
	while (fanout_number() < began + 5 * 103)
		uv_run(loop_uv(), UV_RUN_NOWAIT);
	settle_all();
	strcpy(id, last_id_of(w));
	cr_expect_str_eq(events(w), want);
	got = events(more);
	cr_expect(strlen(got) > 0 && strlen(got) < strlen(want) && strcmp(got, want + strlen(want) - strlen(got)) == 0, "it gets the rest: %s", got);
	close_ws(more);
	close_ws(w);
	for (int at = 0; at < 3; at++) {	/* before the first, behind it, before the last */
		uint64_t index = (uint64_t)(at == 0 ? 0 : at == 1 ? 1 : 99);
		char head[20];

		snprintf(id + 9, sizeof id - 9, "%llu-%llu", (unsigned long long)stream[n_stream - 3].pos.lsn, (unsigned long long)index);
		w = resume_as("", id);
		settle_all();
		cr_expect(strstr(w->got.p, "\"gap\":false") != NULL);
		snprintf(head, sizeof head, "%d ", 4 * 101 + 1 + (int)index);
		cr_expect_str_eq(events(w), strstr(want, head), "from %s", id);
		close_ws(w);
	}
}

/* ---- resuming: what may be read now ---- */

static char came_from[MARK_MAX];

static void
was_here(const char *user)
{
	struct ws *w;

	history();
	w = connect_as(user, URL);
	strcpy(came_from, last_id(w));
	close_ws(w);
}

Test(rt, resuming_shows_what_may_be_read_now)
{
	struct ws *w;

	was_here("");
	for (int i = 1; i < 300; i++)
		document("any", i);
	show();
	settle_all();
	unreadable = "<x2><x4><x299>";
	w = resume_as("", came_from);
	settle_all();
	document("any", 299);	/* what comes now is for its roles */
	show();
	settle_all();
	const char *got = events(w);

	cr_expect(strncmp(got, "1 3 5 6 ", 8) == 0 && strstr(got, "298 299") != NULL && strstr(got, "299 299") == NULL, "%s", got);
	cr_expect_eq(looks, 3, "one question for each batch");
	cr_expect_eq(looked_at, 299);
	close_ws(w);
	looked_at = 0;
	w = connect_as("", "project=p&channels[]=documents&since=nonsense");
	close_ws(w);
	w = connect_as("", URL);
	document("users", 1);
	show();
	settle_all();
	cr_expect_eq(looked_at, 0, "nothing is asked for who does not resume");
	close_ws(w);
}

Test(rt, resuming_takes_for_past_what_the_stream_does_not_have_yet)
{
	struct ws *w, *fresh;

	was_here("");
	document("any", 1);
	show();
	settle_all();
	unreadable = "<x2><x4>";
	wal_ahead = 2;		/* two more had been committed when it came */
	w = resume_as("", came_from);
	fresh = open_as("", URL);
	turn(30);
	cr_expect(strstr(w->got.p, "\"gap\":false") != NULL);
	cr_expect_str_eq(events(w), "", "not before it is known what is past");
	wal_ahead = 0;
	document("any", 2);
	document("any", 3);
	show();
	document("any", 4);	/* this one came later, and is for whom it was for */
	show();
	for (int i = 0; i < 30; i++)
		turn(5);
	settle_all();
	cr_expect_str_eq(events(w), "1 3 4");
	cr_expect_str_eq(events(fresh), "2 3 4");
	cr_expect_eq(wal_asked, 1, "who does not resume asks nothing");
	close_ws(w);
	close_ws(fresh);
}

Test(rt, resuming_takes_no_entry_for_past_that_is_not)
{
	struct ws *w;

	was_here("");
	wal_ahead = 1;
	w = resume_as("", came_from);
	turn(30);
	wal_ahead = 0;
	unreadable = "<x1><x2>";
	document("any", 1);
	document("any", 2);
	show();
	for (int i = 0; i < 30; i++)
		turn(5);
	settle_all();
	cr_expect_str_eq(events(w), "2");
	cr_expect_eq(looked_at, 1);
	close_ws(w);
}

Test(rt, many_that_resume_ask_together)
{
	enum { N = 300 };
	struct ws *w[N];

	was_here("");
	document("any", 1);
	show();
	settle_all();
	for (int i = 0; i < N; i++)
		w[i] = resume_as("", came_from);
	for (int i = 0; i < 60; i++)
		turn(5);
	settle_all();
	for (int i = 0; i < N; i++) {
		cr_expect_str_eq(events(w[i]), "1");
		close_ws(w[i]);
	}
	cr_expect_leq(wal_asked, N / 10, "%u questions", wal_asked);
	cr_expect_leq(reach_asked, N / 10, "%u questions", reach_asked);
}

Test(rt, resuming_waits_for_the_database_and_the_relay_but_not_for_ever)
{
	struct ws *w;

	was_here("");
	document("any", 1);
	show();
	settle_all();
	wal_fails = true;
	w = resume_as("", came_from);
	turn(30);
	cr_expect_str_eq(events(w), "");
	wal_fails = false;
	for (int i = 0; i < 100 && w->got.n == 0; i++)
		turn(5);
	settle_all();
	cr_expect_str_eq(events(w), "1");
	close_ws(w);
	conf.request_timeout = 50;
	wal_ahead = 1;
	w = resume_as("", came_from);
	for (int i = 0; i < 200 && w->code == 0; i++)
		turn(5);
	cr_expect_eq(w->code, 1013);
	cr_expect_str_eq(events(w), "");
	cr_expect_eq(metric_value(M_rt_resume_late), 1);
	close_ws(w);
	wal_ahead = 0;
}

Test(rt, who_goes_while_it_waits_for_the_relay_leaves_nothing)
{
	was_here("alice");
	wal_ahead = 1;
	for (int ms = 0; ms < 12; ms++) {
		struct ws *w = resume_as("alice", came_from);

		turn(ms);
		close_ws(w);
	}
	cr_expect_eq(atom_count(), 0);
	wal_ahead = 0;
}

Test(rt, resuming_asks_for_nothing_that_is_not_for_it)
{
	struct ws *w;

	was_here("");
	document("users", 1);
	membership("bob", 0, "any", 2);
	document("any", 3);
	show();
	settle_all();
	w = resume_as("", came_from);
	settle_all();
	cr_expect_str_eq(events(w), "2 3");
	cr_expect_eq(looked_at, 1);
	close_ws(w);
}

/* The times of events are those of their headers. */
static void
dated(const char *role, int n, int64_t time)
{
	char header[400], payload[40];

	snprintf(header, sizeof header, "{\"p\":\"p\",\"e\":\"teams.[teamId].update\",\"v\":[\"t\"],\"c\":[\"documents\"],\"r\":[\"%s\"],\"t\":%lld}", role, (long long)time);
	snprintf(payload, sizeof payload, "{\"n\":%d}", n);
	append(header, payload);
}

Test(rt, resuming_shows_nothing_from_before_a_role_was_held)
{
	struct ws *w;

	was_here("");
	person("alice")->roles[2] = "team:t";
	person("alice")->since[2] = 5000;
	dated("team:t", 1, 4999);
	dated("team:t", 2, 5000);
	dated("users", 3, 1);
	dated("any", 4, 1);
	show();
	settle_all();
	w = resume_as("alice", came_from);
	settle_all();
	dated("team:t", 5, 10);		/* of now, from a machine whose clock is late */
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2 3 4 5");
	close_ws(w);
}

static void
session_ends(void)
{
	session_end("alice", "s");
	person("alice")->session = NULL;
	show();
}

Test(rt, roles_that_change_while_it_is_asked_ask_again)
{
	struct ws *w;

	person("alice");
	was_here("alice");
	document("users", 1);
	document("any", 2);
	document("user:alice", 3);
	show();
	settle_all();
	during_look = session_ends;
	w = resume_as("alice", came_from);
	settle_all();
	cr_expect_str_eq(events(w), "2", "it is a guest by then");
	cr_expect_geq(looks, 2);
	close_ws(w);
}

Test(rt, tells_of_a_gap)
{
	struct ws *w;
	char id[MARK_MAX];

	document("any", 1);
	document("any", 2);
	show();
	settle_all();
	w = connect_as("", URL);
	strcpy(id, last_id(w));
	close_ws(w);
	w = resume_as("", id);
	settle_all();
	cr_expect(strstr(w->got.p, "\"gap\":false") != NULL, "nothing has happened since");
	close_ws(w);
	for (int i = 3; i < 10; i++)
		document("any", i);
	show();
	settle_all();
	n_trimmed = 5;
	w = resume_as("", id);
	settle_all();
	cr_expect(strstr(w->got.p, "\"gap\":true") != NULL);
	document("any", 10);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "10", "it goes on from now");
	close_ws(w);
	stream_name = "2";
	w = resume_as("", id);
	settle_all();
	cr_expect(strstr(w->got.p, "\"gap\":true") != NULL, "another stream");
	close_ws(w);
}

/* Another process was first to see it, or Redis lost the newest entries and gets them again: the client has seen what comes. */
Test(rt, who_is_ahead_of_the_stream_misses_nothing_and_gets_nothing_twice)
{
	struct ws *w;
	char id[MARK_MAX], pos[MARK_MAX];

	document("any", 1);	/* in the stream, not yet here */
	document("any", 2);
	snprintf(id, sizeof id, "%s", mark_text(stream[1].pos, pos));
	w = resume_as("", id);
	settle_all();
	cr_expect(strstr(w->got.p, "\"gap\":false") != NULL);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "");
	document("any", 3);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "3");
	close_ws(w);
}

Test(rt, waits_until_it_is_known_where_the_stream_stands)
{
	struct ws *w;
	char id[MARK_MAX], pos[MARK_MAX];

	document("any", 1);
	document("any", 2);
	snprintf(id, sizeof id, "%s", mark_text(stream[0].pos, pos));
	stream_known = false;	/* as in a process that began while Redis was away */
	stream_name = "";
	w = resume_as("", id);
	turn(50);
	cr_expect_eq(w->got.n, 0, "neither told of a gap nor of none");
	stream_name = "1";
	show();
	stream_known = true;
	for (int i = 0; i < 100 && w->got.n == 0; i++)
		turn(10);
	settle_all();
	cr_expect(strstr(w->got.p, "\"gap\":false") != NULL);
	cr_expect_str_eq(events(w), "2");
	close_ws(w);
}

Test(rt, what_was_trimmed_before_its_place_is_no_gap)
{
	struct ws *w;
	char id[MARK_MAX], pos[MARK_MAX];

	for (int i = 1; i < 6; i++)
		document("any", i);
	show();
	settle_all();
	n_trimmed = 3;
	snprintf(id, sizeof id, "%s", mark_text(stream[2].pos, pos));	/* gone, but seen */
	w = resume_as("", id);
	settle_all();
	cr_expect(strstr(w->got.p, "\"gap\":false") != NULL);
	cr_expect_str_eq(events(w), "4 5");
	close_ws(w);
}

Test(rt, what_is_trimmed_before_it_is_read_is_a_gap)
{
	struct ws *late, *slow;
	char id[MARK_MAX], query[200];

	history();
	late = connect_as("", "project=p");
	snprintf(id, sizeof id, "%s", last_id(late));
	close_ws(late);
	for (int i = 1; i < 6; i++)
		document("any", i);
	show();
	settle_all();
	snprintf(query, sizeof query, "project=p&since=%s", id);
	late = connect_as("", query);
	cr_expect(strstr(late->got.p, "\"gap\":false") != NULL);
	slow = resume_as("", id);
	slow->lagging = true;
	turn(50);
	n_trimmed = n_stream - 2;
	slow->lagging = false;
	say(late, "{\"type\":\"subscribe\",\"data\":[{\"channels\":[\"documents\"]}]}");
	for (int i = 0; i < 20; i++)
		turn(5);
	settle_all();
	cr_expect_eq(late->code, 1012, "it waited too long with its first subscription");
	cr_expect_str_eq(events(late), "");
	cr_expect_eq(slow->code, 1012);
	cr_expect_str_eq(events(slow), "");
	close_ws(late);
	close_ws(slow);
}

Test(rt, resumes_with_its_first_subscription)
{
	struct ws *w;
	char id[MARK_MAX], query[200];

	history();
	w = connect_as("", "project=p");
	snprintf(id, sizeof id, "%s", last_id(w));
	close_ws(w);
	document("any", 1);
	document("users", 2);
	document("any", 3);
	show();
	settle_all();
	snprintf(query, sizeof query, "project=p&since=%s", id);
	w = connect_as("", query);
	document("any", 4);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "");
	say(w, "{\"type\":\"subscribe\",\"data\":[{\"channels\":[\"documents\"]}]}");
	document("any", 5);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "1 3 4 5");
	close_ws(w);
}

Test(rt, catching_up_waits_for_a_slow_reader)
{
	struct ws *w;
	char id[MARK_MAX];

	history();
	w = connect_as("", URL);
	snprintf(id, sizeof id, "%s", last_id(w));
	close_ws(w);
	for (int i = 1; i < 6; i++)
		document("any", i);
	show();
	settle_all();
	w = resume_as("", id);
	w->lagging = true;
	turn(50);
	cr_expect_str_eq(events(w), "", "nothing while it lags");
	w->lagging = false;
	for (int i = 0; i < 20; i++)
		turn(5);
	settle_all();
	cr_expect_str_eq(events(w), "1 2 3 4 5");
	close_ws(w);
}

Test(rt, a_stream_that_was_replaced_ends_the_connections)
{
	struct ws *w = connect_as("", URL);
	uint32_t before = gen_of(STR("project:p"));

	follower.on_gap(-1, follower.arg);
	cr_expect_eq(w->code, 1012);
	cr_expect_neq(gen_of(STR("project:p")), before, "what others changed meanwhile is unknown: caches begin anew");
	close_ws(w);
}

Test(rt, a_socket_may_go_at_any_time)
{
	char id[MARK_MAX];
	struct ws *w;

	history();
	w = connect_as("", URL);
	person("alice");
	snprintf(id, sizeof id, "%s", last_id(w));
	close_ws(w);
	document("any", 1);
	show();
	settle_all();
	for (int ms = 0; ms < 12; ms++) {
		w = resume_as("alice", id);
		turn(ms);
		rt_ws_message(w, STR("{\"type\":\"authentication\",\"data\":{\"session\":\"alice\"}}"));
		turn(ms % 3);
		close_ws(w);
	}
	cr_expect_eq(atom_count(), 0);
	cr_expect_eq(metric_value(M_rt_connections), 0);
}

Test(rt, many_at_once_wait_their_turn)
{
	enum { N = 400 };
	struct ws *w[N];

	person("alice");
	for (int i = 0; i < N; i++)
		w[i] = open_as("alice", URL);
	cr_expect_leq(fib_count(), 200);
	settle_all();
	conf.rt_slice = 30;
	document("users", 1);
	document("users", 2);
	show();
	turn(1);
	close_ws(w[0]);
	settle_all();
	for (int i = 1; i < N; i++) {
		cr_assert_str_eq(events(w[i]), "1 2");
		close_ws(w[i]);
	}
}

Test(rt, too_many_roles_for_the_index_are_compared)
{
	struct buf query;
	struct ws *w;

	person("alice");
	buf_init(&query, NULL, 1 << 16);
	buf_c(&query, "project=p&channels[]=documents");
	for (int i = 0; i < 990; i++)
		buf_printf(&query, "&channels[]=c%d", i);
	for (int i = 0; i < 6; i++)
		person("alice")->roles[2 + i] = (const char *[]){"team:1", "team:2", "team:3", "team:4", "team:5", "team:6"}[i];
	w = connect_as("alice", query.p);
	document("team:6", 1);
	document("team:7", 2);
	document("users", 3);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "1 3");
	close_ws(w);
	buf_fini(&query);
	cr_expect_eq(metric_value(M_rt_subscriptions), 0);
}

/* ---- what hostile clients cost: counted, not timed ---- */

#define EQUAL_N(n) "{\"method\":\"equal\",\"attribute\":\"n\",\"values\":[" n "]}"

static const char *
url_of(const char *prefix, int n, const char *each, const char *tail)
{
	static struct buf b;

	buf_fini(&b);
	buf_init(&b, NULL, 1 << 16);
	buf_c(&b, prefix);
	for (int i = 0; i < n; i++)
		buf_printf(&b, each, i, i);
	buf_c(&b, tail);
	return b.p;
}

Test(rt, repeated_channels_and_queries_of_a_url_are_one)
{
	struct ws *w = connect_as("", url_of("project=p&channels[]=documents", 900, "&channels[]=documents", ""));

	cr_expect(strstr(w->got.p, "{\"channels\":[\"documents\"],\"user\":null,\"subscriptions\":[\"00000000000000000000\"]}") != NULL, "%s", w->got.p);
	cr_expect_eq(metric_value(M_rt_subscriptions), 1 + 2, "its place, and one channel with two roles");
	close_ws(w);
	w = connect_as("", url_of("project=p&channels[]=documents&channels[]=documents", 100, "&documents[%d][]=" EQUAL_N("1"), ""));
	cr_expect_eq(filter_count(), 1, "the same query a hundred times");
	cr_expect_eq(metric_value(M_rt_subscriptions), 1 + 2);
	document("any", 1);
	show();
	settle_all();
	cr_expect(strstr(heard(w), "\"00000000000000000063\"]") != NULL, "all slots are named, the last one too");
	close_ws(w);
	cr_expect_eq(filter_count() + atom_count() + held_sets() + patron_count() + budget_held(), 0);
}

/* "a.a.a…" with '.' and '_' in all combinations: a thousand channels whose queries have one name. */
Test(rt, channels_times_slots_are_bounded_before_a_query_is_read)
{
	static char names[24000];
	size_t n = 0;
	struct ws *w;

	for (int i = 0; i < 512; i++) {
		n += (size_t)snprintf(names + n, sizeof names - n, "&channels[]=a");
		for (int bit = 0; bit < 9; bit++)
			n += (size_t)snprintf(names + n, sizeof names - n, "%ca", i >> bit & 1 ? '.' : '_');
	}
	w = connect_as("", url_of("project=p", 100, "&a_a_a_a_a_a_a_a_a_a[%d][]=nonsense", names));
	cr_expect_str_eq(heard(w), "{\"type\":\"error\",\"data\":{\"code\":1008,\"message\":\"Too many queries\"}}\n");
	cr_expect_eq(metric_value(M_rt_work_refused), 1);
	close_ws(w);
	w = connect_as("", url_of("project=p&channels[]=a", 100, "&a[%d][]=" EQUAL_N("%d"), ""));
	cr_expect(strstr(heard(w), "connected") != NULL, "a hundred queries are not too many");
	close_ws(w);
	conf.rt_steps_max = 250;
	w = connect_as("", url_of("project=p&channels[]=a", 100, "&a[%d][]=" EQUAL_N("%d"), ""));
	cr_expect(strstr(heard(w), "Too many queries") != NULL, "each is a node besides");
	close_ws(w);
	cr_expect_eq(filter_count() + atom_count(), 0);
}

/* A subscribe message of at least so many bytes. */
static void
long_message(struct buf *b, size_t n, const char *id)
{
	buf_c(b, "{\"type\":\"subscribe\",\"data\":[");
	for (int i = 0; b->n < n; i++)
		buf_printf(b, "%s{\"subscriptionId\":\"%s%d\",\"channels\":[\"documents\",\"%0*d\"]}", i ? "," : "", id, i, (int)n / 100, i);
	buf_c(b, "]}");
}

/* Where it comes in nothing is done for it; a large one is read by a thread. What comes behind it waits. */
Test(rt, a_long_message_does_not_hold_the_loop)
{
	static const struct {
		size_t n;
		int64_t jobs;
	} sizes[] = {{5000, 0}, {30000, 2}};	/* to read it, and to take it down */
	struct ws *w = connect_as("", "project=p");
	struct buf b;
	const char *said;

	heard(w);
	buf_init(&b, NULL, 1 << 16);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		int64_t jobs = metric_value(M_offload_jobs);

		b.n = 0;
		long_message(&b, sizes[i].n, i ? "x" : "y");
		rt_ws_message(w, buf_view(&b));
		rt_ws_message(w, STR("{\"type\":\"ping\"}"));
		cr_expect_eq(w->got.n, 0, "not in the turn in which it came");
		settle_all();
		cr_expect_eq(metric_value(M_offload_jobs) - jobs, sizes[i].jobs);
		said = heard(w);
		cr_expect(strncmp(said, "{\"type\":\"response\",\"data\":{\"to\":\"subscribe\",\"success\":true", 50) == 0, "%.100s", said);
		cr_expect(strstr(said, "}}\n{\"type\":\"pong\"}\n") != NULL, "in the order in which they came");
	}
	document("any", 1);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "1");
	b.n = 0;
	long_message(&b, 30000, "z");
	rt_ws_message(w, buf_view(&b));
	turn(0);
	close_ws(w);	/* amid it */
	buf_fini(&b);
	settle_all();
	cr_expect_eq(fib_count(), 0);
	cr_expect_eq(atom_count(), 0);
}

/* What waits is bounded by the budget of the process. */
Test(rt, long_messages_that_wait_are_charged)
{
	struct ws *w = connect_as("", "project=p");
	struct buf b;
	size_t held = budget_held();

	heard(w);
	buf_init(&b, NULL, 1 << 16);
	long_message(&b, 30000, "x");
	rt_ws_message(w, buf_view(&b));
	cr_expect_geq(budget_held(), held + b.n);
	conf.bytes_max = (int64_t)(budget_held() + b.n - 1);
	rt_ws_message(w, buf_view(&b));
	cr_expect_str_eq(heard(w), "{\"type\":\"error\",\"data\":{\"code\":1013,\"message\":\"Too many messages\"}}\n");
	conf.bytes_max = INT64_MAX;
	settle_all();
	cr_expect(strstr(heard(w), "\"success\":true") != NULL);
	close_ws(w);
	buf_fini(&b);
	cr_expect_eq(budget_held(), held);
}

Test(rt, a_message_touches_only_what_it_changes)
{
	struct ws *w = connect_as("", "project=p");
	uint64_t before;
	struct buf b;

	buf_init(&b, NULL, 1 << 16);
	for (int round = 0; round < 2; round++) {
		b.n = 0;
		buf_c(&b, "{\"type\":\"subscribe\",\"data\":[");
		for (int i = 0; i < 200; i++)
			buf_printf(&b, "%s{\"subscriptionId\":\"s%d\",\"channels\":[\"c%d\",\"documents\"]}", i ? "," : "", i, i);
		buf_c(&b, "]}");
		before = seats_changes();
		say(w, b.p);
		cr_expect(strstr(heard(w), "\"success\":true") != NULL);
		cr_expect_eq(seats_changes() - before, round == 0 ? 201 * 2 : 0, "%llu", (unsigned long long)(seats_changes() - before));
	}
	before = seats_changes();
	say(w, "{\"type\":\"unsubscribe\",\"data\":[{\"subscriptionId\":\"s7\"},{\"subscriptionId\":\"s7\"},{\"subscriptionId\":\"nosuch\"}]}");
	cr_expect_eq(seats_changes() - before, 2);
	before = seats_changes();
	say(w, "{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"s8\",\"channels\":[\"other\",\"c8\"]}]}");
	cr_expect_eq(seats_changes() - before, 2);
	heard(w);
	document("any", 1);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "1");
	close_ws(w);
	buf_fini(&b);
	cr_expect_eq(metric_value(M_rt_subscriptions), 0);
	cr_expect_eq(atom_count(), 0);
}

/* The acknowledgement is as long as what it acknowledges, also where one id comes again and again: the last of them counts. */
Test(rt, one_id_many_times_in_a_message)
{
	struct ws *w = connect_as("", "project=p");
	struct buf b;

	buf_init(&b, NULL, 1 << 16);
	buf_c(&b, "{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"a\",\"channels\":[");
	for (int i = 0; i < 500; i++)
		buf_printf(&b, "\"c%d\",", i);
	buf_c(&b, "\"c\"]}");
	for (int i = 0; i < 150; i++)
		buf_c(&b, ",{\"subscriptionId\":\"a\",\"channels\":[\"documents\"]}");
	buf_c(&b, "]}");
	say(w, b.p);
	cr_expect_lt(w->got.n, 3 * b.n);
	cr_expect_eq(metric_value(M_rt_subscriptions), 1 + 2);
	close_ws(w);
	buf_fini(&b);
}

Test(rt, both_forms_of_a_dotted_name_are_queries_of_the_channel)
{
	static const char *const form[] = {"databases.d.collections.c.documents", "databases_d_collections_c_documents"};
	char query[500];

	for (size_t i = 0; i < 2; i++) {
		struct ws *w;

		snprintf(query, sizeof query, "project=p&channels[]=%s&%s[1][]=" EQUAL_N("2"), form[0], form[i]);
		w = connect_as("", query);
		cr_expect(strstr(heard(w), "\"subscriptions\":{\"1\":\"00000000000000000001\"}") != NULL);
		document("any", 1);
		document("any", 2);
		show();
		settle_all();
		cr_expect_str_eq(events(w), "2", "%s", form[i]);
		close_ws(w);
	}
}

Test(rt, a_subscription_in_place_of_that_of_the_url_has_its_own_id)
{
	struct ws *w = connect_as("", "project=p&channels[]=documents");

	say(w, "{\"type\":\"unsubscribe\",\"data\":[{\"subscriptionId\":\"" URL_SUBSCRIPTION "\"}]}");
	say(w, "{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"mine\",\"channels\":[\"documents\"]}]}");
	heard(w);
	document("any", 1);
	show();
	settle_all();
	cr_expect(strstr(heard(w), "\"subscriptions\":[\"mine\"]") != NULL);
	close_ws(w);
}

Test(rt, a_query_of_no_channel_is_refused)
{
	static const char *const bad[] = {"channels[]=documents&dokuments[0][]=" EQUAL_N("2"), "channels[]=documents&channel[]=files", "channels[]=documents&x[0]=y",
		"channels[]=documents&files=" EQUAL_N("1"), "documents[0][]=" EQUAL_N("1"), "channels[]=documents&documents=nonsense", "channels[]=documents&documents[]=" EQUAL_N("1"),
		"channels[]=documents&documents[200][]=" EQUAL_N("1"), "channels[]=a.b&a.b.c[0][]=" EQUAL_N("1"), "channels[]=documents&documents[0=x"};
	char query[400];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ws *w;

		snprintf(query, sizeof query, "project=p&%s", bad[i]);
		w = connect_as("", query);
		cr_expect(strstr(w->got.p, "{\"code\":1008,\"message\":\"Invalid query: ") != NULL, "%s: %s", bad[i], w->got.p);
		cr_expect_eq(w->code, -1);
		close_ws(w);
	}
	struct ws *w = connect_as("", "project=p&channels[]=documents&channels[]=account.bob&account.bob[0][]=" EQUAL_N("1") "&cache=17&files=1&documents=" EQUAL_N("2"));
	cr_expect(strstr(w->got.p, "connected") != NULL, "%s", w->got.p);
	document("any", 1);
	document("any", 2);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2", "a plain one is of slot 0");
	close_ws(w);
	cr_expect_eq(filter_count() + atom_count(), 0);
}

Test(rt, the_name_that_matched_is_in_the_channels_of_a_url)
{
	static const char *const name[] = {"documents.create", "databases.d.collections.c.documents.x1.create", "rows"};
	char query[300], want[120];

	for (size_t i = 0; i < 3; i++)
		for (int also_old = 0; also_old < 2; also_old++) {
			struct ws *w;

			snprintf(query, sizeof query, "project=p%s&channels[]=%s", also_old ? "&channels[]=documents" : "", name[i]);
			w = connect_as("", query);
			heard(w);
			document("any", 1);
			show();
			settle_all();
			snprintf(want, sizeof want, "\"%s\"", name[i]);
			cr_expect(strstr(heard(w), want) != NULL, "%s", query);
			close_ws(w);
		}
}

Test(rt, a_long_payload_is_looked_through_in_pieces)
{
	struct ws *w = connect_as("", "project=p&channels[]=documents&documents[0][]=" EQUAL_N("1"));
	int turns = 0;
	struct buf b;

	heard(w);
	conf.rt_slice = 1;
	buf_init(&b, NULL, 1 << 20);
	buf_c(&b, "{\"n\":1,\"t\":[");
	for (int i = 0; i < 50000; i++)
		buf_c(&b, "{},7,");
	buf_c(&b, "0]}");
	append("{\"p\":\"p\",\"e\":\"teams.[teamId].create\",\"v\":[\"t\"],\"c\":[\"documents\"],\"r\":[\"any\"],\"t\":1}", b.p);
	show();
	for (; w->got.n == 0 && turns < 1000; turns++)
		uv_run(loop_uv(), UV_RUN_NOWAIT);
	cr_expect_gt(turns, 50);
	cr_expect(strstr(w->got.p, "\"t\":[[],7,[],7,") != NULL);
	close_ws(w);
	buf_fini(&b);
}

/* The work of a turn is bounded, so collecting takes many; meanwhile clients come, go, and change what they listen to. */
Test(rt, nobody_is_missed_while_receivers_are_collected)
{
	enum { N = 300 };
	struct ws *w[N], *late[40], *gone[N];
	int n_late = 0, n_gone = 0, busy = 0;
	char text[200];

	person("alice")->roles[2] = "team:a";
	person("alice")->roles[3] = "team:b";
	for (int i = 0; i < N; i++) {
		w[i] = open_as(i % 3 ? "alice" : "", "project=p");
		if (i % 50 == 49)
			settle_all();
	}
	settle_all();
	for (int i = 0; i < N; i++)
		rt_ws_message(w[i], STR("{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"a\",\"channels\":[\"documents\",\"rows\"]}]}"));
	settle_all();
	for (int i = 0; i < N; i++)
		heard(w[i]);
	append("{\"p\":\"p\",\"e\":\"databases.[databaseId].collections.[collectionId].documents.[documentId].create\",\"v\":[\"d\",\"c\",\"x\"],"
	       "\"c\":[\"documents\"],\"r\":[\"any\"],\"t\":1}", "{\"n\":1}");
	document("any", 2);
	conf.rt_slice = 1;
	show();
	srand(7);
	for (int t = 0; t < 4000 && fanout_number() < 2; t++) {
		int i = rand() % N;

		busy++;
		uv_run(loop_uv(), UV_RUN_NOWAIT);
		snprintf(text, sizeof text, "{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"%s\",\"channels\":[\"%s\",\"documents\"]}]}", t % 2 ? "a" : "b", t % 3 ? "x" : "rows");
		if (w[i] != NULL)
			rt_ws_message(w[i], str_c(text));
		for (int k = 0; k < 10 && t < 12; k++) {	/* their seats are taken by others */
			if (w[i] != NULL) {
				rt_ws_close(w[i]);
				gone[n_gone++] = w[i];
				w[i] = NULL;
			}
			i = rand() % N;
		}
		if (t % 4 == 0 && n_late < 40)
			late[n_late++] = open_as("", "project=p&channels[]=documents");
	}
	cr_expect_gt(busy, 20, "%d", busy);
	settle_all();
	for (int i = 0; i < 300; i++)
		turn(1);
	settle_all();
	for (int i = 0; i < N; i++) {
		if (w[i] == NULL)
			continue;
		cr_expect_str_eq(events(w[i]), "1 2", "%d", i);
		close_ws(w[i]);
	}
	for (int i = 0; i < n_gone; i++) {
		buf_fini(&gone[i]->got);
		free(gone[i]);
	}
	for (int i = 0; i < n_late; i++) {
		const char *got = events(late[i]);

		cr_expect(strcmp(got, "1 2") == 0 || strcmp(got, "2") == 0 || strcmp(got, "") == 0, "%s", got);
		close_ws(late[i]);
	}
	cr_expect_eq(metric_value(M_rt_subscriptions), 0);
	cr_expect_eq(atom_count(), 0);
}

Test(rt, an_address_is_one_however_it_is_written)
{
	struct patron *v4 = patron_of_guest("192.0.2.1", false), *mapped = patron_of_guest("::ffff:192.0.2.1", false), *a, *b, *other;

	cr_expect(v4 == mapped);
	a = patron_of_guest("2001:db8:1:2::1", false);
	b = patron_of_guest("2001:db8:1:2:ffff::9", false);
	other = patron_of_guest("2001:db8:1:3::1", false);
	cr_expect(a == b && a != other && a != v4);
	cr_expect_eq(patron_count(), 3);
	patron_leave(&v4);
	patron_leave(&mapped);
	patron_leave(&a);
	patron_leave(&b);
	patron_leave(&other);
	cr_expect_eq(patron_count(), 0);
}

Test(rt, what_is_kept_is_charged_and_given_back)
{
	struct ws *w = connect_as("", "project=p"), *u;
	struct buf b;
	size_t held;

	cr_expect_eq(budget_held(), 0, "small ones are not");
	buf_init(&b, NULL, 1 << 16);
	buf_c(&b, "{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"a\",\"channels\":[");
	for (int i = 0; i < 500; i++)
		buf_printf(&b, "\"a-channel-with-a-rather-long-name-that-nobody-has-%d\",", i);
	buf_c(&b, "\"documents\"]}]}");
	say(w, b.p);
	held = budget_held();
	cr_expect_gt(held, 25000);
	cr_expect_eq(budget_owners(), 1, "the address of a guest");
	conf.bytes_per_address = (int64_t)held;
	u = connect_as("", "project=p");
	heard(u);
	say(u, b.p);
	cr_expect(strstr(heard(u), "items: There are too many queries.") != NULL);
	cr_expect_eq(metric_value(M_rt_text_refused), 1);
	cr_expect_eq(budget_held(), held);
	person("alice");
	say(u, "{\"type\":\"authentication\",\"data\":{\"session\":\"alice\"}}");
	heard(u);
	say(u, b.p);
	cr_expect(strstr(heard(u), "\"success\":true") != NULL, "somebody is not counted by address");
	cr_expect_gt(budget_held(), held);
	close_ws(u);
	cr_expect_eq(budget_held(), held);
	say(w, "{\"type\":\"unsubscribe\",\"data\":[{\"subscriptionId\":\"a\"}]}");
	cr_expect_eq(budget_held(), 0);
	conf.rt_text_max = 4000;
	say(w, b.p);
	cr_expect(strstr(w->got.p, "items: There are too many queries.") != NULL);
	close_ws(w);
	buf_fini(&b);
	cr_expect_eq(budget_owners(), 0);
}

Test(rt, what_the_sockets_of_a_user_are_kept_for_is_bounded_together)
{
	struct ws *a, *b, *other;
	struct buf m;
	size_t one;

	person("alice");
	person("bob");
	a = connect_as("alice", "project=p");
	b = connect_as("alice", "project=p");
	other = connect_as("bob", "project=p");
	buf_init(&m, NULL, 1 << 16);
	buf_c(&m, "{\"type\":\"subscribe\",\"data\":[{\"subscriptionId\":\"a\",\"channels\":[");
	for (int i = 0; i < 500; i++)
		buf_printf(&m, "\"a-channel-with-a-rather-long-name-that-nobody-has-%d\",", i);
	buf_c(&m, "\"documents\"]}]}");
	say(a, m.p);
	cr_expect(a->purse == b->purse && a->purse != other->purse);
	one = a->purse->held;
	cr_expect_gt(one, 25000);
	conf.rt_bytes_per_client = (int64_t)one + 1000;
	heard(b);
	say(b, m.p);
	cr_expect(strstr(heard(b), "items: There are too many queries.") != NULL);
	cr_expect_eq(metric_value(M_rt_bytes_refused), 1);
	heard(other);
	say(other, m.p);
	cr_expect(strstr(heard(other), "\"success\":true") != NULL, "another user has room");
	say(a, "{\"type\":\"unsubscribe\",\"data\":[{\"subscriptionId\":\"a\"}]}");
	cr_expect_eq(a->purse->held, 0);
	say(b, m.p);
	cr_expect(strstr(heard(b), "\"success\":true") != NULL);
	close_ws(a);
	close_ws(b);
	close_ws(other);
	buf_fini(&m);
	cr_expect_eq(patron_count() + budget_held(), 0);
}

Test(rt, sockets_and_work_are_counted_by_user_and_address)
{
	struct ws *a, *b, *w;

	conf.rate_limits = true;
	conf.rt_sockets_per_user = 1;
	conf.rt_sockets_per_address = 2;
	person("alice");
	person("bob");
	a = connect_as("alice", URL);
	b = connect_as("bob", URL);
	cr_expect(strstr(heard(a), "connected") != NULL && strstr(heard(b), "connected") != NULL);
	w = connect_as("alice", URL);
	cr_expect_str_eq(heard(w), "{\"type\":\"error\",\"data\":{\"code\":1013,\"message\":\"Too many connections\"}}\n");
	close_ws(w);
	w = connect_as("", URL);
	say(w, "{\"type\":\"authentication\",\"data\":{\"session\":\"alice\"}}");
	cr_expect(strstr(heard(w), "\"code\":1013,\"message\":\"Too many connections\"") != NULL, "a guest does not slip in");
	close_ws(a);
	say(w, "{\"type\":\"authentication\",\"data\":{\"session\":\"alice\"}}");
	cr_expect(strstr(heard(w), "\"success\":true") != NULL);
	say(w, "{\"type\":\"authentication\",\"data\":{\"session\":\"alice\"}}");
	cr_expect(strstr(heard(w), "\"success\":true") != NULL, "the same again is none more");
	a = connect_as("", URL);
	close_ws(b);
	b = connect_as("", URL);
	cr_expect(strstr(heard(b), "connected") != NULL, "who is somebody by now does not count for the address");
	close_ws(b);
	cr_expect_eq(metric_value(M_rt_sockets_refused), 2);
	conf.rt_work_rate = 20;
	conf.rt_message_rate = 1000;
	for (int i = 0; i < 100; i++)	/* a minute may begin in between */
		say(w, "{\"type\":\"ping\"}");
	cr_expect(strstr(heard(w), "\"code\":1013,\"message\":\"Too many messages\"") != NULL);
	cr_expect_gt(metric_value(M_rt_work_refused), 0);
	close_ws(a);
	close_ws(w);
	cr_expect_eq(patron_count(), 0);
}
