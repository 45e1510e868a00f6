/* The HTTP API: routes, parameters, validators and replies as tables; handlers are straight-line functions on fibers.
 *
 * Lifecycle of a request (spec platform.md 5): route, project, identity, origin, key, service switch, scope, blocked, rate limit, auth method,
 * parameters, handler. The first failure answers. A handler reads its parameters from a struct filled by its table. */
#ifndef BADAL_GATE_GATE_H
#define BADAL_GATE_GATE_H

#include "io/http.h"
#include "model/audit.h"
#include "model/event.h"
#include "model/identity.h"
#include "model/project.h"
#include "model/query.h"
#include "model/shape.h"

enum caller { CALLER_GUEST, CALLER_USER, CALLER_KEY, CALLER_ADMIN, CALLER_ORGANIZATION };	/* ADMIN: console member in admin mode with a mapped role; ORGANIZATION: a key of a team of the console */

struct req {
	struct ctx cx;			/* must be first: model calls take &rq->cx */
	struct http_msg *http;
	const struct route *route;
	struct project *project;	/* the request's project; never NULL in a handler */
	enum caller caller;
	const char *role_label;		/* guests users owner admin developer apps */
	struct login *login;		/* the user (of the project, or of the console in admin mode); NULL for guests and keys */
	const struct user *impersonator;	/* who calls really, in the name of login's user; NULL: that one itself */
	bool jwt;			/* login came from a JWT: no current session */
	struct api_key *key;		/* the key, or NULL; that of a user of the console is beside its login */
	bool dev_key;			/* it came with a key of a developer: no limits and any origin, and no right more */
	bool bypass;			/* keys and admins: permissions are not evaluated */
	bool admin_mode;		/* mode=admin */
	struct strs roles;		/* roles of the caller for permission checks (spec databases.md 7.2) */
	const char *locale;
	const char *ip;			/* client address after X-Forwarded-For */
	const char *user_agent;		/* "" when absent */
	const char *host;		/* host name without port, after X-Forwarded-Host */
	const char *scheme;		/* "http" or "https", after X-Forwarded-Proto */
	const char *origin;		/* Origin or Referer as sent, NULL */
	bool fallback;			/* no cookie: the fallback header was consulted, or X-Appwrite-Session */
	bool dead_session;		/* it came with sessions, none of which is one any more */
	bool failed;			/* the reply tells of a failure, whatever its status: it is neither audited nor counted */
	struct str path_arg[8];		/* raw path segments of the placeholders, in order */
	json_t *body;			/* parsed parameters (body or query string) as one object, read-only; never NULL in a handler */
	const struct user *audit_user;	/* whom the audit entry is given to; NULL: the login's user (see audit_as) */
	bool partial;			/* one step of something larger, such as a part of an upload: no audit entry, no usage */
	const char *usage_scope;	/* narrows what the request counts as, where the path does not: the provider of a session */
	uint64_t sent;			/* bytes of the reply's body */
	const struct route_info *info;	/* private to the dispatcher, like the next ones */
	const char *body_error;		/* why the body could not be read; NULL */
	err_t param_error;		/* what became of a wait while a parameter was checked */
	int n_gate;			/* headers that an error keeps */
	bool cors;			/* those of browsers are among them */
	struct str give_back[4];	/* buckets of limits */
	int n_give_back;
	enum format format;		/* of the reply */
	enum format format_request;	/* of the parameters: 12 before 0.12, 15 before 0.15.3 */
	int status;			/* of the reply; 0 before */
	err_t error;			/* that it tells of */
	/* the reply being built */
	bool replied;
	struct http_header out[40];
	int n_out;
};

