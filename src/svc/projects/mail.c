/* A project's own mail server and its own words of mails, on the paths of today and on those that name the project. */
#include "core/id.h"
#include "core/protocol.h"
#include "core/conf.h"
#include "core/vtime.h"
#include "model/probe.h"
#include "model/project_write.h"
#include "model/seal.h"
#include "projects_priv.h"
#include "svc/messages/mail.h"
#include "svc/messages/mail_template.h"

enum { RECEIVERS_MAX = 10, TRIES = 3 };

/* ---- the server ---- */

static const char *const secures[] = {"tls", "ssl", NULL};

struct smtp_in {
	const char *project;
	struct smtp in;		/* NULL: not given */
	const char *reply_to;	/* as clients before 1.9.2 say it */
	struct opt_int port;
	int enabled;
	struct strs emails;
};
/* An empty text is a value: it takes away what was set. */
#define SETTING(key, type_, member, doc_, ...) OPTIONAL(key, type_, struct smtp_in, member, doc_, .empty_since = SINCE_1_4, __VA_ARGS__)
#define SMTP_SERVER                                                                                               \
	SETTING("host", P_HOSTNAME, in.host, "Name or address of the server."),                                   \
	    OPTIONAL("port", P_RANGE, struct smtp_in, port, "Its port.", .min = 1, .max = 65535),                 \
	    SETTING("username", P_TEXT, in.username, "Its user.", .max = 256),                                    \
	    SETTING("password", P_TEXT, in.password, "The user's password.", .max = 256),                         \
	    SETTING("senderEmail", P_EMAIL, in.sender_email, "Address of the sender."),                           \
	    SETTING("senderName", P_TEXT, in.sender_name, "Name of the sender.", .max = 256),                     \
	    SETTING("replyTo", P_EMAIL, reply_to, "Where answers go, to clients before 1.9.2."),                  \
	    SETTING("secure", P_ENUM, in.secure, "tls or ssl; empty: TLS where it is offered.", .list = secures)
#define SMTP_FIELDS                                                                                               \
	SMTP_SERVER, SETTING("replyToEmail", P_EMAIL, in.reply_to_email, "Where answers go."),                    \
	    SETTING("replyToName", P_TEXT, in.reply_to_name, "Name for answers.", .max = 256),                    \
	    OPTIONAL("enabled", P_BOOL, struct smtp_in, enabled, "Mails go by it; not given: when it can be reached.")
#define SMTP_TEST                                                                                                 \
	REQUIRED("emails", P_TEXTS, struct smtp_in, emails, "Who gets a mail.", .max = 320, .count = RECEIVERS_MAX), SMTP_SERVER
static const struct param smtp_params[] = {SMTP_FIELDS}, smtp_old_params[] = {PROJECT(struct smtp_in), SMTP_FIELDS};
static const struct param smtp_test_params[] = {SMTP_TEST}, smtp_test_old_params[] = {PROJECT(struct smtp_in), SMTP_TEST};

static void
take(const char **to, const char *given)
{
	if (given != NULL)
		*to = given;
}

/* A stored password is for the server and the user that it was given for: whoever may name another has not seen it, and may not have it sent there. */
static err_t
smtp_keep_password(struct req *rq, const struct smtp_in *in, const struct smtp *stored, const struct smtp *s)
{
	if (in->in.password != NULL || stored->password[0] == '\0' || s->host[0] == '\0' ||
	    (strcmp(stored->host, s->host) == 0 && stored->port == s->port && strcmp(stored->username, s->username) == 0 && strcmp(stored->secure, s->secure) == 0))
		return OK;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"password\" is not optional when host, port, username or secure change: the stored one is for the server as it was. Give it, or an empty one.");
}

