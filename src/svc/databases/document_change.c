/* Documents that are there: updated, counted up and down, deleted, and the one door for "there or not" (upsert).
 *
 * The row is locked and read first, because permissions stand in it and the event carries the whole document; the write, the event and the commit then
 * go out together. Only where operators decide what becomes of a value is it read once more, from the statement that wrote it. */
#include "document_priv.h"

#include <stdlib.h>

#include "core/vtime.h"

/* ---- the locked row ---- */

static err_t
lock_row(struct ctx *cx, const struct doc_op *o, struct db_tx *tx, const struct collection *c, struct db_res **out)
{
	const char *id = str_lower(cx->arena, str_c(o->id)).p;

	return tx_query(tx, out, c->sql_lock, DB(id));
}

static err_t
document_change_missing(struct ctx *cx, const struct doc_op *o)
{
	return fail(cx, ERR_DOCUMENT_NOT_FOUND, "id=%s", o->id);
}

bool
doc_holds_verb(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct strs *collection_roles, const struct strs *perms, struct str verb)
{
	struct strs own;

	if (doc_granted(o, collection_roles) || !c->document_security)
		return doc_granted(o, collection_roles);
	own = perms_roles(cx->arena, perms, verb);
	return roles_meet(o->who->roles, &own);
}

struct doc_holds
doc_holds_of(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct strs *perms)
{
	return (struct doc_holds){.read = doc_holds_verb(cx, o, c, &c->perms.read, perms, STR("read")),
	    .update = doc_holds_verb(cx, o, c, &c->perms.update, perms, STR("update")), .del = doc_holds_verb(cx, o, c, &c->perms.del, perms, STR("delete"))};
}

/* Whoever may change a document's permissions adds only what it may do itself: else to update were to read and to delete as well. With document
 * security off this holds, too: what is written now counts when it is switched on. */
err_t
doc_check_added(struct ctx *cx, const struct doc_op *o, const struct doc_holds *h, const struct strs *perms)
{
	const char *verb = o->perms->set && !o->who->bypass ? perms_beyond(o->perms, perms, h->read, h->update, h->del) : NULL;

	return verb ? fail_msg(cx, ERR_USER_UNAUTHORIZED, "The caller does not hold what it grants: %s.", verb) : OK;
}

/* The client has seen an older state than this one. */
static err_t
check_seen(struct ctx *cx, const struct doc_op *o, const struct db_res *r, int row)
{
	if (!o->who->dated || db_time(r, row, DOC_UPDATED) <= o->who->seen)
		return OK;
	return fail(cx, ERR_DOCUMENT_UPDATE_CONFLICT, "id=%s", o->id);
}

/* ---- the statement ---- */

static const char *
next_param(struct ctx *cx, struct doc_params *ps, const char *v)
{
	ps->v[ps->n++] = v;
	return arena_printf(cx->arena, "$%d", ps->n);
}

const char *
doc_update_sql(struct ctx *cx, const struct collection *c, const struct doc_change *ch, const char *where, struct doc_params *ps)
{
	struct buf b;

	buf_init(&b, cx->arena, 256);
	buf_printf(&b, "UPDATE %s SET _updated=%s", c->table, next_param(cx, ps, ch->updated));
	if (ch->created != NULL)
		buf_printf(&b, ",_created=%s", next_param(cx, ps, ch->created));
	if (ch->perms->set) {
		struct strs readers = perms_roles(cx->arena, ch->perms, STR("read"));

		buf_printf(&b, ",_perms=%s", next_param(cx, ps, pg_array(cx->arena, ch->perms->v, ch->perms->n)));
		buf_printf(&b, ",_read=%s", next_param(cx, ps, pg_array(cx->arena, readers.v, readers.n)));
	}
	for (int i = 0; i < c->n_live; i++)
		if (ch->vals[i].set)
			buf_printf(&b, ",%s=%s", c->live[i]->column, next_param(cx, ps, ch->vals[i].v.p));
	for (int i = 0; i < ch->acts->n; i++) {
		buf_printf(&b, ",%s=", ch->acts->v[i].a->column);
		doc_act_sql(cx, &ch->acts->v[i], ch->acts->v[i].a->column, ps, &b);
	}
	buf_printf(&b, " WHERE %s", where);
	return buf_view(&b).p;
}

