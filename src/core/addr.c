#include "core/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { V6_PREFIX = 8 };

struct str
addr_key(const char *address, char key[ADDR_KEY_MAX])
{
	struct in6_addr a6;

	if (inet_pton(AF_INET, address, key) == 1)
		return (struct str){key, 4};
	if (inet_pton(AF_INET6, address, &a6) != 1)
		return STR("-");
	memcpy(key, &a6, sizeof a6);
	return IN6_IS_ADDR_V4MAPPED(&a6) ? (struct str){key + 12, 4} : (struct str){key, V6_PREFIX};
}

const char *
addr_net(const char *address, char net[ADDR_NET_MAX])
{
	struct in6_addr a6 = {0};
	char key[ADDR_KEY_MAX], text[INET6_ADDRSTRLEN];
	struct str k = addr_key(address, key);

	if (k.n == V6_PREFIX) {
		memcpy(&a6, k.p, V6_PREFIX);
		snprintf(net, ADDR_NET_MAX, "%s/64", inet_ntop(AF_INET6, &a6, text, sizeof text));
	} else
		snprintf(net, ADDR_NET_MAX, "%s", k.n == 4 ? inet_ntop(AF_INET, k.p, text, sizeof text) : address);
	return net;
}
