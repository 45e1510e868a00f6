/* Who asks from another machine: each request has a proof in its head and a seal behind its body (model/exec_wire.h), of which the body's reader sees nothing. */
#include "exec/far.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "exec_priv.h"
#include "io/fetch.h"
#include "io/http.h"
#include "model/origin.h"

enum { BACKLOG = 4096, HOST_MAX = 256, PORT_MOST = 65535, RUNS_MS = 10 * 60 * 1000, RECENT_MAX = 200000 };

/* What came of late: for `ms` at least, unless so much came that there was no room for it. */
struct recent {
	uint64_t ms;
	struct map *now, *before;
	uint64_t since, from;		/* loop time: `now` begins, what is known begins */
};

static const char *key_of_all;	/* what others prove that they have */
static char *own_place;		/* address and name, as others are told them: what was meant for another executor, or for one before, is nothing to this one */
static struct recent nonces = {.ms = 2 * EXEC_PROOF_MS};	/* of requests that came: each is of use once. That is twice what clocks may differ by */
static struct recent runs = {.ms = RUNS_MS};			/* those that have begun, and those that never may */
static char run_begun, run_off;				/* their values */
static char asked;						/* that of nonces */

/* ---- what came of late ---- */

static void
recent_init(struct recent *r)
{
	r->now = map_new();
	r->before = map_new();
	r->since = r->from = loop_now();
}

static void *
recent_get(struct recent *r, struct str key)
{
	void *value = map_get(r->now, key);

	return value != NULL ? value : map_get(r->before, key);
}

static void
recent_set(struct recent *r, struct str key, void *value)
{
	if (loop_now() - r->since > r->ms || map_count(r->now) >= RECENT_MAX) {
		map_free(&r->before);
		r->before = r->now;
		r->now = map_new();
		r->from = r->since;
		r->since = loop_now();
	}
	map_set(r->now, key, value);
}

void
far_init(const char *key, const char *address, const char *name)
{
	key_of_all = mem_strdup(key);	/* as long as the process */
	recent_init(&nonces);
	recent_init(&runs);
	if (asprintf(&own_place, "%s %s", address, name) < 0)
		abort();
}

/* ---- where ---- */

/* The host, and where the port begins; NULL: it is malformed. */
static const char *
far_split(const char *at, char host[HOST_MAX])
{
	const char *colon = strrchr(at, ':');
	bool brackets = colon != NULL && at[0] == '[' && colon > at + 1 && colon[-1] == ']';
	size_t n = colon != NULL ? (size_t)(colon - at) - 2 * brackets : 0;
	int64_t port;

	if (n == 0 || n >= HOST_MAX || !str_to_i64(str_c(colon + 1), &port) || port < 1 || port > PORT_MOST)
		return NULL;
	memcpy(host, at + brackets, n);
	host[n] = '\0';
	return brackets || strchr(host, ':') == NULL ? colon + 1 : NULL;
}

bool
far_place(const char *at)
{
	char host[HOST_MAX];

	return far_split(at, host) != NULL;
}

static const char *
address_refusal(const char *host, bool tls)
{
	unsigned char a[sizeof(struct in6_addr)] = {0}, none[sizeof a] = {0};

	if ((inet_pton(AF_INET, host, a) == 1 || inet_pton(AF_INET6, host, a) == 1) && memcmp(a, none, sizeof a) == 0)
		return "others are told it as well: it must be one address of this machine";
	return tls || fetch_address_private(host) ? NULL : "in a public network it needs executor_tls_cert: functions' code and variables go over it";
}

const char *
far_refusal(const char *at, bool tls)
{
	char host[HOST_MAX];

	return *at == '\0' || far_split(at, host) == NULL ? NULL : address_refusal(host, tls);
}

bool
far_leaves(const char *at)
{
	char host[HOST_MAX];

	return far_split(at, host) != NULL && !host_is_loopback(host);
}

/* ---- listening ---- */

