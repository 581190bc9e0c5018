#!/usr/bin/env bash
# A real 2-D network of another program, weights as their authors published them, predicts slices of a real stack. Its
# scores are those of a network that never saw this data: 0.45 to 0.60 where its weights were tried before.
#
#   imported_network_test.sh ORGANON
set -euo pipefail
organon=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=${ORGANON_DATA:-$here/../../../shared/data}
weights=$data/mito-unet-weights/model-rat.pth
stack=$data/epfl-hippocampus-fibsem
if [ ! -f "$weights" ] || [ ! -d "$stack/images" ] || ! /usr/bin/python3 -c 'import torch, tifffile' 2>/dev/null; then
  echo "SKIPPED: $weights, $stack or Python's torch and tifffile are not there" >&2
  [ "${CI:-}" = true ] && exit 1 || exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Weights of strangers are read as data: of files whose first or third pickle calls something nothing runs.
/usr/bin/python3 - <<'PYTHON'
import pathlib, pickle

class Call:
    def __reduce__(self):
        return (pathlib.Path.touch, (pathlib.Path("ran"),))

for name, parts in ("first.pth", [Call()]), ("third.pth", [0x1950A86A20F9469CFC6C, 1001, Call()]):
    pathlib.Path(name).write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
PYTHON
for name in first third; do
  if /usr/bin/python3 "$here/../../tools/mito_unet_to_torchscript" $name.pth hostile.pt 2>refusal; then
    echo "$name.pth was taken" >&2 && exit 1
  fi
  grep -q refused refusal || { cat refusal >&2 && exit 1; }
done
[ ! -e ran ] || { echo "a pickle was executed" >&2 && exit 1; }

/usr/bin/python3 "$here/../../tools/mito_unet_to_torchscript" "$weights" model.pt
mkdir images masks
for z in 020 021 022 023; do
  ln -s "$stack/images/train_$z.png" images/
  ln -s "$stack/masks/train_$z.png" masks/
done
for name in images masks; do
  "$organon" import $name fine.n5/$name --voxel-size-nm 5 --no-fsync
  "$organon" export fine.n5/$name $name.tif --no-fsync
done
# From 5 to 8 nm across; the network sees slices alone.
/usr/bin/python3 - <<'PYTHON'
import tifffile, torch

for name in "images", "masks":
    voxels = torch.from_numpy(tifffile.imread(f"{name}.tif").astype("float32"))[:, None]
    coarse = torch.nn.functional.interpolate(voxels, size=(480, 640), mode="area")[:, 0]
    coarse = coarse.round() if name == "images" else (coarse >= 127.5).float()
    tifffile.imwrite(f"{name}_8nm.tif", coarse.numpy().astype("uint8"), photometric="minisblack")
PYTHON
"$organon" import images_8nm.tif cell.n5/raw --voxel-size-nm 8 --contrast-limits 0,255 --no-fsync
"$organon" import masks_8nm.tif cell.n5/truth --voxel-size-nm 8 --role labels --no-fsync
"$organon" predict cell.n5/raw model.pt cell.n5/predictions --flips 1 --no-fsync
"$organon" evaluate cell.n5/predictions/mito cell.n5/truth scores.json --no-fsync
/usr/bin/python3 -c '
import json
jaccard = json.load(open("scores.json"))["scores"][0]["jaccard"]
print("Jaccard", jaccard)
assert jaccard > 0.45, "the weights are not where they belong"'
