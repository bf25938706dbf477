# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completion of corral(1) for bash. What can be completed is asked of the program itself, so
# that this file does not go out of date. Ids are not completed: they are what strangers sent.

# The commands: "  name  what it does" in the program's help.
_corral_commands() {
	"$1" --help 2>/dev/null | sed -n '/^Usage/,/^  --/s/^  \([a-z][a-z]*\) .*/\1/p'
}

# A command's options: the words in the first column of its help.
_corral_options() {
	"$1" help "$2" 2>/dev/null | sed -n 's/^  \(--[a-z][a-z-]*\).*/\1/p'
}

_corral() {
	local program=$1 current=$2 previous=$3 command='' i
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--dir) i=$((i + 1)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $previous in
	--dir)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	--item | --name | --price | --quantity | --modifier | --note | --tax | --restaurant | \
		--op-id | --if-version)
		return
		;;
	esac
	local words=
	if [[ -z $command ]]; then
		words="$(_corral_commands "$program") --dir --help --version"
	elif [[ $current == -* ]]; then
		words=$(_corral_options "$program" "$command")
	elif [[ $command == help && $previous == help ]]; then
		words=$(_corral_commands "$program")
	elif [[ $command == inspect && $previous == inspect ]]; then
		words="header memory slots classes processes threads readers locks deaths"
	elif [[ $command == check || $command == snapshot || $command == restore ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
	[[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _corral corral
