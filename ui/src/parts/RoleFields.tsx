import { roles } from "../data/session";
import type { Role } from "../data/types";
import { SelectField, TextField } from "./Field";

const does: Record<Role, string> = {
  viewer: "reads",
  editor: "writes documents",
  approver: "approves changes",
  operator: "nodes, retries, enrolment",
  admin: "users, tokens, cluster",
};

interface Props {
  role: Role;
  prefixes: string;
  onRole: (role: Role) => void;
  onPrefixes: (text: string) => void;
}

/** Role and document prefixes, the same for users and tokens. */
export function RoleFields({ role, prefixes, onRole, onPrefixes }: Props) {
  return (
    <>
      <SelectField
        label="Role"
        value={role}
        hint="Each role may do what those before it may."
        onChange={(e) => onRole(e.target.value as Role)}
      >
        {roles.map((r) => (
          <option key={r} value={r}>
            {r} – {does[r]}
          </option>
        ))}
      </SelectField>
      <TextField
        label="Document prefixes"
        mono
        value={prefixes}
        placeholder="all documents"
        hint="Parted by spaces: routing/ security/. Empty: all documents."
        onChange={(e) => onPrefixes(e.target.value)}
      />
    </>
  );
}

export const splitPrefixes = (text: string) => text.split(/[\s,]+/).filter(Boolean);

export function Prefixes({ of }: { of: { prefixes?: string[] | null } }) {
  const list = of.prefixes ?? [];
  return list.length === 0 ? <span>all documents</span> : <span className="mono">{list.join(" ")}</span>;
}
