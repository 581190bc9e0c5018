#!/usr/bin/env python3
"""Measures stages on whole volumes, from gzip N5 to gzip N5: speed per core, memory, growth with the volume.

    benchmarks/whole_volume.py --organon out/build/release/bin/organon --prediction out/epfl/epfl.n5/predictions/mito \\
        --work /tmp/whole_volume --gvoxels 0.1 1 10 --noise

`segment` and `refine` are measured, and their sum; with --all also watershed, agglomerate, restrict, edit, measure and
distance, each with its standard options.

Volumes (kept in --work; chunks of 64^3, gzip level 1):
  prediction   whole chunks of --prediction (N5, uint8), tiled; a chunk that repeats is a hard link to the first
  noise        --noise: 1024^3 voxels of uniform noise, without smoothing and smallest volume, so that as many components
               as can be survive; at --noise-thresholds, each with components of another kind

Prints a table: processor seconds of all processes (user and system), voxels of the volume per processor second, the memory
of the largest process, objects. Needs numpy.
"""

import argparse
import gzip
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

import numpy as np

CHUNK = 64


def write_attributes(dataset, shape_zyx):
    dataset.mkdir(parents=True, exist_ok=True)
    (dataset / "attributes.json").write_text(json.dumps({
        "dimensions": list(reversed(shape_zyx)), "blockSize": [CHUNK] * 3, "dataType": "uint8",
        "compression": {"type": "gzip", "level": 1, "useZlib": False},
        "pixelResolution": {"dimensions": [5.0] * 3, "unit": "nm"}}))


def chunk_path(dataset, z, y, x):
    return dataset / str(x) / str(y) / str(z)


def make_noise(dataset, edge):
    random = np.random.default_rng(1)
    for z in range(edge // CHUNK):
        for y in range(edge // CHUNK):
            for x in range(edge // CHUNK):
                path = chunk_path(dataset, z, y, x)
                path.parent.mkdir(parents=True, exist_ok=True)
                voxels = random.integers(0, 256, CHUNK**3, dtype=np.uint8).tobytes()
                path.write_bytes(struct.pack(">HHIII", 0, 3, CHUNK, CHUNK, CHUNK) + gzip.compress(voxels, 1))
    write_attributes(dataset, (edge,) * 3)


def tile_prediction(source, dataset, gvoxels):
    """Whole chunks of the source, repeated along the shortest axis first, to at least `gvoxels`; returns the shape."""
    shape = [n // CHUNK for n in reversed(json.loads((source / "attributes.json").read_text())["dimensions"])]
    wanted = list(shape)
    while np.prod(wanted) * CHUNK**3 < gvoxels * 1e9 * 0.99:
        shortest = int(np.argmin(wanted))
        wanted[shortest] += shape[shortest]
    for z, y, x in np.ndindex(*wanted):
        path = chunk_path(dataset, z, y, x)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            original = chunk_path(dataset, z % shape[0], y % shape[1], x % shape[2])
            if (z, y, x) == (z % shape[0], y % shape[1], x % shape[2]):
                shutil.copy(chunk_path(source, z, y, x), path)
            else:
                os.link(original, path)
    write_attributes(dataset, [n * CHUNK for n in wanted])


def num_voxels(dataset):
    return int(np.prod(json.loads((dataset / "attributes.json").read_text())["dimensions"]))


def run(arguments):
    """(processor seconds, wall seconds, bytes of the largest process), of the command and all that it started."""
    begin = time.monotonic()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    text = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(arguments)}\n{text}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begin, usage.ru_maxrss * 1024


def measure(options, name, dataset, segment_options):
    cell = options.work / f"{name.replace(' ', '_')}_out.n5"
    shutil.rmtree(cell, ignore_errors=True)
    for table in options.work.glob("table.*"):
        table.unlink()
    # ext4 looks for other inodes than those freed in the last 5 s, at length where they are many.
    time.sleep(6)
    common = ["--workers", str(options.workers), "--force", "--no-fsync"]
    voxels = num_voxels(dataset)

    def row(verb, processor, wall, memory):
        print(f"| {name} | {voxels / 1e9:.2f} | {verb} | {processor:.1f} | {wall} | {voxels / processor / 1e6:.1f} | "
              f"{memory} |", flush=True)

    def measured(verb, *arguments):
        processor, wall, memory = run([str(options.organon), verb, *map(str, arguments), *common])
        row(verb, processor, f"{wall:.1f}", f"{memory / 2**30:.2f}")
        return processor

    seconds = measured("segment", dataset, cell / "labels", *segment_options)
    seconds += measured("refine", cell / "labels", cell / "refined")
    row("both", seconds, "", "")
    if options.all:
        measured("watershed", dataset, cell / "fragments", *segment_options[:2])
        measured("agglomerate", cell / "fragments", cell / "objects")
        measured("restrict", cell / "refined", cell / "objects", cell / "restricted", "--expand-nm", "40")
        measured("edit", cell / "refined", cell / "edited")
        measured("measure", cell / "refined", options.work / "table.csv")
        measured("distance", cell / "refined", cell / "distance")
    if not options.keep:
        shutil.rmtree(cell)
        shutil.rmtree(options.work / ".organon", ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--organon", type=pathlib.Path, required=True)
    parser.add_argument("--prediction", type=pathlib.Path, help="N5 dataset to tile")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--gvoxels", type=float, nargs="*", default=[0.1, 1])
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--noise-thresholds", type=int, nargs="*", default=[127, 240])
    parser.add_argument("--all", action="store_true", help="more verbs than segment and refine")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the results")
    options = parser.parse_args()

    print("| volume | Gvoxels | verb | processor s | wall s | Mvoxels/s per core | GiB of the largest process |")
    print("|---|---|---|---|---|---|---|")
    for gvoxels in options.gvoxels if options.prediction else []:
        dataset = options.work / f"prediction_{gvoxels:g}.n5" / "mito"
        if not (dataset / "attributes.json").exists():
            tile_prediction(options.prediction, dataset, gvoxels)
        measure(options, "prediction", dataset, [])
    if options.noise:
        dataset = options.work / "noise.n5" / "noise"
        if not (dataset / "attributes.json").exists():
            make_noise(dataset, 1024)
        for threshold in options.noise_thresholds:
            measure(options, f"noise at least {threshold}", dataset,
                    ["--sigma-nm", "0", "--min-volume-nm3", "0", "--threshold", str(threshold)])


if __name__ == "__main__":
    main()
