/* Pictures by real image workers: every step of the pipeline, every format, and what is no picture. */
#include <criterion/criterion.h>

#include "check.h"
#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "picture_lab.h"

static bool finished;

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", "warn", false);
	lab_open();
	metric_init(1);
	metric_slot(0);
	loop_init();
}

static void
teardown(void)
{
	lab_close();
	cr_assert_eq(failures, 0);
}

static void
finish(void)
{
	finished = true;
	loop_stop();
}

static void (*body)(struct ctx *cx);

static void
run_body(struct ctx *cx, void *arg)
{
	(void)arg;
	body(cx);
	finish();
}

static void
run(void (*fn)(struct ctx *cx))
{
	body = fn;
	fib_spawn_new("test", 200000, run_body, NULL);
	loop_run();
	cr_assert(finished);
}

TestSuite(picture, .init = setup, .fini = teardown, .timeout = 240);

static const struct picture_ask plain = {.quality = 100, .opacity = 1};

static err_t
make(struct ctx *cx, struct str file, struct picture_ask ask, struct picture *out)
{
	struct lab_source s = {file, 4000};

	return picture_make(cx, lab_give, &s, &ask, out);
}

/* ---- formats ---- */

static void
formats(struct ctx *cx)
{
	static const char *const in[] = {"JPEG", "PNG", "GIF", "WEBP"};
	static const struct {
		enum picture_format ask;
		const char *type, *magic;
	} out[] = {{PICTURE_JPG, "image/jpeg", "\xff\xd8\xff"}, {PICTURE_PNG, "image/png", "\x89PNG"}, {PICTURE_GIF, "image/gif", "GIF8"},
	    {PICTURE_WEBP, "image/webp", "RIFF"}, {PICTURE_AVIF, "image/avif", NULL}};
	struct lab_picture q = lab_quarters(64, 48);
	struct picture p;

	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 5; k++) {
			struct picture_ask ask = plain;
			struct lab_picture seen;

			ask.width = 32;
			ask.format = out[k].ask;
			GOOD(make(cx, lab_file(&q, 1, in[i], 0), ask, &p));
			CHECK(strcmp(p.type, out[k].type) == 0);
			CHECK(p.width == 32 && p.height == 24);
			CHECK(out[k].magic == NULL || memcmp(p.bytes.p, out[k].magic, strlen(out[k].magic)) == 0);
			seen = lab_look_one(p.bytes);
			CHECK(seen.w == 32 && seen.h == 24);
			CHECK(lab_near(lab_at(&seen, 4, 4), 0xff0000ff, 24));
			CHECK(lab_near(lab_at(&seen, 28, 4), 0x00ff00ff, 24));
			CHECK(lab_near(lab_at(&seen, 4, 20), 0x0000ffff, 24));
			CHECK(lab_near(lab_at(&seen, 28, 20), 0xffff00ff, 24));
		}
}

Test(picture, every_format_becomes_every_other)
{
	run(formats);
}
