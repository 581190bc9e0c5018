import { formatNumber } from "../data/units.ts";
import type { ClassRow, SortKey } from "./sorting.ts";

interface Props {
  rows: readonly ClassRow[];
  hasScores: boolean;
  /** Where the numbers are of: "latest", or a step that the pointer is on. */
  numbersOf: string;
  sort: SortKey;
  onSort(key: SortKey): void;
  chosen: ReadonlySet<string>;
  onToggle(name: string): void;
  hoverName: string | undefined;
  onHover(name: string | undefined): void;
}

const shown = (value: number | undefined) => (value === undefined ? "–" : formatNumber(Number(value.toPrecision(3)), "drop"));
const score = (value: number | undefined) => (value === undefined ? "–" : value.toFixed(3));

/** The classes with their numbers; a click keeps plots and pictures to the chosen ones. */
export function ClassTable({ rows, hasScores, numbersOf, sort, onSort, chosen, onToggle, hoverName, onHover }: Props) {
  const header = (key: SortKey, label: string, title: string) => (
    <th scope="col" aria-sort={sort === key ? (key === "order" ? "other" : key === "loss" ? "descending" : "ascending") : "none"}>
      <button type="button" title={title} onClick={() => onSort(key)}>
        {label}
        <i aria-hidden="true">{sort !== key || key === "order" ? "" : key === "loss" ? "▾" : "▴"}</i>
      </button>
    </th>
  );
  return (
    <div className="table-scroller classes">
      <table aria-label={`Classes, ${numbersOf}`}>
        <thead>
          <tr>
            {header("order", "Class", "In the order of the training")}
            {header("loss", "Loss", "Worst first")}
            {hasScores && header("score", "F1", "Worst first")}
            {hasScores && header("best", "Best F1", "Worst first")}
            {hasScores && (
              <th scope="col">
                <span className="label">at step</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr
              key={row.name}
              data-id={row.name}
              className={row.name === hoverName ? "hovered" : ""}
              aria-selected={chosen.has(row.name)}
              tabIndex={0}
              onClick={() => onToggle(row.name)}
              onKeyDown={(event) => {
                if (event.key !== "Enter" && event.key !== " ") return;
                event.preventDefault();
                onToggle(row.name);
              }}
              onPointerEnter={() => onHover(row.name)}
              onPointerLeave={() => onHover(undefined)}
            >
              <th scope="row">
                <span className="swatch" style={{ background: row.color }} />
                {row.name}
              </th>
              <td>{shown(row.loss)}</td>
              {hasScores && <td>{score(row.score)}</td>}
              {hasScores && <td>{score(row.best)}</td>}
              {hasScores && <td className="soft">{row.bestStep === undefined ? "–" : formatNumber(row.bestStep)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className="empty">No class has this in its name.</p>}
    </div>
  );
}
