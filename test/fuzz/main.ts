/** `make fuzz`: a million messages and more in all. Arguments: messages for each decoder (objects: a twentieth), seed. */

import { DECODERS } from "./decoders.ts";
import { type FuzzResult, fuzz } from "./fuzz.ts";
import { DOCUMENTS, fuzzObjects } from "./odd-objects.ts";
import { Cluster, KINDS } from "./two-tenants.ts";

const [count = "100000", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
process.stdout.write(`seed ${seed}\n`);
global.gc?.();
const before = process.memoryUsage().heapUsed;
let all = 0;
function tell({ name, messages, refused, perSecond }: FuzzResult): void {
  all += messages;
  process.stdout.write(
    `${name.padEnd(20)} ${messages} messages, ${refused} refused, ${perSecond} a second\n`,
  );
}
for (const decoder of [...DECODERS, ...DOCUMENTS]) tell(fuzz(decoder, Number(count), Number(seed)));
// Each of these is a whole plan, and sometimes seconds of Leases.
const cluster = await Cluster.open();
for (const kind of KINDS) tell(await fuzzObjects(cluster, kind, Math.ceil(Number(count) / 20), Number(seed)));
await cluster.close();
global.gc?.();
const grown = (process.memoryUsage().heapUsed - before) / 2 ** 20;
process.stdout.write(`${all} messages, heap grown by ${grown.toFixed(1)} MiB\n`);
if (grown > 16) process.exitCode = 1;
