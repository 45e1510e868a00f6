/* The web role: HTTP, WebSocket and the fan-out of events. */
#include "core/conf.h"
#include "core/loop.h"
#include "gate/gate.h"
#include "io/bus.h"
#include "io/db.h"
#include "main_priv.h"
#include "model/proxy.h"
#include "rt/rt.h"

enum { DRAIN_TICK_MS = 20 };

static struct http_handler handler;
static uint64_t drain_end;

bool
web_init(void)
{
	handler = api_http;
	handler.relays = proxy_trusts;
	handler.ws_open = rt_ws_open;
	handler.ws_message = rt_ws_message;
	handler.ws_close = rt_ws_close;
	db_init();
	db_bound_statements();
	bus_init();
	api_init();
	rt_init();
	return http_listen(&handler, "/v1/realtime");
}

bool
servers_up(struct ctx *cx)
{
	struct db_res *r;

	return bus_up() && db_query(cx, &r, "SELECT 1", DB0) == OK;
}

static void
drain_more(void *arg)
{
	static bool written;
	bool busy = http_open_requests() > 0 || http_unsent_answers() > 0 || http_open_sockets() > 0 || rt_busy();

	(void)arg;
	if (!busy && !written) {	/* after the last request: what it left behind in memory */
		written = true;
		api_drain();
	}
	if ((busy || api_writing()) && loop_now() < drain_end)
		return;
	loop_stop();
}

/* Requests end, then the connections: a WebSocket answers our Close frame. */
void
web_drain(void)
{
	drain_end = loop_now() + (uint64_t)conf.drain_timeout;
	http_drain();
	loop_every(DRAIN_TICK_MS, drain_more, NULL);
}

void
web_fini(void)
{
	http_fini();
	rt_fini();
	bus_fini();
	db_fini();
}
