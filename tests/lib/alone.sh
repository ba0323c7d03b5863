# shellcheck shell=bash
# For a mount namespace that has just been made: it holds a copy of each mount of the machine, and a mount ends when its last copy is gone.
# Those of other tests, which wait for that, are let go.
let_others_go() {
    local point rest
    while read -r _ _ _ _ point rest; do
        case $rest in *' fuse.certfs '* | *' /dev/loop'*) umount -l "$point" ;; esac
    done </proc/self/mountinfo
}
