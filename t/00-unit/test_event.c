/* Events and shapes: expanded names, the message, what may be subscribed to, JSON by table. */
#include <criterion/criterion.h>

#include "core/gen.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/chain.h"
#include "model/event.h"
#include "model/hear.h"
#include "model/project.h"
#include "svc/databases/database.h"
#include "svc/services.h"
#include "ctx_world.h"

TestSuite(event, .init = setup, .fini = teardown);

static const char *
listed(struct strs names)
{
	struct buf out;

	buf_init(&out, cx.arena, 256);
	for (int i = 0; i < names.n; i++) {
		if (i > 0)
			buf_ch(&out, ' ');
		buf_c(&out, names.v[i]);
	}
	return buf_view(&out).p;
}

static const char *
joined(const char *pattern, const char *a, const char *b, const char *c)
{
	return listed(event_names(&cx, pattern, (const char *[]){a, b, c}));
}

static const char *
told(const char *pattern, unsigned flags, const char *a, const char *b, const char *c)
{
	return listed(event_names_told(&cx, pattern, (const char *[]){a, b, c}, flags));
}

Test(event, names_in_all_words)
{
	static const char row[] = "databases.[databaseId].collections.[collectionId].documents.[documentId].create";
	const char *all;

	services_init();
	cr_expect_str_eq(told("teams.[teamId].create", EVENT_LATER, "t", NULL, NULL), "teams.t.create teams.*.create teams.t teams.*");
	cr_expect_str_eq(told("databases.[databaseId].create", 0, "d", NULL, NULL), "databases.d.create databases.*.create databases.d databases.*");
	cr_expect(str_starts(str_c(told(row, 0, "d", "c", "x")),
	    "databases.d.collections.c.documents.x.create databases.d.tables.c.rows.x.create databases.*.collections.*.documents.*.create "));
	all = told(row, EVENT_LATER | EVENT_ROLES, "d", "c", "x");
	cr_expect(str_starts(str_c(all), "tablesdb.d.tables.c.rows.x.create databases.d.collections.c.documents.x.create databases.d.tables.c.rows.x.create "));
	cr_expect(str_ends(str_c(all), " tablesdb.d databases.d tablesdb.* databases.*"));
}

Test(event, remembered_with_their_words)
{
	struct heard ev = {.pattern = "databases.[databaseId].collections.[collectionId].documents.[documentId].create", .ids = {"d", "c", "x"}, .n_ids = 3};
	struct heard_about about;
	struct buf b;

	services_init();
	for (int later = 0; later < 2; later++) {
		ev.flags = later ? EVENT_LATER : 0;
		buf_init(&b, cx.arena, 128);
		heard_about_put(&b, &ev);
		cr_assert(heard_about_read(&cx, buf_view(&b), &about));
		cr_expect_str_eq(about.names.v[0], later ? "tablesdb.d.tables.c.rows.x.create" : "databases.d.collections.c.documents.x.create");
		cr_expect_eq(about.n_within, 3);
	}
}