static struct doc_params
params_for(struct ctx *cx, const struct collection *c, const struct doc_acts *acts)
{
	return (struct doc_params){.v = arena_array(cx->arena, const char *, c->n_live + 7 + acts->n * DOC_ACT_PARAMS)};
}

/* ---- update and upsert ---- */

/* An upsert must name what a document cannot do without; an update need not. */
static err_t
check_patch(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct doc_patch *p)
{
	bool *stored = arena_array(cx->arena, bool, c->n_live + 1);

	p->vals = arena_alloc(cx->arena, sizeof *p->vals * (size_t)(c->n_live + 1));
	for (int i = 0; i < c->n_live; i++)
		stored[i] = o->today ? !c->live[i]->required : !db_null(p->r, p->row, DOC_ATTRS + i);
	for (int i = 0; i < p->acts.n; i++)
		stored[p->acts.v[i].a->place] = true;
	TRY(doc_check(cx, c, p->acts.rest, stored, p->vals));
	return doc_check_places(cx, c, p->vals, p->r, p->row);
}

bool
doc_same_texts(const struct strs *a, const struct strs *b)
{
	for (int i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

/* Nothing of what was given is other than what is there. */
bool
doc_patch_idle(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct doc_patch *p)
{
	struct strs there = db_strs(cx, p->r, p->row, DOC_PERMS);

	if (!doc_rule(cx, o, DOC_IDLE_UPDATE) || p->acts.n > 0 || p->created != NULL || p->updated != NULL)
		return false;
	if (p->given->set && !doc_same_texts(&there, p->given))
		return false;
	for (int i = 0; i < c->n_live; i++)
		if (p->vals[i].given && !doc_same(cx, c->live[i], doc_clear(cx->arena, c->live[i], db_str(p->r, p->row, DOC_ATTRS + i)),
		    c->live[i]->encrypt ? p->vals[i].clear : p->vals[i].v))
			return false;
	return true;
}

/* To update is not to read: whoever may not read the document is shown what it has written itself. What an operator made of a value tells that value. */
static struct str
own_part(struct ctx *cx, const struct collection *c, const struct doc_patch *p)
{
	bool *given = arena_array(cx->arena, bool, c->n_live + 1);
	struct doc_head head = p->head;
	struct buf b;

	for (int i = 0; p->vals != NULL && i < c->n_live; i++)
		given[i] = p->vals[i].given;
	if (!p->given->set)
		head.perms = STR("{}");
	doc_head_reply(cx, &head);
	buf_init(&b, cx->arena, 400);
	(void)doc_write_row(&b, c, &head, p->r, p->row, p->acts.n > 0 ? NULL : p->vals, given);
	return buf_view(&b);
}

struct event
doc_patch_event(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct event_info *kind, const struct doc_patch *p)
{
	struct strs readers = perms_roles(cx->arena, &p->perms, STR("read"));
	struct event ev;
	struct buf b;
	size_t at;

	buf_init(&b, cx->arena, 1000);
	at = doc_write_row(&b, c, &p->head, p->r, p->row, p->acts.n > 0 ? NULL : p->vals, NULL);
	ev = doc_event(cx, o, kind, c, p->head.id.p, &readers, buf_view(&b));
	ev.number_at = at;
	return ev;
}

/* The event, when it is told, and the reply. */
static void
change_tell(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct event_info *kind, bool told, const struct doc_patch *p)
{
	struct event ev = doc_patch_event(cx, o, c, kind, p);

	*o->out = p->holds.read ? doc_told(cx, c, ev.payload, ev.number_at, p->head.seq) : own_part(cx, c, p);
	if (told)
		event_emit(tx, &ev);
}

/* What operators do is known only when it is done: the row is read from the statement, and held against the schema. */
static err_t
write_acts(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const char *sql, const struct doc_params *ps, struct doc_patch *p)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "%s RETURNING %s", sql, c->columns), ps->n, ps->v));
	for (int i = 0; i < p->acts.n; i++) {
		int col = DOC_ATTRS + p->acts.v[i].a->place;

		TRY(doc_act_check(cx, o, &p->acts.v[i], db_str(p->r, p->row, col), db_str(r, 0, col)));
	}
	p->r = r;
	p->row = 0;
	p->head = doc_head_of(cx, r, 0);
	return OK;
}

