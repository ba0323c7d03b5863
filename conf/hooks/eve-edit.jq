# One change to an EVE device configuration, as a pure function of it.
#
#   jq --arg hook push|purge|restart --arg app NAME --rawfile user_data FILE --rawfile uuids FILE -f eve-edit.jq
#
# hook       push: the user data, and cloud_init_version + 1, since EVE takes no new user data without; nothing if they are the same
#            purge: purge.counter + 1, and a new uuid for each volume that a purge empties
#            restart: restart.counter + 1
# app        .displayname of the app instance; nothing else changes
# user_data  base64, one line; used by push only
# uuids      new ones, one a line; used by purge only, one for each volume
#
# EVE compares counters for inequality and remembers them, so they only grow. Both spellings of a field that protobuf's
# JSON knows (cloud_init_version, cloudInitVersion) are understood, and the one that is there is kept: two would be an error.

def spelled($a; $b): if has($b) then $b else $a end;

def count_up($name): .[$name].counter |= (. // 0) + 1;

def push($data):
  if .userData == $data then .
  else .userData = $data | spelled("cloud_init_version"; "cloudInitVersion") as $version | .[$version] |= (. // 0) + 1
  end;

# Volumes of this app instance alone that it may write: what is shared, or read-only, outlives a purge.
def purgeable:
  [.volumes[]? | select(.readonly | not) | .uuid] as $writable
  | [.apps[]? | select(.displayname != $app) | .volumeRefList[]?.uuid] as $shared
  | [.apps[] | select(.displayname == $app) | .volumeRefList[]?.uuid] | unique | . - (. - $writable) - $shared;

def renames:
  purgeable as $old | [$uuids | splits("\n") | select(. != "")] as $new
  | if ($new | length) < ($old | length) then error("\($old | length) new uuids are needed, there are \($new | length)")
    else [[$old, $new[:$old | length]] | transpose[] | {(.[0]): .[1]}] | add // {}
    end;

def rename($to): $to[.] // .;

[.apps[]? | select(.displayname == $app)] as $found
| if ($found | length) != 1 then error("\($found | length) app instances of the device are named \($app)")
  elif $hook == "push" then (.apps[] | select(.displayname == $app)) |= push($user_data | rtrimstr("\n"))
  elif $hook == "restart" then (.apps[] | select(.displayname == $app)) |= count_up("restart")
  elif $hook == "purge" then
    renames as $to
    | (.apps[] | select(.displayname == $app)) |= count_up("purge")
    | (.apps[] | select(.displayname == $app) | .volumeRefList[]?.uuid) |= rename($to)
    | (.volumes[]?.uuid) |= rename($to)
  else error("\($hook) is not a hook of this script: push, purge or restart")
  end
