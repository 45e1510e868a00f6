/* Documents as JSON, from rows and from checked values. */
#include "document_priv.h"

#include <assert.h>

#include "model/seal.h"

struct doc_head
doc_head_of(const struct ctx *cx, const struct db_res *r, int row)
{
	return (struct doc_head){db_str(r, row, DOC_ID), db_str(r, row, DOC_CREATED), db_str(r, row, DOC_UPDATED),
	    db_str(r, row, DOC_PERMS), db_str(r, row, DOC_SEQ), DOC_SEQ_TEXT, cx->words ? TAIL_BOTH : TAIL_DOCUMENT, STR_NONE};
}

void
doc_head_reply(const struct ctx *cx, struct doc_head *h)
{
	h->form = doc_seq_form(cx);
	h->tail = cx->words ? TAIL_ROW : TAIL_DOCUMENT;
}

enum doc_seq_form
doc_seq_form(const struct ctx *cx)
{
	return cx->format >= DOC_SEQUENCE_TEXT ? DOC_SEQ_TEXT : cx->format >= DOC_SEQUENCE ? DOC_SEQ_NUMBER : DOC_SEQ_NONE;
}

static void
write_attr(struct buf *b, const struct attribute *a, struct str text)
{
	buf_str(b, a->json_key);
	doc_write_value(b, a, text);
	buf_ch(b, ',');
}

static struct str
checked_text(const struct attribute *a, const struct doc_value *val)
{
	return a->encrypt ? val->clear : val->v;
}

/* What cannot be opened any more is null. */
struct str
doc_clear(struct arena *mem, const struct attribute *a, struct str text)
{
	return a->encrypt && text.p != NULL ? str_c(seal_open(mem, text)) : text;
}

static void
write_stored(struct buf *b, const struct attribute *a, struct str text)
{
	struct arena *mem;

	if (!a->encrypt || text.p == NULL) {
		write_attr(b, a, text);
		return;
	}
	mem = arena_new();
	write_attr(b, a, doc_clear(mem, a, text));
	arena_free(&mem);
}

/* Ids and collection ids hold nothing to escape (id_valid), but it costs little to be sure. */
static void
write_id(struct buf *b, const struct doc_head *h)
{
	BUF_LIT(b, "\"$id\":");
	json_escape(b, h->id);
	buf_ch(b, ',');
}

static size_t
write_seq(struct buf *b, struct str number, enum doc_seq_form form)
{
	size_t at = b->n;

	if (form == DOC_SEQ_NONE)
		return at;
	buf_c(b, form == DOC_SEQ_TEXT ? DOC_SEQ_BEGIN : "\"$sequence\":");
	buf_str(b, number);
	buf_c(b, form == DOC_SEQ_TEXT ? "\"," : ",");
	return at;
}

struct str
doc_told(struct ctx *cx, const struct collection *c, struct str json, size_t at, struct str number)
{
	const char *end = memchr(json.p + at, ',', json.n - at);
	struct str there = {json.p + at + sizeof DOC_SEQ_BEGIN - 1, 0};
	enum doc_seq_form form = doc_seq_form(cx);
	struct buf b;

	assert(end != NULL);
	there.n = (size_t)(end - 1 - there.p);
	if (form == DOC_SEQ_TEXT && str_eq(there, number) && cx->words == NULL)
		return json;
	buf_init(&b, cx->arena, json.n + number.n + 1);
	buf_add(&b, json.p, at);
	(void)write_seq(&b, number, form);
	buf_str(&b, (struct str){end + 1, json.n - (size_t)(end + 1 - json.p)});
	if (cx->words != NULL) {
		b.n -= c->json_tails[TAIL_BOTH].n;
		buf_str(&b, c->json_tails[TAIL_ROW]);
	}
	return buf_view(&b);
}

static void
write_created(struct buf *b, const struct doc_head *h)
{
	BUF_LIT(b, "\"$createdAt\":");
	doc_write_time(b, h->created);
	buf_ch(b, ',');
}

static void
write_updated(struct buf *b, const struct doc_head *h)
{
	BUF_LIT(b, "\"$updatedAt\":");
	doc_write_time(b, h->updated);
	buf_ch(b, ',');
}

static void
write_perms(struct buf *b, const struct doc_head *h)
{
	BUF_LIT(b, "\"$permissions\":");
	doc_write_array(b, ATTR_STRING, h->perms);
	buf_ch(b, ',');
}

size_t
doc_write_row(struct buf *b, const struct collection *c, const struct doc_head *h, const struct db_res *r, int row,
    const struct doc_value *vals, const bool *select)
{
	size_t at;

	buf_ch(b, '{');
	buf_str(b, h->more);
	for (int i = 0; i < c->n_live; i++) {
		if (select != NULL && !select[i])
			continue;
		if (vals != NULL && vals[i].set)
			write_attr(b, c->live[i], checked_text(c->live[i], &vals[i]));
		else
			write_stored(b, c->live[i], db_str(r, row, DOC_ATTRS + i));
	}
	write_id(b, h);
	at = write_seq(b, h->seq, h->form);
	write_created(b, h);
	write_updated(b, h);
	write_perms(b, h);
	buf_str(b, c->json_tails[h->tail]);
	return at;
}

/* System members that the data named although the server decides them: they keep their place. */
struct system_member {
	const char *key;
	void (*write)(struct buf *b, const struct doc_head *h);
};
static const struct system_member system_members[] = {
    {"$permissions", write_perms}, {"$createdAt", write_created}, {"$updatedAt", write_updated}};
enum { N_SYSTEM = sizeof system_members / sizeof system_members[0] };

static void
write_named(struct buf *b, const struct collection *c, const struct doc_head *h, const char *key, const struct doc_value *vals,
    bool *done)
{
	const struct attribute *a = collection_attribute(c, str_c(key));

	for (int i = 0; i < N_SYSTEM && key[0] == '$'; i++)
		if (strcmp(system_members[i].key, key) == 0) {
			system_members[i].write(b, h);
			done[i] = true;
		}
	if (a != NULL && a->place >= 0)
		write_attr(b, a, checked_text(a, &vals[a->place]));
}

size_t
doc_write_new(struct buf *b, const struct collection *c, const struct doc_head *h, const json_t *data, const struct doc_value *vals)
{
	json_t *o = (json_t *)(uintptr_t)data;	/* jansson's iterators take a non-const pointer although they change nothing */
	bool done[N_SYSTEM] = {false};
	size_t at;

	buf_ch(b, '{');
	for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it))
		write_named(b, c, h, json_object_iter_key(it), vals, done);
	write_id(b, h);
	at = write_seq(b, h->seq, h->form);
	for (int i = 0; i < N_SYSTEM; i++)
		if (!done[i])
			system_members[i].write(b, h);
	for (int i = 0; i < c->n_live; i++)
		if (vals[i].set && !vals[i].given)
			write_attr(b, c->live[i], checked_text(c->live[i], &vals[i]));
	for (int i = 0; i < c->n_live; i++)
		if (!vals[i].set)
			write_attr(b, c->live[i], STR_NONE);
	buf_str(b, c->json_tails[h->tail]);
	return at;
}
