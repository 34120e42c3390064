import { Dialog } from "@base-ui/react/dialog";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { type ReactNode, useDeferredValue, useState } from "react";
import { documentList } from "../data/documents";
import { nodeList } from "../data/fleet";
import { prefs } from "../lib/prefs";
import { Glyph } from "../parts/Glyph";
import { places } from "./Nav";
import css from "./Palette.module.css";

const shownAtMost = 8;

/** ⌘K: every page, document and node, and the few things that can be done from anywhere. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState("");
  const q = useDeferredValue(text.trim());
  const navigate = useNavigate();
  const documents = useInfiniteQuery({ ...documentList(q), enabled: q.length > 0 });
  const nodes = useInfiniteQuery({ ...nodeList(q, ""), enabled: q.length > 0 });
  const matches = (label: string) => label.toLowerCase().includes(q.toLowerCase());
  const actions = [
    { label: "New document", run: () => void navigate({ to: "/documents", search: { new: "1" } }) },
    { label: "Add an instance", run: () => void navigate({ to: "/instances", search: { do: "add" } }) },
    { label: "Verify all instances", run: () => void navigate({ to: "/instances", search: { tab: "verify" } }) },
    { label: "Enroll a node", run: () => void navigate({ to: "/nodes", search: { do: "enroll" } }) },
    { label: "Light theme", run: () => prefs.set({ theme: "light" }) },
    { label: "Dark theme", run: () => prefs.set({ theme: "dark" }) },
    { label: "Theme of the system", run: () => prefs.set({ theme: "system" }) },
    { label: "Times in UTC on or off", run: () => prefs.set({ utc: !prefs.get().utc }) },
  ];
  const groups: { heading: string; items: Item[] }[] = [
    {
      heading: "Documents",
      items: (q ? (documents.data ?? []) : []).slice(0, shownAtMost).map((d) => ({
        key: `document ${d.document}`,
        label: <span className="mono">{d.document}</span>,
        run: () => void navigate({ to: "/documents/$name", params: { name: d.document } }),
      })),
    },
    {
      heading: "Nodes",
      items: (q ? (nodes.data ?? []) : []).slice(0, shownAtMost).map((n) => ({
        key: `node ${n.id}`,
        label: (
          <>
            <Glyph status={n.status} /> <span className="mono">{n.id}</span>
          </>
        ),
        run: () => void navigate({ to: "/nodes/$id", params: { id: n.id } }),
      })),
    },
    {
      heading: "Pages",
      items: places
        .filter((p) => matches(p.label))
        .map((p) => ({ key: `page ${p.to}`, label: p.label, run: () => void navigate({ to: p.to }) })),
    },
    {
      heading: "Actions",
      items: actions.filter((a) => matches(a.label)).map((a) => ({ key: `action ${a.label}`, ...a })),
    },
  ];
  // What was chosen, while it is there; else the first, also when it comes after the last key.
  const keys = groups.flatMap((g) => g.items.map((i) => i.key));
  const value = keys.includes(chosen) ? chosen : (keys[0] ?? "");
  return (
    <Dialog.Root open onOpenChange={(open) => (open ? undefined : onClose())}>
      <Dialog.Portal>
        <Dialog.Backdrop className={css.backdrop} />
        <Dialog.Popup className={css.popup} aria-label="Go to">
          <Command shouldFilter={false} loop label="Go to" value={value} onValueChange={setChosen}>
            <Command.Input
              value={text}
              onValueChange={setText}
              placeholder="Page, document, node or action"
              className={css.input}
            />
            <Command.List className={css.list}>
              <Command.Empty className={css.empty}>Nothing of that name.</Command.Empty>
              {groups.map((g) => (
                <Group key={g.heading} {...g} onRun={onClose} />
              ))}
            </Command.List>
          </Command>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

interface Item {
  key: string;
  label: ReactNode;
  run: () => void;
}

function Group({ heading, items, onRun }: { heading: string; items: Item[]; onRun: () => void }) {
  if (items.length === 0) return null;
  return (
    <Command.Group heading={heading} className={css.group}>
      {items.map((item) => (
        <Command.Item
          key={item.key}
          value={item.key}
          onSelect={() => {
            onRun();
            item.run();
          }}
          className={css.item}
        >
          {item.label}
        </Command.Item>
      ))}
    </Command.Group>
  );
}
