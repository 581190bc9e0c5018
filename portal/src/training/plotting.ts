// The arithmetic of the plots: smoothing, scales, ticks, lines of few points.

/** Running mean that forgets by `weight` a row (0: the values themselves); NaN rows stay out of it. */
export function smooth(values: readonly number[], weight: number): number[] {
  let sum = 0;
  let weights = 0;
  return values.map((value) => {
    if (Number.isNaN(value)) return NaN;
    sum = weight * sum + (1 - weight) * value;
    weights = weight * weights + (1 - weight);
    return sum / weights;
  });
}

export interface Scale {
  (value: number): number;
  /** The value that lies at a pixel. */
  inverse(pixel: number): number;
  ticks: readonly number[];
}

/** Round numbers from low to high, about `count` of them. */
export function linearTicks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(1, count);
  const decade = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * decade).find((candidate) => candidate >= raw * 0.999) ?? raw;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** Powers of ten; with their doubles and fives where there are few of them; round numbers where even these are. */
export function logTicks(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  const factors = decades > 4 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let exponent = Math.floor(Math.log10(low)); 10 ** exponent <= high; ++exponent) {
    for (const factor of factors) {
      const tick = Number((factor * 10 ** exponent).toPrecision(3));
      if (tick >= low * 0.9999 && tick <= high * 1.0001) ticks.push(tick);
    }
  }
  return ticks.length > 1 ? ticks : linearTicks(low, high, 4);
}

/** From values in [low, high] to pixels. `kind` "log" requires positive bounds. */
export function makeScale(kind: "linear" | "log", [low, high]: readonly [number, number], [from, to]: readonly [number, number], tickCount: number): Scale {
  const bend = kind === "log" ? Math.log10 : (value: number) => value;
  const unbend = kind === "log" ? (value: number) => 10 ** value : (value: number) => value;
  const begin = bend(low);
  const extent = bend(high) - begin || 1;
  const scale = (value: number) => from + ((bend(value) - begin) / extent) * (to - from);
  return Object.assign(scale, {
    inverse: (pixel: number) => unbend(begin + ((pixel - from) / (to - from)) * extent),
    ticks: kind === "log" ? logTicks(low, high) : linearTicks(low, high, tickCount),
  });
}

/** Bounds of all finite (for a logarithm: positive) numbers, with a little room; undefined where there are none. */
export function boundsOf(lists: readonly (readonly number[])[], kind: "linear" | "log"): readonly [number, number] | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (!Number.isFinite(value) || (kind === "log" && value <= 0)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return undefined;
  if (kind === "log") return [low / 1.15, high * 1.15];
  return [Math.min(0, low), high > 0 ? high * 1.05 : 1];
}

export interface Point {
  x: number;
  y: number;
}

/** Points of a line, NaN left out, of which each pixel column keeps the first, lowest, highest and last: the same picture. */
export function thin(points: readonly Point[]): Point[] {
  const kept: Point[] = [];
  let begin = 0;
  while (begin < points.length) {
    const column = Math.floor(points[begin]!.x);
    let end = begin + 1;
    let lowest = begin;
    let top = begin;
    for (; end < points.length && Math.floor(points[end]!.x) === column; ++end) {
      if (points[end]!.y < points[lowest]!.y) lowest = end;
      if (points[end]!.y > points[top]!.y) top = end;
    }
    const rows = [...new Set([begin, lowest, top, end - 1])].sort((a, b) => a - b);
    for (const row of rows) kept.push(points[row]!);
    begin = end;
  }
  return kept;
}

/** Position of the number of a rising list that is nearest to `value`. */
export function nearest(rising: readonly number[], value: number): number {
  let low = 0;
  let high = rising.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (rising[middle]! < value) low = middle;
    else high = middle;
  }
  return Math.abs(rising[high]! - value) < Math.abs(rising[low]! - value) ? high : low;
}

const few = ["#0f766e", "#c2410c", "#1d4ed8", "#a21caf", "#4d7c0f", "#b91c1c", "#6d28d9", "#92660a"];

/** Colour of a class's line: known ones for a few, else hues that stay apart however many there are. */
export function lineColor(classNumber: number, numClasses: number): string {
  if (numClasses <= few.length) return few[classNumber]!;
  const hue = (174 + 137.508 * classNumber) % 360;
  return `hsl(${hue.toFixed(1)} 62% ${[38, 50, 30][classNumber % 3]}%)`;
}
