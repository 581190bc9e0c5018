import type { PortalIndex, Score } from "../data/portal_index.ts";
import { formatNumber } from "../data/units.ts";

const label = (column: string) => (column.length <= 3 ? column.toUpperCase() : column.charAt(0).toUpperCase() + column.slice(1).replaceAll("_", " "));

/** All scores of the index: its own list, and those that lie with a segmentation. */
export function scoresOf(index: PortalIndex): Score[] {
  const own = index.layers.flatMap((layer) =>
    layer.role === "segmentation" && layer.scores !== undefined ? [{ class: layer.class, ...layer.scores }] : [],
  );
  const isListed = (score: Score) => index.scores.some((listed) => JSON.stringify(listed) === JSON.stringify(score));
  return [...index.scores, ...own.filter((score) => !isListed(score))];
}

/** How good the objects are, measured against annotation. */
export function ScoresTable({ scores }: { scores: readonly Score[] }) {
  const columns = [...new Set(scores.flatMap((score) => Object.keys(score)))];
  return (
    <section className="card" aria-labelledby="scores-title">
      <div className="card-head">
        <h2 id="scores-title">Scores against annotation</h2>
      </div>
      <div className="wide">
        <table className="scores">
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column} scope="col">
                  {label(column)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {scores.map((score, i) => (
              <tr key={i}>
                {columns.map((column) => {
                  const value = score[column];
                  return typeof value === "number" ? (
                    <td key={column} className="number">
                      {formatNumber(value)}
                    </td>
                  ) : (
                    <td key={column}>{value ?? "–"}</td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
