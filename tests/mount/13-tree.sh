#!/bin/bash
# The tree: names, types, modes, owners, link counts, sizes; and what it does not allow, with the errno it says so.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/empty" "$PROJECTS/p/apps/gw"
P=$PROJECTS/p
G=$P/apps/gw

# ---- what is there (the tree may hold more than these) ----
while read -r mode path; do
    got=$(stat -c '%a %u:%g' "$MNT/$path") || fail "$path is missing"
    assert_eq "$got" "$mode 0:0" "mode and owner of $path"
done <<'END'
755 .
444 README
444 status
444 status.json
755 projects
755 projects/p
644 projects/p/policy
444 projects/p/status
444 projects/p/status.json
755 projects/p/signing_ca
644 projects/p/signing_ca/cert.pem
200 projects/p/signing_ca/key.pem
200 projects/p/signing_ca/password
444 projects/p/signing_ca/info
444 projects/p/signing_ca/info.json
444 projects/p/signing_ca/status
444 projects/p/signing_ca/status.json
755 projects/p/apps
755 projects/p/apps/gw
444 projects/p/apps/gw/device_ca.pem
400 projects/p/apps/gw/device_ca.key
400 projects/p/apps/gw/bundle.pem
444 projects/p/apps/gw/trust_bundle.pem
444 projects/p/apps/gw/config.toml
444 projects/p/apps/gw/config.yaml
444 projects/p/apps/gw/status
444 projects/p/apps/gw/status.json
444 projects/p/apps/gw/info
444 projects/p/apps/gw/info.json
644 projects/p/apps/gw/renew
644 projects/p/apps/gw/purge
755 projects/p/apps/gw/generations
END

# no file that can be read has size 0, also where reading it fails; but for a log without a line
while read -r file; do
    assert_eq "$(wc -c <"$file")" 0 "bytes of $file, whose size is 0"
done < <(find "$MNT" -type f -size 0 -perm /444)
assert_eq "$(cat "$PROJECTS/empty/signing_ca/cert.pem")" "" "cert.pem without a signing CA (whoever reads a target before writing it must be able to)"
assert_eq "$(find "$MNT" ! -type d ! -type f)" "" "what is neither file nor directory"
assert_eq "$(find "$MNT" -type f ! -links 1)" "" "files with another link count than 1"
assert_eq "$(stat -c %h "$G/generations")" 2 "link count of a directory without directories"
assert_eq "$(find "$MNT" -printf '%i\n' | sort | uniq -d)" "" "inode numbers that appear twice"
cat "$G/bundle.pem" >/dev/null
assert_eq "$(stat -c '%a' "$G/generations/1" "$G/generations/1"/device_ca.{pem,key} "$G/generations/1/info" | paste -sd ' ')" \
    "755 444 400 444" "modes of a generation"
flags=$(awk -v m="$MNT" '$5 == m { print $6 }' /proc/self/mountinfo)
for flag in nosuid nodev noexec; do
    assert_has ",$flags," ",$flag," "mount flags"
done
assert_eq "$(awk -v m="$MNT" '$5 == m { sub(/.* - /, ""); print $1 }' /proc/self/mountinfo)" fuse.certfs "file system type"
[ "$(stat -f -c %l "$MNT")" -ge 64 ] || fail "statfs: name length"
df "$MNT" >/dev/null
for json in "$MNT/status.json" "$P/status.json" "$P/signing_ca"/{info,status}.json "$G"/{info,status}.json; do
    python3 -m json.tool "$json" >/dev/null || fail "$json"
done

