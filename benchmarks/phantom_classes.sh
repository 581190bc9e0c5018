#!/usr/bin/env bash
# How well one network finds all classes of the taxonomy in a synthetic cell of another seed and staining: it learns from
# three cells (hela, macrophage, sum159) and is judged on a fourth (jurkat), at 4 nm.
#
#   benchmarks/phantom_classes.sh [--steps N] [--no-fsync] [FOLDER]
#
# FOLDER (standard: out/classes) keeps everything; a second call goes on or does nothing. Standard: 5000 steps, about 90
# minutes on two cores. Prints F1 per class, half-way and at the end; tables lie in FOLDER/choice.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
steps=5000
fsync=()
while [[ ${1-} == --* ]]; do
  case $1 in
    --steps) steps=${2:?--steps: a number is missing} && shift ;;
    --no-fsync) fsync=(--no-fsync) ;;
    *) echo "unknown option $1" >&2 && exit 2 ;;
  esac
  shift
done
folder=${1:-$root/out/classes}
organon=${ORGANON:-$root/out/build/release/bin/organon}
[ -x "$organon" ] || { echo "no $organon: run ./build first" >&2; exit 2; }
mkdir -p "$folder"
cd "$folder"

cells=(hela macrophage sum159 jurkat)
for i in "${!cells[@]}"; do
  cell=${cells[$i]}
  # A cell of less than 1200 nm has no centrosome.
  "$organon" phantom "$cell" --shape 304,320,320 --voxel-size-nm 4 --seed $((41 + i)) --contrast "$cell" "${fsync[@]}"
done

if [ ! -e study.toml ]; then
  {
    printf 'name = "classes"\nevaluate_every = %s\n' $(((steps / 2 + 9) / 10 * 10))
    for cell in "${cells[@]}"; do
      printf '\n[[datasets]]\nname = "%s"\nraw = "%s/phantom.n5/raw"\n' "$cell" "$cell"
      printf '[[datasets.crops]]\nname = "cell"\nlabels = "%s/phantom.n5/labels"\n' "$cell"
      [ "$cell" != jurkat ] || echo 'role = "holdout"'
    done
    cat <<TOML

[[setups]]
name = "all"
classes = "all"
voxel_size_nm = 4

[train]
steps = $steps
batch = 2
patch = 64
# 34 classes of 8 voxels each come out of the last level: the preset's 8 maps cannot hold them apart.
features = [32, 32, 64, 128]
least_share = 0.05

[predict]
flips = 2
tile = 64
halo = 16
chunk_shape = 32
TOML
  } >study.toml.new
  mv study.toml.new study.toml
fi
"$organon" run study.toml "${fsync[@]}"
