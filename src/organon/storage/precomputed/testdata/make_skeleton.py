#!/usr/bin/env python3
"""A skeleton of cloud-volume: make_skeleton.py FILE. The numbers are those of skeleton_format_test.cc."""
import sys

import numpy as np
from cloudvolume import Skeleton

vertices = np.array([[10 * i + 0.5, 3 - i, i * i] for i in range(6)], dtype=np.float32)  # x, y, z
edges = np.array([[0, 1], [1, 2], [2, 3], [1, 4], [4, 5]], dtype=np.uint32)
skeleton = Skeleton(vertices, edges, radii=np.arange(6) / 4, vertex_types=np.array([1, 2, 3, 2, 1, 255]), segid=5)
with open(sys.argv[1], "wb") as file:
    file.write(skeleton.to_precomputed())
print(skeleton.extra_attributes)
