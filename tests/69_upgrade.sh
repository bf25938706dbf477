#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What former and later versions wrote: arenas and journals of another layout or format are refused with what to do, and not
# touched; corral-agent --upgrade carries all carts over, also when it is killed. tests/samples has the files.
#
# Usage: [BUILD=dir] tests/69_upgrade.sh [CLAIM...]   from the repository's root; timeout: 180
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119 # claims are called by name, each in a subshell
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/agent_kit.sh
. "$(dirname "$0")/agent_kit.sh"
export CORRAL_AGENT=$BUILD/corral-agent
samples=$(realpath tests/samples)

# offsets in the header, alike in all layouts
VERSION_AT=8 FINGERPRINT_AT=16 BOOT_AT=192 JOURNAL_AT=248
PROCESSES_AT=4096 PROCESS_BYTES=128

former() { # [SAMPLE]: an arena of layout 2 that nobody has open
	mkdir -p "$dir"
	chmod 770 "$dir"
	xz -dc "$samples/${1:-arena-2}.xz" >"$dir/arena"
	chmod 660 "$dir/arena"
	cp "$dir/arena" "$place/former"
}

journal() { # one of format 1
	mkdir -p "$dir"
	chmod 770 "$dir"
	tar -C "$dir" --no-same-owner -xJf "$samples/journal-1.tar.xz"
}

