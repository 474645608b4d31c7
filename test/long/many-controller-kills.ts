/**
 * Kills of controllers while Services churn, beyond the few that `make test` makes. Arguments: kills (200), Services
 * (2,000), seed. One line of JSON at the end; docs/results/controller-kills.json keeps it beside those of earlier runs.
 * Ends with 1 if an address was there twice or changed.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { type ChurnResult, churn } from "./churn.ts";

/** Runs that are kept; the oldest go first. */
const KEPT = 20;
const RESULTS = new URL("../../docs/results/controller-kills.json", import.meta.url);

type Run = ChurnResult & { readonly date: string; readonly node: string; readonly cores: number };
interface Results {
  readonly what: string;
  readonly total: Pick<ChurnResult, "kills" | "leadersKilled" | "changes" | "looks" | "twice" | "moved">;
  readonly runs: readonly Run[];
}

function keep(result: ChurnResult): void {
  const earlier = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, "utf8")) as Results).runs : [];
  const date = new Date().toISOString().slice(0, 10);
  const runs = [...earlier, { ...result, date, node: process.version, cores: cpus().length }].slice(-KEPT);
  const sum = (of: (run: Run) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const results: Results = {
    what: "SIGKILL of one of two controllers, or both, while Services come, go and change; a real API server",
    total: {
      kills: sum(({ kills }) => kills),
      leadersKilled: sum(({ leadersKilled }) => leadersKilled),
      changes: sum(({ changes }) => changes),
      looks: sum(({ looks }) => looks),
      twice: sum(({ twice }) => twice),
      moved: sum(({ moved }) => moved),
    },
    runs,
  };
  writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
}

const [kills = "200", count = "2000", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const result = await churn({ kills: Number(kills), services: Number(count), seed: Number(seed), say });
process.stdout.write(`${JSON.stringify({ name: "controller-kills", ...result })}\n`);
keep(result);
if (result.twice + result.moved > 0) process.exitCode = 1;