/* What is given, over what there is. */
static void
smtp_merge(const struct req *rq, const struct smtp_in *in, struct smtp *s)
{
	take(&s->host, in->in.host);
	take(&s->username, in->in.username);
	take(&s->password, in->in.password);
	take(&s->secure, in->in.secure);
	take(&s->sender_email, in->in.sender_email);
	take(&s->sender_name, in->in.sender_name);
	if (rq->cx.format < SINCE_1_9_2)
		take(&s->reply_to_email, in->reply_to);
	take(&s->reply_to_email, in->in.reply_to_email);
	take(&s->reply_to_name, in->in.reply_to_name);
	if (in->port.set)
		s->port = in->port.v;
	if (s->host[0] == '\0')		/* of no server */
		s->password = "";
}

/* What mails cannot do without; NULL: it is all there. */
static const char *
smtp_lacks(const struct smtp *s)
{
	return s->host[0] == '\0' ? "host" : s->port == 0 ? "port" : s->sender_email[0] == '\0' ? "senderEmail" : NULL;
}

static err_t
smtp_unusable(struct req *rq, const char *why)
{
	return fail_msg(&rq->cx, ERR_PROJECT_SMTP_CONFIG_INVALID, "The mail server cannot be used: %s.", why);
}

/* Decides whether it is on. Awaits the server, unless it is to be off. */
static err_t
smtp_settle(struct req *rq, int enabled, struct smtp *s)
{
	const char *why = NULL, *lacks = smtp_lacks(s);

	if (enabled >= 0)
		s->enabled = enabled == 1;
	if (s->enabled && lacks != NULL)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"%s\" is not optional.", lacks);
	if (enabled == 0 || lacks != NULL)
		return OK;
	TRY(mail_check(&rq->cx, s, &why));
	if (why != NULL && s->enabled)
		return smtp_unusable(rq, why);
	s->enabled = why == NULL;
	return OK;
}

#define SMTP_COLUMNS "smtp_enabled, smtp_host, smtp_port, smtp_secure, smtp_username, smtp_password, smtp_sender_name, smtp_sender_email, smtp_reply_to_name, smtp_reply_to_email"

/* As it is in the database, and what it is called there. */
static err_t
smtp_read(struct ctx *cx, const struct project *p, struct smtp *out, const char **state_out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT " SMTP_COLUMNS ", ROW(" SMTP_COLUMNS ")::text FROM badal.projects WHERE internal = $1::bigint", DB(pg_i64(cx->arena, p->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", p->id);
	*out = (struct smtp){.enabled = db_bool(r, 0, 0), .host = db_cstr(r, 0, 1), .port = db_i64(r, 0, 2), .secure = db_cstr(r, 0, 3), .username = db_cstr(r, 0, 4),
		.password = seal_open(cx->arena, db_str(r, 0, 5)), .sender_name = db_cstr(r, 0, 6), .sender_email = db_cstr(r, 0, 7), .reply_to_name = db_cstr(r, 0, 8),
		.reply_to_email = db_cstr(r, 0, 9)};
	if (out->password == NULL)
		out->password = "";
	*state_out = db_cstr(r, 0, 10);
	return OK;
}

/* One statement that ends in RETURNING, with its event; no row: `missing`. */
static err_t
mail_write(struct ctx *cx, const struct project *p, const struct event_info *kind, const char *what, err_t missing, const char *sql, int n, const char *const *v)
{
	struct event ev = project_event(cx, kind, p->id, NULL);
	struct db_res *r;

	ev.ids[1] = what;
	TRY(event_write(cx, &ev, &r, sql, n, v));
	return db_rows(r) > 0 ? OK : fail(cx, missing, "project=%s", p->id);
}

