/* The room of avatars: pictures of flags, browsers and cards, of letters, of codes, and of what is elsewhere. */
#ifndef BADAL_SVC_AVATARS_PRIV_H
#define BADAL_SVC_AVATARS_PRIV_H

#include "gate/gate.h"
#include "model/picture.h"

enum { DAYS_KEPT = 30, DAYS_DRAWN = 45 };

/* How a picture is answered. */
struct avatar_shown {
	const char *key;	/* it is kept under; NULL: it is not */
	int days;		/* that clients may keep it for */
	bool of_caller;		/* another caller gets another picture under the same address */
};
/* Awaits. Answers with what is kept under the key; false: nothing is. */
bool avatar_kept(struct req *rq, const struct avatar_shown *s, err_t *e_out);
/* Awaits. Keeps it, and answers. */
err_t avatar_made(struct req *rq, const struct avatar_shown *s, const struct picture *pic);

/* Awaits. What is at an address of the web, within the limits of the settings. The picture is of http or https; its host is no private one. ERR_FETCH and its
 * like: it cannot be had. */
struct remote {
	const char *url;	/* where redirects led to */
	struct str body;	/* at most so many bytes as were asked for */
};
err_t remote_get(struct req *rq, const char *url, size_t bytes_max, bool whole, struct remote *out) MUST_CHECK;
/* Our own questions must not ask us for what is elsewhere: they would go round in a circle. */
bool remote_is_ours(const struct req *rq);

/* A source of pictures (picture_source_fn) of a struct str, which it empties. */
err_t avatar_once(struct ctx *cx, void *arg, struct str *piece_out) MUST_CHECK;
/* A picture of bytes that are here. */
err_t avatar_of_bytes(struct req *rq, struct str bytes, int width, int height, int quality, struct picture *out) MUST_CHECK;

#define AVATAR_ROUTE(path_, name_, kept_, media_, handler_, doc_, ...)                                                                     \
	{.method = "GET", .path = "/v1/avatars" path_, .service = "avatars", .name = name_, .scope = "avatars.read", .limit = "", \
	    .handler = handler_, .status = 200, .doc = doc_, .media = media_, .flags = ROUTE_ETAG | (kept_), __VA_ARGS__}

#endif
