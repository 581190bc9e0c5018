// The viewer's bundle: Neuroglancer behind the small interface of viewer_api.ts.

import "neuroglancer/unstable/util/polyfills.js";
import "neuroglancer/unstable/layer/enabled_frontend_modules.js";
import "neuroglancer/unstable/datasource/enabled_frontend_modules.js";
import "neuroglancer/unstable/kvstore/enabled_frontend_modules.js";
import { SegmentColorHash } from "neuroglancer/unstable/segment_color.js";
import { setDefaultInputEventBindings } from "neuroglancer/unstable/ui/default_input_event_bindings.js";
import { makeMinimalViewer } from "neuroglancer/unstable/ui/minimal_viewer.js";
import type { AtlasViewer, Pose, Scene, SceneLayer, SegmentationLayer, ViewerEvents } from "./viewer_api.ts";

type NeuroglancerViewer = ReturnType<typeof makeMinimalViewer>;

/** The parts of Neuroglancer's user layers that we set; it publishes no types for them. */
interface ImageUserLayer {
  opacity: { value: number };
}
interface SegmentationUserLayer {
  displayState: {
    selectedAlpha: { value: number };
    notSelectedAlpha: { value: number };
    segmentDefaultColor: { restoreState(value: unknown): void };
    segmentationColorGroupState: { value: { segmentDefaultColor: { restoreState(value: unknown): void; reset(): void } } };
    segmentationGroupState: { value: { visibleSegments: { clear(): void; add(ids: bigint[]): void } } };
    segmentSelectionState: { hasSelectedSegment: boolean; selectedSegment: bigint };
  };
}

const sectionBackground = "#000000";

function sectionAlphas(layer: SegmentationLayer) {
  const fade = layer.fadeOthers && layer.objects.length > 0;
  return { selected: layer.opacity, others: fade ? layer.opacity * 0.25 : layer.opacity };
}

function specification(layer: SceneLayer): object {
  const shared = { name: layer.name, source: `precomputed://${layer.url}`, visible: layer.visible };
  if (layer.kind === "image") {
    return { ...shared, type: "image", opacity: layer.opacity, shader: layer.shader, blend: "default" };
  }
  const alphas = sectionAlphas(layer);
  return {
    ...shared,
    type: "segmentation",
    segments: layer.objects,
    selectedAlpha: alphas.selected,
    notSelectedAlpha: alphas.others,
    ...(layer.color === undefined ? {} : { segmentDefaultColor: layer.color }),
  };
}

function state(scene: Scene, pose: Pose): object {
  const { z, y, x } = scene.voxelSizeNm;
  return {
    dimensions: { x: [x * 1e-9, "m"], y: [y * 1e-9, "m"], z: [z * 1e-9, "m"] },
    position: [pose.position.x, pose.position.y, pose.position.z],
    crossSectionScale: pose.sectionScale,
    projectionScale: pose.projectionScale,
    projectionOrientation: pose.orientation,
    layers: scene.layers.map(specification),
    layout: scene.layout,
    showAxisLines: true,
    showScaleBar: true,
    // The box of the volume: its yellow edges would cross the surfaces.
    showDefaultAnnotations: false,
    showSlices: false,
    crossSectionBackgroundColor: sectionBackground,
    projectionBackgroundColor: "#14171c",
    // Half of the default limits: the page is one tab among others.
    gpuMemoryLimit: 5e8,
    systemMemoryLimit: 1e9,
    concurrentDownloads: 32,
  };
}

