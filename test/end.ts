/**
 * Preloaded into every test process: ends it for good once it has nothing left to do. Left to itself Node 26.10 now and
 * then spins for ever in its own clean-up there (Environment::CleanupHandles), with all tests of the file passed.
 *
 * What keeps a process after its last test, a server left open for example, is a fault: after a while it is named, and
 * the file has failed. Node's runner itself would wait for such a file for ever, and nobody would read what failed in it.
 */
import { after } from "node:test";

/** To take a lab down is a file's own last work, and takes its time. */
const LINGERS_MS = Number(process.env.TEST_LINGERS_MS ?? 90_000);

process.once("beforeExit", () => process.on("exit", (code) => process.exit(code)));
// Of the processes that this is loaded into, only those that a runner started for a file have tests.
if (process.env.NODE_TEST_CONTEXT !== undefined)
  after(() => {
    const end = (): void => {
      const held = process.getActiveResourcesInfo().join(", ");
      process.stderr.write(`${process.argv[1]}: its tests have ended, but something keeps it: ${held}\n`);
      process.exit(1);
    };
    setTimeout(end, LINGERS_MS).unref();
  });
