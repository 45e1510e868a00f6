/* Presences that end without anybody saying so: their time is over, their process died, their user is gone. Projects that have some are noted in Redis;
 * those that it forgot are found by the walk through all. */
#include "io/bus.h"
#include "model/waste.h"
#include "svc/presences/presence.h"

static err_t
presences_sweep_project(struct ctx *cx, const char *id)
{
	bool left = false;
	struct project *p;

	TRY(project_get(cx, str_c(id), &p));
	TRY(presence_sweep(cx, p, &left));
	if (left)
		(void)bus_post(BUS(STR("SADD"), STR(PRESENCE_PROJECTS), str_c(id)));
	return OK;
}

/* Taken out before it is looked at: whoever writes meanwhile puts it in again. */
static err_t
sweep_noted(struct ctx *outer, struct str id)
{
	struct bus_reply *r;
	struct ctx cx;
	err_t e;

	ctx_init_part(&cx, outer);
	e = bus_cmd(&cx, &r, BUS(STR("SREM"), STR(PRESENCE_PROJECTS), id));
	if (e == OK)
		e = presences_sweep_project(&cx, str_dup(cx.arena, id));
	if (e != OK && e != ERR_PROJECT_NOT_FOUND)
		(void)bus_post(BUS(STR("SADD"), STR(PRESENCE_PROJECTS), id));
	ctx_fini(&cx);
	return e == ERR_PROJECT_NOT_FOUND || (e != ERR_CANCELLED && e != ERR_BUS) ? OK : e;
}

err_t
presences_expire(struct ctx *cx)
{
	struct bus_reply *r;

	TRY(bus_cmd(cx, &r, BUS(STR("SMEMBERS"), STR(PRESENCE_PROJECTS))));
	for (int i = 0; r->type == BUS_LIST && i < r->n; i++)
		TRY(sweep_noted(cx, r->v[i].s));
	return OK;
}

err_t
presences_walk(struct ctx *cx)
{
	return project_each(cx, "presences-walk", presences_sweep_project);
}
