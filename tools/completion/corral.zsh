#compdef corral corral-agent corral-web corral-bench
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of corral(1) and the programs beside it for zsh. What the last word may be is asked of
# the program itself, so that this file does not go out of date.

local -a lines
lines=(${(f)"$($words[1] --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)"})
case $lines[1] in
:files) _files ;;
:directories) _files -/ ;;
*)
	lines=("${(@)lines//:/\\:}")
	lines=("${(@)lines/$'\t'/:}")
	_describe -V corral lines
	;;
esac
