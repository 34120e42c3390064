import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useWhyNot } from "../../app/may";
import { diffQuery, rollback, versionQuery } from "../../data/documents";
import { keys } from "../../data/keys";
import type { DocumentFull } from "../../data/types";
import { plural } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { TextDiff } from "../../parts/code";
import { TextField } from "../../parts/Field";
import { notify } from "../../parts/notices";
import { Section } from "../../parts/Page";
import { Patch } from "../../parts/Patch";
import { Failed, Loaded } from "../../parts/State";
import css from "./Document.module.css";

/** A rollback is a new version with an old content; what that changes is shown before it can be pushed. */
export function Rollback({ doc, to }: { doc: DocumentFull; to: number }) {
  const target = useQuery(versionQuery(doc.document, to));
  const diff = useQuery(diffQuery(doc.document, doc.version, to));
  return (
    <div className={css.stack}>
      <div className={css.spread}>
        <p className={css.summary}>
          Roll back from v{doc.version} to the content of v{to} · {plural(doc.nodes, "node")}
        </p>
        <LinkButton to="/documents/$name" params={{ name: doc.document }} search={{ tab: "history" }}>
          Back to the history
        </LinkButton>
      </div>
      <Loaded query={target} rows={8}>
        {(version) => (
          <>
            <TextDiff
              before={doc.text}
              after={version.text}
              beforeLabel={`v${doc.version}, effective`}
              afterLabel={`v${to} again, as v${doc.version + 1}`}
            />
            <Loaded query={diff} rows={3}>
              {(d) => (
                <Section title="Changes by pointer">
                  <Patch patch={d.patch} />
                </Section>
              )}
            </Loaded>
            <Form doc={doc} to={to} />
          </>
        )}
      </Loaded>
    </div>
  );
}

function Form({ doc, to }: { doc: DocumentFull; to: number }) {
  const [message, setMessage] = useState(`Roll back to v${to}`);
  const why = useWhyNot("documents.write", doc.document);
  const client = useQueryClient();
  const navigate = useNavigate();
  const run = useMutation({
    mutationFn: () => rollback(doc.document, to, message.trim()),
    onSuccess: async (answer) => {
      if (answer.push && !answer.unchanged) await navigate({ to: "/pushes/$id", params: { id: answer.push } });
      else notify(`v${doc.version} has that content already: nothing was committed.`);
      await client.invalidateQueries({ queryKey: keys.documents });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!why && message.trim() && !run.isPending) run.mutate();
  };
  return (
    <form className={css.commit} onSubmit={submit}>
      <TextField
        label="Message"
        value={message}
        error={message.trim() ? undefined : "A message is needed: the next reader asks why."}
        onChange={(e) => setMessage(e.target.value)}
      />
      {run.error ? <Failed error={run.error} /> : null}
      <div>
        <Button kind="primary" type="submit" why={why} busy={run.isPending}>
          Roll back {plural(doc.nodes, "node")} to v{to}
        </Button>
      </div>
    </form>
  );
}
