# shellcheck shell=bash
# bash completion for certfs(8): commands and options are those that `certfs help` shows.

# _certfs_usage [COMMAND]: the usage lines, of all commands or of one
_certfs_usage() {
    "${COMP_WORDS[0]}" help 2>/dev/null | sed -n "s/^  certfs \(${1:-[a-z]*}\)\( .*\)\{0,1\}$/\1\2/p"
}

_certfs() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=
    if [ "$COMP_CWORD" = 1 ]; then
        words="$(_certfs_usage | cut -d ' ' -f 1) help"
    elif [ "$before" = -o ]; then
        words="ro rw allow_other fsname="
    elif [[ $word == -* ]]; then
        words=$(_certfs_usage "${COMP_WORDS[1]}" | grep -oE -- '--?[a-z][a-z-]*')
    fi
    # shellcheck disable=SC2207 # words without spaces
    if [ -n "$words" ]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -F _certfs certfs
