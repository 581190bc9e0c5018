#!/usr/bin/env bash
# What `organon export` writes, read by tifffile and others: volumes_twin.py.
#
#   volumes_twin_test.sh ORGANON
#
# Exit code 77 (skipped) where no Python has numpy and tifffile; with CI=true that is a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for python in python3 /usr/bin/python3; do
  if "$python" -c 'import numpy, tifffile' 2>/dev/null; then
    exec "$python" "$here/volumes_twin.py" "$1"
  fi
done
echo "MISSING Python modules numpy and tifffile (Debian: python3-numpy python3-tifffile): nothing tested" >&2
[ "${CI-}" = true ] && exit 1
exit 77
