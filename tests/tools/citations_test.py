#!/usr/bin/env python3
"""Every key in brackets in a comment stands in docs/references.bib, and every key there is used."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = re.compile(r"\[([a-z]+[0-9]{4}[a-z]*)\]")


def main():
    used = {}
    for folder in ("src", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if "//" in line:
                    for key in KEY.findall(line):
                        used.setdefault(key, f"{path.relative_to(ROOT)}:{number}")
    listed = re.findall(r"^@\w+\{([^,]+),", (ROOT / "docs/references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    faults = [f"{place}: [{key}] is not in docs/references.bib" for key, place in used.items() if key not in listed]
    faults += [f"docs/references.bib: {key} is cited nowhere" for key in listed if key not in used]
    faults += [] if listed == sorted(listed) else ["docs/references.bib: keys are not sorted"]
    print("\n".join(faults) or f"{len(listed)} references, all cited")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
