/* Private to src/svc/databases/document*.c. */
#ifndef BADAL_SVC_DATABASES_DOCUMENT_PRIV_H
#define BADAL_SVC_DATABASES_DOCUMENT_PRIV_H

#include "svc/databases/document.h"

/* ---- which rule holds for whom ---- */

/* The first version of the protocol for whose clients a rule holds (ctx.h's format); for others it is as 1.0 had it. Routes that 1.0 did not have
 * know the later rules only. doc/documents.md has them as a table. */
enum doc_rule {
	DOC_MISSING_DATA = 1004000,	/* creating without data has an error of its own */
	DOC_ID_IN_DATA = 1004000,	/* "$id" among the data is passed over, not refused */
	DOC_DATES = 1008000,		/* keys and admins say when a document was made and changed */
	DOC_IDLE_UPDATE = 1008000,	/* an update that changes nothing needs no more than to read, and writes nothing */
	DOC_ADMIN_OWNS_NONE = 1008000,	/* what an admin creates belongs to nobody */
	DOC_OPERATORS = 1008000,	/* {"method":"increment",...} is no text but an operator */
	DOC_SEQUENCE = 1007000,		/* "$sequence" is told, as a number */
	DOC_SEQUENCE_TEXT = 1009000,	/* as a text */
	DOC_UNIQUE_ERROR = 1009005	/* a value that is taken has another error than an id that is */
};

/* ---- rows and JSON ---- */

/* The columns of collection.columns; attributes follow at DOC_ATTRS. */
enum { DOC_ID, DOC_CREATED, DOC_UPDATED, DOC_PERMS, DOC_SEQ, DOC_ATTRS };

enum doc_seq_form { DOC_SEQ_TEXT, DOC_SEQ_NUMBER, DOC_SEQ_NONE };
enum doc_seq_form doc_seq_form(const struct ctx *cx);	/* what the client is told */

struct doc_head {		/* the system members as SQL text */
	struct str id, created, updated, perms, seq;
	enum doc_seq_form form;
	enum collection_tail tail;
	struct str more;	/* members from relationships, each with a comma behind it */
};
/* As events have it; a reply may need another form. */
struct doc_head doc_head_of(const struct ctx *cx, const struct db_res *r, int row);
void doc_head_reply(const struct ctx *cx, struct doc_head *h);	/* as replies have it */

/* SQL text of a stored value as it was before it was sealed; others as they are. */
struct str doc_clear(struct arena *mem, const struct attribute *a, struct str text);

/* A stored row, or with `vals` what it becomes; `select` (may be NULL): only the attributes whose place is true. Gives the place of "$sequence". */
size_t doc_write_row(struct buf *b, const struct collection *c, const struct doc_head *h, const struct db_res *r, int row,
    const struct doc_value *vals, const bool *select);
/* A new document: the members of the data in their order, then what was filled in. Gives the place of "$sequence". */
size_t doc_write_new(struct buf *b, const struct collection *c, const struct doc_head *h, const json_t *data, const struct doc_value *vals);
/* What stands before the number at the place that these gave. */
#define DOC_SEQ_BEGIN "\"$sequence\":\""
/* The JSON of an event with its number in the client's form, and the client's name of its collection; `number` replaces what stands there. */
struct str doc_told(struct ctx *cx, const struct collection *c, struct str json, size_t at, struct str number);

/* ---- what one request does (document.c) ---- */

