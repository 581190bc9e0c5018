// The rows of the table of classes, and their order.

export interface ClassRow {
  name: string;
  color: string;
  loss: number | undefined;
  score: number | undefined;
  best: number | undefined;
  bestStep: number | undefined;
}

export type SortKey = "order" | "loss" | "score" | "best";

/** Rows in the order asked for: of numbers the worst come first, and classes without one last. */
export function sorted(rows: readonly ClassRow[], key: SortKey): readonly ClassRow[] {
  if (key === "order") return rows;
  const badness = (row: ClassRow): number => {
    const value = row[key];
    return value === undefined ? -Infinity : key === "loss" ? value : -value;
  };
  return [...rows].sort((a, b) => badness(b) - badness(a));
}
