/* Requests to servers on sockets of this machine, which are programs of ours, or a function's own process: no names, no TLS, no redirects. Connections are kept
 * for the next request to the same server.
 *
 * What must stay true: a connection belongs to one request, or to nobody and is in `idle`; there it is looked at, and goes when the server closes it or says anything. */
#include "answer.h"
#include "fetch_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/budget.h"

enum { LINE_MAGIC = 0x6c696e65, IDLE_MAX = 256, READ_MAX = 64 * 1024, READS = 4, TIMEOUT = 15000, CONNECT_TIMEOUT = 5000, BYTES = 1 << 20, CROWDED_MS = 2, OUT_PARTS = 2, CALL_OFF_MS = 5000, FREE = 64 * 1024 };

struct line {
	unsigned magic;
	int fd;
	uv_poll_t uv;
	int events;
	char *key;			/* whom it leads to: host and socket */
	bool kept;			/* it has served before */
	struct asking *asking;		/* NULL: idle */
	struct line *prev, *next;	/* idle */
};

struct asking {			/* a request under way; of the fiber that waits */
	struct fib_event done;
	struct answer answer;
	struct iovec out[OUT_PARTS];	/* what is to be sent still */
	int error;			/* errno of the connection */
	struct budget *held;		/* for the body, until the context ends */
	bool answered, surplus, lost, full;
	struct asking *prev, *next;
};

static struct line *idle_first, *idle_last;	/* the one that served last comes first */
static int n_idle, n_asking;
static struct asking *askings;

/* ---- connections ---- */

static void
line_closed(uv_handle_t *h)
{
	struct line *l = h->data;

	assert(l->magic == LINE_MAGIC);
	l->magic = 0;
	free(l->key);
	free(l);
}

static void
line_close(struct line *l)
{
	l->asking = NULL;
	uv_close((uv_handle_t *)&l->uv, line_closed);
	close(l->fd);
}

static void
line_unkeep(struct line *l)
{
	*(l->prev != NULL ? &l->prev->next : &idle_first) = l->next;
	*(l->next != NULL ? &l->next->prev : &idle_last) = l->prev;
	n_idle--;
	uv_ref((uv_handle_t *)&l->uv);
}

static void
line_drop(struct line *l)
{
	line_unkeep(l);
	line_close(l);
}

static void
line_keep(struct line *l)
{
	l->asking = NULL;
	l->kept = true;
	l->prev = NULL;
	l->next = idle_first;
	*(idle_first != NULL ? &idle_first->prev : &idle_last) = l;
	idle_first = l;
	uv_unref((uv_handle_t *)&l->uv);
	if (++n_idle > IDLE_MAX)
		line_drop(idle_last);
}

