#!/usr/bin/env python3
"""Compares smooth_threshold_label with scipy.ndimage on one volume: time, and every voxel.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy pillow
    /tmp/venv/bin/python benchmarks/compare_scipy.py --program out/build/release/benchmarks/smooth_threshold_label \\
        --make-from DATA/epfl-hippocampus-fibsem/masks --volume /tmp/volume.raw --shape 512,512,512

    /tmp/venv/bin/python benchmarks/compare_scipy.py --program out/build/release/benchmarks/smooth_threshold_label \\
        --prediction out/epfl/epfl.n5/predictions/mito --volume /tmp/volume.raw --shape 512,512,512

--prediction tiles a network's own output (N5, uint8, gzip) by mirroring. Without it and --make-from the file must exist: raw uint8, x fastest. --make-from writes a volume that looks like a network's
prediction: 128 tanh(signed distance / 50 nm) + 127 of the masks plus noise, continued by mirroring.
scipy runs on one thread, with the same sigma and radius, border mode "mirror" (edge voxel not repeated) and float32
between its passes; flipped voxels are counted against float64.
Times are processor seconds (both programs have one thread).
"""

import argparse
import gzip
import json
import pathlib
import struct
import subprocess
import time

import numpy as np
from scipy import ndimage


def make_volume(masks: pathlib.Path, shape: tuple, voxel_nm: float, noise: float) -> np.ndarray:
    from PIL import Image

    files = sorted(masks.glob("*.png"))
    if not files:
        raise SystemExit(f"no masks in {masks}")
    stack = np.stack([np.asarray(Image.open(f)) > 127 for f in files])
    inside = ndimage.distance_transform_edt(stack).astype(np.float32)
    outside = ndimage.distance_transform_edt(~stack).astype(np.float32)
    signed = np.where(stack, inside - 0.5, 0.5 - outside) * voxel_nm
    prediction = 128 * np.tanh(signed / 50) + 127
    random = np.random.default_rng(1)
    # Noise with the grain of a network's output (a few voxels), strongest where the network is undecided.
    grain = ndimage.gaussian_filter(random.standard_normal(prediction.shape, dtype=np.float32), 1.5)
    grain *= noise / grain.std() * (1 - (prediction - 127) ** 2 / 128**2 * 0.9)
    prediction = np.clip(np.rint(prediction + grain), 0, 255).astype(np.uint8)
    return tiled(prediction, shape)


def read_n5(dataset: pathlib.Path) -> np.ndarray:
    attributes = json.loads((dataset / "attributes.json").read_text())
    if (attributes["dataType"], attributes["compression"]["type"]) != ("uint8", "gzip"):
        raise SystemExit(f"{dataset}: expected uint8 in gzip chunks")
    block = attributes["blockSize"]
    volume = np.zeros(attributes["dimensions"][::-1], np.uint8)
    for file in dataset.glob("[0-9]*/[0-9]*/[0-9]*"):
        x, y, z = (int(part) * size for part, size in zip(file.relative_to(dataset).parts, block))
        content = file.read_bytes()
        shape = struct.unpack(">3I", content[4:16])[::-1]
        chunk = np.frombuffer(gzip.decompress(content[16:]), np.uint8).reshape(shape)
        volume[z : z + shape[0], y : y + shape[1], x : x + shape[2]] = chunk
    return volume


def tiled(volume: np.ndarray, shape: tuple) -> np.ndarray:
    pad = [(0, max(0, want - have)) for want, have in zip(shape, volume.shape)]
    return np.ascontiguousarray(np.pad(volume, pad, mode="symmetric")[tuple(slice(0, n) for n in shape)])


def timed(function, repeats: int):
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        best = min(best, time.process_time() - start)
    return result, best


