/* A hash table from counted strings to pointers, and an LRU cache on it. Keys are copied. */
#ifndef BADAL_CORE_MAP_H
#define BADAL_CORE_MAP_H

#include "core/str.h"

struct ctx;
struct map;
struct map *map_new(void);
struct map *map_for(struct ctx *cx);			/* goes with the context */
void map_free(struct map **mp);				/* values are the caller's */
void *map_get(const struct map *m, struct str key);	/* NULL when absent */
void *map_set(struct map *m, struct str key, void *value);	/* returns the former value or NULL */
void *map_del(struct map *m, struct str key);		/* returns the value or NULL */
size_t map_count(const struct map *m);
/* Calls fn for each entry until it returns false; the table must not change meanwhile. */
void map_each(const struct map *m, bool (*fn)(struct str key, void *value, void *arg), void *arg);

/* At most `max` values; the least recently used is dropped through `drop`. */
struct lru;
struct lru *lru_new(size_t max, void (*drop)(void *value));
void lru_free(struct lru **lp);
void *lru_get(struct lru *l, struct str key);
void lru_put(struct lru *l, struct str key, void *value);	/* a former value is dropped */
void lru_del(struct lru *l, struct str key);
bool lru_drop_last(struct lru *l);		/* the least recently used one; false: there is none */
size_t lru_count(const struct lru *l);

#endif
