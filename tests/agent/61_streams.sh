#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Our programs with any of their standard streams closed: the exit code is right, and no output goes
# into a file that they opened.
#
# Usage: [BUILD=dir] tests/agent/61_streams.sh [CLAIM...]   from the root; timeout: 240
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

# The eight combinations, as bits: 1 standard input, 2 standard output, 4 standard error.
combinations="0 1 2 3 4 5 6 7"

# without CLOSED COMMAND...: run it without these streams; its output on the others goes to files
without() {
	local closed=$1
	shift
	(
		exec </dev/null >"$place/printed" 2>"$place/complained"
		[[ $((closed & 1)) -eq 0 ]] || exec 0<&-
		[[ $((closed & 2)) -eq 0 ]] || exec 1>&-
		[[ $((closed & 4)) -eq 0 ]] || exec 2>&-
		exec timeout -k 5 60 "$@"
	)
}

# expect CODE CLOSED COMMAND...
expect() {
	local want=$1 code=0
	shift
	without "$@" || code=$?
	[[ $code -eq $want ]] ||
		fail "closed $1: $*: exit code $code, not $want: $(cat "$place/complained")"
}

# 5 where standard output is closed
printing() { # CLOSED COMMAND...
	expect "$([[ $(($1 & 2)) -eq 0 ]] && echo 0 || echo 5)" "$@"
}

# Assert that the directory has only what the agent and the library put there.
unharmed() {
	[[ $(head -c 8 "$dir/arena") == $(head -c 8 "$place/magic") ]] ||
		fail "closed $1: the arena begins with other bytes"
	[[ $(head -c 11 "$dir/lock" | tail -c +1) =~ ^[0-9]+\ *$ ]] ||
		fail "closed $1: the lock file has: $(head -c 80 "$dir/lock")"
	out=$("$BUILD/corral" --dir "$dir" show r s) || fail "closed $1: the cart is not there"
}

# Assert that in the agent no file of the directory has the number of a standard stream (except its
# log, as standard error).
none_of_ours_is_low() {
	local fd
	for fd in 0 1 2; do
		case $(readlink "/proc/$(agent_pid)/fd/$fd") in
		"$dir/agent.log" | /dev/null | / | "$place"/*ed) ;;
		*)
			fail "closed $1: descriptor $fd of the agent is" \
				"$(readlink "/proc/$(agent_pid)/fd/$fd")"
			;;
		esac
	done
}

# It keeps a journal: begun by its thread, at some time after the agent was ready.
becomes_durable() { # CLOSED
	local n
	for ((n = 0; n < 400; n++)); do
		corral 0 status
		[[ $out == *"NOT durable"* ]] || return 0
		sleep 0.05
	done
	fail "closed $1: $out"
}

# ------------------------------------------------------------- claims

corral_has_the_right_exit_code_and_prints_into_no_file_of_ours() {
	local closed
	start --journal off
	add r s
	head -c 8 "$dir/arena" >"$place/magic"
	for closed in $combinations; do
		printing "$closed" "$BUILD/corral" --dir "$dir" show r s
		printing "$closed" "$BUILD/corral" --dir "$dir" ls --json
		printing "$closed" "$BUILD/corral" --dir "$dir" status
		printing "$closed" "$BUILD/corral" --dir "$dir" inspect header
		printing "$closed" "$BUILD/corral" --dir "$dir" check
		printing "$closed" "$BUILD/corral" --dir "$dir" add r t --item i --name Item \
			--price 1.00
		printing "$closed" "$BUILD/corral" --dir "$dir" snapshot -
		printing "$closed" "$BUILD/corral" --dir "$dir" snapshot "$place/snapshot"
		printing "$closed" "$BUILD/corral" --help
		printing "$closed" "$BUILD/corral" --version
		expect 1 "$closed" "$BUILD/corral" --dir "$dir" show r nobody
		expect 2 "$closed" "$BUILD/corral" nonsense
		unharmed "$closed"
	done
}

corral_watch_ends_with_5_when_nobody_can_read_it() {
	local closed
	start --journal off
	add r s
	head -c 8 "$dir/arena" >"$place/magic"
	for closed in 2 3 6 7; do
		expect 5 "$closed" "$BUILD/corral" --dir "$dir" watch r s
		unharmed "$closed"
	done
}

corral_agent_serves_without_them() {
	local closed n
	for closed in $combinations; do
		dir=$place/dir$closed
		without "$closed" "$BUILD/corral-agent" --dir "$dir" --size 16M &
		for ((n = 0; n < 400; n++)); do
			[[ -S $dir/agent.sock ]] &&
				"$BUILD/corral" --dir "$dir" status >"$place/status" 2>&1 && break
			sleep 0.05
		done
		agent_pid >>"$place/pids"
		[[ $(agent_pid) =~ ^[0-9]+$ ]] ||
			fail "closed $closed: no agent: $(cat "$place/complained" "$place/status")"
		add r s
		head -c 8 "$dir/arena" >"$place/magic"
		unharmed "$closed"
		none_of_ours_is_low "$closed"
		agent 0 --stop
		wait $! || fail "closed $closed: exit code $?"
	done
}

corral_agent_goes_to_the_background_without_them() {
	local closed
	for closed in $combinations; do
		dir=$place/dir$closed
		expect 0 "$closed" "$BUILD/corral-agent" --dir "$dir" --size 16M --daemon
		agent_pid >>"$place/pids"
		add r s
		head -c 8 "$dir/arena" >"$place/magic"
		unharmed "$closed"
		none_of_ours_is_low "$closed"
		becomes_durable "$closed"
		expect 1 "$closed" "$BUILD/corral-agent" --dir "$dir" --daemon
		expect 0 "$closed" "$BUILD/corral-agent" --dir "$dir" --stop
		printing "$closed" "$BUILD/corral-agent" --dir "$dir" --repair
		printing "$closed" "$BUILD/corral-agent" --help
		printing "$closed" "$BUILD/corral-agent" --version
		expect 2 "$closed" "$BUILD/corral-agent" --nonsense
		unharmed "$closed"
	done
}

corral_bench_measures_without_them() {
	local closed
	for closed in $combinations; do
		printing "$closed" "$BUILD/corral-bench" list
		printing "$closed" "$BUILD/corral-bench" get --help
		expect 2 "$closed" "$BUILD/corral-bench" nonsense
	done
	for closed in 0 2 7; do
		printing "$closed" "$BUILD/corral-bench" add --carts 100 --seconds 0.1
	done
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
else
	mapfile -t claims < <(claims_of "$0")
	run_claims "${claims[@]}"
fi
