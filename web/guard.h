/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guard.h: who may ask. Pure functions on texts that strangers sent.
 */
#ifndef CORRAL_WEB_GUARD_H
#define CORRAL_WEB_GUARD_H

#include "web.h"

/* 127.0.0.1:80, [::1]:80. NULL, or what is wrong. Port 0: any that is free. */
const char *guard_parse_listen(const char *text, char ret_address[ADDRESS_MAX], uint16_t *ret_port);

bool guard_is_loopback(const char *address);

/* A name, of letters, digits, hyphens and dots. */
bool guard_is_name(const char *text);

/*
 * May a request have this Host header (NULL: none)? Any address does, since a name is needed to
 * have a browser's idea of our origin changed under it (DNS rebinding); and localhost, and the
 * names of --host. A port may stand behind it, and is not compared.
 */
bool guard_host(const struct web_options *options, const char *host);

/*
 * Has it the token (options->token, if that is not "")? As a bearer token, or as the password of
 * basic authentication, with any name: browsers ask for that by themselves.
 */
bool guard_token(const struct web_options *options, const char *authorization);

#endif