struct doc_linking;
struct step {			/* of document_count: a number to go by, and how far */
	const struct attribute *a;
	const char *key;
	const json_t *by, *bound;	/* bound: NULL, or null */
	bool down;
};
enum { DOC_LINKS_EACH = 50 };
struct doc_op {
	const struct project *p;
	const struct doc_caller *who;
	const char *db, *col, *id;
	const json_t *data;
	const struct strs *perms, *queries;
	bool asks;		/* what does not fit is the queries' */
	bool today;		/* of a route that 1.0 did not have */
	bool many;		/* of documents */
	bool staged;		/* of a client's transaction (transaction.h) */
	bool seen;		/* a read: the version of each row is its last column, NULL where the open transaction has written it */
	struct step *step;	/* of document_count */
	int64_t *related;	/* of a client's transaction: related documents that may still go with others; NULL: conf.relation_rows_max of them */
	int64_t *made;		/* of a client's transaction: documents that it has made so far; NULL: they count at once */
	int64_t *links;		/* and links that may still be taken away by them; NULL: DOC_LINKS_EACH times as many */
	struct doc_linking *linking;	/* of a write that may name related documents; NULL: it does not */
	bool nested;		/* a related document's own part: there are no operators in it */
	struct str *out;
	struct doc_list *list;
	struct doc_kept *kept;	/* of document_list_kept */
	const struct doc_in *in;	/* documents to write, n of them */
	int n;
	struct doc_many *all;
};

static inline bool
doc_rule(const struct ctx *cx, const struct doc_op *o, enum doc_rule r)
{
	return o->today || o->staged || cx->format >= (int64_t)r;
}

err_t doc_collection(struct ctx *cx, const struct doc_op *o, const struct collection **out) MUST_CHECK;	/* awaits */
/* Whether the caller reads all documents of the collection, or asks each of them. ERR_USER_UNAUTHORIZED: neither. */
err_t doc_check_read(struct ctx *cx, const struct doc_op *o, const struct collection *c, bool *all_out) MUST_CHECK;
const char *doc_own_roles(struct ctx *cx, const struct doc_op *o);	/* as an array of PostgreSQL's */
err_t doc_list_page(struct ctx *cx, const struct doc_op *o) MUST_CHECK;	/* awaits */
err_t doc_list_kept(struct ctx *cx, const struct doc_op *o) MUST_CHECK;	/* awaits; document_kept.c */
bool doc_granted(const struct doc_op *o, const struct strs *roles);
err_t doc_unauthorized(struct ctx *cx, const char *what);
err_t doc_check_grants(struct ctx *cx, const struct doc_op *o) MUST_CHECK;
bool doc_empty(const json_t *data);
struct event doc_event(struct ctx *cx, const struct doc_op *o, const struct event_info *kind, const struct collection *c, const char *id,
    const struct strs *readers, struct str payload);
/* Awaits. Runs fn, anew when the cached collection was older than its table; says what the database's errors mean. */
err_t doc_run(struct ctx *cx, const struct doc_op *o, err_t (*fn)(struct ctx *, const struct doc_op *)) MUST_CHECK;

/* Awaits, once a minute for each collection. True when these roles read so few documents that the index of readers should be asked
 * first. Only a matter of speed. */
err_t doc_readable_few(struct ctx *cx, const struct collection *c, const struct strs *roles, bool *few_out) MUST_CHECK;

/* What an attribute gets where nothing is given. */
struct str doc_default(struct ctx *cx, const struct attribute *a);
/* A list as the literal of an SQL array, its elements checked. */
err_t doc_check_array(struct ctx *cx, const struct attribute *a, const json_t *j, struct str *out) MUST_CHECK;
/* Whether an attribute may have this SQL text, which is the outcome of an expression; with the reason. */
bool doc_outcome_ok(struct ctx *cx, const struct attribute *a, struct str text, const char **why_out);
struct str doc_float_text(struct arena *a, double v);	/* the shortest text that reads back as v, as PostgreSQL writes it */
/* The same value, whichever way it is written. */
bool doc_same(struct ctx *cx, const struct attribute *a, struct str x, struct str y);
/* Times that keys and admins give: *created_out and *updated_out are left alone where they give none. ERR_DOCUMENT_INVALID_STRUCTURE. */
err_t doc_dates(struct ctx *cx, const struct doc_op *o, const json_t *data, const char **created_out, const char **updated_out) MUST_CHECK;

/* ---- operators (document_operator.c): {"method":"increment","values":[1]} in the place of a value ---- */

