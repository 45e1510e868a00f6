/* Outgoing requests: transfers of curl, in pieces; a buffered request is one whose pieces are put together.
 *
 * A transfer belongs to a fiber: whoever leaves early takes it off the loop before its memory goes. curl asks for the next piece of the body
 * and hands over what it has read; whoever has nothing to give, or no room, pauses it, and goes on where the fiber comes for more. Private
 * addresses are refused where the socket is made, so what was checked is what is connected to. A connection that was kept may have been made by a
 * request that is allowed more: it is looked at again before each request goes out. */
#include "fetch_priv.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/metric.h"

enum {
	FETCH_MAGIC = 0x66657463,
	TIMEOUT = 15000, CONNECT_TIMEOUT = 5000, PROGRESS = 30000, BYTES = 1 << 20,	/* defaults */
	HEADERS_MAX = 100, HEADER_BYTES = 32768,
	URL_MAX = 8192
};

/* What was read and not yet taken: curl fills `back` while the fiber has `front`. */
struct pieces {
	char *front, *back;
	size_t n;		/* in back */
	size_t room_front, room_back;
};

struct fetch_stream {
	unsigned magic;
	struct arena *arena;	/* of the reply */
	struct fetch f;
	bool whole;		/* a buffered request */
	struct fetch_reply *reply;
	CURL *easy;
	struct curl_slist *headers, *rcpt;
	struct fib_event change;	/* any of what follows */
	bool under_way;		/* on the loop */
	bool head;		/* status and headers are those of the last response */
	bool ended;		/* result is set */
	CURLcode result;
	uint64_t moved;		/* loop time at which the last byte moved, or we began to wait */
	/* the response */
	struct pieces in;
	uint64_t got, max;
	bool full;		/* curl waits for room */
	/* the request's body */
	struct str out;		/* being sent; borrowed from who waits in fetch_write */
	uint64_t given;
	bool out_ended;
	bool hungry;		/* curl waits for more */
	size_t header_bytes;
	bool too_large, refused, lost;
	bool counted;		/* its failure, in the metrics */
	char error[CURL_ERROR_SIZE];
	struct fetch_stream *prev, *next;
};

static struct fetch_stream *transfers;
static unsigned n_transfers;
static bool started;

/* ---- what a transfer takes and gives ---- */

static struct fetch_stream *
fetch_stream_of(void *arg)
{
	struct fetch_stream *t = arg;

	assert(t->magic == FETCH_MAGIC);
	return t;
}

static void
moved(struct fetch_stream *t)
{
	t->moved = loop_now();
	fib_signal(&t->change);
}

static void
pieces_add(struct pieces *p, const char *text, size_t n)
{
	if (p->n + n > p->room_back) {
		p->room_back = p->n + n > FETCH_WINDOW / 4 ? FETCH_WINDOW : FETCH_WINDOW / 4;
		p->back = mem_realloc(p->back, p->room_back);
	}
	assert(p->n + n <= p->room_back);
	memcpy(p->back + p->n, text, n);
	p->n += n;
}

/* What has come; curl gets the room of the piece before. */
static struct str
pieces_take(struct pieces *p)
{
	struct str piece = {p->back, p->n};
	char *buf = p->front;
	size_t room = p->room_front;

	p->front = p->back;
	p->room_front = p->room_back;
	p->back = buf;
	p->room_back = room;
	p->n = 0;
	return piece;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct fetch_stream *t = fetch_stream_of(arg);

	n *= size;
	if (n > t->max - t->got) {
		t->too_large = true;
		return 0;
	}
	assert(n <= FETCH_WINDOW);
	t->head = true;
	t->full = n > FETCH_WINDOW - t->in.n;
	if (t->full)
		return CURL_WRITEFUNC_PAUSE;
	pieces_add(&t->in, p, n);
	t->got += n;
	moved(t);
	return n;
}

static void
add_header(struct fetch_stream *t, struct str line)
{
	struct arena *a = t->arena;
	struct str name = str_cut(&line, ':');

	if (line.p == NULL || t->reply->n_headers == HEADERS_MAX)
		return;
	t->reply->headers[t->reply->n_headers++] = (struct fetch_header){str_dup(a, str_lower(a, str_trim(name))), str_dup(a, str_trim(line))};
}

/* An interim response, or a redirect that is followed, is not the last one. */
static void
head_ended(struct fetch_stream *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->head = t->head || (status >= 200 && (t->f.redirects == 0 || status / 100 != 3));
	moved(t);
}

