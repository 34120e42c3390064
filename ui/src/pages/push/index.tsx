import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useWhyNot } from "../../app/may";
import { fleetQuery, pushQuery, retryPush } from "../../data/fleet";
import { keys } from "../../data/keys";
import type { PushRow } from "../../data/types";
import { duration } from "../../lib/time";
import { number, plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { CountsBar } from "../../parts/CountsBar";
import { FleetStrip } from "../../parts/FleetStrip";
import { LoadedPage } from "../../parts/LoadedPage";
import { notify } from "../../parts/notices";
import { Page } from "../../parts/Page";
import { PushState } from "../../parts/PushState";
import { Empty, Loaded } from "../../parts/State";
import { Time } from "../../parts/Time";
import { Causes } from "./Causes";
import css from "./Push.module.css";
import { PushTargets } from "./PushTargets";

export default function PushPage() {
  const { id } = useParams({ from: "/shell/pushes/$id" });
  const query = useQuery(pushQuery(id));
  return (
    <LoadedPage title="Push" query={query}>
      {(push) => <Shown key={id} push={push} />}
    </LoadedPage>
  );
}

function Shown({ push }: { push: PushRow }) {
  const search = useSearch({ from: "/shell/pushes/$id" });
  const navigate = useNavigate({ from: "/pushes/$id" });
  const fleet = useQuery(fleetQuery({ push: push.id }));
  const status = search.status ?? "";
  return (
    <Page
      title={`Push of revision ${push.revision}`}
      heading={
        <>
          Push of revision <span className="mono">{push.revision}</span>
        </>
      }
      aside={<PushState push={push} />}
      actions={<Retry push={push} />}
    >
      <About push={push} />
      <CountsBar
        counts={push.counts}
        total={push.total}
        current={status}
        link={(next, className, pressed, children) => (
          <Link
            to="/pushes/$id"
            params={{ id: push.id }}
            search={{ status: next || undefined, cause: next ? search.cause : undefined }}
            className={className}
            aria-current={pressed ? "true" : undefined}
            resetScroll={false}
          >
            {children}
          </Link>
        )}
      />
      {push.total === 0 ? (
        <Empty title="This push has no target">
          <p>No enrolled node matches the selectors of its documents. A node that comes to match gets them then.</p>
        </Empty>
      ) : (
        <>
          <Loaded query={fleet} rows={2}>
            {(data) => (
              <FleetStrip
                fleet={data}
                onCell={(cell) =>
                  void navigate({
                    search: (s) => ({ ...s, status: s.status === cell.status ? undefined : cell.status }),
                    resetScroll: false,
                  })
                }
              />
            )}
          </Loaded>
          <Causes push={push} current={search.cause} />
          <PushTargets push={push} status={status} cause={search.cause} />
        </>
      )}
    </Page>
  );
}

function About({ push }: { push: PushRow }) {
  const took = push.finished ? Date.parse(push.finished) - Date.parse(push.started) : undefined;
  return (
    <div className={css.about}>
      {push.message ? <p className={css.message}>{push.message}</p> : null}
      <p className={css.soft}>
        {push.author} · started <Time at={push.started} />
        {push.finished ? (
          <>
            {" "}
            · ended <Time at={push.finished} />
            {took !== undefined ? `, after ${duration(took)}` : ""}
          </>
        ) : null}
        {push.superseded_by ? (
          <>
            {" "}
            · superseded by{" "}
            <Link to="/pushes/$id" params={{ id: push.superseded_by }}>
              revision {push.superseded_by}
            </Link>
          </>
        ) : null}
        {" · "}
        {push.documents.map((name, i) => (
          <span key={name}>
            {i > 0 ? ", " : ""}
            <Link to="/documents/$name" params={{ name }} className="mono">
              {name}
            </Link>
          </span>
        ))}
      </p>
    </div>
  );
}

function Retry({ push }: { push: PushRow }) {
  const why = useWhyNot("pushes.retry");
  const client = useQueryClient();
  const failed = (push.counts.dead_letter ?? 0) + (push.counts.reverted ?? 0) + (push.counts.retrying ?? 0);
  const run = useMutation({
    mutationFn: () => retryPush(push.id),
    onSuccess: ({ retried }) => {
      notify(`${plural(retried, "node")} will be tried again.`);
      void client.invalidateQueries({ queryKey: keys.pushes });
    },
    onError: (error) => notify(`Not retried: ${error.message}`, true),
  });
  if (failed === 0) return null;
  return (
    <Button kind="primary" why={why} busy={run.isPending} onClick={() => run.mutate()}>
      Retry {number(failed)}
    </Button>
  );
}