# ---- errno ----
long=$(printf 'a%.0s' $(seq 65)) just=$(printf 'a%.0s' $(seq 64)) huge=$(printf 'a%.0s' $(seq 256))
assert_errnos <<END
ENOENT stat $MNT/nothing
ENOENT stat $P/apps/nothing
ENOENT read $G/nothing
ENOENT stat $G/generations/2
ENOENT stat $G/generations/01
ENOENT rmdir $P/apps/nothing
ENOENT unlink $G/nothing
EEXIST mkdir $P
EEXIST mkdir $G
EINVAL mkdir '$PROJECTS/.hidden'
EINVAL mkdir '$PROJECTS/-dash'
EINVAL mkdir '$PROJECTS/sp ace'
EINVAL mkdir '$PROJECTS/ümlaut'
EINVAL mkdir '$P/apps/a:b'
EINVAL mkdir '$P/apps/.x'
ENAMETOOLONG mkdir $PROJECTS/$long
ENAMETOOLONG mkdir $P/apps/$long
ENAMETOOLONG mkdir $P/apps/$huge
OK mkdir $PROJECTS/$just
OK mkdir $PROJECTS/$just/apps/$just
OK mkdir $P/apps/A-z_0.9
OK rmdir $PROJECTS/$just/apps/$just
OK rmdir $PROJECTS/$just
OK rmdir $P/apps/A-z_0.9
ENOTEMPTY rmdir $P
OK rmdir $PROJECTS/empty
EPERM mkdir $MNT/x
EPERM mkdir $P/x
EPERM mkdir $G/x
EPERM mkdir $P/signing_ca/x
EPERM mkdir $G/generations/7
EPERM rmdir $PROJECTS
EPERM rmdir $P/apps
EPERM rmdir $P/signing_ca
EPERM rmdir $G/generations
EPERM rmdir $G/generations/1
ENOTDIR rmdir $G/device_ca.pem
EPERM create $MNT/x
EPERM create $PROJECTS/x
EPERM create $G/x
EPERM create $P/x
EPERM mkreg $G/x
EPERM create $P/apps/x
EPERM unlink $G/device_ca.pem
EPERM unlink $G/device_ca.key
EPERM unlink $P/status
EPERM unlink $MNT/README
EPERM rename $G $P/apps/other
EPERM rename $P $PROJECTS/other
EPERM rename $G/device_ca.pem $G/device_ca.key
EPERM rename $G/device_ca.pem $G/x
EPERM link $G/device_ca.pem $G/x
EPERM symlink /etc/passwd $G/x
EPERM symlink /etc/passwd $P/apps/x
EPERM mkfifo $G/x
EPERM mkdev $G/x
EPERM mksock $P/x
EINVAL readlink $G/device_ca.pem
ENOTDIR opendir $G/device_ca.pem
ENOTDIR stat $G/device_ca.pem/x
EISDIR open_w $G
EPERM|EACCES write $G/device_ca.pem text
EPERM|EACCES open_w $G/status
EPERM|EACCES open_trunc $MNT/README
EPERM|EACCES truncate $G/device_ca.pem 0
EPERM chmod 777 $G/device_ca.key
EPERM chown 1 1 $G/device_ca.key
OK chmod 600 $P/policy
OK chown 1 1 $P/policy
OK utimes $P/policy 1000000000
ENOTSUP|EPERM setxattr $G user.x y
EINVAL write $P/policy '[certificate]\nnonsense = 1\n'
OK read $P/signing_ca/key.pem
OK read $P/signing_ca/password
END
assert_eq "$(stat -c '%a %u' "$P/policy")" "644 0" "policy after chmod and chown, which change nothing"
assert_eq "$(wc -c <"$P/signing_ca/key.pem")" 0 "what root reads of key.pem"

# `rm -r` of an app instance's directory is refused file by file; rmdir takes it whole
mkdir "$P/apps/whole"
cat "$P/apps/whole/bundle.pem" >/dev/null
! rm -rf "$P/apps/whole" 2>/dev/null || fail "rm -rf succeeded"
assert_errno OK read "$P/apps/whole/bundle.pem"
rmdir "$P/apps/whole"
assert_errno ENOENT stat "$P/apps/whole/bundle.pem"
# a name again is another app instance
mkdir "$P/apps/whole"
assert_eq "$(field "$P/apps/whole/status" state)" NOT_ISSUED "state of a name used again"
check_clean
