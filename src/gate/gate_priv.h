/* Between the files of the dispatcher. */
#ifndef BADAL_GATE_PRIV_H
#define BADAL_GATE_PRIV_H

#include "gate/gate.h"
#include "model/service.h"

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_N };
enum { PLACE_BODY = -1, PLACE_BOUND = -2 };	/* no placeholder: from body or query string; the alias says it */
enum { ROUTE_ARGS_MAX = 8, ROUTE_LIMITS_MAX = 4 };

/* ---- router.c ---- */
/* "10/3600 url:{url},ip:{ip}", or with a setting instead of the number: "guess_client/3600 -guess,ip:{ip}". What comes before the key:
 * "~": a brake on guesses at somebody's secret. It is shared by all strangers, and none to who is known: their client has signed that person in
 * before, or they have a session of theirs. Once it is full they have a bucket of their own, so nobody can be locked out from everywhere.
 * "-": a request that was no wrong guess is given back.
 * "!": it sends something to somebody, or costs much: developers' keys do not lift it, nor do they where a "~" is. */
struct limit_rule {
	int64_t max, period;	/* seconds */
	const int64_t *setting;	/* instead of max; NULL: none */
	bool brake, give_back, firm;
	const char *key;
};

enum { SCOPES_MAX = 192 };
struct scope_set {		/* a scope is a bit */
	uint64_t bits[SCOPES_MAX / 64];
};

struct route_info {		/* a row of a table, compiled */
	const struct route *route;
	struct scope_set scope;	/* those of its scopes that some role has */
	const struct words *words;	/* of its family; NULL: those of the tables */
	const char *tag;	/* of its operation */
	int n_args;
	struct str args[ROUTE_ARGS_MAX];	/* names of the placeholders */
	const char *path;	/* the row's, or that of the alias */
	const struct path_alias *alias;	/* NULL: the row's own path */
	int *places;		/* per parameter: which placeholder, PLACE_BODY, PLACE_BOUND */
	json_t **defaults;	/* per parameter: parsed `def`, NULL none */
	struct limit_rule limits[ROUTE_LIMITS_MAX];
	int n_limits;
	bool nul;		/* a text of its body may hold one (P_DATA) */
	const struct usage_kind *usage;	/* NULL: it counts as nothing */
	enum usage_op usage_op;
};

/* ---- family.c ---- */
/* The row as it is in that family, for the process; NULL: it is not below its path. */
const struct route *family_route(const struct family *f, const struct route *r);

struct router;
/* Process lifetime. Aborts with a message on two rows for one request, malformed patterns, limits and defaults. */
struct router *router_new(const struct service *const *services, int n);
/* Each row, followed by its aliases, in the order of the tables. */
const struct route_info *const *router_all(const struct router *r, int *n_out);
/* The row for the request; `args_out` gets the raw segments of its placeholders. NULL: none. */
const struct route_info *router_find(const struct router *r, enum method m, struct str path, struct str args_out[ROUTE_ARGS_MAX]);
bool method_parse(struct str s, enum method *out);	/* HEAD is GET */
const char *method_name(enum method m);

/* ---- dispatch.c ---- */
const char *user_agent_text(struct arena *a, struct str text);	/* bounded, and a text */
const struct route_info *const *gate_routes(int *n_out);	/* router_all of the process's router */

/* ---- body.c ---- */
/* Awaits, when it is large. Sets rq->body from query string or body; what cannot be read leaves rq->body_error. */
err_t body_read(struct req *rq) MUST_CHECK;
/* Awaits, when it is large. The tree of a text that is JSON once more. NULL: it is none, or has more values than a body may have (`why_out`). */
err_t body_json(struct req *rq, struct str text, json_t **out, const char **why_out) MUST_CHECK;
/* name=value&… with brackets into `into`; false when a bound is passed, or a text is not UTF-8, is badly escaped or holds a NUL (`why_out`: what and where). */
bool body_form(struct ctx *cx, struct str text, json_t *into, const char **why_out);
/* A field of a form, clean, into `into`; NULL, or why it cannot be. */
const char *body_field(struct ctx *cx, json_t *into, struct str name, struct str value);
/* Fields with brackets that are lists become lists, once all are there. */
void body_settle_fields(json_t *into);
json_t *body_new(struct ctx *cx);	/* an empty object, until cx ends */
bool body_multipart(struct ctx *cx, struct str text, struct str boundary, json_t *into, const char **why_out);
/* A text parameter outside the tables (project, mode, locale); STR_NONE when absent or no text. */
struct str body_text(const struct req *rq, const char *name);

