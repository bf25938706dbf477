/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_change.c: changes of carts that an engine keeps.
 *
 * A change reads the cart, makes the next version with the same pure functions as in an arena, and
 * asks the engine to swap the one for the other. If another version is there by now, the engine
 * says which, and the change is made anew from that.
 *
 * Exactly once. Each call has a random write id, which its record carries. If the answer to a swap
 * is lost, the very same swap is sent again: either it was not carried out, and is now; or it was,
 * and the engine answers with a record that has our id. If the record that is there does not have
 * it, and has the ids of all changes since the version that the swap was to replace, then the swap
 * was not carried out and never will be, since that version does not come back: the change is made
 * anew. Only if so many others came between that ids are missing, or the cart ended by its time,
 * nobody can tell, and the call answers -ETIMEDOUT.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/change.h"
#include "api/content.h"
#include "api/remote.h"
#include "api/remote_record.h"
#include "arena/arena.h"
#include "store/slot.h"
#include "sync/lock.h"

#define PRESSED_NS 100000000ll /* a change that met others for so long has the key kept for it */
#define KEEP_LEAST_NS 5000000ll
#define KEEP_MAX_NS 1000000000ll

struct trial {
	struct corral *corral;
	const struct corral_key *key;
	struct cart_change *change;
	const struct corral_op *op;
	struct remote_work *work;
	uint64_t write_id;
	uint64_t idle_ms;
	int64_t give_up_ns;
	uint32_t old_size; /* of the version that the plan is for; 0: there is none */
	bool guess;        /* it is what this handle has last seen */
	bool unknown_keys; /* its map has some, which are handed on */
	bool unknown;      /* a swap of the present plan may have been carried out */
	bool wait;         /* for the replicas */
	int64_t begun_ns;
	uint32_t met;     /* so many swaps have met another change */
	int64_t swap_ns;  /* what the slowest swap took */
	bool kept;        /* the engine keeps the key for this change, which goes on at once */
	bool contended;   /* others change the cart, too */
	bool renew;       /* the change renews the time to live */
	uint64_t left_ms; /* what is left of it once the change is made */
	int64_t boot_ms;  /* at this time */
	struct engine_durable durable;
};

static const void *old_of(const struct trial *trial)
{
	return trial->old_size != 0 ? trial->work->old : NULL;
}

static bool ends(const struct trial *trial)
{
	return cart_kind(trial->change) == CART_DROP;
}

/*
 * Make a version of what the engine has. A later Corral may have written keys that this one does
 * not know: those of the cart's map are handed on; others could belong to what the change takes
 * away, so the change is refused.
 */
static int unpack(struct trial *trial)
{
	struct portable_version made = { 0 };
	int r = remote_unpack(trial->corral, &trial->work->base, trial->key, trial->work->old,
			      &made);

	trial->old_size = r == 0 ? made.size : 0;
	trial->unknown_keys = made.unknown_keys != 0;
	if (r == 0 && made.unknown_within != 0 && !ends(trial))
		return -EPROTONOSUPPORT;
	return r == -ENOENT ? 0 : r;
}

/* Plan the change of what work->base has. As cart_plan(). */
static int plan(struct trial *trial)
{
	struct remote_work *work = trial->work;
	struct cart_change *change = trial->change;
	int r = trial->guess ? 0 : unpack(trial);

	if (r < 0)
		return r;
	change->now_ms = arena_wall_ms();
	change->first_version = work->base.floor + 1;
	return cart_plan(old_of(trial), trial->old_size, change, &work->plan);
}

static uint64_t new_ttl_ms(const struct trial *trial)
{
	const struct cart_plan *made = &trial->work->plan;

	return made->head.ttl_ms != 0 ? made->head.ttl_ms : trial->corral->remote->settings.ttl_ms;
}

/*
 * Does the change have to set the time to live? Not if that has been done just now: the key goes on
 * with what it has.
 */
static void judge_time(struct trial *trial)
{
	const struct engine_value *base = &trial->work->base;

	trial->boot_ms = remote_boot_ms();
	trial->renew = ends(trial) || base->version == 0 || base->ended || trial->idle_ms != 0 ||
		       base->ttl_ms != new_ttl_ms(trial) || remote_is_due(base, trial->boot_ms);
	trial->left_ms = trial->renew ? new_ttl_ms(trial) : remote_left_ms(base, trial->boot_ms);
}

