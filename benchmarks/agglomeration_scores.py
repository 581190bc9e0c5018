#!/usr/bin/env python3
"""Scores agglomeration with and without a threshold that an expert would choose.

    PEERS/bin/python benchmarks/agglomeration_scores.py gala --programs out/build/release/benchmarks --data ../shared/data
    PEERS/bin/python benchmarks/agglomeration_scores.py touching --programs out/build/release/benchmarks

gala: supervoxels and boundary probabilities of fib25-gala. The best statistic, quantile and threshold on its training crop,
and the choice without any (--balance linear), are scored on its test crop: variation of information, bits, where the
truth is not 0.
touching: three made volumes of 192^3 at 8 nm: 40 bent capsules each that touch in necks thinner than a third of their
radius; 128 tanh(distance / 50 nm) + 127 of their union plus noise, smoothed with sigma 12 nm. F1 of objects of at least
2,000 voxels at an overlap of one half; the thresholds are the best for these volumes themselves, which no expert could beat.

PEERS: an environment with numpy, scipy and h5py, such as compare_peers.py makes.
"""

import argparse
import itertools
import pathlib
import subprocess
import tempfile

import numpy as np

GALA_SHAPE = (50, 100, 200)
TOUCHING_SHAPE = (192, 192, 192)
VOXEL_NM = 8.0
SMALLEST_VOXELS = 2000


def run(program, volume, shape, *arguments):
    subprocess.run([program, volume, "--shape", ",".join(map(str, shape)), *map(str, arguments)], check=True,
                   stdout=subprocess.DEVNULL)


def variation_of_information(objects, truth):
    inside = truth.ravel() != 0
    a, b = objects.ravel()[inside].astype(np.int64), truth.ravel()[inside].astype(np.int64)

    def entropy(labels):
        share = np.unique(labels, return_counts=True)[1] / labels.size
        return -(share * np.log2(share)).sum()

    both = entropy(a * (b.max() + 1) + b)
    return 2 * both - entropy(a) - entropy(b)


