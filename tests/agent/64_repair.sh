#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Repairing a damaged arena: corral check --repair and corral-agent --repair, even when they are
# killed.
#
# Usage: [BUILD=dir] tests/agent/64_repair.sh [CLAIM...]   from the root; timeout: 240
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/journal_kit.sh
. tests/kit/journal_kit.sh
trap 'umount -l "$work"/*/dir 2>/dev/null; clean_up' EXIT
export CORRAL_AGENT=$BUILD/corral-agent

# an arena with three carts, one for each of these items, and no journal; no process has it open
three_carts() {
	start --journal off
	corral 0 add r a --item apple --name Apple --price 1.00
	corral 0 add r b --item bread --name Bread --price 2.00
	corral 0 add r b --item bread --name Bread --price 2.00
	corral 0 add r c --item cheese --name Cheese --price 3.00
	agent 0 --stop
	gone "$pid"
}

damage() { # TEXT: one byte of its last occurrence in the arena
	local at
	at=$(head -c 64M "$dir/arena" | grep -abo "$1" | tail -n 1 | cut -d: -f1)
	[[ -n $at ]] || fail "no $1 in the arena"
	printf 'X' | dd of="$dir/arena" bs=1 seek="$at" conv=notrunc status=none
}

five_durable_carts() { # in arena and journal; the agent is stopped
	local i
	begin
	for i in a b c d; do corral 0 add r "$i" --item i --name "Name-$i" --price 1.00; done
	corral 0 add r e --item i --name Name-e --price 1.00 --sync
	agent 0 --stop
	gone "$pid"
}

damage_two_of_five() {
	damage Name-a
	damage Name-c
}

five_are_there() {
	local i
	for i in a b c d e; do
		corral 0 show r "$i"
		has "Name-$i" "version 1"
	done
}

withdraw() {
	printf '\x01' | dd of="$dir/arena" bs=1 seek=240 conv=notrunc status=none
}

two_are_left() {
	corral 1 show r b
	corral 0 show r a
	has Apple
	corral 0 show r c
	has Cheese
}

# ------------------------------------------------------------- claims

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
	has "slot" "left out" \
		"rebuilt: 2 carts kept (0 of them found again, 0 perhaps older), 1 left out"
	cmp "$place/before" "$dir"/arena.damaged.* || fail "it is not kept as it was"
	[[ ! -e $dir/.rebuild ]] || fail "something is left"
	sound
	start
	two_are_left
	add r b
	agent 0 --stop
	sound
}

