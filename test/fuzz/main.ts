/** `make fuzz`: a million messages and more in all. Arguments: messages for each decoder, seed. */
import { DECODERS } from "./decoders.ts";
import { fuzz } from "./fuzz.ts";

const [count = "100000", seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
process.stdout.write(`seed ${seed}\n`);
global.gc?.();
const before = process.memoryUsage().heapUsed;
let all = 0;
for (const decoder of DECODERS) {
  const { messages, refused, perSecond } = fuzz(decoder, Number(count), Number(seed));
  all += messages;
  process.stdout.write(
    `${decoder.name.padEnd(20)} ${messages} messages, ${refused} refused, ${perSecond} a second\n`,
  );
}
global.gc?.();
const grown = (process.memoryUsage().heapUsed - before) / 2 ** 20;
process.stdout.write(`${all} messages, heap grown by ${grown.toFixed(1)} MiB\n`);
if (grown > 16) process.exitCode = 1;
