# SPDX-License-Identifier: Apache-2.0
# Completion of usher for fish. Commands and options come from --help.

function __usher_commands
    usher --help 2>/dev/null | string replace -rf '^  ([a-z]+) +(.*)' '$1\t$2'
end

function __usher_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and echo $words[2]
end

function __usher_options
    set -l command (__usher_command)
    usher $command --help 2>/dev/null | string replace -rf '^ +(?:-[a-zA-Z], )?(--[a-z-]+).*?(?:  +(.*))?$' '$1\t$2'
end

function __usher_policies
    set -l config $XDG_CONFIG_HOME
    test -n "$config"; or set config $HOME/.config
    for directory in $config/usher/policies /etc/usher/policies (path dirname (path dirname (command -s usher)))/share/usher/policies
        for file in $directory/*.ini
            string replace -r '.*/(.*)\.ini$' '$1' $file
        end
    end
end

function __usher_before
    set -l words (commandline -opc)
    contains -- $words[-1] $argv
end

complete -c usher -f -n 'test (count (commandline -opc)) -eq 1' -a '(__usher_commands)'
complete -c usher -f -n 'test (count (commandline -opc)) -ge 2; and string match -q -- "-*" (commandline -ct)' -a '(__usher_options)'
complete -c usher -n '__usher_before -p --policy' -a '(__usher_policies)'
complete -c usher -n 'test "$(__usher_command)" = check' -a '(__usher_policies)'
complete -c usher -f -n '__usher_before --net' -a 'host broker none'
complete -c usher -f -n '__usher_before --verdict' -a 'allow deny inject kill'
complete -c usher -n 'test "$(__usher_command)" = run; and test (count (commandline -opc)) -eq 2' -a '(__fish_complete_command)'
