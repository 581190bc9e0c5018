#!/usr/bin/env python3
"""Whether others read the same voxels from what organon writes.

    benchmarks/read_by_others.py --organon out/build/release/bin/organon --work FOLDER

A made volume, imported from NRRD, is converted into every format, codec, chunking and some types, and each result opened by tensorstore, zarr-python, z5py and cloud-volume, as far as they have the format; the OME-NGFF metadata
by ome-zarr-models. Prints a table and ends with 1 where any voxel differs.
"""
import argparse
import os
import shutil
import subprocess
import sys

import numpy as np


def readers():
    found = {}
    try:
        import tensorstore as ts

        def by_tensorstore(kind, path):
            driver = {"n5": "n5", "zarr": "zarr", "zarr3": "zarr3", "precomputed": "neuroglancer_precomputed"}[kind]
            folder, key = os.path.split(path)
            spec = {"driver": driver, "kvstore": {"driver": "file", "path": path + "/"}}
            if kind == "precomputed":
                spec = {"driver": driver, "kvstore": {"driver": "file", "path": folder + "/"}, "scale_metadata": {"key": key}}
            voxels = np.asarray(ts.open(spec, read=True, open=True).result().read().result())
            return voxels.T if kind == "n5" else voxels[..., 0].T if kind == "precomputed" else voxels

        found["tensorstore"] = (("n5", "zarr", "zarr3", "precomputed"), by_tensorstore)
    except ImportError:
        pass
    try:
        import zarr

        found["zarr-python"] = (("zarr", "zarr3"), lambda kind, path: zarr.open_array(path, mode="r")[...])
    except ImportError:
        pass
    try:
        import z5py

        def by_z5py(kind, path):
            folder, key = os.path.split(path)
            return z5py.File(folder, "r", use_zarr_format=kind == "zarr")[key][:]

        found["z5py"] = (("n5", "zarr"), by_z5py)
    except ImportError:
        pass
    try:
        from cloudvolume import CloudVolume

        def by_cloudvolume(kind, path):
            volume = CloudVolume("file://" + os.path.dirname(path), mip=0, progress=False, fill_missing=True)
            return np.asarray(volume[:])[..., 0].T

        found["cloud-volume"] = (("precomputed",), by_cloudvolume)
    except ImportError:
        pass
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--organon", required=True)
    parser.add_argument("--work", required=True)
    a = parser.parse_args()
    shutil.rmtree(a.work, ignore_errors=True)
    os.makedirs(a.work)
    organon = os.path.abspath(a.organon)

    def run(*words):
        subprocess.run([organon, *words], check=True, cwd=a.work, capture_output=True)

    at = np.indices((45, 70, 100))
    base = ((at[0] // 3) * 7 + (at[1] // 5) * 3 + at[2] // 4) % 100
    base[:20, :40, :50] = 0
    worst = 0
    found = readers()
    print("readers: " + ", ".join(found))
    print("| written | reader | equal |\n|---|---|---|")
    for kind in ("uint8", "uint16", "uint32", "uint64", "int16", "float32"):
        volume = base.astype(kind)
        name = {"uint8": "uchar", "uint16": "ushort", "uint32": "uint", "uint64": "ulonglong", "int16": "short", "float32": "float"}[kind]
        with open(os.path.join(a.work, f"{kind}.nrrd"), "wb") as file:
            file.write((f"NRRD0004\ntype: {name}\ndimension: 3\nsizes: 100 70 45\nencoding: raw\nendian: little\n"
                        "spacings: 4 4 8\nspace units: \"nm\" \"nm\" \"nm\"\n\n").encode())
            file.write(volume.tobytes())
        run("import", f"{kind}.nrrd", f"{kind}.n5/s0", "--voxel-size-nm", "8,4,4", "--role",
            "raw" if kind not in ("uint32", "uint64") else "labels")
        targets = []
        for codec in ("gzip", "zstd", "blosc", "raw", "bzip2", "xz", "lz4"):
            targets.append(("n5", f"{codec}_{kind}.n5/s0", ["--codec", codec]))
            targets.append(("zarr", f"{codec}_{kind}.zarr/s0", ["--codec", codec]))
        for codec in ("gzip", "zstd", "blosc", "raw"):
            targets.append(("zarr3", f"v3_{codec}_{kind}.zarr/s0", ["--codec", codec, "--chunk-shape", "16"]))
            targets.append(("zarr3", f"v3s_{codec}_{kind}.zarr/s0",
                            ["--codec", codec, "--chunk-shape", "8,16,16", "--shard-shape", "32"]))
        targets.append(("precomputed", f"{kind}.precomputed/s0", []))
        if kind in ("uint8", "uint16"):
            targets.append(("precomputed", f"png_{kind}.precomputed/s0", ["--codec", "png"]))
        # Several shards, of several minishards where chunks are small, and one.
        for chunk, shard in (("16", "32"), ("8,16,8", "16,64,32"), ("2,2,2", "32"), ("16", "128")):
            shape = chunk.replace(",", "x") + "in" + shard.replace(",", "x")
            more = ["--chunk-shape", chunk, "--shard-shape", shard]
            targets.append(("precomputed", f"shards_{shape}_{kind}.precomputed/s0", more))
            if kind in ("uint8", "uint16"):
                targets.append(("precomputed", f"shards_{shape}_png_{kind}.precomputed/s0", [*more, "--codec", "png"]))
            if kind in ("uint32", "uint64"):
                targets.append(("precomputed", f"shards_{shape}_raw_{kind}.precomputed/s0", [*more, "--codec", "raw"]))
        for format_name, place, more in targets:
            address = place if format_name != "zarr3" else "zarr3://" + place
            chunks = [] if "--chunk-shape" in more else ["--chunk-shape", "32"]
            run("convert", f"{kind}.n5/s0", address, "--no-fsync", *chunks, *more)
            for reader, (kinds, read) in found.items():
                if format_name not in kinds:
                    continue
                try:
                    voxels = read(format_name, os.path.join(os.path.abspath(a.work), place))
                    equal = voxels.dtype == volume.dtype and np.array_equal(voxels, volume)
                    text = "yes" if equal else f"NO ({voxels.shape} {voxels.dtype})"
                    worst = max(worst, not equal)
                except Exception as error:  # what a reader lacks is told, not hidden
                    text = f"cannot: {str(error).splitlines()[0][:90]}"
                print(f"| {place} {' '.join(more)} | {reader} | {text} |", flush=True)
    try:
        from ome_zarr_models.v04.image import Image as Image04
        from ome_zarr_models.v05.image import Image as Image05
        import zarr
        for prefix, place, model in (("", "py4.zarr", Image04), ("zarr3://", "py5.zarr", Image05)):
            run("convert", "uint8.n5/s0", f"{prefix}{place}/s0", "--chunk-shape", "16")
            run("pyramid", f"{place}/s0", place)
            image = model.from_zarr(zarr.open_group(os.path.join(a.work, place), mode="r"))
            print(f"| {place} | ome-zarr-models | {type(image).__module__.split('.')[1]}: valid |")
    except ImportError:
        print("| pyramid | ome-zarr-models | not there |")
    sys.exit(int(worst))


if __name__ == "__main__":
    main()
