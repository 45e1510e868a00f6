/* Forms with one file: the fields are kept, the file is handed on as it comes. What is kept is bounded here. */
#include <assert.h>

#include "gate_priv.h"

enum { FORM_PARTS_MAX = 300, FIELDS_BYTES_MAX = 128 * 1024 };

struct form {
	struct req *rq;
	struct multipart *parts;	/* NULL: the body is no form */
	const char *field;		/* of the file */
	json_t *fields;
	size_t held;			/* bytes of them */
	bool seen;			/* the file has come */
};

static err_t
form_keep(struct form *f, const struct part_head *head)
{
	struct ctx *cx = &f->rq->cx;
	struct str piece;
	const char *why;
	struct buf b;
	size_t at;

	buf_init(&b, cx->arena, 64);
	for (;;) {
		TRY(multipart_read(f->parts, &piece));
		if (piece.n == 0)
			break;
		f->held += piece.n;
		if (f->held > FIELDS_BYTES_MAX)
			return fail_msg(cx, ERR_REQUEST_TOO_LARGE, "The fields of the form are too large.");
		buf_str(&b, piece);
	}
	if (head->name.n == 0 || head->filename.p != NULL || str_is(head->name, f->field))
		return OK;
	if ((why = str_fault(buf_view(&b), &at)) == NULL)
		why = body_field(cx, f->fields, head->name, buf_view(&b));
	return why ? fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "The parameters cannot be read. %s.", why) : OK;
}

/* Up to the file, or to the end. */
static err_t
form_walk(struct form *f, struct part_head *head, bool *there_out)
{
	bool more;

	*there_out = false;
	while (f->parts != NULL) {
		TRY(multipart_next(f->parts, head, &more));
		if (!more)
			return OK;
		if (!f->seen && head->filename.p != NULL && str_is(head->name, f->field)) {
			*there_out = f->seen = true;
			return OK;
		}
		if (head->filename.p == NULL)
			TRY(form_keep(f, head));
	}
	return OK;
}

err_t
form_open(struct req *rq, const char *field, struct form **out, struct part_head *file_out, bool *there_out)
{
	struct form *f = *out = arena_new_of(rq->cx.arena, struct form);
	struct str type = rq->http->hdr[HDR_CONTENT_TYPE];

	assert(rq->route->flags & ROUTE_FORM);
	*f = (struct form){.rq = rq, .field = field, .fields = body_new(&rq->cx)};
	*there_out = false;
	if (!str_ieq(str_trim(str_cut(&type, ';')), STR("multipart/form-data")))
		return OK;
	TRY(multipart_open(rq, FORM_PARTS_MAX, &f->parts));
	return form_walk(f, file_out, there_out);
}

bool
form_given(const struct form *f)
{
	return f->parts != NULL;
}

struct str
form_field(const struct form *f, const char *name)
{
	return json_str(json_object_get(f->fields, name));
}

err_t
form_read(struct form *f, struct str *piece_out)
{
	return multipart_read(f->parts, piece_out);
}

err_t
form_close(struct form *f, void *in)
{
	struct part_head head;
	bool there;

	TRY(form_walk(f, &head, &there));
	assert(f->parts == NULL || !there || f->seen);
	while (there)	/* the file was not asked for: what it held is passed over */
		TRY(form_walk(f, &head, &there));
	body_settle_fields(f->fields);
	f->rq->body = f->fields;
	compat_request(f->rq);
	return params_read(f->rq, PARAMS_FORM, &in);
}

err_t
form_limit(struct req *rq, bool exempt)
{
	err_t e = limit_pass(rq, exempt || gate_trusted(rq));

	rq->n_gate = rq->n_out;
	return e;
}
