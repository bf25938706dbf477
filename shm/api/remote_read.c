/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote_read.c: reads of carts that an engine keeps: views, lists.
 *
 * A view is a copy in memory of its own, so it is never revoked, and beginning it waits for a
 * server. The handle knows its views and their threads, to answer as directories do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/list_row.h"
#include "api/remote.h"
#include "arena/arena.h"
#include "store/slot.h"
#include "sync/lock.h"

static int32_t own_tid(void)
{
	return (int32_t)syscall(SYS_gettid);
}

/* ------------------------------------------------------------------- views */

static const void *bytes_of(const struct remote_view *view)
{
	return view + 1;
}

static void add_view(struct remote *remote, struct remote_view *view)
{
	view->pid = remote_own_pid();
	view->tid = own_tid();
	remote_lock(remote);
	view->number = ++remote->view_number;
	view->next = remote->views;
	remote->views = view;
	remote_unlock(remote);
}

/* Make a version of what was read, unless it is what was seen last. */
static int unpack(struct corral *corral, const struct corral_key *key, struct remote_work *work,
		  uint32_t *ret_size)
{
	const uint64_t hash = slot_hash(&corral->arena, key);

	*ret_size = remote_take_base(corral->remote, hash, &work->base, work);
	if (*ret_size != 0 && cart_has_key((const struct cart_head *)work->old, *ret_size, key))
		return 0;
	struct portable_version made = { 0 };
	int r = remote_unpack(corral, &work->base, key, work->old, &made);
	*ret_size = made.size;
	if ((r == 0 && made.unknown_keys == 0 && made.unknown_within == 0) || r == -ENOENT)
		remote_keep_base(corral->remote, hash, &work->base, work->old, made.size);
	return r;
}

int remote_read_begin(struct corral *corral, const struct corral_key *key, unsigned flags,
		      struct corral_view *ret_view)
{
	const bool quiet = ((corral->flags | flags) & CORRAL_OBSERVE) != 0;
	struct remote *remote = corral->remote;
	struct remote_work *work = remote_take_work(remote);
	struct remote_view *view = NULL;
	uint32_t size = 0;

	if (work == NULL)
		return -ENOMEM;
	int r = remote_get(corral, key, quiet ? 0 : ENGINE_TOUCH, remote_give_up_ns(corral),
			   &work->base, NULL);
	if (r == 0)
		r = unpack(corral, key, work, &size);
	if (r == 0 && (view = malloc(sizeof(*view) + size)) == NULL)
		r = -ENOMEM;
	if (r == 0) {
		memcpy(view + 1, work->old, size);
		add_view(remote, view);
		*ret_view = (struct corral_view){
			.version = work->base.version,
			.bytes = bytes_of(view),
			.size = size,
			.corral = corral,
			/* of the clock of this machine; a part of a millisecond counts whole */
			.deadline_ns = ns_add(clock_now_ns(),
					      ((uint64_t)work->base.left_ms + 1) * 1000000),
			.thread = view,
			.of.epoch = view->number,
		};
	}
	remote_give_work(remote, work);
	return r;
}

static_assert(sizeof(struct remote_view) % 8 == 0, "the version that follows is aligned");

int remote_read_end(struct corral_view *view)
{
	struct remote *remote = view->corral->remote;
	struct remote_view *found = NULL;
	int r = -EINVAL;

	remote_lock(remote);
	for (struct remote_view **at = &remote->views; *at != NULL; at = &(*at)->next) {
		if (*at != view->thread || (*at)->number != view->of.epoch)
			continue;
		r = (*at)->pid != remote_own_pid() ? -ESTALE :
		    (*at)->tid != own_tid()        ? -EINVAL :
						     0;
		if (r == 0) {
			found = *at;
			*at = found->next;
		}
		break;
	}
	remote_unlock(remote);
	if (r < 0)
		return r;
	free(found);
	view->bytes = NULL;
	view->size = 0;
	view->thread = NULL;
	return 0;
}

/* Take the calling thread's views out of the list, or (take false) count them only. */
static int own_views(struct remote *remote, bool take)
{
	const int32_t tid = own_tid();
	const pid_t pid = remote_own_pid();
	int count = 0;

	remote_lock(remote);
	for (struct remote_view **at = &remote->views; *at != NULL;) {
		struct remote_view *view = *at;
		const bool ours = view->tid == tid && view->pid == pid;

		count += ours;
		if (ours && take) {
			*at = view->next;
			free(view);
		} else {
			at = &view->next;
		}
	}
	remote_unlock(remote);
	return count;
}

int remote_leave_thread(struct corral *corral)
{
	return own_views(corral->remote, false) > 0 ? -EBUSY : 0;
}

int remote_thread_abandon(struct corral *corral)
{
	return own_views(corral->remote, true);
}

/* -------------------------------------------------------------------- list */

int remote_list(struct corral *corral, void **cursor, const struct corral_text *restaurant,
		struct corral_entry *ret_entries, size_t max, size_t *ret_count)
{
	struct remote *remote = corral->remote;
	struct remote_work *work = remote_take_work(remote);
	const int64_t give_up_ns = remote_give_up_ns(corral);
	struct portable_version made;
	uint32_t round = 0;
	size_t count = 0;
	int r = 0, cancel;

	if (work == NULL)
		return -ENOMEM;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	while (count < max && r == 0) {
		struct engine_value value = { 0 };
		r = remote->engine->list(remote->store, cursor, restaurant,
					 remote_request_end(give_up_ns), &value);
		if (r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN) {
			r = remote_pause(round++, give_up_ns) ? 0 : -EHOSTDOWN;
			continue;
		}
		if (r != 0)
			break;
		/* one that is damaged is left out, as in a directory */
		if (remote_unpack(corral, &value, NULL, work->old, &made) == 0 &&
		    list_fill_row(work->old, made.size, restaurant, &ret_entries[count])) {
			handle_complete_head(corral, &ret_entries[count].head);
			ret_entries[count++].expires_ms = arena_wall_ms() + value.left_ms;
		}
		free(value.record);
	}
	pthread_setcancelstate(cancel, NULL);
	remote_give_work(remote, work);
	if (r < 0 && count == 0)
		return r; /* else it comes again with the next call */
	*ret_count = count;
	return 0;
}

int remote_next(struct corral *corral, void **cursor, void *buffer, uint32_t *ret_size,
		uint64_t *ret_idle_ms)
{
	struct remote *remote = corral->remote;
	const int64_t give_up_ns = remote_give_up_ns(corral);
	struct portable_version made = { 0 };
	struct engine_value value = { 0 };
	uint32_t round = 0;
	int r, cancel;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	do
		r = remote->engine->list(remote->store, cursor, NULL,
					 remote_request_end(give_up_ns), &value);
	while ((r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN) && remote_pause(round++, give_up_ns));
	pthread_setcancelstate(cancel, NULL);
	if (r != 0)
		return r == ENGINE_NOT_DONE || r == ENGINE_UNKNOWN ? -EHOSTDOWN : r;
	*ret_idle_ms = value.ttl_ms - min_u64((uint64_t)value.left_ms, value.ttl_ms);
	r = remote_unpack(corral, &value, NULL, buffer, &made);
	*ret_size = made.size;
	free(value.record);
	return r;
}

void remote_list_end(struct corral *corral, void *cursor)
{
	corral->remote->engine->list_end(cursor);
}
