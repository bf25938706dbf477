#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Files of former and later versions: arenas and journals of another layout or format are refused
# with advice, and not touched; corral-agent --upgrade carries over all carts of the former layout,
# even when it is killed. tests/samples has such arenas.
#
# Usage: [BUILD=dir] tests/agent/69_upgrade.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
export CORRAL_AGENT=$BUILD/corral-agent
samples=$(realpath tests/samples)

# offsets in the header, the same in all layouts
VERSION_AT=8 FINGERPRINT_AT=16 BOOT_AT=192 JOURNAL_AT=248
PROCESSES_AT=4096 PROCESS_BYTES=128 # of the former layout
FORMER=8 LAYOUT=9 FORMAT=6 # the former layout, today's, and the journal's format

former() { # [SAMPLE]: an arena of the former layout, open in no process
	mkdir -p "$dir"
	chmod 770 "$dir"
	xz -dc "$samples/${1:-arena-$FORMER}.xz" >"$dir/arena"
	chmod 660 "$dir/arena"
	cp "$dir/arena" "$place/former"
}

journal() { # FORMAT: a journal of that format
	local file
	mkdir -p "$place/other"
	"$BUILD/corral-agent" --dir "$place/other" --size 4M --journal 20ms --daemon >"$place/out" \
		2>&1 || fail "$(cat "$place/out")"
	"$BUILD/corral" --dir "$place/other" add roma all --item i --name Item --price 1 \
		--sync >"$place/out" || fail "$(cat "$place/out")"
	"$BUILD/corral-agent" --dir "$place/other" --stop || fail "it does not stop"
	for file in "$place/other/journal"/*; do
		poke "$file" 8 "$(number "$1" 4)"
		poke "$file" 88 \
			"$(number "0x$(head -c 88 "$file" | xxhsum -H3 - |
				grep -oE '[0-9a-f]{16}')" 8)"
	done
	mkdir -p "$dir"
	chmod 770 "$dir"
	rm -rf "$dir/journal" "$place/later"
	mv "$place/other/journal" "$dir/journal"
	cp -a "$dir/journal" "$place/later"
	rm -rf "$place/other"
}

poke() { # FILE AT BYTES; BYTES as printf takes them
	# shellcheck disable=SC2059
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

number() { # little-endian, as printf takes it: NUMBER BYTES
	local n text=
	for ((n = 0; n < $2; n++)); do
		text+=$(printf '\\x%02x' $((($1 >> (8 * n)) & 255)))
	done
	echo "$text"
}

has_carts_of() { # SAMPLE
	diff "$samples/$1.json" <(carts) || fail "other carts"
}

left() { # R S: minutes that the cart has left
	local at
	corral 0 show "$1" "$2" --json
	at=$(sed -n 's/.*"expires_at":"\([^"]*\)".*/\1/p' <<<"$out")
	echo $((($(date -d "$at" +%s) - $(date +%s)) / 60))
}

# Properties outside the carts' texts: times, operations, versions of ended carts.
goes_on() {
	local minutes version
	minutes=$(left roma many)
	[[ $minutes -ge 42 && $minutes -le 46 ]] || fail "$minutes minutes are left of 45"
	minutes=$(left napoli long)
	[[ $minutes -ge 479997 && $minutes -le 488000 ]] ||
		fail "$minutes minutes are left of 8000 hours"
	corral 0 add roma many --item i3 --name 'Item 3' --price 3.05 --op-id n3 --json
	has '"applied":false'
	corral 1 add roma many --item i4 --name 'Another item' --price 1 --op-id n4
	corral 0 add roma many --item i4 --name 'Item 4' --price 4.05 --op-id new
	corral 1 add roma many --item i5 --name 'Item 5' --price 5.05 --op-id new
	corral 1 add napoli out --item i --name Item --price 1
	add roma gone
	version=$(sed -n 's/^version \([0-9]*\).*/\1/p' <<<"$out")
	[[ $version -gt 9 ]] || fail "a dropped cart of version 9 begins again with $version"
	corral 0 drop roma gone
	corral 0 check
}

is_unchanged() {
	cmp "$dir/arena" "$place/former" || fail "it was changed"
	[[ ! -e $dir/.rebuild ]] || fail "something is left"
}

