#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral top: what is on the screen of a terminal (tmux is one), which keys do what, and what it
# prints for programs. A claim waits until the screen shows what must come, and nothing is timed.
#
# Usage: [BUILD=dir] tests/tools/70_top.sh [CLAIM...]   from the root; timeout: 180
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
unset NO_COLOR TMUX
export TMUX_TMPDIR=

# ------------------------------------------------------------- a terminal

top_runs() { # [COLUMNS ROWS] [VARIABLE=VALUE...]: corral top on a terminal of its own
	local columns=80 rows=24
	if [[ ${1:-} =~ ^[0-9]+$ ]]; then
		columns=$1 rows=$2
		shift 2
	fi
	TMUX_TMPDIR=$(mktemp -d /tmp/corral-top.XXXXXX) # the path of a socket must be short
	trap end_terminal EXIT # of the claim's subshell
	tmux -f /dev/null new-session -d -x "$columns" -y "$rows" -s t \
		"env LC_ALL=C.UTF-8 $* '$BUILD/corral' --dir '$dir' top --interval 0.1; \
		echo ENDED \$?; sleep 600" || fail "tmux"
}

press() { # KEY...: as tmux names them
	tmux send-keys -t t "$@"
}

look() { # sets out
	out=$(tmux capture-pane -p -t t "$@")
}

sees() { # TEXT...: the screen comes to show all of them
	local text all i
	for ((i = 0; i < 300; i++)); do
		look
		all=yes
		for text; do
			[[ $out == *"$text"* ]] || all=
		done
		[[ -z $all ]] || return 0
		sleep 0.1
	done
	fail "the screen does not show: $*: $out"
}

sees_no() { # TEXT: wait until the screen does not show it
	local i
	for ((i = 0; i < 300; i++)); do
		look
		[[ $out == *"$1"* ]] || return 0
		sleep 0.1
	done
	fail "the screen still shows $1: $out"
}

end_terminal() {
	tmux kill-server 2>/dev/null
	rm -rf "$TMUX_TMPDIR"
}

put() { # SESSION PRICE
	corral 0 add luigi "$1" --item i --name Item --price "$2"
}

# ------------------------------------------------------------- claims

the_screen_follows_the_carts() {
	start
	put first 1.00
	put second 5.00
	top_runs
	sees "corral top" "agent runs" "2 open" "2 carts by age" "journal" "2 processes" \
		"RESTAURANT    SESSION" "first" "q quit"
	[[ $out == *first*second* ]] || fail "the oldest is not first: $out"
	[[ $(wc -l <<<"$out") -eq 24 ]] || fail "no 24 lines: $out"
	put third 7.50
	sees "third" "3 open" "7.50" "latency p50"
	put first 9.00
	sees "10.00"
	corral 0 checkout luigi second
	sees "1 checked out" "checkout"
	corral 0 drop luigi third
	sees_no "third"
	press q
	sees "ENDED 0"
}

keys_order_filter_and_open() {
	start
	put aaa 1.00
	put bbb 5.00
	put ccc 3.00
	top_runs
	sees "3 carts by age" aaa
	press s
	sees "3 carts by total"
	[[ $out == *bbb*ccc*aaa* ]] || fail "not by total: $out"
	press r
	sees "3 carts by total, reversed"
	[[ $out == *aaa*ccc*bbb* ]] || fail "not reversed: $out"
	press / c C
	sees "1 cart by" "filter: cC_"
	press Enter
	sees "Esc ends it"
	press Enter
	sees "history of luigi ccc" "version 1 changed: add line 1" "3.00"
	corral 0 add luigi ccc --item j --name Other --price 4.00
	sees "version 2 changed" "7.00"
	press Escape
	sees "1 cart by"
	press Escape
	sees "3 carts by"
	press p
	sees "AND ITS THREADS" "(the agent)" "corral: alive"
	press l
	sees "LOCKS HELD NOW" "THE LAST DEATHS" none
	press h
	sees KEYS "the history of the marked cart"
	press c
	sees "RESTAURANT"
	press q
	sees "ENDED 0"
}

named_cursors_are_shown_with_their_lag() {
	start
	put aaa 1.00
	corral 0 events --cursor kitchen
	top_runs
	sees "1 cursor, at most 0 events behind" "1 cart by"
	put bbb 2.00
	corral 0 checkout luigi bbb
	sees "1 cursor, at most 2 events behind"
	press f
	sees "OF IT ENDS" "kitchen"
	[[ $out =~ kitchen\ +[0-9]+\ +2\ +1\ +[0-9.a-z]+\ ago ]] || fail "$out"
	corral 0 events --cursor kitchen
	sees "at most 0 events behind"
	corral 0 cursors --remove kitchen
	sees "none"
	sees_no "1 cursor"
	press q
	sees "ENDED 0"
}