/* Each response of a chain of redirects begins with its status line: only the last one's headers stay. */
static size_t
fetch_on_header(char *p, size_t size, size_t n, void *arg)
{
	struct fetch_stream *t = fetch_stream_of(arg);
	struct str line;

	n *= size;
	line = (struct str){p, n};
	t->header_bytes += n;
	if (t->header_bytes > HEADER_BYTES) {
		t->too_large = true;
		return 0;
	}
	while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	if (str_starts(line, "HTTP/")) {
		t->reply->n_headers = 0;
		t->header_bytes = n;
	} else if (line.n == 0) {
		head_ended(t);
	} else {
		add_header(t, line);
	}
	return n;
}

static size_t
on_upload(char *p, size_t size, size_t n, void *arg)
{
	struct fetch_stream *t = fetch_stream_of(arg);

	n *= size;
	if (n > t->out.n)
		n = t->out.n;
	t->hungry = n == 0 && !t->out_ended;
	if (t->hungry)
		return CURL_READFUNC_PAUSE;
	if (n > 0) {	/* no body may be NULL, which nothing may be added to */
		memcpy(p, t->out.p, n);
		t->out.p += n;
		t->out.n -= n;
	}
	moved(t);
	return n;
}

static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch_stream *t = fetch_stream_of(arg);
	curl_socket_t fd;

	(void)purpose;
	if (!t->f.private_ok && t->f.unix_path == NULL && sockaddr_private(&a->addr)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd >= 0)
		fetch_loop_opened(fd);
	return fd;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* Of a connection that may be an old one. */
static int
fetch_on_request(void *arg, char *address, char *own, int port, int own_port)
{
	struct fetch_stream *t = fetch_stream_of(arg);

	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	(void)own;
	(void)port;
	(void)own_port;
	if (t->f.private_ok || t->f.unix_path != NULL || (inet_pton(AF_INET, address, &in.sin_addr) == 1 && !sockaddr_private((const struct sockaddr *)(const void *)&in)) ||
	    (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1 && !sockaddr_private((const struct sockaddr *)(const void *)&in6)))
		return CURL_PREREQFUNC_OK;
	t->refused = true;
	return CURL_PREREQFUNC_ABORT;
}
#endif

/* ---- a transfer's life ---- */

static void
on_done(void *arg, CURLcode result)
{
	struct fetch_stream *t = fetch_stream_of(arg);

	assert(t->under_way && !t->ended);
	t->under_way = false;
	t->ended = true;
	t->result = result;
	moved(t);
}

/* It ends here. The connection goes with it. */
static void
fetch_give_up(struct fetch_stream *t)
{
	if (t->under_way)
		fetch_loop_remove(t->easy);
	t->under_way = false;
	t->out = STR_NONE;
	if (!t->ended)
		t->result = CURLE_ABORTED_BY_CALLBACK;
	t->ended = true;
}

static void
fetch_go_on(struct fetch_stream *t)
{
	CURLcode e;

	if (t->ended)
		return;
	assert(t->under_way);
	e = fetch_loop_go_on(t->easy);
	if (e == CURLE_OK)
		return;
	fetch_give_up(t);
	t->result = e;
}

static void
fetch_drop(struct fetch_stream *t)
{
	assert(t->magic == FETCH_MAGIC);
	fetch_give_up(t);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->rcpt);
	free(t->in.front);
	free(t->in.back);
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		transfers = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	n_transfers--;
	t->magic = 0;
}

static struct fetch_stream *
transfer_new(struct ctx *cx, const struct fetch *f, bool whole)
{
	struct fetch_stream *t = arena_new_of(cx->arena, struct fetch_stream);

	t->magic = FETCH_MAGIC;
	t->arena = cx->arena;
	t->f = *f;
	t->whole = whole;
	t->max = f->max_bytes ? f->max_bytes : whole ? BYTES : UINT64_MAX;
	t->reply = arena_new_of(cx->arena, struct fetch_reply);
	t->reply->headers = arena_array(cx->arena, struct fetch_header, HEADERS_MAX);
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		mem_fatal(0);
	if (!t->f.upload) {
		t->out = f->body;
		t->out_ended = true;
	}
	t->next = transfers;
	if (transfers != NULL)
		transfers->prev = t;
	transfers = t;
	n_transfers++;
	return t;
}