attach_worker() { # sets worker
	local n
	"$BUILD/corral" --dir "$dir" watch r a >"$place/watch" 2>&1 &
	worker=$!
	echo "$worker" >>"$place/pids"
	for ((n = 0; n < 200; n++)); do
		grep -qs Item "$place/watch" && return
		sleep 0.02
	done
	fail "it does not attach"
}

# ------------------------------------------------------------- claims

a_former_arena_is_refused_with_what_to_do() {
	former
	agent 3
	has "layout version $FORMER, this program's is $LAYOUT" "corral-agent --upgrade"
	agent 3 --daemon
	has "corral-agent --upgrade"
	local command
	for command in "show r s" ls check "check --repair" "inspect slots" \
		"add r s --item i --name I --price 1"; do
		# shellcheck disable=SC2086
		corral 3 $command
		has "corral-agent --upgrade"
	done
	is_unchanged
}

all_its_carts_are_carried_over() {
	former
	agent 0 --upgrade
	has "upgraded from layout $FORMER to $LAYOUT: 7 carts carried over, 0 left out" \
		"$dir/arena.layout$FORMER"
	cmp "$dir/arena.layout$FORMER" "$place/former" || fail "it is not kept as it was"
	sound
	has_carts_of "arena-$FORMER"
	agent 0 --upgrade
	has "nothing to upgrade: the arena has layout $LAYOUT"
	start
	grep -E 'warning|error' "$dir/agent.log" | grep -qv "keeps its size" &&
		fail "$(cat "$dir/agent.log")"
	goes_on
	corral 0 status --json
	has '"max_carts":100'
	[[ $(stat -c %s "$dir/arena") -eq 4194304 ]] || fail "another size"
	agent 0 --stop
	sound
}

a_directory_without_an_arena_needs_no_upgrade() {
	agent 0 --upgrade
	has "nothing to upgrade"
	start
	agent 1 --upgrade
	has "$pid"
	agent 0 --stop
	agent 0 --upgrade
	has "nothing to upgrade"
}

an_arena_that_a_process_has_open_is_refused_by_name() {
	start
	add r a
	attach_worker
	kill -STOP "$worker"
	local n
	agent 0 --stop
	gone "$pid"
	former
	for ((n = 0; n < 4; n++)); do # one of these is its record
		poke "$dir/arena" $((PROCESSES_AT + n * PROCESS_BYTES)) "$(number 1 4)"
		poke "$dir/arena" $((PROCESSES_AT + n * PROCESS_BYTES + 8)) "$(number "$worker" 4)"
		poke "$dir/arena" $((PROCESSES_AT + n * PROCESS_BYTES + 24)) 'an old\x1bone\0'
		poke "$dir/arena" $((PROCESSES_AT + n * PROCESS_BYTES + 104)) "$(number 0 4)"
	done
	cp "$dir/arena" "$place/former"
	agent 1 --upgrade
	has "pid $worker (an old?one) has the arena open: stop it first"
	is_unchanged
	kill -9 "$worker"
	gone "$worker"
	agent 0 --upgrade
	has_carts_of "arena-$FORMER"
}

a_worker_may_stay_while_there_is_nothing_to_upgrade() {
	start
	add r a
	attach_worker
	agent 0 --stop
	agent 0 --upgrade
	has "nothing to upgrade: the arena has layout $LAYOUT"
	kill -0 "$worker" || fail "it has ended"
}

later_and_unknown_layouts_are_left_alone() {
	former
	poke "$dir/arena" "$VERSION_AT" "$(number $((LAYOUT + 1)) 4)"
	cp "$dir/arena" "$place/former"
	agent 3
	has "a newer version of Corral wrote it: install that version"
	agent 3 --upgrade
	has "a newer version of Corral wrote it: install that version"
	poke "$dir/arena" "$VERSION_AT" "$(number $((FORMER - 1)) 4)"
	cp "$dir/arena" "$place/former"
	agent 3
	has "nothing but the version of Corral that wrote it can read it"
	agent 3 --upgrade
	has "nothing but the version of Corral that wrote it can read it"
	poke "$dir/arena" "$VERSION_AT" "$(number "$FORMER" 4)"
	poke "$dir/arena" "$FINGERPRINT_AT" "$(number 2 4)"
	cp "$dir/arena" "$place/former"
	agent 3 --upgrade
	is_unchanged
}