static err_t
smtp_write(struct ctx *cx, const struct project *p, const struct smtp *s, const char *state)
{
	struct arena *a = cx->arena;

	return mail_write(cx, p, &ev_project_smtp_update, NULL, ERR_DB_UNIQUE,
	    "UPDATE badal.projects AS p SET (" SMTP_COLUMNS ", updated) = ROW($3::boolean, $4, $5::int, $6, $7, $8, $9, $10, $11, $12, $13::timestamptz) "
	    "WHERE p.internal = $1::bigint AND ROW(" SMTP_COLUMNS ")::text = $2 RETURNING p.internal",
	    DB(pg_i64(a, p->internal), state, pg_bool(s->enabled), s->host, pg_i64(a, s->port), s->secure, s->username, seal_text(a, s->password), s->sender_name, s->sender_email,
		s->reply_to_name, s->reply_to_email, pg_time(a, time_now_ms())));
}

/* The server is asked between reading and writing: what was checked together is written together, or it is done again. */
static err_t
projects_update_smtp(struct req *rq, void *arg)
{
	const struct smtp_in *in = arg;
	struct project *p;
	err_t e = ERR_DB_UNIQUE;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	if (in->enabled != 0)
		TRY(probe_enter(&rq->cx, p->internal));
	for (int i = 0; i < TRIES && e == ERR_DB_UNIQUE; i++) {
		const char *state = NULL;
		struct smtp s, stored;

		TRY(smtp_read(&rq->cx, p, &stored, &state));
		s = stored;
		smtp_merge(rq, in, &s);
		TRY(smtp_keep_password(rq, in, &stored, &s));
		TRY(smtp_settle(rq, in->enabled, &s));
		e = smtp_write(&rq->cx, p, &s, state);
	}
	if (e == ERR_DB_UNIQUE)
		return fail(&rq->cx, ERR_BUSY, "others change it all the time");
	TRY(e);
	TRY(project_get_bare(&rq->cx, str_c(p->id), &p));
	return project_reply(rq, 200, p);
}

static err_t
check_receivers(struct req *rq, struct strs *emails)
{
	static const struct param row = {.name = "emails", .type = P_EMAIL, .doc = ""};

	if (emails->n == 0)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"emails\" is not optional.");
	for (int i = 0; i < emails->n; i++)
		TRY(param_take(rq, &row, str_c(emails->v[i]), &emails->v[i]));
	return OK;
}

/* Clients before 1.9.2 say by which server. */
static err_t
projects_create_smtp_test(struct req *rq, void *arg)
{
	struct smtp_in *in = arg;
	struct smtp s = {.host = "", .port = 587, .username = "", .password = "", .secure = "", .sender_name = "", .sender_email = conf.mail_from, .reply_to_name = "", .reply_to_email = ""};
	const char *why;
	struct project *p;

	TRY(check_receivers(rq, &in->emails));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	if (in->in.host != NULL && in->in.host[0] != '\0')
		smtp_merge(rq, in, &s);
	else if (p->smtp.enabled)
		s = p->smtp;
	else
		return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "no server to be tried");
	TRY(probe_enter(&rq->cx, p->internal));
	TRY(mail_try(&rq->cx, p, &s, &in->emails, rq->locale, &why));
	return why != NULL ? smtp_unusable(rq, why) : reply_none(rq);
}

/* ---- words ---- */

static const char *const codes[] = {
#define LOCALE_CODE(code) code,
#include "tbl/locale_codes.h"
#undef LOCALE_CODE
	NULL};

