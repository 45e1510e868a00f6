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
/* A plus sign and 2 to 15 digits, the first of them not 0. */
bool format_phone(struct str s);
/* Behind the plus sign of such a number stands a calling code that is in use. */
bool format_calling_code(struct str phone);
/* Digits after a host and its colon; none is fine, too. */
bool format_port(struct str s);

/* What is said of a value that does not fit: behind "Invalid <parameter>: ", and within the messages about documents and defaults. Clients compare
 * these to the letter (spec platform.md 10), so they stand here alone. */
#define TAIL_EMAIL "Value must be a valid email address"
#define TAIL_IP "Value must be a valid IP address"
#define TAIL_URL "Value must be a valid URL"
#define TAIL_INTEGER "Value must be a valid integer"
#define TAIL_FLOAT "Value must be a valid float"
#define TAIL_BOOLEAN "Value must be a valid boolean"
/* max in characters; 0: no bound. */
const char *tail_text(struct arena *a, int64_t max);
/* The bounds as whole numbers in groups of three digits; they are doubles on the wire, so 2^63 - 1 is shown as 2^63. */
const char *tail_range(struct arena *a, double min, double max);
const char *tail_one_of(struct arena *a, const char *const *v, int n);

#endif
