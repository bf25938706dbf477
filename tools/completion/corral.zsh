#compdef corral corral-agent corral-bench
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of corral(1), corral-agent(8) and corral-bench(1) for zsh. What the last word may be is
# asked of the program itself, so that this file does not go out of date.

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
