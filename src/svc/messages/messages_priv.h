/* Between the files of the messages service. */
#ifndef BADAL_SVC_MESSAGES_MESSAGES_PRIV_H
#define BADAL_SVC_MESSAGES_MESSAGES_PRIV_H

#include "core/json.h"
#include "model/job.h"

err_t messages_send_mail(struct ctx *cx, const struct job *job) MUST_CHECK;
err_t messages_send_project_mail(struct ctx *cx, const struct job *job) MUST_CHECK;
err_t messages_send_sms(struct ctx *cx, const struct job *job) MUST_CHECK;

/* A text of a payload, "" when there is none. Names are one line: their control characters become blanks. */
const char *job_text(struct ctx *cx, const json_t *o, const char *key);

#endif
