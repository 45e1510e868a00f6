/* The words of mails. mail.html and mail.txt are the layouts; what stands in them as {{proof}} is link.html and link.txt, or code.html and
 * code.txt for a code to be typed in, or nothing. <language>.json has the sentences. All have slots, {{name}}. Sentences are
 * filled first, then the layout with them; what was filled in is never looked at for slots again.
 *
 * Names come from strangers. In HTML they are escaped, and set apart so that their writing direction stays theirs; control characters
 * (line ends above all) become blanks before they get here. */
#include "mail_words.h"

#include <assert.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/json.h"
#include "core/log.h"
#include "core/share.h"
#include "core/vtime.h"
#include "model/service.h"

enum { FILE_MAX = 64 * 1024, LANGUAGES_MAX = 100, CODE_MAX = 16, SLOT_NAME_MAX = 32, VALUES_MAX = 1024 * 1024 };

/* Sentences of a language; each member is a name in its file. */
enum { W_DIRECTION, W_SENDER, W_SOMEBODY, W_HELLO, W_HELLO_UNNAMED, W_THANKS, W_SIGNATURE, W_PHRASE, W_SMS, W_SMS_INVITATION, W_N };
static const char *const common_names[W_N] = {"direction", "sender", "somebody", "hello", "hello_unnamed", "thanks", "signature", "phrase", "sms", "sms_invitation"};
enum { K_SUBJECT, K_BODY, K_FOOTER, K_N };
static const char *const part_names[K_N] = {"subject", "body", "footer"};
enum { KIND_MAX = 64 };
static const char *kind_names[KIND_MAX];	/* what the services send */
static int n_kinds;

struct language {
	char code[CODE_MAX];
	const char *common[W_N];
	const char *part[KIND_MAX][K_N];
};

static struct {
	bool loaded;
	struct layout { struct str html, text; } mail, link, code;
	struct language *v;
	int n;
} words;

/* ---- loading ---- */

/* A sentence kept for the process; NULL when it is missing or empty. */
static const char *
sentence(const json_t *o, const char *name)
{
	struct str s = json_str(json_object_get(o, name));
	char *copy;

	if (s.n == 0)
		return NULL;
	copy = mem_alloc(s.n + 1);
	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return copy;
}

static bool
language_read(const json_t *o, struct language *out)
{
	for (int i = 0; i < W_N; i++)
		if ((out->common[i] = sentence(o, common_names[i])) == NULL)
			return false;
	for (int k = 0; k < n_kinds; k++)
		for (int i = 0; i < K_N; i++)
			if ((out->part[k][i] = sentence(json_object_get(o, kind_names[k]), part_names[i])) == NULL)
				return false;
	return true;
}

static int
is_language(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && n - 5 < CODE_MAX && strcmp(d->d_name + n - 5, ".json") == 0;
}

/* A language with a gap is left out: its mails go out in English, whole. */
static void
language_load(struct ctx *cx, const char *dir, const char *file)
{
	char path[2 * PATH_MAX];
	struct language *l = &words.v[words.n];
	struct str text = STR_NONE;
	const json_t *o;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	snprintf(l->code, sizeof l->code, "%.*s", (int)(strlen(file) - 5), file);
	o = share_read(path, FILE_MAX, &text) ? json_parse(cx, text, NULL) : NULL;
	if (o == NULL || !language_read(o, l))
		log_error(cx, "a language of the mails is left out: a text is missing", "file=%s", path);
	else
		words.n++;
}

static void
collect_kinds(void)
{
	int n;
	const struct service *const *v = service_all(&n);

	n_kinds = 0;
	for (int i = 0; i < n; i++)
		for (const char *const *m = v[i]->mails; m != NULL && *m != NULL; m++) {
			assert(n_kinds < KIND_MAX);
			kind_names[n_kinds++] = *m;
		}
}

static bool
layout_load(const char *dir, const char *name, struct layout *out)
{
	char html[2 * PATH_MAX], text[2 * PATH_MAX];

	snprintf(html, sizeof html, "%s/%s.html", dir, name);
	snprintf(text, sizeof text, "%s/%s.txt", dir, name);
	return share_read(html, FILE_MAX, &out->html) && share_read(text, FILE_MAX, &out->text);
}

