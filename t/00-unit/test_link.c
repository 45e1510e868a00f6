/* Links in mails. */
#include <criterion/criterion.h>

#include "model/link.h"

Test(link, parameters_join_the_query)
{
	static const struct { const char *url, *want; } rows[] = {
	    {"http://localhost", "http://localhost?userId=u1&secret=a+b%26c"},
	    {"http://localhost/join", "http://localhost/join?userId=u1&secret=a+b%26c"},
	    {"http://localhost/join?x=1&y=%20z", "http://localhost/join?x=1&y=+z&userId=u1&secret=a+b%26c"},
	    {"http://localhost/?secret=old&x=1", "http://localhost/?secret=a+b%26c&x=1&userId=u1"},
	    {"http://localhost/?secret=old&secret=older", "http://localhost/?secret=a+b%26c&userId=u1"},
	    {"http://localhost/#/join?x=1", "http://localhost/?userId=u1&secret=a+b%26c#/join?x=1"},
	    {"http://localhost/?&=&a", "http://localhost/?a=&userId=u1&secret=a+b%26c"},
	    {"http://localhost/?x=a%00b", "http://localhost/?x=a%00b&userId=u1&secret=a+b%26c"},
	    {"app-callback://join", "app-callback://join?userId=u1&secret=a+b%26c"},
	};
	const struct link_param v[] = {{"userId", "u1"}, {"secret", "a b&c"}};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_str_eq(link_with(a, rows[i].url, v, 2), rows[i].want, "%s", rows[i].url);
	arena_free(&a);
}
