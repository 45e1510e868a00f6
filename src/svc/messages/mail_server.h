/* By which server mails go: that of all, or a project's own. */
#ifndef BADAL_SVC_MESSAGES_MAIL_SERVER_H
#define BADAL_SVC_MESSAGES_MAIL_SERVER_H

#include "model/project.h"

struct mail_server {
	const char *host, *secure, *username, *password;	/* as struct smtp's */
	int64_t port;
	const char *from, *from_name, *reply_to, *reply_to_name;	/* from_name "": what the words say */
	bool own;		/* a project's: it must not be in our networks */
};

struct mail_server mail_server_of_all(void);
struct mail_server mail_server_of(const struct smtp *s);
/* Awaits. ERR_JOB_HOPELESS: it will never take this one; ERR_FETCH, ERR_TIMEOUT, ERR_FETCH_REFUSED, ERR_BUSY: cx->detail says why. */
err_t mail_server_deliver(struct ctx *cx, const struct mail_server *m, const char *const *to, int n, struct str text) MUST_CHECK;
/* Why it cannot be used, in words for who named it, after such an error. */
const char *mail_server_trouble(struct ctx *cx, const struct mail_server *m, err_t e);

#endif
