/* Staging: what an operation needs is checked as far as it is known before the commit, and kept with the version of the row that it is about.
 *
 * Checked are the collection, that the document is there (as the transaction sees it), and who may do it; not what only the write itself can tell: structure, and
 * values that are taken. */
#include "document_priv.h"
#include "svc/databases/transaction.h"

#include "core/conf.h"
#include "core/fiber.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/seal.h"

const struct tx_action_info tx_actions[TX_ACTIONS] = {
	[TX_CREATE] = {"create", NULL, false},
	[TX_UPDATE] = {"update", NULL, false},
	[TX_UPSERT] = {"upsert", NULL, false},
	[TX_DELETE] = {"delete", NULL, false},
	[TX_INCREMENT] = {"increment", NULL, true},
	[TX_DECREMENT] = {"decrement", NULL, true},
	[TX_BULK_CREATE] = {"bulkCreate", "create", false},
	[TX_BULK_UPDATE] = {"bulkUpdate", "update", true},
	[TX_BULK_UPSERT] = {"bulkUpsert", "upsert", true},
	[TX_BULK_DELETE] = {"bulkDelete", "delete", true},
};

enum tx_action
transaction_action(struct str name)
{
	int i = 0;

	while (i < TX_ACTIONS && !str_is(name, tx_actions[i].name))
		i++;
	return (enum tx_action)i;
}

enum {
	USER_PART = 8,		/* of a project's bytes: one of so many is a user's at most */
	ASIDE_FROM = 16 * 1024	/* bytes of a text that is parsed by a thread */
};

struct met {			/* a document that the operations name */
	const struct collection *c;
	const char *id;		/* in lower case */
	bool known;		/* the transaction has met it before */
	bool written;
	bool there;		/* to the transaction */
	struct strs perms;	/* the same; not set: as they are stored */
	struct strs stored;
	const char *version;	/* NULL: it is not there */
	int64_t updated;
};

struct stage {
	const struct project *p;
	const struct doc_caller *who;
	const char *id;
	const struct tx_op *ops;
	int n;
	const struct collection **c;	/* of each */
	const char **data;		/* of each, as JSON text */
	struct strs *perms;		/* of each: what it will have */
	int64_t bytes;
	struct map *places;		/* "<collection> <id>": of met, from 1 */
	struct met *met;
	int n_met;
	struct str *shown;
	struct transaction *t;
	const struct db_res *stored, *staged;	/* what is shown of the document: its row, and the data staged before; NULL: nothing */
	bool reads;			/* its permissions let the caller read it, as the transaction sees it */
	const struct strs *seen;	/* these permissions */
};

/* ---- before the transaction ---- */

static err_t
refuse_limit(struct ctx *cx, const char *what, int64_t max)
{
	metric_add(M_transactions_refused, 1);
	return fail_msg(cx, ERR_TRANSACTION_LIMIT_EXCEEDED, "The transaction may have %lld %s at most.", (long long)max, what);
}

static struct doc_op
stage_op(const struct stage *s, int i)
{
	const struct tx_op *op = &s->ops[i];

	return (struct doc_op){.p = s->p, .who = s->who, .db = op->db, .col = op->col, .id = op->id, .perms = &s->perms[i], .staged = true};
}

static const char *
map_key(struct ctx *cx, const struct collection *c, const char *id)
{
	return arena_printf(cx->arena, "%lld %s", (long long)c->internal, id);
}

static void
meet(struct ctx *cx, struct stage *s, const struct collection *c, const char *id)
{
	const char *lower = str_dup(cx->arena, str_lower(cx->arena, str_c(id)));
	struct str key = str_c(map_key(cx, c, lower));

	if (map_get(s->places, key) != NULL)
		return;
	s->met[s->n_met] = (struct met){.c = c, .id = lower};
	(void)map_set(s->places, key, &s->met[s->n_met++]);
}

static struct met *
met_by(struct ctx *cx, const struct stage *s, const struct collection *c, const char *id)
{
	const char *lower = str_dup(cx->arena, str_lower(cx->arena, str_c(id)));

	return map_get(s->places, str_c(map_key(cx, c, lower)));
}

static const char *
id_within(const struct tx_op *op, size_t i)
{
	return json_string_value(json_object_get(json_array_get(op->data, i), "$id"));
}

