/* OAuth2: the table of providers, addresses made from it, and the calls for tokens. What a provider answers is as suspect as any other input:
 * it is bounded, must be JSON or a form, and nothing of it is used unchecked. */
#include <sodium.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"
#include "io/fetch.h"
#include "model/format.h"
#include "model/link.h"
#include "oauth_priv.h"

enum { TOKEN_TEXT_MAX = 16384, SCOPES_MAX = 128, MEMBER_MAX = 64 };
static const int64_t expiry_max_s = INT64_C(10) * 365 * 86400;

const struct oauth_row oauth_rows[PROJECT_PROVIDERS] = {
#define OAUTH(key_, ...) {.key = #key_, __VA_ARGS__},
#include "oauth_providers.h"
#undef OAUTH
};

err_t
oauth_failed(struct ctx *cx, const char *words, const char *detail)
{
	cx->message = words;
	return fail(cx, ERR_USER_OAUTH2_PROVIDER_FAILURE, "%s", detail);
}

/* ---- the app of a project ---- */

static err_t
read_secret(struct ctx *cx, struct oauth_app *app, const char *stored)
{
	if (!app->row->json_secret) {
		app->secret = stored;
		if (stored[0] != '{')
			return OK;
		app->members = json_parse(cx, str_c(stored), NULL);	/* with what else is set for it, or a secret that looks so */
		if (oauth_text(cx, app->members, "clientSecret") != NULL)
			app->secret = oauth_text(cx, app->members, "clientSecret");
		return OK;
	}
	app->members = json_parse(cx, str_c(stored), NULL);
	if (!json_is_object(app->members))
		return fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "%s: the secret is no JSON object", app->key);
	if (app->row->make_secret != NULL)
		return OK;	/* when it is needed */
	app->secret = oauth_text(cx, app->members, "clientSecret");
	return app->secret && app->secret[0] ? OK : fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "%s: no clientSecret", app->key);
}

/* The providers are few, and their rows are in the order of the project's. */
static int
oauth_place(const char *provider)
{
	for (int i = 0; i < PROJECT_PROVIDERS; i++)
		if (strcmp(oauth_rows[i].key, provider) == 0)
			return i;
	return -1;
}

err_t
oauth_app_id(struct ctx *cx, const struct project *p, const char *provider, const char **out)
{
	int i = oauth_place(provider);

	if (i < 0 || !p->providers_on[i] || p->providers[i][0] == NULL || p->providers[i][0][0] == '\0')
		return fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "%s: no app, or it is off", provider);
	*out = p->providers[i][0];
	return OK;
}

err_t
oauth_open(struct ctx *cx, const struct project *p, const char *provider, const char *self, struct oauth_app *out)
{
	int i = oauth_place(provider);
	const char *id, *secret;

	if (i < 0)
		return fail(cx, ERR_PROJECT_PROVIDER_UNSUPPORTED, "provider=%s", provider);
	TRY(oauth_app_id(cx, p, provider, &id));
	secret = p->providers[i][1];
	if (secret == NULL || secret[0] == '\0')
		return fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "%s: the app has no secret", provider);
	*out = (struct oauth_app){.row = &oauth_rows[i], .key = oauth_rows[i].key, .client = id, .self = self};
	TRY(read_secret(cx, out, secret));
	return out->row->discovers ? oauth_discover(cx, p, out->members) : OK;
}

bool
oauth_refreshes(const char *provider)
{
	int i = oauth_place(provider);

	return i < 0 || !(oauth_rows[i].flags & OAUTH_NO_REFRESH);
}

bool
oauth_wants_verifier(const struct oauth_app *app)
{
	return app->row->flags & OAUTH_PKCE;
}

/* ---- templates ---- */

#define ADDRESS_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/[]~"

/* Addresses that a project's team typed in: nothing in them may change what the rest of the URL means. */
static bool
oauth_part_ok(const char *s)
{
	return s[0] != '\0' && s[strspn(s, ADDRESS_CHARS)] == '\0';
}

bool
oauth_address_ok(const char *s)
{
	size_t n = strspn(s, ADDRESS_CHARS);

	if (n > 0 && s[n] == '?')
		n += 1 + strspn(s + n + 1, ADDRESS_CHARS "=&%+,");
	return n > 0 && s[n] == '\0';
}

/* What comes behind an address that may have parameters already. */
static char
oauth_query_mark(const char *url)
{
	return strchr(url, '?') == NULL ? '?' : '&';
}

