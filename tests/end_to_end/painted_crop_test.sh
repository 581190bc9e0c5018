#!/usr/bin/env bash
# A crop is cut, painted by a program that keeps no voxel size (tifffile), and taken back to its place.
#
#   painted_crop_test.sh ORGANON
set -euo pipefail
organon=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if ! /usr/bin/python3 -c 'import numpy, tifffile' 2>/dev/null; then
  echo "SKIPPED: Python's numpy and tifffile are not there" >&2
  [ "${CI:-}" = true ] && exit 1 || exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"$here/make_stack.py" stack >/dev/null
"$organon" import stack/images cell.n5/raw --voxel-size-nm 8,4,4 --no-fsync
# Voxels of 4 to 11, 10 to 19 and 30 to 49.
"$organon" crops cut cell.n5/raw paint --box-nm 32,40,120,88,76,196 --format tif
/usr/bin/python3 - <<'PYTHON'
import numpy, tifffile

raw, labels = tifffile.imread("paint/raw.tif"), tifffile.imread("paint/labels.tif")
assert raw.shape == labels.shape == (8, 10, 20) and not labels.any(), (raw.shape, labels.shape)
labels = labels.copy()
labels[1, 2, 3:7] = 3
labels[7, 9, 19] = 17
# No resolution, no unit, no name of this program: only the voxels.
tifffile.imwrite("paint/labels.tif", labels, photometric="minisblack", metadata=None)
PYTHON
"$organon" crops take paint cell.n5/crops/7 >said
grep -q 'present = \["mito_mem", "er_lum"\]' said
"$organon" export cell.n5/crops/7 taken.nrrd --no-fsync
/usr/bin/python3 - <<'PYTHON'
import gzip, numpy

header, voxels = open("taken.nrrd", "rb").read().split(b"\n\n", 1)
for line in ("sizes: 20 10 8", "space directions: (4,0,0) (0,4,0) (0,0,8)", "space origin: (120,40,32)"):
    assert line in header.decode().splitlines(), header.decode()
taken = numpy.frombuffer(gzip.decompress(voxels), "u1").reshape(8, 10, 20)
expected = numpy.zeros((8, 10, 20), "u1")
expected[1, 2, 3:7] = 3
expected[7, 9, 19] = 17
assert (taken == expected).all(), numpy.argwhere(taken != expected)
print("what was painted lies at its nm")
PYTHON
