/* Rate limits: fixed windows counted in Redis (spec platform.md 11), one round trip for all rules of a route.
 *
 * When Redis is away or slow the requests go on: this process then counts by itself, in a bounded table, so that a limit holds per
 * process instead of for all. An outage of Redis must neither stop the API nor open its doors. */
#include <stdlib.h>

#include "gate_priv.h"
#include "core/conf.h"
#include "core/id.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/bus.h"

enum { KEY_MAX = 160, BUS_WAIT_MS = 500, LOCAL_MAX = 10000, BUS_PAUSE_MS = 1000, SHARED_BUCKETS = 4096 };

/* Counts before this request; counts it only when every bucket has room. KEYS: n buckets, n that stand for each of them when its window has
 * limit_keys_max already, n counters of that. ARGV: maximum and period of each, then limit_keys_max. Returns count and 1 (the other stands for it) of each. */
static const char script[] =
    "local n, r, at, ok = #KEYS / 3, {}, {}, true "
    "local most = tonumber(ARGV[2 * n + 1]) "
    "for i = 1, n do local v, k, other = redis.call('GET', KEYS[i]), KEYS[i], 0 "
    "if not v and most > 0 and tonumber(redis.call('GET', KEYS[2 * n + i]) or '0') >= most then k, other = KEYS[n + i], 1 v = redis.call('GET', k) end "
    "at[i], r[2 * i - 1], r[2 * i] = k, tonumber(v or '0'), other "
    "if r[2 * i - 1] >= tonumber(ARGV[2 * i - 1]) then ok = false end end "
    "if ok then for i = 1, n do redis.call('INCR', at[i]) "
    "if r[2 * i - 1] == 0 then redis.call('EXPIRE', at[i], ARGV[2 * i]) "
    "if r[2 * i] == 0 and redis.call('INCR', KEYS[2 * n + i]) == 1 then redis.call('EXPIRE', KEYS[2 * n + i], ARGV[2 * i]) end end end end "
    "return r";

static struct lru *local;	/* bucket -> int64_t, while Redis is away */
static uint64_t bus_again;	/* loop time before which a Redis that timed out is not asked again */

/* Where the caller's account is: for who is signed in in admin mode on the console, and a guess at its password is one whatever project the request names. */
static const char *
limit_home(const struct req *rq)
{
	return rq->admin_mode && rq->login != NULL ? "console" : rq->project->id;
}

/* Does the rule say who? Then *out is the person that this request names there, STR_NONE: nobody. */
static bool
limit_names(const struct req *rq, const struct limit_rule *r, struct str *out)
{
	static const char *const persons[][2] = {{"{param-email}", "email"}, {"{param-userId}", "userId"}, {"{param-phone}", "phone"}};

	if (strstr(r->key, "{userId}") != NULL) {
		*out = rq->login ? str_c(rq->login->user->id) : STR_NONE;
		return true;
	}
	for (size_t i = 0; i < sizeof persons / sizeof *persons; i++)
		if (strstr(r->key, persons[i][0]) != NULL) {
			*out = body_text(rq, persons[i][1]);
			return true;
		}
	return false;
}

/* Whose secret a request guesses at. Only what the rule counts by decides, or the route's first one that counts by persons: a member that the route has no
 * parameter for would let who guesses at one person be known as another. STR_NONE: nobody's. */
static struct str
limit_subject(const struct req *rq, const struct limit_rule *r)
{
	struct str s = STR_NONE;
	bool named = limit_names(rq, r, &s);

	for (int i = 0; !named && i < rq->info->n_limits; i++)
		named = limit_names(rq, &rq->info->limits[i], &s);
	return s;
}

/* An app's server signs in everybody from one address, so the brake on wrong guesses of one client is one for each person there: else who guesses
 * at one of them stops all. */
static struct str
limit_of_server(struct req *rq, const struct limit_rule *r, struct str key)
{
	struct str subject = rq->caller == CALLER_KEY && r->brake && r->give_back ? limit_subject(rq, r) : STR_NONE;

	if (subject.n == 0)
		return key;
	return str_c(arena_printf(rq->cx.arena, "%.*s,of:%s", STR_FMT(key), sha256_hex(rq->cx.arena, str_lower(rq->cx.arena, subject))));
}

