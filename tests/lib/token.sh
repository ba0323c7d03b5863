# shellcheck shell=bash
# A SoftHSM token of the test's own, which the daemon finds, too. After lib.sh.

PIN=135790
SOFTHSM2_CONF=$T/softhsm2.conf
export SOFTHSM2_CONF

make_token() {
    need softhsm2-util pkcs11-tool p11-kit
    MODULE=$(p11-kit list-modules 2>/dev/null | sed -n 's/^ *path: *\(.*softhsm.*\)/\1/p' | head -n 1)
    MODULE=${MODULE:-/usr/lib/softhsm/libsofthsm2.so}
    [ -e "$MODULE" ] || skip "SoftHSM is not installed"
    mkdir "$T/tokens"
    printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$SOFTHSM2_CONF"
    softhsm2-util --init-token --free --label certfs --pin "$PIN" --so-pin 12345678 >/dev/null
}

# token_tool arguments of pkcs11-tool…
token_tool() {
    pkcs11-tool --module "$MODULE" --token-label certfs --login --pin "$PIN" "$@" >"$T/tool.log" 2>&1 ||
        fail "pkcs11-tool $*: $(cat "$T/tool.log")"
}

unplug() {
    mv "$T/tokens" "$T/tokens.away"
    mkdir "$T/tokens"
}

plug_in() {
    rmdir "$T/tokens"
    mv "$T/tokens.away" "$T/tokens"
}
