/* What is said between the executor (net.c) and badal-net (netd.c): packets of a socket, a question and its answer by the same number. */
#ifndef BADAL_EXEC_NET_WIRE_H
#define BADAL_EXEC_NET_WIRE_H

#include <stdint.h>

enum { NET_CONTROL_FD = 3, NET_TEXT_MAX = 400, NET_FDS_MAX = 2 };
enum net_what {
	NET_MAKE,	/* a network; answered with its namespace, and without root with the user namespace that it belongs to */
	NET_FREE,	/* no answer */
	NET_BRIDGE,	/* with a listening socket: who connects to it is connected to a port of 127.0.0.1 in there */
	NET_READY	/* from badal-net, number 0, when it has begun: error 0, or text says why there will be none */
};

struct net_ask {
	uint32_t what, number;
	uint32_t net;		/* the number of the NET_MAKE that made it */
	uint32_t port;
};
struct net_answer {
	uint32_t what, number;
	int32_t error;		/* an errno; 0: it went well */
	char text[NET_TEXT_MAX];	/* an error in words; of NET_MAKE the address inside, of NET_READY how it is done and what is odd */
};

#endif
