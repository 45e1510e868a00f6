/* One budget of bytes per process: what clients make us hold (request bodies, answers that wait for their reader, large results,
 * WebSocket queues) is charged to it and given back. Who is nobody yet is counted by client address as well. */
#ifndef BADAL_IO_BUDGET_H
#define BADAL_IO_BUDGET_H

#include "core/ctx.h"

struct budget_owner;

struct budget {			/* an account: embed it in what holds the bytes; all zero at first */
	size_t held;
	const char *address;	/* whom its charges count for besides the process; borrowed until budget_close; NULL: nobody */
	struct budget_owner *owner;	/* private: the address's own account, once something was charged */
};

/* OK, or nothing is charged: ERR_BYTES_SPENT (503) when the process would hold more than conf.bytes_max, ERR_BYTES_ADDRESS (429) when
 * the address would hold more than conf.bytes_per_address. Both are counted. */
err_t budget_charge(struct budget *b, size_t n) MUST_CHECK;
/* For bytes that are there already and cannot be refused. */
void budget_force(struct budget *b, size_t n);
void budget_release(struct budget *b, size_t n);	/* at most what is held */
void budget_close(struct budget *b);			/* all of it; the account can be used anew */
/* Its caller is somebody now: what it holds counts for the process alone. */
void budget_known(struct budget *b);
/* Charges n until the context ends. */
err_t budget_hold(struct ctx *cx, size_t n) MUST_CHECK;
/* Whether n more bytes could be charged to `b` now. A refusal is counted. */
err_t budget_room(const struct budget *b, size_t n) MUST_CHECK;
size_t budget_held(void);	/* in all */
void budget_share(size_t bytes);	/* the process never holds more than so much of the machine's, whatever conf.bytes_max says */

/* What the WebSockets of one client make us hold together: what waits for their readers, messages that are not complete, what they listen for. At most
 * conf.rt_bytes_per_client. Embedded by who knows which they are. */
struct purse {
	size_t held;
};
bool purse_room(const struct purse *p, size_t more);	/* false is counted; NULL has room */
unsigned budget_owners(void);	/* addresses that hold something */

#endif