/* ---- parameters ---- */
enum param_type {	/* C type of the target member in parentheses; absent optional values leave the stated "absent" value */
	P_UID,		/* (const char *, NULL) */
	P_CUSTOM_ID,	/* (const char *, NULL); "unique()" is already replaced by a new id */
	P_KEY,		/* (const char *) attribute/index key */
	P_TEXT,		/* (const char *) at most `max` code points (0: any) */
	P_EMAIL, P_IP, P_PASSWORD, P_PHONE, P_HOSTNAME,	/* (const char *) */
	P_URL,		/* (const char *); `list`: allowed schemes, NULL any */
	P_REDIRECT,	/* (const char *) URL whose host the project allows (spec platform.md 10 Host) */
	P_MAIL_LINK,	/* the same for a link in a mail: see host_for_mails */
	P_COLOR,	/* (const char *) of 3 or 6 hexadecimal digits */
	P_ENUM,		/* (const char *) one of `list`, exact */
	P_ENUM_NOCASE,	/* the same, lower-cased compare; value as sent */
	P_BOOL,		/* (int: 0, 1, or -1 absent) JSON booleans only */
	P_BOOL_LOOSE,	/* the same; also "true" "false" "1" "0" 1 0 ("false" is false) */
	P_TOTAL,	/* (no member) like P_BOOL_LOOSE: false: ctx.uncounted */
	P_INT,		/* (struct opt_int) JSON integer */
	P_RANGE,	/* (struct opt_int) integer or integer-looking string in min..max */
	P_NUMBER,	/* (struct opt_float) JSON number */
	P_FRACTION,	/* (struct opt_float) number or number-looking string in min..max */
	P_DATETIME,	/* (int64_t ms, TIME_NONE) lenient date */
	P_TEXTS,	/* (struct strs) list of texts; at most `count` of `max` code points */
	P_ENUMS,	/* (struct strs) list of `list` members, at most `count` */
	P_KEYS,		/* (struct strs) list of keys, of at most `max` characters (0: 36); `list` may name further literals such as $id */
	P_PERMISSIONS,	/* (struct strs) at most 100, verbs of `list`; already expanded and de-duplicated (write -> update,delete[,create]) */
	P_ROLES,	/* (struct strs) */
	P_QUERIES,	/* (struct strs) list of query texts, at most 100 of 4096; parsed by the model */
	P_DATA,		/* (struct str) any text of at most `max` code points (0: any), NULs too: nothing that is made a C string of, or stored as it is */
	P_JSON_OBJECT,	/* (json_t *, NULL) object or list, or a string that decodes to one; borrowed from rq->body or the arena */
	P_ASSOC,	/* (json_t *, NULL) prefs: object, compact ASCII JSON <= 65535 bytes */
	P_OBJECTS,	/* (json_t *, NULL) list of at most `count` objects; borrowed from rq->body */
	P_INTS,		/* (json_t *, NULL) list of at most `count` integers and nulls; borrowed from rq->body */
	P_ANY		/* (json_t *, NULL) any JSON value, unchecked */
};
struct opt_int { bool set; int64_t v; };
struct opt_float { bool set; double v; };

struct param {
	const char *name;
	const char *was;	/* the name in the table, where another family of paths says it otherwise (struct family); NULL: the same */
	enum param_type type;
	size_t off;		/* of the member in the handler's input struct */
	bool required;
	const char *doc;
	const char *def;	/* default as JSON text, NULL: none (absent value). A required parameter with a default may be omitted */
	int64_t min, max;	/* P_RANGE bounds; P_TEXT/P_TEXTS max code points */
	const int64_t *max_at;	/* P_RANGE: the upper bound is a setting; NULL: `max` */
	int count;		/* list length limit, 0: 100 */
	const char *const *list;	/* NULL-terminated */
	int64_t optional_since;	/* `required` of clients before this version alone; 0: of all (core/ctx.h) */
	bool nullable;		/* a required one must be there, and may be null: then it is absent */
	const char *later;	/* its name to clients of `later_since` and after, who may say the former one as well; NULL: the same */
	int64_t later_since;
	int64_t empty_since;	/* to clients of this version and later the empty text is a value, to others none; 0: it is none */
	const char *path;	/* "" for body/query; otherwise taken from the path placeholder of that name: set by PATH() */
};
#define PATH(name_, type_, st, member, doc_, ...) \
	{.name = name_, .type = type_, .off = offsetof(st, member), .required = true, .doc = doc_, .path = name_, __VA_ARGS__}
#define REQUIRED(name_, type_, st, member, doc_, ...) \
	{.name = name_, .type = type_, .off = offsetof(st, member), .required = true, .doc = doc_, __VA_ARGS__}
#define OPTIONAL(name_, type_, st, member, doc_, ...) \
	{.name = name_, .type = type_, .off = offsetof(st, member), .doc = doc_, __VA_ARGS__}

/* Fills `in` from path, body or query string in declaration order; the first violation is ERR_GENERAL_ARGUMENT_INVALID with the wire words.
 * The dispatcher calls it before the handler for routes that have a table; rq->in then points at the struct. */
#define PARAMS(st, rows) .in_size = sizeof(st), .params = rows, .n_params = (int)(sizeof(rows) / sizeof(rows[0]))

/* ---- routes ---- */
typedef err_t (*handler_fn)(struct req *rq, void *in);