static err_t
add_member(struct ctx *cx, const struct oauth_app *app, struct buf *b, struct str name, bool whole)
{
	struct str preset = name, key = str_cut(&preset, ':');
	const char *value = app->members && key.n < MEMBER_MAX ? oauth_text(cx, app->members, str_dup(cx->arena, key)) : NULL;

	if (value == NULL || value[0] == '\0')
		value = preset.p ? str_dup(cx->arena, preset) : "";
	if (!(whole ? oauth_address_ok : oauth_part_ok)(value))
		return fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "%s: the secret's %.*s is missing or no address", app->key, STR_FMT(key));
	buf_c(b, value);
	return OK;
}

err_t
oauth_expand(struct ctx *cx, const struct oauth_app *app, const char *template, const char *access, const char *account, const char **out)
{
	const struct {
		const char *name, *value;
	} vars[] = {{"client", app->client}, {"secret", app->secret}, {"access", access}, {"account", account}};
	struct str rest = str_c(template), name;
	struct buf b;
	size_t k;

	buf_init(&b, cx->arena, rest.n + 128);
	for (;;) {
		buf_str(&b, str_cut(&rest, '{'));
		if (rest.p == NULL)
			break;
		name = str_cut(&rest, '}');
		for (k = 0; k < sizeof vars / sizeof *vars && !str_is(name, vars[k].name); k++)
			;
		if (k < sizeof vars / sizeof *vars)
			link_encode(&b, str_c(vars[k].value));
		else if (str_is(name, "self"))
			buf_c(&b, app->self);
		else
			TRY(add_member(cx, app, &b, name, rest.n == 0 && name.p == template + 1));
	}
	*out = buf_view(&b).p;
	if ((strncmp(*out, "https://", 8) != 0 && strncmp(*out, "http://", 7) != 0) || !format_url(str_c(*out)))
		return fail(cx, ERR_PROJECT_PROVIDER_DISABLED, "%s: the secret names no proper address", app->key);
	return OK;
}

/* ---- lists of parameters ---- */

static void
oauth_add_param(struct buf *b, bool *first, const char *name, const char *value)
{
	if (value == NULL || value[0] == '\0')
		return;
	if (!*first)
		buf_ch(b, '&');
	*first = false;
	buf_printf(b, "%s=", name);
	link_encode(b, str_c(value));
}

/* The callback as this provider knows it. */
static const char *
redirect_of(struct ctx *cx, const struct oauth_app *app, const char *redirect)
{
	const char *at = app->row->flags & OAUTH_LOOPBACK ? strstr(redirect, "://localhost") : NULL;
	char after = at ? at[12] : 'x';

	if (after != '\0' && after != ':' && after != '/')
		return redirect;
	return arena_printf(cx->arena, "%.*s://127.0.0.1%s", (int)(at - redirect), redirect, at + 12);
}

static bool
oauth_listed(const struct strs *l, const char *s)
{
	for (int i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

/* The provider's default scopes and then what else was asked for, each once. */
static struct strs
scopes_of(struct ctx *cx, const struct oauth_app *app, const struct strs *more)
{
	struct strs l = {.set = true, .v = arena_array(cx->arena, const char *, SCOPES_MAX)};
	struct str rest = str_c(app->row->scopes);

	while (rest.p != NULL)
		l.v[l.n++] = str_dup(cx->arena, str_cut(&rest, ' '));
	for (int i = 0; i < more->n && l.n < SCOPES_MAX; i++)
		if (more->v[i][0] != '\0' && !oauth_listed(&l, more->v[i]))
			l.v[l.n++] = more->v[i];
	return l;
}

static const char *
oauth_joined(struct ctx *cx, const struct strs *l, char by)
{
	struct buf b;

	buf_init(&b, cx->arena, 128);
	for (int i = 0; i < l->n; i++) {
		if (i > 0)
			buf_ch(&b, by);
		buf_c(&b, l->v[i]);
	}
	return buf_view(&b).p;
}

static void
add_scopes(struct ctx *cx, const struct oauth_app *app, const struct strs *more, struct buf *b, bool *first)
{
	struct strs l = scopes_of(cx, app, more);
	unsigned flags = app->row->flags;

	if (flags & OAUTH_NO_SCOPE)
		return;
	if (!(flags & OAUTH_SCOPE_LIST)) {
		oauth_add_param(b, first, "scope", oauth_joined(cx, &l, flags & OAUTH_COMMA ? ',' : ' '));
		return;
	}
	for (int i = 0; i < l.n; i++)
		oauth_add_param(b, first, arena_printf(cx->arena, "scope%%5B%d%%5D", i), l.v[i]);
}

static const char *
challenge(struct ctx *cx, const char *verifier)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)verifier, strlen(verifier));
	return base64_encode(cx->arena, (struct str){(const char *)hash, sizeof hash}, true);
}

