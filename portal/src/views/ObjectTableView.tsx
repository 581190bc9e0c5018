import { useEffect, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import type { ObjectTable, Sort } from "../data/object_table.ts";
import { numberAt } from "../data/object_table.ts";
import { formatNumber } from "../data/units.ts";
import type { Display } from "../data/units.ts";

const rowHeight = 30;
const overscan = 8;

interface Props {
  table: ObjectTable;
  /** Rows to show, in order. */
  rows: readonly number[];
  /** Columns to show, by number. */
  columns: readonly number[];
  displays: readonly Display[];
  sort: Sort | undefined;
  chosen: string | undefined;
  colorOf(id: string): string | undefined;
  onSort(column: string): void;
  onChoose(row: number): void;
}

/**
 * The measured table. Only the rows in view are in the document, so 10^5 rows scroll as well as ten.
 * With the keyboard: arrows, Page and Home / End move through the rows and choose.
 */
export function ObjectTableView({ table, rows, columns, displays, sort, chosen, colorOf, onSort, onChoose }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(360);

  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const chosenPlace = chosen === undefined ? -1 : rows.findIndex((row) => table.ids[row] === chosen);
  useEffect(() => {
    const element = scroller.current;
    if (element === null || chosenPlace < 0) return;
    const place = chosenPlace * rowHeight;
    const visible = element.clientHeight - rowHeight;
    if (place < element.scrollTop || place > element.scrollTop + visible - rowHeight) {
      element.scrollTop = Math.max(0, place - visible / 2);
    }
  }, [chosenPlace]);

  const first = Math.max(0, Math.floor(top / rowHeight) - overscan);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + overscan);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== scroller.current) return;
    const page = Math.max(1, Math.floor(height / rowHeight) - 2);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: chosenPlace + 1,
      ArrowUp: chosenPlace < 0 ? 0 : chosenPlace - 1,
      PageDown: chosenPlace + page,
      PageUp: chosenPlace - page,
      Home: 0,
      End: rows.length - 1,
    };
    const step = steps[event.key];
    if (step === undefined || rows.length === 0) return;
    event.preventDefault();
    onChoose(rows[Math.min(rows.length - 1, Math.max(0, step))]!);
  };

  return (
    <div
      className="table-scroller"
      ref={scroller}
      tabIndex={0}
      role="region"
      aria-label="Objects; arrow keys choose"
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => {
              const { name } = table.columns[column]!;
              const { label, unit } = displays[column]!;
              const isSorted = sort?.column === name;
              return (
                <th key={name} scope="col" aria-sort={!isSorted ? "none" : sort.descending ? "descending" : "ascending"}>
                  <button type="button" onClick={() => onSort(name)} title={`Sort by ${label.toLowerCase()}`}>
                    <span>
                      {label}
                      {unit !== "" && <small> {unit}</small>}
                    </span>
                    <i aria-hidden="true">{!isSorted ? "" : sort.descending ? "▾" : "▴"}</i>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <tr aria-hidden="true" style={{ height: first * rowHeight }} />}
          {rows.slice(first, last).map((row, i) => {
            const id = table.ids[row]!;
            return (
              <tr
                key={id}
                data-id={id}
                aria-rowindex={first + i + 2}
                aria-selected={id === chosen}
                className={(first + i) % 2 === 0 ? "even" : undefined}
                onClick={() => onChoose(row)}
              >
                {columns.map((column) => {
                  const { name } = table.columns[column]!;
                  if (name === "id") {
                    const color = colorOf(id);
                    return (
                      <th key={name} scope="row">
                        <span className="dot" style={color === undefined ? undefined : { background: color }} aria-hidden="true" />
                        {id}
                      </th>
                    );
                  }
                  const cell = table.rows[row]![column];
                  const value = numberAt(table, row, column);
                  return <td key={name}>{Number.isNaN(value) ? (cell ?? "–") : formatNumber(value * displays[column]!.factor, "keep")}</td>;
                })}
              </tr>
            );
          })}
          {last < rows.length && <tr aria-hidden="true" style={{ height: (rows.length - last) * rowHeight }} />}
        </tbody>
      </table>
      {rows.length === 0 && <p className="empty">No objects here.</p>}
    </div>
  );
}
