#!/usr/bin/env bash
# The commands of the root say what they take, and name what they do not understand, before they do anything.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd /
failed=0

# expect CODE TEXT COMMAND...
expect() {
  local code=$1 text=$2 output found
  shift 2
  output=$("$@" 2>&1 </dev/null)
  found=$?
  if [ $found != "$code" ] || ! grep -qF -- "$text" <<<"$output"; then
    printf 'FAILED %s: expected exit code %s and "%s", found %s:\n%s\n' "$*" "$code" "$text" $found "$output"
    failed=1
  fi
}

expect 0 "./build [--tests]" "$root/build" --help
expect 1 "unknown option '--test'" "$root/build" --test
expect 0 "./test [--fast | --slow]" "$root/test" --help
expect 2 "unknown option '--quick'" "$root/test" --quick
expect 0 "./demo [--no-serve]" "$root/demo" --help
expect 2 "unknown option '--serve'" "$root/demo" --serve
expect 2 "no folder /no/such/data" "$root/demo" --data /no/such/data --voxel-size-nm 5
expect 2 "--voxel-size-nm: expected nm above 0, found '0'" "$root/demo" --data / --voxel-size-nm 0
expect 2 "--port: expected a number up to 65535, found 'many'" "$root/demo" --port many
expect 1 "unknown group 'nothing'" "$root/tools/install_packages" nothing
exit $failed
