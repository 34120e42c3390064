import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useWhyNot } from "../../app/may";
import { documentList } from "../../data/documents";
import { plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Page } from "../../parts/Page";
import { FilterBar } from "../../parts/FilterBar";
import { Empty, Loaded } from "../../parts/State";
import { DocumentTree } from "./DocumentTree";
import { NewDocument } from "./NewDocument";

export default function Documents() {
  const search = useSearch({ from: "/shell/documents" });
  const navigate = useNavigate({ from: "/documents" });
  const q = search.q ?? "";
  const list = useInfiniteQuery(documentList(q));
  const why = useWhyNot("documents.write");
  const create = () => void navigate({ search: (s) => ({ ...s, new: "1" }) });
  return (
    <Page
      title="Documents"
      aside={list.data ? `${plural(list.data.length, "document")}${list.hasNextPage ? " and more" : ""}` : null}
      actions={
        <Button kind="primary" why={why} onClick={create}>
          New document
        </Button>
      }
    >
      <FilterBar
        label="Filter documents by name"
        placeholder="Filter by name"
        value={q}
        onChange={(value) => void navigate({ search: (s) => ({ ...s, q: value || undefined }), replace: true })}
      />
      <Loaded query={list}>
        {(rows) =>
          rows.length > 0 ? (
            <DocumentTree rows={rows} query={list} />
          ) : q ? (
            <Empty title={`No document matches “${q}”`}>
              <Button onClick={() => void navigate({ search: {} })}>Clear the filter</Button>
            </Empty>
          ) : (
            <Empty title="No document yet">
              <p>A document is a named JSON object. Its selector says which nodes hold it.</p>
              <Button why={why} onClick={create}>
                New document
              </Button>
            </Empty>
          )
        }
      </Loaded>
      {search.new ? <NewDocument onClose={() => void navigate({ search: { q: search.q } })} /> : null}
    </Page>
  );
}
