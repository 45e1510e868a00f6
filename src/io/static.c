/* Files of a directory over HTTP.
 *
 * A path is decoded once and must then be plain: no empty, "." or hidden segment, no byte that means something to a file system. The
 * kernel resolves it beneath the directory (openat2), so neither ".." nor a link leads out, whatever changes meanwhile. Files are opened by a
 * thread: a cold path walk waits for the disk. */
#include "config.h"

#include "io/static.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "core/offload.h"
#include "io/range.h"

enum { PATH_BYTES = 1024, HEADERS_MAX = 24, OWN_HEADERS = 8 };

static const struct coding {
	const char *name, *suffix;
} codings[] = {{"br", ".br"}, {"gzip", ".gz"}};
enum { CODINGS = sizeof codings / sizeof codings[0] };

static const char *const types[][2] = {
	{"html", "text/html; charset=UTF-8"}, {"css", "text/css; charset=UTF-8"}, {"js", "text/javascript; charset=UTF-8"},
	{"mjs", "text/javascript; charset=UTF-8"}, {"json", "application/json; charset=UTF-8"}, {"map", "application/json; charset=UTF-8"},
	{"webmanifest", "application/manifest+json"}, {"svg", "image/svg+xml"}, {"png", "image/png"}, {"jpg", "image/jpeg"},
	{"jpeg", "image/jpeg"}, {"gif", "image/gif"}, {"webp", "image/webp"}, {"avif", "image/avif"}, {"ico", "image/x-icon"},
	{"woff", "font/woff"}, {"woff2", "font/woff2"}, {"ttf", "font/ttf"}, {"wasm", "application/wasm"},
	{"txt", "text/plain; charset=UTF-8"}, {"md", "text/markdown; charset=UTF-8"}, {"xml", "application/xml"}, {"pdf", "application/pdf"},
};

/* ---- the path ---- */

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Decodes; false when an escape is malformed or hides a byte that would mean something else afterwards. */
static bool
decode(struct str in, char *out, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int c = (unsigned char)in.p[i], high, low;

		if (c == '%') {
			high = i + 2 < in.n ? hex(in.p[i + 1]) : -1;
			low = i + 2 < in.n ? hex(in.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
			if (c == '/')
				return false;
		}
		if (c < 32 || c == 127 || c == '\\' || n + sizeof "index.html" + sizeof ".br" >= room)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

/* "a/b.css" of what was asked for. Hidden files are nobody's business, but for /.well-known. */
static bool
path_of(struct str rest, char out[PATH_BYTES])
{
	struct str left, part;

	if (!decode(rest, out, PATH_BYTES))
		return false;
	if (out[0] == '\0' || out[strlen(out) - 1] == '/')
		strcat(out, "index.html");
	left = str_c(out);
	while (left.p != NULL) {
		part = str_cut(&left, '/');
		if (part.n == 0 || (part.p[0] == '.' && !str_is(part, ".well-known")))
			return false;
	}
	return true;
}

/* ---- opening ---- */

struct opening {		/* by a thread */
	const char *dir;
	const char *path;
	bool takes[CODINGS];	/* what the client takes */
	int fd;			/* -1: none */
	int coding;		/* index, -1: as it is */
	bool varies;		/* a neighbour is there */
	struct stat st;
};

static int
open_beneath(int dir, const char *path, struct stat *st)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	static atomic_bool said;
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);

	if (fd < 0) {
		if ((errno == ENOSYS || errno == EPERM) && !atomic_exchange(&said, true))
			log_error(NULL, "files cannot be opened", "call=openat2 error=\"%s\" advice=\"Linux 5.6 or newer, and no sandbox that refuses it\"", strerror(errno));
		return -1;
	}
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	return -1;
}

