/* Outgoing requests: libcurl's multi interface on the loop.
 *
 * A transfer belongs to its fiber's wait: whoever leaves early takes it off the multi handle before its memory goes. Private addresses
 * are refused where the socket is made, so what was checked is what is connected to. Connections made with private_ok are not kept:
 * another request could get one without having been allowed to. */
#include "fetch_priv.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <uv.h>

#include "core/loop.h"
#include "core/metric.h"

enum {
	FETCH_MAGIC = 0x66657463,
	AT_ONCE = 256,			/* requests under way */
	TIMEOUT = 15000, CONNECT_TIMEOUT = 5000, BYTES = 1 << 20,	/* defaults */
	HEADERS_MAX = 100, HEADER_BYTES = 32768,
	URL_MAX = 8192
};

struct transfer {
	unsigned magic;
	struct ctx *cx;
	const struct fetch *f;
	struct fetch_reply *reply;
	CURL *easy;
	struct curl_slist *headers, *rcpt;
	struct fib_event done;
	CURLcode result;
	struct buf body;
	size_t max, header_bytes, sent;
	bool too_large, refused, lost;
	char error[CURL_ERROR_SIZE];
	struct transfer *prev, *next;
};

struct watch {			/* a socket of curl */
	uv_poll_t uv;
	curl_socket_t fd;
};

static CURLM *multi;
static uv_timer_t *timer;
static struct transfer *transfers;
static unsigned n_transfers;

/* ---- curl and the loop ---- */

static void
collect(void)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(multi, &left)) != NULL) {
		struct transfer *t = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		assert(t != NULL && t->magic == FETCH_MAGIC);
		t->result = m->data.result;
		curl_multi_remove_handle(multi, t->easy);
		fib_signal(&t->done);
	}
}

static void
on_timer(uv_timer_t *h)
{
	int running;

	(void)h;
	curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect();
}

static int
set_timer(CURLM *m, long ms, void *arg)
{
	(void)m;
	(void)arg;
	if (timer == NULL)
		return 0;
	if (ms < 0)
		uv_timer_stop(timer);
	else	/* never at once: curl must not be called from within its own callback */
		uv_timer_start(timer, on_timer, ms > 0 ? (uint64_t)ms : 1, 0);
	return 0;
}

static void
on_socket(uv_poll_t *h, int status, int events)
{
	struct watch *w = h->data;
	int flags = 0, running;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(multi, w->fd, flags, &running);
	collect();
}

static void
watch_closed(uv_handle_t *h)
{
	free(h->data);
}

static int
set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct watch *w = sock;
	int events = (what != CURL_POLL_OUT ? UV_READABLE : 0) | (what != CURL_POLL_IN ? UV_WRITABLE : 0);

	(void)easy;
	(void)arg;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			uv_close((uv_handle_t *)&w->uv, watch_closed);
		curl_multi_assign(multi, fd, NULL);
		return 0;
	}
	if (w == NULL) {
		w = mem_zalloc(sizeof *w);
		w->fd = fd;
		w->uv.data = w;
		if (uv_poll_init_socket(loop_uv(), &w->uv, fd) != 0) {
			free(w);
			return -1;
		}
		curl_multi_assign(multi, fd, w);
	}
	uv_poll_start(&w->uv, events, on_socket);
	return 0;
}

static void
start(void)
{
	if (multi != NULL)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (multi = curl_multi_init()) == NULL)
		mem_fatal(0);
	timer = mem_zalloc(sizeof *timer);
	uv_timer_init(loop_uv(), timer);
	uv_unref((uv_handle_t *)timer);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 32L);
}

/* ---- what a transfer takes and gives ---- */

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	n *= size;
	if (n > t->max - t->body.n) {
		t->too_large = true;
		return 0;
	}
	buf_add(&t->body, p, n);
	return n;
}