poke() { # FILE AT BYTES, these as printf has them
	# shellcheck disable=SC2059
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

number() { # little-endian, as printf has it: NUMBER BYTES
	local n text=
	for ((n = 0; n < $2; n++)); do
		text+=$(printf '\\x%02x' $((($1 >> (8 * n)) & 255)))
	done
	echo "$text"
}

carts() { # each cart on a line, without when it ends
	local restaurant session
	corral 0 ls --json
	while read -r restaurant session; do
		corral 0 show "$restaurant" "$session" --json
		echo "${out%,\"expires_at\"*}"
	done < <(tr '{' '\n' <<<"$out" | sed -n 's/^"restaurant_id":"\([^"]*\)","session_id":"\([^"]*\)".*/\1 \2/p' |
		LC_ALL=C sort)
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

# What is not in the carts' texts: times, operations, versions of what has ended.
goes_on() {
	local minutes version
	minutes=$(left roma many)
	[[ $minutes -ge 42 && $minutes -le 46 ]] || fail "$minutes minutes are left of 45"
	minutes=$(left napoli long)
	[[ $minutes -ge 479997 && $minutes -le 488000 ]] || fail "$minutes minutes are left of 8000 hours"
	corral 0 add roma many --item i3 --name 'Item 3' --price 3.05 --op-id n3 --json
	has '"applied":false'
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

later_journal() { # DIR: its files are of format 3
	local file
	for file in "$1"/*; do
		poke "$file" 8 "$(number 3 4)"
		poke "$file" 88 "$(number "0x$(head -c 88 "$file" | xxhsum -H3 - | grep -oE '[0-9a-f]{16}')" 8)"
	done
}

# ------------------------------------------------------------------------- claims

a_former_arena_is_refused_with_what_to_do() {
	former
	agent 3
	has "layout version 2, this program's is 6" "corral-agent --upgrade"
	agent 3 --daemon
	has "corral-agent --upgrade"
	local command
	for command in "show r s" ls check "check --repair" "inspect slots" "add r s --item i --name I --price 1"; do
		# shellcheck disable=SC2086
		corral 3 $command
		has "corral-agent --upgrade"
	done
	is_unchanged
}

carries_all_over() { # LAYOUT
	local layout=$1
	former "arena-$layout"
	agent 0 --upgrade
	has "upgraded from layout $layout to 6: 7 carts carried over, 0 left out" "$dir/arena.layout$layout"
	cmp "$dir/arena.layout$layout" "$place/former" || fail "it is not kept as it was"
	sound
	has_carts_of "arena-$layout"
	agent 0 --upgrade
	has "nothing to upgrade: the arena has layout 6"
	start
	grep -qE 'warning|error' "$dir/agent.log" "$place"/dir/*.log && fail "$(cat "$dir/agent.log")"
	goes_on
	corral 0 status --json
	has '"max_carts":100'
	[[ $(stat -c %s "$dir/arena") -eq 4194304 ]] || fail "another size"
	agent 0 --stop
	sound
}

all_carts_of_an_arena_of_layout_2_are_carried_over() {
	carries_all_over 2
}

all_carts_of_an_arena_of_layout_3_are_carried_over() {
	carries_all_over 3
}

all_carts_of_an_arena_of_layout_4_are_carried_over() {
	carries_all_over 4
}

all_carts_of_an_arena_of_layout_5_are_carried_over() {
	carries_all_over 5
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

while_somebody_has_it_open_it_is_refused_by_name() {
	start
	add r a
	"$BUILD/corral" --dir "$dir" watch r a >"$place/watch" 2>&1 &
	local worker=$! n
	echo "$worker" >>"$place/pids"
	for ((n = 0; n < 200; n++)); do
		grep -qs Item "$place/watch" && break
		sleep 0.02
	done
	kill -STOP "$worker"
	agent 0 --stop
	gone "$pid"
	former
	for ((n = 0; n < 4; n++)); do # one of these is its record
		poke "$dir/arena" $((PROCESSES_AT + n * PROCESS_BYTES)) "$(number 1 4)"
		poke "$dir/arena" $((PROCESSES_AT + n * PROCESS_BYTES + 8)) "$(number "$worker" 4)"
		poke "$dir/arena" $((PROCESSES_AT + n * PROCESS_BYTES + 24)) 'an old\x1bone\0'
	done
	cp "$dir/arena" "$place/former"
	agent 1 --upgrade
	has "pid $worker (an old?one) has the arena open: stop it first"
	is_unchanged
	kill -9 "$worker"
	gone "$worker"
	agent 0 --upgrade
	has_carts_of arena-2
}

later_and_unknown_layouts_are_left_alone() {
	former
	poke "$dir/arena" "$VERSION_AT" "$(number 7 4)"
	cp "$dir/arena" "$place/former"
	agent 3
	has "a newer version of Corral wrote it: install that version"
	agent 3 --upgrade
	has "a newer version of Corral wrote it: install that version"
	poke "$dir/arena" "$VERSION_AT" "$(number 1 4)"
	cp "$dir/arena" "$place/former"
	agent 3
	has "nothing but the version of Corral that wrote it can read it"
	agent 3 --upgrade
	has "nothing but the version of Corral that wrote it can read it"
	poke "$dir/arena" "$VERSION_AT" "$(number 2 4)"
	poke "$dir/arena" "$FINGERPRINT_AT" "$(number 2 4)"
	cp "$dir/arena" "$place/former"
	agent 3 --upgrade
	is_unchanged
}

what_is_damaged_in_it_costs_only_itself() {
	former
	local at
	at=$(grep -abo 'Mar"gherita' "$dir/arena" | tail -n 1 | cut -d: -f1)
	poke "$dir/arena" "$at" X
	poke "$dir/arena" 24 "$(number 1 8)" # arena_bytes; and so the header's sum
	agent 1 --upgrade
	has "left out" "6 carts carried over, 1 left out"
	corral 1 show roma all
	corral 0 show napoli long
	sound
	agent 0 --upgrade
}

a_full_one_gets_a_larger_arena() {
	former arena-2-full
	agent 0 --upgrade
	has "it was full: the new arena gets 1 MiB more" "42 carts carried over, 0 left out"
	sound
	has "42 carts"
}

one_that_is_kept_already_is_not_overwritten() {
	former
	echo precious >"$dir/arena.layout2"
	agent 0 --upgrade
	[[ $(cat "$dir/arena.layout2") == precious ]] || fail "overwritten"
	cmp "$dir"/arena.layout2.* "$place/former" || fail "it is not kept"
}

killed_at_any_step_it_loses_nothing() {
	command -v strace >/dev/null || skip "no strace"
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
	local call nth killed=0 refused=0 code
	former
	cp -a "$dir" "$place/image"
	local calls=(renameat renameat2 fsync mkdirat unlinkat ftruncate fallocate pwrite64 openat)
	[[ $BUILD == */asan ]] && calls=("${calls[@]:0:3}") # each start takes long there
	export ASAN_OPTIONS=detect_leaks=0                  # cannot work in a traced process
	for call in "${calls[@]}"; do
		for ((nth = 1; nth < 100; nth++)); do
			rm -rf "$dir"
			cp -a "$place/image" "$dir"
			timeout 30 strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$nth" \
				"$BUILD/corral-agent" --dir "$dir" --upgrade >"$place/out" 2>&1
			grep -q upgraded "$place/out" && break # there are no more of these calls
			killed=$((killed + 1))
			code=0 # a plain start finishes what was begun, or refuses
			out=$(timeout 30 "$BUILD/corral-agent" --dir "$dir" --daemon 2>&1) || code=$?
			case $code in
			0) agent 0 --stop ;;
			3) has "corral-agent --upgrade" && refused=$((refused + 1)) ;;
			*) fail "$call $nth: a start gives $code: $out" ;;
			esac
			agent 0 --upgrade
			[[ ! -e $dir/.rebuild ]] || fail "$call $nth: something is left"
			cmp "$dir/arena.layout2" "$place/former" || fail "$call $nth: it is not kept"
			sound
			has "7 carts"
		done
		[[ $nth -lt 100 ]] || fail "$call never ends"
	done
	echo "killed $killed times; $refused starts were refused"
	[[ $killed -ge $((2 * ${#calls[@]})) && $refused -lt $killed ]] || fail "killed $killed times, $refused refused"
}

a_former_arena_of_an_earlier_boot_is_behind_its_journal() {
	former
	journal
	poke "$dir/arena" "$JOURNAL_AT" "$(number 1 4)"
	cp "$dir/arena" "$place/former"
	agent 0 --upgrade
	has "out of the journal"
	cmp "$dir/arena.former" "$place/former" || fail "it is not kept"
	has_carts_of journal-1
	start
	goes_on
}

but_not_behind_one_that_is_older() {
	former
	journal
	agent 0 --upgrade
	has "7 carts carried over"
	has_carts_of arena-2
}

a_former_arena_whose_journal_is_gone_is_carried_over() {
	former
	poke "$dir/arena" "$JOURNAL_AT" "$(number 1 4)"
	agent 0 --upgrade
	has "7 carts carried over"
	has_carts_of arena-2
}

a_journal_of_format_1_is_read() {
	journal
	start --journal 20ms
	has_carts_of journal-1
	goes_on
	agent 0 --stop
	sound
}

a_journal_goes_on_in_todays_format() {
	local before
	journal
	start --journal 20ms
	corral 0 add roma all --item p3 --name Bread --price 3 --sync
	corral 0 add roma new --item p3 --name Bread --price 3 --sync
	before=$(carts)
	[[ $(od -An -tu4 -j8 -N4 "$(find "$dir/journal" -type f | sort | tail -n 1)") -eq 2 ]] || fail "another format"
	[[ $(od -An -tu4 -j8 -N4 "$(find "$dir/journal" -type f | sort | head -n 1)") -eq 1 ]] || fail "no file of format 1 is left"
	kill -9 "$pid"
	gone "$pid"
	rm "$dir/arena"
	start --journal 20ms # out of files of both formats
	diff <(echo "$before") <(carts) || fail "other carts"
	agent 0 --stop
	sound
}

a_later_journal_is_refused_and_not_touched() {
	journal
	later_journal "$dir/journal"
	cp -a "$dir/journal" "$place/later"
	agent 3
	has "the journal has format 3, this program's is 2" "install that version"
	agent 3 --journal 20ms
	[[ ! -e $dir/arena ]] || fail "an empty arena in place of what the journal has"
	agent 3 --upgrade
	has "the journal has format 3"
	rm -rf "$dir/journal"
	start --journal 20ms
	add r s
	agent 0 --stop
	rm -rf "$dir/journal"
	cp -a "$place/later" "$dir/journal"
	agent 3 --journal 20ms
	has "the journal has format 3"
	agent 3
	diff -r "$place/later" "$dir/journal" || fail "it was changed"
}

a_later_journal_is_put_aside_once_the_arena_has_all() {
	start --journal 20ms
	add r s
	agent 0 --stop
	rm -rf "$dir/journal"
	journal
	later_journal "$dir/journal"
	cp -a "$dir/journal" "$place/later"
	local boot
	boot=$(dd if="$dir/arena" bs=16 skip=12 count=1 status=none | od -An -v -tx1 | sed 's/ /\\x/g')
	poke "$dir/arena" "$BOOT_AT" 'of another boot.'
	agent 3 --upgrade # the journal may have what the arena has not
	has "the journal has format 3"
	diff -r "$place/later" "$dir/journal" || fail "it was changed"
	poke "$dir/arena" "$BOOT_AT" "$boot"
	agent 0 --upgrade
	has "nothing to upgrade" "$dir/journal.format3"
	diff -r "$place/later" "$dir/journal.format3" || fail "it was changed"
	start --journal 20ms
	corral 0 show r s
	corral 0 add r s --item i --name Item --price 1.00 --sync
	agent 0 --stop
	diff -r "$place/later" "$dir/journal.format3" || fail "it was changed"
}

a_later_journal_under_an_agent_that_runs_is_not_removed() {
	journal
	later_journal "$dir/journal"
	mv "$dir/journal" "$place/later"
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
	for ((n = 0; n < 400; n++)); do # it begins a file of its own there, and removes what is older
		[[ -e $dir/journal/000000000000 ]] || break
		sleep 0.05
	done
	[[ ! -e $dir/journal/000000000000 ]] || fail "it does not begin anew: $(ls "$dir/journal")"
	cmp "$place/later/000000000001" "$dir/journal/000000000001" || fail "it was changed"
}

a_former_arena_beside_a_later_journal_goes_by_what_is_newer() {
	former
	journal
	later_journal "$dir/journal"
	cp -a "$dir/journal" "$place/later"
	poke "$dir/arena" "$JOURNAL_AT" "$(number 1 4)"
	cp "$dir/arena" "$place/former"
	agent 3 --upgrade
	has "the journal has format 3"
	is_unchanged
	diff -r "$place/later" "$dir/journal" || fail "it was changed"
	poke "$dir/arena" "$JOURNAL_AT" "$(number 0 4)"
	agent 0 --upgrade
	has "7 carts carried over" "$dir/journal.format3"
	has_carts_of arena-2
	diff -r "$place/later" "$dir/journal.format3" || fail "it was changed"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
