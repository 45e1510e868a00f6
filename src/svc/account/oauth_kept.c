/* Documents of providers, kept for as long as they say, within bounds. Each is fetched by a fiber of its own, so that nobody who leaves takes it from the others
 * who wait, and never more often than its pauses allow: whoever makes up names of keys, or a provider that is down, must not make us ask again and again.
 * What anybody names by address has places of its own, so that it cannot push out what all need, and a project has a share of those. */
#include "oauth_kept.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "io/fetch.h"
#include "oauth_priv.h"

/* A share is also how many of its addresses a project may make us wait for at once. Texts are a few KB; all of a kind together have bounds. */
enum { PLACES_EACH = 512, PLACES_PROJECT = 4, KEPT_TEXT_MAX = 64 * 1024, KEPT_BYTES_MAX = 8 * 1024 * 1024, KEPT_FETCH_MS = 10000 };
static const int64_t age_min_ms = 5 * 60000, age_usual_ms = 60 * 60000, age_max_ms = 24 * 60 * 60000, age_stale_ms = 6 * 60 * 60000, pause_failed_ms = 5000;

struct kept_wait {		/* on the stack of a fiber that waits */
	struct fib_event done;
	struct kept_wait *next;
};

static struct kept {
	char *url;		/* NULL: nothing is kept here */
	int64_t project;	/* whose share it is of; 0: nobody's */
	char *text;		/* NULL: it could not be fetched */
	size_t n;
	struct kept_age age;
	int64_t used;
	bool busy;		/* it is being fetched: nothing here changes but by that */
	enum kept_kind kind;
	struct kept_wait *waiting;
} places[KEPT_KINDS][PLACES_EACH];
static size_t kept_bytes[KEPT_KINDS];	/* of texts */

static int64_t
kept_now(void)
{
	return (int64_t)loop_now();
}

/* ---- fetching ---- */

/* As Cache-Control says, within bounds. */
static int64_t
age_of(const struct fetch_reply *r)
{
	struct str rest = str_c(fetch_header(r, "cache-control"));
	int64_t s;

	while (rest.p != NULL) {
		struct str value = str_trim(str_cut(&rest, ',')), name = str_cut(&value, '=');

		if (!str_ieq(name, STR("max-age")) || !str_to_i64(value, &s))
			continue;
		return s < age_min_ms / 1000 ? age_min_ms : s > age_max_ms / 1000 ? age_max_ms : s * 1000;
	}
	return age_usual_ms;
}

/* Nobody's keys are none: then those that were are good still. */
static bool
has_keys(struct ctx *cx, struct str text)
{
	return json_array_size(json_object_get(json_parse_outside(cx, text, NULL), "keys")) > 0;
}

static void
kept_drop(struct kept *k)
{
	kept_bytes[k->kind] -= k->n;
	free(k->url);
	free(k->text);
	*k = (struct kept){0};
}

/* What goes first: what never came, then what is over, and of those alike what was not used for the longest time. */
static bool
goes_before(const struct kept *a, const struct kept *b)
{
	int64_t now = kept_now();
	int x = (a->text != NULL) + (a->text != NULL && now < a->age.until), y = b ? (b->text != NULL) + (b->text != NULL && now < b->age.until) : 3;

	return x != y ? x < y : a->used < b->used;
}

static struct kept *
first_to_go(enum kept_kind kind, int64_t project, const struct kept *but)
{
	struct kept *first = NULL;

	for (struct kept *k = places[kind]; k < places[kind] + PLACES_EACH; k++)
		if (k->url != NULL && !k->busy && k != but && (project == 0 || k->project == project) && goes_before(k, first))
			first = k;
	return first;
}

static void
oauth_kept_put(struct kept *k, struct str text)
{
	struct kept *other;

	free(k->text);
	kept_bytes[k->kind] += text.n - k->n;
	k->n = text.n;
	k->text = mem_alloc(k->n + 1);
	memcpy(k->text, text.p, k->n);
	k->text[k->n] = '\0';
	while (kept_bytes[k->kind] > KEPT_BYTES_MAX && (other = first_to_go(k->kind, 0, k)) != NULL)
		kept_drop(other);
}

static err_t
kept_fetch(struct ctx *cx, struct kept *k)
{
	const struct fetch_header h[] = {{"User-Agent", "Appwrite OAuth2"}, {"Accept", "application/json"}};
	const struct fetch f = {.url = k->url, .headers = h, .n_headers = 2, .max_bytes = KEPT_TEXT_MAX, .timeout_ms = KEPT_FETCH_MS, .private_ok = conf.oauth_private};
	struct fetch_reply *r;

	TRY(fetch(cx, &f, &r));
	if (r->status != 200)
		return fail(cx, ERR_FETCH, "status=%d", r->status);
	if (k->kind == KEPT_KEYS && k->text != NULL && !has_keys(cx, (struct str){r->body.p, r->body.n}))
		return fail(cx, ERR_FETCH, "no keys");
	oauth_kept_put(k, (struct str){r->body.p, r->body.n});
	k->age.until = kept_now() + age_of(r);
	return OK;
}

