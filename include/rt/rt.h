/* Realtime: the fan-out core and the two dialects of the protocol (spec realtime.md).
 *
 * Permission is an index: a connection is entered under (project, channel, role) for each of its channels and roles, so the cost
 * of an event is its receivers. An event is encoded once per dialect and the bytes are shared. */
#ifndef BADAL_RT_RT_H
#define BADAL_RT_RT_H

#include "io/http.h"

void rt_init(void);		/* per web process: follows the event stream */
void rt_fini(void);
bool rt_busy(void);		/* rooms have not heard yet of connections that are gone */
void rt_ws_open(struct ws *w, struct http_msg *up);	/* the http_handler callbacks */
void rt_ws_message(struct ws *w, struct str text);
void rt_ws_close(struct ws *w);

#endif
