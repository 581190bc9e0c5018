#!/usr/bin/env python3
"""Reads and writes of chunked volumes by organon and its peers, on the same voxels, in one run.

    benchmarks/storage_peers.py --em SLICES --labels LABELS.h5 --work FOLDER [--organon BUILD] [--threads 2]

EM: slices (PNG or TIFF) tiled along z to about 1 GiB of uint8; labels: an array tiled to 1 GiB of uint64. Everything lies in
--work: choose a tmpfs, so that no disk is measured. Peers are those Python packages that are there: tensorstore, zarr,
zarrs (the codec pipeline of zarr-python), z5py. All use --threads threads. What a peer reads is compared with what it wrote.
Prints a table: what, peer, MB of voxels per second of both, ratio (above 1: organon is faster); the best of --repeats.
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
    """Each peer writes the volume into a folder and reads it: seconds of both, and what was read."""

    def __init__(self, threads):
        self.threads = threads
        self.there = []
        for name in ("tensorstore", "zarr", "zarrs", "z5py"):
            try:
                __import__(name)
                self.there.append(name)
            except ImportError:
                print(f"# {name} is not there", flush=True)

    def for_format(self, container, codec):
        able = {"tensorstore": True, "zarr": container != "n5", "zarrs": container == "zarr3", "z5py": container != "zarr3" and codec == "gzip"}
        return [name for name in self.there if able[name]]

    def tensorstore(self, folder, container, codec, level, shard, volume):
        import tensorstore as ts

        limits = {"data_copy_concurrency": {"limit": self.threads}, "file_io_concurrency": {"limit": self.threads},
                  "cache_pool": {"total_bytes_limit": 0}}
        if container == "n5":
            metadata = {"dimensions": list(volume.shape[::-1]), "blockSize": [CHUNK] * 3, "dataType": str(volume.dtype),
                        "compression": {"type": codec, "level": level}}
        elif container == "zarr":
            compressor = {"id": codec, "level": level} if codec != "blosc" else {
                "id": "blosc", "cname": "zstd", "clevel": level, "shuffle": 1, "blocksize": 0}
            metadata = {"zarr_format": 2, "shape": list(volume.shape), "chunks": [CHUNK] * 3, "dtype": volume.dtype.str, "order": "C",
                        "compressor": compressor, "fill_value": 0, "filters": None}
        else:
            codecs = [{"name": "bytes", "configuration": {"endian": "little"}} if volume.itemsize > 1 else {"name": "bytes"},
                      {"name": codec, "configuration": {"level": level}}]
            if shard:
                codecs = [{"name": "sharding_indexed", "configuration": {"chunk_shape": [CHUNK] * 3, "codecs": codecs}}]
            metadata = {"shape": list(volume.shape), "data_type": str(volume.dtype), "fill_value": 0, "codecs": codecs,
                        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [shard or CHUNK] * 3}}}
        spec = {"driver": container, "kvstore": {"driver": "file", "path": folder + "/"}}
        created = ts.open({**spec, "create": True, "metadata": metadata}, context=ts.Context(limits)).result()
        write, _ = timed(lambda: created.write(volume.T if container == "n5" else volume).result())
        opened = ts.open(spec, context=ts.Context(limits)).result()
        read, voxels = timed(lambda: np.asarray(opened.read().result()))
        return write, read, voxels.T if container == "n5" else voxels

    def zarr(self, folder, container, codec, level, shard, volume, pipeline="zarr.core.codec_pipeline.BatchedCodecPipeline"):
        import numcodecs
        import zarr

        zarr.config.set({"async.concurrency": self.threads, "threading.max_workers": self.threads, "codec_pipeline.path": pipeline})
        if container == "zarr":
            compressor = {"gzip": numcodecs.GZip(level), "zstd": numcodecs.Zstd(level),
                          "blosc": numcodecs.Blosc(cname="zstd", clevel=level, shuffle=1)}[codec]
        else:
            compressor = {"zstd": zarr.codecs.ZstdCodec(level=level), "gzip": zarr.codecs.GzipCodec(level=level)}[codec]
        array = zarr.create_array(folder, shape=volume.shape, chunks=(CHUNK,) * 3, shards=(shard,) * 3 if shard else None,
                                  dtype=volume.dtype, zarr_format=2 if container == "zarr" else 3, compressors=compressor)
        write, _ = timed(lambda: array.__setitem__(Ellipsis, volume))
        read, voxels = timed(lambda: zarr.open_array(folder, mode="r")[...])
        return write, read, voxels

    def zarrs(self, *words):
        return self.zarr(*words, pipeline="zarrs.ZarrsCodecPipeline")

    def z5py(self, folder, container, codec, level, shard, volume):
        import z5py

        file = z5py.File(folder + (".n5" if container == "n5" else ".zr"), "w", use_zarr_format=container != "n5")
        dataset = file.create_dataset("s0", shape=volume.shape, chunks=(CHUNK,) * 3, dtype=str(volume.dtype), compression=codec,
                                      level=level, n_threads=self.threads)
        write, _ = timed(lambda: dataset.__setitem__(slice(None), volume))
        read, voxels = timed(lambda: dataset[:])
        shutil.rmtree(file.filename, ignore_errors=True)
        return write, read, voxels


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--em", help="folder of slices")
    a.add_argument("--labels", help="HDF5 file of uint64 labels, its dataset `stack`")
    a.add_argument("--work", required=True)
    a.add_argument("--organon", default="out/build/release")
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--mebibytes", type=int, default=1024)
    a.add_argument("--repeats", type=int, default=2)
    args = a.parse_args()
    os.makedirs(args.work, exist_ok=True)
    # Before rayon starts.
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)
    peers = Peers(args.threads)
    print("| what | peer | organon MB/s | peer MB/s | ratio |\n|---|---|---|---|---|", flush=True)
    if args.em:
        cases = [("n5", "gzip", 1, 0), ("zarr", "gzip", 1, 0), ("zarr", "zstd", 3, 0), ("zarr", "blosc", 1, 0),
                 ("zarr3", "zstd", 3, 0), ("zarr3", "zstd", 3, 256)]
        measure("EM", tiled(read_slices(args.em, 10000), args.mebibytes << 20), cases, peers, args)
    if args.labels:
        import h5py

        labels = np.asarray(h5py.File(args.labels)["stack"]).astype("u8")
        cases = [("n5", "gzip", 1, 0), ("zarr", "gzip", 1, 0), ("zarr3", "zstd", 3, 0), ("zarr3", "zstd", 3, 256)]
        measure("labels", tiled(labels, args.mebibytes << 20), cases, peers, args)


def measure(name, volume, cases, peers, args):
    raw = os.path.join(args.work, "volume.raw")
    volume.tofile(raw)
    shape = ",".join(map(str, volume.shape))
    mb = volume.nbytes * 1e-6
    program = os.path.join(args.organon, "benchmarks/storage_benchmark")
    print(f"# {name}: {volume.shape} {volume.dtype}, chunks {CHUNK}^3, {args.threads} threads", flush=True)

    def organon(*words):
        out = subprocess.run([program, *words, "--threads", str(args.threads)], check=True, capture_output=True, text=True).stdout
        return json.loads(out)["seconds"]

    for container, codec, level, shard in cases:
        path = os.path.join(args.work, f"organon.{container}")
        best = {}
        # Each in turn, so that what else the machine does meets all.
        for _ in range(args.repeats):
            shutil.rmtree(path, ignore_errors=True)
            times = {("organon", "write"): organon("write", raw, "--shape", shape, "--type", str(volume.dtype), "--address",
                                                   f"{container}://{path}/s0", "--codec", codec, "--level", str(level), "--shard", str(shard)),
                     ("organon", "read"): organon("read", path + "/s0")}
            shutil.rmtree(path, ignore_errors=True)
            for peer in peers.for_format(container, codec):
                folder = os.path.join(args.work, f"peer.{container}")
                write, read, voxels = getattr(peers, peer)(folder, container, codec, level, shard, volume)
                if not np.array_equal(voxels, volume):
                    raise SystemExit(f"{peer} reads other voxels")
                del voxels
                shutil.rmtree(folder, ignore_errors=True)
                times[(peer, "write")], times[(peer, "read")] = write, read
            for key, seconds in times.items():
                best[key] = min(best.get(key, 1e9), seconds)
        title = f"{name} {container} {codec} {level}" + (f" shards {shard}" if shard else "")
        for (peer, verb), seconds in sorted(best.items()):
            if peer == "organon":
                continue
            own = best[("organon", verb)]
            print(f"| {title} {verb} | {peer} | {mb / own:.0f} | {mb / seconds:.0f} | {seconds / own:.2f} |", flush=True)
    os.remove(raw)


if __name__ == "__main__":
    main()
