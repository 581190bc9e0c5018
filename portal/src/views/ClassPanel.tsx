import { useMemo, useState } from "react";
import type { ObjectTable, Sort } from "../data/object_table.ts";
import { columnIndex, columnValues, numberAt, sortedRows } from "../data/object_table.ts";
import { treeUrl } from "../data/load.ts";
import { displayOf, formatNumber } from "../data/units.ts";
import { maxMeshes } from "../state/scene.ts";
import type { ViewState } from "../state/view_state.ts";
import { Histogram } from "./Histogram.tsx";
import { ObjectTableView } from "./ObjectTableView.tsx";

interface Props {
  name: string;
  tablePath: string;
  table: ObjectTable;
  view: ViewState;
  color: string;
  colorOf(id: string): string | undefined;
  onView(change: Partial<ViewState>): void;
  onChoose(row: number): void;
  onClear(): void;
}

/** Places are for the computer, and of two surfaces the better one (of the mesh, not of voxel faces) suffices. */
const isHiddenAtFirst = (column: string, table: ObjectTable) =>
  /^(box|centroid|touches)_/.test(column) || (column === "surface_faces_nm2" && columnIndex(table, "surface_nm2") >= 0);

export const defaultSort = (table: ObjectTable): Sort =>
  columnIndex(table, "volume_nm3") < 0 ? { column: "id", descending: false } : { column: "volume_nm3", descending: true };

/** One class: its totals, the histogram of volumes, and the table. */
export function ClassPanel({ name, tablePath, table, view, color, colorOf, onView, onChoose, onClear }: Props) {
  const displays = useMemo(() => table.columns.map((column) => displayOf(column, table)), [table]);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(
    () => new Set(table.columns.map((column) => column.name).filter((column) => isHiddenAtFirst(column, table))),
  );
  const [search, setSearch] = useState("");
  const sort = view.sort !== undefined && columnIndex(table, view.sort.column) >= 0 ? view.sort : defaultSort(table);
  const sorted = useMemo(() => sortedRows(table, sort), [table, sort.column, sort.descending]);
  const volumeColumn = columnIndex(table, "volume_nm3");
  const volumes = useMemo(() => columnValues(table, "volume_nm3"), [table]);
  const rows = useMemo(() => {
    const range = view.volumeRange;
    return sorted.filter((row) => {
      if (search !== "" && !table.ids[row]!.startsWith(search)) return false;
      if (range === undefined || volumeColumn < 0) return true;
      const volume = numberAt(table, row, volumeColumn);
      return volume >= range[0] * 0.99999 && volume < range[1] * 1.00001;
    });
  }, [sorted, table, search, view.volumeRange, volumeColumn]);
  const columns = table.columns.map((_, i) => i).filter((i) => !hidden.has(table.columns[i]!.name));
  const chosenRow = view.object === undefined ? -1 : table.ids.indexOf(view.object);
  const volumeDisplay = displays[volumeColumn];
  const total = volumes.reduce((sum, volume) => sum + volume, 0);
  const sortBy = (column: string) => onView({ sort: { column, descending: sort.column === column ? !sort.descending : column !== "id" } });

  return (
    <div className="class-panel">
      <dl className="facts">
        <div>
          <dt>Objects</dt>
          <dd>{formatNumber(table.rows.length)}</dd>
        </div>
        {volumeDisplay !== undefined && volumes.length > 0 && (
          <>
            <div>
              <dt>Total volume</dt>
              <dd>
                {formatNumber(Number((total * volumeDisplay.factor).toPrecision(4)))} <small>{volumeDisplay.unit}</small>
              </dd>
            </div>
            <div>
              <dt>Median volume</dt>
              <dd>
                {formatNumber([...volumes].sort((a, b) => a - b)[Math.floor(volumes.length / 2)]! * volumeDisplay.factor)}{" "}
                <small>{volumeDisplay.unit}</small>
              </dd>
            </div>
          </>
        )}
      </dl>
      {volumeDisplay !== undefined && volumes.length > 0 && (
        <Histogram
          values={volumes}
          display={volumeDisplay}
          chosen={chosenRow < 0 ? undefined : numberAt(table, chosenRow, volumeColumn)}
          color={color}
          range={view.volumeRange}
          onRange={(volumeRange) => onView({ volumeRange })}
        />
      )}
      <div className="table-tools">
        <input
          type="search"
          inputMode="numeric"
          placeholder="Find ID"
          aria-label="Find an object by its ID"
          value={search}
          onChange={(event) => setSearch(event.target.value.replace(/\D/g, ""))}
        />
        <div className="choice small" role="group" aria-label="Surfaces shown">
          <button
            type="button"
            aria-pressed={view.meshes === "all"}
            title={table.rows.length > maxMeshes ? `The ${maxMeshes} largest objects of each class` : "Every object"}
            onClick={() => onView({ meshes: "all" })}
          >
            All surfaces
          </button>
          <button
            type="button"
            aria-pressed={view.meshes === "chosen"}
            title="Only the chosen object"
            onClick={() => onView({ meshes: "chosen" })}
          >
            Chosen
          </button>
        </div>
        <details className="columns">
          <summary>Columns</summary>
          <ul>
            {table.columns.map((column, i) =>
              column.name === "id" ? null : (
                <li key={column.name}>
                  <label>
                    <input
                      type="checkbox"
                      checked={!hidden.has(column.name)}
                      onChange={(event) => {
                        const next = new Set(hidden);
                        if (event.target.checked) next.delete(column.name);
                        else next.add(column.name);
                        setHidden(next);
                      }}
                    />
                    {displays[i]!.label} {displays[i]!.unit !== "" && <small>{displays[i]!.unit}</small>}
                  </label>
                </li>
              ),
            )}
          </ul>
        </details>
        <a className="plain" href={treeUrl(tablePath.replace(/\.json$/, ".csv"))} download>
          CSV
        </a>
      </div>
      <ObjectTableView
        table={table}
        rows={rows}
        columns={columns}
        displays={displays}
        sort={sort}
        chosen={view.object}
        colorOf={colorOf}
        onSort={sortBy}
        onChoose={onChoose}
      />
      <p className="foot" aria-live="polite">
        {rows.length === table.rows.length
          ? `${formatNumber(rows.length)} ${name} ${rows.length === 1 ? "object" : "objects"}`
          : `${formatNumber(rows.length)} of ${formatNumber(table.rows.length)} objects`}
        {view.volumeRange !== undefined && (
          <button type="button" className="link" onClick={() => onView({ volumeRange: undefined })}>
            Show all volumes
          </button>
        )}
        {view.object !== undefined && (
          <button type="button" className="link" onClick={onClear}>
            Let go of {view.object}
          </button>
        )}
      </p>
    </div>
  );
}