/* Make the record that the plan leads to; returns its size. 0: it is too large. */
static size_t make_record(struct trial *trial)
{
	struct remote_work *work = trial->work;
	const struct engine_value *base = &work->base;
	const size_t begin = record_begin(base, trial->write_id, work->record);
	uint8_t *map = work->record + begin;

	if (ends(trial))
		return begin;
	cart_build(old_of(trial), trial->change, &work->plan, work->made);
	size_t size = portable_pack_cart(work->made, trial->change->seed, 0, map);
	if (trial->unknown_keys) {
		const size_t at = record_map_at(base);
		size = portable_append_unknown((const uint8_t *)base->record + at, base->size - at,
					       map, size);
	}
	return size != 0 ? begin + size : 0;
}

/*
 * How long the engine shall keep the key for this change, if the swap meets another: so long that
 * the next swap comes in time. Changes by chance are faster, as long as they get their turn: the
 * process that has just made one is running, and goes on. A change that has not for some time has
 * its turn granted.
 */
static uint64_t keep_ms(const struct trial *trial)
{
	const int64_t ns = KEEP_LEAST_NS + 2 * trial->swap_ns;

	if (!trial->contended || clock_now_ns() - trial->begun_ns < PRESSED_NS)
		return 0;
	return (uint64_t)(ns < KEEP_MAX_NS ? ns : KEEP_MAX_NS) / 1000000;
}

/*
 * Send the swap once. 0; 1: another value is there, and it is *ret_now; 2: the key is kept for
 * another change; as the engine's.
 */
static int swap_once(struct trial *trial, size_t size, struct engine_value *ret_now)
{
	const struct remote *remote = trial->corral->remote;
	const struct engine_value *base = &trial->work->base;
	const struct engine_swap swap = {
		.expected = base->version,
		.expected_id = base->id,
		.expected_ended = base->ended,
		.floor = base->floor,
		.version = ends(trial) ? base->version + 1 : trial->work->plan.head.version,
		.id = trial->write_id,
		.ttl_ms = new_ttl_ms(trial),
		.idle_ms = trial->idle_ms,
		.record = trial->work->record,
		.size = size,
		.keep_ms = keep_ms(trial),
		.no_wait = !trial->wait,
		.renew = trial->renew,
		.contended = trial->contended || trial->unknown,
	};

	return (ends(trial) ? remote->engine->end : remote->engine->swap)(
		remote->store, trial->key, &swap, remote_request_end(trial->give_up_ns), ret_now,
		&trial->durable);
}

/* The change was made by a swap whose answer was lost: what is known of its durability? */
static void ask_durable(struct trial *trial)
{
	struct engine_value value;

	trial->durable = (struct engine_durable){ .error = trial->wait ? -ETIMEDOUT : 0 };
	if (!trial->wait)
		return;
	if (remote_get(trial->corral, trial->key, ENGINE_TOUCH_DURABLY, trial->give_up_ns, &value,
		       &trial->durable) == 0)
		free(value.record);
}

/*
 * Another value is there than the swap was for. 0: it is our own change; 1: the change is to be
 * made anew; -ETIMEDOUT: it cannot be known whether it was made.
 */
static int judge_conflict(struct trial *trial, const struct engine_value *now)
{
	const struct engine_value *base = &trial->work->base;
	bool ours;
	int r = record_has(now, trial->write_id, &ours);

	if (r < 0 || !trial->unknown)
		return r < 0 ? r : 1;
	if (ours) {
		ask_durable(trial);
		return 0;
	}
	if (now->version == 0 && base->version != 0 && !base->ended)
		return -ETIMEDOUT;
	return record_tells_all_since(now, base->version != 0 ? base->version : base->floor) ?
		       1 :
		       -ETIMEDOUT;
}

/* The next change of this cart may begin with what this one has made of it. */
static void keep_base(const struct trial *trial, size_t size)
{
	struct remote_work *work = trial->work;
	const struct engine_value made = {
		.version = work->plan.head.version,
		.id = trial->write_id,
		.ttl_ms = new_ttl_ms(trial),
		.left_ms = (int64_t)trial->left_ms,
		.seen_ms = trial->boot_ms,
		.record = work->record,
		.size = size,
		.ended = ends(trial),
	};

	if (!trial->unknown_keys) /* else the next change needs the map */
		remote_keep_base(trial->corral->remote, trial->change->hash, &made, work->made,
				 ends(trial) ? 0 : work->plan.size);
}

/*
 * Wait until this change may try again: for a shorter time, the more often it met another. False:
 * there is no need to wait.
 */
static bool step_aside(struct trial *trial)
{
	const int64_t spread_ns = remote_spread_ns(trial->corral->remote, trial->change->hash);

	trial->contended = spread_ns != 0;
	if (spread_ns != 0)
		remote_step_aside(spread_ns / (1 + trial->met) + 1, trial->give_up_ns);
	return spread_ns != 0;
}

