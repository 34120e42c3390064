import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId } from "react";
import { type DeadLetterFilter, discardDeadLetters, freeze, retryDeadLetters } from "../../data/deadletters";
import { keys } from "../../data/keys";
import { number, plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { notify } from "../../parts/notices";
import { Failed, Loaded } from "../../parts/State";
import css from "./DeadLetters.module.css";

export type Verb = "retry" | "discard";

/** Rows that were ticked, or all that match a filter at the moment the dialog opens. */
export interface Selected {
  ids?: string[];
  filter?: DeadLetterFilter;
}

interface Props {
  verb: Verb;
  selected: Selected;
  why?: string;
  onDone: () => void;
  onClose: () => void;
}

const named = 30;
const words = {
  retry: {
    title: "Retry",
    does: "They are sent what is wanted again, with all their attempts before them. Those that failed for a cause that is still there fail again.",
    button: "Retry",
    done: "will be tried again",
  },
  discard: {
    title: "Discard",
    does: "They leave this list and keep running what they run. They are tried again when something newer is wanted of them.",
    button: "Discard",
    done: "taken off the list",
  },
};

/** Says how many and which before it does anything; what comes later is not touched. */
export function ActDialog({ verb, selected, why, onDone, onClose }: Props) {
  const opened = useId();
  const frozen = useQuery({
    // Not under the key of the lists: what an event makes stale must not change what the button says.
    queryKey: ["frozen", opened, selected],
    queryFn: async () => selected.ids ?? (await freeze(selected.filter ?? {})).map((r) => r.id),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const client = useQueryClient();
  const w = words[verb];
  const run = useMutation({
    mutationFn: (ids: string[]) => (verb === "retry" ? retryDeadLetters(ids) : discardDeadLetters(ids)),
    onSuccess: (done, ids) => {
      const rest = ids.length - done;
      notify(`${plural(done, "node")} ${w.done}.${rest > 0 ? ` ${plural(rest, "was", "were")} no dead letter any more.` : ""}`);
      for (const key of [keys.deadLetterList, keys.deadLetterCauses, keys.nodes, keys.fleet, keys.instances, keys.pushes]) {
        void client.invalidateQueries({ queryKey: key });
      }
      onDone();
      onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={frozen.data ? `${w.title} ${plural(frozen.data.length, "dead letter")}` : `${w.title} dead letters`}
      description={w.does}
    >
      <Loaded query={frozen} rows={2}>
        {(ids) => (
          <p className={`mono ${css.names}`} tabIndex={0} role="group" aria-label="Nodes">
            {ids.slice(0, named).join(" ")}
            {ids.length > named ? ` and ${number(ids.length - named)} more` : ""}
            {ids.length === 0 ? "None is left." : ""}
          </p>
        )}
      </Loaded>
      {run.error ? <Failed error={run.error} /> : null}
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind={verb === "discard" ? "danger" : "primary"}
          why={why ?? (frozen.data?.length === 0 ? "None is left." : undefined)}
          busy={run.isPending || !frozen.data}
          onClick={() => frozen.data && run.mutate(frozen.data)}
        >
          {w.button} {frozen.data ? number(frozen.data.length) : ""}
        </Button>
      </Actions>
    </Dialog>
  );
}
