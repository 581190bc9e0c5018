#!/usr/bin/env python3
"""What a five-level pyramid costs beside decoding and encoding its chunks without reducing.

    benchmarks/pyramid_cost.py --em SLICES --labels LABELS.h5 --work FOLDER [--organon out/build/release]

1 GiB of uint8 (slices tiled along z, mean) and of uint64 labels (mode), Zarr 2, gzip, chunks of 64^3. Times are wall seconds, the best of
--repeats, in turn: `organon pyramid` with --threads workers (less what the same command takes on a volume of one chunk: start
and finish), against threads that decode all chunks of s0 and encode all chunks of the levels (storage_benchmark). Needs numpy,
zarr, h5py, imageio.
"""
import argparse
import json
import os
import shutil
import subprocess
import time

import numpy as np

from storage_peers import read_slices, tiled

LEVELS = 5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--em", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--organon", default="out/build/release")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args()
    import h5py
    import zarr

    os.makedirs(args.work, exist_ok=True)
    raw = os.path.join(args.work, "volume.raw")
    benchmark = os.path.join(args.organon, "benchmarks/storage_benchmark")

    def threads(*words):
        out = subprocess.run([benchmark, *words, "--threads", str(args.threads)], check=True, capture_output=True, text=True).stdout
        return json.loads(out)["seconds"]

    def write(volume, address):
        volume.tofile(raw)
        return threads("write", raw, "--shape", ",".join(map(str, volume.shape)), "--type", str(volume.dtype), "--address", address,
                       "--codec", "gzip", "--level", "1")

    def pyramid(group, kind, levels):
        begin = time.monotonic()
        subprocess.run([os.path.join(args.organon, "bin/organon"), "pyramid", group + "/s0", group, "--kind", kind, "--levels", str(levels),
                        "--workers", str(args.threads), "--no-fsync", "--force"], check=True, capture_output=True)
        return time.monotonic() - begin

    print("| volume | pyramid s | start s | decode s0 s | encode levels s | (pyramid - start) / (decode + encode) |\n|---|---|---|---|---|---|")
    em = lambda: tiled(read_slices(args.em, 10000), args.mebibytes << 20)
    labels = lambda: tiled(np.asarray(h5py.File(args.labels)["stack"]).astype("u8"), args.mebibytes << 20)
    for name, make, kind in (("EM, mean", em, "mean"), ("labels, mode", labels, "mode")):
        folder = os.path.join(args.work, "pyramid_cost")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        big, small = (os.path.join(folder, f"{size}.zarr/raw") for size in ("big", "small"))
        volume = make()
        write(volume, big + "/s0")
        write(np.ascontiguousarray(volume[:64, :64, :65]), small + "/s0")
        del volume
        best = {}

        def note(what, seconds):
            best[what] = min(best.get(what, 1e9), seconds)

        for _ in range(args.repeats):
            note("pyramid", pyramid(big, kind, LEVELS))
            note("start", pyramid(small, kind, 1))
            note("decode", threads("read", big + "/s0"))
            encode = 0
            for level in range(1, LEVELS + 1):
                shutil.rmtree(os.path.join(folder, "level.zarr"), ignore_errors=True)
                encode += write(zarr.open_array(f"{big}/s{level}", mode="r")[...], os.path.join(folder, "level.zarr/s0"))
            note("encode", encode)
        ratio = (best["pyramid"] - best["start"]) / (best["decode"] + best["encode"])
        print(f"| {name} | {best['pyramid']:.2f} | {best['start']:.2f} | {best['decode']:.2f} | {best['encode']:.2f} | {ratio:.2f} |", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    os.remove(raw)


if __name__ == "__main__":
    main()
