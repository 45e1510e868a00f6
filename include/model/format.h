/* The formats of text attributes and parameters: e-mail, IP address, URL, host name (spec databases.md 4.6). */
#ifndef BADAL_MODEL_FORMAT_H
#define BADAL_MODEL_FORMAT_H

#include "core/str.h"

/* ASCII only; the domain needs a dot, or is an address in brackets. */
bool format_email(struct str s);
/* IPv4 dotted quad without leading zeros, or IPv6 text; no zone, port or prefix. */
bool format_ip(struct str s);
/* scheme://host…, mailto:…, news:…; ASCII without blanks. http and https need a valid host and port. */
bool format_url(struct str s);
/* Labels of letters, digits and hyphens, at most 63 each and 253 in all; one dot at the end is fine. */
bool format_hostname(struct str s);

#endif
