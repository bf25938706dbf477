#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The journal from end to end: carts come back after a power loss, even when agents were killed at
# any moment; disk trouble is reported, costs no carts, and ends by itself.
#
# A power loss means: all processes are killed and the arena is gone. 68_power_loss tests what the
# disk may make of the files.
#
# Usage: [BUILD=dir] tests/agent/67_journal.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154,SC2119,SC2120,SC2020
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/journal_kit.sh
. tests/kit/journal_kit.sh
export CORRAL_AGENT=$BUILD/corral-agent
trap 'umount -l "$work"/*/dir/journal 2>/dev/null; clean_up' EXIT
RANDOM=${CORRAL_SEED:=$((SECONDS + $$))}

workers() { # COUNT: each changes a cart, syncs, and records what was acknowledged
	local i
	for ((i = 0; i < $1; i++)); do
		"$BUILD/tests/67_sync" work "$dir" "w$i" "$place/acknowledged.$i" >/dev/null \
			2>>"$place/workers" &
		echo $! >>"$place/pids"
	done
}

# True if at least this much was acknowledged to each of them.
acknowledged() { # COUNT VERSION
	local i number
	for ((i = 0; i < $1; i++)); do
		number=$(cat "$place/acknowledged.$i" 2>/dev/null)
		[[ $((10#${number:-0})) -ge $2 ]] || return 1
	done
}

nothing_acknowledged_is_missing() { # COUNT
	local i want version all=0
	[[ ! -s $place/workers ]] || fail "$(cat "$place/workers")"
	for ((i = 0; i < $1; i++)); do
		want=$(cat "$place/acknowledged.$i")
		corral 0 show r "w$i" --json
		version=$(grep -o '"version":[0-9]*' <<<"$out")
		[[ ${version#*:} -ge $((10#$want)) ]] ||
			fail "w$i: $version, but $want was acknowledged"
		all=$((all + 10#$want))
	done
	echo "$all changes were acknowledged" >&3
}

small_disk() { # SIZE: over the journal's directory only
	[[ $(id -u) -eq 0 ]] || skip "not root"
	mkdir -p "$dir/journal" "$place/disk" && chmod 700 "$dir" "$dir/journal"
	mount -t tmpfs -o "size=$1,mode=700" none "$place/disk" 2>/dev/null ||
		skip "cannot mount a tmpfs"
	mount --bind "$place/disk" "$dir/journal"
}

end_disk() {
	umount -l "$dir/journal"
	umount -l "$place/disk"
}

# ------------------------------------------------------------- claims

carts_of_all_kinds_survive() {
	begin
	corral 0 add r plain --item i --name Item --price 1.25 --quantity 3 \
		--modifier "Extra cheese=0.50" --note "no salt"
	corral 0 tax r plain 8.25%
	corral 0 attribute r plain table 7
	corral 0 add r out --item i --name Item --price 9.00
	corral 0 checkout r out
	corral 0 ttl r short 60s
	corral 0 add r dropped --item i --name Item --price 9.00
	corral 0 drop r dropped
	corral 0 add r last --item i --name Item --price 0.01 --sync
	local name
	for name in plain out short last; do
		"$BUILD/corral" --dir "$dir" show r "$name" --json >"$place/$name.before"
	done
	lose_power
	begin
	log_has "recovered 4 carts from the journal"
	for name in plain out short last; do
		"$BUILD/corral" --dir "$dir" show r "$name" --json >"$place/$name.after"
		cmp <(sed 's/"expires_at":"[^"]*"//' "$place/$name.before") \
			<(sed 's/"expires_at":"[^"]*"//' "$place/$name.after") ||
			fail "$name: $(cat "$place/$name.after")"
	done
	corral 1 show r dropped
	corral 0 add r out2 --item i --name Item --price 1.00 --sync
	agent 0 --stop
	gone "$pid"
	sound
}

after_another_boot_the_journal_takes_precedence() {
	begin
	add r a
	corral 0 add r b --item i --name Item --price 1.00 --sync
	agent 0 --stop
	gone "$pid"
	printf '\x01%.0s' {1..16} | dd of="$dir/arena" bs=1 seek=192 conv=notrunc status=none
	begin
	log_has "recovered 2 carts"
	corral 0 show r a
	agent 0 --stop # and without a journal it is verified, as before; even with old files about
	gone "$pid"
	start --journal off
	corral 0 drop r a
	agent 0 --stop
	gone "$pid"
	printf '\x01%.0s' {1..16} | dd of="$dir/arena" bs=1 seek=192 conv=notrunc status=none
	begin
	log_has "verifying it"
	corral 1 show r a
	# into a base, whatever the old files say
	corral 0 add r c --item i --name Item --price 1.00 --sync
	lose_power
	begin
	corral 1 show r a
	corral 0 show r b
	corral 0 show r c
}

# Files with any name and any content.
litter() {
	local name
	: >"$dir/journal/999999999999"
	: >"$dir/journal/000000000900"
	: >"$dir/journal/18446744073709551615"
	head -c 5000 /dev/urandom >"$dir/journal/000000000901"
	head -c 5000 /dev/urandom >"$dir/journal/4000000001"
	truncate -s 100G "$dir/journal/000000000902"
	mkdir "$dir/journal/000000000903" "$dir/journal/999999999998"
	ln -s /etc/passwd "$dir/journal/000000000904"
	ln -s nowhere "$dir/journal/000000000905"
	mkfifo "$dir/journal/000000000906"
	echo notes >"$dir/journal/README"
	for name in 0 7 "$(printf '%0250d' 1)" $'\e[31mred\n' "-rf"; do
		: >"$dir/journal/$name"
	done
	cp "$(find "$dir/journal" -name "00000000000?" | head -n 1)" "$dir/journal/000000000907"
}

other_files_in_the_directory_cost_nothing_durable() {
	start --journal sync
	corral 0 add r a --item i --name Item --price 1.00 --json
	has '"durable":true'
	kill_agent
	litter
	start --journal sync
	echo "$out" >>"$place/log"
	log_has "journal/999999999999 is no file of the journal" \
		"it is now journal/999999999999.stray" "journal/000000000904 is no file" \
		"journal/000000000903 is no file" "journal/000000000901 is no file"
	corral 0 add r b --item i --name Item --price 1.00 --json
	has '"durable":true'
	[[ $(status_of durable) == true && $(status_of file) -lt 100 ]] || fail "$(status_of file)"
	[[ -f $dir/journal/README && -f $dir/journal/000000000901.stray ]] ||
		fail "$(ls "$dir/journal")"
	kill_agent
	litter # even if it is there at a recovery
	[[ $(cat "$dir/journal/000000000904.stray") == "$(cat /etc/passwd)" ]] ||
		fail "the link is another"
	rm -f "$dir/arena"
	start --journal sync
	corral 0 show r a
	corral 0 show r b
	corral 0 add r c --item i --name Item --price 1.00 --json
	has '"durable":true'
	lose_power_of_the_agent
	start --journal sync
	for name in a b c; do corral 0 show r "$name"; done
}

# A file that was whole is replaced, or hidden behind a later file of another arena.
a_changed_directory_is_noticed_before_anything_is_called_durable() {
	begin
	corral 0 add r a --item i --name Item --price 1.00 --sync
	truncate -s 200 "$dir/journal/000000000001"
	# before that is noticed, or after it
	corral_any add r b --item i --name Item --price 1.00 --sync
	wait_for sync_works
	log_has "somebody has changed the journal's file"
	mv "$dir/journal/$(printf %012d "$(status_of file)")" "$dir/journal/away"
	corral_any add r c --item i --name Item --price 1.00 --sync
	wait_for sync_works
	log_has "somebody has taken the journal's file"
	lose_power
	begin
	for name in a b c; do corral 0 show r "$name"; done
}

an_agent_keeps_a_journal_unless_it_is_told_not_to() {
	start
	corral 0 add r a --item i --name Item --price 1.00 --sync --json
	has '"durable":true'
	corral 0 add r b --item i --name Item --price 1.00 --json
	has '"durable":false'
	lose_power_of_the_agent
	start
	corral 0 show r a
	agent 0 --stop
	gone "$pid"
	start --journal off
	corral 4 add r c --item i --name Item --price 1.00 --sync
	has "the change is made, but not known to be on disk: the agent keeps no journal"
	add r d
}

every_change_is_on_disk_when_it_is_told_so() {
	local i
	start --journal sync
	for ((i = 0; i < 5; i++)); do
		corral 0 add r "s$i" --item i --name Item --price 1.00 --json
		has '"durable":true'
	done
	corral 0 drop r s4
	corral 0 snapshot "$place/snapshot"
	corral 0 drop r s3
	corral 0 restore "$place/snapshot" --merge
	lose_power_of_the_agent
	start --journal sync
	for ((i = 0; i < 4; i++)); do corral 0 show r "s$i"; done
	corral 1 show r s4
	kill_agent
	corral 4 add r s0 --item i --name Item --price 1.00 --op-id once
	has "the change is made, but not known to be on disk: no agent runs"
	local version=${out#*version } # of a later epoch
	version=${version%%:*}
	[[ $version -gt 2 ]] || fail "version $version"
	start --journal sync
	mv "$dir/journal" "$place/away"
	ln -s /nowhere "$dir/journal"
	corral_any add r s1 --item i --name Item --price 1.00 # before that is noticed, or after it
	wait_for not_durable
	corral 3 add r s1 --item i --name Item --price 1.00
	has "not known to be on disk"
	local second=${out#*version }
	second=${second%%:*}
	rm "$dir/journal"
	wait_for durable
	corral 0 add r s0 --item i --name Item --price 1.00 --op-id once --json
	has "\"version\":$version," '"applied":false' '"durable":true'
	lose_power_of_the_agent
	start --journal sync
	corral 0 show r s1 --json
	has "\"version\":$second,"
	corral 0 add r s0 --item i --name Item --price 1.00 --op-id once --json
	has '"applied":false'
	corral 1 add r s0 --item i --name Item --price 2.00 --op-id once
	has "the operation id was given to another change"
}

nothing_acknowledged_is_lost_when_agents_are_killed_at_any_moment() {
	local i
	begin
	echo "CORRAL_SEED=$CORRAL_SEED" >&3
	workers 4
	for ((i = 0; i < 12; i++)); do
		sleep "0.0$((RANDOM % 10))"
		kill_agent
		begin
	done
	wait_for acknowledged 4 20
	lose_power
	begin
	nothing_acknowledged_is_missing 4
	lose_power
	begin # from a journal that a recovery began
	nothing_acknowledged_is_missing 4
}

nothing_acknowledged_is_lost_when_an_agent_dies_at_any_of_its_writes() {
	local call nth killed=0
	begin
	workers 2
	for call in "pwrite64 1 2 3 6" "fdatasync 1 2 5" "fsync 1"; do
		for nth in ${call#* }; do
			kill_agent
			traced "${call%% *}:signal=KILL:when=$nth"
			gone "$pid" # the workers make it write until it is killed
			byte_free
			killed=$((killed + 1))
			begin
		done
		wait_for acknowledged 2 5
		lose_power
		begin
		nothing_acknowledged_is_missing 2
		workers 2
	done
	[[ $killed -eq 8 ]] || fail "killed $killed times only"
}

trouble() { # ERROR: the error occurs and is reported; then it ends
	corral 3 add r a --item i --name Item --price 1.00 --sync
	wait_for not_durable
	has "the change is made, but not known to be on disk"
	corral 0 show r a
	log_has "the journal cannot be written: $1"
	corral 0 status
	[[ $(status_of not_durable_since_ms) -gt 0 ]] || fail "since when?"
}

a_full_disk_is_reported_until_it_has_room_again() {
	small_disk 64k
	begin
	local i before first
	for ((i = 0; i < 400; i++)); do
		corral 0 add r "s$((i % 8))" --item "i$i" \
			--name "A long name so that it is full before long: $i" --price 1.00
		not_durable && break
	done
	# the files given up make room, so the carts themselves must not fit
	for ((i = 0; i < 20; i++)); do
		corral 0 add r "big$i" --item i --name Item --price 1.00 \
			--note "$(printf '%04000d' 0)"
	done
	trouble "No space left on device"
	before=$(find "$dir/journal" -type f | wc -l)
	first=$(status_of file)
	sleep 6
	[[ $(find "$dir/journal" -type f | wc -l) -le $((before + 1)) ]] ||
		fail "each try leaves a file"
	[[ $(status_of file) -le $((first + 5)) ]] ||
		fail "$(($(status_of file) - first)) files were begun in six seconds"
	add r b # workers continue
	mount -o remount,size=32M "$place/disk"
	wait_for durable
	log_has "the journal is whole again"
	corral 0 add r c --item i --name Item --price 1.00 --sync
	cp -a "$dir/journal" "$place/files"
	lose_power
	end_disk
	cp -a "$place/files/." "$dir/journal/"
	begin
	corral 0 show r a
	corral 0 show r b
	corral 0 show r c
	lose_power
}

an_agent_serves_also_when_the_disk_is_full_at_its_start() {
	small_disk 4k
	head -c 64K /dev/zero >"$dir/journal/full" 2>/dev/null
	begin
	add r a
	trouble "No space left on device"
	rm "$dir/journal/full"
	mount -o remount,size=32M "$place/disk"
	wait_for durable
	corral 0 add r b --item i --name Item --price 1.00 --sync
	agent 0 --stop
	gone "$pid"
	end_disk
}

a_failed_sync_is_not_tried_again_on_the_same_file() {
	start --journal off # make the arena first: that must not fail
	agent 0 --stop
	: >"$dir/agent.log" # it has an old "ready"
	traced fdatasync:error=EIO:when=3..5
	wait_for grep -q ready "$dir/agent.log"
	add r a
	wait_for sync_fails
	local first
	first=$(status_of file)
	wait_for sync_works
	log_has "cannot be written: Input/output error" "the journal is whole again"
	[[ $(status_of file) -gt $first ]] || fail "the same file"
	kill -9 "$(agent_pid)"
	gone "$pid"
	lose_power
	begin
	corral 0 show r a
	corral 0 show r s
}

a_sync_reports_errors_of_writing_and_opening() {
	local injection
	for injection in pwrite64:error=EIO:when=3..6 pwrite64:error=EROFS:when=4..5 \
		openat:error=EMFILE:when=3..6; do
		rm -rf "$dir"
		start --journal off # make the arena first: that must not fail
		agent 0 --stop
		: >"$dir/agent.log" # it has an old "ready"
		traced "$injection"
		wait_for grep -q ready "$dir/agent.log"
		add r a
		if [[ $injection == openat* ]]; then
			mv "$dir/journal" "$place/away.$RANDOM" # so that it must open files again
		fi
		wait_for sync_fails
		wait_for sync_works
		log_has "the journal is whole again"
		kill -9 "$(agent_pid)"
		gone "$pid"
		lose_power
		begin
		corral 0 show r a
		corral 0 show r s
		lose_power
	done
}

sync_works() { corral_any add r s --item i --name Item --price 1.00 --sync; }
sync_fails() { ! sync_works; }
corral_any() { timeout 60 "$BUILD/corral" --dir "$dir" "$@" >/dev/null 2>&1; }

a_directory_that_was_taken_away_is_noticed_and_one_made_anew_is_used() {
	begin
	corral 0 add r a --item i --name Item --price 1.00 --sync
	mv "$dir/journal" "$place/away"
	ln -s /nowhere "$dir/journal" # so that no directory can be made in its place
	trouble ""
	rm "$dir/journal"
	wait_for durable
	corral 0 add r b --item i --name Item --price 1.00 --sync
	lose_power
	begin
	corral 0 show r a
	corral 0 show r b
	rm -rf "$dir/journal"
	# may get the error, or come in time
	corral_any add r c --item i --name Item --price 1.00 --sync
	wait_for durable
	corral 0 add r d --item i --name Item --price 1.00 --sync
	lose_power
	begin
	corral 0 show r c
	corral 0 show r d
}

terminated_it_writes_what_is_dirty() {
	local signal
	start --journal 1h
	for signal in TERM INT; do
		add r "$signal"
		kill "-$signal" "$pid"
		gone "$pid"
		log_has "stopping; the carts stay"
		lose_power
		start --journal 1h
		corral 0 show r "$signal"
	done
}

the_journal_does_not_grow_for_ever() {
	local i bytes
	begin
	workers 4
	for ((i = 0; i < 60; i++)); do # restarts, and more bytes than a file may exceed its base by
		kill_agent
		begin
		[[ $i -lt 8 ]] && sleep 0.2
	done
	wait_for acknowledged 4 50
	bytes=$(du -sb "$dir/journal" | cut -f1)
	echo "$bytes bytes in $(find "$dir/journal" -type f | wc -l) files" >&3
	[[ $bytes -lt 64000000 && $(find "$dir/journal" -type f | wc -l) -le 102 ]] ||
		fail "$bytes bytes"
	lose_power
	begin
	nothing_acknowledged_is_missing 4
}

it_is_begun_anew_above_the_size_that_was_set() { # and not before
	local size files=() text
	printf -v text '%2000s' ''
	for size in 1M 64M; do
		dir=$place/$size
		begin --journal-size "$size"
		"$BUILD/tests/60_agent_socket" fill "$dir" 1000 >"$place/fill" 2>&1
		corral 0 add r s --item i --name Item --price 1.00 --sync
		for ((i = 0; i < 60; i++)); do
			"$BUILD/tests/60_agent_socket" fill "$dir" 1000 >"$place/fill" 2>&1
			corral 0 add r s --item "i$i" --name Item --price 1.00 \
				--note "${text// /n}" --sync
		done
		files+=("$(status_of file)")
		echo "$size: $(du -sb "$dir/journal" | cut -f1) bytes, file ${files[-1]}" >&3
		agent 0 --stop
	done
	[[ ${files[0]} -gt 1 && ${files[1]} -eq 1 ]] || fail "files: ${files[*]}"
	dir=$place/1M
	rm "$dir/arena"
	begin
	corral 0 show r s
	has "61 items"
}

damage_in_arena() { # TEXT: one byte of its last occurrence
	local at
	at=$(head -c 64M "$dir/arena" | grep -abo "$1" | tail -n 1 | cut -d: -f1)
	printf 'X' | dd of="$dir/arena" bs=1 seek="$at" conv=notrunc status=none
}

grow_over() { # NUMBER: until this file of the journal is begun, and its base is whole
	local i text
	printf -v text '%2000s' ''
	for ((i = 0; i < 400; i++)); do
		"$BUILD/tests/60_agent_socket" fill "$dir" 600 >"$place/fill" 2>&1
		corral 0 add r s --item "i$((i % 20))" --name Item --price 1.00 \
			--note "${text// /n}" --sync
		[[ $(status_of file) -ge $1 && $(ls "$dir/journal") == *"$1" &&
			$(find "$dir/journal" -mindepth 1 | wc -l) -eq 1 ]] && return
	done
	fail "no base: $(ls "$dir/journal")"
}

a_base_has_the_last_sound_record_of_a_damaged_cart() {
	begin --journal-size 1M
	corral 0 add r victim --item i --name Victim-name --price 7.00 --sync
	corral 0 add r other --item i --name Other-name --price 1.00 --sync
	damage_in_arena Victim-name
	grow_over 2
	grow_over 3 # of the record that was carried over already
	[[ $(grep -c "is damaged" "$dir/agent.log") -eq 1 ]] ||
		fail "told again: $(grep damaged "$dir/agent.log")"
	lose_power
	begin
	corral 0 show r victim
	has Victim-name "version 1"
	corral 0 show r other
}

a_base_without_a_damaged_cart_leaves_the_files_that_had_it() {
	local at file
	begin --journal-size 1M
	file=$dir/journal/000000000001
	corral 0 add r victim --item i --name Victim-name --price 7.00 --sync
	at=$(grep -abo Victim-name "$file" | head -n 1 | cut -d: -f1)
	printf 'X' | dd of="$file" bs=1 seek="$at" conv=notrunc status=none
	damage_in_arena Victim-name
	grow_over 2
	log_has "the journal has no sound record of it: its files are kept as journal.damaged."
	grep -qa ictim-name "$dir"/journal.damaged.*/000000000001 || fail "not the file"
	sync_works || fail "no sync"
}

older_files_do_not_count_after_a_base() {
	local i # more than there are new carts, which may get their slots
	begin
	for ((i = 0; i < 6; i++)); do
		corral 0 add r "dropped$i" --item i --name Item --price 1.00 --sync
	done
	# of two files that a base makes useless, one came back
	cp "$dir/journal/000000000001" "$place/older"
	kill_agent
	begin
	for ((i = 0; i < 6; i++)); do corral 0 drop r "dropped$i" --sync; done
	rm -rf "$dir/journal" # the next file has a base
	wait_for sync_works
	corral 0 add r kept --item i --name Item --price 1.00 --sync
	cp "$place/older" "$dir/journal/000000000001"
	lose_power
	begin
	for ((i = 0; i < 6; i++)); do corral 1 show r "dropped$i"; done
	corral 0 show r kept
}

the_next_agent_writes_what_a_dead_one_had_drained() {
	local late
	begin
	corral 0 add r first --item i --name Item --price 1.00 --sync
	kill_agent
	# by the journal's thread; the main thread makes fewer calls. How many there are until it is
	# ready depends on how fast it is
	traced pwrite64:signal=KILL:when=6
	wait_for sync_works
	for ((late = 0; late < 50; late++)); do
		add r "late$late" # the last one is in the round that is not written
		sync_works || break
	done
	gone "$pid"
	byte_free
	begin
	corral 0 add r another --item i --name Item --price 1.00 --sync
	lose_power
	begin
	corral 0 show r "late$late"
	corral 0 show r another
}

an_arena_that_is_cut_under_the_agent_leaves_the_journal_whole() {
	local i
	begin
	for ((i = 0; i < 5; i++)); do add r "s$i"; done
	corral 0 add r last --item i --name Item --price 1.00 --sync
	truncate -s 4096 "$dir/arena"
	gone "$pid"
	rm "$dir/arena"
	begin
	for ((i = 0; i < 5; i++)); do corral 0 show r "s$i"; done
	corral 0 show r last
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
for i in "${!claims[@]}"; do # some of the functions are helpers
	case ${claims[$i]} in
	trouble | litter | damage_in_arena | grow_over | corral_any | sync_*) unset "claims[$i]" ;;
	esac
done
run_claims "${claims[@]}"
