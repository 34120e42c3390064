import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { enroll } from "../../data/fleet";
import { parseLabels } from "../../lib/labels";
import { Button } from "../../parts/Button";
import { Copy } from "../../parts/Copy";
import { Actions, Dialog } from "../../parts/Dialog";
import { SelectField, TextField } from "../../parts/Field";
import { Failed } from "../../parts/State";
import { Time } from "../../parts/Time";
import css from "./Nodes.module.css";

export function EnrollDialog({ why, onClose }: { why?: string; onClose: () => void }) {
  const [node, setNode] = useState("");
  const [labels, setLabels] = useState("");
  const [uses, setUses] = useState("1");
  const [expires, setExpires] = useState("1h");
  const parsed = parseLabels(labels);
  const count = Number(uses);
  const usesProblem = Number.isInteger(count) && count >= 1 ? undefined : "A whole number, at least 1.";
  const make = useMutation({
    mutationFn: () =>
      enroll({ node: node.trim() || undefined, labels: parsed.labels, uses: node.trim() ? 1 : count, expires }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!why && !parsed.problem && !usesProblem && !make.isPending) make.mutate();
  };
  if (make.data) {
    return (
      <Dialog open onClose={onClose} title="Enrolment token" wide description="Shown once. Run this on the machine that becomes the node:">
        <Copy label="Command" text={enrolCommand(location.origin, make.data.token, node.trim())} />
        <p>
          Then start the agent: <code>drover-agent run --config /etc/drover/agent.yaml</code>.
          {make.data.expires ? (
            <>
              {" "}
              The token expires <Time at={make.data.expires} />.
            </>
          ) : null}
        </p>
        <Copy label="Token" text={make.data.token} />
        <Actions>
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </Actions>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={onClose} title="Enroll a node" description="Makes a token that registers the key of a new node.">
      <form className={css.form} onSubmit={submit}>
        <TextField
          label="Node"
          mono
          autoFocus
          value={node}
          placeholder="chosen by the machine"
          hint="Binds the token to one name. Empty: each machine brings its own."
          onChange={(e) => setNode(e.target.value)}
        />
        <TextField
          label="Labels"
          mono
          value={labels}
          placeholder="site=fra role=edge"
          error={parsed.problem}
          hint="Selectors match these. They can be changed later."
          onChange={(e) => setLabels(e.target.value)}
        />
        <div className={css.pair}>
          <TextField
            label="Uses"
            inputMode="numeric"
            value={node.trim() ? "1" : uses}
            disabled={Boolean(node.trim())}
            error={usesProblem}
            onChange={(e) => setUses(e.target.value)}
          />
          <SelectField label="Expires after" value={expires} onChange={(e) => setExpires(e.target.value)}>
            <option value="15m">15 minutes</option>
            <option value="1h">1 hour</option>
            <option value="24h">1 day</option>
            <option value="168h">7 days</option>
          </SelectField>
        </div>
        {make.error ? <Failed error={make.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" why={why} busy={make.isPending}>
            Make a token
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

/** The one command; a controller with TLS must be known to the agent by its CA. */
function enrolCommand(origin: string, token: string, node: string): string {
  const ca = origin.startsWith("https:") ? " --ca /etc/drover/ca.pem" : "";
  const name = node ? ` --node ${node}` : "";
  return `drover-agent enroll --addr ${origin}${ca}${name} --token ${token}`;
}