struct words_in {
	const char *project, *kind, *locale;
	struct mail_template in;	/* NULL: not given */
	const char *reply_to;		/* as clients before 1.9.2 say it */
	struct strs queries;
};
#define WORDS_KIND(make, name_, ...) make(name_, P_ENUM_NOCASE, struct words_in, kind, "Kind of mail.", .list = mail_template_kinds, __VA_ARGS__)
#define WORDS_TEXT(key, type_, member, doc_, ...) OPTIONAL(key, type_, struct words_in, member, doc_, .empty_since = SINCE_1_4, __VA_ARGS__)
#define WORDS_LOCALE(make, ...) make("locale", P_ENUM_NOCASE, struct words_in, locale, "Its language; empty: the one that is spoken when none is asked for.", .list = codes, __VA_ARGS__)
#define WORDS_FIELDS                                                                                                                \
	OPTIONAL("subject", P_TEXT, struct words_in, in.subject, "Subject.", .max = 255),                                           \
	    OPTIONAL("message", P_TEXT, struct words_in, in.message, "HTML of at most mail_template_max bytes.", .max = 10485760),\
	    WORDS_TEXT("senderName", P_TEXT, in.sender_name, "Name of the sender.", .max = 255),                                    \
	    WORDS_TEXT("senderEmail", P_EMAIL, in.sender_email, "Address of the sender."),                                          \
	    WORDS_TEXT("replyTo", P_EMAIL, reply_to, "Where answers go, to clients before 1.9.2."),                                 \
	    WORDS_TEXT("replyToEmail", P_EMAIL, in.reply_to_email, "Where answers go."),                                            \
	    WORDS_TEXT("replyToName", P_TEXT, in.reply_to_name, "Name for answers.", .max = 255)
static const struct param words_path[] = {WORDS_KIND(PATH, "templateId"), WORDS_LOCALE(OPTIONAL)};
static const struct param words_old_path[] = {PROJECT(struct words_in), WORDS_KIND(PATH, "type"), WORDS_LOCALE(PATH)};
static const struct param words_params[] = {WORDS_KIND(REQUIRED, "templateId"), WORDS_LOCALE(OPTIONAL), WORDS_FIELDS};
static const struct param words_old_params[] = {PROJECT(struct words_in), WORDS_KIND(PATH, "type"), WORDS_LOCALE(PATH), WORDS_FIELDS};
static const struct param words_list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct words_in, queries, "Queries: limit and offset.", .def = "[]"),
	LIST_TOTAL,
};

/* Kind and locale as the tables have them. */
static void
words_as_known(struct words_in *in)
{
	for (int i = 0; mail_template_kinds[i] != NULL; i++)
		if (str_ieq(str_c(mail_template_kinds[i]), str_c(in->kind)))
			in->kind = mail_template_kinds[i];
	for (int i = 0; in->locale != NULL && codes[i] != NULL; i++)
		if (str_ieq(str_c(codes[i]), str_c(in->locale)))
			in->locale = codes[i];
	if (in->locale == NULL)
		in->locale = conf.locale;
}

static err_t
projects_get_email_template(struct req *rq, void *arg)
{
	struct words_in *in = arg;
	struct mail_template *t;
	struct project *p;

	words_as_known(in);
	TRY(project_of(rq, in->project, RIGHT_READ, &p));
	TRY(mail_template_find(&rq->cx, p->internal, in->kind, in->locale, &t));
	if (t == NULL)
		TRY(mail_template_ours(&rq->cx, in->kind, in->locale, &t));
	return reply(rq, 200, &mail_template_shape, t);
}

static err_t
projects_get_console_email_template(struct req *rq, void *arg)
{
	struct words_in *in = arg;
	struct mail_template *t;

	words_as_known(in);
	TRY(mail_template_ours(&rq->cx, in->kind, in->locale, &t));
	return reply(rq, 200, &mail_template_shape, t);
}

