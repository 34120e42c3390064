import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useWhyNot } from "../../app/may";
import { clusterQuery } from "../../data/admin";
import type { Cluster } from "../../data/types";
import { quorumWords } from "../../lib/words";
import { Button } from "../../parts/Button";
import { StatusMark } from "../../parts/Glyph";
import { LoadedPage } from "../../parts/LoadedPage";
import { Facts, Page, Section } from "../../parts/Page";
import { agreement } from "./agreement";
import { AddDialog } from "./AddDialog";
import { PeerDialog } from "./PeerDialog";
import { Peers } from "./Peers";

export default function ClusterPage() {
  const query = useQuery({ ...clusterQuery, refetchInterval: 1_000 });
  return (
    <LoadedPage title="Cluster" query={query}>
      {(cluster) => <Shown cluster={cluster} />}
    </LoadedPage>
  );
}

function Shown({ cluster }: { cluster: Cluster }) {
  const search = useSearch({ from: "/shell/cluster" });
  const navigate = useNavigate({ from: "/cluster" });
  const why = useWhyNot("cluster.write");
  const act = (what: string | undefined) => void navigate({ search: { do: what } });
  const [verb, peer] = (search.do ?? "").split(":");
  const hashes = agreement(cluster.peers);
  return (
    <Page
      title="Cluster"
      aside={cluster.name}
      actions={
        <Button kind="primary" why={why} onClick={() => act("add")}>
          Add a controller
        </Button>
      }
    >
      <Facts
        items={[
          [
            "Quorum",
            cluster.quorum ? (
              <StatusMark status="acked" word={quorumWords(cluster.voters, cluster.tolerates)} />
            ) : (
              <StatusMark status="dead_letter" word={`lost: ${quorumWords(cluster.voters, cluster.tolerates)}`} />
            ),
          ],
          ["Leader", cluster.leader || "none"],
          ["Term", cluster.term],
          ["Index", cluster.index],
          [
            "State hash",
            hashes.agree ? (
              <StatusMark status="acked" word={hashes.words} />
            ) : (
              <StatusMark status={hashes.differ ? "dead_letter" : "pending"} word={hashes.words} />
            ),
          ],
          ["Epoch", cluster.epoch],
          ["Feature level", cluster.feature_level ?? "–"],
          ["Cluster id", <code key="id">{cluster.id}</code>],
        ]}
      />
      <Section title="Controllers" aside={quorumWords(cluster.voters, cluster.tolerates)}>
        <Peers cluster={cluster} act={act} why={why} />
      </Section>
      {verb === "add" ? <AddDialog cluster={cluster} why={why} onClose={() => act(undefined)} /> : null}
      {(verb === "transfer" || verb === "remove") && peer ? (
        <PeerDialog verb={verb} peer={peer} cluster={cluster} why={why} onClose={() => act(undefined)} />
      ) : null}
    </Page>
  );
}
