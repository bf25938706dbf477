#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Agent, workers and tools in different namespaces, as containers that share the directory.
#
# Usage: [BUILD=dir] tests/agent/62_containers.sh [CLAIM...]   from the repository's root
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

container=(unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc)
other_time=(unshare --user --map-root-user --time --monotonic 100000 --boottime 100000 --fork)

needs() { # COMMAND...: skip unless we may make such namespaces
	"$@" true 2>/dev/null || skip "not allowed: $*"
}

corral_in() { # CONTAINER CODE ARGUMENT...
	local -n wrapper=$1
	local want=$2 code=0
	shift 2
	out=$(timeout -k 5 60 "${wrapper[@]}" "$BUILD/corral" --dir "$dir" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] ||
		fail "in ${wrapper[*]}: corral $*: exit code $code, not $want: $out"
}

# COMMAND...: run it with another boot id, as some containers show one of their own
with_another_boot_id() {
	echo "$boot_id" >"$place/boot_id"
	# shellcheck disable=SC2016 # the inner shell's
	unshare --mount sh \
		-c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"' sh \
		"$place/boot_id" "$@"
}

boot_id=11111111-2222-4333-8444-555555555555

needs_another_boot_id() {
	[[ $(with_another_boot_id cat /proc/sys/kernel/random/boot_id 2>/dev/null) == \
		"$boot_id" ]] ||
		skip "no boot id can be put over ours"
}

# ------------------------------------------------------------- claims

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
	local n inside agent_pid
	"${container[@]}" "$BUILD/corral-agent" --dir "$dir" --size 16M >"$place/log" 2>&1 &
	inside=$!
	echo "$inside" >>"$place/pids"
	for ((n = 0; n < 200; n++)); do
		grep -q ': ready$' "$place/log" && break
		sleep 0.05
	done
	add r s
	agent 1 # an agent runs, although its pid differs here
	has 'another agent has this directory'
	agent_pid=$(pgrep -P "$inside")
	kill -9 "$inside"
	wait "$inside" 2>/dev/null
	for ((n = 0; n < 200; n++)); do # the kernel kills the agent behind it, in its own time
		[[ -e /proc/$agent_pid ]] || break
		sleep 0.05
	done
	add r t # works without an agent
	start # and another agent is not refused
	corral 0 show r s
	corral 0 show r t
	sound
}

another_boot_id_under_living_workers_is_no_other_boot() {
	needs_another_boot_id
	local worker i
	start --journal 1h
	add r a
	"$BUILD/corral" --dir "$dir" watch r a >"$place/watched" 2>&1 & # stays attached
	worker=$!
	echo "$worker" >>"$place/pids"
	for ((i = 0; i < 200; i++)); do
		[[ -s $place/watched ]] && break
		sleep 0.05
	done
	kill -9 "$pid"
	gone "$pid"
	for ((i = 0; i < 20; i++)); do add r "late$i"; done # in the arena only
	out=$(with_another_boot_id "$BUILD/corral-agent" --dir "$dir" --journal 1h --daemon 2>&1) ||
		fail "$out"
	pid=$(agent_pid)
	echo "$pid" >>"$place/pids"
	[[ $out != *recovered* && $out != *"earlier boot"* && ! -e $dir/arena.former ]] ||
		fail "$out"
	# these commands see the first boot id
	for ((i = 0; i < 20; i++)); do corral 0 show r "late$i"; done
	add r b
	out=$(with_another_boot_id "$BUILD/corral" --dir "$dir" add r b --item j --name Jam \
		--price 2.00) || fail "$out"
	kill -0 "$worker" || fail "the worker has ended: $(cat "$place/watched")"
}

former_arenas_are_not_overwritten() {
	needs_another_boot_id
	local former
	start --journal 20ms
	corral 0 add r a --item i --name Item --price 1.00 --sync
	for former in arena.former arena.former.1 arena.former.2; do
		kill -9 "$pid"
		gone "$pid"
		add r "only-in-$former"
		out=$(with_another_boot_id "$BUILD/corral-agent" --dir "$dir" --journal 20ms \
			--daemon 2>&1) || fail "$out"
		pid=$(agent_pid)
		echo "$pid" >>"$place/pids"
		[[ -f $dir/$former ]] || fail "$(ls "$dir"): $out"
		grep -q "only-in-$former" "$dir/$former" || fail "another one"
		kill -9 "$pid"
		gone "$pid"
		# our own id again: one more change of boot
		rm -f "$dir/arena"
		start --journal 20ms
	done
	grep -q only-in-arena.former "$dir/arena.former" || fail "the first one was overwritten"
}

another_time_namespace_is_refused_with_the_reason() {
	needs "${other_time[@]}"
	start
	add r s
	local code=0
	out=$(timeout -k 5 60 "${other_time[@]}" "$BUILD/corral" --dir "$dir" show r s 2>&1) ||
		code=$?
	[[ $code -ne 0 ]] || fail "shown: $out"
	has "time namespace"
	corral 0 show r s # no cart has ended by a clock that is a day ahead
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
	local read_only=(unshare --mount --propagation private sh \
		-c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77
			d=$1; shift; exec "$@"' sh)
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