void
doc_patch_settle(struct ctx *cx, struct doc_patch *p)
{
	if (p->updated == NULL)
		p->updated = pg_time(cx->arena, time_now_ms());
	p->head.updated = str_c(p->updated);
	if (p->created != NULL)
		p->head.created = str_c(p->created);
	if (p->given->set) {
		p->perms = *p->given;
		p->head.perms = str_c(pg_array(cx->arena, p->perms.v, p->perms.n));
	}
}

err_t
doc_patch_write(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_patch *p)
{
	struct doc_change ch = {.vals = p->vals, .acts = &p->acts, .created = p->created, .perms = p->given};
	struct doc_params ps = params_for(cx, c, &p->acts);
	const char *sql, *where;

	doc_patch_settle(cx, p);
	ch.updated = p->updated;
	where = arena_printf(cx->arena, "_seq=%s", next_param(cx, &ps, p->head.seq.p));
	sql = doc_update_sql(cx, c, &ch, where, &ps);
	if (p->acts.n > 0)
		return write_acts(cx, o, c, tx, sql, &ps, p);
	tx_add(tx, sql, ps.n, ps.v);
	return OK;
}

struct doc_patch
doc_patch_of(struct ctx *cx, const struct doc_op *o, const struct db_res *r, int row)
{
	return (struct doc_patch){.r = r, .row = row, .data = o->data, .given = o->perms, .perms = db_strs(cx, r, row, DOC_PERMS), .head = doc_head_of(cx, r, row),
	    .acts = {.rest = o->data}, .holds = {true, true, true}};
}

err_t
doc_patch_check(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct doc_patch *p)
{
	if (!o->nested && doc_rule(cx, o, DOC_OPERATORS))
		TRY(doc_acts_take(cx, o, c, p->data, &p->acts));
	TRY(check_patch(cx, o, c, p));
	return doc_dates(cx, o, p->data, &p->created, &p->updated);
}

static err_t
not_to_update(struct ctx *cx, const struct doc_op *o)
{
	return doc_unauthorized(cx, o->nested ? "a related document is not the caller's to update" : "neither collection nor document grants it");
}

err_t
doc_patch_allowed(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct doc_patch *p)
{
	bool reads_alone;

	TRY(doc_check_grants(cx, o));
	p->holds = doc_holds_of(cx, o, c, &p->perms);
	reads_alone = !o->today && doc_rule(cx, o, DOC_IDLE_UPDATE) && p->holds.read && !p->holds.update;
	if (!p->holds.update && !reads_alone)
		return not_to_update(cx, o);
	TRY(check_seen(cx, o, p->r, p->row));
	TRY(doc_check_added(cx, o, &p->holds, &p->perms));
	TRY(doc_patch_check(cx, o, c, p));
	p->idle = doc_patch_idle(cx, o, c, p);
	return p->idle || p->holds.update ? OK : not_to_update(cx, o);
}

err_t
doc_patch_touch(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_patch *p)
{
	p->idle = false;
	return p->holds.update ? doc_patch_write(cx, o, c, tx, p) : not_to_update(cx, o);
}

