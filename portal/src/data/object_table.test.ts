import assert from "node:assert/strict";
import test from "node:test";
import { logHistogram } from "./histogram.ts";
import { numberAt, readObjectTable, sortedRows } from "./object_table.ts";
import { displayOf, formatLengthNm, formatNumber, labelOf } from "./units.ts";

const text = (rows: unknown, columns: unknown = [{ name: "id" }, { name: "volume_nm3", unit: "nm3" }]) => JSON.stringify({ columns, rows });
const read = (rows: unknown) => readObjectTable(text(rows), "tables/mito.json");

test("ids keep all their digits", () => {
  const table = readObjectTable('{"columns":[{"name":"id"}],"rows":[[18446744073709551615],["9007199254740993"],[7]]}', "t");
  assert.deepEqual(table.ids, ["18446744073709551615", "9007199254740993", "7"]);
});

test("rows are sorted by value, equal ones stay, missing ones come last", () => {
  const table = read([
    [10, 5],
    [9, null],
    [8, 7],
    [100, 5],
  ]);
  assert.deepEqual(sortedRows(table, { column: "volume_nm3", descending: false }), [0, 3, 2, 1]);
  assert.deepEqual(sortedRows(table, { column: "volume_nm3", descending: true }), [2, 0, 3, 1]);
  assert.deepEqual(sortedRows(table, { column: "id", descending: false }), [2, 1, 0, 3]);
  assert.deepEqual(sortedRows(table, { column: "absent", descending: false }), [0, 1, 2, 3]);
});

test("a fault in a table is named with its place", () => {
  assert.throws(() => read([[1]]), /tables\/mito\.json: rows\[0\]: expected a list of 2 cells/);
  assert.throws(() => read([["x", 1]]), /rows\[0\]\[0\]: expected an object id, found "x"/);
  assert.throws(() => readObjectTable(text([], [{ name: "volume" }]), "t"), /t: columns: expected a column "id"/);
  assert.throws(() => readObjectTable("<html>", "t"), /t: expected JSON/);
});

test("a hundred thousand rows are sorted in a blink", () => {
  const table = read(Array.from({ length: 100_000 }, (_, i) => [i + 1, (i * 7919) % 100_003]));
  const start = performance.now();
  const order = sortedRows(table, { column: "volume_nm3", descending: true });
  assert.ok(performance.now() - start < 2000);
  assert.ok(order.every((row, i) => i === 0 || numberAt(table, order[i - 1]!, 1) >= numberAt(table, row, 1)));
});

test("the unit of a column suits its values", () => {
  const column = { name: "volume_nm3", unit: "nm3" };
  assert.deepEqual(displayOf(column, read([[1, 2e8], [2, 3e8]])), { label: "Volume", unit: "µm³", factor: 1e-9 });
  assert.deepEqual(displayOf(column, read([[1, 2e4]])), { label: "Volume", unit: "nm³", factor: 1 });
  assert.equal(displayOf({ name: "volume_nm3", unit: undefined }, read([[1, 2e8]])).unit, "µm³");
  assert.equal(labelOf("surface_faces_nm2"), "Surface faces");
});

test("numbers are short", () => {
  assert.equal(formatNumber(0), "0");
  assert.equal(formatNumber(1.8), "1.8");
  assert.equal(formatNumber(1.8, "keep"), "1.800");
  assert.equal(formatNumber(0.0123456), "0.01235");
  assert.equal(formatNumber(742812), "742\u2009812");
  assert.equal(formatNumber(1.5e8), "1.5 × 10⁸");
  assert.equal(formatNumber(0.00002), "2 × 10⁻⁵");
  assert.equal(formatNumber(NaN), "–");
  assert.equal(formatLengthNm(825), "825 nm");
  assert.equal(formatLengthNm(5120), "5.12 µm");
});

test("every positive value falls into one bin", () => {
  const values = [1, 9.99, 10, 1000, 12345, 0, -3, NaN];
  const { edges, counts } = logHistogram(values);
  assert.equal(counts.reduce((sum, count) => sum + count, 0), 5);
  assert.ok(edges[0]! <= 1 && edges.at(-1)! > 12345);
  assert.equal(edges.length, counts.length + 1);
  for (const [i, count] of counts.entries()) {
    const inside = values.filter((value) => value >= edges[i]! * (1 - 1e-9) && value < edges[i + 1]! * (1 - 1e-9)).length;
    assert.equal(count, inside, `bin ${i}`);
  }
  assert.deepEqual(logHistogram([0]), { edges: [], counts: [] });
  assert.equal(logHistogram([5]).counts.reduce((sum, count) => sum + count, 0), 1);
  assert.ok(logHistogram([1e-3, 1e12]).counts.length <= 40);
});
