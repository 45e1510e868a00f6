/* Who somebody is at a provider: the user call, the paths of the table, and the providers that paths do not describe. */
#include "model/format.h"
#include "oauth_priv.h"

enum { ID_TEXT_MAX = 512, NAME_MAX = 128, EMAIL_MAX = 320 };

/* ---- paths ---- */

const json_t *
oauth_at(const json_t *j, const char *path)
{
	struct str rest = str_c(path);

	while (rest.p != NULL && j != NULL) {
		struct str part = str_cut(&rest, '.');
		int64_t i;

		if (json_is_array(j))
			j = str_to_i64(part, &i) && i >= 0 ? json_array_get(j, (size_t)i) : NULL;
		else
			j = json_object_getn(j, part.p, part.n);
	}
	return j;
}

static const char *
oauth_profile_text_of(struct ctx *cx, const json_t *j)
{
	struct str s = json_str(j);

	if (json_is_integer(j))
		return arena_printf(cx->arena, "%lld", (long long)json_integer_value(j));
	if (!json_is_string(j) || memchr(s.p, '\0', s.n) != NULL)
		return NULL;
	return str_dup(cx->arena, s);
}

const char *
oauth_text(struct ctx *cx, const json_t *j, const char *path)
{
	return oauth_profile_text_of(cx, oauth_at(j, path));
}

bool
oauth_true(const json_t *j)
{
	struct str s = json_str(j);

	if (json_is_string(j))
		return s.n > 0 && !str_is(s, "false") && !str_is(s, "0");
	return json_is_true(j) || (json_is_integer(j) && json_integer_value(j) != 0);
}

/* "first last": the texts of several paths, joined by a blank. */
static const char *
texts_at(struct ctx *cx, const json_t *j, const char *paths)
{
	struct str rest = str_c(paths);
	struct buf b;

	buf_init(&b, cx->arena, 64);
	while (rest.p != NULL) {
		const char *s = oauth_text(cx, j, str_dup(cx->arena, str_cut(&rest, ' ')));

		if (s == NULL || s[0] == '\0')
			continue;
		if (b.n > 0)
			buf_ch(&b, ' ');
		buf_c(&b, s);
	}
	return buf_view(&b).p;
}

/* ---- the profile ---- */

/* The first address of a list that has its flag. */
static void
pick_email(struct ctx *cx, const struct oauth_row *row, const json_t *user, struct oauth_profile *out)
{
	const json_t *list = row->emails.list ? oauth_at(user, row->emails.list) : NULL;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (!oauth_true(oauth_at(one, row->emails.flag)))
			continue;
		out->email = oauth_text(cx, one, row->emails.email);
		out->verified = true;
		return;
	}
}

static bool
vouched(const struct oauth_row *row, const json_t *user)
{
	const char *v = row->verified;

	if (v == NULL || v[0] == '\0' || v[0] == '+')
		return false;
	return v[0] == '*' || oauth_true(oauth_at(user, v));
}

static void
read_paths(struct ctx *cx, const struct oauth_row *row, const json_t *user, struct oauth_profile *out)
{
	if (row->id != NULL)
		out->id = oauth_text(cx, user, row->id);
	if (row->email != NULL)
		out->email = oauth_text(cx, user, row->email);
	if (row->name != NULL)
		out->name = texts_at(cx, user, row->name);
	out->verified = vouched(row, user);
	pick_email(cx, row, user, out);
}

/* At most `max` code points. */
static const char *
shortened(struct ctx *cx, const char *s, size_t max)
{
	size_t points = 0, i;

	for (i = 0; s[i] != '\0'; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80 && ++points > max)
			break;
	return str_dup(cx->arena, (struct str){s, i});
}

err_t
oauth_profile_checked(struct ctx *cx, struct oauth_profile *out)
{
	if (out->id == NULL || out->id[0] == '\0' || strlen(out->id) > ID_TEXT_MAX)
		return fail(cx, ERR_USER_MISSING_ID, "no id in the profile");
	if (out->email != NULL && (strlen(out->email) > EMAIL_MAX || !format_email(str_c(out->email))))
		out->email = NULL;
	out->verified = out->verified && out->email != NULL;
	out->name = out->name ? shortened(cx, out->name, NAME_MAX) : "";
	return OK;
}

static err_t
ask_user(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, json_t **out)
{
	const struct oauth_row *row = app->row;
	const char *account = row->account ? row->account(cx, t) : "";
	struct oauth_ask a = {.header = {row->header[0], row->header[1]}};
	json_t *more;

	if (row->account != NULL && account[0] == '\0')
		return fail(cx, ERR_USER_MISSING_ID, "no account in the token reply");
	TRY(oauth_expand(cx, app, row->user, t->access, account, &a.url));
	if (row->user_auth != AUTH_NONE)
		a.authorization = arena_printf(cx->arena, "%s %s", row->user_auth == AUTH_TOKEN ? "token" : "Bearer", t->access);
	if (a.header[1] != NULL && strcmp(a.header[1], "{client}") == 0)
		a.header[1] = app->client;
	if (row->user_body != NULL) {
		a.body = str_c(row->user_body);
		a.type = "application/json";
	}
	TRY(oauth_ask(cx, app, &a, out));
	json_object_set_new(*out, "account", json_string(account));
	if (row->more == NULL)
		return OK;
	TRY(oauth_expand(cx, app, row->more, t->access, account, &a.url));
	a.list_ok = true;
	TRY(oauth_ask(cx, app, &a, &more));
	json_object_set(*out, "more", more);
	return OK;
}

