#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A member of the group plants things in the directory of an agent that runs as root: links, and
# files and directories of root's that it could move there. The agent follows no link, gives the
# group nothing that was not the group's, and changes no byte and no name outside the directory.
#
# Usage: [BUILD=dir] tests/agent/60_agent_planted.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
export TMPDIR=/tmp # other users must be able to reach it
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

member() { # COMMAND...: as a user whose only privilege is the group
	setpriv --reuid=54002 --regid=54002 --groups=54321 "$@"
}

# A stopped agent's directory, owned by root and the group; and a spool, writable by the member,
# with root's private files.
staged() {
	[[ $EUID -eq 0 ]] || skip "needs root, to be several users"
	chmod 755 "$place"
	start --group 54321
	add r s
	agent 0 --stop
	mkdir "$place/spool"
	chown 54002:54002 "$place/spool"
	(umask 077 && echo secret >"$place/spool/secret" && mkdir "$place/spool/private" &&
		echo secret >"$place/spool/private/000000000001" &&
		echo secret >"$place/spool/private/lock" &&
		echo secret >"$place/spool/private/complete")
}

picture() { # DIRECTORY: everything that could change
	(cd "$1" && find . -printf '%P %y %m %U:%G %s %l\n' | sort && find . -type f -exec cat {} +)
}

# ------------------------------------------------------------- claims

a_link_in_place_of_the_rebuild_directory_is_not_followed() {
	staged
	picture "$place/spool/private" >"$place/before"
	member mv "$dir/arena" "$dir/away"
	member ln -s "$place/spool/private" "$dir/.rebuild"
	agent 3 --daemon # it would recover from the journal, in a directory of that name
	has .rebuild
	diff <(picture "$place/spool/private") "$place/before" ||
		fail "root's directory was changed"
	member rm "$dir/.rebuild"
	start --group 54321
	corral 0 show r s
}

a_directory_of_roots_in_place_of_the_rebuild_directory_is_left_alone() {
	staged
	picture "$place/spool/private" >"$place/before"
	member mv "$dir/arena" "$dir/away"
	# by mistake: a member cannot move a directory that it may not write
	mv "$place/spool/private" "$dir/.rebuild"
	agent 3 --daemon
	has .rebuild
	diff <(picture "$dir/.rebuild") "$place/before" || fail "root's directory was changed"
}

a_directory_of_roots_in_place_of_the_journal_is_left_alone() {
	staged
	picture "$place/spool/private" >"$place/before"
	member mv "$dir/journal" "$dir/away"
	mv "$place/spool/private" "$dir/journal"
	agent 0 --daemon # it serves, and says that nothing is durable
	agent_pid >>"$place/pids"
	corral 0 show r s
	sleep 1.5
	agent 0 --stop
	diff <(picture "$dir/journal") "$place/before" || fail "root's directory was changed"
}

a_file_of_roots_that_a_member_moved_in_is_neither_written_nor_given_to_the_group() {
	staged
	local name mode
	for name in agent.log lock arena; do
		for mode in 600 640 660; do
			member mv "$dir/$name" "$place/spool/kept"
			chmod "$mode" "$place/spool/secret"
			member mv "$place/spool/secret" "$dir/$name"
			agent 3 --daemon --group 54321
			has "$name" "group"
			[[ $(stat -c %a:%u:%g "$dir/$name") == "$mode:0:0" ]] ||
				fail "$name: $(stat -c %a:%u:%g "$dir/$name")"
			[[ $(<"$dir/$name") == secret ]] || fail "$name was written"
			member mv "$dir/$name" "$place/spool/secret"
			member mv "$place/spool/kept" "$dir/$name"
		done
	done
	start --group 54321
	corral 0 show r s
}

a_file_of_the_group_that_is_closed_to_it_is_not_written() {
	staged
	chgrp 54321 "$place/spool/secret"
	member mv "$dir/agent.log" "$place/spool/kept"
	member mv "$place/spool/secret" "$dir/agent.log"
	agent 3 --daemon
	has agent.log
	[[ $(<"$dir/agent.log") == secret ]] || fail "it was written"
}

a_worker_uses_no_file_that_a_member_moved_in() {
	staged
	start
	member mv "$dir/lock" "$place/spool/kept"
	member mv "$place/spool/secret" "$dir/lock"
	corral 3 add r s2 --item i --name Item --price 1.00
	has "lock belongs to group 0"
	[[ $(<"$dir/lock") == secret ]] || fail "it was written"
	member mv "$dir/lock" "$place/spool/secret"
	member mv "$place/spool/kept" "$dir/lock"
}

a_change_of_group_hands_over_what_was_the_groups_and_nothing_else() {
	staged
	local file
	member mv "$place/spool/secret" "$dir/000000000001"
	member cp "$dir/arena" "$dir/copy"
	start --group 54322
	for file in . arena lock agent.sock agent.log journal; do
		[[ $(stat -c %g "$dir/$file") == 54322 ]] ||
			fail "$file: $(stat -c %g "$dir/$file")"
	done
	[[ -z $(find "$dir/journal" ! -gid 54322) ]] || fail "journal: $(ls -l "$dir/journal")"
	[[ $(stat -c %g "$dir/000000000001") == 0 ]] || fail "root's file was given to the group"
	corral 0 show r s
}

a_change_of_group_that_died_half_way_is_finished_by_the_next() {
	staged
	# as the first steps of a change of group leave it
	chgrp 54322 "$dir/arena" "$dir"/journal/* "$dir/journal"
	start --group 54322
	[[ -z $(find "$dir" ! -gid 54322) ]] || fail "$(find "$dir" ! -gid 54322 -printf '%p %g\n')"
	corral 0 show r s
}

an_agent_that_cannot_give_the_group_what_it_makes_is_refused() {
	staged
	mkdir -m 2770 "$place/theirs"
	chown 54003:54321 "$place/theirs"
	local code=0
	setpriv --reuid=54003 --regid=54003 --clear-groups test -x "$BUILD/corral-agent" ||
		skip "others cannot reach $BUILD"
	out=$(timeout 30 setpriv --reuid=54003 --regid=54003 --clear-groups "$BUILD/corral-agent" \
		--dir "$place/theirs" 2>&1) || code=$?
	[[ $code -eq 3 ]] || fail "exit code $code: $out"
	has "group 54321" "no member"
	[[ -z $(ls "$place/theirs") ]] || fail "left: $(ls "$place/theirs")"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
