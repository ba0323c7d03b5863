# shellcheck shell=bash
# bash completion for certfs(8): commands and options are those that `certfs help` shows; names of projects and app instances, and mount
# points, are those of what is mounted.

# _certfs_usage [COMMAND]: the usage lines, of all commands or of one
_certfs_usage() {
    "${COMP_WORDS[0]}" help 2>/dev/null | sed -n "s/^  certfs \(${1:-[a-z]*}\)\( .*\)\{0,1\}$/\1\2/p"
}

# Mount points without blanks; others can be typed.
_certfs_mounts() {
    sed -n 's/^[^ ]* \([^ \\]*\) fuse\.certfs .*/\1/p' /proc/self/mounts
}

_certfs_projects() {
    local mount
    for mount in $(_certfs_mounts); do
        command ls -- "$mount/projects" 2>/dev/null
    done
}

# _certfs_apps WORD: PROJECT/, and once that is there, PROJECT/APP. A large project is listed in its own order, so that it is quick.
_certfs_apps() {
    local mount project=${1%%/*}
    if [ "$project" = "$1" ]; then
        _certfs_projects | sed 's|$|/|'
        return
    fi
    for mount in $(_certfs_mounts); do
        command ls -U -- "$mount/projects/$project/apps" 2>/dev/null | sed "s|^|$project/|"
    done
}

# The words that may follow; status 1: a file
_certfs_words() {
    local command=$1 word=$2 before=$3
    case $before in
    -o) echo ro rw allow_other fsname= ;;
    -c) return 1 ;;
    --check) _certfs_apps "$word" ;;
    --min-days) echo 7 14 30 90 ;;
    *)
        case $command:$word in
        *:-*) _certfs_usage "$command" | grep -oE -- '--?[a-z][a-z-]*' ;;
        wait:*) if [ "$before" = wait ]; then _certfs_projects; else _certfs_mounts; fi ;;
        status:*) _certfs_mounts ;;
        check:* | rekey:* | version:*) ;;
        *) return 1 ;;
        esac
        ;;
    esac
}

_certfs() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    if [ "$COMP_CWORD" = 1 ]; then
        words="$(_certfs_usage | cut -d ' ' -f 1) help"
    elif ! words=$(_certfs_words "${COMP_WORDS[1]}" "$word" "$before"); then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[/=] ]] || compopt -o nospace 2>/dev/null
}
complete -F _certfs certfs
