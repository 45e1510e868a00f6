/* The dispatcher: a request becomes a fiber, the fiber an answer.
 *
 * One arena per request, the message's own. Whatever happens, http_reply is called exactly once, and http_done is the last thing done
 * with a message; a client that leaves cancels what its request waits for. */
#include "gate/gate.h"


#include "gate_priv.h"
#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "model/audit.h"
#include "model/chain.h"
#include "model/origin.h"
#include "model/usage.h"

enum { PATH_SHOWN = 256 };

static struct router *router;
static int64_t n_running;	/* requests that have a fiber */

void
api_init(void)
{
	const struct service *const *services;
	int n;

	if (router != NULL)
		return;
	services = service_all(&n);
	router = router_new(services, n);
	audit_init();
	usage_init();
}

const struct route_info *const *
gate_routes(int *n_out)
{
	return router_all(router, n_out);
}

void
api_drain(void)
{
	audit_drain();
	usage_drain();
}

bool
api_writing(void)
{
	return audit_writing() || usage_writing();
}

/* ---- the end of a request ---- */

static void
dispatch_count(const struct req *rq, uint64_t us)
{
	metric_add(M_http_requests, 1);
	metric_observe(M_http_latency, us);
	if (rq->status >= 500)
		metric_add(M_http_errors_5xx, 1);
	else if (rq->status >= 400)
		metric_add(M_http_errors_4xx, 1);
}

/* What is ours to mend: not what a client, a switch or a limit caused. */
static bool
our_fault(err_t e)
{
	return e != OK && e != ERR_CANCELLED && (err_info(e)->status == 500 || e > ERR_CANCELLED);
}

/* A path may be as long as a head; its begin says which it was. */
static const char *
path_shown(const struct http_msg *m)
{
	struct str p = m->path;

	if (p.n <= PATH_SHOWN)
		return str_dup(m->arena, p);
	return arena_printf(m->arena, "%.*s... bytes=%zu", PATH_SHOWN, p.p, p.n);
}

/* One line per request; one more for what went wrong on our side. */
static void
dispatch_report(struct req *rq, err_t e)
{
	uint64_t us = request_us(rq);
	const struct err_info *i = err_info(e);

	dispatch_count(rq, us);
	if (rq->route->flags & ROUTE_PLAIN)
		return;
	if (our_fault(e) && log_may_client(rq->ip))
		log_warn(&rq->cx, "request failed", "error=%s detail=%s", i->name, rq->cx.detail ? rq->cx.detail : "");
	if (log_level >= LOG_INFO && log_may_client(rq->ip))
		log_info(&rq->cx, "request", "method=%.*s path=%s status=%d ms=%llu.%llu%s%s", STR_FMT(rq->http->method), path_shown(rq->http), rq->status,
		    (unsigned long long)(us + 50) / 1000, (unsigned long long)(us + 50) / 100 % 10, e != OK ? " error=" : "", e != OK ? i->type : "");
}

/* ---- audit ---- */

/* The value of a parameter by its name in the table, of those that are texts. */
static const char *
param_text(const struct route *r, const void *in, struct str name)
{
	for (int i = 0; i < r->n_params; i++)
		if (str_is(name, r->params[i].was ? r->params[i].was : r->params[i].name) && r->params[i].type <= P_KEY)
			return *(const char *const *)(const void *)((const char *)in + r->params[i].off);
	return NULL;
}

/* What a resource names besides parameters: who acts, and the organization of the header. */
static const char *
resource_part(struct req *rq, const void *in, struct str name, const char *user)
{
	if (str_is(name, "user"))
		return user;
	if (str_is(name, "organization"))
		return str_dup(rq->cx.arena, rq->http->hdr[HDR_X_ORGANIZATION]);
	return param_text(rq->route, in, name);
}

static const char *
resource_text(struct req *rq, const void *in, const char *template, const char *user)
{
	struct buf b;

	buf_init(&b, rq->cx.arena, 128);
	while (*template != '\0') {
		const char *end = *template == '{' ? strchr(template, '}') : NULL;

		if (end == NULL) {
			buf_ch(&b, *template++);
			continue;
		}
		struct str name = {template + 1, (size_t)(end - template - 1)};
		const char *v = resource_part(rq, in, name, user);

		buf_c(&b, v ? v : "");
		template = end + 1;
	}
	return b.p ? b.p : "";
}