/* ---- params.c ---- */
/* Which parameters: all, those of the path, the others. */
enum params_of { PARAMS_ALL, PARAMS_PATH, PARAMS_FORM };
/* Into *in, which is made when it is NULL. */
err_t params_read(struct req *rq, enum params_of which, void **in) MUST_CHECK;
/* NULL when the value is fine and stored at `out`, else the words after "Invalid <name>: ". */
const char *param_check(struct req *rq, const struct param *p, json_t *v, void *out);

/* ---- scopes.c ---- */
struct scope_set scope_bits(const char *scopes);	/* of '|'-separated ones, those that some role has */
bool scopes_met(const struct scope_set *asked, const char *role);	/* the role has one of them */

/* ---- gate.c ---- */
err_t gate_pass(struct req *rq) MUST_CHECK;		/* everything between route and parameters; awaits */
bool gate_trusted(const struct req *rq);		/* a key, or an admin: no rate limits */

/* ---- cors.c ---- */
void cors_headers(struct req *rq);
void cors_preflight(struct http_msg *m);
/* Headers of an error outside of any lifecycle, as JSON that the page of an allowed origin can read. */
enum { NO_CACHE_JSON = 4 };	/* the last of them: not to be kept, and its type */
int cors_refusal(struct http_msg *m, struct http_header out[REFUSAL_HEADERS]);
err_t cors_check(struct req *rq) MUST_CHECK;		/* the origin of a write */

/* ---- limit.c ---- */
/* Parses "max/period key;…"; the number of rules, -1 when malformed. Keys are static copies. */
int limit_parse(const char *text, struct limit_rule out[ROUTE_LIMITS_MAX]);
void limit_client(struct req *rq, struct buf *b);	/* appends the client as limits count it */
/* A rule's key for this request, in the arena. */
struct str limit_key(struct req *rq, const char *key);
/* Awaits Redis once on limited routes, twice more when a brake is full; sets X-RateLimit-*. `exempt` is who is not counted, but as a guesser. */
err_t limit_pass(struct req *rq, bool exempt) MUST_CHECK;
void limit_done(struct req *rq);			/* behind the reply: gives back what was no wrong guess */

/* ---- openapi_models.c ---- */
void openapi_models(struct jw *w, const struct route_info *const *infos, int n);	/* the member "components" */
void openapi_events(struct jw *w);			/* the member "x-events" */
void openapi_enum(struct jw *w, const char *const *list);
void openapi_reference(struct jw *w, const char *model);
void openapi_version(struct jw *w, const char *key, int64_t version);

/* ---- compat.c ---- */
void compat_describe(struct jw *w);			/* the member "x-formats" of the OpenAPI document */
void compat_choose(struct req *rq);			/* which older formats the caller asked for */
/* Clients of 1.0, and those that do not say, get {} within preferences as []: so it was. */
bool compat_empties(const struct req *rq);
void compat_request(struct req *rq);			/* old parameters become today's */
/* Whether replies of this shape are turned into the older format rq->format. */
bool compat_wanted(const struct req *rq, const struct shape *shape);
bool compat_total_last(const struct req *rq);		/* lists end with "sum" instead of beginning with "total" */
/* The reply's text in rq->format; awaits a thread when it is large. */
err_t compat_reply(struct req *rq, const struct shape *shape, struct str *json) MUST_CHECK;
err_t compat_member(struct req *rq, const struct shape *shape, struct str json, struct buf *out) MUST_CHECK;	/* the same of a member of a list, appended */

/* ---- reply.c ---- */
void reply_error(struct req *rq, err_t e);		/* the envelope, or the page of an HTML route */
void reply_refused(struct http_msg *m, err_t e);	/* outside of any lifecycle */
uint64_t request_us(const struct req *rq);		/* since its head was complete */
enum { REPLY_WHOLE_MAX = 128 * 1024 };			/* larger answers are sent in pieces, as their reader takes them */
void reply_head(struct req *rq, int status, const char *type);	/* the answer begins: what every one of them carries */

#endif
