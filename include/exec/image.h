/* OCI images as roots of sandboxes: fetched by skopeo, unpacked by umoci, both in sandboxes; once per machine, of the digest that was found first. */
#ifndef BADAL_EXEC_IMAGE_H
#define BADAL_EXEC_IMAGE_H

#include "core/ctx.h"

struct image {
	const char *address;	/* as it was asked for */
	const char *digest;	/* "sha256:…" of what it is */
	const char *root;	/* its files; nobody writes there */
	const char *const *argv;	/* entrypoint and command, NULL at the end; may be empty */
	const char *const *env;	/* "NAME=value", NULL at the end */
	const char *dir;	/* where it begins */
};

struct image_settings {
	const char *dir;		/* a directory of our own that any user can enter (sandbox_setup) */
	const char *auth;		/* file with sign-ins for registries, as skopeo login writes it; "": none */
	const char *plain;		/* registries that speak no TLS, "localhost:5000 10.0.0.2:5000"; "": none */
	int64_t bytes_max, files_max;	/* of what an image unpacks to */
	uint64_t limit_ms;		/* for fetching, and for unpacking */
};
struct image_settings image_configured(const char *dir);

/* What is missing on this machine for images: "skopeo, umoci"; "": nothing. */
const char *image_missing(void);
/* Awaits, minutes when it is not there yet; who asks for one that is being fetched waits for that. The image is kept and never freed. ERR_SANDBOX: cx->detail
 * says why, and the next one who asks begins anew. */
err_t image_open(struct ctx *cx, const struct image_settings *s, const char *address, const struct image **out) MUST_CHECK;
/* The same of one that is there already; NULL: it is not. Fetches nothing. */
const struct image *image_there(struct ctx *cx, const struct image_settings *s, const char *address);
/* "docker.io/library/alpine:3", "localhost:5000/x@sha256:…": what such an address looks like. */
bool image_address_fine(const char *address);

#endif
