/* TLS between the socket and HTTP: OpenSSL on memory buffers, so that it never touches the socket itself.
 *
 * Client-initiated renegotiation is off, TLS 1.2 is the least, with forward secrecy and authenticated ciphers only, ALPN prefers h2. Buffers are given back while a connection idles. */
#include "http_priv.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "core/log.h"

enum { RECORD = 16 * 1024, RECORD_HANDSHAKE = 22, KEY_UPDATES = 20 };	/* KEY_UPDATES: a second, five seconds' worth at once */

struct tls {
	SSL *ssl;
	BIO *in, *out;		/* owned by ssl */
	struct allowance updates;
	bool flooded;
};

static SSL_CTX *ctx;

static int
choose_protocol(SSL *s, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned n_in, void *arg)
{
	static const unsigned char offer[] = "\x02h2\x08http/1.1";
	unsigned char *pick;

	(void)s;
	(void)arg;
	if (SSL_select_next_proto(&pick, n, offer, sizeof offer - 1, in, n_in) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = pick;
	return SSL_TLSEXT_ERR_OK;
}

bool
tls_setup(const char *cert, const char *key)
{
	ctx = SSL_CTX_new(TLS_server_method());
	if (ctx == NULL)
		return false;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	if (SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)	/* of 1.2; those of 1.3 are all such */
		return false;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"badal", 5);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) == 1 && SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1)
		return true;
	log_error(NULL, "cannot use the TLS certificate", "cert=%s key=%s error=\"%s\"", cert, key,
	    ERR_reason_error_string(ERR_peek_last_error()));
	ERR_clear_error();
	tls_fini();
	return false;
}

void
tls_fini(void)
{
	SSL_CTX_free(ctx);
	ctx = NULL;
}

/* New keys, of which a client may ask for as many as it likes: 27 bytes cost it nothing and us some derivations. OpenSSL goes from one to the next by itself, so
 * what else has come is taken from it. */
static void
tls_on_message(int write, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
	struct tls *t = arg;

	(void)version;
	(void)ssl;
	if (write || type != SSL3_RT_HANDSHAKE || n == 0 || *(const unsigned char *)p != SSL3_MT_KEY_UPDATE)
		return;
	if (allowance_spend(&t->updates, KEY_UPDATES, 1000))
		return;
	t->flooded = true;
	(void)BIO_reset(t->in);
}

struct tls *
tls_new(void)
{
	struct tls *t = mem_zalloc(sizeof *t);

	t->ssl = SSL_new(ctx);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (t->ssl == NULL || t->in == NULL || t->out == NULL)
		mem_fatal(RECORD);
	BIO_set_mem_eof_return(t->in, -1);
	SSL_set_bio(t->ssl, t->in, t->out);
	SSL_set_accept_state(t->ssl);
	allowance_begin(&t->updates, KEY_UPDATES, NULL);
	SSL_set_msg_callback(t->ssl, tls_on_message);
	SSL_set_msg_callback_arg(t->ssl, t);
	return t;
}

void
tls_free(struct tls **tp)
{
	struct tls *t = *tp;

	*tp = NULL;
	SSL_free(t->ssl);
	free(t);
}

bool
tls_is_h2(const struct conn *c)
{
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(c->tls->ssl, &name, &n);
	return n == 2 && memcmp(name, "h2", 2) == 0;
}

/* What OpenSSL has for the peer goes to the socket. */
static void
http_tls_flush(struct conn *c)
{
	char *p;
	long n = BIO_get_mem_data(c->tls->out, &p);

	if (n > 0) {
		conn_send(c, p, (size_t)n);
		(void)BIO_reset(c->tls->out);	/* a memory buffer cannot fail to be emptied */
	}
}

void
tls_input(struct conn *c, const char *p, size_t n)
{
	static char plain[RECORD];
	struct tls *t = c->tls;
	int got, why;

	if (BIO_write(t->in, p, (int)n) != (int)n) {
		conn_doom(c);
		return;
	}
	for (;;) {
		ERR_clear_error();
		got = SSL_read(t->ssl, plain, sizeof plain);
		if (got <= 0)
			break;
		conn_input(c, plain, (size_t)got);
		if (c->list == LIST_DOOMED)
			return;
	}
	if (t->flooded) {
		conn_flooded(c, "too many TLS key updates");
		conn_doom(c);
		ERR_clear_error();
		return;
	}
	why = SSL_get_error(t->ssl, got);
	http_tls_flush(c);
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE && !SSL_is_init_finished(t->ssl))
		metric_add(M_tls_failed, 1);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return;
	ERR_clear_error();
	/* close_notify, or an error whose alert has just been sent. */
	if (why == SSL_ERROR_ZERO_RETURN && c->list != LIST_BUSY)
		conn_finish(c);
	else if (why != SSL_ERROR_ZERO_RETURN)
		conn_doom(c);
}

void
tls_write(struct conn *c, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		int done;

		ERR_clear_error();
		done = SSL_write(c->tls->ssl, at, n > RECORD ? RECORD : (int)n);
		if (done <= 0) {	/* a memory buffer is never full: this is a broken session */
			ERR_clear_error();
			conn_doom(c);
			return;
		}
		at += done;
		n -= (size_t)done;
	}
	http_tls_flush(c);
}

bool
tls_looks(unsigned char first)
{
	return first == RECORD_HANDSHAKE;
}

void
tls_bye(struct conn *c)
{
	SSL *s = c->tls->ssl;

	if (!SSL_is_init_finished(s) || (SSL_get_shutdown(s) & SSL_SENT_SHUTDOWN) != 0)
		return;
	ERR_clear_error();
	(void)SSL_shutdown(s);	/* the peer's answer is not waited for */
	ERR_clear_error();
	http_tls_flush(c);
}
