# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# web_kit.sh: sourced, behind agent_kit.sh, by the scripts that test corral-web. A claim starts it
# by web(); all that runs in the background is ended with the agents.
# shellcheck disable=SC2154 # place and dir are the claim's
# shellcheck disable=SC2034 # url and listeners, too

listeners=()

# In the background; sets url, port and web_pid. Again: at the same port.
web() { # OPTION...
	local n
	"$BUILD/corral-web" --dir "${location:-$dir}" --listen "127.0.0.1:${port:-0}" "$@" \
		>"$place/web" 2>>"$place/web.err" &
	web_pid=$!
	echo "$web_pid" >>"$place/pids"
	for ((n = 0; n < 1000; n++)); do
		url=$(sed -n 's,.*listening at \(.*\)/$,\1,p' "$place/web" 2>/dev/null)
		[[ -n $url ]] && break
		kill -0 "$web_pid" 2>/dev/null || fail "it does not start: $(cat "$place/web.err")"
		sleep 0.01
	done
	port=${url##*:}
}

web_says() { # CODE OPTION...: run it to its end; sets out
	local want=$1 code=0
	shift
	out=$(timeout -k 5 30 "$BUILD/corral-web" --dir "$dir" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] || fail "corral-web $*: exit code $code, not $want: $out"
}

get() { # PATH [CURL-OPTION...]: sets out
	local path=$1
	shift
	out=$(curl -sS -m 30 -g --fail-with-body "$@" "$url$path" 2>&1) || fail "$path: $out"
}

refused() { # STATUS-PATTERN CURL-ARGUMENT...: such an answer comes
	local want=$1 status
	shift
	status=$(curl -s -m 30 -g -o "$place/refused" -w '%{http_code}' "$@")
	# shellcheck disable=SC2053 # a pattern
	[[ $status == $want ]] ||
		fail "curl ${*:0:200}: $status, not $want: $(head -c 300 "$place/refused")"
}

# The status of a request that is written here: curl takes too long to be started a hundred times.
status_of() { # METHOD PATH HOST: sets out
	local fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || fail "no connection"
	printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$@" >&"$fd"
	read -r -t 30 _ out _ <&"$fd" || fail "no answer to $*"
	exec {fd}>&-
}

eventually() { # TEXT URL: an answer has it
	local n
	for ((n = 0; n < 600; n++)); do
		[[ $(curl -s -m 30 "$2") == *"$1"* ]] && return
		sleep 0.05
	done
	fail "$2 never has $1"
}

# A stream of events, into the file $place/NAME; returns when it has begun.
listen() { # NAME PATH [CURL-OPTION...]
	local name=$1 path=$2
	shift 2
	: >"$place/$name"
	curl -sN -m 100 "$@" "$url$path" >"$place/$name" &
	listeners+=($!)
	echo $! >>"$place/pids"
	told "$name" "id: "
}

told() { # NAME TEXT: it comes
	local n
	for ((n = 0; n < 1000; n++)); do
		grep -qF -- "$2" "$place/$1" && return
		sleep 0.01
	done
	fail "never told: $2, but: $(tail -n 20 "$place/$1")"
}

sound_after_all() { # the arena has no fault that an ended corral-web could have left
	agent 0 --stop
	corral 0 check
}