static void
audit_write(struct req *rq, const struct user *u, const char *event, const char *resource)
{
	audit_add(rq->project, &(struct audit_entry){
		.user_id = u->id,
		.user_name = u->name ? u->name : "",
		.user_email = u->email ? u->email : "",
		.event = event,
		.resource = resource,
		.mode = rq->admin_mode ? "admin" : "default",
		.ip = rq->ip,
		.impersonator = rq->impersonator ? rq->impersonator->id : "",
		.user_agent = rq->user_agent,
	});
}

void
audit_also(struct req *rq, const char *event, const char *resource)
{
	if (rq->login != NULL)
		audit_write(rq, rq->login->user, event, resource);
}

void
audit_takeover(struct req *rq, const struct user *u)
{
	metric_add(M_accounts_taken_over, 1);
	log_info(&rq->cx, "account taken over by the owner of its address", "user=%s", u->id);
	audit_write(rq, u, "user.takeover", arena_printf(rq->cx.arena, "user/%s", u->id));
}

/* The key of an organization as who acts. No user has this id, and no two keys share one. */
static const struct user *
key_as_user(struct req *rq)
{
	struct user *u = arena_new_of(rq->cx.arena, struct user);

	*u = (struct user){.id = arena_printf(rq->cx.arena, "key:%lld", (long long)rq->key->internal), .name = rq->key->name};
	return u;
}

/* Entries have an acting user: calls by keys of a project leave none, unless the handler named whom they concern. */
static void
audit(struct req *rq, const void *in)
{
	const struct user *u = rq->audit_user ? rq->audit_user : rq->login ? rq->login->user : NULL;
	struct str rest = str_c(rq->route->audit), event = str_cut(&rest, ' ');

	if (u == NULL && rq->caller == CALLER_ORGANIZATION)
		u = key_as_user(rq);
	if (rq->route->audit == NULL || u == NULL)
		return;
	audit_write(rq, u, str_dup(rq->cx.arena, event), resource_text(rq, in, rest.p ? rest.p : "", u->id));
}

static const char *
scope_text(const struct route *r, const void *in, const char *param)
{
	return param ? param_text(r, in, str_c(param)) : NULL;
}

/* Admins are not customers: what the console itself asks for is not counted. */
static void
dispatch_usage(const struct req *rq, const void *in)
{
	const struct route *r = rq->route;
	const struct usage_kind *k = rq->info->usage;

	if ((r->service == NULL && r->usage == NULL) || rq->admin_mode)
		return;
	usage_network(rq->project, rq->http->received + rq->sent);
	if (k != NULL)
		usage_count(rq->project, k, rq->info->usage_op, rq->usage_scope ? rq->usage_scope : scope_text(r, in, k->scopes[0]),
		    scope_text(r, in, k->scopes[1]));
}

/* When the caller's account was last used: an admin's is of the console, which looked at the project. The answer does not wait for it. */
static void
touch(struct req *rq)
{
	struct project *home = rq->project;

	if (rq->caller == CALLER_ADMIN && rq->status < 400)
		project_console_touch(&rq->cx, rq->project);
	if (rq->login == NULL || rq->impersonator != NULL || rq->status >= 400 || !login_touch_due(rq->login))
		return;
	if (!rq->admin_mode || project_get(&rq->cx, STR("console"), &home) == OK)
		login_touch(&rq->cx, home, rq->login);
}

/* ---- the fiber ---- */

static err_t
dispatch_serve(struct req *rq)
{
	void *in = NULL;
	err_t e;

	TRY(body_read(rq));	/* the project may be one of its parameters */
	if (!(rq->route->flags & ROUTE_PLAIN)) {
		TRY(gate_pass(rq));
		if (rq->replied)
			return OK;
	}
	compat_request(rq);
	TRY(params_read(rq, rq->route->flags & ROUTE_FORM ? PARAMS_PATH : PARAMS_ALL, &in));
	e = rq->route->handler(rq, in);
	if (!rq->replied)
		return e != OK ? e : fail(&rq->cx, ERR_GENERAL_UNKNOWN, "the handler gave no answer");
	if (rq->partial || rq->failed)
		return e;
	touch(rq);
	audit(rq, in);	/* it is done, even when the client did not wait for all of the answer */
	dispatch_usage(rq, in);
	return e;
}

static void
dispatch_run(struct ctx *cx, void *arg)
{
	struct req *rq = arg;
	struct http_msg *m = rq->http;
	err_t e = fib_yield(cx);	/* hundreds may have come at once, from one client: then clients take turns */

	if (e == OK)
		e = dispatch_serve(rq);
	if (!rq->replied)
		reply_error(rq, e);
	dispatch_report(rq, e);
	limit_done(rq);
	ctx_fini(&rq->cx);
	n_running--;
	http_done(m);
}

