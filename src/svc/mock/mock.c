/* The mock service: what SDK generators and OAuth2 trials call. It answers and keeps nothing. */
#include "core/conf.h"
#include "core/fiber.h"
#include "core/vtime.h"
#include "gate/gate.h"
#include "svc/account/oauth.h"

enum { PARTS_MAX = 100 };

static err_t
mock_passed(struct req *rq, void *in)
{
	struct buf b;
	struct jw w;

	(void)in;
	buf_init(&b, rq->cx.arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "result");
	jw_cstr(&w, arena_printf(rq->cx.arena, "%s:%.*s:passed", rq->route->method, STR_FMT(rq->http->path)));
	jw_obj_end(&w);
	return reply_json(rq, 200, buf_view(&b));
}

struct foo_in {
	const char *x;
	struct opt_int y;
	struct strs z;
};
#define ANY_INT .min = INT64_MIN, .max = INT64_MAX
static const struct param foo_params[] = {
    REQUIRED("x", P_TEXT, struct foo_in, x, "A text.", .max = 100),
    REQUIRED("y", P_RANGE, struct foo_in, y, "A number.", ANY_INT),
    REQUIRED("z", P_TEXTS, struct foo_in, z, "A list of texts.", .max = 256),
};
static const struct param bar_params[] = {
    REQUIRED("required", P_TEXT, struct foo_in, x, "A text.", .max = 100),
    REQUIRED("default", P_RANGE, struct foo_in, y, "A number.", ANY_INT),
    REQUIRED("z", P_TEXTS, struct foo_in, z, "A list of texts.", .max = 256),
};

static err_t
mock_mock_headers(struct req *rq, void *in)
{
	struct str name = rq->http->hdr[HDR_X_SDK_NAME], version = rq->http->hdr[HDR_X_SDK_VERSION];
	struct buf b;
	struct jw w;

	(void)in;
	buf_init(&b, rq->cx.arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "result");
	jw_cstr(&w, arena_printf(rq->cx.arena, "x-sdk-name: %.*s; x-sdk-platform: ; x-sdk-language: ; x-sdk-version: %.*s", STR_FMT(name),
	    STR_FMT(version)));
	jw_obj_end(&w);
	return reply_json(rq, 200, buf_view(&b));
}

static err_t
mock_mock_download(struct req *rq, void *in)
{
	static const int64_t day_ms = 86400000;
	char date[30];

	(void)in;
	reply_static(rq, "Content-Disposition", "attachment; filename=\"test.txt\"");
	reply_header(rq, "Expires", time_http(time_now_ms() + 45 * day_ms, ' ', date));
	return reply_raw(rq, 200, "text/plain", STR("GET:/v1/mock/tests/general/download:passed"));
}

static err_t
mock_mock_redirect(struct req *rq, void *in)
{
	(void)in;
	reply_static(rq, "Location", "/v1/mock/tests/general/redirect/done");
	return reply_raw(rq, 301, "text/html", STR_NONE);
}

static err_t
mock_mock_set_cookie(struct req *rq, void *in)
{
	static const int64_t year_ms = INT64_C(31536000) * 1000;
	char date[30];

	reply_static(rq, "Set-Cookie", arena_printf(rq->cx.arena, "cookiename=cookieValue; expires=%s; path=/; domain=%s; secure; httponly",
	    time_http(time_now_ms() + year_ms, '-', date), rq->host));
	return mock_passed(rq, in);
}

static err_t
mock_mock_get_cookie(struct req *rq, void *in)
{
	struct str rest = rq->http->hdr[HDR_COOKIE];

	while (rest.p != NULL)
		if (str_is(str_trim(str_cut(&rest, ';')), "cookiename=cookieValue"))
			return mock_passed(rq, in);
	return fail_msg(&rq->cx, ERR_GENERAL_MOCK, "Missing cookie value");
}

