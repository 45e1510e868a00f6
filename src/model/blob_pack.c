/* Compression of blobs: gzip by zlib, zstd by libzstd, in pieces of any size. Windows are small, so that a blob in flight takes some hundred KiB. */
#include <assert.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "blob_priv.h"

enum { PACK_MAGIC = 0x7061636b, GZIP = 15 + 16, GZIP_LEVEL = 6, GZIP_MEMORY = 8, ZSTD_LEVEL = 3, ZSTD_WINDOW = 17 };

struct blob_pack {
	unsigned magic;
	bool unpack;
	z_stream z;
	ZSTD_CCtx *zc;		/* NULL: gzip */
	ZSTD_DCtx *zd;
};

static struct blob_pack *
pack_new(bool unpack)
{
	struct blob_pack *p = mem_zalloc(sizeof *p);

	p->magic = PACK_MAGIC;
	p->unpack = unpack;
	return p;
}

struct blob_pack *
blob_pack_new(enum blob_coding coding)
{
	struct blob_pack *p = pack_new(false);

	assert(coding == BLOB_GZIP || coding == BLOB_ZSTD);
	if (coding == BLOB_GZIP) {
		if (deflateInit2(&p->z, GZIP_LEVEL, Z_DEFLATED, GZIP, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
			mem_fatal(0);
		return p;
	}
	if ((p->zc = ZSTD_createCCtx()) == NULL)
		mem_fatal(0);
	ZSTD_CCtx_setParameter(p->zc, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(p->zc, ZSTD_c_windowLog, ZSTD_WINDOW);
	ZSTD_CCtx_setParameter(p->zc, ZSTD_c_hashLog, ZSTD_WINDOW - 1);	/* tables for such a window */
	ZSTD_CCtx_setParameter(p->zc, ZSTD_c_chainLog, ZSTD_WINDOW - 2);
	ZSTD_CCtx_setParameter(p->zc, ZSTD_c_checksumFlag, 1);
	return p;
}

struct blob_pack *
blob_unpack_new(enum blob_coding coding)
{
	struct blob_pack *p = pack_new(true);

	assert(coding == BLOB_GZIP || coding == BLOB_ZSTD);
	if (coding == BLOB_GZIP) {
		if (inflateInit2(&p->z, GZIP) != Z_OK)
			mem_fatal(0);
		return p;
	}
	if ((p->zd = ZSTD_createDCtx()) == NULL)
		mem_fatal(0);
	ZSTD_DCtx_setParameter(p->zd, ZSTD_d_windowLogMax, ZSTD_WINDOW);
	return p;
}

void
blob_pack_free(struct blob_pack **pp)
{
	struct blob_pack *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	assert(p->magic == PACK_MAGIC);
	if (p->zc == NULL && p->zd == NULL)
		(void)(p->unpack ? inflateEnd(&p->z) : deflateEnd(&p->z));	/* tells only that it was stopped in the middle */
	ZSTD_freeCCtx(p->zc);
	ZSTD_freeDCtx(p->zd);
	p->magic = 0;
	free(p);
}

/* Hands zlib what there is; *end_out: what it said. */
static int
gzip_step(struct blob_pack *p, int flush, struct str *in, char *out, size_t room, size_t *n)
{
	int r;

	p->z.next_in = (Bytef *)(uintptr_t)in->p;
	p->z.avail_in = (uInt)in->n;
	p->z.next_out = (Bytef *)out + *n;
	p->z.avail_out = (uInt)(room - *n);
	r = p->unpack ? inflate(&p->z, flush) : deflate(&p->z, flush);
	in->p += in->n - p->z.avail_in;
	in->n = p->z.avail_in;
	*n = room - p->z.avail_out;
	return r;
}

static enum pack_result
gzip_pack(struct blob_pack *p, enum pack_mode mode, struct str *in, char *out, size_t room, size_t *n)
{
	static const int flush[] = {[PACK_GO_ON] = Z_NO_FLUSH, [PACK_FLUSH] = Z_SYNC_FLUSH, [PACK_END] = Z_FINISH};
	int r = gzip_step(p, flush[mode], in, out, room, n);

	if (r == Z_STREAM_ERROR)
		return PACK_BAD;
	if (mode == PACK_END)
		return r == Z_STREAM_END ? PACK_DONE : PACK_MORE;
	return in->n == 0 && *n < room ? PACK_DONE : PACK_MORE;
}

static enum pack_result
zstd_pack(struct blob_pack *p, enum pack_mode mode, struct str *in, char *out, size_t room, size_t *n)
{
	static const ZSTD_EndDirective end[] = {[PACK_GO_ON] = ZSTD_e_continue, [PACK_FLUSH] = ZSTD_e_flush, [PACK_END] = ZSTD_e_end};
	ZSTD_inBuffer i = {in->p, in->n, 0};
	ZSTD_outBuffer o = {out, room, *n};
	size_t left = ZSTD_compressStream2(p->zc, &o, &i, end[mode]);

	if (ZSTD_isError(left))
		return PACK_BAD;
	in->p += i.pos;
	in->n -= i.pos;
	*n = o.pos;
	return in->n == 0 && (mode == PACK_GO_ON || left == 0) ? PACK_DONE : PACK_MORE;
}

enum pack_result
blob_pack_run(struct blob_pack *p, enum pack_mode mode, struct str *in, char *out, size_t room, size_t *n)
{
	assert(p->magic == PACK_MAGIC && !p->unpack && *n <= room);
	return p->zc != NULL ? zstd_pack(p, mode, in, out, room, n) : gzip_pack(p, mode, in, out, room, n);
}

static enum pack_result
zstd_unpack(struct blob_pack *p, struct str *in, char *out, size_t room, size_t *n)
{
	ZSTD_inBuffer i = {in->p, in->n, 0};
	ZSTD_outBuffer o = {out, room, *n};
	size_t left = ZSTD_decompressStream(p->zd, &o, &i);

	if (ZSTD_isError(left))
		return PACK_BAD;
	in->p += i.pos;
	in->n -= i.pos;
	*n = o.pos;
	return left == 0 ? PACK_DONE : PACK_MORE;
}

enum pack_result
blob_unpack_run(struct blob_pack *p, struct str *in, char *out, size_t room, size_t *n)
{
	int r;

	assert(p->magic == PACK_MAGIC && p->unpack && *n <= room);
	if (p->zd != NULL)
		return zstd_unpack(p, in, out, room, n);
	r = gzip_step(p, Z_NO_FLUSH, in, out, room, n);
	if (r == Z_STREAM_END)
		return PACK_DONE;
	return r == Z_OK || r == Z_BUF_ERROR ? PACK_MORE : PACK_BAD;
}
