import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useWhyNot } from "../../app/may";
import { discoveryList, instanceList } from "../../data/instances";
import { plural } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { Glyph } from "../../parts/Glyph";
import { Page } from "../../parts/Page";
import { Tabs } from "../../parts/Tabs";
import { Dialogs } from "./Dialogs";
import { Discoveries } from "./Discoveries";
import { Registry } from "./Registry";
import { Verify } from "./Verify";

export default function Instances() {
  const search = useSearch({ from: "/shell/instances" });
  const navigate = useNavigate({ from: "/instances" });
  const all = useInfiniteQuery(instanceList(""));
  const sources = useInfiniteQuery(discoveryList());
  const write = useWhyNot("instances.write");
  const sync = useWhyNot("instances.sync");
  // The selection is frozen when the dialog opens: what comes after is not part of it.
  const [frozen, setFrozen] = useState<string[]>();
  const act = (what?: string) => void navigate({ search: (s) => ({ ...s, do: what }), resetScroll: false });
  const syncSome = (ids: string[]) => {
    setFrozen(ids);
    act("sync:chosen");
  };
  const tab = search.tab ?? "registry";
  const empty = all.data?.length === 0 ? "There is no instance yet." : undefined;
  const failing = sources.data?.filter((d) => d.error).length ?? 0;
  return (
    <Page
      title="Instances"
      aside={all.data ? `${plural(all.data.length, "service")}${all.hasNextPage ? " and more" : ""} called over HTTP` : null}
      actions={
        <>
          {empty || tab === "verify" ? null : <LinkButton to="/instances" search={{ tab: "verify" }}>Verify all</LinkButton>}
          <Button why={sync ?? empty} onClick={() => act("sync:all")}>
            Sync all…
          </Button>
          <Button kind="primary" why={write} onClick={() => act(tab === "discoveries" ? "discover" : "add")}>
            {tab === "discoveries" ? "Add a discovery" : "Add an instance"}
          </Button>
        </>
      }
    >
      <Tabs
        label="Instances"
        current={tab}
        tabs={[
          { id: "registry", label: "Registry" },
          { id: "verify", label: "Verify" },
          {
            id: "discoveries",
            label:
              failing > 0 ? (
                <>
                  Discoveries <Glyph status="dead_letter" /> {failing} failing
                </>
              ) : (
                "Discoveries"
              ),
          },
        ]}
        link={(t, className) => (
          <Link
            to="/instances"
            search={t.id === "registry" ? {} : { tab: t.id }}
            className={className}
            aria-current={t.id === tab ? "page" : undefined}
          >
            {t.label}
          </Link>
        )}
      />
      {tab === "registry" ? <Registry act={act} sync={syncSome} why={{ write, sync }} /> : null}
      {tab === "verify" ? <Verify sync={syncSome} why={sync} /> : null}
      {tab === "discoveries" ? <Discoveries act={act} why={write} /> : null}
      <Dialogs frozen={frozen} act={act} why={{ write, sync }} />
    </Page>
  );
}
