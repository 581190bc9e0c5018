#!/usr/bin/env bash
# The main job on a small stack of slices: from PNG files to a published folder, a network trained on the way; found are
# the balls that are there; a second run does nothing; a changed threshold runs only what depends on it.
#
#   main_job_test.sh ORGANON PORTAL_FOLDER
set -euo pipefail
organon=$1
portal=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED $*" >&2
  tail -n 40 log >&2
  exit 1
}
num_balls=$("$here/make_stack.py" stack)

cat >cell.toml <<TOML
name = "balls"
[raw]
source = "stack/images"
voxel_size_nm = 8
[classes.ball]
ids = [255]
min_volume_nm3 = 1e5
[[crops]]
name = "left"
labels = "stack/masks"
box_nm = [0, 0, 0, 320, 512, 512]
[truth]
labels = "stack/masks"
box_nm = [0, 0, 512, 320, 512, 1024]
[train]
features = [8, 16]
pooling = [2]
steps = 200
batch = 2
patch = 40
warmup_steps = 10
average = 0.9
# Balls are 7 % of the voxels: weighed as if they were a fifth, the standard, they would come out a voxel too small.
least_share = 0.05
[publish]
portal_folder = "$portal"
TOML

"$organon" run cell.toml --dry-run >plan 2>&1 || { cat plan >&2; exit 1; }
for verb in import pyramid targets train predict segment refine evaluate measure mesh publish; do
  grep -q "^$verb " plan || { cat plan >&2; echo "FAILED the plan has no line for $verb" >&2; exit 1; }
done

# What status says of the cell, while it is made too. states STATE...: of its stages, in order, one word each time it changes.
states() {
  "$organon" status cell.toml --json >status || fail "no status"
  python3 -c '
import itertools, json, sys
lines = [json.loads(line) for line in open("status")]
assert len(lines) == lines[-1]["stages"] + 1, lines
found = [state for state, _ in itertools.groupby(line["state"] for line in lines[:-1])]
assert found == sys.argv[1:], (found, sys.argv[1:])
assert lines[-1]["is_running"] == ("running" in found), lines[-1]
' "$@"
}
states waiting || fail "status before the run"
"$organon" run cell.toml --no-fsync >log 2>&1 &
run=$!
# Training takes long enough to be seen at it.
until grep -q "train balls .*running.* train network" <("$organon" status .) || ! kill -0 $run 2>/dev/null; do sleep 0.2; done
states complete running waiting || fail "status while it trains"
"$organon" status cell.toml --watch >watched & watch=$!
wait $run || fail "the run failed"
wait $watch || fail "status --watch failed"
tail -n 20 watched | grep -q "publish published *complete" || { cat watched >&2; fail "--watch ended before the run"; }
states complete || fail "status after the run"
grep -q "^contrast_limits = " cell.toml || fail "the estimated contrast limits are not kept in cell.toml"
python3 - "$num_balls" <<'PYTHON' || fail "the results are not those of the stack"
import csv, json, math, pathlib, sys
num_balls = int(sys.argv[1])
scores = json.load(open("scores/ball.json"))["scores"][0]
print("F1 on the side that was not learned from:", scores["f1"])
assert scores["f1"] > 0.8, scores
rows = list(csv.DictReader(open("tables/ball.csv")))
assert len(rows) == num_balls, len(rows)
ball = 4 / 3 * math.pi * 72**3
for row in rows:
    assert 0.6 < float(row["volume_nm3"]) / ball < 1.6, row
index = json.load(open("published/index.json"))
roles = sorted(layer["role"] for layer in index["layers"])
assert roles == ["prediction", "raw", "segmentation"], roles
meshes = [p for p in pathlib.Path("published").rglob("mesh/*") if p.name.endswith(":0") and p.name.count(":") == 1]
assert len(meshes) == num_balls, meshes
assert pathlib.Path("published/index.html").exists()
PYTHON

digests=$("$organon" digest balls.n5/predictions/ball balls.n5/labels/ball balls.n5/refined/ball)
"$organon" run cell.toml --no-fsync >log 2>&1 || fail "the second run failed"
! grep -v ' is complete and unchanged$' log | grep -E '^[a-z]+( [^ :]+)?: ' || fail "the second run did something"
[ "$("$organon" digest balls.n5/predictions/ball balls.n5/labels/ball balls.n5/refined/ball)" = "$digests" ] ||
  fail "the second run changed voxels"

# A threshold concerns what comes after the prediction.
sed -i 's/^min_volume_nm3 = .*/&\nthreshold = 140/' cell.toml
states complete changed waiting || fail "status with another threshold"
"$organon" run cell.toml --dry-run >plan 2>&1 || fail "no plan"
grep -q "^predict predictions *complete" plan || { cat plan >&2; fail "the plan predicts again"; }
! grep -E "^(segment|refine|publish) .*complete" plan || fail "the plan does not see what follows from a threshold"
# Blocks that are given up, and what was cut short.
if ORGANON_FAULT="label blocks:*:throw" "$organon" run cell.toml --no-fsync >log 2>&1; then fail "no block failed"; fi
states complete failed waiting || fail "status of a run that failed"
"$organon" status . | grep -q "failed: .*fault point" || fail "status names no failure"
"$organon" run cell.toml --no-fsync >log 2>&1 || fail "the run with another threshold failed"
for verb in import pyramid targets train predict; do
  ! grep -E "^$verb( [^ :]+)?: " log | grep -qv unchanged || fail "$verb ran again for a threshold"
done
grep -q "^segment ball: relabel" log || fail "the changed threshold segmented nothing again"

# A prediction that began on another kind of device (here said to have) is neither gone on with nor mixed.
predict() {
  "$organon" predict balls.n5/raw networks/balls again.n5/predictions --no-fsync "$@" >log 2>&1
}
if ORGANON_FAULT="predict blocks:*:throw" predict; then fail "no block failed"; fi
device=.organon/runs/again.n5:predictions/device.json
grep -q '"type": "cpu"' $device || fail "the kind of device is not kept"
"$organon" status again.n5/predictions | grep -q "failed, on cpu" || fail "status names no device"
sed -i 's/"cpu"/"cuda"/; s/"host": "[^"]*"/"host": "gpu7"/' $device
refused() {
  local code=0
  predict "${@:3}" || code=$?
  [ $code = "$1" ] && grep -qF -- "$2" log || fail "expected exit code $1 and '$2', found $code"
}
refused 3 "this run keeps to cuda (decided on gpu7)"
refused 3 "begin anew with --force --device cpu"
refused 2 "this run began on cuda (on gpu7)" --device cpu
refused 2 "--device" --device tpu
predict --force --device cpu || fail "cannot begin anew"
[ "$("$organon" digest again.n5/predictions/ball | cut -d' ' -f1)" = "$(cut -d' ' -f1 <<<"$digests" | head -n 1)" ] ||
  fail "the prediction is another"
grep -q '"device"' again.n5/predictions/ball/attributes.json || fail "the provenance names no device"
echo "ok     from slices to a published folder"
