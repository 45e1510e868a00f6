/* Records and packing: the SQL that is made of a shape, what lists may be asked, rows as JSON, an object in one allocation. */
#include <criterion/criterion.h>
#include <sodium.h>

#include "core/conf.h"
#include "core/vtime.h"
#include "model/identity.h"
#include "model/pack.h"
#include "../../src/model/record.c"

struct pet {
	int64_t internal, owner;
	const char *id, *name, *nick, *secret, *owner_name;
	int64_t created, updated, seen;
	bool tame;
	struct strs toys;
	struct str food;
	double weight;
	struct objs friends;
};

static const struct field friend_fields[] = {
	FIELD(F_STR, struct pet, id, "$id", "f.id", "Id."),
	FIELD(F_STRS, struct pet, toys, "toys", "f.toys", "Toys."),
};
static const struct shape friend_shape = SHAPE("friend", struct pet, friend_fields);

static const struct field pet_fields[] = {
	FIELD_HIDDEN(F_INT, struct pet, internal, "p.internal"),
	FIELD_HIDDEN(F_INT, struct pet, owner, "p.owner"),
	FIELD(F_STR, struct pet, id, "$id", "p.id", "Id.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_TIME, struct pet, created, "$createdAt", "p.created", "When."),
	FIELD(F_TIME, struct pet, updated, "$updatedAt", "p.updated", "When."),
	FIELD(F_STR, struct pet, name, "name", "p.name", "Name.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_STR, struct pet, nick, "nick", "p.nick", "Nick.", .flags = COL_ASKED | COL_NULL | COL_LOWER),
	FIELD(F_STR, struct pet, secret, "secret", "p.secret", "Secret.", .flags = COL_SEALED),
	FIELD(F_STR, struct pet, owner_name, "ownerName", "o.name", "Of the owner."),
	FIELD(F_TIME, struct pet, seen, "seen", "p.seen", "When.", .flags = COL_NULL),
	FIELD(F_BOOL, struct pet, tame, "tame", "p.tame", "Tame.", .flags = COL_ASKED),
	FIELD(F_STRS, struct pet, toys, "toys", "p.toys", "Toys."),
	FIELD(F_JSON, struct pet, food, "food", "p.food", "Food."),
	FIELD(F_FLOAT, struct pet, weight, "weight", "p.weight", "Weight."),
	{.key = "friends", .type = F_LIST, .off = offsetof(struct pet, friends), .doc = "Friends.", .sub = &friend_shape},
};
static const struct shape pet_shape = SHAPE("pet", struct pet, pet_fields);
static const struct record pets = {.shape = &pet_shape, .table = ":schema.pets", .alias = "p", .with = ":schema.owners o", .on = "o.internal = p.owner"};

static const struct field plain_fields[] = {
	FIELD(F_STR, struct pet, id, "$id", "c.id", "Id."),
	FIELD(F_STR, struct pet, name, "name", "c.name", "Name."),
};
static const struct shape plain_shape = SHAPE("plain", struct pet, plain_fields);
static const struct record plain = {.shape = &plain_shape, .table = "badal.plain", .alias = "c"};

static struct ctx cx;
static const struct project one = {.id = "one", .schema = "p_1"}, two = {.id = "two", .schema = "p_22"};

static void
setup(void)
{
	cr_assert_geq(sodium_init(), 0);
	cr_assert(conf_load(NULL, 0, NULL, false));
	conf.master_key = "a key of tests";
	ctx_init(&cx);
}

static void
teardown(void)
{
	ctx_fini(&cx);
}

TestSuite(record, .init = setup, .fini = teardown);

#define COLUMNS "p.internal, p.owner, p.id, p.created, p.updated, p.name, p.nick, p.secret, o.name, p.seen, p.tame, p.toys, p.food, p.weight"

Test(record, statements)
{
	static const struct {
		const struct record *rec;
		enum verb verb;
		const char *where, *set, *sql;
	} cases[] = {
		{&pets, VERB_GET, "lower(@.id) = lower($1)", NULL,
		    "SELECT " COLUMNS " FROM p_1.pets p, p_1.owners o WHERE o.internal = p.owner AND lower(p.id) = lower($1)"},
		{&pets, VERB_ALL, "@.owner = $1", NULL,
		    "SELECT " COLUMNS " FROM p_1.pets p, p_1.owners o WHERE o.internal = p.owner AND p.owner = $1 ORDER BY p.internal LIMIT "},
		{&pets, VERB_LOCK, "@.internal = $1", NULL,
		    "SELECT " COLUMNS " FROM p_1.pets p, p_1.owners o WHERE o.internal = p.owner AND p.internal = $1 FOR NO KEY UPDATE OF p"},
		{&pets, VERB_LOCK_KEY, "@.internal = $1", NULL,
		    "SELECT " COLUMNS " FROM p_1.pets p, p_1.owners o WHERE o.internal = p.owner AND p.internal = $1 FOR UPDATE OF p"},
		{&pets, VERB_INSERT, NULL, NULL,
		    "INSERT INTO p_1.pets AS p (owner, id, created, updated, name, nick, secret, seen, tame, toys, food, weight, search) SELECT $1::bigint, $2::text, "
		    "$3::timestamptz, $4::timestamptz, $5::text, $6::text, $7::text, $8::timestamptz, $9::boolean, $10::text[], $11::text, "
		    "$12::double precision, concat_ws(' ', nullif($2::text, ''), nullif($5::text, '')) RETURNING p.internal"},
		{&pets, VERB_SET, "@.internal = $1::bigint", "tame name",
		    "UPDATE p_1.pets AS p SET tame = $2::boolean, name = $3::text, updated = $4::timestamptz, search = concat_ws(' ', nullif(p.id, ''), "
		    "nullif($3::text, '')) FROM p_1.owners o WHERE o.internal = p.owner AND p.internal = $1::bigint RETURNING " COLUMNS},
		{&pets, VERB_SET, "@.owner = $1 AND lower(@.id) = lower($2)", "seen",
		    "UPDATE p_1.pets AS p SET seen = $3::timestamptz, updated = $4::timestamptz FROM p_1.owners o WHERE o.internal = p.owner AND p.owner = $1 "
		    "AND lower(p.id) = lower($2) RETURNING " COLUMNS},
		{&pets, VERB_DELETE, "@.internal = $1", NULL,
		    "DELETE FROM p_1.pets AS p USING p_1.owners o WHERE o.internal = p.owner AND p.internal = $1 RETURNING " COLUMNS},
		{&pets, VERB_FROM, NULL, NULL, "p_1.pets p, p_1.owners o"},
		{&plain, VERB_INSERT, NULL, NULL, "INSERT INTO badal.plain AS c (id, name) SELECT $1::text, $2::text RETURNING c.internal"},
		{&plain, VERB_SET, "@.id = $1", "name", "UPDATE badal.plain AS c SET name = $2::text WHERE c.id = $1 RETURNING c.id, c.name"},
	};

	for (int turn = 0; turn < 2; turn++)	/* made, and made already */
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			cr_expect_str_eq(record_statement(&cx, &one, cases[i].rec, cases[i].verb, cases[i].where, cases[i].set), cases[i].sql);
	cr_expect_str_eq(record_statement(&cx, &two, &pets, VERB_FROM, NULL, NULL), "p_22.pets p, p_22.owners o");
}

Test(record, what_lists_may_ask)
{
	int n;
	const struct query_attr *a = shape_asked(&pet_shape, &n);

	cr_assert_eq(n, 4);
	cr_expect_str_eq(a[0].key, "$id");
	cr_expect_str_eq(a[0].column, "p.id");
	cr_expect(a[0].not_null && !a[0].lower && a[0].type == ATTR_STRING);
	cr_expect_str_eq(a[2].column, "lower(p.nick)");
	cr_expect(!a[2].not_null && a[2].lower);
	cr_expect(a[3].type == ATTR_BOOLEAN && a[3].not_null);
	cr_expect_eq(shape_asked(&pet_shape, &n), a);
}

Test(record, values)
{
	const struct pet p = {.id = "rex", .secret = "bone", .seen = TIME_NONE, .toys = {2, true, (const char *[]){"a", "b c"}}};
	const char *v[OWN_MAX];

	cr_assert_eq(own_values(&cx, &pets, &p, v), 12);
	cr_expect_str_eq(v[1], "rex");
	cr_expect_str_eq(v[4], "");		/* a name there must be */
	cr_expect_null(v[5]);			/* a nick there need not */
	cr_expect_str_eq(seal_open(cx.arena, str_c(v[6])), "bone");
	cr_expect_null(v[7]);
	cr_expect_str_eq(v[8], "f");
	cr_expect_str_eq(v[9], "{\"a\",\"b c\"}");
	cr_expect_str_eq(v[10], "{}");
}

Test(record, new_objects)
{
	struct pet named = {.id = "rex"}, unnamed = {0};

	record_init(&cx, &pets, &named);
	record_init(&cx, &pets, &unnamed);
	cr_expect_str_eq(named.id, "rex");
	cr_expect(id_valid(str_c(unnamed.id)));
	cr_expect(named.created > 0 && named.created == named.updated);
}

Test(record, rows_as_json)
{
	const char *sealed = seal_text(cx.arena, "bone");
	const char *text = arena_printf(cx.arena,
	    "[[5, 7, \"rex\", 1000, 2000, \"Rex\", null, \"%s\", \"Ann\", null, true, [\"a\", \"b\"], \"{}\", 1.5],"
	    "[6, 7, \"tim\", 1, 2, \"\", \"t\", \"no seal\", \"Ann\", 3, false, [], null, 0]]", sealed);
	struct objs list = shape_rows_json(&cx, &pet_shape, json_parse(&cx, str_c(text), NULL));
	const struct pet *p;

	cr_assert_eq(list.n, 2);
	p = list.v[0];
	cr_expect(p->internal == 5 && p->owner == 7 && p->created == 1000 && p->updated == 2000 && p->seen == TIME_NONE);
	cr_expect_str_eq(p->name, "Rex");
	cr_expect_null(p->nick);
	cr_expect_str_eq(p->secret, "bone");
	cr_expect_str_eq(p->owner_name, "Ann");
	cr_expect(p->tame && p->toys.set && p->toys.n == 2 && p->weight > 1.4);
	cr_expect_str_eq(p->toys.v[1], "b");
	p = list.v[1];
	cr_expect(p->seen == 3 && !p->tame && p->toys.set && p->toys.n == 0);
	cr_expect_str_eq(p->secret, "");	/* what cannot be opened is not shown */
	cr_expect_eq(shape_rows_json(&cx, &pet_shape, NULL).n, 0);
	cr_expect_str_eq(shape_json_columns(&friend_shape), "json_build_array(f.id, f.toys)");
	cr_expect(strstr(shape_columns(&account_shape), shape_json_columns(&target_shape)) != NULL, "a user's targets are read in their order");
	cr_expect(strstr(shape_json_columns(&pet_shape), "(extract(epoch FROM p.seen) * 1000)::bigint") != NULL);
}

static struct pet *
pack(struct pack *k, const struct pet *from)
{
	struct pet *to = pack_room(k, sizeof *to);

	shape_pack(k, &pet_shape, to, from);
	return to;
}

/* Nothing of the copy is outside its allocation. */
Test(record, packing)
{
	struct pet friend = {.id = "tim", .toys = {1, true, (const char *[]){"ball"}}};
	void *friends[] = {&friend};
	struct pet rex = {.internal = 5, .id = "rex", .name = "", .toys = {2, true, (const char *[]){"a", "b"}}, .food = STR("{\"x\":1}"), .tame = true,
		.seen = 9, .friends = {1, friends}};
	struct pack k = {0};
	struct pet *copy;
	size_t n;

	cr_assert_null(pack(&k, &rex));
	n = k.n;
	pack_begin(&k);
	copy = pack(&k, &rex);
	cr_assert_eq(k.n, n);
	cr_assert_eq((char *)copy, k.base);
	memset(&friend, 'x', sizeof friend);
	cr_expect(copy->internal == 5 && copy->tame && copy->seen == 9);
	cr_expect_str_eq(copy->id, "rex");
	cr_expect_str_eq(copy->name, "");
	cr_expect_null(copy->nick);
	cr_expect(copy->toys.n == 2 && copy->toys.set);
	cr_expect_str_eq(copy->toys.v[1], "b");
	cr_expect_str_eq(copy->food.p, "{\"x\":1}");
	cr_expect_eq(copy->friends.n, 1);
	cr_expect_str_eq(((struct pet *)copy->friends.v[0])->toys.v[0], "ball");
	for (const char *const *p = (const char *const[]){copy->id, copy->name, copy->toys.v[0], copy->food.p, (char *)copy->friends.v,
		 (char *)copy->friends.v[0], NULL}; *p != NULL; p++)
		cr_expect(*p >= k.base && *p < k.base + n);
	free(k.base);
}
