#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Callers order, and the board follows them in the browser, while their workers and the agent are
# killed. `make demo-web` runs it until Ctrl-C; SECONDS_MAX=n ends it by itself. ORDERS=file.tsv
# names the orders (default bench/replay/orders.tsv). The total of each order that is paid is
# compared with the file, and nothing is left behind.
#
# Each caller is a worker process: this script again, with the argument `worker`. It says one line
# every second or so, each under an operation id of its own. A worker that is killed in the middle
# of an order is replaced, and the new one says the order from its beginning: what was there already
# is not added twice.
set -uo pipefail

BUILD=$(realpath -e "${BUILD:-build}") || exit 2
ORDERS=$(realpath -e "${ORDERS:-$(dirname "$0")/../bench/replay/orders.tsv}") || exit 2
CALLERS=${CALLERS:-12}
SECONDS_MAX=${SECONDS_MAX:-0}
LISTEN=${LISTEN:-127.0.0.1:8347}
export BUILD ORDERS CORRAL_DIR

# The lines of an order: quantity, price of one in cents and name, with tabs between them.
lines_of() { # ROUND-ORDER
	awk -F'\t' -v order="${1#*-}" '$1 == order {
		cents = $5
		gsub(/[^0-9]/, "", cents)
		print $2 "\t" int(cents / $2) "\t" $3
	}' "$ORDERS"
}

want_of() { # ROUND-ORDER: its total in the file, in cents
	lines_of "$1" | awk -F'\t' '{ sum += $1 * $2 } END { print sum }'
}

total_of() { # ROUND-ORDER: its total in the cart
	"$BUILD/corral" show demo "call-$1" --json | sed 's/.*"total_cents":\([0-9]*\).*/\1/'
}

pause() { # MILLISECONDS: from that to twice as long
	local ms=$(($1 + RANDOM % $1))
	sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

# Say order after order from the queue, a directory with a file for each one that waits.
work() { # NAME
	local order number quantity cents name
	while order=$(next_order "$1"); do
		number=0
		while IFS=$'\t' read -r quantity cents name; do
			number=$((number + 1))
			"$BUILD/corral" add demo "call-$order" --item "$name" --name "$name" \
				--price "$((cents / 100)).$(printf %02d $((cents % 100)))" \
				--quantity "$quantity" --op "line-$number" >/dev/null || exit
			pause 700
		done < <(lines_of "$order")
		"$BUILD/corral" checkout demo "call-$order" --op pay >/dev/null || exit
		echo "$order $(total_of "$order") $(want_of "$order")" >>"$CORRAL_DIR.done/$1"
		rm "$CORRAL_DIR.mine/$1"
	done
}

# What it had in its hands when it was killed, or else the next one.
next_order() { # NAME
	local mine=$CORRAL_DIR.mine/$1 file
	if [[ ! -s $mine ]]; then
		for file in "$CORRAL_DIR.queue"/*; do
			mv "$file" "$mine" 2>/dev/null && break
		done
	fi
	cat "$mine" 2>/dev/null
}

if [[ ${1:-} == worker ]]; then
	work "$2"
	exit
fi

memory=/dev/shm
[[ -d $memory && -w $memory ]] || memory=${TMPDIR:-/tmp}
tmp=$(mktemp -d "$memory/corral-demo.XXXXXX") || exit 2
CORRAL_DIR=$tmp/carts
mkdir "$CORRAL_DIR".{queue,next,mine,done}
agent='' web='' workers=() over=

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	kill $web $agent "${workers[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'over=1' INT TERM

start_agent() {
	# paid orders leave the board after a minute and a half
	"$BUILD/corral-agent" --size 64M --ttl 90s >>"$tmp/agent.log" 2>&1 &
	agent=$!
}

start_worker() { # NUMBER
	"$0" worker "$1" &
	workers[$1]=$!
}

# All orders of the file, once more. A worker may be looking: a file is whole when it appears.
queue_orders() { # ROUND
	local order
	awk -F'\t' 'NR > 1 && !seen[$1]++ { print $1 }' "$ORDERS" | while read -r order; do
		echo "$1-$order" >"$CORRAL_DIR.next/$(printf '%03d-%06d' "$1" "$order")"
	done
	mv "$CORRAL_DIR.next"/* "$CORRAL_DIR.queue"
}

round=1
queue_orders $round
start_agent
until "$BUILD/corral" ls >/dev/null 2>&1; do
	kill -0 "$agent" 2>/dev/null || { cat "$tmp/agent.log" && exit 1; }
	sleep 0.05
done
"$BUILD/corral-web" --listen "$LISTEN" >"$tmp/web" &
web=$!
until grep -q listening "$tmp/web"; do
	kill -0 "$web" 2>/dev/null || exit 1
	sleep 0.05
done
for ((n = 0; n < CALLERS; n++)); do
	start_worker "$n"
done
sed 's/^.*listening at/Open in a browser:/' "$tmp/web"
echo "$CALLERS callers order. Every two seconds a worker is killed (kill -9) and replaced, every" \
	"ten the agent. Ctrl-C ends it."

killed=0 agents=0
while [[ -z $over ]]; do
	sleep 1
	[[ $SECONDS_MAX -eq 0 || $SECONDS -lt $SECONDS_MAX ]] || break
	if [[ -z $(ls "$CORRAL_DIR.queue") ]]; then
		round=$((round + 1))
		queue_orders $round
	fi
	for ((n = 0; n < CALLERS; n++)); do
		kill -0 "${workers[n]}" 2>/dev/null || start_worker "$n"
	done
	if ((SECONDS % 2 == 0)); then
		n=$((RANDOM % CALLERS))
		# with the tool that it has started, if any, in the middle of its change
		pkill -9 -P "${workers[n]}" -x corral
		kill -9 "${workers[n]}" 2>/dev/null && wait "${workers[n]}" 2>/dev/null
		start_worker "$n"
		killed=$((killed + 1))
	fi
	if ((SECONDS % 10 == 0)); then
		kill -9 "$agent" && wait "$agent" 2>/dev/null
		start_agent
		agents=$((agents + 1))
	fi
	printf '\r%d orders paid; killed: %d workers, %d agents ' \
		"$(cat "$CORRAL_DIR.done"/* 2>/dev/null | wc -l)" "$killed" "$agents"
done
kill "${workers[@]}" 2>/dev/null
wait "${workers[@]}" 2>/dev/null

awk '{ orders++ } $2 != $3 { wrong++; print "order " $1 ": " $2 " cents, not " $3 }
	END {
		printf "\n%d orders were paid, %d with a wrong total\n", orders, wrong
		exit orders == 0 || wrong > 0
	}' "$CORRAL_DIR.done"/*
