#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-bench storm: workers and agent are killed, stopped and replaced, and no change is lost,
# none counts twice, nothing leaks; the written history has each call once, in the form that the
# manual describes. Its feed, read by a process that is killed and stopped too, tells each change
# and each end once. (66_storm_checker and 66_storm_judge show that faults are noticed.)
# timeout: 120
# shellcheck disable=SC2317 # functions are called by name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=$(realpath -e "${BUILD:-build}") || exit 2
bench=$BUILD/corral-bench
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
export LC_ALL=C # the history is large

storm() {
	timeout -k 5 90 "$bench" storm "$@" >"$tmp/out" 2>"$tmp/err"
}

exits() { # exits CODE COMMAND...
	local wanted=$1
	shift
	"$@"
	local code=$?
	[[ $code -eq $wanted ]] || { echo "exit code $code" && return 1; }
}

field() { # NAME: of the lines before the last
	sed -n "s/^$1=\([0-9.]*\)$/\1/p" "$tmp/out"
}

more_than() { # NUMBER FIELD...
	local least=$1 name
	shift
	for name; do
		[[ $(field "$name") -gt $least ]] || { echo "$name=$(field "$name")" && return 1; }
	done
}

nothing_is_wrong() {
	tail -n 1 "$tmp/out" |
		grep -qxE \
		'kills=[0-9]+ operations=[0-9]+ longest_wait_ms=[0-9.]+ lost=0 twice=0 leaked=0' &&
		[[ $(field disorder) == 0 && $(field faults) == 0 && $(field crashes) == 0 ]]
}

the_feed_is_right() {
	[[ $(field events_untold) == 0 && $(field events_twice) == 0 &&
		$(field events_wrong) == 0 ]]
}

the_feed_told_it_all() { # and what was not answered, or the gaps count it
	local missed
	missed=$(field events_missed)
	the_feed_is_right && more_than 0 event_ends reader_kills &&
		[[ $(($(field events) + $(field event_ends) + missed)) -ge \
			$(field acknowledged) ]] &&
		[[ $(($(field events_compared) + missed)) -ge $(field acknowledged) ]]
}

claim "a storm with the agent killed too exits with 0" exits 0 storm --workers 6 --kill-every 5 \
	--seconds 2 --kill-agent --history "$tmp/history" --seed 11
claim "nothing is lost, doubled, leaked or out of order" nothing_is_wrong
claim "the feed told each change and each end once" the_feed_told_it_all
claim "workers were killed in the midst of calls, stopped, and told to go" \
	more_than 3 kills stops exits pending sent_again acknowledged reads
claim "the agent was killed" more_than 0 agent_kills

# Check the history independently of the program.
shape='^\{"cart":"cart-[0-9]+","worker":[0-9]+,"thread":[01],"op":("[0-9a-f]+"|null),'
shape+='"attempt":[0-9]+,"kind":"[a-z_]+","arguments":\{"round":[0-9]+[^][{}]*'
shape+='(,"steps":\[(\{"kind":"[a-z_]+"[^][{}]*\},?){1,4}\][^][{}]*)?\},'
shape+='"invoke_ns":[0-9]+,"return_ns":(null,"error":null|[0-9]+,"error":'
shape+='("E[A-Z]+"(,"step":[0-4])?|null,"version":[0-9]+,"subtotal_cents":[0-9]+,'
shape+='"tax_cents":[0-9]+,"total_cents":[0-9]+,"items":[0-9]+,"status":[01],'
shape+='(("step_lines":\[[0-9]+(,[0-9]+){0,3}\],)?"line":[0-9]+,"applied":(true|false)|'
shape+='"lines":[0-9]+,"tax_ppm":[0-9]+)))\}$'

all_lines_have_the_shape() {
	! grep -vE -m 3 "$shape" "$tmp/history"
}

history_has() { # NUMBER REGEX: that many lines, not counting the checker's (worker 6)
	local there
	there=$(grep -v '"worker":6,' "$tmp/history" | grep -c "$2")
	[[ $there -eq $1 ]] || { echo "$there lines with $2, not $1" && return 1; }
}

several_steps_are_there() {
	local kind='"kind":"apply".*\},\{"kind":' one
	for one in '"applied":true' '"applied":false' '"step":[1-4]' \
		'"error":"ECANCELED","step":0'; do
		grep -qE "$kind.*$one" "$tmp/history" || { echo "none with $one" && return 1; }
	done
}

rates_and_adjustments_are_there() {
	local one
	for one in line_tax discount fee tip; do
		grep -qE "\"$one\".*\"applied\":true" "$tmp/history" ||
			{ echo "no change has $one" && return 1; }
	done
}

# Each applied change has its own version in its cart; a drop names the version before it.
versions_are_unique() {
	! awk -F'[:,]' '/"applied":true/ && !/"kind":"drop"/ {
		for (i = 3; i < NF; i++)
			if ($i == "\"version\"" && seen[$2, $(i + 1)]++)
				print $2, $(i + 1)
	}' "$tmp/history" | grep -m 3 .
}

claim "each line of the history has the documented shape" all_lines_have_the_shape
claim "it has every acknowledged change" history_has "$(field acknowledged)" '"applied":'
claim "it has every pending change" history_has "$(field pending)" \
	'"op":"[0-9a-f]*".*"return_ns":null'
claim "no version was given out twice" versions_are_unique
claim "changes of several steps were made, refused and repeated" several_steps_are_there
claim "with rates of lines and adjustments" rates_and_adjustments_are_there

claim "one worker alone, killed again and again" exits 0 storm --workers 1 --kill-every 20 \
	--seconds 1
claim "nothing is wrong with it" nothing_is_wrong

claim "a reader that is outrun is told gaps that count what is missing" exits 0 storm --workers 4 \
	--seconds 1 --outrun
claim "and nothing else is missing" the_feed_is_right

claim "wrong arguments are refused" exits 2 storm --workers 0
claim "a file is no argument" exits 2 storm orders.tsv
claim "a history that cannot be written is an error" exits 2 storm --history "$tmp/none/history"

report_claims
