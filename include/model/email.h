/* What an address of e-mail is: the mailbox that it and its aliases reach, and what kind of provider has its domain. The lists of domains are in etc
 * and part of the program, so all processes have one copy, which is searched where it lies. */
#ifndef BADAL_MODEL_EMAIL_H
#define BADAL_MODEL_EMAIL_H

#include "core/str.h"

enum { EMAIL_TEXT_MAX = 320 };		/* bytes; longer texts are no addresses */

/* The address in lower case without what its provider ignores: tags behind a +, dots of Gmail, other names of the same domain. *out borrows `room`.
 * STR_NONE: it is none. */
struct str email_canonical(struct str email, char room[EMAIL_TEXT_MAX]);
bool email_is_canonical(struct str email);	/* it is what email_canonical has */
bool email_untagged(struct str email);		/* nobody has put a tag into it; dots, and another name of its domain, are no alias */
bool email_disposable(struct str email);	/* of a domain, or of one below it, that gives addresses for minutes */
bool email_free(struct str email);		/* of a provider that gives addresses to everybody for nothing */
bool email_corporate(struct str email);		/* neither */

#endif