Test(event, names)
{
	static const struct {
		const char *pattern, *ids[3], *want;
	} cases[] = {
		{"users.[userId].create", {"U"}, "users.U.create users.*.create users.U users.*"},
		{"users.[userId].update.name", {"U"},
		    "users.U.update users.*.update users.U.update.name users.*.update.name users.U users.*"},
		{"users.[userId].sessions.[sessionId].create", {"U", "S"},
		    "users.U.sessions.S.create users.*.sessions.*.create users.U.sessions.*.create users.*.sessions.S.create "
		    "users.U.sessions.S users.*.sessions.* users.U.sessions.* users.*.sessions.S users.U users.*"},
		{"teams.[teamId].memberships.[membershipId].update.status", {"T", "M"},
		    "teams.T.memberships.M.update.status teams.*.memberships.*.update.status teams.T.memberships.*.update.status "
		    "teams.*.memberships.M.update.status teams.T.memberships.M.update teams.*.memberships.*.update teams.T.memberships.*.update "
		    "teams.*.memberships.M.update teams.T.memberships.M teams.*.memberships.* teams.T.memberships.* teams.*.memberships.M "
		    "teams.T.update.status teams.*.update.status teams.T teams.*"},
		{"databases.[databaseId].collections.[collectionId].documents.[documentId].create", {"D", "C", "X"},
		    "databases.D.collections.C.documents.X.create databases.*.collections.*.documents.*.create "
		    "databases.D.collections.*.documents.X.create databases.*.collections.*.documents.X.create "
		    "databases.*.collections.C.documents.X.create databases.D.collections.C.documents.*.create "
		    "databases.*.collections.C.documents.*.create databases.D.collections.*.documents.*.create "
		    "databases.D.collections.C.documents.X databases.*.collections.*.documents.* "
		    "databases.D.collections.*.documents.X databases.*.collections.*.documents.X "
		    "databases.*.collections.C.documents.X databases.D.collections.C.documents.* "
		    "databases.*.collections.C.documents.* databases.D.collections.*.documents.* "
		    "databases.D.collections.C databases.*.collections.* databases.D.collections.* databases.*.collections.C "
		    "databases.D databases.*"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_str_eq(joined(cases[i].pattern, cases[i].ids[0], cases[i].ids[1], cases[i].ids[2]), cases[i].want);
}

Test(event, every_row_expands_and_is_found)
{
	static const char *const ids[] = {"a", "b", "c"};

	const struct service *const *all;
	int n;

	services_init();
	all = service_all(&n);
	for (int i = 0; i < n; i++)
		for (const struct event_info *const *e = all[i]->events; e != NULL && *e != NULL; e++)
			cr_expect_gt(event_names(&cx, (*e)->pattern, ids).n, 3, "%s", (*e)->pattern);
}

Test(event, message)
{
	const char *roles[] = {"any", "user:\"u\""};
	const struct event ev = {
		.kind = &ev_document_create,
		.project = "p",
		.ids = {"d", "c", "x"},
		.roles = {.n = 2, .set = true, .v = roles},
		.payload = STR("{\"$id\":\"x\"}"),
		.flags = EVENT_ROLES,
		.user = "u",
		.actor = "me",
		.stale = {"user:p:u"},
	};
	struct str text = event_message(&cx, &ev), head = str_cut(&text, '\n');
	const json_t *j = json_parse(&cx, head, NULL), *c = json_object_get(j, "c");

	cr_assert_not_null(j);
	cr_expect(str_is(text, "{\"$id\":\"x\"}"));
	cr_expect(str_is(json_str(json_object_get(j, "p")), "p"));
	cr_expect_eq(json_array_size(c), 3);
	cr_expect(str_is(json_str(json_array_get(c, 2)), "databases.d.collections.c.documents.x"));
	cr_expect(str_is(json_str(json_array_get(json_object_get(j, "r"), 1)), "user:\"u\""));
	cr_expect(str_is(json_str(json_object_get(j, "a")), "me"));
	cr_expect_eq(json_integer_value(json_object_get(j, "f")), EVENT_ROLES);
	cr_expect(str_is(json_str(json_array_get(json_object_get(j, "k"), 0)),
	    arena_printf(cx.arena, "%llu", (unsigned long long)str_hash_stable(STR("user:p:u")))));
}

Test(event, header_is_looked_at_without_reading_it)
{
	const struct event ev = {.kind = &ev_document_create, .project = "p", .ids = {"d", "c", "x"}, .stale = {"user:p:u", "x"}};
	struct ctx deep = cx;
	struct str text = event_message(&cx, &ev), head = str_cut(&text, '\n'), project, pattern;
	uint32_t before = gen_of(STR("user:p:u")), other = gen_of(STR("x"));
	struct heard h;

	cr_assert(heard_peek(head, &project, &pattern));
	cr_expect(str_is(project, "p"));
	cr_expect(str_is(pattern, ev_document_create.pattern));
	heard_bump(head);
	cr_expect_neq(gen_of(STR("user:p:u")), before);
	cr_expect_neq(gen_of(STR("x")), other);
	cr_expect_not(heard_peek(STR("{\"e\":\"x\"}"), &project, &pattern));
	cr_expect_not(heard_peek(STR("{\"p\":\"x"), &project, &pattern));
	heard_bump(STR("{\"p\":\"p\",\"r\":[\"1\"]}"));	/* no keys: nothing happens */
	heard_bump(STR("\"]}"));
	deep.depth = 3;
	text = event_message(&deep, &ev);
	head = str_cut(&text, '\n');
	before = gen_of(STR("x"));
	heard_bump(head);
	cr_expect_neq(gen_of(STR("x")), before);
	cr_assert(heard_read(&cx, "id", head, text, &h));
	cr_expect_eq(h.depth, 3);
	cr_expect_eq(h.n_ids, 3);
	cr_expect_null(h.actor);
	cr_expect_eq(h.names.n, 22);
	cr_expect(heard_one_of(&h, &(struct strs){2, true, (const char *[]){"users.*", "databases.*.collections.c.documents.*.create"}}));
	cr_expect_not(heard_one_of(&h, &(struct strs){3, true, (const char *[]){"", "d", "databases.*.collections.c.documents.*.update"}}));
	cr_expect_not(heard_read(&cx, "id", STR("{\"p\":\"p\",\"e\":\"a.[b].c\",\"v\":[]}"), STR("[]"), &h));
	cr_expect_not(heard_read(&cx, "id", STR("{\"p\":\"p\",\"e\":\"a.[b].c\",\"v\":[\"1\",\"2\",\"3\",\"4\"]}"), STR("[]"), &h));
}

Test(event, message_without_payload_or_channels)
{
	struct event ev = {.kind = &ev_database_delete, .project = "p", .ids = {"d"}};
	struct str text = event_message(&cx, &ev), head = str_cut(&text, '\n');
	const json_t *j = json_parse(&cx, head, NULL);

	cr_expect(str_is(text, "[]"));
	cr_expect_null(json_object_get(j, "c"));
	cr_expect_null(json_object_get(j, "r"));
	cr_expect_null(json_object_get(j, "k"));
}

Test(event, subscribable)
{
	static const char *const good[] = {"users.*", "users.*.create", "users.u1.update.email", "users.*.sessions", "users.*.sessions.*",
		"users.*.sessions.*.create", "teams.*.memberships.*.update.status", "buckets.*.files.*",
		"functions.*.executions.*.create", "databases.*.collections.*.documents", "databases.*.collections.*.documents.*.create",
		"databases.*.collections.*.attributes.*.update", "teams.*.memberships.*.update.status.x",
		"functions.*.executions.*.delete", "databases.*.collections.*.indexes.*.update", "databases.*.collections.*.documents.*.indexes",
		"databases.*.tables.*.rows.*.create", "tablesdb.*", "tablesdb.*.create", "tablesdb.*.tables.*.rows", "tablesdb.*.tables.t.rows.*.upsert",
		"tablesdb.*.tables.*.columns.*.create", "tablesdb.*.tables.*.indexes.*.delete"};
	static const char *const bad[] = {"", "users", "*", "nothing.*", "users.", "users..create", "users.0", "users.*.vanish",
		"users.*.update.phone", "users.*.sessions.*.update", "users.*.sessions.0", "databases.*.collections.*.documents.*.create.x.y",
		"users.*.create.email", ".*", "users.*.sessions.*.create.x", "tablesdb", "tables.*", "tablesdb.*.rows.*", "tablesdb.*.tables.*.lines.*", "users.*.rows", "tablesdb.*.tables.*.rows.*.vanish"};

	static const char *const later[] = {"users.*.update.phone", "users.u1.update.verification"};

	services_init();
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		cr_expect(event_subscribable(str_c(good[i]), 0), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_not(event_subscribable(str_c(bad[i]), 0), "%s", bad[i]);
	for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
		cr_expect_not(event_subscribable(str_c(later[i]), SINCE_1_4), "%s", later[i]);
		cr_expect(event_subscribable(str_c(later[i]), SINCE_1_5), "%s", later[i]);
	}
}

Test(event, names_in_old_words)
{
	static const char *const pairs[][2] = {
	    {"tablesdb.*.tables.*.rows.*.create", "databases.*.collections.*.documents.*.create"},
	    {"databases.d.tables.t.rows.rows.update", "databases.d.collections.t.documents.rows.update"},
	    {"tablesdb.tables.tables.rows.columns.*.create", "databases.tables.collections.rows.attributes.*.create"},
	    {"databases.*.collections.*.documents", "databases.*.collections.*.documents"},
	    {"users.rows.sessions.tables", "users.rows.sessions.tables"},
	    {"tablesdb.*", "databases.*"},
	};

	services_init();
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		cr_expect_str_eq(event_in_old_words(cx.arena, pairs[i][0]), pairs[i][1]);
}

/* ---- shapes ---- */

Test(event, a_shape_writes_every_type)
{
	struct part {
		const char *name;
	} one = {"1\"/"};
	struct all {
		const char *s;
		int64_t t, i;
		bool b;
		double f;
		struct strs list;
		struct str json;
		struct objs parts;
		const char *secret;
	};
	static const struct field part_fields[] = {FIELD(F_STR, struct part, name, "name", "name", "")};
	static const struct shape part_shape = SHAPE("part", struct part, part_fields);
	const struct field fields[] = {
		FIELD(F_STR, struct all, s, "s", "a", ""),
		FIELD(F_TIME, struct all, t, "t", NULL, ""),
		FIELD(F_BOOL, struct all, b, "b", "b", ""),
		FIELD(F_INT, struct all, i, "i", "c", ""),
		FIELD(F_FLOAT, struct all, f, "f", NULL, ""),
		FIELD(F_STRS, struct all, list, "list", NULL, ""),
		FIELD(F_JSON, struct all, json, "json", NULL, ""),
		FIELD_HIDDEN(F_STR, struct all, secret, "d"),
		{.key = "parts", .type = F_LIST, .off = offsetof(struct all, parts), .sub = &part_shape},
		{.key = "fixed", .type = F_CONST, .text = "[1]"},
	};
	const struct shape shape = SHAPE("all", struct all, fields);
	const char *words[] = {"x", "y"};
	void *parts[] = {&one};
	struct all all = {NULL, TIME_NONE, 7, true, 5.0, {2, true, words}, {NULL, 0}, {1, parts}, "hidden"};

	cr_expect(str_is(shape_json(&cx, &shape, &all),
	    "{\"s\":\"\",\"t\":\"\",\"b\":true,\"i\":7,\"f\":5,\"list\":[\"x\",\"y\"],\"json\":{},\"parts\":[{\"name\":\"1\\\"\\/\"}],\"fixed\":[1]}"),
	    "%s", shape_json(&cx, &shape, &all).p);
	cr_expect_str_eq(shape_columns(&shape), "a, b, c, d");
	cr_expect_eq(shape_columns(&shape), shape_columns(&shape));
}

/* PostgreSQL keeps no NUL: what has one is written otherwise, and read back as it was. */
Test(event, texts_with_nuls_are_columns)
{
	static const struct { const char *text; size_t n; const char *column; } rows[] = {
		{"", 0, ""}, {"plain", 5, "plain"}, {"a\0b", 3, "a\1\2b"}, {"\0", 1, "\1\2"}, {"\1", 1, "\1\1"}, {"\1\0\2", 3, "\1\1\1\2\2"}, {"\0\0x\1\1", 5, "\1\2\1\2x\1\1\1\1"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str back = shape_data_text(cx.arena, str_c(rows[i].column));

		cr_expect_str_eq(shape_data_column(cx.arena, (struct str){rows[i].text, rows[i].n}), rows[i].column);
		cr_expect(back.n == rows[i].n && memcmp(back.p, rows[i].text, back.n) == 0, "row %zu", i);
	}
}

Test(event, a_marked_address_says_how_deep)
{
	static const struct { const char *mark; int depth; } rows[] = {{"d0", 0}, {"d3", 3}, {"d1000", 1000}, {"d99999", 1000}, {"d-1", 0}, {"d", 0}, {"", 0}, {"3", 0}, {"dx", 0}, {"d3x", 0}, {"x3", 0}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(chain_depth(str_c(rows[i].mark)), rows[i].depth, "%s", rows[i].mark);
	cr_expect_eq(chain_depth(STR_NONE), 0);
	cr_expect_str_eq(chain_endpoint(cx.arena, "http://api.test:80", 3), "http://api.test:80/~d3/v1");
}

Test(event, the_project_model_has_its_members_in_order)
{
	struct project p = {.id = "p"};
	const json_t *j = json_parse(&cx, shape_json(&cx, &project_shape, &p), NULL);

	cr_expect_eq(json_object_size(j), 19 + 2 * 37 + PROJECT_AUTHS - 1 + PROJECT_SERVICES - 9);	/* the others are told to later clients alone */
	p.auths[6] = p.services[12] = true;
	p.providers[22][1] = "s";
	j = json_parse(&cx, shape_json(&cx, &project_shape, &p), NULL);
	cr_expect(json_is_true(json_object_get(j, "authPhone")));
	cr_expect(json_is_true(json_object_get(j, "serviceStatusForFunctions")));
	cr_expect(json_is_false(json_object_get(j, "serviceStatusForAccount")));
	cr_expect(str_is(json_str(json_object_get(j, "providerPaypalSandboxSecret")), "s"));
}

/* A model is described by one service, under one name. */
Test(event, a_pattern_is_a_text)
{
	const char *ids[] = {"u", NULL, NULL};

	cr_assert(event_pattern_good(STR("users.[userId].create"), ids));
	cr_assert_not(event_pattern_good(STR("users.[userId].cre\0te"), ids));
	cr_assert_not(event_pattern_good(STR("users..create"), ids));
	cr_assert_not(event_pattern_good(STR("teams.[teamId].memberships.[membershipId].create"), ids));
	cr_assert_not(event_pattern_good(STR("users.create"), ids));
}

Test(event, every_shape_is_listed_once)
{
	const struct shape *seen[256];
	const struct service *const *all;
	int n, n_seen = 0;

	services_init();
	all = service_all(&n);
	for (int i = 0; i < n; i++)
		for (const struct shape *const *s = all[i]->shapes; s != NULL && *s != NULL; s++) {
			for (int k = 0; k < n_seen; k++)
				cr_expect_str_neq(seen[k]->model, (*s)->model);
			seen[n_seen++] = *s;
		}
	cr_expect_gt(n_seen, 20);
}