def is_bijection(a: np.ndarray, b: np.ndarray) -> bool:
    """True where equal labels of a are equal labels of b and the other way round (over voxels that are not 0 in both)."""
    pairs = np.unique(a.astype(np.uint64) << np.uint64(32) | b.astype(np.uint64))
    first, second = pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)
    return len(np.unique(first)) == len(pairs) == len(np.unique(second))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    triple = lambda kind: lambda text: tuple(kind(v) for v in text.split(","))
    parser.add_argument("--program", required=True, help="the built smooth_threshold_label")
    parser.add_argument("--volume", type=pathlib.Path, required=True)
    parser.add_argument("--shape", type=triple(int), required=True, help="z,y,x")
    parser.add_argument("--make-from", type=pathlib.Path, help="folder of mask slices (PNG)")
    parser.add_argument("--prediction", type=pathlib.Path, help="an N5 dataset that organon predict made")
    parser.add_argument("--mask-voxel-nm", type=float, default=5)
    parser.add_argument("--noise", type=float, default=12, help="standard deviation in grey levels where undecided")
    parser.add_argument("--voxel-size", type=triple(float), default=(4.0, 4.0, 4.0), help="nm, z,y,x")
    parser.add_argument("--sigma", type=float, default=9.6, help="nm")
    parser.add_argument("--threshold", type=float, default=127)
    parser.add_argument("--block", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scipy-repeats", type=int, default=1)
    options = parser.parse_args()

    if options.prediction is not None:
        tiled(read_n5(options.prediction), options.shape).tofile(options.volume)
    if options.make_from is not None:
        make_volume(options.make_from, options.shape, options.mask_voxel_nm, options.noise).tofile(options.volume)
    volume = np.fromfile(options.volume, np.uint8).reshape(options.shape)

    labels_file = options.volume.with_suffix(".labels")
    command = [options.program, str(options.volume), "--shape", ",".join(map(str, options.shape)),
               "--voxel-size", ",".join(map(str, options.voxel_size)), "--sigma", str(options.sigma),
               "--threshold", str(options.threshold), "--block", str(options.block),
               "--repeats", str(options.repeats), "--labels", str(labels_file)]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    labels = np.fromfile(labels_file, np.uint32).reshape(options.shape)
    labels_file.unlink()

    sigma = [options.sigma / size for size in options.voxel_size]
    radius = ours["radius_zyx"]

    def smooth(kind):
        return ndimage.gaussian_filter(volume, sigma, output=kind, mode="mirror", radius=radius)

    scipy_mask, smooth_seconds = timed(lambda: smooth(np.float32) >= np.float32(options.threshold), options.scipy_repeats)
    (scipy_labels, scipy_count), label_seconds = timed(
        lambda: ndimage.label(scipy_mask, np.ones((3, 3, 3))), options.scipy_repeats)

    exact = smooth(np.float64)
    mask = labels != 0
    flipped = mask != (exact >= options.threshold)
    num_flipped = int(flipped.sum())
    furthest = float(np.abs(exact[flipped] - options.threshold).max()) if num_flipped else 0.0
    # Components of one and the same mask must be the same up to the numbering.
    again, again_count = (scipy_labels, scipy_count) if np.array_equal(mask, scipy_mask) else ndimage.label(
        mask, np.ones((3, 3, 3)))
    same = again_count == ours["objects"] and is_bijection(labels[mask], again[mask])

    mvox = volume.size / 1e6
    print(f"{options.volume} {options.shape}, sigma {options.sigma} nm, radius {radius}, threshold {options.threshold}")
    print(f"foreground {100 * ours['foreground']:.3f} %, objects {ours['objects']} (scipy {scipy_count}), "
          f"labels equal up to numbering: {same}")
    print(f"voxels flipped against float64: {num_flipped} of {volume.size}, furthest {furthest:.5f} grey levels "
          "from the threshold")
    print(f"{'step':<22}{'organon s':>12}{'Mvox/s':>10}{'scipy s':>12}{'Mvox/s':>10}{'ratio':>8}")
    rows = [("smooth + threshold", ours["smooth_threshold_seconds"], smooth_seconds),
            ("label (26)", ours["label_seconds"], label_seconds),
            ("together", ours["total_seconds"], smooth_seconds + label_seconds)]
    for name, a, b in rows:
        print(f"{name:<22}{a:>12.3f}{mvox / a:>10.0f}{b:>12.3f}{mvox / b:>10.1f}{b / a:>8.1f}")
    for name in ("relabel", "measure"):
        print(f"{name:<22}{ours[name + '_seconds']:>12.3f}{ours[name + '_mvox_s']:>10.0f}")
    print(f"of smooth + threshold, filling halos took {ours['border_seconds']:.3f} s; "
          f"peak memory {ours['peak_mib']:.0f} MiB")
    if not same:
        raise SystemExit("the labels differ")


if __name__ == "__main__":
    main()