def f1(objects, truth):
    base = int(truth.max()) + 1
    pairs, counts = np.unique(objects.astype(np.int64).ravel() * base + truth.ravel(), return_counts=True)

    def sizes(labels):
        return {int(i): int(n) for i, n in zip(*np.unique(labels, return_counts=True)) if i and n >= SMALLEST_VOXELS}

    found, true = sizes(objects), sizes(truth)
    hits = 0
    for pair, count in zip(pairs, counts):
        a, b = int(pair // base), int(pair % base)
        hits += a in found and b in true and count / (found[a] + true[b] - count) > 0.5
    return 2 * hits / (len(found) + len(true))


class Cases:
    """Fragments, levels and truth by name, as files in a folder."""

    def __init__(self, program, folder, shape, score):
        self.program, self.folder, self.shape, self.score = program, folder, shape, score
        self.truth = {}

    def add(self, name, fragments, levels, truth):
        fragments.astype(np.uint32).tofile(self.folder / f"{name}.fragments")
        levels.astype(np.uint8).tofile(self.folder / f"{name}.levels")
        self.truth[name] = truth

    def of(self, name, *arguments):
        run(self.program, self.folder / f"{name}.fragments", self.shape, "--levels", self.folder / f"{name}.levels",
            "--repeats", 1, "--result", self.folder / "objects", *arguments)
        objects = np.fromfile(self.folder / "objects", np.uint32).reshape(self.shape)
        return self.score(objects, self.truth[name])


SETTINGS = [("--statistic", "quantile", "--quantile", q, "--threshold", t)
            for q, t in itertools.product((10, 25, 50, 75, 90), np.arange(0.05, 1, 0.05).round(3))]


def gala(options, folder):
    import h5py

    cases = Cases(options.programs / "agglomerate", folder, GALA_SHAPE, variation_of_information)
    for crop in ("train", "test"):
        def read(kind):
            with h5py.File(options.data / "fib25-gala" / f"{crop}-{kind}.lzf.h5") as file:
                return np.squeeze(np.asarray(file["stack"]))

        cases.add(crop, read("ws"), np.rint(255 * (1 - np.clip(read("p1"), 0, 1))), read("gt"))
    best = min(SETTINGS, key=lambda setting: cases.of("train", *setting))
    for name, setting in (("best quantile and threshold of the training crop", best),
                          ("without a threshold", ("--balance", "linear"))):
        print(f"{name} ({' '.join(map(str, setting))}): training {cases.of('train', *setting):.3f}, "
              f"test {cases.of('test', *setting):.3f} bits")


def capsules(random):
    """Labels and signed distance (nm) of capsules that overlap a little."""
    from scipy import ndimage

    grid = np.stack(np.meshgrid(*[np.arange(n) * VOXEL_NM for n in TOUCHING_SHAPE], indexing="ij"), -1).astype(np.float32)
    depth = np.full(TOUCHING_SHAPE, -1e9, np.float32)
    labels = np.zeros(TOUCHING_SHAPE, np.uint16)
    number = 0
    while number < 40:
        radius, length = random.uniform(70, 160), random.uniform(0, 700)
        centre = random.uniform(0, 1, 3) * np.array(TOUCHING_SHAPE) * VOXEL_NM
        along = random.normal(size=3)
        along /= np.linalg.norm(along)
        across = np.cross(along, random.normal(size=3))
        across /= np.linalg.norm(across)
        steps = np.linspace(-0.5, 0.5, 15)[:, None]
        axis = centre + along * steps * length + across * steps**2 * length * 2 * random.uniform(0, 0.35)
        low = np.maximum(((axis.min(0) - radius - 60) / VOXEL_NM).astype(int), 0)
        high = np.minimum(((axis.max(0) + radius + 60) / VOXEL_NM).astype(int) + 1, TOUCHING_SHAPE)
        if (high <= low).any():
            continue
        part = tuple(slice(a, b) for a, b in zip(low, high))
        distance = np.full(tuple(high - low), 1e9, np.float32)
        for a, b in zip(axis[:-1], axis[1:]):
            step = (b - a).astype(np.float32)
            share = np.clip(((grid[part] - a) @ step) / max(float(step @ step), 1e-6), 0, 1)[..., None]
            distance = np.minimum(distance, np.linalg.norm(grid[part] - a - share * step, axis=-1))
        own = radius - distance
        if not (own > 0).any() or np.minimum(own, depth[part]).max() > 0.35 * radius:
            continue
        number += 1
        is_own = (own > depth[part]) & (own > 0)
        labels[part] = np.where(is_own, number, labels[part])
        depth[part] = np.maximum(depth[part], own)
    mask = depth > 0
    labels[~mask] = 0
    signed = np.where(mask, ndimage.distance_transform_edt(mask) - 0.5, 0.5 - ndimage.distance_transform_edt(~mask))
    return labels, signed * VOXEL_NM


def touching(options, folder):
    from scipy import ndimage

    cases = Cases(options.programs / "agglomerate", folder, TOUCHING_SHAPE, f1)
    names = []
    for seed in (1, 2, 3):
        random = np.random.default_rng(seed)
        labels, signed = capsules(random)
        prediction = 128 * np.tanh(signed / 50) + 127
        noise = ndimage.gaussian_filter(random.standard_normal(TOUCHING_SHAPE), 1.5)
        prediction += noise * 12 / noise.std() * (1 - ((prediction - 127) / 128) ** 2 * 0.9)
        smooth = ndimage.gaussian_filter(np.clip(np.rint(prediction), 0, 255), 12 / VOXEL_NM, mode="mirror", radius=5)
        values = np.where(smooth >= 127, np.rint(smooth * 256), 0).astype(np.uint16)
        values.tofile(folder / "values")
        run(options.programs / "watershed", folder / "values", TOUCHING_SHAPE, "--repeats", 1, "--result",
            folder / "fragments")
        fragments = np.fromfile(folder / "fragments", np.uint32).reshape(TOUCHING_SHAPE)
        cases.add(str(seed), fragments, np.rint(np.clip((smooth - 126) / 129, 0, 1) * 255), labels)
        names.append(str(seed))
        union = ndimage.label(values > 0, np.ones((3, 3, 3)))[0]
        print(f"volume {seed}: {len(np.unique(labels)) - 1} capsules, components of the union: F1 {f1(union, labels):.3f}")

    def mean(setting):
        return np.mean([cases.of(name, *setting) for name in names])

    best = max(SETTINGS, key=mean)
    for name, setting in (("best quantile and threshold of these volumes", best), ("without a threshold", ("--balance", "tanh"))):
        scores = [cases.of(case, *setting) for case in names]
        print(f"{name} ({' '.join(map(str, setting))}): F1 {np.mean(scores):.3f} ({', '.join(f'{s:.3f}' for s in scores)})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["gala", "touching"])
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        {"gala": gala, "touching": touching}[options.what](options, pathlib.Path(name))


if __name__ == "__main__":
    main()