static err_t
mock_mock_empty(struct req *rq, void *in)
{
	(void)in;
	return reply_none(rq);
}

static err_t
mock_mock400(struct req *rq, void *in)
{
	(void)rq;
	(void)in;
	return ERR_GENERAL_MOCK;
}

static err_t
mock_mock500(struct req *rq, void *in)
{
	(void)in;
	return fail(&rq->cx, ERR_MOCK_500, "asked for");
}

static err_t
mock_mock502(struct req *rq, void *in)
{
	(void)in;
	return reply_raw(rq, 502, "text/plain; charset=UTF-8", STR("This is a text error"));
}

/* ---- a provider of OAuth2 for trials ---- */

struct authorize_in {
	const char *client, *redirect, *scope, *state;
};
static const char *const web_schemes[] = {"http", "https", NULL};
static const struct param authorize_params[] = {
    REQUIRED("client_id", P_TEXT, struct authorize_in, client, "Client id.", .max = 100),
    REQUIRED("redirect_uri", P_REDIRECT, struct authorize_in, redirect, "Where to go on: a page of localhost."),
    REQUIRED("scope", P_TEXT, struct authorize_in, scope, "Scope.", .max = 100),
    REQUIRED("state", P_TEXT, struct authorize_in, state, "State, given back.", .max = OAUTH_STATE_MAX),
};

static void
mock_add_encoded(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("-._~", *s) != NULL)
			buf_ch(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned char)*s);
}

static err_t
mock_mock_oauth2(struct req *rq, void *arg)
{
	const struct authorize_in *in = arg;
	struct buf b;

	buf_init(&b, rq->cx.arena, 256);
	buf_printf(&b, "%s%ccode=abcdef&state=", in->redirect, strchr(in->redirect, '?') ? '&' : '?');
	mock_add_encoded(&b, in->state);
	reply_static(rq, "Location", b.p);
	return reply_raw(rq, 301, "text/html", STR_NONE);
}

struct token_in {
	const char *client, *secret, *grant, *redirect, *code, *refresh;
};
static const char *const grants[] = {"authorization_code", "refresh_token", NULL};
static const struct param token_params[] = {
    REQUIRED("client_id", P_TEXT, struct token_in, client, "Client id.", .max = 100),
    REQUIRED("client_secret", P_TEXT, struct token_in, secret, "Client secret.", .max = 100),
    OPTIONAL("grant_type", P_ENUM, struct token_in, grant, "Kind of grant.", .list = grants, .def = "\"authorization_code\""),
    OPTIONAL("redirect_uri", P_URL, struct token_in, redirect, "The page that was named before.", .list = web_schemes),
    OPTIONAL("code", P_TEXT, struct token_in, code, "Code of the redirection.", .max = 100),
    OPTIONAL("refresh_token", P_TEXT, struct token_in, refresh, "Refresh token.", .max = 100),
};

static err_t
mock_mock_oauth2_token(struct req *rq, void *arg)
{
	const struct token_in *in = arg;
	const char *why, *reply = oauth_mock_token(&(struct oauth_mock){in->client, in->secret, in->grant, in->code, in->refresh}, &why);

	return reply ? reply_json(rq, 200, str_c(reply)) : fail_msg(&rq->cx, ERR_GENERAL_MOCK, "%s", why);
}

struct profile_in {
	const char *token;
};
static const struct param user_params[] = {
    REQUIRED("token", P_TEXT, struct profile_in, token, "Access token.", .max = 100),
};

static err_t
mock_mock_oauth2_user(struct req *rq, void *arg)
{
	const struct profile_in *in = arg;
	const char *user = oauth_mock_user(in->token);

	return user ? reply_json(rq, 200, str_c(user)) : fail_msg(&rq->cx, ERR_GENERAL_MOCK, "Invalid token");
}

static err_t
mock_mock_oauth2_success(struct req *rq, void *in)
{
	(void)in;
	return reply_json(rq, 200, STR("{\"result\":\"success\"}"));
}

