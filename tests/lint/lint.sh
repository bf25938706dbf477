#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What must hold of the sources besides that they compile. `make lint` runs it.
# Usage: tests/lint/lint.sh [CHECK...]   without arguments: all but those that take longer: circles,
#                                        tidy_bench and tidy_tests (make lint-slow), analyze (make
#                                        analyze) and analyze_all
# shellcheck disable=SC2317 # the checks are called by name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
shopt -s nullglob

CC=${CC:-gcc}
TIDY_CFLAGS=${TIDY_CFLAGS:--std=gnu11 -D_GNU_SOURCE -Ishm -Itools -Iagent -Ibench -Itests/kit}
WIDTH_MAX=100 # columns, with tabs of eight

c_files=(shm/*.h shm/*/*.[ch] redis/*.[ch] agent/*.[ch] tools/*.[ch] tools/common/*.[ch]
	web/*.[ch] bench/*.[ch] bench/*/*.[ch] tests/*/*.[ch] examples/*.c clients/*/*.[ch]
	debian/tests/*.c)
scripts=(tools/*.sh tools/completion/*.bash web/*.sh bench/*.sh tests/*.sh tests/*/*.sh
	clients/*/*.sh clients/*/{test,bench}/*.sh .ci/run debian/*.postrm
	debian/tests/{completion,life,redis,removal,upgrade})
javascript=(web/page/*.js clients/*/*.[cm]js clients/*/*.ts
	clients/*/{lib,test,test/*,bench,examples/*}/*.{cjs,mjs,ts,mts,cts})
python=(tests/*/*.py clients/python/{corral,test,bench,examples/*}/*.py clients/python/corral/*.pyi)
manuals=(shm/*.[1-8] redis/*.[1-8] agent/*.[1-8] tools/*.[1-8] web/*.[1-8] bench/*.[1-8])

# A file includes only headers of lower layers; a foreign library has one includer.
check_layers() {
	awk -f tests/lint/layers.awk tests/lint/layers "${c_files[@]}" shm/*/*.def
}

# No two of these modules use each other, however far around: tsort puts them in one order, or names
# the circle. An edge is a name that one object file defines and another one wants.
find_circles() { # FILE...
	local objects file names
	objects=$(mktemp -d) || return
	export CC TIDY_CFLAGS objects
	# not optimized: only names count, and it takes a fifth of the time
	printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c \
		'file={} && "$CC" $TIDY_CFLAGS -O0 -w -c "$file" -o "$objects/${file//\//@}"' || {
		rm -rf "$objects"
		return 1
	}
	names=$(cd "$objects" && for file in *; do
		nm -g "$file" | awk -v module="${file%.c}" '
			NF == 3 { print $3, "D", module }
			NF == 2 { print $2, "U", module }'
	done)
	rm -rf "$objects"
	awk '$2 == "D" { home[$1] = $3 } $2 == "U" { users[$1] = users[$1] " " $3 }
		END {
			for (name in users) {
				count = split(users[name], list, " ")
				for (i = 1; i <= count; i++)
					if (name in home) print home[name], list[i]
			}
		}' <<<"$names" | tsort >/dev/null
}

check_circles() { find_circles shm/*/*.c && find_circles bench/*.c bench/*/*.c; }

# A barrier's label, such as [S1], stands at its partner too. X is the letter of examples.
check_labels() {
	grep -noE '(^|[ (])\[[A-WYZ][0-9]+\]' shm/*/*.[ch] | awk -F: '
		{
			gsub(/[^A-Z0-9]/, "", $3)
			if (!seen[$1, $2, $3]++) {
				sites[$3]++
				last[$3] = $1 ":" $2
			}
		}
		END {
			for (label in sites)
				if (sites[label] < 2) {
					print last[label] ": [" label "] stands here only"
					bad = 1
				}
			exit bad
		}'
}

# In a host's process files are opened by descriptor_open(), whose numbers are never those of the
# standard streams; each program of ours fills its missing streams before it does anything else.
check_descriptors() {
	local main opens bad=0
	opens='open|openat|openat2|creat|dup|fopen|fdopen|opendir|scandir|mkostemp|memfd_create'
	opens+='|socket|pipe2?|eventfd'
	grep -nE "\b($opens)\(|F_DUPFD" shm/*/*.[ch] redis/*.[ch] |
		grep -v '^shm/arena/descriptor\.' && bad=1
	for main in agent/main.c tools/main.c web/main.c bench/main.c; do
		awk '/^int main\(/ { inside = 1 }
			inside && /\);$/ { exit !/streams_begin\(/ }' "$main" ||
			{ echo "$main: main() does not call streams_begin() first" && bad=1; }
	done
	return $bad
}

public_names() {
	"$CC" -fpreprocessed -E -P shm/corral.h | grep -oE '\bcorral_[a-z0-9_]+\(' |
		tr -d '(' | sort -u
}

# The version script exports what corral.h declares.
check_names() {
	diff --label 'shm/corral.h' --label 'shm/corral.map' -u <(public_names) \
		<(sed -n '/global:/,/local:/s/^\t\(corral_.*\);$/\1/p' shm/corral.map)
}

# The changelogs begin with the version of corral.h, and the packages' symbols are those exported.
check_packages() {
	local version
	version=$(sed -n 's/^#define CORRAL_VERSION "\(.*\)"$/\1/p' shm/corral.h)
	diff --label shm/corral.h --label CHANGELOG.md -u <(echo "$version") \
		<(sed -n 's/^## \[\(.*\)\].*/\1/p' CHANGELOG.md | head -n 1) &&
		diff --label shm/corral.h --label debian/changelog -u <(echo "$version") \
			<(sed -n '1s/^corral (\(.*\)) .*/\1/p' debian/changelog) &&
		diff --label shm/corral.h --label debian/libcorral0.symbols -u <(public_names) \
			<(sed -n 's/^ \(corral_.*\)@CORRAL_0 .*/\1/p' debian/libcorral0.symbols)
}

# No line is too long.
check_width() {
	awk -v max=$WIDTH_MAX '
		{ line = $0; gsub(/\t/, "        ", line) }
		length(line) > max {
			print FILENAME ":" FNR ": " length(line) " columns, more than " max
			bad = 1
		}
		END { exit bad }' "${c_files[@]}" "${scripts[@]}" "${javascript[@]}" "${python[@]}"
}

check_spdx() {
	local file bad=0
	for file in "${c_files[@]}" "${scripts[@]}" "${javascript[@]}" "${python[@]}" \
		tools/completion/* tests/model/*.pml Makefile debian/rules; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' ||
			{ echo "$file: no SPDX line" && bad=1; }
	done
	return $bad
}

check_leftovers() {
	! grep -nE '\b(TODO|FIXME|XXX)\b' "${c_files[@]}" "${manuals[@]}" ./*.md tools/*.sh \
		tests/*.sh tests/*/*_*.sh tests/model/*
}

# A test that is skipped says why.
check_skips() {
	! grep -nE '(^|[^_])skip\(\);' tests/*/*.c && ! grep -nE 'command -v .*skip' tests/*/*_*.sh
}

check_manuals() {
	mandoc -T lint -W warning "${manuals[@]}"
}

# What the texts link to is there.
check_links() {
	local file target bad=0
	for file in ./*.md docs/*.md; do
		while read -r target; do
			[[ -e ${file%/*}/$target ]] ||
				{ echo "$file: $target is not there" && bad=1; }
		done < <(grep -oE '\]\([^)#:]+[)#]' "$file" | sed -E 's/^\]\(//; s/[)#]$//')
	done
	return $bad
}

check_shell() {
	# SC2016: single quotes that keep a dollar are meant
	printf '%s\n' "${scripts[@]}" | xargs -P "$(nproc)" -n 4 shellcheck -x -e SC2016
}

check_format() {
	clang-format --dry-run -Werror "${c_files[@]}" 2>&1 | awk -F: '
		/code should be clang-formatted/ { lines[$1]++ }
		!/code should be clang-formatted/ && / error: / { print; bad = 1 }
		END {
			for (file in lines) {
				print file ": " lines[file] " places are not as .clang-format" \
					" wants them: make format"
				bad = 1
			}
			exit bad
		}'
}

# The findings only, each once; `clang-tidy FILE -- FLAGS` tells the whole story of one. What was
# found clean is remembered by all that clang-tidy sees of it: the preprocessed text, comments
# (NOLINT) included, the source, its settings and its version.
tidy_one() {
	local output clean
	# shellcheck disable=SC2086 # the flags are many words
	clean=$({
		"$CC" -E -C -dD $TIDY_CFLAGS "$1" && cat "$1" .clang-tidy
		echo "$TIDY_CFLAGS $TIDY_VERSION $TIDY_CHECKS"
	} 2>&1 | sha256sum)
	clean=$TIDY_CLEAN/${clean%% *}
	[[ -e $clean ]] && return 0
	# shellcheck disable=SC2086
	output=$(clang-tidy --quiet --checks="$TIDY_CHECKS" "$1" -- $TIDY_CFLAGS 2>&1) &&
		: >"$clean" && return 0
	grep -E ': (error|warning): ' <<<"$output" || printf '%s\n' "$output"
	return 1
}

tidy() { # CHECKS FILE...: what to leave out of those in .clang-tidy
	export -f tidy_one
	export TIDY_CFLAGS CC TIDY_CHECKS=$1
	shift
	export TIDY_CLEAN=${BUILD:-build}/lint TIDY_VERSION
	TIDY_VERSION=$(clang-tidy --version)
	mkdir -p "$TIDY_CLEAN"
	# the largest first: two long ones at the end would wait for each other
	wc -c "$@" | sort -rn | awk '$2 != "total" { print $2 }' |
		xargs -P "$(nproc)" -I{} bash -c 'tidy_one {}' | LC_ALL=C sort -u | sed "s,$PWD/,,"
}

check_tidy() {
	tidy '-clang-analyzer-*' shm/*/*.c redis/*.c agent/*.c tools/*.c tools/common/*.c web/*.c
}

check_tidy_bench() {
	tidy '-clang-analyzer-*' bench/*.c bench/*/*.c examples/*.c
}

check_tidy_tests() {
	tidy '-clang-analyzer-*' tests/*/*.c debian/tests/*.c
}

# All paths through each function, symbolically: nine tenths of what clang-tidy takes. (Not of the
# tests: see tests/.clang-tidy.)
check_analyze() {
	tidy '-bugprone-*,-misc-*' shm/*/*.c redis/*.c agent/*.c tools/common/*.c
}

check_analyze_all() {
	tidy '-bugprone-*,-misc-*' shm/*/*.c redis/*.c agent/*.c tools/*.c tools/common/*.c \
		web/*.c bench/*.c bench/*/*.c
}

passed=0 failed=0
checks=(layers descriptors labels names packages width spdx leftovers skips manuals links
	shell format tidy)
[[ $# -eq 0 ]] || checks=("$@")
for check in "${checks[@]}"; do
	start=$(date +%s%N)
	if output=$("check_$check" 2>&1); then
		passed=$((passed + 1)) state="ok  "
	else
		failed=$((failed + 1)) state="RED "
	fi
	took=$((($(date +%s%N) - start) / 1000000))
	printf '%s lint %-12s %d.%03d s\n' "$state" "$check" $((took / 1000)) $((took % 1000))
	[[ $state == ok* ]] || printf '%s\n' "$output" | tail -n 200 | sed 's/^/     | /'
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