struct doc_operator;
struct doc_act {		/* an operator on an attribute */
	const struct doc_operator *op;
	const struct attribute *a;
	const json_t *values;
};
struct doc_acts {
	int n;
	struct doc_act *v;
	const json_t *rest;	/* the data without them */
};
struct doc_params {		/* of a statement; as many as there is room for */
	int n;
	const char **v;
};
enum { DOC_ACT_PARAMS = 3 };	/* at most, of one operator */
/* Takes the operators out of data, and checks them. ERR_GENERAL_BAD_REQUEST, ERR_DOCUMENT_INVALID_STRUCTURE. */
err_t doc_acts_take(struct ctx *cx, const struct doc_op *o, const struct collection *c, const json_t *data, struct doc_acts *out) MUST_CHECK;
/* The operator as an SQL expression over `current`, a column or a parameter with its type. */
void doc_act_sql(struct ctx *cx, const struct doc_act *act, const char *current, struct doc_params *ps, struct buf *b);
/* About the most bytes that it adds to a row whose values have `width`. */
int64_t doc_act_growth(const struct doc_act *act, int64_t width);
/* Whether the attribute may have what came of it; `before` is what it had. ERR_DOCUMENT_INVALID_STRUCTURE. */
err_t doc_act_check(struct ctx *cx, const struct doc_op *o, const struct doc_act *act, struct str before, struct str after) MUST_CHECK;
const char *doc_cast(struct arena *mem, const struct attribute *a);	/* "bigint[]": SQL type of its values, without a collation */

/* ---- new documents (document.c) ---- */

struct doc_new {		/* a document that is about to be made */
	const char *id;
	struct strs perms, readers;
	const char *created, *updated;
	struct doc_value *vals;
	const char **v;		/* the parameters of collection.sql_insert */
};
/* Checks the data and fills in the rest. `acted` (may be NULL): what operators made of nothing, by place; `now`: its time, NULL: that of this moment. */
err_t doc_new_make(struct ctx *cx, const struct doc_op *o, const struct collection *c, const char *id, const json_t *data, const struct strs *perms,
    const struct doc_value *acted, const char *now, struct doc_new *out) MUST_CHECK;
/* Its JSON, for an event. */
struct str doc_new_write(struct ctx *cx, const struct collection *c, const struct doc_new *d, const json_t *data, struct str seq, size_t *at_out);
/* Awaits. Writes one that nobody has made yet. */
err_t doc_create(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct event_info *kind) MUST_CHECK;
/* Awaits. The project may have n documents more: ERR_PROJECT_FULL; and that they were made. Those of a client's transaction are asked for together with what it
 * has made so far, and count when it is committed. */
err_t doc_room(struct ctx *cx, const struct doc_op *o, int n) MUST_CHECK;
void doc_made(const struct doc_op *o, int64_t n);

/* ---- changes (document_change.c) ---- */

/* An update by its attributes: UPDATE … SET of what is set in vals and acts, and `perms`, with the parameters $1 … in ps. */
struct doc_change {
	const struct doc_value *vals;
	const struct doc_acts *acts;
	const char *created, *updated;	/* NULL: as it is */
	const struct strs *perms;	/* set: new ones */
};
const char *doc_update_sql(struct ctx *cx, const struct collection *c, const struct doc_change *ch, const char *where, struct doc_params *ps);

