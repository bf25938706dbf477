#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The program corral with a real agent and a real arena: every command, its output, its exit codes,
# and its refusals. Each claim is a function with its own restaurants. Every command has a time
# limit; nothing is timed.
#
# Usage: [BUILD=dir] tests/tools/70_tools.sh [CLAIM...]   from the root; timeout: 300
set -uo pipefail
shopt -s inherit_errexit

BUILD=$(realpath -e "${BUILD:-build}") || exit 2
[[ -x $BUILD/corral && -x $BUILD/corral-agent ]] || {
	echo "no corral and corral-agent in $BUILD"
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/corral-tools.XXXXXX") || exit 2
dir=$work/live
agent=
unset CORRAL_DIR NO_COLOR

stop_agent() { # PID: ask it to end, then make sure
	kill "$1" 2>/dev/null
	for ((i = 0; i < 100; i++)); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

clean_up() {
	[[ -z $agent ]] || stop_agent "$agent"
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# ------------------------------------------------------------- saying what must hold

fail() {
	echo "$*"
	exit 1
}

run() { # CODE ARGUMENT...: run corral on $dir; its exit code must be CODE; sets out and err
	local want=$1 code=0
	shift
	out=$(timeout -k 5 60 "$BUILD/corral" --dir "$dir" "$@" 2>"$work/err") || code=$?
	err=$(<"$work/err")
	[[ $code -eq $want ]] || fail "corral $*: exit code $code, not $want; $out $err"
}

has() { # TEXT...: the output contains each
	local text
	for text; do
		[[ $out == *"$text"* ]] || fail "no '$text' in: $out"
	done
}

lacks() {
	[[ $out != *"$1"* ]] || fail "'$1' in: $out"
}

complains() { # TEXT: standard error has it, in the common form; standard output is empty
	[[ $err == "corral: "*"$1"* ]] || fail "no '$1' in the complaint: $err"
	[[ -z $out ]] || fail "a complaint, but also: $out"
}

add() { # R S [ARGUMENT...]: add a plain item for 1.00
	run 0 add "$1" "$2" --item i --name Item --price 1.00 "${@:3}"
}

eventually() { # COMMAND...: becomes true within half a minute
	for ((i = 0; i < 300; i++)); do
		"$@" && return
		sleep 0.1
	done
	fail "never became true: $*"
}

start_agent() { # DIRECTORY [OPTION...]: sets started
	"$BUILD/corral-agent" --dir "$1" --size 64M "${@:2}" >"$1.log" 2>&1 &
	started=$!
	for ((i = 0; i < 300; i++)); do
		timeout 10 "$BUILD/corral" --dir "$1" status >/dev/null 2>&1 && return
		kill -0 "$started" 2>/dev/null || break
		sleep 0.1
	done
	cat "$1.log"
	return 1
}

copy_arena() { # NAME: the arena in a new directory without an agent; sets dir
	mkdir -p "$work/$1"
	cp --sparse=always "$work/still/arena" "$work/$1/arena"
	cp "$work/still/lock" "$work/$1/lock"
	dir=$work/$1
}

poke() { # OFFSET BYTES (as printf takes them): overwrite in $dir/arena
	# shellcheck disable=SC2059 # the bytes are a format
	printf "$2" | dd of="$dir/arena" bs=1 seek="$1" conv=notrunc status=none
}

# ------------------------------------------------------------- changing and showing

an_item_is_added_and_shown() {
	run 0 add a1 s --item pizza --name Margherita --price 12.99 --quantity 2 \
		--modifier cheese=1.50 --modifier small=-2.00 --note "well done"
	[[ $out == "version 1: line 1, 2 items, total 24.98 (added now)" ]] || fail "it says: $out"
	run 0 show a1 s
	has Margherita 12.99 24.98 cheese 1.50 -2.00 "well done" "version 1" pizza
}

a_cart_as_json_has_all_its_keys_in_order() {
	local before after shape
	run 0 add a2 s --item pizza --name 'Mar"gherita' --price 12.99 --quantity 2 \
		--modifier cheese=1.50 --note café --tax 8.25%
	run 0 attribute a2 s phone 555-0100
	run 0 show a2 s --json
	before='{"restaurant_id":"a2","session_id":"s","version":2,"status":"open",'
	before+='"items":[{"line":1,'
	before+='"menu_item_id":"pizza","name":"Mar\"gherita","quantity":2,"unit_price_cents":1299,'
	before+='"modifiers":[{"name":"cheese","price_cents":150}],'
	before+='"notes":"café","total_cents":2898}],'
	before+='"item_count":2,"subtotal_cents":2898,"tax_ppm":82500,"tax_cents":239,'
	before+='"total_cents":3137,'
	before+='"attributes":{"phone":"555-0100"},"created_at":'
	[[ $out == "$before"* ]] || fail "not $before: $out"
	after=${out#"$before"}
	shape='"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"'
	[[ $after =~ ^$shape,\"updated_at\":$shape,\"expires_at\":$shape\}$ ]] ||
		fail "the times: $after"
}

a_change_as_json_has_all_its_keys_in_order() {
	run 0 add a3 s --item i --name I --price 0.10 --quantity 3 --json
	whole='{"version":1,"applied":true,"line":1,"item_count":3,"subtotal_cents":30,'
	whole+='"tax_cents":0,"total_cents":30,"status":"open","durable":false}'
	[[ $out == "$whole" ]] ||
		fail "it says: $out"
}

every_change_is_made() {
	add b1 s
	run 0 add b1 s --item j --name J --price 2.50
	run 0 quantity b1 s 2 4
	has "5 items, total 11.00 (set now)"
	run 0 tax b1 s 10%
	has "total 12.10 (set now)"
	run 0 attribute b1 s table 7
	run 0 show b1 s --json
	has '"attributes":{"table":"7"}'
	run 0 attribute b1 s table
	has "taken away now"
	run 0 show b1 s --json
	has '"attributes":{}'
	run 0 ttl b1 s 2h
	run 0 show b1 s
	has "ends in 2h"
	run 0 ttl b1 s default
	run 0 show b1 s
	has "ends in 30m"
	run 0 remove b1 s 1
	has "4 items" "(removed now)"
	run 0 quantity b1 s 2 0
	has "0 items, total 0.00"
	add b1 s
	run 0 clear b1 s
	has "0 items, total 0.00 (cleared now)"
	run 0 drop b1 s
	has "(dropped now)"
	run 1 show b1 s
	complains "b1 s"
}

an_equal_item_raises_the_quantity() {
	add b2 s
	add b2 s --quantity 2
	has "line 1, 3 items, total 3.00"
	add b2 s --note other
	has "line 2, 4 items, total 4.00"
}

options_stand_anywhere_and_two_dashes_end_them() {
	run 0 add --price 1.00 b3 --name=N s --item i
	run 0 add --item i --name N --price 1 -- b3 -s
	run 0 show --json -- b3 -s
	has '"session_id":"-s"'
	run 0 -- show b3 s
	out=$(CORRAL_DIR=$dir timeout 60 "$BUILD/corral" show b3 s --json) ||
		fail "CORRAL_DIR is not heard"
	has '"restaurant_id":"b3"'
	out=$(timeout 60 "$BUILD/corral" show b3 s --json --dir "$dir") ||
		fail "--dir behind the command is not heard"
	has '"restaurant_id":"b3"'
}

two_restaurants_with_one_session_id_have_two_carts() {
	add c1 shared --quantity 2
	add c2 shared --quantity 5
	run 0 show c1 shared --json
	has '"item_count":2' '"restaurant_id":"c1"'
	run 0 show c2 shared --json
	has '"item_count":5' '"restaurant_id":"c2"'
	run 0 drop c1 shared
	run 0 show c2 shared
	run 1 show c1 shared
	run 0 ls --restaurant c2
	has "c2" "shared"
	lacks "c1"
}

carts_are_listed_in_order() {
	add d1 beta
	add d1 alpha
	run 0 ls --restaurant d1
	[[ $out == RESTAURANT*SESSION*TOTAL*alpha*beta* ]] || fail "it says: $out"
	run 0 ls --restaurant d1 --json
	[[ $out == "["*"]" && $(grep -c '^[[,]{"restaurant_id":"d1",' <<<"$out") -eq 2 ]] ||
		fail "it says: $out"
	run 0 ls --restaurant none --json
	[[ $out == '[]' ]] || fail "it says: $out"
	run 0 ls
	has alpha
}

looking_does_not_prolong_a_carts_life() {
	local first
	add d2 s
	run 0 show d2 s --json
	first=${out##*expires_at}
	sleep 0.5
	run 0 show d2 s
	run 0 ls
	run 0 show d2 s --json
	[[ ${out##*expires_at} == "$first" ]] || fail "it ends at $first, then ${out##*expires_at}"
}

# ------------------------------------------------------------- what is refused

wrong_money_is_refused_and_nothing_is_changed() {
	local money
	add e1 s
	# shellcheck disable=SC2016 # a price in dollars
	for money in 12.999 1e3 -0 -0.00 -1 '€5' '$5' '' .5 5. ' 5' '5 ' +5 5,00 1.2.3 0x10 nan \
		92233720368547758.08 99999999999999999999; do
		run 2 add e1 s --item i --name I --price "$money"
		complains "--price"
	done
	for money in 12.999 1e3 -0 -0.00 '€5' '' .5 5. ' 5' +5 -.5 -92233720368547758.08; do
		run 2 add e1 s --item i --name I --price 1 --modifier "m=$money"
		complains "--modifier"
	done
	for money in 8.25 % 100.0001% -1% 8,25% 8.25555% ' 8%' 1e1%; do
		run 2 add e1 s --item i --name I --price 1 --tax "$money"
		complains "--tax"
		run 2 tax e1 s -- "$money"
		complains "RATE"
	done
	run 0 show e1 s --json
	has '"version":1,' '"total_cents":100,'
}

wrong_numbers_are_refused_and_nothing_is_changed() {
	local number
	add e2 s
	for number in 0 -1 +1 1.0 ' 1' '' a 1000000 99999999999999999999; do
		run 2 add e2 s --item i --name I --price 1 --quantity "$number"
		complains "--quantity"
	done
	for number in 0 -1 x 4294967296 ''; do
		run 2 remove e2 s -- "$number"
		complains "LINE"
	done
	run 2 quantity e2 s 1 1000000
	run 2 clear e2 s --if-version 0
	run 2 clear e2 s --if-version 18446744073709551616
	for number in 30 m 1.5h 99ms 367d -1s ''; do
		run 2 ttl e2 s -- "$number"
		complains "TIME"
	done
	run 0 show e2 s --json
	has '"version":1,'
}

wrong_calls_are_refused() {
	local long
	printf -v long '%0129d' 0
	run 2
	run 2 nonsense
	run 2 show
	run 2 show e3
	run 2 show e3 s extra
	run 2 show e3 s --colour
	run 2 show e3 s -x
	run 2 show e3 s --json=1
	run 2 ls --restaurant
	run 2 ls --op-id 1
	run 2 add e3 s --name N --price 1
	complains "--item"
	run 2 add e3 s --item i --price 1
	run 2 add e3 s --item i --name N
	run 2 add e3 s --item '' --name N --price 1
	run 2 add e3 s --item i --name N --price 1 --price 2
	complains "twice"
	run 2 add e3 s --item i --name N --price 1 --modifier cheese
	run 2 add e3 s --item i --name N --price 1 --modifier =1
	run 2 add "$long" s --item i --name N --price 1
	complains "too long"
	run 2 add e3 "$long" --item i --name N --price 1
	run 2 add e3 s --item i --name N --price 1 --op-id "$long"
	run 2 add e3 s --item i --name N --price 1 --op-id ''
	run 2 add '' s --item i --name N --price 1
	run 2 add e3 $'\xff' --item i --name N --price 1
	complains "UTF-8"
	run 2 add e3 s --item i --name $'a\xc3' --price 1
	run 2 attribute e3 s '' v
	run 2 attribute e3 s "$long" v
	run 2 inspect nonsense
	run 2 help nonsense
	run 2 --nonsense
	run 2 --dir
	run 0 ls --json --restaurant e3
	[[ $out == '[]' ]] || fail "something was made: $out"
	run 0 add e3 "${long:1}" --item i --name N --price 1
}

money_that_does_not_fit_is_refused_and_nothing_is_changed() {
	run 0 add e4 s --item i --name I --price 92233720368547758.07
	run 1 add e4 s --item j --name J --price 0.01
	complains "nothing was changed"
	run 1 add e4 t --item i --name I --price 92233720368547758.07 --quantity 2
	run 0 show e4 s --json
	has '"total_cents":9223372036854775807,' '"version":1,'
}

the_answer_is_no_where_nothing_is() {
	run 1 show f1 s
	complains "corral ls"
	run 1 quantity f1 s 1 1
	run 1 remove f1 s 1
	run 1 clear f1 s
	run 1 checkout f1 s
	run 1 drop f1 s
	add f1 s
	run 1 remove f1 s 2
	complains "corral show"
	run 1 quantity f1 s 2 1
	run 0 drop f1 s
	run 1 drop f1 s
}

# ------------------------------------------------------------- exactly once, in order

a_named_change_counts_once() {
	add g1 s --op-id k1 --quantity 2
	has "2 items, total 2.00 (added now)"
	add g1 s --op-id k1 --quantity 2
	has "version 1: line 1, 2 items, total 2.00 (already applied)"
	add g1 s --op-id k1 --quantity 2 --json
	has '"applied":false'
	add g1 s --op-id k2
	has "3 items"
	run 0 quantity g1 s 1 7 --op-id k3
	add g1 s
	run 0 quantity g1 s 1 7 --op-id k3
	has "7 items" "(already applied)"
	run 0 show g1 s --json
	has '"item_count":8,'
}

a_name_is_refused_to_another_change() {
	local command
	add g9 s --op-id x
	run 1 add g9 s --item coke --name Coke --price 2 --op-id x
	complains "the operation id was given to another change" "nothing was changed"
	for command in "quantity g9 s 1 3" "remove g9 s 1" "clear g9 s" "tax g9 s 5%" \
		"attribute g9 s a b" "ttl g9 s 1h" "checkout g9 s" "drop g9 s"; do
		read -ra words <<<"$command"
		run 1 "${words[@]}" --op-id x
		complains "the operation id was given to another change"
	done
	run 0 show g9 s --json
	has '"version":1,' '"status":"open"' '"item_count":1,'
	run 0 checkout g9 s --op-id y
	run 1 checkout g9 s --op-id x
	run 0 checkout g9 s --op-id y --if-version 1
	has "(already applied)"
}

a_named_change_with_tax_counts_once() {
	local long
	printf -v long 'é%0126d' 7
	add g2 s --op-id k --tax 10%
	has "total 1.10 (added now)"
	run 0 tax g2 s 20%
	add g2 s --op-id k --tax 10%
	has "(already applied)"
	run 0 show g2 s --json
	has '"tax_ppm":200000' '"item_count":1,'
	add g2 s --op-id "$long" --tax 30%
	run 0 tax g2 s 20%
	add g2 s --op-id "$long" --tax 30%
	has "(already applied)"
	run 0 show g2 s --json
	has '"tax_ppm":200000' '"item_count":2,'
}

an_item_with_a_tax_is_one_change() {
	add g3 s --tax 8.25%
	has "version 1:" "total 1.08"
	add g3 s --tax 9% --if-version 1
	has "version 2:"
	run 1 add g3 s --item i --name I --price 1 --tax 10% --if-version 1
	run 1 add g3 s --item j --name J --price 92233720368547758.00 --tax 10%
	run 0 show g3 s --json
	has '"version":2,' '"tax_ppm":90000,' '"item_count":2,'
}

apply() { # CODE R S [OPTION...] <steps: the change of several steps
	run "$1" apply "${@:2}"
}

steps_are_one_change_and_answer_a_line_each() {
	add y1 s
	apply 0 y1 s --json --op-id k < <(
		echo '{"step": "add", "menu_item_id": "tea", "unit_price_cents": 199,' \
			'"quantity": 2, "name": "Tea", "notes": "hot",' \
			'"modifiers": [{"name": "milk", "price_cents": 50}],' \
			'"extras": {"allergy": ["nuts", 1, -2.5, true, null, {"a": "é"}]}}'
		echo
		echo '{"step": "change_quantity", "menu_item_id": "i", "difference": 3}'
		echo '{"step": "set_quantity", "line": 2, "quantity": 1}'
		echo '{"step": "attribute", "name": "table", "value": "7"}'
		echo '{"step": "attribute", "name": "nothing", "value": null}'
		echo '{"step": "ttl", "ttl_ms": 3600000}'
		printf '{"step": "tax", "tax_ppm": 100000}'
	)
	has '"version":2,' '"applied":true,' '"total_cents":714,' '"lines":[2,1,2,0,0,0,0]'
	run 0 show y1 s --json
	has '"notes":"hot","total_cents":249,' '"attributes":{"table":"7"}' '"tax_ppm":100000' \
		'"extras":{"allergy":["nuts",1,-2.5,true,null,{"a":"é"}]}'
	apply 0 y1 s <<<'{"step":"remove","menu_item_id":"tea"}
{"step":"clear"}
{"step":"checkout"}'
	has "version 3: lines 2 - -, 0 items, total 0.00 (applied now)"
	run 0 show y1 s --json
	has '"status":"checked_out"'
}

amounts_are_in_the_carts_currency() {
	run 0 currency z1 s JPY
	run 0 add z1 s --item ramen --name Ramen --price 500 --modifier egg=120
	has "total 620 (added now)"
	run 2 add z1 s --item tea --name Tea --price 1.50
	complains "wrong value: --price '1.50': this currency has no digits"
	run 2 add z1 s --item tea --name Tea --price 150 --modifier milk=0.5
	complains "wrong value: --modifier '0.5'"
	run 2 adjust z1 s tip 1.5 --kind tip
	complains "wrong value: AMOUNT '1.5'"
	run 1 currency z1 s EUR
	complains "its currency cannot be changed"
	run 0 currency z1 t KWD
	run 0 add z1 t --item tea --name Tea --price 1.25
	has "total 1.250 (added now)"
	run 0 show z1 t
	has "Total KWD"
	run 0 show z1 t --json
	has '"currency":"KWD","currency_digits":3'
	run 0 ls --restaurant z1
	has "620" "1.250"
	run 2 currency z1 u eur
	complains "no currency"
}

an_order_has_rates_and_adjustments() {
	run 0 add z2 s --item burger --name Burger --price 8.99 --tax 7%
	run 0 add z2 s --item wine --name Wine --price 6.50 --rate 19%
	has "total 17.36"
	run 0 adjust z2 s "ten off" 10% --kind discount
	has "total 15.62 (set now)"
	run 0 adjust z2 s tip 2 --kind tip --after-tax
	has "total 17.62 (set now)"
	run 0 show z2 s
	has "taxed at 19%" "ten off" "-1.55" "Tax 7% of 8.09" "Tax 19% of 5.85" "17.62"
	run 0 show z2 s --json
	has '"total_cents":650,"tax_ppm":190000}' '"before_tax_cents":-155,"after_tax_cents":200,' \
		'"rates":[{"tax_ppm":70000,"base_cents":809,"tax_cents":57},' \
		'{"tax_ppm":190000,"base_cents":585,"tax_cents":111}]' \
		'"adjustments":[{"name":"ten off","kind":"discount","after_tax":false,' \
		'"ppm":100000,"amount_cents":-155},' \
		'{"name":"tip","kind":"tip","after_tax":true,"cents":200,"amount_cents":200}]'
	run 0 pricing z2 s --tax-inside --half-even
	has "total 15.94"
	run 0 show z2 s --json
	has '"pricing":["tax_inside","half_even"]'
	run 0 adjust z2 s tip
	has "total 13.94 (taken away now)"
	run 1 adjust z2 s tip
	complains "no such line or adjustment"
	run 1 adjust z2 s voucher 20.00 --kind discount
	complains "below zero"
	run 2 adjust z2 s voucher 20.00
	complains "--kind"
	run 2 adjust z2 s voucher 20.00 --kind rebate
	run 0 pricing z2 s --below-zero
	run 0 adjust z2 s voucher 20.00 --kind discount --after-tax
	has "total -4.38"
}

steps_set_rates_adjustments_pricing_and_currency() {
	apply 0 z3 s --json <<<'{"step":"currency","currency":"CHF"}
{"step":"add","menu_item_id":"tea","unit_price_cents":1000,"tax_ppm":81000}
{"step":"line_tax","line":1,"tax_ppm":26000}
{"step":"line_tax","menu_item_id":"tea"}
{"step":"line_tax","line":1,"tax_ppm":81000}
{"step":"pricing","tax_inside":true,"below_zero":false}
{"step":"adjustment","name":"off","kind":"discount","cents":100}
{"step":"adjustment","name":"svc","kind":"service","ppm":50000,"after_tax":true}
{"step":"remove_adjustment","name":"off"}'
	has '"total_cents":1050' '"rates":[{"tax_ppm":81000,"base_cents":925,"tax_cents":75}]'
	run 0 show z3 s --json
	has '"currency":"CHF"' '"pricing":["tax_inside"]' '"name":"svc","kind":"service"'
	apply 2 z3 s <<<'{"step":"adjustment","name":"off","kind":"rebate","cents":1}'
	apply 2 z3 s <<<'{"step":"adjustment","name":"off","cents":1}'
	apply 2 z3 s <<<'{"step":"adjustment","name":"off","kind":"fee","ppm":1,"cents":1}'
	apply 2 z3 s <<<'{"step":"line_tax","line":1,"tax_ppm":1000001}'
	apply 2 z3 s <<<'{"step":"line_tax","tax_ppm":70000}'
	apply 2 z3 s <<<'{"step":"currency","currency":"euro"}'
	apply 2 z3 s <<<'{"step":"pricing","half_even":1}'
	apply 1 z3 s <<<'{"step":"currency","currency":"EUR"}'
	complains "step 1: "
}

an_item_with_other_extras_or_a_separate_one_is_another_line() {
	local tea='{"step":"add","menu_item_id":"tea","unit_price_cents":100'
	apply 0 y4 s --json <<<"$tea}
$tea,\"extras\":{\"allergy\":\"nuts\"}}
$tea,\"separate\":true}
$tea,\"extras\":{\"allergy\":\"nuts\"},\"separate\":false}
$tea,\"separate\":true}
$tea}"
	has '"lines":[1,2,3,2,4,1]'
	run 0 show y4 s --json
	has '"total_cents":100,"separate":true}'
}

steps_with_a_name_count_once() {
	local more='{"step":"change_quantity","line":1,"difference":1}'
	add y2 s
	apply 0 y2 s --op-id k <<<"$more"
	has "2 items" "(applied now)"
	apply 0 y2 s --op-id k <<<"$more"
	has "2 items" "(already applied)"
	apply 1 y2 s --op-id k <<<"$more
$more"
	complains "another change"
	apply 1 y2 s --if-version 1 <<<"$more"
}

a_step_that_is_refused_is_named_and_nothing_is_changed() {
	local good='{"step":"attribute","name":"a","value":"b"}'
	add y3 s
	apply 1 y3 s <<<"$good
{\"step\":\"remove\",\"line\":9}"
	complains "step 2: "
	run 0 add y3 s --item tea --name Tea --price 1 --note hot
	run 0 add y3 s --item tea --name Tea --price 1 --note cold
	apply 1 y3 s <<<'{"step":"remove","menu_item_id":"tea"}'
	complains "step 1: several lines"
	while read -r what line; do
		apply 2 y3 s <<<"$good
$line"
		complains "step 2: "
		[[ $err == *"${what//_/ }"* ]] || fail "no '$what' in: $err"
	done <<-'END'
		no_JSON nonsense
		no_JSON {"step":"clear"
		no_JSON {"step":"clear"}{"step":"clear"}
		no_JSON {"step":"clear","step":"clear"}
		an_object [1]
		what_it_does {"line":1}
		what_it_does {"step":"grow"}
		what_it_does {"step":1}
		no_such_key {"step":"clear","line":1}
		no_such_key {"step":"clear","":1}
		key_is_missing {"step":"add","menu_item_id":"tea"}
		key_is_missing {"step":"set_quantity","line":1}
		one_of_the_two {"step":"remove"}
		one_of_the_two {"step":"remove","line":1,"menu_item_id":"tea"}
		whole_number {"step":"remove","line":"1"}
		whole_number {"step":"remove","line":1.0}
		range {"step":"remove","line":0}
		range {"step":"remove","line":4294967296}
		range {"step":"set_quantity","line":1,"quantity":1000000}
		range {"step":"add","menu_item_id":"tea","unit_price_cents":-1}
		no_JSON {"step":"tax","tax_ppm":99999999999999999999}
		range {"step":"tax","tax_ppm":1000001}
		a_string {"step":"attribute","name":7}
		an_array {"step":"add","menu_item_id":"tea","unit_price_cents":1,"modifiers":{}}
		each_modifier {"step":"add","modifiers":[{"name":"a"}]}
		an_object {"step":"add","menu_item_id":"tea","unit_price_cents":1,"extras":[]}
	END
	apply 2 y3 s </dev/null
	complains "no steps"
	for ((i = 0; i < 257; i++)); do echo "$good"; done >"$work/many"
	apply 2 y3 s <"$work/many"
	complains "at most 256"
	head -n 256 "$work/many" >"$work/enough"
	apply 0 y3 s <"$work/enough"
	has "version 4:"
	run 0 show y3 s --json
	has '"item_count":3,' '"attributes":{"a":"b"}'
}

fifty_adds_at_once_all_land() {
	local pids=() pid
	for i in {1..50}; do
		timeout -k 5 60 "$BUILD/corral" --dir "$dir" add h1 s --item "i$((i % 5))" \
			--name Item --price 12.35 --quantity 2 --modifier "m=-0.01" \
			>"$work/add.$i" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "an add failed: $(cat "$work"/add.*)"
	done
	run 0 show h1 s --json
	has '"version":50,' '"item_count":100,' '"subtotal_cents":123400,' '"line":5,'
	lacks '"line":6,'
}

a_change_waits_for_its_version() {
	add i1 s
	run 1 clear i1 s --if-version 2
	complains "corral show"
	run 0 quantity i1 s 1 5 --if-version 1
	has "version 2:"
	run 1 checkout i1 s --if-version 1
	run 0 checkout i1 s --if-version 2
}

a_checked_out_cart_can_be_read_and_dropped_only() {
	add i2 s
	run 0 checkout i2 s --op-id pay
	has "(checked out now)"
	run 0 checkout i2 s --op-id pay
	has "(already applied)"
	run 1 checkout i2 s
	run 1 add i2 s --item i --name I --price 1
	complains "corral drop"
	run 1 clear i2 s
	run 1 tax i2 s 5%
	run 0 show i2 s --json
	has '"status":"checked_out"' '"item_count":1,'
	run 0 show i2 s
	has "checked out"
	run 0 ls --restaurant i2
	has "checked out"
	run 0 drop i2 s
}

# ------------------------------------------------------------- watch

saw() { # TEXT: the watcher has printed it
	grep -qF -- "$1" "$work/watched"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

watched_kinds() { # of the events that the watcher has told
	sed -n 's/^{"kind":"\([a-z_]*\)".*/\1/p' "$work/watched" | tr '\n' ' '
}

watch_tells_each_change_and_the_end() {
	local watcher code=0
	: >"$work/watched"
	timeout -k 5 90 "$BUILD/corral" --dir "$dir" watch j1 s --json >"$work/watched" 2>&1 &
	watcher=$!
	add j1 s
	eventually saw '"version":1,"status":"open","items":' # the cart
	add j1 s --op-id call-9
	eventually saw '"version":2,"status":"open","items":'
	run 0 checkout j1 s
	eventually saw '"status":"checked_out","items":'
	run 0 drop j1 s
	wait $watcher || code=$?
	[[ $code -eq 0 ]] || fail "exit code $code: $(<"$work/watched")"
	# the cart may have been there when it began
	[[ $(watched_kinds) =~ ^(changed )?"changed checked_out dropped "$ ]] ||
		fail "$(<"$work/watched")"
	saw '"operation_id":"call-9"' || fail "$(<"$work/watched")"
	[[ $(grep -c '"items":' "$work/watched") -eq 3 ]] || fail "$(<"$work/watched")"
}

# It is stopped meanwhile, so that it comes too late for each version but the last.
watch_tells_changes_in_quick_succession() {
	local watcher n code=0
	add j6 s
	: >"$work/watched"
	"$BUILD/corral" --dir "$dir" watch j6 s >"$work/watched" 2>&1 &
	watcher=$!
	eventually saw "version 1, open"
	kill -STOP $watcher
	for ((n = 2; n <= 6; n++)); do
		run 0 quantity j6 s 1 "$n"
	done
	kill -CONT $watcher
	eventually saw "version 6, open"
	run 0 drop j6 s
	wait $watcher || code=$?
	[[ $code -eq 0 ]] || fail "exit code $code: $(<"$work/watched")"
	out=$(sed -n 's/.*Z  version \([0-9] [a-z]*\): \(.*\); [0-9] items, .*/\1 \2/p' \
		"$work/watched")
	[[ $out == "$(printf '%s changed set_quantity line 1 %s\n' 2 2 3 3 4 4 5 5 6 6)" ]] ||
		fail "$(<"$work/watched")"
	grep -q 'version 6 dropped; 6 items' "$work/watched" || fail "$(<"$work/watched")"
	[[ $(tail -n 1 "$work/watched") == "The cart has ended." ]] || fail "$(<"$work/watched")"
}

# More changes than their lane has room for, while nobody numbers them.
watch_says_a_gap_and_goes_on() {
	local watcher n
	add j7 s
	: >"$work/watched"
	"$BUILD/corral" --dir "$dir" watch j7 s >"$work/watched" 2>&1 &
	watcher=$!
	eventually saw "version 1, open"
	kill -STOP $watcher "$agent"
	for ((n = 2; n <= 100; n++)); do
		run 0 quantity j7 s 1 "$n"
	done
	kill -CONT $watcher "$agent"
	eventually saw "events were missed"
	eventually saw "version 100, open"
	run 0 quantity j7 s 1 7
	eventually saw "version 101 changed: set_quantity line 1 7"
	run 0 drop j7 s
	wait $watcher
	[[ $(grep -c "version 100, open" "$work/watched") -eq 1 ]] || fail "$(<"$work/watched")"
}

watch_on_a_terminal_shows_the_cart_and_what_led_to_it() {
	local changer
	: >"$work/watched"
	add j8 s
	(
		eventually saw "version 1, open"
		run 0 quantity j8 s 1 3
		eventually saw "version 2, open"
		run 0 drop j8 s
	) &
	changer=$!
	TERM=xterm script -qefc "'$BUILD/corral' --dir '$dir' watch j8 s" "$work/watched" \
		</dev/null >/dev/null || fail "it fails: $(<"$work/watched")"
	wait $changer || fail "$(<"$work/watched")"
	out=$(tr -d '\r' <"$work/watched" | sed '1,/version 2, open/d')
	has $'\n\n20' "version 2 changed: set_quantity line 1 3; 3 items" "version 2 dropped" \
		"The cart has ended."
}

watch_shows_versions_where_no_events_are_written() {
	local watcher code=0
	dir=$work/quiet
	mkdir "$dir"
	"$BUILD/corral-agent" --dir "$dir" --size 16M --journal off --feed off --daemon \
		2>"$work/err" || fail "no agent: $(<"$work/err")"
	: >"$work/watched"
	"$BUILD/corral" --dir "$dir" watch j9 s --json >"$work/watched" 2>&1 &
	watcher=$!
	add j9 s
	eventually saw '"version":1,'
	run 0 checkout j9 s
	eventually saw '"status":"checked_out"'
	run 0 drop j9 s
	wait $watcher || code=$?
	"$BUILD/corral-agent" --dir "$dir" --stop || fail "the agent does not stop"
	[[ $code -eq 0 && $(wc -l <"$work/watched") -eq 2 ]] ||
		fail "exit code $code: $(<"$work/watched")"
	! saw '"kind":"changed"' || fail "$(<"$work/watched")"
}

watch_ends_when_the_carts_time_is_over() {
	local watcher code=0
	timeout -k 5 90 "$BUILD/corral" --dir "$dir" watch j3 s --json >"$work/watched" 2>&1 &
	watcher=$!
	add j3 s
	eventually saw '"version":1' # it waits for a cart that is not there, also if it has ended
	run 0 ttl j3 s 100ms
	wait $watcher || code=$?
	[[ $code -eq 0 ]] || fail "exit code $code: $(<"$work/watched")"
	run 1 show j3 s
}

watch_ends_on_a_signal() {
	local watcher code=0
	add j2 s
	"$BUILD/corral" --dir "$dir" watch j2 s >"$work/watched" 2>&1 &
	watcher=$!
	eventually saw "version 1,"
	kill -TERM $watcher
	eventually gone $watcher
	wait $watcher || code=$?
	[[ $code -eq 143 ]] || fail "exit code $code"
}

# The arena is small: an event may be lost if the agent does not come to number those of earlier
# claims. A look at the feed does so, and gaps from before are left out.
told() { # ARGUMENT...: sets out
	run 0 "$@"
	out=$(grep -v '"kind":"gap"\|events were missed' <<<"$out")
}

events_tell_each_change_and_each_end() {
	run 0 events --from now
	add j4 s
	run 0 quantity j4 s 1 3 --op-id call-7
	run 0 checkout j4 s
	run 0 drop j4 s
	told events --restaurant j4 --json
	[[ $(grep -oE '"kind":"[a-z_]+"' <<<"$out" | tr '\n' ' ') == \
		'"kind":"changed" "kind":"changed" "kind":"checked_out" "kind":"dropped" ' ]] ||
		fail "$out"
	has '"operation_id":"call-7"' '"steps":[{"step":"set_quantity","line":1,"amount":3}]' \
		'"process":"corral"'
	told history j4 s
	[[ $(grep -c "; by corral" <<<"$out") -eq 4 ]] || fail "$out"
	has "version 1 changed: add line 1 1; 1 item, " \
		"version 2 changed: set_quantity line 1 3; 3 items, " "; operation call-7"
	told events --restaurant j4 --kind dropped --kind expired --json
	[[ $(wc -l <<<"$out") -eq 1 ]] || fail "$out"
	has '"kind":"dropped"'
	run 0 events --from now --json
	[[ -z $out ]] || fail "$out"
	run 2 events --kind wrong
	run 2 events --from yesterday
}

the_history_of_a_cart_that_ended_shows_it_as_it_was() {
	run 0 add ended1 s --item i1 --name Lasagne --price 12.50
	run 0 drop ended1 s
	run 1 show ended1 s
	told history ended1 s
	has "version 1 dropped" "Lasagne"
	told events --restaurant ended1 --kind dropped --content --json
	has '"content":true' '"cart":{' '"name":"Lasagne"'
	told events --restaurant ended1 --kind dropped --json
	has '"content":true'
	lacks '"cart":{'
}

a_cursor_goes_on_where_it_has_got_to() {
	run 0 events --cursor texts --json
	[[ -z $out ]] || fail "a new one begins now: $out"
	add ended2 s
	run 0 drop ended2 s
	told events --cursor texts --json
	has '"kind":"changed"' '"kind":"dropped"'
	run 0 events --cursor texts --json
	[[ -z $out ]] || fail "it was acknowledged: $out"
	add ended2 s
	run 0 checkout ended2 s
	run 0 cursors --json
	has '"cursor":"texts"' '"lag":2' '"ends":1'
	run 0 cursors
	has "CURSOR" "texts"
	run 0 status
	has "texts: 2 events behind, 1 ends among them"
	lacks "ends LOST"
	run 0 status --json
	has '"cursors":[{"cursor":"texts"' '"ends_lost":0'
	run 0 status --metrics
	has 'corral_feed_cursor_lag{cursor="texts"} 2' 'corral_feed_cursor_ends{cursor="texts"} 1' \
		'corral_feed_ends_lost_total 0' 'corral_feed_cursors 1'
	run 0 cursors --remove texts
	run 1 cursors --remove texts
	run 0 cursors --json
	[[ $out == "[]" ]] || fail "$out"
	run 2 events --cursor "a b"
	run 2 events --cursor texts --from now
}

events_that_are_followed_come_at_once_until_a_signal() {
	local watcher code=0
	"$BUILD/corral" --dir "$dir" events --restaurant j5 --follow >"$work/watched" 2>&1 &
	watcher=$!
	add j5 s
	eventually saw "version 1 changed"
	run 0 drop j5 s
	eventually saw "version 1 dropped"
	kill -TERM $watcher
	eventually gone $watcher
	wait $watcher || code=$?
	[[ $code -eq 143 ]] || fail "exit code $code"
}

# ------------------------------------------------------------- what is printed

names_cannot_command_the_terminal() {
	run 0 add k1 $'s\e[31m' --item i --name $'red\e]0;title\a\nrow\u202e\u009b' --price 1 \
		--note $'\e[2J'
	run 0 show k1 $'s\e[31m'
	lacks $'\e'
	lacks $'\a'
	lacks $'\u202e'
	lacks $'\u009b'
	has '\x1b[31m' 'red\x1b]0;title\x07\nrow\u202e\u009b' '\x1b[2J'
	run 0 show k1 $'s\e[31m' --json
	lacks $'\e'
	lacks $'\u009b'
	has '\u001B]0;title\u0007\nrow\u202E\u009B'
	run 0 ls
	lacks $'\e'
	run 1 show k1 $'no\e[31m'
	[[ $err != *$'\e'* ]] || fail "an escape in a complaint"
}

wide_names_are_aligned() {
	run 0 add k2 s --item i --name 北京烤鸭 --price 1
	run 0 add k2 s --item j --name Ente --price 1
	run 0 show k2 s
	# Both prices are in the same column of the terminal: the wide name has 4 characters in 8
	# columns.
	[[ $(grep -o '北京烤鸭 *' <<<"$out" | wc -m) \
		-eq $(($(grep -o 'Ente *' <<<"$out" | wc -m) - 4)) ]] ||
		fail "not aligned: $out"
}

no_colours_without_a_terminal() {
	add k3 s
	run 0 show k3 s
	lacks $'\e'
}

on_terminal() { # COLUMNS ARGUMENT...: as run, on a terminal of that width; sets out
	local call
	printf -v call '%q ' timeout -k 5 60 "$BUILD/corral" --dir "$dir" "${@:2}"
	out=$(TERM=xterm script -qec "stty cols $1; $call" /dev/null </dev/null | tr -d '\r') ||
		fail "script: $out"
}

tables_fit_the_terminal() {
	local width command name note
	name="A name that goes on, and on, and on, much longer than a terminal is wide,"
	note="and a note, which also has more to say than fits in one row of the terminal"
	run 0 add k5 "a-session-with-a-long-id-0123456789-0123456789-0123456789" \
		--item an-item-with-a-long-id-0123456789 --name "$name with 北京烤鸭 in it" \
		--price 1 --note "$note"
	for width in 60 80 100; do
		for command in "show k5 a-session-with-a-long-id-0123456789-0123456789-0123456789" \
			"ls --restaurant k5" "inspect slots" "inspect classes" "status"; do
			[[ $width -eq 60 && $command == inspect* ]] && continue
			# shellcheck disable=SC2086 # words
			on_terminal $width $command
			out=$(sed -E $'s/\e\\[[0-9;]*m//g' <<<"$out" | tail -n +2)
			[[ -n $out && $(LC_ALL=C.UTF-8 wc -L <<<"$out") -le $width ]] ||
				fail "wider than $width: $out"
		done
	done
}

colours_are_for_terminals_that_want_them() {
	add k6 s
	on_terminal 80 show k6 s
	has $'\e[1m'
	NO_COLOR=1 on_terminal 80 show k6 s
	lacks $'\e'
}

output_that_cannot_be_written_is_told() {
	local code=0
	add k4 s
	timeout 60 "$BUILD/corral" --dir "$dir" show k4 s >/dev/full 2>"$work/full" || code=$?
	[[ $code -eq 5 ]] || fail "exit code $code"
	grep -q '^corral: ' "$work/full" || fail "no complaint"
}

help_is_printed_for_the_program_and_each_command() {
	local command
	run 0 --version
	[[ $out =~ ^corral\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "it says: $out"
	run 0 --help
	has "Usage: corral" "Exit codes:"
	run 0 help
	for command in add show ls watch quantity remove clear tax attribute ttl apply checkout \
		drop status inspect check help; do
		has "  $command "
	done
	for command in add show ls watch quantity remove clear tax attribute ttl apply checkout \
		drop status inspect check help; do
		run 0 "$command" --help
		has "Usage: corral $command" "--help"
		run 0 help "$command"
		has "Usage: corral $command"
	done
}

# ------------------------------------------------------------- the arena

status_tells_of_arena_and_agent() {
	run 0 status
	has "$dir/arena" "64.0 MiB" "open" "in use" "processes" "runs"
	run 0 status --json
	[[ $out == '{"arena":{"path":"'"$dir"'/arena","uuid":"'*'"agent":{'*'}}' ]] ||
		fail "it says: $out"
	has '"carts_open":' '"processes":' '"retired_bytes":' '"feed":{"on":true,"oldest":'
	run 0 status --metrics
	has "corral_feed_on 1" "corral_feed_lost_total "
}

status_tells_of_the_journal() {
	run 0 status
	grep -qE '^journal +every 1\.0s; file [0-9]+$' <<<"$out" || fail "it says: $out"
	grep -qE '^last sync +([0-9.]+s ago|none)$' <<<"$out" || fail "it says: $out"
	grep -qE '^durable +yes$' <<<"$out" || fail "it says: $out"
	run 0 status --json
	has '"journal":{"mode":"time","interval_ms":1000,"file":' \
		'"durable":true,"not_durable_since_ms":0,"error":""}'
	copy_arena unserved
	run 4 status
	grep -qE '^durable +NOT durable since 20[0-9-]+T[0-9:.]+Z: no agent runs$' <<<"$out" ||
		fail "it says: $out"
	run 4 status --json
	has '"durable":false,"not_durable_since_ms":1' '"error":"no agent runs"}'
}

# Prometheus' text format and its conventions: HELP, TYPE and the values of a metric together, each
# metric and each value once, counters with the right suffix.
prometheus_reads() { # the text on standard input; prints the faults
	awk '
	function wrong(what) { print NR ": " what ": " $0; bad = 1; exit }
	/^# HELP / {
		if (name != "" && !values) wrong("the metric before has no value")
		name = $3; typed = 0; values = 0
		if (name !~ /^corral_[a-z][a-z0-9_]*[a-z0-9]$/) wrong("name")
		if (seen[name]++) wrong("a second time")
		if (NF < 4) wrong("no words")
		next
	}
	/^# TYPE / {
		if ($3 != name || typed || values || NF != 4) wrong("TYPE out of place")
		if ($4 != "counter" && $4 != "gauge" && $4 != "histogram") wrong("type")
		if (($4 == "counter") != (name ~ /_total$/))
			wrong("a counter ends in _total, and nothing else does")
		typed = $4
		next
	}
	{
		if (!match($0, /^[a-z_0-9]+/) || !typed) wrong("value out of place")
		of = substr($0, 1, RLENGTH)
		if (typed == "histogram" && !sub(/_(bucket|sum|count)$/, "", of)) wrong("suffix")
		if (of != name) wrong("value out of place")
		rest = substr($0, RLENGTH + 1)
		label = "[a-z_]+=\"[^\"\\\\]*\""
		if (rest !~ ("^(\\{" label "(," label ")*\\})? [0-9]+(\\.[0-9]+)?$")) wrong("value")
		sub(/ [^ ]*$/, "", rest)
		if (seen[$1 rest " value"]++) wrong("a second time")
		values++
	}
	END { if (!bad && (name == "" || !values)) print "nothing at the end" }'
}

metric() { # NAME: its value
	sed -n "s/^corral_$1 //p" <<<"$out"
}

metrics_are_as_prometheus_reads_them() {
	local wrong changes
	add m1 s
	run 0 status --metrics
	wrong=$(prometheus_reads <<<"$out")
	[[ -z $wrong ]] || fail "$wrong"
	[[ $(metric agent_up) == 1 && $(metric journal_durable) == 1 && $(metric damaged) == 0 ]] ||
		fail "it says: $out"
	[[ $(metric 'journal_mode{mode="time"}') == 1 &&
		$(metric journal_interval_seconds) == 1.000 ]] || fail "it says: $out"
	changes=$(metric changes_total)
	add m1 s
	run 0 status --metrics
	[[ $(metric changes_total) -eq $((changes + 1)) ]] ||
		fail "$changes changes, and $(metric changes_total) after one more"
	open=$(metric 'carts{state="open"}')
	run 0 status --json
	has "\"carts_open\":$open,"
	run 2 status --metrics --json
	complains "give one of them"
	copy_arena metrics
	run 0 status --metrics
	wrong=$(prometheus_reads <<<"$out")
	[[ -z $wrong ]] || fail "$wrong"
	[[ $(metric agent_up) == 0 && $(metric journal_durable) == 0 &&
		$(metric 'carts{state="open"}') == 1 ]] ||
		fail "it says: $out"
	[[ $(metric journal_not_durable_since_timestamp_seconds) =~ ^[1-9][0-9]+\. ]] ||
		fail "it says: $out"
}

inspect_shows_every_section() {
	local section
	add l1 s
	run 0 inspect
	for section in header memory slots classes processes threads readers locks deaths; do
		has "$section"
	done
	has corral-agent
	for section in header memory slots classes processes threads readers locks deaths; do
		run 0 inspect "$section" --json
		[[ $out == "{\"$section\":"* ]] || fail "it says: $out"
	done
	lacks seed
	run 0 inspect slots
	has l1
	run 0 inspect --json
	has '"header":{' '"slots":[{' '"locks":['
}

a_sound_arena_is_sound() {
	run 0 check
	has "sound: 0 faults"
	copy_arena sound
	run 0 check
	has "sound: 0 faults" "accounted for"
	run 0 check "$dir/arena"
	has "sound: 0 faults"
	run 0 check "$dir"
}

a_flipped_byte_is_found() {
	local at
	copy_arena flipped
	at=$(LC_ALL=C grep -obUaF 'UniqueWordsOfThisCart' "$dir/arena" | head -n 1)
	[[ -n $at ]] || fail "the cart is not in the file"
	poke "${at%%:*}" 'X'
	run 1 check
	has "damaged: "
	[[ $(wc -l <<<"$out") -ge 2 ]] || fail "no finding: $out"
	run 1 check "$dir/arena"
}

damaged_carts_are() { # COUNT: as status says in each of its ways, once the agent has noticed
	local i
	for ((i = 0; i < 300; i++)); do
		run 0 status --json
		[[ $out == *"\"carts_damaged\":$1,"* ]] && break
		sleep 0.1
	done
	has "\"carts_damaged\":$1,"
	run 0 status --metrics
	[[ $(metric carts_damaged) == "$1" ]] || fail "it says: $out"
	run 0 status
}

status_names_the_number_of_damaged_carts() {
	local at
	run 0 add d1 s --item i --name WordsThatAreDamaged --price 1
	at=$(head -c 64M "$dir/arena" | grep -abo WordsThatAreDamaged | tail -n 1 | cut -d: -f1)
	damaged_carts_are 0
	lacks damaged
	poke "$at" X
	damaged_carts_are 1
	has "damaged" "1 cart; see: corral check"
	grep -q "warning: the cart in slot [0-9]* is damaged" "$dir.log" ||
		fail "the log does not name it"
	poke "$at" W
	damaged_carts_are 0
	lacks damaged
}

an_arena_that_is_none_is_refused() {
	copy_arena foreign
	poke 0 'NOTANARENA'
	refused_by_all
	copy_arena newer
	poke 8 '\x63'
	refused_by_all
	copy_arena truncated
	truncate -s 100000 "$dir/arena"
	refused_by_all
	copy_arena short
	truncate -s 10 "$dir/arena"
	refused_by_all
	copy_arena empty
	truncate -s 0 "$dir/arena"
	refused_by_all
	dir=$work/missing
	refused_by_all
	mkdir "$work/nothing"
	dir=$work/nothing
	refused_by_all
	[[ -z $(ls -A "$work/nothing") ]] || fail "something was made in it"
	dir=$work/file
	: >"$dir"
	refused_by_all
}

the_module_of_a_location_is_found_beside_the_program() {
	# the shell finds the program through PATH and passes its bare name; no server listens there
	out='' err=$(cd / && PATH=$BUILD:$PATH timeout 60 corral --dir redis://127.0.0.1:1 ls 2>&1)
	complains "redis://127.0.0.1:1: "
	[[ $err != *"module"* ]] || fail "no module was found: $err"
}

a_full_arena_refuses_and_keeps_what_it_has() {
	dir=$work/small
	mkdir "$dir"
	start_agent "$dir" --max-carts 2 || fail "no agent"
	trap 'stop_agent "$started"' EXIT
	add r s1
	add r s2
	run 3 add r s3 --item i --name I --price 1
	complains "cart r s3"
	add r s2
	has "2 items"
	run 0 drop r s1
	eventually has_room
}

has_room() { # for one more cart, once the agent has freed the dropped one
	timeout 60 "$BUILD/corral" --dir "$dir" add r s3 --item i --name I --price 1 >/dev/null 2>&1
}

refused_by_all() {
	run 3 show r s
	complains "$dir"
	run 3 add r s --item i --name I --price 1
	complains "$dir"
	run 3 ls
	run 3 watch r s
	run 3 status
	complains "$dir"
	run 3 inspect
}

without_an_agent_carts_are_used_and_status_says_so() {
	local before
	copy_arena alone
	"$BUILD/corral-agent" --dir "$dir" --journal off --daemon 2>/dev/null ||
		fail "no agent verifies the copy"
	"$BUILD/corral-agent" --dir "$dir" --stop || fail "it does not stop"
	run 4 status
	has "$dir/arena" "none answers"
	[[ $err == "corral: no agent answers: "* ]] || fail "it complains: $err"
	run 4 status --json
	has '"agent":null'
	run 0 show still s --json
	before=$out
	add still s
	has "(added now)"
	run 0 show still s --json
	[[ $out != "$before" ]] || fail "nothing was added"
	run 0 inspect
	run 0 check
}

# offers LINE [WORD...]: these are among what the line's last word may be; without any, nothing is.
# A blank at the line's end begins a new word.
offers() {
	local line=$1 last word
	local -a words
	read -ra words <<<"$line"
	last=${words[-1]}
	unset 'words[-1]'
	[[ $line != *' ' ]] || { words+=("$last") && last=''; }
	out=$(timeout 60 "$BUILD/${words[0]}" --complete "${words[@]:1}" "$last" | cut -f 1) ||
		fail "$line: it fails"
	shift
	[[ $# -gt 0 || -z $out ]] || fail "$line: something is offered: $out"
	for word; do
		grep -qxF -e "$word" <<<"$out" || fail "$line: no $word in: $out"
	done
}

completion_offers_what_the_program_takes() {
	local command count=0
	offers 'corral ' add show inspect help
	offers 'corral -' --dir --help --version
	offers 'corral --dir ' :directories
	offers 'corral inspect ' header deaths
	offers 'corral help ' add inspect
	offers 'corral add ' # an id is what a stranger sent
	offers 'corral add r s --item '
	offers 'corral add r s --item x --' --name --price --dir
	offers 'corral add -- -'
	offers 'corral --dir x restore ' :files
	offers 'corral restore --dir ' :directories
	offers 'corral restore x '
	offers 'corral-agent ' # it has no operands
	offers 'corral-agent --' --dir --group --help --version
	offers 'corral-agent --journal ' off sync
	offers 'corral-agent --log-level ' error debug
	offers 'corral-bench ' replay storm report
	offers 'corral-bench get --carts 1 --' --zipf --dir
	while read -r command; do
		run 0 "$command" --help
		grep -oE '^  --[a-z][a-z-]*' <<<"$out" | sed 's/ *//' | sort >"$work/helped"
		offers "corral $command -" --help
		sort <<<"$out" | diff "$work/helped" - || fail "$command: the help has others"
		count=$((count + 1))
	done < <("$BUILD/corral" --complete '' | cut -f 1)
	[[ $count -ge 20 ]] || fail "only $count commands"
	for command in $("$BUILD/corral" --complete inspect '' | cut -f 1); do
		run 0 inspect "$command"
	done
}

completion_for_bash_asks_the_program() {
	# shellcheck disable=SC2016 # the inner shell's
	PATH=$BUILD:$PATH timeout 60 bash -c '
		source tools/completion/corral.bash
		COMP_WORDS=(corral ch) COMP_CWORD=1
		_corral corral ch corral
		[[ "${COMPREPLY[*]}" == "checkout check" ]] ||
			{ echo "commands: ${COMPREPLY[*]}"; exit 1; }
		COMP_WORDS=(corral add r s --mo) COMP_CWORD=4
		_corral corral --mo s
		[[ "${COMPREPLY[*]}" == "--modifier" ]] ||
			{ echo "options: ${COMPREPLY[*]}"; exit 1; }
		COMP_WORDS=(corral-agent --log-level =) COMP_CWORD=2
		_corral corral-agent "" --log-level
		[[ "${COMPREPLY[*]}" == "error warning info debug" ]] ||
			{ echo "values: ${COMPREPLY[*]}"; exit 1; }
	' || fail "it completes something else"
}

# ------------------------------------------------------------- run

claims=(
	an_item_is_added_and_shown
	a_cart_as_json_has_all_its_keys_in_order
	a_change_as_json_has_all_its_keys_in_order
	every_change_is_made
	an_equal_item_raises_the_quantity
	options_stand_anywhere_and_two_dashes_end_them
	two_restaurants_with_one_session_id_have_two_carts
	carts_are_listed_in_order
	looking_does_not_prolong_a_carts_life
	wrong_money_is_refused_and_nothing_is_changed
	wrong_numbers_are_refused_and_nothing_is_changed
	wrong_calls_are_refused
	money_that_does_not_fit_is_refused_and_nothing_is_changed
	the_answer_is_no_where_nothing_is
	a_named_change_counts_once
	a_name_is_refused_to_another_change
	a_named_change_with_tax_counts_once
	an_item_with_a_tax_is_one_change
	steps_are_one_change_and_answer_a_line_each
	amounts_are_in_the_carts_currency
	an_order_has_rates_and_adjustments
	steps_set_rates_adjustments_pricing_and_currency
	an_item_with_other_extras_or_a_separate_one_is_another_line
	steps_with_a_name_count_once
	a_step_that_is_refused_is_named_and_nothing_is_changed
	fifty_adds_at_once_all_land
	a_change_waits_for_its_version
	a_checked_out_cart_can_be_read_and_dropped_only
	watch_tells_each_change_and_the_end
	watch_tells_changes_in_quick_succession
	watch_says_a_gap_and_goes_on
	watch_on_a_terminal_shows_the_cart_and_what_led_to_it
	watch_shows_versions_where_no_events_are_written
	watch_ends_when_the_carts_time_is_over
	watch_ends_on_a_signal
	events_tell_each_change_and_each_end
	the_history_of_a_cart_that_ended_shows_it_as_it_was
	a_cursor_goes_on_where_it_has_got_to
	events_that_are_followed_come_at_once_until_a_signal
	names_cannot_command_the_terminal
	wide_names_are_aligned
	no_colours_without_a_terminal
	tables_fit_the_terminal
	colours_are_for_terminals_that_want_them
	output_that_cannot_be_written_is_told
	help_is_printed_for_the_program_and_each_command
	status_tells_of_arena_and_agent
	status_tells_of_the_journal
	metrics_are_as_prometheus_reads_them
	inspect_shows_every_section
	a_sound_arena_is_sound
	a_flipped_byte_is_found
	status_names_the_number_of_damaged_carts
	an_arena_that_is_none_is_refused
	the_module_of_a_location_is_found_beside_the_program
	a_full_arena_refuses_and_keeps_what_it_has
	without_an_agent_carts_are_used_and_status_says_so
	completion_offers_what_the_program_takes
	completion_for_bash_asks_the_program
)
[[ $# -eq 0 ]] || claims=("$@")

# One arena without an agent, to be copied and damaged; then one with an agent.
mkdir "$work/still" "$dir"
start_agent "$work/still" || exit 1
agent=$started
"$BUILD/corral" --dir "$work/still" add still s --item i --name UniqueWordsOfThisCart --price 1 \
	>/dev/null || exit 1
stop_agent "$agent"
agent=
start_agent "$dir" || exit 1
agent=$started

passed=0 failed=0
for claim in "${claims[@]}"; do
	if said=$("$claim" 2>&1); then
		echo "ok $claim"
		passed=$((passed + 1))
	else
		echo "not ok $claim: $said"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
