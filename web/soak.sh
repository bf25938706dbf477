#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A long run: callers say RATE orders a minute, each worker is deployed every minute, one after the
# other, some workers and the agent are killed, and `corral top` and the board are open all the
# time. `make soak` runs it for an hour; SOAK_SECONDS=n for less, from 30 on.
#
# It passes if every order was paid, with the right total, and the board was told so with the same
# total; if the arena is sound, and the memory and the descriptors of the agent, of corral-web and
# of corral top did not grow. Their memory is what is theirs alone (RssAnon): the arena's pages are
# shared. It is compared from a third of the time on, when the caches are full: of the agent from
# three quarters on, since it is killed before. The agent has its buffers for a base of the journal
# from the first one on: the agent that makes the arena at once, a later one when it begins the
# journal anew, so what the first one had counts, too.
set -uo pipefail
command -v tmux curl >/dev/null || { echo "soak: tmux and curl are needed" >&2 && exit 2; }
# shellcheck source=web/callers.sh
. "$(dirname "$0")/callers.sh"

export LC_ALL=C # one order for sort and join
SOAK_SECONDS=${SOAK_SECONDS:-3600}
RATE=${RATE:-100}
CALLERS=${CALLERS:-20}
LISTENERS=${LISTENERS:-10}
# What a process may grow by. An agent may just be answering some who attach.
# shellcheck disable=SC2034 # used in conditions
GROWTH_KB=256 GROWTH_DESCRIPTORS=8
((SOAK_SECONDS >= 30)) || { echo "soak: SOAK_SECONDS is at least 30" >&2 && exit 2; }

at_most() { # MOST SECONDS
	echo $(($1 < $2 ? $1 : $2))
}
deploy_every=$(at_most 60 $((SOAK_SECONDS / 3)))
kill_every=$(at_most 20 $((SOAK_SECONDS / 10)))
agent_every=$(at_most 300 $((SOAK_SECONDS / 6)))
look_every=$(at_most 60 $((SOAK_SECONDS / 6)))

listeners=()
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	TMUX_TMPDIR=$tmp tmux kill-server 2>/dev/null
	kill "$web" "$agent" "${workers[@]}" "${listeners[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

own_kb() { # PID
	awk '/^RssAnon/ { print $2 }' "/proc/$1/status"
}

descriptors() { # PID
	find "/proc/$1/fd" -mindepth 1 | wc -l
}

cpu_ms() { # PID
	awk -v tick="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / tick) }' "/proc/$1/stat"
}

# ------------------------------------------------------------- begin

mapfile -t file_orders < <(orders_of_file)
start_both "${LISTEN:-127.0.0.1:0}"
unset TMUX
TMUX_TMPDIR=$tmp tmux -f /dev/null new-session -d -x 80 -y 24 -s top \
	"LC_ALL=C.UTF-8 exec '$BUILD/corral' top" || exit 1
top=$(TMUX_TMPDIR=$tmp tmux list-panes -t top -F '#{pane_pid}')
# What the board is told of each order, as "ROUND-ORDER TOTAL" when it is paid, and as
# "ROUND-ORDER how" when it is over.
curl -sN "$url/api/events" | sed -un \
	-e 's/^data: .*"session_id":"call-\([^"]*\)".*"status":"checked_out","items":[0-9]*,'\
'"total":"\([^"]*\)".*/\1 \2/p' \
	-e 's/^data: .*"session_id":"call-\([^"]*\)","how":"\([^"]*\)".*/\1 \2/p' \
	-e 's/^event: gap$/gap/p' >"$tmp/told" &
listeners+=("$!")
for ((n = 0; n < LISTENERS; n++)); do
	curl -sN "$url/api/events" >/dev/null &
	listeners+=("$!")
done
exec 2>>"$tmp/errors"
for ((n = 0; n < CALLERS; n++)); do
	start_worker "$n"
done

next_deploy=$deploy_every next_kill=$kill_every next_agent=$agent_every next_look=1
given=0 deployed=0 killed=0 agents=0 ended=0 leaving='' first='' settled='' agent_settled=''

# In one row for each of the three: name, own memory, descriptors.
state() {
	echo "agent $(own_kb "$agent") $(descriptors "$agent")" \
		"web $(own_kb "$web") $(descriptors "$web")" \
		"top $(own_kb "$top") $(descriptors "$top")"
}

