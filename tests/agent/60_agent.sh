#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-agent from the outside: starting, stopping, a second agent, SIGKILL and restart, carts that
# end.
#
# Usage: [BUILD=dir] tests/agent/60_agent.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

# ------------------------------------------------------------- claims

it_starts_and_stops_and_the_carts_stay() {
	start
	add r s
	agent 0 --stop
	gone "$pid"
	[[ ! -e $dir/agent.sock ]] || fail "the socket is left"
	corral 0 show r s
	has Item
	start
	corral 0 show r s
	has Item
	agent 0 --stop
	sound
}

it_stops_on_sigterm_and_sigint_and_not_on_sighup() {
	local signal
	for signal in TERM INT; do
		start
		kill -HUP "$pid"
		corral 0 status
		kill -"$signal" "$pid"
		gone "$pid"
	done
	sound
}

it_serves_in_the_foreground_and_logs_to_standard_error() {
	"$BUILD/corral-agent" --dir "$dir" --size 16M 2>"$place/err" &
	pid=$!
	echo "$pid" >>"$place/pids"
	for ((i = 0; i < 200; i++)); do
		grep -qs ': ready$' "$place/err" && break
		sleep 0.05
	done
	out=$(<"$place/err")
	has "made an arena" ready
	add r s
	kill "$pid"
	wait "$pid" || fail "exit code $?"
}

what_an_agent_says_before_it_is_ready_is_in_its_log_too() {
	local line
	start --journal 20ms
	corral 0 add r s --item i --name Item --price 1.00 --sync
	agent 0 --stop
	rm "$dir/arena"
	start --journal 20ms
	has "recovered 1 carts from the journal" ready
	while read -r line; do
		grep -qxF -- "$line" "$dir/agent.log" ||
			fail "'$line' is not in the log: $(<"$dir/agent.log")"
	done <<<"$out"
	[[ $(grep -c ": ready$" "$dir/agent.log") -eq 2 ]] ||
		fail "each line once: $(<"$dir/agent.log")"
	agent 0 --stop
	: >"$dir/arena" # an invalid arena, to get a refusal and its reason
	rm -r "$dir/journal"
	agent 3 --daemon
	has "too short for an arena"
	grep -q "too short for an arena" "$dir/agent.log" || fail "$(<"$dir/agent.log")"
}

stop_without_an_agent_exits_4() {
	agent 4 --stop
	start
	agent 0 --stop
	agent 4 --stop
}

a_second_agent_is_told_the_pid_of_the_first_and_exits_1() {
	start
	agent 1
	has "pid $pid"
	agent 1 --daemon
	has "pid $pid"
	kill -STOP "$pid" # a stopped owner is not replaced
	agent 1
	has "pid $pid"
	kill -CONT "$pid"
	corral 0 status
}

one_of_many_agents_started_at_once_serves() {
	local i codes='' started=()
	for ((i = 0; i < 20; i++)); do
		timeout -k 5 30 "$BUILD/corral-agent" --dir "$dir" --size 16M --daemon 2>/dev/null &
		started+=($!)
	done
	for i in "${started[@]}"; do
		wait "$i"
		codes+=" $?"
	done
	agent_pid >>"$place/pids"
	[[ $(tr -d ' 1' <<<"$codes") == 0 ]] || fail "exit codes:$codes"
	add r s
}

killed_and_restarted_it_keeps_all_carts() {
	local i
	start
	for ((i = 0; i < 5; i++)); do
		add r "s$i"
		kill -9 "$pid"
		gone "$pid"
		start
	done
	for ((i = 0; i < 5; i++)); do
		corral 0 show r "s$i"
		has Item
	done
	agent 0 --stop
	sound
}

workers_go_on_without_an_agent() {
	start
	add r s
	kill -9 "$pid"
	gone "$pid"
	add r s
	add r t
	corral 0 drop r t
	corral 0 show r s
	has "2"
	corral 0 ls
}

