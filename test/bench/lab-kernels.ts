/**
 * `make bench-lab`: what the lab's kernels cost, beside each other and beside this machine's own; keeps
 * docs/results/lab.md.
 *   lab-kernels.ts [--kernels user-mode,qemu] [--demo user-mode,qemu] [--rounds 3] [--results docs/results/lab.md]
 * The emulator takes a quarter of an hour for a round, most of it for the demo: it gets one round.
 */
import { writeFile } from "node:fs/promises";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import { describeLoad, type Load, loadSince, readLoad } from "#hack/common/load.ts";
import { say } from "#hack/common/progress.ts";
import type { Guest } from "#hack/guest/boot.ts";
import { ensureProgram } from "#hack/guest/cache.ts";
import { startGuest } from "#hack/guest/guest.ts";
import { type KernelKind, parseKernelKind } from "#hack/guest/kernel.ts";
import { insideCommand } from "#test/network/inside.ts";
import { type Figures, page, ROWS } from "./lab-page.ts";

const INSTANCE = "7";
const DEMO_SECONDS_AT_MOST = 1_200;
/** A loop in Node that no optimization removes. */
const NODE_LOOP =
  "let s=1;const n=Number(process.argv[1]);const t=performance.now();for(let i=0;i<n;i++)s=(s*48271+i)%2147483647;console.log((performance.now()-t)*1e6/n,s>0?'':'')";

type Exec = (argv: readonly string[]) => Promise<string>;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Nanoseconds a turn: of C, of Node, of a system call, of fork and exec. */
async function programs(exec: Exec): Promise<Figures> {
  const work = await ensureProgram(join(import.meta.dirname, "lab-work.c"), "lab-work");
  const number = async (argv: readonly string[]): Promise<number> => Number.parseFloat(await exec(argv));
  return {
    compute: await number([work, "compute", "50000000"]),
    node: await number([process.execPath, "-e", NODE_LOOP, "20000000"]),
    syscall: await number([work, "syscalls", "30000"]),
    exec: (await number([work, "execs", "60"])) / 1e6,
  };
}

const inGuest =
  (guest: Guest): Exec =>
  async (argv) => {
    const { code, stdout, stderr } = await guest.exec(argv);
    if (code === 0) return stdout;
    throw new Error(`${argv.join(" ")}: ${code}: ${stderr}`);
  };

async function ofGuest(kernel: KernelKind): Promise<Figures> {
  const boot = await timed(async () => {
    const guest = await startGuest({ kernel });
    await guest.exec(["true"]);
    await guest.stop();
  });
  const guest = await startGuest({ kernel });
  try {
    return { boot: boot / 1000, ...(await programs(inGuest(guest))) };
  } finally {
    await guest.stop();
  }
}

/** Seconds until three nodes are Ready. */
async function ofLab(kernel: KernelKind): Promise<Figures> {
  const lab = (...argv: string[]): Promise<string> =>
    run([process.execPath, "hack/lab/main.ts", "--instance", INSTANCE, ...argv], { cwd: CHECKOUT });
  try {
    const up = await timed(() => lab("up", "--kernel", kernel));
    return { lab: up / 1000 };
  } finally {
    await lab("down");
  }
}

/** Seconds of the test of forwarding against the kernel, with the guest's start. */
async function ofForwardingTest(kernel: KernelKind): Promise<Figures> {
  const inside = insideCommand("test/dataplane/forwarding.test.ts");
  const took = await timed(() =>
    run([process.execPath, "hack/guest/run.ts", "--kernel", kernel, "--", ...inside], { cwd: CHECKOUT }),
  );
  return { forwarding: took / 1000 };
}

/** Seconds of the demo's steps where all is built, and the guest's share of a processor when it is over. */
async function ofDemo(kernel: KernelKind): Promise<Figures> {
  const demo = (...argv: string[]): Promise<string> =>
    run([process.execPath, "hack/demo/main.ts", ...argv], {
      cwd: CHECKOUT,
      signal: AbortSignal.timeout(DEMO_SECONDS_AT_MOST * 1000),
    });
  try {
    const took = await timed(() => demo("up", "--kernel", kernel));
    const status = await run([process.execPath, "hack/lab/main.ts", "status"], { cwd: CHECKOUT });
    return { demo: took / 1000, idle: Number(/\bguest (\d+) %/.exec(status)?.[1]) };
  } catch (error) {
    say(`the demo on ${kernel}: ${error instanceof Error ? error.message : String(error)}`);
    return { demo: Number.NaN };
  } finally {
    await demo("down");
  }
}

const STEPS = [ofGuest, ofForwardingTest, ofLab];

const { values } = parseArgs({
  options: {
    kernels: { type: "string", default: "user-mode,qemu" },
    demo: { type: "string", default: "user-mode,qemu" },
    rounds: { type: "string", default: "3" },
    results: { type: "string", default: "docs/results/lab.md" },
  },
});
const kernels = values.kernels.split(",").map((text) => {
  const kind = parseKernelKind(text);
  if (kind === undefined) throw new Error(`--kernels: ${text} is none`);
  return kind;
});
const rows = new Map<string, Figures[]>();
const loads: Load[] = [];
const keep = (column: string, figures: Figures): void => {
  rows.set(column, [...(rows.get(column) ?? []), figures]);
};
for (let round = 1; round <= Number(values.rounds); round += 1) {
  const before = await readLoad();
  keep("this machine's kernel", await programs((argv) => run(argv)));
  for (const kernel of kernels.filter((kind) => kind !== "qemu" || round === 1)) {
    const hasDemo = values.demo.split(",").includes(kernel);
    for (const step of hasDemo ? [...STEPS, ofDemo] : STEPS) {
      say(`round ${round}: ${step.name} on ${kernel}`);
      keep(kernel, await step(kernel));
    }
  }
  loads.push(await loadSince(before));
}
const text = page(rows, {
  began: new Date(),
  kernel: release(),
  processors: cpus().length,
  model: cpus()[0]?.model ?? "",
  rounds: Number(values.rounds),
  loads: loads.map(describeLoad),
});
await writeFile(join(CHECKOUT, values.results), text);
process.stdout.write(text);
say(`${Object.keys(ROWS).length} rows in ${values.results}`);
