import type { Draft } from "../../lib/draft";
import { Section } from "../../parts/Page";
import css from "./Document.module.css";

/** What changes beside the content: target, selector, schema. */
export function SettingsDiff({ before, after, name }: { before: Draft; after: Draft; name: string }) {
  const rows: [string, string, string][] = [
    ["Target", before.target, after.target || name],
    ["Selector", before.selector || "every node", after.selector || "every node"],
    ["Schema", before.schema || "none", after.schema || "none"],
  ];
  const isNew = before.base === 0;
  const shown = rows.filter(([, old, now]) => isNew || old !== now);
  if (shown.length === 0) return null;
  return (
    <Section title="Settings">
      <dl className={css.settings}>
        {shown.map(([label, old, now]) => (
          <SettingRow key={label} label={label} old={isNew ? undefined : old} now={now} />
        ))}
      </dl>
    </Section>
  );
}

function SettingRow({ label, old, now }: { label: string; old?: string; now: string }) {
  return (
    <>
      <dt className={css.soft}>{label}</dt>
      <dd>
        {old === undefined ? null : (
          <>
            <del>
              <code>{old}</code>
            </del>{" "}
          </>
        )}
        <ins>
          <code>{now}</code>
        </ins>
      </dd>
    </>
  );
}
