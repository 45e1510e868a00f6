/* Between the files of the messages service. */
#ifndef BADAL_SVC_MESSAGES_MESSAGES_PRIV_H
#define BADAL_SVC_MESSAGES_MESSAGES_PRIV_H

#include "model/job.h"

err_t messages_send_mail(struct ctx *cx, const struct job *job) MUST_CHECK;
err_t messages_send_project_mail(struct ctx *cx, const struct job *job) MUST_CHECK;
err_t messages_send_sms(struct ctx *cx, const struct job *job) MUST_CHECK;

#endif
