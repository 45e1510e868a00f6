/* Keys that a provider publishes and signatures that a client sends: a line of JSON, and what is behind it. Addresses of mailboxes, too. */
#include "core/json.h"
#include "fuzz.h"
#include "model/email.h"
#include "model/jwt.h"
#include "svc/account/id_token.h"

static void
fuzz_address(struct str input)
{
	char room[EMAIL_TEXT_MAX], again[EMAIL_TEXT_MAX];
	struct str mailbox = email_canonical(input, room);

	FUZZ_CHECK(mailbox.n <= EMAIL_TEXT_MAX, "too long", input);
	if (mailbox.p != NULL)
		FUZZ_CHECK(str_eq(email_canonical(mailbox, again), mailbox), "a mailbox that is no mailbox", input);
	(void)email_corporate(input);
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct str signature = input, line = str_cut(&signature, '\n');
	const json_t *key = json_parse_outside(cx, line, NULL);
	struct jwt_parts part;

	fuzz_address(line);
	(void)jwt_cut(input, &part);
	if (!json_is_object(key))
		return;
	(void)id_token_signed(cx, "RS256", key, STR("text"), signature);
	(void)id_token_signed(cx, "ES256", key, STR("text"), signature);
}
