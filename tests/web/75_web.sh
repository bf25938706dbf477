#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# corral-web from the outside, by curl: what it answers, what it refuses, and that one who listens
# misses nothing. What the pages make of it, tests/web/pages.py looks at.
#
# Usage: [BUILD=dir] tests/web/75_web.sh [CLAIM...]   from the root; timeout: 300
# claims are called by name, each in a subshell
# shellcheck disable=SC2317,SC2030,SC2031,SC2119,SC2154
set -uo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/kit/agent_kit.sh
. tests/kit/agent_kit.sh
# shellcheck source=tests/kit/redis_kit.sh
. tests/kit/redis_kit.sh
# shellcheck source=tests/kit/web_kit.sh
. tests/kit/web_kit.sh

a_cart() { # SESSION [OPTION...]
	local session=$1
	shift
	corral 0 add luigi "$session" --item burger --name Burger --price 8.99 "$@"
}

# The carts in an answer: session, version, status and items, which are called so there or there.
rows_of() { # JSON
	local row='"session_id":"[^"]*","version":"?[0-9]*"?,"status":"[a-z_]*"'
	grep -oE "$row,\"(items|item_count)\":[0-9]*" <<<"$1" |
		sed -E 's/"version":"([0-9]*)"/"version":\1/; s/"items"/"item_count"/' | sort
}

# The names of metrics in a file: in what is served, or in what asks for it.
metrics_in() { # FILE...
	grep -ohE '\bcorral_[a-z_]+' "$@" | sort -u
}

# ------------------------------------------------------------- claims

the_board_has_the_carts_that_ls_has() {
	start
	local n
	for n in 1 2 3 4; do
		a_cart "s$n" --quantity "$n"
	done
	corral 0 checkout luigi s2
	web
	get "/api/board"
	diff <(rows_of "$out") <(rows_of "$("$BUILD/corral" --dir "$dir" ls --json)") ||
		fail "they differ"
	[[ $(rows_of "$out" | wc -l) -eq 4 ]] || fail "not four: $out"
	has '"open":3' '"checked_out":1' '"total":"35.96"'
	get "/api/board?restaurant=nobody"
	has '"carts":[]'
	get "/api/cart?restaurant=luigi&session=s4"
	has '"total_cents":3596' '"total":"35.96"' '"unit_price":"8.99"'
	get "/api/history?restaurant=luigi&session=s2"
	[[ $(grep -o '"number":' <<<"$out" | wc -l) -eq $("$BUILD/corral" --dir "$dir" history \
		luigi s2 --json | wc -l) ]] || fail "another history: $out"
	has '"kind":"checked_out"'
}

a_stranger_gets_nothing() {
	start
	web --host orders.example.net
	local path host
	for path in / /api/board /metrics; do
		for host in evil.example "evil.example:$port" 127.0.0.1.evil.example \
			localhost.evil "[evil]" "127.0.0.1:x" ""; do
			status_of GET "$path" "$host"
			[[ $out == 4?? ]] || fail "$host $path: $out"
		done
		for host in localhost "localhost:$port" 127.0.0.1 "[::1]:80" Orders.Example.NET; do
			status_of GET "$path" "$host"
			[[ $out == 200 ]] || fail "$host $path: $out"
		done
	done
	refused 4?? --http1.0 -H "Host:" "$url/"
	refused 405 -X POST -d x=y "$url/api/board"
	refused 405 -X DELETE "$url/api/cart?restaurant=r&session=s"
	refused 404 "$url/../etc/passwd" --path-as-is
	refused 400 "$url/api/board?most=501"
	refused 400 "$url/api/board?nonsense=1"
	refused 400 "$url/api/cart?restaurant=r"
	refused 400 "$url/api/events?from=-1"
	refused 4?? "$url/$(head -c 40000 /dev/zero | tr '\0' a)"
}

