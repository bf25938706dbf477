#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guided tour of Corral: an order, a crash, then a whole file of orders while workers and agent
# die. `make demo` runs it; ORDERS=file.tsv names the file (default bench/replay/orders.tsv). The
# last line is the result of the replay. It leaves nothing behind.
set -uo pipefail

BUILD=$(realpath -e "${BUILD:-build}") || exit 2
ORDERS=${ORDERS:-$(dirname "$0")/../bench/replay/orders.tsv}
memory=/dev/shm
[[ -d $memory && -w $memory ]] || memory=${TMPDIR:-/tmp}
tmp=$(mktemp -d "$memory/corral-demo.XXXXXX") || exit 2
dir=$tmp/carts
agent=

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[[ -z $agent ]] || { kill "$agent" && wait "$agent"; } 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bold='' plain=''
[[ -t 1 ]] && bold=$'\e[1m' plain=$'\e[0m'

chapter() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
tell() { printf '%s\n' "$@"; }
fail() { # what went wrong
	echo "demo: $1" >&2
	[[ -s $tmp/agent.log ]] && tail -n 5 "$tmp/agent.log" >&2
	exit 1
}
corral() { "$BUILD/corral" --dir "$dir" "$@"; }
# Print a command as a user would type it, then run it.
try() {
	printf '  $ corral'
	printf ' %s' "$@"
	printf '\n'
	corral "$@" | fold -s -w 76 | sed 's/^/    /' || fail "corral $1 failed"
}
start_agent() {
	"$BUILD/corral-agent" --dir "$dir" --size 64M >>"$tmp/agent.log" 2>&1 &
	agent=$!
	for ((i = 0; i < 200; i++)); do
		[[ -S $dir/agent.sock ]] && corral ls >/dev/null 2>&1 && return
		kill -0 "$agent" 2>/dev/null || break
		sleep 0.02
	done
	fail "the agent does not start"
}

chapter "1. A voice order"
tell "The agent makes the arena: one file of carts that all processes map." \
	"The caller says: two burgers and a coke. The model makes both calls at once:"
start_agent
corral add luigi call-17 --item burger --name Burger --price 8.99 --quantity 2 \
	--modifier bacon=1.50 >/dev/null &
first=$!
corral add luigi call-17 --item coke --name Coke --price 2.50 >/dev/null &
second=$!
wait "$first" || fail "an add failed"
wait "$second" || fail "an add failed"
try show luigi call-17

chapter "2. A crash in the middle of the order"
tell "kill -9 for the agent. No server runs now; the cart is still there, and" \
	"can be read and changed:"
kill -9 "$agent"
wait "$agent" 2>/dev/null
agent=
corral add luigi call-17 --item fries --name Fries --price 3.25 >/dev/null || fail "the add failed"
try show luigi call-17

orders=$(($(cut -f1 "$ORDERS" 2>/dev/null | sort -u | wc -l) - 1))
chapter "3. $orders orders, while everything dies"
tell "Each line of ${ORDERS##*/} is added by one of 4 worker processes." \
	"Every worker is replaced 10 times in mid-order, half of the time by kill -9." \
	"The agent is killed 10 times. Then each cart is compared with the file."
"$BUILD/corral-bench" replay "$ORDERS" --workers 4 --deploys 10 --agent-restarts 10 \
	--dir "$dir" --restaurant demo --keep >"$tmp/replay"
code=$?
[[ -s $tmp/replay ]] || exit "$code"
sed '$d; s/^/    /' "$tmp/replay"

chapter "4. What is left"
tell "No process of ours runs any more. The carts are where they were:"
session=$(awk -F'\t' 'NR > 1 && ++lines[$1] == 3 { print $1; exit }' "$ORDERS")
printf '  $ corral ls | head -n 5\n'
corral ls --restaurant demo >"$tmp/ls" || fail "corral ls failed"
head -n 5 "$tmp/ls" | sed 's/^/    /'
try show demo "${session:-1}"
tell "And every byte of the arena is accounted for:"
try check

chapter "The replay's result"
tail -n 1 "$tmp/replay"
exit "$code"
