/* Connections of realtime as rooms know them: a room may answer a kind of message of its own (struct socket_word), and is told when who said it is gone.
 *
 * A room that keeps what a socket said notes its process beside it: when a process dies, its sockets can tell nobody. socket_process_gone tells who looks. */
#ifndef BADAL_MODEL_SOCKET_H
#define BADAL_MODEL_SOCKET_H

#include "core/json.h"
#include "model/project.h"

struct socket {
	const char *process, *id;	/* together they are nobody else's, ever */
	const char *user;		/* of the project */
	const struct strs *roles;
};

/* What a service makes of messages of one type. A list ends with a row of zeros. */
struct socket_word {
	const char *type;
	/* Awaits. Writes the members of the answer behind "success". An ERR_GENERAL_ARGUMENT_INVALID is told as what was wrong with the payload. */
	err_t (*said)(struct ctx *cx, const struct project *p, const struct socket *s, json_t *data, struct jw *w) MUST_CHECK;
	/* Awaits. These sockets of this process are gone, or are somebody else's from now on; may be told again. */
	err_t (*left)(struct ctx *cx, const struct project *p, const char *process, const char *const *ids, int n) MUST_CHECK;
};

/* This process's name: another one each time that it starts. */
const char *socket_process(void);
/* Shows that this process lives; now and then, while its sockets are remembered somewhere. No wait. */
enum { SOCKET_BEAT_MS = 20000 };
void socket_beat(void);
/* Awaits. True when the process has shown no life for minutes, and was found so before. ERR_BUS: it cannot be known. */
err_t socket_process_gone(struct ctx *cx, const char *process, bool *out) MUST_CHECK;

#endif
