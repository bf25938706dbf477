#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An arena and a journal from different times or places: backups that are restored whole or in part,
# files of another directory, copies made while workers changed carts.
#
# Usage: [BUILD=dir] tests/agent/67_generations.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119,SC2120
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/journal_kit.sh
. tests/kit/journal_kit.sh
export CORRAL_AGENT=$BUILD/corral-agent
mismatch="do not belong together"

stop() {
	agent 0 --stop
	gone "$pid"
}

synced() { corral 0 add r "$1" --item i --name Item --price 1.00 --sync; }
log_lacks() {
	! grep -qsF "$1" "$place/log" "$dir/agent.log" ||
		fail "'$1' in the log: $(tail -n 5 "$place/log")"
}
forget_log() { : >"$place/log" && : >"$dir/agent.log"; }
kept() { find "$dir" -maxdepth 1 -type d -name "journal.damaged.*"; }

# `old` with a backup in $place/backup; after the backup `old` was dropped and `new` made.
two_generations() {
	begin
	synced old
	stop
	cp -a "$dir" "$place/backup"
	begin
	synced new
	corral 0 drop r old --sync
	stop
	forget_log
}

# The carts are those of the backup, and stay; newer ones can be salvaged.
the_arena_counts() {
	log_has "$mismatch" "is kept as journal.damaged."
	corral 0 show r old
	corral 1 show r new
	wait_for durable
	synced later
	# the newer arena gave out unknown versions
	[[ ${out#version } == 1:* ]] && fail "versions did not jump: $out"
	lose_power
	begin
	corral 0 show r old
	corral 1 show r new
	corral 0 show r later
	stop
	agent 0 --salvage
	begin
	corral 0 show r new
	corral 0 show r later
}

# ------------------------------------------------------------- claims

a_backup_that_is_put_back_over_newer_files_is_noticed() {
	two_generations
	cp -a "$place/backup/." "$dir/"
	begin
	the_arena_counts
}

an_older_arena_in_place_of_the_newer_is_noticed() {
	two_generations
	cat "$place/backup/arena" >"$dir/arena"
	begin
	the_arena_counts
}

an_older_arena_of_another_file_is_noticed() {
	two_generations
	rm "$dir/arena"
	cp -a "$place/backup/arena" "$dir/arena"
	begin
	log_has "is a copy of another file; verifying it"
	the_arena_counts
}

an_arena_whose_last_file_has_more_than_it_wrote_is_noticed() {
	begin
	synced old
	kill_agent # nothing is written at the end, and no file is begun
	cp -a "$dir/arena" "$place/arena"
	cp -a "$dir/journal" "$place/journal"
	begin
	synced new
	stop
	# the new records, after those that the arena knows
	cp -a "$place/journal/." "$dir/journal/"
	cat "$place/arena" >"$dir/arena"
	rm "$dir/journal/000000000002"
	head -c 4096 /dev/zero >>"$dir/journal/000000000001"
	forget_log
	begin
	log_has "$mismatch" "file 000000000001 has"
	corral 0 show r old
}

an_older_journal_under_a_newer_arena_is_noticed() {
	local name
	two_generations
	rm -r "$dir/journal"
	cp -a "$place/backup/journal" "$dir/journal"
	begin
	log_has "$mismatch" "which the arena wrote last, is not there"
	wait_for durable
	corral 1 show r old
	corral 0 show r new
	[[ -z $(kept) ]] || fail "kept, but the arena has it all"
	synced later
	lose_power
	begin
	corral 1 show r old
	corral 0 show r new
	corral 0 show r later
}

a_journal_that_was_cut_is_noticed() {
	local last
	begin
	synced a
	stop
	last=$(find "$dir/journal" -type f | sort | tail -n 1)
	truncate -s -40 "$last"
	forget_log
	begin
	log_has "$mismatch" "and the arena knows of"
	wait_for durable
	lose_power
	begin
	corral 0 show r a
}

the_journal_of_another_arena_is_noticed_and_kept() {
	local here=$place/dir
	dir=$place/other
	for _ in 1 2 3; do # so that its file numbers are later
		begin
		synced theirs
		stop
	done
	dir=$here
	begin
	synced ours
	stop
	cp -a "$place/other/journal/." "$dir/journal/"
	forget_log
	begin
	log_has "$mismatch" "the journal of another arena is kept as"
	wait_for durable
	lose_power
	begin
	corral 0 show r ours
	corral 1 show r theirs
}

a_copy_that_was_made_while_carts_changed_is_verified_whole() {
	local i copies=0
	begin
	for ((i = 0; i < 2; i++)); do
		"$BUILD/tests/67_sync" work "$dir" "w$i" "$place/acknowledged.$i" >/dev/null 2>&1 &
		echo $! >>"$place/pids"
	done
	wait_for test -s "$place/acknowledged.1"
	for ((i = 0; i < 4; i++)); do
		cp -a "$dir" "$place/copy.$i"
	done
	for ((i = 0; i < 4; i++)); do
		dir=$place/copy.$i
		corral 3 show r w0
		has "the arena is a copy of another file: start corral-agent"
		forget_log
		begin
		log_has "is a copy of another file; verifying it"
		corral 0 check
		wait_for durable
		corral 0 show r w0
		stop
		begin # now it is its own directory
		corral 0 show r w0
		copies=$((copies + 1))
		stop
	done
	[[ $copies -eq 4 ]] || fail "$copies copies"
}

what_was_recovered_or_moved_is_no_copy() {
	begin
	synced a
	lose_power
	begin
	stop
	mv "$dir" "$place/elsewhere"
	dir=$place/elsewhere
	forget_log
	begin
	log_lacks "copy of another file"
	log_lacks "$mismatch"
	corral 0 show r a
	[[ $(status_of durable) == true ]] || fail "its journal does not go on"
}

agents_that_were_killed_anywhere_go_on_with_their_journal() {
	local call nth killed=0
	begin
	"$BUILD/tests/67_sync" work "$dir" w0 "$place/acknowledged.0" >/dev/null 2>&1 &
	echo $! >>"$place/pids"
	for call in "pwrite64 1 2 3 4 5 6 7" "fdatasync 1 2 3 4 5" "fsync 1 2 3" \
		"openat 20 21 22 23 24 25 26"; do
		for nth in ${call#* }; do
			kill_agent
			traced "${call%% *}:signal=KILL:when=$nth"
			gone "$pid"
			byte_free
			killed=$((killed + 1))
			begin
			synced a
		done
	done
	[[ $killed -eq 22 ]] || fail "killed $killed times only"
	log_lacks "$mismatch"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