/* The bucket's name in Redis: long keys as their hash. The braces keep one project's buckets in one slot of a cluster. */
static struct str
limit_bucket(struct req *rq, const struct limit_rule *r, int64_t start)
{
	struct str key = limit_of_server(rq, r, limit_key(rq, r->key));

	if (key.n > KEY_MAX)
		key = str_c(sha256_hex(rq->cx.arena, key));
	return str_c(arena_printf(rq->cx.arena, "limit:{%s}:%lld:%.*s", limit_home(rq), (long long)start, STR_FMT(key)));
}

/* ---- counting ---- */

static void
count_locally(const struct str *keys, const struct limit_rule *r, int n, int64_t *counts)
{
	bool room = true;

	if (local == NULL)
		local = lru_new(LOCAL_MAX, free);
	for (int i = 0; i < n; i++) {
		const int64_t *v = lru_get(local, keys[i]);

		counts[i] = v ? *v : 0;
		room = room && counts[i] < r[i].max;
	}
	for (int i = 0; room && i < n; i++) {
		int64_t *v = mem_alloc(sizeof *v);

		*v = counts[i] + 1;
		lru_put(local, keys[i], v);
	}
}

/* What a caller writes makes buckets, so how many there are is bounded: those of a project's window beyond limit_keys_max share few. Such a flood
 * then refuses strangers, but neither fills Redis nor lets anybody guess on. */
static struct str
limit_shared_bucket(struct req *rq, const struct limit_rule *r, struct str key, int64_t start)
{
	return str_c(arena_printf(rq->cx.arena, "limit:{%s}:%lld:%lld:%llx:%llx", limit_home(rq), (long long)start, (long long)r->period,
	    (unsigned long long)str_hash_stable(str_c(arena_printf(rq->cx.arena, "%s %s", rq->route->path, r->key))),
	    (unsigned long long)(str_hash_stable(key) % SHARED_BUCKETS)));
}

static struct str
limit_counter(struct req *rq, const struct limit_rule *r, int64_t start)
{
	return str_c(arena_printf(rq->cx.arena, "limit:{%s}:%lld:%lld", limit_home(rq), (long long)start, (long long)r->period));
}

/* Awaits, but not long: OK with the counts, or why Redis did not say. A key becomes that of the bucket which stands for it, once there are `most`. */
static err_t
count_shared(struct req *rq, struct str *keys, const struct limit_rule *r, int n, int64_t most, int64_t *counts)
{
	uint64_t deadline = rq->cx.deadline, soon = loop_now() + BUS_WAIT_MS;
	int64_t now = time_now_ms() / 1000;
	struct str argv[5 * ROUTE_LIMITS_MAX + 1], *args = argv + 3 * n;
	struct bus_reply *reply = NULL;
	err_t e;

	for (int i = 0; i < n; i++) {
		int64_t start = now - now % r[i].period;

		argv[i] = keys[i];
		argv[n + i] = limit_shared_bucket(rq, &r[i], keys[i], start);
		argv[2 * n + i] = limit_counter(rq, &r[i], start);
		args[2 * i] = str_c(pg_i64(rq->cx.arena, r[i].max));
		args[2 * i + 1] = str_c(pg_i64(rq->cx.arena, r[i].period));
	}
	args[2 * n] = str_c(pg_i64(rq->cx.arena, most));
	if (!bus_up() || loop_now() < bus_again)
		return ERR_BUS;
	if (deadline == 0 || soon < deadline)
		rq->cx.deadline = soon;
	e = bus_script(&rq->cx, &reply, script, 3 * n, 5 * n + 1, argv);
	rq->cx.deadline = deadline;
	if (e == ERR_TIMEOUT)
		bus_again = loop_now() + BUS_PAUSE_MS;
	if (e == OK && (reply->type != BUS_LIST || reply->n != 2 * n))
		e = fail(&rq->cx, ERR_BUS, "odd answer of the rate limit script");
	for (int i = 0; e == OK && i < n; i++) {
		counts[i] = reply->v[2 * i].i;
		if (reply->v[2 * i + 1].i == 0)
			continue;
		keys[i] = argv[n + i];
		metric_add(M_limits_shared, 1);
	}
	return e;
}

