// What the chip in the header says of the connection and the cluster behind it.

export interface Connection {
  kind: "live" | "reconnecting" | "stale" | "no-leader";
  words: string;
  title: string;
}

interface Facts {
  phase: "connecting" | "open" | "lost";
  lostAt: number;
  now: number;
  /** Seconds since a leader was last heard, where the answering peer has none. */
  stale?: number;
  quorum?: boolean;
  leader?: string;
}

const patience = 8_000;

export function connection(f: Facts): Connection {
  if (f.phase === "lost") {
    const age = f.now - f.lostAt;
    if (age < patience) {
      return { kind: "reconnecting", words: "Reconnecting", title: "The event stream broke off; trying again." };
    }
    const seconds = Math.floor(age / 1000);
    return { kind: "stale", words: `Stale ${seconds} s`, title: "What you see is that old. Trying to reach a controller." };
  }
  if (f.quorum === false || f.leader === "" || f.stale !== undefined) {
    const since = f.stale === undefined ? "" : ` What you see is ${Math.round(f.stale)} s old.`;
    return {
      kind: "no-leader",
      words: "No leader – read-only",
      title: `A majority of the controllers does not answer, so nothing can be changed.${since}`,
    };
  }
  if (f.phase === "connecting") return { kind: "reconnecting", words: "Connecting", title: "Opening the event stream." };
  return { kind: "live", words: "Live", title: "Changes show as they happen." };
}
