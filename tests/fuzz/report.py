#!/usr/bin/env python3
"""Runs every fuzz target for a while and prints what it found and what it reached.

    tests/fuzz/report.py --build out/build/asan --seconds 200 [--only zarr3 ...]

Targets: ./build --preset asan --no-portal --target fuzzers. New inputs are kept in the build folder. Printed per target: seconds,
executions, inputs that reach something new, the edges of the sources that it reaches (of all functions of those files, also
those that only write), and what it found. Ends with 1 where anything was found.
"""
import argparse
import pathlib
import re
import subprocess
import sys
from collections import defaultdict

FUNCTION = re.compile(r"^(UN)?COVERED_FUNC: hits: \d+ edges: (\d+)/(\d+) .* (/\S+?):\d+$")


def edges_by_file(log):
    reached, all_edges = defaultdict(int), defaultdict(int)
    for line in log.splitlines():
        found = FUNCTION.match(line)
        if found and "/src/organon/" in found[4] and found[4].endswith(".cc"):
            file = found[4].split("/src/organon/")[1]
            reached[file] += int(found[2])
            all_edges[file] += int(found[3])
    return {file: (reached[file], all_edges[file]) for file in reached if reached[file]}


def number(log, name):
    found = re.search(rf"stat::{name}:\s+(\d+)", log)
    return int(found[1]) if found else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="out/build/asan", type=pathlib.Path)
    parser.add_argument("--seconds", default=200, type=int)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--files", action="store_true", help="list the edges of each source file too")
    arguments = parser.parse_args()
    folder = (arguments.build / "tests/fuzz").resolve()
    corpus = pathlib.Path(__file__).resolve().parent / "corpus"
    targets = sorted(path.name[5:] for path in folder.glob("fuzz_*") if path.is_file() and "." not in path.name)
    any_found = False
    print("| target | seconds | executions | inputs kept | edges of the sources it reaches | found |\n|---|---|---|---|---|---|")
    for target in arguments.only or targets:
        kept = folder / "found" / target
        kept.mkdir(parents=True, exist_ok=True)
        result = subprocess.run(
            [folder / f"fuzz_{target}", f"-max_total_time={arguments.seconds}", "-timeout=10", "-rss_limit_mb=2048",
             "-print_final_stats=1", "-print_coverage=1", f"-artifact_prefix={kept}/", kept, corpus / target],
            capture_output=True, text=True, errors="replace", cwd=folder)
        log = result.stderr
        seconds = re.search(r"Done \d+ runs in (\d+) second", log)
        files = edges_by_file(log)
        reached, edges = (sum(pair[i] for pair in files.values()) for i in (0, 1))
        found = "nothing" if result.returncode == 0 else f"exit {result.returncode}: " + (re.findall(r"(?:ERROR|SUMMARY): (.*)", log) or ["?"])[-1]
        any_found |= result.returncode != 0
        print(f"| {target} | {seconds[1] if seconds else '-'} | {number(log, 'number_of_executed_units'):,} | {len(list(kept.iterdir()))} | "
              f"{reached:,} of {edges:,} ({100 * reached / max(1, edges):.0f} %) | {found} |", flush=True)
        if arguments.files:
            for file, (got, of) in sorted(files.items()):
                print(f"    {file}: {got} of {of}")
    return 1 if any_found else 0


if __name__ == "__main__":
    sys.exit(main())
