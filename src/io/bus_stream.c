/* The event stream: following it from its end, ranges for those who resume.
 *
 * Each shard is followed on a link of its own: the shards of a cluster may be in different places, and a blocking read takes one at a time.
 * BUS_CURRENT is a stream too and lies beside shard 0: one XREAD waits for the next event and for the next announcement alike, so a reader
 * can never miss that the stream was replaced. The relay notes beside each shard up to where entries may be gone (STREAM_FLOOR): behind
 * our own position nothing is. */
#include "bus_priv.h"

#include <assert.h>

#include "core/log.h"
#include "core/loop.h"

enum { BATCH = 256, LEAST = 4, SHARD_MAGIC = 0x73686172 };
#define BLOCK_MS "5000"

struct announcement {		/* the last entry of BUS_CURRENT */
	char id[48];
	char name[BUS_NAME_MAX];	/* of the stream */
	int shards;
	struct stream_pos at[BUS_SHARDS_MAX];
};

struct shard {			/* static: late replies of a closed link find it */
	unsigned magic;
	int no;
	struct bus_link *link;	/* NULL: not followed */
	int asked;		/* entries, at most, by a read */
	struct stream_pos pos;	/* of the last entry given to on_entry */
	bool begun;		/* pos is known */
	bool held;		/* a read is due when the pause ends */
	bool waits;		/* a read is due when me.later fires */
	bool behind;		/* it was: what has come meanwhile is being read */
};

static struct {
	struct bus_follow f;
	bool on, paused;
	uint64_t pace;		/* ms between entries that came and the next read; 0: none */
	struct loop_timer *later;
	char seen[48];		/* the last announcement */
	char name[BUS_NAME_MAX];
	int n;
	struct shard shards[BUS_SHARDS_MAX];
} me = {.n = 1};

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

/* ---- names ---- */

char *
stream_key(enum stream_key what, int shard, const char *name, char out[BUS_KEY_MAX])
{
	static const char *const parts[STREAM_KEYS][2] = {
	    [STREAM_EVENTS] = {"events", ""}, [STREAM_POS] = {"relay", "pos:"}, [STREAM_MARKS] = {"relay", "marks:"},
	    [STREAM_FLOOR] = {"relay", "floor:"}, [STREAM_REACHED] = {"relay", "reached:"},
	    [STREAM_BYTES] = {"relay", "bytes:"}, [STREAM_SIZES] = {"relay", "sizes:"}};

	assert(what < STREAM_KEYS && shard >= 0 && shard < BUS_SHARDS_MAX && strlen(name) < BUS_NAME_MAX);
	snprintf(out, BUS_KEY_MAX, "%s:{%d}:%s%s", parts[what][0], shard, parts[what][1], name);
	return out;
}

int
stream_shard(struct str project, int n)
{
	uint64_t h;

	assert(n >= 1 && n <= BUS_SHARDS_MAX);
	if (n == 1)
		return 0;
	h = str_hash_stable(project);
	return (int)((h ^ h >> 32) % (unsigned)n);
}

/* ---- replies ---- */

static struct str
bus_stream_text_of(const redisReply *r)
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
		if (str_is(bus_stream_text_of(f->element[i]), name))
			return bus_stream_text_of(f->element[i + 1]);
	return STR_NONE;
}

/* ---- entries ---- */

/* What is malformed has neither header nor body. */
static void
entry_fill(struct bus_entry *e, struct str many, struct str text)
{
	int64_t n;

	if (text.p == NULL || !str_to_i64(many, &n) || n < 1 || n > INT32_MAX || (uint64_t)n - 1 > e->pos.index)
		return;
	e->many = (int)n;
	e->body = text;
}

static bool
entry_of(const redisReply *r, struct bus_entry *out)
{
	*out = (struct bus_entry){0};
	if (!is_entry(r) || !stream_pos_parse(bus_stream_text_of(r->element[0]), &out->pos))
		return false;
	out->header = field_of(r, "h");
	out->body = field_of(r, "b");
	if (out->header.p == NULL)
		entry_fill(out, field_of(r, "n"), field_of(r, "m"));
	return true;
}

bool
bus_entry_of(const struct bus_reply *r, struct bus_entry *out)
{
	*out = (struct bus_entry){0};
	if (r->type != BUS_LIST || r->n != 2 || r->v[0].type != BUS_STR || r->v[1].type != BUS_LIST || !stream_pos_parse(r->v[0].s, &out->pos))
		return false;
	out->header = bus_field(&r->v[1], "h");
	out->body = bus_field(&r->v[1], "b");
	if (out->header.p == NULL)
		entry_fill(out, bus_field(&r->v[1], "n"), bus_field(&r->v[1], "m"));
	return true;
}

