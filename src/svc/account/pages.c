/* The few pages that a sign-in may end on: they hand what is in their address over to an app, by its own scheme. */
#include "gate/gate.h"

#define HTML "text/html; charset=UTF-8"
#define HEAD(title)                                                                                                                       \
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>" title \
	"</title>\n"
/* A project id has no other characters, so nothing but the scheme of an app can come of it. */
#define SCRIPT                                                                                                                                 \
	"<script>\n"                                                                                                                           \
	"var q = new URLSearchParams(location.search), project = q.get('project') || ''\n"                                                    \
	"function done() {\n"                                                                                                                  \
	"\tif (/^[A-Za-z0-9._-]+$/.test(project)) location = 'appwrite-callback-' + project + '://' + location.search\n"                       \
	"\tsetTimeout(function () { document.getElementById('late').hidden = false }, 25)\n"                                                    \
	"}\n"
#define LATE                                                                                                        \
	"<p id=\"late\" hidden>Missing redirect URL: go back to the app. If nothing happens there, it did not say where it can be reached.</p>\n"

static err_t
page(struct req *rq, struct str html)
{
	reply_static(rq, "Cache-Control", "no-store");	/* the address holds a secret */
	reply_static(rq, "Referrer-Policy", "no-referrer");
	reply_static(rq, "X-Frame-Options", "SAMEORIGIN");
	reply_static(rq, "Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'self'");
	return reply_raw(rq, 200, HTML, html);
}

static err_t
account_hand_over(struct req *rq, void *in)
{
	(void)in;
	return page(rq, STR(HEAD("Signing in") "<h1>Signing in</h1>\n" LATE SCRIPT "done()\n</script>\n</html>\n"));
}

static err_t
account_magic_url(struct req *rq, void *in)
{
	(void)in;
	return page(rq,
	    STR(HEAD("Signing in") "<h1>Signing in</h1>\n" LATE "<p id=\"failed\" hidden>The link is used or too old: ask for a new one.</p>\n" SCRIPT
		"var f = new URLSearchParams({ userId: q.get('userId') || '', secret: q.get('secret') || '' })\n"
		"fetch('/v1/account/sessions/magic-url', { method: 'PUT', credentials: 'include', body: f, headers: { 'X-Appwrite-Project': project } })\n"
		"\t.then(function (r) { if (!r.ok) throw r; done() })\n"
		"\t.catch(function () { document.getElementById('failed').hidden = false })\n"
		"</script>\n</html>\n"));
}

#define PAGE(path_, handler_, doc_)                                                                                                          \
	{.method = "GET", .path = path_, .scope = "home", .limit = "", .handler = handler_, .status = 200, .doc = doc_, .flags = ROUTE_HTML, \
	    .media = HTML}
static const struct route rows[] = {
    PAGE("/auth/oauth2/success", account_hand_over, "Ends a sign-in of an app."),
    PAGE("/v1/auth/oauth2/success", account_hand_over, "Ends a sign-in of an app."),
    PAGE("/auth/oauth2/failure", account_hand_over, "Ends a failed sign-in of an app."),
    PAGE("/v1/auth/oauth2/failure", account_hand_over, "Ends a failed sign-in of an app."),
    PAGE("/auth/magic-url", account_magic_url, "Signs in by the link of a mail."),
    PAGE("/v1/auth/magic-url", account_magic_url, "Signs in by the link of a mail."),
};
const struct routes page_routes = ROUTES(rows);