workers_go_on_while_the_agent_is_stopped() {
	start
	kill -STOP "$pid"
	for ((i = 0; i < 20; i++)); do
		add r s
		add r "s$i"
		corral 0 drop r "s$i"
	done
	kill -CONT "$pid"
	agent 0 --stop
	sound
}

a_small_arena_has_fewer_carts_unless_told() {
	start --size 4M
	corral 0 status --json
	has '"max_carts":1024'
	agent 0 --stop
	rm -r "$dir"
	start --size 4M --max-carts 5000
	corral 0 status --json
	has '"max_carts":5000'
}

twenty_thousand_carts_do_not_delay_a_start() {
	local i ready
	agent 0 --daemon --size 256M --max-carts 30000
	agent_pid >>"$place/pids"
	"$BUILD/tests/60_agent_socket" fill "$dir" 20000 >"$place/fill" ||
		fail "cannot fill: $(<"$place/fill")"
	kill -9 "$(agent_pid)"
	gone "$(agent_pid)"
	ready=$(date +%s%N)
	agent 0 --daemon
	agent_pid >>"$place/pids"
	ready=$((($(date +%s%N) - ready) / 1000))
	corral 0 status
	has 20000
	echo "started over 20,000 carts in $ready us" >&3
}

it_serves_in_a_directory_of_any_length() {
	local length name
	for length in 60 88 89 90 91 92 93 94 95 96 97 98 99 100 107 108 109 200; do
		name=$(printf '%*s' $((length - ${#place} - 1)) '' | tr ' ' d)
		[[ -n $name ]] || continue
		dir=$place/$name
		start
		add r s
		agent 0 --stop
	done
	dir=$place/a/b/c
	start
}

wrong_options_exit_2() {
	local arguments
	for arguments in --nonsense "--size 1" "--size 3M" "--size 300G" "--size 10Q" "--size" \
		"--ttl 1ms" "--ttl nonsense" "--max-carts 0" "--max-carts 99999999999" \
		"--log-level loud" "--daemon --stop" "--journal" "--journal never" "--journal 5ms" \
		"--journal 2h" "--journal-size 1" "--journal-size 2T" extra; do
		# shellcheck disable=SC2086
		agent 2 $arguments
		[[ -n $out ]] || fail "$arguments: nothing said"
	done
	[[ ! -e $dir ]] || fail "a directory was made"
	dir=redis://:secret@host agent 2
	[[ $out == *redis://\ cannot\ be\ used* && $out != *secret* ]] || fail "it says: $out"
}

carts_outlive_kill_9_of_everything() {
	start
	add r s
	"$BUILD/tests/60_agent_socket" fill "$dir" 2000 >"$place/fill" 2>&1 &
	local worker=$!
	sleep 0.02
	kill -9 "$worker" "$pid" 2>/dev/null
	wait "$worker" 2>/dev/null
	gone "$pid"
	corral 0 show r s
	has Item
	start
	add r s
	agent 0 --stop
	sound
}

hold() { # a worker with an open view of r s; sets worker; a line into $place/in ends the view
	rm -f "$place/in" "$place/held"
	mkfifo "$place/in"
	"$BUILD/tests/60_agent_socket" hold "$dir" <"$place/in" >"$place/held" 2>&1 &
	worker=$!
	exec 4>"$place/in"
	for ((i = 0; i < 300; i++)); do
		grep -qs open "$place/held" && return
		sleep 0.02
	done
	fail "no view: $(<"$place/held")"
}

logged() { # TEXT: wait until the log has it
	for ((i = 0; i < 300; i++)); do
		grep -qs -- "$1" "$dir/agent.log" && return
		sleep 0.02
	done
	fail "no '$1' in: $(<"$dir/agent.log")"
}

the_log_names_the_dead_also_those_that_no_agent_saw() {
	start
	add r s
	hold
	kill -9 "$worker"
	gone="is gone without detaching: was reading"
	who="pid $worker (60_agent_socket, record [0-9]*, 1 thread)"
	logged "$who $gone (cleaned up by pid $pid)"
	agent 0 --stop
	hold
	kill -9 "$worker"
	gone "$worker"
	add r s # its process takes the dead worker's record, and so repairs it
	start
	[[ $out == *"pid $worker (60_agent_socket, record"*") $gone"* ]] ||
		fail "it says: $out"
	corral 0 inspect deaths
	has "$worker" "was reading"
	agent 0 --stop
	start
	[[ $out != *"pid $worker "* ]] || fail "again: $out"
}

a_stalled_view_is_named_and_when_memory_is_short_revoked() {
	start
	add r s
	hold
	# something is retired while the view is open
	"$BUILD/tests/60_agent_socket" fill "$dir" 100 >"$place/fill" 2>&1
	for ((i = 0; i < 200; i++)); do
		add r s
		grep -qs "has had a view open" "$dir/agent.log" && break
	done
	logged "pid $worker (60_agent_socket), thread [0-9]*: has had a view open"
	corral 0 inspect readers
	has "$worker" 60_agent_socket
	corral 0 status
	has "1 reader, for up to"
	"$BUILD/tests/60_agent_socket" fill "$dir" 60000 >"$place/fill" 2>&1 # until it is full
	logged "is revoked"
	echo end >&4
	wait "$worker" || fail "the reader did not end well"
	out=$(<"$place/held")
	has revoked
	corral 0 show r s
}

it_ends_idle_carts_and_frees_their_memory() {
	start --ttl 300ms
	for ((i = 0; i < 10; i++)); do
		add r "s$i"
	done
	for ((i = 0; i < 100; i++)); do
		corral 0 status
		[[ $out =~ expired_by_this_agent\ +10 && $out == *" 0 ending"* ]] && break
		sleep 0.1
	done
	has "0 open, 0 checked out, 0 ending"
	corral 0 ls
	[[ $out != *s1* ]] || fail "still there: $out"
	agent 0 --stop
	sound
}

it_gives_their_disk_space_back_when_nothing_happens() {
	local full
	"$BUILD/corral-bench" get --dir "$dir" --carts 5000 --seconds 0.001 >/dev/null ||
		fail "no carts were made"
	full=$(du -k "$dir/arena" | cut -f1)
	start --ttl 1s # (an existing arena keeps its size)
	for ((i = 0; i < 300; i++)); do
		[[ $(du -k "$dir/arena" | cut -f1) -gt $((full / 2)) ]] || break
		sleep 0.1
	done
	[[ $(du -k "$dir/arena" | cut -f1) -le $((full / 2)) ]] ||
		fail "$(du -k "$dir/arena") of $full K are there still"
	add r s1
	agent 0 --stop
	sound
}

the_currency_of_new_carts_is_the_agents() {
	start --currency JPY
	corral 0 add r s1 --item i --name Item --price 1
	"$BUILD/corral" --dir "$dir" show r s1 --json |
		grep -q '"total_cents":1,"currency":"JPY","currency_digits":0' ||
		fail "$("$BUILD/corral" --dir "$dir" show r s1 --json)"
	agent 0 --stop
	gone "$pid"
	start # without the option it stays
	corral 0 add r s2 --item i --name Item --price 1
	"$BUILD/corral" --dir "$dir" show r s2 | grep -q "Total JPY" ||
		fail "s2 has another currency"
	agent 0 --stop
	gone "$pid"
	start --currency none
	add r s3
	"$BUILD/corral" --dir "$dir" show r s3 | grep -q "Total  *1.00" || fail "s3 has a currency"
	"$BUILD/corral" --dir "$dir" show r s1 | grep -q "Total JPY" || fail "s1 lost its currency"
	agent 2 --currency jpy
	agent 0 --stop
	sound
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
