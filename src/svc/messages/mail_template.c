/* A project's own words. They are HTML of whoever may change the project; what is put into them is anybody's, and escaped. */
#include "svc/messages/mail_template.h"

#include <ctype.h>

#include "core/conf.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "io/names.h"

enum { SUBJECT_MAX = 4096 };	/* filled */

const char *const mail_template_kinds[] = {"verification", "magicSession", "recovery", "invitation", "mfaChallenge", "sessionAlert", "otpSession", NULL};

static const struct field fields[] = {
	{.key = "type", .type = F_STR, .off = offsetof(struct mail_template, kind), .doc = "Kind of mail. Told up to 1.9.1.", .until = SINCE_1_9_2},
	FIELD(F_STR, struct mail_template, kind, "templateId", "t.kind", "Kind of mail.", .since = SINCE_1_9_2),
	FIELD(F_STR, struct mail_template, locale, "locale", "t.locale", "Language."),
	FIELD(F_STR, struct mail_template, message, "message", "t.message", "Text, HTML with slots such as {{user}}."),
	FIELD(F_STR, struct mail_template, sender_name, "senderName", "t.sender_name", "Name of the sender; empty: as the mail server's settings say, as for the others."),
	FIELD(F_STR, struct mail_template, sender_email, "senderEmail", "t.sender_email", "Address of the sender."),
	{.key = "replyTo", .type = F_STR, .off = offsetof(struct mail_template, reply_to_email), .doc = "Where answers go. Told up to 1.9.1.", .until = SINCE_1_9_2},
	FIELD(F_STR, struct mail_template, reply_to_email, "replyToEmail", "t.reply_to_email", "Where answers go.", .since = SINCE_1_9_2),
	FIELD(F_STR, struct mail_template, reply_to_name, "replyToName", "t.reply_to_name", "Name for answers.", .since = SINCE_1_9_2),
	FIELD(F_STR, struct mail_template, subject, "subject", "t.subject", "Subject."),
};
const struct shape mail_template_shape = SHAPE("emailTemplate", struct mail_template, fields);

err_t
mail_template_find(struct ctx *cx, int64_t project, const char *kind, const char *locale, struct mail_template **out)
{
	struct db_res *r;

	*out = NULL;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT %s FROM badal.mail_templates t WHERE t.project = $1::bigint AND t.kind = $2 AND t.locale = $3",
	    shape_columns(&mail_template_shape)), DB(pg_i64(cx->arena, project), kind, locale)));
	if (db_rows(r) > 0)
		shape_read(cx, &mail_template_shape, *out = arena_new_of(cx->arena, struct mail_template), r, 0, 0);
	return OK;
}

/* How near a locale is to what a reader asks for. */
static int
nearness(const char *locale, const char *asked)
{
	const char *known = names_locale(str_c(locale));

	if (strcmp(locale, asked) == 0)
		return 3;
	if (known != NULL && strcmp(known, asked) == 0)
		return 2;
	return strcmp(locale, conf.locale) == 0;
}

/* Mails with a code have no words of their own in the contract: those of the mail with a link count for them, where they have a place for the code. */
static const char *
words_of(const char *kind, bool *coded_out)
{
	static const char *const as[][2] = {{"recoveryCode", "recovery"}, {"verificationCode", "verification"}};

	*coded_out = false;
	for (size_t i = 0; i < sizeof as / sizeof *as; i++)
		if (strcmp(kind, as[i][0]) == 0) {
			*coded_out = true;
			return as[i][1];
		}
	return kind;
}

err_t
mail_template_for(struct ctx *cx, int64_t project, const char *kind, const char *locale, struct mail_template **out)
{
	bool coded;
	const char *best = NULL;
	struct db_res *r;

	*out = NULL;
	kind = words_of(kind, &coded);
	TRY(db_query(cx, &r, "SELECT locale FROM badal.mail_templates WHERE project = $1::bigint AND kind = $2 AND (NOT $3::boolean OR strpos(message, '{{otp}}') > 0) ORDER BY locale",
	    DB(pg_i64(cx->arena, project), kind, pg_bool(coded))));
	for (int i = 0; i < db_rows(r); i++)
		if (nearness(db_cstr(r, i, 0), locale) > (best != NULL ? nearness(best, locale) : 0))
			best = db_cstr(r, i, 0);
	return best != NULL ? mail_template_find(cx, project, kind, best, out) : OK;
}

err_t
mail_template_ours(struct ctx *cx, const char *kind, const char *locale, struct mail_template **out)
{
	struct worded w;

	TRY(mail_words_open(cx, kind, locale, &w));
	*out = arena_new_of(cx->arena, struct mail_template);
	**out = (struct mail_template){.kind = kind, .locale = locale, .subject = w.subject, .message = str_dup(cx->arena, w.html)};
	return OK;
}

err_t
mail_template_list(struct ctx *cx, int64_t project, const struct strs *queries, struct query_page *out)
{
	const char *of = pg_i64(cx->arena, project);
	const struct query_list l = {.entity = "Template", .from = "badal.mail_templates t", .columns = shape_columns(&mail_template_shape), .where = "t.project = $1::bigint",
		.n = 1, .v = &of, .seq = "t.seq", .id = "t.kind", .width = "octet_length(message)", .width_max = conf.mail_template_max, .flags = QUERY_ONLY_PAGE};

	return query_list(cx, &l, NULL, queries, NULL, out);
}

