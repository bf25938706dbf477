#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What corral-agent refuses, and how: files that are no arena of ours, directories that it may not
# use, full disks; and the modes of its own files, which keep other users out.
#
# Usage: [BUILD=dir] tests/agent/60_agent_refusals.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

# Assert that the agent refuses $dir/arena and changes no byte.
refuses_unchanged() { # WHAT
	cp "$dir/arena" "$place/before"
	agent 3
	has "$dir"
	cmp -s "$dir/arena" "$place/before" || fail "$1: the file was changed"
	[[ $(find "$dir" -name 'arena*' | wc -l) -eq 1 ]] || fail "$1: more files than before"
}

small_disk() { # SIZE
	[[ $EUID -eq 0 ]] || skip "only root can mount"
	mkdir -p "$place/disk"
	mount -t tmpfs -o "size=$1" none "$place/disk" 2>/dev/null || skip "cannot mount a tmpfs"
	dir=$place/disk/dir
}

# ------------------------------------------------------------- claims

foreign_newer_and_truncated_arenas_are_refused_and_not_touched() {
	start --journal off # with a journal the arena would be made anew: 67_journal
	add r s
	agent 0 --stop
	cp "$dir/arena" "$place/good"
	head -c 100000 /dev/urandom >"$dir/arena"
	refuses_unchanged "a foreign file"
	: >"$dir/arena"
	refuses_unchanged "an empty file"
	head -c 100000 "$place/good" >"$dir/arena"
	refuses_unchanged "a truncated arena"
	cp "$place/good" "$dir/arena"
	printf '\x63' | dd of="$dir/arena" bs=1 seek=8 conv=notrunc status=none # layout_version
	refuses_unchanged "a newer arena"
	cp "$place/good" "$dir/arena"
	ln "$dir/arena" "$place/link"
	refuses_unchanged "an arena of two names"
	rm "$place/link"
	mv "$dir/arena" "$place/elsewhere"
	ln -s "$place/elsewhere" "$dir/arena"
	agent 3
	rm "$dir/arena"
	mkfifo "$dir/arena"
	agent 3
	rm "$dir/arena"
	cp "$place/good" "$dir/arena"
	start --journal off
	corral 0 show r s
}

a_limit_on_the_size_of_files_is_told_and_nothing_is_left() {
	(
		ulimit -f 1024
		agent 3 --size 16M
		has "cannot make an arena file of 16777216 bytes: File too large" "ulimit -f"
		agent 3 --size 16M --daemon
		has "File too large"
	) || exit 1
	[[ $(cd "$dir" && shopt -s dotglob && echo *) == "agent.log lock" ]] ||
		fail "something was left: $(ls -A "$dir")"
	start --journal off
	for ((i = 0; i < 20; i++)); do
		add r "s$i"
	done
	mkdir "$place/out"
	(
		ulimit -f 1
		corral 5 snapshot "$place/out/snapshot"
		has "File too large"
	) || exit 1
	[[ -z $(ls -A "$place/out") ]] || fail "something was left: $(ls -A "$place/out")"
	corral 0 snapshot "$place/out/snapshot"
}

the_parent_says_by_what_signal_an_agent_ended_before_it_was_ready() {
	out=$(strace -f -qq -o /dev/null -e trace=fsync -e inject=fsync:signal=SIGKILL:when=1 \
		timeout -k 5 30 "$BUILD/corral-agent" --dir "$dir" --size 16M --daemon 2>&1)
	[[ $? -eq 3 ]] || fail "not exit code 3: $out"
	has "signal 9 (Killed)"
	start # its leftovers are removed
	[[ ! -e $dir/.arena.new ]] || fail "the temporary file is left"
}

a_directory_without_permission_is_refused() {
	local as=()
	mkdir -m 755 "$dir"
	if [[ $EUID -eq 0 ]]; then
		as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
		"${as[@]}" test -x "$BUILD/corral-agent" || skip "nobody cannot reach $BUILD"
	else
		chmod 555 "$dir"
	fi
	local code=0
	out=$(timeout -k 5 30 "${as[@]}" "$BUILD/corral-agent" --dir "$dir" 2>&1) || code=$?
	[[ $code -eq 3 ]] || fail "exit code $code: $out"
	has "$dir"
	[[ -z $(ls "$dir") ]] || fail "something was left: $(ls "$dir")"
	code=0
	out=$(timeout -k 5 30 "${as[@]}" "$BUILD/corral-agent" --dir "$dir/deeper" 2>&1) || code=$?
	[[ $code -eq 3 ]] || fail "exit code $code: $out"
}

modes_do_not_depend_on_the_umask() {
	local mask file
	for mask in 000 022 077 177; do
		dir=$place/umask$mask
		(umask "$mask" && agent 0 --daemon --size 16M) || exit 1
		agent_pid >>"$place/pids"
		[[ $(stat -c %a "$dir") == 2770 ]] ||
			fail "umask $mask: directory $(stat -c %a "$dir")"
		for file in arena lock agent.sock agent.log; do
			[[ $(stat -c %a "$dir/$file") == 660 ]] ||
				fail "umask $mask: $file $(stat -c %a "$dir/$file")"
		done
	done
}

a_full_disk_refuses_the_creation_and_leaves_nothing() {
	small_disk 1M
	agent 3 --size 64M --max-carts 60000
	has "No space left on device"
	[[ -z $(find "$dir" -name 'arena*') ]] || fail "left: $(ls "$dir")"
	mount -o remount,size=64M "$place/disk"
	agent 0 --daemon --size 64M # and recovers when the trouble ends
	agent_pid >>"$place/pids"
	add r s
	agent 0 --stop
	umount -l "$place/disk" # its agent may not have ended yet
}

a_disk_that_runs_full_refuses_adds_and_the_carts_stay_readable() {
	small_disk 16M
	agent 0 --daemon --size 64M
	agent_pid >>"$place/pids"
	add r first
	head -c 100M /dev/zero >"$place/disk/ballast" 2>/dev/null
	"$BUILD/tests/60_agent_socket" fill "$dir" 20000 >"$place/fill" 2>&1 &&
		fail "20,000 carts fitted: $(<"$place/fill")"
	out=$(<"$place/fill")
	has "disk is full"
	corral 0 show r first
	has Item
	corral 0 drop r first
	rm "$place/disk/ballast"
	add r second
	agent 0 --stop
	sound
	umount -l "$place/disk" # its agent may not have ended yet
}

an_agent_without_a_socket_gives_up_all_that_it_had_begun() {
	start
	agent 0 --stop
	mkdir "$dir/agent.sock"
	agent 3 --journal 20ms
	has "cannot open the control socket"
	corral 0 inspect
	[[ $out =~ processes_dead\ +0 ]] || fail "it has not detached: $(grep processes <<<"$out")"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
