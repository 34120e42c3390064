import type { Cluster, Peer } from "../../data/types";
import { number, short } from "../../lib/words";
import { Button } from "../../parts/Button";
import { type Column, DataTable } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";

interface Props {
  cluster: Cluster;
  act: (what: string) => void;
  why?: string;
}

export function Peers({ cluster, act, why }: Props) {
  return <DataTable label="Controllers" columns={columnsFor(act, cluster.voters > 1, why)} rows={cluster.peers} keyOf={(p) => p.name} />;
}

function columnsFor(act: (what: string) => void, others: boolean, why?: string): Column<Peer>[] {
  return [
    {
      head: "Controller",
      width: "minmax(72px,0.8fr)",
      phone: "minmax(0,1fr)",
      cell: (p) => <span className="mono">{p.name}</span>,
    },
    {
      head: "Role",
      width: "136px",
      phone: "96px",
      cell: (p) =>
        p.alive ? <StatusMark status="acked" word={p.role} /> : <StatusMark status="offline" word={`${p.role}, down`} />,
    },
    { head: "Lag", width: "64px", end: true, cell: (p) => (p.lag === undefined ? "–" : number(p.lag)) },
    { head: "Applied", width: "88px", end: true, cell: (p) => (p.applied === undefined ? "–" : number(p.applied)) },
    {
      head: "State hash",
      width: "112px",
      cell: (p) => (
        <span className="mono" title={p.state_hash}>
          {short(p.state_hash) || "–"}
        </span>
      ),
    },
    { head: "Nodes", width: "64px", end: true, cell: (p) => (p.sessions === undefined ? "–" : number(p.sessions)) },
    { head: "Version", width: "72px", cell: (p) => p.version || "–" },
    { head: "Address", width: "minmax(120px,1.6fr)", cell: (p) => <span className="mono">{p.address || p.url || "–"}</span> },
    {
      head: "Actions",
      width: "200px",
      phone: "172px",
      end: true,
      cell: (p) => (
        <>
          {p.role === "leader" && others ? (
            <Button kind="quiet" why={why} onClick={() => act(`transfer:${p.name}`)}>
              Hand over…
            </Button>
          ) : null}
          <Button kind="quiet" why={why} onClick={() => act(`remove:${p.name}`)}>
            Remove…
          </Button>
        </>
      ),
    },
  ];
}
