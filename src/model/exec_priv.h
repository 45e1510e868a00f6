/* Of the files that speak to executors. */
#ifndef BADAL_MODEL_EXEC_PRIV_H
#define BADAL_MODEL_EXEC_PRIV_H

#include "io/fetch.h"
#include "model/exec_wire.h"

enum { EXEC_NOT_MAX = 8 };

struct exec_choice {
	const char *runtime;		/* NULL: whoever */
	struct str key;			/* "project/code", that may be warm somewhere */
	const char *not_these[EXEC_NOT_MAX];	/* names of executors that were asked already */
	int n_not;
	bool lost;			/* one of them did not answer */
	bool keeps;			/* it is to keep one more function warm */
	bool browses;			/* it has browsers */
};
struct exec_at {		/* an executor, in the arena of who asks */
	const char *name;
	const char *local;		/* its socket; NULL: it is elsewhere */
	const char *address;		/* "": it is not to be reached there */
	bool tls;			/* which speaks TLS */
};
/* Awaits. ERR_EXEC: there is none. */
err_t exec_choose(struct ctx *cx, const struct exec_choice *c, struct exec_at *out) MUST_CHECK;
bool exec_listed(const struct exec_choice *c, const char *name);
void exec_avoid(struct exec_choice *c, const char *name);	/* it did not answer, or had no room */
const struct exec_announcement *exec_known(int *n_out);	/* as last read; valid until the next wait */
err_t exec_look(struct ctx *cx) MUST_CHECK;	/* awaits: reads it anew */
struct exec_at exec_at_of(struct arena *a, const struct exec_announcement *n);
struct exec_runtime exec_runtime_copy(struct arena *a, const struct exec_runtime *r);

/* ---- exec_ask.c ---- */

struct exec_asking {
	struct fetch_stream *s;
	bool sealed;			/* by a seal at its end */
	struct hmac seal;
};
/* A request whose body of `length` is to be written. wait_ms: how long nothing may move. */
err_t exec_open(struct ctx *cx, const struct exec_at *at, const char *method, const char *path, size_t length, uint64_t wait_ms, struct exec_asking *out) MUST_CHECK;
err_t exec_write(struct ctx *cx, struct exec_asking *q, struct str piece) MUST_CHECK;	/* awaits */
err_t exec_end(struct ctx *cx, struct exec_asking *q) MUST_CHECK;	/* awaits */
/* The rest of an answer; a body that breaks off is kept as far as it came, *whole_out says whether it did not. Awaits. */
err_t exec_rest(struct ctx *cx, struct fetch_stream *s, struct str *out, bool *whole_out) MUST_CHECK;
/* Awaits an answer whose body says no more than why not, in *said_out; NULL: it is not looked at. */
err_t exec_tell(struct ctx *cx, const struct exec_at *at, const char *path, struct str asked, int *status_out, const char **said_out) MUST_CHECK;
err_t exec_give_code(struct ctx *cx, const struct exec_at *at, const struct exec_function *f) MUST_CHECK;	/* awaits; it was asked for */
err_t exec_send_code(struct ctx *cx, struct exec_asking *q, const struct exec_code *c) MUST_CHECK;	/* awaits */

#endif