/* What the project wants the provider to ask its user. */
static void
add_wishes(struct ctx *cx, const struct oauth_app *app, struct buf *b, bool *first)
{
	const json_t *prompt = json_object_get(app->members, "prompt"), *v;
	const char *age = app->members ? oauth_text(cx, app->members, "maxAge") : NULL;
	struct buf words;
	size_t i;

	buf_init(&words, cx->arena, 64);
	json_array_foreach(prompt, i, v)
		if (json_is_string(v))
			buf_printf(&words, "%s%s", i > 0 ? " " : "", json_string_value(v));
	if (words.n > 0)
		oauth_add_param(b, first, "prompt", str_dup(cx->arena, buf_view(&words)));
	if (age != NULL && age[0] != '\0')
		oauth_add_param(b, first, "max_age", age);
}

err_t
oauth_authorize_url(struct ctx *cx, const struct oauth_app *app, const struct oauth_trip *t, const char **out)
{
	const struct oauth_row *row = app->row;
	bool first = true;
	const char *base;
	struct buf b;

	TRY(oauth_expand(cx, app, row->authorize, NULL, NULL, &base));
	buf_init(&b, cx->arena, 1024);
	buf_printf(&b, "%s%c", base, oauth_query_mark(base));
	oauth_add_param(&b, &first, "client_id", app->client);
	if (!(row->flags & OAUTH_NO_REDIRECT))
		oauth_add_param(&b, &first, "redirect_uri", redirect_of(cx, app, t->redirect));
	if (!(row->flags & OAUTH_NO_TYPE))
		oauth_add_param(&b, &first, "response_type", "code");
	add_scopes(cx, app, &t->scopes, &b, &first);
	oauth_add_param(&b, &first, "state", t->state);
	if (row->flags & OAUTH_PKCE) {
		oauth_add_param(&b, &first, "code_challenge", challenge(cx, t->verifier));
		oauth_add_param(&b, &first, "code_challenge_method", "S256");
	}
	add_wishes(cx, app, &b, &first);
	if (row->extra != NULL)
		buf_printf(&b, "&%s", row->extra);
	*out = b.p;
	return OK;
}

/* ---- asking ---- */

static bool
any_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* Some answer in the way forms are sent. */
static json_t *
parse_form(struct ctx *cx, struct str body)
{
	struct buf b;
	struct jw w;

	if (body.n > TOKEN_TEXT_MAX || memchr(body.p, '=', body.n) == NULL || memchr(body.p, '<', body.n) != NULL)
		return NULL;
	buf_init(&b, cx->arena, body.n * 2);
	jw_init(&w, &b);
	jw_obj(&w);
	while (body.p != NULL) {
		struct str value = str_cut(&body, '&'), name = str_url_decode(cx->arena, str_cut(&value, '='), true);

		jw_key(&w, name);
		jw_str(&w, value.p ? str_url_decode(cx->arena, value, true) : STR(""));
	}
	jw_obj_end(&w);
	return json_parse(cx, buf_view(&b), NULL);
}

static err_t
fetched(struct ctx *cx, const struct oauth_ask *a, struct str *out)
{
	struct fetch_header h[5] = {{"User-Agent", "Appwrite OAuth2"}, {"Accept", "application/json"}};
	struct fetch f = {.url = a->url, .headers = h, .n_headers = 2, .body = a->body, .user = a->user, .password = a->password,
		.private_ok = conf.oauth_private};
	struct fetch_reply *reply;
	err_t e;

	if (a->authorization != NULL)
		h[f.n_headers++] = (struct fetch_header){"Authorization", a->authorization};
	if (a->header[0] != NULL)
		h[f.n_headers++] = (struct fetch_header){a->header[0], a->header[1]};
	if (a->type != NULL)
		h[f.n_headers++] = (struct fetch_header){"Content-Type", a->type};
	e = fetch(cx, &f, &reply);
	if (e == ERR_FETCH || e == ERR_FETCH_REFUSED)
		return oauth_failed(cx, "The provider could not be reached.", cx->detail ? cx->detail : "fetch");
	TRY(e);
	if (reply->status < 200 || reply->status > 299)
		return oauth_failed(cx, "The provider refused the sign-in.", arena_printf(cx->arena, "the provider answered %d", reply->status));
	*out = reply->body;
	return OK;
}

err_t
oauth_ask(struct ctx *cx, const struct oauth_app *app, const struct oauth_ask *a, json_t **out)
{
	struct str body;

	TRY(app->row->local ? app->row->local(cx, a->url, &body) : fetched(cx, a, &body));
	*out = body.n > 0 ? json_parse_outside(cx, body, NULL) : NULL;
	if (*out == NULL && body.n > 0)
		*out = parse_form(cx, body);
	if (json_is_object(*out) || (a->list_ok && json_is_array(*out)))
		return OK;
	return oauth_failed(cx, "The provider's answer was not understood.", "neither JSON nor a form");
}

