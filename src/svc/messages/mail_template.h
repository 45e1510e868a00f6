/* Words of mails that a project has set for itself, by kind and locale. They count only while its mails go by its own server. */
#ifndef BADAL_SVC_MESSAGES_MAIL_TEMPLATE_H
#define BADAL_SVC_MESSAGES_MAIL_TEMPLATE_H

#include "model/query.h"
#include "mail_words.h"

struct mail_template {		/* NULL: empty */
	const char *kind, *locale, *subject, *message;	/* the message is HTML; both may have the slots of mail_template_render */
	const char *sender_name, *sender_email, *reply_to_name, *reply_to_email;	/* "" : as the server's settings say */
};

extern const struct shape mail_template_shape;
extern const char *const mail_template_kinds[];	/* NULL at the end */

/* Awaits. The one that is set for exactly this locale; NULL: there is none. `project`: its internal number. */
err_t mail_template_find(struct ctx *cx, int64_t project, const char *kind, const char *locale, struct mail_template **out) MUST_CHECK;
/* Awaits. The one for a reader of this locale: that of the locale, of a relative of it, of who asks for none; NULL: there is none. */
err_t mail_template_for(struct ctx *cx, int64_t project, const char *kind, const char *locale, struct mail_template **out) MUST_CHECK;
/* The same as everybody has it, in that language or English. Blocks for the files at first. */
err_t mail_template_ours(struct ctx *cx, const char *kind, const char *locale, struct mail_template **out) MUST_CHECK;
/* Awaits. A page of those that are set. */
err_t mail_template_list(struct ctx *cx, int64_t project, const struct strs *queries, struct query_page *out) MUST_CHECK;

/* Fills them with what a letter says. Values come from strangers: in the message they are escaped, in the subject they are one line. Slots: user project team
 * redirect otp phrase owner direction agentDevice agentClient agentOs ipAddress country date time year device. false: they get too long for a mail. */
bool mail_template_render(struct ctx *cx, const struct mail_template *t, const struct letter *l, struct worded *out);

#endif
