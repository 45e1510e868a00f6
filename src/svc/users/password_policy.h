/* What a project asks of a new password. */
#ifndef BADAL_SVC_USERS_PASSWORD_POLICY_H
#define BADAL_SVC_USERS_PASSWORD_POLICY_H

#include "svc/users/user.h"

struct password_about {		/* whose it will be; NULL and "": not known */
	const char *id, *email, *phone, *name;
};

/* Length, dictionary, strength, and, with `about`, personal data. ERR_GENERAL_ARGUMENT_INVALID, ERR_PASSWORD_PERSONAL_DATA. */
err_t password_policy(struct ctx *cx, const struct project *p, const char *password, const struct password_about *about) MUST_CHECK;
/* Awaits workers, for as many hashes as the project remembers. ERR_PASSWORD_RECENTLY_USED. */
err_t password_policy_history(struct ctx *cx, const struct project *p, const struct user *u, const char *password) MUST_CHECK;
/* No wait. Within the transaction that gives `u` its password: what is remembered are the newest, as many as the project says. */
void password_remember(struct db_tx *tx, const struct project *p, const struct user *u);

#endif
