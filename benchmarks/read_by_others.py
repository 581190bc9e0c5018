#!/usr/bin/env python3
"""Whether others read the same voxels from what organon writes.

    benchmarks/read_by_others.py --organon out/build/release/bin/organon --work FOLDER

A made volume, imported from NRRD, is converted into every format, codec, chunking and some types, and each result opened by tensorstore, zarr-python, z5py and cloud-volume, as far as they have the format; the OME-NGFF
metadata (images, omero, lists of labels, label images, and these converted) by ome-zarr-models; zarr-python looks
whether consolidated metadata that were there before a change mislead it. Prints a table and ends with 1 where any voxel differs.
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


def ngff_checks(run, work):
    """Images and label images of OME-NGFF 0.4 and 0.5: what ome-zarr-models and zarr-python say of them."""
    try:
        import zarr
        from ome_zarr_models import v04, v05
        from ome_zarr_models.common.omero import Omero
    except ImportError:
        yield "pyramid | ome-zarr-models | not there", True
        return

    colors = [(1, (255, 0, 0, 255), "mito"), (2, (0, 255, 0, 128), None)]
    for version, prefix, place, models in (("0.4", "", "py4.zarr", v04), ("0.5", "zarr3://", "py5.zarr", v05)):
        labels = place + "/labels/mito"
        for source, group, more in (("uint8.n5/s0", place, []), ("uint64.n5/s0", labels, ["--label-colors", "1=#ff0000=mito,2=#00ff0080"])):
            run("convert", source, f"{prefix}{group}/s0", "--chunk-shape", "16")
            run("pyramid", f"{group}/s0", group, *more)

        def opened(path):
            return zarr.open_group(os.path.join(work, path), mode="r")

        def ngff(path):
            attributes = opened(path).attrs.asdict()
            return attributes if version == "0.4" else attributes["ome"]

        def is_image(path):
            return models.image.Image.from_zarr(opened(path)) is not None

        def has_omero(path):
            window = Omero.model_validate(ngff(path)["omero"]).channels[0].window
            stated = list(zarr.open_array(os.path.join(work, path, "s0"), mode="r").attrs["contrast_limits"])
            return [window.start, window.end] == stated and (window.min, window.max) == (0, 255)

        def has_labels(path):
            return models.labels.Labels.from_zarr(opened(path)) is not None and ngff(path)["labels"] == ["mito"]

        def has_colors(path, image):
            label = models.image_label.ImageLabel.from_zarr(opened(path)).attributes
            label = (label if version == "0.4" else label.ome).image_label
            names = {entry.label_value: getattr(entry, "name", None) for entry in label.properties}
            found = [(entry.label_value, tuple(entry.rgba), names[entry.label_value]) for entry in label.colors]
            return found == colors and label.source.image == image

        def half_voxels(path):
            levels = ngff(path)["multiscales"][0]["datasets"]
            first, second = ([step for step in level["coordinateTransformations"]] for level in levels[:2])
            size, offset = first[0]["scale"], first[1]["translation"]
            factors = [b / a for a, b in zip(size, second[0]["scale"])]
            return second[1]["translation"] == [o + (f - 1) / 2 * s for o, f, s in zip(offset, factors, size)]

        copies = {}
        for other, other_prefix in (("copy4.zarr", ""), ("copy5.zarr", "zarr3://")):
            copies[other] = f"from_{place[:3]}_{other}"
            run("convert", labels, f"{other_prefix}{copies[other]}/labels/mito")

        def copy_keeps(other):
            models_of_copy = v04 if other == "copy4.zarr" else v05
            group = opened(copies[other] + "/labels/mito")
            label = models_of_copy.image_label.ImageLabel.from_zarr(group).attributes
            kept = (label if other == "copy4.zarr" else label.ome).image_label
            return [(entry.label_value, tuple(entry.rgba)) for entry in kept.colors] == [c[:2] for c in colors] and \
                kept.source.image == "../../"

        def sees_change(path):
            # zarr-python believes consolidated metadata before the nodes' own.
            zarr.consolidate_metadata(os.path.join(work, path))
            consolidated = opened(path).metadata.consolidated_metadata
            run("convert", "uint8.n5/s0", f"{prefix}{path}/later", "--chunk-shape", "16")
            return consolidated is not None and "later" in dict(opened(path).arrays())

        for name, check in (("image", lambda: is_image(place)), ("omero", lambda: has_omero(place)),
                            ("half voxels", lambda: half_voxels(place)), ("list of labels", lambda: has_labels(place + "/labels")),
                            ("label image", lambda: is_image(labels)), ("colours, names, source", lambda: has_colors(labels, "../../")),
                            ("converted to 0.4", lambda: copy_keeps("copy4.zarr")),
                            ("converted to 0.5", lambda: copy_keeps("copy5.zarr")),
                            ("array made after consolidation", lambda: sees_change(place))):
            try:
                is_right = bool(check())
                text = "valid" if is_right else "NO"
            except Exception as error:
                is_right, text = False, f"NO: {str(error).splitlines()[0][:90]}"
            yield f"{place}: {name} | ome-zarr-models {version}, zarr-python | {text}", is_right


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
    for text, is_right in ngff_checks(run, os.path.abspath(a.work)):
        print(f"| {text} |", flush=True)
        worst = max(worst, not is_right)
    sys.exit(int(worst))


if __name__ == "__main__":
    main()