enum route_flags {
	ROUTE_HTML = 1,		/* errors are HTML pages */
	ROUTE_CONSOLE = 2,	/* project must be the console (projects service) */
	ROUTE_NO_ORIGIN = 4,	/* open to any origin */
	ROUTE_PLAIN = 8,	/* no lifecycle at all: metrics, robots.txt */
	ROUTE_STREAM = 16,	/* the handler runs at the head and reads the body itself: http_body_read, multipart_open; parameters are the query's */
	ROUTE_SIGN_IN = 32,	/* open to who is signed in as a blocked user: that session counts as none */
	ROUTE_SIGN_OUT = 64,	/* works with the session of a blocked user, and clears one that is over */
	ROUTE_BELOW = 128,	/* whatever stands in the place of its last placeholder, slashes and nothing too, is that one's value */
	/* With ROUTE_STREAM: a form with a file. The handler runs at the head with the parameters of the path alone; the others are the form's
	 * (form_open), and the rate limit is the handler's to apply (form_limit), for not every part of an upload counts. */
	ROUTE_FORM = 256,
	ROUTE_ETAG = 512,	/* a reply that is no JSON: 304 for who has it already */
	ROUTE_RANGES = 1024,	/* the same, and 206 for a part of it */
	ROUTE_HALF = 4096,	/* works with a session that lacks a second factor */
	ROUTE_FRESH = 8192,	/* asks for a session with which a challenge was solved a short while ago */
	ROUTE_KEPT = 2048,	/* its answers may come from a cache: X-Appwrite-Cache says "miss", or what reply_hit makes of it */
	ROUTE_AS_OTHER = 16384,	/* of a service that acts on whoever calls: of who acts as another it is about that one */
	ROUTE_FINDS_PEOPLE = 32768,	/* open to users who may act as others, too */
	ROUTE_KEYS = 65536,	/* open to keys of users and teams of the console that have its scope */
	ROUTE_SIGNED_OUT = 131072	/* later clients sign out before they call it */
};

/* A value from elsewhere, a header, by the rules and the words of a row; awaits as params do. ERR_GENERAL_ARGUMENT_INVALID. */
err_t param_take(struct req *rq, const struct param *p, struct str text, void *out) MUST_CHECK;

/* The same for a value that stands within another. */
err_t param_take_json(struct req *rq, const struct param *p, json_t *value, void *out) MUST_CHECK;

/* The rows that are not of the path, from the members of an object that stands within the body. `in` is zero before. */
err_t params_take(struct req *rq, const struct param *rows, int n, const json_t *object, void *in) MUST_CHECK;
/* The same for what comes by no request, of rows that await nothing. */
err_t params_take_aside(struct ctx *cx, const struct param *rows, int n, const json_t *object, void *in) MUST_CHECK;

struct route {
	const char *method;	/* "GET" also serves HEAD */
	const char *path;	/* "/v1/databases/:databaseId/collections" */
	const char *service;	/* switch and OpenAPI tag: "account", "databases", "projects", …; NULL none */
	const char *name;	/* OpenAPI operation: "createDocument" */
	const char *scope;	/* "public", "account", "documents.write", …; several, any of which is enough, separated by '|' */
	const char *limit;	/* rate limits: "10/3600 url:{url},ip:{ip}"; several separated by ';'; "" none */
	const char *auth;	/* stored key of the sign-in method that guards it, NULL none */
	handler_fn handler;
	const struct shape *model;	/* of the reply, for OpenAPI; NULL: it is no JSON (media), or has no body */
	int status;		/* of success, for OpenAPI: 200 201 202 204 301; of routes that only fail: that */
	const char *doc;	/* one sentence */
	unsigned flags;
	/* Entry of the audit log after success: the event, a blank, the resource with {parameter} or {user} in it, e.g.
	 * "document.delete database/{databaseId}/collection/{collectionId}/document/{documentId}"; NULL: none. */
	const char *audit;
	const char *usage;	/* what a success counts as: "documents.create" (struct usage_kind); NULL: nothing */
	size_t in_size;
	const struct param *params;
	int n_params;
	const char *list;	/* the reply is a list of the model under this name, for OpenAPI; NULL: one object */
	int or_status;		/* another status of success, with the same reply; 0: there is none */
	const struct shape *or_model;	/* the reply when the client asks for something else, for OpenAPI; NULL: there is no such */
	const char *or_list;	/* that one is a list under this name; NULL: one object */
	const char *media;	/* type of a reply that is no JSON, for OpenAPI; NULL */
	int64_t since;		/* the first version of the protocol that has this path (core/protocol.h): who names none speaks the newest there; 0: 1.0 has it */
};

