# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mutant_kit.sh: sourced by the scripts that check that tests can fail: each mutant takes one thing
# away in a copy of the tree, and a test must then fail. The script defines two functions: build,
# which writes to build.log, and is_red ARGUMENT..., which says by what a mutant is killed.
# shellcheck disable=SC2154 # pattern is the script's

killed=0 survived=0

enter_copy() { # ROOT: where the files go that git knows; what is there already stays
	git ls-files -z | xargs -0 cp -p --parents -t "$1"
	cd "$1" || exit 2
}

must_build() {
	build && return
	tail -n 5 build.log
	exit 2
}

# mutant NAME FILE SED [ARGUMENT...]: the sed script must change the file. The arguments are passed
# to is_red.
mutant() {
	local by
	[[ $1 =~ $pattern ]] || return 0
	cp "$2" "$2.whole"
	sed -i -E "$3" "$2"
	if cmp -s "$2" "$2.whole"; then
		echo "BROKEN   $1: nothing to take away in $2"
		survived=$((survived + 1))
	elif ! build; then
		echo "BROKEN   $1: does not compile"
		survived=$((survived + 1))
	elif by=$(is_red "${@:4}"); then
		echo "killed   $1 (by $by)"
		killed=$((killed + 1))
	else
		echo "SURVIVED $1"
		survived=$((survived + 1))
	fi
	mv "$2.whole" "$2"
	touch "$2"
}

count_mutants() { # and exit: non-zero when one has survived
	echo "$killed killed, $survived survived"
	[[ $survived -eq 0 ]]
	exit
}