static err_t
mock_mock_oauth2_failure(struct req *rq, void *in)
{
	(void)in;
	return reply_json(rq, 400, STR("{\"result\":\"failure\"}"));
}

/* ---- bodies in pieces, for trials and measurements of a development server ---- */

static err_t
for_development(struct req *rq)
{
	return strcmp(conf.env, "development") == 0 ? OK : fail(&rq->cx, ERR_GENERAL_SERVICE_DISABLED, "only for development");
}

static err_t
mock_mock_sink(struct req *rq, void *in)
{
	uint64_t n = 0;
	struct str piece;

	(void)in;
	TRY(for_development(rq));
	do {
		TRY(http_body_read(&rq->cx, rq->http, &piece));
		n += piece.n;
		TRY(fib_yield(&rq->cx));
	} while (piece.n > 0);
	return reply_json(rq, 200, str_c(arena_printf(rq->cx.arena, "{\"bytes\":%llu}", (unsigned long long)n)));
}

/* What a part is, and how long; one named "skipped" is not read to its end. */
static err_t
describe_part(struct req *rq, struct multipart *m, const struct part_head *h, struct jw *w)
{
	struct str piece;
	int64_t n = 0;

	do {
		TRY(multipart_read(m, &piece));
		n += (int64_t)piece.n;
		TRY(fib_yield(&rq->cx));
	} while (piece.n > 0 && !str_is(h->name, "skipped"));
	jw_obj(w);
	JW_KEY(w, "name");
	jw_str(w, h->name.p ? h->name : STR(""));
	JW_KEY(w, "filename");
	jw_str(w, h->filename.p ? h->filename : STR(""));
	JW_KEY(w, "type");
	jw_str(w, h->type.p ? h->type : STR(""));
	JW_KEY(w, "size");
	jw_i64(w, n);
	jw_obj_end(w);
	return OK;
}

static err_t
mock_mock_parts(struct req *rq, void *in)
{
	struct multipart *m;
	struct part_head h;
	bool more;
	struct buf b;
	struct jw w;

	(void)in;
	TRY(for_development(rq));
	TRY(multipart_open(rq, PARTS_MAX, &m));
	buf_init(&b, rq->cx.arena, 512);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "parts");
	jw_arr(&w);
	TRY(multipart_next(m, &h, &more));
	while (more) {
		TRY(describe_part(rq, m, &h, &w));
		TRY(multipart_next(m, &h, &more));
	}
	jw_arr_end(&w);
	jw_obj_end(&w);
	return reply_json(rq, 200, buf_view(&b));
}

static const struct field result_fields[] = {
    TOLD("result", F_STR, "What was called, or what came of it."),
};
static const struct shape result_shape = SHAPE_TOLD("mock", result_fields);
static const struct field tokens_fields[] = {
    TOLD("access_token", F_STR, "Access token."),
    TOLD("refresh_token", F_STR, "Refresh token."),
    TOLD("expires_in", F_INT, "Life of the access token in seconds."),
};
static const struct shape tokens_shape = SHAPE_TOLD("mockTokens", tokens_fields);
static const struct field person_fields[] = {
    TOLD("id", F_INT, "User ID."),
    TOLD("name", F_STR, "User name."),
    TOLD("email", F_STR, "User e-mail address."),
};
static const struct shape person_shape = SHAPE_TOLD("mockUser", person_fields);

static const struct field bytes_fields[] = {
    TOLD("bytes", F_INT, "How long the body was."),
};
static const struct shape bytes_shape = SHAPE_TOLD("mockBytes", bytes_fields);
static const struct field part_fields[] = {
    TOLD("name", F_STR, "Name of the part."),
    TOLD("filename", F_STR, "Name of its file."),
    TOLD("type", F_STR, "Type of its file."),
    TOLD("size", F_INT, "How much of it was read."),
};
static const struct shape part_shape = SHAPE_TOLD("mockPart", part_fields);
static const struct field parts_fields[] = {
    TOLD("parts", F_LIST, "The parts.", .sub = &part_shape),
};
static const struct shape parts_shape = SHAPE_TOLD("mockParts", parts_fields);