static err_t
projects_list_email_templates(struct req *rq, void *arg)
{
	const struct words_in *in = arg;
	struct query_page page;
	struct objs list = {0};
	struct project *p;

	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	TRY(mail_template_list(&rq->cx, p->internal, &in->queries, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &mail_template_shape, page.res);
	return reply_list(rq, &mail_template_shape, "templates", page.total, &list);
}

/* What is left out stays; new words need both. */
static err_t
words_write(struct req *rq, const struct project *p, const struct words_in *in)
{
	static const char insert[] = "INSERT INTO badal.mail_templates AS t (project, kind, locale, subject, message, sender_name, sender_email, reply_to_name, reply_to_email, created) "
	    "SELECT p.internal, $2, $3, $4, $5, coalesce($6, ''), coalesce($7, ''), coalesce($8, ''), coalesce($9, ''), now() FROM badal.projects p WHERE p.internal = $1::bigint "
	    "ON CONFLICT (project, kind, locale) DO UPDATE SET subject = excluded.subject, message = excluded.message, sender_name = coalesce($6, t.sender_name), "
	    "sender_email = coalesce($7, t.sender_email), reply_to_name = coalesce($8, t.reply_to_name), reply_to_email = coalesce($9, t.reply_to_email) RETURNING project";
	static const char update[] = "UPDATE badal.mail_templates AS t SET subject = coalesce($4, subject), message = coalesce($5, message), sender_name = coalesce($6, sender_name), "
	    "sender_email = coalesce($7, sender_email), reply_to_name = coalesce($8, reply_to_name), reply_to_email = coalesce($9, reply_to_email) "
	    "WHERE project = $1::bigint AND kind = $2 AND locale = $3 RETURNING project";
	const struct mail_template *t = &in->in;
	bool whole = t->subject != NULL && t->message != NULL;

	return mail_write(&rq->cx, p, &ev_project_template_update, in->kind, whole ? ERR_PROJECT_NOT_FOUND : ERR_GENERAL_ARGUMENT_INVALID, whole ? insert : update,
	    DB(pg_i64(rq->cx.arena, p->internal), in->kind, in->locale, t->subject, t->message, t->sender_name, t->sender_email, t->reply_to_name,
		t->reply_to_email ? t->reply_to_email : rq->cx.format < SINCE_1_9_2 ? in->reply_to : NULL));
}

static err_t
projects_update_email_template(struct req *rq, void *arg)
{
	struct words_in *in = arg;
	struct mail_template *t;
	struct project *p;
	err_t e;

	words_as_known(in);
	if (in->in.message != NULL && strlen(in->in.message) > (size_t)conf.mail_template_max)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid message: it may have %lld bytes.", (long long)conf.mail_template_max);
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	if (in->project == NULL && !p->smtp.enabled)
		return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "words of its own, and no server");
	e = words_write(rq, p, in);
	if (e == ERR_GENERAL_ARGUMENT_INVALID)
		return fail_msg(&rq->cx, e, "Param \"%s\" is not optional.", in->in.subject == NULL ? "subject" : "message");
	TRY(e);
	TRY(mail_template_find(&rq->cx, p->internal, in->kind, in->locale, &t));
	return t != NULL ? reply(rq, 200, &mail_template_shape, t) : fail(&rq->cx, ERR_PROJECT_NOT_FOUND, "gone meanwhile");
}

static err_t
projects_delete_email_template(struct req *rq, void *arg)
{
	struct words_in *in = arg;
	struct mail_template *t;
	struct project *p;

	words_as_known(in);
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(mail_template_find(&rq->cx, p->internal, in->kind, in->locale, &t));
	TRY(mail_write(&rq->cx, p, &ev_project_template_update, in->kind, ERR_PROJECT_TEMPLATE_DEFAULT_DELETION, "DELETE FROM badal.mail_templates WHERE project = $1::bigint AND kind = $2 AND locale = $3 RETURNING project",
	    DB(pg_i64(rq->cx.arena, p->internal), in->kind, in->locale)));
	if (t == NULL)	/* it was made between the two */
		TRY(mail_template_ours(&rq->cx, in->kind, in->locale, &t));
	return reply(rq, 200, &mail_template_shape, t);
}

/* ---- words of short messages: of versions before 1.9, which had them on paper ---- */

static const char *const sms_kinds[] = {"verification", "login", "invitation", "mfaChallenge", NULL};
struct sms_in {
	const char *project, *kind, *locale;
};
static const struct param sms_params[] = {
	PROJECT(struct sms_in),
	PATH("type", P_ENUM_NOCASE, struct sms_in, kind, "Kind of message.", .list = sms_kinds),
	PATH("locale", P_ENUM_NOCASE, struct sms_in, locale, "Its language.", .list = codes),
};

