/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * about.h: how the servers of a store are set up: what they say themselves, in INFO.
 */
#ifndef CORRAL_REDIS_ABOUT_H
#define CORRAL_REDIS_ABOUT_H

#include "store.h"

/* 0 or as the engine's calls. What a server does not tell this user is -1. */
int about_store(struct store *store, int64_t give_up_ns, struct engine_about *ret_about);

/* The location's option strict: 0; -ENOTSUP and why: the servers do not keep what durable means. */
int about_judge(const struct store *store, const struct engine_about *about, char *why);

#endif
