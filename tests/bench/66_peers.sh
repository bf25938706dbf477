#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-bench peers: each installed peer does its work, no acknowledged write is lost, and the
# output can be read by programs. No measured value is judged here.
#
# Usage: [BUILD=dir] tests/bench/66_peers.sh [CLAIM...]   from the root; timeout: 300
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

peers() { # CODE ARGUMENT...: sets out
	local want=$1 code=0
	shift
	out=$(timeout -k 5 200 "$BUILD/corral-bench" peers --seconds 0.2 --rounds 1 "$@" 2>&1) ||
		code=$?
	[[ $code -eq $want ]] || fail "peers $*: exit code $code, not $want: $out"
}

figure_of() { # NAME
	awk -v name="$1" '$1 == name { print $2 }' <<<"$out"
}

# ------------------------------------------------------------- claims

each_peer_does_its_work_or_says_why_not() {
	local name
	peers 0 --carts 40 --bytes 2000
	[[ $(figure_of peers.carts_40.lost) == 0 ]] || fail "$out"
	for name in corral map lmdb lmdb_sync sqlite memcached redis_watch redis_lua; do
		[[ $out == *"skipped: $name: "* ]] && continue
		[[ $(figure_of "peers.carts_40.add.$name.per_second") -gt 0 ]] ||
			fail "no adds of $name: $out"
	done
	for name in corral corral_copy map lmdb sqlite memcached redis_watch redis_pipelined; do
		[[ $out == *"skipped: $name: "* ]] && continue
		[[ $(figure_of "peers.carts_40.get.$name.per_second") -gt 0 ]] ||
			fail "no reads of $name: $out"
	done
	for name in corral map lmdb lmdb_sync sqlite memcached redis_watch; do
		[[ $out == *"skipped: $name: "* ]] && continue
		[[ $(figure_of "peers.carts_40.set.$name.per_second") -gt 0 ]] ||
			fail "no carts were set in $name: $out"
		grep -qE "^peer: ${name%_watch}: ." <<<"$out" ||
			fail "how $name is set up is not said: $out"
		[[ $(figure_of "peers.carts_40.memory.${name%_watch}") -gt 0 ]] ||
			fail "no memory of $name: $out"
	done
	[[ $(head -n 1 <<<"$out") == "machine: "* ]] || fail "the machine is not named"
	! grep -vE -e '^machine: .*$' -e '^(skipped|peer): [a-z_]+: .*$' \
		-e '^[a-z0-9_.]+ [0-9.]+ (ns|1/s|x|adds|bytes)$' <<<"$out" ||
		fail "a line is no figure"
}

workers_share_few_carts_and_lose_nothing() {
	peers 0 --carts 3 --workers 6 --zipf --peers corral,map,lmdb,memcached,redis_lua
	[[ $(figure_of peers.carts_3.lost_zipf) == 0 ]] || fail "$out"
	[[ $out == *peers.carts_3.add_zipf.corral.ns* ]] || fail "$out"
}

threads_share_what_a_process_has_once() {
	local name
	peers 0 --carts 3 --workers 4 --threads --peers corral,map,lmdb,sqlite,redis_watch
	[[ $(figure_of peers.carts_3.lost_threads) == 0 ]] || fail "$out"
	for name in corral map lmdb sqlite redis_watch; do
		[[ $out == *"skipped: $name: "* ]] && continue
		[[ $(figure_of "peers.carts_3.add_threads.$name.per_second") -gt 0 ]] ||
			fail "no adds of $name: $out"
	done
}

a_server_and_its_worker_have_a_cpu_each() {
	local cpus
	peers 0 --carts 3 --peers corral,memcached
	[[ $out != *"skipped: memcached: "* ]] || return 0 # peers are optional (make bench-deps)
	if [[ $(nproc) -gt 1 ]]; then
		cpus=$(grep '^peer: memcached: ' <<<"$out" |
			sed -nE 's/.*; server on CPU ([0-9]+), worker on CPU ([0-9]+)$/\1 \2/p')
		[[ -n $cpus && ${cpus% *} != "${cpus#* }" ]] || fail "$out"
	fi
	[[ $out != *"peer: corral: "*"on CPU"*"peer: memcached"* ]] ||
		fail "Corral has no server: $out"
	peers 0 --carts 3 --no-pin --peers corral,memcached
	grep -qE '^peer: memcached: .*; on any CPU$' <<<"$out" || fail "$out"
	[[ $(figure_of peers.carts_3.get_unpinned.memcached.per_second) -gt 0 ]] || fail "$out"
}

the_file_has_the_figures_that_were_printed() {
	peers 0 --carts 10 --peers corral,map --json "$place/figures.json"
	local name value unit
	grep -q '"peer: corral: Corral ' "$place/figures.json" || fail "no notes in it"
	grep -q '"benchmark": "peers"' "$place/figures.json" || fail "no benchmark in it"
	while read -r name value unit; do
		[[ $name != *: ]] || continue
		grep -qF "\"name\": \"$name\"" "$place/figures.json" || fail "$name is not in it"
		[[ -n $value && -n $unit ]] || fail "$name: '$value' '$unit'"
	done <<<"$out"
	[[ $(grep -c '"name"' "$place/figures.json") -eq $(grep -cvE '^[a-z]+: ' <<<"$out") ]] ||
		fail "it has other figures"
}

wrong_arguments_are_refused() {
	peers 2 --peers corral,nobody
	[[ $out == *"no peer 'nobody'"* ]] || fail "$out"
	peers 2 --workers 0
	peers 2 --carts 12x
	peers 2 more
	peers 1 --carts 5 --peers corral --json /nowhere/file
	[[ $out == *"cannot write /nowhere/file"* ]] || fail "$out"
}

no_server_and_no_file_stays() {
	local pid children end=$((SECONDS + 20)) # it measures for longer, also one peer alone
	"$BUILD/corral-bench" peers --carts 20 --seconds 60 --rounds 1 \
		--peers corral,memcached,redis_watch >/dev/null 2>&1 &
	pid=$!
	echo "$pid" >>"$place/pids"
	while [[ $SECONDS -lt $end ]]; do # until its agent and both servers run
		mapfile -t children < <(pgrep -P "$pid")
		[[ ${#children[@]} -lt 3 ]] || break
		sleep 0.05
	done
	[[ ${#children[@]} -gt 0 ]] || fail "it does nothing"
	kill -INT "$pid"
	gone "$pid"
	for pid in "${children[@]}"; do
		gone "$pid"
	done
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
