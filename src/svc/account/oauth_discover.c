/* Providers of OpenID Connect that tell themselves where their routes are: a document at an address that the project's team names. */
#include "oauth_kept.h"
#include "oauth_priv.h"

enum { ENDPOINT_MAX = 2048 };

static const struct {
	const char *member, *said;	/* of the app's secret, of the document */
} endpoints[] = {
	{"authorizationEndpoint", "authorization_endpoint"},
	{"tokenEndpoint", "token_endpoint"},
	{"userInfoEndpoint", "userinfo_endpoint"},
};
enum { ENDPOINTS = sizeof endpoints / sizeof *endpoints };

/* What is named by who is asked over TLS is asked over TLS. */
static bool
is_endpoint(struct str document, const char *url)
{
	bool plain = str_starts(document, "http://");

	return url != NULL && strlen(url) <= ENDPOINT_MAX && (str_starts(str_c(url), "https://") || (plain && str_starts(str_c(url), "http://"))) && oauth_address_ok(url);
}

err_t
oauth_discover(struct ctx *cx, const struct project *p, json_t *members)
{
	struct str document = json_str(json_object_get(members, "wellKnownEndpoint")), text;
	const json_t *said = NULL;

	if (document.n == 0)
		return OK;
	for (int i = 0; i < ENDPOINTS; i++) {
		const char *url;

		if (json_str(json_object_get(members, endpoints[i].member)).n > 0)
			continue;
		if (said == NULL) {
			TRY(oauth_kept(cx, &(struct kept_ask){.kind = KEPT_METADATA, .url = document.p, .project = p->internal}, &text));
			said = json_parse_outside(cx, text, NULL);
		}
		url = oauth_text(cx, said, endpoints[i].said);
		if (!is_endpoint(document, url))
			return oauth_failed(cx, "The provider's document names no routes to sign in by.", arena_printf(cx->arena, "%s is missing or no address", endpoints[i].said));
		json_object_set_new(members, endpoints[i].member, json_string(url));
	}
	return OK;
}