static void
open_file(void *arg)
{
	struct opening *o = arg;
	int dir = open(o->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char neighbour[PATH_BYTES + 8];
	struct stat st;

	o->fd = o->coding = -1;
	if (dir < 0)
		return;
	o->fd = open_beneath(dir, o->path, &o->st);
	for (int i = 0; i < CODINGS && o->fd >= 0; i++) {
		int fd;

		snprintf(neighbour, sizeof neighbour, "%s%s", o->path, codings[i].suffix);
		fd = open_beneath(dir, neighbour, &st);
		if (fd < 0)
			continue;
		o->varies = true;
		if (!o->takes[i] || o->coding >= 0 || st.st_mtime < o->st.st_mtime) {	/* one that is older than the file is of another */
			close(fd);
			continue;
		}
		close(o->fd);
		o->fd = fd;
		o->coding = i;
		o->st.st_size = st.st_size;
	}
	close(dir);
}

/* ---- what the client takes ---- */

/* Whether Accept-Encoding names the coding, and not with q=0. */
static bool
accepts(struct str list, const char *name)
{
	while (list.p != NULL) {
		struct str item = str_cut(&list, ','), coding = str_trim(str_cut(&item, ';')), q = str_trim(item);

		if (!str_ieq(coding, str_c(name)))
			continue;
		if (q.n < 3 || (q.p[0] | 32) != 'q' || q.p[1] != '=')
			return true;
		for (size_t i = 2; i < q.n; i++)
			if (q.p[i] >= '1' && q.p[i] <= '9')
				return true;
		return false;
	}
	return false;
}

/* ---- the answer ---- */

struct answer {
	struct arena *mem;
	struct http_header h[HEADERS_MAX];
	int n;
};

static void
static_add(struct answer *a, const char *name, const char *value)
{
	assert(a->n < HEADERS_MAX);
	a->h[a->n++] = (struct http_header){name, value};
}

static const char *
static_type_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
		if (strcasecmp(dot + 1, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

static void
close_fd(void *arg)
{
	close((int)(intptr_t)arg);
}

static err_t
reply_file(struct ctx *cx, struct http_msg *m, struct answer *a, const struct opening *o, struct static_sent *sent)
{
	int64_t size = o->st.st_size, first = 0, last = size - 1;
	enum range r = range_parse(m->hdr[HDR_RANGE], size, &first, &last);
	bool part = r == RANGE_ONE || r == RANGE_SUFFIX;

	if (r == RANGE_PAST) {
		static_add(a, "Content-Range", arena_printf(a->mem, "bytes */%lld", (long long)size));
		*sent = (struct static_sent){416, 0};
		http_reply(m, 416, a->h, a->n, STR_NONE);
		return OK;
	}
	if (part)
		static_add(a, "Content-Range", arena_printf(a->mem, "bytes %lld-%lld/%lld", (long long)first, (long long)last, (long long)size));
	else {	/* what is malformed, or several, is as if it were not there */
		first = 0;
		last = size - 1;
	}
	*sent = (struct static_sent){part ? 206 : 200, (uint64_t)(last - first + 1)};
	return http_send_file(cx, m, sent->status, a->h, a->n, o->fd, (uint64_t)first, sent->bytes);
}

err_t
static_serve(struct ctx *cx, struct http_msg *m, const struct static_dir *dir, struct str rest, const struct http_header *h, int nh,
    struct static_sent *sent_out)
{
	char *path = arena_alloc(cx->arena, PATH_BYTES);
	struct opening *o = arena_new_of(cx->arena, struct opening);
	struct answer *a = arena_new_of(cx->arena, struct answer);
	struct static_sent sent = {0};
	const char *tag;
	err_t e;

	if (!path_of(rest, path))
		return fail(cx, ERR_GENERAL_ROUTE_NOT_FOUND, "no path of a file");
	o->dir = dir->path;
	o->path = path;
	o->fd = -1;
	for (int i = 0; i < CODINGS; i++)
		o->takes[i] = accepts(m->hdr[HDR_ACCEPT_ENCODING], codings[i].name);
	e = offload(cx, LANE_file, open_file, o);
	if (o->fd >= 0)
		defer(cx, close_fd, (void *)(intptr_t)o->fd);
	TRY(e);
	if (o->fd < 0)
		return fail(cx, ERR_GENERAL_ROUTE_NOT_FOUND, "file=%s", path);
	a->mem = cx->arena;
	for (int i = 0; i < nh && i < HEADERS_MAX - OWN_HEADERS; i++)
		static_add(a, h[i].name, h[i].value);
	tag = arena_printf(cx->arena, "\"%llx-%lx-%llx%s\"", (unsigned long long)o->st.st_mtim.tv_sec, (unsigned long)o->st.st_mtim.tv_nsec,
	    (unsigned long long)o->st.st_size, o->coding >= 0 ? codings[o->coding].suffix : "");
	static_add(a, "ETag", tag);
	static_add(a, "Cache-Control", dir->immutable != NULL && str_starts(str_c(path), dir->immutable) ? "public, max-age=31536000, immutable" : "no-cache");
	if (o->varies)
		static_add(a, "Vary", "Accept-Encoding");
	if (str_etag_listed(m->hdr[HDR_IF_NONE_MATCH], tag)) {
		sent.status = 304;
		http_reply(m, 304, a->h, a->n, STR_NONE);
	} else {
		static_add(a, "Content-Type", static_type_of(path));
		static_add(a, "Accept-Ranges", "bytes");
		static_add(a, "X-Content-Type-Options", "nosniff");
		if (o->coding >= 0)
			static_add(a, "Content-Encoding", codings[o->coding].name);
		e = reply_file(cx, m, a, o, &sent);
	}
	if (sent_out != NULL)
		*sent_out = sent;
	return e;
}