/* A swap met another change, or the key is kept for one. False: the time is up. */
static bool note_conflict(struct trial *trial, int64_t took_ns)
{
	struct remote *remote = trial->corral->remote;

	remote_count(remote, REMOTE_CONFLICTS);
	remote_learn(remote, trial->change->hash, true, took_ns);
	trial->met++;
	return clock_now_ns() < trial->give_up_ns;
}

/* What is there instead of what the swap was for. As judge_conflict(). */
static int take_conflict(struct trial *trial, struct engine_value *now, int64_t took_ns)
{
	int r = judge_conflict(trial, now);

	if (r != 1) {
		free(now->record);
		return r;
	}
	free(trial->work->base.record);
	trial->work->base = *now;
	trial->kept = now->kept;
	return note_conflict(trial, took_ns) ? 1 : -EBUSY;
}

/*
 * Swap until it is known what became of it. 0: the change is made; 1: make it anew, from the base
 * that is there now; -errno.
 */
static int swap_until_known(struct trial *trial)
{
	struct remote *remote = trial->corral->remote;
	const size_t size = make_record(trial);
	uint32_t round = 0;

	if (size == 0)
		return -E2BIG;
	trial->unknown = false;
	judge_time(trial);
	for (;;) {
		const int64_t begun_ns = clock_now_ns();
		struct engine_value now = { 0 };
		int r = swap_once(trial, size, &now);
		const int64_t took_ns = clock_now_ns() - begun_ns;
		trial->swap_ns = took_ns > trial->swap_ns ? took_ns : trial->swap_ns;
		if (r == 0) {
			keep_base(trial, size);
			remote_learn(remote, trial->change->hash, false, took_ns);
			return 0;
		}
		if (r == 1)
			return take_conflict(trial, &now, took_ns);
		if (r == 2) { /* the base is the same, and so is the swap */
			if (!note_conflict(trial, took_ns))
				return trial->unknown ? -ETIMEDOUT : -EBUSY;
			(void)step_aside(trial);
			continue;
		}
		if (r != ENGINE_NOT_DONE && r != ENGINE_UNKNOWN)
			return trial->unknown && r < 0 ? -ETIMEDOUT : r;
		trial->unknown |= r == ENGINE_UNKNOWN;
		remote_count(remote, REMOTE_AGAIN);
		if (!remote_pause(round++, trial->give_up_ns))
			return trial->unknown ? -ETIMEDOUT : -EHOSTDOWN;
	}
}

/* A repeat is an activity of the cart; and what it repeats may not be durable yet. */
static void renew(struct trial *trial)
{
	const struct engine_value *base = &trial->work->base;
	struct engine_value value;
	unsigned flags = trial->wait ? ENGINE_TOUCH_DURABLY : ENGINE_TOUCH;

	trial->durable = (struct engine_durable){ .error = trial->wait ? -ETIMEDOUT : 0 };
	trial->left_ms = new_ttl_ms(trial);
	if (!trial->wait && !remote_is_due(base, remote_boot_ms()))
		return;
	if (remote_get(trial->corral, trial->key, flags, trial->give_up_ns, &value,
		       &trial->durable) == 0)
		free(value.record);
}

static int get_base(struct trial *trial)
{
	struct engine_value *base = &trial->work->base;

	free(base->record);
	base->record = NULL;
	return remote_get(trial->corral, trial->key, ENGINE_FLOOR, trial->give_up_ns, base, NULL);
}

/* Find out what to start from. Where others change the cart, too: at a time by chance. */
static int begin_try(struct trial *trial)
{
	struct remote_work *work = trial->work;

	const bool kept = trial->kept;

	trial->guess = false;
	trial->unknown_keys = false;
	trial->kept = false;
	/* what was seen last will not be there any more; but to ask for a turn, it will do */
	if (!kept && step_aside(trial) && (keep_ms(trial) == 0 || work->base.version == 0))
		return get_base(trial);
	if (work->base.version != 0)
		return 0; /* the swap that met another has told */
	trial->old_size = remote_take_base(trial->corral->remote, trial->change->hash, NULL, work);
	trial->guess = trial->old_size != 0 && cart_has_key((const struct cart_head *)work->old,
							    trial->old_size, trial->key);
	return trial->guess ? 0 : get_base(trial);
}

/* Plan; only what the engine has now, and no guess, may refuse the change, or say it is a repeat.
 */
static int plan_surely(struct trial *trial)
{
	int r = plan(trial);

	if (r == 0 || !trial->guess)
		return r;
	trial->guess = false;
	r = get_base(trial);
	return r < 0 ? r : plan(trial);
}