/* ---- text of HTML ---- */

static const struct { const char *entity; char is; } entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&nbsp;", ' '}};
static const char *const blocks[] = {"p", "br", "div", "tr", "h1", "h2", "h3", "h4", "ul", "ol", "li", "table", NULL}, *const silent[] = {"style", "script", "title", "head", NULL};

static bool
tag_is(struct str tag, const char *const *list)
{
	struct str name = tag;

	if (name.n > 0 && name.p[0] == '/') {
		name.p++;
		name.n--;
	}
	for (tag = name, name.n = 0; name.n < tag.n && isalnum((unsigned char)tag.p[name.n]); name.n++)
		;
	for (; *list != NULL; list++)
		if (str_ieq(name, str_c(*list)))
			return true;
	return false;
}

/* Behind the end tag of what is not text; the end when it has none. */
static struct str
tag_behind(struct str html, struct str tag)
{
	struct str name = {tag.p, 0};

	while (name.n < tag.n && isalnum((unsigned char)tag.p[name.n]))
		name.n++;
	for (size_t i = 0; i + name.n + 2 <= html.n; i++)
		if (html.p[i] == '<' && html.p[i + 1] == '/' && str_ieq((struct str){html.p + i + 2, name.n}, name))
			return (struct str){html.p + i, html.n - i};
	return (struct str){html.p + html.n, 0};
}

static size_t
add_entity(struct buf *b, struct str html)
{
	for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
		if (str_starts(html, entities[i].entity)) {
			buf_ch(b, entities[i].is);
			return strlen(entities[i].entity);
		}
	buf_ch(b, '&');
	return 1;
}

/* For readers of plain text: tags are left out, blocks begin a line. It need not be exact; it is never shown as HTML. */
static struct str
mail_text_of(struct ctx *cx, struct str html)
{
	bool closes = true;	/* a '>' may follow: one that is none is looked for once */
	struct buf b;

	buf_init(&b, cx->arena, html.n + 1);
	while (html.n > 0) {
		const char *end = NULL;
		size_t n = 1;

		if (html.p[0] == '<' && closes)
			closes = (end = memchr(html.p, '>', html.n)) != NULL;
		if (end != NULL) {
			struct str tag = {html.p + 1, (size_t)(end - html.p) - 1};

			n = tag.n + 2;
			if (tag_is(tag, blocks) && b.n > 0 && b.p[b.n - 1] != '\n')
				buf_ch(&b, '\n');
			if (tag.n > 0 && tag.p[0] != '/' && tag_is(tag, silent)) {
				html = tag_behind((struct str){html.p + n, html.n - n}, tag);
				continue;
			}
		} else if (html.p[0] == '&') {
			n = add_entity(&b, html);
		} else if (!(isspace((unsigned char)html.p[0]) && (b.n == 0 || isspace((unsigned char)b.p[b.n - 1])))) {
			buf_ch(&b, html.p[0]);
		}
		html.p += n;
		html.n -= n;
	}
	return buf_view(&b);
}

/* ---- filling ---- */

static const char *
mail_one_line(struct ctx *cx, const char *text)
{
	char *line = arena_strdup(cx->arena, text ? text : "");

	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return line;
}

bool
mail_template_render(struct ctx *cx, const struct mail_template *t, const struct letter *l, struct worded *out)
{
	char at[24];
	const char *when = arena_strdup(cx->arena, time_sql(l->at, at));
	const struct slot v[] = {
		{"user", str_c(l->name[0] ? l->name : l->to)}, {"project", str_c(l->project)}, {"team", str_c(l->team)}, {"owner", str_c(l->owner)},
		{"redirect", str_c(l->link)}, {"otp", str_c(l->code)}, {"phrase", str_c(l->phrase)},
		{"direction", str_starts(str_c(t->locale), "ar") || str_starts(str_c(t->locale), "he") || str_starts(str_c(t->locale), "fa") || str_starts(str_c(t->locale), "ur") ? STR("rtl") : STR("ltr")},
		{"agentDevice", str_c(l->device)}, {"agentClient", str_c(l->client)}, {"agentOs", str_c(l->os)}, {"device", str_c(l->client)},
		{"ipAddress", str_c(l->ip)}, {"country", str_c(l->country)},
		{"date", {when, 10}}, {"time", {when + 11, 5}}, {"year", {when, 4}},
	};
	int n = (int)(sizeof v / sizeof *v);

	*out = (struct worded){.sender = t->sender_name, .subject = mail_words_fill(cx, str_c(mail_one_line(cx, t->subject)), PLAIN, v, n).p,
		.html = mail_words_fill(cx, str_c(t->message), MARKUP, v, n)};
	if (out->html.p == NULL || out->subject == NULL || strlen(out->subject) > SUBJECT_MAX)
		return false;
	out->text = mail_text_of(cx, out->html);
	return true;
}