/* Documents that an operation names. */
static size_t
n_named(const struct tx_op *op)
{
	return !tx_actions[op->action].many ? 1 : op->action == TX_BULK_CREATE || op->action == TX_BULK_UPSERT ? json_array_size(op->data) : 0;
}

/* Times are for keys and admins to give: what others stage has none, whoever commits it. */
static const char *
data_text(struct ctx *cx, const struct stage *s, const struct tx_op *op)
{
	json_t *j = (json_t *)(uintptr_t)op->data;	/* jansson's counts are not const */
	struct buf b;
	struct jw w;

	if (!s->who->bypass && json_is_object(j) && (json_object_get(j, "$createdAt") != NULL || json_object_get(j, "$updatedAt") != NULL)) {
		j = json_copy(j);
		(void)json_object_del(j, "$createdAt");
		(void)json_object_del(j, "$updatedAt");
	} else {
		j = json_incref(j);
	}
	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	jw_value(&w, j);
	json_decref(j);
	return buf_view(&b).p;
}

static int64_t
texts_bytes(const struct strs *list)
{
	int64_t n = 0;

	for (int i = 0; i < list->n; i++)
		n += (int64_t)strlen(list->v[i]);
	return n;
}

/* What can be said without the transaction. */
static err_t
prepare(struct ctx *cx, struct stage *s)
{
	const struct strs none = {0}, *roles = s->who->bypass ? &none : s->who->roles;
	size_t documents = 0;

	s->c = arena_array(cx->arena, const struct collection *, s->n + 1);
	s->data = arena_array(cx->arena, const char *, s->n + 1);
	s->perms = arena_array(cx->arena, struct strs, s->n + 1);
	s->places = map_for(cx);
	for (int i = 0; i < s->n; i++)
		documents += n_named(&s->ops[i]);
	s->met = arena_array(cx->arena, struct met, (int)documents + 1);
	for (int i = 0; i < s->n; i++) {
		const struct tx_op *op = &s->ops[i];
		struct doc_op o = stage_op(s, i);

		TRY(doc_collection(cx, &o, &s->c[i]));
		if (tx_actions[op->action].many && !s->who->bypass)
			return doc_unauthorized(cx, "many documents at once are for keys and admins");
		if (tx_actions[op->action].many)
			TRY(doc_unrelated(cx, s->c[i], tx_actions[op->action].many));
		s->perms[i] = op->perms;
		s->data[i] = data_text(cx, s, op);
		s->bytes += (int64_t)strlen(s->data[i]) + texts_bytes(&op->perms) + texts_bytes(roles) + (op->id ? (int64_t)strlen(op->id) : 0);
		for (size_t k = 0; k < n_named(op); k++)
			meet(cx, s, s->c[i], tx_actions[op->action].many ? id_within(op, k) : op->id);
	}
	if (s->n > TRANSACTION_OPERATIONS_MAX)
		return refuse_limit(cx, "operations", TRANSACTION_OPERATIONS_MAX);
	return OK;
}

/* ---- what is there ---- */

static void
met_read(struct ctx *cx, struct met *m, const struct db_res *r, int row)
{
	m->known = !db_null(r, row, 1);
	m->stored = db_strs(cx, r, row, 4);
	m->version = db_cstr(r, row, 5);
	m->updated = db_time(r, row, 6);
	m->there = m->known ? db_bool(r, row, 1) : m->version != NULL;
	m->written = m->known && db_bool(r, row, 2);
	m->perms = m->known && !db_null(r, row, 3) ? db_strs(cx, r, row, 3) : (struct strs){0};
}

/* Those of one collection, by one statement. */
static err_t
look_up(struct ctx *cx, struct stage *s, struct db_tx *tx, const struct collection *c)
{
	const char **ids = arena_array(cx->arena, const char *, s->n_met + 1);
	struct db_res *r;
	int n = 0;

	for (int i = 0; i < s->n_met; i++)
		if (s->met[i].c->internal == c->internal)
			ids[n++] = s->met[i].id;
	if (n == 0)
		return OK;
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT u.id, d.there, d.written, d.permissions, t._perms, t.xmin::text, t._updated FROM unnest($1::text[]) AS u(id) "
	    "LEFT JOIN %s.transaction_documents d ON d.transaction = $2::bigint AND d.collection = $3::bigint AND d.document = u.id "
	    "LEFT JOIN %s t ON lower(t._id) = u.id", s->p->schema, c->table),
	    DB(pg_array(cx->arena, ids, n), pg_i64(cx->arena, s->t->internal), pg_i64(cx->arena, c->internal))));
	for (int row = 0; row < db_rows(r); row++)
		met_read(cx, met_by(cx, s, c, db_cstr(r, row, 0)), r, row);
	return OK;
}

