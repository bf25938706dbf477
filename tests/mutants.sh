#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Check that the crash tests can fail. Each mutant removes one step of the death protocol in a copy
# of the tree; the tests that kill a process at every instruction must then fail.
# Usage: tests/mutants.sh [PATTERN]   (make mutants)
# Prints a line for each mutant; exits non-zero when one survives.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
root=$(mktemp -d "${TMPDIR:-/tmp}/corral-mutants.XXXXXX")
trap 'rm -rf "$root"' EXIT
pattern=${1:-.}
# shellcheck source=tests/kit/mutant_kit.sh
. tests/kit/mutant_kit.sh

enter_copy "$root"
tests=(45_slot 45_slot_step 58_salvage_death 40_block_death 40_block_trim 30_lock_death 30_lock \
	35_grace 35_grace_light 40_block 57_feed 57_feed_edges 80_crash_matrix 81_crash_files \
	58_death)
whole=(1 24) # operations of the crash matrix: a merge, and reading the feed

build() {
	make -j"$(nproc)" DEPS=skip build/corral-agent "${tests[@]/#/build/tests/}" >build.log 2>&1
}

is_red() { # print the first test that fails
	local test only
	for test in "${tests[@]}"; do
		CORRAL_CRASH=first timeout 200 "build/tests/$test" >"$test.log" 2>&1 || {
			echo "$test"
			return 0
		}
	done
	# the sample may have missed it: every state of these, and of their repair
	for only in "${whole[@]}"; do
		CORRAL_CRASH=all CORRAL_CRASH_ONLY=$only timeout 300 build/tests/80_crash_matrix \
			>whole.log 2>&1 || {
			echo "80_crash_matrix, whole"
			return 0
		}
	done
	return 1
}

must_be_green() { # else a mutant would be killed by a test that fails without it, or is too slow
	local by
	if by=$(is_red); then
		echo "BROKEN   without any mutant ($by)"
		exit 2
	fi
}

must_build
must_be_green
mutant 'publishing does not note the old version' shm/store/slot.c \
	's/^\tnote\(&intent->old, slot->current\);$//'
mutant 'the hand is not let go of after publishing' shm/store/slot.c \
	'/^static bool after_publish/,/^}/ s/^\tnote\(&record->intent.hand, 0\);.*$//'
mutant 'repair does not look whether it was published' shm/store/slot.c \
	'/^static uint32_t repair_held/,/^}/ {
		s/^\t\t\(void\)after_publish\(arena, record, slot, true\);$/\t\t;/
	}'
mutant 'repair does not finish an end' shm/store/slot.c \
	's/ && repair_end\(arena, record, bucket, slot\)\)$/ \&\& repair_end == NULL)/'
mutant 'repair does not finish an insertion' shm/store/slot.c \
	's/^\t\tafter_insert\(arena, record, true\);.*$/\t\t;/'
mutant 'an end does not note the version to retire' shm/store/slot.c \
	'/^static bool finish_end/,/^}/ s/^\t\tnote\(&record->intent.old, current\);$//'
mutant 'an end does not name the slot to free' shm/store/slot.c \
	'/^\t\tnote\(&arena_block\(arena, current\)->slot,$/,/;/d'
mutant 'repair forgets the slot lock' shm/store/slot.c \
	's/^\t\tlock_release_of\(&slot->lock, name\);$//'
mutant 'repair forgets the bucket lock' shm/store/slot.c \
	's/^\t\tlock_release_of\(&bucket->lock, name\);$/\t\t;/'
mutant 'a popped list is not given back' shm/memory/block_repair.c \
	'/case SPLICE_POP/,/break;/ s/^\t+note\(&c->head, intent->splice_first\);$//'
mutant 'never used blocks are not given back' shm/memory/block_repair.c \
	'/case SPLICE_BUMP/,/break;/ s/^\t+note\(&c->bump, intent->splice_first\);$/;/'
mutant 'a pushed list stays in the cache too' shm/memory/block_repair.c \
	'/case SPLICE_PUSH/,/break;/ s/^\t+note\(&record->cache.*$/;/'
mutant 'carving is not told' shm/memory/span.c 's/^\tnote\(&intent->splice_kind, SPLICE_CARVE\);$//'
mutant 'a block is unlinked before it is noted in hand' shm/memory/retire.c \
	's/^\t\tnote\(&intent->hand, lists->ready\);$//'
mutant 'a moved list is not cut off' shm/memory/block_repair.c \
	's/^\t\tnote\(&lists->waiting, 0\);.*$/\t\t;/'
mutant 'a retired block is retired again' shm/memory/block_repair.c \
	's/^\t\tnote\(&intent->old, 0\); \/\* pushed already \*\/$/\t\t;/'