# The marked cart stays marked, wherever it goes; its history is what Enter opens.
a_mark_stays_with_its_cart() {
	start
	put aaa 1.00
	put bbb 2.00
	put ccc 3.00
	top_runs
	sees "3 carts by age" ccc
	press s
	sees "by total"
	press j j # an arrow is several bytes, and a busy machine may part them
	corral 0 add luigi aaa --item j --name Other --price 40.00
	sees "41.00"
	press Enter
	sees "history of luigi aaa"
}

texts_of_strangers_are_escaped() {
	local evil=$'\e[31mred\e]0;title\a\u202e\nx' wide=$'寿司\u0301 tänaka'
	start
	corral 0 add "$evil" s1 --item i --name Item --price 1.00
	corral 0 add "$wide" s2 --item i --name Item --price 2.00
	top_runs 140 30
	sees '\x1b[31mred\x1b' '寿司' 's2  '
	tmux display-message -p -t t '#{pane_title}' | grep -q title && fail "the title was set"
	# both rows are as wide
	[[ $(grep -c '1\.00\|2\.00' <<<"$out") -eq 2 ]] || fail "$out"
	press Enter
	sees 'history of \x1b[31mred'
	press q
	sees "ENDED 0"
	corral 0 top --batch --frames 1 --interval 0.1
	has '\x1b[31mred'
	[[ $out != *$'\e'* ]] || fail "an escape: $out"
}

it_goes_on_without_an_agent_and_with_the_next_one() {
	start
	put first 1.00
	top_runs
	sees "agent runs" first
	kill -9 "$(agent_pid)"
	sees "NO AGENT RUNS" first
	put second 2.00
	sees second "2 open"
	agent 0 --daemon
	agent_pid >>"$place/pids"
	sees "agent runs" second
	press q
	sees "ENDED 0"
}

a_terminal_of_another_size() {
	start
	put first 1.00
	top_runs
	sees first
	[[ $out != *"BY PID"* ]] || fail "$out"
	tmux resize-window -t t -x 140 -y 40
	sees "BY PID" first
	tmux resize-window -t t -x 30 -y 8
	sees "too small"
	tmux resize-window -t t -x 80 -y 24
	sees "RESTAURANT" first "q quit"
}

no_colour_where_none_is_wanted() {
	start
	put first 1.00
	corral 0 checkout luigi first
	top_runs 80 24 TERM=screen-256color
	sees first
	look -e
	[[ $out == *$'\e[32m'* ]] || fail "no green: $out"
	end_terminal
	top_runs 80 24 TERM=screen-256color NO_COLOR=1
	sees first
	look -e
	[[ $out != *$'\e[3'[0-7]m* ]] || fail "a colour: $out"
	end_terminal
	top_runs 80 24 TERM=dumb
	sees first "ENDED 0" # one frame of text
}

looking_is_no_activity() {
	start
	put first 1.00
	corral 0 ttl luigi first 2s
	top_runs
	sees first
	sees_no first
	sees "0 open"
}

without_events_the_list_is_made_again_and_again() {
	start --feed off
	put first 1.00
	top_runs
	sees "no feed" first
	put second 2.00
	sees second
	corral 0 drop luigi first
	sees_no first
}

frames_for_programs() {
	start
	put first 1.00
	corral 0 top --batch --frames 2 --interval 0.1
	[[ $(grep -c '^corral top ' <<<"$out") -eq 2 ]] || fail "no two frames: $out"
	[[ $out != *$'\e'* ]] || fail "an escape: $out"
	corral 0 top --json --frames 3 --interval 0.1
	[[ $(wc -l <<<"$out") -eq 3 ]] || fail "no three lines: $out"
	has '"session_id":"first"' '"per_second":{"changes":' '"p99_ns":' '"agent":true'
	corral 0 top # no terminal: one frame
	[[ $(grep -c '^corral top ' <<<"$out") -eq 1 ]] || fail "no one frame: $out"
	corral 0 status --json
	has '"latency":{"changes":1,'
	corral 0 status
	has "of changes: p50"
	corral 0 status --metrics
	has 'corral_change_duration_seconds_bucket{le="+Inf"} 1' \
		'corral_change_duration_seconds_bucket{le="0.000000128"} 0' \
		corral_change_duration_seconds_count 'corral_reads_total'
}

what_it_refuses() {
	start
	corral 2 top --frames 0
	corral 2 top --interval 0.01
	corral 2 top --order size
	corral 2 top --batch --json
	corral 2 top luigi
	dir=$place/nothing
	corral 3 top --frames 1
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
