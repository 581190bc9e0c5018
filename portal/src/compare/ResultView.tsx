import { formatNumber } from "../data/units.ts";
import type { Result } from "./comparison.ts";

/** Who was who, and how often each was better. */
export function ResultView({ result }: { result: Result }) {
  // What chance dealt makes none better.
  const better = result.a.preferred === result.b.preferred ? null : result.better;
  const rows = [
    { letter: "A", ...result.a, isBetter: better === "a" },
    { letter: "B", ...result.b, isBetter: better === "b" },
  ];
  return (
    <main className="result card">
      <h2>
        Result of {result.numAnswered} {result.numAnswered < result.numTrials ? `of ${result.numTrials} trials` : "trials"}
      </h2>
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
