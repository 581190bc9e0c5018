#!/usr/bin/env python3
"""Compares measured volumes and surfaces with the analytic truth of a phantom.

    organon phantom cell --shape 256 --seed 1
    organon measure cell/phantom.n5/instances/mito measured/mito.csv
    benchmarks/phantom_truth.py cell/tables/objects.csv measured/mito.csv --plot errors.svg

OBJECTS.csv is the phantom's table; each MEASURED.csv is what `organon measure` wrote of one class, whose name is the
file's. Ids agree where the phantom's own instance labels were measured: that shows the error of measuring alone. With
--match centre the ids are those of a segmentation: a measured object belongs to the true one of its class whose centre
is nearest, where each is the other's nearest and lies inside its box.

Objects that a face of the volume cuts are left out: the truth is that of the whole shape. So is what has no formula:
exit sites, Golgi, ER, microtubules, the surface of centrosomes. Printed is, for each class,
how many objects were compared and how many true ones found no partner; the median, the mean and the 90 % quantile of
the size of the relative error, and the median with its sign (bias). Needs nothing but Python.
"""

import argparse
import csv
import math
import sys
from pathlib import Path
from statistics import mean, median

QUANTITIES = [("volume", "volume_nm3", "volume_nm3"), ("surface", "surface_nm2", "surface_nm2"),
              ("faces", "surface_faces_nm2", "surface_nm2")]
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(row, column):
    return float(row[column]) if row.get(column) else math.nan


def is_whole(row):
    return int(row["touches_edge"]) == 0


def by_id(truth, measured):
    rows = {row["id"]: row for row in measured}
    return [(row, rows[row["id"]]) for row in truth if row["id"] in rows]


def by_centre(truth, measured):
    def place(row, name):
        return [number(row, f"{name}_{axis}_nm") for axis in "zyx"]

    def nearest(point, places):
        return min(range(len(places)), key=lambda i: math.dist(point, places[i]), default=None)

    centres = [place(row, "centre") for row in truth]
    found = [place(row, "centroid") for row in measured]
    pairs = []
    for i, row in enumerate(truth):
        j = nearest(centres[i], found)
        if j is None or nearest(found[j], centres) != i:
            continue
        inside = all(low <= value <= high for low, value, high in
                     zip(place(row, "box_begin"), found[j], place(row, "box_end")))
        if inside:
            pairs.append((row, measured[j]))
    return pairs


def compare(truth, measured_paths, match):
    """Per class: pairs of rows, and how many true objects found no partner."""
    result = {}
    for path in map(Path, measured_paths):
        name = path.stem
        of_class = [row for row in truth if row["class"] == name and not math.isnan(number(row, "volume_nm3"))]
        if not of_class:
            sys.exit(f"phantom_truth: {path}: the truth has no class '{name}' with volumes; it has "
                     + ", ".join(sorted({row["class"] for row in truth})))
        pairs = (by_id if match == "id" else by_centre)(of_class, read(path))
        whole = [pair for pair in pairs if is_whole(pair[0]) and is_whole(pair[1])]
        missed = sum(map(is_whole, of_class)) - sum(is_whole(pair[0]) for pair in pairs)
        result[name] = (whole, missed)
    return result


def errors_of(pairs, measured_column, true_column):
    return [number(m, measured_column) / number(t, true_column) - 1 for t, m in pairs
            if not math.isnan(number(t, true_column))]


def print_table(classes):
    print(f"{'class':<12} {'objects':>7} {'missed':>6} {'':<8} {'median':>8} {'mean':>8} {'90 %':>8} {'bias':>8}")
    for name, (pairs, missed) in classes.items():
        for i, (quantity, measured_column, true_column) in enumerate(QUANTITIES):
            errors = errors_of(pairs, measured_column, true_column)
            head = f"{name:<12} {len(pairs):>7} {missed:>6}" if i == 0 else f"{'':<27}"
            if not errors:
                print(f"{head} {quantity:<8} nothing to compare")
                continue
            sizes = sorted(map(abs, errors))
            numbers = [median(sizes), mean(sizes), sizes[math.ceil(0.9 * len(sizes)) - 1], median(errors)]
            print(f"{head} {quantity:<8} " + " ".join(f"{100 * value:>7.2f}%" for value in numbers))


