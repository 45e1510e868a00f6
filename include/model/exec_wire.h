/* What an executor is told and says (src/model/exec*.c, src/exec/): HTTP/1.1 between programs of ours, whose bodies are records: "name length\n" and so many
 * bytes. A record may hold records. Who reads takes those it knows.
 *
 *   POST /run          struct exec_ask       200 when it has begun, then its records, EXEC_END the last; 404: give me the code first; 503: no room
 *   POST /begun        struct exec_ask       from another machine, that lost the answer to such a run: 200: it has begun; 204: it has not, and never will; 410: that is not known,
 *                                            for it was asked for as long ago as limit_ms says
 *   PUT /code/P/C      an archive            204: unpacked, or being unpacked; 200: it cannot be, a record says why
 *   POST /build        struct exec_ask, EXEC_END, then the archive     200: records as they come, EXEC_END, then the result
 *   POST /retire       struct exec_ask       204
 *   POST /warm         struct exec_ask       a process of it is kept ready from now on, or (keep_warm 0) no longer. 204; 404: the code first; 409: it cannot be; 503: no room
 *   POST /page         struct exec_ask       run.body: what badal-pose is told (src/exec/pose.c); project and run.user: for whom. 200: struct exec_ran, the picture its body; 503: no browser is free
 *
 * Each executor announces itself in Redis, under EXEC_ANNOUNCED and its name, with records (struct exec_announcement). */
#ifndef BADAL_MODEL_EXEC_WIRE_H
#define BADAL_MODEL_EXEC_WIRE_H

#include "core/id.h"
#include "model/exec.h"

enum { EXEC_ASK_MAX = 64 * 1024 * 1024, EXEC_ANNOUNCE_MS = 1000, EXEC_ALIVE_MS = 5000 };
#define EXEC_END "end"
#define EXEC_ANNOUNCED "{executors}"

/* ---- records ---- */

void exec_put(struct buf *b, const char *name, struct str value);
void exec_put_number(struct buf *b, const char *name, int64_t n);
/* The next record of *rest, which moves behind it. EXEC_CUT: not all of it is there. */
enum exec_record { EXEC_RECORD, EXEC_CUT, EXEC_MALFORMED };
enum exec_record exec_take(struct str *rest, struct str *name_out, struct str *value_out);

/* ---- what is asked ---- */

struct exec_ask {
	const char *project, *code;	/* ids; "": none */
	struct exec_run run;
};
/* All but the archive's parts. */
void exec_ask_put(struct buf *b, const struct exec_ask *q);
/* From a text of records, in the arena, up to its end or EXEC_END. False: malformed. */
bool exec_ask_take(struct arena *a, struct str *text, struct exec_ask *out);

/* ---- what is answered ---- */

void exec_ran_put(struct buf *b, const struct exec_ran *r);
/* False: it is malformed, or not complete. */
bool exec_ran_take(struct arena *a, struct str text, struct exec_ran *out);

/* ---- who is there ---- */

struct exec_announcement {
	const char *name;		/* of the executor; another one after each start */
	const char *local;		/* its socket on its own machine, absolute */
	const char *address;		/* "host:port" for other machines; "": none */
	bool tls;			/* which speaks TLS */
	const char *why;		/* it cannot make sandboxes, and why; "": it can */
	int64_t busy;			/* what runs and waits there, for each hundredth of its processors */
	int64_t room;			/* how many functions more it can keep warm */
	int64_t browsers;		/* how many pictures of pages it can make at once */
	struct exec_runtime *runtimes;
	int n_runtimes;
	struct str warm;		/* records whose values are "project/code" */
	struct str kept;		/* such that are kept warm, of "project/code/revision" */
};
void exec_announcement_put(struct buf *b, const struct exec_announcement *n);
bool exec_announcement_take(struct arena *a, struct str text, struct exec_announcement *out);

/* What proves that somebody is one of us, on sockets that others can reach: made from the master key, and not the way back to it. */
const char *exec_key(struct arena *a, struct str master);
/* The head field "authorization" of a request to another machine, which shows that who asks has the key and is of use once: "Badal <time in ms>.<nonce>.<HMAC-SHA256
 * of what, length of the body, time and nonce>". what: "POST /run 10.0.0.5:9100 <name>", address and name of the executor that is asked, so that it is nothing to
 * another one, nor to the next one there. */
struct exec_proof {
	struct str what;
	int64_t length, time;
	struct str nonce;
};
enum { EXEC_PROOF_MS = 60 * 1000 };	/* how far clocks may be apart */
const char *exec_prove(struct arena *a, const char *key, const struct exec_proof *p);
/* Reads time and nonce from the field. False: it is not one of that key, for that. */
bool exec_proved(struct arena *a, const char *key, struct str field, struct exec_proof *p);
/* Such a request's body ends with EXEC_SEAL characters more, which its length includes: the HMAC of the field and of the body before them, so that neither can be
 * another. Nothing is begun before they were looked at. */
enum { EXEC_SEAL = 64 };
void exec_seal_begin(struct hmac *h, const char *key, struct str field);	/* then hmac_add */
void exec_seal_end(struct hmac *h, char out[EXEC_SEAL]);

#endif
