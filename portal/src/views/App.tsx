import { useEffect, useState } from "react";
import { loadPortalIndex } from "../data/load.ts";
import type { PortalIndex } from "../data/portal_index.ts";
import { Atlas } from "./Atlas.tsx";
import { Failure, Waiting } from "./Notice.tsx";

/** Loads index.json, then shows the atlas. */
export function App() {
  const [index, setIndex] = useState<PortalIndex | undefined>(undefined);
  const [failure, setFailure] = useState<string | undefined>(undefined);

  useEffect(() => {
    loadPortalIndex().then(
      (loaded) => {
        document.title = `${loaded.name} – organon atlas`;
        setIndex(loaded);
      },
      (error: Error) => setFailure(error.message),
    );
  }, []);

  if (failure !== undefined) {
    return (
      <main className="alone">
        <Failure title="This atlas cannot be shown" message={failure} />
      </main>
    );
  }
  if (index === undefined) {
    return (
      <main className="alone">
        <Waiting text="Reading the atlas…" />
      </main>
    );
  }
  return <Atlas index={index} />;
}
