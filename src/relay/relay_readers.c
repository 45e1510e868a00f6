/* Who reads the stream. Versions before entries of many events (relay_queue.c) pass over them, for good: there are none while such a process reads.
 *
 * A connection of this program has a name (BUS_CLIENT); one that reads streams without it is of an earlier version, or somebody else's. A process that starts again, or
 * looks for Redis, is not seen for a while: so nobody may have been seen for QUIET. That it was so is noted, and holds for sessions and relays to come. */
#include "relay_priv.h"

#include "core/log.h"
#include "core/loop.h"

enum { LOOK_EVERY = 5000, QUIET = 60000 };	/* ms */

#define RELAY_PACKS "relay:packs"	/* there: nobody of an earlier version reads, as far as is known */

static bool said;	/* that somebody is there */

/* What a line of CLIENT LIST says behind this name, such as "cmd=". */
static struct str
line_value(struct str line, const char *name)
{
	size_t n = strlen(name);

	while (line.p != NULL) {
		struct str word = str_cut(&line, ' ');

		if (str_starts(word, name))
			return (struct str){word.p + n, word.n - n};
	}
	return STR_NONE;
}

static bool
reads_events(struct str line, int64_t db)
{
	struct str cmd = line_value(line, "cmd=");
	int64_t in;

	return (str_is(cmd, "xread") || str_is(cmd, "xreadgroup")) && str_to_i64(line_value(line, "db="), &in) && in == db;
}

/* Awaits. *who_out: somebody whose version is an earlier one, or not known; STR_NONE: nobody. */
static err_t
find_earlier(struct ctx *cx, struct session *s, struct str *who_out)
{
	struct bus_reply *r;
	err_t e = bus_link_cmd(cx, s->link, &r, BUS(STR("CLIENT"), STR("LIST"), STR("TYPE"), STR("normal")));
	struct str rest;

	*who_out = STR("unknown: Redis does not tell");
	if (e == ERR_BUS && bus_link_up(s->link))
		return OK;
	TRY(e);
	rest = r->type == BUS_STR ? r->s : STR_NONE;
	while (rest.p != NULL) {
		struct str line = str_cut(&rest, '\n');

		if (reads_events(line, bus_link_db(s->link)) && !str_starts(line_value(line, "name="), BUS_CLIENT)) {
			*who_out = line_value(line, "addr=");
			return OK;
		}
	}
	*who_out = STR_NONE;
	return OK;
}

/* Awaits. What Redis refuses, for want of memory, is tried with the next look. */
static err_t
readers_note(struct ctx *cx, struct session *s, bool on)
{
	struct bus_reply *r;
	err_t e = on ? bus_link_cmd(cx, s->link, &r, BUS(STR("SET"), STR(RELAY_PACKS), STR("1"))) : bus_link_cmd(cx, s->link, &r, BUS(STR("DEL"), STR(RELAY_PACKS)));

	s->noted = on && e == OK;
	return e == ERR_BUS && bus_link_up(s->link) ? OK : e;
}

static err_t
earlier_there(struct ctx *cx, struct session *s, struct str who)
{
	if (!said)
		log_info(NULL, "somebody of an earlier version reads events: those of bulk writes go one by one", "who=\"%.*s\"", STR_FMT(who));
	said = true;
	s->packs = false;
	s->quiet_since = 0;
	return readers_note(cx, s, false);
}

/* Awaits. It was noted before, or nobody has ever read here. */
static err_t
was_quiet(struct ctx *cx, struct session *s, bool *out)
{
	struct bus_reply *noted, *streams;

	TRY(bus_link_cmd(cx, s->link, &noted, BUS(STR("EXISTS"), STR(RELAY_PACKS))));
	TRY(bus_link_cmd(cx, s->link, &streams, BUS(STR("EXISTS"), STR(BUS_CURRENT))));
	*out = noted->i == 1 || streams->i == 0;
	return OK;
}

static err_t
nobody_there(struct ctx *cx, struct session *s, bool leads)
{
	if (s->quiet_since == 0) {
		s->quiet_since = loop_now();
		TRY(was_quiet(cx, s, &s->packs));
	}
	s->packs = s->packs || loop_now() - s->quiet_since >= QUIET;
	if (!s->packs || s->noted || !leads)
		return OK;
	if (said)
		log_info(NULL, "nobody of an earlier version reads events any more: those of bulk writes stay together", NULL);
	said = false;
	return readers_note(cx, s, true);
}

err_t
readers_look(struct session *s, bool leads)
{
	struct str who;
	struct ctx cx;
	err_t e;

	if (loop_now() < s->next_look)
		return OK;
	s->next_look = loop_now() + LOOK_EVERY;
	ctx_init(&cx);
	e = find_earlier(&cx, s, &who);
	if (e == OK)
		e = who.p != NULL ? earlier_there(&cx, s, who) : nobody_there(&cx, s, leads);
	ctx_fini(&cx);
	return e;
}