struct stream_pos
bus_entry_first(const struct bus_entry *e)
{
	return (struct stream_pos){e->pos.lsn, e->pos.index - (uint64_t)(e->many > 0 ? e->many - 1 : 0)};
}

int
bus_entries_for(int events, int had_entries, int had_events)
{
	int64_t n = had_events > 0 ? (int64_t)events * had_entries / had_events : events;

	return n < LEAST ? LEAST : n < events ? (int)n : events;
}

/* ---- announcements ---- */

/* Comma-separated; those that are not named stay 0-0. */
static bool
places_of(struct str list, struct announcement *a)
{
	for (int i = 0; i < a->shards && list.p != NULL; i++)
		if (!stream_pos_parse(str_cut(&list, ','), &a->at[i]))
			return false;
	return true;
}

static bool
announcement_of(const redisReply *entry, struct announcement *out)
{
	struct str name, id;
	int64_t n = 0;

	*out = (struct announcement){.id = "0-0"};
	if (!is_entry(entry))
		return false;
	name = field_of(entry, "g");
	id = bus_stream_text_of(entry->element[0]);
	if (name.n == 0 || name.n >= sizeof out->name || id.n >= sizeof out->id)
		return false;
	if (!str_to_i64(field_of(entry, "n"), &n) || n < 1 || n > BUS_SHARDS_MAX)
		return false;
	snprintf(out->name, sizeof out->name, "%.*s", STR_FMT(name));
	snprintf(out->id, sizeof out->id, "%.*s", STR_FMT(id));
	out->shards = (int)n;
	return places_of(field_of(entry, "at"), out);
}

/* "<pos>": up to it; "(<pos>": before it. */
static bool
floor_parse(struct str s, struct stream_pos *out)
{
	bool before = s.n > 0 && s.p[0] == '(';

	if (before)
		s = (struct str){s.p + 1, s.n - 1};
	if (!stream_pos_parse(s, out))
		return false;
	if (before && out->index-- == 0 && out->lsn-- == 0)
		*out = (struct stream_pos){0, 0};
	return true;
}

/* ---- following ---- */

static void bus_stream_look(void);
static void read_on(struct shard *sh);
static void read_later(struct shard *sh);
static void on_up(void *arg);

static struct shard *
shard_of(void *arg)
{
	struct shard *sh = arg;

	assert(sh->magic == SHARD_MAGIC);
	return sh;
}

static bool
usable(struct shard *sh, const redisReply *r)
{
	if (r == NULL || sh->link == NULL)
		return false;	/* the link is down: on_up begins anew */
	if (r->type == REDIS_REPLY_ERROR) {
		link_drop(sh->link, r->str);
		return false;
	}
	return true;
}

#define SEND(sh, fn, ...)                                                               \
	do {                                                                            \
		if ((sh)->link != NULL && !link_send((sh)->link, (fn), (sh), BUS(__VA_ARGS__))) \
			link_drop((sh)->link, "the follower cannot send");              \
	} while (0)

static void
gap(int shard)
{
	log_warn(NULL, "events may have been missed", "stream=%s shard=%d", me.name, shard);
	if (me.f.on_gap != NULL)
		me.f.on_gap(shard, me.f.arg);
}

/* No floor is known (a stream of an older version, or Redis forgot it): then the oldest entry tells. */
static void
on_first(const redisReply *r, void *arg)
{
	struct shard *sh = shard_of(arg);
	struct bus_entry first;

	if (!usable(sh, r) || r->type != REDIS_REPLY_ARRAY)
		return;
	if (sh->pos.lsn != 0 && (r->elements == 0 || (entry_of(r->element[0], &first) && stream_pos_cmp(bus_entry_first(&first), sh->pos) > 0)))
		gap(sh->no);
	read_on(sh);
}

static void
on_floor(const redisReply *r, void *arg)
{
	struct shard *sh = shard_of(arg);
	struct stream_pos floor;
	char key[BUS_KEY_MAX];

	if (!usable(sh, r))
		return;
	if (!floor_parse(bus_stream_text_of(r), &floor)) {
		SEND(sh, on_first, STR("XRANGE"), str_c(stream_key(STREAM_EVENTS, sh->no, me.name, key)), STR("-"), STR("+"), STR("COUNT"),
		    STR("1"));
		return;
	}
	if (stream_pos_cmp(sh->pos, floor) < 0)
		gap(sh->no);
	read_on(sh);
}

