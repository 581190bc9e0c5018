// Writes a small published tree made by hand, so that the page can be tested without a pipeline run.
//
//   node make_tree.mjs <folder> [<built portal>]
//
// The cell: two mitochondria-like ellipsoids and a bent tube in grey noise, 56 x 72 x 88 voxels of 10 x 8 x 8 nm (zyx).
// Everything is computed from formulas, so two runs write the same bytes.

import { cp, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

const shape = { z: 56, y: 72, x: 88 };
const voxelSizeNm = { z: 10, y: 8, x: 8 };
const numVoxels = shape.z * shape.y * shape.x;
const indexOf = (z, y, x) => (z * shape.y + y) * shape.x + x;

/** Signed distance in nanometres, roughly: positive inside. */
const bodies = {
  mito: {
    color: "#2fd27a",
    objects: [
      { id: 1, inside: ellipsoid({ z: 24, y: 26, x: 30 }, { z: 130, y: 110, x: 170 }) },
      { id: 7, inside: ellipsoid({ z: 34, y: 50, x: 62 }, { z: 110, y: 100, x: 90 }) },
    ],
  },
  er: { color: "#ff7ab8", objects: [{ id: 3, inside: tube }] },
};

function ellipsoid(centre, radiusNm) {
  return (z, y, x) => {
    const r = Math.hypot(
      ((z - centre.z) * voxelSizeNm.z) / radiusNm.z,
      ((y - centre.y) * voxelSizeNm.y) / radiusNm.y,
      ((x - centre.x) * voxelSizeNm.x) / radiusNm.x,
    );
    return (1 - r) * Math.min(radiusNm.z, radiusNm.y, radiusNm.x);
  };
}

function tube(z, y, x) {
  const centreY = 54 + 8 * Math.sin(x / 9);
  const centreZ = 12 + x / 12;
  return 34 - Math.hypot((y - centreY) * voxelSizeNm.y, (z - centreZ) * voxelSizeNm.z);
}

/** A hash of the voxel's index as noise in [0, 1). */
function noise(index) {
  let h = Math.imul(index + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77);
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 32;
}

const toByte = (value) => Math.max(0, Math.min(255, Math.round(value)));

function paint() {
  const raw = new Uint8Array(numVoxels);
  const classes = Object.fromEntries(
    Object.keys(bodies).map((name) => [name, { prediction: new Uint8Array(numVoxels), labels: new BigUint64Array(numVoxels) }]),
  );
  for (let z = 0; z < shape.z; ++z)
    for (let y = 0; y < shape.y; ++y)
      for (let x = 0; x < shape.x; ++x) {
        const index = indexOf(z, y, x);
        let grey = 175 + 20 * Math.sin(x / 6) * Math.sin(y / 7) * Math.sin(z / 5);
        for (const [name, { objects }] of Object.entries(bodies)) {
          let nearest = -Infinity;
          for (const { id, inside } of objects) {
            const distance = inside(z, y, x);
            nearest = Math.max(nearest, distance);
            if (distance > 0) classes[name].labels[index] = BigInt(id);
          }
          if (nearest > 0) grey = 130 + 15 * Math.sin(x / 2 + z / 3);
          if (Math.abs(nearest) < 9) grey = 60;
          classes[name].prediction[index] = toByte(127.5 * (1 + Math.tanh(nearest / 50)));
        }
        raw[index] = toByte(grey + 40 * (noise(index) - 0.5));
      }
  return { raw, classes };
}

/** The stored unit is one chunk that covers the volume: precomputed order has x fastest, as here. */
async function writeLayer(folder, voxels, { dataType, type, mesh }) {
  const key = [voxelSizeNm.x, voxelSizeNm.y, voxelSizeNm.z].join("_");
  const size = [shape.x, shape.y, shape.z];
  const info = {
    "@type": "neuroglancer_multiscale_volume",
    type,
    data_type: dataType,
    num_channels: 1,
    ...(mesh ? { mesh: "mesh" } : {}),
    scales: [
      {
        key,
        size,
        resolution: [voxelSizeNm.x, voxelSizeNm.y, voxelSizeNm.z],
        voxel_offset: [0, 0, 0],
        chunk_sizes: [size],
        encoding: "raw",
      },
    ],
  };
  await mkdir(path.join(folder, key), { recursive: true });
  await writeFile(path.join(folder, "info"), JSON.stringify(info));
  const chunk = size.map((extent) => `0-${extent}`).join("_");
  await writeFile(path.join(folder, key, chunk), new Uint8Array(voxels.buffer));
}

/** The faces between the object and the rest, as triangles in nanometres (corner convention of the viewer). */
function facesOf(labels, id) {
  const positions = [];
  const indices = [];
  const vertexAt = new Map();
  const vertex = (z, y, x) => {
    const key = (z * (shape.y + 1) + y) * (shape.x + 1) + x;
    if (!vertexAt.has(key)) {
      vertexAt.set(key, positions.length / 3);
      positions.push(x * voxelSizeNm.x, y * voxelSizeNm.y, z * voxelSizeNm.z);
    }
    return vertexAt.get(key);
  };
  const isObject = (z, y, x) =>
    z >= 0 && y >= 0 && x >= 0 && z < shape.z && y < shape.y && x < shape.x && labels[indexOf(z, y, x)] === BigInt(id);
  const axes = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  let surfaceNm2 = 0;
  let numObjectVoxels = 0;
  const sum = { z: 0, y: 0, x: 0 };
  for (let z = 0; z < shape.z; ++z)
    for (let y = 0; y < shape.y; ++y)
      for (let x = 0; x < shape.x; ++x) {
        if (!isObject(z, y, x)) continue;
        ++numObjectVoxels;
        sum.z += z;
        sum.y += y;
        sum.x += x;
        for (let axis = 0; axis < 3; ++axis) {
          const normal = axes[axis];
          const u = axes[(axis + 1) % 3];
          const v = axes[(axis + 2) % 3];
          for (const side of [0, 1]) {
            const step = side === 1 ? 1 : -1;
            if (isObject(z + step * normal[0], y + step * normal[1], x + step * normal[2])) continue;
            const corner = (a, b) =>
              vertex(
                z + side * normal[0] + a * u[0] + b * v[0],
                y + side * normal[1] + a * u[1] + b * v[1],
                x + side * normal[2] + a * u[2] + b * v[2],
              );
            const quad = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
            if (side === 1) quad.reverse();
            indices.push(quad[0], quad[1], quad[2], quad[0], quad[2], quad[3]);
            surfaceNm2 += (voxelSizeNm.z * voxelSizeNm.y * voxelSizeNm.x) / [voxelSizeNm.z, voxelSizeNm.y, voxelSizeNm.x][axis];
          }
        }
      }
  const centroidNm = {
    z: (sum.z / numObjectVoxels) * voxelSizeNm.z,
    y: (sum.y / numObjectVoxels) * voxelSizeNm.y,
    x: (sum.x / numObjectVoxels) * voxelSizeNm.x,
  };
  return { positions, indices, surfaceNm2, numObjectVoxels, centroidNm };
}

async function writeMesh(folder, id, { positions, indices }) {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "info"), JSON.stringify({ "@type": "neuroglancer_legacy_mesh" }));
  await writeFile(path.join(folder, `${id}:0`), JSON.stringify({ fragments: [`${id}:0:fragment`] }));
  const bytes = new ArrayBuffer(4 + positions.length * 4 + indices.length * 4);
  new Uint32Array(bytes, 0, 1)[0] = positions.length / 3;
  new Float32Array(bytes, 4, positions.length).set(positions);
  new Uint32Array(bytes, 4 + positions.length * 4, indices.length).set(indices);
  await writeFile(path.join(folder, `${id}:0:fragment`), new Uint8Array(bytes));
}

