/* Addresses, by curl's own parser: what it fetches is what was looked at. */
#include "fetch_priv.h"

static const char *
url_text(struct arena *a, CURLU *u)
{
	char *text = NULL, *scheme = NULL;
	const char *out = NULL;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
	    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
		out = arena_strdup(a, text);
	curl_free(text);
	curl_free(scheme);
	return out;
}

const char *
fetch_resolve(struct arena *a, const char *base, const char *link)
{
	CURLU *u = curl_url();
	const char *out = NULL;

	if (u == NULL)
		mem_fatal(0);
	if (curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK && curl_url_set(u, CURLUPART_URL, link, CURLU_URLENCODE) == CURLUE_OK)
		out = url_text(a, u);
	curl_url_cleanup(u);
	return out;
}
