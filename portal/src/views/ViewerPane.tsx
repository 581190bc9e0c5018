import { useEffect, useRef, useState } from "react";
import { treeUrl } from "../data/load.ts";
import type { AtlasViewer, Pose, Scene, ViewerEvents, ViewerModule } from "../viewer/viewer_api.ts";
import { Failure, Waiting } from "./Notice.tsx";

/** The viewer does not tell a missing file from a slow one, so after a while the page names both. */
const slowAfterMs = 30_000;

interface Props {
  scene: Scene;
  /** Read once, when the viewer starts. */
  firstPose(panel: HTMLElement): Pose;
  onReady(viewer: AtlasViewer): void;
  onPose: ViewerEvents["onPose"];
  onPick: ViewerEvents["onPick"];
}

function hasWebGl2(): boolean {
  return document.createElement("canvas").getContext("webgl2") !== null;
}

async function loadViewer(): Promise<ViewerModule> {
  if (!hasWebGl2()) throw new Error("This browser offers no WebGL 2, which drawing volumes needs. The tables work without it.");
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = treeUrl("viewer/main.css");
  document.head.prepend(style);
  // The bundle lies beside the page, made apart from it: not an import for Vite to follow.
  const address = treeUrl("viewer/main.js");
  return (await import(/* @vite-ignore */ address)) as ViewerModule;
}

let viewerModule: Promise<ViewerModule> | undefined;

/** The panels that Neuroglancer draws. It lives as long as the page; changes of `scene` are passed on to it. */
export function ViewerPane({ scene, firstPose, onReady, onPose, onPick }: Props) {
  const target = useRef<HTMLDivElement>(null);
  const viewer = useRef<AtlasViewer | undefined>(undefined);
  const latest = useRef({ scene, firstPose, onReady, onPose, onPick });
  latest.current = { scene, firstPose, onReady, onPose, onPick };
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const [drawn, setDrawn] = useState(false);
  const [started, setStarted] = useState(false);
  const [isSlow, setIsSlow] = useState(false);

  useEffect(() => {
    setIsSlow(false);
    if (drawn) return;
    const timer = window.setTimeout(() => setIsSlow(true), slowAfterMs);
    return () => window.clearTimeout(timer);
  }, [drawn]);

  useEffect(() => {
    const element = target.current!;
    let isGone = false;
    viewerModule ??= loadViewer();
    viewerModule
      .then(({ createViewer }) => {
        if (isGone) return;
        const { scene: firstScene, firstPose: poseFor, onReady: ready } = latest.current;
        const created = createViewer(element, firstScene, poseFor(element), {
          onPose: (pose) => latest.current.onPose(pose),
          onPick: (layer, id) => latest.current.onPick(layer, id),
          onDrawn: setDrawn,
        });
        viewer.current = created;
        setStarted(true);
        ready(created);
        created.setScene(latest.current.scene);
      })
      .catch((error: Error) => {
        if (!isGone) setFailure(error.message);
      });
    return () => {
      isGone = true;
      viewer.current?.dispose();
      viewer.current = undefined;
    };
  }, []);

  useEffect(() => viewer.current?.setScene(scene), [scene]);

  return (
    <section className="viewer" aria-label="Sections and surfaces" data-drawn={drawn}>
      <div className="viewer-target" ref={target} />
      {failure !== undefined && (
        <div className="over">
          <Failure title="The volumes cannot be drawn" message={failure} />
        </div>
      )}
      {failure === undefined && !started && (
        <div className="over">
          <Waiting text="Starting the viewer…" />
        </div>
      )}
      {started && !drawn && (
        <div className="loading" role="status">
          <span className="spinner" aria-hidden="true" /> {isSlow ? "Still loading, or a part is missing" : "Loading"}
        </div>
      )}
    </section>
  );
}