def plot(classes, path):
    """Relative error over true size, a panel for volume and one for surface."""
    width, height, margin, limit = 420, 320, 56, 0.2
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * width}" height="{height + 30}" '
             'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>']
    for panel, (quantity, measured_column, true_column) in enumerate(QUANTITIES[:2]):
        sizes = [size for pairs, _ in classes.values() for t, _ in pairs
                 if not math.isnan(size := number(t, true_column))]
        low, high = (math.floor(math.log10(min(sizes))), math.ceil(math.log10(max(sizes)))) if sizes else (0, 1)
        left, right, top, bottom = panel * width + margin, (panel + 1) * width - 16, 30, height - 44

        def x_of(size):
            return left + (math.log10(size) - low) / max(high - low, 1) * (right - left)

        def y_of(error):
            return bottom - (max(-limit, min(limit, error)) + limit) / (2 * limit) * (bottom - top)

        for percent in range(-20, 21, 10):
            y = y_of(percent / 100)
            parts.append(f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/>'
                         f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{percent:+d} %</text>')
        for power in range(low, high + 1):
            parts.append(f'<text x="{x_of(10.0 ** power):.1f}" y="{bottom + 18}" text-anchor="middle">1e{power}</text>')
        unit = "nm³" if quantity == "volume" else "nm²"
        parts.append(f'<text x="{(left + right) / 2}" y="18" text-anchor="middle">error of {quantity}</text>'
                     f'<text x="{(left + right) / 2}" y="{bottom + 36}" text-anchor="middle">true {quantity} [{unit}]</text>')
        for colour, (pairs, _) in zip(COLOURS * 9, classes.values()):
            for t, m in pairs:
                if math.isnan(number(t, true_column)):
                    continue
                error = number(m, measured_column) / number(t, true_column) - 1
                parts.append(f'<circle cx="{x_of(number(t, true_column)):.1f}" cy="{y_of(error):.1f}" r="2.5" '
                             f'fill="{colour}" fill-opacity="0.6"/>')
    for i, (colour, name) in enumerate(zip(COLOURS * 9, classes)):
        parts.append(f'<circle cx="{margin + 110 * i}" cy="{height + 10}" r="4" fill="{colour}"/>'
                     f'<text x="{margin + 8 + 110 * i}" y="{height + 14}">{name}</text>')
    Path(path).write_text("\n".join(parts) + "\n</svg>\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objects", metavar="OBJECTS.csv")
    parser.add_argument("measured", metavar="MEASURED.csv", nargs="+")
    parser.add_argument("--match", choices=["id", "centre"], default="id")
    parser.add_argument("--plot", metavar="OUT.svg", help="error over size, errors beyond 20 %% at the edge")
    parser.add_argument("--max-volume-error", type=float, metavar="SHARE", help="exit 1 where a class's median exceeds it")
    parser.add_argument("--max-surface-error", type=float, metavar="SHARE", help="the same")
    arguments = parser.parse_args()
    classes = compare(read(arguments.objects), arguments.measured, arguments.match)
    print_table(classes)
    if arguments.plot:
        plot(classes, arguments.plot)
    for (quantity, measured_column, true_column), limit in zip(
            QUANTITIES, [arguments.max_volume_error, arguments.max_surface_error]):
        for name, (pairs, _) in classes.items():
            errors = errors_of(pairs, measured_column, true_column)
            if limit is not None and (not errors or median(map(abs, errors)) > limit):
                sys.exit(f"phantom_truth: {name}: {quantity} is off by more than {limit:.2%}, or nothing was compared")


if __name__ == "__main__":
    main()
