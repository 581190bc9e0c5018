#!/usr/bin/env bash
# A small phantom, measured from its own instance labels, against its analytic volumes and surfaces; and its labels
# scored against each other, at two voxel sizes.
#
#   phantom_truth_test.sh ORGANON
set -euo pipefail
organon=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"$organon" phantom cell --shape 128,160,160 --seed 3 --no-fsync
for class in lysosome vesicle mito endo; do
  "$organon" measure cell/phantom.n5/instances/$class measured/$class.csv --no-fsync
done
# Labels have voxels of 4 nm, vesicles a radius of 20 nm and more. Measured on other seeds: volumes 0.2 %, surfaces 0.3 %.
"$here/../../benchmarks/phantom_truth.py" cell/tables/objects.csv measured/*.csv --plot errors.svg \
  --max-volume-error 0.01 --max-surface-error 0.01
grep -q '<circle' errors.svg

# The instance labels of a class are its labels.
"$organon" evaluate cell/phantom.n5/instances/mito cell/phantom.n5/labels scores/same.json --ids 3+4+5 --no-fsync
grep -q '"f1": 1.0' scores/same.json
# Raw is no prediction of mitochondria, but it lies on the labels' grid at twice their voxel size.
"$organon" evaluate cell/phantom.n5/raw cell/phantom.n5/labels scores/raw.json --kind prediction --ids 3+4+5 \
  --raw cell/phantom.n5/raw --no-fsync
grep -q '"f1": 0\.' scores/raw.json

# Of two networks, here the labels themselves and raw, the better one is chosen.
for network in labels raw; do
  kind=$([ $network = raw ] && echo prediction || echo labels)
  volume=$([ $network = raw ] && echo raw || echo instances/mito)
  "$organon" evaluate cell/phantom.n5/$volume cell/phantom.n5/labels networks/$network.json --kind $kind --ids 3+4+5 \
    --class-name mito --dataset phantom --crop 1 --setup $network --iteration 10 --no-fsync
done
"$organon" choose networks chosen --no-fsync
grep -q '^any,mito,labels,10,,1,1,1,1,' chosen/best_setups.csv
[ "$("$organon" choose networks chosen --json --no-fsync | grep -c best_setups)" = 1 ]
