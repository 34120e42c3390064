import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { documentList } from "../../data/documents";
import { syncInstances } from "../../data/instances";
import { keys } from "../../data/keys";
import type { InstanceRow } from "../../data/types";
import { failedFirst, outcome } from "../../lib/instances";
import { number, plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { SelectField } from "../../parts/Field";
import { Failed } from "../../parts/State";
import css from "./Instances.module.css";
import { SyncResults } from "./SyncResults";

interface Props {
  /** Absent: all there are. */
  ids?: string[];
  known: readonly Pick<InstanceRow, "id" | "accepts">[];
  /** There are more than are known here. */
  more?: boolean;
  document?: string;
  why?: string;
  onClose: () => void;
}

const named = 40;

/** Sends again what is wanted, after saying to whom, and shows what came of it, one by one. */
export function SyncDialog({ ids, known, more, document: first, why, onClose }: Props) {
  const [document, setDocument] = useState(first ?? "");
  // A second round goes to those that failed in the first.
  const [round, setRound] = useState(ids);
  const client = useQueryClient();
  const documents = useInfiniteQuery(documentList(""));
  const run = useMutation({
    mutationFn: (these?: string[]) => syncInstances({ document: document || undefined, ids: these }),
    onSettled: () => {
      for (const key of [keys.instances, keys.verify, keys.nodes, keys.fleet, keys.deadLetters]) {
        void client.invalidateQueries({ queryKey: key });
      }
    },
  });
  const count = round ? plural(round.length, "instance") : `all ${number(known.length)}${more ? "+" : ""} instances`;
  if (run.data && !run.isPending) {
    const failed = failedFirst(run.data.instances).filter((r) => outcome(r) !== "synced" && r.error?.code !== "not_wanted");
    return (
      <Dialog open onClose={onClose} wide title={`Synced ${number(run.data.synced)} of ${plural(run.data.instances.length, "instance")}`}>
        <SyncResults answer={run.data} />
        <Actions>
          {failed.length > 0 ? (
            <Button
              why={why}
              onClick={() => {
                const again = failed.map((r) => r.id);
                setRound(again);
                run.mutate(again);
              }}
            >
              Sync {number(failed.length)} again
            </Button>
          ) : null}
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </Actions>
      </Dialog>
    );
  }
  const targets = new Set(known.filter((i) => !round || round.includes(i.id)).flatMap((i) => i.accepts));
  const choices = (documents.data ?? []).filter((d) => targets.has(d.target) || d.document === document);
  const names = (round ?? known.map((i) => i.id)).slice(0, named);
  const left = (round?.length ?? known.length) - names.length;
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Sync ${count}`}
      description="Each is sent what is wanted of it, also where drift was only reported, and asked what it then holds."
    >
      <SelectField label="Document" value={document} disabled={run.isPending} onChange={(e) => setDocument(e.target.value)}>
        <option value="">Every document for them</option>
        {choices.map((d) => (
          <option key={d.document} value={d.document}>
            {d.document}
          </option>
        ))}
      </SelectField>
      <p className={`mono ${css.names}`} tabIndex={0} role="group" aria-label="Instances">
        {names.join(" ")}
        {left > 0 || (more && !round) ? ` and ${left > 0 ? number(left) : ""} more` : ""}
      </p>
      {run.error ? <Failed error={run.error} /> : null}
      {run.isPending ? <p role="status">Calling {count}. One that hangs is given up after 10 seconds…</p> : null}
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" why={why} busy={run.isPending} onClick={() => run.mutate(round)}>
          Sync {count}
        </Button>
      </Actions>
    </Dialog>
  );
}