/* At the start of the process: from the end. */
static void
on_last(const redisReply *r, void *arg)
{
	struct shard *sh = shard_of(arg);

	if (!usable(sh, r) || r->type != REDIS_REPLY_ARRAY)
		return;
	if (r->elements > 0 && is_entry(r->element[0]))
		(void)stream_pos_parse(bus_stream_text_of(r->element[0]->element[0]), &sh->pos);
	sh->begun = true;
	read_on(sh);
}

/* The stream is known: from the shard's end at first; after a break, is what follows our position still there? */
static void
bus_stream_find_place(struct shard *sh)
{
	char key[BUS_KEY_MAX];

	assert(me.name[0] != '\0');
	if (!sh->begun)
		SEND(sh, on_last, STR("XREVRANGE"), str_c(stream_key(STREAM_EVENTS, sh->no, me.name, key)), STR("+"), STR("-"), STR("COUNT"),
		    STR("1"));
	else
		SEND(sh, on_floor, STR("GET"), str_c(stream_key(STREAM_FLOOR, sh->no, me.name, key)));
}

static void
shard_open(struct shard *sh, int no, bool begun, struct stream_pos at)
{
	assert(sh->link == NULL);
	*sh = (struct shard){.magic = SHARD_MAGIC, .no = no, .asked = BATCH, .begun = begun, .pos = at};
	sh->link = link_open(on_up, NULL, sh);
}

/* Shard 0 tells of the stream; the others come and go with it. `begun`: all of them begin where the announcement says. */
static void
open_others(const struct announcement *a, bool begun)
{
	for (int i = 1; i < BUS_SHARDS_MAX; i++)
		bus_link_close(&me.shards[i].link);
	for (int i = 1; i < a->shards; i++)
		shard_open(&me.shards[i], i, begun, begun ? a->at[i] : (struct stream_pos){0, 0});
}

/* Moves to the announced stream; false when it is the one we are at. */
static bool
follow(const struct announcement *a)
{
	struct shard *sh = &me.shards[0];
	bool had = me.name[0] != '\0';

	snprintf(me.seen, sizeof me.seen, "%s", a->id);
	if (strcmp(me.name, a->name) == 0 && me.n == a->shards)
		return false;
	snprintf(me.name, sizeof me.name, "%s", a->name);
	me.n = a->shards;
	if (sh->begun)
		sh->pos = a->at[0];
	open_others(a, sh->begun);
	if (had)
		gap(-1);
	log_info(NULL, "following events", "stream=%s shards=%d", me.name, me.n);
	return true;
}

static void
on_current(const redisReply *r, void *arg)
{
	struct shard *sh = shard_of(arg);
	struct announcement a = {.id = "0-0"};

	if (!usable(sh, r) || r->type != REDIS_REPLY_ARRAY)
		return;
	if (r->elements == 0 || !announcement_of(r->element[0], &a)) {
		snprintf(me.seen, sizeof me.seen, "%s", a.id);
		sh->begun = true;	/* the stream will be born after us: all of it is new */
		read_on(sh);
		return;
	}
	if (follow(&a) && sh->begun)
		read_on(sh);
	else if (sh->link != NULL)
		bus_stream_find_place(sh);
}

static void
bus_stream_look(void)
{
	SEND(&me.shards[0], on_current, STR("XREVRANGE"), STR(BUS_CURRENT), STR("+"), STR("-"), STR("COUNT"), STR("1"));
}

static void
take_entries(struct shard *sh, const redisReply *list)
{
	struct bus_entry e;
	int events = 0;

	for (size_t i = 0; i < list->elements && sh->link != NULL; i++) {
		if (!entry_of(list->element[i], &e) || stream_pos_cmp(e.pos, sh->pos) <= 0)
			continue;
		events += e.many > 0 ? e.many : 1;
		me.f.on_entry(sh->no, &e, me.f.arg);
		sh->pos = e.pos;
	}
	sh->asked = bus_entries_for(BATCH, (int)list->elements, events);
}

/* Announcements came: true when we are at the stream of the last of them and may read on. */
static bool
take_news(struct shard *sh, const redisReply *news)
{
	struct announcement a;

	if (!announcement_of(news->element[news->elements - 1], &a)) {
		snprintf(me.seen, sizeof me.seen, "%.*s", STR_FMT(bus_stream_text_of(news->element[news->elements - 1]->element[0])));
		return true;
	}
	if (follow(&a))
		return true;
	bus_stream_find_place(sh);		/* announced again: Redis may have forgotten more than the announcement */
	return false;
}

