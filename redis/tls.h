/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls.h: TLS, as bytes in memory: what goes over the socket, and when, is the caller's. So it
 * raises no signal, and waits for nothing.
 */
#ifndef CORRAL_REDIS_TLS_H
#define CORRAL_REDIS_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct tls_settings; /* certificates and keys: one for a store, used by all threads */
struct tls;          /* one connection */

/* Files in PEM; "": the system's authorities, and no certificate of our own. 0 or -errno and why.
 */
int tls_settings_make(const char *authorities, const char *certificate, const char *key,
		      struct tls_settings **ret_settings, char *why);
void tls_settings_free(struct tls_settings *settings);

/* host: the name or address that the server's certificate has to be of. NULL: no memory. */
struct tls *tls_begin(struct tls_settings *settings, const char *host);
void tls_free(struct tls *tls); /* NULL is fine; says nothing to the server */

/* 0: done; -EAGAIN: send what there is, then receive more; -EACCES: not this server, and why. */
int tls_handshake(struct tls *tls, char *why);

/* Encrypt; the result is taken with tls_take(). 0 or -EPROTO. */
int tls_write(struct tls *tls, const void *bytes, size_t size);

/* Bytes to be sent; 0: none. */
size_t tls_take(struct tls *tls, void *buffer, size_t size);

/* Bytes that came. 0 or -ENOMEM. */
int tls_feed(struct tls *tls, const void *bytes, size_t size);

/* Decrypt. How many bytes; -EAGAIN: more have to come; -ECONNRESET: it is over; -EPROTO. */
long tls_read(struct tls *tls, void *buffer, size_t size);

#endif
