/* What the files of records share: record_sql.c makes the statements, record.c runs them. */
#ifndef BADAL_MODEL_RECORD_PRIV_H
#define BADAL_MODEL_RECORD_PRIV_H

#include "model/record.h"

enum verb { VERB_GET, VERB_ALL, VERB_LOCK, VERB_LOCK_KEY, VERB_INSERT, VERB_SET, VERB_DELETE, VERB_COLUMNS, VERB_FROM };

/* The statement in cx's arena. `where` and `set` are constants of the program, NULL where the verb takes none. Parameters: those of `where`, then
 * those of `set` and the time; VERB_INSERT the own columns in order, without the number. VERB_ALL wants its limit behind it. */
const char *record_statement(struct ctx *cx, const struct project *p, const struct record *rec, enum verb verb, const char *where, const char *set);

/* The name of the record's own column behind the alias; NULL: it is no column, or another table's. */
const char *record_own(const struct record *rec, const struct field *f);
const struct field *record_field(const struct record *rec, struct str name);	/* by that name; NULL */
bool record_is_number(const char *name);	/* the internal one, which PostgreSQL gives */
bool record_has_updated(const struct record *rec);
/* Whether the table has a search text (of which one of `set` is a part, when it is not NULL). */
bool record_searchable(const struct record *rec, const char *set);
/* SQL with "@." as the alias. */
void record_put_where(struct buf *b, const struct record *rec, const char *sql);

#endif
