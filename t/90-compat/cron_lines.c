/* The schedules of core/cron.h, a line each: "<ms> <schedule>" in, the next time in ms out, "-" when it is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cron.h"

int
main(void)
{
	char line[1000], *text;

	while (fgets(line, sizeof line, stdin) != NULL) {
		int64_t after = strtoll(line, &text, 10);
		struct cron c;

		text[strcspn(text, "\n")] = '\0';
		if (cron_parse(str_c(text), &c))
			printf("%lld\n", (long long)cron_next(&c, after));
		else
			puts("-");
	}
	return 0;
}
