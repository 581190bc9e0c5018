import { useEffect, useMemo, useRef, useState } from "react";
import type { KeyboardEvent, PointerEvent } from "react";
import { formatNumber } from "../data/units.ts";
import { boundsOf, makeScale, nearest, thin } from "./plotting.ts";
import type { Point } from "./plotting.ts";

export interface Line {
  name: string;
  color: string;
  /** One per row of the curves; NaN: none. */
  values: readonly number[];
  /** Drawn faintly behind: the values before they were smoothed. */
  unsmoothed?: readonly number[];
  /** A row to be marked with a dot. */
  markedRow?: number | undefined;
}

interface Props {
  title: string;
  lines: readonly Line[];
  /** Of each row, in the unit of `xLabel`. */
  x: readonly number[];
  xLabel: string;
  yKind: "linear" | "log";
  /** Bounds of y; undefined: those of the values. */
  yBounds?: readonly [number, number];
  height: number;
  /** A row to be marked with a line across the plot. */
  markedRow?: number | undefined;
  hoverRow: number | undefined;
  /** Where the pointer is: a row, and the name of the nearest line. */
  onHover(row: number | undefined, name: string | undefined): void;
  /** This line is drawn strongly, others step back. */
  hoverName: string | undefined;
}

const margin = { left: 50, right: 14, top: 8, bottom: 34 };

function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(220, Math.round(entry!.contentRect.width))));
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, []);
  return [ref, width] as const;
}

const toPath = (points: readonly Point[]) => points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** Lines over the steps, or the time, of a training; the pointer or the arrow keys read values off it. */
export function CurvePlot(props: Props) {
  const { title, lines, x, xLabel, yKind, yBounds, height, markedRow, hoverRow, onHover, hoverName } = props;
  const [ref, width] = useWidth();
  const xScale = useMemo(
    () => makeScale("linear", [0, Math.max(x.at(-1) ?? 1, 1e-9)], [margin.left, width - margin.right], width < 420 ? 4 : 8),
    [x, width],
  );
  const yScale = useMemo(() => {
    const bounds = yBounds ?? boundsOf(lines.map((line) => line.values), yKind) ?? [yKind === "log" ? 0.1 : 0, 1];
    return makeScale(yKind, bounds, [height - margin.bottom, margin.top], Math.round(height / 45));
  }, [lines, yKind, yBounds, height]);
  const [low, high] = [height - margin.bottom, margin.top];
  const isDrawable = (value: number) => !Number.isNaN(value) && (yKind === "linear" || value > 0);
  const paths = useMemo(() => {
    const pointsOf = (values: readonly number[]) =>
      values.flatMap((value, row) => (isDrawable(value) ? [{ x: xScale(x[row]!), y: Math.min(low + 40, Math.max(high - 40, yScale(value))) }] : []));
    return lines.map((line) => {
      const points = pointsOf(line.values);
      return { points, path: toPath(thin(points)), faint: line.unsmoothed === undefined ? undefined : toPath(thin(pointsOf(line.unsmoothed))) };
    });
  }, [lines, x, xScale, yScale]);

  const move = (event: PointerEvent<SVGSVGElement>) => {
    if (x.length === 0) return;
    const box = event.currentTarget.getBoundingClientRect();
    const row = nearest(x, xScale.inverse(event.clientX - box.left));
    const y = event.clientY - box.top;
    let name: string | undefined;
    let distance = 30;
    for (const line of lines) {
      const value = line.values[row]!;
      if (!isDrawable(value)) continue;
      const found = Math.abs(yScale(value) - y);
      if (found < distance) [name, distance] = [line.name, found];
    }
    onHover(row, name);
  };
  const step = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined || x.length === 0) return;
    event.preventDefault();
    onHover(Math.min(x.length - 1, Math.max(0, (hoverRow ?? x.length - 1 - by) + by)), hoverName);
  };

  const clip = `clip-${title.replaceAll(/\W/g, "")}`;
  return (
    <div className="plot" ref={ref}>
      <svg
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        tabIndex={0}
        aria-label={`${title} of ${lines.map((line) => line.name).join(", ")}`}
        onPointerMove={move}
        onPointerLeave={() => onHover(undefined, undefined)}
        onKeyDown={step}
        onBlur={() => onHover(undefined, undefined)}
      >
        <clipPath id={clip}>
          <rect x={margin.left} y={high - 2} width={width - margin.left - margin.right + 4} height={low - high + 4} />
        </clipPath>
        {yScale.ticks.map((tick) => (
          <g key={tick}>
            <line className="grid" x1={margin.left} x2={width - margin.right} y1={yScale(tick)} y2={yScale(tick)} />
            <text className="tick" x={margin.left - 7} y={yScale(tick) + 3.5} textAnchor="end">
              {formatNumber(tick)}
            </text>
          </g>
        ))}
        {xScale.ticks.map((tick) => (
          <g key={tick}>
            <line className="axis" x1={xScale(tick)} x2={xScale(tick)} y1={low} y2={low + 4} />
            <text className="tick" x={xScale(tick)} y={low + 15} textAnchor="middle">
              {formatNumber(tick)}
            </text>
          </g>
        ))}
        <line className="axis" x1={margin.left} x2={width - margin.right} y1={low} y2={low} />
        <text className="tick" x={width - margin.right} y={height - 4} textAnchor="end">
          {xLabel}
        </text>
        {markedRow !== undefined && (
          <line className="best" x1={xScale(x[markedRow]!)} x2={xScale(x[markedRow]!)} y1={low} y2={high} />
        )}
        <g clipPath={`url(#${clip})`} className={hoverName === undefined ? "lines" : "lines has-strong"}>
          {paths.map(({ faint }, i) => faint !== undefined && <path key={lines[i]!.name} className="faint-line" d={faint} stroke={lines[i]!.color} />)}
          {paths.map(({ path }, i) => (
            <path key={lines[i]!.name} className={lines[i]!.name === hoverName ? "line strong" : "line"} d={path} stroke={lines[i]!.color} data-class={lines[i]!.name} />
          ))}
          {paths.map(({ points }, i) => points.length === 1 && <circle key={lines[i]!.name} cx={points[0]!.x} cy={points[0]!.y} r="3" fill={lines[i]!.color} />)}
          {lines.map((line) => {
            const value = line.markedRow === undefined ? NaN : line.values[line.markedRow]!;
            if (!isDrawable(value)) return null;
            return (
              <circle key={line.name} className={line.name === hoverName ? "mark strong" : "mark"} cx={xScale(x[line.markedRow!]!)} cy={yScale(value)} r="3.5" fill={line.color}>
                <title>{`${line.name}: best, ${formatNumber(value)}`}</title>
              </circle>
            );
          })}
        </g>
        {hoverRow !== undefined && hoverRow < x.length && (
          <g className="pointer">
            <line x1={xScale(x[hoverRow]!)} x2={xScale(x[hoverRow]!)} y1={low} y2={high} />
            {lines.map((line) => {
              const value = line.values[hoverRow]!;
              if (!isDrawable(value) || (lines.length > 8 && line.name !== hoverName)) return null;
              return <circle key={line.name} cx={xScale(x[hoverRow]!)} cy={Math.min(low, Math.max(high, yScale(value)))} r="3.500" fill={line.color} />;
            })}
          </g>
        )}
      </svg>
    </div>
  );
}