static err_t
look_up_all(struct ctx *cx, struct stage *s, struct db_tx *tx)
{
	for (int i = 0; i < s->n_met; i++) {
		bool done = false;

		for (int k = 0; k < i && !done; k++)
			done = s->met[k].c->internal == s->met[i].c->internal;
		if (!done)
			TRY(look_up(cx, s, tx, s->met[i].c));
	}
	return OK;
}

/* ---- what may be done ---- */

static const struct strs *
perms_seen(const struct met *m)
{
	return m->perms.set ? &m->perms : &m->stored;
}

static err_t
stage_check_seen(struct ctx *cx, const struct stage *s, const struct met *m)
{
	return !s->who->dated || m->updated == TIME_NONE || m->updated <= s->who->seen ? OK : fail(cx, ERR_DOCUMENT_UPDATE_CONFLICT, "id=%s", m->id);
}

static err_t
stage_create(struct ctx *cx, const struct stage *s, int i, struct met *m)
{
	const struct doc_op o = stage_op(s, i);

	if (!doc_granted(&o, &s->c[i]->perms.create))
		return doc_unauthorized(cx, "create");
	TRY(doc_check_grants(cx, &o));
	if (!s->perms[i].set && s->who->user != NULL && !s->who->bypass)
		s->perms[i] = perms_own(cx->arena, s->who->user);
	s->perms[i].set = true;
	m->there = true;
	m->perms = s->perms[i];
	return OK;
}

static err_t
stage_change(struct ctx *cx, const struct stage *s, int i, struct met *m)
{
	const struct doc_op o = stage_op(s, i);
	struct doc_holds holds = doc_holds_of(cx, &o, s->c[i], perms_seen(m));

	TRY(doc_check_grants(cx, &o));
	if (!holds.update)
		return doc_unauthorized(cx, "neither collection nor document grants it");
	TRY(stage_check_seen(cx, s, m));
	TRY(doc_check_added(cx, &o, &holds, perms_seen(m)));
	if (s->perms[i].set)
		m->perms = s->perms[i];
	return OK;
}

static err_t
stage_delete(struct ctx *cx, const struct stage *s, int i, struct met *m)
{
	const struct doc_op o = stage_op(s, i);

	if (!doc_holds_of(cx, &o, s->c[i], perms_seen(m)).del)
		return doc_unauthorized(cx, "neither collection nor document grants it");
	TRY(stage_check_seen(cx, s, m));
	m->there = false;
	return OK;
}

static err_t
stage_step(struct ctx *cx, const struct stage *s, int i, struct met *m)
{
	struct step step = {.key = json_string_value(json_object_get(s->ops[i].data, "attribute")), .by = json_object_get(s->ops[i].data, "value")};

	TRY(doc_step_check(cx, s->c[i], &step));
	return stage_change(cx, s, i, m);
}

/* Those of many that are named: they are there from now on. */
static void
stage_many(struct ctx *cx, const struct stage *s, int i)
{
	for (size_t k = 0; k < n_named(&s->ops[i]); k++) {
		struct met *m = met_by(cx, s, s->c[i], id_within(&s->ops[i], k));

		struct strs given = transaction_strs(cx, json_object_get(json_array_get(s->ops[i].data, k), "$permissions"));

		if (given.set || !m->there)
			m->perms = (struct strs){.set = true, .n = given.n, .v = given.v};
		m->written = m->there = true;
	}
}

static err_t
stage_one(struct ctx *cx, const struct stage *s, int i)
{
	const struct tx_op *op = &s->ops[i];
	struct met *m;

	if (tx_actions[op->action].many) {
		stage_many(cx, s, i);
		return OK;
	}
	m = met_by(cx, s, s->c[i], op->id);
	if (!m->there && op->action != TX_CREATE && op->action != TX_UPSERT)
		return fail(cx, ERR_DOCUMENT_NOT_FOUND, "id=%s", op->id);
	m->written = true;
	switch (op->action) {
	case TX_CREATE:
		return stage_create(cx, s, i, m);
	case TX_UPSERT:
		return m->there ? stage_change(cx, s, i, m) : stage_create(cx, s, i, m);
	case TX_DELETE:
		return stage_delete(cx, s, i, m);
	case TX_INCREMENT:
	case TX_DECREMENT:
		return stage_step(cx, s, i, m);
	default:
		return stage_change(cx, s, i, m);
	}
}

