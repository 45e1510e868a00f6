/* Docker, ufw and firewalld have "policy drop" where packets are forwarded, and let through what they know. */
#include "forward.h"

#include "config.h"	/* memmem */
#include "core/str.h"
#include "nft.h"

static bool
forward_has(struct str line, const char *words)
{
	return memmem(line.p, line.n, words, strlen(words)) != NULL;
}

/* A listing of rules: a line for each, and one where a table or a chain begins. */
static bool
forward_judge(struct str rules)
{
	bool own = false, drops = false;

	while (rules.n > 0) {
		struct str line = str_cut(&rules, '\n');

		if (forward_has(line, "table ") && forward_has(line, " {"))
			own = forward_has(line, " badal");
		else if (!own && forward_has(line, "hook forward") && forward_has(line, "policy drop"))
			drops = true;
		else if (!own && forward_has(line, "\"bdl") && forward_has(line, "accept"))
			return false;
	}
	return drops;
}

bool
forward_drops(void)
{
	struct nft nft;
	struct nft_ctx *c;
	const char *why;
	bool drops = false;

	if (!nft_open(&nft, &why) || (c = nft.ctx_new(0)) == NULL)
		return false;
	nft.buffer_output(c);
	nft.buffer_error(c);
	if (nft.run(c, "list ruleset") == 0)
		drops = forward_judge(str_c(nft.output(c)));
	nft.ctx_free(c);
	return drops;
}
