import { useEffect, useRef } from "react";
import type { CSSProperties, PointerEvent } from "react";
import { formatLengthNm } from "../data/units.ts";
import { drawSlice, moved, planes, scaleBarNm } from "./slices.ts";
import type { Axis, Look, Plane, Zyx } from "./slices.ts";

interface Props {
  side: "left" | "right";
  raw: Uint8Array;
  inside: Uint8Array;
  shape: Zyx;
  voxelSizeNm: Zyx;
  position: Zyx;
  look: Look;
  onPosition(position: Zyx): void;
  onPlane(plane: Plane): void;
}

/** The three sections of one candidate through one position. */
export function Sections(props: Props) {
  const { shape, voxelSizeNm } = props;
  const extent = (axis: Axis) => shape[axis] * voxelSizeNm[axis];
  const longestNm = Math.max(extent("z"), extent("y"), extent("x"));
  const barNm = scaleBarNm(longestNm);
  return (
    <section className="candidate" aria-label={`${props.side} candidate`} data-side={props.side}>
      {planes.map((plane) => (
        <Section
          key={plane.name}
          {...props}
          plane={plane}
          widthShare={extent(plane.across) / longestNm}
          heightShare={extent(plane.down) / longestNm}
        />
      ))}
      <div className="candidate-foot">
        <h2>{props.side === "left" ? "Left" : "Right"}</h2>
        <div className="scale-bar" style={{ "--share": barNm / longestNm } as CSSProperties}>
          <i aria-hidden="true" />
          {formatLengthNm(barNm)}
        </div>
      </div>
    </section>
  );
}

function Section(props: Props & { plane: Plane; widthShare: number; heightShare: number }) {
  const { plane, position, shape, raw, inside, look, side, onPosition, onPlane } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, height] = [shape[plane.across], shape[plane.down]];

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    context?.putImageData(new ImageData(drawSlice(plane, position, shape, raw, inside, look), width, height), 0, 0);
  }, [plane, position, shape, raw, inside, look, width, height]);

  // React listens to the wheel passively, which could not keep the page from scrolling.
  const scroll = useRef<(steps: number) => void>(() => undefined);
  useEffect(() => {
    scroll.current = (steps) => onPosition(moved(position, plane.normal, steps, shape));
  });
  useEffect(() => {
    const target = canvas.current;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      if (event.deltaY !== 0) scroll.current(Math.sign(event.deltaY));
    };
    target?.addEventListener("wheel", onWheel, { passive: false });
    return () => target?.removeEventListener("wheel", onWheel);
  }, []);

  const lookThrough = (event: PointerEvent<HTMLCanvasElement>) => {
    onPlane(plane);
    const box = event.currentTarget.getBoundingClientRect();
    const voxel = (share: number, axis: Axis) => Math.min(shape[axis] - 1, Math.max(0, Math.floor(share * shape[axis])));
    onPosition({
      ...position,
      [plane.across]: voxel((event.clientX - box.left) / box.width, plane.across),
      [plane.down]: voxel((event.clientY - box.top) / box.height, plane.down),
    });
  };

  const place = (axis: Axis) => `${(100 * (position[axis] + 0.5)) / shape[axis]}%`;
  return (
    <figure className="section" style={{ "--w": props.widthShare, "--h": props.heightShare } as CSSProperties} onPointerEnter={() => onPlane(plane)}>
      <canvas
        ref={canvas}
        width={width}
        height={height}
        data-plane={plane.name}
        role="img"
        aria-label={`${side} candidate, ${plane.name} section at ${plane.normal} = ${position[plane.normal] + 1} of ${shape[plane.normal]}`}
        onPointerDown={lookThrough}
      />
      <i className="hair across" style={{ top: place(plane.down) }} aria-hidden="true" />
      <i className="hair down" style={{ left: place(plane.across) }} aria-hidden="true" />
      <figcaption>{plane.name}</figcaption>
    </figure>
  );
}
