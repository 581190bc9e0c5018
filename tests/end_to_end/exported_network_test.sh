#!/usr/bin/env bash
# A network leaves organon: Python alone runs its module, and organon predicts with it what it predicts with the network.
#
#   exported_network_test.sh ORGANON
set -euo pipefail
organon=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if ! /usr/bin/python3 -c 'import torch, tifffile' 2>/dev/null; then
  echo "SKIPPED: Python's torch and tifffile are not there" >&2
  [ "${CI:-}" = true ] && exit 1 || exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"$here/make_stack.py" stack >/dev/null
"$organon" import stack/images cell.n5/raw --voxel-size-nm 8 --contrast-limits 0,255 --no-fsync
"$organon" import stack/masks cell.n5/labels --voxel-size-nm 8 --role labels --no-fsync
"$organon" targets cell.n5/labels cell.n5/targets --classes ball --ids 255 --no-fsync
"$organon" train cell.n5/raw cell.n5/targets network --classes ball --features 4,8 --pooling 2 --stem 1 --padding valid \
  --normalization batch --steps 30 --warmup-steps 3 --average 0.8 --batch 2 --patch 28 --no-fsync
"$organon" network export --tile 24 network ball.pt
if "$organon" network export network ball.pt 2>said; then echo "FAILED it wrote over a module" >&2; exit 1; fi
grep -q "ball.pt is there already" said
"$organon" predict cell.n5/raw network cell.n5/own --flips 1 --no-fsync
"$organon" predict cell.n5/raw ball.pt cell.n5/module --flips 1 --halo 0 --no-fsync
for name in raw own/ball module/ball; do "$organon" export cell.n5/$name "$(basename "$(dirname "cell.n5/$name")").tif" --no-fsync; done

/usr/bin/python3 - <<'PYTHON'
import json, numpy, tifffile, torch

torch.set_num_threads(1)
raw, own, module = (tifffile.imread(f"{name}.tif") for name in ("cell.n5", "own", "module"))
different = numpy.abs(own.astype(int) - module)
assert different.max() <= 1, f"organon's predictions with the network and its module differ by {different.max()}"
facts = json.load(open("ball.json"))
assert facts["classes"] == ["ball"] and facts["value_range"] == [-1, 1] and facts["output"] == "distance", facts
network = torch.jit.load("ball.pt")
# An input of another size than the facts name.
edge = facts["input_shape"][0] - 4
part = torch.from_numpy(raw[:edge, 8:8 + edge, 16:16 + edge].astype("float32")) / 127.5 - 1
with torch.no_grad():
    distance = network(part[None, None])[0, 0].numpy()
first = (edge - distance.shape[0]) // 2
found = numpy.clip(numpy.rint(128 * distance + 127), 0, 255)
there = own[first:][:found.shape[0], 8 + first:][:, :found.shape[1], 16 + first:][:, :, :found.shape[2]]
assert numpy.abs(found - there).max() <= 1, numpy.abs(found - there).max()
assert there.std() > 1, "the network predicts the same everywhere"
print("equal; predictions", there.min(), "to", there.max())
PYTHON
