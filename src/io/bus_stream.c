/* The event stream: following it from its end, ranges for those who resume.
 *
 * BUS_CURRENT is a stream too: one XREAD waits for the next event and for the next announcement alike, so a reader can never miss that
 * the stream was replaced. The relay never trims the last entry: an empty stream, or one whose oldest entry is behind our position,
 * means that we may have missed something. */
#include "bus_priv.h"

#include <assert.h>

#include "core/log.h"
#include "core/loop.h"

enum { KEY_MAX = 160, BATCH = 256 };
#define BLOCK_MS "5000"

struct announcement {		/* the last entry of BUS_CURRENT */
	char id[48];
	char key[KEY_MAX];	/* "": none */
	struct stream_pos at;
};

static struct {
	struct bus_link *link;
	struct bus_follow f;
	char seen[48];		/* the last announcement */
	char key[KEY_MAX];
	struct stream_pos pos;	/* of the last entry given to on_entry */
	bool begun;		/* the first look for the current stream is over */
	bool paused, held;	/* held: a read is due when the pause ends */
} me;

/* ---- positions ---- */

bool
stream_pos_parse(struct str s, struct stream_pos *out)
{
	uint64_t v[2] = {0, 0};
	int part = 0;

	if (s.n == 0 || s.n > 41 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '-' && part == 0) {
			part = 1;
			continue;
		}
		if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v[part], 10, &v[part]) ||
		    __builtin_add_overflow(v[part], (uint64_t)(s.p[i] - '0'), &v[part]))
			return false;
	}
	*out = (struct stream_pos){v[0], v[1]};
	return true;
}

char *
stream_pos_text(struct stream_pos p, char out[42])
{
	snprintf(out, 42, "%llu-%llu", (unsigned long long)p.lsn, (unsigned long long)p.index);
	return out;
}

int
stream_pos_cmp(struct stream_pos a, struct stream_pos b)
{
	if (a.lsn != b.lsn)
		return a.lsn < b.lsn ? -1 : 1;
	return a.index < b.index ? -1 : a.index > b.index;
}

/* ---- replies ---- */

static struct str
text_of(const redisReply *r)
{
	return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS ? (struct str){r->str, (size_t)r->len} : STR_NONE;
}

static bool
is_entry(const redisReply *e)
{
	return e->type == REDIS_REPLY_ARRAY && e->elements == 2 && e->element[0]->type == REDIS_REPLY_STRING &&
	    e->element[1]->type == REDIS_REPLY_ARRAY;
}

static struct str
field_of(const redisReply *entry, const char *name)
{
	const redisReply *f = entry->element[1];

	for (size_t i = 0; i + 1 < f->elements; i += 2)
		if (str_is(text_of(f->element[i]), name))
			return text_of(f->element[i + 1]);
	return STR_NONE;
}

static bool
announcement_of(const redisReply *entry, struct announcement *out)
{
	struct str key, id;

	*out = (struct announcement){.id = "0-0"};
	if (!is_entry(entry))
		return false;
	key = field_of(entry, "k");
	id = text_of(entry->element[0]);
	if (!str_starts(key, BUS_STREAM) || key.n >= KEY_MAX || id.n >= sizeof out->id)
		return false;
	snprintf(out->key, sizeof out->key, "%.*s", STR_FMT(key));
	snprintf(out->id, sizeof out->id, "%.*s", STR_FMT(id));
	return stream_pos_parse(field_of(entry, "at"), &out->at);
}

/* ---- following ---- */

static void look(void);
static void read_on(void);

static bool
usable(const redisReply *r)
{
	if (r == NULL)
		return false;	/* the link is down: on_up begins anew */
	if (r->type == REDIS_REPLY_ERROR) {
		link_drop(me.link, r->str);
		return false;
	}
	return true;
}

#define SEND(fn, ...)                                                          \
	do {                                                                   \
		if (me.link != NULL && !link_send(me.link, (fn), NULL, BUS(__VA_ARGS__))) \
			link_drop(me.link, "the follower cannot send");        \
	} while (0)

static void
gap(void)
{
	log_warn(NULL, "events may have been missed", "stream=%s", me.key);
	if (me.f.on_gap != NULL)
		me.f.on_gap(me.f.arg);
}

