/* Documents of providers, kept for as long as they say, within bounds. Each is fetched by a fiber of its own, so that nobody who leaves takes it from the others
 * who wait, and never more often than its pauses allow: whoever makes up names of keys, or a provider that is down, must not make us ask again and again.
 * What anybody names by address has places of its own, so that it cannot push out what all need. */
#include "oauth_kept.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "io/fetch.h"
#include "oauth_priv.h"

enum { PLACES_EACH = 32, KEPT_TEXT_MAX = 64 * 1024, KEPT_FETCH_MS = 10000 };
static const int64_t age_min_ms = 5 * 60000, age_usual_ms = 60 * 60000, age_max_ms = 24 * 60 * 60000, pause_failed_ms = 5000;

struct kept_wait {		/* on the stack of a fiber that waits */
	struct fib_event done;
	struct kept_wait *next;
};

static struct kept {
	char *url;		/* NULL: nothing is kept here */
	char *text;		/* NULL: it could not be fetched */
	size_t n;
	int64_t until;		/* text is good so long */
	int64_t tried;		/* when it was fetched last, or that failed */
	int64_t used;
	bool busy;		/* it is being fetched: nothing here changes but by that */
	struct kept_wait *waiting;
} places[KEPT_KINDS][PLACES_EACH];

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

static err_t
kept_fetch(struct ctx *cx, struct kept *k)
{
	const struct fetch_header h[] = {{"User-Agent", "Appwrite OAuth2"}, {"Accept", "application/json"}};
	const struct fetch f = {.url = k->url, .headers = h, .n_headers = 2, .max_bytes = KEPT_TEXT_MAX, .timeout_ms = KEPT_FETCH_MS, .private_ok = conf.oauth_private};
	struct fetch_reply *r;

	TRY(fetch(cx, &f, &r));
	if (r->status != 200)
		return fail(cx, ERR_FETCH, "status=%d", r->status);
	free(k->text);
	k->n = r->body.n;
	k->text = mem_alloc(k->n + 1);
	memcpy(k->text, r->body.p, k->n);
	k->text[k->n] = '\0';
	k->until = kept_now() + age_of(r);
	return OK;
}

static void
kept_fetch_fiber(struct ctx *cx, void *arg)
{
	struct kept *k = arg;

	if (kept_fetch(cx, k) != OK)
		log_warn(cx, "a document of a provider could not be fetched", "url=%s detail=%s", k->url, cx->detail ? cx->detail : "");
	k->tried = kept_now();
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

/* The place that was not used for the longest time, emptied for this address. NULL: all are being fetched. */
static struct kept *
oauth_kept_take(enum kept_kind kind, const char *url)
{
	struct kept *oldest = NULL;

	for (struct kept *k = places[kind]; k < places[kind] + PLACES_EACH; k++)
		if (!k->busy && (oldest == NULL || k->used < oldest->used))
			oldest = k;
	if (oldest == NULL)
		return NULL;
	free(oldest->url);
	free(oldest->text);
	*oldest = (struct kept){.url = mem_alloc(strlen(url) + 1)};
	strcpy(oldest->url, url);
	return oldest;
}

static bool
may_fetch(const struct kept *k, bool lacks)
{
	int64_t now = kept_now(), since = now - k->tried;
	bool good = k->text != NULL && now < k->until;

	if (k->tried == 0)
		return true;
	return good ? lacks && since >= conf.oauth_keys_pause : since >= pause_failed_ms;
}

err_t
oauth_kept(struct ctx *cx, enum kept_kind kind, const char *url, bool lacks, struct str *out)
{
	struct kept *k = kept_find(kind, url);

	if (k == NULL)
		k = oauth_kept_take(kind, url);
	if (k == NULL)
		return fail(cx, ERR_BUSY, "documents of providers");
	k->used = kept_now();
	if (!k->busy && (k->text == NULL || k->used >= k->until || lacks) && may_fetch(k, lacks)) {
		k->busy = true;
		fib_spawn_new("oauth", KEPT_FETCH_MS * 2, kept_fetch_fiber, k);
	}
	if (k->busy) {
		TRY(kept_join(cx, k));
		k = kept_find(kind, url);	/* others may have come since it was woken */
	}
	if (k == NULL || k->text == NULL || kept_now() >= k->until)
		return oauth_failed(cx, "The provider could not be reached.", "its document could not be fetched");
	*out = (struct str){str_dup(cx->arena, (struct str){k->text, k->n}), k->n};
	return OK;
}