/** Writes the tree; the portal's files are copied in where `portal` is given. */
export async function makeTree(folder, portal) {
  if (portal) await cp(portal, folder, { recursive: true });
  const { raw, classes } = paint();
  await mkdir(path.join(folder, "tables"), { recursive: true });
  await writeLayer(path.join(folder, "precomputed/raw"), raw, { dataType: "uint8", type: "image" });
  const layers = [{ name: "raw", role: "raw", kind: "image", source: "precomputed/raw", contrast_limits: [0, 255] }];
  for (const [name, { prediction, labels }] of Object.entries(classes)) {
    const { color, objects } = bodies[name];
    await writeLayer(path.join(folder, `precomputed/${name}_prediction`), prediction, { dataType: "uint8", type: "image" });
    await writeLayer(path.join(folder, `precomputed/${name}`), labels, { dataType: "uint64", type: "segmentation", mesh: true });
    const rows = [];
    for (const { id } of objects) {
      const surface = facesOf(labels, id);
      await writeMesh(path.join(folder, `precomputed/${name}/mesh`), id, surface);
      const volumeNm3 = surface.numObjectVoxels * voxelSizeNm.z * voxelSizeNm.y * voxelSizeNm.x;
      const { centroidNm } = surface;
      rows.push([id, surface.numObjectVoxels, volumeNm3, surface.surfaceNm2, centroidNm.z, centroidNm.y, centroidNm.x]);
    }
    const columns = [
      { name: "id" },
      { name: "voxels" },
      { name: "volume_nm3", unit: "nm3" },
      { name: "surface_faces_nm2", unit: "nm2" },
      { name: "centroid_z_nm", unit: "nm" },
      { name: "centroid_y_nm", unit: "nm" },
      { name: "centroid_x_nm", unit: "nm" },
    ];
    await writeFile(path.join(folder, `tables/${name}.json`), JSON.stringify({ columns, rows }));
    const lines = [columns.map((column) => column.name), ...rows].map((row) => row.join(","));
    await writeFile(path.join(folder, `tables/${name}.csv`), lines.join("\n") + "\n");
    layers.push({
      name: `${name} prediction`,
      role: "prediction",
      class: name,
      kind: "image",
      source: `precomputed/${name}_prediction`,
      threshold: 127,
      color,
    });
    layers.push({
      name,
      role: "segmentation",
      class: name,
      kind: "segmentation",
      source: `precomputed/${name}`,
      table: `tables/${name}.json`,
      color,
    });
  }
  const index = {
    format: "organon-portal/1",
    name: "made cell",
    voxel_size_nm: [voxelSizeNm.z, voxelSizeNm.y, voxelSizeNm.x],
    shape: [shape.z, shape.y, shape.x],
    position_nm: [0, 0, 0],
    layers,
    scores: [{ class: "mito", region: "held-out crop", f1: 0.91, precision: 0.93, recall: 0.89 }],
    provenance: { version: "0.1.0", created_by: "tests/browser/make_tree.mjs" },
  };
  await writeFile(path.join(folder, "index.json"), JSON.stringify(index, null, 2));
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const [folder, portal] = process.argv.slice(2);
  if (!folder) {
    console.error("usage: node make_tree.mjs <folder> [<built portal>]");
    process.exit(2);
  }
  await makeTree(path.resolve(folder), portal && path.resolve(portal));
}
