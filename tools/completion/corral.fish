# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of corral(1) and the programs beside it for fish. What the last word may be is asked of
# the program itself, so that this file does not go out of date.

function __corral_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l lines ($words[1] --complete $words[2..-1] "$last" 2>/dev/null)
    switch "$lines[1]"
        case :files
            __fish_complete_path "$last"
        case :directories
            __fish_complete_directories "$last"
        case '*'
            printf '%s\n' $lines
    end
end

complete -c corral -c corral-agent -c corral-web -c corral-bench -f -a '(__corral_complete)'