mutant 'a listed block stays in hand' shm/memory/block_repair.c \
	's/^\tdrop_hand_if_listed\(arena, record\);$/\t(void)drop_hand_if_listed;/'
mutant 'the slots lock is not freed' shm/memory/block_repair.c \
	's/^\tlock_release_of\(&arena->header->slots_lock, name\);$//'
mutant 'a dead reader is not cleared' shm/store/repair.c 's/^\tgrace_end\(record\);$//'
mutant 'the heir does not settle' shm/api/attach.c 's/^\tblock_settle\(actor\);$//'
mutant 'no waiter asks whether the holder lives' shm/sync/lock.c \
	's/^\t\t\(void\)alive_bury_if_dead\(actor, now & LOCK_HOLDER\);$/\t\t;/'
mutant 'only a holder that was seen before is asked after' shm/sync/lock.c \
	's/now != 0 && stays\(/(now \& LOCK_HOLDER) == (seen \& LOCK_HOLDER) \&\& stays(/'
mutant 'a change does not note the slot it wants' shm/store/slot.c \
	'/^void slot_want/,/^}/ s/^\t\tnote\(&intent->slot, .*$/\t\t(void)intent;/'
mutant 'a change does not note the bucket it wants' shm/store/slot.c \
	'/^void slot_want/,/^}/ s/^\t\tnote\(&intent->bucket, .*$/\t\t(void)intent;/'
mutant 'a splice is not told' shm/memory/block.c \
	's/^\tnote\(&intent->splice_kind, kind\);$/\t(void)kind;/'
mutant 'dissolving is not told' shm/memory/pressure.c \
	's/^\tnote\(&intent->splice_kind, SPLICE_DISSOLVE\);$//'
mutant 'the lists wanted are not noted' shm/memory/retire.c \
	'/^static struct retired \*want_lists/,/^}/ s/^\tnote\(.*$/\t(void)actor;/'
mutant 'a slot is taken before it is noted in hand' shm/memory/free_slot.c \
	'/^int block_take_slot/,/^}/ {
		s/^\t\tnote\(&intent->hand_slot, h->slots_free\);$//
		s/^\t\tnote\(&h->slots_free, slot->next\);$/\t\tslot_link taken = h->slots_free;\n&/
		/slots_free;\n/ s/$/\n\t\tnote(\&intent->hand_slot, taken);/
	}'
mutant 'a published change is not marked dirty' shm/store/slot.c \
	'/^static bool after_publish/,/^}/ s/^\tmark_dirty\(.*$/\t(void)arena;/'
mutant 'a new cart is not marked dirty' shm/store/slot.c \
	'/^static void after_insert/,/^}/ s/^\tmark_dirty\(.*$//'
mutant 'an end is not marked dirty' shm/store/slot.c \
	'/^static bool finish_end/,/^}/ s/^\tmark_dirty\(.*$//'
mutant 'repair does not mark what was published' shm/store/slot.c \
	'/^static uint32_t repair_held/,/^}/ {
		s/\(void\)after_publish\(arena, record, slot, true\);$/(void)bump_change(slot); &/
		s/(bump_change\(slot\); ).*/\1note(\&intent->hand, 0);/
	}'
mutant 'repair renews what was published' shm/store/slot.c \
	'/^static uint32_t repair_held/,/^}/ {
		s/^\t\t\(void\)after_publish\(arena, record, slot, true\);$/&\
		slot->lease = lease_of(arena_now_ns(arena), 0);/
	}'
mutant 'an end is told before it is final' shm/store/slot.c \
	's/if \(lease != LEASE_OVER && !cas_acq_rel\(&slot->lease, .*\)\)$/if (false)/'
mutant 'a longer life goes over an end' shm/store/slot.c \
	'/^static void settle_ttl/,/^}/ s/ \|\| !lease_runs\(lease\) \|\|/ ||/'
mutant 'an end that is told is not marked dirty' shm/store/slot.c \
	'/^int slot_judge/,/^}/ s/^\tmark_lease\(.*$/\t(void)fenced;/'
mutant 'a longer life comes after its version' shm/store/slot.c \
	'/^int slot_renew/,/^}/ s/^\t\t\trenewed = .*$/\t\t\t(void)code;/'
mutant 'an ended cart leaves no version behind' shm/store/slot.c \
	's/^\t\t\tnote\(&bucket->version_floor, .*$/\t\t\t(void)cart;/'
mutant 'a freed thread record keeps its generation' shm/store/repair.c \
	's/^\tnote\(&record->generation, .*$//'
mutant 'a freed process record keeps its generation' shm/sync/alive.c \
	's/^\tnote\(&record->generation, .*$//'
