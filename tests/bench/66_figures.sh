#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-bench scale, contend, grace, rate, idle, feed, expiry and report: they end, count their
# work, and their output and files can be read by programs. No measured value is judged here.
#
# Usage: [BUILD=dir] tests/bench/66_figures.sh [CLAIM...]   from the root; timeout: 120
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2034,SC2154
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh

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
	local unit='(ns|ms|1/s|x|adds|bytes|changes|events|%|rounds)'
	! tail -n +2 <<<"$out" | grep -vE "^[a-z0-9_.]+ -?[0-9.]+ $unit\$" ||
		fail "a line is no figure"
}

# ------------------------------------------------------------- claims

many_workers_lose_nothing() {
	bench 0 scale --workers 6 --carts 1,50 --seconds 0.2 --bytes 1000
	only_figures
	[[ $(figure_of scale.carts_1.lost) == 0 && $(figure_of scale.carts_50.lost) == 0 ]] ||
		fail "$out"
	[[ $(figure_of scale.carts_1.add.workers_6.per_second) -gt 0 ]] || fail "$out"
	bench 0 scale --workers 2 --carts 50 --zipf --bare --seconds 0.2 --bytes 1000
	[[ $(figure_of scale.carts_50.add_bare_zipf.workers_2.per_second) -gt 0 ]] || fail "$out"
	[[ -n $(figure_of scale.carts_50.add_bare_zipf.workers_2.corral_to_bare) ]] || fail "$out"
	[[ $(figure_of scale.carts_50.get_zipf.workers_2.per_second) -gt 0 ]] || fail "$out"
}

threads_have_figures_of_their_own() {
	local name
	bench 0 scale --threads --workers 3 --carts 1,50 --seconds 0.2 --bytes 1000
	only_figures
	[[ $(figure_of scale.carts_1.lost_threads) == 0 &&
		$(figure_of scale.carts_50.lost_threads) == 0 ]] || fail "$out"
	for name in threads_1.per_second threads_3.per_second threads_3.times_one threads_3.cpu_ns \
		threads_3_p99.9_ns; do
		[[ -n $(figure_of "scale.carts_50.add.$name") ]] || fail "no $name: $out"
	done
	! grep -q workers_ <<<"$out" || fail "figures of processes: $out"
}

processor_time_and_memory_are_printed() {
	bench 0 scale --workers 2 --carts 20 --seconds 0.2 --bytes 1000
	[[ $(figure_of scale.carts_20.get.workers_1.cpu_ns) != 0.0 ]] || fail "$out"
	awk '$1 == "scale.carts_20.add.workers_2.cpu_ns" && $2 > 50 { good = 1 }
		END { exit !good }' <<<"$out" || fail "$out"
	[[ $(figure_of scale.carts_20.arena_bytes) -gt 20000 ]] || fail "$out"
	bench 0 get --carts 20 --seconds 0.2
	[[ $(figure_of get.carts_20.arena_bytes) -ge $(figure_of memory.carts_20.given_bytes) ]] ||
		fail "$out"
}

a_cart_is_read_while_it_changes() {
	bench 0 contend --carts 2 --seconds 0.2
	only_figures
	[[ $(figure_of contend.carts_2.changes) -gt 10 ]] || fail "$out"
	[[ $(figure_of contend.carts_2.bare_changes) -gt 10 ]] || fail "$out"
	[[ $(figure_of contend.carts_2.p99.9_to_bare) != 0.00 ]] || fail "$out"
}

grace_periods_are_held_against_liburcus() {
	local name
	bench 0 grace --workers 2 --seconds 0.4
	only_figures
	for name in corral urcu_memb urcu_mb urcu_qsbr; do
		awk -v name="grace.readers_2.$name.read_ns" \
			'$1 == name && $2 > 0 { good = 1 } END { exit !good }' <<<"$out" ||
			fail "$name: $out"
		[[ $(figure_of "grace.readers_2.$name.period_max_ns") -gt 0 &&
			$(figure_of "grace.readers_2.$name.quiet_period_max_ns") -gt 0 ]] ||
			fail "$name: no grace period: $out"
	done
}

events_come_at_their_times() {
	bench 0 rate --orders 10 --interval 100 --workers 3 --seconds 1
	only_figures
	[[ $(figure_of rate.orders_10.events) -eq 100 ]] || fail "$out"
	[[ -n $(figure_of rate.p99.9_to_wake_up) && -n $(figure_of rate.cpu_to_wake_up) ]] ||
		fail "$out"
}

an_idle_agent_is_watched() {
	bench 0 idle --carts 2 --seconds 0.2
	only_figures
	[[ -n $(figure_of idle.carts_2.agent_wake_ups) &&
		-n $(figure_of idle.carts_2.cpu_to_wake_up) ]] || fail "$out"
}

each_event_is_read_or_in_a_gap() { # the program checks the numbers, and that a reader comes back
	local name
	bench 0 feed --carts 20 --workers 2 --events 30000 --seconds 0.3 --bytes 1000
	only_figures
	for name in live_per_second replay_per_second replay_events reader_per_second wait_p50_ns \
		beside_add_p99_ns away_add_p99_ns away_missed away_gaps; do
		[[ $(figure_of "feed.carts_20.$name") -gt 0 ]] || fail "$name: $out"
	done
	[[ $(figure_of feed.carts_20.away_events) -ge 30000 ]] || fail "$out"
	[[ -n $(figure_of feed.carts_20.add_with_reader_ratio) ]] || fail "$out"
}

