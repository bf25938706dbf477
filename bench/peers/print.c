/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * print.c: the output of corral-bench peers. See peers.h.
 */
#include <stdlib.h>
#include <string.h>

#include "harness/figures.h"
#include "harness/measure.h"
#include "harness/pin.h"
#include "peers.h"

void peers_tell(const struct peers *run, const struct peers_row *row)
{
	char *text = NULL;
	size_t size = 0;

	if (row != run->rows && strcmp(row[-1].peer->store, row->peer->store) == 0)
		return;
	FILE *stream = open_memstream(&text, &size);
	if (stream == NULL)
		return;
	row->peer->tell(&run->place, stream);
	if (peers_has_server(row) && run->worker_cpu != PIN_NONE)
		fprintf(stream, "; server on CPU %d, worker on CPU %d", run->place.server_cpu,
			run->worker_cpu);
	else if (peers_has_server(row))
		fprintf(stream, "; on any CPU");
	fclose(stream);
	figures_note("peer: %s: %s", row->peer->store, text);
	free(text);
}

static double median_of(const double *values, uint32_t count)
{
	struct rounds rounds = { .count = count };

	memcpy(rounds.ns, values, count * sizeof(*values));
	return rounds_median(&rounds);
}

static double median_ratio_of(const double *values, const double *base, uint32_t count)
{
	struct rounds above = { .count = count }, below = { .count = count };

	memcpy(above.ns, values, count * sizeof(*values));
	memcpy(below.ns, base, count * sizeof(*base));
	return rounds_median_ratio(&above, &below);
}

/*
 * Figures of runs with different options have different names, so that one report can show both:
 * "_zipf", "_threads", "_unpinned", "".
 */
static void name_ways(const struct peers_settings *settings, char ways[32])
{
	snprintf(ways, 32, "%s%s%s", settings->zipf ? "_zipf" : "",
		 settings->threads ? "_threads" : "", settings->no_pin ? "_unpinned" : "");
}

static void print_row(const struct peers *run, const struct peers_row *row, enum peer_work work)
{
	uint32_t rounds = run->settings->rounds;
	char name[128], ways[32];

	name_ways(run->settings, ways);
	snprintf(name, sizeof(name), "peers.carts_%u.%s%s.%s", run->dataset.carts,
		 peer_work_names[work], ways, row->peer->name);
	double ns = median_of(row->ns[work], rounds);
	figure("ns", ns, ns < 1000 ? 1 : 0, "%s.ns", name);
	figure("1/s", 1e9 / ns * run->settings->workers, 0, "%s.per_second", name);
	figure("ns", median_of(row->cpu[work], rounds), 0, "%s.cpu_ns", name);
	if (row->peer->depth > 1)
		return; /* the time of a batch is not the time of one operation */
	figure_quantiles(&row->times[work], name);
	if (row != &run->rows[0] && run->rows[0].peer == &peer_corral) {
		double times = median_ratio_of(row->ns[work], run->rows[0].ns[work], rounds);
		figure("x", times, times < 10 ? 3 : 1, "%s.times_corral", name);
	}
}

/* Print the memory of each store once: peers that share a store follow one another. */
static void print_memory(const struct peers *run)
{
	const char *last = "";

	for (uint32_t i = 0; i < run->row_count; i++) {
		const struct peers_row *row = &run->rows[i];
		if (strcmp(row->peer->store, last) != 0 && row->bytes > 0)
			figure("bytes", (double)row->bytes, 0, "peers.carts_%u.memory.%s",
			       run->dataset.carts, row->peer->store);
		last = row->peer->store;
	}
}

void peers_print(const struct peers *run)
{
	char ways[32];

	name_ways(run->settings, ways);
	figure("bytes", run->dataset.cart_bytes, 0, "peers.carts_%u.cart_bytes",
	       run->dataset.carts);
	for (enum peer_work work = PEER_GET; work < PEER_WORKS; work++)
		for (uint32_t i = 0; i < run->row_count; i++)
			if (peer_does(run->rows[i].peer, work))
				print_row(run, &run->rows[i], work);
	print_memory(run);
	figure("adds", (double)run->lost, 0, "peers.carts_%u.lost%s", run->dataset.carts, ways);
}