static void
limit_headers(struct req *rq, int64_t max, int64_t remaining, int64_t reset)
{
	reply_static(rq, "X-RateLimit-Limit", pg_i64(rq->cx.arena, max));
	reply_static(rq, "X-RateLimit-Remaining", pg_i64(rq->cx.arena, remaining));
	reply_static(rq, "X-RateLimit-Reset", pg_i64(rq->cx.arena, reset));
}

/* ---- who is known ---- */

static bool
limit_is(struct str subject, const char *mine)
{
	return mine != NULL && mine[0] != '\0' && str_ieq(subject, str_c(mine));
}

/* "known:{<project>}:<hash>": this client has signed in this person. */
static struct str
known_key(struct req *rq, struct str subject)
{
	struct buf b;

	buf_init(&b, rq->cx.arena, 64);
	buf_str(&b, str_lower(rq->cx.arena, subject));
	buf_ch(&b, ' ');
	limit_client(rq, &b);
	return str_c(arena_printf(rq->cx.arena, "known:{%s}:%s", limit_home(rq), sha256_hex(rq->cx.arena, buf_view(&b))));
}

void
known_client(struct req *rq, const struct user *u, const struct session *s)
{
	const char *names[] = {u->id, u->email, u->phone};

	if (!conf.rate_limits || conf.known_clients <= 0 || user_wants_more(u, &s->factors) || (u->email == NULL && u->phone == NULL))	/* anonymous: nothing to guess, and made in any number */
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i] != NULL && names[i][0] != '\0')	/* lost: only as strict as for strangers */
			(void)bus_post(BUS(STR("SET"), known_key(rq, str_c(names[i])), STR("1"), STR("PX"), str_c(pg_i64(rq->cx.arena, conf.known_clients))));
}

/* Awaits. What tells the caller from strangers; STR_NONE for a stranger. */
static struct str
known_as(struct req *rq, const struct limit_rule *r)
{
	struct str subject = limit_subject(rq, r);
	const struct user *u = rq->login && rq->login->session && !rq->login->half ? rq->login->user : NULL;
	uint64_t deadline = rq->cx.deadline, soon = loop_now() + BUS_WAIT_MS;
	struct bus_reply *reply = NULL;
	struct buf b;
	err_t e;

	if (subject.n == 0)
		return STR_NONE;
	if (u != NULL && u->status && (limit_is(subject, u->id) || limit_is(subject, u->email) || limit_is(subject, u->phone)))
		return str_c(arena_printf(rq->cx.arena, ",user:%s", u->id));
	if (!bus_up() || loop_now() < bus_again)
		return STR_NONE;
	if (deadline == 0 || soon < deadline)
		rq->cx.deadline = soon;
	e = bus_cmd(&rq->cx, &reply, BUS(STR("EXISTS"), known_key(rq, subject)));
	rq->cx.deadline = deadline;
	if (e != OK || reply->type != BUS_INT || reply->i == 0)
		return STR_NONE;
	buf_init(&b, rq->cx.arena, 64);
	BUF_LIT(&b, ",known:");
	limit_client(rq, &b);
	return buf_view(&b);
}

/* ---- the check ---- */

struct count {			/* of the rules that apply */
	int n;
	bool known;		/* of who is no stranger: such buckets are bounded by those who have signed in, and a flood of strangers takes none of them */
	struct limit_rule rules[ROUTE_LIMITS_MAX];
	struct str keys[ROUTE_LIMITS_MAX];
	int64_t counts[ROUTE_LIMITS_MAX];
};

/* Awaits. *full_out: the rule that has no room, -1: all have, and are counted. */
static err_t
count_all(struct req *rq, struct count *c, int *full_out)
{
	err_t e = count_shared(rq, c->keys, c->rules, c->n, c->known ? 0 : conf.limit_keys_max, c->counts);

	if (e == ERR_CANCELLED)
		return e;
	if (e != OK)
		count_locally(c->keys, c->rules, c->n, c->counts);
	*full_out = -1;
	for (int i = 0; i < c->n; i++)
		if (c->counts[i] >= c->rules[i].max)
			*full_out = i;
	return OK;
}

