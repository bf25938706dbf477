#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Recovery from the journal, from the outside: damage and its cost, what --salvage recovers, disk
# trouble during recovery, and agents that are killed at any of their system calls.
#
# Usage: [BUILD=dir] tests/agent/67_recovery.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119,SC2120
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/journal_kit.sh
. tests/kit/journal_kit.sh
export CORRAL_AGENT=$BUILD/corral-agent
CORRAL_EVERY=${CORRAL_EVERY:-4} # kill at one in this many of a recovery's system calls
RANDOM=${CORRAL_SEED:=$((SECONDS + $$))}

can_trace() {
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
}

add_synced() { # SESSION...: one cart each, each in its own round
	local session
	for session; do
		corral 0 add r "$session" --item "item-$session" --name Item --price 1.00 --sync
	done
}

damage() { # FILE TEXT: at its first occurrence
	local at
	at=$(grep -abo -m 1 -- "$2" "$1" | head -n 1 | cut -d: -f1)
	[[ -n $at ]] || fail "no $2 in $1"
	printf 'X' | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

journal_files() { find "$dir/journal" -type f | sort; }
kept() { find "$dir" -maxdepth 1 -type d -name "journal.$1.*" | sort; }

# One file: a and the base are before the damage, b is damaged, c and d are after it.
damaged_in_the_middle() {
	begin
	add_synced a b c d
	lose_power
	damage "$(journal_files | tail -n 1)" item-b
}

# CALL INJECTION [STRACE'S ARGUMENTS]: an agent in the foreground; sets tracer; returns when it is
# ready or has ended
under_trace() {
	local n
	: >"$place/out" # else the earlier output could be read before this agent opens the file
	timeout 30 strace -f -qq -o /dev/null -e trace="$1" -e inject="$1:$2" "${@:3}" \
		"$BUILD/corral-agent" --dir "$dir" --size 16M --journal 20ms >"$place/out" 2>&1 &
	tracer=$!
	echo "$tracer" >>"$place/pids"
	for ((n = 0; n < 500; n++)); do
		[[ -d /proc/$tracer ]] || return 1
		grep -q ready "$place/out" && return 0
		sleep 0.02
	done
	fail "neither ready nor ended: $(cat "$place/out")"
}

# ------------------------------------------------------------- claims

damaged_files_cost_only_what_is_in_them() {
	begin
	add_synced a b c
	kill_agent
	begin # a second file: later changes are not in danger
	add_synced d
	lose_power
	damage "$(journal_files | head -n 1)" item-b
	begin
	log_has "no valid record at byte" "are passed over"
	corral 0 show r a
	corral 1 show r b
	corral 0 show r c
	corral 0 show r d
	[[ -z $(kept damaged) ]] || fail "kept, but all that is sound was taken"
	lose_power
	head -c 20M /dev/zero >>"$(journal_files | tail -n 1)"
	begin
	log_has "is torn at byte"
	corral 0 show r d
	[[ -z $(kept damaged) ]] || fail "kept, but nothing sound was left out"
	lose_power
	head -c 10M /dev/urandom >"$dir/journal/000000000900" # its head is not ours
	begin
	log_has "has no valid head"
	corral 0 show r d
	[[ -f $(kept damaged)/000000000900 ]] || fail "it is not kept"
}

# at its end, and in the middle: a member can make a terabyte of holes at no cost
holes_in_a_file_are_not_read() {
	local last
	begin
	add_synced a b
	kill_agent
	begin
	add_synced c
	lose_power
	last=$(journal_files | tail -n 1)
	truncate -s +1T "$last"
	begin
	log_has "is torn at byte"
	local name
	for name in a b c; do corral 0 show r "$name"; done
	lose_power
	truncate -s +1T "$(journal_files | head -n 1)"
	begin
	for name in a b c; do corral 0 show r "$name"; done
}

records_after_a_damage_are_kept_and_can_be_salvaged() {
	damaged_in_the_middle
	begin
	log_has "is damaged at byte" "2 of them versions of carts, are not taken" \
		"is kept as journal.damaged." "corral-agent --salvage"
	corral 0 show r a
	local name
	for name in b c d; do corral 1 show r "$name"; done
	corral 0 add r a --item more --name More --price 2.00 --sync
	agent 1 --salvage
	has "another agent has this directory"
	agent 0 --stop
	gone "$pid"
	agent 0 --salvage
	has "2 carts were taken" "of 3 in all" "is now journal.salvaged."
	agent 0 --salvage
	has "no damaged journal"
	[[ -z $(kept damaged) && -n $(kept salvaged) ]] || fail "$(ls "$dir")"
	begin
	corral 0 show r a
	has More
	corral 1 show r b
	corral 0 show r c
	corral 0 show r d
	sound
	lose_power
	begin # what was salvaged is on disk
	corral 0 show r a
	has More
	corral 0 show r c
	corral 0 show r d
}

a_salvage_may_come_first() {
	damaged_in_the_middle
	agent 0 --salvage
	has "are passed over" "recovered 3 carts"
	begin
	corral 0 show r a
	corral 1 show r b
	corral 0 show r c
	corral 0 show r d
	[[ -z $(kept damaged) ]] || fail "kept, but all that is sound was taken"
}

a_cart_that_ended_while_a_journal_lay_aside_is_not_salvaged() {
	damaged_in_the_middle
	begin
	wait_for durable # else the damaged journal is still the valid one
	lose_power
	touch -d "31 minutes ago" "$(kept damaged)"
	agent 0 --salvage
	has "0 carts were taken" "3 have ended meanwhile"
	begin
	corral 0 show r a
	corral 1 show r c
}

# Offset of the last record of that kind in the journal's last file; 1 CART, 2 EMPTY.
record_at() { # KIND
	local file at=192 size kind found=
	file=$(journal_files | tail -n 1)
	while [[ $at -lt $(stat -c %s "$file") ]]; do
		read -r size kind < <(od -An -j "$at" -N 8 -t u4 "$file")
		kind=$((kind & 65535))
		[[ $kind -eq $1 ]] && found=$at
		at=$((at + 32 + (size + 7) / 8 * 8))
	done
	[[ -n $found ]] || fail "no record of kind $1"
	echo "$found"
}

zero() { # OFFSET BYTES: of the journal's last file
	dd if=/dev/zero of="$(journal_files | tail -n 1)" bs=1 seek="$1" count="$2" conv=notrunc \
		status=none
}

drop_synced() { # SESSION...
	local session
	for session; do corral 0 drop r "$session" --sync; done
}

a_drop_after_a_damage_is_final() {
	begin
	add_synced a b c d e
	drop_synced a c
	lose_power
	damage "$(journal_files | tail -n 1)" item-b
	begin
	log_has "is damaged at byte"
	corral 1 show r a
	corral 1 show r c
	agent 0 --stop
	gone "$pid"
	agent 0 --salvage
	has "2 carts were taken" "of 2 in all"
	begin
	corral 1 show r a
	corral 1 show r c
	corral 0 show r d
	corral 0 show r e
}

carts_that_may_have_been_dropped_in_a_damage_are_named() {
	begin
	add_synced a b c
	drop_synced a
	local at
	at=$(record_at 2)
	add_synced c # again: in its own slot
	lose_power
	printf 'X' |
		dd of="$(journal_files | tail -n 1)" bs=1 seek=$((at + 35)) conv=notrunc status=none
	begin
	log_has "cart r a has version 1: a later one, or its end, may stand in what is damaged" \
		"cart r c has version 1" "2 perhaps older or ended"
	agent 0 --stop
	gone "$pid"
	agent 1 --salvage
	has "cart r a has version 1" "1 may be older or have ended" \
		"1 carts were taken; of 3 in all"
	[[ $out != *"cart r b"* ]] || fail "b has not: $out"
}

an_unreadable_record_leaves_every_earlier_cart_in_doubt() {
	begin
	add_synced a b c
	drop_synced a
	local at
	at=$(record_at 2)
	add_synced c # again: in its own slot
	lose_power
	zero "$at" 40
	agent 1 --salvage
	has "cart r a has version 1" "cart r b has version 1" "2 perhaps older or ended"
	[[ $out != *"cart r c"* ]] || fail "c is behind it: $out"
}

a_cart_that_ended_since_a_recovery_is_not_salvaged() {
	damaged_in_the_middle
	begin
	drop_synced a
	agent 0 --stop
	gone "$pid"
	agent 0 --salvage
	has "2 carts were taken" "of 3 in all 1 have ended meanwhile"
	begin
	corral 1 show r a
	corral 0 show r c
}

a_damage_in_the_only_base_costs_only_what_is_in_it() {
	start --journal off
	local name
	for name in a b c d; do
		corral 0 add r "$name" --item "item-$name" --name Item --price 1.00
	done
	agent 0 --stop
	gone "$pid"
	begin
	add_synced e f
	lose_power
	damage "$(journal_files | tail -n 1)" item-b
	begin
	log_has "are passed over" "recovered 5 carts"
	for name in a c d e f; do corral 0 show r "$name"; done
	corral 1 show r b
	[[ -n $(kept damaged) ]] || fail "it is not kept"
}

a_second_power_loss_at_once_costs_nothing() {
	local name
	begin
	add_synced a b c
	corral 0 drop r b --sync
	lose_power
	begin
	[[ $(status_of durable) == true ]] ||
		fail "the journal does not go on: $(tail -n 5 "$dir/agent.log")"
	[[ $(journal_files | wc -l) -eq 2 ]] || fail "it was begun anew: $(journal_files)"
	add_synced d
	lose_power
	begin
	log_has "recovered 3 carts"
	for name in a c d; do corral 0 show r "$name"; done
	corral 1 show r b
	agent 0 --stop
	gone "$pid"
	sound
}

version_of() { # SESSION: after another add
	local text
	text=$("$BUILD/corral" --dir "$dir" add r "$1" --item i --name Item --price 1.00 --json) ||
		return
	text=${text#*'"version":'}
	echo "${text%%,*}"
}

a_version_that_was_lost_is_never_accepted_for_another_content() {
	local mode
	for mode in 1h sync; do
		dir=$place/$mode
		start --journal "$mode"
		corral 0 add r a --item burger --name Burger --price 8.99 --sync
		# a visible change is not durable yet, with `sync`, too: here it never becomes so
		kill -STOP "$pid"
		timeout 10 "$BUILD/corral" --dir "$dir" add r a --item fries --name Fries \
			--price 3.00 >/dev/null 2>&1
		timeout 10 "$BUILD/corral" --dir "$dir" add r a --item coke --name Coke \
			--price 2.00 >/dev/null 2>&1
		corral 0 show r a --json
		has '"version":3,'
		lose_power
		start --journal "$mode"
		corral 0 show r a --json
		has '"version":1,'
		add r a
		add r a
		corral 1 checkout r a --if-version 3
		corral 1 checkout r a --if-version 2
		lose_power
	done
}

# The arena is in place, the agent is dead, and workers continue: then the power fails, and the
# arena is gone.
versions_seen_after_a_recovery_that_was_killed_are_not_given_again() {
	local call nth seen again judged=0
	can_trace
	begin
	add_synced a
	lose_power
	cp -a "$dir" "$place/image"
	for call in renameat fsync fdatasync openat pwrite64; do
		for ((nth = 1 + RANDOM % 2; nth < 60; nth += 2)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			if under_trace "$call" "signal=KILL:when=$nth"; then
				kill -9 "$(agent_pid)"
				gone "$tracer"
				break # the program makes no more of these calls
			fi
			gone "$tracer"
			byte_free
			[[ -f $dir/arena ]] || continue
			seen=$(version_of a) || fail "$call $nth: $seen"
			rm "$dir/arena"
			begin
			again=$(version_of a) || fail "$call $nth: $again"
			[[ $again -gt $seen ]] ||
				fail "$call $nth: version $again, and $seen was seen"
			judged=$((judged + 1))
			kill_agent
		done
	done
	echo "CORRAL_SEED=$CORRAL_SEED: $judged arenas in place" >&3
	[[ $judged -ge 1 ]] || fail "no kill left an arena in place"
}

# A read-only tool reports the end long before the agent's sweep; the cart's slot is in the next
# rounds.
an_end_that_was_told_stays_after_a_power_loss() {
	local n
	begin
	add_synced a b
	corral 0 ttl r a 1s --sync
	for ((n = 0; n < 200; n++)); do
		"$BUILD/corral" --dir "$dir" show r a >/dev/null 2>&1 || break
		sleep 0.05
	done
	corral 1 show r a
	sleep 0.3
	lose_power
	begin
	corral 1 show r a
	corral 0 show r b
	corral 0 add r a --item new --name New --price 1.00
	corral 0 show r a --json
	[[ $out == *'"version":'* && $out != *item-a* ]] || fail "it is the old cart: $out"
}

records_after_a_torn_end_never_come_back() {
	local last name
	begin
	add_synced a b
	lose_power
	last=$(journal_files | tail -n 1)
	cp "$last" "$place/whole"
	truncate -s -8 "$last" # the last CLOCK
	begin
	cmp -n "$(stat -c %s "$last")" "$last" "$place/whole" || fail "the file was changed"
	[[ $(stat -c %s "$last") -lt $(($(stat -c %s "$place/whole") - 8)) ]] ||
		fail "the torn record is still there"
	for name in a b; do corral 0 show r "$name"; done
}

a_cart_that_ended_while_no_journal_was_kept_stays_ended() {
	begin
	add_synced a
	agent 0 --stop
	gone "$pid"
	start --journal off
	corral 0 drop r a
	agent 0 --stop
	gone "$pid"
	: >"$dir/agent.log"
	traced fdatasync:error=EIO # a new journal is begun, and its base is never synced
	wait_for grep -q "cannot be written" "$dir/agent.log"
	kill -9 "$(agent_pid)"
	gone "$pid"
	byte_free
	rm -f "$dir/arena"
	begin
	corral 1 show r a
}

hopeless_files_are_set_aside_and_the_agent_starts() {
	begin
	add_synced a
	lose_power
	dd if=/dev/urandom of="$(journal_files)" bs=192 count=1 conv=notrunc status=none
	begin
	log_has "no arena can be made out of the journal" "it is kept as journal.hopeless."
	[[ -n $(kept hopeless) ]] || fail "$(ls "$dir")"
	corral 1 show r a
	add_synced b
	lose_power
	begin
	corral 0 show r b
}

trouble_with_the_disk_while_recovering_costs_nothing() {
	local one where
	can_trace
	begin
	add_synced a b
	lose_power
	cp -a "$dir" "$place/image"
	for one in pread64:error=EIO:when=1 pread64:error=EIO:when=3 pread64:error=EIO:when=4 \
		fallocate:error=ENOSPC pwrite64:error=EIO:when=2 fsync:error=EIO:when=1 \
		fsync:error=EIO:when=2 msync:error=EIO ftruncate:error=ENOSPC mkdirat:error=EROFS \
		renameat:error=EIO:when=1 renameat:error=EIO:when=2 openat:error=EMFILE:when=20; do
		rm -rf "$dir"
		cp -a "$place/image" "$dir"
		where=()
		# the loader reads, too
		[[ $one != pread64* ]] || where=(-P "$(journal_files | tail -n 1)")
		if under_trace "${one%%:*}" "${one#*:}" "${where[@]}"; then
			kill -9 "$(agent_pid)" # the injected error did not end it
		else
			grep -q error: "$place/out" || fail "$one: not a word: $(cat "$place/out")"
			[[ $one != pread64*[13] ]] ||
				grep -q "nothing is changed: start again" "$place/out" ||
				fail "$one: $(cat "$place/out")"
		fi
		gone "$tracer"
		byte_free
		begin
		corral 0 show r a
		corral 0 show r b
		kill_agent
	done
}

what_cannot_be_read_is_left_out_by_a_salvage() {
	can_trace
	begin
	add_synced a b
	lose_power
	strace -f -qq -o /dev/null -e trace=pread64 -e inject=pread64:error=EIO:when=4 \
		-P "$(journal_files | tail -n 1)" timeout 30 "$BUILD/corral-agent" --dir "$dir" \
		--salvage >"$place/out" 2>&1
	begin # the same window again, in parts
	corral 0 show r a
	corral 0 show r b
}

a_header_that_cannot_be_synced_is_no_reason_not_to_serve() {
	can_trace
	timeout 60 strace -f -qq -o /dev/null -e trace=msync -e inject=msync:error=EIO:when=1..3 \
		"$BUILD/corral-agent" --dir "$dir" --size 16M --journal off >"$place/out" 2>&1 &
	pid=$!
	echo "$pid" >>"$place/pids"
	wait_for grep -q ready "$place/out"
	grep -q "warning: cannot sync the arena's header" "$place/out" || fail "$(cat "$place/out")"
	add r a
	agent 0 --stop
	gone "$pid"
	# with a journal, nothing is durable before it can be
	: >"$place/out"
	timeout 60 strace -f -qq -o /dev/null -e trace=msync -e inject=msync:error=EIO:when=1..3 \
		"$BUILD/corral-agent" --dir "$dir" --journal 20ms >"$place/out" 2>&1 &
	echo $! >>"$place/pids"
	wait_for grep -q ready "$place/out"
	corral 3 add r b --item i --name Item --price 1.00 --sync
	grep -q "the journal cannot be written: Input/output error" "$place/out" ||
		fail "$(cat "$place/out")"
	wait_for durable
	corral 0 add r b --item i --name Item --price 1.00 --sync
}

many_carts_come_back_through_several_threads() {
	local out
	out=$(timeout 100 "$BUILD/corral-bench" recovery --carts 6000 --bytes 900 --dir "$place" \
		2>&1) || fail "$out"
	has "recovery.carts 6000 carts" "recovery.lost 0 carts" "recovery.warm_restart_ms"
	echo "$out" >&3
}

killed_anywhere_in_recovery_the_next_one_recovers_all_the_same() {
	local call nth killed=0
	can_trace
	begin
	add r a
	add r b
	corral 0 drop r b
	add_synced c damaged behind more
	lose_power
	damage "$(journal_files | tail -n 1)" item-damaged
	cp -a "$dir" "$place/image"
	for call in mkdirat renameat unlinkat linkat fsync fdatasync pwrite64 ftruncate fallocate \
		pread64 openat msync fchmod; do
		for ((nth = 1 + RANDOM % CORRAL_EVERY % 4; nth < 60; nth += CORRAL_EVERY)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			if under_trace "$call" "signal=KILL:when=$nth"; then
				kill -9 "$(agent_pid)"
				gone "$tracer"
				break # the program makes no more of these calls
			fi
			gone "$tracer"
			byte_free
			killed=$((killed + 1))
			begin
			corral 0 show r a
			corral 1 show r b
			corral 0 show r c
			corral 0 add r d --item i --name Item --price 1.00 --sync
			kill_agent
			rm "$dir/arena"
			begin
			corral 0 show r a
			corral 1 show r b
			corral 0 show r d
			kill_agent
			agent 0 --salvage
			has "2 carts were taken"
			[[ $(kept salvaged | wc -l) -eq 1 && -z $(kept damaged) ]] ||
				fail "$call $nth: $(ls "$dir")"
		done
	done
	echo "CORRAL_SEED=$CORRAL_SEED: killed $killed times in recovery" >&3
	[[ $killed -ge 5 ]] || fail "killed $killed times only"
}

killed_anywhere_in_a_salvage_the_next_one_does_it() {
	local call nth killed=0
	can_trace
	damaged_in_the_middle
	begin
	kill_agent
	cp -a "$dir" "$place/image"
	for call in renameat fsync fdatasync pwrite64 pread64 openat; do
		for ((nth = 1 + RANDOM % 3; nth < 60; nth += CORRAL_EVERY)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			timeout 30 strace -f -qq -o /dev/null -e trace="$call" \
				-e inject="$call:signal=KILL:when=$nth" "$BUILD/corral-agent" \
				--dir "$dir" --salvage >"$place/out" 2>&1
			local code=$?
			byte_free
			[[ $code -ne 0 ]] || break # the program makes no more of these calls
			killed=$((killed + 1))
			agent 0 --salvage
			begin
			corral 0 show r a
			corral 0 show r c
			corral 0 show r d
			kill_agent
		done
	done
	echo "CORRAL_SEED=$CORRAL_SEED: killed $killed times in a salvage" >&3
	[[ $killed -ge 5 ]] || fail "killed $killed times only"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
for i in "${!claims[@]}"; do # one of the functions is a helper
	[[ ${claims[$i]} == version_of || ${claims[$i]} == record_at || ${claims[$i]} == zero ||
		${claims[$i]} == drop_synced ]] && unset "claims[$i]"
done
run_claims "${claims[@]}"