static err_t
change_links(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_patch *p, int64_t seq)
{
	o->linking->seq = seq;
	TRY(doc_links_write(cx, o, c, tx, &p->perms, false));
	o->linking->seq = p->holds.read ? seq : 0;
	return p->idle && o->linking->changed ? doc_patch_touch(cx, o, c, tx, p) : OK;
}

static err_t
change_locked(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct event_info *kind, const struct db_res *r)
{
	struct doc_patch p = doc_patch_of(cx, o, r, 0);

	TRY(doc_patch_allowed(cx, o, c, &p));
	if (o->linking != NULL)
		o->linking->seq = p.holds.read ? db_i64(r, 0, DOC_SEQ) : 0;
	if (!p.idle)
		TRY(doc_patch_write(cx, o, c, tx, &p));
	if (doc_links_any(o))
		TRY(change_links(cx, o, c, tx, &p, db_i64(r, 0, DOC_SEQ)));
	if (p.idle)
		p.vals = NULL;
	change_tell(cx, o, c, tx, kind, o->today || !p.idle, &p);
	return OK;
}

err_t
doc_update_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	struct db_res *r;

	TRY(lock_row(cx, o, tx, c, &r));
	return db_rows(r) ? change_locked(cx, o, c, tx, &ev_document_update, r) : document_change_missing(cx, o);
}

/* Whether the collection lets the caller look for the document: it grants the verb, its documents may, or it can be read, and then clients of today are told
 * what is not there before what they may not do. */
static bool
may_look(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct strs *verb)
{
	return doc_granted(o, verb) || c->document_security || (doc_rule(cx, o, DOC_IDLE_UPDATE) && doc_granted(o, &c->perms.read));
}

static err_t
document_update_tx(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_links_take(cx, o, c));
	if (!may_look(cx, o, c, &c->perms.update))
		return doc_unauthorized(cx, "update");
	TRY(TX_RUN(cx, tx, doc_update_within(cx, o, c, tx)));
	doc_related_reply(cx, o);
	return OK;
}

/* *there_out false: nothing was done. */
err_t
doc_upsert_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct event_info *kind, bool *there_out)
{
	struct db_res *r;

	TRY(lock_row(cx, o, tx, c, &r));
	*there_out = db_rows(r) > 0;
	return *there_out ? change_locked(cx, o, c, tx, kind, r) : OK;
}

enum { UPSERT_TRIES = 8 };

/* Somebody made the document in between. */
bool
doc_id_taken(const struct ctx *cx, err_t e)
{
	return e == ERR_DB_UNIQUE && str_ends(str_c(db_constraint(cx)), "_id");
}

static err_t
document_upsert_tx(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;
	bool there = false;
	err_t e = OK;

	TRY(doc_collection(cx, o, &c));
	TRY(doc_links_take(cx, o, c));
	if (!doc_granted(o, &c->perms.create) && !doc_granted(o, &c->perms.update) && !c->document_security)
		return doc_unauthorized(cx, "neither create nor update");
	for (int i = 0; i < UPSERT_TRIES; i++) {
		e = TX_RUN(cx, tx, doc_upsert_within(cx, o, c, tx, &ev_document_upsert, &there));
		if (e == OK && !there)
			e = doc_create(cx, o, c, &ev_document_upsert);
		if (e == OK)
			doc_related_reply(cx, o);
		if (!doc_id_taken(cx, e))
			return e;
	}
	return e;
}

/* ---- increment and decrement ---- */

static err_t
beyond_bound(struct ctx *cx, const struct step *s, const char *bound)
{
	return fail_msg(cx, ERR_ATTRIBUTE_LIMIT_EXCEEDED, "%s \"%s\" has reached the %s value of %s",
	    cx->words != NULL ? "tablesDB" : "databases", s->key, s->down ? "minimum" : "maximum", bound);
}

