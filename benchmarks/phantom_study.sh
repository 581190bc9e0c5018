#!/usr/bin/env bash
# Many networks compared on four phantoms, as the paper compares its own on four cells: set-ups with all classes, many
# and four groups of few, on raw of 4 and of 8 nm (12 networks, all with predictions at 4 nm), checkpoints judged on a
# held-out crop of each phantom, the best chosen per class, family and voxel size.
#
#   benchmarks/phantom_study.sh [--steps N] [--every N] [--no-fsync] [FOLDER]
#
# FOLDER (standard: out/study) keeps everything; a second call goes on or does nothing. --steps: of each training
# (standard 1000, at most 10 minutes each on two cores); --every: steps between judged checkpoints (standard: a third of
# them). Tables and plots lie in FOLDER/choice.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
steps=1000
every=
fsync=()
while [[ ${1-} == --* ]]; do
  case $1 in
    --steps) steps=${2:?--steps: a number is missing} && shift ;;
    --every) every=${2:?--every: a number is missing} && shift ;;
    --no-fsync) fsync=(--no-fsync) ;;
    *) echo "unknown option $1" >&2 && exit 2 ;;
  esac
  shift
done
every=${every:-$(((steps / 3 + 9) / 10 * 10))}
folder=${1:-$root/out/study}
organon=${ORGANON:-$root/out/build/release/bin/organon}
[ -x "$organon" ] || { echo "no $organon: run ./build first" >&2; exit 2; }
mkdir -p "$folder"
cd "$folder"

# Four "cells": another stain, noise and arrangement each. Their centrosomes lie where networks learn; in what is judged
# they are absent. (Cells of less than 1200 nm have none.)
seed=40
for cell in hela macrophage sum159 jurkat; do
  seed=$((seed + 1))
  "$organon" phantom $cell --shape 304,320,320 --voxel-size-nm 4 --seed $seed --contrast $cell "${fsync[@]}"
  "$organon" convert $cell/phantom.n5/raw $cell.n5/raw/s0 "${fsync[@]}"
  "$organon" pyramid $cell.n5/raw/s0 $cell.n5/raw --levels 1 "${fsync[@]}"
done

if [ ! -e study.toml ]; then
  {
    cat <<TOML
name = "study"
evaluate_every = $every
TOML
    # Boxes are z,y,x in nm. Between what is learned and what is judged lie 192 nm.
    for cell in hela macrophage sum159 jurkat; do
      cat <<TOML

[[datasets]]
name = "$cell"
raw = "$cell.n5/raw"
[[datasets.crops]]
name = "left"
labels = "$cell/phantom.n5/labels"
box_nm = [288, 0, 0, 928, 1280, 704]
[[datasets.crops]]
name = "right"
labels = "$cell/phantom.n5/labels"
box_nm = [352, 256, 896, 864, 1024, 1280]
role = "holdout"
TOML
    done
    for size in 4 8; do
      for classes in all many few-mito few-er few-mt few-ribo; do
        cat <<TOML

[[setups]]
name = "$classes-$size"
classes = "$classes"
voxel_size_nm = $size
TOML
        # The 8 nm networks predict at 4 nm, as the paper's do.
        [ $size = 4 ] || cat <<TOML
[setups.train]
output_scale = 2
patch = 32
TOML
      done
    done
    cat <<TOML

[train]
steps = $steps
batch = 2
patch = 64
warmup_steps = 50
average = 0.99
# Up to 34 classes of 8 voxels each come out of the last level: the preset's 8 maps cannot hold them apart.
features = [16, 32, 64, 128]
least_share = 0.05

[predict]
flips = 1
tile = 64
halo = 16
chunk_shape = 32
TOML
  } >study.toml.new
  mv study.toml.new study.toml
fi
"$organon" run study.toml "${fsync[@]}"