static err_t
mail_words_load(struct ctx *cx)
{
	char dir[PATH_MAX];
	struct dirent **list;
	int n;

	collect_kinds();
	share_dir(conf.mail_dir, "etc/mail", "mail.html", MAIL_DIR, dir, sizeof dir);
	n = scandir(dir, &list, is_language, alphasort);
	if (n < 0 || !layout_load(dir, "mail", &words.mail) || !layout_load(dir, "link", &words.link) || !layout_load(dir, "code", &words.code))
		return fail(cx, ERR_GENERAL_SERVER_ERROR, "no mail templates in %s", dir);
	words.v = mem_zalloc(sizeof *words.v * (size_t)(n + 1));
	for (int i = 0; i < n; i++) {
		if (i < LANGUAGES_MAX)
			language_load(cx, dir, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	words.loaded = true;
	return OK;
}

static const struct language *
language_by_code(struct str code)
{
	for (int i = 0; i < words.n; i++)
		if (str_is(code, words.v[i].code))
			return &words.v[i];
	return NULL;
}

/* "pt-br" is also served by "pt". */
static const struct language *
language_for(const char *locale)
{
	struct str code = str_c(locale), rest = code;
	const struct language *l = language_by_code(code);

	if (l == NULL)
		l = language_by_code(str_cut(&rest, '-'));
	return l != NULL ? l : language_by_code(STR("en"));
}

/* ---- filling ---- */

static void
mail_words_add_html(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '&': buf_c(b, "&amp;"); break;
		case '<': buf_c(b, "&lt;"); break;
		case '>': buf_c(b, "&gt;"); break;
		case '"': buf_c(b, "&quot;"); break;
		case '\'': buf_c(b, "&#39;"); break;
		default: buf_ch(b, s.p[i]);
		}
	}
}

static void
mail_words_add_value(struct buf *b, struct str v, enum style style)
{
	if (style == PLAIN) {
		buf_str(b, v);
		return;
	}
	if (style == MARKUP) {
		mail_words_add_html(b, v);
		return;
	}
	buf_c(b, "<bdi>");
	mail_words_add_html(b, v);
	buf_c(b, "</bdi>");
}

static void
add_text(struct buf *b, struct str s, enum style style)
{
	if (style == HTML)
		mail_words_add_html(b, s);
	else
		buf_str(b, s);
}

/* No name is longer, so the end is looked for no farther: a text of openings alone is read once. */
static const struct slot *
slot_at(const struct slot *v, int n, struct str *rest)
{
	size_t most = rest->n - 2 < SLOT_NAME_MAX + 2 ? rest->n - 2 : SLOT_NAME_MAX + 2;
	const char *end = memmem(rest->p + 2, most, "}}", 2);

	for (int i = 0; end != NULL && i < n; i++)
		if (str_is((struct str){rest->p + 2, (size_t)(end - rest->p) - 2}, v[i].name)) {
			rest->n -= (size_t)(end + 2 - rest->p);
			rest->p = end + 2;
			return &v[i];
		}
	return NULL;
}

/* By single letters: an instrumented memmem looks over all of the rest each time. */
static const char *
next_slot(struct str s)
{
	const char *end = s.p + s.n, *at = memchr(s.p, '{', s.n);

	while (at != NULL && (at + 1 == end || at[1] != '{'))
		at = at + 1 == end ? NULL : memchr(at + 1, '{', (size_t)(end - at) - 1);
	return at;
}

struct str
mail_words_fill(struct ctx *cx, struct str text, enum style style, const struct slot *v, int n)
{
	struct buf b;
	size_t values = 0;	/* what the slots have made of the text so far */

	buf_init(&b, cx->arena, text.n + 256);
	while (text.n > 0) {
		const char *open = next_slot(text);
		size_t before = open ? (size_t)(open - text.p) : text.n, at;
		const struct slot *s;

		add_text(&b, (struct str){text.p, before}, style);
		text.p += before;
		text.n -= before;
		if (open == NULL)
			break;
		if ((s = slot_at(v, n, &text)) != NULL) {
			at = b.n;
			mail_words_add_value(&b, s->value, style);
			values += b.n - at;
			if (s->value.p == NULL || values > VALUES_MAX)
				return STR_NONE;
			continue;
		}
		add_text(&b, (struct str){text.p, 2}, style);
		text.p += 2;
		text.n -= 2;
	}
	return buf_view(&b);
}

struct sheet {			/* a language with the names of a letter */
	const struct language *in;
	const char *const *part;
	struct slot names[6];
	bool greets;		/* by name */
};

static struct str
said(struct ctx *cx, const struct sheet *s, const char *sentence_, enum style style)
{
	return mail_words_fill(cx, str_c(sentence_), style, s->names, sizeof s->names / sizeof *s->names);
}

static struct str
escaped(struct ctx *cx, struct str s)
{
	struct buf b;

	buf_init(&b, cx->arena, s.n + 32);
	mail_words_add_html(&b, s);
	return buf_view(&b);
}

static struct str
lay_out(struct ctx *cx, const struct sheet *s, struct str layout, enum style style, const struct letter *l, struct str proof)
{
	const char *hello = s->in->common[s->greets ? W_HELLO : W_HELLO_UNNAMED];
	struct str subject = said(cx, s, s->part[K_SUBJECT], PLAIN), target = str_c(l->link);
	const struct slot v[] = {
		{"language", str_c(s->in->code)},
		{"direction", str_c(s->in->common[W_DIRECTION])},
		{"subject", style == HTML ? escaped(cx, subject) : subject},
		{"hello", said(cx, s, hello, style)},
		{"body", said(cx, s, s->part[K_BODY], style)},
		{"link", style == HTML ? escaped(cx, target) : target},
		{"code", str_c(l->code)},
		{"proof", proof},
		{"phrase", l->phrase[0] != '\0' ? said(cx, s, s->in->common[W_PHRASE], style) : STR("")},
		{"footer", said(cx, s, s->part[K_FOOTER], style)},
		{"thanks", said(cx, s, s->in->common[W_THANKS], style)},
		{"signature", said(cx, s, s->in->common[W_SIGNATURE], style)},
	};

	return mail_words_fill(cx, layout, PLAIN, v, (int)(sizeof v / sizeof *v));
}