give_orders() { # as many as are due
	local count=${#file_orders[@]}
	for (( ; given < SECONDS * RATE / 60; given++)); do
		queue_order $((given / count + 1)) "${file_orders[given % count]}"
		echo "$((given / count + 1))-${file_orders[given % count]}" >>"$tmp/given"
	done
}

# One worker after the other is told to end, and replaced when it has.
go_on_deploying() {
	[[ -n $leaving ]] || return
	if ! kill -0 "${workers[leaving]}" 2>/dev/null; then
		start_worker "$leaving"
		deployed=$((deployed + 1))
		leaving=$((leaving + 1))
		[[ $leaving -lt $CALLERS ]] || { leaving='' && return; }
		: >"$CORRAL_DIR.leave/$leaving"
	fi
}

replace_the_dead() { # those that ended, though nothing asked them to
	local n
	for ((n = 0; n < CALLERS; n++)); do
		if [[ $n != "$leaving" ]] && ! kill -0 "${workers[n]}" 2>/dev/null; then
			start_worker "$n"
			ended=$((ended + 1))
		fi
	done
}

kill_some() {
	local n=$((RANDOM % CALLERS))
	if ((SECONDS >= next_kill)) && [[ $n != "$leaving" ]]; then
		next_kill=$((next_kill + kill_every))
		kill_worker "$n"
		start_worker "$n"
		killed=$((killed + 1))
	fi
	if ((SECONDS >= next_agent && SECONDS <= SOAK_SECONDS * 2 / 3)); then
		next_agent=$((next_agent + agent_every))
		kill_agent
		start_agent
		agents=$((agents + 1))
	fi
}

echo "soak: $SOAK_SECONDS s, $RATE orders a minute, $CALLERS workers," \
	"$((LISTENERS + 1)) listeners; own memory in kB, and descriptors, of"
SECONDS=0
while [[ -z $over ]] && ((SECONDS < SOAK_SECONDS)); do
	second=$SECONDS
	give_orders
	go_on_deploying
	replace_the_dead
	kill_some
	if ((SECONDS >= next_deploy)) && [[ -z $leaving ]]; then
		next_deploy=$((next_deploy + deploy_every))
		leaving=0
		: >"$CORRAL_DIR.leave/0"
	fi
	if ((SECONDS >= next_look)); then
		next_look=$((next_look + look_every))
		row=$(state)
		echo "$SECONDS s, $(paid) paid: $row"
		first=${first:-$row}
		((SECONDS < SOAK_SECONDS / 3)) || settled=${settled:-$row}
		((SECONDS < SOAK_SECONDS * 3 / 4)) || agent_settled=${agent_settled:-$row}
	fi
	while ((SECONDS == second)); do
		sleep 0.1
	done
done

# ------------------------------------------------------------- the end

[[ -z $over ]] || exit 130
seconds=$SECONDS
until [[ -z $(find "$CORRAL_DIR".{queue,mine} -type f) ]] ||
	((SECONDS > seconds + 60)); do
	go_on_deploying
	replace_the_dead
	sleep 0.5
done
sleep 1 # what was paid last is told
last=$(state)
kill "${workers[@]}" 2>/dev/null
wait "${workers[@]}" 2>/dev/null
bad=0

verdict() { # yes WHAT: what must be; else the run fails
	local sign=ok
	[[ $1 == yes ]] || { sign="NOT OK" && bad=1; }
	echo "$sign: $2"
}

is() { # CONDITION...: yes or no
	[[ $* ]] && (($*)) && echo yes || echo no
}

sort -u -o "$tmp/paid" "$CORRAL_DIR.done"/*
paid=$(wc -l <"$tmp/paid")
wrong=$(awk '$2 != $3' "$tmp/paid" | tee "$tmp/wrong" | wc -l)
told=$(awk 'FNR == NR { sub(/\./, "", $2); told[$1] = $2 + 0; next } told[$1] == $3' \
	<(grep '\.' "$tmp/told") "$tmp/paid" | wc -l)
over_too=$(awk '$2 == "expired" { print $1 }' "$tmp/told" | sort -u | wc -l)
gaps=$(grep -c gap "$tmp/told")
head -n 5 "$tmp/wrong"
join -v 1 <(sort "$tmp/given") "$tmp/paid" | sed 's/$/ was not paid/' | head -n 5

echo "soak: in $seconds s $deployed workers were deployed; killed: $killed workers, $agents agents"
verdict "$(is given \> 0 '&&' paid == given)" "$paid of $given orders were paid"
verdict "$(is wrong == 0)" "$wrong of them with a wrong total"
verdict "$(is told == paid)" "the board was told $told of them, with their totals, and of \
$over_too that they expired; $gaps gaps"
verdict "$(is ended == 0)" "$ended workers ended by themselves"
verdict "$("$BUILD/corral" check >"$tmp/check" && echo yes)" "the arena is sound"
verdict "$(is deployed \> 0 '&&' killed \> 0 '&&' agents \> 0)" "workers were deployed, and killed"

flat() { # NAME COLUMN FIRST SETTLED LAST
	local -a a b c
	read -ra a <<<"$3"
	read -ra b <<<"$4"
	read -ra c <<<"$5"
	local most=$((a[$2 + 1] > b[$2 + 1] ? a[$2 + 1] : b[$2 + 1]))
	verdict "$(is "${c[$2 + 1]} <= $most + GROWTH_KB && \
		${c[$2 + 2]} <= ${b[$2 + 2]} + GROWTH_DESCRIPTORS")" \
		"$1: ${a[$2 + 1]} kB at first, ${b[$2 + 1]} later, ${c[$2 + 1]} at last;\
 descriptors ${a[$2 + 2]}, ${b[$2 + 2]}, ${c[$2 + 2]}"
}
flat agent 0 "$first" "$agent_settled" "$last"
flat corral-web 3 "$first" "$settled" "$last"
flat "corral top" 6 "$first" "$settled" "$last"
echo "soak: CPU: corral-web $(cpu_ms "$web") ms, corral top $(cpu_ms "$top") ms"
head -n 5 "$tmp/errors" "$tmp/check" | cut -c 1-200
((bad)) && echo "soak: FAILED" || echo "soak: passed"
exit "$bad"
