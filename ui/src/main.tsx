import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./tokens.css";
import "./base.css";
import { LiveProvider } from "./app/live";
import { makeClient } from "./app/client";
import { router } from "./app/router";
import { answered } from "./data/http";
import { Live } from "./data/live";

const client = makeClient();
const live = new Live(client);

// An answer 401 anywhere ends the session here too: to the login, and back afterwards.
answered.unauthorized = () => {
  const { pathname, href } = router.state.location;
  if (pathname === "/login") return;
  live.stop();
  void router.navigate({ to: "/login", search: { next: href }, replace: true }).then(() => client.clear());
};

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <LiveProvider value={live}>
        <RouterProvider router={router} />
      </LiveProvider>
    </QueryClientProvider>
  </StrictMode>,
);
