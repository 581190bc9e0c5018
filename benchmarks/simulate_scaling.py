#!/usr/bin/env python3
"""How well many workers share one run: a discrete-event model of claims, blocks, journals and the file system.

    benchmarks/simulate_scaling.py [--measure FOLDER] [--block-s 1.0] [--spread 0.3] [--chunks 8] [--figure scaling.svg]

Workers claim batches as src/organon/blockwise does, compute blocks, write their chunks and records. Every operation on
metadata (create, rename, link, open, stat) waits for one server that does --operations-per-s of them; data pass
without limit. FOLDER is where operations are timed first, alone: a folder of the file system that the cluster shares.
Efficiency is the time of the blocks alone divided by workers times the time of the run.
"""

import argparse
import heapq
import os
import random
import time

BATCHES_PER_WORKER, FEWEST_BATCHES = 16, 256  # as runner.cc
COMMIT_S = 1.0


def measure(folder):
    """Seconds of one metadata operation, as chunks are written: create, write, rename."""
    count = 2000
    begin = time.perf_counter()
    for i in range(count):
        path = os.path.join(folder, f".measure-{i}")
        with open(path, "wb") as file:
            file.write(b"x" * 30000)
        os.rename(path, path + "r")
    seconds = (time.perf_counter() - begin) / count
    for i in range(count):
        os.remove(os.path.join(folder, f".measure-{i}r"))
    return seconds / 2


class Server:
    """Serves operations one after the other."""

    def __init__(self, seconds):
        self.seconds, self.free, self.busy = seconds, 0.0, 0.0

    def serve(self, now, operations):
        begin = max(now, self.free)
        self.free = begin + operations * self.seconds
        self.busy += operations * self.seconds
        return self.free


def simulate(workers, blocks, options, operation_s):
    rng = random.Random(1)
    server = Server(operation_s)
    batch = max(blocks // max(FEWEST_BATCHES, BATCHES_PER_WORKER * workers), 1)
    num_batches = -(-blocks // batch)
    # Per block: a look at the session, one whether the claim stands, and per chunk create and rename.
    per_block = 2 + 2 * options.chunks
    # A batch at a time: its blocks one by one would be 10^7 events. Within a batch the work and the operations are
    # spread evenly, in pieces of at most a hundredth of the batch.
    # (time, worker, blocks whose voxels are there and wait to be written)
    queue = [(rng.random() * options.start_s, worker, 0) for worker in range(workers)]
    heapq.heapify(queue)
    left, blocks_left = num_batches, blocks
    pieces_of = {}
    end = compute = 0.0
    while queue:
        now, worker, computed = heapq.heappop(queue)
        if computed:
            now = server.serve(now, computed * per_block)
            # Group commit: one sync and append per second of work.
            now = server.serve(now, 2 * max(computed * options.block_s / COMMIT_S, 0.02))
        pieces = pieces_of.get(worker)
        if not pieces:
            if left == 0:
                end = max(end, now)
                continue
            left -= 1
            size = min(batch, blocks_left)
            blocks_left -= size
            # The link of the claim; every eighth time the list of claims is read anew, 100 names an operation.
            now = server.serve(now, 2 + (num_batches / 100 if left % 8 == 0 else 0))
            step = max(size // 100, 1)
            pieces = pieces_of[worker] = [step] * (size // step) + ([size % step] if size % step else [])
        size = pieces.pop()
        drawn = min(size, 4)
        seconds = size / drawn * sum(max(rng.gauss(options.block_s, options.block_s * options.spread),
                                         0.05 * options.block_s) for _ in range(drawn))
        compute += seconds
        heapq.heappush(queue, (now + seconds, worker, size))
    return compute / (workers * end), server.busy / end, compute


def draw(path, rows, counts, sizes, rates):
    width, height, left, top = 300, 220, 46, 34
    colors = ["#3465a4", "#4e9a06", "#c4a000", "#cc0000"]
    parts = []
    for panel, rate in enumerate(rates):
        x0 = left + panel * (width + 40)
        parts.append(f'<text x="{x0}" y="20" font-size="12">{rate:,.0f} operations/s</text>')
        for tick in range(0, 101, 25):
            y = top + height * (1 - tick / 100)
            parts.append(f'<line x1="{x0}" y1="{y}" x2="{x0 + width}" y2="{y}" stroke="#ddd"/>'
                         f'<text x="{x0 - 6}" y="{y + 4}" font-size="10" text-anchor="end">{tick} %</text>')
        place = lambda i: x0 + width * i / (len(counts) - 1)
        for i, count in enumerate(counts):
            parts.append(f'<text x="{place(i)}" y="{top + height + 16}" font-size="10" text-anchor="middle">{count}</text>')
        for color, size in zip(colors, sizes):
            points = " ".join(f"{place(i):.1f},{top + height * (1 - rows[rate, size, count][0]):.1f}"
                              for i, count in enumerate(counts) if (rate, size, count) in rows)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{x0 + width / 2}" y="{top + height + 34}" font-size="11" text-anchor="middle">workers</text>')
    for k, (color, size) in enumerate(zip(colors, sizes)):
        parts.append(f'<text x="{left + 4 + k * 90}" y="{top + height + 54}" font-size="11" fill="{color}">{size:.0e} blocks</text>')
    total = left + len(rates) * (width + 40)
    with open(path, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{top + height + 64}" '
                   f'font-family="sans-serif"><rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", help="folder in which to time operations")
    parser.add_argument("--operations-per-s", type=float, nargs="*", default=[2000, 10000, 50000])
    parser.add_argument("--block-s", type=float, default=1.0, help="mean seconds of a block")
    parser.add_argument("--spread", type=float, default=0.3, help="standard deviation of block times, share of the mean")
    parser.add_argument("--chunks", type=int, default=8, help="chunks that a block writes")
    parser.add_argument("--start-s", type=float, default=5.0, help="within which all workers start")
    parser.add_argument("--figure")
    options = parser.parse_args()
    rates = list(options.operations_per_s)
    if options.measure:
        rate = 1 / measure(options.measure)
        print(f"measured in {options.measure}: {rate:,.0f} operations per second from one client")
        rates = [round(rate)]
    counts, sizes = [1, 3, 10, 30, 100, 300, 1000], [10**4, 10**5, 10**6, 10**7]
    rows = {}
    print("operations/s     blocks  workers  efficiency  server busy  limited by")
    for rate in rates:
        for size in sizes:
            for count in counts:
                row = rows[rate, size, count] = simulate(count, size, options, 1 / rate)
                limit = "file system" if row[1] > 0.9 else "last batches, start" if row[0] < 0.9 else "blocks"
                if count in (1, 10, 100, 1000):
                    print(f"{rate:12,.0f} {size:10d} {count:8d} {row[0]:10.1%} {row[1]:12.1%}  {limit}")
    if options.figure:
        draw(options.figure, rows, counts, sizes, rates)


if __name__ == "__main__":
    main()
