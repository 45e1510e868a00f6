/* badal storage: whether rows and bytes agree, and moving bytes to another device. */
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "main_priv.h"
#include "model/blob_care.h"

/* As the user of the server: what is made belongs to it. */
static bool
storage_begin(struct args *a)
{
	struct place p;

	return place_find(&p) && place_served(&p) && place_settings(&p, a, false) && args_conf(a, false) && place_become(&p);
}

static int
storage_failed(const char *why)
{
	fprintf(stderr, "badal: %s\n", why);
	return 1;
}

/* ---- check ---- */

static struct check_count checked;

static void
check_found(const char *what, const char *of, const char *key)
{
	printf("%-8s %s%s%s\n", what, key, *of ? " of " : "", of);
}

static err_t
check_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	const struct check_how how = {.repair = args_get(a, "repair") != NULL, .deep = args_get(a, "deep") != NULL, .claim = args_get(a, "claim") != NULL, .found = check_found};

	return blob_check(cx, &how, &checked);
}

int
storage_check_run(struct args *a)
{
	char why[1024];
	const struct check_count *n = &checked;

	if (!storage_begin(a))
		return 1;
	if (with_loop(check_work, a, 0, why, sizeof why) != OK)
		return storage_failed(why);
	printf("%lld projects: %lld blobs promised, %lld missing, %lld of another size, %lld damaged; %lld older ones there, %lld of nobody, %lld removed\n", (long long)n->projects,
	    (long long)n->rows, (long long)n->missing, (long long)n->size, (long long)n->damaged, (long long)n->blobs, (long long)n->orphans, (long long)n->removed);
	return n->missing + n->size + n->damaged + n->failed + n->orphans - n->removed > 0 ? 1 : 0;
}

/* ---- move ---- */

static struct move_count moved;
static const char *move_to;	/* --to; NULL: to the one that is configured */
static char move_line[2048];
static bool none_to_move;

static void
move_told(const struct move_count *n)
{
	printf("%lld copied (%lld MiB), %lld were there\n", (long long)n->copied, (long long)(n->bytes >> 20), (long long)n->there);
	fflush(stdout);
}

static err_t
move_between(struct ctx *cx, struct device *from, struct device *to, bool take)
{
	if (strcmp(device_name(from), device_name(to)) == 0)
		return fail_msg(cx, ERR_DEVICE, "That is the device where they are: %s", device_name(to));
	printf("from %s to %s\n", device_name(from), device_name(to));
	return blob_move(cx, from, to, take, &moved, move_told);
}

/* To another device: a copy, the servers go on with theirs. */
static err_t
move_ahead(struct ctx *cx, const struct devices *d, const char *url)
{
	struct device_settings s;
	struct device *to;
	char why[512];

	if (!device_parse(cx->arena, str_c(url), conf.storage_dir, &s, why, sizeof why) || (to = device_new(&s, why, sizeof why)) == NULL)
		return fail_msg(cx, ERR_DEVICE, "%s", why);
	for (int i = 0; i < d->n; i++)
		if (strcmp(device_name(d->v[i]), device_name(to)) != 0 || i == 0)
			TRY(move_between(cx, d->v[i], to, false));
	return OK;
}

static err_t
move_work(struct ctx *cx, void *arg)
{
	const struct args *a = arg;
	struct devices d;

	TRY(device_configured(cx, &d));
	if (move_to != NULL)
		return move_ahead(cx, &d, move_to);
	none_to_move = d.n == 1;
	for (int i = 1; i < d.n; i++)
		TRY(move_between(cx, d.v[i], d.v[0], args_get(a, "keep") == NULL));
	return OK;
}

int
storage_move_run(struct args *a)
{
	char why[1024];
	err_t e;

	move_to = args_get(a, "to");
	if (move_to != NULL && strcmp(move_to, "-") == 0) {	/* it has a secret in it, and who lists processes sees arguments */
		move_to = fgets(move_line, sizeof move_line, stdin) != NULL ? move_line : "";
		move_line[strcspn(move_line, "\r\n")] = '\0';
	}
	if (!storage_begin(a) || !place_alone(conf.storage_dir, "storage move"))
		return 1;
	e = with_loop(move_work, a, 0, why, sizeof why);
	move_told(&moved);
	if (e != OK)
		return storage_failed(why);
	if (none_to_move) {
		fprintf(stderr, "badal: name the device to copy to (--to), or the one to empty (storage_also)\n");
		return EXIT_USAGE;
	}
	if (moved.failed > 0) {
		fprintf(stderr, "badal: %lld were not moved, see above; run this again\n", (long long)moved.failed);
		return 1;
	}
	if (move_to != NULL)
		printf("Now configure that device for all servers, with the former one as storage_also, restart them, and run badal storage move.\n");
	return 0;
}
