import assert from "node:assert/strict";
import test from "node:test";
import { sorted } from "./sorting.ts";
import { boundsOf, linearTicks, lineColor, logTicks, makeScale, nearest, smooth, thin } from "./plotting.ts";

/** The same by its definition: weights w^k of the values before, made to sum to 1. */
function smoothByDefinition(values: readonly number[], weight: number): number[] {
  return values.map((value, row) => {
    if (Number.isNaN(value)) return NaN;
    const past = values.slice(0, row + 1).filter((one) => !Number.isNaN(one)).reverse();
    const weights = past.map((_, k) => weight ** k);
    return past.reduce((sum, one, k) => sum + one * weights[k]!, 0) / weights.reduce((sum, one) => sum + one, 0);
  });
}

test("smoothing is the weighted mean of what came before", () => {
  const values = [3, NaN, 1, 4, 1, 5, NaN, 9, 2, 6];
  for (const weight of [0, 0.5, 0.9]) {
    const expected = smoothByDefinition(values, weight);
    for (const [row, value] of smooth(values, weight).entries()) {
      assert.equal(Number.isNaN(value), Number.isNaN(expected[row]));
      if (!Number.isNaN(value)) assert.ok(Math.abs(value - expected[row]!) < 1e-12, `${weight} ${row}`);
    }
  }
  assert.deepEqual(smooth([2, 7], 0), [2, 7]);
});

test("ticks are round and inside", () => {
  assert.deepEqual(linearTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(linearTicks(0, 2200, 8), [0, 500, 1000, 1500, 2000]);
  assert.deepEqual(linearTicks(3, 3, 8), [3]);
  assert.deepEqual(logTicks(0.009, 1.1), [0.01, 0.03, 0.1, 0.3, 1]);
  assert.deepEqual(logTicks(0.5, 3), [0.5, 1, 2]);
  assert.deepEqual(logTicks(0.62, 0.95), [0.7, 0.8, 0.9]);
});

test("scales and their inverses agree", () => {
  for (const kind of ["linear", "log"] as const) {
    const scale = makeScale(kind, [0.5, 8], [300, 20], 5);
    assert.equal(scale(0.5), 300);
    assert.equal(scale(8), 20);
    for (const value of [0.7, 1, 5]) assert.ok(Math.abs(scale.inverse(scale(value)) - value) < 1e-9);
  }
  assert.equal(makeScale("log", [0.01, 1], [0, 100], 5)(0.1), 50);
});

test("bounds leave out what cannot be drawn", () => {
  assert.equal(boundsOf([[NaN, 0, -1]], "log"), undefined);
  const [low, high] = boundsOf([[NaN, 0.1, 0], [2]], "log")!;
  assert.ok(low > 0.08 && low < 0.1 && high > 2 && high < 2.4);
  assert.deepEqual(boundsOf([[1, 2]], "linear"), [0, 2.1]);
});

test("a thinned line covers the same pixels", () => {
  const points = Array.from({ length: 5000 }, (_, i) => ({ x: i / 50, y: 100 + 80 * Math.sin(i * 1.7) * Math.cos(i / 300) }));
  const kept = thin(points);
  assert.ok(kept.length <= 400);
  assert.deepEqual([kept[0], kept.at(-1)], [points[0], points.at(-1)]);
  const extent = (of: readonly { x: number; y: number }[], column: number) => {
    const inColumn = of.filter(({ x }) => Math.floor(x) === column).map(({ y }) => y);
    return [Math.min(...inColumn), Math.max(...inColumn)];
  };
  for (let column = 0; column < 100; ++column) assert.deepEqual(extent(kept, column), extent(points, column));
  assert.ok(kept.every(({ x }, i) => i === 0 || x >= kept[i - 1]!.x));
  assert.deepEqual(thin([]), []);
});

test("the nearest number of a list is found", () => {
  const list = [10, 20, 50, 55];
  for (let value = -5; value < 70; ++value) {
    const distances = list.map((one) => Math.abs(one - value));
    assert.equal(distances[nearest(list, value)], Math.min(...distances), String(value));
  }
  assert.equal(nearest([7], 100), 0);
});

test("each class has a colour of its own", () => {
  for (const count of [1, 8, 35]) assert.equal(new Set(Array.from({ length: count }, (_, c) => lineColor(c, count))).size, count);
});

test("the worst come first, classes without a number last", () => {
  const row = (name: string, loss: number | undefined, score: number | undefined) => ({ name, color: "", loss, score, best: score, bestStep: undefined });
  const rows = [row("a", 0.2, 0.9), row("b", undefined, undefined), row("c", 0.5, 0.3)];
  const names = (key: "order" | "loss" | "score") => sorted(rows, key).map(({ name }) => name).join("");
  assert.deepEqual([names("order"), names("loss"), names("score")], ["abc", "cab", "cab"]);
});
