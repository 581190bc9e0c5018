#pragma once

namespace organon {

/// Which neighbours count as adjacent: those sharing a face (6), a face or edge (18), or any corner (26).
enum class Connectivity { kFace, kFaceEdge, kFaceEdgeVertex };

}  // namespace organon
