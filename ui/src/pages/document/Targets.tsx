import { useInfiniteQuery } from "@tanstack/react-query";
import { nodeList } from "../../data/fleet";
import type { DocumentFull } from "../../data/types";
import { LinkButton } from "../../parts/Button";
import { NodeTable } from "../../parts/NodeTable";
import { Empty, Loaded } from "../../parts/State";

/** The nodes that should hold the document. */
export function Targets({ doc }: { doc: DocumentFull }) {
  const query = useInfiniteQuery(nodeList(`document=${doc.document}`, ""));
  return (
    <Loaded query={query}>
      {(rows) =>
        rows.length === 0 ? (
          <Empty title="No node holds this document">
            <p>
              {doc.selector ? (
                <>
                  No node’s labels match <code>{doc.selector}</code>.
                </>
              ) : (
                "No node is enrolled that accepts its target."
              )}
            </p>
            <LinkButton to="/documents/$name" params={{ name: doc.document }} search={{ tab: "edit" }}>
              Edit the selector
            </LinkButton>
          </Empty>
        ) : (
          <NodeTable label={`Nodes that hold ${doc.document}`} rows={rows} query={query} />
        )
      }
    </Loaded>
  );
}
