/* A provider that speaks S3, private: requests (s3.c) and their XML (s3_xml.c) for device_s3.c. */
#ifndef BADAL_IO_S3_PRIV_H
#define BADAL_IO_S3_PRIV_H

#include "device_priv.h"
#include "io/fetch.h"

enum { S3_MD5_TEXT = 25, S3_HASH_TEXT = 65, S3_ERROR_BODY = 64 * 1024, S3_LIST_BODY = 4 * 1024 * 1024 };

struct s3 {			/* own of the device */
	struct device_settings s;
	char base[320];		/* of every URL, with the bucket: "https://files.s3.eu-west-1.amazonaws.com/" */
	char prefix[128];	/* of every key; "" or ends in a slash */
	char sign[96];
	bool inside;		/* the endpoint is the operator's own: it may be in a private network */
};

struct s3_sums {		/* of a body */
	char md5[S3_MD5_TEXT];	/* base64 */
	char hash[S3_HASH_TEXT];	/* SHA-256, hex */
};

struct s3_ask {
	const char *method;
	const char *key;	/* without the prefix; NULL: the bucket itself */
	const char *query;	/* encoded, in the order of its names, each with a '='; NULL: none */
	struct str body;	/* XML; {NULL, 0}: none */
	int fd;			/* > 0: the body is its first `n` bytes */
	uint64_t n;
	const struct s3_sums *sums;	/* of these */
	bool creates;		/* an object: the configured ACL goes with it */
	size_t max_bytes;	/* of the response; 0: S3_ERROR_BODY */
	bool may_lack;		/* not every provider can do that: a refusal is an answer, too */
};

/* Awaits. Asks until there is an answer that another try would not change; 2xx, or 404 and 416, which *out tells. Everything else is an error, with the
 * provider's own words in the log alone. */
err_t s3_ask(struct ctx *cx, const struct device *d, const struct s3_ask *q, struct fetch_reply **out) MUST_CHECK;
/* Awaits. Begins a GET of bytes [from, to) and takes its head: 206 or 200, 404, 412, 416. `if_match`: the ETag that it must have, or NULL. The
 * stream lives as long as `own`. */
err_t s3_get(struct ctx *cx, struct ctx *own, const struct device *d, const char *key, uint64_t from, uint64_t to, const char *if_match,
    struct fetch_stream **out, struct fetch_reply **head_out) MUST_CHECK;
/* Awaits: the pause before try `n` (from 1). */
err_t s3_pause(struct ctx *cx, int n) MUST_CHECK;
/* Another try may go better. */
bool s3_again(err_t e);
/* Awaits. MD5 and SHA-256 of the first n bytes of a file. */
err_t s3_sum_file(struct ctx *cx, int fd, uint64_t n, struct s3_sums *out) MUST_CHECK;
void s3_sum(struct str s, struct s3_sums *out);
/* %XX but for unreserved characters. */
const char *s3_encode(struct arena *a, const char *s);

/* ---- s3_xml.c ---- */

/* The text of the next <tag> in *at, which moves behind it; false: there is none. Entities stay. */
bool s3_xml_next(struct str *at, const char *tag, struct str *out);
/* Of the first one, entities decoded; "" when there is none. */
const char *s3_xml_text(struct arena *a, struct str xml, const char *tag);

#endif
