#!/usr/bin/env bash
# Mitochondria of the EPFL hippocampus stack (5 nm, 165 x 768 x 1024): learns on x < 544, chooses on 576 <= x < 704 and
# reports on x >= 736, with and without the box of one myelinated axon that lies on that side only.
#
#   benchmarks/epfl_hippocampus.sh [--steps N] [--ship] [FOLDER]
#
# FOLDER (standard: out/epfl) keeps everything; a second call goes on or does nothing. Scores are printed and lie in
# FOLDER/scores. Standard steps: 6500. The stack is read from ORGANON_DATA (standard: ../shared/data).
#
# --ship then makes FOLDER/mito_10nm.organon, what models/ holds: 1500 more steps from there on the whole stack.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
steps=6500 ship=no
while [[ ${1-} == --* ]]; do
  case $1 in
    --steps) steps=${2:?--steps: a number is missing} && shift ;;
    --ship) ship=yes ;;
    *) echo "unknown option $1" >&2 && exit 2 ;;
  esac
  shift
done
folder=${1:-$root/out/epfl}
data=$(realpath "${ORGANON_DATA:-$root/../shared/data}/epfl-hippocampus-fibsem")
organon=${ORGANON:-$root/out/build/release/bin/organon}
[ -x "$organon" ] || { echo "no $organon: run ./build first" >&2; exit 2; }
mkdir -p "$folder"
folder=$(realpath "$folder")
# How samples vary.
variation='rotation_degrees = 40
contrast_range = 0.3
brightness_range = 0.2
gamma_range = 0.3
noise = 0.12'
[ -e "$folder/cell.toml" ] || cat >"$folder/cell.toml" <<TOML
name = "epfl"

[raw]
source = "$data/images"
voxel_size_nm = 5

[classes.mito]
ids = [255]
color = "#3fb34f"
# The best of 18 settings on the slab "choose" (Jaccard 0.904 there; 0.895 with no smoothing at 127).
sigma_nm = 20
threshold = 115
min_volume_nm3 = 5e6

# Boxes are z,y,x in nm and name the centres of the first and last voxel.
[[crops]]
name = "train"
labels = "$data/masks"
box_nm = [0, 0, 0, 820, 3835, 2715]

[[crops]]
name = "choose"
labels = "$data/masks"
box_nm = [0, 0, 2880, 820, 3835, 3515]
role = "validate"

[truth]
labels = "$data/masks"
box_nm = [0, 0, 2880, 820, 3835, 3515]

# Half the resolution shows a network of the same cost eight times the volume around each voxel, which tells myelin from
# mitochondria.
[targets]
voxel_size_nm = 10

[train]
steps = $steps
# Neither repeated faces nor a settled end were better on "choose" (docs/results.md).
padding = "same"
settled_share = 0
warmup_steps = 150
average = 0.998
least_share = 0.3
$variation
validation_patches = 32

[predict]
flips = 8
TOML
"$organon" run "$folder/cell.toml"

# The reported side, looked at once settings are final. Objects of 2000 voxels and more count, as at 5 nm: 2.5e5 nm^3.
report() {
  "$organon" evaluate "$folder/epfl.n5/refined/mito" "$folder/epfl.n5/crops/train/labels" "$folder/scores/$1.json" --class-name mito \
    --region "$1" --raw "$folder/epfl.n5/raw/s0" --box-nm 0,0,3680,820,3835,5115 "${@:2}"
}
report right
report right_without_axon --exclude-box-nm 0,25,4080,820,1075,4990

[ $ship = yes ] || exit 0
mkdir -p "$folder/whole"
[ -e "$folder/whole/cell.toml" ] || cat >"$folder/whole/cell.toml" <<TOML
name = "whole"
start_from = "../networks/epfl/network.organon"

[raw]
source = "$data/images"
voxel_size_nm = 5

[classes.mito]
ids = [255]

[[crops]]
name = "all"
labels = "$data/masks"

[targets]
voxel_size_nm = 10

[train]
steps = 1500
learning_rate = 1e-3
settled_share = 0
warmup_steps = 100
average = 0.998
least_share = 0.3
$variation
TOML
"$organon" run "$folder/whole/cell.toml" --until train
cp "$folder/whole/networks/whole/network.organon" "$folder/mito_10nm.organon"
echo "$folder/mito_10nm.organon"
