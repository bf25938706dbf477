/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corral.c: Corral as one of the peers: it works on the arena that dataset.h has filled.
 */
#include <errno.h>

#include "cart/cart.h"
#include "harness/memory.h"
#include "peer.h"

static const char *missing(void)
{
	return NULL;
}

static int start(const struct peer_place *place, pid_t *ret_pid)
{
	*ret_pid = place->dataset->sandbox.agent;
	return 0;
}

static void stop(const struct peer_place *place)
{
	(void)place;
}

static int open_arena(const struct peer_place *place, void **ret_connection)
{
	struct corral *corral;
	int r = corral_open(place->dataset->sandbox.directory, CORRAL_CATCH_SIGBUS, &corral);

	*ret_connection = r == 0 ? corral : NULL;
	return r;
}

static void close_arena(void *connection)
{
	corral_close(connection);
}

static int get(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	struct corral_key key = dataset_key(step);
	struct corral_view view;
	int r = corral_read_begin(connection, &key, &view);

	if (r < 0)
		return r;
	*sink += view.version;
	return corral_read_end(&view);
}

static int get_copy(void *connection, const struct dataset_step *step, uint64_t *sink)
{
	static __thread uint8_t buffer[DATASET_CART_BYTES_MAX];
	struct corral_key key = dataset_key(step);
	struct corral_view view;
	size_t size = 0;
	int r = corral_read_copy(connection, &key, buffer, sizeof(buffer), &size, &view);

	*sink += buffer[0] + size;
	return r;
}

static int add(void *connection, const struct dataset_step *step, const struct dataset_item *item)
{
	struct corral_key key = dataset_key(step);
	int r = corral_add(connection, &key, &item->item, NULL, NULL);

	if (r == -ERANGE) /* the quantity is at its limit: reset it, which is a change too */
		r = corral_set_quantity(connection, &key, 1, 1, NULL, NULL);
	return r;
}

static int version(void *connection, const struct dataset_step *step, uint64_t *ret_version)
{
	struct corral_key key = dataset_key(step);
	struct corral_view view;
	struct corral_head head;
	int r = corral_read_begin(connection, &key, &view);

	if (r < 0)
		return r;
	r = corral_view_head(&view, &head);
	*ret_version = head.version;
	(void)corral_read_end(&view);
	return r;
}

static int set(void *connection, const struct dataset_step *step, const struct peer_whole *whole)
{
	struct corral_key key = dataset_key(step);
	struct corral_op op = { 0 };
	int r;

	do { /* a compare-and-swap: another change may come between */
		r = version(connection, step, &op.if_version);
		if (r == 0)
			r = corral_replace(connection, &key, whole->cart, &op, NULL);
	} while (r == -ECANCELED);
	return r;
}

static void tell(const struct peer_place *place, FILE *stream)
{
	const struct sandbox *sandbox = &place->dataset->sandbox;

	fprintf(stream, "Corral %s; ", corral_version());
	if (sandbox->agent > 0)
		fprintf(stream, "corral-agent --dir %s --journal %s", sandbox->directory,
			sandbox->journal);
	else
		fprintf(stream, "the agent that runs in %s", sandbox->directory);
}

static uint64_t memory(const struct peer_place *place)
{
	double given, carts;

	return memory_of_carts(place->dataset, &given, &carts) ? (uint64_t)given : 0;
}

const struct peer peer_corral = { .name = "corral",
				  .store = "corral",
				  .about = "Corral: zero-copy read; corral_add(); corral_replace()",
				  .missing = missing,
				  .start = start,
				  .stop = stop,
				  .open = open_arena,
				  .close = close_arena,
				  .shared = true,
				  .get = get,
				  .add = add,
				  .set = set,
				  .version = version,
				  .tell = tell,
				  .memory = memory };

const struct peer peer_corral_copy = { .name = "corral_copy",
				       .store = "corral",
				       .about = "Corral: copying read",
				       .missing = missing,
				       .start = start,
				       .stop = stop,
				       .open = open_arena,
				       .close = close_arena,
				       .shared = true,
				       .get = get_copy,
				       .tell = tell,
				       .memory = memory };
