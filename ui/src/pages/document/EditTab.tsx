import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { DocumentFull } from "../../data/types";
import { lineOf } from "../../lib/diagnose";
import { format } from "../../lib/jsontext";
import { nameProblem } from "../../lib/tree";
import { plural } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { CodeEditor } from "../../parts/code";
import { TextField } from "../../parts/Field";
import css from "./Document.module.css";
import { Problems, Warnings } from "./Problems";
import { Review } from "./Review";
import { type DraftHandle, draftOf, editOf, useDraft } from "./useDraft";
import { type Check, useValidation } from "./useValidation";

interface Props {
  name: string;
  doc?: DocumentFull;
  why?: string;
}

export function EditTab({ name, doc, why }: Props) {
  const { step } = useSearch({ from: "/shell/documents/$name" });
  const handle = useDraft(name, doc);
  if (step === "review") return <Review name={name} doc={doc} handle={handle} why={why} />;
  return <Edit name={name} doc={doc} why={why} handle={handle} />;
}

function Edit({ name, doc, why, handle }: Props & { handle: DraftHandle }) {
  const { draft, dirty, set } = handle;
  const navigate = useNavigate({ from: "/documents/$name" });
  const check = useValidation(editOf(name, draft, draftOf(doc)));
  const targetProblem = draft.target && draft.target !== name ? nameProblem(draft.target) : undefined;
  const off =
    why ??
    targetProblem ??
    (doc && !dirty ? "Nothing differs from what is effective." : undefined) ??
    (check.state === "syntax" ? "The text is not JSON yet." : undefined) ??
    (check.state === "invalid" ? "What the check found has to be mended first." : undefined);
  return (
    <div className={css.stack}>
      <Moved doc={doc} handle={handle} />
      <div className={css.spread}>
        <Status check={check} text={draft.content} dirty={dirty} />
        <div className={css.row}>
          <Button
            kind="quiet"
            why={check.state === "syntax" ? "The text is not JSON yet." : undefined}
            onClick={() => set({ content: format(draft.content) })}
          >
            Format
          </Button>
          {dirty ? (
            <Button kind="quiet" onClick={handle.discard}>
              Discard draft
            </Button>
          ) : null}
          <Button kind="primary" why={off} onClick={() => void navigate({ search: { tab: "edit", step: "review" } })}>
            Review…
          </Button>
        </div>
      </div>
      <CodeEditor
        label={`Draft of ${name}`}
        value={draft.content}
        problems={check.problems}
        onChange={(content) => set({ content })}
        autoFocus
      />
      <Problems problems={check.problems} />
      <Warnings warnings={check.warnings} name={name} />
      <Settings name={name} handle={handle} targetProblem={targetProblem} />
    </div>
  );
}

/** A newer version than the draft's base: say so while it can still be merged by hand. */
function Moved({ doc, handle }: { doc?: DocumentFull; handle: DraftHandle }) {
  if (!doc || handle.draft.base === doc.version) return null;
  return (
    <div className={css.banner} role="status">
      <span>
        <b>v{doc.version}</b> was pushed by {doc.author} since this draft began
        {handle.draft.base > 0 ? ` at v${handle.draft.base}` : ""}. Pushing the draft would undo what it changed.
      </span>
      {handle.draft.base > 0 ? (
        <LinkButton
          to="/documents/$name/compare"
          params={{ name: doc.document }}
          search={{ from: String(handle.draft.base), to: String(doc.version) }}
        >
          See what changed
        </LinkButton>
      ) : null}
      <Button onClick={handle.rebase}>Keep my text on v{doc.version}</Button>
    </div>
  );
}

function Status({ check, text, dirty }: { check: Check; text: string; dirty: boolean }) {
  const kept = dirty ? "Draft kept in this browser." : "No change yet.";
  let words = kept;
  if (check.state === "syntax") {
    const { line, column } = lineOf(text, check.offset ?? 0);
    words = `Line ${line}, column ${column}: ${check.message}`;
  } else if (check.state === "invalid") words = `${plural(check.problems.length, "problem")} found.`;
  else if (check.state === "failed") words = `Not checked: ${check.message}`;
  else if (check.state === "valid") words = `Valid. ${kept}`;
  return (
    <p className={css.status} data-bad={check.state === "syntax" || check.state === "invalid" || undefined} aria-live="polite">
      {words}
    </p>
  );
}

function Settings({ name, handle, targetProblem }: { name: string; handle: DraftHandle; targetProblem?: string }) {
  const { draft, set } = handle;
  const [schemaOpen, setSchemaOpen] = useState(draft.schema !== "");
  return (
    <div className={css.stack}>
      <div className={css.fields}>
        <TextField
          label="Selector"
          mono
          value={draft.selector}
          placeholder="every node"
          hint="Labels, as in Kubernetes: site in (fra, ams), role=edge. Empty: every node that accepts the target."
          onChange={(e) => set({ selector: e.target.value })}
        />
        <TextField
          label="Target"
          mono
          value={draft.target}
          placeholder={name}
          error={targetProblem}
          hint="The name that nodes know it by: their file. Empty: the document’s name."
          onChange={(e) => set({ target: e.target.value.trim() })}
        />
      </div>
      {schemaOpen ? (
        <div className={css.stack}>
          <div className={css.spread}>
            <h2>Schema (JSON Schema 2020-12)</h2>
            <Button
              kind="quiet"
              onClick={() => {
                set({ schema: "" });
                setSchemaOpen(false);
              }}
            >
              Remove schema
            </Button>
          </div>
          <CodeEditor label={`Schema of ${name}`} value={draft.schema} onChange={(schema) => set({ schema })} compact />
        </div>
      ) : (
        <div>
          <Button onClick={() => setSchemaOpen(true)}>Add a schema</Button>
        </div>
      )}
    </div>
  );
}
