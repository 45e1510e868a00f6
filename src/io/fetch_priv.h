/* Outgoing requests, private: transfers (fetch.c), curl on the loop (fetch_loop.c), addresses (fetch_addr.c), and what does
 * without curl (fetch_local.c). */
#ifndef BADAL_IO_FETCH_PRIV_H
#define BADAL_IO_FETCH_PRIV_H

#include <curl/curl.h>
#include <sys/socket.h>

#include "io/fetch.h"

bool sockaddr_private(const struct sockaddr *sa);

/* ---- fetch_loop.c ---- */
/* Each handle has its transfer as CURLOPT_PRIVATE. `done` is called once for a handle that ended by itself, which is off the loop then. */
void fetch_loop_start(void (*done)(void *transfer, CURLcode result));
void fetch_loop_stop(void);
bool fetch_loop_add(CURL *easy);	/* false: curl takes no more */
void fetch_loop_remove(CURL *easy);	/* not one that is done */
/* A socket of a connection, made by CURLOPT_OPENSOCKETFUNCTION; CURLOPT_CLOSESOCKETFUNCTION is the other. */
void fetch_loop_opened(curl_socket_t fd);
int fetch_loop_close(void *arg, curl_socket_t fd);
/* A pause of this handle may be over: goes on both ways now. Not from within curl's callbacks. Not CURLE_OK: a callback refused what curl
 * held back, and the transfer is to be given up. */
CURLcode fetch_loop_go_on(CURL *easy);

/* ---- fetch_local.c ---- */
/* fetch() of a socket of this machine. */
err_t fetch_local(struct ctx *cx, const struct fetch *f, struct fetch_reply **out) MUST_CHECK;
void fetch_local_fini(void);

#endif
