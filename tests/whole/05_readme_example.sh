#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The C example in README.md compiles against an installed Corral, runs, and prints what the README
# says.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-$PWD/build}
CC=${CC:-gcc}
# shellcheck source=tests/kit/claim_kit.sh
. tests/kit/claim_kit.sh
root=$tmp/root prefix=/opt/corral dir=$tmp/carts

at_the_end() {
	"$BUILD/corral-agent" --dir "$dir" --stop >/dev/null 2>&1
}

# The first fenced ```c block, and the ```text block after it, which is its output.
block() { # block LANGUAGE
	awk -v start="\`\`\`$1" '
		$0 == start && !done { inside = 1; next }
		/^```/ && inside { inside = 0; done = 1 }
		inside' README.md
}

compile() {
	local flags sanitize
	# a sanitizer's runtime must be linked first: into the program
	sanitize=$(grep -oE -- '-fsanitize=[^ ]+' "$BUILD/flags" | head -n 1)
	flags=$(PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=$root$prefix/lib/pkgconfig pkg-config \
		--cflags --libs corral) || return
	# shellcheck disable=SC2086 # the flags are many words
	"$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror $sanitize -o "$tmp/example" \
		"$tmp/example.c" $flags
}

run_example() {
	CORRAL_DIR=$dir LD_LIBRARY_PATH=$root$prefix/lib "$tmp/example" >"$tmp/printed" &&
		cat "$tmp/printed"
}

refused_without_arena() {
	! CORRAL_DIR=$tmp/nowhere LD_LIBRARY_PATH=$root$prefix/lib "$tmp/example" 2>"$tmp/why" &&
		[[ -s $tmp/why ]]
}

block c >"$tmp/example.c"
block text >"$tmp/expected"
claim "README.md has a C example" test -s "$tmp/example.c"
claim "README.md says what it prints" test -s "$tmp/expected"
claim "make install works" env -u MAKEFLAGS -u MFLAGS make -s install-files BUILD="$BUILD" \
	DESTDIR="$root" PREFIX=$prefix
claim "it compiles with pkg-config's flags" compile
claim "without an arena it says why and fails" refused_without_arena
claim "the agent starts" "$BUILD/corral-agent" --dir "$dir" --size 16M --max-carts 100 --daemon
claim "it runs" run_example
claim "it prints what the README says" diff "$tmp/expected" "$tmp/printed"
claim "the agent stops" "$BUILD/corral-agent" --dir "$dir" --stop
claim "it runs without an agent" run_example
claim "on the cart that is still there" grep -qx '6 items, 4096 cents' "$tmp/printed"

report_claims