mutant 'a thread record is freed before its locks' shm/store/repair.c \
	'/^static void repair_thread/,/^}/ {
		s/^\tuint32_t found = slot_repair\(/\tstore_release(\&record->owner, 0);\n&/
	}'
mutant 'a process record is freed before its threads' shm/sync/alive.c \
	'/^static bool bury/,/^}/ {
		s/^\t\t\trepair\(arena, number\);$//
		s/^\t\t\tfree_record\(record\);$/&\n\t\t\trepair(arena, number);/
	}'
mutant 'a burial does not take the byte' shm/sync/alive.c \
	'/^static bool bury/,/^}/ s/if \(alive_take\(life, ALIVE_BYTE\(number\)\)\)/if (true)/'
mutant 'a changed version is not retired' shm/api/attempt.c \
	'/^int attempt_existing/,/^}/ {
		s/^\t\tblock_retire_old\(.*$/\t\tnote(\&attempt->actor->record->intent.old, 0);/
	}'
mutant 'the first of several steps is a change of its own' shm/api/change_calls.c \
	'/^int corral_apply/,/^}/ {
		s/^\tif \(r == 0\)$/\tif (r == 0 \&\& step_count > 1)\
		(void)apply_one(corral, key, steps, NULL, \&result, \&step);\
&/
	}'
mutant 'a version made ahead is published unlooked' shm/api/attempt.c \
	's/^\treturn changes_of\(slot\) == changes;$/\treturn true;/
		s/changes_of\(slot\) == changes && //'
mutant 'a block that came back to hand is let go' shm/api/attempt.c 's/^\t\tif \(locked\)$//'
mutant 'a reader without fences does not say so' shm/sync/grace.c \
	's/^\t\tstore_relaxed\(&record->light_phase, phase\);$//'
mutant 'readers without fences get no membarrier' shm/sync/grace.c \
	's/ \|\| !some_light\(actor->arena, fenced\)\)/ || some_light != NULL)/'
mutant 'a reader that must fence goes without' shm/sync/grace.c 's/ && !actor->fenced\)/)/'
mutant 'the next owner goes without fences at once' shm/sync/grace.h \
	's/^\tstore_relaxed\(&record->light_phase, 0\);.*$//'
mutant 'a thread that leaves goes on without fences' shm/sync/grace.h \
	'/^static inline void grace_end/,/^}/ s/^\tstore_release\(&record->light_phase, 0\);.*$//
		s/ && load_acquire\(&record->owner\) != 0//'
mutant 'a light phase is not taken back' shm/sync/grace.c \
	's/^\t\t\tstore_release\(&record->light_phase, 0\);.*$/\t\t\t;/'
mutant 'idle readers are not waited for without membarrier' shm/sync/grace.c \
	's/^\treturn now_ns - actor->settle_since_ns >= SETTLE_NS;$/\treturn now_ns != 0;/'
mutant 'idle readers are waited for without end' shm/sync/grace.c \
	's/^\treturn now_ns - actor->settle_since_ns >= SETTLE_NS;$/\treturn now_ns == 0;/'
mutant 'disk space that a slot names is given back' shm/memory/pressure.c \
	's/some_version_behind\(arena, keep\)\)/some_version_behind == NULL)/'
mutant 'disk space that a void view reads is given back' shm/memory/pressure.c \
	's/if \(some_void_view\(arena\)\)/if (some_void_view == NULL)/'
mutant 'of a span its first page stays' shm/memory/pressure.c \
	's/return sound \? page - 1 \+ pages : reserved;/return sound ? page : reserved;/'
mutant 'disk space in use is given back' shm/memory/pressure.c \
	'/^static uint32_t pages_in_use/,/^}/ s/if \(word == 0\)/if (word != UINT32_MAX)/'
mutant 'an ended version is not retired' shm/store/expire.c \
	's/^\tblock_retire_old\(.*$/\tnote(\&actor->record->intent.old, 0);/'
mutant 'the heir does not retire what is old' shm/memory/retire.c \
	'/^void block_settle/,/^}/ s/^\t\tblock_retire_old\(.*$/\t\tnote(\&record->intent.old, 0);/'
mutant 'the heir does not free what is in hand' shm/memory/retire.c \
	'/^void block_settle/,/^}/ s/^\t\tblock_free_hand\(.*$/\t\tnote(\&record->intent.hand, 0);/'
mutant 'records without an owner are not emptied' shm/memory/retire.c \
	's/^\t\tempty_orphan\(actor, number, &budget\);$/\t\t(void)empty_orphan, (void)budget;/'
mutant 'a forked child goes on as its parent' shm/api/attach.c \
	's/MADV_WIPEONFORK\) != 0/MADV_DOFORK) != 0/'
mutant 'a stale half arena is not removed' shm/arena/arena.c \
	's/unlinkat\(dir_fd, TEMPORARY_FILE, 0\) < 0/false/'