/* ---- what is kept ---- */

/* Values of encrypted attributes are among what is staged: that is sealed as a whole. */
static bool
has_sealed(const struct collection *c)
{
	for (int i = 0; i < c->n_attrs; i++)
		if (c->attrs[i].encrypt)
			return true;
	return false;
}

static void
keep_operations(struct ctx *cx, const struct stage *s, struct db_tx *tx)
{
	enum { N = 10 };
	const char **v[N], *lists[N + 1], *roles = s->who->bypass ? NULL : pg_array(cx->arena, s->who->roles->v, s->who->roles->n);

	for (int k = 0; k < N; k++)
		v[k] = arena_array(cx->arena, const char *, s->n + 1);
	for (int i = 0; i < s->n; i++) {
		const struct tx_op *op = &s->ops[i];

		v[0][i] = tx_actions[op->action].name;
		v[1][i] = op->db;
		v[2][i] = op->col;
		v[3][i] = pg_i64(cx->arena, s->c[i]->internal);
		v[4][i] = op->id;
		v[5][i] = has_sealed(s->c[i]) ? "" : s->data[i];
		v[6][i] = s->perms[i].set ? pg_array(cx->arena, s->perms[i].v, s->perms[i].n) : NULL;
		v[7][i] = pg_bool(op->rows);
		v[8][i] = has_sealed(s->c[i]) ? seal_text(cx->arena, s->data[i]) : "";
		v[9][i] = roles;
	}
	for (int k = 0; k < N; k++)
		lists[k] = pg_array(cx->arena, v[k], s->n);
	lists[N] = pg_i64(cx->arena, s->t->internal);
	tx_add(tx, arena_printf(cx->arena, "INSERT INTO %s.transaction_operations (transaction, n, action, database, collection, collection_internal, document, data, permissions, rows, sealed, roles) "
	    "SELECT $11::bigint, %lld + u.n, u.a, u.db, u.c, u.ci::bigint, u.d, u.j, u.p::text[], u.r::boolean, u.s, u.o::text[] FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], "
	    "$6::text[], $7::text[], $8::text[], $9::text[], $10::text[]) WITH ORDINALITY AS u(a, db, c, ci, d, j, p, r, s, o, n)", s->p->schema, (long long)s->t->operations), N + 1, lists);
}

/* The version stays that of the first time. */
static void
keep_documents(struct ctx *cx, const struct stage *s, struct db_tx *tx)
{
	enum { N = 5 };
	const char **v[N], *lists[N + 1];

	if (s->n_met == 0)
		return;
	for (int k = 0; k < N; k++)
		v[k] = arena_array(cx->arena, const char *, s->n_met);
	for (int i = 0; i < s->n_met; i++) {
		const struct met *m = &s->met[i];

		v[0][i] = pg_i64(cx->arena, m->c->internal);
		v[1][i] = m->id;
		v[2][i] = m->version;
		v[3][i] = pg_bool(m->there);
		v[4][i] = m->perms.set ? pg_array(cx->arena, m->perms.v, m->perms.n) : NULL;
	}
	for (int k = 0; k < N; k++)
		lists[k] = pg_array(cx->arena, v[k], s->n_met);
	lists[N] = pg_i64(cx->arena, s->t->internal);
	tx_add(tx, arena_printf(cx->arena, "INSERT INTO %s.transaction_documents (transaction, collection, document, version, written, there, permissions) "
	    "SELECT $6::bigint, u.c::bigint, u.d, u.v, true, u.t::boolean, u.p::text[] FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS u(c, d, v, t, p) "
	    "ON CONFLICT (transaction, collection, document) DO UPDATE SET written = true, there = excluded.there, permissions = excluded.permissions", s->p->schema), N + 1, lists);
}

