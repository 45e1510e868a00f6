/* Outgoing requests, private. */
#ifndef BADAL_IO_FETCH_PRIV_H
#define BADAL_IO_FETCH_PRIV_H

#include <sys/socket.h>

#include "io/fetch.h"

bool sockaddr_private(const struct sockaddr *sa);

#endif