static const char *
number_text(struct ctx *cx, const json_t *j)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 32);
	jw_init(&w, &b);
	jw_value(&w, j);
	return buf_view(&b).p;
}

static bool
passes(const struct step *s, const json_t *bound, int64_t next)
{
	double d = (double)next, limit = json_number_value(bound);

	if (json_is_integer(bound))
		return s->down ? next < json_integer_value(bound) : next > json_integer_value(bound);
	return json_is_real(bound) && (s->down ? d < limit : d > limit);
}

static err_t
step_integer(struct ctx *cx, const struct step *s, struct str now, const char **out)
{
	int64_t v = 0, by = json_is_integer(s->by) ? json_integer_value(s->by) : (int64_t)json_real_value(s->by), next;
	bool over;

	if (now.p != NULL && !str_to_i64(now, &v))
		return fail(cx, ERR_GENERAL_UNKNOWN, "a stored number does not parse");
	over = s->down ? __builtin_sub_overflow(v, by, &next) : __builtin_add_overflow(v, by, &next);
	if (json_is_number(s->bound) && (over || passes(s, s->bound, next)))
		return beyond_bound(cx, s, number_text(cx, s->bound));
	if (over || next > s->a->int_max || next < s->a->int_min)
		return beyond_bound(cx, s, pg_i64(cx->arena, s->down ? s->a->int_min : s->a->int_max));
	*out = pg_i64(cx->arena, next);
	return OK;
}

static err_t
step_float(struct ctx *cx, const struct step *s, struct str now, const char **out)
{
	double v = now.p ? strtod(now.p, NULL) : 0, next = s->down ? v - json_number_value(s->by) : v + json_number_value(s->by);

	if (json_is_number(s->bound) && (s->down ? next < json_number_value(s->bound) : next > json_number_value(s->bound)))
		return beyond_bound(cx, s, number_text(cx, s->bound));
	if (!(next <= s->a->float_max && next >= s->a->float_min))
		return beyond_bound(cx, s, arena_printf(cx->arena, "%.17g", s->down ? s->a->float_min : s->a->float_max));
	*out = doc_float_text(cx->arena, next).p;
	return OK;
}

err_t
doc_step_check(struct ctx *cx, const struct collection *c, struct step *s)
{
	double by = json_number_value(s->by);

	s->a = collection_attribute(c, str_c(s->key));
	if (s->a == NULL || (s->a->place < 0 && s->a->rel == NULL))
		return fail(cx, ERR_ATTRIBUTE_NOT_FOUND, "key=%s", s->key);
	if ((s->a->type != ATTR_INTEGER && s->a->type != ATTR_FLOAT) || s->a->array) {
		cx->words = NULL;	/* this error has one name in both families */
		return fail_msg(cx, ERR_ATTRIBUTE_TYPE_INVALID, "The attribute \"%s\" is no number.", s->key);
	}
	if (s->a->type == ATTR_INTEGER && !json_is_integer(s->by) && (by > 9e15 || by != (double)(int64_t)by))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid value: the attribute \"%s\" holds whole numbers.", s->key);
	return OK;
}

err_t
doc_step_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	const struct step *s = o->step;
	struct db_res *r;
	struct doc_patch p;
	struct str now;
	const char *next = NULL;

	TRY(lock_row(cx, o, tx, c, &r));
	if (db_rows(r) == 0)
		return document_change_missing(cx, o);
	p = doc_patch_of(cx, o, r, 0);
	p.vals = arena_array(cx->arena, struct doc_value, c->n_live + 1);
	p.holds = doc_holds_of(cx, o, c, &p.perms);
	if (!p.holds.update)
		return doc_unauthorized(cx, "neither collection nor document grants it");
	now = db_str(r, 0, DOC_ATTRS + s->a->place);
	TRY(s->a->type == ATTR_INTEGER ? step_integer(cx, s, now, &next) : step_float(cx, s, now, &next));
	p.vals[s->a->place] = (struct doc_value){.given = true, .set = true, .v = str_c(next)};
	TRY(doc_patch_write(cx, o, c, tx, &p));
	change_tell(cx, o, c, tx, &ev_document_update, true, &p);
	return OK;
}

