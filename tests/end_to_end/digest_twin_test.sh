#!/usr/bin/env bash
# Runs the Python of docs/formats/digest.md, as printed there, against `organon digest`.
#
#   digest_twin_test.sh ORGANON
#
# Exit code 77 (skipped) where no Python has numpy and xxhash; with CI=true that is a failure.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for python in python3 /usr/bin/python3; do
  if "$python" -c 'import numpy, xxhash' 2>/dev/null; then
    exec "$python" "$here/digest_twin.py" "$1" "$here/../../docs/formats/digest.md"
  fi
done
echo "MISSING Python modules numpy and xxhash (Debian: python3-numpy python3-xxhash): nothing tested" >&2
[ "${CI-}" = true ] && exit 1
exit 77
