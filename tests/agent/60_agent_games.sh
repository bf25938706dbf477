#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hostile directories and files: links, pipes, devices and other users' files in the way,
# directories that everyone may write. Agent and workers refuse them with a sentence and change
# nothing. The effects of --group. And an arena that is truncated, replaced or removed under the
# agent.
#
# Usage: [BUILD=dir] tests/agent/60_agent_games.sh [CLAIM...]   from the root; timeout: 120
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

# List everything with modes, owners, links and contents (the lock file holds the pid of the last
# agent).
picture() {
	find "$place" ! -name picture -printf '%P %y %#m %U:%G %n %s %l\n' | sort
	find "$place" -type f ! -name picture ! -name lock -size -1000k -exec cksum {} + | sort
}

# Agent and worker refuse, with this text, and change nothing except the log, which says why.
refused_by_both() { # WHAT TEXT
	picture | grep -v agent.log >"$place/picture"
	agent 3
	has "$2"
	agent 3 --daemon
	has "$2"
	corral 3 ls
	has "$2"
	diff <(picture | grep -v agent.log) "$place/picture" >/dev/null ||
		fail "$1: something changed: $(diff <(picture) "$place/picture")"
}

by_agent() { # WHAT TEXT: as refused_by_both, for a file that workers do not use
	picture >"$place/picture"
	agent 3 --daemon
	has "$2"
	diff <(picture) "$place/picture" >/dev/null ||
		fail "$1: something changed: $(diff <(picture) "$place/picture")"
}

made() { # make an arena, and stop its agent
	start
	agent 0 --stop
}

# An agent in the foreground; sets pid.
serve() { # ARGUMENT...
	rm -f "$place/err" # else an earlier "ready" would match
	"$BUILD/corral-agent" --dir "$dir" --size 16M "$@" >"$place/err" 2>&1 &
	pid=$!
	echo "$pid" >>"$place/pids"
	for ((i = 0; i < 200; i++)); do
		grep -qs ': ready$' "$place/err" && return
		sleep 0.05
	done
	fail "not ready: $(<"$place/err")"
}

