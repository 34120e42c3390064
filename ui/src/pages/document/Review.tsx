import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { dryRun, type Edit, put } from "../../data/documents";
import { ApiError } from "../../data/http";
import { keys } from "../../data/keys";
import type { DocumentFull } from "../../data/types";
import { syntaxError } from "../../lib/diagnose";
import { format } from "../../lib/jsontext";
import { plural, warned } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { TextDiff } from "../../parts/code";
import { TextField } from "../../parts/Field";
import { notify } from "../../parts/notices";
import { Section } from "../../parts/Page";
import { Patch } from "../../parts/Patch";
import { Empty, Failed, Loaded } from "../../parts/State";
import css from "./Document.module.css";
import { Problems, Warnings } from "./Problems";
import { SettingsDiff } from "./SettingsDiff";
import { type DraftHandle, draftOf, editOf } from "./useDraft";

interface Props {
  name: string;
  doc?: DocumentFull;
  handle: DraftHandle;
  why?: string;
}

/** The diff that every change passes, the dry run, and only then the button that pushes. */
export function Review({ name, doc, handle, why }: Props) {
  const { draft } = handle;
  const broken = syntaxError(draft.content) ?? (draft.schema.trim() ? syntaxError(draft.schema) : undefined);
  const navigate = useNavigate({ from: "/documents/$name" });
  const back = () => void navigate({ search: { tab: "edit" } });
  if (broken || !handle.dirty) return <NothingLeft back={back} />;
  return <Reviewed name={name} doc={doc} handle={handle} why={why} back={back} />;
}

// Also for the moment between a push and the page that shows it: the draft equals what is effective then.
function NothingLeft({ back }: { back: () => void }) {
  const leaving = useRouterState({ select: (s) => s.isLoading });
  if (leaving) return null;
  return (
    <Empty title="There is nothing to review">
      <p>The draft is no JSON yet, or is the same as what is effective.</p>
      <Button onClick={back}>Back to the draft</Button>
    </Empty>
  );
}

function Reviewed({ name, doc, handle, why, back }: Props & { back: () => void }) {
  const { draft } = handle;
  const edit = useMemo(() => editOf(name, draft, draftOf(doc)), [name, doc, draft]);
  const text = useMemo(() => format(draft.content), [draft.content]);
  const contentChanged = text !== (doc?.text ?? "");
  const run = useQuery({
    queryKey: ["dry-run", edit],
    queryFn: () => dryRun(edit),
    retry: false,
    gcTime: 0,
    staleTime: 10_000,
  });
  const next = (doc?.version ?? 0) + 1;
  const nodes = run.data?.affected.nodes ?? 0;
  return (
    <div className={css.stack}>
      <div className={css.spread}>
        <p className={css.summary}>
          {doc ? `Draft against v${doc.version}` : "A new document"}
          {run.data ? ` · affects ${plural(nodes, "node")}` : ""}
        </p>
        <Button onClick={back}>Back to the draft</Button>
      </div>
      {contentChanged ? (
        <TextDiff
          before={doc?.text ?? ""}
          after={text}
          beforeLabel={doc ? `v${doc.version}, effective` : "nothing"}
          afterLabel={`v${next}, draft`}
        />
      ) : (
        <p className={css.soft}>The content stays as it is; only the settings change.</p>
      )}
      <SettingsDiff before={draftOf(doc)} after={draft} name={name} />
      <Loaded query={run} rows={3}>
        {(data) => (
          <>
            {contentChanged && doc ? (
              <Section title="Changes by pointer">
                <Patch patch={data.diff[0]?.patch ?? []} />
              </Section>
            ) : null}
            <Problems problems={data.problems} />
            <Warnings warnings={data.warnings} name={name} />
            <Commit
              edit={edit}
              handle={handle}
              label={contentChanged ? `Push v${next} to ${plural(nodes, "node")}` : `Push to ${plural(nodes, "node")}`}
              why={why ?? (data.valid ? undefined : "The dry run found problems.")}
            />
          </>
        )}
      </Loaded>
    </div>
  );
}

function Commit({ edit, handle, label, why }: { edit: Edit; handle: DraftHandle; label: string; why?: string }) {
  const [missing, setMissing] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const message = handle.draft.message;
  const push = useMutation({
    mutationFn: () => put(edit, message.trim()),
    onSuccess: async (answer) => {
      handle.done();
      if (answer.warnings?.length) notify(warned(answer.warnings));
      if (answer.push && !answer.unchanged) await navigate({ to: "/pushes/$id", params: { id: answer.push } });
      else {
        notify(`${answer.document} is already so: nothing was committed.`);
        await navigate({ to: "/documents/$name", params: { name: answer.document } });
      }
      await client.invalidateQueries({ queryKey: keys.documents });
    },
    onError: (error) => {
      // The base moved: the fresh document brings the banner that shows what happened.
      if (error instanceof ApiError && error.status === 412) void client.invalidateQueries({ queryKey: keys.document(edit.document) });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (why || push.isPending) return;
    if (message.trim() === "") return setMissing(true);
    push.mutate();
  };
  return (
    <form className={css.commit} onSubmit={submit}>
      <TextField
        label="Message"
        value={message}
        autoFocus
        placeholder="Why this change"
        error={missing && message.trim() === "" ? "A message is needed: the next reader asks why." : undefined}
        onChange={(e) => handle.set({ message: e.target.value })}
      />
      {push.error ? <Failed error={push.error} /> : null}
      {push.error instanceof ApiError && push.error.status === 412 ? (
        <div>
          <LinkButton to="/documents/$name" params={{ name: edit.document }} search={{ tab: "edit" }}>
            Back to the draft, to see what moved
          </LinkButton>
        </div>
      ) : null}
      <div>
        <Button kind="primary" type="submit" why={why} busy={push.isPending}>
          {push.isPending ? "Pushing…" : label}
        </Button>
      </div>
    </form>
  );
}