/* Within the bounds of the transaction and of the project. */
static err_t
stage_check_room(struct ctx *cx, const struct stage *s, struct db_tx *tx)
{
	struct db_res *r;
	int64_t fresh = 0;

	if (s->t->operations + s->n > TRANSACTION_OPERATIONS_MAX)
		return refuse_limit(cx, "operations", TRANSACTION_OPERATIONS_MAX);
	if (s->t->bytes + s->bytes > conf.transaction_bytes_max)
		return refuse_limit(cx, "bytes", conf.transaction_bytes_max);
	for (int i = 0; i < s->n_met; i++)
		fresh += !s->met[i].known;
	if (s->t->documents + fresh > conf.transaction_documents_max)
		return refuse_limit(cx, "documents", conf.transaction_documents_max);
	s->t->documents += fresh;
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT coalesce(sum(bytes), 0), coalesce(sum(bytes) FILTER (WHERE owner = $1::bigint), 0) FROM %s.transactions "
	    "WHERE status = 'pending' AND expires > now()", s->p->schema), DB(pg_i64(cx->arena, s->who->owner))));
	if (!s->who->bypass && db_i64(r, 0, 1) + s->bytes > conf.transactions_bytes_max / USER_PART)
		return refuse_limit(cx, "bytes with the user's other ones", conf.transactions_bytes_max / USER_PART);
	if (db_i64(r, 0, 0) + s->bytes <= conf.transactions_bytes_max)
		return OK;
	metric_add(M_transactions_refused, 1);
	return fail_msg(cx, ERR_TRANSACTION_LIMIT_EXCEEDED, "The project's transactions hold as much as they may: end one first.");
}

/* ---- what the route shows ---- */

static void
merge(json_t *into, const json_t *from)
{
	json_t *all = (json_t *)(uintptr_t)from;	/* jansson's iterators take a non-const pointer although they change nothing */

	for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it))
		if (json_object_iter_key(it)[0] != '$')
			(void)json_object_set(into, json_object_iter_key(it), json_object_iter_value(it));
}

/* The document as it is stored: where its own permissions let the caller read it, whatever is staged for it. */
static err_t
read_stored(struct ctx *cx, struct stage *s, struct db_tx *tx)
{
	const struct doc_op o = stage_op(s, 0);
	struct strs perms;
	struct db_res *r;

	TRY(tx_query(tx, &r, s->c[0]->sql_get, DB(str_lower(cx->arena, str_c(o.id)).p)));
	if (db_rows(r) == 0)
		return OK;
	perms = db_strs(cx, r, 0, DOC_PERMS);
	s->stored = doc_holds_of(cx, &o, s->c[0], &perms).read ? r : NULL;
	return OK;
}

/* What the transaction had staged for the document before. */
static err_t
read_staged(struct ctx *cx, struct stage *s, struct db_tx *tx)
{
	const char *id = str_lower(cx->arena, str_c(s->ops[0].id)).p;
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT data, sealed FROM %s.transaction_operations WHERE transaction = $1::bigint AND collection_internal = $2::bigint "
	    "AND lower(document) = $3 AND action IN ('create', 'update', 'upsert') ORDER BY n", s->p->schema),
	    DB(pg_i64(cx->arena, s->t->internal), pg_i64(cx->arena, s->c[0]->internal), id)));
	s->staged = r;
	return OK;
}

/* What the route shows is read with the transaction, and put together when that is over: its texts may be large. */
static err_t
read_shown(struct ctx *cx, struct stage *s, struct db_tx *tx)
{
	const struct met *m = met_by(cx, s, s->c[0], s->ops[0].id);
	const struct doc_op o = stage_op(s, 0);

	s->seen = perms_seen(m);
	s->reads = doc_holds_of(cx, &o, s->c[0], s->seen).read;
	if (s->ops[0].action != TX_UPDATE || !s->reads)
		return OK;
	TRY(read_stored(cx, s, tx));
	return read_staged(cx, s, tx);
}

/* It is staged: where no thread will parse the text, it is parsed here. */
static const json_t *
parse_shown(struct ctx *cx, struct str text)
{
	json_t *j = NULL;

	if (text.n <= ASIDE_FROM || json_parse_aside(cx, text, &j) != OK)
		j = json_parse(cx, text, NULL);
	return j;
}

static void
add_stored(struct ctx *cx, const struct stage *s, json_t *into)
{
	struct doc_head head;
	struct buf b;

	if (s->stored == NULL)
		return;
	head = doc_head_of(cx, s->stored, 0);
	doc_head_reply(cx, &head);
	buf_init(&b, cx->arena, 1000);
	(void)doc_write_row(&b, s->c[0], &head, s->stored, 0, NULL, NULL);
	(void)json_object_update(into, (json_t *)(uintptr_t)parse_shown(cx, buf_view(&b)));
}

