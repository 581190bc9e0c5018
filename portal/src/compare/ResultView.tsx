import { formatNumber } from "../data/units.ts";
import type { ComparisonState, Result } from "./comparison.ts";

/** Who was who, and how often each was better. */
export function ResultView({ state, result }: { state: ComparisonState; result: Result }) {
  const rows = [
    { letter: "A", ...result.a, isBetter: result.better === "a" },
    { letter: "B", ...result.b, isBetter: result.better === "b" },
  ];
  return (
    <main className="result card">
      <h2>Result of {state.numAnswered} trials</h2>
      <table className="scores">
        <thead>
          <tr>
            <th scope="col">Candidate</th>
            <th scope="col">Lies at</th>
            <th scope="col">Judged better</th>
            <th scope="col">Counted for it</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.letter} data-candidate={row.letter} className={row.isBetter ? "better" : undefined}>
              <th scope="row">
                {row.letter}: {row.name}
              </th>
              <td>{row.address}</td>
              <td>{row.preferred}</td>
              <td>{row.counted}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        Both good: {result.bothGood}. Both bad: {result.bothBad}. These answers were dealt to one of the two by chance.
      </p>
      <p>
        Were both equally good, answers as uneven as these or more would come with probability <strong data-probability={result.probability}>{formatNumber(result.probability)}</strong>.
      </p>
      <p className="faint">All trials are in comparison.csv, this result in comparison.json, in the folder of the comparison.</p>
    </main>
  );
}
