/* The account service: words that a page and a mail show, so that a person sees that they belong together. */
#include <sodium.h>

#include "account_priv.h"

static const char *const first[] = {"Amber", "Brave", "Calm", "Clever", "Cosy", "Crisp", "Dapper", "Early", "Eager", "Fluffy", "Gentle", "Golden",
	"Happy", "Honest", "Humble", "Ivory", "Jolly", "Kind", "Lively", "Lucky", "Mellow", "Merry", "Nimble", "Olive", "Patient", "Plum",
	"Proud", "Quiet", "Rosy", "Silver", "Sunny", "Velvet"};
static const char *const second[] = {"acorn", "badger", "beacon", "bridge", "candle", "cherry", "cloud", "comet", "daisy", "dolphin", "falcon",
	"fiddle", "forest", "garden", "harbor", "island", "kettle", "lantern", "lemon", "lizard", "meadow", "monsoon", "orchard", "otter", "pebble",
	"pepper", "river", "saddle", "teapot", "thunder", "violin", "walnut"};

enum { FIRST = sizeof first / sizeof *first, SECOND = sizeof second / sizeof *second };

const char *
phrase_new(struct arena *a)
{
	return arena_printf(a, "%s %s", first[randombytes_uniform(FIRST)], second[randombytes_uniform(SECOND)]);
}
