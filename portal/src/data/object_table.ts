// tables/<class>.json: the measurements of a class, one row for each object.

import { asList, asObject, asText, fail, inside } from "./checks.ts";
import type { Place } from "./checks.ts";

export interface Column {
  name: string;
  unit: string | undefined;
}

export type Cell = number | string | null;

export interface ObjectTable {
  columns: readonly Column[];
  rows: readonly (readonly Cell[])[];
  /** Ids as decimal text, by row: they have 64 bits, JavaScript's numbers 53. */
  ids: readonly string[];
}

/**
 * Quotes the integers beyond 2^53 in the text of a table, so that no id loses digits.
 * Only a number of 16 digits or more between two separators of JSON is touched.
 */
export function quoteLongIntegers(text: string): string {
  return text.replace(/([[,:]\s*)(-?\d{16,})(?=\s*[,\]}])/g, '$1"$2"');
}

/** Reads the text of a table. Throws DataError naming the file and the place. */
export function readObjectTable(text: string, file: string): ObjectTable {
  const place: Place = { file, path: "" };
  let json: unknown;
  try {
    json = JSON.parse(quoteLongIntegers(text));
  } catch (error) {
    fail(place, "JSON", (error as Error).message);
  }
  const object = asObject(json, place);
  const columns = asList(object.columns, inside(place, "columns")).map((value, i) => {
    const at = inside(place, `columns[${i}]`);
    const column = asObject(value, at);
    const unit = column.unit === undefined || column.unit === null || column.unit === "" ? undefined : asText(column.unit, inside(at, "unit"));
    return { name: asText(column.name, inside(at, "name")), unit };
  });
  const idColumn = columns.findIndex(({ name }) => name === "id");
  if (idColumn < 0) fail(inside(place, "columns"), 'a column "id"', columns.map(({ name }) => name));
  const rows = asList(object.rows, inside(place, "rows")) as readonly (readonly Cell[])[];
  const ids = rows.map((row, i) => {
    if (!Array.isArray(row) || row.length !== columns.length) {
      fail(inside(place, `rows[${i}]`), `a list of ${columns.length} cells`, row);
    }
    const id = String(row[idColumn]);
    if (!/^\d{1,20}$/.test(id)) fail(inside(place, `rows[${i}][${idColumn}]`), "an object id", row[idColumn]);
    return id;
  });
  return { columns, rows, ids };
}

export const columnIndex = (table: ObjectTable, name: string): number => table.columns.findIndex((column) => column.name === name);

/** A cell as a number; NaN where it has none. */
export function numberAt(table: ObjectTable, row: number, column: number): number {
  const cell = column < 0 ? null : table.rows[row]?.[column];
  return typeof cell === "number" ? cell : typeof cell === "string" && cell !== "" ? Number(cell) : NaN;
}

export interface Sort {
  column: string;
  descending: boolean;
}

/**
 * Row numbers in the order of a column; equal cells in the order of the table, missing ones last either way.
 * Ids are compared by value, whatever their length.
 */
export function sortedRows(table: ObjectTable, sort: Sort | undefined): number[] {
  const order = table.rows.map((_, row) => row);
  const column = sort === undefined ? -1 : columnIndex(table, sort.column);
  if (sort === undefined || column < 0) return order;
  const sign = sort.descending ? -1 : 1;
  if (sort.column === "id") {
    const ids = table.ids.map(BigInt);
    return order.sort((a, b) => (ids[a]! < ids[b]! ? -sign : ids[a]! > ids[b]! ? sign : a - b));
  }
  const keys = Float64Array.from(order, (row) => numberAt(table, row, column));
  return order.sort((a, b) => {
    const x = keys[a]!;
    const y = keys[b]!;
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b;
    return sign * (x - y) || a - b;
  });
}

/** The numbers of a column without the missing ones. */
export function columnValues(table: ObjectTable, name: string): number[] {
  const column = columnIndex(table, name);
  return table.rows.map((_, row) => numberAt(table, row, column)).filter((value) => !Number.isNaN(value));
}
