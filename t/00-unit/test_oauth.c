/* OAuth2 providers: for each one the address it is asked at, what it is asked, and what is made of its answers, against a provider that only
 * notes down; Apple's signature; the state. The expectations are written out, not derived from the table. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/fetch.h"

static err_t fake_fetch(struct ctx *cx, const struct fetch *f, struct fetch_reply **out);
#define fetch(cx, f, out) fake_fetch(cx, f, out)
#include "../../src/svc/account/oauth.c"
#undef fetch
#include "model/seal.h"
#include "svc/account/id_token.h"
#include "svc/account/oauth_kept.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

/* ---- the provider ---- */

enum { CALLS_MAX = 4 };
static struct {
	const char *answers[CALLS_MAX];
	int n;
	char url[CALLS_MAX][1024], method[CALLS_MAX][8], body[CALLS_MAX][4096], user[CALLS_MAX][64], header[CALLS_MAX][256];
} net;

static err_t
fake_fetch(struct ctx *cx, const struct fetch *f, struct fetch_reply **out)
{
	int i = net.n++;

	cr_assert_lt(i, CALLS_MAX);
	cr_assert_not_null(net.answers[i], "an unexpected call of %s", f->url);
	snprintf(net.url[i], sizeof net.url[i], "%s", f->url);
	snprintf(net.method[i], sizeof net.method[i], "%s", f->method ? f->method : f->body.p ? "POST" : "GET");
	snprintf(net.body[i], sizeof net.body[i], "%.*s", STR_FMT(f->body));
	snprintf(net.user[i], sizeof net.user[i], "%s%s%s", f->user ? f->user : "", f->user ? ":" : "", f->user ? f->password : "");
	net.header[i][0] = '\0';
	cr_assert_str_eq(f->headers[0].name, "User-Agent");
	cr_assert_str_eq(f->headers[0].value, "Appwrite OAuth2");
	for (int k = 1; k < f->n_headers; k++)
		if (strcmp(f->headers[k].name, "Accept") != 0)
			snprintf(net.header[i] + strlen(net.header[i]), sizeof net.header[i] - strlen(net.header[i]), "%s: %s\n", f->headers[k].name,
			    f->headers[k].value);
	cr_assert_not(f->private_ok);
	cr_assert_eq(f->redirects, 0);
	*out = arena_new_of(cx->arena, struct fetch_reply);
	(*out)->status = 200;
	(*out)->body = str_c(net.answers[i]);
	return OK;
}

/* ---- what is expected ---- */

#define BACK "redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcb"
#define BACK4 "redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fcb"
#define WAY "client_id=app&" BACK "&response_type=code&state=st"
#define FORM "code=co&client_id=app&client_secret=sec&" BACK "&grant_type=authorization_code"
#define BEARER "Authorization: Bearer 7.tok\n"

