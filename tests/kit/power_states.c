/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * power_states.c: see power_states.h.
 */
#include "base/hash.h"
#include "power_disk.h"
#include "support.h"

#define SUBSETS_OF 6u /* up to this many pending steps: all subsets */
#define RANDOM_SUBSETS 48u
#define RANDOM_TEARS 8u
#define WHOLE_OFTENER 12u
#define SEEN_SLOTS (1u << 22)

static bool settled[POWER_STEPS_MAX];
static uint64_t *seen; /* an open hash table */
static uint64_t random_state;

/* ---------------------------------------------------------------- enumerate */

static struct {
	void (*look)(const struct power_state *state);
	uint32_t stride;
	struct power_totals totals;
} run;

static bool is_new(uint64_t hash)
{
	uint64_t at = hash;

	if (hash == 0)
		hash = 1;
	for (;; at++) {
		uint64_t *slot = &seen[at % SEEN_SLOTS];
		if (*slot == hash)
			return false;
		if (*slot == 0) {
			*slot = hash;
			return true;
		}
	}
}

static void consider_one(struct power_state *state)
{
	run.totals.considered++;
	power_disk_build(state);
	uint64_t hash = power_disk_hash();
	hash = XXH3_64bits_withSeed(&state->promise.synced, sizeof(state->promise.synced), hash);
	if (!is_new(hash))
		return;
	must(run.totals.states < SEEN_SLOTS / 2);
	run.totals.states++;
	/* there are many torn writes, and they are much alike */
	if (hash % (state->tear == POWER_WHOLE ? run.stride / WHOLE_OFTENER + 1 : run.stride) != 0)
		return;
	run.totals.looked_at++;
	run.look(state);
}

static void consider(struct power_state *state)
{
	state->grown = false;
	consider_one(state);
	state->grown = true;
	consider_one(state);
}

static void keep_all(struct power_state *state)
{
	memset(state->kept, true, sizeof(state->kept));
	state->tear = POWER_WHOLE;
}

static void all_subsets(struct power_state *state)
{
	for (uint32_t mask = 0; mask < 1u << state->pending_count; mask++) {
		for (uint32_t i = 0; i < state->pending_count; i++)
			state->kept[i] = (mask >> i & 1) != 0;
		consider(state);
	}
}

static void some_subsets(struct power_state *state)
{
	for (uint32_t one = 0; one < state->pending_count; one++) {
		keep_all(state);
		state->kept[one] = false;
		consider(state);
		for (uint32_t i = 0; i < state->pending_count; i++)
			state->kept[i] = i == one;
		consider(state);
		for (uint32_t i = 0; i < state->pending_count; i++)
			state->kept[i] = i < one;
		consider(state);
	}
	for (uint32_t n = 0; n < RANDOM_SUBSETS; n++) {
		for (uint32_t i = 0; i < state->pending_count; i++)
			state->kept[i] = random_below(&random_state, 2) != 0;
		consider(state);
	}
}

static void tear_by(struct power_state *state, const struct power_step *step, uint32_t block_bytes)
{
	uint64_t blocks =
		(step->offset + step->size - 1) / block_bytes - step->offset / block_bytes + 1;

	state->block_bytes = block_bytes;
	for (state->block = 0; state->block < blocks; state->block++) {
		state->tear = POWER_FIRST_BLOCKS;
		consider(state);
		state->tear = POWER_ALL_BUT_ONE_BLOCK;
		consider(state);
	}
	state->tear = POWER_RANDOM_BLOCKS;
	for (uint32_t n = 0; n < RANDOM_TEARS && blocks > 2; n++) {
		state->block = random_next(&random_state);
		consider(state);
	}
}

static void tear_each(struct power_state *state)
{
	keep_all(state);
	for (state->torn = 0; state->torn < state->pending_count; state->torn++) {
		const struct power_step *step = &power_trace.steps[state->pending[state->torn]];
		if (step->kind != POWER_WRITE)
			continue;
		tear_by(state, step, 512);
		tear_by(state, step, 4096);
	}
	keep_all(state);
}

/* All possible outcomes of the steps before this one. */
static void states_at(uint32_t at)
{
	static struct power_state state;

	memset(&state, 0, sizeof(state));
	state.at = at;
	state.promise = at < power_trace.count ? power_trace.steps[at].promise :
						 power_trace.promise(); /* the trace has ended */
	for (uint32_t i = 0; i < at; i++) {
		if (settled[i] || power_trace.steps[i].kind == POWER_SYNC)
			continue;
		must(state.pending_count < POWER_PENDING_MAX);
		state.pending[state.pending_count++] = i;
	}
	if (state.pending_count <= SUBSETS_OF)
		all_subsets(&state);
	else
		some_subsets(&state);
	tear_each(&state);
}

static bool is_settled_by(const struct power_step *step, const struct power_step *sync)
{
	switch (step->kind) {
	case POWER_WRITE:
	case POWER_TRUNCATE:
		return step->node == sync->node;
	case POWER_RENAME:
		return step->dir == sync->node || step->to_dir == sync->node;
	case POWER_CREATE:
	case POWER_MKDIR:
	case POWER_UNLINK:
		return step->dir == sync->node;
	case POWER_SYNC:
	case POWER_NOTHING:
		break;
	}
	return false;
}

static void settle(uint32_t at)
{
	if (power_trace.steps[at].kind != POWER_SYNC)
		return;
	for (uint32_t i = 0; i < at; i++)
		settled[i] |= is_settled_by(&power_trace.steps[i], &power_trace.steps[at]);
}

void power_states(uint64_t seed, uint32_t stride, void (*look)(const struct power_state *state),
		  struct power_totals *ret_totals)
{
	random_state = seed;
	memset(&run, 0, sizeof(run));
	run.look = look;
	run.stride = stride;
	memset(settled, 0, sizeof(settled));
	power_disk_open();
	seen = calloc(SEEN_SLOTS, sizeof(*seen));
	must(seen != NULL);
	for (uint32_t at = 0; at <= power_trace.count; at++) {
		states_at(at);
		if (at < power_trace.count)
			settle(at);
	}
	free(seen);
	power_disk_close();
	*ret_totals = run.totals;
}

void power_state_describe(const struct power_state *state, char *text, size_t size)
{
	const struct power_step *step = &power_trace.steps[state->at];
	bool end = state->at == power_trace.count;
	size_t used = (size_t)snprintf(
		text, size,
		"the power goes before step %u of %u (%s node %u%s%s), %u of %u synced;", state->at,
		power_trace.count, end ? "end" : power_kind_name(step->kind), end ? 0 : step->node,
		end ? "" : " ", end ? "" : step->name, state->promise.synced, state->promise.made);

	for (uint32_t i = 0; i < state->pending_count && used < size; i++) {
		step = &power_trace.steps[state->pending[i]];
		used += (size_t)snprintf(text + used, size - used, " %s%u:%s %s",
					 state->kept[i] ? "+" : "-", state->pending[i],
					 power_kind_name(step->kind), step->name);
	}
	if (used < size)
		snprintf(text + used, size - used, "; tear %d of %u: %u bytes, %llu%s",
			 (int)state->tear,
			 state->tear != POWER_WHOLE ? state->pending[state->torn] : 0,
			 state->block_bytes, (unsigned long long)state->block,
			 state->grown ? "; grown" : "");
}