static void
add_header(struct transfer *t, struct str line)
{
	struct arena *a = t->cx->arena;
	struct str name = str_cut(&line, ':');

	if (line.p == NULL || t->reply->n_headers == HEADERS_MAX)
		return;
	t->reply->headers[t->reply->n_headers++] = (struct fetch_header){str_dup(a, str_lower(a, str_trim(name))), str_dup(a, str_trim(line))};
}

/* Each response of a chain of redirects begins with its status line: only the last one's headers stay. */
static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
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
	} else {
		add_header(t, line);
	}
	return n;
}

static size_t
on_upload(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t left = t->f->body.n - t->sent;

	n *= size;
	if (n > left)
		n = left;
	if (n > 0)	/* no body may be NULL, which nothing may be added to */
		memcpy(p, t->f->body.p + t->sent, n);
	t->sent += n;
	return n;
}

static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer *t = arg;

	(void)purpose;
	if (!t->f->private_ok && sockaddr_private(&a->addr)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- a transfer's life ---- */

static void
drop(struct transfer *t)
{
	assert(t->magic == FETCH_MAGIC);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->rcpt);
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		transfers = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	n_transfers--;
	t->magic = 0;
}

static struct transfer *
transfer_new(struct ctx *cx, const struct fetch *f)
{
	struct transfer *t = arena_new_of(cx->arena, struct transfer);

	t->magic = FETCH_MAGIC;
	t->cx = cx;
	t->f = f;
	t->max = f->max_bytes ? f->max_bytes : BYTES;
	t->reply = arena_new_of(cx->arena, struct fetch_reply);
	t->reply->headers = arena_array(cx->arena, struct fetch_header, HEADERS_MAX);
	buf_init(&t->body, cx->arena, 0);
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		mem_fatal(0);
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
set_protocols(struct transfer *t, bool mail)
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
set_common(struct transfer *t)
{
	const struct fetch *f = t->f;

	set_protocols(t, is_mail(f));
	SET(URL, f->url);
	SET(PRIVATE, t);
	SET(NOSIGNAL, 1L);
	SET(PROXY, "");
	SET(ERRORBUFFER, t->error);
	SET(TIMEOUT_MS, (long)(f->timeout_ms ? f->timeout_ms : TIMEOUT));
	SET(CONNECTTIMEOUT_MS, (long)(f->connect_ms ? f->connect_ms : CONNECT_TIMEOUT));
	SET(OPENSOCKETFUNCTION, open_socket);
	SET(OPENSOCKETDATA, t);
	SET(FORBID_REUSE, f->private_ok ? 1L : 0L);
	SET(SSL_VERIFYPEER, f->insecure ? 0L : 1L);
	SET(SSL_VERIFYHOST, f->insecure ? 0L : 2L);
	if (f->ca_file != NULL && f->ca_file[0] != '\0')
		SET(CAINFO, f->ca_file);
	SET(WRITEFUNCTION, on_body);
	SET(WRITEDATA, t);
	SET(HEADERFUNCTION, on_header);
	SET(HEADERDATA, t);
	if (f->user != NULL) {
		SET(USERNAME, f->user);
		SET(PASSWORD, f->password ? f->password : "");
	}
}

static err_t
set_http(struct ctx *cx, struct transfer *t)
{
	const struct fetch *f = t->f;

	for (int i = 0; i < f->n_headers; i++) {
		const struct fetch_header *h = &f->headers[i];

		if (h->name[0] == '\0' || strpbrk(h->name, ": ") != NULL)
			return fail(cx, ERR_FETCH_REFUSED, "a header's name is malformed");
		/* curl sends "name;" as a header without value */
		TRY(add_line(cx, &t->headers, arena_printf(cx->arena, h->value[0] ? "%s: %s" : "%s;", h->name, h->value)));
	}
	TRY(add_line(cx, &t->headers, "Expect:"));
	SET(HTTPHEADER, t->headers);
	SET(USERAGENT, "Badal");
	SET(FOLLOWLOCATION, f->redirects > 0 ? 1L : 0L);
	SET(MAXREDIRS, (long)f->redirects);
	if (f->body.p != NULL) {
		SET(POST, 1L);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
		SET(POSTFIELDS, f->body.p);
	}
	if (f->method != NULL && strcmp(f->method, "HEAD") == 0)
		SET(NOBODY, 1L);
	else if (f->method != NULL)
		SET(CUSTOMREQUEST, f->method);
	return f->method == NULL || clean(f->method) ? OK : fail(cx, ERR_FETCH_REFUSED, "the method is malformed");
}

static err_t
set_mail(struct ctx *cx, struct transfer *t)
{
	static const long tls[] = {[FETCH_TLS_TRY] = CURLUSESSL_TRY, [FETCH_TLS_NEED] = CURLUSESSL_ALL, [FETCH_TLS_OFF] = CURLUSESSL_NONE};
	const struct fetch *f = t->f;

	if (f->mail_from == NULL || f->n_mail_to == 0 || !clean(f->mail_from) || strpbrk(f->mail_from, "<> ") != NULL)
		return fail(cx, ERR_FETCH_REFUSED, "a mail needs a sender and receivers");
	for (int i = 0; i < f->n_mail_to; i++) {
		if (strpbrk(f->mail_to[i], "<> ") != NULL)
			return fail(cx, ERR_FETCH_REFUSED, "a receiver's address is malformed");
		TRY(add_line(cx, &t->rcpt, f->mail_to[i]));
	}
	SET(MAIL_FROM, f->mail_from);
	SET(MAIL_RCPT, t->rcpt);
	SET(USE_SSL, tls[f->tls]);
	SET(UPLOAD, 1L);
	SET(READFUNCTION, on_upload);
	SET(READDATA, t);
	SET(INFILESIZE_LARGE, (curl_off_t)f->body.n);
	return OK;
}

/* To curl a refusal by a mail server is a failure; here it is a reply like that of any server. */
static bool
refused_mail(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return is_mail(t->f) && status >= 400 && status < 600;
}

static err_t
judge(struct ctx *cx, struct transfer *t)
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

static void
finish(struct ctx *cx, struct transfer *t)
{
	const char *url = NULL;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
	t->reply->status = (int)status;
	t->reply->url = arena_strdup(cx->arena, url ? url : t->f->url);
	t->reply->body = buf_view(&t->body);
}

static err_t
perform(struct ctx *cx, struct transfer *t)
{
	err_t e;

	set_common(t);
	TRY(is_mail(t->f) ? set_mail(cx, t) : set_http(cx, t));
	if (curl_multi_add_handle(multi, t->easy) != CURLM_OK)
		return fail(cx, ERR_FETCH, "curl takes no more");
	e = fib_await(cx, &t->done);
	if (!t->done.set) {
		curl_multi_remove_handle(multi, t->easy);
		return e;
	}
	TRY(judge(cx, t));
	finish(cx, t);
	return OK;
}

err_t
fetch(struct ctx *cx, const struct fetch *f, struct fetch_reply **out)
{
	struct transfer *t;
	err_t e;

	*out = NULL;
	if (f->url == NULL || strlen(f->url) > URL_MAX || !clean(f->url))
		return fail(cx, ERR_FETCH_REFUSED, "the URL is malformed");
	if (n_transfers >= AT_ONCE)
		return fail(cx, ERR_BUSY, "too many outgoing requests");
	start();
	metric_add(M_fetches, 1);
	t = transfer_new(cx, f);
	e = perform(cx, t);
	if (e == OK)
		*out = t->reply;
	else
		metric_add(M_fetch_errors, 1);
	drop(t);
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

static void
timer_closed(uv_handle_t *h)
{
	free(h);
}

void
fetch_fini(void)
{
	if (multi == NULL)
		return;
	for (struct transfer *t = transfers; t != NULL; t = t->next) {
		if (t->done.set)
			continue;
		curl_multi_remove_handle(multi, t->easy);
		t->lost = true;
		fib_signal(&t->done);
	}
	curl_multi_cleanup(multi);
	multi = NULL;
	uv_close((uv_handle_t *)timer, timer_closed);
	timer = NULL;
}
