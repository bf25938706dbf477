#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-bench replay: no line is lost, none counts twice and every cent is right, while workers and
# agent are killed; broken order files are refused with the number of the line.
# timeout: 180
# shellcheck disable=SC2016 # the dollars are of prices
# shellcheck disable=SC2317 # functions are called by name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=$(realpath -e "${BUILD:-build}") || exit 2
bench=$BUILD/corral-bench
orders=bench/replay/orders.tsv
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
holder=

at_the_end() {
	[[ -z $holder ]] || { kill "$holder" && wait "$holder"; } 2>/dev/null
}

# Run it; its output goes to out and err.
replay() {
	"$bench" replay "$@" >"$tmp/out" 2>"$tmp/err"
}

field() { # of the result line
	sed -nE '$s/.*(^| )'"$1"'=([^ ]*).*/\2/p' "$tmp/out"
}

exits() { # exits CODE COMMAND...
	local wanted=$1
	shift
	"$@"
	local code=$?
	[[ $code -eq $wanted ]] || { echo "exit code $code" && return 1; }
}

# The sums of a file, computed independently of the program.
sums() {
	awk -F'\t' 'NR > 1 && NF > 1 { price = $5; gsub(/[$. \r]/, "", price)
		if (!seen[$1]++) orders++
		lines++; items += $2; cents += price }
		END { printf "orders=%d lines=%d items=%d revenue_cents=%.0f lost=0 wrong=0",
			orders, lines, items, cents }' "$1"
}

has_sums() { # the result line of the last replay begins with the file's sums
	local line
	line=$(tail -n 1 "$tmp/out")
	[[ $line =~ ^"$(sums "$1") "p50_us=[0-9.]+\ p99_us=[0-9.]+\ max_us=[0-9.]+$ ]] ||
		{ echo "$line" && return 1; }
}

# ------------------------------------------------------------- right files

claim "a plain replay exits with 0" exits 0 replay "$orders" --workers 2
claim "its sums are those of the file" has_sums "$orders"

claim "a replay through deploys and agent crashes exits with 0" \
	exits 0 replay "$orders" --workers 4 --deploys 6 --agent-restarts 5 --seed 7
claim "its sums are those of the file, too" has_sums "$orders"
claim "every worker was replaced, half of the time by SIGKILL, and the agent was killed" \
	grep -qx 'seed=7 workers=4 deploys=24 (killed 12) agent_kills=5' "$tmp/out"
claim "lines were sent again under their operation ids" grep -qE 'sent_again=[1-9]' "$tmp/out"

claim "one worker alone is replaced and loses nothing" exits 0 replay "$orders" --workers 1 \
	--deploys 5
claim "the sums of one worker" has_sums "$orders"

head -n 40 "$orders" | sed 's/$/ \r/' >"$tmp/dos.tsv"
printf '\r\n\n' >>"$tmp/dos.tsv"
claim "CRLF and blanks at the ends of lines do not matter" exits 0 replay "$tmp/dos.tsv"
claim "the sums of such a file" has_sums "$tmp/dos.tsv"

{
	printf 'order_id\tquantity\titem_name\tchoice_description\titem_total_price\n'
	for ((i = 0; i < 300; i++)); do
		printf 'big\t%d\tBurger %d\tA, B\t$%d.00\n' $((i % 9 + 1)) $((i % 90)) \
			$((i % 9 + 1))
	done
} >"$tmp/big.tsv"
claim "an order of more lines than a cart remembers operations" \
	exits 0 replay "$tmp/big.tsv" --workers 4 --deploys 10
claim "its sums, merged lines and all" has_sums "$tmp/big.tsv"

# ------------------------------------------------------------- directories

claim "--dir and --keep leave the carts in place" \
	exits 0 replay "$orders" --dir "$tmp/carts" --keep --restaurant kept --agent-restarts 2