an_arena_that_a_process_has_open_is_refused_by_name() {
	three_carts
	start --journal off
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

a_file_cut_anywhere_gives_no_cart_in_an_older_version() {
	local i at tries=0 right=0 told=0
	start --journal off
	for ((i = 0; i < 40; i++)); do corral 0 add r a --item "i$i" --name Bread --price 1.00; done
	agent 0 --stop
	gone "$pid"
	cp -a "$dir" "$place/image"
	mapfile -t places \
		< <(grep -abo Bread "$dir/arena" | cut -d: -f1 | awk \
		'$1 > last + 4096 { print; last = $1 }')
	for at in "${places[@]}"; do
		rm -rf "$dir"
		cp -a "$place/image" "$dir"
		truncate -s "$at" "$dir/arena"
		code=0
		"$BUILD/corral" --dir "$dir" check --repair >"$place/out" 2>&1 || code=$?
		out=$("$BUILD/corral" --dir "$dir" show r a 2>&1)
		tries=$((tries + 1))
		if [[ $out == *"version 40"* ]]; then
			right=$((right + 1))
		elif [[ $code -eq 1 && $out == *"no such cart"* ]] &&
			grep -q "left out" "$place/out"; then
			told=$((told + 1))
		else
			fail "cut at $at: exit code $code, $(cat "$place/out"); then: $out"
		fi
	done
	echo "cut $tries times: $right times it is there, $told times it is told that it is not" >&3
	[[ $told -gt 0 ]] || fail "never cut where it costs anything"
}

carts_that_the_arena_lost_come_back_from_the_journal() {
	five_durable_carts
	cp -a "$dir" "$place/image"
	damage_two_of_five
	corral 0 check --repair
	has "slot" "was found again, in version 1" "rebuilt: 5 carts kept (2 of them found again"
	five_are_there
	sound
	rm -rf "$dir"
	cp -a "$place/image" "$dir"
	damage_two_of_five
	withdraw
	begin
	log_has "rebuilt: 5 carts kept (2 of them found again"
	five_are_there
	corral 0 add r f --item i --name Name-f --price 1.00 --sync
	lose_power
	begin
	five_are_there
	corral 0 show r f
}

a_slot_of_zeroes_costs_no_cart_that_a_block_or_the_journal_has() {
	five_durable_carts
	local at
	at=$(od -An -t u8 -j 144 -N 8 "$dir/arena") # header.slots_at
	dd if=/dev/zero of="$dir/arena" bs=64 seek=$((at / 64)) count=64 conv=notrunc status=none
	damage Name-d # and of one cart nothing is left in the arena
	corral 1 check --repair
	has "5 carts kept (4 of them found again, 1 perhaps older)" \
		"the journal's files are kept as journal.damaged."
	five_are_there
}

a_cart_that_neither_has_is_named_and_the_journal_is_kept() {
	five_durable_carts
	local at file kept
	damage_two_of_five
	for file in "$dir"/journal/0*; do
		grep -abo Name-a "$file" | cut -d: -f1 | while read -r at; do
			printf 'X' | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
		done
	done
	cp -a "$dir/journal" "$place/journal"
	withdraw
	begin
	log_has "is nowhere: left out" "rebuilt: 4 carts kept (1 of them found again" "1 left out"
	log_has "the journal's files are kept as journal.damaged."
	corral 1 show r a
	corral 0 show r c
	corral 0 add r f --item i --name Name-f --price 1.00 --sync # the new journal has a base
	kept=("$dir"/journal.damaged.*)
	[[ ${#kept[@]} -eq 1 ]] || fail "${kept[*]}"
	diff -r "$place/journal" "${kept[0]}" || fail "they are not as they were"
}

a_version_that_only_the_journal_has_is_taken_and_told() {
	five_durable_carts
	cp -a "$dir/journal" "$place/journal"
	begin
	corral 0 add r a --item j --name Later-a --price 1.00 --sync
	agent 0 --stop
	gone "$pid"
	rm -rf "$dir/journal"
	cp -a "$place/journal" "$dir/journal"
	damage Later-a
	corral 1 check --repair
	has "version 2 of its cart is lost: version 1, which the journal has, is taken" \
		"5 carts kept (0 of them found again, 1 perhaps older)"
	five_are_there
	begin
	corral 0 add r a --item j --name Later-a --price 1.00
	[[ $out != *"version 2:"* ]] || fail "that number names another content: $out"
}

holes_of_a_large_file_are_not_filled() {
	[[ $(id -u) -eq 0 ]] || skip "not root"
	mkdir "$dir"
	mount -t tmpfs -o size=80M,mode=700 none "$dir" 2>/dev/null || skip "cannot mount a tmpfs"
	agent 0 --daemon --journal off --size 4G --max-carts 1000
	pid=$(agent_pid)
	echo "$pid" >>"$place/pids"
	local i before after
	for i in a b c d e; do corral 0 add r "$i" --item i --name "Name-$i" --price 1.00; done
	agent 0 --stop
	gone "$pid"
	damage Name-b
	before=$(du -k "$dir/arena" | cut -f1)
	corral 1 check --repair
	has "4 carts kept" "1 left out"
	after=$(du -k "$dir"/arena.damaged.* | cut -f1)
	echo "set aside: $before KiB, then $after KiB" >&3
	[[ $after -le $((before + 64)) ]] || fail "it grew from $before to $after KiB"
	sound
	umount "$dir"
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

# With carts of several sizes, which another arena of that size may not hold.
a_full_arena_is_rebuilt_whole() {
	local lines size note cart=0 n
	agent 0 --daemon --journal off --size 4M --max-carts 175
	pid=$(agent_pid)
	echo "$pid" >>"$place/pids"
	while read -r lines size; do
		note=$(printf "%0${size}d" 0)
		for ((n = 0; n < 500; n++)); do
			"$BUILD/corral" --dir "$dir" add full "$cart" --item "i$n" --name Bread \
				--price 1 --note "$note" >"$place/out" 2>&1 || break
			[[ $(((n + 1) % lines)) -ne 0 ]] || cart=$((cart + 1))
		done
		grep -q "the arena is full" "$place/out" ||
			fail "it does not get full: $(cat "$place/out")"
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
	export ASAN_OPTIONS=detect_leaks=0 # does not work in a traced process
	for call in "${calls[@]}"; do
		for ((nth = 1; nth < 100; nth++)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			timeout 30 strace -f -qq -o /dev/null -e trace="$call" \
				-e inject="$call:signal=KILL:when=$nth" "$BUILD/corral-agent" \
				--dir "$dir" --repair >"$place/out" 2>&1
			# the program makes no more of these calls
			grep -q rebuilt "$place/out" && break
			killed=$((killed + 1))
			start --journal off # on the existing arena, or it finishes the repair
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
