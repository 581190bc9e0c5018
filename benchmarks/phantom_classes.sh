#!/usr/bin/env bash
# How well one network finds all classes of the taxonomy in a synthetic cell of another seed and staining: it learns from
# crops of three cells (hela, macrophage, sum159) and is judged on a fourth (jurkat), at 4 nm. Of each cell there is a
# crop of its middle, and one of the centrosome, which is too small to lie in the first by chance.
#
#   benchmarks/phantom_classes.sh [--steps N] [--no-fsync] [FOLDER]
#
# FOLDER (standard: out/classes) keeps everything; a second call goes on or does nothing. Standard: 1000 steps, about 20
# minutes on two cores. Prints F1 per class, over the crops together; tables lie in FOLDER/choice.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
steps=1000
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

# crop NAME CELL BOX: z,y,x of begin and end in nm.
crop() {
  printf '[[datasets.crops]]\nname = "%s"\nlabels = "%s/phantom.n5/labels"\nbox_nm = [%s]\n' "$1" "$2" "$3"
  [ "$2" != jurkat ] || echo 'role = "holdout"'
}
if [ ! -e study.toml ]; then
  {
    printf 'name = "classes"\nevaluate_every = %s\n' "$steps"
    for cell in "${cells[@]}"; do
      printf '\n[[datasets]]\nname = "%s"\nraw = "%s/phantom.n5/raw"\n' "$cell" "$cell"
      crop middle "$cell" "448, 320, 160, 768, 960, 1120"
      # The box of the object and 100 nm around it, on whole voxels.
      crop centrosome "$cell" "$(awk -F, '
        NR == 1 { for (i = 1; i <= NF; ++i) column[$i] = i }
        $2 == "centrosome" {
          split("begin_z begin_y begin_x end_z end_y end_x", sides, " ")
          for (i = 1; i <= 6; ++i) {
            end = i > 3 ? 1 : -1
            limit = i == 4 ? 1216 : 1280
            at = 16 * int($column["box_" sides[i] "_nm"] / 16 + (end > 0)) + 96 * end
            printf "%s%d", (i > 1 ? ", " : ""), (at < 0 ? 0 : at > limit ? limit : at)
          }
        }' "$cell/tables/objects.csv")"
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
warmup_steps = 50
average = 0.99
# 34 classes of 8 voxels each come out of the last level: the preset's 8 maps cannot hold them apart.
features = [32, 32, 64, 128]
least_share = 0.05
rare_classes = ["cent", "golgi", "nucleolus"]
rare_share = 0.3

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
