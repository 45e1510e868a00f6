/* Hash table with open addressing and backward-shift deletion, and an LRU on it. */
#include "core/map.h"

#include <stdlib.h>

#include "core/ctx.h"

struct slot {
	uint64_t hash;		/* 0: empty */
	char *key;
	size_t n;
	void *value;
};

struct map {
	struct slot *v;
	size_t cap, count;	/* cap: a power of two, or 0 */
};

static uint64_t
map_hash_of(struct str key)
{
	uint64_t h = str_hash(key);

	return h ? h : 1;
}

struct map *
map_new(void)
{
	return mem_zalloc(sizeof(struct map));
}

void
map_free(struct map **mp)
{
	struct map *m = *mp;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->cap; i++)
		if (m->v[i].hash)
			free(m->v[i].key);
	free(m->v);
	free(m);
	*mp = NULL;
}

static void
map_drop(void *map)
{
	struct map *m = map;

	map_free(&m);
}

struct map *
map_for(struct ctx *cx)
{
	struct map *m = map_new();

	defer(cx, map_drop, m);
	return m;
}

/* The slot that holds the key, or the empty one where it belongs. */
static struct slot *
map_find(const struct map *m, uint64_t h, struct str key)
{
	size_t i = h & (m->cap - 1);

	for (;; i = (i + 1) & (m->cap - 1)) {
		struct slot *s = &m->v[i];

		if (s->hash == 0 || (s->hash == h && str_eq((struct str){s->key, s->n}, key)))
			return s;
	}
}

static void
map_grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 16;
	m->v = mem_zalloc(m->cap * sizeof *m->v);
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i].hash)
			*map_find(m, old.v[i].hash, (struct str){old.v[i].key, old.v[i].n}) = old.v[i];
	free(old.v);
}

void *
map_get(const struct map *m, struct str key)
{
	if (m->count == 0)
		return NULL;
	return map_find(m, map_hash_of(key), key)->value;
}

void *
map_set(struct map *m, struct str key, void *value)
{
	uint64_t h = map_hash_of(key);
	struct slot *s;
	void *old;

	if (m->cap * 3 <= (m->count + 1) * 4)
		map_grow(m);
	s = map_find(m, h, key);
	old = s->value;
	if (s->hash == 0) {
		s->hash = h;
		s->key = mem_alloc(key.n + 1);
		mem_copy(s->key, key.p, key.n);
		s->key[key.n] = '\0';
		s->n = key.n;
		m->count++;
	}
	s->value = value;
	return old;
}

void *
map_del(struct map *m, struct str key)
{
	size_t i, j, mask = m->cap - 1;
	struct slot *s;
	void *value;

	if (m->count == 0 || (s = map_find(m, map_hash_of(key), key))->hash == 0)
		return NULL;
	value = s->value;
	free(s->key);
	m->count--;
	/* close the gap: move back every entry that may not stay behind an empty slot */
	for (i = (size_t)(s - m->v), j = (i + 1) & mask; m->v[j].hash; j = (j + 1) & mask) {
		size_t home = m->v[j].hash & mask;

		if (((j - home) & mask) >= ((j - i) & mask)) {
			m->v[i] = m->v[j];
			i = j;
		}
	}
	m->v[i] = (struct slot){0};
	return value;
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

void
map_each(const struct map *m, bool (*fn)(struct str, void *, void *), void *arg)
{
	for (size_t i = 0; i < m->cap; i++)
		if (m->v[i].hash && !fn((struct str){m->v[i].key, m->v[i].n}, m->v[i].value, arg))
			return;
}

struct node {
	struct node *prev, *next;	/* ring through lru.head: next is the most recently used */
	char *key;
	size_t n;
	void *value;
};

struct lru {
	struct map *map;
	struct node head;
	size_t max;
	void (*drop)(void *);
};

struct lru *
lru_new(size_t max, void (*drop)(void *))
{
	struct lru *l = mem_zalloc(sizeof *l);

	l->map = map_new();
	l->max = max;
	l->drop = drop;
	l->head.prev = l->head.next = &l->head;
	return l;
}

static void
unlink_node(struct node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
}

static void
link_first(struct lru *l, struct node *n)
{
	n->prev = &l->head;
	n->next = l->head.next;
	n->next->prev = n;
	l->head.next = n;
}

static void
remove_node(struct lru *l, struct node *n)
{
	(void)map_del(l->map, (struct str){n->key, n->n});
	unlink_node(n);
	if (l->drop != NULL)
		l->drop(n->value);
	free(n->key);
	free(n);
}

void
lru_free(struct lru **lp)
{
	if (*lp == NULL)
		return;
	while ((*lp)->head.next != &(*lp)->head)
		remove_node(*lp, (*lp)->head.next);
	map_free(&(*lp)->map);
	free(*lp);
	*lp = NULL;
}

void *
lru_get(struct lru *l, struct str key)
{
	struct node *n = map_get(l->map, key);

	if (n == NULL)
		return NULL;
	if (l->head.next != n) {
		unlink_node(n);
		link_first(l, n);
	}
	return n->value;
}

void
lru_del(struct lru *l, struct str key)
{
	struct node *n = map_get(l->map, key);

	if (n != NULL)
		remove_node(l, n);
}

void
lru_put(struct lru *l, struct str key, void *value)
{
	struct node *n = mem_zalloc(sizeof *n);

	lru_del(l, key);
	while (map_count(l->map) >= l->max && l->head.prev != &l->head)
		remove_node(l, l->head.prev);
	n->key = mem_alloc(key.n + 1);
	mem_copy(n->key, key.p, key.n);
	n->key[key.n] = '\0';
	n->n = key.n;
	n->value = value;
	link_first(l, n);
	(void)map_set(l->map, key, n);
}

bool
lru_drop_last(struct lru *l)
{
	if (l->head.prev == &l->head)
		return false;
	remove_node(l, l->head.prev);
	return true;
}

size_t
lru_count(const struct lru *l)
{
	return map_count(l->map);
}