struct doc_holds {		/* what a caller may do with a document, by the collection or by the document itself */
	bool read, update, del;
};
struct doc_patch {		/* what becomes of a locked row */
	const struct db_res *r;	/* the row; after operators the one that was written */
	int row;
	const json_t *data;
	const struct strs *given;	/* permissions; not set: none */
	struct strs perms;	/* that it has then */
	struct doc_value *vals;	/* NULL: the row has them already */
	struct doc_acts acts;
	struct doc_head head;
	struct doc_holds holds;
	const char *created, *updated;	/* NULL: not given */
	bool idle;		/* nothing of what was given is other than what is there */
};
struct doc_patch doc_patch_of(struct ctx *cx, const struct doc_op *o, const struct db_res *r, int row);	/* with the data and permissions of o */
/* Fills in vals, acts and dates. ERR_DOCUMENT_INVALID_STRUCTURE, ERR_GENERAL_BAD_REQUEST. */
err_t doc_patch_check(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct doc_patch *p) MUST_CHECK;
bool doc_same_texts(const struct strs *a, const struct strs *b);	/* in the same order */
/* Whether the caller may write it: everything that an update asks, whichever way it comes. What is idle asks to read alone. Fills in vals, acts, dates,
 * holds and idle. ERR_USER_UNAUTHORIZED, ERR_DOCUMENT_UPDATE_CONFLICT, ERR_DOCUMENT_INVALID_STRUCTURE, ERR_GENERAL_BAD_REQUEST. */
err_t doc_patch_allowed(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct doc_patch *p) MUST_CHECK;
/* It was idle, and is not. ERR_USER_UNAUTHORIZED. */
err_t doc_patch_touch(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_patch *p) MUST_CHECK;
/* Nothing of what was given is other than what is there. */
bool doc_patch_idle(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct doc_patch *p);
/* The head as it will be. */
void doc_patch_settle(struct ctx *cx, struct doc_patch *p);
/* Writes the row; awaits where there are operators. */
err_t doc_patch_write(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_patch *p) MUST_CHECK;
struct event doc_patch_event(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct event_info *kind, const struct doc_patch *p);

bool doc_id_taken(const struct ctx *cx, err_t e);	/* somebody made a document of this id in between */

/* ---- related documents: what a write names (document_links.c) ---- */

enum { DOC_LINK_LEVELS = 2 };	/* below the document itself */
struct doc_links;
struct doc_linking {		/* of one write */
	struct doc_links *links;	/* NULL: it names none */
	int named;		/* related documents that are named, at any level */
	int parts;		/* of them, documents and not ids alone */
	int64_t top;		/* the number of the document's own collection */
	int made;		/* of those, new ones */
	int written;		/* of those, so far: made or changed */
	struct map *ids;	/* theirs, each after its collection's number */
	int64_t bytes;		/* of those that are changed, as they were */
	bool changed;		/* a link, or a related document */
	int64_t seq;		/* number of the document that was written */
};
/* Awaits. Takes the values of relationships from the data, two levels deep. ERR_RELATIONSHIP_VALUE_INVALID, ERR_GENERAL_BAD_REQUEST,
 * ERR_PROJECT_FULL and those of doc_collection. */
err_t doc_links_take(struct ctx *cx, const struct doc_op *o, const struct collection *c) MUST_CHECK;
bool doc_links_any(const struct doc_op *o);
/* Awaits. Makes and merges what is named, and links it to the document; `perms`: of the document, for those that name none; `fresh`: it has no links yet.
 * ERR_USER_UNAUTHORIZED and those of a write. */
err_t doc_links_write(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct strs *perms, bool fresh) MUST_CHECK;
/* The verb is held by the collection or by the row's own permissions. */
bool doc_holds_verb(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct strs *collection_roles, const struct strs *perms, struct str verb);

/* ---- what a read shows of them (document_related.c) ---- */

/* Awaits. The members of n rows from their relationships: what `select` names, or what the client's version has without; NULL in *out: there are none.
 * `seqs`: their numbers. Errors: ERR_GENERAL_QUERY_LIMIT_EXCEEDED. */
err_t doc_related(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct strs *select, const int64_t *seqs, int n,
    const struct str **out) MUST_CHECK;
/* Whether a select names anything of the document itself: attributes have dots in their keys, too. */
bool doc_select_own(const struct collection *c, const struct strs *select);
/* Awaits. Adds what the queries may ask of related documents, where they name any. */
err_t doc_related_asked(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct query_list *l) MUST_CHECK;
/* Awaits. The same for the reply of a write, which has all of them. What cannot be read any more is left out. */
void doc_related_reply(struct ctx *cx, const struct doc_op *o);

