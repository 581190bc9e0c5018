// A page around Neuroglancer that tells what it reads: bundled and driven by neuroglancer_test.mjs.

import "neuroglancer/unstable/util/polyfills.js";
import "neuroglancer/unstable/layer/enabled_frontend_modules.js";
import "neuroglancer/unstable/datasource/enabled_frontend_modules.js";
import "neuroglancer/unstable/kvstore/enabled_frontend_modules.js";
import { makeMinimalViewer } from "neuroglancer/unstable/ui/minimal_viewer.js";
import { DataType } from "neuroglancer/unstable/util/data_type.js";

const viewer = makeMinimalViewer({
  target: document.getElementById("viewer"),
  showUIControls: false,
  showTopBar: false,
  showLayerPanel: false,
  resetStateWhenEmpty: false,
});

/** Resolves with what `find` gives, once that is something. */
async function until(find, what, timeoutMs = 90_000) {
  for (const start = performance.now(); performance.now() - start < timeoutMs; ) {
    const found = find();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

const arrays = {
  UINT8: Uint8Array,
  INT16: Int16Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  FLOAT32: Float32Array,
};

function toBase64(array) {
  const bytes = new Uint8Array(array.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** All voxels of one level, by its own chunks, which Neuroglancer's worker fetches and decodes; x fastest. */
async function readLevel({ chunkSource, chunkToMultiscaleTransform }) {
  const { spec } = chunkSource;
  const size = Array.from(spec.upperVoxelBound);
  const chunk = spec.chunkDataSize;
  const voxels = new arrays[DataType[spec.dataType]](size[0] * size[1] * size[2]);
  const readChunk = async (grid) => {
    const copy = (found) => {
      const at = new Float32Array(3);
      const begin = grid.map((position, i) => position * chunk[i]);
      const extent = begin.map((first, i) => Math.min(found.chunkDataSize[i], size[i] - first));
      for (at[2] = 0; at[2] < extent[2]; ++at[2])
        for (at[1] = 0; at[1] < extent[1]; ++at[1])
          for (at[0] = 0; at[0] < extent[0]; ++at[0])
            voxels[((begin[2] + at[2]) * size[1] + begin[1] + at[1]) * size[0] + begin[0] + at[0]] = found.getValueAt(at);
    };
    await chunkSource.fetchChunk(Float32Array.from(grid), copy, {});
  };
  const reading = [];
  for (let z = 0; z * chunk[2] < size[2]; ++z)
    for (let y = 0; y * chunk[1] < size[1]; ++y)
      for (let x = 0; x * chunk[0] < size[0]; ++x) reading.push(readChunk([x, y, z]));
  await Promise.all(reading);
  return {
    shape: size.reverse(),
    dataType: DataType[spec.dataType].toLowerCase(),
    chunkToMultiscaleTransform: Array.from(chunkToMultiscaleTransform),
    voxels: toBase64(voxels),
  };
}

/** Shows nothing but this source; resolves with its axes and all voxels of all its levels. */
window.readSource = async (type, source) => {
  viewer.state.reset();
  viewer.state.restoreState({ layers: [{ type, name: "it", source }], layout: "4panel", showDefaultAnnotations: false });
  const { layer } = viewer.layerManager.getLayerByName("it");
  const { dataSource, error } = await until(() => layer.dataSources[0]?.loadState, source);
  if (error !== undefined) throw error;
  const { volume } = dataSource.subsources.find(({ subsource }) => subsource.volume !== undefined).subsource;
  const { names, units, scales, bounds } = dataSource.modelTransform.inputSpace;
  const multiscaleToViewTransform = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  const levels = volume.getSources({ displayRank: 3, multiscaleToViewTransform, modelChannelDimensionIndices: [] })[0];
  const space = {
    names,
    units,
    scales: Array.from(scales),
    lowerBounds: Array.from(bounds.lowerBounds),
    upperBounds: Array.from(bounds.upperBounds),
  };
  return { space, levels: await Promise.all(levels.map(readLevel)) };
};

/**
 * Shows the sections through `place` and resolves, once all is drawn, with the values that the viewer tells for positions on
 * them, as text; null where it has none. Places are in the viewer's coordinates, in the order of its axes.
 */
window.valuesShown = async (place, positions) => {
  const { layer } = viewer.layerManager.getLayerByName("it");
  viewer.navigationState.pose.position.value = Float32Array.from(place);
  viewer.navigationState.zoomFactor.value = 1; // voxels of s0 in a pixel: s0 is shown
  await new Promise((resolve) => setTimeout(resolve, 50));
  await until(() => viewer.isReady(), "drawing");
  return positions.map((position) => {
    const value = layer.getValueAt(Float32Array.from(position), { pickedRenderLayer: null });
    return value === null || value === undefined ? null : String(value.value ?? value);
  });
};

window.isPageLoaded = true;