static int
kind_by_name(const char *name)
{
	for (int k = 0; k < n_kinds; k++)
		if (strcmp(kind_names[k], name) == 0)
			return k;
	return -1;
}

/* The layout with the proof that it is about in its place. */
static struct str
lay_out_all(struct ctx *cx, const struct sheet *s, struct str layout, struct str proof, enum style style, const struct letter *l)
{
	return lay_out(cx, s, layout, style, l, lay_out(cx, s, proof, style, l, STR("")));
}

/* What is known of a sign-in, in the order of how much it says. */
static struct str
facts(struct ctx *cx, const struct letter *l)
{
	char at[24];
	const char *v[] = {l->client, l->os, l->device, l->ip, l->country, arena_printf(cx->arena, "%.16s UTC", time_sql(l->at, at))};
	struct buf b;

	buf_init(&b, cx->arena, 128);
	for (size_t i = 0; i < sizeof v / sizeof *v; i++)
		if (v[i][0] != '\0')
			buf_printf(&b, "%s%s", b.n > 0 ? ", " : "", v[i]);
	return buf_view(&b);
}

/* The language of a letter, or English; its files are read at first. */
static err_t
language_of(struct ctx *cx, const char *locale, const struct language **out)
{
	if (!words.loaded)
		TRY(mail_words_load(cx));
	*out = language_for(locale);
	return *out != NULL ? OK : fail(cx, ERR_GENERAL_SERVER_ERROR, "the English mail texts are missing");
}

static const char *
project_named(const char *project)
{
	return project[0] != '\0' ? project : conf.mail_from_name;
}

static err_t
word_letter(struct ctx *cx, const struct letter *l, struct str facts_, struct worded *out)
{
	const struct language *in;
	static const struct layout nothing;
	const struct layout *proof = l->code[0] != '\0' ? &words.code : l->link[0] != '\0' ? &words.link : &nothing;
	int kind;

	TRY(language_of(cx, l->locale, &in));
	if ((kind = kind_by_name(l->kind)) < 0)
		return fail(cx, ERR_JOB_HOPELESS, "mail of an unknown kind: %s", l->kind);
	const struct sheet s = {
		.in = in,
		.part = in->part[kind],
		.names = {{"name", str_c(l->name)}, {"project", str_c(project_named(l->project))}, {"team", str_c(l->team)},
			{"owner", str_c(l->owner[0] ? l->owner : in->common[W_SOMEBODY])}, {"words", str_c(l->phrase)}, {"facts", facts_}},
		.greets = l->name[0] != '\0',
	};
	out->sender = l->project[0] ? said(cx, &s, in->common[W_SENDER], PLAIN).p : conf.mail_from_name;
	out->subject = said(cx, &s, s.part[K_SUBJECT], PLAIN).p;
	out->text = lay_out_all(cx, &s, words.mail.text, proof->text, PLAIN, l);
	out->html = lay_out_all(cx, &s, words.mail.html, proof->html, HTML, l);
	if (out->sender == NULL || out->subject == NULL || out->text.p == NULL || out->html.p == NULL)
		return fail(cx, ERR_JOB_HOPELESS, "a mail that its slots make too long: %s", l->kind);
	return OK;
}

err_t
mail_words(struct ctx *cx, const struct letter *l, struct worded *out)
{
	return word_letter(cx, l, facts(cx, l), out);
}

err_t
mail_words_short(struct ctx *cx, const struct brief *m, struct str *out)
{
	const struct slot v[] = {{"project", str_c(project_named(m->project))}, {"secret", str_c(m->text)}};
	const struct language *in;

	TRY(language_of(cx, m->locale, &in));
	*out = mail_words_fill(cx, str_c(in->common[m->invites ? W_SMS_INVITATION : W_SMS]), PLAIN, v, sizeof v / sizeof *v);
	return out->p != NULL ? OK : fail(cx, ERR_JOB_HOPELESS, "a short message that its slots make too long");
}

err_t
mail_words_open(struct ctx *cx, const char *kind, const char *locale, struct worded *out)
{
	static const struct proved { const char *kind, *link, *code; } by[] = {
		{"otpSession", "", "{{otp}}"},
		{"mfaChallenge", "", "{{otp}}"},
		{"sessionAlert", "", ""},
		{NULL, "{{redirect}}", ""},	/* the others */
	};
	const struct proved *p = by;

	while (p->kind != NULL && strcmp(p->kind, kind) != 0)
		p++;
	return word_letter(cx, &(struct letter){.kind = kind, .project = "{{project}}", .to = "", .name = "{{user}}", .link = p->link, .code = p->code, .phrase = "",
	    .locale = locale, .owner = "{{owner}}", .team = "{{team}}"}, STR("{{agentClient}}, {{agentOs}}, {{ipAddress}}, {{country}}, {{date}} {{time}}"), out);
}