/* ---- what a deletion does to them (document_cascade.c) ---- */

struct doc_reach;		/* the collections that a deletion may come to */
/* Awaits. NULL: nobody is related to documents of this collection. */
err_t doc_reach(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct doc_reach **out) MUST_CHECK;
/* Awaits. Before the row with this number, which is locked, is deleted. ERR_DOCUMENT_DELETE_RESTRICTED, ERR_USER_UNAUTHORIZED, ERR_GENERAL_BAD_REQUEST. */
err_t doc_cascade(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, struct doc_reach *reach, const char *seq) MUST_CHECK;

/* ---- within a transaction that is open ----
 * What the routes do, each in its own transaction. All await; cx->within is the transaction. A wish for a document that is there or not is told as `kind`, and
 * *there_out false means that nothing was done. What those of many did is in o->all. */
err_t doc_create_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct event_info *kind) MUST_CHECK;
err_t doc_update_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx) MUST_CHECK;
err_t doc_upsert_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx, const struct event_info *kind,
    bool *there_out) MUST_CHECK;
err_t doc_step_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx) MUST_CHECK;
err_t doc_delete_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx) MUST_CHECK;
err_t doc_create_all_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx) MUST_CHECK;
err_t doc_upsert_all_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx) MUST_CHECK;
err_t doc_update_found_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx) MUST_CHECK;
err_t doc_delete_found_within(struct ctx *cx, const struct doc_op *o, const struct collection *c, struct db_tx *tx) MUST_CHECK;

/* Nothing is linked to documents of this collection, or by them, that "create", "upsert", "update" or "delete" of many would have to look at.
 * ERR_GENERAL_BAD_REQUEST. */
err_t doc_unrelated(struct ctx *cx, const struct collection *c, const char *verb) MUST_CHECK;
/* A column or the whole table is gone: the cached collection was older than it. */
bool doc_stale(const struct ctx *cx, err_t e);
/* A value was refused by a check of its column (attribute_sql_check): then cx has the words. */
bool doc_unsound(struct ctx *cx, err_t e);
enum { DOC_STALE_MAX = 5 };	/* tries: one may wait behind one drop and then behind the next */
err_t doc_restless(struct ctx *cx, const char *what) MUST_CHECK;	/* it still is after as many: ERR_BUSY */
/* Awaits. Forgets the collection, and those whose documents are written or shown with it: any of them may be the one. */
void doc_forget(struct ctx *cx, const struct project *p, const char *db, const char *col);
/* Awaits. A document, for doc_run as doc_list_page is. */
err_t document_get_row(struct ctx *cx, const struct doc_op *o) MUST_CHECK;
struct doc_holds doc_holds_of(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct strs *perms);
/* Whoever may change a document's permissions adds only what it may do itself. */
err_t doc_check_added(struct ctx *cx, const struct doc_op *o, const struct doc_holds *h, const struct strs *perms) MUST_CHECK;
err_t doc_step_check(struct ctx *cx, const struct collection *c, struct step *s) MUST_CHECK;

/* ---- many at once (document_bulk.c) ---- */

err_t doc_too_much(struct ctx *cx, const char *what, int64_t max) MUST_CHECK;	/* ERR_GENERAL_BAD_REQUEST: more than so many at once */

/* Awaits. What operators make of an attribute that has nothing yet but its default, by place; NULL: there are none. `tx` (may be NULL): within it. */
err_t doc_acts_on_nothing(struct ctx *cx, const struct doc_op *o, const struct collection *c, const struct doc_acts *acts, struct db_tx *tx,
    struct doc_value **out) MUST_CHECK;
/* Locks of names ("<table> <id>") until tx ends, in one order: on ids that are still free. */
void doc_lock_names(struct ctx *cx, struct db_tx *tx, const char *const *names, int n);
struct query_list doc_query_list(struct ctx *cx, const struct collection *c, unsigned flags);
struct db_share *doc_large_share(void);	/* of connections, for what takes long */

#endif
