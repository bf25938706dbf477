#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral clean, and what status says of the files beside the arena: files set aside are listed, and
# removed by name if the arena has all of their contents; a possible only copy of a cart never is.
#
# Usage: [BUILD=dir] tests/tools/70_clean.sh [CLAIM...]   from the root; timeout: 120
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

resized() {
	start
	add r s
	agent 0 --stop
	agent 0 --resize --size 32M
	agent 0 --daemon
	agent_pid >>"$place/pids"
	corral 0 add r s2 --item i --name Item --price 1.00 --sync
	kept=$(basename "$dir"/arena.resized.*)
}

# ------------------------------------------------------------- claims

what_was_set_aside_is_listed_and_counted() {
	start
	corral 0 clean
	has "nothing is set aside"
	corral 0 status
	[[ $out != *"set aside"* ]] || fail "$out"
	agent 0 --stop
	dir=$place/second
	resized
	: >"$dir/arena.damaged.1"
	mkdir "$dir/journal.damaged.2"
	corral 0 clean
	has "$kept" "arena has all of it" arena.damaged.1 journal.damaged.2 "may be the only copy"
	corral 0 status
	has "set aside" "3 files" "corral clean"
	corral 0 status --json
	has "\"name\":\"$kept\"" '"spare":true' '"base_ms":1'
	corral 0 status --metrics
	has "corral_aside_files 3" corral_aside_bytes corral_journal_bytes \
		corral_journal_base_timestamp_seconds
	[[ $out =~ corral_journal_bytes\ [1-9] ]] || fail "no bytes of the journal: $out"
}

what_the_arena_has_is_removed_by_name() {
	resized
	local name
	mkdir "$dir/journal.salvaged.7"
	: >"$dir/journal.salvaged.7/000000000001"
	corral 0 clean "$kept"
	[[ ! -e $dir/$kept ]] || fail "it is there"
	corral 0 clean journal.salvaged.7
	[[ ! -e $dir/journal.salvaged.7 ]] || fail "it is there"
	for name in arena.layout6 arena.layout6.1796013261317 arena.resized.7.1; do
		: >"$dir/$name"
		corral 0 clean "$name"
		[[ ! -e $dir/$name ]] || fail "it is there"
	done
	corral 0 show r s
	corral 0 clean
	has "nothing is set aside"
}

what_may_be_the_only_copy_is_never_removed() {
	resized
	local name
	mkdir "$dir/journal.damaged.2" "$dir/journal.hopeless.3"
	: >"$dir/arena.damaged.1"
	: >"$dir/arena.former"
	: >"$dir/arena.former.1"
	: >"$dir/journal.format2"
	# and what only looks like one of ours
	: >"$dir/arena.resized.mine"
	: >"$dir/arena.resized.7.1.sav"
	: >"$dir/arena.layout"
	: >"$dir/journal.salvaged."
	for name in arena.damaged.1 journal.damaged.2 journal.hopeless.3 arena.former \
		arena.former.1 journal.format2 arena.resized.mine arena.resized.7.1.sav \
		arena.layout journal.salvaged.; do
		corral 1 clean "$name"
		has "only copy"
		[[ -e $dir/$name ]] || fail "$name was removed"
	done
	for name in arena journal lock agent.log . .. ../dir/arena arena.resized.1/../arena \
		nothing; do
		corral 1 clean "$name"
		has "nothing of this name is set aside"
	done
	corral 0 show r s
	[[ -e $dir/lock && -d $dir/journal ]] || fail "$(ls "$dir")"
}

nothing_is_removed_while_the_arena_is_not_durable() {
	resized
	agent 0 --stop
	corral 1 clean "$kept"
	has "not durable"
	[[ -e $dir/$kept ]] || fail "it was removed"
}

a_link_in_place_of_one_costs_nothing_else() {
	resized
	mkdir "$place/elsewhere"
	: >"$place/elsewhere/precious"
	ln -s "$place/elsewhere" "$dir/journal.salvaged.9"
	corral 0 clean journal.salvaged.9 # the link is removed
	[[ -e $place/elsewhere/precious ]] || fail "it was followed"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