carts() { # the directory has this many carts
	[[ $("$BUILD/corral" --dir "$tmp/carts" ls --json | grep -c session_id) -eq $1 ]]
}
claim "all of them" carts 300
claim "the arena has no fault" "$BUILD/corral" --dir "$tmp/carts" check
claim "a second replay over them is refused" \
	exits 2 replay "$orders" --dir "$tmp/carts" --keep --restaurant kept
claim "without --keep another one takes its carts away again" exits 0 replay "$orders" \
	--dir "$tmp/carts"
claim "and no others" carts 300

"$BUILD/corral-agent" --dir "$tmp/carts" >"$tmp/agent.log" 2>&1 &
holder=$!
for ((i = 0; i < 250; i++)); do
	[[ -S $tmp/carts/agent.sock ]] && break
	sleep 0.02
done
sleep 0.1
claim "a foreign agent is not killed" exits 2 replay "$orders" --dir "$tmp/carts" --agent-restarts 1
claim "the message says so" grep -q 'did not start' "$tmp/err"
claim "a foreign agent is used" exits 0 replay "$orders" --dir "$tmp/carts"
claim "and runs on" kill -0 "$holder"
kill "$holder" && wait "$holder" 2>/dev/null
holder=

# Another program changes three carts while the replay runs, long after their orders are done.
meddle() {
	local tool=("$BUILD/corral" --dir "$tmp/carts") pid
	replay "$orders" --dir "$tmp/carts" --restaurant meddled --deploys 300 &
	pid=$!
	for ((i = 0; i < 1000; i++)); do
		"${tool[@]}" show meddled 30 >/dev/null 2>&1 && break
		sleep 0.01
	done
	"${tool[@]}" remove meddled 1 1
	"${tool[@]}" add meddled 2 --item wine --name Wine --price 9.00
	"${tool[@]}" add meddled nobody --item wine --name Wine --price 9.00
	wait "$pid"
	local code=$?
	"${tool[@]}" drop meddled nobody
	return $code
}
claim "carts that another program changed are found" exits 1 meddle
# the first order's first line occurs twice in the file
claim "each of them, and what is lost" test "$(field lost) $(field wrong)" = "2 3"
claim "they are named" grep -q 'order nobody: nobody ordered this' "$tmp/err"

