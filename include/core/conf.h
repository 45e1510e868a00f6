/* Configuration: include/tbl/config.h is the table; a file, the environment (BADAL_*) and the command line fill it.
 *
 * Order of precedence: command line, environment, file, default. conf_load is called again on SIGHUP: only RELOAD rows move. */
#ifndef BADAL_CORE_CONF_H
#define BADAL_CORE_CONF_H

#include <stdbool.h>
#include <stdint.h>

/* Types of rows. Bounds are written as values are; a bare INT, SIZE or TIME has none. */
typedef const char *conf_TEXT;	/* one line */
typedef const char *conf_SECRET;	/* the same, and never shown */
typedef const char *conf_FILE;	/* must be there, if it is set */
typedef const char *conf_DIR;
typedef int64_t conf_INT;	/* plain number */
typedef int64_t conf_SIZE;	/* bytes; suffixes k m g */
typedef int64_t conf_TIME;	/* milliseconds; suffixes ms s m h d */
typedef bool conf_BOOL;		/* on/off yes/no true/false enabled/disabled 1/0 */
#define conf_INT(min, max) int64_t
#define conf_SIZE(min, max) int64_t
#define conf_TIME(min, max) int64_t
#define conf_CHOICE(words) const char *	/* one of the words, which are parted by | */
#define conf_LIKE(kind) const char *	/* text that conf_likes knows */
#define conf_SECRET_LIKE(kind) const char *

struct conf {
#define CONF(name, type, def, when, doc) conf_##type name;
#include "tbl/config.h"
#undef CONF
};

extern struct conf conf;	/* strings are owned by the module and stay valid for the process */

/* What is known about values above this layer. The program sets them before it loads; without them such values are only text. */
struct conf_like {
	const char *name;	/* of LIKE(name) */
	const char *(*wrong)(const char *text);	/* NULL: fine; else what it must be, e.g. "it must be an address" */
};
extern const struct conf_like *conf_likes;	/* ended by an empty name */
struct conf_rule {		/* about settings together */
	const char *name;	/* the setting whose place is told */
	const char *(*wrong)(const struct conf *c);	/* as above */
};
extern const struct conf_rule *conf_rules;	/* ended by an empty name */
extern bool conf_files;		/* files and directories that settings name must be there */

/* Reads file (NULL: none), environment, then `args` ("name=value", argc of them). False, and a line on stderr for each mistake with its place, when
 * something is unknown, malformed or out of bounds; nothing has changed then. With `reload`, rows that need a restart keep their value and a change is logged. */
bool conf_load(const char *file, int nargs, char *const *args, bool reload);
/* For a process that has no use for some: these texts (names, ended by NULL; static) are wiped, and empty from now on, also after conf_load. */
void conf_forget(const char *const *names);
/* Prints every row with its value, default and documentation as a configuration file. */
void conf_print(void *stdio_file, bool secrets);

struct conf_about {		/* a row, for documentation */
	const char *name, *def, *doc;
	const char *values;	/* "first or open", "1 to 65535"; "" when its documentation says it all */
	bool reload;
};
bool conf_about(int i, struct conf_about *out);	/* false: there is no i-th; `values` stays until the next call */
/* The names of all rows, ended by NULL. */
const char *const *conf_names(void);

#endif
