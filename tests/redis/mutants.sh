#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Check that the tests of carts on a cluster can fail. Each mutant takes one thing away that such
# carts rely on, in a copy of the tree; the claim that is named with it must then fail.
# Usage: [BUILD=dir] tests/redis/mutants.sh [PATTERN]   (make cluster-mutants)
# Prints a line for each mutant; exits non-zero when one survives.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
root=$(mktemp -d "${TMPDIR:-/tmp}/c.XXXXXX") # short: a socket's path has 107 bytes at most
trap 'rm -rf "$root"' EXIT
pattern=${1:-.}
killed=0 survived=0
build=$(realpath -e "${BUILD:-build}") || exit 2

git ls-files -z | xargs -0 cp -p --parents -t "$root"
cp -a "$build" "$root/build"
cd "$root" || exit 2
unset BUILD

build() {
	make DEPS=skip build/libcorral-redis.so.0 build/corral build/tests/contract/contract \
		build/tests/redis/history build/tests/redis/crowd \
		build/tests/redis/forked >build.log 2>&1
}

# mutant NAME SCRIPT CLAIM FILE SED: the sed script must change the file
mutant() {
	local tries
	[[ $1 =~ $pattern ]] || return 0
	cp "$4" "$4.whole"
	sed -i -E "$5" "$4"
	if cmp -s "$4" "$4.whole"; then
		echo "BROKEN   $1: nothing to take away in $4"
		survived=$((survived + 1))
	elif ! build; then
		echo "BROKEN   $1: does not compile"
		survived=$((survived + 1))
	else
		for tries in 1 2 3; do # what happens in a failover is different each time
			TMPDIR=$root timeout 200 "tests/redis/$2" "$3" >claim.log 2>&1 || break
		done
		if grep -q '^not ok ' claim.log; then
			echo "killed   $1 (by $3, in round $tries)"
			killed=$((killed + 1))
		else
			echo "SURVIVED $1"
			survived=$((survived + 1))
		fi
	fi
	mv "$4.whole" "$4"
	touch "$4"
}

build || {
	tail -n 5 build.log
	exit 2
}
mutant 'a swap by script does not compare heads' 86_redis.sh \
	adds_of_many_processes_count_once_each \
	redis/scripts.h 's/local fits = h == head/local fits = true/'
mutant 'a plain swap replaces whatever is there' 86_redis.sh \
	adds_of_many_processes_count_once_each \
	redis/engine.c '/^static int swap_plainly/,/^}/ {
		s/"LINSERT"/"LSET"/
		s/"AFTER"/"0"/
		s/^\tcommand_add\(&commands\[count\], request->head, .*$//
		s/"2"/"1"/
		s/length != NULL && length->integer == 3 \? 0 : 1/length == NULL ? 0 : 1/
	}'
mutant 'a read does not renew the time' 86_redis.sh the_contract_holds_on_one_server \
	redis/scripts.h 's/^\t"  elseif ttl - left > ttl \/ 128 then/\t"  elseif false then/'
mutant 'the tombstone of a cart is left out' 86_redis.sh \
	a_cart_that_is_made_again_goes_on_with_its_versions \
	redis/engine.c 's/^#define ENDED_MS .*$/#define ENDED_MS 1ull/
		s/value->floor = max_u64\(value->version,/value->floor = min_u64(0,/'
mutant 'a change that waits for long gets no turn' 86_redis.sh a_client_far_away_gets_its_turn \
	redis/scripts.h 's/ARGV\[5\] ~= .0. and/false and/'
mutant 'a child goes on with connections of its parent' 86_redis.sh \
	a_forked_child_goes_on_with_its_parents_handle \
	redis/store.c '/^static void lock/,/^}/ s/^\t\tforget_connections\(store\);//'
mutant 'nothing waits for replicas' cluster.sh \
	a_killed_master_costs_no_durable_change_and_no_caller_an_error \
	redis/engine.c '/^static bool waits/,/^}/ s/return .*$/return store == NULL;/'
mutant 'any count of replicas will do' cluster.sh a_repeat_waits_for_what_it_repeats \
	redis/engine.c 's/reply->integer >= \(long long\)/reply->integer + 99 >= (long long)/'
mutant 'a wait ahead of the change, not behind it' cluster.sh \
	a_repeat_waits_for_what_it_repeats \
	redis/store.c '/^static int ask_once/,/^}/ {
		s/^\tr = \(asking .*$/\tstruct command turned[STORE_COMMANDS_MAX];\
			const bool waits = commands[count - 1].words[0][0] == 'W';\
			for (int i = 0; i < count; i++)\
				turned[(i + waits) % count] = commands[i];\
			commands = turned;\
&/
		s/^\tr = receive_all\(.*$/&\
			redisReply *first = replies[0];\
			for (int i = 0; r == 0 \&\& waits \&\& i < count; i++)\
				replies[i] = i + 1 < count ? replies[i + 1] : first;/
	}'
# (That a repeat writes before it waits cannot be seen on Redis 7.0: there WAIT waits for all that
# the server had written when the connection's last command came, even if that was a read. Its
# manual promises this of writes only.)
mutant 'a change does not know its own id' 86_redis.sh a_change_whose_answer_got_lost_counts_once \
	shm/api/remote_record.c \
	's/\*ret_has \|= memcmp.*$/*ret_has |= bytes == (const void *)\&id;/'

echo "$killed killed, $survived survived"
[[ $survived -eq 0 ]]
