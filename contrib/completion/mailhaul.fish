# SPDX-License-Identifier: ISC
# Completion of mailhaul(1) for fish.  Names come from the running daemon.

function __mailhaul_names
    set -l words (commandline -opc)
    set -l before
    for i in (seq 2 (count $words))
        switch $words[$i]
            case --state --socket
                set before $before $words[$i] $words[(math $i + 1)]
        end
    end
    for kind in $argv
        mailhaul $before --complete $kind 2>/dev/null
    end
end

function __mailhaul_needs_command
    not __fish_seen_subcommand_from (mailhaul --complete commands 2>/dev/null)
end

complete -c mailhaul -f
complete -c mailhaul -n __mailhaul_needs_command -s c -r -F -d 'configuration'
complete -c mailhaul -n __mailhaul_needs_command -l state -r -F -d 'state'
complete -c mailhaul -n __mailhaul_needs_command -l socket -r -F -d 'socket'
complete -c mailhaul -n __mailhaul_needs_command -l help
complete -c mailhaul -n __mailhaul_needs_command -l version
complete -c mailhaul -n __mailhaul_needs_command \
    -a '(mailhaul --complete commands 2>/dev/null)'
complete -c mailhaul -n '__fish_seen_subcommand_from poll history accept' \
    -a '(__mailhaul_names accounts)'
complete -c mailhaul -n '__fish_seen_subcommand_from pause resume login' \
    -a '(__mailhaul_names accounts destinations)'
complete -c mailhaul -n '__fish_seen_subcommand_from setup' \
    -a '(mailhaul --complete setup 2>/dev/null)'
complete -c mailhaul -n '__fish_seen_subcommand_from providers' \
    -a '(__mailhaul_names providers)'
complete -c mailhaul -n '__fish_seen_subcommand_from held' \
    -a 'list show release drop (__mailhaul_names held)'
complete -c mailhaul -n '__fish_seen_subcommand_from held' -l all
complete -c mailhaul -n '__fish_seen_subcommand_from held' -l account -x \
    -a '(__mailhaul_names accounts)'
complete -c mailhaul -n \
    '__fish_seen_subcommand_from status held history check providers' \
    -l json
complete -c mailhaul -n '__fish_seen_subcommand_from status' -l watch
complete -c mailhaul -n '__fish_seen_subcommand_from history' -s n -x
complete -c mailhaul -n '__fish_seen_subcommand_from accept restore' \
    -l as-known
complete -c mailhaul -n '__fish_seen_subcommand_from accept restore' -l relay
complete -c mailhaul -n '__fish_seen_subcommand_from login' -l device
complete -c mailhaul -n '__fish_seen_subcommand_from login' -l browser
complete -c mailhaul -n '__fish_seen_subcommand_from login' -l paste
complete -c mailhaul -n '__fish_seen_subcommand_from restore' -l force
complete -c mailhaul -n '__fish_seen_subcommand_from check' -l options
complete -c mailhaul -n '__fish_seen_subcommand_from check' -l online
complete -c mailhaul -n '__fish_seen_subcommand_from check' \
    -a '(__mailhaul_names accounts destinations)'
complete -c mailhaul -n '__fish_seen_subcommand_from backup restore' -F
complete -c mailhaul -n '__fish_seen_subcommand_from import' -F -a fetchmail
complete -c mailhaul -n '__fish_seen_subcommand_from import' -l fetchids -r -F
complete -c mailhaul -n '__fish_seen_subcommand_from import' -l secrets -r -F
complete -c mailhaul -n '__fish_seen_subcommand_from import' -l destination -x
complete -c mailhaul -n '__fish_seen_subcommand_from import' -l output -r -F
