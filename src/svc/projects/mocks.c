/* Routes of phone numbers with a code of their own. */
#include "core/protocol.h"
#include "model/query.h"
#include "svc/projects/projects_priv.h"

enum { CODE_LEN = 6, FORMERLY_MAX = 10 };

struct mock_in {
	const char *project, *number, *otp;
	struct strs queries;
	json_t *numbers;
};

static bool
code_good(const char *otp)
{
	return strlen(otp) == CODE_LEN && otp[strspn(otp, "0123456789")] == '\0';
}

static err_t
check_code(struct req *rq, const char *otp)
{
	return code_good(otp) ? OK : fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid otp: a code is %d digits.", CODE_LEN);
}

/* In an address a plus sign may have become a blank, or have been left out. */
static err_t
mock_number_of(struct req *rq, const char *said, const char **out)
{
	static const struct param row = {.name = "number", .type = P_PHONE, .doc = "Phone number."};
	struct str s = str_trim(str_c(said));

	if (str_starts(s, "%2B") || str_starts(s, "%2b"))
		s = (struct str){s.p + 3, s.n - 3};
	if (s.n > 0 && s.p[0] != '+')
		s = str_c(arena_printf(rq->cx.arena, "+%.*s", STR_FMT(s)));
	return param_take(rq, &row, s, out);
}

static err_t
projects_list_mocks(struct req *rq, void *arg)
{
	const struct mock_in *in = arg;
	struct objs page = {0};
	struct project *p;
	int from, to;

	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	TRY(query_window(&rq->cx, &in->queries, p->mock_numbers.n, &from, &to));
	page = (struct objs){to - from, p->mock_numbers.v + from};
	return reply_list(rq, &mock_number_shape, "mockNumbers", p->mock_numbers.n, &page);
}

static err_t
projects_create_mock(struct req *rq, void *arg)
{
	const struct mock_in *in = arg;
	struct mock_number *made;
	struct project *p;

	TRY(check_code(rq, in->otp));
	TRY(project_of(rq, NULL, RIGHT_CHANGE, &p));
	TRY(mock_create(&rq->cx, p, in->number, in->otp, &made));
	return reply(rq, 201, &mock_number_shape, made);
}

static err_t
projects_get_mock(struct req *rq, void *arg)
{
	const struct mock_in *in = arg;
	struct mock_number *found;
	const char *number;
	struct project *p;

	TRY(mock_number_of(rq, in->number, &number));
	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	if ((found = mock_find(p, number)) == NULL)
		return fail(&rq->cx, ERR_MOCK_NUMBER_NOT_FOUND, "project=%s", p->id);
	return reply(rq, 200, &mock_number_shape, found);
}

static err_t
projects_update_mock(struct req *rq, void *arg)
{
	const struct mock_in *in = arg;
	struct mock_number *now;
	const char *number;
	struct project *p;

	TRY(mock_number_of(rq, in->number, &number));
	TRY(check_code(rq, in->otp));
	TRY(project_of(rq, NULL, RIGHT_CHANGE, &p));
	TRY(mock_update(&rq->cx, p, number, in->otp, &now));
	return reply(rq, 200, &mock_number_shape, now);
}

static err_t
projects_delete_mock(struct req *rq, void *arg)
{
	const struct mock_in *in = arg;
	const char *number;
	struct project *p;

	TRY(mock_number_of(rq, in->number, &number));
	TRY(project_of(rq, NULL, RIGHT_CHANGE, &p));
	TRY(mock_delete(&rq->cx, p, number));
	return reply_none(rq);
}

/* All at once, as clients before 1.9.5 know it. */
static err_t
projects_update_mocks(struct req *rq, void *arg)
{
	static const struct param rows[] = {
		REQUIRED("phone", P_PHONE, struct mock_in, number, "Phone number."),
		REQUIRED("otp", P_TEXT, struct mock_in, otp, "Its code.", .max = CODE_LEN),
	};
	const struct mock_in *in = arg;
	const char *numbers[FORMERLY_MAX], *otps[FORMERLY_MAX];
	int n = (int)json_array_size(in->numbers);
	struct project *p;

	for (int i = 0; i < n; i++) {
		struct mock_in one = {0};

		TRY(params_take(rq, rows, 2, json_array_get(in->numbers, (size_t)i), &one));
		TRY(check_code(rq, one.otp));
		for (int k = 0; k < i; k++)
			if (strcmp(numbers[k], one.number) == 0)
				return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid numbers: one is there twice.");
		numbers[i] = one.number;
		otps[i] = one.otp;
	}
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(mock_replace(&rq->cx, p, numbers, otps, n, &p));
	return project_reply(rq, 200, p);
}

#define MOCK_NUMBER PATH("number", P_TEXT, struct mock_in, number, "Phone number.", .max = 32)
#define CODE REQUIRED("otp", P_TEXT, struct mock_in, otp, "Its code: six digits.", .max = CODE_LEN)
static const struct param mocks_params[] = {
	OPTIONAL("queries", P_QUERIES, struct mock_in, queries, "Queries: limit and offset.", .def = "[]"),
	LIST_TOTAL,
};
static const struct param mock_create_params[] = {REQUIRED("number", P_PHONE, struct mock_in, number, "Phone number."), CODE};
static const struct param mock_path[] = {MOCK_NUMBER};
static const struct param mock_update_params[] = {MOCK_NUMBER, CODE};
static const struct param mock_numbers_params[] = {
	PROJECT(struct mock_in), REQUIRED("numbers", P_OBJECTS, struct mock_in, numbers, "Of each its phone and otp.", .count = FORMERLY_MAX)};

static const struct route mock_number_rows[] = {
	OWN_LIST(SINCE_1_9_5, "/mock-phones", "listMockPhones", "mocks.read", projects_list_mocks, &mock_number_shape, "mockNumbers",
	    "Phone numbers with a code of their own.", struct mock_in, mocks_params),
	OWN(SINCE_1_9_5, "POST", "/mock-phones", "createMockPhone", "mocks.write", projects_create_mock, &mock_number_shape, 201,
	    "Give a phone number a code of its own.", struct mock_in, mock_create_params),
	OWN(SINCE_1_9_5, "GET", "/mock-phones/:number", "getMockPhone", "mocks.read", projects_get_mock, &mock_number_shape, 200, "One of them.", struct mock_in,
	    mock_path),
	OWN(SINCE_1_9_5, "PUT", "/mock-phones/:number", "updateMockPhone", "mocks.write", projects_update_mock, &mock_number_shape, 200, "Change its code.",
	    struct mock_in, mock_update_params),
	OWN(SINCE_1_9_5, "DELETE", "/mock-phones/:number", "deleteMockPhone", "mocks.write", projects_delete_mock, NULL, 204, "Take it away.", struct mock_in,
	    mock_path),
	PROJECTS_SINCE(SINCE_1_6, "PATCH", "/:projectId/auth/mock-numbers", "updateMockNumbers", projects_update_mocks,
	    "Set the phone numbers with a code of their own.", struct mock_in, mock_numbers_params),
};
const struct routes mock_number_routes = ROUTES(mock_number_rows);
