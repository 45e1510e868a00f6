/* Lines of JSON, as PHP writes them: for comparison with PHP itself (php.test.mjs). A line that is no JSON gives "?". */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"

int
main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) > 0) {
		struct buf b;

		buf_init(&b, NULL, 256);
		puts(json_php(&b, (struct str){line, (size_t)n - (line[n - 1] == '\n')}) ? b.p : "?");
		buf_fini(&b);
	}
	free(line);
	return 0;
}