static void
on_read(const redisReply *r, void *arg)
{
	struct shard *sh = shard_of(arg);
	const redisReply *news = NULL;
	size_t entries = 0, asked = (size_t)sh->asked;

	if (!usable(sh, r))
		return;
	if (sh->behind && r->type != REDIS_REPLY_ARRAY) {
		sh->behind = false;
		read_on(sh);
		return;
	}
	if (r->type != REDIS_REPLY_ARRAY && sh->no == 0) {	/* nothing for a while: time to make sure of the name */
		bus_stream_look();
		return;
	}
	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
		const redisReply *s = r->element[i];

		if (s->type != REDIS_REPLY_ARRAY || s->elements != 2 || s->element[1]->type != REDIS_REPLY_ARRAY)
			continue;
		if (!str_is(bus_stream_text_of(s->element[0]), BUS_CURRENT)) {
			take_entries(sh, s->element[1]);
			entries = s->element[1]->elements;
		} else if (s->element[1]->elements > 0 && is_entry(s->element[1]->element[s->element[1]->elements - 1]))
			news = s->element[1];
	}
	if (sh->link == NULL || (news != NULL && !take_news(sh, news)))	/* an entry's reader stopped us, or the place is to be found anew */
		return;
	sh->behind = sh->behind && entries == asked;
	if (me.pace > 0 && entries > 0 && entries < asked)
		read_later(sh);
	else
		read_on(sh);
}

static void
read_what_waits(void *arg)
{
	(void)arg;
	loop_timer_stop(&me.later);
	for (int i = 0; i < me.n; i++) {
		struct shard *sh = &me.shards[i];

		if (sh->link == NULL || !sh->waits)
			continue;
		sh->waits = false;
		sh->behind = true;	/* not ready before its answer: whoever connects now is not to hear what was there before */
		read_on(sh);
	}
}

static void
read_later(struct shard *sh)
{
	sh->waits = true;
	if (me.later == NULL)
		me.later = loop_after(me.pace, read_what_waits, NULL);
}

void
bus_follow_pace(uint64_t ms)
{
	me.pace = ms;
	if (ms == 0)
		read_what_waits(NULL);
}

static void
read_on(struct shard *sh)
{
	char key[BUS_KEY_MAX], pos[42], batch[12];

	sh->held = me.paused;
	if (sh->held)
		return;
	snprintf(batch, sizeof batch, "%d", sh->asked);
	if (me.name[0] == '\0') {
		SEND(sh, on_read, STR("XREAD"), STR("BLOCK"), STR(BLOCK_MS), STR("STREAMS"), STR(BUS_CURRENT), str_c(me.seen));
		return;
	}
	stream_key(STREAM_EVENTS, sh->no, me.name, key);
	stream_pos_text(sh->pos, pos);
	if (sh->behind)
		SEND(sh, on_read, STR("XREAD"), STR("COUNT"), str_c(batch), STR("STREAMS"), str_c(key), str_c(pos));
	else if (sh->no == 0)
		SEND(sh, on_read, STR("XREAD"), STR("COUNT"), str_c(batch), STR("BLOCK"), STR(BLOCK_MS), STR("STREAMS"), STR(BUS_CURRENT),
		    str_c(key), str_c(me.seen), str_c(pos));
	else
		SEND(sh, on_read, STR("XREAD"), STR("COUNT"), str_c(batch), STR("BLOCK"), STR(BLOCK_MS), STR("STREAMS"), str_c(key),
		    str_c(pos));
}

static void
on_up(void *arg)
{
	struct shard *sh = shard_of(arg);

	sh->held = sh->waits = sh->behind = false;	/* what was due went with the link */
	if (sh->no == 0)
		bus_stream_look();
	else
		bus_stream_find_place(sh);
}

void
bus_follow_start(const struct bus_follow *f)
{
	assert(!me.on && f->on_entry != NULL);
	memset(&me, 0, sizeof me);
	me.f = *f;
	me.on = true;
	me.n = 1;
	shard_open(&me.shards[0], 0, false, (struct stream_pos){0, 0});
}

void
bus_follow_stop(void)
{
	me.on = false;
	loop_timer_stop(&me.later);
	for (int i = 0; i < BUS_SHARDS_MAX; i++)
		bus_link_close(&me.shards[i].link);
}

