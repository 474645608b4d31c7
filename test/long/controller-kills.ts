/** `make test-long`: 200 kills while 2,000 Services churn. Arguments: kills, Services, seed. One line of JSON at the end. */
import { churn } from "./churn.ts";

const [kills = "200", count = "2000", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const result = await churn({ kills: Number(kills), services: Number(count), seed: Number(seed), say });
process.stdout.write(`${JSON.stringify({ name: "controller-kills", ...result })}\n`);
if (result.twice + result.moved > 0) process.exitCode = 1;
