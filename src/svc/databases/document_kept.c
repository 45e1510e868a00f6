/* Pages of documents that are kept for a while (`ttl` of a list).
 *
 * Each process keeps its own, up to conf.lists_kept_bytes; the least recently used go first. What a page is found by says everything that it depends on but
 * the documents themselves: the collection with its generation, so that any change of its schema or its permissions leaves all pages behind, the roles of
 * who asks, the form of the answer, and the queries to the letter. Whether the caller may ask at all is looked at each time. */
#include "document_priv.h"

#include "core/conf.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"

enum {
	PAGES_MAX = 100000,
	PAGE_MAX = 256 * 1024,	/* bytes of a page's rows: larger ones are not kept */
	SECOND = 1000
};

struct kept {
	uint64_t read;		/* loop_now, before it was */
	size_t size;		/* of everything */
	int64_t total;
	int n;
	const size_t *ends;	/* of each document in text */
	const char *text;
};

static struct lru *pages;
static size_t bytes;		/* of all of them */

static void
document_kept_drop(void *arg)
{
	struct kept *k = arg;

	bytes -= k->size;
	free(k);
}

static void
kept_key_part(struct buf *b, const char *s)
{
	buf_printf(b, "%zu:%s", strlen(s), s);
}

static struct str
kept_key(struct ctx *cx, const struct doc_op *o, const struct collection *c)
{
	struct buf b;

	buf_init(&b, cx->arena, 500);
	buf_printf(&b, "%s %u %u %lld %d %d %d ", c->table, c->gen, c->db_gen, (long long)cx->format, cx->words != NULL, o->who->bypass, cx->uncounted);
	kept_key_part(&b, doc_own_roles(cx, o));
	for (int i = 0; i < o->queries->n; i++)
		kept_key_part(&b, o->queries->v[i]);
	return buf_view(&b);
}

/* In memory of the request: the page may be dropped while it is sent. */
static void
kept_take(struct ctx *cx, const struct kept *k, struct doc_many *out)
{
	size_t n = k->n ? k->ends[k->n - 1] : 0, at = 0;
	const char *text = arena_memdup(cx->arena, k->text, n);

	*out = (struct doc_many){k->total, k->n, arena_array(cx->arena, struct str, k->n + 1)};
	for (int i = 0; i < k->n; i++) {
		out->json[i] = (struct str){text + at, k->ends[i] - at};
		at = k->ends[i];
	}
}

/* Keeps a page of which this is all. */
static void
kept_put(struct str key, uint64_t read, const struct doc_many *m)
{
	size_t text = 0, head = sizeof(struct kept) + sizeof(size_t) * (size_t)(m->n + 1), at = 0, *ends;
	struct kept *k;
	char *to;

	for (int i = 0; i < m->n; i++)
		text += m->json[i].n;
	if (head + text + key.n > (size_t)conf.lists_kept_bytes / 8)
		return;
	k = mem_alloc(head + text);
	ends = (size_t *)(k + 1);
	to = (char *)(ends + m->n + 1);
	for (int i = 0; i < m->n; i++) {
		mem_copy(to + at, m->json[i].p, m->json[i].n);
		ends[i] = at += m->json[i].n;
	}
	*k = (struct kept){read, head + text + key.n, m->total, m->n, ends, to};
	if (pages == NULL)
		pages = lru_new(PAGES_MAX, document_kept_drop);
	bytes += k->size;
	lru_put(pages, key, k);
	while (bytes > (size_t)conf.lists_kept_bytes && lru_drop_last(pages))
		;
}

/* Awaits. */
static err_t
kept_whole(struct ctx *cx, struct doc_list *l, struct doc_many *out)
{
	*out = (struct doc_many){l->total, 0, arena_array(cx->arena, struct str, l->n + 1)};
	for (int i = 0; i < l->n; i++) {
		struct buf b;

		TRY(document_list_ready(cx, l, i));
		buf_init(&b, cx->arena, 500);
		if (document_list_write(l, i, &b))
			out->json[out->n++] = buf_view(&b);
	}
	return OK;
}

err_t
doc_list_kept(struct ctx *cx, const struct doc_op *o)
{
	struct doc_kept *out = o->kept;
	uint64_t now = loop_now();
	const struct collection *c;
	const struct kept *k;
	struct str key;
	bool all;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_check_read(cx, o, c, &all));
	key = kept_key(cx, o, c);
	k = pages ? lru_get(pages, key) : NULL;
	out->hit = out->whole = k != NULL && now - k->read <= (uint64_t)out->ttl * SECOND;
	metric_add(out->hit ? M_lists_hits : M_lists_misses, 1);
	if (out->hit) {
		kept_take(cx, k, &out->page);
		return OK;
	}
	TRY(doc_list_page(cx, o));
	/* what is related has permissions of its own, which the key does not know */
	if (o->list->more != NULL || o->list->c->gen != c->gen || o->list->c->db_gen != c->db_gen || o->list->slim || (o->list->res != NULL && db_bytes(o->list->res) > PAGE_MAX))
		return OK;
	TRY(kept_whole(cx, o->list, &out->page));
	out->whole = true;
	kept_put(key, now, &out->page);
	return OK;
}
