/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content.c: see content.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/content.h"
#include "sync/grace.h"

/* The version in a block, if all of it lies within the arena. */
static const struct cart_head *version_in(const struct arena *arena, block_ref ref, uint32_t size)
{
	size_t room;
	const struct cart_head *version = slot_version(arena, ref, &room);

	return version != NULL && size <= room ? version : NULL;
}

void content_enter(struct attempt *attempt, const struct cart_head *now)
{
	const struct intent *intent = &attempt->actor->record->intent;

	grace_enter(attempt->actor);
	attempt->held = true;
	attempt->now = now != NULL ? now :
				     version_in(attempt->actor->arena, load_relaxed(&intent->hand),
						attempt->plan.size);
}

/* When this version's cart ends if no activity follows, in milliseconds since 1970. */
static int64_t expires_ms(const struct attempt *attempt, const struct cart_head *version)
{
	const struct arena *arena = &attempt->corral->arena;
	uint64_t ttl_ms = load_relaxed(&version->ttl_ms);
	uint64_t ttl_ns = ttl_ms != 0 ? ttl_ms * 1000000 : load_relaxed(&arena->header->ttl_ns);

	if (cart_kind(attempt->change) == CART_DROP)
		ttl_ns = 0;
	return handle_wall_ms(attempt->corral, deadline_ns(attempt->now_ns, ttl_ns));
}

void content_forget(struct corral_content *content, size_t need, int error)
{
	content->need = need;
	content->error = error;
	memset(&content->view, 0, sizeof(content->view));
	content->cart = NULL;
}

/* Discard a copy whose bytes cannot be trusted: the section was revoked, or the arena withdrawn. */
static void discard(struct corral_content *content)
{
	if (content == NULL)
		return;
	free(content->cart);
	content_forget(content, 0, -ESTALE);
}

static int copy_bytes(const struct cart_head *version, size_t size, const struct cart_times *times,
		      struct corral_content *content)
{
	if (size > content->size)
		return -ENOBUFS;
	memcpy(content->buffer, version, size);
	content->view = (struct corral_view){
		.version = version->version,
		.bytes = content->buffer,
		.size = size,
		.deadline_ns = (int64_t)((uint64_t)times->expires_ms * 1000000),
		.of.usual_ttl_ms = times->usual_ttl_ms,
	};
	return 0;
}

static int decode(const struct corral *corral, const struct cart_head *version, size_t size,
		  int64_t until_ms, struct corral_content *content)
{
	int r = cart_decode(version, size, true, &content->cart);

	if (r < 0)
		return r;
	content->cart->expires_ms = until_ms;
	handle_complete_head(corral, &content->cart->head);
	return 0;
}

static int flatten(const struct cart_head *version, size_t size, const struct cart_times *times,
		   struct corral_flat *flat)
{
	int r = cart_verify(version, size);

	return r == 0 ? cart_flatten(version, size, times, flat) : r;
}

void content_copy(const struct corral *corral, const struct cart_head *version, size_t size,
		  int64_t until_ms, struct corral_content *content)
{
	const struct cart_times times = { handle_usual_ttl_ms(corral), until_ms };
	int r = 0;

	content->need = size;
	content->error = 0;
	if (content->buffer != NULL)
		r = copy_bytes(version, size, &times, content);
	if (r == 0 && content->flat != NULL)
		r = flatten(version, size, &times, content->flat);
	if (r == 0 && content->decode)
		r = decode(corral, version, size, until_ms, content);
	if (r < 0)
		content_forget(content, size, r);
}

/* version NULL: there is none, and the content's error is `none`. */
static void hand_out(const struct attempt *attempt, const struct cart_head *version, size_t size,
		     int none, struct corral_content *content)
{
	if (content == NULL)
		return;
	content_forget(content, 0, none);
	if (version != NULL)
		content_copy(attempt->corral, version, size, expires_ms(attempt, version), content);
}

static void hand_out_all(const struct attempt *attempt, int r)
{
	const struct arena *arena = attempt->actor->arena;
	const struct corral_op *op = attempt->op;
	const bool built = r == 0 && cart_kind(attempt->change) != CART_DROP;
	const uint32_t old_size = attempt->plan.old.size; /* 0: there was no cart */
	const block_ref old = load_relaxed(&attempt->actor->record->intent.old);

	hand_out(attempt, attempt->now, built ? attempt->plan.size : old_size, -EUCLEAN, op->now);
	hand_out(attempt, r == 0 && old_size != 0 ? version_in(arena, old, old_size) : NULL,
		 old_size, -ENOENT, op->before);
	if (unlikely(grace_revoked(attempt->actor))) {
		discard(op->now);
		discard(op->before);
	}
}

void content_leave(struct attempt *attempt, int r)
{
	if (!attempt->held)
		return;
	if (r >= 0) {
		hand_out_all(attempt, r);
		attempt->delivered = true;
	}
	attempt->held = false;
	grace_leave(attempt->actor);
}

void content_withdraw(struct attempt *attempt)
{
	if (!attempt->delivered)
		return;
	discard(attempt->op->now);
	discard(attempt->op->before);
}
