// From the index and the view state to what the viewer draws.

import type { Layer, PortalIndex, Zyx } from "../data/portal_index.ts";
import type { Pose, Scene, SceneLayer } from "../viewer/viewer_api.ts";
import type { Coloring, LayerState, ViewState } from "./view_state.ts";

/** More meshes than this are not drawn at once: each is two requests and its triangles stay in memory. */
export const maxMeshes = 300;

/** Colours for classes without one in the index: distinct in hue, alike in lightness. */
const palette = ["#2fd27a", "#ff7ab8", "#57b6ff", "#ffb347", "#b58cff", "#f4e04d", "#4fe0d2", "#ff6f61", "#9fd356", "#e58bf0"];

export const classesOf = (index: PortalIndex): string[] => [...new Set(index.layers.flatMap((layer) => (layer.role === "raw" ? [] : [layer.class])))];

export function colorOfClass(index: PortalIndex, ofClass: string): string {
  const stated = index.layers.find((layer) => layer.role !== "raw" && layer.class === ofClass && layer.color !== undefined);
  if (stated !== undefined && stated.role !== "raw" && stated.color !== undefined) return stated.color;
  return palette[classesOf(index).indexOf(ofClass) % palette.length] ?? "#2fd27a";
}

/** Raw and segmentations are on at first; predictions wait to be asked for. */
export function defaultLayerState(layer: Layer): LayerState {
  if (layer.role === "raw") return { visible: true, opacity: 1 };
  return layer.role === "segmentation" ? { visible: true, opacity: 0.5 } : { visible: false, opacity: 0.6 };
}

export const layerState = (view: ViewState, layer: Layer): LayerState => view.layers[layer.name] ?? defaultLayerState(layer);

export const coloringOf = (index: PortalIndex, view: ViewState): Coloring => view.coloring ?? (classesOf(index).length > 1 ? "class" : "object");

/** Grey values between the limits; the limits are fixed, so that links show the same picture. */
function rawShader(limits: readonly [number, number] | undefined): string {
  const range = limits === undefined ? "" : `(range=[${limits[0]}, ${limits[1]}])`;
  return `#uicontrol invlerp normalized${range}\nvoid main() { emitGrayscale(normalized()); }\n`;
}

/** The class colour, clear below the threshold and denser above it. */
function predictionShader(color: string, threshold: number | undefined): string {
  return [
    `#uicontrol vec3 color color(default="${color}")`,
    `#uicontrol float threshold slider(min=0, max=255, default=${threshold ?? 127})`,
    "void main() {",
    "  float value = toNormalized(getDataValue()) * 255.0;",
    "  float rise = smoothstep(0.0, threshold + 1.0, value);",
    "  float alpha = value < threshold ? 0.35 * rise : 0.6 + 0.4 * (value - threshold) / max(1.0, 255.0 - threshold);",
    "  emitRGBA(vec4(color, alpha));",
    "}",
    "",
  ].join("\n");
}

const none: readonly string[] = [];

/**
 * The layers in the order in which they are drawn: raw, predictions, segmentations.
 * `objectsOf` gives the ids of a class from the largest down, or an empty list while its table is loading.
 */
export function sceneLayers(
  index: PortalIndex,
  view: ViewState,
  objectsOf: (ofClass: string) => readonly string[],
  urlOf: (source: string) => string,
): SceneLayer[] {
  const order = { raw: 0, prediction: 1, segmentation: 2 };
  return [...index.layers]
    .sort((a, b) => order[a.role] - order[b.role])
    .map((layer): SceneLayer => {
      const { visible, opacity } = layerState(view, layer);
      const shared = { name: layer.name, url: urlOf(layer.source), visible, opacity };
      if (layer.role === "raw") return { ...shared, kind: "image", shader: rawShader(layer.contrastLimits) };
      const color = colorOfClass(index, layer.class);
      if (layer.role === "prediction") return { ...shared, kind: "image", shader: predictionShader(color, layer.threshold) };
      const isChosenClass = layer.class === view.class;
      const chosen = isChosenClass && view.object !== undefined ? [view.object] : none;
      const objects = view.meshes === "all" ? objectsOf(layer.class) : chosen;
      return {
        ...shared,
        kind: "segmentation",
        objects,
        fadeOthers: view.meshes === "chosen" && isChosenClass,
        color: coloringOf(index, view) === "class" ? color : undefined,
      };
    });
}

export const scene = (index: PortalIndex, view: ViewState, layers: readonly SceneLayer[]): Scene => ({
  voxelSizeNm: index.voxelSizeNm,
  layers,
  layout: view.layout,
});

/** How physical points and the viewer's voxels relate; the one place of the page that knows of the half voxel. */
export interface ViewerSpace {
  voxelSizeNm: Zyx;
  /** Centre of voxel 0. */
  positionNm: Zyx;
  /** Index of voxel 0 in the viewer; voxel i reaches from i to i + 1 there. */
  voxelOffset: Zyx;
}

const mapZyx = (f: (axis: "z" | "y" | "x") => number): Zyx => ({ z: f("z"), y: f("y"), x: f("x") });

export const toViewer = (space: ViewerSpace, pointNm: Zyx): Zyx =>
  mapZyx((axis) => (pointNm[axis] - space.positionNm[axis]) / space.voxelSizeNm[axis] + 0.5 + space.voxelOffset[axis]);

export const fromViewer = (space: ViewerSpace, voxel: Zyx): Zyx =>
  mapZyx((axis) => (voxel[axis] - 0.5 - space.voxelOffset[axis]) * space.voxelSizeNm[axis] + space.positionNm[axis]);

/** The viewer measures zooms in its smallest voxel extent. */
export const smallestVoxelNm = ({ voxelSizeNm }: ViewerSpace): number => Math.min(voxelSizeNm.z, voxelSizeNm.y, voxelSizeNm.x);

/** The whole volume in view in panels of this size in pixels, seen a little from above in 3-D. */
export function homePose(index: PortalIndex, space: ViewerSpace, panel: { width: number; height: number }): Pose {
  const middle = mapZyx((axis) => space.voxelOffset[axis] + index.shape[axis] / 2);
  const extents = (["z", "y", "x"] as const).map((axis) => index.shape[axis] * index.voxelSizeNm[axis]);
  const largest = Math.max(...extents) / smallestVoxelNm(space);
  const diagonal = Math.hypot(...extents) / smallestVoxelNm(space);
  return {
    position: mapZyx((axis) => Math.floor(middle[axis]) + 0.5),
    sectionScale: largest / Math.max(Math.min(panel.width, panel.height) - 24, 64),
    // Over the height of the panel: a narrow one must see as much over its width.
    projectionScale: diagonal * 1.05 * Math.max(1, panel.height / Math.max(panel.width, 1)),
    orientation: [0.32, 0.36, 0.12, 0.868],
  };
}

/** The pose of a link, or the home pose where the link has none. */
export function poseOf(view: ViewState, space: ViewerSpace, home: Pose): Pose {
  const unit = smallestVoxelNm(space);
  return {
    position: view.positionNm === undefined ? home.position : toViewer(space, view.positionNm),
    sectionScale: view.sectionNmPerPixel === undefined ? home.sectionScale : view.sectionNmPerPixel / unit,
    projectionScale: view.projectionHeightNm === undefined ? home.projectionScale : view.projectionHeightNm / unit,
    orientation: view.orientation ?? home.orientation,
  };
}
