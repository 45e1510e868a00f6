/* Schedules: whatever is read as one comes again and again, each time later, at the beginning of a minute. */
#include "core/cron.h"
#include "fuzz.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct cron c;
	int64_t now = 0, next;

	(void)cx;
	if (!cron_parse(input, &c))
		return;
	for (int i = 0; i < 4; i++, now = next) {
		next = cron_next(&c, now);
		FUZZ_CHECK(next > now && next % 60000 == 0, "the next time is none, or no minute", input);
	}
}
