#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Agent, workers and tools in different namespaces, as containers that share the directory.
#
# Usage: [BUILD=dir] tests/62_containers.sh [CLAIM...]   from the repository's root
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2119 # claims are called by name, each in a subshell
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/agent_kit.sh
. "$(dirname "$0")/agent_kit.sh"

container=(unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc)
other_time=(unshare --user --map-root-user --time --monotonic 100000 --boottime 100000 --fork)

needs() { # COMMAND...: skip unless we may have such namespaces
	"$@" true 2>/dev/null || skip "not allowed: $*"
}

corral_in() { # CONTAINER CODE ARGUMENT...
	local -n wrapper=$1
	local want=$2 code=0
	shift 2
	out=$(timeout -k 5 60 "${wrapper[@]}" "$BUILD/corral" --dir "$dir" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] || fail "in ${wrapper[*]}: corral $*: exit code $code, not $want: $out"
}

# ------------------------------------------------------------------------- claims

tools_in_a_container_share_the_carts_of_an_agent_outside() {
	needs "${container[@]}"
	start
	add r s
	corral_in container 0 add r s --item j --name Jam --price 2.00
	corral 0 show r s
	has Item Jam
	corral_in container 0 status
	sound
}

an_agent_in_a_container_serves_those_outside_and_dies_with_it() {
	needs "${container[@]}"
	local n inside
	"${container[@]}" "$BUILD/corral-agent" --dir "$dir" --size 16M >"$place/log" 2>&1 &
	inside=$!
	echo "$inside" >>"$place/pids"
	for ((n = 0; n < 200; n++)); do
		grep -q ': ready$' "$place/log" && break
		sleep 0.05
	done
	add r s
	agent 1 # one runs there, whatever its pid is here
	has 'another agent has this directory'
	kill -9 "$inside"
	wait "$inside" 2>/dev/null
	add r t # nobody needs an agent
	start   # and another is not refused
	corral 0 show r s
	corral 0 show r t
	sound
}

another_time_namespace_is_refused_with_the_reason() {
	needs "${other_time[@]}"
	start
	add r s
	local code=0
	out=$(timeout -k 5 60 "${other_time[@]}" "$BUILD/corral" --dir "$dir" show r s 2>&1) || code=$?
	[[ $code -ne 0 ]] || fail "shown: $out"
	has "time namespace"
	corral 0 show r s # nothing has ended by a clock that is a day ahead
	kill -9 "$pid"
	gone "$pid"
	code=0
	out=$(timeout -k 5 60 "${other_time[@]}" "$BUILD/corral-agent" --dir "$dir" 2>&1) || code=$?
	[[ $code -ne 0 ]] || fail "an agent ran: $out"
	has "time namespace"
	start
	corral 0 show r s
}

on_a_read_only_mount_carts_can_be_seen() {
	local read_only=(unshare --mount --propagation private sh -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77; d=$1; shift; exec "$@"' sh)
	start
	read_only+=("$dir")
	"${read_only[@]}" true 2>/dev/null || skip "not allowed: a read-only mount"
	add r s
	corral 0 show r s --json
	local shown=$out
	corral_in read_only 0 show r s --json
	[[ ${out/expires_at*/} == "${shown/expires_at*/}" ]] || fail "$out"
	corral_in read_only 0 ls
	has "r           s"
	corral_in read_only 0 snapshot "$place/file"
	has "1 cart"
	corral_in read_only 1 show r none
	corral_in read_only 3 add r s --item i --name I --price 1
	has "Read-only file system"
	corral 0 show r s --json
	[[ ${out/expires_at*/} == "${shown/expires_at*/}" ]] || fail "it was changed: $out"
	corral 0 drop r s
	corral 0 restore "$place/file"
	corral 0 show r s
	sound
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
