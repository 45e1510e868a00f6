/* Many events in one text (event_pack_add), taken apart again: by the relay, and by whoever reads the stream. */
#include "model/event.h"

void
event_unpack_init(struct event_unpack *u, struct str text)
{
	*u = (struct event_unpack){.left = text};
	buf_init(&u->text, NULL, 0);
}

void
event_unpack_fini(struct event_unpack *u)
{
	buf_fini(&u->text);
}

static bool
unpack_digits(struct event_unpack *u, size_t *out)
{
	int64_t n;

	if (!str_to_i64(str_cut(&u->left, ' '), &n) || n < 0)
		return false;
	*out = (size_t)n;
	return true;
}

static bool
unpack_text(struct event_unpack *u, size_t n, struct str *out)
{
	if (n > u->left.n)
		return false;
	*out = (struct str){u->left.p, n};
	u->left = (struct str){u->left.p + n, u->left.n - n};
	return true;
}

static bool
unpack_one(struct event_unpack *u)
{
	size_t n, n_body;

	while (str_eat(&u->left, 'h'))
		if (!unpack_digits(u, &n) || !unpack_text(u, n, &u->head))
			return false;
	u->at = u->left.p;
	u->id = STR_NONE;
	if (!str_eat(&u->left, 'e'))
		return unpack_digits(u, &n) && n > 0 && unpack_text(u, n, &u->body);
	return u->head.n > 0 && unpack_digits(u, &n) && unpack_digits(u, &u->number_at) && unpack_digits(u, &n_body) && unpack_text(u, n, &u->id) &&
	    unpack_text(u, n_body, &u->body);
}

bool
event_unpack_next(struct event_unpack *u)
{
	if (u->bad || u->left.n == 0)
		return false;
	u->bad = !unpack_one(u);
	return !u->bad;
}

struct str
event_unpack_header(const struct event_unpack *u)
{
	struct str alone = u->body;

	return u->id.p != NULL ? u->head : str_cut(&alone, '\n');
}

static void
unpack_put_header(struct event_unpack *u)
{
	struct str rest = u->head;

	u->text.n = 0;
	while (rest.p != NULL) {
		buf_str(&u->text, str_cut(&rest, EVENT_PACK_ID[0]));
		if (rest.p != NULL)
			buf_str(&u->text, u->id);
	}
	if (u->number_at > 0) {
		BUF_LIT(&u->text, ",\"q\":");
		buf_i64(&u->text, (int64_t)u->number_at);
	}
	buf_ch(&u->text, '}');
}

void
event_unpack_whole(struct event_unpack *u, struct str *header_out, struct str *body_out)
{
	*body_out = u->body;
	if (u->id.p == NULL) {
		*header_out = str_cut(body_out, '\n');
		return;
	}
	unpack_put_header(u);
	*header_out = buf_view(&u->text);
}

void
event_unpack_head_put(const struct event_unpack *u, struct buf *b)
{
	if (u->head.n == 0)
		return;
	buf_ch(b, 'h');
	buf_i64(b, (int64_t)u->head.n);
	buf_ch(b, ' ');
	buf_str(b, u->head);
}
