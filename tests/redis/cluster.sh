#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Carts on a Redis Cluster of six servers on loopback, while servers are killed, stopped, restarted
# and moved. Workers write down what they are told, and their history is judged (history.c). Some
# claims take a guard away, and want to see what it guards against: or the others would be blind.
#
# Usage: [BUILD=dir] tests/redis/cluster.sh [CLAIM...]   from the root, as `make cluster` does
# shellcheck disable=SC2317,SC2154,SC2030,SC2031,SC2119 # claims are called by name, in subshells
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/redis_kit.sh
. tests/kit/redis_kit.sh

NODE_TIMEOUT_MS=1000

cluster() {
	cluster_of 3 "$NODE_TIMEOUT_MS"
	plain=$location
	location+="?replicas=1"
}

history_begins() { # SECONDS [WORKERS [PAUSE_US]]
	"${within[@]}" "$BUILD/tests/redis/history" "$location" "${2:-8}" 60 "$1" "${3:-3000}" \
		>"$place/history" 2>&1 &
	history=$!
	for ((n = 0; n < 1200; n++)); do
		grep -qs '^begun' "$place/history" && break
		sleep 0.05
	done
	sleep 1.5
}

# Sets an array `told` of what the history's last line has, and fails if a promise is broken.
history_holds() {
	history_is_told
	[[ ${told[lost]} -eq 0 && ${told[twice]} -eq 0 && ${told[undone]} -eq 0 &&
		${told[reused]} -eq 0 ]] || fail "a promise is broken: $out"
	[[ ${told[changes]} -gt 100 && ${told[durable]} -gt 50 ]] ||
		fail "too little happened: $out"
}