static bool
line_silent(const struct line *l)
{
	char c;

	return recv(l->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* One that leads there, and that the server has not closed; NULL: there is none. */
static struct line *
line_kept(const char *key)
{
	for (struct line *l = idle_first, *next; l != NULL; l = next) {
		next = l->next;
		if (strcmp(l->key, key) != 0)
			continue;
		if (line_silent(l)) {
			line_unkeep(l);
			return l;
		}
		line_drop(l);
	}
	return NULL;
}

/* ---- what comes and goes ---- */

static void
asking_end(struct asking *q, int error)
{
	q->answered = true;
	q->error = error;
	fib_signal(&q->done);
}

static void line_want(struct line *l, int events);

/* As much as the socket takes. False: it takes nothing ever again. */
static bool
line_send(struct line *l)
{
	struct asking *q = l->asking;
	struct msghdr m = {.msg_iov = q->out, .msg_iovlen = OUT_PARTS};
	ssize_t n = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	for (int i = 0; i < OUT_PARTS && n > 0; i++) {
		size_t part = (size_t)n < q->out[i].iov_len ? (size_t)n : q->out[i].iov_len;

		q->out[i].iov_base = (char *)q->out[i].iov_base + part;
		q->out[i].iov_len -= part;
		n -= (ssize_t)part;
	}
	line_want(l, q->out[0].iov_len + q->out[1].iov_len > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
	return true;
}

/* A body that grows in an arena is there about twice; one whose length was known is there once. False: there is no room for it. */
static bool
asking_charge(struct asking *q)
{
	size_t n = q->answer.body.cap * (q->answer.grows ? 2 : 1);

	if (n > FREE && n > q->held->held && budget_charge(q->held, n - q->held->held) != OK)
		q->full = true;
	return !q->full;
}

/* False: it is over. */
static bool
line_take(struct line *l)
{
	static char piece[READ_MAX];
	struct asking *q = l->asking;
	ssize_t n = recv(l->fd, piece, sizeof piece, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0) {
		asking_end(q, errno);
		return false;
	}
	if (n == 0)
		answer_end(&q->answer);
	else
		q->surplus = answer_take(&q->answer, piece, (size_t)n) < (size_t)n;
	if (!asking_charge(q) || q->answer.state >= ANSWER_WHOLE)
		asking_end(q, 0);
	return !q->answered && (size_t)n == sizeof piece;
}

static void
line_on_poll(uv_poll_t *h, int status, int events)
{
	struct line *l = h->data;

	assert(l->magic == LINE_MAGIC);
	if (l->asking == NULL) {
		line_drop(l);
		return;
	}
	if (l->asking->answered)
		return;
	if (status < 0)
		events = UV_READABLE;	/* that says what is wrong */
	if ((events & UV_WRITABLE) && !line_send(l)) {
		line_want(l, UV_READABLE);	/* it takes nothing any more, and would be writable for ever */
		events = UV_READABLE;	/* it may have answered before it closed */
	}
	for (int i = 0; (events & UV_READABLE) && i < READS && line_take(l); i++)
		;
	if (status < 0 && !l->asking->answered)
		asking_end(l->asking, EPIPE);
}

static void
line_want(struct line *l, int events)
{
	if (l->events == events)
		return;
	l->events = events;
	uv_poll_start(&l->uv, events, line_on_poll);
}

/* Awaits. *out NULL: there is nobody, and *why_out says it. */
static err_t
line_connect(struct ctx *cx, const char *path, const char *key, uint64_t until, struct line **out, const char **why_out)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = fd < 0 ? errno : 0;
	struct line *l;
	err_t e = OK;

	*out = NULL;
	if (strlen(path) >= sizeof a.sun_path)
		error = ENAMETOOLONG;
	else
		strcpy(a.sun_path, path);
	while (error == 0 && e == OK && connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		if ((errno == EAGAIN || errno == EINTR) && loop_now() < until)	/* EAGAIN: as many wait there as may */
			e = fib_sleep(cx, CROWDED_MS);
		else
			error = errno;
	}
	if (error != 0 || e != OK) {
		*why_out = strerror(error);
		if (fd >= 0)
			close(fd);
		return e;
	}
	l = mem_zalloc(sizeof *l);
	*l = (struct line){.magic = LINE_MAGIC, .fd = fd, .key = mem_strdup(key)};
	uv_poll_init(loop_uv(), &l->uv, fd);
	l->uv.data = l;
	*out = l;
	return OK;
}

/* ---- a request ---- */

static bool
text_clean(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static err_t
local_refused(struct ctx *cx, const char *why)
{
	metric_add(M_fetch_errors, 1);
	return fail(cx, ERR_FETCH_REFUSED, "%s", why);
}

/* What a target may not hold is encoded; a fragment is nobody's but the asker's. */
static void
local_target(struct buf *b, const char *s)
{
	if (*s != '/')
		buf_ch(b, '/');
	for (; *s != '\0' && *s != '#'; s++)
		if (*s == ' ')
			BUF_LIT(b, "%20");
		else
			buf_ch(b, *s);
}

static err_t
local_head(struct ctx *cx, const struct fetch *f, struct str host, const char *target, struct buf *b)
{
	buf_init(b, cx->arena, 1024);
	buf_c(b, f->method != NULL ? f->method : f->body.p != NULL ? "POST" : "GET");
	buf_ch(b, ' ');
	local_target(b, target);
	BUF_LIT(b, " HTTP/1.1\r\nHost: ");
	buf_str(b, host);
	BUF_LIT(b, "\r\n");
	for (int i = 0; i < f->n_headers; i++) {
		const struct fetch_header *h = &f->headers[i];

		if (h->name[0] == '\0' || strpbrk(h->name, ": ") != NULL || !text_clean(h->name) || !text_clean(h->value))
			return local_refused(cx, "a header is malformed");
		buf_c(b, h->name);
		BUF_LIT(b, ": ");
		buf_c(b, h->value);
		BUF_LIT(b, "\r\n");
	}
	if (f->body.p != NULL) {
		BUF_LIT(b, "Content-Length: ");
		buf_i64(b, (int64_t)f->body.n);
		BUF_LIT(b, "\r\n");
	}
	BUF_LIT(b, "\r\n");
	return OK;
}

static bool
asking_sent(const struct asking *q)
{
	return q->out[0].iov_len + q->out[1].iov_len == 0;
}

/* Who ends while bytes of ours are unread resets the connection: of the end of one that took all of them nothing is left to hear but that. */
static bool
asking_taken(const struct asking *q)
{
	return asking_sent(q) && q->error == 0;
}

/* Its time is over: what has come meanwhile is looked at, for nobody is to be told that a run had not begun which had. */
static err_t
line_last(struct line *l, struct asking *q)
{
	for (int i = 0; !q->answered && i < READS && line_take(l); i++)
		;
	return q->answered ? OK : ERR_TIMEOUT;
}

/* It was told to wait, and its time is over: the server hears that nobody asks any more, and the connection's end says whether it had begun before. */
static err_t
line_call_off(struct ctx *cx, struct line *l, struct asking *q)
{
	uint64_t deadline = cx->deadline;
	err_t e;

	if (shutdown(l->fd, SHUT_WR) != 0)
		return ERR_TIMEOUT;
	cx->deadline = 0;
	e = fib_await_for(cx, &q->done, CALL_OFF_MS);
	cx->deadline = deadline;
	return e == OK && q->answer.state != ANSWER_WHOLE ? ERR_TIMEOUT : e;
}

/* On this connection. *again_out: it had served before, and nothing came: the server has closed it, most likely before it saw the request; for `once` that is sure. */
static err_t
local_ask_on(struct ctx *cx, struct line *l, struct asking *q, const struct fetch *f, uint64_t until, bool *again_out)
{
	bool kept = l->kept, whole;
	err_t e = OK;

	l->asking = q;
	if (!line_send(l))
		asking_end(q, EPIPE);
	if (!q->answered)
		e = until > loop_now() ? fib_await_for(cx, &q->done, until - loop_now()) : ERR_TIMEOUT;
	if (e == ERR_TIMEOUT)
		e = line_last(l, q);
	if (e == ERR_TIMEOUT && f->once && q->answer.head_bytes > 0 && !q->answer.has_head)
		e = line_call_off(cx, l, q);
	whole = e == OK && q->error == 0 && !q->full && q->answer.state == ANSWER_WHOLE;
	if (whole && !f->alone && q->answer.keeps && !q->surplus && asking_sent(q))
		line_keep(l);
	else
		line_close(l);
	*again_out = e == OK && kept && !whole && !q->full && q->answer.head_bytes == 0 && !q->lost && !(f->once && asking_taken(q));
	return e;
}

/* Of what is asked once: it must not be asked again. Also one for which there was no room: it ended. */
static bool
asking_begun(const struct asking *q)
{
	return q->full || q->answer.has_head || (q->answer.head_bytes == 0 && asking_taken(q));
}

static err_t
local_judge(struct ctx *cx, const struct fetch *f, struct asking *q, struct fetch_reply **out)
{
	if (q->lost)
		return fail(cx, ERR_FETCH, "stopping");
	if (q->full && !f->once)
		return fail(cx, ERR_BUSY, "there is no room for the answer");
	if (q->error == 0 && q->answer.state == ANSWER_WHOLE) {
		*out = answer_reply(&q->answer);
		return OK;
	}
	if (f->once && asking_begun(q)) {
		*out = answer_reply(&q->answer);
		(*out)->cut = true;
		return OK;
	}
	return fail(cx, ERR_FETCH, "%s", q->error != 0 ? strerror(q->error) : q->answer.why);
}

static void
asking_add(struct asking *q)
{
	q->prev = NULL;
	q->next = askings;
	if (askings != NULL)
		askings->prev = q;
	askings = q;
	n_asking++;
}

static void
asking_remove(struct asking *q)
{
	*(q->prev != NULL ? &q->prev->next : &askings) = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	n_asking--;
}

static void
asking_give_back(void *held)
{
	budget_close(held);
}

static err_t
local_ask(struct ctx *cx, const struct fetch *f, const char *key, struct str head, struct fetch_reply **out)
{
	uint64_t now = loop_now(), until = now + (f->timeout_ms != 0 ? f->timeout_ms : TIMEOUT), connect = now + (f->connect_ms != 0 ? f->connect_ms : CONNECT_TIMEOUT);
	union {
		const char *in;
		char *out;
	} text = {.in = head.p}, body = {.in = f->body.p};	/* they are only read */
	struct budget *held = arena_new_of(cx->arena, struct budget);
	struct asking q;
	const char *why = NULL;
	struct line *l;
	bool again = true;
	err_t e = OK;

	*held = (struct budget){0};
	defer(cx, asking_give_back, held);
	for (bool kept_too = !f->alone; again; kept_too = false) {
		l = kept_too ? line_kept(key) : NULL;
		if (l == NULL)
			TRY(line_connect(cx, f->unix_path, key, connect, &l, &why));
		if (l == NULL)
			return fail(cx, ERR_FETCH, "%s", why);
		q = (struct asking){.held = held, .out = {{text.out, head.n}, {body.out, f->body.n}}};
		answer_begin(&q.answer, cx->arena, f->max_bytes != 0 ? f->max_bytes : BYTES, f->method != NULL && strcmp(f->method, "HEAD") == 0);
		asking_add(&q);
		e = local_ask_on(cx, l, &q, f, until, &again);
		asking_remove(&q);
	}
	if (e == ERR_TIMEOUT && f->once && asking_begun(&q)) {
		*out = answer_reply(&q.answer);
		(*out)->cut = (*out)->late = true;
		return OK;
	}
	TRY(e);
	return local_judge(cx, f, &q, out);
}

err_t
fetch_local(struct ctx *cx, const struct fetch *f, struct fetch_reply **out)
{
	const char *after = strstr(f->url, "://"), *target;
	struct str host;
	struct buf b;
	err_t e;

	*out = NULL;
	if (after == NULL || !text_clean(f->url) || (f->method != NULL && (!text_clean(f->method) || strchr(f->method, ' ') != NULL)))
		return local_refused(cx, "the URL is malformed");
	if (n_asking >= conf.fetches_max)
		return fail(cx, ERR_BUSY, "too many outgoing requests");
	host = (struct str){after + 3, strcspn(after + 3, "/?#")};
	target = after + 3 + host.n;
	TRY(local_head(cx, f, host, target, &b));
	metric_add(M_fetches, 1);
	e = local_ask(cx, f, arena_printf(cx->arena, "%.*s %s", STR_FMT(host), f->unix_path), buf_view(&b), out);
	metric_add(M_fetch_errors, e != OK);
	return e;
}

void
fetch_local_fini(void)
{
	for (struct asking *q = askings; q != NULL; q = q->next) {
		if (q->answered)
			continue;
		q->lost = true;
		asking_end(q, ECANCELED);
	}
	while (idle_first != NULL)
		line_drop(idle_first);
}