/* Each file of handlers exports its rows; the service.c of its room lists them (model/service.h). */
struct routes { const struct route *v; int n; };
#define ROUTES(rows) {rows, (int)(sizeof(rows) / sizeof(rows[0]))}

/* ---- bodies in pieces, for routes with ROUTE_STREAM (a body of another kind: http_body_read) ---- */
struct multipart;
struct part_head {	/* absent fields are STR_NONE; UTF-8, in the request's arena */
	struct str name;
	struct str filename;	/* of filename*, else of filename; a file may have an empty one */
	struct str type;	/* Content-Type */
};
/* All but the first await. ERR_REQUEST_MALFORMED: the body is no multipart/form-data; ERR_REQUEST_TOO_LARGE: it has more parts than that; others
 * as http_body_read. */
err_t multipart_open(struct req *rq, int parts_max, struct multipart **out) MUST_CHECK;
/* The next part, whether the one before was read to its end or not; *more_out is false behind the last. */
err_t multipart_next(struct multipart *m, struct part_head *head_out, bool *more_out) MUST_CHECK;
/* The next bytes of the part, valid until the next call; n is 0 at its end. */
err_t multipart_read(struct multipart *m, struct str *piece_out) MUST_CHECK;

/* ---- a form with one file, for routes with ROUTE_FORM ----
 * Its fields may stand before the file and behind it. They are few and small; files of other names, and a second one, are passed over. */
struct form;
/* Awaits. Reads up to the file in `field`. *there_out false: there is none, and all fields have been read. Errors as multipart_open and multipart_next,
 * and ERR_REQUEST_TOO_LARGE for fields that are too large. A body of another kind is a form without anything. */
err_t form_open(struct req *rq, const char *field, struct form **out, struct part_head *file_out, bool *there_out) MUST_CHECK;
bool form_given(const struct form *f);	/* the body is a form */
/* A field that has been read; STR_NONE when it has not, or is no text. */
struct str form_field(const struct form *f, const char *name);
/* Awaits. The next bytes of the file, valid until the next call; n is 0 at its end. */
err_t form_read(struct form *f, struct str *piece_out) MUST_CHECK;
/* Awaits. Reads the rest, and the route's parameters from the fields into `in`, the handler's struct. Errors as before a handler. */
err_t form_close(struct form *f, void *in) MUST_CHECK;
/* Awaits. The rate limit of the route; `exempt`: its headers alone. ERR_GENERAL_RATE_LIMIT_EXCEEDED. */
err_t form_limit(struct req *rq, bool exempt) MUST_CHECK;

/* ---- replies: each sends the answer; at most one per request ---- */
err_t reply(struct req *rq, int status, const struct shape *shape, const void *obj);
err_t reply_list(struct req *rq, const struct shape *shape, const char *key, int64_t total, const struct objs *list);
/* A list whose members are written one by one: {"total":total,"<key>":[…]}. What is large goes out in pieces (chunked), with a turn of the loop
 * between them; one piece and one member are held. Awaits. */
