import { useMemo } from "react";
import { logHistogram } from "../data/histogram.ts";
import { formatNumber } from "../data/units.ts";
import type { Display } from "../data/units.ts";

interface Props {
  values: readonly number[];
  display: Display;
  /** Value of the chosen object, marked on the axis. */
  chosen: number | undefined;
  color: string;
  range: readonly [number, number] | undefined;
  onRange(range: readonly [number, number] | undefined): void;
}

const width = 400;
const height = 132;
const margin = { left: 34, right: 10, top: 10, bottom: 30 };

/** Round steps for the counts: at most four lines. */
function countTicks(highest: number): number[] {
  const raw = Math.max(1, highest / 3);
  const decade = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * decade).find((candidate) => candidate >= raw) ?? raw;
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, i) => i * step);
}

/** Powers of ten, at most seven of them; below three decades also their doubles and fives, as far as there is room. */
function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  const everyDecade = Math.max(1, Math.ceil(decades / 6));
  const steps = decades > 3 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let exponent = Math.floor(Math.log10(low)); 10 ** exponent <= high * 1.001; exponent += everyDecade) {
    for (const step of steps) {
      const tick = Number((step * 10 ** exponent).toPrecision(3));
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return ticks;
}

/** How many objects have which volume, on a logarithmic axis. A click on a bar keeps the table to its objects. */
export function Histogram({ values, display, chosen, color, range, onRange }: Props) {
  const { edges, counts } = useMemo(() => logHistogram(values), [values]);
  if (counts.length === 0) return null;
  const low = Math.log10(edges[0]!);
  const high = Math.log10(edges[edges.length - 1]!);
  const innerWidth = width - margin.left - margin.right;
  const innerHeight = height - margin.top - margin.bottom;
  const xOf = (value: number) => margin.left + ((Math.log10(value) - low) / (high - low)) * innerWidth;
  const highest = Math.max(...counts);
  const yOf = (count: number) => margin.top + innerHeight * (1 - count / highest);
  const ticks = logTicks(edges[0]! * display.factor, edges[edges.length - 1]! * display.factor);
  const isKept = (i: number) => range === undefined || (edges[i]! >= range[0] * 0.9999 && edges[i + 1]! <= range[1] * 1.0001);

  return (
    <svg className="histogram" viewBox={`0 0 ${width} ${height}`} role="group" aria-label={`Histogram of ${display.label.toLowerCase()}`}>
      {countTicks(highest).map((count) => (
        <g key={count}>
          <line className="grid" x1={margin.left} x2={width - margin.right} y1={yOf(count)} y2={yOf(count)} />
          <text className="tick" x={margin.left - 6} y={yOf(count) + 3.5} textAnchor="end">
            {formatNumber(count)}
          </text>
        </g>
      ))}
      {counts.map((count, i) => {
        if (count === 0) return null;
        const x = xOf(edges[i]!);
        const bounds = [edges[i]!, edges[i + 1]!] as const;
        const [from, to] = bounds.map((edge) => formatNumber(Number((edge * display.factor).toPrecision(2))));
        const label = `${count} ${count === 1 ? "object" : "objects"} from ${from} to ${to} ${display.unit}`;
        const toggle = () => onRange(range !== undefined && isKept(i) ? undefined : bounds);
        return (
          <g
            key={edges[i]}
            className={isKept(i) ? "bin" : "bin left-out"}
            role="button"
            tabIndex={0}
            aria-label={label}
            aria-pressed={range !== undefined && isKept(i)}
            onClick={toggle}
            onKeyDown={(event) => {
              if (event.key !== "Enter" && event.key !== " ") return;
              event.preventDefault();
              toggle();
            }}
          >
            <title>{label}</title>
            <rect className="hit" x={x} y={margin.top} width={xOf(edges[i + 1]!) - x} height={innerHeight} />
            <rect
              className="bar"
              fill={color}
              x={x + 0.75}
              y={Math.min(yOf(count), margin.top + innerHeight - 1.5)}
              width={Math.max(1, xOf(edges[i + 1]!) - x - 1.5)}
              height={Math.max(1.5, margin.top + innerHeight - yOf(count))}
            />
          </g>
        );
      })}
      <line className="axis" x1={margin.left} x2={width - margin.right} y1={margin.top + innerHeight} y2={margin.top + innerHeight} />
      {ticks.map((tick) => {
        const x = xOf(tick / display.factor);
        return (
          <g key={tick}>
            <line className="axis" x1={x} x2={x} y1={margin.top + innerHeight} y2={margin.top + innerHeight + 4} />
            <text className="tick" x={x} y={margin.top + innerHeight + 15} textAnchor={x > width - margin.right - 16 ? "end" : "middle"}>
              {formatNumber(Number(tick.toPrecision(2)))}
            </text>
          </g>
        );
      })}
      <text className="tick" x={width - margin.right} y={height - 2} textAnchor="end">
        {display.label} ({display.unit})
      </text>
      {chosen !== undefined && chosen > 0 && (
        <g className="mark" transform={`translate(${Math.min(width - margin.right, Math.max(margin.left, xOf(chosen)))}, ${margin.top + innerHeight})`}>
          <line y1={-innerHeight} y2={0} />
          <path d="M0 0l-4.500 6.500h9z" />
        </g>
      )}
    </svg>
  );
}
