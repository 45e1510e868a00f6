/* A library that is not needed where there are no sandboxes with networks. */
#include "nft.h"

#include <dlfcn.h>
#include <stddef.h>

bool
nft_open(struct nft *out, const char **why_out)
{
	const struct { const char *name; void **at; } names[] = {{"nft_ctx_new", (void **)&out->ctx_new}, {"nft_ctx_free", (void **)&out->ctx_free},
		{"nft_run_cmd_from_buffer", (void **)&out->run}, {"nft_ctx_buffer_error", (void **)&out->buffer_error}, {"nft_ctx_get_error_buffer", (void **)&out->error},
		{"nft_ctx_buffer_output", (void **)&out->buffer_output}, {"nft_ctx_get_output_buffer", (void **)&out->output}};
	void *library = dlopen("libnftables.so.1", RTLD_NOW);

	*why_out = library == NULL ? "libnftables is not installed" : "";
	for (size_t i = 0; **why_out == '\0' && i < sizeof names / sizeof *names; i++)
		if ((*names[i].at = dlsym(library, names[i].name)) == NULL)
			*why_out = "libnftables lacks what is needed";
	return **why_out == '\0';
}
