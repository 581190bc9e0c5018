import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Relative addresses: the page works in any folder of any static server. public/viewer is the bundle that
// build/bundle_viewer.mjs made; it is copied as it is.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    rolldownOptions: { input: ["index.html", "training.html", "compare.html"] },
  },
});