function apply(viewer: NeuroglancerViewer, before: SceneLayer, after: SceneLayer) {
  const managed = viewer.layerManager.getLayerByName(after.name);
  if (managed === undefined || managed.layer === null) return;
  if (managed.visible !== after.visible) managed.setVisible(after.visible);
  if (after.kind === "image") {
    (managed.layer as unknown as ImageUserLayer).opacity.value = after.opacity;
    return;
  }
  if (before.kind !== "segmentation") return;
  const { displayState } = managed.layer as unknown as SegmentationUserLayer;
  const alphas = sectionAlphas(after);
  displayState.selectedAlpha.value = alphas.selected;
  displayState.notSelectedAlpha.value = alphas.others;
  if (before.color !== after.color) {
    const { segmentDefaultColor } = displayState.segmentationColorGroupState.value;
    if (after.color === undefined) segmentDefaultColor.reset();
    else segmentDefaultColor.restoreState(after.color);
  }
  if (before.objects.length !== after.objects.length || before.objects.some((id, i) => id !== after.objects[i])) {
    const { visibleSegments } = displayState.segmentationGroupState.value;
    visibleSegments.clear();
    if (after.objects.length > 0) visibleSegments.add(after.objects.map(BigInt));
  }
}

export function createViewer(target: HTMLElement, firstScene: Scene, pose: Pose, events: ViewerEvents): AtlasViewer {
  const viewer = makeMinimalViewer({
    target,
    showUIControls: false,
    showTopBar: false,
    showLayerPanel: false,
    showPanelBorders: true,
    showLayerDialog: false,
    resetStateWhenEmpty: false,
  });
  setDefaultInputEventBindings(viewer.inputEventBindings);
  // The page has its own layer list, and an atlas takes no new layers.
  viewer.inputEventBindings.global.set("keyn", "nothing");

  let scene = firstScene;
  viewer.state.restoreState(state(scene, pose));

  const sections = viewer.navigationState;
  const projection = viewer.perspectiveNavigationState;
  let told = 0;
  const tellPose = () => {
    const position = sections.pose.position.value;
    const turn = projection.pose.orientation.orientation;
    events.onPose({
      position: { z: position[2]!, y: position[1]!, x: position[0]! },
      sectionScale: sections.zoomFactor.value,
      projectionScale: projection.zoomFactor.value,
      orientation: [turn[0]!, turn[1]!, turn[2]!, turn[3]!],
    });
  };
  const onMove = () => {
    window.clearTimeout(told);
    told = window.setTimeout(tellPose, 250);
  };
  const stopSections = sections.changed.add(onMove);
  const stopProjection = projection.changed.add(onMove);

  const onDoubleClick = (event: MouseEvent) => {
    for (const managed of viewer.layerManager.managedLayers) {
      const layer = scene.layers.find(({ name }) => name === managed.name);
      if (layer?.kind !== "segmentation" || !managed.visible || managed.layer === null) continue;
      const hover = (managed.layer as unknown as SegmentationUserLayer).displayState.segmentSelectionState;
      if (!hover.hasSelectedSegment || hover.selectedSegment === 0n) continue;
      event.stopPropagation();
      events.onPick(layer.name, String(hover.selectedSegment));
      return;
    }
  };
  target.addEventListener("dblclick", onDoubleClick, { capture: true });

  let drawn = false;
  const watch = window.setInterval(() => {
    const now = viewer.isReady();
    if (now === drawn) return;
    drawn = now;
    events.onDrawn(drawn);
  }, 100);

  const colors = SegmentColorHash.getDefault();
  return {
    setScene(next) {
      const previous = scene;
      scene = next;
      for (const layer of next.layers) {
        const before = previous.layers.find(({ name }) => name === layer.name);
        if (before !== undefined && before !== layer) apply(viewer, before, layer);
      }
      if (previous.layout !== next.layout) viewer.layout.restoreState(next.layout);
    },
    setPose(next) {
      if (next.position !== undefined) {
        sections.pose.position.value = Float32Array.of(next.position.x, next.position.y, next.position.z);
      }
      if (next.sectionScale !== undefined) sections.zoomFactor.value = next.sectionScale;
      if (next.projectionScale !== undefined) projection.zoomFactor.value = next.projectionScale;
      if (next.orientation !== undefined) projection.pose.orientation.restoreState(next.orientation);
    },
    colorOf: (id) => colors.computeCssColor(BigInt(id)),
    dispose() {
      window.clearInterval(watch);
      window.clearTimeout(told);
      stopSections();
      stopProjection();
      target.removeEventListener("dblclick", onDoubleClick, { capture: true });
      viewer.dispose();
    },
  };
}