gives_up() { # TEXT: it ends by itself with 3, and says why
	local code=0
	for ((i = 0; i < 200; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	kill -0 "$pid" 2>/dev/null && fail "it goes on: $(<"$place/err")"
	wait "$pid" || code=$?
	out=$(<"$place/err")
	[[ $code -eq 3 ]] || fail "exit code $code: $out"
	has "$1" withdrawn
}

# ------------------------------------------------------------- claims

a_link_to_a_directory_is_refused() {
	made
	mv "$dir" "$place/real"
	ln -s real "$dir"
	refused_by_both "a link to an arena's directory" "symbolic link"
	dir=$dir/
	refused_by_both "the same with a slash" "symbolic link"
	dir=${dir%/}
	rm "$dir"
	ln -s nowhere "$dir"
	refused_by_both "a link to nothing" "symbolic link"
}

a_directory_that_everybody_may_write_is_refused() {
	made
	chmod 2777 "$dir"
	refused_by_both "everybody" "everybody may write"
	chmod 3777 "$dir"
	refused_by_both "everybody, sticky" "everybody may write"
	chmod 0775 "$dir"
	start
}

links_pipes_and_directories_in_place_of_files_are_refused() {
	local name
	for name in arena lock agent.log; do
		dir=$place/$name
		made
		[[ $name == agent.log ]] && both=by_agent || both=refused_by_both
		mv "$dir/$name" "$place/kept"
		ln -s ../kept "$dir/$name"
		$both "$name: a link" "symbolic link"
		ln -sf ../nowhere "$dir/$name"
		$both "$name: a link to nothing" "symbolic link"
		rm "$dir/$name"
		mkfifo -m 660 "$dir/$name"
		$both "$name: a pipe" "not a plain file"
		rm "$dir/$name"
		mkdir "$dir/$name"
		$both "$name: a directory" "$name"
		rmdir "$dir/$name"
		ln "$place/kept" "$dir/$name"
		$both "$name: a hard link" "hard links"
		rm "$dir/$name"
		mv "$place/kept" "$dir/$name"
		start
		agent 0 --stop
	done
}

a_device_in_place_of_a_file_is_refused() {
	[[ $EUID -eq 0 ]] || skip "only root can make one"
	made
	mv "$dir/lock" "$place/kept"
	mknod -m 660 "$dir/lock" c 1 3 2>/dev/null || skip "cannot make a device"
	head -c 0 "$dir/lock" 2>/dev/null || skip "devices do not work here"
	refused_by_both "a device" "not a plain file"
}

files_that_others_may_use_are_refused() {
	local name mode
	for name in arena lock agent.log; do
		dir=$place/$name
		made
		[[ $name == agent.log ]] && both=by_agent || both=refused_by_both
		for mode in 664 662 666; do
			chmod "$mode" "$dir/$name"
			$both "$name: mode $mode" "chmod o="
		done
		chmod 660 "$dir/$name"
		start
		agent 0 --stop
	done
}

files_of_an_outsider_are_refused() {
	[[ $EUID -eq 0 ]] || skip "only root can give files away"
	local name
	for name in arena lock agent.log; do
		dir=$place/$name
		made
		[[ $name == agent.log ]] && both=by_agent || both=refused_by_both
		chown 54003:54003 "$dir/$name"
		$both "$name of an outsider" "belongs to user 54003"
		chmod 700 "$dir"
		chown 54003:0 "$dir/$name"
		$both "$name of an outsider, with our group, where only we may write" \
			"belongs to user 54003"
	done
}

a_socket_in_the_way_is_replaced_whatever_it_is() {
	made
	ln -s ../elsewhere "$dir/agent.sock"
	start
	[[ -S $dir/agent.sock && ! -e $place/elsewhere ]] || fail "followed"
	agent 0 --stop
	mkdir "$dir/agent.sock"
	agent 3 --daemon
	has "socket"
}

a_directory_of_somebody_else_is_refused_unless_its_group_is_named() {
	[[ $EUID -eq 0 ]] || skip "only root can give directories away"
	mkdir -m 2770 "$dir"
	chown 54003:54321 "$dir"
	picture >"$place/picture"
	agent 3
	has "belongs to user 54003" --group
	agent 3 --group 0 # nor may root take it
	has "belongs to user 54003"
	diff <(picture) "$place/picture" || fail "something changed"
	start --group 54321
	[[ $(stat -c %g "$dir/arena") == 54321 ]] || fail "group $(stat -c %g "$dir/arena")"
}

directory_and_files_get_the_group_also_those_that_were_there() {
	[[ $EUID -eq 0 ]] || skip "needs groups that root can give"
	local file
	made
	chmod 750 "$dir"
	start --group 54321
	[[ $(stat -c %a:%g "$dir") == 2750:54321 ]] || fail "directory: $(stat -c %a:%g "$dir")"
	for file in arena lock agent.sock agent.log; do
		[[ $(stat -c %a:%g "$dir/$file") == 660:54321 ]] ||
			fail "$file: $(stat -c %a:%g "$dir/$file")"
	done
	agent 0 --stop
	chgrp 54322 "$dir" # changed by hand: the agent's new and existing files follow
	start
	for file in arena lock agent.sock agent.log; do
		[[ $(stat -c %a:%g "$dir/$file") == 660:54322 ]] ||
			fail "$file: $(stat -c %a:%g "$dir/$file")"
	done
}

an_agent_whose_arena_is_cut_off_says_so_and_exits_3() {
	local size
	for size in 0 4096 100000 5M 20M; do
		dir=$place/$size
		serve --journal off # else the next agent makes it anew: 67_journal
		add r s
		truncate -s "$size" "$dir/arena"
		if [[ $size == 20M ]]; then
			gives_up lengthened
		else
			gives_up truncated
		fi
		agent 3
		corral 3 ls
	done
}

an_agent_whose_arena_is_gone_says_so_and_exits_3() {
	serve
	rm "$dir/arena"
	gives_up removed
	serve
	cp "$dir/arena" "$dir/other"
	mv "$dir/other" "$dir/arena"
	gives_up replaced
}

an_arena_that_was_away_is_verified_and_goes_on() {
	serve
	add r s
	mv "$dir/arena" "$dir/away"
	gives_up removed
	mv "$dir/away" "$dir/arena"
	corral 3 show r s # refused until it is verified
	has corral-agent
	serve
	grep -q "had been withdrawn; verifying" "$place/err" || fail "$(<"$place/err")"
	corral 0 show r s
	has Item
}

an_arena_that_lost_its_end_for_a_while_is_rebuilt() {
	local size
	serve
	for ((i = 0; i < 40; i++)); do
		add r "s$i"
	done
	size=$(stat -c %s "$dir/arena")
	truncate -s "$(grep -abo Item "$dir/arena" | head -n 1 | cut -d: -f1)" "$dir/arena"
	gives_up truncated
	truncate -s "$size" "$dir/arena"
	serve
	grep -q "rebuilt: .* kept as arena.damaged" "$place/err" || fail "$(<"$place/err")"
	corral 0 ls
	add r s
}

chmod_does_not_disturb_who_is_attached() {
	serve
	chmod 0 "$dir/arena"
	sleep 0.6 # two rounds of the agent
	chmod 660 "$dir/arena"
	add r s
	kill "$pid"
	wait "$pid" || fail "exit code $?"
}

a_group_has_a_name_or_a_number() {
	local name
	for name in nosuchgroup -1 99999999999 ''; do
		agent 2 --group "$name"
		has "no such group"
		[[ ! -e $dir ]] || fail "a directory was made"
	done
	start --group "$(id -gn)"
	[[ $(stat -c %g "$dir/arena") == "$(id -g)" ]] || fail "group $(stat -c %g "$dir/arena")"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
