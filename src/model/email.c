/* Addresses of e-mail. The rules of aliases are those that providers publish; a + begins a tag everywhere, as RFC 5233 has it by custom. */
#include "model/email.h"

#include "email_domains.h"

/* ---- the mailbox ---- */

static const struct mailbox_rule {
	const char *domain, *same;	/* same: the name of it that stays; NULL: this one */
	const char *tags;		/* what begins a tag */
	const char *ignored;		/* characters that make no difference */
} mailbox_rules[] = {
	{"gmail.com", NULL, "+", "."},
	{"googlemail.com", "gmail.com", "+", "."},
	{"icloud.com", NULL, "+", ""},
	{"mac.com", "icloud.com", "+", ""},
	{"me.com", "icloud.com", "+", ""},
	{"pm.me", "proton.me", "+", "._-"},
	{"proton.me", NULL, "+", "._-"},
	{"protonmail.ch", "proton.me", "+", "._-"},
	{"protonmail.com", "proton.me", "+", "._-"},
	{"rocketmail.com", NULL, "+-", ""},
	{"ymail.com", NULL, "+-", ""},
};
static const struct mailbox_rule usual_rule = {NULL, NULL, "+", ""}, yahoo_rule = {NULL, NULL, "+-", ""};

static const struct mailbox_rule *
mailbox_rule_of(struct str domain)
{
	for (size_t i = 0; i < sizeof mailbox_rules / sizeof *mailbox_rules; i++)
		if (str_is(domain, mailbox_rules[i].domain))
			return &mailbox_rules[i];
	return str_starts(domain, "yahoo.") ? &yahoo_rule : &usual_rule;
}

/* The part behind the last @; {NULL, 0}: there is none, or it is too long. */
static struct str
domain_of(struct str email)
{
	size_t at = email.n;

	while (at > 0 && email.p[at - 1] != '@')
		at--;
	return at > 1 && email.n <= EMAIL_TEXT_MAX ? (struct str){email.p + at, email.n - at} : STR_NONE;
}

/* In lower case. A domain may end with a dot, which says nothing. */
static struct str
domain_lower(struct str email, char room[EMAIL_TEXT_MAX])
{
	struct str d = domain_of(email);

	while (d.n > 0 && d.p[d.n - 1] == '.')
		d.n--;
	for (size_t i = 0; i < d.n; i++)
		room[i] = d.p[i] >= 'A' && d.p[i] <= 'Z' ? (char)(d.p[i] | 0x20) : d.p[i];
	return d.p ? (struct str){room, d.n} : STR_NONE;
}

/* What is before the tag, without what is ignored; a tag alone is a name. */
static size_t
mailbox_name(struct str local, const struct mailbox_rule *rule, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < local.n; i++) {
		char c = local.p[i];

		if (i > 0 && strchr(rule->tags, c) != NULL)
			break;
		if (strchr(rule->ignored, c) == NULL)
			out[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return n;
}

struct str
email_canonical(struct str email, char room[EMAIL_TEXT_MAX])
{
	char lower[EMAIL_TEXT_MAX];
	struct str domain = domain_lower(email, lower), local;
	const struct mailbox_rule *rule;
	size_t n;

	if (domain.p == NULL || memchr(email.p, '\0', email.n) != NULL)
		return STR_NONE;
	rule = mailbox_rule_of(domain);
	local = (struct str){email.p, (size_t)(domain_of(email).p - email.p) - 1};
	n = mailbox_name(local, rule, room);
	if (n == 0)	/* nothing but what is ignored: then that is its name */
		n = mailbox_name(local, &usual_rule, room);
	if (rule->same != NULL)
		domain = str_c(rule->same);
	if (n + 1 + domain.n > EMAIL_TEXT_MAX)
		return STR_NONE;
	room[n++] = '@';
	memcpy(room + n, domain.p, domain.n);
	return (struct str){room, n + domain.n};
}

bool
email_is_canonical(struct str email)
{
	char room[EMAIL_TEXT_MAX];

	return str_ieq(email_canonical(email, room), email);
}

/* A tag is put there by who writes the address; dots and names of domains that make no difference are how people have theirs. */
bool
email_untagged(struct str email)
{
	char lower[EMAIL_TEXT_MAX], name[EMAIL_TEXT_MAX];
	struct str domain = domain_lower(email, lower), local;
	struct mailbox_rule rule;

	if (domain.p == NULL || memchr(email.p, '\0', email.n) != NULL)
		return false;
	rule = *mailbox_rule_of(domain);
	rule.ignored = "";
	local = (struct str){email.p, (size_t)(domain_of(email).p - email.p) - 1};
	return mailbox_name(local, &rule, name) == local.n;
}

/* ---- whose domain it is ---- */

bool
email_disposable(struct str email)
{
	const struct str list = {disposable_domains, sizeof disposable_domains - 1};
	char room[EMAIL_TEXT_MAX];
	struct str rest = domain_lower(email, room);

	while (rest.p != NULL) {
		if (str_line_in(list, rest))
			return true;
		(void)str_cut(&rest, '.');
	}
	return false;
}

bool
email_free(struct str email)
{
	char room[EMAIL_TEXT_MAX];
	struct str domain = domain_lower(email, room);

	return domain.p != NULL && str_line_in((struct str){free_domains, sizeof free_domains - 1}, domain);
}

bool
email_corporate(struct str email)
{
	return domain_of(email).p != NULL && !email_free(email) && !email_disposable(email);
}
