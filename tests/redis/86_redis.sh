#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Carts on one Redis server: the contract of all calls, and the tool.
#
# Usage: [BUILD=dir] tests/redis/86_redis.sh [CLAIM...]   from the root; timeout: 120
# shellcheck disable=SC2317,SC2154,SC2030,SC2031,SC2119 # claims are called by name, in subshells
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/redis_kit.sh
. tests/kit/redis_kit.sh

# ------------------------------------------------------------------------- claims

the_contract_holds_on_one_server() {
	one_server
	contract_holds_at "$location"
}

the_tool_takes_a_location() {
	one_server
	at 0 add r s --item burger --name Burger --price 8.99
	at 0 add r s --item burger --name Burger --price 8.99 --op once
	at 0 add r s --item burger --name Burger --price 8.99 --op once
	has "already applied"
	at 0 show r s
	has "17.98"
	at 0 ls
	has "17.98"
	out=$(CORRAL_DIR=$location "$BUILD/corral" ls 2>&1)
	has "17.98"
	at 0 checkout r s
	at 1 add r s --item tea --name Tea --price 1
	at 0 drop r s
	at 1 show r s
	at 0 ls
	[[ $out != *17.98* ]] || fail "a cart that ended is listed: $out"
}

watched() { # REGEX: is printed by then
	local n
	for ((n = 0; n < 300; n++)); do
		grep -q "$1" "$place/watched" && return
		sleep 0.1
	done
	fail "never $1: $(<"$place/watched")"
}

a_cart_is_watched_by_its_versions() {
	local watcher code=0
	one_server
	"$BUILD/corral" --dir "$location" watch r s --json >"$place/watched" 2>&1 &
	watcher=$!
	at 0 add r s --item burger --name Burger --price 8.99
	watched '^{"restaurant_id":"r",.*"status":"open"'
	at 0 checkout r s
	watched '"status":"checked_out"'
	at 0 drop r s
	wait "$watcher" || code=$?
	[[ $code -eq 0 && $(wc -l <"$place/watched") -eq 2 ]] ||
		fail "exit code $code: $(<"$place/watched")"
}

what_is_no_cart_is_no_answer() {
	one_server
	at 0 add r s --item burger --name Burger --price 8.99
	ask one SET 'corral:{r/s}' nonsense >/dev/null
	at 3 show r s
	at 3 add r s --item burger --name Burger --price 8.99
	ask one DEL 'corral:{r/s}' >/dev/null
	ask one RPUSH 'corral:{r/s}' head nonsense >/dev/null
	at 3 show r s
	ask one RPUSH 'corral:{r/t}' list >/dev/null
	at 3 add r t --item burger --name Burger --price 8.99
	at 0 ls
}

