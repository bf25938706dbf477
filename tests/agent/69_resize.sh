#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-agent --resize: a full or nearly full arena becomes a larger one with the same contents;
# workers continue in it; killed at any step it loses nothing. And the warnings before an arena is
# full.
#
# Usage: [BUILD=dir] tests/agent/69_resize.sh [CLAIM...]   from the root; timeout: 240
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

small() { # an agent of a small arena
	agent 0 --daemon --size 8M --max-carts 64 --ttl 1h
	pid=$(agent_pid)
	echo "$pid" >>"$place/pids"
}

fill() { # COUNT
	local n
	for ((n = 0; n < $1; n++)); do
		corral 0 add r "s$n" --item i --name Item --price 1.00 --op "op$n"
	done
}

shown() { # all that must be the same afterwards
	"$BUILD/corral" --dir "$dir" ls --json |
		grep -o '"\(session\|session_id\|version\|total_cents\|created_ms\)":[^,}]*'
}

# ------------------------------------------------------------- claims

a_full_arena_takes_more_carts_and_keeps_all_it_had() {
	small
	fill 64
	corral 3 add r more --item i --name Item --price 1.00
	has "corral-agent --resize --max-carts"
	corral 0 add r s7 --item j --name Other --price 2.00
	corral 0 drop r s8
	shown >"$place/before"
	[[ $(wc -l <"$place/before") -ge 100 ]] || fail "nothing to compare: $(<"$place/before")"
	agent 0 --stop
	agent 0 --resize --size 16M --max-carts 1K
	has "resized to 16777216 bytes for 1024 carts" "63 carts carried over, 0 left out" \
		"arena.resized."
	agent 0 --daemon --size 16M --max-carts 1K
	agent_pid >>"$place/pids"
	[[ $out != *keeps* ]] || fail "$out"
	diff <(shown) "$place/before" || fail "it has changed"
	add r more
	# a repeat: the id is remembered
	corral 0 add r s3 --item i --name Item --price 1.00 --op op3
	has "already applied"
	add r s8
	[[ $(corral 0 show r s8 --json && echo "$out") != *'"version":1,'* ]] ||
		fail "a version was given again"
	agent 0 --stop
	sound
}

started_with() { # FEED: sets out
	agent 0 --daemon --size 16M --feed "$1"
	agent_pid >>"$place/pids"
}

the_room_for_events_is_kept_or_changed() {
	agent 0 --daemon --size 8M --feed 300K
	agent_pid >>"$place/pids"
	add r s
	agent 0 --stop
	agent 3 --resize
	has "or a size for --feed"
	agent 0 --resize --size 16M
	started_with 256K
	[[ $out != *keeps* ]] || fail "it has other room: $out"
	agent 0 --stop
	started_with 1M
	has "keeps its room for 262144 bytes of events"
	agent 0 --stop
	agent 0 --resize --feed 1M
	started_with 1M
	[[ $out != *keeps* ]] || fail "it has other room: $out"
	corral 0 show r s
	agent 0 --stop
	agent 2 --feed 1
	has "give on, off, or a size from 32K to 1G"
}

acknowledged_changes_of_workers_that_go_on_are_in_it() {
	small
	local crew=() i
	for ((i = 0; i < 3; i++)); do
		(
			acked=0
			for ((n = 0; n < 2000; n++)); do
			[[ ! -e $place/over ]] || break
				"$BUILD/corral" --dir "$dir" add r "w$i" --item i --name Item \
				--price 1.00 >/dev/null 2>&1 &&
					acked=$((acked + 1))
			done
			echo "$acked" >"$place/acked$i"
		) &
		crew+=($!)
	done
	sleep 1
	agent 0 --stop
	agent 0 --resize --max-carts 1K
	small
	sleep 0.5
	touch "$place/over"
	wait "${crew[@]}"
	local have acked
	for ((i = 0; i < 3; i++)); do
		acked=$(<"$place/acked$i")
		corral 0 show r "w$i" --json
		have=$(grep -o '"item_count":[0-9]*' <<<"$out" | cut -d: -f2)
		[[ $acked -gt 10 && $have -ge $acked ]] || fail "w$i: $have of $acked"
	done
}

