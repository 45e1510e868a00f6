#include "model/chain.h"

const char *
chain_endpoint(struct arena *a, const char *base, int depth)
{
	return arena_printf(a, "%s/~d%d/v1", base, depth < CHAIN_MAX ? depth : CHAIN_MAX);
}

int
chain_depth(struct str mark)
{
	int64_t n;

	if (mark.n < 2 || mark.p[0] != 'd' || !str_to_i64((struct str){mark.p + 1, mark.n - 1}, &n) || n < 0)
		return 0;
	return n < CHAIN_MAX ? (int)n : CHAIN_MAX;
}
