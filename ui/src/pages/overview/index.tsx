import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { fleetQuery } from "../../data/fleet";
import { withTerm } from "../../lib/nodequery";
import { plural } from "../../lib/words";
import { FleetStrip } from "../../parts/FleetStrip";
import { Page, Section } from "../../parts/Page";
import { Empty, Loaded } from "../../parts/State";
import { LinkButton } from "../../parts/Button";
import { revisionList } from "../../data/documents";
import { usePending } from "../../app/live";
import { Pending } from "../../parts/Pending";
import { Attention } from "./Attention";
import { Revisions } from "./Revisions";
import { CountsBar } from "../../parts/CountsBar";
import { Link } from "@tanstack/react-router";

export default function Overview() {
  const navigate = useNavigate();
  const fleet = useQuery(fleetQuery({}));
  const revisions = useInfiniteQuery(revisionList());
  const [pending, clear] = usePending("revisions");
  const nodes = (q: string) => void navigate({ to: "/nodes", search: { q } });
  return (
    <Page title="Overview">
      <Attention />
      <Section title="Fleet" aside={fleet.data ? plural(fleet.data.total, "node") : null}>
        <Loaded query={fleet} rows={3}>
          {(data) =>
            data.total === 0 ? (
              <Empty title="No node is enrolled yet">
                <p>A node joins with a token and one command.</p>
                <LinkButton to="/nodes" search={{ do: "enroll" }}>
                  Enroll a node
                </LinkButton>
              </Empty>
            ) : (
              <>
                <CountsBar
                  counts={data.counts}
                  total={data.total}
                  current="none"
                  link={(status, className, pressed, children) => (
                    <Link to="/nodes" search={{ q: withTerm("", "status", status || undefined) || undefined }} className={className} aria-current={pressed ? "true" : undefined}>
                      {children}
                    </Link>
                  )}
                />
                <div style={{ paddingTop: 12 }}>
                  <FleetStrip
                    fleet={data}
                    onCell={(cell) => nodes(withTerm(cell.site ? `site=${cell.site}` : "", "status", cell.status))}
                    onSite={(site) => nodes(`site=${site}`)}
                  />
                </div>
              </>
            )
          }
        </Loaded>
      </Section>
      <Section title="Recent changes">
        <Pending
          count={pending}
          onShow={() => {
            clear();
            void revisions.refetch();
          }}
        />
        <Loaded query={revisions}>{(rows) => <Revisions rows={rows.slice(0, 12)} />}</Loaded>
      </Section>
    </Page>
  );
}
