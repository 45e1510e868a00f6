/* A process that hashes passwords: what is asked of it and what it answers, and the work itself, which threads do where there is no supervisor.
 *
 * An argon2id hash maps and unmaps 64 MiB. The kernel has one lock for all mappings of a process and holds it meanwhile, so with threads whoever else
 * of the process maps memory waits: two that hash without end let a loop with nothing else to do wait 38 ms (p99), two processes 4. */
#ifndef BADAL_SVC_USERS_PASSWORD_WORKER_H
#define BADAL_SVC_USERS_PASSWORD_WORKER_H

#include <sodium.h>

#include "svc/users/password.h"

struct password_work {		/* of one password */
	const char *password;
	const char *hash_id, *stored;	/* what it is compared with; NULL: nothing */
	struct password_options options;
	unsigned long long passes;	/* of a new hash, and of what stands in for a comparison */
	size_t memory;			/* bytes */
	bool verify;
	/* the result */
	char out[crypto_pwhash_STRBYTES];
	bool ok;
};

/* Does not touch the loop. */
void password_work_run(struct password_work *w);

enum { PASSWORD_WIRE = 0x70773031, PASSWORD_TASK_MAX = 64 * 1024 };	/* magic; bytes of a message */

struct password_answer {
	uint32_t magic;
	bool ok;
	char out[crypto_pwhash_STRBYTES];
};

/* The message that asks for w, in the arena. False: it would be too long. */
bool password_task_pack(struct arena *a, const struct password_work *w, struct str *out);
/* Reads one; the strings of w are in it. */
bool password_task_unpack(char *p, size_t n, struct password_work *w);

/* `badal password-worker`, started by the supervisor on a socket (src/main/launch.c), for nobody else. */
int password_worker_main(int argc, char **argv);

#endif
