#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A damaged arena made sound again: corral check --repair and corral-agent --repair, also when they are killed.
#
# Usage: [BUILD=dir] tests/64_repair.sh [CLAIM...]   from the repository's root; timeout: 120
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119 # claims are called by name, each in a subshell
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/agent_kit.sh
. "$(dirname "$0")/agent_kit.sh"
export CORRAL_AGENT=$BUILD/corral-agent

three_carts() { # an arena with three carts, one for each of these items; nobody has it open
	start
	corral 0 add r a --item apple --name Apple --price 1.00
	corral 0 add r b --item bread --name Bread --price 2.00
	corral 0 add r b --item bread --name Bread --price 2.00
	corral 0 add r c --item cheese --name Cheese --price 3.00
	agent 0 --stop
	gone "$pid"
}

damage() { # TEXT: one byte of its last place in the arena
	local at
	at=$(grep -abo "$1" "$dir/arena" | tail -n 1 | cut -d: -f1)
	[[ -n $at ]] || fail "no $1 in the arena"
	printf 'X' | dd of="$dir/arena" bs=1 seek="$at" conv=notrunc status=none
}

two_are_left() {
	corral 1 show r b
	corral 0 show r a
	has Apple
	corral 0 show r c
	has Cheese
}

# ------------------------------------------------------------------------- claims

a_sound_arena_is_left_alone() {
	three_carts
	cp "$dir/arena" "$place/before"
	corral 0 check --repair
	has "nothing is to be repaired"
	cmp "$dir/arena" "$place/before" || fail "it was changed"
}

the_sound_carts_are_kept_and_the_damaged_file_too() {
	three_carts
	damage Bread
	cp "$dir/arena" "$place/before"
	corral 1 check
	corral 1 check --repair
	has "slot" "left out" "rebuilt: 2 carts kept (0 of them found again), 1 left out"
	cmp "$place/before" "$dir"/arena.damaged.* || fail "it is not kept as it was"
	[[ ! -e $dir/.rebuild ]] || fail "something is left"
	sound
	start
	two_are_left
	add r b
	agent 0 --stop
	sound
}

while_somebody_has_it_open_it_is_refused_by_name() {
	three_carts
	start
	damage Bread
	corral 1 check --repair
	has "$pid"
	agent 0 --stop
	gone "$pid"
	"$BUILD/corral" --dir "$dir" watch r a >"$place/watch" 2>&1 &
	local worker=$!
	echo "$worker" >>"$place/pids"
	for ((i = 0; i < 200; i++)); do
		grep -qs Apple "$place/watch" && break
		sleep 0.02
	done
	corral 1 check --repair
	has "pid $worker (corral) has the arena open"
	kill -9 "$worker"
	gone "$worker"
	corral 1 check --repair
	has "2 carts kept"
}

a_file_cut_short_gives_what_is_left() {
	three_carts
	truncate -s -1M "$dir/arena"
	corral 3 show r a
	corral 0 check --repair
	has "rebuilt: 3 carts kept"
	corral 0 show r b
	has Bread
}

a_file_that_is_no_arena_is_not_touched() {
	start
	agent 0 --stop
	head -c 16M /dev/urandom >"$dir/arena"
	cp "$dir/arena" "$place/before"
	corral 3 check --repair
	cmp "$dir/arena" "$place/before" || fail "it was changed"
	[[ ! -e $dir/.rebuild ]] || fail "something is left"
	rm "$dir/arena"
	corral 3 check --repair
	has "no arena"
}

# Of carts in several sizes, which another arena of that size may not hold.
a_full_one_is_rebuilt_whole() {
	local lines size note cart=0 n
	agent 0 --daemon --size 4M --max-carts 175
	pid=$(agent_pid)
	echo "$pid" >>"$place/pids"
	while read -r lines size; do
		note=$(printf "%0${size}d" 0)
		for ((n = 0; n < 500; n++)); do
			"$BUILD/corral" --dir "$dir" add full "$cart" --item "i$n" --name Bread --price 1 --note "$note" \
				>"$place/out" 2>&1 || break
			[[ $(((n + 1) % lines)) -ne 0 ]] || cart=$((cart + 1))
		done
		grep -q "the arena is full" "$place/out" || fail "it does not get full: $(cat "$place/out")"
		cart=$((cart + 1))
	done <<<$'16 3900\n4 3900\n1 3900\n1 1500\n1 500'
	corral 0 check
	[[ $out =~ ([0-9]+)\ carts ]]
	agent 0 --stop
	gone "$pid"
	damage Bread
	corral 1 check --repair
	has "$((BASH_REMATCH[1] - 1)) carts kept" "1 left out"
	sound
}

killed_at_any_step_it_loses_nothing() {
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
	local call nth killed=0
	three_carts
	damage Bread
	cp -a "$dir" "$place/image"
	local calls=(renameat renameat2 fsync mkdirat unlinkat ftruncate fallocate pwrite64 openat)
	[[ $BUILD == */asan ]] && calls=("${calls[@]:0:3}") # each start takes long there
	export ASAN_OPTIONS=detect_leaks=0                  # cannot work in a traced process
	for call in "${calls[@]}"; do
		for ((nth = 1; nth < 100; nth++)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			timeout 30 strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$nth" \
				"$BUILD/corral-agent" --dir "$dir" --repair >"$place/out" 2>&1
			grep -q rebuilt "$place/out" && break # there are no more of these calls
			killed=$((killed + 1))
			start # on what is there, or finishes what was begun
			corral 0 show r a
			agent 0 --stop
			gone "$pid"
			timeout 30 "$BUILD/corral-agent" --dir "$dir" --repair >"$place/out" 2>&1
			[[ ! -e $dir/.rebuild ]] || fail "$call $nth: something is left"
			sound
			two_are_left
		done
		[[ $nth -lt 100 ]] || fail "$call never ends"
	done
	[[ $killed -ge $((2 * ${#calls[@]})) ]] || fail "killed $killed times only"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