err_t
oauth_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, struct oauth_profile *out)
{
	const struct oauth_row *row = app->row;
	json_t *user = NULL;

	*out = (struct oauth_profile){0};
	if (row->user != NULL) {
		TRY(ask_user(cx, app, t, &user));
		read_paths(cx, row, user, out);
	}
	if (row->profile != NULL)
		TRY(row->profile(cx, app, t, user, out));
	return oauth_profile_checked(cx, out);
}

/* ---- the irregular ones ---- */

/* Its main address is the first of a list, if it is marked as that. An account may be verified by its bank while the address is not. */
err_t
oauth_paypal_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, const json_t *user, struct oauth_profile *out)
{
	const json_t *confirmed = oauth_at(user, "emails.0.confirmed");

	(void)app;
	(void)t;
	if (oauth_true(oauth_at(user, "emails.0.primary")))
		out->email = oauth_text(cx, user, "emails.0.value");
	if (confirmed != NULL && !oauth_true(confirmed))
		out->verified = false;
	return OK;
}

/* Whether the address is verified stands in a list of all of them. */
err_t
oauth_podio_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, const json_t *user, struct oauth_profile *out)
{
	const json_t *mails = oauth_at(user, "mails");

	(void)app;
	(void)t;
	for (size_t i = 0; out->email != NULL && i < json_array_size(mails); i++) {
		const char *mail = oauth_text(cx, json_array_get(mails, i), "mail");

		if (mail != NULL && strcmp(mail, out->email) == 0)
			out->verified = oauth_true(oauth_at(json_array_get(mails, i), "verified"));
	}
	return OK;
}

/* Etsy puts the user's number before the first dot of the access token. */
const char *
oauth_etsy_account(struct ctx *cx, const struct oauth_tokens *t)
{
	struct str rest = str_c(t->access);

	return str_dup(cx->arena, str_cut(&rest, '.'));
}

const char *
oauth_stripe_account(struct ctx *cx, const struct oauth_tokens *t)
{
	const char *id = oauth_text(cx, t->reply, "stripe_user_id");

	return id ? id : "";
}

/* ---- the built-in one ---- */

static bool
oauth_profile_same(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

const char *
oauth_mock_token(const struct oauth_mock *in, const char **why_out)
{
	bool refresh = oauth_profile_same(in->grant, "refresh_token");

	*why_out = NULL;
	if (!oauth_profile_same(in->client, "1"))
		*why_out = "Invalid client ID";
	else if (!oauth_profile_same(in->secret, "123456"))
		*why_out = "Invalid client secret";
	else if (!refresh && !oauth_profile_same(in->code, "abcdef"))
		*why_out = "Invalid token";
	else if (refresh && !oauth_profile_same(in->refresh, "tuvwxyz"))
		*why_out = "Invalid refresh token";
	return *why_out ? NULL : "{\"access_token\":\"123456\",\"refresh_token\":\"tuvwxyz\",\"expires_in\":14400}";
}

const char *
oauth_mock_user(const char *token)
{
	return oauth_profile_same(token, "123456") ? "{\"id\":1,\"name\":\"User Name\",\"email\":\"useroauth@localhost.test\"}" : NULL;
}

/* We are that provider: asking ourselves over the net would only add an address that somebody else may have chosen (the Host header). */
err_t
oauth_mock_answer(struct ctx *cx, const char *url, struct str *out)
{
	struct str rest = str_c(url), path = str_cut(&rest, '?');
	struct oauth_mock in = {0};
	const char *token = NULL, *why = "Invalid token";
	const struct {
		const char *name, **to;
	} names[] = {{"client_id", &in.client}, {"client_secret", &in.secret}, {"grant_type", &in.grant}, {"code", &in.code},
		{"refresh_token", &in.refresh}, {"token", &token}};

	while (rest.p != NULL) {
		struct str value = str_cut(&rest, '&'), name = str_cut(&value, '=');

		for (size_t i = 0; i < sizeof names / sizeof *names; i++)
			if (str_is(name, names[i].name))
				*names[i].to = str_dup(cx->arena, str_url_decode(cx->arena, value, true));
	}
	*out = str_c(str_ends(path, "/user") ? oauth_mock_user(token) : oauth_mock_token(&in, &why));
	return out->p ? OK : oauth_failed(cx, "The provider refused the sign-in.", why);
}
