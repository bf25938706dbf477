# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What web/demo.sh and web/soak.sh share: callers who order, and the agent and corral-web.
#
# Each caller is a worker process: the script again, with the argument `worker`. It says one line
# every second or so, each under an operation id of its own. A worker that ends in the middle of an
# order is replaced, and the new one says the order from its beginning: what was there already is
# not added twice. A file with its name in the directory `leave` is its deployment: it ends after
# the line that it is saying.

BUILD=$(realpath -e "${BUILD:-build}") || exit 2
ORDERS=$(realpath -e "${ORDERS:-$(dirname "$0")/../bench/replay/orders.tsv}") || exit 2
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

# Say order after order from the queue, a directory with a file for each one that waits. No trap
# asks it to leave: bash confuses a trap with the substitution that it comes upon.
work() { # NAME
	local file order number quantity cents name
	until [[ -e $CORRAL_DIR.leave/$1 ]]; do
		if ! next_order "$1"; then
			pause 300
			continue
		fi
		read -r order <"$file"
		number=0
		while IFS=$'\t' read -r quantity cents name; do
			number=$((number + 1))
			"$BUILD/corral" add demo "call-$order" --item "$name" --name "$name" \
				--price "$((cents / 100)).$(printf %02d $((cents % 100)))" \
				--quantity "$quantity" --op "line-$number" >/dev/null || exit
			pause 700
			[[ ! -e $CORRAL_DIR.leave/$1 ]] || exit 0
		done < <(lines_of "$order")
		"$BUILD/corral" checkout demo "call-$order" --op pay >/dev/null || exit
		echo "$order $(total_of "$order") $(want_of "$order")" >>"$CORRAL_DIR.done/$1"
		rm "$file"
	done
}

# What it has in its hands, or else the next one that waits; sets file. A file keeps its name when
# it is moved: the mv of a worker that was killed may come late, and must not replace another order.
next_order() { # NAME
	local mine=$CORRAL_DIR.mine/$1
	for file in "$mine"/*; do
		[[ ! -s $file ]] || return 0
	done
	for file in "$CORRAL_DIR.queue"/*; do
		mv "$file" "$mine" 2>/dev/null && file=$mine/${file##*/} && return 0
	done
	return 1
}

if [[ ${1:-} == worker ]]; then
	work "$2"
	exit
fi

memory=/dev/shm
[[ -d $memory && -w $memory ]] || memory=${TMPDIR:-/tmp}
tmp=$(mktemp -d "$memory/corral-demo.XXXXXX") || exit 2
CORRAL_DIR=$tmp/carts
mkdir "$CORRAL_DIR".{queue,next,mine,done,leave}
# shellcheck disable=SC2034 # the scripts use them
agent='' web='' workers=() over=
trap 'over=1' INT TERM

start_agent() {
	# paid orders leave the board after a minute and a half
	"$BUILD/corral-agent" --size 64M --ttl 90s >>"$tmp/agent.log" 2>&1 &
	agent=$!
}

start_worker() { # NUMBER
	mkdir -p "$CORRAL_DIR.mine/$1"
	rm -f "$CORRAL_DIR.leave/$1"
	"$0" worker "$1" &
	workers[$1]=$!
}

# An order waits to be said. A worker may be looking: a file is whole when it appears.
queue_order() { # ROUND ORDER
	local name
	printf -v name "%03d-%06d" "$1" "$2"
	echo "$1-$2" >"$CORRAL_DIR.next/$name"
	mv "$CORRAL_DIR.next/$name" "$CORRAL_DIR.queue"
}

orders_of_file() {
	awk -F'\t' 'NR > 1 && !seen[$1]++ { print $1 }' "$ORDERS"
}

# Start the agent and corral-web, and wait until they serve; sets url.
start_both() { # ADDRESS:PORT
	start_agent
	until "$BUILD/corral" ls >/dev/null 2>&1; do
		kill -0 "$agent" 2>/dev/null || { cat "$tmp/agent.log" && exit 1; }
		sleep 0.05
	done
	"$BUILD/corral-web" --listen "$1" >"$tmp/web" &
	web=$!
	until grep -q listening "$tmp/web"; do
		kill -0 "$web" 2>/dev/null || exit 1
		sleep 0.05
	done
	# shellcheck disable=SC2034 # the scripts use it
	url=$(sed 's|^.*listening at *||; s|/$||' "$tmp/web")
}

# With the tool that it has started, if any, in the middle of its change.
kill_worker() { # NUMBER
	pkill -9 -P "${workers[$1]}" -x corral
	kill -9 "${workers[$1]}" 2>/dev/null && wait "${workers[$1]}" 2>/dev/null
}

kill_agent() {
	kill -9 "$agent" && wait "$agent" 2>/dev/null
}

paid() { # so many orders
	cat "$CORRAL_DIR.done"/* 2>/dev/null | wc -l
}
