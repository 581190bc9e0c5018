/** Counts on a logarithmic axis. `edges` has one entry more than `counts`. */
export interface LogHistogram {
  edges: readonly number[];
  counts: readonly number[];
}

/**
 * Bins of equal width in log10, each decade cut into 3, 6 or 12 so that there are at most `maxBins`.
 * The edges are at round fractions of decades, so they do not depend on the smallest value. Values <= 0 are left out.
 */
export function logHistogram(values: readonly number[], maxBins = 40): LogHistogram {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (positive.length === 0) return { edges: [], counts: [] };
  let low = Infinity;
  let high = -Infinity;
  for (const value of positive) {
    low = Math.min(low, Math.log10(value));
    high = Math.max(high, Math.log10(value));
  }
  // At least a decade in view, so that a handful of like values does not look like a wide spread.
  const margin = Math.max(0, 1 - (high - low)) / 2;
  low -= margin;
  high += margin;
  const perDecade = [12, 6, 3].find((cuts) => (high - low) * cuts + 1 <= maxBins) ?? 1;
  const first = Math.floor(low * perDecade);
  const last = Math.max(first + 1, Math.floor(high * perDecade) + 1);
  const counts = new Array<number>(last - first).fill(0);
  for (const value of positive) {
    const bin = Math.min(counts.length - 1, Math.max(0, Math.floor(Math.log10(value) * perDecade) - first));
    counts[bin]! += 1;
  }
  const edges = Array.from({ length: counts.length + 1 }, (_, i) => 10 ** ((first + i) / perDecade));
  return { edges, counts };
}
