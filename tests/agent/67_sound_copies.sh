#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What was acknowledged comes back if a sound copy of it is anywhere in the directory: in the arena
# where the journal is damaged, in the journal where the arena is. The mutator (tests/fuzz/mutate.c)
# found a case of each kind.
#
# Usage: [BUILD=dir] tests/agent/67_sound_copies.sh [CLAIM...]   from the root; timeout: 120
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119,SC2120 # claims are called by name
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/journal_kit.sh
. tests/kit/journal_kit.sh
export CORRAL_AGENT=$BUILD/corral-agent

# Where words of the header are: agent_kit's arenas have no other.
SUM_AT=48 BOOT_AT=192 VERSION_AT=8 SIZE_AT=24 UUID_AT=32 CARTS_AT=64
SLOTS_AT=144 PAGES_AT=152 NONCE_AT=2168
CART=1 EMPTY=2 BASE=5

add_synced() { # SESSION...: a cart each, in a round of its own
	local session
	for session; do
		corral 0 add r "$session" --item "item-$session" --name Item --price 1.00 --sync
	done
}

poke() { # FILE AT BYTES, these as printf has them
	# shellcheck disable=SC2059
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

flip() { # FILE AT: all bits of a byte
	local byte
	byte=$(od -An -j "$2" -N 1 -t u1 "$1")
	poke "$1" "$2" "\\x$(printf %02x $((byte ^ 255)))"
}

file_of() { # NUMBER: of the journal
	printf '%s/journal/%012d' "$dir" "$1"
}

# records NUMBER KIND: where the file has them
records() {
	local file at=192 size kind
	file=$(file_of "$1")
	while [[ $at -lt $(stat -c %s "$file") ]]; do
		read -r size kind < <(od -An -j "$at" -N 8 -t u4 "$file")
		[[ $((kind & 65535)) -eq $2 ]] && echo "$at"
		at=$((at + 32 + (size + 7) / 8 * 8))
	done
}

damage_record() { # NUMBER KIND [WHICH]: its first, or the one in that line
	local at
	at=$(records "$1" "$2" | sed -n "${3:-1}p")
	[[ -n $at ]] || fail "file $1 has no such record of kind $2"
	flip "$(file_of "$1")" $((at + 24))
}

reboot() { # as after one: the arena is there, and of another boot
	kill_agent
	flip "$dir/arena" "$BOOT_AT"
}

all_there() { # SESSION...
	local session
	for session; do corral 0 show r "$session"; done
}

# ------------------------------------------------------------------------- claims

a_lost_base_record_costs_no_cart() {
	begin
	add_synced a b
	kill_agent
	begin
	add_synced c
	lose_power
	damage_record 1 "$BASE"
	begin
	log_has "no file has a whole base"
	all_there a b c
}

a_lost_base_record_in_the_only_file_costs_no_cart() {
	begin
	add_synced a b
	lose_power
	damage_record 1 "$BASE"
	begin
	all_there a b
	agent 0 --stop
	gone "$pid"
	begin
	all_there a b
}

the_arena_replaces_a_damaged_record() {
	begin
	add_synced a b
	kill_agent
	begin
	add_synced c a d
	reboot
	damage_record 2 "$CART" 2 # the second version of a
	begin
	log_has "is damaged at byte" "the former arena has version 2 of a cart"
	corral 0 show r a
	has "version 2"
	agent 0 --stop
	gone "$pid"
	agent 1 --salvage # what was in doubt is told
	begin
	all_there a b c d
}

the_arena_replaces_a_damaged_only_record_of_a_cart() {
	begin
	add_synced a
	kill_agent
	begin
	add_synced b c
	kill_agent
	begin
	add_synced d
	reboot
	damage_record 2 "$CART" 1
	begin
	log_has "and the journal none: it is taken, and may have ended"
	all_there a b c d
}

damage_slot() { # NUMBER KIND SLOT: its first such record says that it is about that slot
	local at
	at=$(records "$1" "$2" | sed -n 1p)
	[[ -n $at ]] || fail "file $1 has no such record of kind $2"
	poke "$(file_of "$1")" $((at + 8)) "\\x$3"
}

a_record_with_a_damaged_slot_puts_every_slot_in_doubt() {
	begin
	add_synced a
	kill_agent
	begin
	add_synced b c
	kill_agent
	begin
	add_synced d
	reboot
	damage_slot 2 "$CART" 00 # that of b is about the slot of a now
	begin
	log_has "and the journal none: it is taken, and may have ended"
	all_there a b c d
}

an_end_with_a_damaged_slot_puts_every_slot_in_doubt() {
	begin
	add_synced a b
	kill_agent
	begin
	corral 0 drop r b --sync
	kill_agent
	begin
	add_synced a
	lose_power
	damage_slot 2 "$EMPTY" 00
	begin
	log_has "cart r b has version 1: a later one, or its end, may stand in what is damaged"
}

the_last_round_is_damaged_not_torn_if_the_arena_knows_it_was_synced() {
	begin
	add_synced a a
	reboot
	damage_record 1 "$CART" 2
	begin
	log_has "is damaged at byte"
	corral 0 show r a
	has "version 2"
}

the_arena_replaces_what_was_cut_off_the_last_file() {
	begin
	add_synced a a
	reboot
	truncate -s "$(records 1 "$CART" | sed -n 2p)" "$(file_of 1)"
	begin
	log_has "is shorter than what was synced of it"
	corral 0 show r a
	has "version 2"
}

a_cut_file_is_replaced_though_the_arena_does_not_name_it() {
	begin
	add_synced a a
	reboot
	truncate -s "$(records 1 "$CART" | sed -n 2p)" "$(file_of 1)"
	poke "$dir/arena" "$NONCE_AT" '\0\0\0\0\0\0\0\0'
	begin
	log_has "does not say which file it wrote last"
	corral 0 show r a
	has "version 2"
}

the_arena_replaces_what_was_cut_off_an_earlier_file() {
	local at
	begin
	add_synced a b
	kill_agent
	begin
	add_synced a
	kill_agent
	begin
	add_synced c
	reboot
	at=$(records 2 "$CART" | sed -n 1p) # the second version of a
	truncate -s "$at" "$(file_of 2)"
	begin
	log_has "file 000000000002 was cut"
	all_there a b c
	corral 0 show r a
	has "version 2"
}

a_journal_with_a_cut_or_missing_file_is_begun_anew() {
	local said
	for said in "was cut" "is not there, or has no valid head"; do
		dir="$place/$said"
		begin
		add_synced a
		kill_agent
		begin
		add_synced a b
		kill_agent
		begin
		add_synced c
		kill_agent
		if [[ $said == "was cut" ]]; then
			truncate -s "$(records 2 "$CART" | sed -n 1p)" "$(file_of 2)"
		else
			rm "$(file_of 2)"
		fi
		begin
		log_has "do not belong together: file 000000000002 $said"
		wait_for durable
		lose_power
		begin
		all_there a b c
		corral 0 show r a
		has "version 2"
		kill_agent
	done
}

former_of() { # NUMBER: what its head says of the file before
	od -An -j 20 -N 4 -t u4 "$(file_of "$1")"
}

a_head_has_no_length_of_a_file_that_cannot_be_synced() {
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
	begin
	add_synced a
	kill_agent
	begin
	[[ $(former_of 2) -eq $(($(stat -c %s "$(file_of 1)") / 8)) ]] || fail "$(former_of 2)"
	add_synced a
	kill_agent
	timeout 60 strace -f -qq -o /dev/null -P "$(file_of 2)" -e trace=fsync \
		-e inject=fsync:error=EIO "$BUILD/corral-agent" --dir "$dir" --journal 20ms \
		>>"$dir/agent.log" 2>&1 &
	echo $! >>"$place/pids"
	wait_for test -s "$(file_of 3)"
	[[ $(former_of 3) -eq 0 ]] || fail "$(former_of 3)"
	wait_for durable
	agent 0 --stop
}

a_torn_end_that_recovery_cut_off_is_no_damage() {
	begin
	add_synced a
	lose_power
	head -c 100 /dev/urandom >>"$(file_of 1)" # as a death within a write leaves it
	begin
	log_has "is torn at byte"
	add_synced b
	lose_power
	begin
	log_has "recovered 2 carts"
	all_there a b
	! grep -qsF "was cut" "$place/log" "$dir/agent.log" || fail "it was not"
}

the_arena_replaces_an_emptied_file() {
	begin
	add_synced a
	kill_agent
	begin
	add_synced a b
	kill_agent
	begin
	add_synced c
	reboot
	truncate -s 0 "$(file_of 2)"
	begin
	log_has "file 000000000002 is empty, and a later one is not"
	all_there a b c
	corral 0 show r a
	has "version 2"
}

the_arena_replaces_a_missing_file() {
	local number
	for number in 2 3; do
		dir=$place/$number
		begin
		add_synced a
		kill_agent
		begin
		add_synced a b
		kill_agent
		begin
		add_synced c b
		reboot
		rm "$(file_of "$number")"
		begin
		all_there a b c
		corral 0 show r a
		has "version 2"
		corral 0 show r b
		has "version 2"
		kill_agent
	done
	grep -qs "there may have been another one" "$place/2/agent.log" "$place/log" ||
		fail "the second one is not missed"
	grep -qs "which the arena wrote last, is not there" "$place/3/agent.log" "$place/log" ||
		fail "the third one is not missed"
}

an_arena_without_a_header_replaces_a_damaged_record() {
	begin
	add_synced a a b
	kill_agent
	damage_record 1 "$CART" 2
	dd if=/dev/zero of="$dir/arena" bs=64 count=3 conv=notrunc status=none
	begin
	corral 0 show r a
	has "version 2"
	all_there b
}

recovery_knows_its_arena_without_the_uuid() {
	begin
	add_synced a
	kill_agent
	begin
	add_synced b
	reboot
	rm "$(file_of 2)"
	poke "$dir/arena" "$UUID_AT" '\x01\x02\x03\x04\x05\x06\x07\x08'
	begin
	log_has "and the journal none: it is taken, and may have ended"
	all_there a b
}

an_end_after_the_damage_ends_the_cart_in_every_slot() {
	begin
	add_synced a
	kill_agent
	begin
	corral 0 drop r a --sync
	add_synced x
	kill_agent
	begin
	add_synced y a
	corral 0 drop r a --sync
	add_synced z
	lose_power
	rm "$(file_of 2)"
	damage_record 3 "$CART" 1
	begin
	corral 1 show r a
	agent 0 --stop
	gone "$pid"
	agent 0 --salvage
	begin
	corral 1 show r a
	corral 0 show r z
}

end_in_two_slots() { # cart a ends twice: in its first slot, which x has now, and in another
	begin
	add_synced a
	kill_agent
	begin
	corral 0 drop r a --sync
	add_synced x # into the slot of a
	kill_agent
	begin
	add_synced a # into another one
	corral 0 drop r a --sync
}

an_end_recorded_elsewhere_costs_no_later_cart_of_the_slot() {
	end_in_two_slots
	reboot
	rm "$(file_of 2)"
	begin
	corral 1 show r a
	log_has "and the journal none: it is taken, and may have ended"
	all_there x
}

a_repair_of_a_truncated_arena_uses_the_journal() {
	begin
	add_synced a b
	kill_agent
	flip "$dir/arena" "$SUM_AT"
	truncate -s 300K "$dir/arena"
	corral 1 check --repair "$dir"
	has "rebuilt: 2 carts kept"
	begin
	all_there a b
}

a_repair_copes_with_a_damaged_size_and_number_of_carts() {
	local at
	begin
	add_synced a b
	kill_agent
	# all bytes of the size, and one of the number
	poke "$dir/arena" "$SIZE_AT" '\xff\xff\xff\xff\xff\xff\xff\xff'
	poke "$dir/arena" "$CARTS_AT" '\xff'
	# the one copy of the first cart in the arena
	at=$(grep -abo "item-a" "$dir/arena" | head -n 1)
	flip "$dir/arena" "${at%%:*}"
	corral 0 check --repair "$dir"
	has "rebuilt: 2 carts kept (1 of them found again, 0 perhaps older), 0 left out"
	begin
	all_there a b
}

wipe() { # FROM TO: of the arena
	head -c $(($2 - $1)) /dev/zero | dd of="$dir/arena" bs=64K seek="$1" oflag=seek_bytes \
		conv=notrunc status=none
}

word() { # AT: of the arena's header
	od -An -j "$1" -N 8 -t u8 "$dir/arena" | tr -d ' '
}

a_repair_knows_its_journal_without_the_uuid() {
	local at slots
	begin --max-carts 256
	add_synced a b
	kill_agent
	slots=$(word "$SLOTS_AT")
	# the first cart's version, and its slot: only the journal has it
	at=$(($(od -An -j $((slots + 12)) -N 4 -t u4 "$dir/arena") * 64))
	wipe "$at" $((at + 256))
	wipe "$slots" $((slots + 64))
	poke "$dir/arena" "$UUID_AT" '\x01\x02\x03\x04\x05\x06\x07\x08'
	cp "$dir/arena" "$place/damaged"
	corral 1 check --repair "$dir"
	has "which the journal has, is taken" "(0 of them found again, 1 perhaps older)"
	begin
	all_there a b
	add_synced c # the new journal has its base by then
	kill_agent
	# and all slots, so that none says anything
	cp "$place/damaged" "$dir/arena"
	wipe "$slots" "$(word "$PAGES_AT")"
	corral 1 check --repair "$dir"
	begin
	all_there a b
}

one_of_a_files_two_heads_is_enough() {
	local at number
	begin
	add_synced a
	kill_agent
	begin
	add_synced b
	lose_power
	for number in 1 2; do
		for at in 0 20 30 40 72 90; do
			flip "$(file_of "$number")" $(((number - 1) * 96 + at))
		done
	done
	begin
	log_has "the head of file 000000000001 is damaged: there is another one"
	all_there a b
}

a_repair_takes_no_cart_that_ended_in_another_slot() {
	end_in_two_slots
	add_synced z
	kill_agent
	rm "$(file_of 2)"
	truncate -s 300K "$dir/arena"
	corral 1 check --repair "$dir"
	begin
	corral 1 show r a
	all_there z
}

a_salvage_into_a_new_arena_takes_all_of_a_damaged_journal() {
	begin
	add_synced a b
	kill_agent
	begin
	add_synced a c
	lose_power
	damage_record 2 "$CART" 1
	begin
	log_has "the damaged journal is kept as journal.damaged."
	all_there a b
	kill_agent
	rm -r "$dir/arena" "$dir/journal"
	begin
	kill_agent
	agent 1 --salvage # of b there may be more in what is damaged
	begin
	all_there a b c
}

a_salvage_leaves_other_entries_of_that_name_alone() {
	begin
	add_synced a b
	kill_agent
	: >"$dir/journal.damaged.1"
	ln -s "$place" "$dir/journal.damaged.2"
	mkdir "$dir/journal.damaged.3.unread"
	cp "$dir"/journal/* "$dir/journal.damaged.3.unread"
	chmod 770 "$dir/journal.damaged.3.unread"
	rm -r "$dir/arena" "$dir/journal"
	agent 0 --size 16M --salvage
	has "journal.damaged.1 is no directory: it is left alone"
	begin
	all_there a b
}

a_flipped_bit_in_the_layout_number_is_damage() {
	begin
	add_synced a
	kill_agent
	flip "$dir/arena" "$VERSION_AT"
	corral 1 check "$dir"
	has "is damaged (in what says its layout)"
	begin
	all_there a
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
