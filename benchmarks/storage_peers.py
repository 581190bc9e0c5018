#!/usr/bin/env python3
"""Reads and writes of chunked volumes by organon and its peers, on the same voxels, in one run.

    benchmarks/storage_peers.py --em SLICES --labels LABELS.npy|--labels-folder F --work FOLDER [--organon BUILD] [--threads 2]

EM: slices (PNG or TIFF) tiled along z to about 1 GiB of uint8; labels: an array tiled to 1 GiB of uint64. Everything lies in
--work: choose a tmpfs, so that no disk is measured. Peers are those Python packages that are there: tensorstore, zarr,
zarrs, z5py. All use as many threads as --threads where they let us choose; the page says which do not.
Prints a table: what, organon, peer, ratio (above 1: organon is faster).
"""
import argparse
import glob
import json
import os
import shutil
import subprocess
import time

import numpy as np

CHUNK = 64


def tiled(volume, num_bytes):
    times = max(1, round(num_bytes / volume.nbytes))
    return np.ascontiguousarray(np.concatenate([volume] * times, 0))


def read_slices(folder, count):
    import imageio.v3 as iio
    files = sorted(glob.glob(os.path.join(folder, "*.png")) + glob.glob(os.path.join(folder, "*.tif*")))
    return np.stack([iio.imread(f) for f in files[:count]])


def timed(call):
    begin = time.monotonic()
    result = call()
    return time.monotonic() - begin, result


class Peers:
    def __init__(self, threads):
        self.threads = threads
        self.all = {}
        for name in ("tensorstore", "zarr", "zarrs", "z5py"):
            try:
                self.all[name] = __import__(name)
            except ImportError:
                print(f"# {name} is not there", flush=True)

    def tensorstore(self, path, driver, volume=None, metadata=None):
        import tensorstore as ts
        context = ts.Context({"data_copy_concurrency": {"limit": self.threads}, "file_io_concurrency": {"limit": self.threads},
                              "cache_pool": {"total_bytes_limit": 0}})
        spec = {"driver": driver, "kvstore": {"driver": "file", "path": path}}
        if volume is not None:
            spec.update(create=True, delete_existing=True, metadata=metadata)
        dataset = ts.open(spec, context=context).result()
        if volume is None:
            return timed(lambda: dataset.read().result())
        return timed(lambda: dataset.write(volume).result())


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--em", required=True)
    a.add_argument("--work", required=True)
    a.add_argument("--organon", default="out/build/release")
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--mebibytes", type=int, default=1024)
    a.add_argument("--repeats", type=int, default=2)
    args = a.parse_args()
    os.makedirs(args.work, exist_ok=True)
    em = tiled(read_slices(args.em, 10000), args.mebibytes << 20)
    raw = os.path.join(args.work, "em.raw")
    em.tofile(raw)
    shape = ",".join(map(str, em.shape))
    mb = em.nbytes * 1e-6
    program = os.path.join(args.organon, "benchmarks/storage_benchmark")
    print(f"{em.shape} {em.dtype}, chunks {CHUNK}^3, {args.threads} threads", flush=True)

    def organon(*words):
        out = subprocess.run([program, *words, "--threads", str(args.threads)], check=True, capture_output=True, text=True).stdout
        return json.loads(out)["seconds"]

    rows = []

    def add(what, name, seconds, other):
        rows.append((what, name, mb / seconds, mb / other, other / seconds))
        print(f"| {what} | {name} | {mb / seconds:.0f} | {mb / other:.0f} | {other / seconds:.2f} |", flush=True)

    print("| what | peer | organon MB/s | peer MB/s | ratio |\n|---|---|---|---|---|")
    peers = Peers(args.threads)
    cases = [("n5", "gzip", 1), ("zarr", "gzip", 1), ("zarr", "zstd", 3), ("zarr", "blosc", 1)]
    for container, codec, level in cases:
        path = os.path.join(args.work, f"organon_{codec}.{container}")
        best = {}
        for _ in range(args.repeats):
            shutil.rmtree(path, ignore_errors=True)
            for verb, words in (("write", ("write", raw, "--shape", shape, "--address", path + "/s0", "--codec", codec,
                                           "--level", str(level))), ("read", ("read", path + "/s0"))):
                best[verb] = min(best.get(verb, 1e9), organon(*words))
        timings = {}

        def note(name, write, read):
            for verb, seconds in (("write", write), ("read", read)):
                key = (name, verb)
                timings[key] = min(timings.get(key, 1e9), seconds)

        for _ in range(args.repeats):
            if "tensorstore" in peers.all:
                p = os.path.join(args.work, f"ts_{codec}.{container}/s0/")
                shutil.rmtree(p, ignore_errors=True)
                if container == "n5":
                    meta = {"dimensions": list(em.shape[::-1]), "blockSize": [CHUNK] * 3, "dataType": "uint8",
                            "compression": {"type": codec, "level": level}}
                    w, _ = peers.tensorstore(p, "n5", em.T, meta)
                    r, _ = peers.tensorstore(p, "n5")
                else:
                    compressor = {"id": codec, "level": level} if codec != "blosc" else {
                        "id": "blosc", "cname": "zstd", "clevel": level, "shuffle": 1, "blocksize": 0}
                    meta = {"zarr_format": 2, "shape": list(em.shape), "chunks": [CHUNK] * 3, "dtype": "|u1", "order": "C",
                            "compressor": compressor, "fill_value": 0, "filters": None}
                    w, _ = peers.tensorstore(p, "zarr", em, meta)
                    r, _ = peers.tensorstore(p, "zarr")
                note("tensorstore", w, r)
                shutil.rmtree(p, ignore_errors=True)
            if "zarr" in peers.all and container == "zarr":
                import numcodecs
                import zarr
                zarr.config.set({"async.concurrency": args.threads, "threading.max_workers": args.threads})
                compressor = {"gzip": numcodecs.GZip(level), "zstd": numcodecs.Zstd(level),
                              "blosc": numcodecs.Blosc(cname="zstd", clevel=level, shuffle=1)}[codec]
                p = os.path.join(args.work, f"zp_{codec}.zarr")
                shutil.rmtree(p, ignore_errors=True)
                array = zarr.create_array(p, shape=em.shape, chunks=(CHUNK,) * 3, dtype="u1", zarr_format=2,
                                          compressors=compressor)
                w, _ = timed(lambda: array.__setitem__(Ellipsis, em))
                r, _ = timed(lambda: array[...])
                note("zarr-python", w, r)
                shutil.rmtree(p, ignore_errors=True)
            if "z5py" in peers.all and codec == "gzip":
                import z5py
                p = os.path.join(args.work, f"z5.{'n5' if container == 'n5' else 'zr'}")
                shutil.rmtree(p, ignore_errors=True)
                f = z5py.File(p, "w", use_zarr_format=container != "n5")
                d = f.create_dataset("s0", shape=em.shape, chunks=(CHUNK,) * 3, dtype="uint8", compression="gzip", level=level,
                                     n_threads=args.threads)
                w, _ = timed(lambda: d.__setitem__(slice(None), em))
                r, _ = timed(lambda: d[:])
                note("z5py", w, r)
                shutil.rmtree(p, ignore_errors=True)
        for (name, verb), seconds in sorted(timings.items()):
            add(f"{container} {codec} {level} {verb}", name, best[verb], seconds)
        shutil.rmtree(path, ignore_errors=True)
    os.remove(raw)


if __name__ == "__main__":
    main()
