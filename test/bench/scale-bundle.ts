/**
 * Writes test/bench/scale.ts as one file, as images have a speaker: what takes the types away while a program runs, and the
 * text of each module, take twenty megabytes that no speaker has.
 *
 *   node test/bench/scale-bundle.ts DIRECTORY
 */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { bundleFile } from "#hack/images/bundle.ts";

const [directory = "build/bench"] = process.argv.slice(2);
await bundleFile("test/bench/scale.ts", join(directory, "scale.mjs"), { version: "bench" });
copyFileSync("speaker/native/build/socket.node", join(directory, "socket.node"));
