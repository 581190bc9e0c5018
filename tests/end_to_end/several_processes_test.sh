#!/usr/bin/env bash
# Training by two processes, from the command line: the losses of one process; Ctrl-C ends both.
#
#   several_processes_test.sh ORGANON
set -euo pipefail
organon=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED $*" >&2
  tail -n 40 log >&2
  exit 1
}
"$here/make_stack.py" stack >log
"$organon" import stack/images c.n5/raw --voxel-size-nm 8 --no-fsync >>log 2>&1 || fail import
"$organon" import stack/masks c.n5/labels --voxel-size-nm 8 --no-fsync >>log 2>&1 || fail import
"$organon" targets c.n5/labels c.n5/targets --classes ball --ids 255 --no-fsync >>log 2>&1 || fail targets
train=("$organon" train c.n5/raw c.n5/targets)
with=(--classes ball --contrast-limits 0,255 --features 4,8 --pooling 2 --batch 4 --patch 24 --log-every 5 --checkpoint-every 10
  --threads 2 --no-fsync)
num_ranks() { pgrep -fc "train-rank $folder" || true; }

if ! "${train[@]}" two "${with[@]}" --steps 20 --processes 2 >log 2>&1; then
  grep -q "built without the headers of gloo" log && exit 77
  fail "two processes"
fi
"${train[@]}" one "${with[@]}" --steps 20 --accumulate 2 >log 2>&1 || fail "one process"
python3 - <<'PYTHON' || fail "the losses differ"
import csv
rows = [list(csv.DictReader(open(f"{name}/curves.csv"))) for name in ("one", "two")]
assert len(rows[0]) == len(rows[1]) == 4, rows
for one, two in zip(*rows):
    assert abs(float(one["loss_ball"]) - float(two["loss_ball"])) < 1e-5, (one, two)
PYTHON

"${train[@]}" long "${with[@]}" --steps 100000 --processes 2 >log 2>&1 &
run=$!
until compgen -G "long/checkpoints/*.organon" >/dev/null || ! kill -0 $run 2>/dev/null; do sleep 0.1; done
[ "$(num_ranks)" = 1 ] || fail "expected one further process, found $(num_ranks)"
kill -INT $run
wait $run && code=0 || code=$?
[ $code = 130 ] || fail "a cancelled training ended with exit code $code"
[ "$(num_ranks)" = 0 ] || fail "a process was left"
echo "two processes learned as one does, and ended with it"
