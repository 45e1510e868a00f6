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
	who_expire();
	document("users", 1);
	document("guests", 2);
	show();
	settle_all();
	cr_expect_str_eq(events(w), "2");
	close_ws(w);
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
last_id(struct ws *w)
{
	static char id[MARK_MAX];
	const char *p = w->got.p, *found = NULL;

	while ((p = strstr(p, "\"id\":\"")) != NULL)
		found = p += 6;
	snprintf(id, sizeof id, "%.*s", found ? (int)strcspn(found, "\"") : 0, found ? found : "");
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