static const struct want {
	const char *key;
	const char *authorize, *params;		/* parameters in any order */
	const char *token;			/* method and address; what follows the ? in any order */
	const char *body;			/* in any order */
	bool basic;
	const char *users[2];			/* method and address of each look-up */
	const char *header;
	const char *answers[2];
	const char *id, *email, *name;
	bool verified;
} wants[] = {
    {"amazon", "https://www.amazon.com/ap/oa", WAY "&scope=profile", "POST https://api.amazon.com/auth/o2/token", FORM, false,
	{"GET https://api.amazon.com/user/profile?access_token=7.tok"}, "", {"{\"user_id\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\"}"}, "u", "a@b.co", "N", false},
    {"auth0", "https://a.auth0.com/authorize", WAY "&scope=openid+profile+email+offline_access", "POST https://a.auth0.com/oauth/token",
	FORM "&scope=openid+profile+email+offline_access", false, {"GET https://a.auth0.com/userinfo"}, BEARER,
	{"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"authentik", "https://ak.example.com/application/o/authorize", WAY "&scope=openid+profile+email+offline_access",
	"POST https://ak.example.com/application/o/token/", FORM "&scope=openid+profile+email+offline_access", false,
	{"GET https://ak.example.com/application/o/userinfo/"}, BEARER, {"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":false}"}, "u",
	"a@b.co", "N", false},
    {"autodesk", "https://developer.api.autodesk.com/authentication/v1/authorize", WAY "&scope=user-profile%3Aread",
	"POST https://developer.api.autodesk.com/authentication/v1/gettoken", FORM, false,
	{"GET https://developer.api.autodesk.com/userprofile/v1/users/@me"}, BEARER,
	{"{\"userId\":\"u\",\"emailId\":\"a@b.co\",\"userName\":\"N\",\"emailVerified\":true}"}, "u", "a@b.co", "N", true},
    {"bitbucket", "https://bitbucket.org/site/oauth2/authorize", "client_id=app&response_type=code&state=st",
	"POST https://bitbucket.org/site/oauth2/access_token", "code=co&client_id=app&client_secret=sec&grant_type=authorization_code", false,
	{"GET https://api.bitbucket.org/2.0/user?access_token=7.tok", "GET https://api.bitbucket.org/2.0/user/emails?access_token=7.tok"}, "",
	{"{\"uuid\":\"u\",\"display_name\":\"N\"}", "{\"values\":[{\"email\":\"x@b.co\",\"is_confirmed\":false},{\"email\":\"a@b.co\",\"is_confirmed\":true}]}"}, "u",
	"a@b.co", "N", true},
    {"bitly", "https://bitly.com/oauth/authorize", "client_id=app&" BACK "&state=st", "POST https://api-ssl.bitly.com/oauth/access_token",
	"code=co&client_id=app&client_secret=sec&" BACK "&state=st", false, {"GET https://api-ssl.bitly.com/v4/user"}, BEARER,
	{"{\"login\":\"u\",\"name\":\"N\",\"emails\":[{\"email\":\"x@b.co\",\"is_verified\":false},{\"email\":\"a@b.co\",\"is_verified\":true}]}"}, "u", "a@b.co",
	"N", true},
    {"box", "https://account.box.com/api/oauth2/authorize", WAY "&scope=manage_app_users", "POST https://account.box.com/api/oauth2/token",
	FORM "&scope=manage_app_users", false, {"GET https://api.box.com/2.0/me"}, BEARER, {"{\"id\":\"11\",\"login\":\"a@b.co\",\"name\":\"N\"}"}, "11",
	"a@b.co", "N", false},
    {"dailymotion", "https://www.dailymotion.com/oauth/authorize", WAY "&scope=userinfo+email", "POST https://api.dailymotion.com/oauth/token",
	FORM "&scope=userinfo+email", false, {"GET https://api.dailymotion.com/user/me?fields=email,id,fullname,verified"}, BEARER,
	{"{\"id\":\"u\",\"email\":\"a@b.co\",\"fullname\":\"N\",\"verified\":true}"}, "u", "a@b.co", "N", true},
    {"discord", "https://discordapp.com/api/oauth2/authorize", WAY "&scope=identify+email", "POST https://discordapp.com/api/oauth2/token",
	FORM "&scope=identify+email", false, {"GET https://discordapp.com/api/users/@me"}, BEARER,
	{"{\"id\":\"u\",\"email\":\"a@b.co\",\"username\":\"N\",\"verified\":true}"}, "u", "a@b.co", "N", true},
    {"disqus", "https://disqus.com/api/oauth/2.0/authorize/", WAY "&scope=read%2Cemail", "POST https://disqus.com/api/oauth/2.0/access_token/",
	FORM "&scope=read+email", false, {"GET https://disqus.com/api/3.0/users/details.json?access_token=7.tok&api_key=app&api_secret=sec"}, "",
	{"{\"response\":{\"id\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\"}}"}, "u", "a@b.co", "N", false},
    {"dropbox", "https://www.dropbox.com/oauth2/authorize", WAY, "POST https://api.dropboxapi.com/oauth2/token", FORM, false,
	{"POST https://api.dropboxapi.com/2/users/get_current_account"}, BEARER "Content-Type: application/json\n",
	{"{\"account_id\":\"u\",\"email\":\"a@b.co\",\"name\":{\"display_name\":\"N\"},\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"etsy", "https://www.etsy.com/oauth/connect/oauth/authorize",
	WAY "&scope%5B0%5D=email_r&scope%5B1%5D=profile_r&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
	"POST https://api.etsy.com/v3/public/oauth/token",
	"code=co&client_id=app&" BACK "&grant_type=authorization_code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", false,
	{"GET https://api.etsy.com/v3/application/users/7"}, BEARER "x-api-key: app\n", {"{\"primary_email\":\"a@b.co\",\"login_name\":\"N\"}"}, "7",
	"a@b.co", "N", false},
    {"facebook", "https://www.facebook.com/v2.8/dialog/oauth", "client_id=app&" BACK "&state=st&scope=email",
	"GET https://graph.facebook.com/v2.8/oauth/access_token?code=co&client_id=app&client_secret=sec&" BACK, "", false,
	{"GET https://graph.facebook.com/v2.8/me?fields=email,name&access_token=7.tok"}, "", {"{\"id\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\"}"}, "u",
	"a@b.co", "N", false},
    {"github", "https://github.com/login/oauth/authorize", "client_id=app&" BACK "&state=st&scope=user%3Aemail",
	"POST https://github.com/login/oauth/access_token", "code=co&client_id=app&client_secret=sec&" BACK, false,
	{"GET https://api.github.com/user", "GET https://api.github.com/user/emails"}, "Authorization: token 7.tok\n",
	{"{\"id\":11,\"email\":\"shown@b.co\",\"name\":\"N\"}", "[{\"email\":\"x@b.co\",\"verified\":false},{\"email\":\"a@b.co\",\"verified\":true}]"}, "11",
	"a@b.co", "N", true},
    {"gitlab", "https://git.example.com/oauth/authorize", WAY "&scope=read_user", "POST https://git.example.com/oauth/token?" FORM, "", false,
	{"GET https://git.example.com/api/v4/user?access_token=7.tok"}, "",
	{"{\"id\":11,\"email\":\"a@b.co\",\"name\":\"N\",\"confirmed_at\":\"2020-01-01\"}"}, "11", "a@b.co", "N", true},
    {"google", "https://accounts.google.com/o/oauth2/v2/auth",
	WAY "&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fuserinfo.email+https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fuserinfo.profile+openid",
	"POST https://oauth2.googleapis.com/token?" FORM, "", false, {"GET https://www.googleapis.com/oauth2/v3/userinfo?access_token=7.tok"}, "",
	{"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"linkedin", "https://www.linkedin.com/oauth/v2/authorization", WAY "&scope=r_liteprofile+r_emailaddress",
	"POST https://www.linkedin.com/oauth/v2/accessToken", FORM, false,
	{"GET https://api.linkedin.com/v2/me", "GET https://api.linkedin.com/v2/emailAddress?q=members&projection=(elements*(handle~))"}, BEARER,
	{"{\"id\":\"u\",\"localizedFirstName\":\"F\",\"localizedLastName\":\"L\"}", "{\"elements\":[{\"handle~\":{\"emailAddress\":\"a@b.co\"}}]}"}, "u",
	"a@b.co", "F L", false},
    {"microsoft", "https://login.microsoftonline.com/ten/oauth2/v2.0/authorize", WAY "&scope=offline_access+user.read&response_mode=query",
	"POST https://login.microsoftonline.com/ten/oauth2/v2.0/token", FORM "&scope=offline_access+user.read", false,
	{"GET https://graph.microsoft.com/v1.0/me"}, BEARER, {"{\"id\":\"u\",\"userPrincipalName\":\"a@b.co\",\"displayName\":\"N\"}"}, "u", "a@b.co", "N",
	false},
    {"notion", "https://api.notion.com/v1/oauth/authorize", WAY "&owner=user", "POST https://api.notion.com/v1/oauth/token",
	"code=co&" BACK "&grant_type=authorization_code", true, {"GET https://api.notion.com/v1/users/me"}, BEARER "Notion-Version: 2021-08-16\n",
	{"{\"bot\":{\"owner\":{\"user\":{\"id\":\"u\",\"name\":\"N\",\"person\":{\"email\":\"a@b.co\"}}}}}"}, "u", "a@b.co", "N", false},
    {"okta", "https://o.okta.com/oauth2/srv/v1/authorize", WAY "&scope=openid+profile+email+offline_access", "POST https://o.okta.com/oauth2/srv/v1/token",
	FORM "&scope=openid+profile+email+offline_access", false, {"GET https://o.okta.com/oauth2/srv/v1/userinfo"}, BEARER,
	{"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"paypal", "https://www.paypal.com/connect/", "client_id=app&" BACK4 "&response_type=code&state=st&scope=openid+profile+email&flowEntry=static",
	"POST https://api.paypal.com/v1/oauth2/token", "code=co&grant_type=authorization_code", true,
	{"GET https://api.paypal.com/v1/identity/oauth2/userinfo?schema=paypalv1.1"}, BEARER,
	{"{\"payer_id\":\"u\",\"name\":\"N\",\"emails\":[{\"value\":\"a@b.co\",\"primary\":true}],\"verified_account\":\"true\"}"}, "u", "a@b.co", "N", true},
    {"paypalSandbox", "https://www.sandbox.paypal.com/connect/",
	"client_id=app&" BACK4 "&response_type=code&state=st&scope=openid+profile+email&flowEntry=static", "POST https://api.sandbox.paypal.com/v1/oauth2/token",
	"code=co&grant_type=authorization_code", true, {"GET https://api.sandbox.paypal.com/v1/identity/oauth2/userinfo?schema=paypalv1.1"}, BEARER,
	{"{\"payer_id\":\"u\",\"name\":\"N\",\"emails\":[{\"value\":\"a@b.co\",\"primary\":false}],\"verified_account\":true}"}, "u", NULL, "N", false},
    {"podio", "https://podio.com/oauth/authorize", "client_id=app&" BACK "&state=st", "POST https://api.podio.com/oauth/token", FORM, false,
	{"GET https://api.podio.com/user", "GET https://api.podio.com/user/profile"}, BEARER,
	{"{\"user_id\":11,\"mail\":\"a@b.co\",\"mails\":[{\"mail\":\"x@b.co\",\"verified\":false},{\"mail\":\"a@b.co\",\"verified\":true}]}", "{\"name\":\"N\"}"}, "11",
	"a@b.co", "N", true},
    {"salesforce", "https://login.salesforce.com/services/oauth2/authorize", WAY "&scope=openid", "POST https://login.salesforce.com/services/oauth2/token",
	"code=co&" BACK "&grant_type=authorization_code", true, {"GET https://login.salesforce.com/services/oauth2/userinfo?access_token=7.tok"}, "",
	{"{\"user_id\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"slack", "https://slack.com/oauth/authorize",
	"client_id=app&" BACK "&state=st&scope=identity.avatar+identity.basic+identity.email+identity.team",
	"GET https://slack.com/api/oauth.access?code=co&client_id=app&client_secret=sec&" BACK, "", false,
	{"GET https://slack.com/api/users.identity?token=7.tok"}, "", {"{\"user\":{\"id\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\"}}"}, "u", "a@b.co", "N",
	false},
    {"spotify", "https://accounts.spotify.com/authorize", WAY "&scope=user-read-email", "POST https://accounts.spotify.com/api/token",
	"code=co&" BACK "&grant_type=authorization_code", true, {"GET https://api.spotify.com/v1/me"}, BEARER,
	{"{\"id\":\"u\",\"email\":\"a@b.co\",\"display_name\":\"N\"}"}, "u", "a@b.co", "N", false},
    {"stripe", "https://connect.stripe.com/oauth/authorize", WAY "&scope=read_write", "POST https://connect.stripe.com/oauth/token",
	"grant_type=authorization_code&code=co&client_secret=sec", false, {"GET https://api.stripe.com/v1/accounts/acct_1"}, BEARER,
	{"{\"id\":\"acct_1\",\"email\":\"a@b.co\",\"name\":\"N\"}"}, "acct_1", "a@b.co", "N", false},
    {"tradeshift", "https://api.tradeshift.com/tradeshift/auth/login", "client_id=app&" BACK4 "&response_type=code&state=st&scope=openid+offline",
	"POST https://api.tradeshift.com/tradeshift/auth/token", "grant_type=authorization_code&code=co", true,
	{"GET https://api.tradeshift.com/tradeshift/rest/external/account/info/user"}, BEARER,
	{"{\"Id\":\"u\",\"Username\":\"a@b.co\",\"FirstName\":\"F\",\"LastName\":\"L\"}"}, "u", "a@b.co", "F L", false},
    {"tradeshiftBox", "https://api-sandbox.tradeshift.com/tradeshift/auth/login", "client_id=app&" BACK4 "&response_type=code&state=st&scope=openid+offline",
	"POST https://api-sandbox.tradeshift.com/tradeshift/auth/token", "grant_type=authorization_code&code=co", true,
	{"GET https://api-sandbox.tradeshift.com/tradeshift/rest/external/account/info/user"}, BEARER,
	{"{\"Id\":\"u\",\"Username\":\"a@b.co\",\"FirstName\":\"F\"}"}, "u", "a@b.co", "F", false},
    {"twitch", "https://id.twitch.tv/oauth2/authorize", WAY "&scope=user%3Aread%3Aemail&force_verify=1", "POST https://id.twitch.tv/oauth2/token?" FORM, "",
	false, {"GET https://api.twitch.tv/helix/users"}, BEARER "Client-Id: app\n",
	{"{\"data\":[{\"id\":\"u\",\"email\":\"a@b.co\",\"display_name\":\"N\"}]}"}, "u", "a@b.co", "N", true},
    {"wordpress", "https://public-api.wordpress.com/oauth2/authorize", WAY "&scope%5B0%5D=auth", "POST https://public-api.wordpress.com/oauth2/token", FORM,
	false, {"GET https://public-api.wordpress.com/rest/v1/me"}, BEARER,
	{"{\"ID\":11,\"email\":\"a@b.co\",\"username\":\"N\",\"email_verified\":true}"}, "11", "a@b.co", "N", true},
    {"yahoo", "https://api.login.yahoo.com/oauth2/request_auth", WAY "&scope=sdct-r+sdpp-w", "POST https://api.login.yahoo.com/oauth2/get_token",
	"code=co&" BACK "&grant_type=authorization_code", true, {"GET https://api.login.yahoo.com/openid/v1/userinfo"}, BEARER,
	{"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\"}"}, "u", "a@b.co", "N", false},
    {"yammer", "https://www.yammer.com/oauth2/oauth2/authorize", WAY, "POST https://www.yammer.com/oauth2/access_token",
	"code=co&client_id=app&client_secret=sec&grant_type=authorization_code", false, {"GET https://www.yammer.com/api/v1/users/current.json"}, BEARER,
	{"{\"id\":11,\"email\":\"a@b.co\",\"full_name\":\"N\"}"}, "11", "a@b.co", "N", false},
    {"yandex", "https://oauth.yandex.com/authorize", "client_id=app&response_type=code&state=st", "POST https://oauth.yandex.com/token",
	"code=co&grant_type=authorization_code", true, {"GET https://login.yandex.ru/info?format=json&oauth_token=7.tok"}, "",
	{"{\"id\":\"u\",\"default_email\":\"a@b.co\",\"display_name\":\"N\"}"}, "u", "a@b.co", "N", false},
    {"zoom", "https://zoom.us/oauth/authorize", WAY "&scope=user_info%3Aread", "POST https://zoom.us/oauth/token",
	"code=co&" BACK "&grant_type=authorization_code", true, {"GET https://api.zoom.us/v2/users/me"}, BEARER,
	{"{\"id\":\"u\",\"email\":\"a@b.co\",\"first_name\":\"F\",\"last_name\":\"L\",\"verified\":1}"}, "u", "a@b.co", "F L", true},
    {"figma", "https://www.figma.com/oauth", WAY "&scope=current_user%3Aread", "POST https://api.figma.com/v1/oauth/token", "code=co&" BACK "&grant_type=authorization_code", true,
	{"GET https://api.figma.com/v1/me"}, BEARER, {"{\"id\":\"u\",\"email\":\"a@b.co\",\"handle\":\"N\"}"}, "u", "a@b.co", "N", false},
    {"fusionauth", "https://fa.example.com/oauth2/authorize", WAY "&scope=openid+email+profile+offline_access", "POST https://fa.example.com/oauth2/token", FORM, false,
	{"GET https://fa.example.com/oauth2/userinfo"}, BEARER, {"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"huggingface", "https://huggingface.co/oauth/authorize", WAY "&scope=openid+profile+email", "POST https://huggingface.co/oauth/token",
	"code=co&" BACK "&grant_type=authorization_code", true, {"GET https://huggingface.co/oauth/userinfo"}, BEARER, {"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"keycloak", "https://kc.example.com/realms/r1/protocol/openid-connect/auth", WAY "&scope=openid+profile+email+offline_access",
	"POST https://kc.example.com/realms/r1/protocol/openid-connect/token", FORM, false, {"GET https://kc.example.com/realms/r1/protocol/openid-connect/userinfo"}, BEARER,
	{"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"kick", "https://id.kick.com/oauth/authorize", WAY "&scope=user%3Aread&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256", "POST https://id.kick.com/oauth/token", FORM "&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", false,
	{"GET https://api.kick.com/public/v1/users"}, BEARER, {"{\"data\":[{\"user_id\":7,\"email\":\"a@b.co\",\"name\":\"N\"}]}"}, "7", "a@b.co", "N", false},
    {"oidc", "https://id.example.com/auth", WAY "&scope=openid+profile+email", "POST https://id.example.com/token", FORM, false, {"GET https://id.example.com/me"}, BEARER,
	{"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
    {"x", "https://x.com/i/oauth2/authorize", WAY "&scope=users.read+users.email+tweet.read+offline.access&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256", "POST https://api.x.com/2/oauth2/token",
	"code=co&" BACK "&grant_type=authorization_code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", true, {"GET https://api.x.com/2/users/me?user.fields=confirmed_email"}, BEARER,
	{"{\"data\":{\"id\":\"u\",\"confirmed_email\":\"a@b.co\",\"name\":\"N\"}}"}, "u", "a@b.co", "N", true},
    {"zoho", "https://accounts.zoho.com/oauth/v2/auth", WAY "&scope=openid+profile+email&access_type=offline", "POST https://accounts.zoho.com/oauth/v2/token", FORM, false,
	{"GET https://accounts.zoho.com/oauth/v2/userinfo"}, BEARER, {"{\"sub\":\"u\",\"email\":\"a@b.co\",\"name\":\"N\",\"email_verified\":true}"}, "u", "a@b.co", "N", true},
};

/* ---- comparing ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *
sorted(struct ctx *cx, const char *params)
{
	struct str rest = str_c(params);
	const char *v[32];
	struct buf b;
	int n = 0;

	while (rest.p != NULL && n < 32)
		v[n++] = str_dup(cx->arena, str_cut(&rest, '&'));
	qsort(v, (size_t)n, sizeof *v, by_text);
	buf_init(&b, cx->arena, 256);
	for (int i = 0; i < n; i++)
		buf_printf(&b, "%s&", v[i]);
	return buf_view(&b).p;
}

/* "address?" and the parameters in order of the alphabet. */
static const char *
normal(struct ctx *cx, const char *url)
{
	const char *q = strchr(url, '?');

	return q ? arena_printf(cx->arena, "%.*s%s", (int)(q - url + 1), url, sorted(cx, q + 1)) : url;
}

static const char secrets[] = "{\"clientSecret\":\"sec\",\"auth0Domain\":\"a.auth0.com\",\"authentikDomain\":\"ak.example.com\",\"oktaDomain\":\"o.okta.com\","
			      "\"authorizationServerId\":\"srv\",\"tenantID\":\"ten\",\"endpoint\":\"https://git.example.com\","
			      "\"fusionauthDomain\":\"fa.example.com\",\"keycloakDomain\":\"kc.example.com\",\"keycloakRealm\":\"r1\","
			      "\"authorizationEndpoint\":\"https://id.example.com/auth\",\"tokenEndpoint\":\"https://id.example.com/token\","
			      "\"userInfoEndpoint\":\"https://id.example.com/me\"}";
static const struct oauth_trip trip = {.redirect = "http://localhost:8080/cb", .state = "st", .code = "co",
	.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"};	/* with its challenge from RFC 7636, appendix B */

static struct oauth_app
app_of(struct ctx *cx, struct project *p, const char *key, const char *secret)
{
	struct oauth_app app;

	for (int i = 0; i < PROJECT_PROVIDERS; i++) {
		p->providers[i][0] = "app";
		p->providers_on[i] = true;
		p->providers[i][1] = secret ? secret : oauth_rows[i].json_secret ? secrets : "sec";
	}
	cr_assert_eq(oauth_open(cx, p, key, "http://self", &app), OK, "%s: %s", key, cx->detail);
	return app;
}

static void
expect_tokens(struct ctx *cx, const struct want *w, int i)
{
	cr_expect_str_eq(normal(cx, arena_printf(cx->arena, "%s %s", net.method[i], net.url[i])), normal(cx, w->token), "%s", w->key);
	cr_expect_str_eq(sorted(cx, net.body[i]), sorted(cx, w->body), "%s", w->key);
	cr_expect_str_eq(net.user[i], w->basic ? "app:sec" : "", "%s", w->key);
}

static void
check(const struct want *w)
{
	const char *url;
	struct project p = {0};
	struct oauth_profile who;
	struct oauth_tokens t;
	struct oauth_app app;
	struct ctx cx;

	ctx_init(&cx);
	app = app_of(&cx, &p, w->key, NULL);
	cr_assert_eq(oauth_authorize_url(&cx, &app, &trip, &url), OK);
	cr_expect_str_eq(normal(&cx, url), normal(&cx, arena_printf(cx.arena, "%s?%s", w->authorize, w->params)), "%s", w->key);
	memset(&net, 0, sizeof net);
	net.answers[0] = "{\"access_token\":\"7.tok\",\"refresh_token\":\"re\",\"expires_in\":60,\"stripe_user_id\":\"acct_1\"}";
	net.answers[1] = w->answers[0];
	net.answers[2] = w->answers[1];
	cr_assert_eq(oauth_exchange(&cx, &app, &trip, &t), OK, "%s: %s", w->key, cx.detail);
	expect_tokens(&cx, w, 0);
	cr_expect_str_eq(t.refresh, "re");
	cr_assert_eq(oauth_profile(&cx, &app, &t, &who), OK, "%s: %s", w->key, cx.detail);
	cr_expect_eq(net.n, w->users[1] ? 3 : 2);
	for (int i = 0; i < net.n - 1; i++) {
		cr_expect_str_eq(arena_printf(cx.arena, "%s %s", net.method[i + 1], net.url[i + 1]), w->users[i], "%s", w->key);
		cr_expect_str_eq(net.header[i + 1], w->header, "%s", w->key);
	}
	cr_expect_str_eq(who.id, w->id, "%s", w->key);
	cr_expect(w->email ? who.email != NULL && strcmp(who.email, w->email) == 0 : who.email == NULL, "%s", w->key);
	cr_expect_str_eq(who.name, w->name, "%s", w->key);
	cr_expect_eq(who.verified, w->verified, "%s", w->key);
	ctx_fini(&cx);
}

Test(oauth, every_provider)
{
	for (size_t i = 0; i < sizeof wants / sizeof *wants; i++)
		check(&wants[i]);
	cr_assert_eq(sizeof wants / sizeof *wants, PROJECT_PROVIDERS - 2, "all but apple and mock");
}

Test(oauth, rows_stand_as_in_the_project_model)
{
	static const char *const keys[] = {
#define PROVIDER(key, label) #key,
#include "tbl/providers.h"
#undef PROVIDER
	};

	cr_assert_eq(sizeof keys / sizeof *keys, PROJECT_PROVIDERS);
	for (int i = 0; i < PROJECT_PROVIDERS; i++)
		cr_assert_str_eq(oauth_rows[i].key, keys[i]);
}

/* ---- refreshing ---- */

/* That the account is verified says nothing of an address which PayPal itself calls unconfirmed. */
Test(oauth, paypal_tells_of_its_addresses)
{
	static const struct { const char *confirmed; bool verified; } rows[] = {{"true", true}, {"\"true\"", true}, {"false", false}, {"null", false}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct oauth_tokens t = {.access = "7.tok"};
		struct oauth_profile who;
		struct project p = {0};
		struct oauth_app app;
		struct ctx cx;

		ctx_init(&cx);
		app = app_of(&cx, &p, "paypal", NULL);
		memset(&net, 0, sizeof net);
		net.answers[0] = arena_printf(cx.arena,
		    "{\"payer_id\":\"u\",\"emails\":[{\"value\":\"a@b.co\",\"primary\":true,\"confirmed\":%s}],\"verified_account\":true}", rows[i].confirmed);
		cr_assert_eq(oauth_profile(&cx, &app, &t, &who), OK);
		cr_expect(who.email != NULL && who.verified == rows[i].verified, "%s", rows[i].confirmed);
		ctx_fini(&cx);
	}
}

Test(oauth, refresh_sends_what_each_wants)
{
	static const struct { const char *key, *call, *body; bool basic; } rows[] = {
	    {"amazon", "POST https://api.amazon.com/auth/o2/token", "client_id=app&client_secret=sec&grant_type=refresh_token&refresh_token=old", false},
	    {"autodesk", "POST https://developer.api.autodesk.com/authentication/v1/refreshtoken",
		"client_id=app&client_secret=sec&grant_type=refresh_token&refresh_token=old", false},
	    {"google", "POST https://oauth2.googleapis.com/token?client_id=app&client_secret=sec&grant_type=refresh_token&refresh_token=old", "", false},
	    {"slack", "GET https://slack.com/api/oauth.access?client_id=app&client_secret=sec&grant_type=refresh_token&refresh_token=old", "", false},
	    {"facebook", "GET https://graph.facebook.com/v2.8/oauth/access_token?client_id=app&client_secret=sec&grant_type=refresh_token&refresh_token=old&" BACK,
		"", false},
	    {"linkedin", "POST https://www.linkedin.com/oauth/v2/accessToken",
		"client_id=app&client_secret=sec&grant_type=refresh_token&refresh_token=old&" BACK, false},
	    {"yandex", "POST https://oauth.yandex.com/token", "grant_type=refresh_token&refresh_token=old", true},
	    {"etsy", "POST https://api.etsy.com/v3/public/oauth/token", "client_id=app&grant_type=refresh_token&refresh_token=old", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct want w = {.key = rows[i].key, .token = rows[i].call, .body = rows[i].body, .basic = rows[i].basic};
		struct project p = {0};
		struct oauth_tokens t;
		struct oauth_app app;
		struct ctx cx;

		ctx_init(&cx);
		app = app_of(&cx, &p, w.key, NULL);
		memset(&net, 0, sizeof net);
		net.answers[0] = "access_token=new&expires_in=60&scope=a%2Cb";	/* some answer with a form */
		cr_assert_eq(oauth_refresh(&cx, &app, trip.redirect, "old", &t), OK, "%s: %s", w.key, cx.detail);
		expect_tokens(&cx, &w, 0);
		cr_expect_str_eq(t.access, "new");
		cr_expect_str_eq(t.refresh, "old");
		ctx_fini(&cx);
	}
}

/* ---- odds and ends of the table ---- */

static const char *
authorize(struct ctx *cx, const char *key, const char *secret, const char *redirect)
{
	static const char *more[] = {"x y", "read", "x y", ""};
	struct oauth_trip t = {.redirect = redirect, .state = "s", .verifier = "v", .scopes = {.n = 4, .set = true, .v = more}};
	struct project p = {0};
	struct oauth_app app = app_of(cx, &p, key, secret);
	const char *url;

	return oauth_authorize_url(cx, &app, &t, &url) == OK ? url : NULL;
}

Test(oauth, authorize_url)
{
	static const struct { const char *key, *secret, *redirect, *part; } rows[] = {
	    {"gitlab", "{\"clientSecret\":\"x\"}", "http://localhost/", "https://gitlab.com/oauth/authorize?"},
	    {"microsoft", "{\"clientSecret\":\"x\",\"tenantID\":\"\"}", "http://localhost/", "https://login.microsoftonline.com/common/oauth2/"},
	    {"okta", "{\"clientSecret\":\"x\",\"oktaDomain\":\"o.okta.com\"}", "http://localhost/", "https://o.okta.com/oauth2/default/v1/authorize?"},
	    {"mock", NULL, "http://localhost/", "http://self/v1/mock/tests/general/oauth2?client_id=app&redirect_uri=http%3A%2F%2Flocalhost%2F&scope=email+x+y+read&state=s"},
	    {"disqus", NULL, "http://localhost/", "&scope=read%2Cemail%2Cx+y&"},
	    {"yammer", NULL, "http://localhost/", "&response_type=code&state=s"},
	    {"paypal", NULL, "https://localhost.example/", "redirect_uri=https%3A%2F%2Flocalhost.example%2F&"},
	    {"paypal", NULL, "https://localhost", "redirect_uri=https%3A%2F%2F127.0.0.1&"},
	    {"github", NULL, "http://localhost/", "redirect_uri=http%3A%2F%2Flocalhost%2F&"},
	};
	static const char *const bad[][2] = {{"okta", "{\"clientSecret\":\"x\"}"}, {"okta", "{\"clientSecret\":\"x\",\"oktaDomain\":true}"},
		{"gitlab", "{\"clientSecret\":\"x\",\"endpoint\":\"javascript:x\"}"}, {"gitlab", "{\"clientSecret\":\"x\",\"endpoint\":\"https://a?b\"}"},
		{"auth0", "{\"clientSecret\":\"x\",\"auth0Domain\":\"a@b\"}"}, {"auth0", "{\"clientSecret\":\"x\",\"auth0Domain\":\"a#\"}"},
		{"auth0", "{\"clientSecret\":\"x\",\"auth0Domain\":\"a\\r\\nb\"}"}, {"auth0", "{\"clientSecret\":\"x\",\"auth0Domain\":\"a\\u0000b\"}"}};
	struct ctx cx;

	ctx_init(&cx);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *url = authorize(&cx, rows[i].key, rows[i].secret, rows[i].redirect);

		cr_expect(url != NULL && strstr(url, rows[i].part) != NULL, "%s: %s", rows[i].key, url ? url : cx.detail);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_null(authorize(&cx, bad[i][0], bad[i][1], "http://localhost/"), "%s", bad[i][1]);
	ctx_fini(&cx);
}

/* ---- Apple ---- */

static EVP_PKEY *
new_key(int curve)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *key = NULL;

	cr_assert(EVP_PKEY_keygen_init(c) == 1 && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(c, curve) == 1 && EVP_PKEY_keygen(c, &key) == 1);
	EVP_PKEY_CTX_free(c);
	return key;
}

static const char *
apple_secret_as(struct ctx *cx, EVP_PKEY *key, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long n;
	struct buf b;
	struct jw w;

	cr_assert_eq(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL, passphrase, passphrase ? (int)strlen(passphrase) : 0,
			 NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &pem);
	buf_init(&b, cx->arena, 512);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "p8");
	jw_str(&w, (struct str){pem, (size_t)n});
	JW_KEY(&w, "keyID");
	jw_cstr(&w, "KID");
	JW_KEY(&w, "teamID");
	jw_cstr(&w, "TEAM");
	jw_obj_end(&w);
	BIO_free(bio);
	return b.p;
}

static const char *
apple_secret(struct ctx *cx, EVP_PKEY *key)
{
	return apple_secret_as(cx, key, NULL);
}

static bool
verifies(EVP_PKEY *key, struct str text, struct str raw)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int n;
	bool ok;

	cr_assert_eq(raw.n, 64);
	ECDSA_SIG_set0(sig, BN_bin2bn((const unsigned char *)raw.p, 32, NULL), BN_bin2bn((const unsigned char *)raw.p + 32, 32, NULL));
	n = i2d_ECDSA_SIG(sig, &der);
	ok = EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(md, der, (size_t)n, (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(md);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	return ok;
}

static const json_t *
decoded(struct ctx *cx, struct str part)
{
	struct str text;

	cr_assert(base64_decode(cx->arena, part, true, &text));
	return json_parse(cx, text, NULL);
}

Test(oauth, apple_signs_its_secret)
{
	EVP_PKEY *key = new_key(NID_X9_62_prime256v1);
	struct project p = {0};

	/* often enough that R or S begins with zero bytes */
	for (int i = 0; i < 600; i++) {
		struct str rest, head, claims, raw;
		const json_t *j;
		const char *secret, *dot;
		struct oauth_app app;
		struct ctx cx;

		ctx_init(&cx);
		app = app_of(&cx, &p, "apple", apple_secret(&cx, key));
		cr_assert_eq(oauth_apple_secret(&cx, &app, &secret), OK, "%s", cx.detail);
		dot = strrchr(secret, '.');
		cr_assert(base64_decode(cx.arena, str_c(dot + 1), true, &raw));
		cr_assert(verifies(key, (struct str){secret, (size_t)(dot - secret)}, raw));
		rest = str_c(secret);
		head = str_cut(&rest, '.');
		claims = str_cut(&rest, '.');
		j = decoded(&cx, head);
		cr_assert_str_eq(oauth_text(&cx, j, "alg"), "ES256");
		cr_assert_str_eq(oauth_text(&cx, j, "kid"), "KID");
		j = decoded(&cx, claims);
		cr_assert_str_eq(oauth_text(&cx, j, "iss"), "TEAM");
		cr_assert_str_eq(oauth_text(&cx, j, "sub"), "app");
		cr_assert_str_eq(oauth_text(&cx, j, "aud"), "https://appleid.apple.com");
		cr_assert_eq(json_integer_value(oauth_at(j, "exp")) - json_integer_value(oauth_at(j, "iat")), 15552000);
		ctx_fini(&cx);
	}
	EVP_PKEY_free(key);
}

Test(oauth, apple_refuses_other_keys)
{
	EVP_PKEY *other = new_key(NID_secp384r1);
	const char *secret, *bad[3];
	struct project p = {0};
	struct ctx cx;

	ctx_init(&cx);
	bad[0] = apple_secret(&cx, other);
	bad[1] = "{\"p8\":\"no key\",\"keyID\":\"k\",\"teamID\":\"t\"}";
	bad[2] = "{\"p8\":\"no key\"}";
	for (int i = 0; i < 3; i++) {
		struct oauth_app app = app_of(&cx, &p, "apple", bad[i]);

		cr_assert_eq(oauth_apple_secret(&cx, &app, &secret), ERR_PROJECT_PROVIDER_DISABLED);
		cr_assert_eq(ERR_peek_error(), 0UL);
	}
	EVP_PKEY_free(other);
	ctx_fini(&cx);
}

/* Who runs the server at a terminal is not asked, and what is typed there opens nothing. */
Test(oauth, apple_asks_nobody_for_a_passphrase)
{
	EVP_PKEY *key = new_key(NID_X9_62_prime256v1);
	struct project p = {0};
	struct oauth_app app;
	const char *secret;
	struct ctx cx;
	int ends[2];

	ctx_init(&cx);
	(void)setsid();		/* no terminal: then OpenSSL would read the standard input */
	cr_assert(pipe(ends) == 0 && write(ends[1], "pass-1234\n", 10) == 10 && dup2(ends[0], 0) == 0);
	app = app_of(&cx, &p, "apple", apple_secret_as(&cx, key, "pass-1234"));
	cr_assert_eq(oauth_apple_secret(&cx, &app, &secret), ERR_PROJECT_PROVIDER_DISABLED);
	EVP_PKEY_free(key);
	ctx_fini(&cx);
}

static err_t
apple_who(struct ctx *cx, const char *claims, struct oauth_profile *who)
{
	EVP_PKEY *key = new_key(NID_X9_62_prime256v1);
	struct project p = {0};
	struct oauth_app app = app_of(cx, &p, "apple", apple_secret(cx, key));
	struct oauth_tokens t;
	const char *body;

	EVP_PKEY_free(key);
	memset(&net, 0, sizeof net);
	net.answers[0] = arena_printf(cx->arena, "{\"access_token\":\"a\",\"id_token\":\"e30.%s.x\"}", base64_encode(cx->arena, str_c(claims), true));
	cr_assert_eq(oauth_exchange(cx, &app, &trip, &t), OK, "%s", cx->detail);
	cr_assert_str_eq(net.url[0], "https://appleid.apple.com/auth/token");
	body = strstr(net.body[0], "client_secret=eyJ");
	cr_assert_not_null(body);
	return oauth_profile(cx, &app, &t, who);
}

Test(oauth, apple_tells_who_in_the_id_token)
{
#define ISS "\"iss\":\"https://appleid.apple.com\""
	static const char *const bad[] = {"{" ISS ",\"aud\":\"other\",\"sub\":\"u\"}", "{\"iss\":\"https://evil.example\",\"aud\":\"app\",\"sub\":\"u\"}",
		"{" ISS ",\"aud\":\"app\"}", "[]", "nothing"};
	struct oauth_profile who;
	struct ctx cx;

	ctx_init(&cx);
	cr_assert_eq(apple_who(&cx, "{" ISS ",\"aud\":\"app\",\"sub\":\"u\",\"email\":\"a@b.co\",\"email_verified\":\"true\"}", &who), OK);
	cr_assert(strcmp(who.id, "u") == 0 && strcmp(who.email, "a@b.co") == 0 && strcmp(who.name, "a@b.co") == 0 && who.verified);
	cr_assert_eq(apple_who(&cx, "{" ISS ",\"aud\":\"app\",\"sub\":\"u\",\"email\":\"a@b.co\",\"email_verified\":\"false\"}", &who), OK);
	cr_assert(strcmp(who.name, "") == 0 && !who.verified);
	cr_assert_eq(apple_who(&cx, "{" ISS ",\"aud\":\"app\",\"sub\":\"u\"}", &who), OK);
	cr_assert(who.email == NULL && !who.verified);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(apple_who(&cx, bad[i], &who), ERR_USER_MISSING_ID, "%s", bad[i]);
	ctx_fini(&cx);
}

/* ---- the state ---- */

static struct oauth_state
some_state(void)
{
	return (struct oauth_state){.project = "p", .provider = "github", .success = "http://localhost/\"ü", .failure = "", .user = "u", .nonce = "n",
		.verifier = "v"};
}

/* A sealed text in the letters of a state. */
static const char *
as_state(struct ctx *cx, const char *clear)
{
	char *text = arena_strdup(cx->arena, seal_text(cx->arena, clear) + 3);

	for (char *c = text; *c != '\0'; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
	return text;
}

Test(oauth, state_comes_back)
{
	struct oauth_state s = some_state(), r;
	const char *text;
	struct ctx cx;

	ctx_init(&cx);
	conf.master_key = "one";
	conf.life_oauth2_state = 60000;
	s.token = true;
	text = oauth_state_seal(&cx, &s);
	cr_assert_not_null(text);
	cr_assert_eq(text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")], '\0');
	cr_assert(oauth_state_open(&cx, text, &r));
	cr_assert(strcmp(r.project, "p") == 0 && strcmp(r.provider, "github") == 0 && strcmp(r.success, "http://localhost/\"ü") == 0 &&
	    strcmp(r.failure, "") == 0 && strcmp(r.user, "u") == 0 && strcmp(r.nonce, "n") == 0 && strcmp(r.verifier, "v") == 0 && r.token);
	for (size_t i = 0; i < strlen(text); i++) {	/* no character may change */
		char *other = arena_strdup(cx.arena, text);

		other[i] = other[i] == 'A' ? 'B' : 'A';
		cr_assert_not(oauth_state_open(&cx, other, &r), "character %zu", i);
	}
	conf.master_key = "another";
	cr_assert_not(oauth_state_open(&cx, text, &r));
	ctx_fini(&cx);
}

Test(oauth, state_of_something_else)
{
	static const char *const bad[] = {NULL, "", "A", "====", "v1:AAAA", "AAAA AAAA"};
	struct oauth_state s = some_state(), r;
	struct ctx cx;

	ctx_init(&cx);
	conf.master_key = "one";
	conf.life_oauth2_state = 60000;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_not(oauth_state_open(&cx, bad[i], &r));
	/* other things are sealed with the same key: one of these, in the same letters, is no state */
	cr_assert_not(oauth_state_open(&cx, as_state(&cx, "{\"p\":\"p\",\"e\":99999999999999}"), &r));
	s.success = arena_alloc(cx.arena, 2000);
	memset((char *)(uintptr_t)s.success, 'x', 1999);
	((char *)(uintptr_t)s.success)[1999] = '\0';
	cr_assert_null(oauth_state_seal(&cx, &s), "too long for providers");
	ctx_fini(&cx);
}

/* What OpenSSL notes of a key or a signature that is none would be taken for the error of a connection that this thread serves next. */
Test(oauth, refused_signatures_leave_no_error)
{
#define HALF_OF_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	struct ctx cx;
	json_t *jwk;

	ctx_init(&cx);
	jwk = json_parse(&cx, STR("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" HALF_OF_A "\",\"y\":\"" HALF_OF_A "\"}"), NULL);
	cr_assert_not(id_token_signed(&cx, "ES256", jwk, STR("a.b"), STR("no signature")));
	cr_assert_eq(ERR_peek_error(), 0UL);
	ctx_fini(&cx);
#undef HALF_OF_A
}

Test(oauth, documents_over_time)
{
	enum { T = 100000000, PAUSE = 60000, HOUR = 3600000 };
	static const struct {
		const char *what;
		struct kept_age age;
		bool there, busy, lacks;
		unsigned steps;
	} rows[] = {
		{"new", {0, 0}, false, false, false, KEPT_FETCH | KEPT_WAIT},
		{"new, and others wait", {0, 0}, false, true, false, KEPT_WAIT},
		{"it could not be fetched just now", {0, T - 1000}, false, false, false, 0},
		{"nor a while ago", {0, T - 6000}, false, false, false, KEPT_FETCH | KEPT_WAIT},
		{"good", {T + 1, T - HOUR}, true, false, false, KEPT_USABLE},
		{"good, and others lack something", {T + 1, T - HOUR}, true, true, false, KEPT_USABLE},
		{"good, but it lacks something", {T + 1, T - PAUSE}, true, false, true, KEPT_FETCH | KEPT_WAIT | KEPT_USABLE},
		{"the same again", {T + 1, T - PAUSE + 1}, true, false, true, KEPT_USABLE},
		{"the same while it is fetched", {T + 1, T - PAUSE + 1}, true, true, true, KEPT_WAIT | KEPT_USABLE},
		{"over", {T - 1, T - HOUR}, true, false, false, KEPT_FETCH | KEPT_WAIT | KEPT_USABLE},
		{"over, and others wait", {T - 1, T - HOUR}, true, true, false, KEPT_WAIT | KEPT_USABLE},
		{"over, and the provider was down just now", {T - 2000, T - 1000}, true, false, false, KEPT_USABLE},
		{"over, and the provider was down a while ago", {T - HOUR, T - 6000}, true, false, false, KEPT_FETCH | KEPT_USABLE},
		{"over, and the provider hangs again", {T - HOUR, T - 6000}, true, true, false, KEPT_USABLE},
		{"over for hours", {T - 6 * HOUR, T - 6000}, true, false, false, KEPT_FETCH | KEPT_WAIT},
		{"over for hours, and the provider was down just now", {T - 6 * HOUR, T - 1000}, true, false, false, 0},
	};

	conf.oauth_keys_pause = PAUSE;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(oauth_kept_steps(&rows[i].age, rows[i].there, rows[i].busy, rows[i].lacks, T), rows[i].steps, "%s", rows[i].what);
}

Test(oauth, state_expires)
{
	struct oauth_state r;
	struct ctx cx;

	ctx_init(&cx);
	conf.master_key = "one";
	for (int over = 0; over < 2; over++) {
		const char *clear = arena_printf(cx.arena, "{\"k\":\"oauth2\",\"p\":\"p\",\"e\":%lld}", (long long)time_now_ms() + (over ? -1 : 60000));

		cr_assert_eq(oauth_state_open(&cx, as_state(&cx, clear), &r), !over);
	}
	ctx_fini(&cx);
}
