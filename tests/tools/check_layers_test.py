#!/usr/bin/env python3
"""Plants one fault each in a small tree and looks whether tools/check_layers names it."""

import subprocess
import sys
import tempfile
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "check_layers"

# file, its text, what the message must hold ("": no fault)
CASES = [
    ("voxel/a.cc", '#include "organon/array/array.h"\n#include <vector>\n', ""),
    ("voxel/a.cc", '#include "organon/storage/dataset.h"\n', "a.cc:1: voxel may not include storage"),
    ("geometry/a.h", '\n#include "organon/array/array.h"\n', "a.h:2: geometry may not include array"),
    ("stages/ingest/a.cc", '#include "organon/stages/publish/b.h"\n', "stages_ingest may not include stages_publish"),
    ("stages/ingest/a.cc", '#include "organon/stages/ingest/b.h"\n', ""),
    ("storage/a.cc", '#include "organon/app/main.h"\n', "storage may not include app"),
    ("app/server/a.cc", '#include "organon/blockwise/runner.h"\n', "server may not include blockwise"),
    ("nn/network.cc", "#include <torch/torch.h>\n", "<torch/torch.h> is fenced to nn/torch.h"),
    ("nn/torch.h", "#include <torch/torch.h>\n", ""),
    ("storage/a.cc", "#include <nlohmann/json.hpp>\n", "fenced to base/json.h"),
    ("base/a.h", "#include <fmt/format.h>\n", "no third party in a header of base/"),
    ("base/a.cc", "#include <fmt/format.h>\n", ""),
    ("voxel/a.cc", "#include <boost/any.hpp>\n", "needs a row in FENCES"),
    ("voxel/a.cc", '#include "array.h"\n', "write own includes from the root"),
    ("voxel/a.cc", '#include "organon/base/testing/test_data.h"\n', "only tests include testing/"),
    ("voxel/a_test.cc", '#include "organon/base/testing/test_data.h"\n#include <gtest/gtest.h>\n', ""),
    ("voxel/CMakeLists.txt", "organon_library(voxel DEPENDS array\n  storage)\n", "voxel may not link storage"),
    ("stuff/a.cc", "\n", "folder 'stuff' has no row"),
]


def main():
    failed = 0
    for name, text, expected in CASES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "organon" / name
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
            run = subprocess.run([sys.executable, TOOL, folder], capture_output=True, text=True, check=False)
        holds = (run.returncode == 0 and not run.stderr) if expected == "" else (
            run.returncode == 1 and expected in run.stderr)
        if not holds:
            failed += 1
            print(f"{name} with {text!r}: expected {expected!r}, found {run.returncode} {run.stderr!r}")
    print(f"{len(CASES) - failed} of {len(CASES)} cases hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
