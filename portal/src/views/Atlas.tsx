import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { loadVoxelOffset, treeUrl } from "../data/load.ts";
import { columnIndex, numberAt, sortedRows } from "../data/object_table.ts";
import type { ObjectTable } from "../data/object_table.ts";
import type { PortalIndex, Zyx } from "../data/portal_index.ts";
import { useTables } from "../data/use_tables.ts";
import {
  classesOf,
  colorOfClass,
  coloringOf,
  fromViewer,
  homePose,
  maxMeshes,
  poseOf,
  scene as makeScene,
  sceneLayers,
  smallestVoxelNm,
  toViewer,
} from "../state/scene.ts";
import type { ViewerSpace } from "../state/scene.ts";
import { useViewState } from "../state/use_view_state.ts";
import type { ViewState } from "../state/view_state.ts";
import type { AtlasViewer, Pose } from "../viewer/viewer_api.ts";
import { ClassPanel, defaultSort } from "./ClassPanel.tsx";
import { Header } from "./Header.tsx";
import { LayerList } from "./LayerList.tsx";
import { Failure, Waiting } from "./Notice.tsx";
import { ScoresTable, scoresOf } from "./ScoresTable.tsx";
import { ViewerPane } from "./ViewerPane.tsx";

function largestFirst(table: ObjectTable): string[] {
  return sortedRows(table, defaultSort(table))
    .slice(0, maxMeshes)
    .map((row) => table.ids[row]!);
}

function centroidNm(table: ObjectTable, row: number): Zyx | undefined {
  const at = (axis: string) => numberAt(table, row, columnIndex(table, `centroid_${axis}_nm`));
  const point = { z: at("z"), y: at("y"), x: at("x") };
  return Number.isNaN(point.z + point.y + point.x) ? undefined : point;
}

/** Diagonal of the object's box; without a box, that of a cube of its volume; infinite where neither is known. */
function sizeNm(table: ObjectTable, row: number): number {
  const at = (name: string) => numberAt(table, row, columnIndex(table, name));
  const diagonal = Math.hypot(...["z", "y", "x"].map((axis) => at(`box_end_${axis}_nm`) - at(`box_begin_${axis}_nm`)));
  if (!Number.isNaN(diagonal)) return diagonal;
  const volume = at("volume_nm3");
  return Number.isNaN(volume) ? Infinity : Math.sqrt(3) * Math.cbrt(volume);
}

