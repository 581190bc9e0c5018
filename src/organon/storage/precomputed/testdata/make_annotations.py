#!/usr/bin/env python3
"""Annotations written by neuroglancer's AnnotationWriter: make_annotations.py FOLDER. The numbers are those of
annotation_format_test.cc.

No uint32: version 2.41.2 takes its alignment for 3 and puts two bytes before it that no reader expects."""
import os
import sys

import neuroglancer
from neuroglancer import write_annotations

space = neuroglancer.CoordinateSpace(names=["x", "y", "z"], units="nm", scales=[1, 1, 1])
properties = [
    neuroglancer.AnnotationPropertySpec(id="colour", type="rgb"),
    neuroglancer.AnnotationPropertySpec(id="kind", type="uint8", enum_values=[1, 2], enum_labels=["contact", "pore"]),
    neuroglancer.AnnotationPropertySpec(id="shift", type="int16"),
    neuroglancer.AnnotationPropertySpec(id="area_nm2", type="float32"),
    neuroglancer.AnnotationPropertySpec(id="count", type="int32"),
    neuroglancer.AnnotationPropertySpec(id="glow", type="rgba"),
]
for shape in ("point", "line", "axis_aligned_bounding_box", "ellipsoid"):
    writer = write_annotations.AnnotationWriter(space, shape, relationships=["er", "mito"], properties=properties)
    for i in range(4):
        first = (100.5 + i, 200.25 * i, 7.0)  # x, y, z
        second = (3.0, 40.0 + i, 1000.0 - i)
        more = dict(id=i * 1000003 + 7, colour=(i, 200, 255), kind=1 + i % 2, shift=-300 * i, area_nm2=0.1 * i,
                    count=i - 2000000000, glow=(1, 2, 3, i), er=[11, 12 + i], mito=[99] if i % 2 else [])
        if shape == "point":
            writer.add_point(first, **more)
        elif shape == "line":
            writer.add_line(first, second, **more)
        elif shape == "ellipsoid":
            writer.add_ellipsoid(first, second, **more)
        else:
            writer.add_axis_aligned_bounding_box(first, second, **more)
    writer.write(os.path.join(sys.argv[1], shape))
