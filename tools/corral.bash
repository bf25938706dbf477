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
	--item | --name | --price | --quantity | --modifier | --note | --tax | --restaurant | --op-id | --if-version)
		return
		;;
	esac
	if [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_corral_commands "$program") --dir --help --version" -- "$current")
	elif [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_corral_options "$program" "$command")" -- "$current")
	elif [[ $command == help && $previous == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_corral_commands "$program")" -- "$current")
	elif [[ $command == inspect && $previous == inspect ]]; then
		mapfile -t COMPREPLY < <(compgen -W "header memory slots classes processes threads readers locks deaths" -- "$current")
	elif [[ $command == check || $command == snapshot || $command == restore ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}

complete -F _corral corral