a_damaged_cart_in_it_costs_no_other() {
	former
	local at
	at=$(grep -abo 'Mar"gherita' "$dir/arena" | tail -n 1 | cut -d: -f1)
	poke "$dir/arena" "$at" X
	agent 1 --upgrade
	has "left out" "6 carts carried over, 1 left out" \
		"the former arena is kept as $dir/arena.damaged."
	[[ ! -e $dir/arena.layout$FORMER ]] || fail "it is called one of which all was carried over"
	corral 1 show roma all
	corral 0 show napoli long
	sound
	agent 0 --upgrade
}

an_arena_whose_header_is_damaged_is_left_as_it_is() {
	former
	poke "$dir/arena" 24 "$(number 1 8)" # arena_bytes; this also breaks the header's sum
	cp "$dir/arena" "$place/former"
	agent 3 --upgrade
	has "the header of this arena of layout $FORMER is damaged:" \
		"install the version of Corral that wrote it"
	is_unchanged
}

a_truncated_arena_gives_the_carts_that_are_left() {
	former
	truncate -s 65536 "$dir/arena"
	cp "$dir/arena" "$place/former"
	agent 3 --upgrade
	has "the tables that lead to its carts are cut off"
	is_unchanged
	former
	truncate -s $(($(grep -abo 'Mar"gherita' "$dir/arena" | tail -n 1 | cut -d: -f1) - 100)) \
		"$dir/arena"
	agent 1 --upgrade
	has "left out"
	sound
}

damage_anywhere_in_it_does_no_harm() {
	local seed=${SEED:-$RANDOM} n at code
	echo "SEED=$seed"
	RANDOM=$seed
	former
	for ((n = 0; n < 40; n++)); do
		rm -rf "$dir"
		former
		for ((at = 0; at <= n % 8; at++)); do # in the tables, and in used pages
			poke "$dir/arena" \
				$((((RANDOM << 15) | RANDOM) % (n % 2 == 0 ? 4194304 : 4096))) \
				"$(number "$RANDOM" 2)"
		done
		code=0
		timeout 30 "$BUILD/corral-agent" --dir "$dir" --upgrade >"$place/out" 2>&1 ||
			code=$?
		[[ $code -eq 0 || $code -eq 1 || $code -eq 3 ]] ||
			fail "damage $n: exit code $code: $(cat "$place/out")"
		[[ $code -ne 3 ]] || continue
		sound
		# a cart that did not exist would be a wrong answer
		carts | grep -vxFf "$samples/arena-$FORMER.json" &&
			fail "damage $n: a cart that was not there"
	done
	true
}

all_carts_of_a_full_arena_are_carried_over() {
	former "arena-$FORMER-full"
	agent 0 --upgrade
	has "116 carts carried over, 0 left out"
	sound
	has "116 carts"
}

an_arena_that_is_kept_already_is_not_overwritten() {
	former
	echo precious >"$dir/arena.layout$FORMER"
	agent 0 --upgrade
	[[ $(cat "$dir/arena.layout$FORMER") == precious ]] || fail "overwritten"
	cmp "$dir/arena.layout$FORMER".* "$place/former" || fail "it is not kept"
}

