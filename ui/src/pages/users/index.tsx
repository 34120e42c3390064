import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMe, useWhyNot } from "../../app/may";
import { userList } from "../../data/admin";
import type { UserRow } from "../../data/types";
import { plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { type Column, DataTable } from "../../parts/DataTable";
import { moreOf } from "../../parts/more";
import { Page } from "../../parts/Page";
import { Prefixes } from "../../parts/RoleFields";
import { Empty, Loaded } from "../../parts/State";
import { Time } from "../../parts/Time";
import { RemoveUser } from "./RemoveUser";
import { UserDialog } from "./UserDialog";

export default function Users() {
  const search = useSearch({ from: "/shell/settings/users" });
  const navigate = useNavigate({ from: "/settings/users" });
  const why = useWhyNot("users.write");
  const me = useMe();
  const query = useInfiniteQuery(userList());
  const act = (what?: string, user?: string) => void navigate({ search: { do: what, user } });
  const chosen = query.data?.find((u) => u.user === search.user);
  const columns: Column<UserRow>[] = [
    { head: "User", width: "minmax(0,1.5fr)", phone: "minmax(0,1fr)", cell: (u) => <span className="mono">{u.user}</span> },
    { head: "Role", width: "120px", phone: "72px", cell: (u) => u.role },
    { head: "Prefixes", width: "minmax(0,2fr)", cell: (u) => <Prefixes of={u} /> },
    { head: "Created", width: "104px", cell: (u) => <Time at={u.created} /> },
    {
      head: "Actions",
      width: "176px",
      phone: "152px",
      end: true,
      cell: (u) => (
        <>
          <Button kind="quiet" why={why} onClick={() => act("edit", u.user)}>
            Edit
          </Button>
          <Button
            kind="quiet"
            why={why ?? (u.user === me?.user ? "You cannot remove yourself." : undefined)}
            onClick={() => act("remove", u.user)}
          >
            Remove…
          </Button>
        </>
      ),
    },
  ];
  return (
    <Page
      title="Users"
      aside={query.data ? plural(query.data.length, "user") : null}
      actions={
        <Button kind="primary" why={why} onClick={() => act("add")}>
          Add a user
        </Button>
      }
    >
      <Loaded query={query}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No user" />
          ) : (
            <DataTable label="Users" columns={columns} rows={rows} keyOf={(u) => u.user} more={moreOf(query)} />
          )
        }
      </Loaded>
      {search.do === "add" ? <UserDialog why={why} onClose={() => act()} /> : null}
      {search.do === "edit" && chosen ? <UserDialog user={chosen} why={why} onClose={() => act()} /> : null}
      {search.do === "remove" && chosen ? <RemoveUser user={chosen} why={why} onClose={() => act()} /> : null}
    </Page>
  );
}