struct member_list {
	const struct shape *shape;
	const char *key;
	int64_t total;
	int n;
	bool (*write)(struct buf *b, int i, const void *arg);	/* the i-th member's JSON; false: there is none, it is left out */
	const void *arg;
	err_t (*ready)(struct ctx *cx, int i, const void *arg);	/* awaits what the i-th member needs; NULL: nothing */
	int status;		/* 0: 200 */
};
err_t reply_members(struct req *rq, const struct member_list *l);
/* An answer in pieces: of `length` bytes, or -1. All await; an error after reply_begin ends the request, and the client sees that it broke off. */
err_t reply_begin(struct req *rq, int status, const char *content_type, int64_t length);
err_t reply_write(struct req *rq, struct str piece);
err_t reply_end(struct req *rq);
/* n bytes of a file from `offset`. Awaits. */
err_t reply_file(struct req *rq, int status, const char *content_type, int fd, uint64_t offset, uint64_t n);
/* What the reader gives, of n bytes, as fast as the client takes it. Awaits. */
struct blob_reader;
err_t reply_blob(struct req *rq, int status, const char *content_type, struct blob_reader *r, int64_t n);
/* The file of the directory that `rest` names (static_serve). Awaits. */
struct static_dir;
err_t reply_directory(struct req *rq, const struct static_dir *dir, struct str rest);
err_t reply_json(struct req *rq, int status, struct str json);		/* ready JSON text */
err_t reply_none(struct req *rq);					/* 204 */
err_t reply_raw(struct req *rq, int status, const char *content_type, struct str body);
void reply_hit(struct req *rq);				/* the answer comes from the cache (ROUTE_KEPT) */
void reply_add_html(struct buf *b, const char *text);			/* text of a page, or of an attribute in double quotes */
void reply_header(struct req *rq, const char *name, const char *value);	/* value copied; bounded */
void reply_static(struct req *rq, const char *name, const char *value);	/* value outlives the request */
bool cors_may_sign_in(struct req *rq);			/* false: the origin is hidden, or its check was passed by a key's header: no cookies are set */
/* `u` has signed in from here, by `s`: brakes on guesses at their secrets are none to this client from now on, unless a factor is lacking. */
void known_client(struct req *rq, const struct user *u, const struct session *s);
/* The session cookies and X-Fallback-Cookies of a sign-in (token NULL: of a sign-out). Spec identity.md 2.2, 2.3. */
void reply_session(struct req *rq, const char *token);
/* X-Fallback-Cookies alone, where the browser does not keep our cookies. */
void reply_fallback(struct req *rq, const char *value);

/* Gives the audit entry to `u` instead of the caller: sign-up, sign-in, and changes that an API key makes to a user. */
static inline void
audit_as(struct req *rq, const struct user *u)
{
	rq->audit_user = u;
}

/* One more entry, besides that of the route, where somebody is signed in. */
void audit_also(struct req *rq, const char *event, const char *resource);

/* One more entry, besides that of the route: the account went to the owner of its address (user_prove). */
void audit_takeover(struct req *rq, const struct user *u);

/* Awaits. How much `p` is used, as the `n` metrics have it; `range`: of usage_ranges. */
struct usage_series;
err_t reply_usage(struct req *rq, const struct project *p, const char *range, const struct usage_series *v, int n);

/* Awaits. What was done by a user or to a resource, as audit_list has it. Addresses of others are for keys and admins. */
err_t reply_logs(struct req *rq, enum audit_by by, const char *what, int64_t since, const struct strs *queries, bool hide_user);
/* Of lists: for who does not want to know how many there are. Handlers have nothing to do with it. */
#define LIST_TOTAL {.name = "total", .type = P_TOTAL, .doc = "false: do not count; total is 0."}
/* A row of that kind, and its parameters besides those of the path. */
#define LOG_QUERIES(st) OPTIONAL("queries", P_QUERIES, st, queries, "Queries: limit and offset."), LIST_TOTAL
#define LOGS(path_, service_, scope_, handler_, doc_, st, rows_, ...)                                                            \
	{.method = "GET", .path = path_, .service = service_, .name = "getLogs", .scope = scope_, .limit = "", .handler = handler_, \
	    .model = &audit_shape, .status = 200, .doc = doc_, PARAMS(st, rows_), .list = "logs", __VA_ARGS__}

/* ---- the server ---- */
bool role_label_ok(struct str s);				/* 1 to 36 letters and digits */
bool api_locale_known(const char *locale);	/* one of the languages of the protocol */
bool api_format_known(const char *version);	/* can be read as a version of the API; empty can, and "newest" */
/* For callers that are no request (verbs of the shell): `text` as that parameter of the operation; lists are comma-separated. NULL: it is fine, and *out
 * is what the type of the parameter says, for the process; else what is wrong with it. Aborts when there is no such parameter. */
const char *api_param_wrong(const char *service, const char *operation, const char *param, const char *text, void *out);
const char *server_label(void);			/* version in error bodies */
void api_init(void);				/* compiles the route table; aborts on a contradictory one */
/* Starts writing what this process holds back (audit entries): when it drains. */
void api_drain(void);
bool api_writing(void);				/* that goes on */
extern const struct http_handler api_http;	/* request, gone; ws callbacks are those of rt */
/* Awaits a thread where it was not made yet. The document of GET /v1/openapi.json: of all formats (0), or of one (core/protocol.h). ERR_BUSY as offload. */
err_t api_openapi(struct ctx *cx, int64_t format, struct str *out) MUST_CHECK;
/* Somebody may be sent to this URL: localhost, own host, platforms of the project, its own scheme. Scripts are the caller's to refuse. */
bool api_redirect_ok(struct req *rq, const char *url, const char *own_host);

#endif
