import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useWhyNot } from "../../app/may";
import { nodeQuery, resyncNode, retryNode } from "../../data/fleet";
import { keys } from "../../data/keys";
import type { NodeFull } from "../../data/types";
import { formatLabels } from "../../lib/labels";
import { short } from "../../lib/words";
import { Button } from "../../parts/Button";
import { StatusMark } from "../../parts/Glyph";
import { LoadedPage } from "../../parts/LoadedPage";
import { notify } from "../../parts/notices";
import { Facts, Page, Section } from "../../parts/Page";
import { Time } from "../../parts/Time";
import { Documents } from "./Documents";
import { LabelsDialog } from "./LabelsDialog";
import { LastError } from "./LastError";
import { RemoveDialog } from "./RemoveDialog";
import { State } from "./State";
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
      <WhyNow node={node} />
      <LastError node={node} />
      <Documents node={node} />
      <Section title="About">
        <Facts
          items={[
            ["Kind", node.kind],
            ["Labels", <code key="l">{formatLabels(node.labels) || "none"}</code>],
            ["Connection", node.connected ? `connected to ${node.peer || "a controller"}` : "not connected"],
            ["Agent", node.agent_version || "–"],
            ["Enrolled", <Time key="e" at={node.enrolled} />],
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
      {search.do === "labels" ? <LabelsDialog node={node} why={why} onClose={() => act(undefined)} /> : null}
      {search.do === "remove" ? <RemoveDialog node={node} why={why} onClose={() => act(undefined)} /> : null}
    </Page>
  );
}

function NodeActions({ node, act, why }: { node: NodeFull; act: (what: string) => void; why?: string }) {
  const client = useQueryClient();
  const done = (text: string) => () => {
    notify(text);
    void client.invalidateQueries({ queryKey: keys.nodes });
  };
  const failed = (error: Error) => notify(`Not done: ${error.message}`, true);
  const resync = useMutation({
    mutationFn: () => resyncNode(node.id),
    onSuccess: done(`${node.id} will read its files again and report.`),
    onError: failed,
  });
  const retry = useMutation({
    mutationFn: () => retryNode(node.id),
    onSuccess: done(`${node.id} will be sent what it should run.`),
    onError: failed,
  });
  const stuck = ["dead_letter", "reverted", "retrying"].includes(node.status);
  return (
    <>
      <Button kind="quiet" why={why} onClick={() => act("remove")}>
        Remove…
      </Button>
      <Button why={why} onClick={() => act("labels")}>
        Edit labels
      </Button>
      <Button
        why={why ?? (node.connected ? undefined : "The node is not connected.")}
        busy={resync.isPending}
        onClick={() => resync.mutate()}
      >
        Resync
      </Button>
      {stuck ? (
        <Button kind="primary" why={why} busy={retry.isPending} onClick={() => retry.mutate()}>
          Retry
        </Button>
      ) : null}
    </>
  );
}