history_is_told() {
	local code=0 word
	wait "$history" || code=$?
	out=$(tail -n 1 "$place/history")
	[[ $code -le 1 && $out == changes=* ]] || fail "history: exit code $code: $out"
	declare -gA told=()
	for word in $out; do
		told[${word%=*}]=${word#*=}
	done
	echo "$out" >>"$place/told"
}

no_errors() {
	[[ ${told[errors]} -eq 0 ]] || fail "a caller was told of an error: $out"
}

of_role() { # ROLE: the ports of the servers that are up and have it
	local port
	for port in "${ports[@]}"; do
		[[ $(ask "$port" ROLE | head -n 1) == "$1" ]] && echo "$port"
	done
}

master_of() { # PORT of a replica
	ask "$1" ROLE | sed -n 3p
}

replica_of() { # PORT of a master
	local port
	for port in $(of_role slave); do
		[[ $(master_of "$port") == "$1" ]] && echo "$port" && return
	done
	fail "the master $1 has no replica"
}

a_master() {
	of_role master | head -n 1
}

signal() { # SIGNAL PORT
	kill -"$1" "$(<"$place/$2/pid")"
}

again() { # PORT: start a server that was killed, with what it has on disk
	server "$1" --port "$1" --bind 127.0.0.1 --cluster-enabled yes \
		--cluster-node-timeout "$NODE_TIMEOUT_MS" --repl-diskless-sync-delay 0 "${@:2}"
	ready "$1"
}

# Two networks with a wire between them: one master and the clients on one side, all others, and so
# most masters, on the other. A network ends with the processes in it. Sets sides, ports and
# location.
two_sides() {
	local port side ours
	sides=()
	for side in 1 2; do
		unshare -n sleep 600 >/dev/null 2>&1 &
		sides+=($!)
		echo $! >>"$place/pids"
	done
	for ((n = 0; n < 200; n++)); do # until both are in a network of their own
		ours=$(readlink /proc/self/ns/net)
		[[ $(readlink "/proc/${sides[0]}/ns/net") != "$ours" &&
			$(readlink "/proc/${sides[1]}/ns/net") != "$ours" ]] && break
		sleep 0.05
	done
	on_side 1 ip link add wire type veth peer name wire netns "${sides[1]}"
	for side in 1 2; do
		on_side "$side" ip link set lo up
		on_side "$side" ip address add "10.9.0.$side/24" dev wire
		on_side "$side" ip link set wire up
	done
	ports=(7001 7002 7003 7004 7005 7006)
	for port in "${ports[@]}"; do
		side=$((port == 7001 ? 1 : 2))
		within=(nsenter -t "${sides[side - 1]}" -n)
		of_cluster "$port" "10.9.0.$side" "$NODE_TIMEOUT_MS" --protected-mode no
	done
	within=(nsenter -t "${sides[0]}" -n)
	make_cluster 10.9.0.1:7001 10.9.0.2:7002 10.9.0.2:7003 10.9.0.2:7004 10.9.0.2:7005 \
		10.9.0.2:7006
	[[ $(of_role master) == *7001* ]] || fail "the server on the first side is no master"
}

on_side() { # SIDE COMMAND...
	nsenter -t "${sides[$1 - 1]}" -n "${@:2}" || fail "${*:2}: refused"
}

a_master_is_cut_off() { # ... beside its clients, and comes back when another has its place
	history_begins 12 16 1000
	on_side 1 ip link set wire down
	sleep 4
	[[ $(of_role master | wc -l) -eq 4 ]] || fail "no replica took its master's place"
	on_side 1 ip link set wire up
}

# ------------------------------------------------------------------------- claims

the_contract_holds_on_a_cluster() {
	cluster
	contract_holds_at "$location"
}

# What each client answers alike, scenario by scenario, by Node and Python as well.
the_scenarios_of_all_clients_hold_on_a_cluster() {
	cluster
	export CORRAL_SERVERS=$location
	out=$(clients/node/test/run.sh scenarios 2>&1) || fail "Node: $out"
	out=$(clients/python/test/run.sh OnServers 2>&1) || fail "Python: $out"
	has "1 passed, 0 failed"
}

a_directory_and_a_cluster_answer_the_same() {
	cluster
	start
	out=$(timeout 600 "$BUILD/tests/redis/differential" "$dir" "$location" 100000 2>&1) ||
		fail "$out"
	has "all alike"
}

a_killed_master_costs_no_durable_change_and_no_caller_an_error() {
	cluster
	history_begins 9
	signal KILL "$(a_master)"
	history_holds
	no_errors
}

a_killed_replica_and_then_its_master() {
	local master replica
	cluster
	master=$(a_master)
	replica=$(replica_of "$master")
	history_begins 14
	signal KILL "$replica"
	sleep 1
	again "$replica" --appendonly yes
	settled "$replica"
	sleep 1
	signal KILL "$master"
	history_holds
	no_errors
}

a_stopped_master_that_goes_on_loses_nothing_durable() {
	local master
	cluster
	location+="&timeout=20s"
	history_begins 10 16 1000
	master=$(a_master)
	signal STOP "$master"
	sleep 4
	signal CONT "$master"
	history_holds
}

without_wait_a_stopped_master_loses_what_it_acknowledged() {
	local master tries
	cluster
	location="$plain?timeout=20s"
	for tries in 1 2 3 4 5 6; do
		history_begins 8 16 1000
		master=$(a_master)
		signal STOP "$master"
		sleep 4
		signal CONT "$master"
		history_is_told
		[[ ${told[twice]} -eq 0 && ${told[undone]} -eq 0 ]] || fail "$out"
		[[ ${told[gone]} -eq 0 ]] || return 0
		settled "$master"
	done
	fail "in $tries rounds nothing was lost: this test is blind"
}

a_master_that_is_back_at_once_has_all_from_its_file() {
	local master
	cluster
	history_begins 6
	master=$(a_master)
	signal KILL "$master"
	again "$master" --appendonly yes
	history_holds
	[[ ${told[gone]} -eq 0 ]] || fail "acknowledged, and not in the file: $out"
}

without_a_file_a_master_that_is_back_at_once_has_lost_durable_changes() {
	local master port
	cluster
	for port in "${ports[@]}"; do
		ask "$port" CONFIG SET appendonly no >/dev/null
	done
	history_begins 6
	master=$(a_master)
	signal KILL "$master"
	again "$master" --appendonly no
	history_is_told
	[[ ${told[lost]} -gt 0 ]] || fail "nothing was lost: this test is blind: $out"
}

all_servers_of_a_shard_are_killed_and_come_back() {
	local master replica
	cluster
	history_begins 10
	master=$(a_master)
	replica=$(replica_of "$master")
	signal KILL "$master"
	signal KILL "$replica"
	sleep 2
	again "$master" --appendonly yes
	again "$replica" --appendonly yes
	history_holds
}

# A WAIT behind a read would be answered at once, by a connection that has written nothing.
a_repeat_waits_for_what_it_repeats() {
	local port
	cluster
	at 0 add r s --item a --name Item --price 1.00 --op first
	for port in $(of_role slave); do
		signal STOP "$port"
	done
	at 3 add r s --item b --name Item --price 1.00 --op second
	has "not known to be on disk"
	at 3 add r s --item b --name Item --price 1.00 --op second
	has "not known to be on disk"
	for port in "${ports[@]}"; do
		signal CONT "$port"
	done
	sleep 2
	at 0 add r s --item b --name Item --price 1.00 --op second
	has "already applied" "2 items"
}

scripts_are_flushed_and_connections_cut() {
	local n port
	cluster
	history_begins 6
	for ((n = 0; n < 8; n++)); do
		for port in "${ports[@]}"; do
			ask "$port" SCRIPT FLUSH >/dev/null
			ask "$port" CLIENT KILL TYPE normal SKIPME yes >/dev/null
		done
		sleep 0.3
	done
	history_holds
	no_errors
}

slots_move_while_carts_change() {
	local from to
	cluster
	history_begins 20
	mapfile -t masters < <(of_role master)
	from=$(ask "${masters[0]}" CLUSTER MYID)
	to=$(ask "${masters[1]}" CLUSTER MYID)
	timeout 200 redis-cli --cluster reshard "127.0.0.1:${masters[0]}" --cluster-from "$from" \
		--cluster-to "$to" --cluster-slots 2000 --cluster-yes >"$place/reshard" 2>&1 ||
		fail "reshard: $(tail -n 3 "$place/reshard")"
	history_holds
	no_errors
}

masters_and_replicas_change_places() {
	local port
	cluster
	history_begins 8
	for port in $(of_role slave); do
		[[ $(ask "$port" CLUSTER FAILOVER) == OK ]] || fail "no failover at $port"
		sleep 1
	done
	history_holds
	no_errors
}

a_full_memory_refuses_and_loses_nothing() {
	local port
	cluster
	history_begins 6
	for port in "${ports[@]}"; do
		ask "$port" CONFIG SET maxmemory 1 >/dev/null
	done
	sleep 2
	for port in "${ports[@]}"; do
		ask "$port" CONFIG SET maxmemory 0 >/dev/null
	done
	history_holds
	[[ ${told[errors]} -gt 0 ]] || fail "nothing was refused: this test is blind: $out"
}

what_is_durable_beside_a_master_that_was_cut_off_is_not_lost() {
	two_sides
	location+="?replicas=1"
	a_master_is_cut_off
	history_holds
}

without_wait_what_a_master_took_that_was_cut_off_is_lost() {
	two_sides
	a_master_is_cut_off
	history_is_told
	[[ ${told[twice]} -eq 0 && ${told[undone]} -eq 0 ]] || fail "$out"
	[[ ${told[gone]} -gt 0 ]] || fail "nothing was lost: this test is blind: $out"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
