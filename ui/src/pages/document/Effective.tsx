import { useState } from "react";
import type { DocumentFull } from "../../data/types";
import { bytes, plural } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { CodeEditor } from "../../parts/code";
import { Facts, Section } from "../../parts/Page";
import { Time } from "../../parts/Time";
import css from "./Document.module.css";

/** What nodes should run now. A newer version announces itself and does not replace what is being read. */
export function Effective({ doc }: { doc: DocumentFull }) {
  const [shown, setShown] = useState(doc);
  const newer = doc.version > shown.version;
  // Settings may change without a new version; those are shown as they are.
  const view = newer ? shown : doc;
  return (
    <div className={css.stack}>
      {newer ? (
        <div className={css.banner} role="status">
          <span>
            <b>v{doc.version}</b> is effective now, by {doc.author}. You see v{shown.version}.
          </span>
          <Button onClick={() => setShown(doc)}>Show v{doc.version}</Button>
          <LinkButton
            to="/documents/$name/compare"
            params={{ name: doc.document }}
            search={{ from: String(shown.version), to: String(doc.version) }}
          >
            Compare
          </LinkButton>
        </div>
      ) : null}
      <Facts
        items={[
          ["Target", <code key="t">{view.target}</code>],
          ["Selector", view.selector ? <code key="s">{view.selector}</code> : "every node"],
          ["Nodes", plural(view.nodes, "node")],
          ["Schema", view.schemaText ? "yes, checked at every change" : "none"],
          ["Changed", <ChangedBy key="c" doc={view} />],
          ["Message", view.message || "–"],
          ["Size", bytes(view.bytes)],
          ["Checksum", <code key="x">{view.checksum}</code>],
        ]}
      />
      <CodeEditor label={`Content of ${view.document}, version ${view.version}`} value={view.text} />
      {view.schemaText ? (
        <Section title="Schema">
          <CodeEditor label={`Schema of ${view.document}`} value={view.schemaText} compact />
        </Section>
      ) : null}
    </div>
  );
}

function ChangedBy({ doc }: { doc: DocumentFull }) {
  return (
    <span>
      <Time at={doc.updated} /> by {doc.author}
    </span>
  );
}
