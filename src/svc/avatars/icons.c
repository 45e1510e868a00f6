/* Flags, browsers and cards: pictures that were installed with the program (contrib/icons), in the size that is asked for. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "avatars_priv.h"
#include "core/conf.h"
#include "core/offload.h"
#include "core/share.h"

enum { ICON_MAX = 4 * 1024 * 1024 };

struct icon_in {
	const char *code;
	struct opt_int width, height, quality;
};
#define ICON_PARAMS(list_, of_)                                                                                                     \
	{                                                                                                                           \
		PATH("code", P_ENUM_NOCASE, struct icon_in, code, of_, .list = list_),                                             \
		OPTIONAL("width", P_RANGE, struct icon_in, width, "Width in pixels; 0: by the height.", .def = "100", .min = 0, .max = 2000), \
		OPTIONAL("height", P_RANGE, struct icon_in, height, "Height in pixels; 0: by the width.", .def = "100", .min = 0, .max = 2000), \
		OPTIONAL("quality", P_RANGE, struct icon_in, quality, "Effort of the compression; -1: as usual.", .def = "100", .min = -1, .max = 100), \
	}

/* Those of the contract, and behind them what later versions have besides. */
static const char *const cards[] = {"amex", "argencard", "cabal", "censosud", "diners", "discover", "elo", "hipercard", "jcb", "mastercard", "naranja",
    "targeta-shopping", "union-china-pay", "visa", "mir", "maestro", "cencosud", "unionpay", "rupay", NULL};
static const char *const browsers[] = {"aa", "an", "ch", "ci", "cm", "cr", "ff", "sf", "mf", "ps", "oi", "om", "op", "on", NULL};
static const char *const flags[] = {
#define COUNTRY(code, english, calling, eu) code,
#include "tbl/countries.h"
#undef COUNTRY
    "pf", NULL,
};
static const struct param card_params[] = ICON_PARAMS(cards, "Card.");
static const struct param browser_params[] = ICON_PARAMS(browsers, "Browser.");
static const struct param flag_params[] = ICON_PARAMS(flags, "Country.");

/* Where they are, and when they were made: others come with another version of the program. */
static const char *
icon_dir(long long *made_out)
{
	static char dir[PATH_MAX], probe[PATH_MAX + 8];
	static long long made;
	struct stat st;

	if (dir[0] == '\0') {
		share_dir(conf.icon_dir, "icons", "made", ICON_DIR, dir, sizeof dir);
		snprintf(probe, sizeof probe, "%s/made", dir);
		if (stat(probe, &st) == 0)
			made = (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	}
	*made_out = made;
	return dir;
}

struct icon_file {
	char path[PATH_MAX + 64];
	struct str bytes;	/* malloc */
};

static void
icon_read(void *arg)
{
	struct icon_file *f = arg;

	if (!share_read(f->path, ICON_MAX, &f->bytes))
		f->bytes = STR_NONE;
}

static err_t
icon_make(struct req *rq, const char *path, const struct icon_in *in, struct picture *out)
{
	struct icon_file f = {.bytes = STR_NONE};
	err_t e;

	snprintf(f.path, sizeof f.path, "%s", path);
	TRY(offload(&rq->cx, LANE_file, icon_read, &f));
	if (f.bytes.n == 0)
		return fail(&rq->cx, ERR_AVATAR_NOT_FOUND, "no picture %s: see badal doctor", path);
	e = avatar_of_bytes(rq, f.bytes, (int)in->width.v, (int)in->height.v, in->quality.v < 0 ? 100 : (int)in->quality.v, out);
	free((void *)(uintptr_t)f.bytes.p);
	return e;
}

static err_t
avatars_icon(struct req *rq, const char *set, const struct icon_in *in)
{
	struct arena *a = rq->cx.arena;
	const char *name = arena_printf(a, "%s/%s", set, str_lower(a, str_c(in->code)).p), *dir;
	struct avatar_shown s = {.days = DAYS_KEPT};
	struct picture pic;
	long long made;
	err_t e;

	dir = icon_dir(&made);
	s.key = arena_printf(a, "avatars/%s?%lldx%lld %lld %lld", name, (long long)in->width.v, (long long)in->height.v, (long long)in->quality.v, made);
	if (avatar_kept(rq, &s, &e))
		return e;
	TRY(icon_make(rq, arena_printf(a, "%s/%s.png", dir, name), in, &pic));
	return avatar_made(rq, &s, &pic);
}

static err_t
avatars_get_credit_card(struct req *rq, void *in)
{
	return avatars_icon(rq, "credit-cards", in);
}

static err_t
avatars_get_browser(struct req *rq, void *in)
{
	return avatars_icon(rq, "browsers", in);
}

static err_t
avatars_get_flag(struct req *rq, void *in)
{
	return avatars_icon(rq, "flags", in);
}

static const struct route rows[] = {
    AVATAR_ROUTE("/browsers/:code", "getBrowser", ROUTE_KEPT, "image/png", avatars_get_browser, "The mark of a browser.", PARAMS(struct icon_in, browser_params)),
    AVATAR_ROUTE("/credit-cards/:code", "getCreditCard", ROUTE_KEPT, "image/png", avatars_get_credit_card, "The mark of a credit card.", PARAMS(struct icon_in, card_params)),
    AVATAR_ROUTE("/flags/:code", "getFlag", ROUTE_KEPT, "image/png", avatars_get_flag, "The flag of a country.", PARAMS(struct icon_in, flag_params)),
};
const struct routes icon_routes = ROUTES(rows);
