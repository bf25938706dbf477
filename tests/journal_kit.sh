# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# journal_kit.sh: sourced after agent_kit.sh by the scripts that test the journal: agents that keep
# one, power losses.
# shellcheck disable=SC2034,SC2154,SC2119,SC2120,SC2020 # dir, place and out are of agent_kit.sh

begin() {
	start --journal 20ms "$@"
	echo "$out" >>"$place/log" # what was said before it went to the background
}

# A zombie's other threads may not be gone yet: one may be in a sync of the disk, and the agent's
# byte is held as long.
byte_free() {
	local n
	for ((n = 0; n < 500; n++)); do
		"$BUILD/corral-agent" --dir "$dir" --stop >/dev/null 2>&1
		[[ $? -eq 4 ]] && return
		sleep 0.01
	done
	fail "somebody has the agent's byte"
}

kill_agent() {
	kill -9 "$pid"
	gone "$pid"
	byte_free
}

lose_power() { # of whoever has written a pid
	local one
	while read -r one; do
		kill -9 "$one" 2>/dev/null
		gone "$one"
	done <"$place/pids"
	: >"$place/pids"
	byte_free
	rm -f "$dir/arena"
}

lose_power_of_the_agent() {
	kill_agent
	rm -f "$dir/arena"
}

log_has() { # TEXT...
	local text
	for text; do
		grep -qsF "$text" "$place/log" "$dir/agent.log" ||
			fail "no '$text' in: $(tail -n 5 "$place/log" "$dir/agent.log")"
	done
}

status_of() { # NAME: of the journal
	"$BUILD/corral" --dir "$dir" status --json | tr ',{}' '\n\n\n' |
		sed -n "s/^\"$1\"://p" | head -n 1
}

wait_for() { # COMMAND...: for at most 20 s
	local n
	for ((n = 0; n < 400; n++)); do
		"$@" && return
		sleep 0.05
	done
	fail "in vain: $*; $(tail -n 3 "$dir/agent.log")"
}

durable() { [[ $(status_of durable) == true ]]; }
not_durable() { [[ $(status_of durable) == false ]]; }

# strace that ends with an error is no reason to go
# An agent in the foreground whose system calls fail or kill it so; sets pid (strace's).
traced() { # INJECTION...
	local options=() one
	strace -qq -e trace=none true 2>/dev/null || skip "strace may not trace here"
	for one; do options+=(-e "inject=$one"); done
	timeout 60 strace -f -qq -o /dev/null -e trace=pwrite64,fdatasync,fsync,openat \
		"${options[@]}" "$BUILD/corral-agent" --dir "$dir" --size 16M --journal 20ms \
		>>"$dir/agent.log" 2>&1 &
	pid=$!
	echo "$pid" >>"$place/pids"
}