/** The page of one atlas: viewer on the left, layers, classes and scores on the right. */
export function Atlas({ index }: { index: PortalIndex }) {
  const tables = useTables(index);
  const classes = useMemo(() => index.layers.flatMap((layer) => (layer.role === "segmentation" ? [layer.class] : [])), [index]);
  const [space, setSpace] = useState<ViewerSpace | undefined>(undefined);
  const [spaceFailure, setSpaceFailure] = useState<string | undefined>(undefined);
  const viewer = useRef<AtlasViewer | undefined>(undefined);
  const [colors, setColors] = useState<AtlasViewer["colorOf"] | undefined>(undefined);
  const home = useRef<Pose | undefined>(undefined);
  const latestSpace = useRef<ViewerSpace | undefined>(undefined);
  latestSpace.current = space;

  const [view, update] = useViewState(
    useCallback((linked: ViewState) => {
      if (latestSpace.current !== undefined && home.current !== undefined) {
        viewer.current?.setPose(poseOf(linked, latestSpace.current, home.current));
      }
    }, []),
  );
  const currentClass = view.class !== undefined && classes.includes(view.class) ? view.class : classes[0];

  useEffect(() => {
    const first = index.layers[0];
    if (first === undefined) {
      setSpaceFailure("index.json lists no layers");
      return;
    }
    loadVoxelOffset(first.source).then(
      (voxelOffset) => setSpace({ voxelSizeNm: index.voxelSizeNm, positionNm: index.positionNm, voxelOffset }),
      (error: Error) => setSpaceFailure(error.message),
    );
  }, [index]);

  const objectLists = useMemo(() => {
    const lists = new Map<string, readonly string[]>();
    for (const [ofClass, table] of tables) if (table.state === "ready") lists.set(ofClass, largestFirst(table.value));
    return lists;
  }, [tables]);

  const effective = useMemo(() => ({ ...view, class: currentClass }), [view, currentClass]);
  const scene = useMemo(
    () => makeScene(index, effective, sceneLayers(index, effective, (ofClass) => objectLists.get(ofClass) ?? [], treeUrl)),
    [index, effective, objectLists],
  );

  const choose = useCallback(
    (ofClass: string, row: number) => {
      const table = tables.get(ofClass);
      if (table?.state !== "ready") return;
      update({ class: ofClass, object: table.value.ids[row], meshes: "chosen" });
      const centre = centroidNm(table.value, row);
      if (centre === undefined || space === undefined || home.current === undefined) return;
      const size = sizeNm(table.value, row) / smallestVoxelNm(space);
      const { sectionScale, projectionScale } = home.current;
      viewer.current?.setPose({
        position: toViewer(space, centre),
        // The object's box takes most of a panel.
        sectionScale: Math.min(sectionScale, Math.max(0.02, (1.7 * size) / projectionScale) * sectionScale),
        projectionScale: Math.min(projectionScale, 1.3 * size),
      });
    },
    [tables, space, update],
  );

  const pick = useCallback(
    (layerName: string, id: string) => {
      const layer = index.layers.find(({ name }) => name === layerName);
      if (layer?.role !== "segmentation") return;
      const table = tables.get(layer.class);
      const row = table?.state === "ready" ? table.value.ids.indexOf(id) : -1;
      update({ class: layer.class, object: id, meshes: "chosen", ...(row < 0 ? {} : { volumeRange: undefined }) });
    },
    [index, tables, update],
  );

  const goHome = () => {
    update({ object: undefined, meshes: "all", volumeRange: undefined });
    if (home.current !== undefined) viewer.current?.setPose(home.current);
  };

  const onPose = useCallback(
    (pose: Pose) => {
      if (space === undefined) return;
      const unit = smallestVoxelNm(space);
      update({
        positionNm: fromViewer(space, pose.position),
        sectionNmPerPixel: pose.sectionScale * unit,
        projectionHeightNm: pose.projectionScale * unit,
        orientation: pose.orientation,
      });
    },
    [space, update],
  );

  const layer = index.layers.find((candidate) => candidate.role === "segmentation" && candidate.class === currentClass);
  const tablePath = layer?.role === "segmentation" ? layer.table : undefined;
  const table = currentClass === undefined ? undefined : tables.get(currentClass);
  const classColor = currentClass === undefined ? "#888888" : colorOfClass(index, currentClass);
  const byClass = coloringOf(index, view) === "class";
  const scores = scoresOf(index);

  return (
    <div className="page">
      <Header index={index} layout={view.layout} onLayout={(layout) => update({ layout })} onHome={goHome} />
      <main className="body">
        {space === undefined ? (
          <section className="viewer">
            <div className="over">
              {spaceFailure === undefined ? <Waiting text="Reading the volume…" /> : <Failure title="The volumes cannot be drawn" message={spaceFailure} />}
            </div>
          </section>
        ) : (
          <ViewerPane
            scene={scene}
            firstPose={(panel) => {
              const parts = view.layout === "4panel-alt" ? 2 : 1;
              home.current = homePose(index, space, { width: panel.clientWidth / parts, height: panel.clientHeight / parts });
              return poseOf(view, space, home.current);
            }}
            onReady={(ready) => {
              viewer.current = ready;
              setColors(() => ready.colorOf);
            }}
            onPose={onPose}
            onPick={pick}
          />
        )}
        <aside className="side" aria-label="Layers and measurements">
          <LayerList
            index={index}
            view={view}
            onLayer={(name, state) => update((before) => ({ layers: { ...before.layers, [name]: state } }))}
            onColoring={(coloring) => update({ coloring })}
          />
          {currentClass !== undefined && (
            <section className="card grow" aria-labelledby="objects-title">
              <div className="card-head">
                <h2 id="objects-title">Objects</h2>
              </div>
              <div className="tabs" role="tablist" aria-label="Classes">
                {classes.map((ofClass) => (
                  <button
                    key={ofClass}
                    type="button"
                    role="tab"
                    aria-selected={ofClass === currentClass}
                    onClick={() => update({ class: ofClass, object: undefined, volumeRange: undefined })}
                  >
                    <span className="swatch" style={{ background: colorOfClass(index, ofClass) }} aria-hidden="true" />
                    {ofClass}
                  </button>
                ))}
              </div>
              <div role="tabpanel" aria-label={currentClass} className="tab-panel">
                {tablePath === undefined && <p className="empty">This class has not been measured.</p>}
                {table?.state === "loading" && <Waiting text={`Reading the table of ${currentClass}…`} />}
                {table?.state === "failed" && <Failure title="The table cannot be read" message={table.message} />}
                {table?.state === "ready" && tablePath !== undefined && (
                  <ClassPanel
                    key={currentClass}
                    name={currentClass}
                    tablePath={tablePath}
                    table={table.value}
                    view={view}
                    color={classColor}
                    colorOf={(id) => (byClass ? classColor : colors?.(id))}
                    onView={update}
                    onChoose={(row) => choose(currentClass, row)}
                    onClear={() => update({ object: undefined, meshes: "all" })}
                  />
                )}
              </div>
            </section>
          )}
          {scores.length > 0 && <ScoresTable scores={scores} />}
          <footer className="provenance">
            {classesOf(index).length} {classesOf(index).length === 1 ? "class" : "classes"}
            {index.provenance.version !== undefined && <> · organon {index.provenance.version}</>}
            {index.provenance.createdBy !== undefined && <> · {index.provenance.createdBy}</>} · drag to move, wheel to step, Ctrl + wheel to zoom,
            double click to choose
          </footer>
        </aside>
      </main>
    </div>
  );
}
