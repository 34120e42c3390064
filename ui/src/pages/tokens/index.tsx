import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useWhyNot } from "../../app/may";
import { removeToken, tokenList } from "../../data/admin";
import { keys } from "../../data/keys";
import type { TokenRow } from "../../data/types";
import { plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { type Column, DataTable } from "../../parts/DataTable";
import { Actions, Dialog } from "../../parts/Dialog";
import { moreOf } from "../../parts/more";
import { notify } from "../../parts/notices";
import { Page } from "../../parts/Page";
import { Prefixes } from "../../parts/RoleFields";
import { Empty, Failed, Loaded } from "../../parts/State";
import { Time } from "../../parts/Time";
import { TokenDialog } from "./TokenDialog";

export default function Tokens() {
  const search = useSearch({ from: "/shell/settings/tokens" });
  const navigate = useNavigate({ from: "/settings/tokens" });
  const why = useWhyNot("tokens.write");
  const query = useInfiniteQuery(tokenList());
  const act = (what?: string) => void navigate({ search: { do: what } });
  const revoking = query.data?.find((t) => search.do === `revoke:${t.id}`);
  const columns: Column<TokenRow>[] = [
    { head: "Name", width: "minmax(0,1.5fr)", phone: "minmax(0,1fr)", cell: (t) => t.name || "–" },
    { head: "Id", width: "minmax(0,160px)", cell: (t) => <span className="mono">{t.id}</span> },
    { head: "Role", width: "96px", phone: "72px", cell: (t) => t.role },
    { head: "Prefixes", width: "minmax(0,1.5fr)", cell: (t) => <Prefixes of={t} /> },
    { head: "Created", width: "96px", cell: (t) => <Time at={t.created} /> },
    { head: "Expires", width: "96px", phone: "64px", cell: (t) => (t.expires ? <Time at={t.expires} /> : "never") },
    {
      head: "Actions",
      width: "104px",
      phone: "88px",
      end: true,
      cell: (t) => (
        <Button kind="quiet" why={why} onClick={() => act(`revoke:${t.id}`)}>
          Revoke…
        </Button>
      ),
    },
  ];
  return (
    <Page
      title="Tokens"
      aside={query.data ? plural(query.data.length, "token") : null}
      actions={
        <Button kind="primary" why={why} onClick={() => act("add")}>
          Make a token
        </Button>
      }
    >
      <Loaded query={query}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No API token">
              <p>Scripts and the command line use a token instead of a password.</p>
              <Button why={why} onClick={() => act("add")}>
                Make a token
              </Button>
            </Empty>
          ) : (
            <DataTable label="Tokens" columns={columns} rows={rows} keyOf={(t) => t.id} more={moreOf(query)} />
          )
        }
      </Loaded>
      {search.do === "add" ? <TokenDialog why={why} onClose={() => act()} /> : null}
      {revoking ? <Revoke token={revoking} why={why} onClose={() => act()} /> : null}
    </Page>
  );
}

function Revoke({ token, why, onClose }: { token: TokenRow; why?: string; onClose: () => void }) {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => removeToken(token.id),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.tokens });
      notify(`${token.name || token.id} was revoked.`);
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title={`Revoke ${token.name || token.id}`} description="Whatever uses it is refused at once.">
      {run.error ? <Failed error={run.error} /> : null}
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="danger" why={why} busy={run.isPending} onClick={() => run.mutate()}>
          Revoke the token
        </Button>
      </Actions>
    </Dialog>
  );
}