/* Secrets are guessed at there, or something is sent to somebody. */
static bool
route_firm(const struct route_info *info)
{
	bool firm = false;

	for (int i = 0; i < info->n_limits; i++)
		firm = firm || info->limits[i].firm || (info->limits[i].brake && !info->limits[i].give_back);
	return firm;
}

/* A developer's key, which stands in pages, is exempt but there: it is anybody's. */
static void
limit_rules(struct req *rq, bool exempt, int64_t now, struct count *c)
{
	const struct route_info *info = rq->info;

	exempt = exempt || (rq->dev_key && !route_firm(info));

	for (int i = 0; i < info->n_limits; i++) {
		struct limit_rule r = info->limits[i];

		if (r.setting != NULL)
			r.max = *r.setting;
		if (!conf.rate_limits || (exempt && !r.give_back) || r.max < 1)
			continue;	/* a guess is one whoever makes it */
		c->keys[c->n] = limit_bucket(rq, &r, now - now % r.period);
		c->rules[c->n++] = r;
	}
}

/* Once a brake is full, it is for strangers. */
static err_t
count_known(struct req *rq, struct count *c, int *full_out)
{
	struct str as = c->rules[*full_out].brake ? known_as(rq, &c->rules[*full_out]) : STR_NONE;

	if (as.n == 0)
		return OK;
	c->known = true;
	for (int i = 0; i < c->n; i++)
		if (c->rules[i].brake)
			c->keys[i] = str_c(arena_printf(rq->cx.arena, "%.*s%.*s", STR_FMT(c->keys[i]), STR_FMT(as)));
	TRY(count_all(rq, c, full_out));
	if (*full_out < 0)
		metric_add(M_guesses_known, 1);
	return OK;
}

/* What the headers tell of: the rule with the least room, of those that count every request: how many wrong guesses are left is nobody's business. One that is
 * not counted has all of it. */
static void
limit_show(struct req *rq, const struct count *c, int64_t now)
{
	const struct route_info *info = rq->info;
	struct limit_rule shown = info->limits[0];
	int64_t left = INT64_MAX;

	for (int i = 0; i < info->n_limits && c->n == 0; i++)
		if (info->limits[i].setting == NULL && !info->limits[i].give_back && info->limits[i].max - 1 < left) {
			shown = info->limits[i];
			left = shown.max - 1;
		}
	for (int i = 0; i < c->n; i++)
		if (!c->rules[i].give_back && c->rules[i].max - c->counts[i] - 1 < left) {
			shown = c->rules[i];
			left = shown.max - c->counts[i] - 1;
		}
	if (left != INT64_MAX)
		limit_headers(rq, shown.max, left < 0 ? 0 : left, now - now % shown.period + shown.period);
}

err_t
limit_pass(struct req *rq, bool exempt)
{
	int64_t now = time_now_ms() / 1000;
	struct count c = {0};
	int full = -1;

	if (rq->info->n_limits == 0)
		return OK;
	limit_rules(rq, exempt, now, &c);
	if (c.n > 0)
		TRY(count_all(rq, &c, &full));
	if (full >= 0)
		TRY(count_known(rq, &c, &full));
	limit_show(rq, &c, now);
	if (full < 0) {
		for (int i = 0; i < c.n; i++)
			if (c.rules[i].give_back)
				rq->give_back[rq->n_give_back++] = c.keys[i];
		return OK;
	}
	metric_add(M_rate_limited, 1);
	if (c.rules[full].brake || c.rules[full].give_back)
		metric_add(M_guesses_braked, 1);
	return ERR_GENERAL_RATE_LIMIT_EXCEEDED;
}

/* A wrong guess is answered with 401, or with 404 where it named nobody. */
void
limit_done(struct req *rq)
{
	static const char back[] = "if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end";

	int status = rq->error != OK ? err_info(rq->error)->status : rq->status;	/* not that of later clients */

	if (status == 401 || status == 404)
		return;
	for (int i = 0; i < rq->n_give_back; i++)	/* lost: it counts until the window ends */
		(void)bus_post(BUS(STR("EVAL"), str_c(back), STR("1"), rq->give_back[i]));
}