static err_t
document_step_tx(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;

	TRY(doc_collection(cx, o, &c));
	if (!may_look(cx, o, c, &c->perms.update))
		return doc_unauthorized(cx, "update");
	TRY(doc_step_check(cx, c, o->step));
	return TX_RUN(cx, tx, doc_step_within(cx, o, c, tx));
}

/* ---- delete ---- */

static err_t
delete_reached(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_reach *reach)
{
	struct strs perms, readers;
	struct doc_head head;
	struct db_res *r;
	struct event ev;
	struct buf b;
	size_t at;

	TRY(lock_row(cx, o, tx, c, &r));
	if (db_rows(r) == 0)
		return document_change_missing(cx, o);
	perms = db_strs(cx, r, 0, DOC_PERMS);
	if (!doc_holds_verb(cx, o, c, &c->perms.del, &perms, STR("delete")))
		return doc_unauthorized(cx, "neither collection nor document grants it");
	TRY(check_seen(cx, o, r, 0));
	readers = perms_roles(cx->arena, &perms, STR("read"));
	head = doc_head_of(cx, r, 0);
	if (reach != NULL)
		TRY(doc_cascade(cx, o, c, tx, reach, head.seq.p));
	tx_add(tx, c->sql_delete, DB(head.seq.p));
	buf_init(&b, cx->arena, 1000);
	at = doc_write_row(&b, c, &head, r, 0, NULL, NULL);
	ev = doc_event(cx, o, &ev_document_delete, c, head.id.p, &readers, buf_view(&b));
	ev.number_at = at;
	event_emit(tx, &ev);
	return OK;
}

err_t
doc_delete_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	struct doc_reach *reach;

	TRY(doc_reach(cx, o, c, &reach));
	return delete_reached(cx, o, c, tx, reach);
}

static err_t
document_delete_tx(struct ctx *cx, const struct doc_op *o)
{
	const struct collection *c;
	struct doc_reach *reach;

	TRY(doc_collection(cx, o, &c));
	if (!may_look(cx, o, c, &c->perms.del))
		return doc_unauthorized(cx, "delete");
	TRY(doc_reach(cx, o, c, &reach));
	return TX_RUN(cx, tx, delete_reached(cx, o, c, tx, reach));
}

/* ---- the doors ---- */

err_t
document_update(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const json_t *data, const struct strs *perms, struct str *json_out)
{
	struct doc_linking linking = {0};

	if (doc_empty(data) && !perms->set)
		return ERR_DOCUMENT_MISSING_PAYLOAD;
	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .id = id, .data = data, .perms = perms, .out = json_out, .linking = &linking},
	    document_update_tx);
}

err_t
document_upsert(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const json_t *data, const struct strs *perms, struct str *json_out)
{
	struct doc_linking linking = {0};

	if (doc_empty(data) && !perms->set)
		return ERR_DOCUMENT_MISSING_PAYLOAD;
	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .id = id, .data = data, .perms = perms, .out = json_out, .today = true, .linking = &linking},
	    document_upsert_tx);
}

err_t
document_count(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id,
    const char *key, const json_t *by, const json_t *bound, bool down, struct str *json_out)
{
	struct step s = {.key = key, .by = by, .bound = bound, .down = down};
	struct strs kept = {0};

	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .id = id, .perms = &kept, .out = json_out, .today = true, .step = &s},
	    document_step_tx);
}

err_t
document_delete(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col, const char *id)
{
	return doc_run(cx, &(struct doc_op){.p = p, .who = who, .db = db, .col = col, .id = id}, document_delete_tx);
}
