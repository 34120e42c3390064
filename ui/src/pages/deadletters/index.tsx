import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useWhyNot } from "../../app/may";
import { deadLetterCauses, deadLetterList, moved } from "../../data/deadletters";
import { plural } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { Chosen } from "../../parts/Chosen";
import { DataTable } from "../../parts/DataTable";
import { FilterBar } from "../../parts/FilterBar";
import { moreOf } from "../../parts/more";
import { Page } from "../../parts/Page";
import { Pending } from "../../parts/Pending";
import { selectColumn } from "../../parts/selectColumn";
import { useSelection } from "../../parts/selection";
import { Empty, Loaded } from "../../parts/State";
import { ActDialog, type Selected, type Verb } from "./ActDialog";
import { Causes } from "./Causes";
import { columns } from "./columns";
import css from "./DeadLetters.module.css";
import { KindFilter } from "./KindFilter";

export default function DeadLetters() {
  const search = useSearch({ from: "/shell/deadletters" });
  const navigate = useNavigate({ from: "/deadletters" });
  const filter = { q: search.q, cause: search.cause, kind: search.kind, document: search.document };
  const list = useInfiniteQuery(deadLetterList(filter));
  const causes = useQuery(deadLetterCauses());
  const now = useQuery(deadLetterCauses(filter));
  const selection = useSelection();
  const why = useWhyNot("deadletters.write");
  const [selected, setSelected] = useState<Selected>({ filter: {} });
  const act = (verb?: Verb, what?: Selected) => {
    if (what) setSelected(what);
    void navigate({ search: (s) => ({ ...s, do: verb }), resetScroll: false });
  };
  const filtered = Boolean(search.q || search.cause || search.kind || search.document);
  const pending = list.data && now.data && !list.hasNextPage && !list.isFetching && !now.isFetching ? moved(list.data, now.data) : 0;
  const total = causes.data?.reduce((sum, c) => sum + c.count, 0);
  const verb = search.do === "retry" || search.do === "discard" ? search.do : undefined;
  const chosen: Selected = { ids: [...selection.ids] };
  return (
    <Page
      title="Dead letters"
      aside={total ? `${plural(total, "node")} ${total === 1 ? "waits" : "wait"} for a person` : null}
    >
      <Causes current={search.cause} act={act} why={why} />
      <FilterBar
        label="Filter dead letters"
        placeholder="Words of a node’s id or label"
        value={search.q ?? ""}
        onChange={(q) => void navigate({ search: (s) => ({ ...s, q: q || undefined }), replace: true })}
      >
        <KindFilter current={search.kind} />
        {search.document ? (
          <LinkButton kind="quiet" to="/deadletters" search={(s) => ({ ...s, document: undefined })}>
            {search.document} ×
          </LinkButton>
        ) : null}
        {list.data && list.data.length > 0 ? (
          <span className={css.all}>
            <Button why={why} onClick={() => act("discard", { filter })}>
              Discard {filtered ? "these" : "all"}…
            </Button>
            <Button why={why} onClick={() => act("retry", { filter })}>
              Retry {filtered ? "these" : "all"}…
            </Button>
          </span>
        ) : null}
      </FilterBar>
      <div>
        <Pending
          count={pending}
          onShow={() => {
            void list.refetch();
            void now.refetch();
          }}
        />
        <Loaded query={list} rows={8}>
          {(rows) =>
            rows.length > 0 ? (
              <DataTable
                label="Dead letters"
                tall
                columns={[selectColumn(selection, rows, (r) => r.id), ...columns]}
                rows={rows}
                keyOf={(r) => r.id}
                onOpen={(r) => void navigate({ to: "/nodes/$id", params: { id: r.node } })}
                more={moreOf(list)}
              />
            ) : filtered ? (
              <Empty title="No dead letter matches the filter">
                <Button onClick={() => void navigate({ search: {} })}>Clear the filter</Button>
              </Empty>
            ) : (
              <Empty title="No dead letter">
                <p>No node refused what is wanted, and none used up its attempts.</p>
              </Empty>
            )
          }
        </Loaded>
        <Chosen selection={selection}>
          <Button kind="danger" why={why} onClick={() => act("discard", chosen)}>
            Discard {selection.ids.size}…
          </Button>
          <Button kind="primary" why={why} onClick={() => act("retry", chosen)}>
            Retry {selection.ids.size}…
          </Button>
        </Chosen>
      </div>
      {verb && (selected.ids ? selected.ids.length > 0 : true) ? (
        <ActDialog key={verb} verb={verb} selected={selected} why={why} onDone={selection.clear} onClose={() => act(undefined)} />
      ) : null}
    </Page>
  );
}
