/* Answers of the avatars: made or kept, with the same headers and the same tag. */
#include <sodium.h>
#include <unistd.h>

#include "avatars_priv.h"
#include "core/offload.h"
#include "core/vtime.h"
#include "io/budget.h"

enum { TAG_BYTES = 16, KEPT_MAX = 64 * 1024 * 1024 };

static const int64_t day_ms = INT64_C(86400) * 1000;

static const char *
tag_of(struct req *rq, struct str bytes)
{
	unsigned char hash[TAG_BYTES];

	crypto_generichash(hash, sizeof hash, (const unsigned char *)bytes.p, bytes.n, NULL, 0);
	return arena_printf(rq->cx.arena, "\"%s\"", hex_encode(rq->cx.arena, hash, sizeof hash));
}

static err_t
avatar_reply(struct req *rq, const char *type, struct str bytes, const struct avatar_shown *s)
{
	const char *tag = tag_of(rq, bytes);
	char date[30];

	reply_header(rq, "Expires", time_http(time_now_ms() + s->days * day_ms, ' ', date));
	reply_static(rq, "ETag", tag);
	if (s->of_caller)
		reply_static(rq, "Cache-Control", "private, no-cache");
	reply_static(rq, "Content-Security-Policy", "default-src 'none'");
	if (str_etag_listed(rq->http->hdr[HDR_IF_NONE_MATCH], tag))
		return reply_raw(rq, 304, type, STR_NONE);
	return reply_raw(rq, 200, type, bytes);
}

struct kept_read {
	int fd;
	char *to;
	size_t n;
	bool ok;
};

static void
kept_read(void *arg)
{
	struct kept_read *k = arg;
	size_t at = 0;
	ssize_t got;

	while (at < k->n && (got = pread(k->fd, k->to + at, k->n - at, (off_t)at)) > 0)
		at += (size_t)got;
	k->ok = at == k->n;
}

/* The whole of it, since its tag is of its bytes. */
static bool
kept_bytes(struct ctx *cx, int fd, uint64_t size, struct str *out)
{
	struct kept_read k = {.fd = fd, .n = (size_t)size};

	if (size > KEPT_MAX || budget_hold(cx, k.n) != OK)
		return false;
	k.to = arena_alloc(cx->arena, k.n);
	if (offload(cx, LANE_file, kept_read, &k) != OK || !k.ok)
		return false;
	*out = (struct str){k.to, k.n};
	return true;
}

bool
avatar_kept(struct req *rq, const struct avatar_shown *s, err_t *e_out)
{
	struct str bytes;
	const char *type;
	uint64_t size;
	int fd;

	if (!picture_cached(&rq->cx, s->key, &fd, &size, &type) || !kept_bytes(&rq->cx, fd, size, &bytes))
		return false;
	reply_hit(rq);
	*e_out = avatar_reply(rq, type, bytes, s);
	return true;
}

err_t
avatar_made(struct req *rq, const struct avatar_shown *s, const struct picture *pic)
{
	if (s->key != NULL)
		picture_keep(&rq->cx, s->key, pic, false);
	return avatar_reply(rq, pic->type, pic->bytes, s);
}

err_t
avatar_once(struct ctx *cx, void *arg, struct str *piece_out)
{
	struct str *left = arg;

	(void)cx;
	*piece_out = *left;
	*left = STR_NONE;
	return OK;
}

err_t
avatar_of_bytes(struct req *rq, struct str bytes, int width, int height, int quality, struct picture *out)
{
	const struct picture_ask ask = {.width = width, .height = height, .quality = quality, .opacity = 1, .format = PICTURE_PNG};

	return picture_make(&rq->cx, avatar_once, &bytes, &ask, out);
}