each_answer_has_a_strict_policy() {
	start
	web
	local path
	for path in / /order /health /board.js /api/board /metrics /nothing; do
		out=$(curl -s -m 20 -D - -o "$place/body" "$url$path")
		has "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src" \
			"frame-ancestors 'none'" "X-Content-Type-Options: nosniff" \
			"Referrer-Policy: no-referrer" "Cross-Origin-Resource-Policy: same-origin"
	done
	for path in / /order /health; do
		get "$path"
		[[ $out == "<!doctype html>"*"<title>"*"</head>"*"<nav>"*"<main"*"</html>" ]] ||
			fail "no whole page: $out"
	done
	# what the policy would forbid, and what would fetch from elsewhere
	! grep -nE '(src|href)="[^/]|<script>|style="|[ "]on[a-z]+="|innerHTML|https?://' \
		web/page/*.html web/page/*.js web/page/*.css | grep -v 'http://www.w3.org' ||
		fail "a page breaks it"
}

a_token_is_wanted_if_there_is_one() {
	start
	echo sesame-open-yourself >"$place/token"
	echo short >"$place/short"
	web --token-file "$place/token"
	refused 401 "$url/"
	refused 401 "$url/metrics"
	refused 401 -H "Authorization: Bearer sesame-open-yourselF" "$url/api/board"
	refused 401 -H "Authorization: Bearer sesame-open-yourself2" "$url/api/board"
	refused 401 -u "any:wrong" "$url/api/board"
	refused 401 -H "Authorization: Basic !!!" "$url/api/board"
	refused 200 -H "Authorization: Bearer sesame-open-yourself" "$url/api/board"
	refused 200 -u "any:sesame-open-yourself" "$url/"
	refused 200 "$url/healthz"
	refused 200 "$url/readyz"
	web_says 2 --token-file "$place/short"
	web_says 2 --listen 0.0.0.0:0
	has "--token-file"
	web_says 2 --listen 127.0.0.1
	web_says 2 --listen localhost:80
	web_says 2 --host "a b"
	web_says 2 --listeners 0
	web_says 3 --listen "127.0.0.1:$port"
}

each_change_is_told_to_those_who_listen() {
	start
	web
	listen all "/api/events"
	listen other "/api/events?restaurant=other"
	a_cart s
	told all '"session_id":"s","version":"1","status":"open"'
	corral 0 checkout luigi s
	told all '"session_id":"s","version":"2","status":"checked_out"'
	corral 0 drop luigi s
	told all '"session_id":"s","how":"dropped"'
	corral 0 add other o --item tea --name Tea --price 1.00
	told other '"session_id":"o"'
	! grep -q luigi "$place/other" || fail "the other restaurant is told, too"
}

what_came_while_one_was_away_is_told() {
	local last
	start
	a_cart kept
	a_cart ends
	web
	listen first "/api/events"
	a_cart seen
	told first '"session_id":"seen"'
	last=$(sed -n 's/^id: //p' "$place/first" | tail -n 1)
	kill -9 "$web_pid"
	wait "$web_pid" 2>/dev/null
	a_cart kept
	a_cart new
	corral 0 drop luigi ends
	web
	listen again "/api/events?from=1" -H "Last-Event-ID: $last"
	told again '"session_id":"kept","version":"2"'
	told again '"session_id":"new"'
	told again '"session_id":"ends","how":"dropped"'
	! grep -q '"seen"' "$place/again" || fail "what it had is told again"
	# a number that the feed does not have
	listen lost "/api/events?from=99999999999"
	told lost "event: gap"
	sound_after_all
}

# More events than the feed keeps came while corral-web was stopped.
where_events_were_missed_all_list_again() {
	start
	web
	listen all "/api/events"
	a_cart before
	told all '"session_id":"before"'
	kill -STOP "$web_pid"
	"$BUILD/corral-bench" replay bench/replay/orders.tsv --dir "$dir" --restaurant many \
		--keep >"$place/replay" || fail "$(cat "$place/replay")"
	a_cart missed
	kill -CONT "$web_pid"
	told all "event: gap"
	a_cart after
	told all '"session_id":"after"'
	! grep -qE '"(missed|many)"' "$place/all" || fail "it is told of what was missed"
	eventually '"session_id":"missed"' "$url/api/board"
	get /metrics
	has "corral_web_gaps_total 1"
}

what_strangers_said_stays_text() {
	local name=$'</script>\n\ndata: x\r\n\u202e"'
	start
	corral 0 add "$name" "$name" --item "$name" --name "$name" --note "$name" --price 1.00
	web
	listen all "/api/events?from=0"
	told all '"items":1'
	! grep -qvE '^(|(event|id|retry): [a-z0-9]*|data: \{.*\}).?$' "$place/all" ||
		fail "a line that is no message: $(cat "$place/all")"
	get "/api/board"
	has '</script>\n\ndata: x\r\n\u202E\"'
	curl -s -m 20 -G -D "$place/headers" -o "$place/body" "$url/api/cart" \
		--data-urlencode "restaurant=$name" --data-urlencode "session=$name"
	! grep -q '^data' "$place/headers" || fail "in the headers"
	grep -q '"item_count":1' "$place/body" || fail "it is not found"
	get /metrics
	[[ $out != *script* ]] || fail "in the metrics"
}

metrics_are_those_that_rules_and_dashboard_ask_for() {
	start
	a_cart secret-session
	corral 0 events --cursor kitchen
	web
	get /metrics
	echo "$out" >"$place/metrics"
	"$BUILD/corral" --dir "$dir" status --metrics >"$place/status" || fail "no status"
	out=$(comm -13 <(metrics_in "$place/metrics") <(metrics_in "$place/status"))
	[[ -z $out ]] || fail "status has more: $out"
	metrics_in web/monitoring/* >"$place/wanted"
	[[ $(wc -l <"$place/wanted") -gt 20 ]] || fail "too few are wanted"
	out=$(comm -13 <(metrics_in "$place/metrics") "$place/wanted")
	[[ -z $out ]] || fail "there is no such metric: $out"
	! grep -E 'luigi|secret' "$place/metrics" || fail "a label says who ordered"
	out=$(curl -s -m 20 -i -H 'Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1' \
		"$url/metrics")
	has "application/openmetrics-text; version=1.0.0" "# TYPE corral_changes counter" \
		"corral_changes_total 1" "# TYPE corral_web_answers counter"
	[[ ${out##*$'\n'} == "# EOF" ]] || fail "no end"
	get /metrics -H 'Accept: application/openmetrics-text;q=0'
	[[ $out != *"# EOF"* ]] || fail "not asked for"
	a_cart secret-session
	eventually 'corral_feed_cursor_lag{cursor="kitchen"} 1' "$url/metrics"
	get /metrics
	has 'corral_feed_cursor_acknowledged_timestamp_seconds{cursor="kitchen"} '
	get /api/health
	has '"cursor":"kitchen"'
	has '"name":"carts_open"' '"ready":true' '"processes":[' '"program":"corral-web"'
}

listeners_have_a_limit_and_hold_nobody_up() {
	local n
	start
	web --listeners 3
	for n in 1 2 3; do
		listen "l$n" "/api/events"
	done
	refused 503 "$url/api/events"
	get /metrics
	has "corral_web_listeners 3" "corral_web_listeners_refused_total 1"
	# requests that are never finished, and an answer that is never read
	for n in 1 2 3 4 5; do
		exec {slow}<>"/dev/tcp/127.0.0.1/$port"
		printf 'GET /api/board HTTP/1.1\r\nHost: localhost\r\n' >&"$slow"
	done
	exec {slow}<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /health.js HTTP/1.1\r\nHost: localhost\r\n\r\n%.0s' {1..50} >&"$slow"
	a_cart s
	for n in 1 2 3; do
		told "l$n" '"session_id":"s"'
	done
	get /api/board
	has '"session_id":"s"'
	kill "${listeners[0]}"
	wait "${listeners[0]}" 2>/dev/null
	a_cart s # with the next message its place is free
	told l2 '"version":"2"'
	listen l4 "/api/events?from=0"
	told l4 '"session_id":"s"'
}

it_waits_for_the_agent_and_outlives_the_arena() {
	web
	refused 503 "$url/readyz"
	refused 200 "$url/healthz"
	refused 200 "$url/metrics"
	refused 503 "$url/api/board"
	start
	a_cart s
	eventually '"session_id":"s"' "$url/api/board"
	refused 200 "$url/readyz"
	listen all "/api/events"
	agent 0 --stop
	agent 0 --resize --size 32M
	start
	a_cart s2
	eventually '"session_id":"s2"' "$url/api/board"
	told all "event: gap"
	a_cart s3
	told all '"session_id":"s3"'
	kill "$web_pid"
	wait "$web_pid" || fail "it ended with $?"
	sound_after_all
}

an_arena_that_is_cut_off_does_not_end_it() {
	start
	a_cart s
	web
	listen all "/api/events"
	truncate -s 0 "$dir/arena"
	eventually error "$url/readyz"
	refused 503 "$url/api/board"
	refused 503 "$url/api/cart?restaurant=luigi&session=s"
	refused 200 "$url/metrics"
	refused 200 "$url/api/health"
	get /healthz
	has alive
}

without_a_feed_it_compares_lists() {
	start --feed off
	a_cart before
	web
	listen all "/api/events"
	told all "id: 1" # the first list is there: ids are times then
	a_cart s
	told all '"session_id":"s","version":"1"'
	corral 0 drop luigi s
	told all '"session_id":"s","how":"gone"'
	refused 503 "$url/api/history?restaurant=luigi&session=before"
}

carts_on_a_server_are_compared_as_lists() {
	one_server
	at 0 add luigi before --item tea --name Tea --price 1.00
	web
	refused 200 "$url/readyz"
	get /api/board
	has '"session_id":"before"'
	listen all "/api/events"
	told all "id: 1"
	at 0 add luigi s --item tea --name Tea --price 1.00
	told all '"session_id":"s"'
	at 0 drop luigi before
	told all '"session_id":"before","how":"gone"'
	refused 503 "$url/api/history?restaurant=luigi&session=s"
	get /metrics
	has "corral_masters 1" "corral_web_ready 1"
	get /api/health
	[[ $out != *"$place"* ]] || fail "it says the location, which may have a password"
	kill -9 "$(cat "$place/one/pid")"
	refused 503 "$url/readyz"
	refused 200 "$url/healthz"
}

[[ $# -gt 0 ]] || mapfile -t claims < <(claims_of "$0")
run_claims "${@:-${claims[@]}}"
