#!/bin/bash
# What the tree does not allow: names, creations, links, renames, removals, each with its errno.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

start_certfs
new_project p
mkdir "$PROJECTS/p/apps/gw" "$PROJECTS/empty" "$PROJECTS/bare" "$PROJECTS/bare/apps/gw"
app=$PROJECTS/p/apps/gw
long64=$(printf 'a%.0s' {1..64})
huge=$(printf 'a%.0s' {1..256})

assert_errnos <<LINES
# names
OK mkdir $PROJECTS/$long64
ENAMETOOLONG mkdir $PROJECTS/${long64}a
ENAMETOOLONG mkdir $PROJECTS/$huge
EINVAL mkdir $PROJECTS/.hidden
EINVAL mkdir $PROJECTS/-dash
EINVAL mkdir '$PROJECTS/a b'
EINVAL mkdir $PROJECTS/a:b
EINVAL mkdir $PROJECTS/ä
EINVAL mkdir '$PROJECTS/a%b'
EINVAL mkdir '$PROJECTS/a\$b'
OK mkdir $PROJECTS/A-z.0_9
OK mkdir $PROJECTS/_x
OK mkdir $PROJECTS/0
EEXIST mkdir $PROJECTS/p
EEXIST mkdir $app
EINVAL mkdir $PROJECTS/p/apps/.x
ENAMETOOLONG mkdir $PROJECTS/p/apps/${long64}a
ENOENT mkdir $PROJECTS/nobody/apps/x
ENOTDIR mkdir $PROJECTS/p/policy/x
# what is not there
ENOENT stat $MNT/nothing
ENOENT stat $app/nothing
ENOENT open_r $app/device_ca.crt
ENOENT stat $app/generations/1
ENOENT stat $app/generations/01
ENOENT stat $app/generations/0
ENOENT rmdir $PROJECTS/nobody
ENOENT unlink $app/nothing
LINES

assert_errnos <<LINES
# directories elsewhere
EPERM mkdir $MNT/x
EPERM mkdir $PROJECTS/p/x
EPERM mkdir $app/x
EPERM mkdir $app/generations/9
EPERM mkdir $PROJECTS/p/signing_ca/x
# files
EPERM create $MNT/x
EPERM create $PROJECTS/x
EPERM create $PROJECTS/p/apps/x
EPERM create $app/x
EPERM create $app/generations/x
EPERM create_excl $PROJECTS/p/signing_ca/x
EEXIST create_excl $app/device_ca.pem
EPERM mkreg $app/x
EPERM mkfifo $app/x
EPERM mkdev $app/x
EPERM mksock $app/x
EPERM symlink target $app/x
EPERM link $app/device_ca.pem $app/x
EEXIST link $app/device_ca.pem $app/device_ca.key
# removals
EPERM unlink $app/device_ca.pem
EPERM unlink $app/status
EPERM unlink $MNT/README
EPERM rmdir $MNT/projects
EPERM rmdir $PROJECTS/p/apps
EPERM rmdir $PROJECTS/p/signing_ca
EPERM rmdir $app/generations
ENOTEMPTY rmdir $PROJECTS/p
ENOTEMPTY rmdir $PROJECTS/bare
ENOTDIR rmdir $app/status
EISDIR unlink $app
# renames
EPERM rename $app $PROJECTS/p/apps/other
EPERM rename $PROJECTS/p $PROJECTS/q
EPERM rename $app/device_ca.pem $app/x
EPERM rename $app/status $app/info
EPERM rename $PROJECTS/p/policy $PROJECTS/p/x
EPERM exchange $app/device_ca.pem $app/device_ca.key
# writing what is only read
EPERM|EACCES open_w $MNT/README
EPERM|EACCES open_w $app/status
EPERM|EACCES open_rw $app/device_ca.pem
EPERM|EACCES open_trunc $app/device_ca.key
EISDIR open_w $app/generations
EPERM|EACCES truncate $app/device_ca.pem 0
LINES

assert_errnos <<LINES
# no signing CA
ENOKEY open_r $PROJECTS/bare/apps/gw/device_ca.pem
ENOKEY open_r $PROJECTS/bare/apps/gw/device_ca.key
ENOKEY open_r $PROJECTS/bare/apps/gw/bundle.pem
OK read $PROJECTS/bare/apps/gw/status
ENOKEY touch $PROJECTS/bare/apps/gw/renew
ENOKEY write $PROJECTS/bare/apps/gw/purge reason
# what works
OK read $app/device_ca.pem
OK stat $app/generations/1
OK read $app/generations/1/device_ca.key
ENODATA getxattr $app user.other
OK getxattr $app user.certfs.state
OK getxattr $app/device_ca.pem user.certfs.serial
OK chmod 0600 $PROJECTS/p/policy
OK chown 1 1 $PROJECTS/p/policy
OK utimes $PROJECTS/p/policy 1000000000
OK rmdir $app
ENOENT stat $app/device_ca.pem
OK rmdir $PROJECTS/p
OK rmdir $PROJECTS/empty
LINES
check_clean