/* "<process>-<number>": enough to find the lines of one request. */
static const char *
request_id(struct arena *a)
{
	static uint64_t n;

	return arena_printf(a, "%x-%llx", (unsigned)log_pid(), (unsigned long long)++n);
}


/* It is kept, so it must be text: a batch of audit entries is written as a whole, or not. */
enum { USER_AGENT_MAX = 16384 };	/* as much as the contract keeps; a client or proxy may have cut it within a character */

const char *
user_agent_text(struct arena *a, struct str text)
{
	return str_text(a, str_head(text, USER_AGENT_MAX));
}

static const char *
user_agent_of(const struct http_msg *m)
{
	return user_agent_text(m->arena, m->hdr[HDR_USER_AGENT]);
}

/* What is known at the head of a request. */
struct head {
	const struct route_info *info;
	enum method method;
	struct str args[ROUTE_ARGS_MAX];
	struct client client;
};

static void
dispatch_start(struct http_msg *m, const struct head *head)
{
	struct req *rq = arena_new_of(m->arena, struct req);
	const struct route_info *info = head->info;
	struct client client = head->client;

	ctx_init_arena(&rq->cx, m->arena);
	rq->cx.id = request_id(m->arena);
	rq->cx.deadline = loop_now() + (uint64_t)conf.request_timeout;
	rq->cx.depth = chain_depth(m->mark);
	rq->http = m;
	rq->info = info;
	rq->cx.words = info->words;
	rq->route = info->route;
	rq->ip = rq->cx.client = client.ip;
	rq->host = client.host;
	rq->scheme = client.scheme;
	rq->origin = client.origin;
	rq->user_agent = user_agent_of(m);
	memcpy(rq->path_arg, head->args, sizeof(struct str) * (size_t)info->n_args);
	m->data = rq;
	n_running++;
	fib_spawn(&rq->cx, dispatch_run, rq);
}

/* ---- the adapter's callbacks ---- */

/* Answers without a fiber. */
static void
dispatch_refuse(struct http_msg *m, err_t e)
{
	struct client who;

	client_of(m, &who);
	metric_add(M_http_requests, 1);
	metric_add(err_info(e)->status < 500 ? M_http_errors_4xx : M_http_errors_5xx, 1);
	if (log_level >= LOG_INFO && log_may_client(who.ip))
		log_info(NULL, "request", "id=%s method=%.*s path=%s status=%d error=%s", request_id(m->arena), STR_FMT(m->method), path_shown(m),
		    err_info(e)->status, err_info(e)->type);
	reply_refused(m, e);
}

/* Metrics are wanted most when everything else is refused. */
static bool
busy(const struct route_info *info)
{
	return n_running >= conf.requests_max && !(info->route->flags & ROUTE_PLAIN);
}

/* At the head: who is refused is so before its body is kept. */
static void
on_request(struct http_msg *m)
{
	struct head h = {0};
	err_t e;

	if (str_is(m->method, "OPTIONS")) {
		metric_add(M_http_requests, 1);
		cors_preflight(m);
		return;
	}
	if (method_parse(m->method, &h.method))
		h.info = router_find(router, h.method, m->path, h.args);
	if (h.info == NULL || busy(h.info)) {
		dispatch_refuse(m, h.info == NULL ? ERR_GENERAL_ROUTE_NOT_FOUND : ERR_BUSY);
		return;
	}
	client_of(m, &h.client);
	m->client = h.client.ip;
	if ((e = http_charge_head(m)) != OK) {
		dispatch_refuse(m, e);
		return;
	}
	if (m->length == 0 || (h.info->route->flags & ROUTE_STREAM)) {
		dispatch_start(m, &h);
		return;
	}
	m->data = arena_memdup(m->arena, &h, sizeof h);
	http_collect(m, conf.body_max);
}

static void
on_collected(struct http_msg *m)
{
	const struct head *h = m->data;

	m->data = NULL;
	if (busy(h->info))
		dispatch_refuse(m, ERR_BUSY);
	else
		dispatch_start(m, h);
}

static void
on_gone(struct http_msg *m)
{
	struct req *rq = m->data;

	if (rq != NULL && rq->cx.fib != NULL)
		fib_cancel(rq->cx.fib);
}

const struct http_handler api_http = {
    .refusal = cors_refusal,
    .request = on_request,
    .collected = on_collected,
    .gone = on_gone,
};