# A later Corral has written to a cart, or so it looks: FORMAT "1" or "2" of the value, LINE_BYTES
# in front of the key `line` of the first line, and CART_BYTES behind the cart's map.
written_later() { # FORMAT LINE_BYTES CART_BYTES
	local script
	script=$(
		cat <<'END'
local head, v = unpack(redis.call('LRANGE', KEYS[1], 0, -1))
local map = 28 + 8 * v:byte(27)
local count = v:byte(map + 1) * 256 + v:byte(map + 2) + (#ARGV[3] > 0 and 1 or 0)
local lines = v:sub(map + 3)
if #ARGV[2] > 0 then
  local at = lines:find('\164line\1', 1, true)
  lines = lines:sub(1, at - 2) .. string.char(lines:byte(at - 1) + 1) .. ARGV[2] .. lines:sub(at)
end
v = 'C' .. ARGV[1] .. v:sub(3, map) .. struct.pack('>H', count) .. lines .. ARGV[3]
redis.call('LSET', KEYS[1], 0, 'C' .. ARGV[1] .. head:sub(3))
redis.call('LSET', KEYS[1], 1, v)
return 'written'
END
	)
	[[ $(ask one EVAL "$script" 1 'corral:{r/s}' "$@") == written ]] ||
		fail "the value cannot be written"
}

# Keys of the cart stay; a new format is left alone, and so is a cart whose lines have keys that
# would get lost.
an_earlier_corral_takes_nothing_from_what_a_later_one_wrote() {
	local n
	one_server
	at 0 add r s --item burger --name Burger --price 8.99
	written_later 1 "" $'\xa5later\x07'
	at 0 show r s
	has "8.99"
	for n in 2 3; do
		at 0 add r s --item "tea$n" --name Tea --price 1
	done
	at 0 show r s
	has "10.99"
	[[ $(ask one LINDEX 'corral:{r/s}' 1 | tr -d '\0') == *later* ]] || fail "a key got lost"
	written_later 1 $'\xa5later\x07' ""
	at 0 show r s
	has "10.99"
	at 3 add r s --item tea --name Tea --price 1
	has "version"
	written_later 2 "" ""
	at 3 show r s
	has "version"
	at 3 add r s --item tea --name Tea --price 1
	at 0 ls
	[[ $(ask one LINDEX 'corral:{r/s}' 0 | tr -d '\0') == C2* ]] || fail "it was written over"
}

adds_of_many_processes_count_once_each() {
	one_server
	out=$(timeout 60 "$BUILD/tests/redis/crowd" "$location" 20 20 2>&1) || fail "$out"
}

# Its answers take 20 ms longer than those of the others, which change the cart meanwhile.
a_client_far_away_gets_its_turn() {
	one_server
	out=$(timeout 60 "$BUILD/tests/redis/crowd" "$location" 3 4 "$place/one/sock" \
		"$place/relay" 0 2>&1) || fail "$out"
}

# Half of the answers that tell what became of a change get lost, with their connections.
a_change_whose_answer_got_lost_counts_once() {
	one_server
	out=$(timeout 60 "$BUILD/tests/redis/crowd" "$location" 1 20 "$place/one/sock" \
		"$place/relay" 2 2>&1) || fail "$out"
}

# At each system call of two changes, at each byte of a packet, and when it has got its turn.
a_client_that_is_killed_loses_nothing_and_leaves_nothing_behind() {
	one_server
	out=$(timeout 60 "$BUILD/tests/redis/killed" "$location" "$place/one/sock" \
		"$place/relay" 2>&1) || fail "$out"
	has "killed with a turn"
}

who_waits_for_many_carts_is_told_of_changes() {
	one_server
	out=$(timeout 60 "$BUILD/tests/redis/waits" "$location" "$place/one/sock" 2>&1) ||
		fail "$out"
}

a_forked_child_goes_on_with_its_parents_handle() {
	one_server
	out=$(timeout 60 "$BUILD/tests/redis/forked" "$location" 2>&1) || fail "$out"
}

version_in() { # what `out` says
	sed -n 's/^version \([0-9]*\).*/\1/p' <<<"$out"
}

a_cart_that_is_made_again_goes_on_with_its_versions() {
	local last n
	one_server
	for ((n = 0; n < 3; n++)); do
		at 0 add r s --item burger --name Burger --price 8.99
		[[ $(version_in) -gt ${last:-0} ]] || fail "after version $last: $out"
		at 0 drop r s
		last=$(version_in)
	done
}

# Versions and times differ; `make cluster` does it a hundred thousand times.
a_directory_and_a_server_answer_the_same() {
	one_server
	start
	out=$(timeout 60 "$BUILD/tests/redis/differential" "$dir" "$location" 3000 2>&1) ||
		fail "$out"
	has "all alike"
}

servers_that_do_not_keep_what_durable_means_are_told_of() {
	one_server
	at 0 add r s --item burger --name Burger --price 8.99
	at 0 status
	has "WARNING" "appendonly yes"
	ask one CONFIG SET appendonly yes >/dev/null
	at 0 status
	[[ $out != *WARNING* ]] || fail "$out"
	ask one CONFIG SET maxmemory 1gb maxmemory-policy allkeys-lru >/dev/null
	at 0 status --json
	has '"noeviction":0' '"appendonly":1' "set maxmemory-policy noeviction"
	location+="?strict=1"
	at 3 ls
	has "strict" "maxmemory-policy"
	ask one CONFIG SET maxmemory-policy noeviction >/dev/null
	at 0 ls
	location+="&replicas=1"
	at 3 ls
	has "has 0 replicas"
	location=${location/strict=1/strict=0}
	at 0 status
	has "fewer replicas"
	location=${location/replicas=1/replicas=0}
	ask one ACL SETUSER default -info >/dev/null
	at 0 status
	has "not known" "could not be checked"
	location=${location/strict=0/strict=1}
	at 3 ls
	has "do not tell"
	location=${location/strict=1/strict=x}
	at 3 ls
	has "wrong value"
}

certificate() { # NAME SUBJECT-ALTERNATIVE: signed by itself
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj /CN=corral -addext "subjectAltName=$2" -keyout "$place/$1.key" \
		-out "$place/$1.pem" >"$place/openssl" 2>&1 ||
		fail "no certificate: $(tail -n 3 "$place/openssl")"
}

by_tls_the_server_has_to_be_the_one_that_is_meant() {
	local port
	certificate ours IP:127.0.0.1
	certificate other IP:127.0.0.2
	port=$(free_ports 1)
	server one --port 0 --tls-port "$port" --bind 127.0.0.1 --tls-auth-clients no \
		--tls-cert-file "$place/ours.pem" --tls-key-file "$place/ours.key" \
		--requirepass secret
	for ((n = 0; n < 200; n++)); do
		[[ $(ask one PING) == *NOAUTH* ]] && break
		sleep 0.05
	done
	export CORRAL_REDIS_PASSWORD=secret
	location="rediss://127.0.0.1:$port?cacert=$place/ours.pem"
	contract_holds_at "$location"
	location="rediss://127.0.0.1:$port?cacert=$place/other.pem"
	at 3 ls
	has "certificate"
	ask one -a secret CONFIG SET tls-cert-file "$place/other.pem" tls-key-file \
		"$place/other.key" >/dev/null
	at 3 ls # for another address than the one that is asked
	has "certificate"
	location="redis://127.0.0.1:$port"
	at 3 ls
	CORRAL_REDIS_PASSWORD=wrong
	location=redis+unix://$place/one/sock
	at 3 ls
	has "password"
	[[ $out != *wrong* ]] || fail "it says the password: $out"
	location=redis+unix://:secret@$place/one/sock
	at 0 ls
	at 0 status
	[[ $out != *secret* ]] || fail "it says the password: $out"
	location=redis+unix://:secret@$place/no/sock
	at 3 ls
	has "$place/no/sock" "no server answers"
	[[ $out != *secret* ]] || fail "it says the password: $out"
}

the_carts_of() { # LOCATION: each on a line, without what depends on where and when
	local restaurant session
	"$BUILD/corral" --dir "$1" ls --json | tr '{' '\n' | sed \
		-n 's/^"restaurant_id":"\([^"]*\)","session_id":"\([^"]*\)".*/\1 \2/p' |
		LC_ALL=C sort | while read -r restaurant session; do
		"$BUILD/corral" --dir "$1" show "$restaurant" "$session" --json |
			sed 's/"version":[0-9]*,//; s/,"expires_at.*//'
	done
}

carts_move_from_a_directory_to_a_server_and_back() {
	local n back
	one_server
	start
	corral 0 add roma all --item p1 --name 'Mar"gherita é' --price 12.99 --quantity 2 \
		--modifier cheese=1.50 --note "well done" --tax 8.25% --op-id call-1
	corral 0 attribute roma all phone 555-0100
	for ((n = 1; n <= 20; n++)); do
		corral 0 add roma many --item "i$n" --name "Item $n" --price "$n.05"
	done
	corral 0 ttl roma many 2h
	corral 0 checkout roma many
	corral 0 snapshot "$place/there"
	at 0 restore "$place/there"
	has "2 carts restored"
	diff <(the_carts_of "$dir") <(the_carts_of "$location") || fail "other carts"
	[[ $(the_carts_of "$location" | wc -l) -eq 2 ]] || fail "not two carts"
	at 1 restore "$place/there" # there are carts already
	at 0 add roma all --item p2 --name Wine --price 9
	at 0 snapshot "$place/back"
	back=$location
	dir=$place/second
	start
	corral 0 restore "$place/back"
	diff <(the_carts_of "$back") <(the_carts_of "$dir") || fail "other carts on the way back"
	at 0 restore --merge "$place/back"
	has "2 there as new"
}

# The first who opens a store gives it its seed, and a restore gives it that of the snapshot.
a_restore_keeps_operation_ids_where_it_makes_the_store() {
	local once=(add r s --item tea --name Tea --price 2 --op-id once) server
	one_server
	start
	corral 0 "${once[@]}"
	corral 0 snapshot "$place/there"
	server=$location
	at 0 restore "$place/there"
	has "operation ids kept"
	at 0 "${once[@]}"
	has "already applied"
	location="$server?prefix=known:"
	at 0 ls # this makes the store
	at 0 restore "$place/there"
	has "operation ids forgotten"
	at 0 "${once[@]}"
	[[ $out != *"already applied"* ]] || fail "$out"
	location="$server?prefix=given:&seed=0123456789abcdef"
	at 0 restore "$place/there"
	has "operation ids forgotten"
}

if [[ $# -gt 0 ]]; then
	run_claims "$@"
fi
mapfile -t claims < <(claims_of "$0")
run_claims "${claims[@]}"
