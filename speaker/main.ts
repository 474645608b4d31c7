/**
 * The speaker: attracts traffic to this node and has the kernel forward it to pods. This file only takes in what comes
 * from outside of the process.
 */
import { readFileSync } from "node:fs";
import type { LogLevel } from "#api/log-level.ts";
import { systemClock } from "#common/clock.ts";
import { connectionFromEnvironment } from "#common/kube/connection.ts";
import { createLogger } from "#common/log.ts";
import { runMain } from "#common/process.ts";
import { systemRandom } from "#common/random.ts";
import { live } from "./life.ts";
import { readOptions } from "./options.ts";

const options = readOptions(process.env);
const log = createLogger({ level: options.logLevel, fields: { role: "speaker", node: options.node } });

await runMain({
  log,
  clock: systemClock,
  main: async (signal) => {
    const readFile = (path: string): string => readFileSync(path, "utf8");
    const connection = connectionFromEnvironment({ env: process.env, readFile });
    const onLogLevel = (level: LogLevel): void => log.setLevel(level);
    await live({ options, connection, clock: systemClock, random: systemRandom, log, onLogLevel }, signal);
  },
});
