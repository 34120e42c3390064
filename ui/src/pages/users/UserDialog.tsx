import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { addUser, changeUser } from "../../data/admin";
import { keys } from "../../data/keys";
import type { Role, UserRow } from "../../data/types";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Field";
import { notify } from "../../parts/notices";
import { RoleFields, splitPrefixes } from "../../parts/RoleFields";
import { Failed } from "../../parts/State";

/** Adds a user, or changes one; an empty password leaves it as it is. */
export function UserDialog({ user, why, onClose }: { user?: UserRow; why?: string; onClose: () => void }) {
  const [name, setName] = useState(user?.user ?? "");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<Role>(user?.role ?? "viewer");
  const [prefixes, setPrefixes] = useState((user?.prefixes ?? []).join(" "));
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => {
      const list = splitPrefixes(prefixes);
      if (!user) return addUser({ user: name.trim(), password, role, prefixes: list });
      return changeUser(user.user, { role, prefixes: list, ...(password ? { password } : {}) });
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.users });
      void client.invalidateQueries({ queryKey: keys.me });
      notify(user ? `${user.user} was changed.` : `${name.trim()} was added.`);
      onClose();
    },
  });
  const off =
    why ??
    (name.trim() === "" ? "A name is needed." : undefined) ??
    (!user && password === "" ? "A password is needed." : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!off && !save.isPending) save.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={user ? `Edit ${user.user}` : "Add a user"}>
      <form onSubmit={submit} style={{ display: "grid", gap: 14 }}>
        {user ? null : (
          <TextField label="User" mono autoFocus value={name} autoComplete="off" onChange={(e) => setName(e.target.value)} />
        )}
        <TextField
          label="Password"
          type="password"
          autoComplete="new-password"
          value={password}
          hint={user ? "Empty: stays as it is. A new one ends this user’s sessions." : undefined}
          onChange={(e) => setPassword(e.target.value)}
        />
        <RoleFields role={role} prefixes={prefixes} onRole={setRole} onPrefixes={setPrefixes} />
        {save.error ? <Failed error={save.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" why={off} busy={save.isPending}>
            {user ? "Save" : "Add"}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