/* After a break: is what follows our position still there? */
static void
on_first(const redisReply *r, void *arg)
{
	struct stream_pos first;

	(void)arg;
	if (!usable(r) || r->type != REDIS_REPLY_ARRAY)
		return;
	if (me.pos.lsn != 0 && (r->elements == 0 || (is_entry(r->element[0]) &&
	    stream_pos_parse(text_of(r->element[0]->element[0]), &first) && stream_pos_cmp(first, me.pos) > 0)))
		gap();
	read_on();
}

/* At the start of the process: from the end. */
static void
on_last(const redisReply *r, void *arg)
{
	(void)arg;
	if (!usable(r) || r->type != REDIS_REPLY_ARRAY)
		return;
	if (r->elements > 0 && is_entry(r->element[0]))
		(void)stream_pos_parse(text_of(r->element[0]->element[0]), &me.pos);
	me.begun = true;
	read_on();
}

/* Moves to the announced stream. */
static void
follow(const struct announcement *a)
{
	bool had = me.key[0] != '\0';

	snprintf(me.seen, sizeof me.seen, "%s", a->id);
	if (strcmp(me.key, a->key) == 0)
		return;
	snprintf(me.key, sizeof me.key, "%s", a->key);
	me.pos = a->at;
	if (had)
		gap();
	log_info(NULL, "following events", "stream=%s", me.key);
}

static void
on_current(const redisReply *r, void *arg)
{
	struct announcement a;
	bool same;

	(void)arg;
	if (!usable(r) || r->type != REDIS_REPLY_ARRAY)
		return;
	if (r->elements == 0 || !announcement_of(r->element[0], &a)) {
		snprintf(me.seen, sizeof me.seen, "0-0");
		me.begun = true;	/* the stream will be born after us: all of it is new */
		read_on();
		return;
	}
	same = strcmp(me.key, a.key) == 0;
	follow(&a);
	if (!me.begun)
		SEND(on_last, STR("XREVRANGE"), str_c(me.key), STR("+"), STR("-"), STR("COUNT"), STR("1"));
	else if (same)
		SEND(on_first, STR("XRANGE"), str_c(me.key), STR("-"), STR("+"), STR("COUNT"), STR("1"));
	else
		read_on();
}

static void
look(void)
{
	SEND(on_current, STR("XREVRANGE"), STR(BUS_CURRENT), STR("+"), STR("-"), STR("COUNT"), STR("1"));
}

static void
take_entries(const redisReply *list)
{
	struct stream_pos pos;

	for (size_t i = 0; i < list->elements && me.link != NULL; i++) {
		const redisReply *e = list->element[i];

		if (!is_entry(e) || !stream_pos_parse(text_of(e->element[0]), &pos))
			continue;
		me.pos = pos;
		me.f.on_entry(pos, field_of(e, "h"), field_of(e, "b"), me.f.arg);
	}
}

static void
on_read(const redisReply *r, void *arg)
{
	const redisReply *news = NULL;
	struct announcement a;

	(void)arg;
	if (!usable(r))
		return;
	if (r->type != REDIS_REPLY_ARRAY) {	/* nothing for a while: time to make sure of the name */
		look();
		return;
	}
	for (size_t i = 0; i < r->elements; i++) {
		const redisReply *s = r->element[i];

		if (s->type != REDIS_REPLY_ARRAY || s->elements != 2 || s->element[1]->type != REDIS_REPLY_ARRAY)
			continue;
		if (str_is(text_of(s->element[0]), me.key))
			take_entries(s->element[1]);
		else if (s->element[1]->elements > 0)
			news = s->element[1]->element[s->element[1]->elements - 1];
	}
	if (me.link == NULL)
		return;		/* an entry's reader stopped us */
	if (news != NULL && announcement_of(news, &a))
		follow(&a);
	else if (news != NULL)
		snprintf(me.seen, sizeof me.seen, "%.*s", STR_FMT(text_of(news->element[0])));
	read_on();
}

