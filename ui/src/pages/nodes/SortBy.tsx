import { useNavigate } from "@tanstack/react-router";
import css from "./Nodes.module.css";

const orders = [
  { value: "", label: "by id" },
  { value: "status", label: "worst first" },
  { value: "site", label: "by site" },
];

export function SortBy({ current }: { current: string }) {
  const navigate = useNavigate({ from: "/nodes" });
  return (
    <label className={css.sort}>
      Order
      <select
        value={current}
        onChange={(e) => void navigate({ search: (s) => ({ ...s, sort: e.target.value || undefined }), replace: true })}
      >
        {orders.map((o) => (
          <option key={o.value} value={o.value}>
            {o.label}
          </option>
        ))}
      </select>
    </label>
  );
}