each_cart_that_is_due_is_told_of() { # the program fails if one is not
	bench 0 expiry --carts 20 --seconds 0.5 --bytes 1000
	[[ $(figure_of expiry.carts_20.corral_never) == 0 &&
		-n $(figure_of expiry.carts_20.corral_late_max_ms) ]] || fail "$out"
	grep -q '^peer: redis is left out' <<<"$out" ||
		[[ $(figure_of expiry.carts_20.redis_never) == 0 ]] || fail "$out"
	out=$(grep -v '^peer: ' <<<"$out")
	only_figures
}

# What a browser finds in the page for its script to draw: sets out (with each < as itself). Nothing
# that was measured may end the script.
document_of() { # PAGE
	[[ $(grep -c '</script>' "$1") -eq 2 && $(tail -n 1 "$1") == *"</html>" ]] ||
		fail "the page is broken"
	out=$(xmllint --html --nowarning --xpath 'string(//script[@id="document"])' "$1" \
		2>/dev/null) || fail "the page has no document"
	[[ $out == '{"machine":'*'}' ]] || fail "no document: $out"
	out=${out//'\u003c'/<}
}

a_report_is_made_of_what_was_written() {
	local figures=$place/figures.json
	bench 0 get --carts 100 --seconds 0.2 --zipf --json "$figures"
	[[ $(grep -c '"name"' "$figures") -eq $(($(wc -l <<<"$out") - 1)) ]] ||
		fail "it has other figures than were printed"
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
	document_of "$place/page"
	has '"machine":"a <fast> one"' \
		'"label":"redis_watch","ours":false,"x":0.0,"values":[60000.0]' \
		'"label":"corral","ours":true' '"bound":1.3,"measured":1.25,"met":true' \
		'"bound":0.0,"measured":2.0,"met":false'
	out=$(<"$place/text")
	has "| yes |"
}

run_file() { # FILE BENCHMARK FIGURES: as --json writes it
	local notes='"notes": [ "peer: x: with </script><words>" ]'
	printf '{ "benchmark": "%s", "machine": "m", "begun_ms": 0, "figures": [ %s ], %s }\n' \
		"$2" "$3" "$notes" >"$1"
}

figure_json() { # NAME VALUE UNIT
	printf '{ "name": "%s", "value": %s, "unit": "%s" }' "$@"
}

each_chart_is_in_the_page_and_printed() {
	local list='' name n
	for name in p50 p90 p99 p99.9 max; do
		list+="$(figure_json "peers.carts_5.set_threads.corral_${name}_ns" 70 ns), "
	done
	run_file "$place/1" peers \
		"$list $(figure_json peers.carts_5.set_threads.corral.ns 1234 ns), $(
			figure_json peers.carts_5.memory.redis 2000000 bytes)"
	list=''
	for n in 1 2 64; do
		list+="$(figure_json "scale.carts_10000.add.workers_$n.per_second" "${n}000000" \
			1/s), "
	done
	run_file "$place/2" scale \
		"$list $(figure_json scale.carts_10000.add.threads_2.per_second 3000000 1/s)"
	list=''
	for n in 100 10000; do
		list+="$(figure_json "get.carts_$n".cart_bytes 512 bytes), "
		list+="$(figure_json "get.carts_$n".bare_ns 10 ns), "
		list+="$(figure_json "get.carts_$n".corral_ns 12 ns), "
	done
	run_file "$place/3" get "$list $(figure_json get.carts_100.ratio 1.2 x)"
	bench 0 report "$place"/[123] --html "$place/page" --markdown "$place/text"
	out=$(<"$place/text")
	has "Replace a whole cart, workers are threads: what it takes (5 carts)" \
		"| corral | 1.2 µs |" "| p50 | p90 | p99 | p99.9 | max |" "| redis | 2 MB |" \
		"| 2 | 2M | 3M |" "| 64 | 64M |  |" "| 10,000 carts of 512 B | 10 ns | 12 ns |" \
		"- peer: x: with </script><words>"
	[[ $out != *"100 carts |"* ]] || fail "carts of another size are held against a goal: $out"
	document_of "$place/page"
	has '"label":"64","ours":false,"x":64.0,"values":[64000000.0,null]' \
		'"x":2.0,"values":[2000000.0,3000000.0]' 'with </script><words>' \
		'"columns":["p50","p90","p99","p99.9","max"],"rows":[{"label":"corral",' \
		'"label":"corral","ours":true,"x":0.0,"values":[70.0,70.0,70.0,70.0,70.0]}]'
	out=$(grep -oE '"kind":"[a-z]+"' <<<"$out" | sort | tr '\n' ' ')
	[[ $out == \
		'"kind":"bars" "kind":"bars" "kind":"lines" "kind":"sizes" "kind":"spread" ' ]] ||
		fail "charts: $out"
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
