#!/usr/bin/env bash
# Does it harm to leave classes unpainted? Two networks learn from the same four crops of two synthetic cells: "full" with
# everything annotated, "partial" where each crop but one lacks a class on purpose. Both are scored on a cell of
# another seed and staining.
#
#   benchmarks/phantom_annotation.sh [--steps N] [FOLDER]
#
# FOLDER (standard: out/annotation) keeps everything; a second call goes on or does nothing. Standard steps: 1000, about
# 5 minutes for each network on two cores.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
steps=1000
if [ "${1-}" = --steps ]; then
  steps=${2:?--steps: a number is missing}
  shift 2
fi
folder=${1:-$root/out/annotation}
organon=${ORGANON:-$root/out/build/release/bin/organon}
[ -x "$organon" ] || { echo "no $organon: run ./build first" >&2; exit 2; }
mkdir -p "$folder"
folder=$(realpath "$folder")
"$organon" phantom "$folder/one" --shape 192,256,256 --seed 1 --contrast hela
"$organon" phantom "$folder/two" --shape 192,256,256 --seed 4 --contrast macrophage
"$organon" phantom "$folder/unseen" --shape 192,256,256 --seed 3 --contrast jurkat

# crop NAME CELL Z0 Z1 PRESENT UNANNOTATED
crop() {
  cat <<TOML

[[crops]]
name = "$1"
raw = "../$2/phantom.n5/raw"
labels = "../$2/phantom.n5/labels"
box_nm = [$3, 0, 0, $4, 2048, 2048]
TOML
  [ -z "$5" ] || printf 'present = [%s]\nunannotated = [%s]\n' "$5" "$6"
}

for annotation in full partial; do
  mkdir -p "$folder/$annotation"
  {
    cat <<TOML
name = "$annotation"
taxonomy = "heinrich2021"

[raw]
source = "../unseen/phantom.n5/raw"

[classes.mito]
[classes.er]
[classes.nucleus]

[train]
steps = $steps
turned_share = 0.1
least_share = 0.1

[truth]
labels = "../unseen/phantom.n5/labels"
TOML
    if [ $annotation = full ]; then
      crop one_low one 0 768 "" ""
      crop one_high one 768 1536 "" ""
      crop two_low two 0 768 "" ""
      crop two_high two 768 1536 "" ""
    else
      # The nuclear envelope belongs to ER and nucleus: where one of these is not painted, an atom of its own is missing.
      crop one_low one 0 768 '"er", "nucleus"' '"mito"'
      crop one_high one 768 1536 '"mito", "nucleus"' '"er_mem", "er_lum"'
      crop two_low two 0 768 '"mito", "er"' '"nucpl"'
      crop two_high two 768 1536 "" ""
    fi
  } >"$folder/$annotation/cell.toml.new"
  cmp -s "$folder/$annotation/cell.toml.new" "$folder/$annotation/cell.toml" ||
    cp "$folder/$annotation/cell.toml.new" "$folder/$annotation/cell.toml"
  rm "$folder/$annotation/cell.toml.new"
  "$organon" crops check "$folder/$annotation/cell.toml"
  "$organon" run "$folder/$annotation/cell.toml" --until predict
  while read -r class ids; do
    "$organon" evaluate "$folder/$annotation/$annotation.n5/predictions/$class" "$folder/unseen/phantom.n5/labels" \
      "$folder/scores/${annotation}_$class.json" --class-name "$class" --region "$annotation" --ids "$ids"
  done <<<'mito 3+4+5
er 16+17+18+19+20+21+22+23
nucleus 20+21+22+23+24+25+26+27+28+29+37'
done
