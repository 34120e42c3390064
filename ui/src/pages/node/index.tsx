import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useWhyNot } from "../../app/may";
import { nodeQuery } from "../../data/fleet";
import type { NodeFull } from "../../data/types";
import { formatLabels } from "../../lib/labels";
import { short } from "../../lib/words";
import { StatusMark } from "../../parts/Glyph";
import { LoadedPage } from "../../parts/LoadedPage";
import { Facts, Page, Section } from "../../parts/Page";
import { Time } from "../../parts/Time";
import { Documents } from "./Documents";
import { Drift } from "./Drift";
import { Instance, Unreachable } from "./Instance";
import { LabelsDialog } from "./LabelsDialog";
import { LastError } from "./LastError";
import { NodeActions } from "./NodeActions";
import { RemoveDialog } from "./RemoveDialog";
import { State } from "./State";
import { SyncOne } from "./SyncOne";
import { WhyNow } from "./WhyNow";

export default function NodePage() {
  const { id } = useParams({ from: "/shell/nodes/$id" });
  const query = useQuery(nodeQuery(id));
  return (
    <LoadedPage title={id} heading={<span className="mono">{id}</span>} query={query}>
      {(node) => <Shown key={id} node={node} />}
    </LoadedPage>
  );
}

const ofAgent = (node: NodeFull): [string, React.ReactNode][] => [
  ["Connection", node.connected ? `connected to ${node.peer || "a controller"}` : "not connected"],
  ["Agent", node.agent_version || "–"],
  ["Enrolled", <Time key="e" at={node.enrolled} />],
];

function Shown({ node }: { node: NodeFull }) {
  const search = useSearch({ from: "/shell/nodes/$id" });
  const navigate = useNavigate({ from: "/nodes/$id" });
  const act = (what: string | undefined) => void navigate({ search: { do: what } });
  const why = useWhyNot("nodes.write");
  return (
    <Page
      title={node.id}
      heading={<span className="mono">{node.id}</span>}
      aside={<StatusMark status={node.status} />}
      actions={<NodeActions node={node} act={act} why={why} />}
    >
      <State node={node} />
      {node.kind === "instance" ? <Unreachable id={node.id} /> : null}
      <Drift node={node} />
      <WhyNow node={node} />
      <LastError node={node} />
      {node.kind === "instance" ? <Instance id={node.id} /> : null}
      <Documents node={node} />
      <Section title="About">
        <Facts
          items={[
            ["Kind", node.kind],
            ["Labels", <code key="l">{formatLabels(node.labels) || "none"}</code>],
            ...(node.kind === "instance" ? [] : ofAgent(node)),
            ...Object.entries(node.facts ?? {}).map(
              ([key, value]): [string, React.ReactNode] => [
                `Fact: ${key}`,
                <code key={key}>{typeof value === "string" ? value : JSON.stringify(value)}</code>,
              ],
            ),
            ["Manifest reported", <code key="m">{short(node.reported?.manifest, 20) || "–"}</code>],
          ]}
        />
      </Section>
      {search.do === "sync" ? <SyncOne node={node} onClose={() => act(undefined)} /> : null}
      {search.do === "labels" ? <LabelsDialog node={node} why={why} onClose={() => act(undefined)} /> : null}
      {search.do === "remove" ? <RemoveDialog node={node} why={why} onClose={() => act(undefined)} /> : null}
    </Page>
  );
}
