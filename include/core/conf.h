/* Configuration: include/tbl/config.h is the table; a file, the environment (BADAL_*) and the command line fill it.
 *
 * Order of precedence: command line, environment, file, default. conf_load is called again on SIGHUP: only RELOAD rows move. */
#ifndef BADAL_CORE_CONF_H
#define BADAL_CORE_CONF_H

#include <stdbool.h>
#include <stdint.h>

typedef const char *conf_STR;
typedef int64_t conf_INT;	/* plain number */
typedef int64_t conf_SIZE;	/* bytes; suffixes k m g */
typedef int64_t conf_TIME;	/* milliseconds; suffixes ms s m h d */
typedef bool conf_BOOL;		/* on/off yes/no true/false enabled/disabled 1/0 */

struct conf {
#define CONF(name, type, def, when, doc) conf_##type name;
#include "tbl/config.h"
#undef CONF
};

extern struct conf conf;	/* strings are owned by the module and stay valid for the process */

/* Reads file (NULL: none), environment, then `args` ("name=value", argc of them). False and a message on stderr when something is unknown
 * or malformed. With `reload`, rows that need a restart keep their value and a change is logged. */
bool conf_load(const char *file, int nargs, char *const *args, bool reload);
/* Prints every row with its value, default and documentation as a configuration file. */
void conf_print(void *stdio_file, bool secrets);

#endif