#define RESULT .model = &result_shape
#define MOCK(method_, path_, name_, handler_, status_, ...)                                                                     \
	{.method = method_, .path = "/v1/mock/tests/" path_, .name = name_, .scope = "public", .limit = "", .handler = handler_, \
	    .status = status_, .doc = "A route for trials.", __VA_ARGS__}
#define FOO RESULT, PARAMS(struct foo_in, foo_params)
#define BAR RESULT, PARAMS(struct foo_in, bar_params)
static const struct route rows[] = {
    MOCK("GET", "foo", "mockGetFoo", mock_passed, 200, FOO),
    MOCK("POST", "foo", "mockPostFoo", mock_passed, 200, FOO),
    MOCK("PATCH", "foo", "mockPatchFoo", mock_passed, 200, FOO),
    MOCK("PUT", "foo", "mockPutFoo", mock_passed, 200, FOO),
    MOCK("DELETE", "foo", "mockDeleteFoo", mock_passed, 200, FOO),
    MOCK("GET", "bar", "mockGetBar", mock_passed, 200, BAR),
    MOCK("POST", "bar", "mockPostBar", mock_passed, 200, BAR),
    MOCK("PATCH", "bar", "mockPatchBar", mock_passed, 200, BAR),
    MOCK("PUT", "bar", "mockPutBar", mock_passed, 200, BAR),
    MOCK("DELETE", "bar", "mockDeleteBar", mock_passed, 200, BAR),
    MOCK("GET", "general/headers", "mockHeaders", mock_mock_headers, 200, RESULT),
    MOCK("GET", "general/download", "mockDownload", mock_mock_download, 200, .media = "text/plain"),
    MOCK("GET", "general/redirect", "mockRedirect", mock_mock_redirect, 301),
    MOCK("GET", "general/redirect/done", "mockRedirected", mock_passed, 200, RESULT),
    MOCK("GET", "general/set-cookie", "mockSetCookie", mock_mock_set_cookie, 200, RESULT),
    MOCK("GET", "general/get-cookie", "mockGetCookie", mock_mock_get_cookie, 200, RESULT),
    MOCK("GET", "general/empty", "mockEmpty", mock_mock_empty, 204),
    MOCK("GET", "general/400-error", "mock400", mock_mock400, 400),
    MOCK("GET", "general/500-error", "mock500", mock_mock500, 500),
    MOCK("GET", "general/502-error", "mock502", mock_mock502, 502, .media = "text/plain; charset=UTF-8"),
    MOCK("POST", "general/sink", "mockSink", mock_mock_sink, 200, .model = &bytes_shape, .flags = ROUTE_STREAM),
    MOCK("POST", "general/parts", "mockParts", mock_mock_parts, 200, .model = &parts_shape, .flags = ROUTE_STREAM),
    MOCK("GET", "general/oauth2", "mockOAuth2", mock_mock_oauth2, 301, PARAMS(struct authorize_in, authorize_params)),
    MOCK("GET", "general/oauth2/token", "mockOAuth2Token", mock_mock_oauth2_token, 200, .model = &tokens_shape, PARAMS(struct token_in, token_params)),
    MOCK("GET", "general/oauth2/user", "mockOAuth2User", mock_mock_oauth2_user, 200, .model = &person_shape, PARAMS(struct profile_in, user_params)),
    MOCK("GET", "general/oauth2/success", "mockOAuth2Success", mock_mock_oauth2_success, 200, RESULT),
    MOCK("GET", "general/oauth2/failure", "mockOAuth2Failure", mock_mock_oauth2_failure, 400, RESULT),
};
const struct routes mock_routes = ROUTES(rows);
