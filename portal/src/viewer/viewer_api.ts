// What the page and the viewer's bundle say to each other. The page never imports Neuroglancer: the bundle is built
// apart (build/bundle_viewer.mjs) and loaded at run time, so this file is the whole of their agreement.

/** A layer as the viewer shall draw it. Opacities lie in [0, 1]. */
export interface ImageLayer {
  kind: "image";
  name: string;
  url: string;
  visible: boolean;
  opacity: number;
  shader: string;
}

export interface SegmentationLayer {
  kind: "segmentation";
  name: string;
  url: string;
  visible: boolean;
  opacity: number;
  /** Ids whose meshes are drawn; where it is not empty they are also brighter than the others in the sections. */
  objects: readonly string[];
  /** Whether the other objects fade in the sections. */
  fadeOthers: boolean;
  /** One colour for every object, or a colour by id where undefined. */
  color: string | undefined;
}

export type SceneLayer = ImageLayer | SegmentationLayer;

export type Layout = "4panel-alt" | "xy" | "3d";

export interface Scene {
  voxelSizeNm: { z: number; y: number; x: number };
  layers: readonly SceneLayer[];
  layout: Layout;
}

/** Where one looks from. Positions in voxels of the viewer: its voxel i reaches from i to i + 1. */
export interface Pose {
  position: { z: number; y: number; x: number };
  /** Voxels (smallest extent) for each screen pixel of a section. */
  sectionScale: number;
  /** Voxels (smallest extent) over the height of the 3-D panel. */
  projectionScale: number;
  /** Unit quaternion x, y, z, w of the 3-D panel. */
  orientation: readonly [number, number, number, number];
}

export interface ViewerEvents {
  /** Once the view has come to rest after any move. */
  onPose(pose: Pose): void;
  /** A double click on an object. */
  onPick(layerName: string, id: string): void;
  /** True once all that is in view has been loaded and drawn, false as soon as something is missing again. */
  onDrawn(drawn: boolean): void;
}

export interface AtlasViewer {
  setScene(scene: Scene): void;
  setPose(pose: Partial<Pose>): void;
  /** The colour of an object without a colour of its own, as "#rrggbb". */
  colorOf(id: string): string;
  dispose(): void;
}

export interface ViewerModule {
  createViewer(target: HTMLElement, scene: Scene, pose: Pose, events: ViewerEvents): AtlasViewer;
}
