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
build=$(realpath -e "${BUILD:-build}") || exit 2
# shellcheck source=tests/kit/mutant_kit.sh
. tests/kit/mutant_kit.sh

cp -a "$build" "$root/build"
enter_copy "$root"
unset BUILD

build() {
	make DEPS=skip build/libcorral-redis.so.0 build/corral build/tests/contract/contract \
		"${programs[@]/#/build/tests/redis/}" >build.log 2>&1
}
programs=(history crowd forked killed waits)

is_red() { # SCRIPT CLAIM
	local round
	for round in 1 2 3; do # what happens in a failover is different each time
		TMPDIR=$root timeout 200 "tests/redis/$1" "$2" >claim.log 2>&1 || break
	done
	grep -q '^not ok ' claim.log && echo "$2, in round $round"
}

mutant_of() { # NAME SCRIPT CLAIM FILE SED
	mutant "$1" "$4" "$5" "$2" "$3"
}

must_build
mutant_of 'a swap by script does not compare heads' 86_redis.sh \
	adds_of_many_processes_count_once_each \
	redis/scripts.h 's/local fits = h == head/local fits = true/'
mutant_of 'a plain swap replaces whatever is there' 86_redis.sh \
	adds_of_many_processes_count_once_each \
	redis/engine.c '/^static int swap_plainly/,/^}/ {
		s/"LINSERT"/"LSET"/
		s/"AFTER"/"0"/
		s/^\tcommand_add\(&commands\[count\], request->head, .*$//
		s/"2"/"1"/
		s/length != NULL && length->integer == 3 \? 0 : 1/length == NULL ? 0 : 1/
	}'
mutant_of 'a read does not renew the time' 86_redis.sh the_contract_holds_on_one_server \
	redis/scripts.h 's/^\t"  elseif ttl - left > ttl \/ 128 then/\t"  elseif false then/'
mutant_of 'the tombstone of a cart is left out' 86_redis.sh \
	a_cart_that_is_made_again_goes_on_with_its_versions \
	redis/engine.c 's/^#define ENDED_MS .*$/#define ENDED_MS 1ull/
		s/value->floor = max_u64\(value->version,/value->floor = min_u64(0,/'
mutant_of 'a change that waits for long gets no turn' 86_redis.sh a_client_far_away_gets_its_turn \
	redis/scripts.h 's/ARGV\[5\] ~= .0. and/false and/'
mutant_of 'a child goes on with connections of its parent' 86_redis.sh \
	a_forked_child_goes_on_with_its_parents_handle \
	redis/store.c '/^static void lock/,/^}/ s/^\t\tforget_connections\(store\);//'
mutant_of 'nothing waits for replicas' cluster.sh \
	a_killed_master_costs_no_durable_change_and_no_caller_an_error \
	redis/engine.c '/^static bool waits/,/^}/ s/return .*$/return store == NULL;/'
mutant_of 'any count of replicas will do' cluster.sh a_repeat_waits_for_what_it_repeats \
	redis/engine.c 's/reply->integer >= \(long long\)/reply->integer + 99 >= (long long)/'
mutant_of 'a wait ahead of the change, not behind it' cluster.sh \
	a_repeat_waits_for_what_it_repeats \
	redis/store.c '/^static int ask_once/,/^}/ {
		s/^\tr = \(asking .*$/\tstruct command turned[STORE_COMMANDS_MAX];\
			const bool waits = strcmp(commands[count - 1].words[0], "WAIT") == 0;\
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
mutant_of 'a change does not know its own id' 86_redis.sh \
	a_change_whose_answer_got_lost_counts_once \
	shm/api/remote_record.c \
	's/\*ret_has \|= memcmp.*$/*ret_has |= bytes == (const void *)\&id;/'
mutant_of 'only the comparison is a transaction' 86_redis.sh \
	a_client_that_is_killed_loses_nothing_and_leaves_nothing_behind \
	redis/engine.c '/^static int swap_plainly/,/^}/ {
		s/^\tconst int exec = count;$/\tconst int exec = 2;/
		s/"EXEC"/"PING"/
		s/^\tbegin_for_key.*"LSET", /\tcommand_begin(\&commands[count++], "EXEC");\n&/
	}'
mutant_of 'a turn does not end' 86_redis.sh \
	a_client_that_is_killed_loses_nothing_and_leaves_nothing_behind \
	redis/scripts.h "s/now \+ ARGV\[5\]\)/now + 900000)/"
mutant_of 'carts are looked at ten times a second' 86_redis.sh \
	who_waits_for_many_carts_is_told_of_changes \
	shm/api/remote_wait.c 's/^#define LOOK_NS .*$/#define LOOK_NS 100000000ll/'
mutant_of 'unknown keys are not handed on' 86_redis.sh \
	an_earlier_corral_takes_nothing_from_what_a_later_one_wrote \
	shm/api/remote_change.c 's/if \(trial->unknown_keys\) \{/if (false) {/'
mutant_of 'unknown keys of a line are not noticed' 86_redis.sh \
	an_earlier_corral_takes_nothing_from_what_a_later_one_wrote \
	shm/api/remote_change.c 's/made.unknown_within != 0 \&\& /false \&\& /'
mutant_of 'a later format is taken for ours' 86_redis.sh \
	an_earlier_corral_takes_nothing_from_what_a_later_one_wrote \
	redis/engine.c 's/if \(at\[1\] != VALUE_FORMAT\)/if (false)/'
mutant_of 'a restore does not hand its seed on' 86_redis.sh \
	a_restore_keeps_operation_ids_where_it_makes_the_store \
	tools/cmd_snapshot.c 's/restore->in.header.hash_seed, options/(uint64_t)0, options/'
count_mutants
