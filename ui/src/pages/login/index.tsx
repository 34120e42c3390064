import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { ApiError } from "../../data/http";
import { login } from "../../data/session";
import { sentence } from "../../lib/words";
import { Button } from "../../parts/Button";
import { TextField } from "../../parts/Field";
import css from "./Login.module.css";

export default function Login() {
  const { next } = useSearch({ from: "/login" });
  const router = useRouter();
  const client = useQueryClient();
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  useEffect(() => {
    document.title = "Log in · Drover";
  }, []);

  const enter = useMutation({
    mutationFn: () => login(user, password),
    onSuccess: () => {
      client.clear();
      // Only a path of this site; anything else would send people away with a link.
      router.history.replace(next && /^\/(?![/\\])/.test(next) ? next : "/");
    },
    onError: () => setPassword(""),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (user && password && !enter.isPending) enter.mutate();
  };
  return (
    <main className={css.page}>
      <form className={css.form} onSubmit={submit}>
        <h1>Drover</h1>
        <TextField label="User" value={user} autoComplete="username" autoFocus required mono onChange={(e) => setUser(e.target.value)} />
        <TextField
          label="Password"
          type="password"
          value={password}
          autoComplete="current-password"
          required
          onChange={(e) => setPassword(e.target.value)}
        />
        {enter.error ? (
          <p role="alert" className={css.error}>
            {loginError(enter.error)}
          </p>
        ) : null}
        <Button kind="primary" type="submit" busy={enter.isPending}>
          {enter.isPending ? "Logging in…" : "Log in"}
        </Button>
      </form>
    </main>
  );
}

function loginError(error: Error): string {
  if (!(error instanceof ApiError)) return error.message;
  if (error.status === 401) return "User or password is wrong.";
  if (error.status === 429) return `Too many attempts. Try again in ${error.retryAfter ?? 60} s.`;
  return error.requestId ? `${error.message} (request ${error.requestId})` : sentence(error.message);
}
