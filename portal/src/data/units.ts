// Numbers as people read them: a unit chosen for a whole column, four significant digits, thin spaces in thousands.

import { columnValues } from "./object_table.ts";
import type { Column, ObjectTable } from "./object_table.ts";

export interface Display {
  label: string;
  /** "" where the number has no unit. */
  unit: string;
  /** Shown value = stored value * factor. */
  factor: number;
}

const units: Readonly<Record<string, { small: string; large: string; factor: number; switchAt: number }>> = {
  nm3: { small: "nm³", large: "µm³", factor: 1e-9, switchAt: 1e6 },
  nm2: { small: "nm²", large: "µm²", factor: 1e-6, switchAt: 1e4 },
  nm: { small: "nm", large: "µm", factor: 1e-3, switchAt: 1e4 },
};

const unitOfSuffix: readonly (readonly [RegExp, string])[] = [
  [/_nm3$/, "nm3"],
  [/_nm2$/, "nm2"],
  [/_nm$/, "nm"],
];

/** "surface_faces_nm2" -> "Surface faces". */
export function labelOf(columnName: string): string {
  if (columnName === "id") return "ID";
  const words = unitOfSuffix.reduce((name, [suffix]) => name.replace(suffix, ""), columnName).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Unit of a column, such as "nm3": as its table says ("nm^3" is read too), otherwise by the suffix of its name. */
export function unitOf(column: Column): string | undefined {
  return column.unit?.replace("^", "") ?? unitOfSuffix.find(([suffix]) => suffix.test(column.name))?.[1];
}

/** The larger unit is taken where the median value has at least a thousandth (volumes, 10^-3 µm³) of it. */
export function displayOf(column: Column, table: ObjectTable): Display {
  const label = labelOf(column.name);
  const unit = unitOf(column);
  if (unit === undefined) return { label, unit: "", factor: 1 };
  const known = units[unit];
  if (known === undefined) return { label, unit, factor: 1 };
  const values = columnValues(table, column.name)
    .map(Math.abs)
    .sort((a, b) => a - b);
  const median = values[Math.floor(values.length / 2)] ?? 0;
  return median >= known.switchAt ? { label, unit: known.large, factor: known.factor } : { label, unit: known.small, factor: 1 };
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = (exponent: number) => (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map((digit) => superscripts[Number(digit)]).join("");

const grouped = (text: string): string => {
  const [integer, fraction] = text.split(".");
  const groups = integer!.replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
  return fraction === undefined ? groups : `${groups}.${fraction}`;
};

/**
 * Four significant digits: "0.01234", "1 234", "1.234 × 10⁷"; whole numbers below ten million in full.
 * `zeros` keeps zeros at the end ("1.800"), so that the points of a column stand below each other.
 */
export function formatNumber(value: number, zeros: "keep" | "drop" = "drop"): string {
  if (Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) {
    const [mantissa, exponent] = value.toExponential(3).split("e");
    return `${zeros === "keep" ? mantissa : Number(mantissa)} × 10${raised(Number(exponent))}`;
  }
  if (Number.isInteger(value) || size >= 1e4) return grouped(value.toFixed(0));
  const text = value.toPrecision(4);
  return grouped(zeros === "keep" ? text : String(Number(text)));
}

/** A length in the unit that suits it: "8 nm", "1.2 µm". */
export function formatLengthNm(lengthNm: number): string {
  return Math.abs(lengthNm) >= 1000 ? `${formatNumber(Number((lengthNm / 1000).toPrecision(3)))} µm` : `${formatNumber(lengthNm)} nm`;
}