killed_at_any_step_it_loses_nothing() {
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
	local call nth killed=0 refused=0 code
	former
	cp -a "$dir" "$place/image"
	local calls=(renameat renameat2 fsync mkdirat unlinkat ftruncate fallocate pwrite64 openat)
	[[ $BUILD == */asan ]] && calls=("${calls[@]:0:3}") # each start takes long there
	export ASAN_OPTIONS=detect_leaks=0 # does not work in a traced process
	for call in "${calls[@]}"; do
		for ((nth = 1; nth < 100; nth++)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			timeout 30 strace -f -qq -o /dev/null -e trace="$call" \
				-e inject="$call:signal=KILL:when=$nth" \
				"$BUILD/corral-agent" --dir "$dir" --upgrade >"$place/out" 2>&1
			# the program makes no more of these calls
			grep -q upgraded "$place/out" && break
			killed=$((killed + 1))
			code=0 # a plain start finishes the upgrade, or refuses
			out=$(timeout 30 "$BUILD/corral-agent" --dir "$dir" --daemon 2>&1) ||
				code=$?
			case $code in
			0) agent 0 --stop ;;
			3) has "corral-agent --upgrade" && refused=$((refused + 1)) ;;
			*) fail "$call $nth: a start gives $code: $out" ;;
			esac
			agent 0 --upgrade
			[[ ! -e $dir/.rebuild ]] || fail "$call $nth: something is left"
			cmp "$dir/arena.layout$FORMER" "$place/former" ||
				fail "$call $nth: it is not kept"
			sound
			has "7 carts"
		done
		[[ $nth -lt 100 ]] || fail "$call never ends"
	done
	echo "killed $killed times; $refused starts were refused"
	[[ $killed -ge $((2 * ${#calls[@]})) && $refused -lt $killed ]] ||
		fail "killed $killed times, $refused refused"
}

a_former_arena_whose_journal_is_gone_is_carried_over() {
	former
	poke "$dir/arena" "$JOURNAL_AT" "$(number 1 4)"
	agent 0 --upgrade
	has "7 carts carried over"
	has_carts_of "arena-$FORMER"
}

a_journal_of_another_format_is_refused_and_not_touched() {
	local format
	for format in $((FORMAT - 1)) $((FORMAT + 1)); do
		rm -rf "$dir"
		journal "$format"
		agent 3
		has "the journal has format $format, this program's is $FORMAT" \
			"install that version"
		agent 3 --journal 20ms
		[[ ! -e $dir/arena ]] || fail "an empty arena in place of what the journal has"
		agent 3 --upgrade
		has "the journal has format $format"
		rm -rf "$dir/journal"
		start --journal 20ms
		add r s
		agent 0 --stop
		rm -rf "$dir/journal"
		cp -a "$place/later" "$dir/journal"
		agent 3 --journal 20ms
		has "the journal has format $format"
		agent 3
		diff -r "$place/later" "$dir/journal" || fail "it was changed"
	done
}

a_journal_of_another_format_is_put_aside_once_the_arena_has_all() {
	start --journal 20ms
	add r s
	agent 0 --stop
	local later=$((FORMAT + 1)) boot
	journal "$later"
	boot=$(dd if="$dir/arena" bs=16 skip=12 count=1 status=none | od -An -v -tx1 |
		sed 's/ /\\x/g')
	poke "$dir/arena" "$BOOT_AT" 'of another boot.'
	agent 3 --upgrade # the journal may have carts that the arena lacks
	has "the journal has format $later"
	diff -r "$place/later" "$dir/journal" || fail "it was changed"
	poke "$dir/arena" "$BOOT_AT" "$boot"
	agent 0 --upgrade
	has "nothing to upgrade" "$dir/journal.format$later"
	diff -r "$place/later" "$dir/journal.format$later" || fail "it was changed"
	start --journal 20ms
	corral 0 show r s
	corral 0 add r s --item i --name Item --price 1.00 --sync
	agent 0 --stop
	diff -r "$place/later" "$dir/journal.format$later" || fail "it was changed"
}

a_foreign_journal_put_under_a_running_agent_is_not_removed() {
	journal $((FORMAT + 1))
	rm -rf "$dir/journal"
	start --journal 20ms
	corral 0 add r s --item i --name Item --price 1.00 --sync
	mkdir "$place/swapped"
	cp "$place/later/000000000001" "$place/swapped"
	echo "begun, and not finished" >"$place/swapped/000000000000"
	kill -STOP "$pid"
	mv "$dir/journal" "$place/away"
	mv "$place/swapped" "$dir/journal"
	kill -CONT "$pid"
	local n
	for ((n = 0; n < 400; n++)); do # it begins a new file there, and removes older ones
		[[ -e $dir/journal/000000000000 ]] || break
		sleep 0.05
	done
	[[ ! -e $dir/journal/000000000000 ]] || fail "it does not begin anew: $(ls "$dir/journal")"
	cmp "$place/later/000000000001" "$dir/journal/000000000001" || fail "it was changed"
}

a_former_arena_and_its_journal_go_by_what_is_newer() {
	former # after a crash of the machine the journal is the newer one
	journal $((FORMAT - 1))
	poke "$dir/arena" "$JOURNAL_AT" "$(number 1 4)"
	cp "$dir/arena" "$place/former"
	agent 3 --upgrade
	has "the journal has format $((FORMAT - 1))"
	is_unchanged
	diff -r "$place/later" "$dir/journal" || fail "it was changed"
	poke "$dir/arena" "$JOURNAL_AT" "$(number 0 4)"
	agent 0 --upgrade
	has "7 carts carried over" "$dir/journal.format$((FORMAT - 1))"
	has_carts_of "arena-$FORMER"
	diff -r "$place/later" "$dir/journal.format$((FORMAT - 1))" || fail "it was changed"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
