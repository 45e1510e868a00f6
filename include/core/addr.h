/* Whom an address stands for: an IPv6 client is its /64, since who has one address of it has them all; one that maps an IPv4 address is that. */
#ifndef BADAL_CORE_ADDR_H
#define BADAL_CORE_ADDR_H

#include "core/str.h"

enum { ADDR_KEY_MAX = 16, ADDR_NET_MAX = 52 };

/* A short key, in `key`; "-" for what is no address. */
struct str addr_key(const char *address, char key[ADDR_KEY_MAX]);
/* The same to read: "192.0.2.1", "2001:db8:1:2::/64"; what is no address as it is, cut. Returns `net`. */
const char *addr_net(const char *address, char net[ADDR_NET_MAX]);

#endif
