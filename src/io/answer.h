/* An answer of HTTP/1.1, as its bytes come: private to the adapters. Who answers may be hostile (a function's own process), so all of it is bounded, and what two
 * readers could take in two ways is refused. It does not matter how the bytes are cut. */
#ifndef BADAL_IO_ANSWER_H
#define BADAL_IO_ANSWER_H

#include "http_priv.h"
#include "io/fetch.h"

enum answer_state { ANSWER_HEAD, ANSWER_LENGTH, ANSWER_CHUNKS, ANSWER_TO_END, ANSWER_WHOLE, ANSWER_BAD };
struct answer {
	struct arena *arena;
	enum answer_state state;
	struct fetch_reply *reply;	/* its head behind ANSWER_HEAD, its body as far as it has come */
	struct buf head, body;
	size_t head_bytes;		/* those of interim answers included */
	size_t max;			/* of the body */
	bool grows;			/* the body's room, which was not made for all of it at once */
	bool bodiless;			/* to HEAD: there is none, whatever the head says */
	uint64_t left;			/* ANSWER_LENGTH */
	struct chunks chunks;
	bool has_head;			/* of the last answer: what follows is its body */
	bool keeps;			/* the connection serves on */
	const char *why;		/* ANSWER_BAD */
};

void answer_begin(struct answer *a, struct arena *arena, size_t max, bool bodiless);
/* The next bytes; returns how many of them belong to it, all unless it ends with them. */
size_t answer_take(struct answer *a, const char *p, size_t n);
void answer_end(struct answer *a);	/* nothing comes any more */
/* The body that has come, in the reply. */
struct fetch_reply *answer_reply(struct answer *a);

#endif
