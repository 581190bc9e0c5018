#!/usr/bin/env bash
# install_test.sh CMAKE BUILD_FOLDER: installs, moves the folder, and runs the program there with every other library
# hidden where the machine allows it.
set -euo pipefail
cmake=$1
build=$(realpath "$2")
scratch=$(mktemp -d "$build/install_test.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED $*" >&2
  exit 1
}
unset LD_LIBRARY_PATH
"$cmake" --install "$build" --prefix "$scratch/first" | tail -n 1
# Its new place is a root folder with nothing but the C and C++ libraries: what a bare machine has.
bare=$scratch/bare
mkdir -p "$bare/lib64" "$bare/lib" "$bare/proc" "$bare/tmp" "$bare/slices"
folder=$bare/organon
mv "$scratch/first" "$folder"
program=$folder/bin/organon

"$program" --version
[ -f "$folder/share/organon/portal/index.html" ] || fail "the page is not in the installed folder"

# Every library comes from the folder or is one of the C and C++ libraries.
outside() { ldd "$program" | awk '/=>/ { print $3 }' | grep -vF "$folder/bin/../lib/"; }
foreign=$(outside | grep -vE '/lib(c|m|dl|rt|pthread|resolv|util|mvec|stdc\+\+|gcc_s)\.so' | head -n 5 || true)
[ -z "$foreign" ] || fail "libraries from outside the folder: $foreign"

cp -L /lib64/ld-linux-x86-64.so.2 "$bare/lib64/"
for name in $(outside); do cp -L "$name" "$bare/lib/"; done
# Imports two slices there: reads PNG, starts a worker process (which finds itself through /proc), writes N5.
for number in 0 1; do
  base64 -d >"$bare/slices/$number.png" <<'PNG'
iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAAAAAA6mKC9AAABEUlEQVR42mNg4JVSN3H0i84obeqf
s3LbYQZ2EUU9a4/QpPyazmmLN+w9xcAnrWHq5B+TWdY8Ye6q7UcuMogq6dt4hiUX1HZNX7Jx3+kb
DDKaZs4BsVnlLRPnrd5x9NJ9BmUDW6/wlMK67hlLN+0/c/MZg5a5S2BcdkXrpPlrdh67/OAtg6Gd
d0RqUX3PzGWbD5y99fwLg4VrUHxOZdvkBWt3Hb/y8N1vBnufyLTiht5Zy7ccPHf7xVcmBrfghNyq
9ikL1+0+cfXR+z+cDL5R6SWNfbNXbD10/s7Lb8wCDCGJedUdUxet33Py2uMPf7nEGeC+unD31XcW
QTkGuK+uP/n4j1tClQHuq3uvf7AKyesAAF/uhgFtoAlZAAAAAElFTkSuQmCC
PNG
done
cat >"$scratch/inside.sh" <<'SH'
mount --rbind /proc "$1/proc"
exec env -i TMPDIR=/tmp "$(command -v chroot)" "$1" /organon/bin/organon import /slices /raw.n5/s0 --voxel-size-nm 5
SH
if unshare --user --map-root-user --mount true 2>/dev/null; then
  unshare --user --map-root-user --mount --propagation slave "$BASH" "$scratch/inside.sh" "$bare"
elif [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
  unshare --mount "$BASH" "$scratch/inside.sh" "$bare"
else
  echo "no right to hide the machine's libraries here: the stage runs with them in sight"
  (cd "$bare" && "$program" import slices raw.n5/s0 --voxel-size-nm 5)
fi
[ -f "$bare/raw.n5/s0/0/0/0" ] || fail "import wrote no chunk"
echo "ok     the moved folder runs without other libraries"