/* ---- tokens ---- */

struct values {		/* of the parameters that token calls have */
	const char *grant, *redirect, *scope;
	const struct oauth_trip *trip;
	const char *refresh;
};

static const char *
oauth_value_of(const struct oauth_app *app, const struct values *v, struct str name)
{
	const struct oauth_trip *t = v->trip;
	const struct {
		const char *name, *value;
	} all[] = {{"code", t->code}, {"client_id", app->client}, {"client_secret", app->secret}, {"redirect_uri", v->redirect},
		{"grant_type", v->grant}, {"scope", v->scope}, {"state", t->state}, {"code_verifier", t->verifier}, {"refresh_token", v->refresh}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (str_is(name, all[i].name))
			return all[i].value;
	return NULL;
}

static struct str
params_text(struct ctx *cx, const struct oauth_app *app, const struct values *v, const char *names)
{
	struct str rest = str_c(names);
	bool first = true;
	struct buf b;

	buf_init(&b, cx->arena, 512);
	while (rest.p != NULL) {
		struct str name = str_cut(&rest, ' ');

		oauth_add_param(&b, &first, str_dup(cx->arena, name), oauth_value_of(app, v, name));
	}
	return buf_view(&b);
}

static int64_t
expiry_of(struct ctx *cx, const json_t *reply)
{
	const char *text = oauth_text(cx, reply, "expires_in");
	int64_t s = 0;

	if (text == NULL || !str_to_i64(str_c(text), &s) || s < 0)
		s = 0;
	return time_now_ms() + (s < expiry_max_s ? s : expiry_max_s) * 1000;
}

static const char *
token_text(struct ctx *cx, const json_t *reply, const char *name)
{
	const char *s = oauth_text(cx, reply, name);

	return s != NULL && strlen(s) <= TOKEN_TEXT_MAX && !any_control(s) ? s : "";
}

static err_t
call_for_tokens(struct ctx *cx, struct oauth_app *app, const struct values *v, const char *template, const char *names, struct oauth_tokens *out)
{
	enum oauth_how how = app->row->how;
	struct oauth_ask a = {0};
	struct str params;

	if (app->row->make_secret != NULL)
		TRY(app->row->make_secret(cx, app, &app->secret));
	TRY(oauth_expand(cx, app, template, NULL, NULL, &a.url));
	params = params_text(cx, app, v, names);
	if (how == TOKEN_QUERY || how == TOKEN_GET)
		a.url = arena_printf(cx->arena, "%s%c%s", a.url, oauth_query_mark(a.url), params.p);
	if (how != TOKEN_GET)
		a.body = how == TOKEN_QUERY ? STR("") : params;
	if (how == TOKEN_BASIC) {
		a.user = app->client;
		a.password = app->secret;
	}
	TRY(oauth_ask(cx, app, &a, &out->reply));
	out->access = token_text(cx, out->reply, "access_token");
	out->refresh = token_text(cx, out->reply, "refresh_token");
	out->expiry = expiry_of(cx, out->reply);
	return OK;
}

err_t
oauth_exchange(struct ctx *cx, const struct oauth_app *app, const struct oauth_trip *t, struct oauth_tokens *out)
{
	const struct oauth_row *row = app->row;
	const char *names = row->params ? row->params : row->how == TOKEN_BASIC ? "code redirect_uri grant_type" : FORM_PLAIN;
	struct strs scopes = scopes_of(cx, app, &t->scopes);
	struct values v = {.grant = "authorization_code", .redirect = redirect_of(cx, app, t->redirect), .scope = oauth_joined(cx, &scopes, ' '), .trip = t};
	struct oauth_app mine = *app;

	TRY(call_for_tokens(cx, &mine, &v, row->token, names, out));
	if (out->access[0] == '\0')
		return oauth_failed(cx, "The provider gave no access token.", "no access_token");
	return OK;
}

err_t
oauth_refresh(struct ctx *cx, const struct oauth_app *app, const char *redirect, const char *refresh, struct oauth_tokens *out)
{
	const struct oauth_row *row = app->row;
	const char *names = row->refresh_params		? row->refresh_params
			    : row->how == TOKEN_BASIC ? "grant_type refresh_token"
						      : "client_id client_secret grant_type refresh_token";
	struct values v = {.grant = "refresh_token", .redirect = redirect_of(cx, app, redirect), .trip = &(struct oauth_trip){0}, .refresh = refresh};
	struct oauth_app mine = *app;

	TRY(call_for_tokens(cx, &mine, &v, row->refresh ? row->refresh : row->token, names, out));
	if (out->refresh[0] == '\0')
		out->refresh = refresh;
	return OK;
}
