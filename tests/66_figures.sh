#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-bench scale, contend, rate, idle and report: they end, count what they did, and what they print and write can be read by
# programs. What they measure is judged elsewhere.
#
# Usage: [BUILD=dir] tests/66_figures.sh [CLAIM...]   from the repository's root; timeout: 120
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154 # claims are called by name, each in a subshell
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/agent_kit.sh
. "$(dirname "$0")/agent_kit.sh"

bench() { # CODE ARGUMENT...: sets out
	local want=$1 code=0
	shift
	out=$(timeout -k 5 60 "$BUILD/corral-bench" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] || fail "$*: exit code $code, not $want: $out"
}

figure_of() { # NAME
	awk -v name="$1" '$1 == name { print $2 }' <<<"$out"
}

only_figures() {
	[[ $(head -n 1 <<<"$out") == "machine: "* ]] || fail "the machine is not named: $out"
	! tail -n +2 <<<"$out" | grep -vE '^[a-z0-9_.]+ -?[0-9.]+ (ns|1/s|x|adds|bytes|changes|events|%|rounds)$' || fail "a line is no figure"
}

# ------------------------------------------------------------------------- claims

many_workers_lose_nothing() {
	bench 0 scale --workers 6 --carts 1,50 --seconds 1 --bytes 1000
	only_figures
	[[ $(figure_of scale.carts_1.lost) == 0 && $(figure_of scale.carts_50.lost) == 0 ]] || fail "$out"
	[[ $(figure_of scale.carts_1.add.workers_6.per_second) -gt 0 ]] || fail "$out"
	bench 0 scale --workers 2 --carts 50 --zipf --seconds 1 --bytes 1000
	[[ $(figure_of scale.carts_50.get_zipf.workers_2.per_second) -gt 0 ]] || fail "$out"
}

a_cart_is_read_while_it_changes() {
	bench 0 contend --carts 2 --seconds 1
	only_figures
	[[ $(figure_of contend.carts_2.changes) -gt 10 ]] || fail "$out"
}

events_come_at_their_times() {
	bench 0 rate --orders 10 --interval 100 --workers 3 --seconds 1
	only_figures
	[[ $(figure_of rate.orders_10.events) -eq 100 ]] || fail "$out"
}

an_idle_agent_is_watched() {
	bench 0 idle --carts 2 --seconds 1
	only_figures
	[[ -n $(figure_of idle.carts_2.agent_wake_ups) ]] || fail "$out"
}

a_report_is_made_of_what_was_written() {
	local figures=$place/figures.json
	bench 0 get --carts 100 --seconds 1 --zipf --json "$figures"
	[[ $(grep -c '"name"' "$figures") -eq $(($(wc -l <<<"$out") - 1)) ]] || fail "it has other figures than were printed"
	cat >"$place/peers.json" <<-END
		{ "benchmark": "peers", "machine": "a <fast> one", "begun_ms": 0, "figures": [
		{ "name": "get.carts_100.ratio", "value": 1.25, "unit": "x" },
		{ "name": "scale.carts_1.lost", "value": 2, "unit": "adds" },
		{ "name": "peers.carts_5.get.corral.ns", "value": 30, "unit": "ns" },
		{ "name": "peers.carts_5.get.redis_watch.ns", "value": 60000, "unit": "ns" } ] }
	END
	bench 0 report "$figures" "$place/peers.json"
	has "Measured on: a <fast> one" "| at most 1.30 | 1.25 | yes |" "| at most 0 | 2 | **no** |"
	bench 0 report "$figures" "$place/peers.json" --html "$place/page" --markdown "$place/text"
	out=$(<"$place/page")
	has "a &lt;fast&gt; one" "<svg" "redis_watch" "60 µs" "30 ns" "</html>"
	out=$(<"$place/text")
	has "| yes |"
}

what_is_no_run_is_refused() {
	echo '{ "figures": 3 }' >"$place/wrong"
	bench 2 report "$place/wrong"
	has "$place/wrong"
	echo 'x' >"$place/wrong"
	bench 2 report "$place/wrong"
	bench 2 report
	bench 2 report "$place/nothing"
	bench 2 scale --workers 0
	bench 2 get --workers 3
	bench 2 rate --interval 0
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
