# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completion of corral(1) and the programs beside it for bash. What the last word may be is asked of
# the program itself, so that this file does not go out of date.

_corral() {
	local word words=() lines=()
	for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
		[[ $word == = ]] || words+=("$word") # bash makes three words of --dir=/x
	done
	[[ ${COMP_WORDS[COMP_CWORD]} != = ]] || words+=("")
	mapfile -t lines < <("$1" --complete "${words[@]}" 2>/dev/null | cut -f 1)
	case ${lines[0]} in
	:files)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$2")
		;;
	:directories)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$2")
		;;
	*) mapfile -t COMPREPLY < <(compgen -W "${lines[*]}" -- "$2") ;;
	esac
}

complete -F _corral corral corral-agent corral-web corral-bench