static bool
clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static const char *
header_line(struct ctx *cx, const struct fetch_header *h)
{
	struct buf b;

	buf_init(&b, cx->arena, strlen(h->name) + strlen(h->value) + 4);
	buf_c(&b, h->name);
	if (h->value[0] != '\0') {
		BUF_LIT(&b, ": ");
		buf_c(&b, h->value);
	} else {
		buf_ch(&b, ';');	/* curl's word for a header without value */
	}
	return buf_view(&b).p;
}

static err_t
add_line(struct ctx *cx, struct curl_slist **list, const char *line)
{
	struct curl_slist *l;

	if (!clean(line))
		return fail(cx, ERR_FETCH_REFUSED, "control characters in a header or address");
	l = curl_slist_append(*list, line);
	if (l == NULL)
		mem_fatal(0);
	*list = l;
	return OK;
}

static bool
is_mail(const struct fetch *f)
{
	return strncmp(f->url, "smtp", 4) == 0;
}

#define SET(opt, value) curl_easy_setopt(t->easy, CURLOPT_##opt, (value))

static void
set_protocols(struct fetch_stream *t, bool mail)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(PROTOCOLS_STR, mail ? "smtp,smtps" : "http,https");
	SET(REDIR_PROTOCOLS_STR, "http,https");
