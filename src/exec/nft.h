/* libnftables, loaded when it is there. */
#ifndef BADAL_EXEC_NFT_H
#define BADAL_EXEC_NFT_H

#include <stdbool.h>
#include <stdint.h>

struct nft_ctx;
struct nft {
	struct nft_ctx *(*ctx_new)(uint32_t flags);
	void (*ctx_free)(struct nft_ctx *c);
	int (*run)(struct nft_ctx *c, const char *text);
	int (*buffer_error)(struct nft_ctx *c);
	const char *(*error)(struct nft_ctx *c);
	int (*buffer_output)(struct nft_ctx *c);
	const char *(*output)(struct nft_ctx *c);
};

bool nft_open(struct nft *out, const char **why_out);	/* false: why not, static */

#endif
