import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { diffQuery, documentQuery, versionQuery, versionsQuery } from "../../data/documents";
import { LinkButton } from "../../parts/Button";
import { TextDiff } from "../../parts/code";
import { SelectField } from "../../parts/Field";
import { Page, Section } from "../../parts/Page";
import { Patch } from "../../parts/Patch";
import { Empty, Loaded } from "../../parts/State";
import css from "./Compare.module.css";

export default function Compare() {
  const { name } = useParams({ from: "/shell/documents/$name/compare" });
  const doc = useQuery(documentQuery(name));
  return (
    <Page
      title={`Compare ${name}`}
      heading={<span className="mono">{name}</span>}
      aside={doc.data ? `Compare · Effective v${doc.data.version}` : "Compare"}
      actions={
        <LinkButton to="/documents/$name" params={{ name }} search={{ tab: "history" }}>
          History
        </LinkButton>
      }
    >
      <Loaded query={doc}>{(d) => <Versions name={name} current={d.version} />}</Loaded>
    </Page>
  );
}

function Versions({ name, current }: { name: string; current: number }) {
  const search = useSearch({ from: "/shell/documents/$name/compare" });
  const navigate = useNavigate({ from: "/documents/$name/compare" });
  const to = whole(search.to) ?? current;
  const from = whole(search.from) ?? Math.max(1, to - 1);
  const versions = useInfiniteQuery(versionsQuery(name));
  const pick = (key: "from" | "to") => (event: { target: { value: string } }) =>
    void navigate({ search: { from: String(from), to: String(to), [key]: event.target.value } });
  const options = (chosen: number) => {
    const numbers = new Set([chosen, ...(versions.data ?? []).map((v) => v.version)]);
    return [...numbers]
      .sort((a, b) => b - a)
      .map((v) => (
        <option key={v} value={v}>
          v{v}
          {v === current ? ", effective" : ""}
        </option>
      ));
  };
  return (
    <>
      <div className={css.pick}>
        <SelectField label="From" value={from} onChange={pick("from")}>
          {options(from)}
        </SelectField>
        <SelectField label="To" value={to} onChange={pick("to")}>
          {options(to)}
        </SelectField>
      </div>
      {from === to ? (
        <Empty title={`Both sides are v${from}`}>
          <p>Choose another version on one side.</p>
        </Empty>
      ) : (
        <Both name={name} from={from} to={to} />
      )}
    </>
  );
}

function Both({ name, from, to }: { name: string; from: number; to: number }) {
  const before = useQuery(versionQuery(name, from));
  const after = useQuery(versionQuery(name, to));
  const diff = useQuery(diffQuery(name, from, to));
  return (
    <>
      <Loaded query={before} rows={8}>
        {(a) => (
          <Loaded query={after} rows={8}>
            {(b) => <TextDiff before={a.text} after={b.text} beforeLabel={`v${from}`} afterLabel={`v${to}`} />}
          </Loaded>
        )}
      </Loaded>
      <Section title="Changes by pointer">
        <Loaded query={diff} rows={3}>
          {(d) => <Patch patch={d.patch} />}
        </Loaded>
      </Section>
    </>
  );
}

function whole(text: string | undefined): number | undefined {
  return text && /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}