#else
	SET(PROTOCOLS, (long)(mail ? CURLPROTO_SMTP | CURLPROTO_SMTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
	SET(REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void
set_common(struct fetch_stream *t)
{
	const struct fetch *f = &t->f;
	uint64_t timeout = f->timeout_ms == 0 && t->whole ? TIMEOUT : f->timeout_ms;

	set_protocols(t, is_mail(f));
	SET(URL, f->url);
	SET(PRIVATE, t);
	SET(NOSIGNAL, 1L);
	SET(PROXY, "");
	SET(ERRORBUFFER, t->error);
	SET(TIMEOUT_MS, (long)timeout);
	SET(CONNECTTIMEOUT_MS, (long)(f->connect_ms ? f->connect_ms : CONNECT_TIMEOUT));
	SET(OPENSOCKETFUNCTION, open_socket);
	SET(OPENSOCKETDATA, t);
	if (f->unix_path != NULL)
		SET(UNIX_SOCKET_PATH, f->unix_path);
	SET(CLOSESOCKETFUNCTION, fetch_loop_close);
#if LIBCURL_VERSION_NUM >= 0x075000
	SET(PREREQFUNCTION, fetch_on_request);
	SET(PREREQDATA, t);
	SET(FORBID_REUSE, is_mail(f) ? 1L : 0L);
#else
	SET(FORBID_REUSE, f->private_ok ? 1L : 0L);
#endif
	SET(SSL_VERIFYPEER, f->insecure ? 0L : 1L);
	SET(SSL_VERIFYHOST, f->insecure ? 0L : 2L);
	if (f->ca_file != NULL && f->ca_file[0] != '\0')
		SET(CAINFO, f->ca_file);
	if (f->certificate) {	/* told at a handshake alone */
		SET(CERTINFO, 1L);
		SET(FRESH_CONNECT, 1L);
		SET(FORBID_REUSE, 1L);
	}
	SET(WRITEFUNCTION, on_body);
	SET(WRITEDATA, t);
	SET(HEADERFUNCTION, fetch_on_header);
	SET(HEADERDATA, t);
	if (!t->whole)	/* of HTTP/2 curl reads megabytes ahead of who has paused it */
		SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (f->user != NULL) {
		SET(USERNAME, f->user);
		SET(PASSWORD, f->password ? f->password : "");
	}
}

static err_t
set_signature(struct ctx *cx, struct fetch_stream *t)
{
	if (t->f.aws_sigv4 == NULL)
		return OK;
#if LIBCURL_VERSION_NUM >= 0x074b00
	if (SET(AWS_SIGV4, t->f.aws_sigv4) == CURLE_OK)
		return OK;
#endif
	return fail(cx, ERR_FETCH_REFUSED, "this libcurl cannot sign requests");
}

/* The body from fetch_write. curl would have to send it anew behind a redirect, and cannot. */
static void
set_upload(struct fetch_stream *t)
{
	SET(UPLOAD, 1L);
	SET(READFUNCTION, on_upload);
	SET(READDATA, t);
	SET(INFILESIZE_LARGE, (curl_off_t)t->f.length);
	SET(FOLLOWLOCATION, 0L);
	SET(CUSTOMREQUEST, t->f.method ? t->f.method : "POST");
}

static err_t
set_http(struct ctx *cx, struct fetch_stream *t)
{
	const struct fetch *f = &t->f;

	for (int i = 0; i < f->n_headers; i++) {
		const struct fetch_header *h = &f->headers[i];

		if (h->name[0] == '\0' || strpbrk(h->name, ": ") != NULL)
			return fail(cx, ERR_FETCH_REFUSED, "a header's name is malformed");
		TRY(add_line(cx, &t->headers, header_line(cx, h)));
	}
	if (f->aws_sigv4 == NULL)	/* curl would sign it, although it is not sent */
		TRY(add_line(cx, &t->headers, "Expect:"));
	SET(HTTPHEADER, t->headers);
	SET(USERAGENT, "Badal");
	SET(FOLLOWLOCATION, f->redirects > 0 ? 1L : 0L);
	SET(MAXREDIRS, (long)f->redirects);
	if (f->upload) {
		set_upload(t);
	} else if (f->body.p != NULL) {
		SET(POST, 1L);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
		SET(POSTFIELDS, f->body.p);
	}
	if (f->method != NULL && strcmp(f->method, "HEAD") == 0)
		SET(NOBODY, 1L);
	else if (f->method != NULL)
		SET(CUSTOMREQUEST, f->method);
	TRY(set_signature(cx, t));
	return f->method == NULL || clean(f->method) ? OK : fail(cx, ERR_FETCH_REFUSED, "the method is malformed");
}

static err_t
set_mail(struct ctx *cx, struct fetch_stream *t)
{
	static const long tls[] = {[FETCH_TLS_TRY] = CURLUSESSL_TRY, [FETCH_TLS_NEED] = CURLUSESSL_ALL, [FETCH_TLS_OFF] = CURLUSESSL_NONE};
	const struct fetch *f = &t->f;

	SET(USE_SSL, tls[f->tls]);
	if (f->mail_check) {
		SET(NOBODY, 1L);
		SET(CUSTOMREQUEST, "NOOP");
		return OK;
	}
	if (f->mail_from == NULL || f->n_mail_to == 0 || !clean(f->mail_from) || strpbrk(f->mail_from, "<> ") != NULL)
		return fail(cx, ERR_FETCH_REFUSED, "a mail needs a sender and receivers");
	for (int i = 0; i < f->n_mail_to; i++) {
		if (strpbrk(f->mail_to[i], "<> ") != NULL)
			return fail(cx, ERR_FETCH_REFUSED, "a receiver's address is malformed");
		TRY(add_line(cx, &t->rcpt, f->mail_to[i]));
	}
	SET(MAIL_FROM, f->mail_from);
	SET(MAIL_RCPT, t->rcpt);
	SET(UPLOAD, 1L);
	SET(READFUNCTION, on_upload);
	SET(READDATA, t);
	SET(INFILESIZE_LARGE, (curl_off_t)f->body.n);
	return OK;
}

/* To curl a refusal by a mail server is a failure; here it is a reply like that of any server. */
static bool
refused_mail(const struct fetch_stream *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return is_mail(&t->f) && status >= 400 && status < 600;
}

static err_t
verdict(struct ctx *cx, struct fetch_stream *t)
{
	const char *why = t->error[0] ? t->error : curl_easy_strerror(t->result);

	if (t->lost)
		return fail(cx, ERR_FETCH, "stopping");
	switch (t->result) {
	case CURLE_OK:
		return OK;
	case CURLE_OPERATION_TIMEDOUT:
		return fail(cx, ERR_TIMEOUT, "%s", why);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return fail(cx, ERR_FETCH_REFUSED, "%s", why);
	default:
		if (refused_mail(t))
			return OK;
		if (t->too_large)
			return fail(cx, ERR_FETCH, "the response is too large");
		if (t->refused)
			return fail(cx, ERR_FETCH_REFUSED, "private address");
		return fail(cx, ERR_FETCH, "%s", why);
	}
}

static err_t
fetch_judge(struct ctx *cx, struct fetch_stream *t)
{
	err_t e = verdict(cx, t);

	if (e != OK && !t->counted)
		metric_add(M_fetch_errors, 1);
	t->counted = t->counted || e != OK;
	return e;
}

/* Status and address, known with the head. */
static void
note_head(struct fetch_stream *t)
{
	const char *url = NULL;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
	t->reply->status = (int)status;
	t->reply->url = arena_strdup(t->arena, url ? url : t->f.url);
}

static int64_t
curl_date_ms(const char *text)
{
	time_t t = curl_getdate(text, NULL);

	return t == -1 ? 0 : (int64_t)t * 1000;
}

/* The first of the chain is the server's own. */
static void
note_certificate(struct fetch_stream *t)
{
	static const struct { const char *begin; size_t off; } rows[] = {
		{"Subject:", offsetof(struct fetch_certificate, subject)}, {"Issuer:", offsetof(struct fetch_certificate, issuer)},
		{"Signature Algorithm:", offsetof(struct fetch_certificate, signature)},
	};
	struct curl_certinfo *chain = NULL;

	if (!t->f.certificate || curl_easy_getinfo(t->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL || chain->num_of_certs < 1)
		return;
	t->reply->certificate = arena_new_of(t->arena, struct fetch_certificate);
	*t->reply->certificate = (struct fetch_certificate){"", "", "", 0, 0};
	for (const struct curl_slist *l = chain->certinfo[0]; l != NULL; l = l->next) {
		if (strncmp(l->data, "Start date:", 11) == 0)
			t->reply->certificate->from = curl_date_ms(l->data + 11);
		if (strncmp(l->data, "Expire date:", 12) == 0)
			t->reply->certificate->to = curl_date_ms(l->data + 12);
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
			if (strncmp(l->data, rows[i].begin, strlen(rows[i].begin)) == 0)
				*(const char **)(void *)((char *)t->reply->certificate + rows[i].off) = arena_strdup(t->arena, l->data + strlen(rows[i].begin));
	}
}

static err_t
fetch_begin(struct ctx *cx, struct fetch_stream *t)
{
	set_common(t);
	TRY(is_mail(&t->f) ? set_mail(cx, t) : set_http(cx, t));
	if (!fetch_loop_add(t->easy))
		return fail(cx, ERR_FETCH, "curl takes no more");
	t->under_way = true;
	return OK;
}

static err_t
transfer_begin(struct ctx *cx, const struct fetch *f, bool whole, struct fetch_stream **out)
{
	err_t e;

	*out = NULL;
	if (f->url == NULL || strlen(f->url) > URL_MAX || !clean(f->url))
		return fail(cx, ERR_FETCH_REFUSED, "the URL is malformed");
	if (n_transfers >= (unsigned)conf.fetches_max)
		return fail(cx, ERR_BUSY, "too many outgoing requests");
	fetch_loop_start(on_done);
	started = true;
	metric_add(M_fetches, 1);
	*out = transfer_new(cx, f, whole);
	e = fetch_begin(cx, *out);
	if (e == OK)
		return OK;
	fetch_drop(*out);
	*out = NULL;
	metric_add(M_fetch_errors, 1);
	return e;
}

bool
fetch_nowhere(const struct ctx *cx, err_t e)
{
	static const char *const told[] = {"private address", "Could not resolve"};	/* the latter by libcurl */

	for (size_t i = 0; (e == ERR_FETCH || e == ERR_FETCH_REFUSED) && cx->detail != NULL && i < sizeof told / sizeof *told; i++)
		if (str_starts(str_c(cx->detail), told[i]))
			return true;
	return false;
}

/* ---- in pieces ---- */

/* Awaits the next change. Only the time in which we wait counts for progress. */
static err_t
wait_change(struct ctx *cx, struct fetch_stream *t)
{
	uint64_t progress = t->f.progress_ms ? t->f.progress_ms : PROGRESS, still = loop_now() - t->moved;
	err_t e;

	fib_event_reset(&t->change);
	if (t->whole)
		return fib_await(cx, &t->change);
	if (still >= progress)
		return fail(cx, ERR_TIMEOUT, "nothing moved for %llu ms", (unsigned long long)still);
	e = fib_await_for(cx, &t->change, progress - still);
	if (e != ERR_TIMEOUT || (cx->deadline != 0 && loop_now() >= cx->deadline))
		return e;
	return OK;	/* the caller looks again, and so do we */
}

/* Whoever leaves a stream in the middle, leaves it for good. */
static err_t
wait_or_give_up(struct ctx *cx, struct fetch_stream *t)
{
	err_t e = wait_change(cx, t);

	if (e != OK && !t->ended) {
		t->counted = true;
		metric_add(M_fetch_errors, 1);
		fetch_give_up(t);
	}
	return e;
}

static void
close_deferred(void *arg)
{
	struct fetch_stream *t = arg;	/* its memory is the context's */

	if (t->magic == FETCH_MAGIC)
		fetch_drop(t);
}

err_t
fetch_open(struct ctx *cx, const struct fetch *f, struct fetch_stream **out)
{
	TRY(transfer_begin(cx, f, false, out));
	defer(cx, close_deferred, *out);
	return OK;
}

void
fetch_close(struct fetch_stream **sp)
{
	if (*sp != NULL)
		fetch_drop(fetch_stream_of(*sp));
	*sp = NULL;
}

err_t
fetch_write(struct ctx *cx, struct fetch_stream *t, struct str piece)
{
	err_t e = OK;

	assert(fetch_stream_of(t)->f.upload && !t->out_ended && t->out.n == 0);
	t->given += piece.n;
	if (t->f.length >= 0 && t->given > (uint64_t)t->f.length) {
		fetch_give_up(t);
		return fail(cx, ERR_FETCH, "the body is longer than announced");
	}
	t->out = piece;
	t->moved = loop_now();
	if (t->hungry)
		fetch_go_on(t);
	while (e == OK && t->out.n > 0 && !t->ended)
		e = wait_or_give_up(cx, t);
	t->out = STR_NONE;
	return e == OK && t->ended ? fetch_judge(cx, t) : e;
}

err_t
fetch_end(struct ctx *cx, struct fetch_stream *t)
{
	assert(fetch_stream_of(t)->f.upload && !t->out_ended);
	t->out_ended = true;
	if (t->f.length >= 0 && t->given < (uint64_t)t->f.length && !t->ended) {
		fetch_give_up(t);
		return fail(cx, ERR_FETCH, "the body is shorter than announced");
	}
	if (t->hungry)
		fetch_go_on(t);
	return OK;
}

err_t
fetch_head(struct ctx *cx, struct fetch_stream *t, struct fetch_reply **out)
{
	*out = NULL;
	fetch_stream_of(t)->moved = loop_now();
	while (!t->head && !t->ended)
		TRY(wait_or_give_up(cx, t));
	if (!t->head)
		TRY(fetch_judge(cx, t));
	note_head(t);
	*out = t->reply;
	return OK;
}

err_t
fetch_read(struct ctx *cx, struct fetch_stream *t, struct str *piece_out)
{
	*piece_out = STR_NONE;
	fetch_stream_of(t)->moved = loop_now();
	while (t->in.n == 0 && !t->ended)
		TRY(wait_or_give_up(cx, t));
	if (t->in.n == 0)
		return fetch_judge(cx, t);
	*piece_out = pieces_take(&t->in);
	if (t->full)
		fetch_go_on(t);
	return OK;
}

/* ---- at once ---- */

static err_t
read_whole(struct ctx *cx, struct fetch_stream *t)
{
	struct str piece;
	struct buf body;

	buf_init(&body, cx->arena, 0);
	do {
		TRY(fetch_read(cx, t, &piece));
		buf_str(&body, piece);
	} while (piece.n > 0);
	note_head(t);
	t->reply->body = buf_view(&body);
	return OK;
}

err_t
fetch(struct ctx *cx, const struct fetch *f, struct fetch_reply **out)
{
	struct fetch_stream *t;
	err_t e;

	*out = NULL;
	assert(!f->upload);
	if (f->unix_path != NULL)
		return fetch_local(cx, f, out);
	TRY(transfer_begin(cx, f, true, &t));
	e = read_whole(cx, t);
	note_certificate(t);
	if (e == ERR_FETCH && t->reply->certificate != NULL)
		e = OK;
	if (e == OK)
		*out = t->reply;
	fetch_drop(t);
	return e;
}

const char *
fetch_header(const struct fetch_reply *r, const char *lower_name)
{
	for (int i = 0; i < r->n_headers; i++)
		if (strcmp(r->headers[i].name, lower_name) == 0)
			return r->headers[i].value;
	return NULL;
}

void
fetch_fini(void)
{
	fetch_local_fini();
	if (!started)
		return;
	for (struct fetch_stream *t = transfers; t != NULL; t = t->next) {
		if (t->ended)
			continue;
		t->lost = true;
		fetch_give_up(t);
		fib_signal(&t->change);
	}
	fetch_loop_stop();
	started = false;
}
