import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the sources and sends API calls to a running controller (DROVER_URL).
const controller = process.env.DROVER_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  // Replaced for every answer by the Go side (embed.go).
  html: { cspNonce: "__DROVER_NONCE__" },
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    manifest: true,
    // A data: URL would break the content security policy, so everything stays a file.
    assetsInlineLimit: 0,
    license: { fileName: "licenses/javascript.md" },
  },
  server: { host: "127.0.0.1", proxy: { "/api": controller } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