bool
bus_follow_ready(int shard)
{
	assert(shard >= 0 && shard < BUS_SHARDS_MAX);
	return me.on && me.shards[shard].begun && !me.shards[shard].waits && !me.shards[shard].behind;
}

struct stream_pos
bus_follow_pos(int shard)
{
	assert(shard >= 0 && shard < BUS_SHARDS_MAX);
	return me.shards[shard].pos;
}

void
bus_follow_pause(bool on)
{
	me.paused = on;
	for (int i = 0; i < me.n && !on; i++)
		if (me.shards[i].held)
			read_on(&me.shards[i]);
}

const char *
bus_stream_name(void)
{
	return me.name;
}

int
bus_stream_shards(void)
{
	return me.n;
}

/* ---- ranges ---- */

err_t
bus_range(struct ctx *cx, int shard, struct stream_pos after, struct stream_pos upto, int count, struct bus_entry **out, int *n_out)
{
	char key[BUS_KEY_MAX], from[42], to[42], max[16];
	struct stream_pos end = upto;
	struct bus_reply *r;

	*out = NULL;
	*n_out = 0;
	assert(count > 0);
	if ((++after.index == 0 && ++after.lsn == 0) || me.name[0] == '\0')
		return OK;
	upto.index = UINT64_MAX;	/* an entry of many has the place of its last: it may be beyond, but not of another transaction */
	snprintf(max, sizeof max, "%d", count);
	TRY(bus_cmd(cx, &r, BUS(STR("XRANGE"), str_c(stream_key(STREAM_EVENTS, shard, me.name, key)), str_c(stream_pos_text(after, from)),
	    str_c(stream_pos_text(upto, to)), STR("COUNT"), str_c(max))));
	if (r->type != BUS_LIST)
		return OK;
	*out = arena_array(cx->arena, struct bus_entry, r->n);
	for (int i = 0; i < r->n; i++) {
		struct bus_entry *e = &(*out)[*n_out];

		if (bus_entry_of(&r->v[i], e) && stream_pos_cmp(bus_entry_first(e), end) <= 0)
			(*n_out)++;
	}
	return OK;
}

err_t
bus_gap(struct ctx *cx, int shard, struct stream_pos after, bool *gap_out)
{
	struct stream_pos floor;
	struct bus_entry oldest;
	char key[BUS_KEY_MAX];
	struct bus_reply *r;

	*gap_out = true;
	if (me.name[0] == '\0')
		return OK;
	TRY(bus_cmd(cx, &r, BUS(STR("GET"), str_c(stream_key(STREAM_FLOOR, shard, me.name, key)))));
	if (r->type == BUS_STR && floor_parse(r->s, &floor)) {
		*gap_out = stream_pos_cmp(after, floor) < 0;
		return OK;
	}
	TRY(bus_cmd(cx, &r, BUS(STR("XRANGE"), str_c(stream_key(STREAM_EVENTS, shard, me.name, key)), STR("-"), STR("+"), STR("COUNT"), STR("1"))));
	if (r->type == BUS_LIST && r->n > 0 && bus_entry_of(&r->v[0], &oldest))
		*gap_out = stream_pos_cmp(bus_entry_first(&oldest), after) > 0;
	return OK;
}

/* Without a position on record (somebody removed it) the end itself tells. */
static const char reached_lua[] =
    "local lsn, pos = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])\n"
    "if lsn and not pos then\n"
    "  local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]\n"
    "  pos = last and last[1]\n"
    "end\n"
    "return {lsn or '', pos or ''}";

err_t
bus_reached(struct ctx *cx, int shard, uint64_t *lsn_out, struct stream_pos *end_out)
{
	char lsn[BUS_KEY_MAX], pos[BUS_KEY_MAX], events[BUS_KEY_MAX];
	struct stream_pos at;
	struct bus_reply *r;

	*lsn_out = 0;
	*end_out = (struct stream_pos){0, 0};
	if (me.name[0] == '\0')
		return OK;
	TRY(bus_script(cx, &r, reached_lua, 3, BUS(str_c(stream_key(STREAM_REACHED, shard, me.name, lsn)), str_c(stream_key(STREAM_POS, shard, me.name, pos)),
	    str_c(stream_key(STREAM_EVENTS, shard, me.name, events)))));
	if (r->type != BUS_LIST || r->n != 2 || !stream_pos_parse(r->v[0].s, &at))
		return OK;
	*lsn_out = at.lsn;
	(void)stream_pos_parse(r->v[1].s, end_out);
	return OK;
}
