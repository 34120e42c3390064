import { useInfiniteQuery } from "@tanstack/react-query";
import { instanceList } from "../../data/instances";
import { groupBy, silence } from "../../lib/instances";
import { withTerm } from "../../lib/nodequery";
import { plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Section } from "../../parts/Page";
import { Groups } from "./Groups";

/** The instances that do not answer, by the reason; nothing while all do. */
export function Silent({ q, sync, why }: { q: string; sync: (ids: string[]) => void; why?: string }) {
  const { data } = useInfiniteQuery(instanceList(withTerm(withTerm(q, "connected", undefined), "connected", "false")));
  const silent = (data ?? []).filter((r) => !r.connected);
  if (silent.length === 0) return null;
  return (
    <Section title="Not answering" aside={`${plural(silent.length, "instance")}; the others are not held up by them`}>
      <Groups
        groups={groupBy(silent, silence)}
        act={(group) => (
          <Button kind="quiet" why={why} onClick={() => sync(group.items.map((r) => r.id))}>
            Try again…
          </Button>
        )}
      />
    </Section>
  );
}
