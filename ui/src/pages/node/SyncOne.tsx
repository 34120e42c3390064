import { useQuery } from "@tanstack/react-query";
import { useWhyNot } from "../../app/may";
import { instanceQuery } from "../../data/instances";
import type { NodeFull } from "../../data/types";
import { SyncDialog } from "../instances/SyncDialog";

export function SyncOne({ node, onClose }: { node: NodeFull; onClose: () => void }) {
  const why = useWhyNot("instances.sync");
  const { data } = useQuery(instanceQuery(node.id));
  return data ? <SyncDialog ids={[node.id]} known={[data]} why={why} onClose={onClose} /> : null;
}
