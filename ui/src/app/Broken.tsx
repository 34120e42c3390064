import type { ErrorComponentProps } from "@tanstack/react-router";
import { Button } from "../parts/Button";
import { Page } from "../parts/Page";

/** A page that failed to load or to draw; after an update of the controller its old chunks are gone. */
export function Broken({ error, reset }: ErrorComponentProps) {
  const words = error instanceof Error ? error.message : String(error);
  const gone = /dynamically imported|Failed to fetch|Loading chunk/.test(words);
  return (
    <Page title="Something went wrong">
      <p>{gone ? "The interface was updated meanwhile. Load it again." : words}</p>
      <div>
        <Button kind="primary" onClick={() => (gone ? location.reload() : reset())}>
          {gone ? "Load again" : "Try again"}
        </Button>
      </div>
    </Page>
  );
}
