/* Formats of text, checked by hand: what a library accepts differs from what clients of this protocol expect. */
#include "model/format.h"

#include <arpa/inet.h>
#include <inttypes.h>

enum { LOCAL_MAX = 64, LABEL_MAX = 63, HOST_MAX = 253, EMAIL_MAX = 320, IP_TEXT_MAX = 45, PORT_MAX = 65535 };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
format_is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Visible ASCII: no blanks, no controls, nothing beyond. */
static bool
visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

/* The last c, or NULL. */
static const char *
last_of(struct str s, char c)
{
	while (s.n > 0)
		if (s.p[--s.n] == c)
			return s.p + s.n;
	return NULL;
}

static bool
label(struct str s)
{
	if (s.n == 0 || s.n > LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!format_is_letter(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

bool
format_hostname(struct str s)
{
	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n == 0 || s.n > HOST_MAX)
		return false;
	while (s.p != NULL)
		if (!label(str_cut(&s, '.')))
			return false;
	return true;
}

bool
format_ip(struct str s)
{
	unsigned char bits[16];
	char text[IP_TEXT_MAX + 1];

	if (s.n == 0 || s.n > IP_TEXT_MAX || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, bits) == 1;
}

/* [127.0.0.1] or [IPv6:::1] behind the @. */
static bool
address_literal(struct str s)
{
	if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s.p++;
	s.n -= 2;
	if (s.n > 5 && str_ieq((struct str){s.p, 5}, STR("ipv6:"))) {
		s.p += 5;
		s.n -= 5;
		return memchr(s.p, ':', s.n) != NULL && format_ip(s);
	}
	return memchr(s.p, ':', s.n) == NULL && format_ip(s);
}

static bool
email_domain(struct str s)
{
	if (s.n > 0 && s.p[0] == '[')
		return address_literal(s);
	return memchr(s.p, '.', s.n) != NULL && s.p[s.n - 1] != '.' && format_hostname(s) && !format_ip(s);
}

/* A dot-atom: no dot at either end, no two in a row. */
static bool
email_local(struct str s)
{
	if (s.n == 0 || s.n > LOCAL_MAX || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.' ? s.p[i + 1] == '.' : !format_is_letter(c) && !is_digit(c) && memchr("!#$%&'*+-/=?^_`{|}~", c, 19) == NULL)
			return false;
	}
	return true;
}

bool
format_email(struct str s)
{
	const char *at = last_of(s, '@');

	if (at == NULL || s.n > EMAIL_MAX || !visible(s) || at + 1 == s.p + s.n)
		return false;
	return email_local((struct str){s.p, (size_t)(at - s.p)}) &&
	    email_domain((struct str){at + 1, (size_t)(s.p + s.n - at - 1)});
}

bool
format_port(struct str s)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return s.n == 0 || (s.n <= 5 && str_to_i64(s, &v) && v <= PORT_MAX);
}

static bool
web_host(struct str s)
{
	const char *end;
	struct str host;

	if (s.n > 0 && s.p[0] == '[') {
		if ((end = memchr(s.p, ']', s.n)) == NULL)
			return false;
		host = (struct str){s.p + 1, (size_t)(end - s.p - 1)};
		s = (struct str){end + 1, (size_t)(s.p + s.n - end - 1)};
		if (s.n > 0 && s.p[0] != ':')
			return false;
		return memchr(host.p, ':', host.n) != NULL && format_ip(host) &&
		    (s.n == 0 || format_port((struct str){s.p + 1, s.n - 1}));
	}
	host = str_cut(&s, ':');
	return format_hostname(host) && (s.p == NULL || format_port(s));
}

/* Signs of [user[:password]]. No backslash among them: browsers read it as the slash that ends the host. */
static bool
userinfo(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!format_is_letter(s.p[i]) && !is_digit(s.p[i]) && memchr("-._~!$&'()*+,;=:%", s.p[i], 17) == NULL)
			return false;
	return true;
}

/* What stands between "//" and the path: [user[:password]@]host[:port]. */
static bool
authority(struct str rest, bool web)
{
	size_t n = 0;
	const char *at;
	struct str a;

	while (n < rest.n && strchr("/?#", rest.p[n]) == NULL)
		n++;
	a = (struct str){rest.p, n};
	if (!web)		/* file:///x has an empty one */
		return n > 0 || (rest.n > 0 && rest.p[0] == '/');
	if ((at = last_of(a, '@')) == NULL)
		return web_host(a);
	return userinfo((struct str){a.p, (size_t)(at - a.p)}) && web_host((struct str){at + 1, (size_t)(a.p + n - at - 1)});
}

static bool
scheme_ok(struct str s)
{
	if (s.n == 0 || !format_is_letter(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!format_is_letter(s.p[i]) && !is_digit(s.p[i]) && memchr("+-.", s.p[i], 3) == NULL)
			return false;
	return true;
}

bool
format_url(struct str s)
{
	struct str rest = s, scheme;
	bool web;

	if (!visible(s) || s.n == 0 || memchr(s.p, ':', s.n) == NULL)
		return false;
	scheme = str_cut(&rest, ':');
	if (!scheme_ok(scheme))
		return false;
	web = str_ieq(scheme, STR("http")) || str_ieq(scheme, STR("https"));
	if (rest.n >= 2 && memcmp(rest.p, "//", 2) == 0) {
		bool empty_host_ok = str_ieq(scheme, STR("file"));

		rest.p += 2;
		rest.n -= 2;
		if (rest.n > 0 && rest.p[0] == '/' && !empty_host_ok)
			return false;
		return authority(rest, web);
	}
	return rest.n > 0 && (str_ieq(scheme, STR("mailto")) || str_ieq(scheme, STR("news")));
}

/* ---- what is said of a value that does not fit ---- */

const char *
tail_text(struct arena *a, int64_t max)
{
	if (max == 0)
		return "Value must be a valid string";
	return arena_printf(a, "Value must be a valid string and no longer than %" PRId64 " chars", max);
}

/* "10,000" */
enum { PHONE_MIN = 2, PHONE_MAX = 15 };

bool
format_phone(struct str s)
{
	bool ok = s.n >= PHONE_MIN + 1 && s.n <= PHONE_MAX + 1 && s.p[0] == '+' && s.p[1] != '0';

	for (size_t i = 1; ok && i < s.n; i++)
		ok = s.p[i] >= '0' && s.p[i] <= '9';
	return ok;
}

bool
format_calling_code(struct str phone)
{
	static const char *const codes[] = {
#define CALLING_CODE(digits, territories) digits,
#include "tbl/calling_codes.h"
	};
	struct str digits = {phone.p + 1, phone.n - 1};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (str_starts(digits, codes[i]))
			return true;
	return false;
}

static const char *
format_grouped(struct arena *a, double v)
{
	const char *digits = arena_printf(a, "%.0f", v);
	struct buf b;
	size_t n;

	buf_init(&b, a, 64);
	if (*digits == '-')
		buf_ch(&b, *digits++);
	n = strlen(digits);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			buf_ch(&b, ',');
		buf_ch(&b, digits[i]);
	}
	return b.p;
}

const char *
tail_range(struct arena *a, double min, double max)
{
	return arena_printf(a, "Value must be a valid range between %s and %s", format_grouped(a, min), format_grouped(a, max));
}

const char *
tail_one_of(struct arena *a, const char *const *v, int n)
{
	return arena_printf(a, "Value must be one of (%s)", str_join(a, v, n));
}