static err_t
projects_sms_template(struct req *rq, void *arg)
{
	(void)arg;
	return fail(&rq->cx, ERR_GENERAL_NOT_IMPLEMENTED, "words of short messages");
}

/* ---- routes ---- */

/* The same on a path that names it, for people of the console. */
#define NAMED(method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows)                                              \
	{                                                                                                                           \
		.method = method_, .path = "/v1/projects/:projectId" tail, .service = "projects", .name = name_, .scope = scope_,   \
		.limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_, .flags = ROUTE_CONSOLE,          \
		.since = SINCE_1_4, PARAMS(st, rows)                                                                                \
	}
#define SMS(method_, name_)                                                                                                         \
	NAMED(method_, "/templates/sms/:type/:locale", name_, "projects.write", projects_sms_template, NULL, 405, "There are none.", struct sms_in, sms_params)

static const struct route rows[] = {
	OWN(SINCE_1_9, "PATCH", "/smtp", "updateSMTP", "project.write", projects_update_smtp, &project_shape, 200, "Change the project's mail server; it is asked first, unless it is switched off.",
	    struct smtp_in, smtp_params),
	OWN(SINCE_1_9, "POST", "/smtp/tests", "createSMTPTest", "project.write", projects_create_smtp_test, NULL, 204, "Send a mail by it.", struct smtp_in, smtp_test_params),
	OWN_LIST(SINCE_1_9_5, "/templates/email", "listEmailTemplates", "templates.read", projects_list_email_templates, &mail_template_shape, "templates",
	    "The project's own words of mails.", struct words_in, words_list_params),
	OWN(SINCE_1_9, "PATCH", "/templates/email", "updateEmailTemplate", "templates.write", projects_update_email_template, &mail_template_shape, 200, "Set words of the project's own.",
	    struct words_in, words_params),
	OWN(SINCE_1_9, "GET", "/templates/email/:templateId", "getEmailTemplate", "templates.read", projects_get_email_template, &mail_template_shape, 200,
	    "The project's words of a mail, else everybody's.", struct words_in, words_path),
	NAMED("PATCH", "/smtp", "updateSmtp", "projects.write", projects_update_smtp, &project_shape, 200, "Change a project's mail server.", struct smtp_in, smtp_old_params),
	NAMED("POST", "/smtp/tests", "createSmtpTest", "projects.write", projects_create_smtp_test, NULL, 204, "Send a mail by it.", struct smtp_in, smtp_test_old_params),
	NAMED("GET", "/templates/email/:type/:locale", "getEmailTemplate", "projects.read", projects_get_email_template, &mail_template_shape, 200,
	    "A project's words of a mail, else everybody's.", struct words_in, words_old_path),
	NAMED("PATCH", "/templates/email/:type/:locale", "updateEmailTemplate", "projects.write", projects_update_email_template, &mail_template_shape, 200,
	    "Set words of a project's own.", struct words_in, words_old_params),
	NAMED("DELETE", "/templates/email/:type/:locale", "deleteEmailTemplate", "projects.write", projects_delete_email_template, &mail_template_shape, 200,
	    "Forget a project's own words.", struct words_in, words_old_path),
	SMS("GET", "getSmsTemplate"),
	SMS("PATCH", "updateSmsTemplate"),
	SMS("DELETE", "deleteSmsTemplate"),
	{.method = "GET", .path = "/v1/console/templates/email/:templateId", .service = "console", .name = "getEmailTemplate", .scope = "public", .limit = "",
	    .handler = projects_get_console_email_template, .model = &mail_template_shape, .status = 200, .doc = "Everybody's words of a mail.", .since = SINCE_1_9_5,
	    PARAMS(struct words_in, words_path)},
};
const struct routes project_mail_routes = ROUTES(rows);