/* Make the change. 0; 1: it was made before; -errno, and *ret_step: the step that was refused. */
static int try_until_done(struct trial *trial, uint32_t *ret_step)
{
	for (;;) {
		int r = begin_try(trial);
		*ret_step = 0;
		if (r < 0)
			return r;
		trial->work->plan.step = 0;
		r = plan_surely(trial);
		*ret_step = r < 0 ? trial->work->plan.step : 0;
		if (r == 1)
			renew(trial);
		if (r != 0)
			return r;
		r = swap_until_known(trial);
		if (r != 1)
			return r;
	}
}

static void count(struct remote *remote, int r)
{
	if (r == 0)
		remote_count(remote, REMOTE_CHANGES);
	else if (r == 1)
		remote_count(remote, REMOTE_REPEATS);
	else if (r == -EBUSY)
		remote_count(remote, REMOTE_BUSY);
	else if (r == -ENOMEM)
		remote_count(remote, REMOTE_FULL);
}

static void hand_out(const struct trial *trial, const void *version, size_t size, uint64_t left_ms,
		     int none, struct corral_content *content)
{
	if (content == NULL)
		return;
	content_forget(content, 0, none);
	if (size != 0)
		content_copy(trial->corral, version, size, arena_wall_ms() + (int64_t)left_ms,
			     content);
}

static void hand_out_all(const struct trial *trial, int r)
{
	const struct remote_work *work = trial->work;
	const struct corral_op *op = trial->op;
	const bool built = r == 0 && !ends(trial);

	if (op == NULL)
		return;
	hand_out(trial, built ? work->made : work->old, built ? work->plan.size : trial->old_size,
		 ends(trial) ? 0 : trial->left_ms, -EUCLEAN, op->now);
	hand_out(trial, work->old, r == 0 ? trial->old_size : 0, ends(trial) ? 0 : trial->left_ms,
		 -ENOENT, op->before);
}

static void begin(struct trial *trial)
{
	const struct arena *arena = &trial->corral->arena;
	struct cart_change *change = trial->change;

	change->key = *trial->key;
	change->hash = slot_hash(arena, trial->key);
	change->seed = arena->hash_seed;
	change->usual_ttl_ms = trial->corral->remote->settings.ttl_ms;
	change->version_floor = 0;
	change->currency = arena->header->currency;
	trial->write_id = remote_random(trial->corral->remote);
	trial->begun_ns = clock_now_ns();
}

/*
 * Try until the change is made or refused. The thread cannot be canceled meanwhile: it would not
 * give its work back.
 */
static int carry_out(struct trial *trial, uint32_t *ret_step)
{
	int cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	begin(trial);
	int r = try_until_done(trial, ret_step);
	pthread_setcancelstate(cancel, NULL);
	return r;
}

int remote_change(struct corral *corral, const struct corral_key *key, struct cart_change *change,
		  const struct corral_op *op, int64_t give_up_ns, struct corral_result *ret_result,
		  uint32_t *ret_step)
{
	struct remote *remote = corral->remote;
	struct trial trial = {
		.corral = corral,
		.key = key,
		.change = change,
		.op = op,
		.give_up_ns = give_up_ns != 0 ? give_up_ns : remote_give_up_ns(corral),
		.wait = remote->settings.replicas > 0 &&
			(op == NULL || (op->flags & CORRAL_OP_NO_DISK) == 0),
	};
	uint32_t step = 0;

	trial.work = remote_take_work(remote);
	if (trial.work == NULL)
		return -ENOMEM;
	int r = carry_out(&trial, &step);
	count(remote, r);
	if (ret_step != NULL)
		*ret_step = step;
	if (r >= 0) {
		trial.work->plan.result.durable = trial.durable.durable;
		trial.work->plan.result.sync_error = trial.durable.error;
		if (ret_result != NULL)
			result_copy(ret_result, &trial.work->plan.result);
		hand_out_all(&trial, r);
	}
	remote_give_work(remote, trial.work);
	return r < 0 ? r : 0;
}

int remote_put(struct corral *corral, const struct corral_key *key, struct cart_change *put,
	       uint64_t idle_ns)
{
	struct trial trial = { .corral = corral,
			       .key = key,
			       .change = put,
			       .idle_ms = idle_ns / 1000000,
			       .give_up_ns = remote_give_up_ns(corral) };
	uint32_t step = 0;

	trial.work = remote_take_work(corral->remote);
	if (trial.work == NULL)
		return -ENOMEM;
	int r = carry_out(&trial, &step);
	remote_give_work(corral->remote, trial.work);
	return r;
}
