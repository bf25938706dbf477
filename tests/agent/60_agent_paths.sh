#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A directory on the way to the arena that a stranger owns or may replace: tools, workers and the
# agent refuse it with the reason, as root and as any other user.
#
# Usage: [BUILD=dir] tests/agent/60_agent_paths.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
export TMPDIR=/tmp # other users must be able to reach it
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

groups=
user() { # UID CODE PROGRAM ARGUMENT...
	local user=$1 want=$2 program=$3 code=0 with=(--clear-groups)
	shift 3
	[[ -z $groups ]] || with=(--groups="$groups")
	out=$(timeout -k 5 60 setpriv --reuid="$user" --regid="$user" "${with[@]}" \
		"$BUILD/$program" --dir "$dir" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] || fail "user $user: $program $*: exit code $code, not $want: $out"
}

root_and_others() {
	[[ $EUID -eq 0 ]] || skip "needs root, to be several users"
	chmod 755 "$place"
	setpriv --reuid=54003 --regid=54003 --clear-groups test -x "$BUILD/corral" ||
		skip "others cannot reach $BUILD"
}

# The bait of a stranger, 54003: an arena at a plausible path.
planted() { # DIRECTORY
	dir=$1
	user 54003 0 corral-agent --daemon --size 16M
	agent_pid >>"$place/pids"
	user 54003 0 corral add r s --item evil --name Evil --price 0.01
}

all_refuse() { # TEXT...: root and a third user
	local who
	for who in 0 54004; do
		user "$who" 3 corral show r s
		has "$@"
		user "$who" 3 corral add r s --item i --name Item --price 1.00
		has "$@"
		user "$who" 3 corral status
		has "$@"
		user "$who" 3 corral inspect slots
		has "$@"
		user "$who" 3 corral-agent
		has "$@"
	done
}

# ------------------------------------------------------------- claims

an_arena_under_a_strangers_directory_is_refused() {
	root_and_others
	mkdir -m 1777 "$place/tmp"
	setpriv --reuid=54003 --regid=54003 --clear-groups mkdir "$place/tmp/x"
	planted "$place/tmp/x/carts"
	chmod 755 "$dir"
	all_refuse "everybody may make names in $place/tmp" "user 54003"
	chmod 755 "$place/tmp"
	all_refuse "$place/tmp/x belongs to user 54003" "whose parents"
}

a_strangers_directory_where_everybody_may_make_names_is_refused() {
	root_and_others
	mkdir -m 1777 "$place/tmp"
	planted "$place/tmp/carts"
	chmod 755 "$dir"
	all_refuse "everybody may make names in $place/tmp" "user 54003"
}

a_link_of_a_strangers_on_the_way_is_refused() {
	root_and_others
	mkdir -m 1777 "$place/tmp"
	mkdir "$place/good"
	dir=$place/good/carts
	start
	add r s
	setpriv --reuid=54003 --regid=54003 --clear-groups ln -s "$place/good" "$place/tmp/x"
	dir=$place/tmp/x/carts
	user 0 3 corral show r s
	has "this one belongs to user 54003"
}

a_directory_that_others_may_write_on_the_way_is_refused() {
	root_and_others
	mkdir -m 777 "$place/open"
	dir=$place/open/carts
	agent 3 --daemon
	has "others may write $place/open"
	[[ ! -e $dir ]] || fail "it was made"
	mkdir "$dir"
	user 0 3 corral status
	chmod 775 "$place/open"
	chgrp 54321 "$place/open"
	user 0 3 corral status
	has "others may write $place/open"
}

an_own_directory_in_one_such_as_tmp_is_used() {
	root_and_others
	mkdir -m 1777 "$place/tmp"
	planted "$place/tmp/carts"
	user 54003 0 corral show r s
	user 54003 0 corral status
	user 54003 0 corral-agent --stop
}

links_of_roots_on_the_way_are_followed() {
	root_and_others
	mkdir "$place/real"
	ln -s real "$place/linked"
	ln -s "$place/linked/../linked" "$place/again"
	dir=$place/again/carts
	start
	add r s
	corral 0 show r s
	(cd "$place" && dir=again/carts && corral 0 status && corral 0 check)
}

members_of_the_group_use_a_directory_of_its_owner_below_his_own() {
	root_and_others
	mkdir "$place/home"
	chown 54003:54003 "$place/home"
	mkdir -m 2770 "$place/home/carts"
	chown 54003:54321 "$place/home/carts"
	dir=$place/home/carts
	groups=54321 user 54003 0 corral-agent --daemon --size 16M
	agent_pid >>"$place/pids"
	groups=54321 user 54004 0 corral add r s --item i --name Item --price 1.00
	groups=54321 user 54004 0 corral status
	user 0 3 corral status # root has not joined the group
	has "belongs to user 54003"
	groups=54321 user 54003 0 corral-agent --stop
	start --group 54321 # unless it says so
}

root_looks_at_what_it_gave_to_a_service() {
	root_and_others
	mkdir -m 2770 "$place/service" # as systemd does with StateDirectory= and User=
	chown 54003:54003 "$place/service"
	planted "$place/service"
	user 0 0 corral status
	user 0 0 corral show r s
	user 0 0 corral-agent --stop
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
