#!/usr/bin/env python3
"""Peak memory of the verbs that move volumes, against what they may take.

    benchmarks/peak_memory.py --organon out/build/release/bin/organon --work /tmp/peak --gib 0.25 1

Volumes of uint8 in chunks of 64^3, and of uint64 in chunks of 128^3 (16 MiB) and in shards of 256^3 (128 MiB) of such, are made
of noise that hardly compresses, at each size of --gib; every verb runs on them with one worker and with two. The goal: whatever the
volume's size, at most two chunks (or one shard) per thread, an open chunk per level of a pyramid, and 200 MiB.

Printed: the largest sum, over the processes of a run, of the memory that they hold (proportional set size, so that
what processes share counts once), looked at 50 times a second. Needs numpy and tifffile.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np


def children_of(pid):
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                queue += map(int, pathlib.Path(f"/proc/{current}/task/{task}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def held_bytes(pid):
    total = 0
    for process in children_of(pid):
        try:
            for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return total


def run(words):
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peak = 0
    while process.poll() is None:
        peak = max(peak, held_bytes(process.pid))
        time.sleep(0.02)
    if process.returncode != 0:
        sys.exit(f"{' '.join(words)}: {process.stdout.read().decode()}")
    return peak


def write_slices(folder, shape, dtype):
    import tifffile

    random = np.random.default_rng(1)
    folder.mkdir(parents=True)
    for z in range(shape[0]):
        tifffile.imwrite(folder / f"z{z:05}.tif", random.integers(0, 256, shape[1:], dtype="u1").astype(dtype))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--organon", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--gib", type=float, nargs="+", default=[0.25, 1])
    arguments = parser.parse_args()
    organon, work = arguments.organon, arguments.work
    rows = []

    def measure(name, workers, gib, allowed, words, removes=()):
        for path in removes:
            shutil.rmtree(path, ignore_errors=True)
        peak = run([organon, *map(str, words)])
        rows.append((name, workers, gib, peak / 2**20, allowed / 2**20 + 200))
        print(f"{name:34} {workers} workers {gib:5.2f} GiB: {peak / 2**20:6.0f} MiB of {allowed / 2**20 + 200:5.0f}", flush=True)

    for gib in arguments.gib:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        # Slices of at most 1024 x 1024, so that a volume grows along z.
        depth = int(gib * 1024)
        write_slices(work / "slices", (depth, 1024, 1024), "u1")
        small, large = 64**3, 8 * 128**3
        for workers in (1, 2):
            again = ["--workers", workers, "--no-fsync", "--force"]
            # A row of chunks along z and y is read from slices at once.
            measure("import of TIFF slices, 64^3", workers, gib, workers * 64 * 1024 * 1024,
                    ["import", work / "slices", work / "a.n5/raw/s0", "--voxel-size-nm", "4", *again])
            measure("convert n5 to zarr3, 64^3", workers, gib, 2 * workers * small,
                    ["convert", work / "a.n5/raw/s0", f"zarr3://{work}/b.zarr/raw/s0", *again])
            measure("pyramid of 64^3", workers, gib, (2 * workers + 6) * small,
                    ["pyramid", work / "a.n5/raw/s0", work / "a.n5/raw", *again])
            measure("export to TIFF", workers, gib, workers * 64 * 1024 * 1024,
                    ["export", work / "a.n5/raw/s0", work / "out_slices", *again], [work / "out_slices"])
            part = ["--box", f"0,0,0,{depth},512,256"]
            measure("convert to uint64, 128^3", workers, gib, 2 * workers * large,
                    ["convert", work / "a.n5/raw/s0", f"{work}/c.n5/raw/s0", *part, "--data-type", "uint64", "--chunk-shape",
                     "128", *again])
            measure("convert to shards of 256^3", workers, gib, workers * 8 * large,
                    ["convert", work / "c.n5/raw/s0", f"zarr3://{work}/d.zarr/raw/s0", "--shard-shape", "256", *again])
            measure("pyramid of labels, 128^3", workers, gib, (2 * workers + 6) * large,
                    ["pyramid", work / "c.n5/raw/s0", work / "c.n5/raw", *again])
        threads = os.cpu_count()
        for name, address, allowed in (("64^3", work / "a.n5/raw/s0", 2 * threads * small),
                                       ("uint64, 128^3", work / "c.n5/raw/s0", 2 * threads * large),
                                       ("shards of 256^3", work / "d.zarr/raw/s0", threads * 8 * large)):
            for verb in ("verify", "digest", "inspect"):
                measure(f"{verb} of {name}", threads, gib, allowed, [verb, address])
        shutil.copytree(work / "d.zarr", work / "foreign.zarr")
        measure("verify of foreign shards of 256^3", threads, gib, threads * 8 * large, ["verify", work / "foreign.zarr/raw/s0"])
    worst = max(rows, key=lambda row: row[3] - row[4])
    print(f"worst: {worst[0]}, {worst[3]:.0f} MiB of {worst[4]:.0f}")
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