static void
kept_fetch_fiber(struct ctx *cx, void *arg)
{
	struct kept *k = arg;

	if (kept_fetch(cx, k) != OK)
		log_warn(cx, "a document of a provider could not be fetched", "url=%s detail=%s", k->url, cx->detail ? cx->detail : "");
	k->age.tried = kept_now();
	k->busy = false;
	for (struct kept_wait *w = k->waiting; w != NULL; w = w->next)
		fib_signal(&w->done);
	k->waiting = NULL;
}

/* Awaits the fetch that is under way. */
static err_t
kept_join(struct ctx *cx, struct kept *k)
{
	struct kept_wait me = {.next = k->waiting};
	err_t e;

	k->waiting = &me;
	e = fib_await(cx, &me.done);
	for (struct kept_wait **at = &k->waiting; *at != NULL; at = &(*at)->next)
		if (*at == &me) {
			*at = me.next;
			break;
		}
	return e;
}

/* ---- places ---- */

static struct kept *
kept_find(enum kept_kind kind, const char *url)
{
	for (struct kept *k = places[kind]; k < places[kind] + PLACES_EACH; k++)
		if (k->url != NULL && strcmp(k->url, url) == 0)
			return k;
	return NULL;
}

/* A place for this address: of a project that has its share, one of its own. NULL: all are being fetched. */
static struct kept *
oauth_kept_take(const struct kept_ask *a)
{
	struct kept *empty = NULL, *k;
	int own = 0;

	for (k = places[a->kind]; k < places[a->kind] + PLACES_EACH; k++) {
		own += k->url != NULL && a->project != 0 && k->project == a->project;
		if (k->url == NULL && empty == NULL)
			empty = k;
	}
	if (own >= PLACES_PROJECT)
		k = first_to_go(a->kind, a->project, NULL);
	else
		k = empty != NULL ? empty : first_to_go(a->kind, 0, NULL);
	if (k == NULL)
		return NULL;
	if (k->url != NULL)
		kept_drop(k);
	*k = (struct kept){.url = mem_alloc(strlen(a->url) + 1), .project = a->project, .kind = a->kind};
	strcpy(k->url, a->url);
	return k;
}

static bool
may_fetch(const struct kept_age *k, bool good, bool lacks, int64_t now)
{
	if (k->tried == 0)
		return true;
	return good ? lacks && now - k->tried >= conf.oauth_keys_pause : now - k->tried >= pause_failed_ms;
}

unsigned
oauth_kept_steps(const struct kept_age *k, bool there, bool busy, bool lacks, int64_t now)
{
	bool good = there && now < k->until, usable = there && now < k->until + age_stale_ms;
	bool fetch = !busy && (lacks || !good) && may_fetch(k, good, lacks, now);
	bool wait = (busy || fetch) && (lacks || !usable || (!good && k->tried < k->until));

	return (fetch ? KEPT_FETCH : 0U) | (wait ? KEPT_WAIT : 0U) | (usable ? KEPT_USABLE : 0U);
}

static unsigned
steps_of(const struct kept *k, bool lacks)
{
	return oauth_kept_steps(&k->age, k->text != NULL, k->busy, lacks, kept_now());
}

err_t
oauth_kept(struct ctx *cx, const struct kept_ask *a, struct str *out)
{
	struct kept *k = kept_find(a->kind, a->url);
	unsigned steps;

	if (k == NULL)
		k = oauth_kept_take(a);
	if (k == NULL)
		return fail(cx, ERR_BUSY, "documents of providers");
	k->used = kept_now();
	steps = steps_of(k, a->lacks);
	if (steps & KEPT_FETCH) {
		k->busy = true;
		fib_spawn_new("oauth", KEPT_FETCH_MS * 2, kept_fetch_fiber, k);
	}
	if (steps & KEPT_WAIT) {
		TRY(kept_join(cx, k));
		k = kept_find(a->kind, a->url);	/* others may have come since it was woken */
	}
	if (k == NULL || !(steps_of(k, false) & KEPT_USABLE))
		return oauth_failed(cx, "The provider could not be reached.", "its document could not be fetched");
	*out = (struct str){str_dup(cx->arena, (struct str){k->text, k->n}), k->n};
	return OK;
}
