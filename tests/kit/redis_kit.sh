# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# redis_kit.sh: sourced, behind agent_kit.sh, by the scripts that need servers: one, or a cluster of
# six on loopback, three masters with a replica each. All of them are killed at the claim's end.
# shellcheck disable=SC2154 # place is the claim's
# shellcheck disable=SC2034 # location is the claim's

export CORRAL_REDIS_MODULE=$BUILD/libcorral-redis.so.0
unset CORRAL_REDIS_PASSWORD

within=() # a command that runs servers, and the like, elsewhere

server() { # NAME ARGUMENT...: in the directory $place/NAME, where its pid is in the file pid
	local name=$1
	shift
	mkdir -p "$place/$name"
	"${within[@]}" redis-server --dir "$place/$name" --daemonize no --save "" \
		--loglevel notice --unixsocket "$place/$name/sock" "$@" \
		>"$place/$name/log" 2>&1 &
	echo $! | tee -a "$place/pids" >"$place/$name/pid"
}

ask() { # NAME ARGUMENT...: what redis-cli says, through the server's socket
	local name=$1
	shift
	timeout 10 redis-cli -s "$place/$name/sock" "$@" 2>&1
}

ready() { # NAME
	local n
	for ((n = 0; n < 200; n++)); do
		[[ $(ask "$1" PING) == PONG ]] && return 0
		sleep 0.05
	done
	fail "the server $1 does not answer: $(tail -n 3 "$place/$1/log")"
}

one_server() { # ARGUMENT...: without TCP; sets location
	server one --port 0 --appendonly no "$@"
	ready one
	location=redis+unix://$place/one/sock
}

# Ports of loopback that are free, also with 10000 added, which a cluster's servers talk on.
free_ports() { # COUNT
	local port used count=0
	used=$(awk '{ print substr($2, index($2, ":") + 1) }' /proc/net/tcp /proc/net/tcp6)
	for ((port = 20000 + RANDOM % 20000; count < $1; port++)); do
		grep -qixF -e "$(printf %04X "$port")" -e "$(printf %04X $((port + 10000)))" \
			<<<"$used" && continue
		echo "$port"
		count=$((count + 1))
	done
}

cluster_of() { # COUNT TIMEOUT_MS ARGUMENT...: masters, each with a replica; sets location and ports
	local count=$1 timeout=$2 port
	shift 2
	mapfile -t ports < <(free_ports $((count * 2)))
	for port in "${ports[@]}"; do
		of_cluster "$port" 127.0.0.1 "$timeout" "$@"
	done
	make_cluster "${ports[@]/#/127.0.0.1:}"
}

of_cluster() { # PORT ADDRESS TIMEOUT_MS ARGUMENT...: a server
	server "$1" --port "$1" --bind "$2" --cluster-enabled yes --cluster-node-timeout "$3" \
		--appendonly yes --repl-diskless-sync-delay 0 "${@:4}"
}

make_cluster() { # ADDRESS:PORT...: of servers, half of which become masters; sets location
	local port
	for port in "${@#*:}"; do
		ready "$port"
	done
	timeout 60 "${within[@]}" redis-cli --cluster create "$@" --cluster-replicas 1 \
		--cluster-yes >"$place/create" 2>&1 ||
		fail "no cluster: $(tail -n 5 "$place/create")"
	for port in "${@#*:}"; do
		settled "$port"
	done
	location="redis+cluster://$1,$2,$3"
}

settled() { # PORT: it knows the whole cluster, and a replica has its master's data
	local n
	for ((n = 0; n < 600; n++)); do
		if [[ $(ask "$1" CLUSTER INFO) == *cluster_state:ok* ]]; then
			local role
			role=$(ask "$1" ROLE)
			[[ ${role%%$'\n'*} == master && $(sed -n 3p <<<"$role") != "" ]] && return 0
			[[ ${role%%$'\n'*} == slave && $role == *connected* ]] && return 0
		fi
		sleep 0.05
	done
	fail "server $1 does not settle: $(ask "$1" CLUSTER NODES)"
}

contract_holds_at() { # LOCATION
	local log=$place/contract.log code=0
	timeout 200 "$BUILD/tests/contract/contract" "$1" >"$log" 2>&1 || code=$?
	[[ $code -eq 0 ]] || fail "exit code $code: $(grep -vE '^\[ +(RUN|OK) ' "$log")"
	grep -qE '^\[ +OK ' "$log" || fail "no case was run"
}

at() { # CODE ARGUMENT...: corral on $location; sets out
	local want=$1 code=0
	shift
	out=$(timeout -k 5 60 "$BUILD/corral" --dir "$location" "$@" 2>&1) || code=$?
	[[ $code -eq $want ]] || fail "corral $*: exit code $code, not $want: $out"
}
