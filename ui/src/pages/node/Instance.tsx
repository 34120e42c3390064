import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { instanceQuery } from "../../data/instances";
import type { InstanceRow } from "../../data/types";
import { sentence } from "../../lib/words";
import { StatusMark } from "../../parts/Glyph";
import { Facts, Section } from "../../parts/Page";
import { Loaded } from "../../parts/State";
import { Time } from "../../parts/Time";
import css from "./Node.module.css";

/** What is known of a node by calling it over HTTP: where it is, whether it answers, what is odd about it. */
export function Instance({ id }: { id: string }) {
  const query = useQuery(instanceQuery(id));
  return (
    <Loaded query={query} rows={4}>
      {(instance) => (
        <>
          <Odd instance={instance} />
          <Section title="Instance">
            <Facts
              items={[
                ["URL", <code key="u">{instance.url}</code>],
                ["Source", <Source key="s" instance={instance} />],
                ["Called by", instance.owner || "no controller"],
                ["Accepts", <code key="a">{instance.accepts.join(" ")}</code>],
                ["Token", instance.has_token ? "kept, sealed" : "none"],
                ["TLS", tlsWords(instance)],
                ["Added", <Time key="t" at={instance.added} />],
              ]}
            />
          </Section>
        </>
      )}
    </Loaded>
  );
}

/** Why it cannot be called. */
export function Unreachable({ id }: { id: string }) {
  const reason = useQuery(instanceQuery(id)).data?.unreachable;
  if (!reason) return null;
  return (
    <Section
      title="Does not answer"
      aside={
        reason.time ? (
          <>
            began <Time at={reason.time} />
          </>
        ) : null
      }
    >
      <div className={css.error}>
        <p>{sentence(reason.message)}</p>
        <p className={css.next}>
          <code>{reason.code}</code> It is not in sync while nobody can ask it; it keeps what it runs, and is called again and again.
        </p>
      </div>
    </Section>
  );
}

/** What a person should know though it works. */
function Odd({ instance }: { instance: InstanceRow }) {
  const rows: [key: string, what: string, words: ReactNode][] = (instance.warnings ?? []).map((w) => [w.code, "warning", sentence(w.message)]);
  for (const target of instance.unmanaged ?? []) {
    rows.push([
      `unmanaged ${target}`,
      "unmanaged",
      <>
        It holds <code>{target}</code>, which no document wants there any more. No call removes a target: take it out on the instance.
      </>,
    ]);
  }
  const filled = (instance.documents ?? []).filter((d) => d.unverified).map((d) => d.target);
  if (filled.length > 0) {
    rows.push([
      "unverified",
      "unverified",
      <>
        It fills in placeholders of <code>{filled.join(" ")}</code>, so what it holds is compared with the hash that it told right after
        the last update.
      </>,
    ]);
  }
  if (instance.gone) {
    rows.push([
      "gone",
      "gone",
      <>
        Its discovery <code>{instance.source}</code> does not find it since <Time at={instance.gone} />. It is still called; remove it when
        it is not to come back.
      </>,
    ]);
  }
  if (rows.length === 0) return null;
  return (
    <Section title="To know">
      <ul className={css.odd}>
        {rows.map(([key, what, text]) => (
          <li key={key}>
            <StatusMark status="pending" word={what} />
            <span>{text}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Source({ instance }: { instance: InstanceRow }) {
  if (!instance.source || instance.source === "manual") return "added by hand";
  return (
    <Link to="/instances" search={{ tab: "discoveries" }}>
      {instance.source}
    </Link>
  );
}

function tlsWords(instance: InstanceRow): string {
  if (!instance.url.startsWith("https:")) return "none: plain HTTP";
  const own = [
    instance.tls?.ca ? "a CA of its own" : "",
    instance.tls?.server_name ? `the name ${instance.tls.server_name}` : "",
    instance.tls?.cert ? "a client certificate" : "",
  ].filter(Boolean);
  return own.length > 0 ? `verified, with ${own.join(", ")}` : "verified, usual trust";
}
