/* Whether this machine's packet filter lets through what is forwarded for sandboxes. */
#ifndef BADAL_EXEC_FORWARD_H
#define BADAL_EXEC_FORWARD_H

#include <stdbool.h>

/* True: a table of somebody else drops what is forwarded, as Docker and firewalls set it up, and no rule names our interfaces. Rules of iptables-legacy are not
 * seen, and without libnftables none. Takes as long as listing all rules does; does not await. */
bool forward_drops(void);

#endif
