#!/usr/bin/env bash
# A small study of two phantoms and two set-ups, each trained for 20 steps: one command trains, predicts, scores and
# chooses; a study that was killed on the way and run again gives the same store; a third run does nothing; a trained
# network can be judged by itself.
#
#   study_test.sh ORGANON
set -euo pipefail
organon=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail() {
  echo "FAILED $*" >&2
  tail -n 40 log >&2
  exit 1
}
write_study() {
  mkdir "$1"
  cat >"$1/study.toml" <<TOML
name = "tiny"
evaluate_every = 10
TOML
  for dataset in hela jurkat; do
    cat >>"$1/study.toml" <<TOML
[[datasets]]
name = "$dataset"
raw = "../$dataset.n5/raw"
[[datasets.crops]]
name = "left"
labels = "../$dataset/phantom.n5/labels"
box_nm = [0, 0, 0, 320, 320, 320]
[[datasets.crops]]
name = "right"
labels = "../$dataset/phantom.n5/labels"
box_nm = [64, 64, 384, 188, 188, 508]
role = "holdout"
TOML
  done
  cat >>"$1/study.toml" <<'TOML'
[[setups]]
name = "few4"
classes = "few-er"
voxel_size_nm = 4
[[setups]]
name = "own8"
classes = ["er", "pm"]
family = "many"
voxel_size_nm = 8
[setups.train]
output_scale = 2
patch = 16
[train]
steps = 20
batch = 2
patch = 32
features = [4, 4]
pooling = 2
stem = 1
convolutions = 1
threads = 1
[predict]
flips = 1
tile = 32
halo = 8
chunk_shape = 32
TOML
}

for dataset in hela jurkat; do
  "$organon" phantom $dataset --shape 80,80,128 --voxel-size-nm 4 --seed ${#dataset} --contrast $dataset --no-fsync
  "$organon" convert $dataset/phantom.n5/raw $dataset.n5/raw/s0 --no-fsync
  "$organon" pyramid $dataset.n5/raw/s0 $dataset.n5/raw --levels 1 --no-fsync
done 2>log || fail phantoms

write_study whole
"$organon" run whole/study.toml --dry-run >log 2>&1 || fail dry run
grep -q '^23 stages' log || fail "number of stages"
[ ! -e whole/networks ] || fail "a dry run made something"
"$organon" run whole/study.toml --no-fsync --workers 1 >choice 2>log || fail run
grep -q '^class\|^group' choice || fail "no choice is shown"
grep -q '^any,er,' whole/choice/best_setups.csv || fail "no best network for er"
for plot in best families voxel_sizes comparisons iterations; do
  grep -q '</svg>' whole/choice/$plot.svg || fail "no plot $plot"
done
# 2 set-ups, 2 iterations, 2 crops; the ids of the taxonomy.
[ "$(find whole/scores -path '*/.organon' -prune -o -name '*.json' -print | wc -l)" = 8 ] || fail "number of files of scores"
"$organon" status whole/study.toml >log || fail status
grep -q '23 of 23 stages complete' log || fail "status"

# What a stage refuses is told before anything is learned.
write_study refused
sed -i 's/^flips = 1/flips = 3/' refused/study.toml
if "$organon" run refused/study.toml --no-fsync >/dev/null 2>log; then fail "flips = 3 was taken"; fi
grep -q flips log || fail "the refusal does not name the option"
[ ! -e refused/networks ] || fail "something was learned before a stage was refused"

# Killed while it trains, and again once something is scored.
write_study broken
run_until_there_is() {
  "$organon" run broken/study.toml --no-fsync --workers 1 >/dev/null 2>log &
  local pid=$!
  until [ -e "$1" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
  kill -9 $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
}
run_until_there_is broken/networks/few4/checkpoints/step_000010.organon
[ ! -e broken/scores ] || fail "it was not killed in training"
run_until_there_is broken/scores/few4/10/hela/right.json
[ ! -e broken/choice ] || fail "it was not killed before the end"
"$organon" run broken/study.toml --no-fsync --workers 1 >/dev/null 2>log || fail "going on"
cmp whole/choice/scores.csv broken/choice/scores.csv || fail "another store after a kill"
"$organon" run broken/study.toml --no-fsync --workers 1 >/dev/null 2>log || fail "third run"
if grep -q '^\[' log; then fail "a finished study ran something again"; fi

# A training that exists already.
mkdir judged
sed -n '/^\[\[setups/q;p' whole/study.toml | sed 's/evaluate_every = 10/evaluate_every = 20/' >judged/study.toml
cat >>judged/study.toml <<'TOML'
[[setups]]
name = "few4"
network = "../whole/networks/few4"
family = "few"
[predict]
flips = 1
tile = 32
halo = 8
chunk_shape = 32
TOML
"$organon" run judged/study.toml --no-fsync --workers 1 >/dev/null 2>log || fail "a trained network"
grep ',few4,20,' whole/choice/scores.csv | cut -d, -f2- >expected
grep ',few4,20,' judged/choice/scores.csv | cut -d, -f2- >found
[ -s expected ] && cmp expected found || fail "a trained network has other scores by itself"