mutant 'an arena is filled in after it is in place' shm/arena/arena.c \
	'/^int arena_create/,/^}/ {
		s/^\tr = fill_file\(.*$//
		s/^\tclose\(fd\);$/\tif (r == 0)\n\t\tr = fill_file(dir_fd, fd, \&header, why);\n&/
	}'
mutant 'a retired version stays marked live' shm/memory/retire.c \
	's/^\tnote\(&block->mark, BLOCK_STALE\);.*$//'
mutant 'a version is not marked live' shm/store/slot.c \
	'/^bool slot_publish\(/,/^}/ s/^\tmark_block\(.*$//'
mutant 'what was not published stays marked live' shm/store/slot.c \
	's/^\t\tmark_block\(arena, intent->hand, BLOCK_STALE\);$/\t\t;/'
mutant 'the slot does not say which version is the newest' shm/store/slot.c \
	'/^bool slot_publish\(/,/^}/ s/^\tnote_newest_version\(.*$//'
mutant 'an event is told before the change has happened' shm/store/slot.c \
	'/^bool slot_publish\(/,/^}/ {
		s/^\tfeed_note\(actor, slot->stamp\);$/&\
	feed_complete(actor->arena, actor->record, \&slot->stamp, NULL);/
	}'
mutant 'repair voids the event of a change that has happened' shm/store/slot.c \
	'/^static uint32_t repair_held/,/^}/ s/^\tuint32_t found = 0;$/&\n\tfeed_void(record);/'
mutant 'after a death an event is numbered twice' shm/store/feed.c \
	'/^static void feed_finish/,/^}/ s/^\t\tstore_release\(&record->lane_tail, .*$/\t\t;/'
mutant 'a drop is not told' shm/api/change.c \
	'/^static int drop_locked/,/^}/ s/^\t\tslot_prepare_end\(/\t\tif (false)\n&/'
mutant 'an event does not come after the one before it of its cart' shm/store/feed.c \
	's/= max_u64\(before, record->lane_stamp\);/= before - before + record->lane_stamp;/'
mutant 'an end lowers the stamp of its bucket' shm/store/slot.c \
	's/max_u64\(slot->stamp, bucket->stamp\)/slot->stamp/'
mutant 'memory for a copy is looked for by way of the hand' shm/memory/allocate.c \
	's/= actor->record->intent.hand == 0 \? restock/= true ? restock/'
mutant 'a change that began while the feed was off is not counted' shm/store/feed.c \
	'/^void feed_note/,/^}/ s/^\t\tif \(feed_on\(actor->arena\)\).*$/\t\tif (false)/'

mutant 'a copy has two owners after a death' shm/store/feed.c \
	'/^void feed_complete_rest/,/^}/ s/^\tnote\(&record->intent.copies\[0\], 0\);.*$/\t;/'
mutant 'an end that got no number keeps its place' shm/store/feed_ends.c \
	'/^void feed_ends_finish/,/^}/ s/^\tstore_release\(&h->ends_next, .*$/\t;/'
mutant 'an end is told without its last version' shm/store/slot.c \
	's/^\tfeed_keep_version\(actor, 0, cart, .*$//'

# What the journal does for the feed: the power is lost, or an arena is made anew.
tests=(67_ends 68_power_loss) whole=()
must_build
must_be_green
mutant 'an end is not in the journal' agent/journal_ends.c \
	's/^\treturn journal_append\(j, JOURNAL_END,/\treturn 0;\n&/'
mutant 'an end is written after the sync' agent/journal.c \
	's/^\t\tr = journal_put_ends\(j, &some\);$/\t\t;/
	s/^\t\tr = journal_sync\(j\);$/&\
	if (r == 0)\
		r = journal_put_ends(j, \&some);\
	if (r == 0)\
		r = journal_flush(j);/'
mutant 'a part of a round counts' agent/recover_index.c \
	's/^\t\tdrop_round\(recover, file\);$/\t\t(void)drop_round, take_round(recover, file);/'
mutant 'a base lacks the ends that were written before' agent/journal_write.c \
	's/^\t\tj->ends_to = 0;$//'
mutant 'a cursor is not in the journal' agent/journal_ends.c \
	's/JOURNAL_CURSOR, place, 0,/JOURNAL_CURSOR, FEED_CURSORS, 0,/'
mutant 'what a recovery ends is not told' agent/ends.c \
	's/^\tadd_locked\(ends, UINT64_MAX, .*$/\t(void)add_locked;/'
mutant 'a cursor begins behind what it had not acknowledged' agent/ends.c \
	's/^\t\tmap_cursors\(ends, mapped, told->former, .*$//'
count_mutants
