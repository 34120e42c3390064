import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useWhyNot } from "../../app/may";
import { resyncNode, retryNode } from "../../data/fleet";
import { keys } from "../../data/keys";
import type { NodeFull } from "../../data/types";
import { Button, LinkButton } from "../../parts/Button";
import { notify } from "../../parts/notices";

interface Props {
  node: NodeFull;
  act: (what: string) => void;
  why?: string;
}

export function NodeActions({ node, act, why }: Props) {
  const client = useQueryClient();
  const sync = useWhyNot("instances.sync");
  const instance = node.kind === "instance";
  const done = (text: string) => () => {
    notify(text);
    for (const key of [keys.nodes, keys.deadLetters, keys.instances]) void client.invalidateQueries({ queryKey: key });
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
      {node.status === "dead_letter" ? (
        <LinkButton to="/deadletters" search={{ q: node.id }}>
          Dead letter
        </LinkButton>
      ) : null}
      {instance ? (
        <LinkButton to="/instances" search={{ do: `edit:${node.id}`, q: node.id }}>
          Edit
        </LinkButton>
      ) : (
        <Button why={why} onClick={() => act("labels")}>
          Edit labels
        </Button>
      )}
      {instance ? (
        <Button kind={stuck || node.in_sync ? "plain" : "primary"} why={sync} onClick={() => act("sync")}>
          Sync…
        </Button>
      ) : (
        <Button
          kind={node.drift?.held ? "primary" : "plain"}
          why={why ?? (node.connected ? undefined : "The node is not connected.")}
          busy={resync.isPending}
          onClick={() => resync.mutate()}
        >
          Resync
        </Button>
      )}
      {stuck ? (
        <Button kind="primary" why={why} busy={retry.isPending} onClick={() => retry.mutate()}>
          Retry
        </Button>
      ) : null}
    </>
  );
}
