// Lets node's test runner read the TypeScript sources: esbuild takes the types away, nothing else.
import { register } from "node:module";

register("./typescript_hooks.mjs", import.meta.url);