a_worker_that_has_it_open_is_told_and_reopens_it() {
	small
	add r s
	"$BUILD/tests/60_agent_socket" hold "$dir" >"$place/held" 2>&1 < <(sleep 3) &
	local holder=$!
	sleep 0.5
	agent 0 --stop
	agent 0 --resize --max-carts 1K
	has withdrawn
	small
	corral 0 show r s
	wait "$holder"
	grep -q open "$place/held" || fail "it was never open: $(<"$place/held")"
}

an_open_meanwhile_is_told_how_long_it_takes() {
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
	local traced n
	small
	fill 5
	agent 0 --stop
	export ASAN_OPTIONS=detect_leaks=0 # cannot work in a traced process
	# it is stopped when it writes the new arena to disk
	timeout -k 5 100 strace -f -qq -o /dev/null -e trace=fsync \
		-e inject=fsync:signal=STOP:when=3 "$BUILD/corral-agent" --dir "$dir" --resize \
		--max-carts 1K >"$place/out" 2>&1 &
	traced=$!
	for ((n = 0; n < 500; n++)); do
		"$BUILD/corral" --dir "$dir" show r s0 >"$place/shown" 2>&1
		! grep -q "carried its carts over" "$place/shown" || break
		sleep 0.02
	done
	said="the arena is withdrawn: corral-agent --resize has carried its carts over, .*"
	grep -q "$said; then open it again" "$place/shown" ||
		fail "it says: $(<"$place/shown")"
	corral 4 status
	[[ $out =~ withdrawn\ +corral-agent\ --resize\ has\ carried ]] || fail "it says: $out"
	corral 4 status --json
	has '"carrying":"corral-agent --resize has carried'
	kill -CONT "$(agent_pid)"
	wait "$traced" || fail "it failed: $(<"$place/out")"
	small
	corral 0 show r s0
	corral 0 status
	[[ $out != *carried* ]] || fail "it says: $out"
}

killed_at_any_step_it_loses_nothing() {
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
	local call nth killed=0
	small
	fill 5
	agent 0 --stop
	cp -a "$dir" "$place/image"
	export ASAN_OPTIONS=detect_leaks=0 # does not work in a traced process
	for call in renameat renameat2 fsync mkdirat ftruncate fallocate linkat; do
		for ((nth = 1; nth < 100; nth++)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			small # an agent verifies a copied arena before anything else
			agent 0 --stop
			timeout 30 strace -f -qq -o /dev/null -e trace="$call" \
				-e inject="$call:signal=KILL:when=$nth" "$BUILD/corral-agent" \
				--dir "$dir" --resize --max-carts 1K >"$place/out" 2>&1
			# the program makes no more of these calls
			grep -q resized "$place/out" && break
			killed=$((killed + 1))
			small
			corral 0 ls
			has s0 s1 s2 s3 s4
			agent 0 --stop
			[[ ! -e $dir/.rebuild ]] || fail "$call $nth: something is left"
			sound
		done
		[[ $nth -lt 100 ]] || fail "$call never ends"
	done
	echo "killed $killed times"
	[[ $killed -ge 6 ]] || fail "killed $killed times"
}

senseless_sizes_are_refused_and_change_nothing() {
	small
	add r s
	agent 1 --resize --max-carts 1K
	has "another agent"
	agent 0 --stop
	agent 3 --resize
	has "has that size"
	agent 3 --resize --size 4M
	has "only grows"
	agent 3 --resize --max-carts 1M
	has "no possible arena"
	agent 2 --resize --upgrade
	small
	corral 0 show r s
}

a_warning_comes_before_it_is_full() {
	small
	fill 53
	local n
	for ((n = 0; n < 600; n++)); do
		! grep -q 'carts: 8[0-9] % are in use: corral-agent --resize' "$dir/agent.log" ||
			break
		sleep 0.05
	done
	[[ $n -lt 600 ]] || fail "no warning: $(<"$dir/agent.log")"
	[[ $(grep -c 'carts: ' "$dir/agent.log") -eq 1 ]] ||
		fail "more than one: $(<"$dir/agent.log")"
	corral 0 status
	has nearly_full "carts 8"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
