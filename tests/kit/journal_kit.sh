# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# journal_kit.sh: sourced after agent_kit.sh by the scripts that test the journal: agents with a
# journal, power losses.
# shellcheck disable=SC2034,SC2154,SC2119,SC2120,SC2020 # dir, place and out are of agent_kit.sh

begin() {
	start --journal 20ms "$@"
	echo "$out" >>"$place/log" # its output before it went to the background
}

# A zombie's other threads may still run: one may be in a sync of the disk, and holds the agent's
# byte until it ends.
byte_free() {
	local n
	for ((n = 0; n < 500; n++)); do
		"$BUILD/corral-agent" --dir "$dir" --stop >/dev/null 2>&1
		[[ $? -eq 4 ]] && return
		sleep 0.01
	done
	fail "the agent's byte is still held"
}

kill_agent() {
	kill -9 "$pid"
	gone "$pid"
	byte_free
}

lose_power() { # kill all processes whose pid is in $place/pids
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
	fail "still false after 20 s: $*; $(tail -n 3 "$dir/agent.log")"
}

durable() { [[ $(status_of durable) == true ]]; }
not_durable() { [[ $(status_of durable) == false ]]; }

# strace ending with an error is no failure of the test
# an agent in the foreground whose system calls fail, or kill it, as injected; sets pid (strace's)
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
