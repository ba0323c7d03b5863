# shellcheck shell=bash
# A journal of the test's own. To be read before lib.sh: the script goes on in a mount namespace in which /run is its own. Then
#
#   journal_start           the journal listens, whatever comes is a JSON object in $T/journal
#   journal PROGRAM         of all entries so far, what a jq program says, a line each
#   in_journal PROGRAM      true if it says anything
if [ -z "${JOURNAL_NAMESPACE-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "needs root, to mount"; exit 77; }
    export JOURNAL_NAMESPACE=1
    exec unshare --mount --propagation private bash "$0" "$@"
fi
# shellcheck source=tests/lib/alone.sh
. "$(dirname "${BASH_SOURCE[0]}")/alone.sh"
let_others_go
mount -t tmpfs certfs-test /run

journal_start() {
    need jq
    mkdir -p /run/systemd/journal
    python3 "$SOURCE/tests/lib/journal.py" /run/systemd/journal/socket "$T/journal" &
    wait_until 10 test -S /run/systemd/journal/socket
}

journal() {
    jq -r "$1" "$T/journal"
}

in_journal() {
    [ -s "$T/journal" ] && [ -n "$(journal "$1")" ]
}
