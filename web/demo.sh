#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Callers order, and the board follows them in the browser, while their workers and the agent are
# killed. `make demo-web` runs it until Ctrl-C; SECONDS_MAX=n ends it by itself. ORDERS=file.tsv
# names the orders (default bench/replay/orders.tsv). The total of each order that is paid is
# compared with the file, and nothing is left behind.
set -uo pipefail
# shellcheck source=web/callers.sh
. "$(dirname "$0")/callers.sh"

CALLERS=${CALLERS:-12}
SECONDS_MAX=${SECONDS_MAX:-0}
LISTEN=${LISTEN:-127.0.0.1:8347}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	kill "$web" "$agent" "${workers[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

# All orders of the file, once more.
queue_orders() { # ROUND
	local order
	for order in $(orders_of_file); do
		queue_order "$1" "$order"
	done
}

round=1
queue_orders $round
start_both "$LISTEN"
for ((n = 0; n < CALLERS; n++)); do
	start_worker "$n"
done
echo "Open in a browser: $url"
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
		kill_worker "$n"
		start_worker "$n"
		killed=$((killed + 1))
	fi
	if ((SECONDS % 10 == 0)); then
		kill_agent
		start_agent
		agents=$((agents + 1))
	fi
	printf '\r%d orders paid; killed: %d workers, %d agents ' "$(paid)" "$killed" "$agents"
done
kill "${workers[@]}" 2>/dev/null
wait "${workers[@]}" 2>/dev/null

awk '{ orders++ } $2 != $3 { wrong++; print "order " $1 ": " $2 " cents, not " $3 }
	END {
		printf "\n%d orders were paid, %d with a wrong total\n", orders, wrong
		exit orders == 0 || wrong > 0
	}' "$CORRAL_DIR.done"/*
