/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls.c: see tls.h. With OpenSSL, between two memory BIOs. */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/reason.h"
#include "tls.h"

struct tls {
	SSL *ssl;
	BIO *in; /* both belong to ssl */
	BIO *out;
};

static int refuse(char *why, int error, const char *what)
{
	const char *said = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return reason_set(why, error, "TLS: %s: %s", what, said != NULL ? said : "no reason given");
}

int tls_settings_make(const char *authorities, const char *certificate, const char *key,
		      struct tls_settings **ret_settings, char *why)
{
	/* the program that we are a guest in may end while other threads use TLS */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return refuse(why, -ENOMEM, "it cannot be used");
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (context == NULL)
		return refuse(why, -ENOMEM, "no memory");
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
	int r = 0;
	if (authorities[0] != '\0' ?
		    SSL_CTX_load_verify_locations(context, authorities, NULL) != 1 :
		    SSL_CTX_set_default_verify_paths(context) != 1)
		r = refuse(why, -EACCES, "the authorities cannot be read");
	if (r == 0 && certificate[0] != '\0' &&
	    (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
	     SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1))
		r = refuse(why, -EACCES, "the certificate, or its key, cannot be read");
	if (r < 0) {
		SSL_CTX_free(context);
		return r;
	}
	*ret_settings = (struct tls_settings *)context;
	return 0;
}

void tls_settings_free(struct tls_settings *settings)
{
	SSL_CTX_free((SSL_CTX *)settings);
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	free(tls);
}

/* The certificate has to be of this address, or of this name. */
static bool expect(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(expected, host) == 1)
		return true;
	ERR_clear_error();
	return X509_VERIFY_PARAM_set1_host(expected, host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls *tls_begin(struct tls_settings *settings, const char *host)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL)
		return NULL;
	tls->ssl = SSL_new((SSL_CTX *)settings);
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		tls_free(tls);
		return NULL;
	}
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	SSL_set_connect_state(tls->ssl);
	if (!expect(tls->ssl, host)) {
		tls_free(tls);
		return NULL;
	}
	return tls;
}

/* Why a call of OpenSSL did not succeed. */
static int judge(struct tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return -ECONNRESET;
	default:
		return -EPROTO;
	}
}

int tls_handshake(struct tls *tls, char *why)
{
	ERR_clear_error();
	int result = SSL_do_handshake(tls->ssl);

	if (result == 1)
		return 0;
	int r = judge(tls, result);
	if (r == -EAGAIN)
		return r;
	long verified = SSL_get_verify_result(tls->ssl);
	if (verified != X509_V_OK)
		return reason_set(why, -EACCES, "TLS: the server's certificate: %s",
				  X509_verify_cert_error_string(verified));
	return refuse(why, -EACCES, "the server refuses");
}

int tls_write(struct tls *tls, const void *bytes, size_t size)
{
	size_t written;

	if (size == 0)
		return 0;
	ERR_clear_error();
	return SSL_write_ex(tls->ssl, bytes, size, &written) == 1 && written == size ? 0 : -EPROTO;
}

size_t tls_take(struct tls *tls, void *buffer, size_t size)
{
	int n = BIO_read(tls->out, buffer, size < INT_MAX ? (int)size : INT_MAX);

	return n > 0 ? (size_t)n : 0;
}

int tls_feed(struct tls *tls, const void *bytes, size_t size)
{
	return size <= INT_MAX && BIO_write(tls->in, bytes, (int)size) == (int)size ? 0 : -ENOMEM;
}

long tls_read(struct tls *tls, void *buffer, size_t size)
{
	ERR_clear_error();
	int n = SSL_read(tls->ssl, buffer, size < INT_MAX ? (int)size : INT_MAX);

	return n > 0 ? n : judge(tls, n);
}
