# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Completion of aiopsctl(1) for fish. Commands and options come from its help, names and ids from its
# lists, so nothing here goes stale.

function __aiopsctl
    command aiopsctl $argv --no-legend --no-pager 2>/dev/null </dev/null
end

# First column of a list.
function __aiopsctl_column
    __aiopsctl $argv | awk '{ print $1 }'
end

# The words so far that are no options, without "aiopsctl".
function __aiopsctl_words
    string match -v -- '-*' (commandline -opc)[2..-1]
end

# True if these are the words so far.
function __aiopsctl_at
    test "$(__aiopsctl_words | string join ' ')" = "$argv"
end

function __aiopsctl_under
    string match -q -- "$argv *" "$(__aiopsctl_words | string join ' ') "
end

function __aiopsctl_verbs
    __aiopsctl --help | sed -n '/^See:/,/^Options:/s/^  \([a-z][a-z-]*\)[^a-z].*   *\(.*\)/\1\t\2/p'
end

function __aiopsctl_options
    set -l words (__aiopsctl_words)
    if set -q words[1]
        __aiopsctl $words[1] --help | sed -n 's/^  \(--[a-z-]*=\{0,1\}\)[^ ]*  *\(.*\)/\1\t\2/p'
    end
    printf '%s\n' --json= --no-legend --no-pager --full --quiet --root= --runtime-dir= --help --version
end

# Parameters of an action or a fault, from its row in a list: "unit= [signal=SIGKILL]".
function __aiopsctl_params
    set -l name $argv[1]
    __aiopsctl $argv[2..-1] | awk -v name="$name" '$1 == name' | grep -oE '[a-z_]+=' | sort -u
    __aiopsctl_units | sed 's/^/unit=/'
end

function __aiopsctl_units
    systemctl list-units --all --plain --full --no-legend --no-pager --type=service 2>/dev/null |
        awk '{ print $1 }'
end

complete -c aiopsctl -f
complete -c aiopsctl -n 'string match -q -- "-*" (commandline -ct)' -a '(__aiopsctl_options)'
complete -c aiopsctl -n '__aiopsctl_at ""' -a '(__aiopsctl_verbs)'
complete -c aiopsctl -n '__aiopsctl_at incidents' -a 'list show watch'
complete -c aiopsctl -n '__aiopsctl_at incidents show; or __aiopsctl_at why; or __aiopsctl_at logs' \
    -a '(__aiopsctl_column incidents)'
complete -c aiopsctl -n '__aiopsctl_at approve; or __aiopsctl_at deny' -a '(__aiopsctl_column approvals)'
complete -c aiopsctl -n '__aiopsctl_at do' -a '(__aiopsctl_column do)'
complete -c aiopsctl -n '__aiopsctl_under do; and not __aiopsctl_at do' \
    -a '(__aiopsctl_params (__aiopsctl_words)[2] do)'
complete -c aiopsctl -n '__aiopsctl_at mode' -a 'observe suggest approve auto'
complete -c aiopsctl -n '__aiopsctl_at metrics' -a '(__aiopsctl metrics --full | awk "{ print \\$2 }" | sort -u)'
complete -c aiopsctl -n '__aiopsctl_at audit' -a verify
complete -c aiopsctl -n '__aiopsctl_at config' -a 'show check cat'
complete -c aiopsctl -n '__aiopsctl_at config cat' -a 'services policy alerts runbooks'
complete -c aiopsctl -n '__aiopsctl_at faults' -a 'types list inject recover'
complete -c aiopsctl -n '__aiopsctl_at faults recover' -a '(__aiopsctl_column faults list)'
complete -c aiopsctl -n '__aiopsctl_at faults inject; or __aiopsctl_at validate' \
    -a '(__aiopsctl_column faults types)'
complete -c aiopsctl -n '__aiopsctl_under faults inject; and not __aiopsctl_at faults inject' \
    -a '(__aiopsctl_params (__aiopsctl_words)[3] faults types)'
complete -c aiopsctl -n '__aiopsctl_under validate; and not __aiopsctl_at validate' \
    -a '(__aiopsctl_params (__aiopsctl_words)[2] faults types)'
complete -c aiopsctl -n '__aiopsctl_at alerts' -a 'list show test'
complete -c aiopsctl -n '__aiopsctl_at alerts show; or __aiopsctl_under alerts test' \
    -a '(__aiopsctl_column alerts)'
complete -c aiopsctl -n '__aiopsctl_at silence' -a 'list add remove'
complete -c aiopsctl -n '__aiopsctl_at silence add' -a 'all (__aiopsctl_column alerts)'
complete -c aiopsctl -n '__aiopsctl_at silence remove' -a '(__aiopsctl_column silence)'
complete -c aiopsctl -n '__aiopsctl_at runbooks' -a 'list show search lint test'
complete -c aiopsctl -n '__aiopsctl_at runbooks show; or __aiopsctl_at runbooks test; or __aiopsctl_under runbooks lint' \
    -a '(__aiopsctl_column runbooks)'
complete -c aiopsctl -n '__aiopsctl_under runbooks lint' -k -a '(__fish_complete_suffix .md)'