static void
add_staged(struct ctx *cx, const struct stage *s, json_t *into)
{
	const struct db_res *r = s->staged;

	for (int i = 0; r != NULL && i < db_rows(r); i++) {
		const json_t *j;

		if (fib_yield(cx) != OK)	/* who has left is not answered */
			return;
		j = parse_shown(cx, db_str(r, i, 1).n > 0 ? str_c(seal_open(cx->arena, db_str(r, i, 1))) : db_str(r, i, 0));

		if (j != NULL)
			merge(into, j);
	}
}

static void
set_text(json_t *o, const char *key, const char *text)
{
	(void)json_object_set_new(o, key, json_string(text));
}

/* Whoever may not read the document is shown what it has sent, and nothing of what is there. */
static void
show_staged(struct ctx *cx, const struct stage *s)
{
	const struct tx_op *op = &s->ops[0];
	bool steps = op->action == TX_INCREMENT || op->action == TX_DECREMENT;
	enum doc_seq_form form = doc_seq_form(cx);
	char now[TIME_ISO_LEN + 1];
	json_t *j = json_keep(cx, json_object());
	struct buf b;
	struct jw w;

	(void)time_iso(time_now_ms(), now);
	set_text(j, "$id", op->id);
	if (form != DOC_SEQ_NONE)	/* it will have one */
		(void)json_object_set_new(j, "$sequence", form == DOC_SEQ_TEXT ? json_string("") : json_integer(0));
	set_text(j, "$createdAt", now);
	set_text(j, "$updatedAt", now);
	add_stored(cx, s, j);
	add_staged(cx, s, j);
	if (steps)
		(void)json_object_set(j, json_string_value(json_object_get(op->data, "attribute")), json_object_get(op->data, "value"));
	else
		merge(j, op->data);
	(void)json_object_set_new(j, "$permissions", transaction_texts(s->perms[0].set ? &s->perms[0] : s->reads ? s->seen : &(struct strs){0}));
	set_text(j, cx->words ? "$tableId" : "$collectionId", s->c[0]->id);
	set_text(j, "$databaseId", s->c[0]->database_id);
	buf_init(&b, cx->arena, 1000);
	jw_init(&w, &b);
	jw_value(&w, j);
	*s->shown = buf_view(&b);
}

/* ---- the door ---- */

static bool
shows(const struct stage *s)
{
	return s->shown != NULL && s->n == 1 && s->ops[0].id != NULL;
}

static err_t
stage_within(struct ctx *cx, struct stage *s, struct db_tx *tx)
{
	bool final = false;

	for (int i = 0; i < s->n; i++) {
		final = final || tx_actions[s->ops[i].action].final;
		s->perms[i] = s->ops[i].perms;	/* this may be another try */
	}
	TRY(transaction_open(cx, s->p, s->who, s->id, tx, final || s->shown == NULL, s->t));
	TRY(look_up_all(cx, s, tx));
	TRY(stage_check_room(cx, s, tx));
	for (int i = 0; i < s->n; i++)
		TRY(stage_one(cx, s, i));
	s->stored = s->staged = NULL;
	if (shows(s))
		TRY(read_shown(cx, s, tx));
	keep_operations(cx, s, tx);
	keep_documents(cx, s, tx);
	s->t->operations += s->n;
	s->t->bytes += s->bytes;
	s->t->updated = time_now_ms();
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.transactions SET operations = $2::bigint, bytes = $3::bigint, documents = $4::bigint, updated = $5::timestamptz WHERE internal = $1::bigint",
	    s->p->schema), DB(pg_i64(cx->arena, s->t->internal), pg_i64(cx->arena, s->t->operations), pg_i64(cx->arena, s->t->bytes), pg_i64(cx->arena, s->t->documents),
	    pg_time(cx->arena, s->t->updated)));
	return OK;
}

err_t
transaction_stage(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, const struct tx_op *ops, int n,
    struct transaction *out, struct str *shown)
{
	err_t e;

	for (int try = 0; try < DOC_STALE_MAX; try++) {
		struct stage s = {.p = p, .who = who, .id = id, .ops = ops, .n = n, .shown = shown, .t = out};

		TRY(prepare(cx, &s));
		e = TX_RUN(cx, tx, stage_within(cx, &s, tx));
		if (e == OK && shows(&s))
			show_staged(cx, &s);
		if (!doc_stale(cx, e))
			return e;
		for (int i = 0; i < n; i++)
			collection_forget(p, ops[i].db, ops[i].col);
	}
	return doc_restless(cx, id);
}