static int
far_bind(const char *at, bool tls, const char **why_out)
{
	const struct addrinfo hint = {.ai_flags = AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	char host[HOST_MAX], address[HOST_MAX];
	const char *port = far_split(at, host);
	struct addrinfo *ai = NULL;
	int fd = -1, on = 1, e = getaddrinfo(host, port, &hint, &ai);

	*why_out = e != 0 ? gai_strerror(e) : NULL;
	if (e == 0 && getnameinfo(ai->ai_addr, ai->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) == 0)
		*why_out = address_refusal(address, tls);
	if (*why_out == NULL) {
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
			*why_out = strerror(errno);
	}
	if (ai != NULL)
		freeaddrinfo(ai);
	if (*why_out != NULL && fd >= 0)
		close(fd);
	return *why_out == NULL ? fd : -1;
}

bool
far_listen(const char *at)
{
	bool tls = *conf.executor_tls_cert != '\0';
	const char *why;
	int fd;

	if (tls && !http_tls(conf.executor_tls_cert, conf.executor_tls_key))
		return false;
	fd = far_bind(at, tls, &why);
	if (fd < 0)
		log_error(NULL, "the executor cannot listen", "executor_listen=%s error=\"%s\"", at, why);
	else if (!tls && far_leaves(at))
		log_warn(NULL, "functions' code, variables and data come from other machines in clear", "executor_listen=%s advice=\"set executor_tls_cert and executor_tls_key\"", at);
	return fd >= 0 && http_listen_on(fd, tls);
}

/* ---- proofs ---- */

const char *
far_begin(struct question *q, int *status_out)
{
	struct http_msg *m = q->m;
	struct exec_proof p = {.what = str_c(arena_printf(m->arena, "%.*s %.*s %s", STR_FMT(m->method), STR_FMT(m->path), own_place)), .length = m->length};
	int64_t apart;

	*status_out = 401;
	if (!exec_proved(m->arena, key_of_all, m->hdr[HDR_AUTHORIZATION], &p))
		return "this is for servers of the same installation, and for the executor that they know here";
	apart = time_now_ms() - p.time;
	if (apart > EXEC_PROOF_MS || apart < -EXEC_PROOF_MS)
		return "the clocks of the machines differ by more than a minute";
	if (m->length < EXEC_SEAL)
		return "the seal is missing";
	if (recent_get(&nonces, p.nonce) != NULL) {
		*status_out = 409;
		return "this was asked before";
	}
	recent_set(&nonces, p.nonce, &asked);
	q->sealed = true;
	q->left = m->length - EXEC_SEAL;
	exec_seal_begin(&q->seal, key_of_all, m->hdr[HDR_AUTHORIZATION]);
	return NULL;
}

/* ---- runs, whose answer may be lost on its way ---- */

static struct str
run_key(struct arena *a, const struct exec_ask *q)
{
	return str_c(arena_printf(a, "%s/%s", q->project, q->run.execution));
}

bool
far_run_begins(struct arena *a, const struct exec_ask *q)
{
	struct str key = run_key(a, q);

	if (recent_get(&runs, key) == &run_off)
		return false;
	recent_set(&runs, key, &run_begun);
	return true;
}

int
far_run_begun(struct arena *a, const struct exec_ask *q)
{
	struct str key = run_key(a, q);
	const void *is = recent_get(&runs, key);

	if (is == &run_begun)
		return 200;
	if (loop_now() - runs.from < q->run.limit_ms)
		return 410;
	recent_set(&runs, key, &run_off);
	return 204;
}

/* ---- bodies ---- */

static err_t
far_judge(struct ctx *cx, struct question *q)
{
	char seal[EXEC_SEAL];

	if (!q->whole) {
		exec_seal_end(&q->seal, seal);
		q->whole = q->n_end == EXEC_SEAL && str_eq_secret((struct str){seal, sizeof seal}, (struct str){q->end, q->n_end});
	}
	if (q->whole)
		return OK;
	metric_add(M_exec_refused_far, 1);
	http_reply(q->m, 401, NULL, 0, STR("this is not what was asked"));
	return fail(cx, ERR_EXEC, "a question is not as its seal says");
}

err_t
question_read(struct ctx *cx, struct question *q, struct str *piece_out)
{
	struct str piece;
	size_t n, rest;

	do {
		TRY(http_body_read(cx, q->m, &piece));
		*piece_out = piece;
		if (!q->sealed)
			return OK;
		if (piece.n == 0)
			return far_judge(cx, q);
		n = (int64_t)piece.n < q->left ? piece.n : (size_t)q->left;
		rest = piece.n - n;
		assert(rest <= sizeof q->end - q->n_end);	/* the adapter lets no more come than was announced */
		memcpy(q->end + q->n_end, piece.p + n, rest);
		q->n_end += rest;
		q->left -= (int64_t)n;
		hmac_add(&q->seal, (struct str){piece.p, n});
	} while (n == 0);
	*piece_out = (struct str){piece.p, n};
	return OK;
}

err_t
question_end(struct ctx *cx, struct question *q)
{
	struct str piece = STR_NONE;

	if (q->sealed)
		TRY(question_read(cx, q, &piece));
	return piece.n == 0 ? OK : fail(cx, ERR_EXEC, "more comes than is to be asked");
}
