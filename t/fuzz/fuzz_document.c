/* The data of a document against a schema that has every type; what passes must become JSON again. */
#include "core/map.h"
#include "fuzz.h"

#include "../../src/svc/databases/document_priv.h"

static const char *states[] = {"new", "used"};
static struct attribute attrs[] = {
    {.key = "s", .type = ATTR_STRING, .size = 8, .required = true}, {.key = "t", .type = ATTR_STRING, .size = 1000, .def_value = "x"},
    {.key = "i", .type = ATTR_INTEGER, .int_min = INT64_MIN, .int_max = INT64_MAX},
    {.key = "f", .type = ATTR_FLOAT, .float_min = -1.7976931348623157e308, .float_max = 1.7976931348623157e308},
    {.key = "b", .type = ATTR_BOOLEAN}, {.key = "d", .type = ATTR_DATETIME},
    {.key = "e", .type = ATTR_STRING, .size = 254, .format = FORMAT_EMAIL}, {.key = "p", .type = ATTR_STRING, .size = 39, .format = FORMAT_IP},
    {.key = "u", .type = ATTR_STRING, .size = 2000, .format = FORMAT_URL},
    {.key = "n", .type = ATTR_STRING, .size = 4, .format = FORMAT_ENUM, .elements = {2, true, states}},
    {.key = "ss", .type = ATTR_STRING, .size = 1000, .array = true},
    {.key = "ff", .type = ATTR_FLOAT, .float_min = -1e308, .float_max = 1e308, .array = true},
    {.key = "dd", .type = ATTR_DATETIME, .array = true}, {.key = "g", .kind = KIND_POLYGON, .type = ATTR_GEO}, {.key = "l", .kind = KIND_LINE, .type = ATTR_GEO},
    {.key = "o", .kind = KIND_POINT, .type = ATTR_GEO}};
enum { N = sizeof attrs / sizeof attrs[0] };
static const struct attribute *live[N];
static struct collection col = {.attrs = attrs, .n_attrs = N, .live = live, .n_live = N, .json_tails = {STR("\"$databaseId\":\"d\"}")}};

static void
prepare(void)
{
	static char json_keys[N][8];

	col.by_key = map_new();
	for (int i = 0; i < N; i++) {
		snprintf(json_keys[i], sizeof json_keys[i], "\"%s\":", attrs[i].key);
		attrs[i].json_key = str_c(json_keys[i]);
		attrs[i].place = i;
		live[i] = &attrs[i];
		(void)map_set(col.by_key, str_c(attrs[i].key), &attrs[i]);
	}
}

/* What a client calls an operator becomes an expression in which it stands as parameters alone. */
static void
fuzz_operators(struct ctx *cx, const json_t *data, struct str input)
{
	const char *v[N * DOC_ACT_PARAMS];
	struct doc_params ps = {.v = v};
	struct doc_acts acts;
	struct buf b;

	if (doc_acts_take(cx, &(struct doc_op){0}, &col, data, &acts) != OK) {
		FUZZ_CHECK(cx->message != NULL, "no reason", input);
		return;
	}
	buf_init(&b, cx->arena, 200);
	for (int i = 0; i < acts.n; i++) {
		int before = ps.n;

		doc_act_sql(cx, &acts.v[i], acts.v[i].a->column ? acts.v[i].a->column : "a", &ps, &b);
		FUZZ_CHECK(ps.n - before <= DOC_ACT_PARAMS, "too many parameters", input);
	}
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct doc_head head = {STR("x"), STR("2022-10-04 12:34:56+00"), STR("2022-10-04 12:34:56+00"), STR("{}"), STR("1"), DOC_SEQ_TEXT, TAIL_DOCUMENT};
	const json_t *data = json_parse(cx, input, NULL);
	struct doc_value vals[N];
	struct buf b;

	if (col.by_key == NULL)
		prepare();
	if (!json_is_object(data) && !json_is_array(data))
		return;
	if (json_is_object(data))
		fuzz_operators(cx, data, input);
	if (doc_check(cx, &col, data, NULL, vals) != OK) {
		FUZZ_CHECK(cx->message != NULL, "no reason", input);
		return;
	}
	for (int i = 0; i < N; i++)
		FUZZ_CHECK(vals[i].v.p == NULL || strlen(vals[i].v.p) == vals[i].v.n, "a NUL in a value", input);
	buf_init(&b, cx->arena, 200);
	doc_write_new(&b, &col, &head, data, vals);
	FUZZ_CHECK(json_parse(cx, buf_view(&b), NULL) != NULL, "the reply is no JSON", buf_view(&b));
}
