/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * board.c: see board.h. A job is a list of heads, made a slice at a time, and then the tickets of
 * those that changed last, made in slices, too.
 */
#include "board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ticket.h"
#include "tool.h"

#define SLICE_NS 5000000

static bool is_same(const struct board_job *job, const char *restaurant_id, uint32_t most)
{
	return !job->done && job->listing.most == most &&
	       strcmp(job->listing.restaurant_id, restaurant_id) == 0;
}

int board_ask(struct board *board, const char *restaurant_id, uint32_t most,
	      struct board_job **ret_job)
{
	uint32_t count = 0;

	for (struct board_job *job = board->jobs; job != NULL; job = job->next) {
		count++;
		if (is_same(job, restaurant_id, most)) {
			job->waiting++;
			*ret_job = job;
			return 0;
		}
	}
	if (count >= BOARD_JOBS_MAX)
		return -EAGAIN;
	struct board_job *job = must_have(calloc(1, sizeof(*job)));
	/* before the list: what changes meanwhile is told again, and is not missed */
	job->position = watch_position(board->watch);
	int r = listing_begin(&job->listing, board->source, restaurant_id, most);
	if (r < 0) {
		listing_end(&job->listing);
		free(job);
		return r;
	}
	job->tickets = must_have(json_array());
	job->waiting = 1;
	job->next = board->jobs;
	board->jobs = job;
	*ret_job = job;
	return 0;
}

static void free_job(struct board *board, struct board_job *job)
{
	struct board_job **at = &board->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	listing_end(&job->listing);
	json_decref(job->tickets);
	free(job->text);
	free(job);
}

void board_leave(struct board *board, struct board_job *job)
{
	if (--job->waiting == 0)
		free_job(board, job);
}

/* The next tickets; a cart that has ended meanwhile has none. */
static int render(struct board *board, struct board_job *job, int64_t until_ns)
{
	struct listing *listing = &job->listing;
	struct corral *corral;

	while (job->rendered < listing->count) {
		const struct corral_entry *entry = &listing->rows[job->rendered];
		const struct corral_key key = { corral_text(entry->restaurant_id),
						corral_text(entry->session_id) };
		struct corral_cart *cart = NULL;
		int r = source_use(board->source, &corral);
		if (r == 0)
			r = corral_get(corral, &key, &cart);
		if (r == 0)
			json_array_append_new(job->tickets, ticket_of_cart(cart));
		else if (r != -ENOENT && r != -EUCLEAN)
			return source_answered(board->source, r);
		corral_cart_free(cart);
		job->rendered++;
		if (web_now_ns() >= until_ns)
			break;
	}
	return 0;
}

static void finish(struct board_job *job)
{
	json_t *answer = must_have(json_pack(
		"{s:I, s:o, s:I, s:I, s:O}", "now_ms", (json_int_t)web_wall_ms(), "position",
		ticket_number(job->position), "open", (json_int_t)job->listing.open, "checked_out",
		(json_int_t)job->listing.checked_out, "carts", job->tickets));

	job->text = json_line(answer);
	json_decref(answer);
	job->done = true;
}

static void step(struct board *board, struct board_job *job)
{
	const int64_t until_ns = web_now_ns() + SLICE_NS;
	int r = job->listing.done ? render(board, job, until_ns) :
				    listing_step(&job->listing, until_ns);

	if (r < 0) {
		job->error = r;
		job->done = true;
	} else if (job->listing.done && job->rendered == job->listing.count) {
		finish(job);
	}
	if (job->done)
		board->wake(job);
}

bool board_step(struct board *board)
{
	bool more = false;

	for (struct board_job *job = board->jobs; job != NULL; job = job->next) {
		if (job->done)
			continue;
		step(board, job);
		more = more || !job->done;
	}
	return more;
}