static void
read_on(void)
{
	char pos[42], batch[12];

	me.held = me.paused;
	if (me.held)
		return;
	snprintf(batch, sizeof batch, "%d", BATCH);
	if (me.key[0] == '\0')
		SEND(on_read, STR("XREAD"), STR("BLOCK"), STR(BLOCK_MS), STR("STREAMS"), STR(BUS_CURRENT), str_c(me.seen));
	else
		SEND(on_read, STR("XREAD"), STR("COUNT"), str_c(batch), STR("BLOCK"), STR(BLOCK_MS), STR("STREAMS"), STR(BUS_CURRENT),
		    str_c(me.key), str_c(me.seen), str_c(stream_pos_text(me.pos, pos)));
}

static void
on_up(void *arg)
{
	(void)arg;
	me.held = false;	/* what was due went with the link */
	look();
}

void
bus_follow_start(const struct bus_follow *f)
{
	assert(me.link == NULL && f->on_entry != NULL);
	memset(&me, 0, sizeof me);
	me.f = *f;
	me.link = link_open(on_up, NULL, NULL);
}

void
bus_follow_stop(void)
{
	bus_link_close(&me.link);
}

struct stream_pos
bus_follow_pos(void)
{
	return me.pos;
}

void
bus_follow_pause(bool on)
{
	me.paused = on;
	if (!on && me.held)
		read_on();
}

const char *
bus_stream_key(void)
{
	return me.key;
}

/* ---- ranges ---- */

static struct str
reply_field(const struct bus_reply *fields, const char *name)
{
	for (int i = 0; i + 1 < fields->n; i += 2)
		if (fields->v[i].type == BUS_STR && str_is(fields->v[i].s, name))
			return fields->v[i + 1].s;
	return STR_NONE;
}

static bool
reply_is_entry(const struct bus_reply *e)
{
	return e->type == BUS_LIST && e->n == 2 && e->v[0].type == BUS_STR && e->v[1].type == BUS_LIST;
}

/* The current stream's key, looked up by those who do not follow it; absent when there is none. */
static err_t
current_key(struct ctx *cx, struct str *out)
{
	struct bus_reply *r;

	*out = str_c(arena_strdup(cx->arena, me.key));
	if (out->n > 0)
		return OK;
	TRY(bus_cmd(cx, &r, BUS(STR("XREVRANGE"), STR(BUS_CURRENT), STR("+"), STR("-"), STR("COUNT"), STR("1"))));
	if (r->type == BUS_LIST && r->n > 0 && reply_is_entry(&r->v[0]))
		*out = reply_field(&r->v[0].v[1], "k");
	return OK;
}

err_t
bus_range(struct ctx *cx, struct stream_pos after, struct stream_pos upto, int count, struct bus_entry **out, int *n_out)
{
	char from[42], to[42], max[16];
	struct bus_reply *r;
	struct str key;

	*out = NULL;
	*n_out = 0;
	assert(count > 0);
	if (++after.index == 0 && ++after.lsn == 0)
		return OK;
	TRY(current_key(cx, &key));
	if (key.n == 0)
		return OK;
	snprintf(max, sizeof max, "%d", count);
	TRY(bus_cmd(cx, &r, BUS(STR("XRANGE"), key, str_c(stream_pos_text(after, from)), str_c(stream_pos_text(upto, to)), STR("COUNT"),
	    str_c(max))));
	if (r->type != BUS_LIST)
		return OK;
	*out = arena_array(cx->arena, struct bus_entry, r->n);
	for (int i = 0; i < r->n; i++) {
		struct bus_entry *e = &(*out)[*n_out];

		if (!reply_is_entry(&r->v[i]) || !stream_pos_parse(r->v[i].v[0].s, &e->pos))
			continue;
		e->header = reply_field(&r->v[i].v[1], "h");
		e->body = reply_field(&r->v[i].v[1], "b");
		(*n_out)++;
	}
	return OK;
}

err_t
bus_oldest(struct ctx *cx, struct stream_pos *oldest_out)
{
	struct bus_reply *r;
	struct str key;

	*oldest_out = (struct stream_pos){0, 0};
	TRY(current_key(cx, &key));
	if (key.n == 0)
		return OK;
	TRY(bus_cmd(cx, &r, BUS(STR("XRANGE"), key, STR("-"), STR("+"), STR("COUNT"), STR("1"))));
	if (r->type == BUS_LIST && r->n > 0 && reply_is_entry(&r->v[0]))
		(void)stream_pos_parse(r->v[0].v[0].s, oldest_out);
	return OK;
}
