import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useWhyNot } from "../../app/may";
import { documentQuery } from "../../data/documents";
import { ApiError } from "../../data/http";
import type { DocumentFull } from "../../data/types";
import { plural } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { LoadedPage } from "../../parts/LoadedPage";
import { Page } from "../../parts/Page";
import { Empty } from "../../parts/State";
import { Tabs } from "../../parts/Tabs";
import { DeleteDialog } from "./DeleteDialog";
import css from "./Document.module.css";
import { EditTab } from "./EditTab";
import { Effective } from "./Effective";
import { History } from "./History";
import { Targets } from "./Targets";
import { useHasDraft } from "./useDraft";

type TabId = "effective" | "edit" | "history" | "targets";

export default function DocumentPage() {
  const { name } = useParams({ from: "/shell/documents/$name" });
  const { tab } = useSearch({ from: "/shell/documents/$name" });
  const query = useQuery(documentQuery(name));
  const missing = query.error instanceof ApiError && query.error.status === 404 && !query.data;
  if (missing) return tab === "edit" ? <NewPage key={name} name={name} /> : <NoSuch name={name} />;
  return (
    <LoadedPage title={name} heading={<span className={css.name}>{name}</span>} query={query}>
      {(doc) => <Existing key={name} doc={doc} />}
    </LoadedPage>
  );
}

function Existing({ doc }: { doc: DocumentFull }) {
  const search = useSearch({ from: "/shell/documents/$name" });
  const navigate = useNavigate({ from: "/documents/$name" });
  const current = (["edit", "history", "targets"].includes(search.tab ?? "") ? search.tab : "effective") as TabId;
  const hasDraft = useHasDraft(doc.document);
  const why = useWhyNot("documents.write", doc.document);
  return (
    <Page
      title={doc.document}
      heading={<span className={css.name}>{doc.document}</span>}
      aside={
        <span className={css.effective}>
          <b>Effective v{doc.version}</b> · revision {doc.revision} · {plural(doc.nodes, "node")}
        </span>
      }
      actions={
        current === "edit" ? null : (
          <>
            <Button kind="quiet" why={why} onClick={() => void navigate({ search: (s) => ({ ...s, do: "delete" }) })}>
              Delete…
            </Button>
            <LinkButton kind="primary" to="/documents/$name" params={{ name: doc.document }} search={{ tab: "edit" }}>
              {hasDraft ? "Resume draft" : "Edit"}
            </LinkButton>
          </>
        )
      }
    >
      <Tabs
        label="Document"
        current={current}
        tabs={[
          { id: "effective", label: "Effective" },
          { id: "edit", label: hasDraft ? "Edit · draft" : "Edit" },
          { id: "history", label: "History" },
          { id: "targets", label: "Targets" },
        ]}
        link={(t, className) => (
          <Link
            to="/documents/$name"
            params={{ name: doc.document }}
            search={t.id === "effective" ? {} : { tab: t.id }}
            className={className}
            aria-current={t.id === current ? "page" : undefined}
          >
            {t.label}
          </Link>
        )}
      />
      {current === "effective" ? <Effective doc={doc} /> : null}
      {current === "edit" ? <EditTab name={doc.document} doc={doc} why={why} /> : null}
      {current === "history" ? <History doc={doc} /> : null}
      {current === "targets" ? <Targets doc={doc} /> : null}
      {search.do === "delete" ? (
        <DeleteDialog doc={doc} why={why} onClose={() => void navigate({ search: (s) => ({ ...s, do: undefined }) })} />
      ) : null}
    </Page>
  );
}

function NewPage({ name }: { name: string }) {
  const why = useWhyNot("documents.write", name);
  return (
    <Page
      title={name}
      heading={<span className={css.name}>{name}</span>}
      aside={<span className={css.effective}>New document · nothing effective yet</span>}
    >
      <EditTab name={name} why={why} />
    </Page>
  );
}

function NoSuch({ name }: { name: string }) {
  return (
    <Page title={name} heading={<span className={css.name}>{name}</span>}>
      <Empty title="There is no document of this name">
        <p>It may have been deleted; the audit log tells by whom.</p>
        <div className={css.row}>
          <LinkButton to="/documents">All documents</LinkButton>
          <LinkButton to="/documents/$name" params={{ name }} search={{ tab: "edit" }}>
            Begin a draft
          </LinkButton>
        </div>
      </Empty>
    </Page>
  );
}