# A signal ends a long replay. Its directory is found in its worker's command line.
ended_by() { # ended_by SIGNAL CODE
	local pid directory=''
	"$bench" replay "$orders" --deploys 500 --seed 1 --restaurant "ended-$$-$1" >"$tmp/out" \
		2>"$tmp/err" &
	pid=$!
	for ((i = 0; i < 250 && ${#directory} == 0; i++)); do
		sleep 0.02
		directory=$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -xB 1 \
			"ended-$$-$1" |
			grep -m 1 '/corral-bench\.')
	done
	kill -s "$1" "$pid"
	wait "$pid"
	[[ $? -eq $2 && -n $directory ]] || { echo "directory '$directory'" && return 1; }
	for ((i = 0; i < 100; i++)); do # the kernel kills its children
		grep -qsF "$directory" /proc/[0-9]*/cmdline || break
		sleep 0.02
	done
	! grep -lsF "$directory" /proc/[0-9]*/cmdline || return 1
	if [[ $1 == KILL ]]; then rm -r "$directory"; else [[ ! -e $directory ]]; fi
}
claim "an interrupt ends it, and leaves nothing behind" ended_by INT 130
claim "so does SIGTERM" ended_by TERM 143
claim "a replay that is killed leaves no process behind" ended_by KILL 137

# ------------------------------------------------------------- broken files

refused() { # refused WORDS MESSAGE [BAD LINE...]: a file with these lines from line 2 on
	local words=$1 message=$2
	shift 2
	{
		printf 'order_id\tquantity\titem_name\tchoice_description\titem_total_price\n'
		[[ $# -eq 0 ]] || printf '%b\n' "$@"
	} >"$tmp/bad.tsv"
	claim "$words is refused" exits 2 replay "$tmp/bad.tsv"
	claim "$words: the message says where and why" grep -qF -- "$tmp/bad.tsv:$message" \
		"$tmp/err"
}

good='1\t1\tBurger\tNULL\t$1.00'
refused "a missing column" "3: 4 columns instead of 5: no item_total_price" "$good" \
	'1\t1\tBurger\tNULL'
refused "a column too many" "2: 6 columns" '1\t1\tBurger\tNULL\t$1.00\tx'
refused "an empty line in the middle" "3: 1 columns" "$good" '' "$good"
refused "a price without a dollar" "2: item_total_price '1.00'" '1\t1\tBurger\tNULL\t1.00'
refused "a price with one decimal" "2: item_total_price" '1\t1\tBurger\tNULL\t$1.0'
refused "a price with three decimals" "2: item_total_price" '1\t1\tBurger\tNULL\t$1.000'
refused "a negative price" "2: item_total_price" '1\t1\tBurger\tNULL\t$-1.00'
refused "a price beyond all bounds" "2: item_total_price" \
	'1\t1\tBurger\tNULL\t$99999999999999999999.00'
refused "an uneven price" "4: item_total_price '\$1.00' does not divide evenly by the quantity 3" \
	"$good" "$good" '1\t3\tBurger\tNULL\t$1.00'
refused "a quantity of 0" "2: quantity '0'" '1\t0\tBurger\tNULL\t$1.00'
refused "a quantity with a letter" "2: quantity '1x'" '1\t1x\tBurger\tNULL\t$1.00'
refused "a quantity that is too large" "2: quantity '4294967297'" \
	'1\t4294967297\tBurger\tNULL\t$1.00'
refused "an empty order id" "2: order_id" '\t1\tBurger\tNULL\t$1.00'
refused "an empty item" "2: item_name" '1\t1\t\tNULL\t$1.00'
refused "an empty modifier" "2: choice_description" '1\t1\tBurger\tA, , B\t$1.00'
refused "bytes that are not UTF-8" "2: not UTF-8" '1\t1\tB\xffrger\tNULL\t$1.00'
refused "a file without orders" "2: the file has no orders"

: >"$tmp/empty.tsv"
claim "an empty file is refused" exits 2 replay "$tmp/empty.tsv"
claim "an empty file: the message says so" grep -q 'empty.tsv:1: the file is empty' "$tmp/err"
printf 'a\tb\n' >"$tmp/header.tsv"
claim "another header is refused" exits 2 replay "$tmp/header.tsv"
claim "another header: the message says where" grep -q 'header.tsv:1: not the header' "$tmp/err"
claim "a file that is not there is refused" exits 2 replay "$tmp/none.tsv"
claim "a directory is refused" exits 2 replay "$tmp"
claim "a worker count of 0 is refused" exits 2 replay "$orders" --workers 0
claim "a worker count with a letter is refused" exits 2 replay "$orders" --workers 4x
claim "--keep without --dir is refused" exits 2 replay "$orders" --keep
claim "no file is refused" exits 2 replay

# ------------------------------------------------------------- the rest

figures() { # "name value unit" lines behind a machine line
	"$bench" "$1" --carts 50 --bytes 2000 >"$tmp/out" 2>"$tmp/err" &&
		head -n 1 "$tmp/out" | grep -q '^machine: ' &&
		! tail -n +2 "$tmp/out" |
		grep -vE '^[a-z]+\.carts_50\.[a-z0-9_.]+ [0-9.]+ (ns|x|bytes|%|rounds)$' &&
		grep -qE "$2" "$tmp/out"
}
claim "get prints its figures" figures get '^get\.carts_50\.ratio [0-9.]+ x$'
claim "add prints its figures" figures add '^add\.carts_50\.add_merge_ratio [0-9.]+ x$'
claim "list names the benchmarks" test "$("$bench" list | awk '{ printf "%s ", $1 }')" = \
	"replay storm get add peers scale contend grace rate idle takeover journal sync snapshot \
recovery feed expiry report "
claim "an unknown benchmark is refused" exits 2 "$bench" nothing

report_claims
