/* The prepared statements of a connection: a hash table by text and a ring by use.
 *
 * Callers make ever new statements, by what they ask for and what they change: only what comes a second time is prepared, and the texts of all
 * are bounded in bytes, since PostgreSQL keeps some 50 bytes of trees and plans for each byte of them.
 * A statement dropped here stays on the server until the pool has time to DEALLOCATE it (`dead`). */
#include "db_priv.h"

#include <stdio.h>
#include <stdlib.h>

void
stmts_init(struct stmts *s)
{
	s->ring.prev = s->ring.next = &s->ring;
}

void
stmts_fini(struct stmts *s)
{
	struct stmt *st, *next;

	for (st = s->ring.next; st != &s->ring; st = next) {
		next = st->next;
		free(st);
	}
	free(s->dead);
}

/* Eight bytes at a time: statements are some hundred bytes long and looked up for every query. Not keyed: a table is bounded
 * by db_prepared_max, so collisions cost little. */
uint64_t
sql_hash(const char *sql, size_t len)
{
	const uint64_t k = 0x9e3779b97f4a7c15u;
	uint64_t h = len * k, w;

	for (; len >= 8; sql += 8, len -= 8) {
		memcpy(&w, sql, 8);
		h = (h ^ w) * k;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, sql, len);
	h = (h ^ w) * k;
	return h ^ h >> 29;
}

static void
ring_put(struct stmts *s, struct stmt *st)
{
	st->prev = s->ring.prev;
	st->next = &s->ring;
	s->ring.prev->next = st;
	s->ring.prev = st;
}

static void
ring_cut(struct stmt *st)
{
	st->prev->next = st->next;
	st->next->prev = st->prev;
}

struct stmt *
stmts_find(struct stmts *s, const char *sql, size_t len, uint64_t hash)
{
	struct stmt *st = s->buckets[hash % STMT_BUCKETS];

	while (st != NULL && (st->hash != hash || st->len != len || memcmp(st->sql, sql, len) != 0))
		st = st->chain;
	if (st != NULL && st->next != &s->ring) {
		ring_cut(st);
		ring_put(s, st);
	}
	return st;
}

struct stmt *
stmts_add(struct stmts *s, const char *sql, size_t len, uint64_t hash)
{
	struct stmt *st = mem_alloc(sizeof *st + len + 1);

	memset(st, 0, sizeof *st);
	st->sql = (char *)(st + 1);
	st->hash = hash;
	st->len = len;
	memcpy(st->sql, sql, len + 1);
	snprintf(st->name, sizeof st->name, "s%u", ++s->last_id % 1000000000u);
	st->chain = s->buckets[hash % STMT_BUCKETS];
	s->buckets[hash % STMT_BUCKETS] = st;
	ring_put(s, st);
	s->count++;
	s->bytes += len;
	return st;
}

static void
bury(struct stmts *s, const struct stmt *st)
{
	if (s->n_dead == s->cap_dead) {
		s->cap_dead = s->cap_dead ? s->cap_dead * 2 : 32;
		s->dead = mem_realloc(s->dead, s->cap_dead * sizeof *s->dead);
	}
	memcpy(s->dead[s->n_dead++], st->name, sizeof *s->dead);
	s->dead_bytes += st->len;
}

void
stmts_drop(struct stmts *s, struct stmt *st)
{
	struct stmt **at = &s->buckets[st->hash % STMT_BUCKETS];

	while (*at != st)
		at = &(*at)->chain;
	*at = st->chain;
	ring_cut(st);
	s->count--;
	s->bytes -= st->len;
	if (st->ready)
		bury(s, st);
	free(st);
}

bool
stmts_again(struct stmts *s, uint64_t hash)
{
	uint32_t *slot = &s->seen[hash % STMT_SEEN], part = (uint32_t)(hash >> 32) | 1;
	bool again = *slot == part;

	*slot = part;
	return again;
}

void
stmts_trim(struct stmts *s, unsigned max, size_t bytes, unsigned flight)
{
	while ((s->count > max || s->bytes > bytes) && s->ring.next->flight != flight)
		stmts_drop(s, s->ring.next);
}
