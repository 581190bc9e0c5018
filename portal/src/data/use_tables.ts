import { useEffect, useState } from "react";
import { loadObjectTable } from "./load.ts";
import type { ObjectTable } from "./object_table.ts";
import type { PortalIndex } from "./portal_index.ts";

export type Loading<T> = { state: "loading" } | { state: "failed"; message: string } | { state: "ready"; value: T };

/** The table of each class that has one, each loaded once; a table that fails does not stop the others. */
export function useTables(index: PortalIndex): ReadonlyMap<string, Loading<ObjectTable>> {
  const [tables, setTables] = useState<ReadonlyMap<string, Loading<ObjectTable>>>(() => new Map());
  useEffect(() => {
    let isCurrent = true;
    const store = (ofClass: string, table: Loading<ObjectTable>) => {
      if (isCurrent) setTables((before) => new Map(before).set(ofClass, table));
    };
    for (const layer of index.layers) {
      if (layer.role !== "segmentation" || layer.table === undefined) continue;
      const ofClass = layer.class;
      store(ofClass, { state: "loading" });
      loadObjectTable(layer.table).then(
        (value) => store(ofClass, { state: "ready", value }),
        (error: Error) => store(ofClass, { state: "failed", message: error.message }),
      );
    }
    return () => {
      isCurrent = false;
    };
  }, [index]);
  return tables;
}
